//! From where the next run number counts. Pure.

use crate::lease::RunNumber;

/// A forged status may not push the numbers further than this.
const LARGEST_JUMP: i64 = 1_000_000;

/// A status names a run that nobody can have had.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[error(
    "status.runNumber {status} is far above the newest run {newest}: somebody else wrote it; \
     create a new request"
)]
pub struct Forged {
    status: RunNumber,
    newest: RunNumber,
}

/// The number that the next run must be above, so that also a new, restored or switched store
/// never falls behind: of the store's newest run, of the last grant as the Lease tells it, and of
/// the request's status, which anybody with the right to write it may have forged.
pub fn floor(store: RunNumber, lease: RunNumber, status: RunNumber) -> Result<RunNumber, Forged> {
    let newest = store.max(lease);
    if status.0.saturating_sub(newest.0) > LARGEST_JUMP {
        return Err(Forged { status, newest });
    }
    Ok(newest.max(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_counts_but_a_status_only_so_far() {
        let floor = |store, lease, status| {
            floor(RunNumber(store), RunNumber(lease), RunNumber(status)).map(|it| it.0).ok()
        };
        assert_eq!(floor(3, 2, 1), Some(3));
        assert_eq!(floor(0, 5, 1), Some(5));
        assert_eq!(floor(0, 5, 7), Some(7));
        assert_eq!(floor(9, 5, 1_000_009), Some(1_000_009));
        assert_eq!(floor(9, 5, 1_000_010), None);
        assert_eq!(floor(0, 0, i64::MAX), None);
    }
}
