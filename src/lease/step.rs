//! The protocol of one attempt, from the first look at the Lease to its release. Pure.
//!
//! One call is under way at any moment. `V` is a version of the Lease as it was seen, `N` a run
//! number; the step passes them on and never looks inside.
//!
//! The order is what makes it safe: the Lease is read before the request is chosen and the ticket
//! drawn, and the grant is a compare-and-swap against that reading. So a grant that succeeds shows
//! that nobody else was granted in between, and tickets are ordered like grants.

use std::time::Duration;

use super::Verdict;

/// Where an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum At<V, N> {
    /// Somebody else holds the Lease.
    Waiting,
    Reading,
    Creating,
    Choosing(V),
    Ticketing(V),
    Granting(N),
    /// The answer to the grant was lost: it may have been done, be done later, or never.
    AskingGrant(N),
    Activating(V, N),
    /// The run is on; the version is unknown after a renewal whose answer was lost.
    Holding(Option<V>, N),
    Renewing(N),
    AskingRenewal(N),
    /// The Lease is lost and the run is being stopped.
    Stopping,
    Releasing,
    AskingRelease,
    /// Nothing of this attempt is left in the Lease, or it is not ours to free.
    Over,
}

/// The one call to make, or the one timer to set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask<V, N> {
    /// Wait for news of the Lease, at most so long.
    Wait(Duration),
    /// Wait a moment: the last call has failed.
    Pause,
    /// GET the Lease, by quorum, and judge it.
    Get,
    /// Create the Lease, free.
    Create,
    /// GET the head of the queue and look it up in the store.
    Choose,
    /// Draw a run number from the store.
    Ticket,
    /// Write me into the Lease, if it is still this version.
    Grant(V, N),
    /// Make mine the active run number of the store.
    Activate(N),
    /// Start the run, then as [`Ask::Beat`].
    Run,
    /// Wait for the next heartbeat or for the end of the run.
    Beat,
    Renew(V, N),
    /// Tell the run to stop and wait until it has ended.
    Stop,
    Release(V),
    /// Nothing: begin again with the next attempt.
    Nothing,
}

/// What has come back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Got<V, N> {
    /// The time is up, or there is news.
    Woken,
    /// The Lease as a quorum GET has shown it, and what that means.
    Lease(V, Verdict),
    /// There is no Lease of this name (and uid).
    Gone,
    /// The write was done; the Lease is now this version.
    Stored(V),
    /// The write was refused: the Lease is another version.
    Conflict,
    /// No answer that says whether it was done.
    Unknown,
    /// There is a request to run.
    Chosen,
    /// There is none, or what was found has been put right: begin again.
    Nobody,
    Ticket(N),
    Activated,
    /// The store refused: a newer run is active, or the request has run already.
    Refused,
    /// A heartbeat is due.
    Due,
    /// No request has succeeded for five sixths of the duration.
    Expired,
    /// The run has ended by itself.
    Ended,
}

/// Says where the attempt stands next, and what to do.
///
/// An answer that cannot come in a state leaves nothing behind that another attempt could not put
/// right: before the grant the attempt is over, after it the Lease is asked for and released.
#[must_use]
pub fn step<V, N: Copy>(at: At<V, N>, got: Got<V, N>) -> (At<V, N>, Ask<V, N>) {
    match at {
        At::Waiting | At::Reading | At::Creating | At::Choosing(_) | At::Ticketing(_) => {
            before_grant(at, got)
        }
        At::Granting(..) | At::AskingGrant(_) | At::Activating(..) => granting(at, got),
        At::Holding(..) | At::Renewing(..) | At::AskingRenewal(_) | At::Stopping => {
            holding(at, got)
        }
        At::Releasing | At::AskingRelease => releasing(at, got),
        At::Over => (At::Reading, Ask::Get),
    }
}

fn before_grant<V, N: Copy>(at: At<V, N>, got: Got<V, N>) -> (At<V, N>, Ask<V, N>) {
    match (at, got) {
        (At::Waiting, Got::Woken) => (At::Reading, Ask::Get),
        (At::Reading, Got::Gone) => (At::Creating, Ask::Create),
        (At::Reading, Got::Lease(_, Verdict::Held(time))) => (At::Waiting, Ask::Wait(time)),
        (At::Reading, Got::Lease(v, Verdict::Free | Verdict::Mine | Verdict::Stale(_))) => {
            (At::Choosing(v), Ask::Choose)
        }
        (At::Reading, Got::Lease(v, Verdict::Leftover)) => (At::Releasing, Ask::Release(v)),
        // Created or there already: only what a GET shows counts, so creating is never a grant.
        (At::Creating, Got::Stored(_) | Got::Conflict) => (At::Reading, Ask::Get),
        (At::Choosing(v), Got::Chosen) => (At::Ticketing(v), Ask::Ticket),
        (At::Ticketing(v), Got::Ticket(n)) => (At::Granting(n), Ask::Grant(v, n)),
        (At::Reading | At::Creating, Got::Unknown) => (At::Waiting, Ask::Pause),
        _ => over(),
    }
}

fn granting<V, N: Copy>(at: At<V, N>, got: Got<V, N>) -> (At<V, N>, Ask<V, N>) {
    match (at, got) {
        (At::Granting(n), Got::Stored(v)) => (At::Activating(v, n), Ask::Activate(n)),
        // A grant that lands after this is found as a leftover, and released.
        (At::Granting(..), Got::Conflict | Got::Gone) => over(),
        (At::Granting(n), _) => (At::AskingGrant(n), Ask::Get),
        (At::AskingGrant(n), Got::Lease(v, Verdict::Mine)) => {
            (At::Activating(v, n), Ask::Activate(n))
        }
        (At::AskingGrant(_), Got::Lease(..) | Got::Gone) => over(),
        (At::AskingGrant(n), Got::Woken) => (At::AskingGrant(n), Ask::Get),
        (At::AskingGrant(n), _) => (At::AskingGrant(n), Ask::Pause),
        (At::Activating(v, n), Got::Activated) => (At::Holding(Some(v), n), Ask::Run),
        (At::Activating(v, _), _) => (At::Releasing, Ask::Release(v)),
        _ => over(),
    }
}

fn holding<V, N: Copy>(at: At<V, N>, got: Got<V, N>) -> (At<V, N>, Ask<V, N>) {
    match (at, got) {
        (At::Stopping, Got::Ended) => over(),
        (At::Stopping, _) | (_, Got::Expired) => (At::Stopping, Ask::Stop),
        (At::Holding(Some(v), n), Got::Due) => (At::Renewing(n), Ask::Renew(v, n)),
        (At::Holding(None, n), Got::Due) => (At::AskingRenewal(n), Ask::Get),
        (At::Holding(Some(v), _), Got::Ended) => (At::Releasing, Ask::Release(v)),
        (At::Holding(None, _), Got::Ended) => (At::AskingRelease, Ask::Get),
        (At::Renewing(n), Got::Stored(v)) => (At::Holding(Some(v), n), Ask::Beat),
        // Somebody has written: an annotation, or a new holder.
        (At::Renewing(n), Got::Conflict) => (At::AskingRenewal(n), Ask::Get),
        (At::AskingRenewal(n), Got::Lease(v, Verdict::Mine)) => (At::Renewing(n), Ask::Renew(v, n)),
        // Another holder, or another Lease: it is not created anew, and not ours to free.
        (At::AskingRenewal(_), Got::Lease(..)) | (_, Got::Gone) => (At::Stopping, Ask::Stop),
        (At::Holding(v, n), _) => (At::Holding(v, n), Ask::Beat),
        (At::Renewing(n) | At::AskingRenewal(n), _) => (At::Holding(None, n), Ask::Beat),
        _ => over(),
    }
}

fn releasing<V, N: Copy>(at: At<V, N>, got: Got<V, N>) -> (At<V, N>, Ask<V, N>) {
    match (at, got) {
        (At::AskingRelease, Got::Lease(v, Verdict::Mine)) => (At::Releasing, Ask::Release(v)),
        (At::AskingRelease, Got::Unknown) => (At::AskingRelease, Ask::Pause),
        (At::AskingRelease, Got::Woken) | (At::Releasing, Got::Conflict | Got::Unknown) => {
            (At::AskingRelease, Ask::Get)
        }
        _ => over(),
    }
}

fn over<V, N>() -> (At<V, N>, Ask<V, N>) {
    (At::Over, Ask::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (At<u8, u8>, Got<u8, u8>, (At<u8, u8>, Ask<u8, u8>));

    #[track_caller]
    fn check(rows: &[Row]) {
        for (at, got, expected) in rows {
            assert_eq!(&step(at.clone(), got.clone()), expected, "{at:?} and {got:?}");
        }
    }

    #[test]
    fn the_lease_is_read_before_the_request_and_the_ticket_drawn_before_the_grant() {
        check(&[
            (At::Over, Got::Woken, (At::Reading, Ask::Get)),
            (At::Reading, Got::Lease(7, Verdict::Free), (At::Choosing(7), Ask::Choose)),
            (At::Choosing(7), Got::Chosen, (At::Ticketing(7), Ask::Ticket)),
            (At::Ticketing(7), Got::Ticket(3), (At::Granting(3), Ask::Grant(7, 3))),
            (At::Granting(3), Got::Stored(8), (At::Activating(8, 3), Ask::Activate(3))),
            (At::Activating(8, 3), Got::Activated, (At::Holding(Some(8), 3), Ask::Run)),
        ]);
    }

    #[test]
    fn creating_is_never_a_grant() {
        check(&[
            (At::Reading, Got::Gone, (At::Creating, Ask::Create)),
            (At::Creating, Got::Stored(1), (At::Reading, Ask::Get)),
            (At::Creating, Got::Conflict, (At::Reading, Ask::Get)),
        ]);
    }

    #[test]
    fn a_grant_without_an_answer_is_looked_for() {
        check(&[
            (At::Granting(3), Got::Unknown, (At::AskingGrant(3), Ask::Get)),
            (At::AskingGrant(3), Got::Unknown, (At::AskingGrant(3), Ask::Pause)),
            (At::AskingGrant(3), Got::Woken, (At::AskingGrant(3), Ask::Get)),
            (
                At::AskingGrant(3),
                Got::Lease(9, Verdict::Mine),
                (At::Activating(9, 3), Ask::Activate(3)),
            ),
            (At::AskingGrant(3), Got::Lease(9, Verdict::Free), (At::Over, Ask::Nothing)),
        ]);
    }

    #[test]
    fn a_holder_gives_up_when_it_is_lost_and_releases_only_what_is_its_own() {
        check(&[
            (At::Renewing(3), Got::Conflict, (At::AskingRenewal(3), Ask::Get)),
            (At::AskingRenewal(3), Got::Lease(9, Verdict::Free), (At::Stopping, Ask::Stop)),
            (At::Renewing(3), Got::Gone, (At::Stopping, Ask::Stop)),
            (At::Renewing(3), Got::Unknown, (At::Holding(None, 3), Ask::Beat)),
            (At::Holding(None, 3), Got::Due, (At::AskingRenewal(3), Ask::Get)),
            (At::Holding(None, 3), Got::Expired, (At::Stopping, Ask::Stop)),
            (At::Stopping, Got::Ended, (At::Over, Ask::Nothing)),
            (At::Holding(Some(5), 3), Got::Ended, (At::Releasing, Ask::Release(5))),
            (At::Releasing, Got::Conflict, (At::AskingRelease, Ask::Get)),
            (At::AskingRelease, Got::Lease(6, Verdict::Mine), (At::Releasing, Ask::Release(6))),
            (At::AskingRelease, Got::Lease(6, Verdict::Free), (At::Over, Ask::Nothing)),
        ]);
    }

    #[test]
    fn what_stands_in_the_lease_decides_whether_to_wait_to_go_on_or_to_clean_up() {
        let time = Duration::from_secs(9);
        let stale = Verdict::Stale(crate::lease::TakenOver::Silent);
        check(&[
            (At::Reading, Got::Lease(7, Verdict::Held(time)), (At::Waiting, Ask::Wait(time))),
            (At::Waiting, Got::Woken, (At::Reading, Ask::Get)),
            (At::Reading, Got::Lease(7, Verdict::Mine), (At::Choosing(7), Ask::Choose)),
            (At::Reading, Got::Lease(7, stale), (At::Choosing(7), Ask::Choose)),
            (At::Reading, Got::Lease(7, Verdict::Leftover), (At::Releasing, Ask::Release(7))),
            (At::Reading, Got::Unknown, (At::Waiting, Ask::Pause)),
            (At::Creating, Got::Unknown, (At::Waiting, Ask::Pause)),
            (At::Choosing(7), Got::Nobody, (At::Over, Ask::Nothing)),
            (At::Ticketing(7), Got::Unknown, (At::Over, Ask::Nothing)),
        ]);
    }

    #[test]
    fn a_grant_that_is_refused_is_over_and_any_other_answer_is_asked_about() {
        check(&[
            (At::Granting(3), Got::Conflict, (At::Over, Ask::Nothing)),
            (At::Granting(3), Got::Gone, (At::Over, Ask::Nothing)),
            (At::Granting(3), Got::Woken, (At::AskingGrant(3), Ask::Get)),
            (At::AskingGrant(3), Got::Gone, (At::Over, Ask::Nothing)),
        ]);
    }

    #[test]
    fn a_holder_goes_on_until_its_run_has_ended_or_the_lease_is_lost() {
        let holding = |v| (At::Holding(v, 3), Ask::Beat);
        let stopping = || (At::Stopping, Ask::Stop);
        check(&[
            (At::Holding(Some(5), 3), Got::Due, (At::Renewing(3), Ask::Renew(5, 3))),
            (At::Holding(Some(5), 3), Got::Woken, holding(Some(5))),
            (At::Holding(None, 3), Got::Woken, holding(None)),
            (At::Holding(None, 3), Got::Ended, (At::AskingRelease, Ask::Get)),
            (At::Renewing(3), Got::Stored(6), holding(Some(6))),
            (At::AskingRenewal(3), Got::Unknown, holding(None)),
            (
                At::AskingRenewal(3),
                Got::Lease(6, Verdict::Mine),
                (At::Renewing(3), Ask::Renew(6, 3)),
            ),
            (At::AskingRenewal(3), Got::Gone, stopping()),
            (At::Holding(Some(5), 3), Got::Expired, stopping()),
            (At::Renewing(3), Got::Expired, stopping()),
            (At::Stopping, Got::Due, stopping()),
        ]);
    }

    #[test]
    fn a_release_is_asked_about_until_nothing_of_this_attempt_is_left() {
        check(&[
            (At::Releasing, Got::Stored(6), (At::Over, Ask::Nothing)),
            (At::Releasing, Got::Gone, (At::Over, Ask::Nothing)),
            (At::Releasing, Got::Unknown, (At::AskingRelease, Ask::Get)),
            (At::AskingRelease, Got::Unknown, (At::AskingRelease, Ask::Pause)),
            (At::AskingRelease, Got::Woken, (At::AskingRelease, Ask::Get)),
            (At::AskingRelease, Got::Gone, (At::Over, Ask::Nothing)),
        ]);
    }

    #[test]
    fn a_run_that_may_not_be_activated_gives_the_lease_back() {
        for got in [Got::Refused, Got::Unknown, Got::Expired] {
            check(&[(At::Activating(8, 3), got, (At::Releasing, Ask::Release(8)))]);
        }
    }
}
