//! Whether the API server knows all fields that we write.

use kube::Client;
use serde_json::Value;

use crate::api::crd;

const HOW: &str = "install the current one: singletrack crd | kubectl apply --server-side -f -";

/// Compares the schema that is served with our own.
///
/// # Errors
///
/// What is missing, and what to do. An old schema would drop fields of ours without a word.
pub(crate) async fn check(client: &Client) -> Result<(), String> {
    let request = http::Request::get("/openapi/v3/apis/singletrack.dev/v1alpha1").body(Vec::new());
    let request = request.map_err(|error| error.to_string())?;
    let served: Value = match client.request(request).await {
        Ok(served) => served,
        // The answer is a plain text, so only its code says what it is.
        Err(kube::Error::Api(status)) if status.code == 404 => {
            return Err(format!("the API server does not know SyncRequests: {HOW}"));
        }
        Err(error) => {
            let why = crate::store::chain(&error);
            return Err(format!("the served schema cannot be read: {why}"));
        }
    };
    let served = &served["components"]["schemas"]["dev.singletrack.v1alpha1.SyncRequest"];
    let own = crd();
    let own = own.spec.versions.first().and_then(|version| version.schema.as_ref());
    let own = own.map_or(Value::Null, |schema| serde_json::json!(schema.open_api_v3_schema));
    let mut missing = Vec::new();
    compare(&own, served, "", &mut missing);
    if missing.is_empty() {
        return Ok(());
    }
    missing.truncate(5);
    Err(format!("the SyncRequest definition is too old, it lacks {}: {HOW}", missing.join(", ")))
}

/// Collects the properties of `own` that `served` has not.
fn compare(own: &Value, served: &Value, path: &str, missing: &mut Vec<String>) {
    if let Some(properties) = own["properties"].as_object() {
        for (name, schema) in properties {
            let path = format!("{path}.{name}");
            match served["properties"].get(name) {
                Some(other) => compare(schema, other, &path, missing),
                None => missing.push(path),
            }
        }
    }
    if own.get("items").is_some() {
        compare(&own["items"], &served["items"], path, missing);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_named_by_its_path() {
        let own = json!({"properties": {"spec": {"properties": {"a": {}, "b": {"items":
            {"properties": {"c": {}}}}}}}});
        let old = json!({"properties": {"spec": {"properties": {"b": {"items": {}}, "x": {}}}}});
        let mut missing = Vec::new();
        compare(&own, &old, "", &mut missing);
        assert_eq!(missing, [".spec.a", ".spec.b.c"]);
        missing.clear();
        compare(&own, &own, "", &mut missing);
        assert!(missing.is_empty());
    }
}
