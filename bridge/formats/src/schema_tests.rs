use super::*;
use std::time::{Duration, Instant};

fn compile(json: &str) -> Outcome<Schema> {
    Schema::compile(json.as_bytes())
}

fn refused(json: &str) -> Status {
    compile(json).err().unwrap_or_else(|| panic!("taken: {json}")).status
}

#[test]
fn values_fit_or_say_where_they_do_not() {
    let schema = compile(
        r#"{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":1}},
        "additionalProperties":false}"#,
    )
    .unwrap();
    assert_eq!(schema.check(br#"{"a":1}"#).unwrap(), "");
    let violations = schema.check(br#"{"a":0,"b":1}"#).unwrap();
    assert!(violations.contains(r#"["/a","/properties/a/minimum","0 is less than the minimum of 1"]"#), "{violations}");
    assert!(violations.contains("additionalProperties"), "{violations}");
}

#[test]
fn references_stay_inside() {
    for json in [
        r#"{"$ref":"https://example.com/x.json"}"#,
        r#"{"$ref":"file:///etc/passwd"}"#,
        r#"{"properties":{"a":{"$ref":"other.json"}}}"#,
        r##"{"$ref":"#/$defs/none"}"##,
        r##"{"$ref":"#nowhere"}"##,
        r##"{"$dynamicRef":"#a"}"##,
        r#"{"properties":{"a":{"$id":"https://example.com/a"}}}"#,
        r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#,
        r#"{"type":"nonsense"}"#,
        r#"[]"#,
        r#"{"pattern":"("}"#,
        r#"{"pattern":"(?=a)b"}"#,
        r#"{"$ref":7}"#,
    ] {
        assert_eq!(refused(json), Status::Invalid, "{json}");
    }
    let schema = compile(
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.com/r",
        "properties":{"a":{"$ref":"#/$defs/n"},"b":{"$ref":"#named"}},
        "$defs":{"n":{"type":"integer"},"m":{"$anchor":"named","type":"string"}}}"##,
    )
    .unwrap();
    assert_eq!(schema.check(br#"{"a":1,"b":"x"}"#).unwrap(), "");
    assert!(schema.check(br#"{"a":"x"}"#).unwrap().contains("/a"));
    assert!(schema.check(br#"{"b":1}"#).unwrap().contains("/b"));
}

#[test]
fn loops_in_place_are_refused() {
    for json in [
        r##"{"$ref":"#"}"##,
        r##"{"allOf":[{"$ref":"#"}]}"##,
        r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"not":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}"##,
    ] {
        assert_eq!(refused(json), Status::Invalid, "{json}");
    }
    let tree = compile(r##"{"properties":{"v":{"type":"integer"},"below":{"items":{"$ref":"#"}}}}"##).unwrap();
    assert_eq!(tree.check(br#"{"v":1,"below":[{"v":2,"below":[]}]}"#).unwrap(), "");
    assert!(tree.check(br#"{"below":[{"below":[{"v":"x"}]}]}"#).unwrap().contains("/below/0/below/0/v"));
}

/// 2^11 paths through each of 2,000 values, and 2^60 through a nested one.
#[test]
fn exponential_schemas_end_soon() {
    let mut defs = String::new();
    for n in 0..11 {
        let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, n + 1);
        defs.push_str(&format!(r#""d{n}":{{"allOf":[{next},{next}]}},"#));
    }
    let chain = format!(r##"{{"$defs":{{{defs}"d11":{{"type":"integer"}}}},"items":{{"$ref":"#/$defs/d0"}}}}"##);
    let start = Instant::now();
    let outcome = compile(&chain).and_then(|schema| schema.check(format!("[{}1]", "1,".repeat(2000)).as_bytes()));
    println!("chain: {:?} {outcome:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(outcome.unwrap_err().status, Status::Limit);

    for fan in [
        r##"{"allOf":[{"properties":{"x":{"$ref":"#"}}},{"properties":{"x":{"$ref":"#"}}}]}"##,
        r##"{"oneOf":[{"type":"string"},{"properties":{"x":{"$ref":"#"}}},{"properties":{"x":{"$ref":"#"}}}]}"##,
        r##"{"not":{"properties":{"x":{"$ref":"#"}}},"anyOf":[{"required":["y"]},{"properties":{"x":{"$ref":"#"}}}]}"##,
    ] {
        let schema = compile(fan).unwrap();
        let deep = format!("{}1{}", r#"{"x":"#.repeat(60), "}".repeat(60));
        let start = Instant::now();
        let outcome = schema.check(deep.as_bytes());
        println!("fan: {:?} {:?}", start.elapsed(), outcome);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}

#[test]
fn patterns_take_linear_time() {
    let schema = compile(r#"{"type":"string","pattern":"^(a+)+$"}"#).unwrap();
    let start = Instant::now();
    assert!(!schema.check(format!("\"{}!\"", "a".repeat(200_000)).as_bytes()).unwrap().is_empty());
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(refused(r#"{"pattern":"((((a{100}){100}){100}){100}){100}"}"#), Status::Invalid);
}

#[test]
fn sizes_and_depths_are_bounded() {
    assert_eq!(refused(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), Status::Limit);
    assert_eq!(refused(&format!(r#"{{"description":"{}"}}"#, "x".repeat(2 << 20))), Status::Limit);
    let schema = compile(r#"{"items":{"type":"string"}}"#).unwrap();
    assert_eq!(schema.check("[".repeat(100_000).as_bytes()).unwrap_err().status, Status::Limit);
    let many = schema.check(format!("[{}1]", "1,".repeat(5_000)).as_bytes()).unwrap();
    assert_eq!(many.matches("/items/type").count(), VIOLATIONS_MAX);
    let first_only = schema.check(format!("[{}1]", "1,".repeat(3_000_000)).as_bytes()).unwrap();
    assert_eq!(first_only.matches("/items/type").count(), 1);
    let long = compile(r#"{"type":"integer"}"#).unwrap();
    assert!(long.check(format!("\"{}\"", "x".repeat(1 << 20)).as_bytes()).unwrap().len() < 512);
}

/// The deepest evaluation that the limits allow fits the stack of a small thread.
#[test]
fn deepest_check_fits_a_small_stack() {
    let mut defs = String::new();
    for n in 0..11 {
        defs.push_str(&format!(r##""d{n}":{{"allOf":[{{"$ref":"#/$defs/d{m}"}}]}},"##, m = n + 1));
    }
    let first = r##""$ref":"#/$defs/d0""##;
    let json = format!(r#"{{"$defs":{{{defs}"d11":{{"properties":{{"x":{{{first}}}}}}}}},{first}}}"#);
    let deep = format!("{}1{}", r#"{"x":"#.repeat(64), "}".repeat(64));
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || {
            let schema = compile(&json).unwrap();
            assert_eq!(schema.check(deep.as_bytes()).unwrap(), "");
        })
        .unwrap()
        .join()
        .unwrap();
}
