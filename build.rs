//! Checks `policy.toml` and compiles it into Rust for `src/tokens/policy.rs`; and takes from the descriptions what only people need, for
//! `src/http/endpoints/description.rs`.

use std::path::Path;
use std::process::ExitCode;

use policy::{FILE, Policy, generate};

const DESCRIPTIONS: [&str; 2] = ["openapi.json", "events.schema.json"];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={FILE}");
    match compile().and_then(|()| DESCRIPTIONS.into_iter().try_for_each(shorten)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                println!("cargo::error={error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn compile() -> Result<(), Vec<String>> {
    let text = std::fs::read_to_string(FILE).map_err(|error| vec![format!("{FILE}: {error}")])?;
    let policy =
        Policy::parse(&text).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| vec!["cargo sets OUT_DIR".to_owned()])?;
    std::fs::write(Path::new(&out).join("policy.rs"), generate::rust(&policy))
        .map_err(|error| vec![format!("cannot write the compiled policy: {error}")])
}

/// A description is served without its indentation, which is most of its bytes.
fn shorten(name: &str) -> Result<(), Vec<String>> {
    let path = Path::new("description").join(name);
    println!("cargo::rerun-if-changed={}", path.display());
    let text =
        std::fs::read_to_string(&path).map_err(|error| vec![format!("{}: {error}", path.display())])?;
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| vec!["cargo sets OUT_DIR".to_owned()])?;
    std::fs::write(Path::new(&out).join(name), without_blanks(&text))
        .map_err(|error| vec![format!("cannot write {name}: {error}")])
}

/// JSON without the blanks that stand outside its strings.
fn without_blanks(json: &str) -> String {
    let (mut short, mut is_string, mut is_escaped) = (String::with_capacity(json.len()), false, false);
    for letter in json.chars() {
        if is_string {
            is_string = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
        } else if letter.is_ascii_whitespace() {
            continue;
        } else {
            is_string = letter == '"';
        }
        short.push(letter);
    }
    short
}
