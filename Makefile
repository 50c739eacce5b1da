# The commands of this project. Each says what it does and ends clean.

.PHONY: demo test e2e image fuzz deny check

demo: ## The main job on a real API server, with everything it needs (the first time about ten minutes)
	@sh examples/demo/run

test: ## All tests: unit tests, and the integration tests on a real control plane, a real PostgreSQL and under GitHub's own description
	@sh tests/cluster/build >/dev/null
	@sh tests/referee/build >/dev/null
	@sh tests/postgres/build >/dev/null
	cargo test

e2e: ## Helm, kubectl and CronJobs on a real node, or in the cluster that KUBECONFIG names; SHORT=1 for the main job only
	@sh tests/node/e2e $(if $(SHORT),short)

image: ## The image, in target/image/singletrack.tar, without a network
	@sh tests/image/build

SECONDS ?= 60
fuzz: ## Hostile input for every decoder; SECONDS=… for each target
	@sh fuzz/run $(SECONDS)

deny: ## Licences, doubles and sources of all crates against deny.toml, without a network; needs cargo-deny
	cargo deny --offline check bans licenses sources

check: ## What CI asks for besides the tests
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
