//! Helm and kubectl as processes, and what Helm renders.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Said;

/// What each release needs.
pub(super) const NEEDED: &str =
    "{github: {existingSecret: github}, repositories: {include: [acme/widgets]}}";

/// The folder of the programs that belong to a cluster.
pub(crate) fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/build");
        let said = Command::new("sh").arg(build).output().expect("sh is there");
        let why = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "tests/cluster/build has failed ({}): {why}", said.status);
        PathBuf::from(String::from_utf8(said.stdout).expect("a path").trim())
    })
}

/// The chart's folder.
pub(super) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/singletrack")
}

/// Helm and kubectl with folders of their own.
pub(crate) struct Tools {
    home: TempDir,
    kubeconfig: PathBuf,
}

impl Tools {
    /// Tools that know no cluster.
    pub(super) fn offline() -> Self {
        Self::of(Path::new("/nowhere"))
    }

    /// Tools of the cluster that this file names.
    pub(crate) fn of(kubeconfig: &Path) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        Self { home, kubeconfig: kubeconfig.to_owned() }
    }

    pub(super) fn folder(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn helm(&self, args: &[&str], input: &str) -> Said {
        self.say("helm", args, input)
    }

    pub(crate) fn kubectl(&self, args: &[&str], input: &str) -> Said {
        self.say("kubectl", args, input)
    }

    fn say(&self, program: &str, args: &[&str], input: &str) -> Said {
        // The kernel kills it when the test ends, however that ends.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(programs().join(program))
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", self.folder())
            .env("HELM_CACHE_HOME", self.folder().join("cache"))
            .env("HELM_CONFIG_HOME", self.folder().join("config"))
            .env("HELM_DATA_HOME", self.folder().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("setpriv is there (util-linux)");
        let mut stdin = child.stdin.take().expect("it is piped");
        // One that has ended already does not read it.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("it is text");
        Said {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// What the release `x` in this namespace would be, with these values over what it needs.
    pub(crate) fn rendered(&self, namespace: &str, values: &str) -> Vec<Value> {
        let said = self.template(namespace, values).with(0, &[]);
        // A document that holds nothing but comments is null.
        documents(&said.out).into_iter().filter(|object| !object.is_null()).collect()
    }

    pub(super) fn template(&self, namespace: &str, values: &str) -> Said {
        let needed = self.folder().join("needed.yaml");
        std::fs::write(&needed, NEEDED).expect("the file can be written");
        let (chart, needed) = (chart(), needed.to_string_lossy().into_owned());
        let chart = chart.to_string_lossy();
        self.helm(&["template", "x", &chart, "-n", namespace, "-f", &needed, "-f", "-"], values)
    }
}

fn documents(text: &str) -> Vec<Value> {
    let parts = text.split("\n---\n").map(|part| part.trim_start_matches("---\n"));
    let parts = parts.filter(|part| !part.trim().is_empty());
    parts.map(|part| serde_saphyr::from_str(part).expect(part)).collect()
}

/// The objects of this kind.
pub(super) fn of_kind<'a>(
    objects: &'a [Value],
    kind: &'a str,
) -> impl Iterator<Item = &'a Value> + 'a {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// The one object of this kind and name.
#[track_caller]
pub(super) fn one<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut found =
        objects.iter().filter(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    let first = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
    assert!(found.next().is_none(), "several {kind} {name}");
    first
}
