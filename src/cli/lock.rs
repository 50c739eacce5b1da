//! The Lease as the commands find it.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;

use super::Failure;

/// The Lease, which the operator has created when it started.
pub(super) async fn existing(
    leases: &Api<Lease>,
    (namespace, name): (&str, &str),
) -> Result<Lease, Failure> {
    let lease = leases.get_opt(name).await;
    let lease = lease.map_err(|error| Failure::kube("the Lease cannot be read", &error))?;
    lease.ok_or_else(|| {
        Failure::plain(format!(
            "there is no Lease {namespace}/{name}: the operator creates it when it starts; start \
             it first, or name another place with -n and --lease"
        ))
    })
}
