//! Checks `policy.toml` and compiles it into Rust for `src/tokens/policy.rs`.

use std::path::Path;
use std::process::ExitCode;

use policy::{FILE, Policy, generate};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={FILE}");
    match compile() {
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
