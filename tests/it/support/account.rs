//! A service account with a few rights, and the kubeconfig that a process of it has.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Namespace, cluster};

/// A service account of a namespace, with a Role of its name.
pub(crate) struct Account {
    token: String,
    name: String,
    home: String,
    roles: Api<Role>,
}

/// A rule of a Role.
pub(crate) fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

impl Account {
    /// Creates it. The API server needs a moment until the Role counts.
    pub(crate) async fn new(space: &Namespace, name: &str, rules: &[Value]) -> Self {
        create::<ServiceAccount>(space, json!({"metadata": {"name": name}})).await;
        let own = grant(space, (&space.name, name), rules).await;
        let accounts: Api<ServiceAccount> = Api::namespaced(space.client.clone(), &space.name);
        let request: TokenRequest =
            serde_json::from_value(json!({"metadata": {}, "spec": {"audiences": []}}))
                .expect("it is one");
        let made = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let token = made.expect("a token").status.expect("it has a status").token;
        Self { token, name: name.to_owned(), home: space.name.clone(), roles: own }
    }

    /// The same account with a Role in another namespace: [`Self::may`] is about that one.
    pub(crate) async fn also_in(&self, place: &Namespace, rules: &[Value]) -> Self {
        let theirs = grant(place, (&self.home, &self.name), rules).await;
        let (token, name, home) = (self.token.clone(), self.name.clone(), self.home.clone());
        Self { token, name, home, roles: theirs }
    }

    /// Gives its Role other rules.
    pub(crate) async fn may(&self, rules: &[Value]) {
        let patch = Patch::Merge(json!({ "rules": rules }));
        let patched = self.roles.patch(&self.name, &PatchParams::default(), &patch).await;
        patched.expect("it is accepted");
    }

    /// Writes a kubeconfig of it into the folder.
    pub(crate) fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let text = std::fs::read_to_string(&cluster().kubeconfig).expect("it can be read");
        let mut config: Value = serde_saphyr::from_str(&text).expect("it is YAML");
        config["users"][0]["user"] = json!({"token": self.token});
        let path = folder.join("limited");
        std::fs::write(&path, config.to_string()).expect("it can be written");
        path
    }
}

/// Gives the service account `name` of namespace `home` a Role of its name in `place`.
async fn grant(place: &Namespace, (home, name): (&str, &str), rules: &[Value]) -> Api<Role> {
    create::<Role>(place, json!({"metadata": {"name": name}, "rules": rules})).await;
    let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": home});
    let granted = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
    let binding = json!({"metadata": {"name": name}, "subjects": [subject], "roleRef": granted});
    create::<RoleBinding>(place, binding).await;
    Api::namespaced(place.client.clone(), &place.name)
}

async fn create<K>(space: &Namespace, object: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + DeserializeOwned
        + serde::Serialize
        + Clone
        + std::fmt::Debug,
{
    let objects: Api<K> = Api::namespaced(space.client.clone(), &space.name);
    let object = serde_json::from_value(object).expect("it is one");
    objects.create(&PostParams::default(), &object).await.expect("it is accepted");
}

/// Whether the service account `who` of its namespace may do this in `place`; an empty one is the
/// whole cluster.
pub(crate) async fn may(
    (space, name): (&Namespace, &str),
    place: &str,
    (group, resource, sub): (&str, &str, &str),
    verb: &str,
) -> bool {
    let groups = ["system:serviceaccounts", "system:authenticated"].map(str::to_owned);
    let own = format!("system:serviceaccounts:{}", space.name);
    let review: SubjectAccessReview = serde_json::from_value(json!({"metadata": {}, "spec": {
        "user": format!("system:serviceaccount:{}:{name}", space.name),
        "groups": groups.into_iter().chain([own]).collect::<Vec<_>>(),
        "resourceAttributes": {"namespace": place, "verb": verb, "group": group,
            "resource": resource, "subresource": sub},
    }}))
    .expect("it is one");
    let reviews: Api<SubjectAccessReview> = Api::all(space.client.clone());
    let said = reviews.create(&PostParams::default(), &review).await.expect("it is answered");
    said.status.expect("it has a status").allowed
}
