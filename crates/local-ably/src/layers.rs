//! The layers that the documentation of the crate lists hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules, and the line of the list on which each stands.
fn layers() -> BTreeMap<String, usize> {
    let listed = include_str!("lib.rs").lines().filter_map(|line| line.strip_prefix("//! - "));
    let of_line = listed.enumerate().flat_map(|(line, text)| {
        let (names, _) = text.split_once(':').unwrap();
        names.split(", ").map(move |name| (name.trim_matches('`').to_owned(), line))
    });
    of_line.collect()
}

/// The files of a module: its own and those below it.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// What a file takes from the crate: the names that stand after `crate::`.
fn taken(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let name = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
    text.split("crate::").skip(1).map(name).collect()
}

#[test]
fn every_module_uses_only_those_on_the_lines_below_its_own() {
    let layers = layers();
    let mut seen = Vec::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["lib", "main", "layers"].contains(&module.as_str()) {
            continue;
        }
        let line = *layers.get(&module).unwrap_or_else(|| panic!("{module} is not listed"));
        for file in files(&path) {
            for name in taken(&file).into_iter().filter(|name| *name != module) {
                let below = layers.get(&name).is_some_and(|other| *other > line);
                assert!(below, "{} uses {name:?}, which is not below {module}", file.display());
            }
        }
        seen.push(module);
    }
    seen.sort();
    assert_eq!(seen, layers.into_keys().collect::<Vec<_>>(), "what is listed is there");
}
