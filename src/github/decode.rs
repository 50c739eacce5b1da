//! From bytes to items, one by one: an item that is not as described spoils nothing but itself.
//! Pure.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// An item that could not be decoded, with all that is needed to see why.
#[derive(Clone, Debug)]
pub struct BadItem {
    /// Its number and its id, where they can be read.
    pub number: Option<i64>,
    pub id: Option<i64>,
    pub error: String,
    pub raw: String,
}

/// A list that was decoded item by item.
#[derive(Clone, Debug)]
pub struct Decoded<T> {
    pub items: Vec<T>,
    pub bad: Vec<BadItem>,
    /// How many U+0000 were taken out: a database cannot hold them.
    pub nuls: usize,
}

/// The most items that a page may have; GitHub gives 100.
const MOST_ITEMS: usize = 10_000;

/// Decodes a list: a JSON array, or an object with the array under `key`.
///
/// # Errors
///
/// A text that says what is wrong when the whole is not such a list.
pub fn decode_list<T: DeserializeOwned>(
    body: &[u8],
    key: Option<&'static str>,
) -> Result<Decoded<T>, String> {
    let raw = match key {
        None => parse::<Vec<Box<RawValue>>>(body)?,
        Some(key) => {
            let mut whole = parse::<std::collections::BTreeMap<String, Box<RawValue>>>(body)?;
            let list = whole.remove(key).ok_or_else(|| format!("there is no {key:?}"))?;
            parse(list.get().as_bytes())?
        }
    };
    if raw.len() > MOST_ITEMS {
        return Err(format!("{} items on one page", raw.len()));
    }
    let mut decoded = Decoded { items: Vec::with_capacity(raw.len()), bad: Vec::new(), nuls: 0 };
    for item in raw {
        match decode_one(item.get(), &mut decoded.nuls) {
            Ok(item) => decoded.items.push(item),
            Err(error) => decoded.bad.push(bad(item.get(), error)),
        }
    }
    Ok(decoded)
}

/// Decodes one item, and counts the U+0000 that were taken out of it.
///
/// # Errors
///
/// A text that says what is wrong with it.
pub fn decode_one<T: DeserializeOwned>(raw: &str, nuls: &mut usize) -> Result<T, String> {
    // The escape is rare, so that the detour through a tree is, too.
    if !raw.contains("\\u0000") {
        return serde_json::from_str(raw).map_err(|error| error.to_string());
    }
    let mut tree: Value = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    *nuls += strip(&mut tree);
    serde_json::from_value(tree).map_err(|error| error.to_string())
}

fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

fn bad(raw: &str, error: String) -> BadItem {
    #[derive(Deserialize)]
    struct Key {
        number: Option<i64>,
        id: Option<i64>,
    }
    let key = serde_json::from_str(raw).unwrap_or(Key { number: None, id: None });
    BadItem { number: key.number, id: key.id, error, raw: raw.to_owned() }
}

/// Takes every U+0000 out of every text and name, and says how many there were.
fn strip(tree: &mut Value) -> usize {
    match tree {
        Value::String(text) => {
            let nuls = text.matches('\0').count();
            if nuls > 0 {
                text.retain(|c| c != '\0');
            }
            nuls
        }
        Value::Array(items) => items.iter_mut().map(strip).sum(),
        Value::Object(fields) => fields.values_mut().map(strip).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Item {
        number: i64,
        title: String,
    }

    #[test]
    fn one_bad_item_leaves_the_others() {
        let body = br#"[{"number":1,"title":"a"},{"id":5,"title":"b"},{"number":3,"title":"c"}]"#;
        let decoded = decode_list::<Item>(body, None).unwrap();
        assert_eq!(decoded.items.iter().map(|i| i.number).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(decoded.bad.len(), 1);
        assert_eq!((decoded.bad[0].number, decoded.bad[0].id), (None, Some(5)));
        assert!(decoded.bad[0].error.contains("number"), "{}", decoded.bad[0].error);
        assert_eq!(decoded.bad[0].raw, r#"{"id":5,"title":"b"}"#);
    }

    #[test]
    fn a_nul_is_taken_out_and_counted() {
        let body = br#"[{"number":1,"title":"a\u0000b\u0000"}]"#;
        let decoded = decode_list::<Item>(body, None).unwrap();
        assert_eq!((decoded.items[0].title.as_str(), decoded.nuls), ("ab", 2));
    }

    #[test]
    fn a_list_may_stand_under_a_key() {
        let body = br#"{"total_count":1,"jobs":[{"number":1,"title":"a"}]}"#;
        assert_eq!(decode_list::<Item>(body, Some("jobs")).unwrap().items.len(), 1);
        assert!(decode_list::<Item>(body, Some("runs")).unwrap_err().contains("runs"));
        assert!(decode_list::<Item>(b"{}", None).is_err());
        assert!(decode_list::<Item>(b"[{\"number\":1,\"ti", None).is_err());
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!(
            r#"[{{"number":1,"title":"a","x":{}{}}}]"#,
            "[".repeat(50_000),
            "]".repeat(50_000)
        );
        let decoded = decode_list::<Item>(deep.as_bytes(), None);
        assert!(decoded.is_ok() || decoded.is_err_and(|error| error.contains("recursion")));
    }
}
