//! A label, as Kubernetes allows it. Pure.

use std::str::FromStr;

/// The longest name and the longest value.
const LONGEST: usize = 63;
const LONGEST_PREFIX: usize = 253;

/// A label that the API server accepts, written as `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    key: String,
    value: String,
}

impl Label {
    /// The key and the value.
    pub(super) fn pair(&self) -> (String, String) {
        (self.key.clone(), self.value.clone())
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not KEY=VALUE: write a label as team=web");
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(a, b)| (Some(a), b));
        if prefix.is_some_and(|prefix| !is_domain(prefix)) {
            return Err(format!(
                "the key {key:?} has no domain before its '/': write it as example.com/team"
            ));
        }
        if !is_word(name) {
            return Err(format!(
                "{name:?} is not the name of a label: use 1 to {LONGEST} letters, digits, '-', '_' \
                 and '.', with a letter or digit at both ends"
            ));
        }
        if !value.is_empty() && !is_word(value) {
            return Err(format!(
                "{value:?} is not the value of a label: use up to {LONGEST} letters, digits, '-', \
                 '_' and '.', with a letter or digit at both ends"
            ));
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

fn is_word(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    (1..=LONGEST).contains(&text.len())
        && ends(text.bytes().next())
        && ends(text.bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether each part between the dots is a name of lower-case letters, digits and '-'.
fn is_domain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        part.bytes().next().is_some_and(plain)
            && part.bytes().last().is_some_and(plain)
            && part.bytes().all(|byte| plain(byte) || byte == b'-')
    };
    text.len() <= LONGEST_PREFIX && text.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_what_kubernetes_allows() {
        for good in ["team=web", "a=", "A_b.c-1=x.Y_z", "singletrack.dev/schedule=nightly", "a=1"] {
            let (key, value) = good.parse::<Label>().unwrap().pair();
            assert_eq!(format!("{key}={value}"), good);
        }
        let long = "a".repeat(64);
        for (bad, why) in [
            ("team", "KEY=VALUE"),
            ("", "KEY=VALUE"),
            ("=web", "name of a label"),
            ("-a=b", "name of a label"),
            ("a b=c", "name of a label"),
            ("x.io/=b", "name of a label"),
            ("a=b=c", "value of a label"),
            ("a=b c", "value of a label"),
            ("a=.b", "value of a label"),
            ("/a=b", "example.com/team"),
            ("X.io/a=b", "example.com/team"),
            ("x..io/a=b", "example.com/team"),
            ("a/b/c=d", "example.com/team"),
            (&format!("{long}=b"), "name of a label"),
            (&format!("a={long}"), "value of a label"),
            (&format!("{}/a=b", "x".repeat(254)), "example.com/team"),
        ] {
            assert!(bad.parse::<Label>().unwrap_err().contains(why), "{bad}");
        }
    }
}
