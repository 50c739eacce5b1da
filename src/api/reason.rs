//! Why a request is where it is. Pure.

/// Why a request is in its phase: one word, from a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    Created,
    Queued,
    Suspended,
    Interrupted,
    OperatorStopped,
    AttemptFailed,
    Stalled,
    StoreUnavailable,
    StoreInUse,
    Started,
    Completed,
    SomeRepositoriesFailed,
    AllRepositoriesFailed,
    ItemsSetAside,
    DeadlineExceeded,
    BackoffLimitExceeded,
    Unauthorized,
    MissingToken,
    NotTracked,
    AlreadyRunning,
    Cancelled,
    Deleted,
    RunNumberForged,
}

impl Reason {
    /// Every reason there is, in the order of a request's life.
    pub const ALL: [Self; 23] = [
        Self::Created,
        Self::Queued,
        Self::Suspended,
        Self::Interrupted,
        Self::OperatorStopped,
        Self::AttemptFailed,
        Self::Stalled,
        Self::StoreUnavailable,
        Self::StoreInUse,
        Self::Started,
        Self::Completed,
        Self::SomeRepositoriesFailed,
        Self::AllRepositoriesFailed,
        Self::ItemsSetAside,
        Self::DeadlineExceeded,
        Self::BackoffLimitExceeded,
        Self::Unauthorized,
        Self::MissingToken,
        Self::NotTracked,
        Self::AlreadyRunning,
        Self::Cancelled,
        Self::Deleted,
        Self::RunNumberForged,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Queued => "Queued",
            Self::Suspended => "Suspended",
            Self::Interrupted => "Interrupted",
            Self::OperatorStopped => "OperatorStopped",
            Self::AttemptFailed => "AttemptFailed",
            Self::Stalled => "Stalled",
            Self::StoreUnavailable => "StoreUnavailable",
            Self::StoreInUse => "StoreInUse",
            Self::Started => "Started",
            Self::Completed => "Completed",
            Self::SomeRepositoriesFailed => "SomeRepositoriesFailed",
            Self::AllRepositoriesFailed => "AllRepositoriesFailed",
            Self::ItemsSetAside => "ItemsSetAside",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::BackoffLimitExceeded => "BackoffLimitExceeded",
            Self::Unauthorized => "Unauthorized",
            Self::MissingToken => "MissingToken",
            Self::NotTracked => "NotTracked",
            Self::AlreadyRunning => "AlreadyRunning",
            Self::Cancelled => "Cancelled",
            Self::Deleted => "Deleted",
            Self::RunNumberForged => "RunNumberForged",
        }
    }

    /// What it means, in a sentence for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Created => "nobody has looked at it yet",
            Self::Queued => "it waits in turn",
            Self::Suspended => "`spec.suspend` is true; what ran was stopped and is not counted",
            Self::Interrupted => {
                "the process that ran it is gone; it runs again, and that counts as an attempt only \
                 if nothing had been stored"
            }
            Self::OperatorStopped => "the operator was told to stop; it runs again, not counted",
            Self::AttemptFailed => "an attempt failed; the next one starts at `nextAttemptAt`",
            Self::Stalled => {
                "an attempt made no progress for the stall time; the next one starts at \
                 `nextAttemptAt`, if there is one left"
            }
            Self::StoreUnavailable => "the database cannot be used; it goes on by itself",
            Self::StoreInUse => {
                "the database belongs to another operator: give this one its own, or `singletrack \
                 adopt`"
            }
            Self::Started => "it runs",
            Self::Completed => "everything was read and stored",
            Self::SomeRepositoriesFailed => "some repositories failed or are suspect; see each",
            Self::AllRepositoriesFailed => "no repository could be read",
            Self::ItemsSetAside => "items are in `sync_quarantine`; everything else was stored",
            Self::DeadlineExceeded => "`activeDeadlineSeconds` have passed since its first start",
            Self::BackoffLimitExceeded => {
                "each attempt ended with its process before anything was stored"
            }
            Self::Unauthorized => "GitHub does not accept the token or the App; not tried again",
            Self::MissingToken => "there is no token, or no key of the App; not tried again",
            Self::NotTracked => "it names repositories that the operator does not track",
            Self::AlreadyRunning => "`Reject`, and a run went on or somebody waited",
            Self::Cancelled => "`spec.cancel` was set",
            Self::Deleted => "it was deleted while it ran (in the history only)",
            Self::RunNumberForged => "somebody else wrote an impossible run number into its status",
        }
    }

    /// Whether somebody should know, although the request has not ended with it.
    pub fn is_trouble(self) -> bool {
        let trouble = [
            Self::AttemptFailed,
            Self::Stalled,
            Self::Interrupted,
            Self::StoreUnavailable,
            Self::StoreInUse,
        ];
        trouble.contains(&self)
    }

    /// The reason of this name, as it was written by us.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_back_by_its_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::parse("Nonsense"), None);
    }
}
