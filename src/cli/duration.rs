//! Durations as people write them: `30m`, `10s`, `500ms`. Pure.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A duration from a command line.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a duration such as 30m, 10s or 500ms"))
}

/// Whole seconds, written as such or as a duration.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time = parse(text).map_err(|error| format!("{error}, or a number of seconds"))?;
    match i64::try_from(time.as_secs()) {
        Ok(seconds) if time.subsec_nanos() == 0 => Ok(seconds),
        _ => Err(format!("{text:?} is not a number of whole seconds; write 90, 90s or 2h")),
    }
}

/// A duration from the configuration file.
pub(super) fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| parse(&text).map_err(serde::de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_be_written_as_a_number_or_as_a_duration() {
        for (text, expected) in [("90", 90), ("90s", 90), ("2h", 7200), ("1h 1m", 3660)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for bad in ["500ms", "soon", "1.5", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
