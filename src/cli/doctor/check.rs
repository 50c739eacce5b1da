//! One line of the doctor's, and what the clocks say. Pure.

use chrono::TimeDelta;
use serde::Serialize;

use crate::cli::print;

/// From here on a clock is worth a word: tokens and records are dated by it.
const MOST_SKEW: TimeDelta = TimeDelta::seconds(30);

/// What came of a check.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Found {
    Ok,
    /// Nothing fails because of it.
    Warn,
    Fail,
    /// It could not be made, because of an earlier one.
    Skip,
}

#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) result: Found,
    pub(super) detail: String,
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, result: Found::Ok, detail: detail.into() }
    }

    pub(super) fn warn(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, result: Found::Warn, detail: detail.into() }
    }

    /// `detail` says what is wrong and what to try.
    pub(super) fn fail(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, result: Found::Fail, detail: detail.into() }
    }

    pub(super) fn skip(name: &'static str, why: &str) -> Self {
        Self { name, result: Found::Skip, detail: why.to_owned() }
    }

    pub(super) fn line(&self) -> String {
        let result = match self.result {
            Found::Ok => "ok",
            Found::Warn => "warn",
            Found::Fail => "fail",
            Found::Skip => "skip",
        };
        format!("{result:<5} {:<12} {}", self.name, print::plain(&self.detail))
    }
}

/// How far our clock is ahead of others, where they have told the time.
pub(super) fn clocks(others: &[(&str, Option<TimeDelta>)]) -> Check {
    let known: Vec<_> = others.iter().filter_map(|(who, ahead)| Some((who, (*ahead)?))).collect();
    if known.is_empty() {
        return Check::skip("clock", "nobody has told the time");
    }
    let say = |(who, ahead): &(&&str, TimeDelta)| {
        let side = if *ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
        format!("{} s {side} {who}", ahead.num_seconds().abs())
    };
    let said = known.iter().map(say).collect::<Vec<_>>().join(", ");
    match known.iter().any(|(_, ahead)| ahead.abs() > MOST_SKEW) {
        true => Check::warn("clock", format!("{said}: set this machine's clock by NTP")),
        false => Check::ok("clock", said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_off_by_half_a_minute() {
        let of = |seconds| clocks(&[("GitHub", Some(TimeDelta::seconds(seconds))), ("x", None)]);
        for (seconds, result, said) in [
            (0, Found::Ok, "0 s ahead of GitHub"),
            (-30, Found::Ok, "30 s behind GitHub"),
            (31, Found::Warn, "31 s ahead of GitHub: set"),
            (-3600, Found::Warn, "3600 s behind GitHub: set"),
        ] {
            let check = of(seconds);
            assert_eq!(check.result, result, "{seconds}");
            assert!(check.detail.starts_with(said), "{check:?}");
        }
        assert_eq!(clocks(&[("GitHub", None)]).result, Found::Skip);
    }

    #[test]
    fn a_check_is_one_line() {
        let line = Check::fail("database", "no\nfile").line();
        assert_eq!(line, "fail  database     no file");
    }
}
