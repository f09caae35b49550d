//! What one method of one route takes and answers.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::schemas::{Schemas, reference};
use crate::http::problem::Problem;
use crate::http::shape::Shape;

/// An operation while it is being described.
pub(super) struct Operation {
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    problems: Vec<Problem>,
}

impl Operation {
    /// One that is called so, and does this.
    pub(super) fn new(id: &'static str, summary: &'static str) -> Self {
        let (parameters, answers, problems) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { id, summary, parameters, body: None, answers, problems }
    }

    /// Takes a parameter of the query.
    pub(super) fn query(mut self, name: &str, says: &str, schema: impl Into<Value>) -> Self {
        self.parameters.push(parameter("query", name, says, schema.into()));
        self
    }

    /// Takes a header.
    pub(super) fn header(mut self, name: &str, says: &str, schema: impl Into<Value>) -> Self {
        self.parameters.push(parameter("header", name, says, schema.into()));
        self
    }

    /// Reads a body that is JSON, whatever its `Content-Type`, or none that is sent.
    pub(super) fn json_body<T: JsonSchema>(self, schemas: &mut Schemas) -> Self {
        let schema = schemas.of::<T>();
        self.body("application/json", schema)
    }

    /// Reads a body of this type.
    pub(super) fn body(mut self, media_type: &str, schema: Value) -> Self {
        self.body = Some(json!({"required": true, "content": {media_type: {"schema": schema}}}));
        self.problems([Problem::ContentEncoding, Problem::TooLarge, Problem::Incomplete])
    }

    /// Answers without a body.
    pub(super) fn empty(self, status: u16, says: &str) -> Self {
        self.contents(status, says, [])
    }

    /// Answers with JSON.
    pub(super) fn json(self, status: u16, says: &str, schema: Value) -> Self {
        self.contents(status, says, [("application/json", schema)])
    }

    /// Answers with one of these.
    pub(super) fn contents<const N: usize>(
        mut self,
        status: u16,
        says: &str,
        contents: [(&str, Value); N],
    ) -> Self {
        let mut answer =
            json!({"description": says, "headers": {"X-Request-Id": reference("headers", "X-Request-Id")}});
        if N > 0 {
            // What is no JSON has no schema.
            let told = |schema: Value| if schema.is_null() { json!({}) } else { json!({"schema": schema}) };
            let content = contents.map(|(media_type, schema)| (media_type.to_owned(), told(schema)));
            answer["content"] = Value::Object(Map::from_iter(content));
        }
        self.answers.insert(status, answer);
        self
    }

    /// The answers with this status have this header, or may have it.
    pub(super) fn answers_with(mut self, status: u16, header: &str) -> Self {
        let answer = self.answers.get_mut(&status).unwrap();
        answer["headers"][header] = reference("headers", header);
        self
    }

    /// May answer with any of these problems.
    pub(super) fn problems(mut self, problems: impl IntoIterator<Item = Problem>) -> Self {
        self.problems.extend(problems);
        self
    }

    /// All that it may go wrong with.
    pub(super) fn all_problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What its description says, whose problems have this shape.
    pub(super) fn tell(self, schemas: &mut Schemas, shape: Shape) -> Value {
        let mut answers = self.answers;
        let mut by_status: BTreeMap<u16, BTreeMap<String, Value>> = BTreeMap::new();
        let mut headers: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
        let mut says: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
        for problem in &self.problems {
            let answer = shape.answer(problem);
            let schema = match shape {
                Shape::Details => schemas.problem(problem),
                Shape::Ably => reference("schemas", "AblyError"),
            };
            by_status.entry(answer.status).or_default().insert(schema.to_string(), schema);
            says.entry(answer.status).or_default().insert(match problem {
                // Those that refuse a session are many, and their schema has them all.
                Problem::Session(_) => "session_…",
                _ => problem.facts().name,
            });
            let names = answer.headers.iter().map(|(name, _)| *name).filter(|name| *name != "content-type");
            headers.entry(answer.status).or_default().extend(names);
        }
        for (status, of_status) in by_status {
            let names: Vec<String> = says[&status].iter().map(|name| format!("`{name}`")).collect();
            let mut of_status: Vec<Value> = of_status.into_values().collect();
            let schema = if of_status.len() == 1 { of_status.remove(0) } else { json!({"oneOf": of_status}) };
            let media_type = match shape {
                Shape::Details => "application/problem+json",
                Shape::Ably => "application/json",
            };
            let mut answer = json!({
                "description": names.join(", "),
                "content": {media_type: {"schema": schema}},
                "headers": {"X-Request-Id": reference("headers", "X-Request-Id")},
            });
            for name in &headers[&status] {
                let name = canonical(name);
                answer["headers"][&name] = reference("headers", &name);
            }
            // One that many operations have is told once.
            let name = schema_of(&answer, media_type).map(|name| name.as_str().unwrap().to_owned());
            if let (Shape::Details, Some(name)) = (shape, name) {
                answer = schemas.share(name.rsplit('/').next().unwrap(), answer);
            }
            assert!(answers.insert(status, answer).is_none(), "{}: {status} is a problem, too", self.id);
        }
        let answers: Map<String, Value> =
            answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
        let mut told = json!({"operationId": self.id, "summary": self.summary, "responses": answers});
        if !self.parameters.is_empty() {
            told["parameters"] = self.parameters.into();
        }
        if let Some(body) = self.body {
            told["requestBody"] = body;
        }
        told
    }
}

/// The one schema of an answer, where it is a reference.
fn schema_of<'a>(answer: &'a Value, media_type: &str) -> Option<&'a Value> {
    answer["content"][media_type]["schema"].get("$ref")
}

fn parameter(place: &str, name: &str, says: &str, schema: Value) -> Value {
    json!({"in": place, "name": name, "description": says, "schema": schema})
}

/// A header's name in lower case, as people write it.
fn canonical(name: &str) -> String {
    match name {
        "etag" => "ETag".to_owned(),
        "www-authenticate" => "WWW-Authenticate".to_owned(),
        _ => {
            let words = name.split('-').map(|word| {
                let (first, rest) = word.split_at(1);
                first.to_uppercase() + rest
            });
            words.collect::<Vec<_>>().join("-")
        }
    }
}
