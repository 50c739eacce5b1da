//! How long we know the Lease to have been as it is, on our own monotonic clock. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// The version of the Lease that was last seen, and since when it has been seen.
///
/// Times are arguments: when an answer arrived for a first sight, when the question was sent for a
/// later one. So the time in between is never longer than the Lease has really been unchanged.
#[derive(Clone, Debug, Default)]
pub struct Sighting(Option<(String, String, Instant)>);

impl Sighting {
    /// Takes note of this version, as seen in an answer that arrived `at`.
    ///
    /// Also for versions that a watch has shown: they did exist then, and only a later GET of the
    /// same version makes a silence of it.
    pub fn note(&mut self, uid: &str, version: &str, at: Instant) {
        if self.0.as_ref().is_none_or(|(u, v, _)| u != uid || v != version) {
            self.0 = Some((uid.to_owned(), version.to_owned(), at));
        }
    }

    /// For how long this version is known to have been there, when a GET sent `at` has shown it.
    #[must_use]
    pub fn unchanged_for(&self, uid: &str, version: &str, at: Instant) -> Duration {
        match &self.0 {
            Some((u, v, since)) if u == uid && v == version => at.saturating_duration_since(*since),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_counted_from_the_first_answer_to_the_last_question() {
        let start = Instant::now();
        let after = |secs| start + Duration::from_secs(secs);
        let mut sighting = Sighting::default();
        assert_eq!(sighting.unchanged_for("u", "1", after(0)), Duration::ZERO);
        sighting.note("u", "1", after(1));
        sighting.note("u", "1", after(5));
        assert_eq!(sighting.unchanged_for("u", "1", after(9)), Duration::from_secs(8));
        assert_eq!(sighting.unchanged_for("u", "2", after(9)), Duration::ZERO);
        assert_eq!(sighting.unchanged_for("other", "1", after(9)), Duration::ZERO);
        sighting.note("u", "2", after(10));
        sighting.note("u", "1", after(11));
        assert_eq!(sighting.unchanged_for("u", "1", after(12)), Duration::from_secs(1));
    }
}
