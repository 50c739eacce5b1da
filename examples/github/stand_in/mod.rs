//! A stand-in for GitHub's REST API: one process, in memory, with a state that tests may change.
//!
//! [`StandIn::start`] serves a [`World`] over HTTP/1.1 on a free port of 127.0.0.1. The world can
//! be read and changed at any time, every request is in the log, and answers can be made to fail
//! ([`Fault`]) or held back ([`Gate`]).
//!
//! # Guarantees
//!
//! - An answer is what GitHub would say about the world at one moment: requests see no half change.
//! - The same seed gives the same world; nothing depends on the time but `Date` and the quota, and
//!   these not either once the world's clock is stopped.
//! - Dropping the [`StandIn`] ends the server and all its connections.
//!
//! # Adding an endpoint
//!
//! One arm in `routes`, its data in [`Repository`], its JSON in `shapes`; what automation leaves is
//! in a folder of its own. ETags, paging headers, the quota, faults and the log come with every
//! route.

#![allow(dead_code, unreachable_pub, reason = "each program that includes this uses a part of it")]
#![allow(unused_imports, reason = "each program that includes this uses a part of it")]

mod answer;
mod app;
mod automation;
mod chaos;
mod door;
mod faults;
mod gate;
mod generate;
mod issue;
mod issue_list;
mod log;
mod matcher;
mod pages;
mod recordings;
mod repository;
mod routes;
mod serve;
mod shapes;
mod world;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError},
};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use app::App;
pub use automation::{Commit, Feature, Job, Package, Release, Run, Sizes, Version, Workflow};
pub use faults::Fault;
pub use gate::Gate;
pub use issue::{Issue, Label, PullRequest, State, User};
pub use log::Logged;
pub use matcher::Matcher;
pub use recordings::RECORDED;
pub use repository::{Gone, Repository};
pub use world::{Quota, World};

use door::{Door, Line};
use serve::Shared;

/// A running stand-in.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    closed: CancellationToken,
    server: JoinHandle<()>,
}

impl StandIn {
    /// Serves `world` on a free port, as a task of the current runtime.
    ///
    /// # Panics
    ///
    /// If this machine has no free port on 127.0.0.1.
    pub async fn start(world: World) -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::start_at(world, anywhere).await.expect("there is a free port")
    }

    /// Serves `world` at `address`; all URLs in answers begin with where that is.
    ///
    /// Use [`World::set_base_url`] afterwards if clients come by another way.
    pub async fn start_at(mut world: World, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        world.set_base_url(&format!("http://{address}"));
        let shared = Arc::new(Shared::new(world));
        let closed = CancellationToken::new();
        let door = Door { listener, closed: closed.clone() };
        let service = Router::new()
            .fallback(serve::handle)
            .with_state(Arc::clone(&shared))
            .into_make_service_with_connect_info::<Line>();
        let server = tokio::spawn(async move {
            // It serves until the task is aborted.
            let _ = axum::serve(door, service).await;
        });
        Ok(Self { address, shared, closed, server })
    }

    /// Where it listens, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Reads or changes the world between two answers.
    pub fn world<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        self.shared.with_world(change)
    }

    /// All requests since the log was last cleared, in the order of arrival.
    pub fn requests(&self) -> Vec<Logged> {
        self.shared.log.all()
    }

    /// Forgets all requests; the next one keeps counting where the last one stopped.
    pub fn clear_requests(&self) {
        self.shared.log.clear();
    }

    /// Returns the log as soon as `enough` says so, which is asked after every change of the log.
    pub async fn wait_for(&self, enough: impl Fn(&[Logged]) -> bool) -> Vec<Logged> {
        self.shared.log.wait_for(enough).await
    }

    /// Makes matching requests fail: all after the first `skip`, or only `times` of them.
    pub fn inject(&self, matcher: Matcher, skip: usize, times: Option<usize>, fault: Fault) {
        let mut faults = self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.add(matcher, skip, times, fault);
    }

    /// Lets nothing fail any more.
    pub fn clear_faults(&self) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Holds matching requests back from now on, until the gate is opened or dropped.
    pub fn hold(&self, matcher: Matcher) -> Gate {
        self.shared.gates.add(matcher)
    }

    /// Stops serving; afterwards the port is free.
    pub async fn stop(mut self) {
        self.close();
        // It was aborted, which is all that it can report.
        let _ = (&mut self.server).await;
    }

    fn close(&self) {
        self.closed.cancel();
        self.server.abort();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.close();
    }
}
