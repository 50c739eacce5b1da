//! GitHub's description, read for what the validating proxy does not look at.

use std::path::Path;

use http::{Method, StatusCode, Uri};
use serde_json::Value;
use url::form_urlencoded;

/// All operations that are described.
pub(crate) struct Description(Vec<Operation>);

struct Operation {
    method: Method,
    /// The parts of its path; those in braces stand for any.
    path: Vec<String>,
    parameters: Vec<Parameter>,
    success: StatusCode,
}

struct Parameter {
    name: String,
    required: bool,
    in_query: bool,
    /// A value that it may have.
    example: String,
}

/// One call of an operation.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path_and_query: String,
    /// How it is answered if all is well.
    pub(crate) success: StatusCode,
}

impl Description {
    /// Reads the description at `path`.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).expect("the description is there");
        let whole: Value = serde_json::from_slice(&text).expect("the description is JSON");
        let mut operations = Vec::new();
        for (path, methods) in whole["paths"].as_object().expect("it has paths") {
            for (method, operation) in methods.as_object().expect("a path has methods") {
                operations.push(Operation::read(&whole, path, method, operation));
            }
        }
        Self(operations)
    }

    /// A call of each operation.
    pub(crate) fn calls(&self) -> impl Iterator<Item = Call> {
        self.0.iter().map(Operation::call)
    }

    /// An objection to parameters that are not described: GitHub would ignore them.
    pub(crate) fn unknown_parameters(&self, method: &Method, uri: &Uri) -> Option<String> {
        let path = parts(uri.path());
        let operation = self.0.iter().find(|one| one.method == *method && one.is_at(&path))?;
        let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let unknown: Vec<String> = asked
            .map(|(name, _)| name.into_owned())
            .filter(|name| {
                !operation.parameters.iter().any(|one| one.in_query && one.name == *name)
            })
            .collect();
        (!unknown.is_empty()).then(|| format!("there are no parameters {unknown:?}"))
    }
}

impl Operation {
    fn read(whole: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let listed = operation["parameters"].as_array().into_iter().flatten();
        let statuses = operation["responses"].as_object().expect("it is answered").keys();
        let mut statuses = statuses.map(|status| status.parse().expect("a status"));
        Self {
            method: method.to_ascii_uppercase().parse().expect("a method"),
            path: parts(path),
            parameters: listed.map(|one| Parameter::read(resolved(whole, one))).collect(),
            success: statuses.find(StatusCode::is_success).expect("it may succeed"),
        }
    }

    fn is_at(&self, path: &[String]) -> bool {
        let fits = |(mine, asked): (&String, &String)| mine.starts_with('{') || mine == asked;
        self.path.len() == path.len() && self.path.iter().zip(path).all(fits)
    }

    fn call(&self) -> Call {
        let example = |name: &str| {
            let known = self.parameters.iter().find(|one| one.name == name);
            known.expect("what is in the path is described").example.as_str()
        };
        let part = |part: &String| match part.strip_prefix('{').and_then(|it| it.strip_suffix('}'))
        {
            Some(name) => example(name).to_owned(),
            None => part.clone(),
        };
        let path: Vec<String> = self.path.iter().map(part).collect();
        let mut query = form_urlencoded::Serializer::new(String::new());
        let needed = self.parameters.iter().filter(|one| one.in_query && one.required);
        query.extend_pairs(needed.map(|one| (&one.name, &one.example)));
        Call {
            method: self.method.clone(),
            path_and_query: format!("{}?{}", path.join("/"), query.finish()),
            success: self.success,
        }
    }
}

impl Parameter {
    fn read(parameter: &Value) -> Self {
        let allowed = &parameter["schema"]["enum"][0];
        Self {
            name: parameter["name"].as_str().expect("it has a name").to_owned(),
            required: parameter["required"] == true,
            in_query: parameter["in"] == "query",
            example: allowed.as_str().unwrap_or("1").to_owned(),
        }
    }
}

fn parts(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

/// What a reference leads to, or the value itself.
fn resolved<'a>(whole: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(place) => whole.pointer(place.trim_start_matches('#')).expect("it leads somewhere"),
        None => value,
    }
}
