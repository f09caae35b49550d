//! Checks `policy.toml` in the current directory. Prints who may do what where and the capabilities that the Ably keys need;
//! or, with exit code 1, every rule that the policy breaks.

use std::process::ExitCode;

use policy::{FILE, Policy, report};

fn main() -> ExitCode {
    let text = match std::fs::read_to_string(FILE) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{FILE}: {error}");
            return ExitCode::FAILURE;
        }
    };
    match Policy::parse(&text) {
        Ok(policy) => {
            print!("{}", report::whole(&policy));
            ExitCode::SUCCESS
        }
        Err(errors) => {
            for error in errors {
                eprintln!("{error}");
            }
            ExitCode::FAILURE
        }
    }
}
