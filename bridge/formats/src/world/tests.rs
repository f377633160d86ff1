use super::*;
use serde_json::Value;

fn one(text: &str) -> Outcome<Value> {
    from_sources(&[Source { package: 0, file: "shop.wit", text }], "").map(|text| serde_json::from_str(&text).unwrap())
}

fn refused(text: &str) -> (Status, Value) {
    match one(text) {
        Ok(value) => panic!("taken: {value}"),
        Err(failure) => (failure.status, serde_json::from_str(&failure.message).unwrap()),
    }
}

const SHOP: &str = "package acme:shop@1.0.0;
interface types {
  use wasi:clocks/wall-clock@0.2.0.{datetime};
  /// In cents.
  type price = u64;
  record article { name: string, price: price, since: datetime }
  type thing = article;
}
interface prices {
  use types.{article as item};
  price-of: func(item: item) -> option<u32>;
}
world shop {
  import wasi:clocks/wall-clock@0.2.0;
  import prices;
  export run: func();
}
package wasi:clocks@0.2.0 {
  interface wall-clock { record datetime { seconds: u64 } record other { a: u8 } now: func() -> datetime; }
}
";

#[test]
fn a_world_has_its_types_in_order_of_use() {
    let world = one(SHOP).unwrap();
    assert_eq!(world["name"], "acme:shop/shop@1.0.0");
    let names: Vec<String> = world["definitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}#{}", one["interface"].as_str().unwrap(), one["name"].as_str().unwrap()))
        .collect();
    let expected = [
        "wasi:clocks/wall-clock@0.2.0#datetime",
        "acme:shop/types@1.0.0#datetime",
        "acme:shop/types@1.0.0#price",
        "acme:shop/types@1.0.0#article",
        "acme:shop/types@1.0.0#thing",
        "acme:shop/prices@1.0.0#item",
    ];
    assert_eq!(names, expected);
    // An alias is a second name for the same type.
    assert_eq!(world["definitions"][3]["type"], world["definitions"][5]["type"]);
    assert_eq!(world["definitions"][2]["docs"], "In cents.");
    assert_eq!(world["contract"]["exports"][0]["functions"][0]["name"], "run");
    assert_eq!(world["unsupported"], serde_json::json!([]));
}

#[test]
fn a_mistake_has_its_place() {
    let (status, error) = refused("package a:b;\ninterface i {\n  f: func(ä: u8);\n}\n");
    assert_eq!(status, Status::Syntax);
    assert_eq!(error["place"]["file"], "shop.wit");
    assert_eq!((error["place"]["line"].as_u64(), error["place"]["column"].as_u64()), (Some(3), Some(11)));
    assert_eq!(error["place"]["excerpt"], "  f: func(ä: u8);");
    let (status, error) = refused("package a:b;\nworld w {\n  import c:d/e;\n}\n");
    assert_eq!((status, error["place"]["line"].as_u64()), (Status::Syntax, Some(3)));
}

#[test]
fn what_cannot_cross_is_named_with_its_place() {
    let world =
        one("package a:b;\ninterface i {\n  resource r { go: func(); }\n  use-it: func(it: list<borrow<r>>);\n\
                     fine: func();\n}\nworld w { export i; }\n")
        .unwrap();
    let unsupported = world["unsupported"].as_array().unwrap();
    assert_eq!(unsupported.len(), 2);
    let last = unsupported.iter().find(|one| one["function"] == 1).unwrap();
    assert_eq!(last["what"], "the resource 'r' does not cross");
    assert_eq!(last["place"]["line"], 4);
    assert_eq!(last["exported"], true);
}

#[test]
fn the_world_must_be_clear() {
    assert_eq!(refused("package a:b;\ninterface i {}\n").0, Status::Name);
    let (status, error) = refused("package a:b;\nworld one {}\nworld two {}\n");
    assert_eq!(status, Status::Name);
    assert_eq!(error["message"], "the package a:b has several worlds: one, two");
    assert_eq!(from_sources(&[], "").unwrap_err().status, Status::Invalid);
}

#[test]
fn types_that_are_too_deep_or_too_many_are_refused() {
    let chain = |depth: usize| {
        let mut text = "package a:b; world w { type t0 = u8;".to_string();
        for at in 1..depth {
            text += &format!("type t{at} = list<t{}>;", at - 1);
        }
        text + "}"
    };
    assert!(one(&chain(90)).is_ok());
    assert_eq!(refused(&chain(150)).0, Status::Limit);
    // As long a chain as the limit on the text allows: refused, not a stack overflow.
    let longest = chain(145_000);
    assert!(longest.len() > BYTES_MAX - (1 << 18) && longest.len() <= BYTES_MAX, "{}", longest.len());
    assert_eq!(refused(&longest).0, Status::Limit);
    let backwards: String = (1..145_000).map(|at| format!("type t{at} = list<t{}>;", at + 1)).collect();
    assert_eq!(refused(&format!("package a:b; world w {{ {backwards} type t145000 = u8; }}")).0, Status::Limit);
    let uses: String = (1..10_000).map(|at| format!("interface i{at} {{ use i{}.{{t}}; }}", at - 1)).collect();
    let uses = format!("package a:b; interface i0 {{ type t = u8; }} {uses} world w {{ import i9999; }}");
    assert!(one(&uses).is_ok());
    let includes: String = (1..10_000).map(|at| format!("world w{at} {{ include w{}; }}", at - 1)).collect();
    assert_eq!(refused(&format!("package a:b; world w0 {{ }} {includes}")).0, Status::Name);
    assert_eq!(refused(&" ".repeat(BYTES_MAX + 1)).0, Status::Limit);
}

#[test]
fn a_component_gives_its_world() {
    let wasm = wat::parse_str(
        r#"(component (import "acme:shop/log@1.0.0" (instance (export "write" (func (param "line" string))))))"#,
    )
    .unwrap();
    let world: Value = serde_json::from_str(&from_binary(&wasm, "").unwrap()).unwrap();
    assert_eq!(world["contract"]["imports"][0]["name"], "acme:shop/log@1.0.0");
    let module = wat::parse_str("(module)").unwrap();
    assert_eq!(from_binary(&module, "").unwrap_err().status, Status::Invalid);
    assert_eq!(from_binary(b"\0asm", "").unwrap_err().status, Status::NotWasm);
    assert_eq!(from_binary(b"\x7fELF", "").unwrap_err().status, Status::NotWasm);
}
