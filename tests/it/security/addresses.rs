//! The token goes to the configured base URL only, wherever an answer or the database points.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use serde_json::json;
use singletrack::api::Phase;
use singletrack::github::Source;
use singletrack::process::clock::Clock;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::requests::github;
use crate::stand_in::{Fault, Matcher, StandIn};
use crate::support::Attempt;
use crate::sync::store;

const PATH: &str = "/repos/acme/widgets-0";

/// A host that nobody has a reason to ask. It counts who connects.
struct Elsewhere {
    port: u16,
    met: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Elsewhere {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, met) = (listener.local_addr().unwrap().port(), Arc::<AtomicUsize>::default());
        let count = Arc::clone(&met);
        let listening = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, met, listening }
    }

    /// Addresses of it and of others, as a redirect or a link may name them, with a word of each
    /// that the error must hold.
    fn addresses(&self, github: &StandIn) -> Vec<(String, String)> {
        let base = github.base_url();
        let authority = base.strip_prefix("http://").unwrap();
        let (_, port) = authority.rsplit_once(':').unwrap();
        let here = format!("127.0.0.1:{}", self.port);
        let to = |url: String, word: &str| (url, word.to_owned());
        vec![
            to(format!("http://{here}{PATH}"), &here),
            to(format!("https://{authority}{PATH}"), &format!("https://{authority}")),
            to(format!("http://localhost:{port}{PATH}"), "localhost"),
            to(format!("http://{authority}@{here}/x"), &here),
            to(format!("http://{authority}.{here}/x"), &here),
            to(format!("//{here}/x"), &here),
            to(format!("/\\{here}/x"), &here),
            to(format!("{base}/\\{here}/x"), &here),
            to(format!("{base}//{here}/x"), &here),
            to(format!("http:\\\\{here}\\x"), &here),
            to(format!("http://[::ffff:127.0.0.1]:{}/x", self.port), "::ffff"),
            to(format!("http://2130706433:{}/x", self.port), "2130706433"),
            to(format!("http://0x7f.1:{}/x", self.port), "0x7f.1"),
            to("http://169.254.169.254/latest/meta-data".to_owned(), "169.254.169.254"),
            to("https://kubernetes.default.svc/api/v1/secrets".to_owned(), "kubernetes"),
            to("file:///etc/passwd".to_owned(), "file:"),
            to(format!("{base}/repos/../x"), "/repos/../x"),
            to(format!("{base}/%2E%2e/x"), "%2E%2e"),
        ]
    }

    fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[tokio::test]
async fn a_redirect_out_of_the_base_is_an_error_and_not_followed() {
    let (github, elsewhere) = (github(1, 1).await, Elsewhere::start().await);
    let source = Source::connect(&Attempt::over(&github).access, Clock::default()).unwrap();
    let repository = "acme/widgets-0".parse().unwrap();
    let mut asked = 0;
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        for (address, word) in elsewhere.addresses(&github) {
            github.clear_faults();
            github.inject(Matcher::any(), 0, None, Fault::redirect(status, &address));
            let page = source.get(&format!("{PATH}/issues?state=open"), None).await;
            let list = source.probe(PATH).await;
            let add = source.add_label(&repository, 1, "done").await;
            let remove = source.remove_label(&repository, 1, "done").await;
            for error in [page.err(), add.err(), remove.err()] {
                let error = error.unwrap_or_else(|| panic!("{status} to {address} was followed"));
                assert_eq!(error.reason(), "ForeignLink", "{status} to {address}");
                assert!(error.to_string().contains(&word), "{status} to {address}: {error}");
            }
            assert!(list.is_err(), "{status} to {address} was taken for an answer");
            asked += 4;
        }
    }
    assert_eq!(github.requests().len(), asked, "each question was asked once");
    assert_eq!(elsewhere.met(), 0, "somebody else was asked");
}

#[tokio::test]
async fn a_redirect_below_the_base_is_followed_three_times() {
    let github = github(1, 1).await;
    let source = Source::connect(&Attempt::over(&github).access, Clock::default()).unwrap();
    let own = format!("{}{PATH}", github.base_url());
    for (times, good) in [(3, true), (4, false)] {
        github.clear_faults();
        let moved = Fault::redirect(StatusCode::TEMPORARY_REDIRECT, &own);
        github.inject(Matcher::any(), 0, Some(times), moved);
        assert_eq!(source.get(PATH, None).await.is_ok(), good, "{times} moves");
    }
}

#[tokio::test]
async fn a_link_out_of_the_base_is_an_error_and_not_followed() {
    let (github, elsewhere) = (github(1, 1).await, Elsewhere::start().await);
    let source = Source::connect(&Attempt::over(&github).access, Clock::default()).unwrap();
    for (address, word) in elsewhere.addresses(&github) {
        github.clear_faults();
        let page = Fault::json(StatusCode::OK, &json!([]))
            .with_header("link", &format!("<{address}>; rel=\"next\""));
        github.inject(Matcher::any(), 0, None, page);
        let error = source.get(PATH, None).await.expect_err(&address);
        assert_eq!(error.reason(), "ForeignLink", "{address}");
        assert!(error.to_string().contains(&word), "{address}: {error}");
    }
    assert_eq!(elsewhere.met(), 0, "somebody else was asked");
}

/// Somebody who can write to the database must not get the token.
#[tokio::test]
async fn a_stored_page_that_somebody_has_changed_is_not_asked_for() {
    let (github, elsewhere) = (github(1, 900).await, Elsewhere::start().await);
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let attempt =
        |request: &str| Attempt { request: Some(request.into()), ..Attempt::over(&github) };
    // A pass that was cut short, so that there is a page to go on with.
    let closed = Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed");
    let gate = github.hold(closed.with("page", "4"));
    let first = attempt("first");
    let stop = first.stop.clone();
    let (broken, ()) = tokio::join!(first.try_run(&store), async {
        gate.arrived().await;
        stop.cancel();
    });
    assert!(broken.is_err());
    gate.open();
    let file = folder.path().join("store.db");
    let execute = async |sql: String| -> u64 {
        let mut file = SqliteConnection::connect(&file.to_string_lossy()).await.unwrap();
        let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
        file.close().await.unwrap();
        done.rows_affected()
    };
    for (address, _) in elsewhere.addresses(&github) {
        for table in ["sync_cursors", "sync_etags"] {
            let poison =
                format!("UPDATE {table} SET next_url = '{address}' WHERE next_url IS NOT NULL");
            assert!(execute(poison).await > 0, "{table} has a page to go on with");
        }
        let came = attempt("first").run(&store).await;
        assert_eq!(came.conclusion.phase, Phase::Failed, "{address}");
        let message = came.conclusion.message;
        assert!(message.contains("not below the base URL"), "{address}: {message}");
    }
    assert_eq!(elsewhere.met(), 0, "somebody else was asked");
    store.close().await;
}
