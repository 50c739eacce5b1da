//! What the operator may do in the cluster, asked of the API server itself: a right that is missing
//! is told in words, and not only by what fails for want of it.
//!
//! Everybody may ask about themselves, so the question itself costs no right.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::Instant;

use super::AGAIN_AFTER;
use super::places::{Places, in_words};
use super::watches::Watches;
use crate::api::GROUP;
use crate::process::serve::Health;
use crate::store::chain;

/// How many questions are under way at once.
const AT_ONCE: usize = 8;

/// How long nothing is asked at most while the operator works.
const WELL: Duration = Duration::from_secs(600);
/// The same while something is missing or fails.
const AILING: Duration = Duration::from_secs(15);

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

    /// The one object that it is about, if a rule can say so.
    fn name(&self, place: Option<&str>, lease: &str) -> Option<String> {
        match (self.resource, self.verb) {
            // What is created has no name yet when the API server asks.
            (_, "create") => None,
            ("leases", _) => Some(lease.to_owned()),
            // Its own only, which a Role in it can allow.
            ("namespaces", _) => place.map(str::to_owned),
            _ => None,
        }
    }

    fn review(&self, place: Option<&str>, lease: &str) -> SelfSubjectAccessReview {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let attributes = ResourceAttributes {
            group: text(self.group),
            resource: text(self.resource),
            subresource: text(self.subresource),
            verb: text(self.verb),
            namespace: place.map(str::to_owned),
            name: self.name(place, lease),
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

/// A right that is missing, and where: in a namespace, or in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    right: Right,
    place: Option<String>,
}

impl Missing {
    /// Whether more than news for people is lost.
    fn matters(&self) -> bool {
        !self.right.is_of_events()
    }
}

/// Which of its rights the asking account does not have. The Lease is named by its namespace, which is
/// the operator's, and its name.
pub(crate) async fn missing(
    client: &Client,
    (namespace, lease): (&str, &str),
    places: &Places,
) -> kube::Result<Vec<Missing>> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let wanted = Right::all().into_iter().flat_map(|right| {
        let places = match right.is_where_requests_are() {
            true => places.each(),
            false => vec![Some(namespace.to_owned())],
        };
        places.into_iter().map(move |place| Missing { right: right.clone(), place })
    });
    let asked = wanted.map(async |wanted| {
        let review = wanted.right.review(wanted.place.as_deref(), lease);
        let answer = reviews.create(&PostParams::default(), &review).await?;
        let allowed = answer.status.is_some_and(|status| status.allowed);
        Ok::<_, kube::Error>((!allowed).then_some(wanted))
    });
    let answers = stream::iter(asked).buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
    Ok(answers.into_iter().flatten().collect())
}

/// What is missing and what to do about it, in a sentence.
pub(crate) fn told(missing: &[Missing]) -> String {
    let mut places: Vec<Option<&str>> = Vec::new();
    for Missing { place, .. } in missing {
        if !places.contains(&place.as_deref()) {
            places.push(place.as_deref());
        }
    }
    let what = places.into_iter().map(|place| {
        let here = missing.iter().filter(|it| it.place.as_deref() == place);
        let list: Vec<_> = here.map(|it| it.right.to_string()).collect();
        format!("{} in {}", list.join(", "), in_words(place))
    });
    let mut rules: Vec<_> = missing.iter().map(|it| it.right.rule()).collect();
    rules.dedup();
    format!(
        "may not {}: add this to the rules of its service account's Role there (its ClusterRole \
         where it watches all namespaces): {}",
        what.collect::<Vec<_>>().join("; "),
        rules.join(", ")
    )
}

/// Asks again and again, and keeps the parts `permissions` and those of the watches.
pub(super) async fn look(
    client: Client,
    health: Health,
    watches: Arc<Watches>,
    ((namespace, lease), places): ((String, String), Places),
) {
    let (mut before, mut rest) = (None, AGAIN_AFTER);
    loop {
        match missing(&client, (&namespace, &lease), &places).await {
            Ok(missing) => {
                let changed = before.as_ref() != Some(&missing);
                show(&missing, changed, &health);
                if !missing.iter().any(Missing::matters) {
                    watches.are_allowed(&health, Instant::now());
                }
                let works = !missing.iter().any(Missing::matters) && watches.are_well();
                // Twice as long each time while nothing changes.
                rest = match changed {
                    true => AGAIN_AFTER,
                    false => (rest * 2).min(if works { WELL } else { AILING }),
                };
                before = Some(missing);
            }
            // Nobody knows then; what fails is told by itself.
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                health.well("permissions");
                rest = WELL;
            }
            Err(error) => tracing::debug!(error = chain(&error), "rights cannot be asked for"),
        }
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            // Not at once: the watch has just been refused.
            () = watches.have_failed() => tokio::time::sleep(AGAIN_AFTER).await,
        }
    }
}

fn show(missing: &[Missing], changed: bool, health: &Health) {
    let (events, others): (Vec<_>, Vec<_>) = missing.iter().cloned().partition(|it| !it.matters());
    if changed && !events.is_empty() {
        let why = told(&events);
        tracing::warn!(why, "Events are not written; everything else goes on");
    }
    match others.is_empty() {
        true => health.well("permissions"),
        false => health.ail("permissions", &told(&others)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_rule_that_grants_it() {
        let missing = |verb, place: Option<&str>| Missing {
            right: Right { group: "x.io", resource: "things", subresource: "", verb },
            place: place.map(str::to_owned),
        };
        let tools = [missing("get", Some("tools")), missing("list", Some("tools"))];
        let said = told(&tools);
        assert!(said.starts_with("may not get things, list things in namespace tools: add this"));
        let rule = r#"{apiGroups: ["x.io"], resources: ["things"], verbs: ["list"]}"#;
        assert!(said.ends_with(rule), "{said}");
        let said = told(&[missing("get", Some("a")), missing("get", Some("b"))]);
        assert!(said.starts_with("may not get things in namespace a; get things in namespace b:"));
        assert!(told(&[missing("get", None)]).contains("get things in all namespaces"));
        assert_eq!(Right::all().len(), 14);
    }
}
