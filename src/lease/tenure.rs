//! Having the lock, as a value: proof that this process was granted the Lease.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// The order of runs: a later grant has a higher number.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub struct RunNumber(pub i64);

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who holds the Lease: `<pod or host name>_<boot nonce>_<attempt nonce>`, compared whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder(String);

impl Holder {
    /// The holder of this text, or `None` for a Lease that nobody holds.
    pub fn parse(identity: Option<&str>) -> Option<Self> {
        identity.filter(|text| !text.is_empty()).map(|text| Self(text.to_owned()))
    }

    pub(super) fn new(name: &str, boot: &str, attempt: &str) -> Self {
        Self(format!("{name}_{boot}_{attempt}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pod or host: everything before the two nonces.
    pub fn name(&self) -> &str {
        self.parts().0
    }

    pub(super) fn boot(&self) -> &str {
        self.parts().1
    }

    /// An identity of another form is all name: it is nobody's boot.
    fn parts(&self) -> (&str, &str) {
        let mut from_the_end = self.0.rsplitn(3, '_');
        match (from_the_end.next(), from_the_end.next(), from_the_end.next()) {
            (Some(_), Some(boot), Some(name)) => (name, boot),
            _ => (&self.0, ""),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Proof that this process was granted the Lease.
///
/// Only the keeper makes one, and every write to the store asks for one, so code that has no
/// Lease cannot write: it does not compile.
///
/// ```compile_fail,E0624
/// let forged = singletrack::lease::Tenure::new(unreachable!(), unreachable!(), unreachable!());
/// ```
#[derive(Clone, Debug)]
pub struct Tenure {
    number: RunNumber,
    holder: Holder,
    lost: CancellationToken,
}

impl Tenure {
    pub(super) fn new(number: RunNumber, holder: Holder, lost: CancellationToken) -> Self {
        Self { number, holder, lost }
    }

    /// A tenure for a store that no cluster shares (`singletrack local`).
    ///
    /// The store alone decides here: activation with a number that is not the newest is refused.
    #[must_use]
    pub fn without_cluster(number: RunNumber, name: &str, nonce: &str) -> Self {
        Self::new(number, Holder::new(name, nonce, nonce), CancellationToken::new())
    }

    pub fn number(&self) -> RunNumber {
        self.number
    }

    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Cancelled when the Lease is lost: stop, write nothing more.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_taken_apart_from_its_end() {
        let holder = Holder::new("pod_with_lines", "b1", "a1");
        assert_eq!((holder.name(), holder.boot()), ("pod_with_lines", "b1"));
        assert_eq!(holder.to_string(), "pod_with_lines_b1_a1");
        let foreign = Holder::parse(Some("somebody")).unwrap();
        assert_eq!((foreign.name(), foreign.boot()), ("somebody", ""));
        assert_eq!(Holder::parse(Some("")), None);
        assert_eq!(Holder::parse(None), None);
    }

    #[test]
    fn a_tenure_tells_its_number_its_holder_and_that_it_is_lost() {
        let tenure = Tenure::without_cluster(RunNumber(3), "host", "nonce");
        assert_eq!(tenure.number(), RunNumber(3));
        assert_eq!(tenure.holder().as_str(), "host_nonce_nonce");
        let copy = tenure.clone();
        tenure.lost().cancel();
        assert!(copy.lost().is_cancelled());
    }
}
