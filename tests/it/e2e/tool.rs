//! kubectl and helm, as people call them.

use std::path::Path;

use serde_json::Value;

use crate::support::{Command, Namespace, Said, setting};

/// What kubectl says in the namespace.
pub(super) async fn kubectl(space: &Namespace, args: &[&str]) -> Said {
    tool("kubectl", space, args).said().await
}

/// What kubectl says when it applies the objects.
pub(super) async fn apply(space: &Namespace, objects: &Value) -> Said {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), objects.to_string()).expect("it can be written");
    kubectl(space, &["apply", "-f", &file.path().to_string_lossy()]).await
}

/// What helm says in the namespace.
pub(super) async fn helm(space: &Namespace, args: &[&str]) -> Said {
    tool("helm", space, args).said().await
}

/// A program of the cluster's folder, or of the PATH in somebody's own cluster.
pub(super) fn tool(name: &str, space: &Namespace, args: &[&str]) -> Command {
    in_cluster(Command::of(&program(name), &["--namespace", &space.name])).args(args)
}

/// The same; what it prints goes into the file.
pub(super) fn tool_into(file: &Path, name: &str, space: &Namespace, args: &[&str]) -> Command {
    let (file, program) = (file.to_string_lossy(), program(name));
    let shell = ["-c", "exec \"$@\" >\"$0\"", &file, &program, "--namespace", &space.name];
    in_cluster(Command::of("sh", &shell)).args(args)
}

fn program(name: &str) -> String {
    setting("SINGLETRACK_CLUSTER").map(|folder| folder + "/").unwrap_or_default() + name
}

fn in_cluster(command: Command) -> Command {
    // Where the kubeconfig's own programs find what they need, and where helm keeps what it has seen.
    let home = setting("HOME").unwrap_or_default();
    let folders = ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"];
    let command = command.env("KUBECONFIG", kubeconfig()).env("HOME", home);
    folders.iter().fold(command, |command, name| command.env(name, env!("CARGO_TARGET_TMPDIR")))
}

/// Our own program, outside of the cluster.
pub(super) async fn singletrack(space: &Namespace, args: &[&str]) -> Said {
    Command::new(args).args(&["-n", &space.name]).env("KUBECONFIG", kubeconfig()).said().await
}

/// An image as NAME:TAG: that of the variable, or the one that was built from these sources.
pub(super) fn image(variable: &str, name: &str) -> String {
    setting(variable).unwrap_or_else(|| format!("localhost/{name}:{}", env!("CARGO_PKG_VERSION")))
}

fn kubeconfig() -> String {
    setting("KUBECONFIG").expect("KUBECONFIG names a cluster")
}
