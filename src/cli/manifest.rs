//! What the flags of `singletrack run` ask for, as a request. Pure.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::duration;
use crate::api::{ConcurrencyPolicy, RepoPattern, RunType, SyncRequestSpec};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Type {
    Manual,
    Scheduled,
    Automation,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Policy {
    Queue,
    Coalesce,
    Reject,
}

/// The fields of the request. What is not given is as in `--from`, or the default.
#[derive(Args, Clone, Debug)]
pub(super) struct SpecArgs {
    /// What to copy. Default: manual
    #[arg(value_enum)]
    type_: Option<Type>,
    /// A repository, as owner/name or owner/*; may be given several times. Default: all.
    #[arg(short, long = "repository", value_name = "REPO")]
    repositories: Option<Vec<RepoPattern>>,
    /// Ignore what is known from earlier runs and read everything again.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    full: Option<bool>,
    /// With scheduled: copy automation data as well.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    automation: Option<bool>,
    /// Read everything and say what would change, but change no data (dryRun).
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    preview: Option<bool>,
    /// What to do while another run is going on. Default: queue
    #[arg(long, value_enum)]
    policy: Option<Policy>,
    /// 0 to 100; higher runs first.
    #[arg(long, value_name = "N")]
    priority: Option<i32>,
    /// After how long the request fails, from its first start: 90, 90s or 2h.
    #[arg(long, value_parser = duration::seconds, value_name = "TIME")]
    deadline: Option<i64>,
    /// How many times to try again after an attempt that failed; 0 to 10.
    #[arg(long, value_name = "N")]
    backoff_limit: Option<i32>,
    /// How long after its end the request is deleted: 90, 90s or 2h. Default: it is kept
    #[arg(long, value_parser = duration::seconds, value_name = "TIME")]
    ttl: Option<i64>,
    /// Do not start before `spec.suspend` is set to false.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    suspend: Option<bool>,
}

impl SpecArgs {
    /// The spec: each flag that is given, over `base` or the defaults.
    pub(super) fn over(&self, base: Option<SyncRequestSpec>) -> SyncRequestSpec {
        let mut spec = base.unwrap_or_else(|| SyncRequestSpec::of(RunType::Manual));
        if let Some(type_) = self.type_ {
            spec.type_ = type_.into();
        }
        if self.repositories.is_some() {
            spec.repositories.clone_from(&self.repositories);
        }
        if let Some(policy) = self.policy {
            spec.concurrency_policy = policy.into();
        }
        spec.full = self.full.unwrap_or(spec.full);
        spec.automation = self.automation.unwrap_or(spec.automation);
        spec.dry_run = self.preview.unwrap_or(spec.dry_run);
        spec.priority = self.priority.unwrap_or(spec.priority);
        spec.active_deadline_seconds = self.deadline.or(spec.active_deadline_seconds);
        spec.backoff_limit = self.backoff_limit.unwrap_or(spec.backoff_limit);
        spec.ttl_seconds_after_finished = self.ttl.or(spec.ttl_seconds_after_finished);
        spec.suspend = self.suspend.unwrap_or(spec.suspend);
        spec
    }
}

impl From<Type> for RunType {
    fn from(type_: Type) -> Self {
        match type_ {
            Type::Manual => Self::Manual,
            Type::Scheduled => Self::Scheduled,
            Type::Automation => Self::Automation,
        }
    }
}

impl From<Policy> for ConcurrencyPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Queue => Self::Queue,
            Policy::Coalesce => Self::Coalesce,
            Policy::Reject => Self::Reject,
        }
    }
}

/// Where a request is copied from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    SyncRequest(RequestName),
    CronJob(String),
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither cronjob/NAME nor syncrequest/NAME");
        let (kind, name) = text.split_once('/').ok_or_else(wrong)?;
        match kind.split('.').next().unwrap_or_default() {
            "cronjob" | "cronjobs" | "cj" if is_name(name) => Ok(Self::CronJob(name.to_owned())),
            _ => text.parse().map(Self::SyncRequest).map_err(|_| wrong()),
        }
    }
}

/// The name of a request, written as `NAME`, `sr/NAME` or `syncrequest.singletrack.dev/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestName(String);

impl RequestName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = match text.split_once('/') {
            None => text,
            Some((kind, name)) => match kind.split('.').next().unwrap_or_default() {
                "syncrequest" | "syncrequests" | "sr" => name,
                _ => return Err(format!("{kind:?} is another kind: write NAME or sr/NAME")),
            },
        };
        if is_name(name) {
            return Ok(Self(name.to_owned()));
        }
        Err(format!("{name:?} is not the name of a request: it has a-z, 0-9, '-' and '.'"))
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether it can be a name, so that it can stand in a URL as it is.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| plain(byte) || byte == b'-' || byte == b'.')
        && text.bytes().next().is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        spec: SpecArgs,
    }

    fn spec(line: &[&str], base: Option<SyncRequestSpec>) -> SyncRequestSpec {
        Line::try_parse_from(line).unwrap().spec.over(base)
    }

    #[test]
    fn without_flags_it_is_a_manual_request_with_every_default() {
        assert_eq!(spec(&[], None), SyncRequestSpec::of(RunType::Manual));
    }

    #[test]
    fn every_flag_has_its_field() {
        let line = "scheduled -r acme/widgets -r acme/* --full --automation --preview \
                    --policy coalesce --priority 7 --deadline 2h --backoff-limit 5 --ttl 90 \
                    --suspend";
        let expected = json!({"type": "scheduled", "repositories": ["acme/widgets", "acme/*"],
            "full": true, "automation": true, "dryRun": true, "concurrencyPolicy": "Coalesce",
            "priority": 7, "activeDeadlineSeconds": 7200, "backoffLimit": 5,
            "ttlSecondsAfterFinished": 90, "suspend": true, "cancel": false});
        assert_eq!(json!(spec(&line.split(' ').collect::<Vec<_>>(), None)), expected);
    }

    #[test]
    fn what_is_given_wins_over_what_is_copied_and_the_rest_stays() {
        let base = SyncRequestSpec {
            full: true,
            priority: 3,
            backoff_limit: 0,
            ..SyncRequestSpec::of(RunType::Scheduled)
        };
        let kept = spec(&[], Some(base.clone()));
        assert_eq!(kept, base);
        let changed = spec(&["manual", "--full=false", "--priority", "9"], Some(base.clone()));
        let expected = SyncRequestSpec { type_: RunType::Manual, full: false, priority: 9, ..base };
        assert_eq!(changed, expected);
    }

    #[test]
    fn names_are_taken_as_kubectl_prints_them() {
        for text in ["now", "sr/now", "syncrequest/now", "syncrequest.singletrack.dev/now"] {
            assert_eq!(text.parse::<RequestName>().unwrap().as_str(), "now");
        }
        for bad in ["", "sr/", "pod/now", "a/b/c", "..", "A", "a?b", "sr/../x"] {
            assert!(bad.parse::<RequestName>().is_err(), "{bad}");
        }
        assert_eq!("cj/nightly".parse(), Ok(Origin::CronJob("nightly".into())));
        assert_eq!("sr/now".parse(), Ok(Origin::SyncRequest(RequestName("now".into()))));
        assert!("nightly".parse::<Origin>().unwrap_err().contains("cronjob/NAME"));
    }
}
