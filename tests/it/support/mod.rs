//! What the tests need: a real control plane, operators as processes, a proxy before one of them.

mod account;
mod cable;
mod cluster;
mod command;
mod description;
mod dump;
mod home;
mod operator;
mod postgres;
mod proxy;
mod random;
mod referee;
mod run;

use std::time::Duration;

pub(crate) use account::{Account, may, rule};
pub(crate) use cable::Cable;
pub(crate) use cluster::{Namespace, cluster, phase_of};
pub(crate) use command::{Command, Said};
pub(crate) use dump::{Dump, data, dump, normal, rows};
pub(crate) use home::Home;
pub(crate) use operator::{Operator, Pod, Starter, TOKEN, history, operator};
pub(crate) use postgres::{PgDatabase, Server, address, database, shared};
pub(crate) use proxy::{Action, Moment, Proxy, Rule};
pub(crate) use random::Random;
pub(crate) use referee::{Exchange, Judged, judged};
pub(crate) use run::{Attempt, Came};

/// The private key of a GitHub App, and its public half.
pub(crate) const APP_KEY: &str = include_str!("../../keys/app-pkcs1.pem");
pub(crate) const APP_PUBLIC_KEY: &str = include_str!("../../keys/app-public.pem");

/// After so long, what is awaited is not coming any more. Not a bound on speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// The result of `work`, or a failure that names what did not come.
#[track_caller]
pub(crate) fn awaited<T>(what: &str, work: impl Future<Output = T>) -> impl Future<Output = T> {
    let what = what.to_owned();
    async move {
        let late = |_| panic!("{what}: not within {PATIENCE:?}");
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(late)
    }
}

/// What `look` finds, asked again until it finds something: for what cannot be awaited, such as a
/// file that another process writes.
pub(crate) async fn poll<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut again = tokio::time::interval(Duration::from_millis(50));
        loop {
            again.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    awaited(what, looking).await
}

/// What the environment says of this run of the tests, if anything.
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.into_string().expect("it is text"))
}
