//! Connections that are cut or go dead in the middle of a write.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use singletrack::lease::RunNumber;
use singletrack::store::{Counts, Database, Error, Postgres, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use super::fence::{begun, waiting};
use crate::store_contract::{
    OWNER, active, at, issue, last_page, new_run, page, repository, tenure,
};
use crate::support::{PgDatabase, address, awaited, database, dump};

/// What becomes of what is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// The next `COMMIT` arrives, and its answer is lost with the connection.
    CutAfterCommit,
    /// The next `COMMIT` is lost with the connection.
    CutBeforeCommit,
    /// Nothing comes any more, and nobody is told.
    Dead,
}

/// A way to a database that can be disturbed.
struct Way {
    line: watch::Sender<Line>,
    url: Url,
    server: JoinHandle<()>,
}

impl Way {
    async fn to(database: &PgDatabase) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = database.url().socket_addrs(|| None).unwrap()[0];
        let mut url = database.url().clone();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        // In plain, so that a COMMIT is seen.
        url.set_query(Some("sslmode=disable"));
        let line = watch::Sender::new(Line::Open);
        let server = tokio::spawn(serve(listener, there, line.clone()));
        Self { line, url, server }
    }

    fn store(&self) -> Postgres {
        Postgres::at(address(&self.url)).unwrap()
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, there: SocketAddr, line: watch::Sender<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        let line = line.clone();
        tokio::spawn(async move {
            let (from_client, to_client) = client.into_split();
            let server = TcpStream::connect(there).await.unwrap();
            let (from_server, to_server) = server.into_split();
            let swallow = AtomicBool::new(false);
            // Whichever ends first takes the other with it.
            tokio::select! {
                () = ask(from_client, to_server, &line, &swallow) => {}
                () = answer(from_server, to_client, &line, &swallow) => {}
            }
        });
    }
}

async fn ask(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    line: &watch::Sender<Line>,
    swallow: &AtomicBool,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let is_commit = bytes[..count].windows(7).any(|window| window == b"COMMIT\0");
        let now = *line.borrow();
        match now {
            Line::Dead => return std::future::pending().await,
            Line::CutBeforeCommit if is_commit => {
                line.send_replace(Line::Open);
                return;
            }
            Line::CutAfterCommit if is_commit => {
                swallow.store(true, Ordering::Relaxed);
                line.send_replace(Line::Open);
            }
            _ => {}
        }
        to.write_all(&bytes[..count]).await.unwrap();
    }
}

async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    line: &watch::Sender<Line>,
    swallow: &AtomicBool,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if swallow.load(Ordering::Relaxed) {
            return;
        }
        if *line.borrow() == Line::Dead {
            return std::future::pending().await;
        }
        to.write_all(&bytes[..count]).await.unwrap();
    }
}

#[track_caller]
fn lost<T: Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }) && error.is_passing(), "{error:?}");
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_may_be_sent_again() {
    let database = database().await;
    let way = Way::to(&database).await;
    let cut = |line| way.line.send_replace(line);
    let (store, reader) = (way.store(), Database::Postgres(database.store()));
    store.prepare(OWNER).await.unwrap();
    cut(Line::CutAfterCommit);
    lost(store.ticket(RunNumber(0)).await);
    assert_eq!(store.ticket(RunNumber(0)).await.unwrap(), RunNumber(2), "one is left out");
    let tenure = tenure(2);
    cut(Line::CutAfterCommit);
    lost(store.activate(&tenure, &new_run("uid")).await);
    store.activate(&tenure, &new_run("uid")).await.unwrap();
    store.put_repository(&tenure, &repository(1), None).await.unwrap();

    let write = last_page(1, vec![issue(1, 1, "one")], at(5));
    cut(Line::CutAfterCommit);
    lost(store.put_page(&tenure, &write).await);
    let written = dump(&reader).await;
    assert_eq!(written["issues"].len(), 1, "it was written");
    let counts = store.put_page(&tenure, &write).await.unwrap();
    assert_eq!(counts, Counts { unchanged: 1, ..Counts::default() });
    let again = dump(&reader).await;
    for table in ["issues", "repositories", "sync_cursors"] {
        assert_eq!(again[table], written[table]);
    }
}

#[tokio::test]
async fn a_commit_that_is_lost_has_written_nothing() {
    let database = database().await;
    let way = Way::to(&database).await;
    let (store, reader) = (way.store(), Database::Postgres(database.store()));
    store.prepare(OWNER).await.unwrap();
    let tenure = active(&store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let before = dump(&reader).await;
    way.line.send_replace(Line::CutBeforeCommit);
    let write = page(1, vec![issue(1, 1, "one")]);
    lost(store.put_page(&tenure, &write).await);
    assert_eq!(dump(&reader).await, before);
    let counts = store.put_page(&tenure, &write).await.unwrap();
    assert_eq!(counts, Counts { created: 1, ..Counts::default() });
}

#[tokio::test]
async fn a_line_that_has_gone_dead_is_noticed() {
    let database = database().await;
    let way = Way::to(&database).await;
    let store = way.store();
    store.prepare(OWNER).await.unwrap();
    let tenure = active(&store, 1).await;
    // While it waits for another one's lock, so that it has said all that it has to say.
    let mut other = begun(database.url(), "SELECT * FROM sync_runs FOR UPDATE").await;
    let writer = store.clone();
    let writing =
        tokio::spawn(async move { writer.put_repository(&tenure, &repository(1), None).await });
    waiting(&Database::Postgres(database.store()), 1).await;
    way.line.send_replace(Line::Dead);
    lost(awaited("the write", writing).await.unwrap());
    way.line.send_replace(Line::Open);
    assert_eq!(store.newest().await.unwrap(), RunNumber(1), "another connection is made");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
}
