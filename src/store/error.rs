//! What can go wrong with the store, and what that means for the request.

use crate::lease::RunNumber;

/// A call of the store that was not done.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    #[error("run {number} was superseded by run {active}: its writes do not count any more")]
    Superseded { number: RunNumber, active: RunNumber },

    #[error("the request has ended with run {0} already")]
    HasRun(RunNumber),

    #[error(
        "the database belongs to another operator (owner {owner:?}): give this one a database of \
         its own, or hand it over with `singletrack adopt`"
    )]
    InUse { owner: String },

    #[error("the database refuses a row ({doing})")]
    Refused { doing: &'static str, source: sqlx::Error },

    #[error("the database cannot be used ({doing})")]
    Unavailable { doing: &'static str, source: sqlx::Error },

    #[error("the database's tables could not be brought up to date")]
    Migrate { source: sqlx::migrate::MigrateError },

    #[error("run number {0} is too high to count on from: restore lease and database together")]
    NumbersExhausted(RunNumber),
}

impl Error {
    /// Whether the same call may work later, with nothing changed but the database's condition.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Migrate { .. } | Self::InUse { .. })
    }

    /// The error of a statement: the row's fault, or the database's.
    pub(super) fn of(doing: &'static str, source: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind::{
            CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation,
        };
        let kind = source.as_database_error().map(sqlx::error::DatabaseError::kind);
        match kind {
            Some(CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation) => {
                Self::Refused { doing, source }
            }
            _ => Self::Unavailable { doing, source },
        }
    }
}

/// The text of an error with all its causes, for a status or a history that outlives the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}
