use super::*;

fn driver(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn fix(text: &str) -> Fix {
    serde_json::from_str(text).unwrap()
}

fn print(driver_name: &str, text: &str) -> Option<Print> {
    Print::of(&driver(driver_name), &fix(text))
}

const NAMED: &str = r#"[5,1.0,2.0,"a",null,null,null,null]"#;
const TIMED: &str = "[5,1.0,2.0,null,null,null,null,null]";

#[test]
fn a_print_is_of_a_driver_and_of_what_names_a_fix() {
    assert_eq!(print("d", "[null,1.0,2.0,null,null,null,null,null]"), None);
    let all = [
        print("d", NAMED),
        print("e", NAMED),
        print("d", r#"[5,1.0,2.0,"b",null,null,null,null]"#),
        print("d", TIMED),
        print("e", TIMED),
        print("d", "[6,1.0,2.0,null,null,null,null,null]"),
        print("d", "[5,1.1,2.0,null,null,null,null,null]"),
        print("d", "[5,2.0,1.0,null,null,null,null,null]"),
    ];
    let event = |id: &str| Print::of_event(&EventId::parse(id).unwrap());
    let all = [&all[..], &[event("a"), event("b")]].concat();
    let different: std::collections::BTreeSet<_> = all.iter().flatten().collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(print("d", NAMED), print("d", r#"[7,3.0,4.0,"a",1,1,1,1]"#), "an id names it alone");
    assert_eq!(print("d", TIMED), print("d", "[5,1.0,2.0,null,9,9,9,9]"));
}

#[test]
fn a_print_is_the_same_in_every_build() {
    let prints = [print("d", NAMED).unwrap(), print("d", TIMED).unwrap()];
    let text = Print::text(&prints, 7);
    assert_eq!(text, "CXsTIGUAAAAHyxGlr5MAAAAH");
    let read = |text: &str| {
        let mut read = Vec::new();
        Print::read(text.as_bytes(), &mut |print, n| read.push((print, n))).then_some(read)
    };
    assert_eq!(read(&text).unwrap(), prints.map(|print| (print, 7)));
    let more = text + &Print::text(&prints[..1], 8);
    assert_eq!(read(&more).unwrap(), [(prints[0], 7), (prints[1], 7), (prints[0], 8)]);
    assert_eq!(read(""), Some(vec![]));
    for bad in ["AAAA", "AAAAAAAA", "AAAAAAAAAAA=", "AAAAAAAAAAA é"] {
        assert_eq!(read(bad), None, "{bad}");
    }
}
