//! How many issues may vanish at once before it looks like a mistake. Pure.
//!
//! A 404 is weak: a token that lost a right, or a server that is ill, gives it as well. A 410 and
//! an answer from elsewhere are proof, and do not count.

/// So many may always vanish.
const FEW: usize = 20;

/// Whether `vanished` of `open` open issues is too many to be believed: more than 20, and more than
/// a fifth.
#[must_use]
pub(super) fn is_suspect(vanished: usize, open: i64) -> bool {
    let open = usize::try_from(open).unwrap_or(0);
    vanished > FEW && vanished.saturating_mul(5) > open
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_takes_more_than_twenty_and_more_than_a_fifth() {
        let rows = [
            (20, 20, false),
            (21, 21, true),
            (21, 104, true),
            (21, 105, false),
            (40, 200, false),
            (41, 200, true),
            (0, 0, false),
        ];
        for (vanished, open, expected) in rows {
            assert_eq!(is_suspect(vanished, open), expected, "{vanished} of {open}");
        }
    }

    proptest! {
        #[test]
        fn more_that_vanish_are_never_less_suspect_and_a_few_never_are(
            vanished in 0..5_000_usize,
            open: i64,
        ) {
            prop_assert!(!is_suspect(vanished.min(FEW), open));
            prop_assert!(!is_suspect(vanished, open) || is_suspect(vanished + 1, open));
            prop_assert!(!is_suspect(vanished, open) || is_suspect(vanished, open.saturating_sub(1)));
        }
    }
}
