//! The configuration: a YAML file, then flags and variables over it, checked as a whole.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::database::{DatabaseArgs, DatabaseConfig, Location};
use super::github::{GitHub, GitHubArgs};
use super::{Failure, duration};
use crate::api::RepoPattern;
use crate::lease::Times;
use crate::reconcile::Settings;
use crate::store::{Database, Retention};
use crate::sync::{ReadLimits, Rules, RulesConfig, Tracked};

/// The file. Every key is optional; unknown ones are refused.
#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct File {
    github: GitHub,
    repositories: Repositories,
    rules: RulesConfig,
    database: DatabaseConfig,
    lease: Lease,
    watch: Watch,
    requests: Requests,
    retention: RetentionConfig,
    limits: LimitsConfig,
    /// How many repositories are read at once.
    parallel: Option<usize>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Requests {
    /// The pause before the second attempt of a request.
    #[serde(deserialize_with = "duration::optional")]
    retry_after: Option<Duration>,
    /// A run that makes no progress for so long is ended.
    #[serde(deserialize_with = "duration::optional")]
    stall_after: Option<Duration>,
}

/// How long rows are kept; those without a value for ever.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RetentionConfig {
    #[serde(deserialize_with = "duration::optional")]
    sync_runs: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    quarantine: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    workflow_runs: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    workflow_jobs: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    removed: Option<Duration>,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            sync_runs: Some(DAY * 90),
            quarantine: Some(DAY * 30),
            workflow_runs: None,
            workflow_jobs: None,
            removed: None,
        }
    }
}

impl From<RetentionConfig> for Retention {
    fn from(config: RetentionConfig) -> Self {
        Self {
            sync_runs: config.sync_runs,
            quarantine: config.quarantine,
            workflow_runs: config.workflow_runs,
            workflow_jobs: config.workflow_jobs,
            removed: config.removed,
        }
    }
}

/// How many items of the lists that never end are read in one run.
#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct LimitsConfig {
    workflow_runs: Option<NonZeroUsize>,
    releases: Option<NonZeroUsize>,
    pull_requests: Option<NonZeroUsize>,
}

impl From<LimitsConfig> for ReadLimits {
    fn from(config: LimitsConfig) -> Self {
        let usual = Self::default();
        let or = |limit: Option<NonZeroUsize>, usual| limit.map_or(usual, NonZeroUsize::get);
        Self {
            workflow_runs: or(config.workflow_runs, usual.workflow_runs),
            releases: or(config.releases, usual.releases),
            pull_requests: config.pull_requests.map(NonZeroUsize::get),
        }
    }
}

#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Repositories {
    include: Vec<RepoPattern>,
    exclude: Vec<RepoPattern>,
    /// Whether owner/* means archived repositories too.
    archived: bool,
    /// Whether owner/* means forks too.
    forks: bool,
}

#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Lease {
    name: Option<String>,
    #[serde(deserialize_with = "duration::optional")]
    stale_after: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    heartbeat: Option<Duration>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Watch {
    all_namespaces: bool,
    /// Namespaces whose requests are watched beside the operator's own.
    namespaces: Vec<String>,
}

/// What may stand on the command line or in the environment; it wins over the file.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long, env = "SINGLETRACK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    github: GitHubArgs,
    /// A repository to keep a copy of, as owner/name, or owner/* for all of an owner's; may be given
    /// several times.
    #[arg(long = "track", env = "SINGLETRACK_TRACK", value_delimiter = ',', value_name = "REPO")]
    track: Vec<RepoPattern>,
    #[command(flatten)]
    database: DatabaseArgs,
    /// How many repositories are read at once. Default: 4
    #[arg(long, env = "SINGLETRACK_PARALLEL", value_name = "N")]
    parallel: Option<usize>,
    #[command(flatten)]
    lease: LeaseArgs,
    /// The pause before the second attempt of a request; it doubles each time. Default: 10s
    #[arg(long, env = "SINGLETRACK_RETRY_AFTER", value_parser = duration::parse)]
    retry_after: Option<Duration>,
    /// A run that makes no progress for so long is ended. Default: 10m
    #[arg(long, env = "SINGLETRACK_STALL_AFTER", value_parser = duration::parse)]
    stall_after: Option<Duration>,
    /// Watch the requests of all namespaces, and not only of the operator's own.
    #[arg(long, env = "SINGLETRACK_ALL_NAMESPACES")]
    all_namespaces: bool,
}

/// The lock's own flags.
#[derive(Args, Clone, Debug)]
struct LeaseArgs {
    /// The name of the Lease. Default: singletrack
    #[arg(long, env = "SINGLETRACK_LEASE", value_name = "NAME")]
    lease: Option<String>,
    /// After how long a silent holder is replaced. Default: 30m
    #[arg(long = "lease-stale-after", env = "SINGLETRACK_LEASE_STALE_AFTER", value_parser = duration::parse)]
    stale_after: Option<Duration>,
    /// How often the holder renews; at most a third of the above. Default: 10s
    #[arg(long = "lease-heartbeat", env = "SINGLETRACK_LEASE_HEARTBEAT", value_parser = duration::parse)]
    heartbeat: Option<Duration>,
}

/// The name of the Lease when nobody says otherwise.
const DEFAULT_LEASE: &str = "singletrack";

/// The name of the Lease: that which is given, that of the file, or the usual one.
pub(super) fn lease_name(given: Option<String>, file: Option<&Path>) -> Result<String, Failure> {
    if let Some(given) = given {
        return Ok(given);
    }
    let file = file.map(read_file).transpose()?.unwrap_or_default();
    Ok(file.lease.name.unwrap_or_else(|| DEFAULT_LEASE.into()))
}

/// Where the database is, for commands that need nothing else.
#[derive(Args, Clone, Debug)]
pub(super) struct LocationArgs {
    /// The configuration file, for the database that it names.
    #[arg(long, env = "SINGLETRACK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl LocationArgs {
    /// Where the database is; a file is there.
    pub(super) fn existing(self) -> Result<Location, Failure> {
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        self.database.locate(file.database)?.existing()
    }
}

/// A configuration whose parts are well formed and fit together.
pub struct Configuration {
    pub settings: Settings,
    pub store: Arc<Database>,
    /// Where the store is.
    pub database: Location,
    pub lease: String,
    pub times: Times,
    pub all_namespaces: bool,
    /// Namespaces that are watched beside the operator's own, if not all are.
    pub namespaces: Vec<String>,
}

impl ConfigArgs {
    /// Reads the file and checks everything.
    ///
    /// # Errors
    ///
    /// A usage error that names the key and says what is right.
    pub fn read(self) -> Result<Configuration, Failure> {
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let mut include = file.repositories.include;
        include.extend(self.track);
        let stale_after = self.lease.stale_after.or(file.lease.stale_after);
        let heartbeat = self.lease.heartbeat.or(file.lease.heartbeat);
        let times = Times::new(
            stale_after.unwrap_or(Duration::from_secs(30 * 60)),
            heartbeat.unwrap_or(Duration::from_secs(10)),
        )
        .map_err(|error| Failure::usage(error.to_string()))?;
        let database = self.database.locate(file.database)?;
        let parallel = self.parallel.or(file.parallel).unwrap_or(4);
        if !(1..=64).contains(&parallel) {
            return Err(Failure::usage(format!("parallel is {parallel}: use 1 to 64")));
        }
        let all_namespaces = self.all_namespaces || file.watch.all_namespaces;
        if all_namespaces && !file.watch.namespaces.is_empty() {
            return Err(Failure::usage(
                "watch.namespaces names some and watch.allNamespaces (--all-namespaces) means all: \
                 take one of them out",
            ));
        }
        Ok(Configuration {
            settings: Settings {
                tracked: Tracked::new(&include, &file.repositories.exclude)
                    .with(file.repositories.archived, file.repositories.forks),
                rules: Rules::from(file.rules),
                github: self.github.access(file.github)?,
                parallel,
                retention: Retention::from(file.retention),
                limits: ReadLimits::from(file.limits),
                discovery: Arc::default(),
                retry_after: self
                    .retry_after
                    .or(file.requests.retry_after)
                    .unwrap_or(Duration::from_secs(10)),
                stall_after: self
                    .stall_after
                    .or(file.requests.stall_after)
                    .unwrap_or(Duration::from_secs(600)),
            },
            store: Arc::new(database.open()),
            database,
            lease: self.lease.lease.or(file.lease.name).unwrap_or_else(|| DEFAULT_LEASE.into()),
            times,
            all_namespaces,
            namespaces: file.watch.namespaces,
        })
    }
}

fn read_file(path: &Path) -> Result<File, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read the configuration {shown}: {error}; name another with --config or \
             SINGLETRACK_CONFIG"
        ))
    })?;
    serde_saphyr::from_str(&text).map_err(|error| {
        Failure::usage(format!(
            "the configuration {shown} is wrong: {}; correct it: the README lists all keys \
             (Configure)",
            first_line(&error)
        ))
    })
}

/// What is wrong and where. The lines below show the text itself, in which somebody may have put a
/// secret by mistake.
fn first_line(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, words: &[&str]) {
        let error = first_line(&serde_saphyr::from_str::<File>(text).unwrap_err());
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_whole_file_is_read() {
        let file: File = serde_saphyr::from_str(
            "github: {apiUrl: https://ghe.example/api/v3}\n\
             repositories: {include: [acme/widgets], exclude: [acme/old]}\n\
             rules: {closedStatus: status/finished}\n\
             lease: {staleAfter: 1h, heartbeat: 20s}\n",
        )
        .unwrap();
        assert_eq!(file.lease.stale_after, Some(Duration::from_secs(3600)));
        assert_eq!(file.rules.closed_status, "status/finished");
        assert_eq!(file.rules.keep_labels, ["agent/*"]);
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_what_is_right() {
        refused("github:\n  apiUrk: x\n", &["apiUrk", "apiUrl", "line 2"]);
        refused("lease:\n  staleAfter: soon\n", &["30m"]);
        refused("repositories:\n  include: [acme]\n", &["owner/name"]);
        refused("parallel: many\n", &["line 1"]);
        let secret = "github:\n  token: ghp_marked\n";
        let error = first_line(&serde_saphyr::from_str::<File>(secret).unwrap_err());
        assert!(!error.contains("ghp_marked"), "{error}");
    }
}
