//! What the operator may do in the cluster, asked of the API server itself: a right that is missing
//! is told in words, and not only by what fails for want of it.
//!
//! Everybody may ask about themselves, so the question itself costs no right.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use super::AGAIN_AFTER;
use super::watches::Watches;
use crate::api::GROUP;
use crate::process::serve::Health;
use crate::store::chain;

/// How long nothing is asked while nothing is missing and nothing fails.
const LONG: Duration = Duration::from_secs(60);

/// What the operator does there: group, resource, subresource, verbs.
pub const NEEDED: [(&str, &str, &str, &[&str]); 6] = [
    ("coordination.k8s.io", "leases", "", &["get", "list", "watch", "create", "update"]),
    ("", "pods", "", &["get"]),
    ("events.k8s.io", "events", "", &["create", "patch"]),
    (GROUP, "syncrequests", "", &["get", "list", "watch", "delete"]),
    (GROUP, "syncrequests", "status", &["patch"]),
    ("", "namespaces", "", &["get"]),
];

/// One thing that the operator does in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verb: &'static str,
}

impl Right {
    /// All that the operator needs.
    pub(crate) fn all() -> Vec<Self> {
        let of = |(group, resource, subresource, verbs): (_, _, _, &'static [&str])| {
            verbs.iter().map(move |verb| Self { group, resource, subresource, verb })
        };
        NEEDED.into_iter().flat_map(of).collect()
    }

    /// Whether only news for people are lost without it.
    fn is_of_events(&self) -> bool {
        self.resource == "events"
    }

    /// Whether it is needed wherever requests are watched, and not only in the operator's namespace.
    fn is_where_requests_are(&self) -> bool {
        self.group == GROUP || self.is_of_events()
    }

    /// The resource as a rule names it.
    fn object(&self) -> String {
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        format!("{}{slash}{}", self.resource, self.subresource)
    }

    /// The rule that grants it.
    fn rule(&self) -> String {
        let (Self { group, verb, .. }, resource) = (self, self.object());
        format!("{{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [\"{verb}\"]}}")
    }

    fn review(&self, namespace: &str, everywhere: bool) -> SelfSubjectAccessReview {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let attributes = ResourceAttributes {
            group: text(self.group),
            resource: text(self.resource),
            subresource: text(self.subresource),
            verb: text(self.verb),
            namespace: text(namespace).filter(|_| !everywhere),
            // Its own only, which a Role in it can allow.
            name: text(namespace).filter(|_| self.resource == "namespaces"),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.object())
    }
}

/// Which of its rights the asking account does not have; `all` is whether it watches all
/// namespaces.
pub(crate) async fn missing(
    client: &Client,
    namespace: &str,
    all: bool,
) -> kube::Result<Vec<Right>> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let asked = Right::all().into_iter().map(async |right| {
        let everywhere = all && right.is_where_requests_are();
        let review = right.review(namespace, everywhere);
        let answer = reviews.create(&PostParams::default(), &review).await?;
        let allowed = answer.status.is_some_and(|status| status.allowed);
        Ok((!allowed).then_some(right))
    });
    let answers = join_all(asked).await.into_iter().collect::<kube::Result<Vec<_>>>()?;
    Ok(answers.into_iter().flatten().collect())
}

/// What is missing and what to do about it, in a sentence.
pub(crate) fn told(missing: &[Right], namespace: &str) -> String {
    let list =
        |of: &dyn Fn(&Right) -> String| missing.iter().map(of).collect::<Vec<_>>().join(", ");
    format!(
        "may not {} in namespace {namespace}: add this to the rules of its service account's Role \
         (its ClusterRole where it watches all namespaces): {}",
        list(&ToString::to_string),
        list(&Right::rule)
    )
}

/// Asks again and again, and keeps the parts `permissions` and those of the watches.
pub(super) async fn look(
    client: Client,
    health: Health,
    watches: Arc<Watches>,
    (namespace, all): (String, bool),
) {
    let mut events_told = false;
    loop {
        let mut rest = AGAIN_AFTER;
        match missing(&client, &namespace, all).await {
            Ok(missing) => {
                let (events, others): (Vec<_>, Vec<_>) =
                    missing.into_iter().partition(Right::is_of_events);
                if !events.is_empty() && !events_told {
                    let why = told(&events, &namespace);
                    tracing::warn!(why, "Events are not written; everything else goes on");
                }
                events_told = !events.is_empty();
                if others.is_empty() {
                    health.well("permissions");
                    watches.are_allowed(&health);
                } else {
                    health.ail("permissions", &told(&others, &namespace));
                }
                if others.is_empty() && events.is_empty() && watches.are_well() {
                    rest = LONG;
                }
            }
            // Nobody knows then; what fails is told by itself.
            Err(kube::Error::Api(status)) if status.is_forbidden() => health.well("permissions"),
            Err(error) => tracing::debug!(error = chain(&error), "rights cannot be asked for"),
        }
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            // Not at once: the watch has just been refused.
            () = watches.have_failed() => tokio::time::sleep(AGAIN_AFTER).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_rule_that_grants_it() {
        let right = |verb| Right { group: "x.io", resource: "things", subresource: "", verb };
        let said = told(&[right("get"), right("list")], "tools");
        assert!(said.starts_with("may not get things, list things in namespace tools: add this"));
        let rule = r#"{apiGroups: ["x.io"], resources: ["things"], verbs: ["list"]}"#;
        assert!(said.ends_with(rule), "{said}");
        assert_eq!(Right::all().len(), 14);
    }
}
