//! Documents made from the schema that the API server has: each field at, below and above each of
//! its bounds, and with what does not belong there.

use serde_json::{Map, Value, json};
use singletrack::api::{RepoPattern, crd};

/// The schema of the spec.
pub(super) fn schema() -> Value {
    let crd = serde_json::to_value(crd()).expect("it is JSON");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// Each field with each of its values, for each type of a run, each document once.
pub(super) fn documents(schema: &Value) -> Vec<Value> {
    let mut documents: Vec<Value> = Vec::new();
    let properties = schema["properties"].as_object().expect("it has fields");
    let types = properties["type"]["enum"].as_array().expect("type is one of some");
    for type_ in types {
        let base = json!({"type": type_});
        for (field, about) in properties {
            for value in values(about) {
                let mut spec = base.clone();
                match value {
                    Some(value) => spec[field] = value,
                    None => drop(spec.as_object_mut().expect("an object").remove(field)),
                }
                documents.push(spec);
            }
        }
        documents.push(json!({"type": type_, "unknown": 1}));
    }
    let mut known = std::collections::BTreeSet::new();
    documents.retain(|spec| known.insert(spec.to_string()));
    documents
}

/// What is tried for a field; `None` leaves it out.
pub(super) fn values(about: &Value) -> Vec<Option<Value>> {
    let mut values = vec![None, Some(Value::Null)];
    let mut add = |value: Value| values.push(Some(value));
    if !about["default"].is_null() {
        add(about["default"].clone());
    }
    match about["type"].as_str() {
        Some("boolean") => {
            [json!(true), json!(false), json!("true"), json!(1)].into_iter().for_each(add);
        }
        Some("integer") => {
            let bound = |name: &str| about[name].as_f64().map(|it| it.to_string());
            let bound = |name: &str| bound(name).and_then(|it| it.parse::<i64>().ok());
            let (least, most) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(9));
            for number in [least - 1, least, least + 1, most - 1, most, most + 1] {
                add(json!(number));
            }
            [json!(1.5), json!("1"), json!([])].into_iter().for_each(add);
        }
        Some("string") => {
            for one in about["enum"].as_array().into_iter().flatten() {
                add(one.clone());
                add(json!(one.as_str().unwrap_or_default().to_uppercase()));
            }
            odd_texts().into_iter().map(Value::from).for_each(&mut add);
            add(json!(7));
        }
        Some("array") => arrays(about).into_iter().for_each(add),
        other => panic!("a field of type {other:?} needs values"),
    }
    values
}

/// Texts that are no good value of anything.
fn odd_texts() -> Vec<String> {
    let big = "x".repeat(1 << 20);
    ["", "x", "\u{0}", "acme/\u{0}", "\u{202e}lamron", " manual ", "\u{fffd}"]
        .into_iter()
        .map(str::to_owned)
        .chain([big])
        .collect()
}

/// Lists of names, good and bad, short and long.
fn arrays(about: &Value) -> Vec<Value> {
    let most = about["maxItems"].as_u64().unwrap_or(10);
    let longest = about["items"]["maxLength"].as_u64().unwrap_or(10);
    let long = |length: u64| {
        let owner = "o".repeat(39);
        let name = "r".repeat(usize::try_from(length).unwrap_or(0) - owner.len() - 1);
        format!("{owner}/{name}")
    };
    let many = |count: u64| -> Value { (0..count).map(|n| json!(format!("acme/r{n}"))).collect() };
    let mut lists = vec![
        json!([]),
        json!(["acme/widgets-0"]),
        json!(["acme/*", "ACME/widgets-0"]),
        json!(["acme/a", "acme/a"]),
        json!(["acme/a", "ACME/A"]),
        json!([long(longest)]),
        json!([long(longest + 1)]),
        many(most),
        many(most + 1),
        json!("acme/a"),
        json!({"acme": "a"}),
        json!([7]),
        json!([null]),
        json!(["acme/a", "acme"]),
        json!(["acme/a\u{202e}b"]),
        json!(["a\u{308}cme/b"]),
    ];
    lists.extend(odd_texts().into_iter().map(|text| json!([text])));
    lists
}

/// The fields for which the schema refuses the document; none if it is admitted.
///
/// It says again what the schema says, one rule after the other, so that what the API server makes
/// of the schema is held against what is meant by it.
pub(super) fn refused(schema: &Value, spec: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object().expect("it has fields");
    let spec = spec.as_object().expect("an object");
    let mut refused: Vec<String> = Vec::new();
    for field in spec.keys().filter(|field| !properties.contains_key(*field)) {
        refused.push(field.clone());
    }
    for (field, about) in properties {
        if !is_admitted(field, about, spec, schema) {
            refused.push(field.clone());
        }
    }
    // The rule over two fields.
    let automation = spec.get("automation") == Some(&Value::Bool(true));
    if automation && spec.get("type").is_some_and(|it| it != "scheduled") {
        refused.push("automation".to_owned());
    }
    refused
}

fn is_admitted(field: &str, about: &Value, spec: &Map<String, Value>, schema: &Value) -> bool {
    let is_required =
        schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == field));
    let nothing_is_fine =
        !is_required && (about["nullable"] == true || !about["default"].is_null());
    match spec.get(field) {
        None => !is_required,
        Some(Value::Null) => nothing_is_fine,
        Some(value) => fits(about, value),
    }
}

fn fits(about: &Value, value: &Value) -> bool {
    let within = |number: f64| {
        about["minimum"].as_f64().is_none_or(|least| number >= least)
            && about["maximum"].as_f64().is_none_or(|most| number <= most)
    };
    match about["type"].as_str() {
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() && value.as_f64().is_some_and(within),
        Some("string") => {
            about["enum"].as_array().is_none_or(|all| value.is_string() && all.contains(value))
        }
        Some("array") => value.as_array().is_some_and(|items| names_fit(about, items)),
        _ => false,
    }
}

fn names_fit(about: &Value, items: &[Value]) -> bool {
    let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
    let enough = about["minItems"].as_u64().is_none_or(|least| count >= least);
    let few = about["maxItems"].as_u64().is_none_or(|most| count <= most);
    let is_name = |item: &Value| {
        let text = item.as_str();
        text.is_some_and(|text| text.parse::<RepoPattern>().is_ok())
    };
    let twice = |at: usize| items[..at].contains(&items[at]);
    enough && few && items.iter().all(is_name) && !(0..items.len()).any(twice)
}
