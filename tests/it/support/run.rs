//! One run against the stand-in without a cluster, with whatever a test wants to be otherwise.

use std::sync::Arc;

use secrecy::SecretString;
use singletrack::api::RunType;
use singletrack::github::{Access, BaseUrl, Source};
use singletrack::lease::{RunNumber, Tenure};
use singletrack::process::clock::Clock;
use singletrack::store::{NewRun, Retention, Store};
use singletrack::sync::{
    Achieved, Broken, Conclusion, Discovery, Parts, ReadLimits, Rules, RulesConfig, Run, Tracked,
    conclude, run,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::TOKEN;
use crate::stand_in::StandIn;

/// A run that is about to be made: a manual one over all repositories of the stand-in, on a clock
/// of its own.
pub(crate) struct Attempt {
    pub(crate) access: Access,
    pub(crate) clock: Clock,
    pub(crate) tracked: Tracked,
    pub(crate) rules: RulesConfig,
    pub(crate) discovery: Arc<Discovery>,
    pub(crate) full: bool,
    pub(crate) dry: bool,
    pub(crate) parts: Parts,
    pub(crate) parallel: usize,
    pub(crate) limits: ReadLimits,
    pub(crate) retention: Retention,
    /// The uid of the request; that of an earlier attempt goes on where it stopped.
    pub(crate) request: Option<String>,
    pub(crate) stop: CancellationToken,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) conclusion: Conclusion,
    pub(crate) achieved: Achieved,
}

impl Attempt {
    pub(crate) fn over(github: &StandIn) -> Self {
        let base = BaseUrl::parse(&github.base_url(), false).unwrap();
        let names: Vec<_> = github.world(|world| {
            world.repositories().map(|repo| repo.full_name().parse().unwrap()).collect()
        });
        Self {
            access: Access::with_token(base, SecretString::from(TOKEN)),
            clock: Clock::default(),
            tracked: Tracked::new(&names, &[]),
            rules: RulesConfig::default(),
            discovery: Arc::default(),
            full: false,
            dry: false,
            parts: Parts::of(RunType::Manual, false),
            parallel: 4,
            limits: ReadLimits::default(),
            retention: Retention::default(),
            request: None,
            stop: CancellationToken::new(),
        }
    }

    pub(crate) fn tracking(self, include: &[&str]) -> Self {
        let include: Vec<_> = include.iter().map(|text| text.parse().unwrap()).collect();
        Self { tracked: Tracked::new(&include, &[]), ..self }
    }

    /// Makes the run, and expects that it comes to an end of its own.
    pub(crate) async fn run<S: Store + Clone + 'static>(self, store: &S) -> Came {
        self.try_run(store).await.unwrap()
    }

    pub(crate) async fn try_run<S>(self, store: &S) -> Result<Came, Broken>
    where
        S: Store + Clone + 'static,
    {
        let number = store.ticket(RunNumber(0)).await.unwrap();
        let tenure = Tenure::without_cluster(number, "test", "nonce");
        let request = self.request.unwrap_or_else(|| format!("uid-{number}"));
        let new = NewRun {
            run_type: "manual",
            dry_run: self.dry,
            namespace: "test".into(),
            name: format!("run-{number}"),
            uid: request.clone(),
            attempt: 1,
            takeover_reason: None,
            started_at: self.clock.now(),
            coalesced: Vec::new(),
            excluded_labels: Vec::new(),
        };
        store.activate(&tenure, &new).await.unwrap();
        let it = Run {
            store: Arc::new(store.clone()),
            source: Source::connect(&self.access, self.clock.clone()).unwrap(),
            tenure,
            request,
            rules: Rules::from(self.rules),
            wanted: self.tracked.resolve(None).unwrap(),
            tracked: self.tracked,
            discovery: self.discovery,
            retention: self.retention,
            parallel: self.parallel,
            full: self.full,
            dry: self.dry,
            parts: self.parts,
            limits: self.limits,
            clock: self.clock,
            stop: self.stop,
            progress: watch::Sender::default(),
        };
        let achieved = Box::pin(run(&it)).await?;
        let conclusion = conclude(&achieved, it.source.usage());
        Ok(Came { conclusion, achieved })
    }
}
