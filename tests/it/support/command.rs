//! Our commands as real processes: what they say, and how they end.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Stdio};

use super::{Namespace, cluster, poll};

/// A command that is being put together. It knows no cluster but the one that it is told.
pub(crate) struct Command(std::process::Command);

/// What a command has said, and its exit code.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Command {
    /// A command without a cluster, in an empty environment.
    pub(crate) fn new(args: &[&str]) -> Self {
        Self::of(env!("CARGO_BIN_EXE_singletrack"), args)
    }

    /// Another program than ours, in the same environment.
    pub(crate) fn of(program: &str, args: &[&str]) -> Self {
        // The kernel kills it when the test ends, however that ends.
        let mut command = std::process::Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", program])
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("KUBECONFIG", "/nowhere")
            .stdin(Stdio::null());
        Self(command)
    }

    /// A command in a namespace, which is added to its arguments.
    pub(crate) fn within(space: &Namespace, args: &[&str]) -> Self {
        let mut command = Self::new(args).env("KUBECONFIG", &cluster().kubeconfig);
        command.0.args(["-n", &space.name]);
        command
    }

    /// A command about the database in `folder`.
    pub(crate) fn about(folder: &Path, args: &[&str]) -> Self {
        Self::new(args).env("SINGLETRACK_DATABASE", folder.join("store.db"))
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// What it has said when it has ended.
    pub(crate) async fn said(self) -> Said {
        self.start().said().await
    }

    /// How it ends when whoever should read what it says has gone.
    pub(crate) async fn unheard(mut self) -> Said {
        let (_, out) = std::io::pipe().expect("a pipe");
        let (_, err) = std::io::pipe().expect("a pipe");
        self.0.stdout(out).stderr(err);
        let nothing = || tempfile::tempfile().expect("a file");
        Running { child: self.spawn(), out: nothing(), err: nothing() }.said().await
    }

    pub(crate) fn start(mut self) -> Running {
        let out = tempfile::tempfile().expect("a file");
        let err = tempfile::tempfile().expect("a file");
        self.0.stdout(out.try_clone().expect("a handle"));
        self.0.stderr(err.try_clone().expect("a handle"));
        Running { child: self.spawn(), out, err }
    }

    fn spawn(&mut self) -> Child {
        self.0.spawn().expect("setpriv is there (util-linux)")
    }
}

/// A command that runs. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    out: File,
    err: File,
}

impl Running {
    pub(crate) async fn said(mut self) -> Said {
        let ended = async || self.child.try_wait().expect("it can be waited for");
        let status = poll("a command ends", ended).await;
        let code = status.code().unwrap_or(-1);
        Said { code, out: read(&mut self.out), err: read(&mut self.err) }
    }
}

impl Running {
    /// What it has printed until now.
    pub(crate) fn so_far(&self) -> String {
        let mut bytes = vec![0; 1 << 20];
        let read = self.out.read_at(&mut bytes, 0).expect("it can be read");
        bytes.truncate(read);
        String::from_utf8(bytes).expect("it is text")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    /// The same, after the check that it has ended like this and has said all these.
    #[track_caller]
    pub(crate) fn with(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "{word:?}: {self:?}");
        }
        self
    }
}

fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("it is a file");
    file.read_to_end(&mut bytes).expect("it can be read");
    String::from_utf8(bytes).expect("it is text")
}
