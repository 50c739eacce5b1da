//! From bytes to items, one by one: an item that is not as described spoils nothing but itself.
//! Pure.

use std::collections::BTreeMap;

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
            let mut whole = parse::<BTreeMap<String, Box<RawValue>>>(body)?;
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
    // Each by itself: what is wrong with the item may be one of the two.
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw).unwrap_or_default();
    let number = |name: &str| fields.get(name).and_then(|it| serde_json::from_str(it.get()).ok());
    BadItem { number: number("number"), id: number("id"), error, raw: raw.to_owned() }
}

/// Takes every U+0000 out of every text and name, and says how many there were.
fn strip(tree: &mut Value) -> usize {
    match tree {
        Value::String(text) => strip_text(text),
        Value::Array(items) => items.iter_mut().map(strip).sum(),
        Value::Object(fields) => {
            let mut nuls = fields.values_mut().map(strip).sum();
            for mut name in fields.keys().filter(|n| n.contains('\0')).cloned().collect::<Vec<_>>()
            {
                let value = fields.remove(&name).unwrap_or_default();
                nuls += strip_text(&mut name);
                fields.insert(name, value);
            }
            nuls
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn strip_text(text: &mut String) -> usize {
    let nuls = text.matches('\0').count();
    if nuls > 0 {
        text.retain(|c| c != '\0');
    }
    nuls
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
    fn a_bad_item_keeps_its_number_whatever_is_wrong_with_its_id() {
        let keys = |raw: &str| {
            let bad = decode_list::<Item>(format!("[{raw}]").as_bytes(), None).unwrap().bad;
            (bad[0].number, bad[0].id)
        };
        assert_eq!(keys(r#"{"number":1,"id":"x"}"#), (Some(1), None));
        assert_eq!(keys(r#"{"number":"1","id":2}"#), (None, Some(2)));
        assert_eq!(keys("[1,2,3]"), (None, None));
    }

    #[test]
    fn a_nul_in_a_name_is_taken_out_too() {
        let mut nuls = 0;
        let item: Item = decode_one(r#"{"num\u0000ber":1,"title":"a"}"#, &mut nuls).unwrap();
        assert_eq!((item.number, nuls), (1, 1));
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
