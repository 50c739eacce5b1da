// Loaded into the proxy before it starts: makes it pass redirects on.
//
// By itself it follows them, so that neither the client nor the referee would ever see one.

const { createRequire } = require('node:module');
const { realpathSync } = require('node:fs');

const fetch = createRequire(realpathSync(process.argv[1]))('node-fetch');
fetch.default = (url, options) => fetch(url, { ...options, redirect: 'manual' });
