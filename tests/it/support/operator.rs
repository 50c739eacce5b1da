//! Operators as real processes, which a test kills, stops and starts again.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use singletrack::store::{RunRecord, Sqlite, Store};
use url::Url;

use super::{Namespace, cluster, poll};
use crate::stand_in::{Repository, StandIn};

/// What a replica says it is.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) uid: String,
}

impl Pod {
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), uid: format!("uid-of-{name}") }
    }

    /// Outside a pod nothing can be asked about it.
    pub(crate) fn without_uid(name: &str) -> Self {
        Self { name: name.to_owned(), uid: String::new() }
    }
}

/// How an operator is started.
pub(crate) struct Starter {
    command: Command,
    pod: String,
    folder: PathBuf,
}

/// An operator for all repositories of `github`, in `space`, with its database in `folder`.
pub(crate) fn operator(space: &Namespace, github: &StandIn, folder: &Path) -> Starter {
    let tracked: Vec<String> =
        github.world(|world| world.repositories().map(Repository::full_name).collect());
    // The kernel kills it when the test ends, however that ends.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_singletrack"), "controller"])
        .args(["--listen", "127.0.0.1:0", "--github-url", &github.base_url()])
        .args(["--track", &tracked.join(",")])
        .env_clear()
        .env("SINGLETRACK_DATABASE", folder.join("store.db"))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("KUBECONFIG", &cluster().kubeconfig)
        .env("POD_NAMESPACE", &space.name)
        .env("GITHUB_TOKEN", TOKEN)
        .env("SINGLETRACK_LOG", "info,singletrack=debug");
    Starter { command, pod: "pod".into(), folder: folder.to_owned() }.pod(&Pod::named("pod"))
}

/// The token that the operators of the tests have.
pub(crate) const TOKEN: &str = "a-token-of-the-tests";

impl Starter {
    pub(crate) fn pod(mut self, pod: &Pod) -> Self {
        self.command.env("POD_NAME", &pod.name).env("POD_UID", &pod.uid);
        self.pod.clone_from(&pod.name);
        self
    }

    /// Short times of the lock: a holder is stale after `stale_after`.
    pub(crate) fn times(mut self, stale_after: Duration, heartbeat: Duration) -> Self {
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        self.command.args(["--lease-stale-after", &millis(stale_after)]);
        self.command.args(["--lease-heartbeat", &millis(heartbeat)]);
        self
    }

    /// Run by another tool, which ends with the test as well.
    pub(crate) fn under(mut self, tool: &[String]) -> Self {
        let mut command = Command::new(self.command.get_program());
        command.args(["--pdeathsig", "KILL", "--"]).args(tool).arg(self.command.get_program());
        command.args(self.command.get_args()).env_clear();
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = command;
        self
    }

    /// With its database on a server.
    pub(crate) fn on(self, url: &Url) -> Self {
        self.env("SINGLETRACK_DATABASE", url.as_str())
    }

    /// Keeps the log elsewhere than beside the database.
    pub(crate) fn log_in(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn start(mut self) -> Operator {
        let log = self.folder.join(format!("{}.log", self.pod));
        let file = File::options().create(true).append(true).open(&log).expect("a log");
        let from = file.metadata().map_or(0, |file| usize::try_from(file.len()).unwrap_or(0));
        let child = self.command.stderr(file).spawn().expect("setpriv is there (util-linux)");
        Operator { child, log, from, folder: self.folder, killed: false }
    }
}

/// An operator that runs. Dropping it kills it, and shows its log if the test has failed.
pub(crate) struct Operator {
    child: Child,
    log: PathBuf,
    /// Where its own part of the log begins; the rest is of others that had its name before.
    from: usize,
    folder: PathBuf,
    killed: bool,
}

impl Operator {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is still there");
    }

    /// `kill -9`, and its end.
    pub(crate) fn kill(&mut self) {
        self.killed = true;
        self.signal(Signal::KILL);
        self.child.wait().expect("it has ended");
    }

    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends the strace that it is run under; it goes on without.
    pub(crate) fn untrace(&self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it is there");
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        let tracer = tracer.and_then(|it| Pid::from_raw(it.trim().parse().ok()?));
        kill_process(tracer.expect("it is traced"), Signal::TERM).expect("strace is there");
    }

    /// SIGTERM, and how it has ended.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// How it has ended, once it has.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        poll("the operator ends", async || self.child.try_wait().expect("it can be waited for"))
            .await
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether the test has killed it.
    pub(crate) fn was_killed(&self) -> bool {
        self.killed
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has. SIGKILL is always the test's.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        let ended = self.child.try_wait().expect("it can be waited for");
        let kill = Signal::KILL.as_raw();
        self.killed |= ended.is_some_and(|status| status.signal() == Some(kill));
        ended
    }

    /// What it has logged itself.
    pub(crate) fn own_log(&self) -> String {
        self.log().get(self.from..).unwrap_or_default().to_owned()
    }

    /// Waits until it has logged `text`.
    pub(crate) async fn says(&self, text: &str) {
        let said = async || self.own_log().contains(text).then_some(());
        poll(&format!("the log says {text:?}"), said).await;
    }

    /// Where its endpoints are.
    async fn address(&self) -> String {
        self.says("the operator has started").await;
        let log = self.own_log();
        let address = log.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        address.expect("the log names the address").to_owned()
    }

    /// What `/metrics` says.
    pub(crate) async fn metrics(&self) -> String {
        self.told("/metrics").await
    }

    /// Waits until this line is in its metrics.
    pub(crate) async fn metric(&self, line: &str) {
        poll(line, async || self.metrics().await.contains(line).then_some(())).await;
    }

    /// What one of its endpoints says.
    pub(crate) async fn told(&self, path: &str) -> String {
        get(&self.address().await, path).await.1
    }

    /// The answer of `/readyz`, once `holds` is true of its status and text.
    pub(crate) async fn ready_when(&self, holds: impl Fn(u16, &str) -> bool) -> String {
        let address = self.address().await;
        poll("readyz", async || {
            let (status, text) = get(&address, "/readyz").await;
            holds(status, &text).then_some(text)
        })
        .await
    }

    pub(crate) async fn ready(&self) {
        self.ready_when(|status, _| status == 200).await;
    }

    /// The run history, oldest first.
    pub(crate) async fn history(&self) -> Vec<RunRecord> {
        history(&self.folder).await
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// The run history of the database in `folder`, oldest first.
pub(crate) async fn history(folder: &Path) -> Vec<RunRecord> {
    let store = Sqlite::at(&folder.join("store.db"));
    let mut runs = store.history(10_000).await.expect("the history can be read");
    store.close().await;
    runs.reverse();
    runs
}

async fn get(address: &str, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let question = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status.unwrap_or(0), body.unwrap_or_default())
}
