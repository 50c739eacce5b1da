//! What a user asks for: the spec of a SyncRequest, and the CRD made of it.
#![expect(unreachable_pub, reason = "the derive repeats the struct inside a function")]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResource, CustomResourceExt, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Phase, RepoPattern, SyncRequestStatus};

/// What a run copies.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub enum RunType {
    Manual,
    Scheduled,
    Automation,
}

impl RunType {
    pub const ALL: [Self; 3] = [Self::Manual, Self::Scheduled, Self::Automation];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
            Self::Automation => "automation",
        }
    }
}

/// What to do while another run is going on.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConcurrencyPolicy {
    #[default]
    Queue,
    Coalesce,
    Reject,
}

/// One run that somebody asks for. A new run is a new request: a finished one is never run again.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "singletrack.dev",
    version = "v1alpha1",
    kind = "SyncRequest",
    plural = "syncrequests",
    shortname = "sr",
    namespaced,
    status = "SyncRequestStatus",
    doc = "One run that copies GitHub data into the database. Requests run one at a time.",
    selectable = ".spec.type",
    selectable = ".status.phase",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Progress", type_ = "string", json_path = ".status.progress.summary"),
    printcolumn(name = "Changed", type_ = "integer", json_path = ".status.result.changed"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.result.failed"),
    printcolumn(name = "Run", type_ = "integer", json_path = ".status.runNumber", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in ['Succeeded', 'PartiallySucceeded', 'Failed', 'Rejected', 'Cancelled']) || (has(self.status) && has(self.status.phase) && self.status.phase == oldSelf.status.phase)").message("a finished request keeps its phase: create a new request for a new run"),
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.runNumber) || (has(self.status) && has(self.status.runNumber) && self.status.runNumber >= oldSelf.status.runNumber)").message("status.runNumber never falls"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'scheduled' || !self.automation").message("automation: true goes with type: scheduled only; for automation data alone use type: automation"),
    validation = Rule::new("self.type == oldSelf.type && self.automation == oldSelf.automation && self.full == oldSelf.full && self.dryRun == oldSelf.dryRun && self.concurrencyPolicy == oldSelf.concurrencyPolicy && self.priority == oldSelf.priority && self.backoffLimit == oldSelf.backoffLimit").message("only suspend and cancel may change after creation: create a new request"),
    validation = Rule::new("has(self.activeDeadlineSeconds) == has(oldSelf.activeDeadlineSeconds) && (!has(self.activeDeadlineSeconds) || self.activeDeadlineSeconds == oldSelf.activeDeadlineSeconds) && has(self.ttlSecondsAfterFinished) == has(oldSelf.ttlSecondsAfterFinished) && (!has(self.ttlSecondsAfterFinished) || self.ttlSecondsAfterFinished == oldSelf.ttlSecondsAfterFinished)").message("only suspend and cancel may change after creation: create a new request"),
    validation = Rule::new("has(self.repositories) == has(oldSelf.repositories) && (!has(self.repositories) || self.repositories == oldSelf.repositories)").message("repositories cannot change after creation: create a new request"),
    validation = Rule::new("self.cancel || !oldSelf.cancel").message("cancel cannot be taken back: create a new request"),
)]
pub struct SyncRequestSpec {
    /// What to copy. manual: issues. scheduled: issues, then the reconcile of closed issues, then
    /// automation data if automation is true. automation: repository automation data (workflow
    /// runs, jobs, releases, pull requests, packages, latest commit).
    #[serde(rename = "type")]
    pub type_: RunType,

    /// The repositories to copy, as owner/name or owner/*. Default: all that the operator tracks.
    /// Case does not count. A name that the operator does not track fails the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000), extend("x-kubernetes-list-type" = "set"))]
    pub repositories: Option<Vec<RepoPattern>>,

    /// With type scheduled: copy automation data as well.
    #[serde(default)]
    pub automation: bool,

    /// Ignore what is known from earlier runs (cursors, ETags), read everything again, and accept
    /// removals that look too many to be true.
    #[serde(default)]
    pub full: bool,

    /// Read everything and say what would change, but change no data.
    #[serde(default)]
    pub dry_run: bool,

    /// What to do while another run is going on. Queue: wait in turn. Coalesce: wait, and be
    /// answered together with a like request. Reject: end at once.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,

    /// Requests of higher priority run first.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub priority: i32,

    /// Seconds after the first start at which the request fails, retries and waits included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub active_deadline_seconds: Option<i64>,

    /// How many times to try again after an attempt that failed.
    #[serde(default = "default_backoff_limit")]
    #[schemars(range(min = 0, max = 10))]
    pub backoff_limit: i32,

    /// Seconds after which the finished request is deleted. Default: it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub ttl_seconds_after_finished: Option<i64>,

    /// Do not start, or stop a run that is going on; it is queued again when this is false.
    #[serde(default)]
    pub suspend: bool,

    /// End the request as Cancelled. Cannot be taken back.
    #[serde(default)]
    pub cancel: bool,
}

impl SyncRequest {
    /// Where it stands; before anybody has looked at it, Pending.
    pub fn phase(&self) -> Phase {
        self.status.as_ref().map(|status| status.phase).unwrap_or_default()
    }
}

impl SyncRequestSpec {
    /// A request of this type with every default.
    #[must_use]
    pub fn of(type_: RunType) -> Self {
        Self {
            type_,
            repositories: None,
            automation: false,
            full: false,
            dry_run: false,
            concurrency_policy: ConcurrencyPolicy::default(),
            priority: 0,
            active_deadline_seconds: None,
            backoff_limit: default_backoff_limit(),
            ttl_seconds_after_finished: None,
            suspend: false,
            cancel: false,
        }
    }
}

/// The CRD that is installed: the derived one, with a status that never looks finished at birth.
///
/// # Panics
///
/// Never on input: the derived CRD is fixed at compile time and always has these parts.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let mut crd = SyncRequest::crd();
    let status = crd.spec.versions[0]
        .schema
        .as_mut()
        .and_then(|schema| schema.open_api_v3_schema.as_mut())
        .and_then(|root| root.properties.as_mut())
        .and_then(|properties| properties.get_mut("status"))
        .expect("a CRD with a status has a schema for it");
    let newborn = serde_json::to_value(SyncRequestStatus::newborn()).expect("a status is JSON");
    status.default =
        Some(k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSON(newborn));
    crd
}

fn default_backoff_limit() -> i32 {
    2
}
