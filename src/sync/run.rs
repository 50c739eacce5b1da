//! A run: repositories in parallel, each on its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::discovery::{self, Discovery};
use super::pass::Tally;
use super::repository::{Identity, identify};
use super::{Rules, Tracked, Wanted, issues, rows};
use crate::api::{Progress, RepoName, RepositoryPhase, cut};
use crate::github::model::Issue;
use crate::github::{self, Source};
use crate::lease::Tenure;
use crate::process::clock::Clock;
use crate::store::{
    self, PageWrite, Reached, RepositoryRecord, Retention, Row, SeenPage, Store, Untrack,
};

/// All that a run needs. The tenure has been activated.
pub struct Run {
    pub store: Arc<dyn Store>,
    pub source: Source,
    pub tenure: Tenure,
    /// The uid of the request.
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
    /// Set right what was stored with labels that do not fit the state.
    pub reconcile: bool,
    pub clock: Clock,
    /// Cancelled when the run must stop without an end of its own.
    pub stop: CancellationToken,
    pub progress: watch::Sender<Progress>,
}

/// What a run has done.
#[derive(Debug, Default)]
pub struct Achieved {
    /// What came of each repository, by name.
    pub records: Vec<RepositoryRecord>,
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

/// A repository that is being read.
pub(super) struct Subject<'a> {
    pub(super) run: &'a Run,
    pub(super) source: Source,
    pub(super) id: i64,
    /// Its name as GitHub spells it.
    pub(super) name: RepoName,
    pub(super) archived: bool,
    /// Whose ETags are of use here: those of the same token, of rows that the same rules have made.
    pub(super) identity: String,
}

impl Subject<'_> {
    /// A page of this repository with nothing on it yet.
    pub(super) fn page(&self, resource: &'static str, reached: Reached) -> PageWrite {
        PageWrite {
            repository_id: Some(self.id),
            resource,
            at: self.run.clock.now(),
            rows: Vec::new(),
            head: None,
            set_aside: Vec::new(),
            seen: None,
            reached,
        }
    }

    /// Puts the items onto the page, as the rules make them.
    pub(super) async fn add(&self, items: Vec<Issue>, page: &mut PageWrite) -> Result<(), Failure> {
        let rules = &self.run.rules;
        let stored: HashMap<i64, Vec<String>> = if rules.keep_any() {
            let numbers: Vec<i64> = items.iter().map(|item| item.number).collect();
            self.run.store.labels(self.id, &numbers).await?.into_iter().collect()
        } else {
            HashMap::new()
        };
        let none = Vec::new();
        for item in items {
            page.rows.push(if item.pull_request.is_some() {
                Row::PullFromIssues(Box::new(rows::pull_from_issue(item, self.id)))
            } else {
                let stored = stored.get(&item.number).unwrap_or(&none);
                Row::Issue(Box::new(rows::issue(item, self.id, rules, stored)))
            });
        }
        Ok(())
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
        Ok(seen.filter(|seen| !seen.etag.is_empty()))
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
    while let Some(done) = going.next().await {
        let (record, renamed) = done?;
        achieved.records.push(record);
        achieved.renamed.extend(renamed);
        run.progress.send_modify(|progress| {
            progress.repositories_done += 1;
            progress.summary = format!("{}/{total}", progress.repositories_done);
        });
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

/// One repository, with whatever came of it.
async fn one(run: &Run, name: &RepoName) -> Result<(RepositoryRecord, Option<Renamed>), Broken> {
    run.progress.send_modify(|progress| progress.current = Some(name.to_string()));
    let started_at = run.clock.now();
    let mut tally = Tally::default();
    let (mut id, mut renamed) = (None, None);
    let done = async {
        let source = run.source.for_owner(name.owner());
        let identity = identify(run, &source, name).await?;
        id = Some(identity.id);
        renamed = identity.renamed;
        let Identity { id, name, archived, .. } = identity;
        let identity = format!("{} {}", source.identity(), run.rules.fingerprint());
        let subject = Subject { run, source, id, name, archived, identity };
        issues::sync(&subject, &mut tally).await
    };
    let failure = match done.await {
        Ok(()) => None,
        Err(failure) => Some(run.broken(failure)?),
    };
    if id.is_none() {
        // The old row is the one that must say that it could not be read.
        id = run.store.repository_id(name.as_str()).await?;
    }
    let record = RepositoryRecord {
        repository_id: id,
        pages: tally.pages,
        counts: tally.counts,
        ..record(run, name.to_string(), started_at, failure)
    };
    run.store.put_outcome(&run.tenure, &record).await?;
    run.stored();
    Ok((record, renamed))
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
