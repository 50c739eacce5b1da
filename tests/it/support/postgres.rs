//! PostgreSQL for the tests: one server for the whole test binary, and a database of it for each test.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use secrecy::SecretString;
use singletrack::store::{Address, Postgres, Text};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;

/// A server of our own. It ends with this process, whichever way that ends: the starter waits for
/// the end of its standard input, which we hold.
pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    pooled_port: Option<u16>,
    password: String,
    starter: Mutex<(Child, BufReader<ChildStdout>)>,
}

impl Server {
    /// A server that no other test uses.
    pub(crate) async fn start() -> Self {
        tokio::task::spawn_blocking(|| start(None)).await.expect("a PostgreSQL starts")
    }

    /// The same, which can also be reached at this address of the machine.
    pub(crate) async fn start_at(address: &str) -> Self {
        let address = address.to_owned();
        let start = move || start(Some(&address));
        tokio::task::spawn_blocking(start).await.expect("a PostgreSQL starts")
    }

    /// Ends as a machine does that loses its power.
    pub(crate) fn crash(&self) {
        self.tell("stop");
    }

    /// Starts again on the same port, and waits until it takes connections.
    pub(crate) fn start_again(&self) {
        self.tell("start");
    }

    fn tell(&self, what: &str) {
        let mut starter = self.starter.lock().expect("not poisoned");
        let (child, output) = &mut *starter;
        let input = child.stdin.as_mut().expect("it is piped");
        writeln!(input, "{what}").expect("the starter listens");
        let mut line = String::new();
        output.read_line(&mut line).expect("the starter speaks");
        assert_eq!(line.trim(), "done");
    }

    /// The authority that has signed the certificate, which is for `localhost`.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The URL of the database that everyone may create others in.
    fn url(&self) -> Url {
        self.url_at("127.0.0.1")
    }

    /// The same at another address.
    pub(crate) fn url_at(&self, address: &str) -> Url {
        let url = format!("postgres://postgres:{}@{address}:{}/postgres", self.password, self.port);
        url.parse().expect("a URL")
    }

    /// A new database here.
    pub(crate) async fn database(&self) -> PgDatabase {
        PgDatabase::create(self.url(), self.pooled_port, false).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (child, _) = self.starter.get_mut().expect("not poisoned");
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

fn start(address: Option<&str>) -> Server {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("singletrack-pg-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let mut starter = Command::new("sh")
        .arg(root.join("tests/postgres/start"))
        .arg(&folder)
        .args(address)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh is there");
    let mut output = BufReader::new(starter.stdout.take().expect("it is piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("the starter speaks");
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("ready"), "no PostgreSQL: {line:?}");
    let mut next = || words.next().expect("a word more").to_owned();
    let (port, pooled, password) = (next(), next(), next());
    Server {
        folder,
        port: port.parse().expect("a port"),
        pooled_port: pooled.parse().ok(),
        password,
        starter: Mutex::new((starter, output)),
    }
}

/// The server of our own that most tests share.
pub(crate) async fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let first = || SERVER.get_or_init(|| start(None));
    tokio::task::spawn_blocking(first).await.expect("a PostgreSQL starts")
}

/// A new database for one test: on the server that `SINGLETRACK_TEST_POSTGRES_URL` names, or else on
/// one of our own.
pub(crate) async fn database() -> PgDatabase {
    match std::env::var_os("SINGLETRACK_TEST_POSTGRES_URL") {
        None => shared().await.database().await,
        Some(url) => {
            let url = url.to_str().and_then(|url| url.parse().ok());
            let url = url.expect("SINGLETRACK_TEST_POSTGRES_URL is a URL");
            PgDatabase::create(url, None, true).await
        }
    }
}

/// A database of one test.
pub(crate) struct PgDatabase {
    url: Url,
    pooled_port: Option<u16>,
    /// Where it is created and dropped.
    by: Url,
    /// Whether the server is not ours, so that nothing may be left on it.
    foreign: bool,
}

impl PgDatabase {
    async fn create(by: Url, pooled_port: Option<u16>, foreign: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("singletrack_{}_{number}", std::process::id());
        execute(&by, &format!("CREATE DATABASE {name}")).await;
        let mut url = by.clone();
        url.set_path(&name);
        Self { url, pooled_port, by, foreign }
    }

    fn name(&self) -> &str {
        self.url.path().trim_start_matches('/')
    }

    /// Lets nobody write any more, or again; all connections are cut.
    pub(crate) async fn set_read_only(&self, read_only: bool) {
        let (name, on) = (self.name(), if read_only { "on" } else { "off" });
        let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}");
        execute(&self.by, &set).await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity";
        execute(&self.by, &format!("{cut} WHERE datname = '{name}'")).await;
    }

    /// Changes a setting of the whole server, which is the test's own.
    pub(crate) async fn alter_system(&self, change: &str) {
        execute(&self.by, &format!("ALTER SYSTEM {change}")).await;
        execute(&self.by, "SELECT pg_reload_conf()").await;
    }

    /// Makes a copy of it, while nobody is connected.
    pub(crate) async fn back_up(&self) {
        let name = self.name();
        execute(&self.by, &format!("CREATE DATABASE {name}_copy TEMPLATE {name}")).await;
    }

    /// Puts the copy in its place.
    pub(crate) async fn put_back(&self) {
        let name = self.name();
        execute(&self.by, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        execute(&self.by, &format!("ALTER DATABASE {name}_copy RENAME TO {name}")).await;
    }

    /// With the superuser and the password in it.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The same database through PgBouncer, if there is one.
    pub(crate) fn pooled_url(&self) -> Option<Url> {
        let mut url = self.url.clone();
        url.set_port(Some(self.pooled_port?)).expect("it has a host");
        Some(url)
    }

    pub(crate) fn address(&self) -> Address {
        address(&self.url)
    }

    /// A store here, with connections of its own.
    pub(crate) fn store(&self) -> Postgres {
        Postgres::at(self.address()).expect("it is an address")
    }

    /// Does something past the store, in its schema.
    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.url, &format!("SET search_path TO singletrack; {sql}")).await;
    }
}

impl Drop for PgDatabase {
    fn drop(&mut self) {
        if !self.foreign {
            return;
        }
        let (by, sql) = (self.by.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name()));
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(execute(&by, &sql));
        };
        // The runtime of a test ends with the test, and what fails here is no failure of the test.
        let _ = std::thread::spawn(drop_it).join();
    }
}

/// The address of the database at `url`.
pub(crate) fn address(url: &Url) -> Address {
    Address::at(Text::Given(SecretString::from(url.as_str())))
}

async fn execute(url: &Url, sql: &str) {
    let mut connection = PgConnection::connect(url.as_str()).await.expect("the server is there");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect(sql);
    connection.close().await.expect("it ends well");
}
