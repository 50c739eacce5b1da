//! A run: repositories in parallel, each on its own.

use std::sync::Arc;

use futures::StreamExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Rules;
use super::issues::{self, Tally};
use super::rows;
use crate::api::{Progress, RepoName, RepositoryPhase, cut};
use crate::github::model::Repository;
use crate::github::{self, Body, Source, decode_one};
use crate::lease::Tenure;
use crate::process::clock::Clock;
use crate::store::{self, RepositoryRecord, SeenPage, Store};

/// All that a run needs. The tenure has been activated.
pub struct Run {
    pub store: Arc<dyn Store>,
    pub source: Source,
    pub tenure: Tenure,
    pub rules: Rules,
    pub repositories: Vec<RepoName>,
    /// How many repositories are read at once.
    pub parallel: usize,
    /// Ignore cursors and ETags.
    pub full: bool,
    pub clock: Clock,
    /// Cancelled when the run must stop without an end of its own.
    pub stop: CancellationToken,
    pub progress: watch::Sender<Progress>,
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

    /// Counts items for the progress.
    pub(super) fn met(&self, items: usize) {
        let items = i64::try_from(items).unwrap_or(i64::MAX);
        self.progress.send_modify(|progress| progress.items_fetched += items);
    }
}

/// Reads and stores all repositories of the run, and says what came of each.
pub async fn run(run: &Run) -> Result<Vec<RepositoryRecord>, Broken> {
    let total = run.repositories.len();
    run.progress.send_modify(|progress| {
        progress.repositories_total = i64::try_from(total).unwrap_or(i64::MAX);
        progress.summary = format!("0/{total}");
    });
    let mut records = Vec::with_capacity(total);
    let mut going = futures::stream::iter(run.repositories.clone())
        .map(async |name| one(run, &name).await)
        .buffer_unordered(run.parallel.max(1));
    while let Some(record) = going.next().await {
        records.push(record?);
        run.progress.send_modify(|progress| {
            progress.repositories_done += 1;
            progress.summary = format!("{}/{total}", progress.repositories_done);
        });
    }
    records.sort_by(|a: &RepositoryRecord, b| a.name.cmp(&b.name));
    Ok(records)
}

/// One repository, with whatever came of it.
async fn one(run: &Run, name: &RepoName) -> Result<RepositoryRecord, Broken> {
    run.progress.send_modify(|progress| progress.current = Some(name.to_string()));
    let started_at = run.clock.now();
    let mut tally = Tally::default();
    let mut repository_id = None;
    let done = async {
        let id = identify(run, name).await?;
        repository_id = Some(id);
        issues::sync(run, name, id, &mut tally).await
    };
    let error = match done.await {
        Ok(()) => None,
        Err(Failure::Stopped) if run.tenure.lost().is_cancelled() => {
            return Err(Broken::Superseded);
        }
        Err(Failure::Stopped) => return Err(Broken::Stopped),
        Err(Failure::Store(store::Error::Superseded { .. })) => return Err(Broken::Superseded),
        Err(Failure::Store(error)) => return Err(Broken::Store(error)),
        Err(Failure::GitHub(error @ github::Error::Unauthorized { .. })) => {
            return Err(Broken::Unauthorized(error));
        }
        Err(Failure::GitHub(error)) => Some(error),
    };
    if repository_id.is_none() {
        // The old row is the one that must say that it could not be read.
        repository_id = run.store.repository_id(name.as_str()).await.map_err(Broken::from)?;
    }
    if let Some(error) = &error {
        tracing::warn!(repo.name = %name, %error, "the repository was not read");
    }
    let record = RepositoryRecord {
        name: name.to_string(),
        repository_id,
        phase: if error.is_none() { RepositoryPhase::Succeeded } else { RepositoryPhase::Failed },
        reason: error.as_ref().map(|error| error.reason().to_owned()),
        complete: error.is_none(),
        error: error.map(|error| cut(&error.to_string()).to_owned()),
        pages: tally.pages,
        counts: tally.counts,
        started_at,
        completed_at: run.clock.now(),
    };
    run.store.put_outcome(&run.tenure, &record).await.map_err(Broken::from)?;
    Ok(record)
}

impl From<store::Error> for Broken {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Superseded { .. } => Self::Superseded,
            other => Self::Store(other),
        }
    }
}

/// Reads the repository itself and stores its row. Its numeric id is what everything hangs on.
async fn identify(run: &Run, name: &RepoName) -> Result<i64, Failure> {
    let path = format!("/repos/{name}");
    let url = run.source.url(&path);
    let identity = run.source.identity();
    let seen = match run.full {
        true => None,
        false => run.store.seen_page(&url, identity).await?,
    };
    let etag = seen.as_ref().map(|seen| seen.etag.as_str());
    let answer = run.until_stopped(run.source.get(&path, etag)).await??;
    let body = match (answer.body, seen.as_ref().and_then(|seen| seen.numbers.first())) {
        (Body::Unchanged, Some(id)) => return Ok(*id),
        (Body::Unchanged, None) => bytes::Bytes::new(),
        (Body::Json(body), _) => body,
    };
    let mut nuls = 0;
    let repository: Repository = std::str::from_utf8(&body)
        .map_err(|error| error.to_string())
        .and_then(|text| decode_one(text, &mut nuls))
        .map_err(|problem| github::Error::Unreadable {
            what: path,
            expected: "a repository",
            problem,
        })?;
    let row = rows::repository(repository);
    let seen = answer.etag.map(|etag| SeenPage {
        url,
        identity: identity.to_owned(),
        etag,
        next_url: None,
        numbers: vec![row.id],
    });
    run.store.put_repository(&run.tenure, &row, seen.as_ref()).await?;
    Ok(row.id)
}
