//! From the text of `policy.toml` to grants, each with its line. Rules across lines are in `rules`.

use ably::Operation;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Grant, Pattern, PolicyError, Role};

const VALUE_FORM: &str = "a channel's value is a list of operations, [\"subscribe\"], or { operations = [\"subscribe\", \"history\"], intended = [\"history\"] }";

/// Reads all that can be read; whatever cannot is an error.
pub(crate) fn grants(text: &str) -> (Vec<Grant>, Vec<PolicyError>) {
    let mut reader = Reader { text, grants: Vec::new(), errors: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.error(error.span().map_or(0, |span| span.start), error.message());
    }
    // A text that is not TOML is read no further: what follows a broken line is guesswork.
    if reader.errors.is_empty() {
        for (name, value) in table.get_ref() {
            reader.role(name.span().start, name.get_ref(), value.get_ref());
        }
        if reader.grants.is_empty() && reader.errors.is_empty() {
            reader.error(0, "the policy grants nothing to anybody");
        }
    }
    reader.grants.sort_by_key(|grant| grant.line);
    (reader.grants, reader.errors)
}

struct Reader<'a> {
    text: &'a str,
    grants: Vec<Grant>,
    errors: Vec<PolicyError>,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|b| *b == b'\n').count()
    }

    fn error(&mut self, offset: usize, message: impl Into<String>) {
        let line = self.line(offset);
        self.errors.push(PolicyError { line, message: message.into() });
    }

    fn role(&mut self, offset: usize, name: &str, value: &DeValue<'_>) {
        if name == "service" {
            return self.error(offset, "`service` is the platform's back end and gets no token: remove it");
        }
        let Some(role) = Role::ALL.iter().copied().find(|role| role.as_str() == name) else {
            let roles = Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
            return self.error(offset, format!("there is no role `{name}`: the roles are {roles}"));
        };
        let DeValue::Table(channels) = value else {
            return self.error(offset, format!("`{name}` is a table of channels: [{name}]"));
        };
        for (channel, value) in channels {
            let offset = channel.span().start;
            match Pattern::parse(channel.get_ref()) {
                Ok(pattern) => {
                    if let Some((operations, intended)) = self.operations(offset, value.get_ref()) {
                        let line = self.line(offset);
                        self.grants.push(Grant { role, pattern, operations, intended, line });
                    }
                }
                Err(error) => self.error(offset, format!("`{}`: {error}", channel.get_ref())),
            }
        }
    }

    /// What stands beside a channel: its operations, and those of them that are marked as intended.
    fn operations(&mut self, offset: usize, value: &DeValue<'_>) -> Option<(Vec<Operation>, Vec<Operation>)> {
        let (operations, intended) = match value {
            DeValue::Array(list) => (self.list(offset, list)?, Vec::new()),
            DeValue::Table(table) => {
                let mut operations = None;
                let mut intended = Vec::new();
                for (key, value) in table {
                    let offset = key.span().start;
                    match (key.get_ref().as_ref(), value.get_ref()) {
                        ("operations", DeValue::Array(list)) => operations = Some(self.list(offset, list)?),
                        ("intended", DeValue::Array(list)) => intended = self.list(offset, list)?,
                        _ => {
                            self.error(offset, VALUE_FORM);
                            return None;
                        }
                    }
                }
                let Some(operations) = operations else {
                    self.error(offset, VALUE_FORM);
                    return None;
                };
                (operations, intended)
            }
            _ => {
                self.error(offset, VALUE_FORM);
                return None;
            }
        };
        for operation in &intended {
            if !operations.contains(operation) {
                let name = operation.as_str();
                self.error(offset, format!("`{name}` is marked as intended but is none of the operations"));
            }
        }
        Some((operations, intended))
    }

    fn list(&mut self, offset: usize, list: &[Spanned<DeValue<'_>>]) -> Option<Vec<Operation>> {
        let errors = self.errors.len();
        let mut operations = Vec::new();
        if list.is_empty() {
            self.error(offset, "the list of operations is empty: name one, or remove the channel");
        }
        for value in list {
            let offset = value.span().start;
            let DeValue::String(name) = value.get_ref() else {
                self.error(offset, "an operation is a text, such as \"subscribe\"");
                continue;
            };
            match Operation::parse(name) {
                _ if name == "*" => {
                    self.error(
                        offset,
                        "the operation `*` grants all that Ably has or will have: list the operations",
                    );
                }
                Ok(operation) if operations.contains(&operation) => {
                    self.error(offset, format!("the operation `{name}` stands twice"));
                }
                Ok(operation) => operations.push(operation),
                Err(_) => {
                    let all = Operation::ALL.iter().map(|o| o.as_str()).collect::<Vec<_>>().join(" ");
                    self.error(offset, format!("Ably has no operation `{name}`; it has: {all}"));
                }
            }
        }
        operations.sort();
        (self.errors.len() == errors).then_some(operations)
    }
}
