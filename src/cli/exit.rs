//! How the process ends: exit codes, and errors that say what to try next.

use std::fmt;
use std::process::ExitCode;

use super::print;
use crate::api::Phase;
use crate::store::chain;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Succeeded,
    Failed,
    Usage,
    Rejected,
    PartiallySucceeded,
    Cancelled,
    TimedOut,
}

impl Exit {
    pub const ALL: [Self; 7] = [
        Self::Succeeded,
        Self::Failed,
        Self::Usage,
        Self::Rejected,
        Self::PartiallySucceeded,
        Self::Cancelled,
        Self::TimedOut,
    ];

    /// When a command ends with it, in a sentence for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Succeeded => "done; of a request that is waited for: `Succeeded`",
            Self::Failed => "`Failed`, or the command could not be carried out",
            Self::Usage => "the command or the configuration is wrong",
            Self::Rejected => "`Rejected`",
            Self::PartiallySucceeded => "`PartiallySucceeded`",
            Self::Cancelled => "`Cancelled`, or the question was answered with no",
            Self::TimedOut => "not ended within `--timeout`; it goes on",
        }
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Rejected => 3,
            Self::PartiallySucceeded => 4,
            Self::Cancelled => 5,
            Self::TimedOut => 124,
        }
    }
}

impl From<Phase> for Exit {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Succeeded => Self::Succeeded,
            Phase::PartiallySucceeded => Self::PartiallySucceeded,
            Phase::Rejected => Self::Rejected,
            Phase::Cancelled => Self::Cancelled,
            Phase::Failed | Phase::Pending | Phase::Queued | Phase::Running => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command that could not be carried out.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    text: String,
}

impl Failure {
    /// It has taken longer than it may.
    pub fn timed_out(text: impl Into<String>) -> Self {
        Self { exit: Exit::TimedOut, text: text.into() }
    }

    /// The command was not understood, or the configuration does not fit.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    pub fn plain(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, text: text.into() }
    }

    /// `doing` failed because of `error`, with all its causes; `next` is what to try.
    pub fn of(doing: &str, error: &dyn std::error::Error, next: &str) -> Self {
        Self::plain(format!("{doing}: {}; {next}", chain(error)))
    }

    /// The API server's refusal in its own words, which name the field and the rule.
    pub fn kube(doing: &str, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status)
                if status.code == 404 && status.message.contains("the server could not find") =>
            {
                Self::plain(format!(
                    "{doing}: the cluster does not know SyncRequests; \
                     install them with: singletrack crd | kubectl apply --server-side -f -"
                ))
            }
            kube::Error::Api(status) if matches!(status.code, 401 | 403) => Self::plain(format!(
                "{doing}: {}; see which rights are missing with: singletrack doctor",
                status.message
            )),
            kube::Error::Api(status) if status.message.starts_with("namespaces ") => {
                Self::plain(format!("{doing}: {}; name another with -n", status.message))
            }
            kube::Error::Api(status) if status.code == 422 => Self::plain(format!(
                "{doing}: {}; see what may stand there with: kubectl explain syncrequests.spec",
                status.message
            )),
            kube::Error::Api(status) => Self::plain(format!(
                "{doing}: {}; try again, and see what is wrong with: singletrack doctor",
                status.message
            )),
            other => Self::plain(format!(
                "{doing}: {}; see whether the cluster answers with: singletrack doctor",
                chain(other)
            )),
        }
    }
}

/// Without what a terminal would act upon, and on one line: there may be words of others in it. Only
/// what is wrong in a file of the user's own may be shown on several.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.text.split('\n').map(print::plain);
        let between = if self.exit == Exit::Usage { "\n" } else { " " };
        f.write_str(&lines.collect::<Vec<_>>().join(between))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_own_code() {
        let rows = [
            (Phase::Succeeded, 0),
            (Phase::Failed, 1),
            (Phase::Rejected, 3),
            (Phase::PartiallySucceeded, 4),
            (Phase::Cancelled, 5),
        ];
        for (phase, code) in rows {
            assert_eq!(Exit::from(phase).code(), code);
        }
        assert_eq!((Exit::Usage.code(), Exit::TimedOut.code()), (2, 124));
    }

    #[test]
    fn a_failure_is_shown_without_what_a_terminal_would_act_upon() {
        let text = "bad\x1b[2J\u{9b}m\r\nerror: forged";
        assert_eq!(Failure::plain(text).to_string(), "bad [2J m  error: forged");
        assert_eq!(Failure::usage(text).to_string(), "bad [2J m \nerror: forged");
    }
}
