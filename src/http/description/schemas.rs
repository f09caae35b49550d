//! The schemas that operations and events refer to.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::http::problem::Problem;

/// Those of what is sent to the service, where `null` is as good as absent. What it answers has no `null` in a member that may be
/// absent.
const REQUESTS: [&str; 3] = ["Fix", "Post", "NewJob"];

/// All of a document, each under its name.
pub(super) struct Schemas {
    generator: SchemaGenerator,
    by_hand: BTreeMap<String, Value>,
    problems: BTreeMap<String, Vec<Problem>>,
    answers: Map<String, Value>,
}

/// A reference to something of the document's components.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

impl Schemas {
    /// None yet, for a document that has them at this JSON pointer.
    pub(super) fn at(pointer: &'static str) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = pointer.into();
            settings.contract = Contract::Serialize;
        });
        let generator = settings.into_generator();
        Self { generator, by_hand: BTreeMap::new(), problems: BTreeMap::new(), answers: Map::new() }
    }

    /// That of a type, by its name where it has one.
    pub(super) fn of<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().into()
    }

    /// That of a type as it stands in a member of its own, to be changed.
    pub(super) fn copy_of<T: JsonSchema>(&mut self) -> Value {
        let mut schema: Value = T::json_schema(&mut self.generator).into();
        without_null(&mut schema);
        schema
    }

    /// Gives a schema that no type has a name.
    pub(super) fn name(&mut self, name: &str, schema: Value) -> Value {
        self.by_hand.insert(name.to_owned(), schema);
        json!({"$ref": format!("#{}/{name}", self.generator.settings().definitions_path)})
    }

    /// That of a problem, whatever exactly is wrong.
    pub(super) fn problem(&mut self, problem: &Problem) -> Value {
        let name = component(problem);
        let known = self.problems.entry(name.clone()).or_default();
        if !known.contains(problem) {
            known.push(problem.clone());
        }
        reference("schemas", &name)
    }

    /// Gives an answer a name, or inlines it where the name has another one.
    pub(super) fn share(&mut self, name: &str, answer: Value) -> Value {
        let known = self.answers.entry(name).or_insert_with(|| answer.clone());
        if *known == answer { reference("responses", name) } else { answer }
    }

    /// The answers that have names.
    pub(super) fn take_answers(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.answers)
    }

    /// All that were referred to, and all that have been given a name.
    pub(super) fn all(mut self) -> Map<String, Value> {
        let mut all = self.generator.take_definitions(true);
        for (name, schema) in &mut all {
            if !REQUESTS.contains(&name.as_str()) {
                without_null(schema);
            }
        }
        all.extend(self.problems.iter().map(|(name, problems)| (name.clone(), described(problems))));
        all.extend(self.by_hand);
        all
    }
}

/// What a problem's schema is called: one for each name, and one for all that refuse a session alike.
fn component(problem: &Problem) -> String {
    let facts = problem.facts();
    match (problem, facts.status) {
        (Problem::Session(_), 401) => "SessionNeeded".to_owned(),
        (Problem::Session(_), 403) => "SessionRefused".to_owned(),
        _ => {
            let words = facts.name.split('_').map(|word| {
                let (first, rest) = word.split_at(1);
                first.to_uppercase() + rest
            });
            words.collect()
        }
    }
}

/// All that is said by problems of one schema.
fn described(problems: &[Problem]) -> Value {
    let facts: Vec<_> = problems.iter().map(Problem::facts).collect();
    let types: BTreeSet<_> =
        facts.iter().map(|facts| format!("urn:towline:problem:{}", facts.name)).collect();
    let titles: BTreeSet<_> = facts.iter().map(|facts| facts.title).collect();
    let statuses: BTreeSet<_> = facts.iter().map(|facts| facts.status).collect();
    let reasons: BTreeSet<_> = facts.iter().filter_map(|facts| facts.reason).collect();
    let fields: BTreeSet<_> = facts.iter().filter_map(|facts| facts.field).collect();
    let mut own = json!({"type": one_of(&types), "status": one_of(&statuses)});
    let mut required = vec!["type", "status"];
    if !reasons.is_empty() {
        own["reason"] = one_of(&reasons);
    }
    if facts.iter().all(|facts| facts.reason.is_some()) {
        required.push("reason");
    }
    if !fields.is_empty() {
        own["field"] = one_of(&fields);
    }
    let titles: Vec<_> = titles.into_iter().collect();
    let mut described = json!({
        "description": titles.join("; "),
        "allOf": [reference("schemas", "Problem")],
        "properties": own,
        "required": required,
    });
    if problems.iter().any(|problem| matches!(problem, Problem::OtherVersion { current: Some(_) })) {
        // What there is instead stands beside what is wrong.
        described["anyOf"] = json!([reference("schemas", "Job"), true]);
    }
    described
}

fn one_of<T: serde::Serialize>(values: &BTreeSet<T>) -> Value {
    let mut values: Vec<Value> = values.iter().map(|value| json!(value)).collect();
    if values.len() == 1 { json!({"const": values.remove(0)}) } else { json!({"enum": values}) }
}

/// Takes `null` from the members that may be absent: these are absent instead.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(without_null),
        Value::Object(object) => {
            let required = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for (name, property) in properties {
                    let is_nullable =
                        property.as_object_mut().is_some_and(|of| of.remove("x-nullable").is_some());
                    if !is_nullable && !required.contains(&json!(name)) {
                        not_null(property);
                    }
                }
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

fn not_null(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = object.get_mut("anyOf") {
        options.retain(|option| option["type"] != "null");
        if let [Value::Object(only)] = options.as_mut_slice() {
            let only = std::mem::take(only);
            object.remove("anyOf");
            object.extend(only);
        }
    }
}

/// Brings what derives say into the words of the document.
pub(super) fn tidy(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(tidy),
        Value::Object(object) => {
            // The names that Rust has for numbers mean nothing to others.
            if object.get("format").and_then(Value::as_str).is_some_and(|format| {
                format.starts_with("int") || format.starts_with("uint") || format == "double"
            }) {
                object.remove("format");
            }
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
            }
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}
