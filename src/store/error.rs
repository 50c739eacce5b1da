//! What can go wrong with the store, and what that means for the request.

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

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

    #[error("the database {at} cannot be used: {advice}")]
    NotReached { at: String, advice: &'static str, source: sqlx::Error },

    #[error(
        "the tables are of operator {operator}, and may be written only by operators that know \
         version {needed} of them; this one knows {known}: use a newer one"
    )]
    Outdated { known: i64, needed: i64, operator: String },

    #[error(
        "database.readerRoles names {role:?}, which is no role of the database: create it with \
         CREATE ROLE, or take it out"
    )]
    NoRole { role: String },

    #[error("the database's tables could not be brought up to date")]
    Migrate { source: MigrateError },

    #[error("run number {0} is too high to count on from: restore lease and database together")]
    NumbersExhausted(RunNumber),
}

impl Error {
    /// Whether the same call may work later, with nothing changed but the database's condition.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::NotReached { .. } | Self::Migrate { .. } => true,
            Self::InUse { .. } | Self::Outdated { .. } | Self::NoRole { .. } => true,
            Self::Superseded { .. } | Self::HasRun(_) | Self::Refused { .. } => false,
            Self::NumbersExhausted(_) => false,
        }
    }

    /// The error of a statement: the row's fault, or the database's.
    pub(super) fn of(doing: &'static str, source: sqlx::Error) -> Self {
        match is_refusal(&source) {
            true => Self::Refused { doing, source },
            false => Self::Unavailable { doing, source },
        }
    }

    /// What it says with all its causes, and what to try where they do not say it.
    pub fn told(&self) -> String {
        let text = chain(self);
        match self {
            Self::Unavailable { .. } | Self::NotReached { .. } | Self::Migrate { .. } => {
                format!("{text}; it is tried again, see what is wrong with: singletrack doctor")
            }
            _ => text,
        }
    }

    /// Whether there are no tables yet where they should be.
    pub fn is_of_no_tables(&self) -> bool {
        match self {
            Self::Unavailable { source, .. } => code(source).as_deref() == Some("42P01"),
            _ => false,
        }
    }

    /// Whether the database has broken the transaction off for the sake of another one, so that
    /// nothing of it was written: PostgreSQL's serialization failure, deadlock, and lock timeout.
    pub(super) fn was_broken_off(&self) -> bool {
        let source = match self {
            Self::Unavailable { source, .. } => source,
            Self::Migrate { source: MigrateError::Execute(source) } => source,
            Self::Migrate { source: MigrateError::ExecuteMigration(source, _) } => source,
            _ => return false,
        };
        matches!(code(source).as_deref(), Some("40001" | "40P01" | "55P03"))
    }
}

/// Whether the database does not take this row, however often it is written.
fn is_refusal(error: &sqlx::Error) -> bool {
    use sqlx::error::ErrorKind::{
        CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation,
    };
    let kind = error.as_database_error().map(sqlx::error::DatabaseError::kind);
    if let Some(CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation) = kind {
        return true;
    }
    // PostgreSQL's classes of values that cannot be stored, of one row twice in a set, and of
    // limits such as that of an index.
    let code = code(error).unwrap_or_default();
    code.len() == 5 && ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class))
}

/// PostgreSQL's name of the error.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    error.try_downcast_ref::<PgDatabaseError>().map(|error| error.code().to_owned())
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
