//! The GitHub stand-in as a pod, in the namespace of the test that asks it.

use serde_json::{Value, json};

use super::kubectl;
use super::tool::{apply, image};
use crate::support::Namespace;

/// Which world the stand-in makes, and whom it lets in.
pub(super) struct GitHub {
    pub(super) repositories: usize,
    /// Of each repository; a quarter are pull requests.
    pub(super) issues: usize,
    /// How many milliseconds each answer takes.
    pub(super) latency: usize,
    pub(super) token: &'static str,
}

impl GitHub {
    /// A few issues, answered at once.
    pub(super) const SMALL: Self =
        Self { repositories: 2, issues: 120, latency: 0, token: "a-token-of-the-tests" };

    /// A run over all takes many answers of a quarter of a second, so that it can be disturbed.
    pub(super) const SLOW: Self =
        Self { repositories: 12, issues: 400, latency: 250, ..Self::SMALL };

    pub(super) fn url(space: &Namespace) -> String {
        format!("http://github.{}.svc.cluster.local:8080", space.name)
    }

    /// The chart's values for it.
    pub(super) fn values(space: &Namespace) -> Value {
        json!({
            "github": {"apiUrl": Self::url(space), "allowInsecure": true, "existingSecret": "github"},
            "repositories": {"include": ["acme/*"]},
        })
    }

    /// Brings it to life, with the Secret that holds the token.
    pub(super) async fn apply(&self, space: &Namespace) {
        let literal = format!("--from-literal=token={}", self.token);
        let secret = ["create", "secret", "generic", "github", &literal];
        kubectl(space, &secret).await.with(0, &["created"]);
        self.serve(space).await;
    }

    /// Serves it; called again, it is another one in the place of the first.
    pub(super) async fn serve(&self, space: &Namespace) {
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
            self.deployment(space),
            {
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "github"},
                "spec": {"selector": {"app": "github"}, "ports": [{"port": 8080}]},
            },
        ]});
        apply(space, &objects).await.with(0, &["deployment.apps/github"]);
        let rollout = ["rollout", "status", "deployment/github", "--timeout=80s"];
        kubectl(space, &rollout).await.with(0, &["successfully rolled out"]);
    }

    fn deployment(&self, space: &Namespace) -> Value {
        let image = image("SINGLETRACK_GITHUB_IMAGE", "github");
        let args = [
            format!("--repositories={}", self.repositories),
            format!("--issues={}", self.issues),
            format!("--latency-ms={}", self.latency),
            format!("--token={}", self.token),
            format!("--base-url={}", Self::url(space)),
        ];
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "github"},
            "spec": {
                "selector": {"matchLabels": {"app": "github"}},
                "strategy": {"type": "Recreate"},
                "template": {
                    "metadata": {"labels": {"app": "github"}},
                    "spec": {
                        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{
                            "name": "github", "image": image, "imagePullPolicy": "IfNotPresent", "args": args,
                            "ports": [{"containerPort": 8080}],
                            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
                            "securityContext": {
                                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                                "readOnlyRootFilesystem": true,
                            },
                        }],
                    },
                },
            },
        })
    }
}
