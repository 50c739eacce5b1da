//! The cluster: whether it answers, what we may do there, and whether it knows our resource.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::header::DATE;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::client::Body;
use kube::{Api, Client, ResourceExt};
use tokio::time::timeout;

use super::check::Check;
use crate::cli::connect;
use crate::controller::places::Places;
use crate::controller::rights::{self, Right};
use crate::controller::schema;
use crate::lease::{Record, is_paused};
use crate::process::clock::Clock;
use crate::store::chain;

/// After so long the cluster counts as not answering.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is looked for.
pub(super) struct Wanted {
    pub(super) namespace: Option<String>,
    pub(super) lease: String,
    pub(super) all_namespaces: bool,
    pub(super) namespaces: Vec<String>,
}

/// What later checks need to know of it.
pub(super) struct Cluster {
    /// The owner of the store: the uid of the operator's namespace.
    pub(super) owner: Option<String>,
    /// How far our clock is ahead of its.
    pub(super) ahead: Option<TimeDelta>,
}

pub(super) async fn look(
    wanted: Wanted,
    clock: &Clock,
    checks: &mut Vec<Check>,
) -> Option<Cluster> {
    let (client, namespace, ahead) = match reach(wanted.namespace, clock).await {
        Ok((client, namespace, ahead)) => {
            let said = format!("answers; the namespace is {namespace}");
            checks.push(Check::ok("cluster", said));
            (client, namespace, ahead)
        }
        Err(why) => {
            checks.push(Check::fail("cluster", why));
            let because = "the cluster does not answer";
            checks.extend(["permissions", "schema", "lock"].map(|name| Check::skip(name, because)));
            return None;
        }
    };
    let places = Places::of(wanted.all_namespaces, &namespace, wanted.namespaces);
    checks.push(permissions(&client, (&namespace, &wanted.lease), &places).await);
    checks.push(match schema::check(&client).await {
        Ok(()) => Check::ok("schema", "the SyncRequest definition has all fields"),
        Err(why) => Check::fail("schema", why),
    });
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    checks.push(lock(leases.get_opt(&wanted.lease).await, &wanted.lease));
    let spaces: Api<Namespace> = Api::all(client);
    // A right that is missing has been told above.
    let owner = spaces.get_opt(&namespace).await.ok().flatten().and_then(|space| space.uid());
    Some(Cluster { owner, ahead })
}

async fn reach(
    namespace: Option<String>,
    clock: &Clock,
) -> Result<(Client, String, Option<TimeDelta>), String> {
    let (client, default) = connect().await.map_err(|failure| failure.to_string())?;
    let next = "look with `kubectl cluster-info`, and at KUBECONFIG";
    let question = http::Request::get("/version").body(Body::empty());
    let question = question.map_err(|error| error.to_string())?;
    let answer = timeout(PATIENCE, client.send(question)).await;
    let answer = answer.map_err(|_| format!("no answer within {PATIENCE:?}: {next}"))?;
    let answer = answer.map_err(|error| format!("{}: {next}", chain(&error)))?;
    if !answer.status().is_success() {
        return Err(format!("it answers with {}: {next}", answer.status()));
    }
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let ahead = date.map(|date| clock.now() - date.with_timezone(&Utc));
    Ok((client, namespace.unwrap_or(default), ahead))
}

/// Whether the operator has been here, and may start runs.
fn lock(lease: kube::Result<Option<Lease>>, name: &str) -> Check {
    match lease {
        Err(_) => Check::skip("lock", "the Lease cannot be read"),
        Ok(None) => Check::warn(
            "lock",
            format!("there is no Lease {name} yet: the operator creates it when it starts"),
        ),
        Ok(Some(lease)) if is_paused(&lease) => {
            Check::warn("lock", "paused: nothing starts until `singletrack resume`")
        }
        Ok(Some(lease)) => match Record::from(&lease).holder {
            None => Check::ok("lock", "free"),
            Some(holder) => Check::ok("lock", format!("held by {}", holder.as_str())),
        },
    }
}

async fn permissions(client: &Client, lease: (&str, &str), places: &Places) -> Check {
    match rights::missing(client, lease, places).await {
        Err(error) => Check::fail(
            "permissions",
            format!("they cannot be asked for: {}; try `kubectl auth can-i --list`", chain(&error)),
        ),
        Ok(missing) if missing.is_empty() => {
            let count = Right::all().len();
            Check::ok("permissions", format!("all {count} that the operator needs"))
        }
        Ok(missing) => Check::fail("permissions", rights::told(&missing)),
    }
}
