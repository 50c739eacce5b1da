//! Durations as people write them: `30m`, `10s`, `500ms`. Pure.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A duration from a command line.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a duration such as 30m, 10s or 500ms"))
}

/// A duration from the configuration file.
pub(super) fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| parse(&text).map_err(serde::de::Error::custom)).transpose()
}
