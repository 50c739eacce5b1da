//! The cable between operators and a PostgreSQL: it is cut, silent, or loses the answer to a commit.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// Takes connections on a port of its own and leads them to a server. Ends when it is dropped.
pub(crate) struct Cable {
    port: u16,
    shared: Arc<Shared>,
    taking: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    state: watch::Sender<State>,
    /// How many answers to a commit are still to be lost.
    lose: watch::Sender<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// How often all connections were cut.
    cut: usize,
    /// Nothing comes through, and nothing says so.
    silent: bool,
}

impl Cable {
    /// To the server of this URL.
    pub(crate) async fn to(server: &Url) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::<Shared>::default();
        let (state, to) = (Arc::clone(&shared), server.port().unwrap_or(5432));
        let taking = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(lead(client, to, Arc::clone(&state)));
            }
        });
        Self { port, shared, taking }
    }

    /// The same database through this cable, unencrypted so that commits can be told.
    pub(crate) fn through(&self, database: &Url) -> Url {
        let mut url = database.clone();
        url.set_port(Some(self.port)).expect("it has a host");
        url.set_query(Some("sslmode=disable"));
        url
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.shared.state.send_modify(|state| state.cut += 1);
    }

    /// Lets nothing through, or again.
    pub(crate) fn silence(&self, silent: bool) {
        self.shared.state.send_modify(|state| state.silent = silent);
    }

    /// The server does the next commits, so many, and their connections end before it can say so.
    pub(crate) fn lose_commits(&self, count: usize) {
        self.shared.lose.send_replace(count);
    }

    /// Waits until they are lost.
    pub(crate) async fn have_lost(&self) {
        let mut left = self.shared.lose.subscribe();
        let _ = left.wait_for(|left| *left == 0).await;
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.taking.abort();
        self.cut();
    }
}

async fn lead(mut client: TcpStream, to: u16, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    let mut state = shared.state.subscribe();
    let cuts = state.borrow().cut;
    let (mut asked, mut answered) = (vec![0; 16_384], vec![0; 16_384]);
    loop {
        tokio::select! {
            () = is_cut(&mut state, cuts) => return,
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                if wait(&shared).await || server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
                // A statement comes in one piece, for nothing is sent before it.
                let commits = asked[..count].windows(6).any(|word| word == b"COMMIT");
                if commits && take_one(&shared.lose) {
                    // What is read here is the server's word that it has done it.
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if wait(&shared).await || client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Waits while nothing comes through. Whether the connection was cut in the meantime.
async fn wait(shared: &Shared) -> bool {
    let mut state = shared.state.subscribe();
    let cuts = state.borrow().cut;
    let awake = state.wait_for(|state| !state.silent || state.cut > cuts).await;
    awake.map_or(true, |state| state.cut > cuts)
}

async fn is_cut(state: &mut watch::Receiver<State>, cuts: usize) {
    let _ = state.wait_for(|state| state.cut > cuts).await;
}

fn take_one(count: &watch::Sender<usize>) -> bool {
    count.send_if_modified(|count| {
        let is_left = *count > 0;
        *count = count.saturating_sub(1);
        is_left
    })
}
