//! A run: repositories in parallel, each on its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::automation::{self, OwnerRecord, ReadLimits};
use super::discovery::{self, Discovery};
use super::pass::Tally;
use super::repository::{Identity, identify, known_id};
use super::subject::Subject;
use super::window::may_have_grown;
use super::{Rules, Tracked, Wanted, issues};
use crate::api::{Progress, RepoName, RepositoryPhase, RunType, cut};
use crate::github::{self, Source};
use crate::lease::Tenure;
use crate::process::clock::Clock;
use crate::store::{self, RepositoryRecord, Retention, SeenPage, Store, Untrack, Vanished};

/// All that a run needs. The tenure has been activated.
pub struct Run {
    pub store: Arc<dyn Store>,
    pub source: Source,
    pub tenure: Tenure,
    /// For whom it reads, as a uid or more: a pass that was cut off is gone on with for the same only.
    pub request: String,
    pub rules: Rules,
    pub tracked: Tracked,
    pub wanted: Wanted,
    pub discovery: Arc<Discovery>,
    pub retention: Retention,
    /// How many repositories are read at once.
    pub parallel: usize,
    /// Ignore cursors and ETags, and believe that many issues have vanished.
    pub full: bool,
    /// Change nothing, and count what would be changed. The store sees to it, as its record of the
    /// run says the same.
    pub dry: bool,
    pub parts: Parts,
    pub limits: ReadLimits,
    pub clock: Clock,
    /// Cancelled when the run must stop without an end of its own.
    pub stop: CancellationToken,
    pub progress: watch::Sender<Progress>,
}

/// What of each repository is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub issues: bool,
    /// Set right what was stored with labels that do not fit the state.
    pub reconcile: bool,
    pub automation: bool,
}

impl Parts {
    /// What a request of this type means; `automation` counts in a scheduled one.
    #[must_use]
    pub fn of(run_type: RunType, automation: bool) -> Self {
        match run_type {
            RunType::Manual => Self { issues: true, reconcile: false, automation: false },
            RunType::Scheduled => Self { issues: true, reconcile: true, automation },
            RunType::Automation => Self { issues: false, reconcile: false, automation: true },
        }
    }
}

/// What a run has done.
#[derive(Debug, Default)]
pub struct Achieved {
    /// What came of each repository, by name.
    pub records: Vec<RepositoryRecord>,
    /// What came of the packages of each owner.
    pub owners: Vec<OwnerRecord>,
    pub renamed: Vec<Renamed>,
}

/// A repository that has another name than when it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    pub from: String,
    pub to: String,
}

/// Why a run has no result.
#[derive(Debug)]
pub enum Broken {
    /// It was told to stop.
    Stopped,
    /// The Lease is lost, or a newer run is active.
    Superseded,
    /// The store cannot be used.
    Store(store::Error),
    /// GitHub does not accept the token.
    Unauthorized(github::Error),
}

/// Why something in a repository was not done.
#[derive(Debug)]
pub(super) enum Failure {
    GitHub(github::Error),
    Store(store::Error),
    /// Too many issues have vanished to be believed.
    Suspect {
        vanished: usize,
        open: i64,
    },
    Stopped,
}

impl From<github::Error> for Failure {
    fn from(error: github::Error) -> Self {
        Self::GitHub(error)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Run {
    /// The result of `work`, unless the run is stopped before. Work that is cut off is a call to
    /// GitHub, never a transaction.
    pub(super) async fn until_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Failure::Stopped),
            () = self.tenure.lost().cancelled() => Err(Failure::Stopped),
            done = work => Ok(done),
        }
    }

    /// What is remembered of the page at this URL, if it may be asked for with its ETag.
    pub(super) async fn remembered(
        &self,
        url: &str,
        identity: &str,
    ) -> Result<Option<SeenPage>, store::Error> {
        if self.full {
            return Ok(None);
        }
        let seen = self.store.seen_page(url, identity).await?;
        let is_of_use = |seen: &SeenPage| {
            let next = seen.next_url.as_deref();
            !seen.etag.is_empty() && !may_have_grown(url, seen.numbers.len(), next)
        };
        Ok(seen.filter(is_of_use))
    }

    /// Marks rows as removed that GitHub does not have any more. Gives how many.
    pub(super) async fn vanish(&self, which: &Vanished) -> Result<i64, Failure> {
        let gone = self.store.vanish(&self.tenure, which, self.clock.now()).await?;
        self.stored();
        Ok(gone)
    }

    /// Counts items for the progress.
    pub(super) fn met(&self, items: usize) {
        let items = i64::try_from(items).unwrap_or(i64::MAX);
        self.progress.send_modify(|progress| progress.items_fetched += items);
    }

    /// Tells whoever watches for it that the store has taken something.
    pub(super) fn stored(&self) {
        self.progress.send_modify(|_| ());
    }

    /// How the failure ends the run, if it is not only that repository's.
    fn broken(&self, failure: Failure) -> Result<Failure, Broken> {
        match failure {
            Failure::Stopped if self.tenure.lost().is_cancelled() => Err(Broken::Superseded),
            Failure::Stopped => Err(Broken::Stopped),
            // What is wrong is in the row, and would be in each further run.
            Failure::Store(store::Error::Refused { .. }) => Ok(failure),
            Failure::Store(error) => Err(Broken::from(error)),
            Failure::GitHub(error @ github::Error::Unauthorized { .. }) => {
                Err(Broken::Unauthorized(error))
            }
            other => Ok(other),
        }
    }
}

/// Reads and stores all repositories of the run, and says what came of each.
///
/// # Errors
///
/// Of what is committed by then nothing is lost.
pub async fn run(run: &Run) -> Result<Achieved, Broken> {
    let mut achieved = Achieved::default();
    let names = discover(run, &mut achieved.records).await?;
    let found_all = achieved.records.is_empty();
    let total = names.len();
    run.progress.send_modify(|progress| {
        progress.repositories_total = i64::try_from(total).unwrap_or(i64::MAX);
        progress.summary = format!("0/{total}");
    });
    let mut going = futures::stream::iter(names.clone())
        .map(async |name| one(run, &name).await)
        .buffer_unordered(run.parallel.max(1));
    let mut owners = BTreeSet::new();
    while let Some(done) = going.next().await {
        let One { record, renamed, owner } = done?;
        achieved.records.push(record);
        achieved.renamed.extend(renamed);
        owners.extend(owner);
        run.progress.send_modify(|progress| {
            progress.repositories_done += 1;
            progress.summary = format!("{}/{total}", progress.repositories_done);
        });
    }
    if run.parts.automation {
        packages(run, &owners, &mut achieved).await?;
    }
    achieved.records.sort_by(|a: &RepositoryRecord, b| a.name.cmp(&b.name));
    if run.wanted.all && found_all {
        let names = names.iter().map(RepoName::key).collect();
        let ids = achieved.records.iter().filter_map(|record| record.repository_id).collect();
        run.store.untrack(&run.tenure, &Untrack::AllBut { names, ids }).await?;
    }
    run.store.prune(&run.tenure, &run.retention, run.clock.now()).await?;
    Ok(achieved)
}

/// All repositories that are meant. An owner whose list cannot be read is a record of its own.
async fn discover(
    run: &Run,
    records: &mut Vec<RepositoryRecord>,
) -> Result<BTreeSet<RepoName>, Broken> {
    let mut names = run.wanted.names.clone();
    for owner in &run.wanted.owners {
        let started_at = run.clock.now();
        match discovery::find(run, &run.source.for_owner(owner), owner).await {
            Ok(found) => names.extend(found),
            Err(failure) => {
                let failure = run.broken(failure)?;
                let record = record(run, format!("{owner}/*"), started_at, Some(failure));
                run.store.put_outcome(&run.tenure, &record).await?;
                records.push(record);
            }
        }
    }
    Ok(names)
}

/// The packages of these owners. One whose packages cannot be read is a record of its own.
async fn packages(
    run: &Run,
    owners: &BTreeSet<String>,
    achieved: &mut Achieved,
) -> Result<(), Broken> {
    for owner in owners {
        let started_at = run.clock.now();
        let (of_owner, failure) = automation::of_owner(run, owner).await;
        achieved.owners.push(of_owner);
        if let Some(failure) = failure {
            let failure = run.broken(failure)?;
            let record = record(run, format!("{owner}/*"), started_at, Some(failure));
            run.store.put_outcome(&run.tenure, &record).await?;
            achieved.records.push(record);
        }
    }
    Ok(())
}

/// What came of one repository.
struct One {
    record: RepositoryRecord,
    renamed: Option<Renamed>,
    /// Whose it is, if it could be asked for.
    owner: Option<String>,
}

/// One repository, with whatever came of it.
async fn one(run: &Run, name: &RepoName) -> Result<One, Broken> {
    run.progress.send_modify(|progress| progress.current = Some(name.to_string()));
    let started_at = run.clock.now();
    let mut tally = Tally::default();
    let (mut id, mut renamed, mut owner) = (None, None, None);
    let done = async {
        let source = run.source.for_owner(name.owner());
        let identity = identify(run, &source, name).await?;
        id = Some(identity.id);
        renamed = identity.renamed;
        owner = Some(identity.name.owner().to_owned());
        let Identity { id, name, archived, default_branch, .. } = identity;
        let identity = format!("{} {}", source.identity(), run.rules.fingerprint());
        let subject = Subject { run, source, id, name, archived, default_branch, identity };
        if run.parts.issues {
            issues::sync(&subject, &mut tally).await?;
        }
        if run.parts.automation {
            automation::sync(&subject, &mut tally).await?;
        }
        Ok(())
    };
    let failure = match done.await {
        Ok(()) => None,
        Err(failure) => Some(run.broken(failure)?),
    };
    if id.is_none() {
        // The old row is the one that must say that it could not be read, and that stays tracked.
        id = known_id(run, name).await?;
    }
    let record = RepositoryRecord {
        repository_id: id,
        pages: tally.pages,
        counts: tally.counts,
        complete: failure.is_none() && !tally.truncated,
        truncated: tally.truncated,
        ..record(run, name.to_string(), started_at, failure)
    };
    run.store.put_outcome(&run.tenure, &record).await?;
    run.stored();
    Ok(One { record, renamed, owner })
}

/// A record of something that went well, or failed, with nothing counted yet.
fn record(
    run: &Run,
    name: String,
    started_at: chrono::DateTime<chrono::Utc>,
    failure: Option<Failure>,
) -> RepositoryRecord {
    let (phase, reason, error) = match failure {
        None => (RepositoryPhase::Succeeded, None, None),
        Some(Failure::Suspect { vanished, open }) => {
            let text = format!(
                "{vanished} of {open} open issues answer with 404, too many to be true: none was \
                 removed; if it is true, create a request with full: true"
            );
            (RepositoryPhase::Suspect, Some("TooManyRemovals"), Some(text))
        }
        Some(Failure::GitHub(error)) => {
            (RepositoryPhase::Failed, Some(error.reason()), Some(error.to_string()))
        }
        Some(Failure::Store(error)) => {
            (RepositoryPhase::Failed, Some("StoreUnavailable"), Some(store::chain(&error)))
        }
        Some(Failure::Stopped) => (RepositoryPhase::Skipped, Some("Stopped"), None),
    };
    if let Some(error) = &error {
        tracing::warn!(repo.name = name, error, "the repository was not read");
    }
    RepositoryRecord {
        name,
        repository_id: None,
        phase,
        reason: reason.map(str::to_owned),
        complete: error.is_none(),
        truncated: false,
        error: error.as_deref().map(|error| cut(error).to_owned()),
        pages: 0,
        counts: store::Counts::default(),
        started_at,
        completed_at: run.clock.now(),
    }
}

impl From<store::Error> for Broken {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Superseded { .. } => Self::Superseded,
            other => Self::Store(other),
        }
    }
}
