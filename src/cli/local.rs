//! `singletrack local`: one run on this machine, without a cluster.

use std::sync::Arc;

use clap::Args;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::manifest::Type;
use super::{ConfigArgs, Exit, Failure, print};
use crate::api::{RepoPattern, RunType};
use crate::github::Source;
use crate::lease::{RunNumber, Tenure};
use crate::process::{clock::Clock, stop};
use crate::store::{NewRun, RepositoryRecord, RunEnd, Store};
use crate::sync::{Broken, Conclusion, Parts, Run, conclude, run};

/// What to try when the database is of no use.
const DATABASE: &str =
    "see what is wrong with: singletrack doctor, or name another with --database";

/// The owner of a store that no cluster uses.
pub(super) const OWNER: &str = "local";

#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  GITHUB_TOKEN=… singletrack local --track acme/widgets --database issues.db")]
pub(super) struct LocalArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Read only these of the tracked repositories.
    #[arg(short, long = "repository", value_name = "REPO")]
    repositories: Option<Vec<RepoPattern>>,
    /// What is read.
    #[arg(short, long = "type", value_enum, default_value = "manual")]
    type_: Type,
    /// Read automation data too. Only with --type scheduled
    #[arg(long)]
    automation: bool,
    /// Ignore what is known from earlier runs and read everything again.
    #[arg(long)]
    full: bool,
    /// Read everything and say what would change, but change no data.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn local(args: LocalArgs) -> Result<Exit, Failure> {
    let config = args.config.read()?;
    let run_type = RunType::from(args.type_);
    let settings = config.settings;
    let store: Arc<dyn Store> = config.store;
    let clock = Clock::default();
    let wanted = settings.tracked.resolve(args.repositories.as_deref());
    let wanted = wanted.map_err(|error| Failure::usage(error.to_string()))?;
    if settings.tracked.is_empty() {
        return Err(Failure::usage(
            "nothing is tracked: name repositories with --track owner/name",
        ));
    }
    let source = Source::connect(&settings.github, clock.clone());
    let source = source.map_err(|error| Failure::plain(error.to_string()))?;
    let failed = |error| Failure::of("the database cannot be used", &error, DATABASE);
    store.prepare(OWNER).await.map_err(failed)?;
    let number = store.ticket(RunNumber(0)).await.map_err(failed)?;
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let tenure = Tenure::without_cluster(number, OWNER, &nonce[..12]);
    let new = NewRun {
        run_type: run_type.as_str(),
        dry_run: args.dry_run,
        namespace: String::new(),
        name: OWNER.to_owned(),
        uid: nonce.clone(),
        attempt: 1,
        takeover_reason: None,
        started_at: clock.now(),
        coalesced: Vec::new(),
        excluded_labels: settings.rules.excluded_labels().to_vec(),
    };
    store.activate(&tenure, &new).await.map_err(failed)?;
    let stop = stopped_by_signal()?;
    let run_it = Run {
        store: Arc::clone(&store),
        source,
        tenure,
        request: nonce,
        rules: settings.rules,
        tracked: settings.tracked,
        wanted,
        discovery: settings.discovery,
        retention: settings.retention,
        parallel: settings.parallel,
        full: args.full,
        dry: args.dry_run,
        parts: Parts::of(run_type, args.automation),
        limits: settings.limits,
        clock: clock.clone(),
        stop,
        progress: watch::Sender::default(),
    };
    let achieved = run(&run_it).await.map_err(broken)?;
    let conclusion = conclude(&achieved, run_it.source.usage());
    store.finish(&run_it.tenure, &end(&conclusion, &clock)).await.map_err(failed)?;
    report(&conclusion, &achieved.records)?;
    Ok(Exit::from(conclusion.phase))
}

fn stopped_by_signal() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    stop::cancel_on_signal(stop.clone())
        .map_err(|error| Failure::of("signals cannot be watched", &error, "try again"))?;
    Ok(stop)
}

fn end(conclusion: &Conclusion, clock: &Clock) -> RunEnd {
    RunEnd {
        state: conclusion.state(),
        reason: conclusion.reason.as_str(),
        message: conclusion.message.clone(),
        result: conclusion.result.clone(),
        completed_at: clock.now(),
        next_attempt_at: None,
    }
}

fn report(conclusion: &Conclusion, records: &[RepositoryRecord]) -> Result<(), Failure> {
    for record in records.iter().filter(|record| record.error.is_some()) {
        let error = print::plain(record.error.as_deref().unwrap_or_default());
        print::note(&format!("{}: {error}", record.name));
    }
    let api = &conclusion.result.api;
    print::line(&format!(
        "{}: {} ({} requests, {} of them unchanged)",
        conclusion.phase.as_str(),
        print::plain(&conclusion.message),
        api.requests,
        api.not_modified
    ))
}

fn broken(broken: Broken) -> Failure {
    match broken {
        Broken::Stopped => {
            Failure::plain("stopped; what was read so far is stored: run it again for the rest")
        }
        Broken::Superseded => Failure::plain(
            "another run on this database has started: wait for its end, and run this again",
        ),
        Broken::Store(error) => Failure::of("the database was lost", &error, DATABASE),
        Broken::Unauthorized(error) => Failure::plain(error.to_string()),
    }
}
