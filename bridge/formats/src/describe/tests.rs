use super::*;
use serde_json::Value;

fn read(wasm: &[u8]) -> Outcome<Value> {
    describe(wasm, 50_000, "").map(|text| serde_json::from_str(&text).unwrap())
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(wasm: &[u8]) -> Status {
    match read(wasm) {
        Ok(value) => panic!("taken: {value}"),
        Err(failure) => {
            println!("{:?} {}", failure.status, failure.message);
            failure.status
        }
    }
}

#[test]
fn a_core_module_is_described_with_wit_types() {
    let value = read(&wat(r#"(module
        (import "env" "system" (func (param i32 i64) (result i32)))
        (import "env" "memory" (memory 1))
        (func (export "run") (param f32) (result f64 i32) unreachable)
        (func (export "simd") (param v128))
        (func $start) (start $start)
        (export "mem" (memory 0)))"#))
    .unwrap();
    assert_eq!(value["kind"], "module");
    assert_eq!(value["has_start"], true);
    assert_eq!(value["function_count"], 3);
    assert_eq!(value["imports"][0]["name"], "env.system");
    assert_eq!(value["imports"][0]["module"], "env");
    assert_eq!(value["imports"][0]["type_text"], "(i32, i64) -> i32");
    assert_eq!(value["imports"][1]["kind"], "other");
    assert_eq!(value["imports"][1]["type_text"], "memory");
    assert_eq!(value["exports"][0]["type_text"], "(f32) -> (f64, i32)");
}

/// Bad actors are bare components with parts of interfaces; they must be seen for what they ask for.
#[test]
fn a_partial_interface_is_described() {
    let value = read(&wat(r#"(component
        (import "wasi:sockets/tcp@0.2.0" (instance
            (export "tcp-socket" (type (sub resource)))
            (export "connect" (func (param "host" string) (result (result (error string)))))))
        (import "log" (func (param "message" string))))"#))
    .unwrap();
    assert_eq!(value["imports"][0]["name"], "wasi:sockets/tcp@0.2.0");
    assert_eq!(value["imports"][0]["resources"][0], "tcp-socket");
    assert_eq!(value["imports"][0]["functions"][0]["name"], "connect");
    assert_eq!(value["imports"][1]["kind"], "function");
    assert_eq!(value["imports"][1]["functions"][0]["params"][0]["name"], "message");
}

#[test]
fn a_component_with_a_core_module_import_and_nested_start() {
    let value = read(&wat(r#"(component
        (import "m" (core module))
        (core module $inner (func $s) (start $s) (func (export "f") (result i32) i32.const 1))
        (core instance $i (instantiate $inner))
        (func (export "root") (result u32) (canon lift (core func $i "f"))))"#))
    .unwrap();
    assert_eq!(value["imports"][0]["kind"], "other");
    assert_eq!(value["imports"][0]["type_text"], "core module");
    assert_eq!(value["has_start"], true);
    assert_eq!(value["function_count"], 2);
    assert_eq!(value["exports"][0]["name"], "root");
    let at = value["exports"][0]["functions"][0]["result"].as_u64().unwrap() as usize;
    assert_eq!(value["types"][at]["kind"], "u32");
}

const INTERFACE: &str = r#"(component
    (type (instance
        (type (tuple string string))
        (type (list 0))
        (type (record (field "id" string) (field "metadata" 1)))
        (export "node" (type (eq 2)))
        (type (enum "red" "blue"))
        (export "colour" (type (eq 4)))
        (type (variant (case "none") (case "some" u8)))
        (export "v" (type (eq 6)))
        (export "r" (type (sub resource)))
        (type (borrow 8))
        (type (func (param "self" 9)))
        (export "[method]r.go" (func (type 10)))
        (type (list 3))
        (type (option f32))
        (type (result 12 (error 7)))
        (type (func (param "nodes" 11) (param "c" 5) (result 13)))
        (export "analyse" (func (type 14)))))
    (import "acme:graph/types@0.1.0" (instance (type 0))))"#;

fn interface() -> Vec<u8> {
    wat(INTERFACE)
}

#[test]
fn named_types_keep_their_names() {
    let value = read(&interface()).unwrap();
    let types = value["types"].as_array().unwrap();
    let named = |name: &str| types.iter().find(|ty| ty["name"] == name).unwrap_or_else(|| panic!("no {name}: {value}"));
    assert_eq!(named("node")["kind"], "record");
    assert_eq!(named("colour")["fields"][1]["name"], "blue");
    assert_eq!(named("v")["fields"][0]["name"], "none");
    assert_eq!(named("r")["kind"], "resource");
    assert_eq!(named("r")["size"], 1);
    assert_eq!(value["imports"][0]["functions"][1]["name"], "analyse");
}

#[test]
fn docs_come_from_a_folder_of_wit() {
    let folder = std::env::temp_dir().join(format!("cordon-docs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("a.wit"),
        r#"package acme:graph@0.1.0;
        /// Graphs.
        interface types {
            /// One node.
            record node {
                /// Its name.
                id: string, metadata: list<tuple<string, string>> }
            enum colour { red, blue }
            variant v { none, some(u8) }
            resource r { go: func(); }
            /// Looks at nodes.
            analyse: func(nodes: list<node>, c: colour) -> result<option<f32>, v>;
        }"#,
    )
    .unwrap();
    let text = describe(&interface(), 10, folder.to_str().unwrap()).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["imports"][0]["docs"], "Graphs.");
    assert_eq!(value["imports"][0]["functions"][1]["docs"], "Looks at nodes.");
    let node = value["types"].as_array().unwrap().iter().find(|ty| ty["name"] == "node").unwrap();
    assert_eq!(node["docs"], "One node.");
    assert_eq!(node["fields"][0]["docs"], "Its name.");

    std::fs::write(folder.join("a.wit"), "package acme:graph@0.1.0; interface {").unwrap();
    assert_eq!(describe(&interface(), 10, folder.to_str().unwrap()).unwrap_err().status, Status::Syntax);
    let deep = format!("{}u8{}", "list<".repeat(90_000), ">".repeat(90_000));
    std::fs::write(folder.join("a.wit"), format!("package a:b; interface i {{ type t = {deep}; }}")).unwrap();
    assert_eq!(describe(&interface(), 10, folder.to_str().unwrap()).unwrap_err().status, Status::Syntax);
    // A chain on which the parser recurses.
    let chain: String = (0..140_000).map(|at| format!("type t{at} = list<t{}>;", at + 1)).collect();
    std::fs::write(folder.join("a.wit"), format!("package a:b; interface i {{ {chain} type t140000 = u8; }}")).unwrap();
    assert!(describe(&interface(), 10, folder.to_str().unwrap()).is_ok());
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(describe(&interface(), 10, folder.to_str().unwrap()).unwrap_err().status, Status::Syntax);
}

#[test]
fn docs_come_from_a_package_docs_section() {
    let mut wasm = interface();
    let json = br#"{"interfaces":{"types":{"docs":"Graphs.","funcs":{"analyse":{"docs":"Looks."}},
        "types":{"node":{"docs":"One.","items":{"id":"Its name."}}}}}}"#;
    let mut section = vec![12];
    section.extend(b"package-docs\x01");
    section.extend(json);
    wasm.push(0);
    let mut size = section.len();
    while size >= 0x80 {
        wasm.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    wasm.push(size as u8);
    wasm.extend(section);
    let value = read(&wasm).unwrap();
    assert_eq!(value["imports"][0]["docs"], "Graphs.");
    assert_eq!(value["imports"][0]["functions"][1]["docs"], "Looks.");
}

#[test]
fn attack_11_what_is_not_wasm_is_named() {
    assert_eq!(refused(b""), Status::NotWasm);
    assert_eq!(refused(b"\0as"), Status::NotWasm);
    assert_eq!(refused(b"\0asm\x02\0\0\0"), Status::NotWasm);
    assert_eq!(refused(b"  (module)"), Status::NotWasm);
    assert_eq!(refused(b"\x7fELF\x02\x01\x01"), Status::NotWasm);
    assert_eq!(refused(b"#!/bin/sh\n"), Status::NotWasm);
    let itself = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(refused(&itself), Status::NotWasm);
    let whole = wat(r#"(module (func (export "f") (param i32) (result i32) local.get 0)
        (memory 1) (data (i32.const 0) "abc"))"#);
    assert!(read(&whole).is_ok());
    for size in 1..whole.len() {
        if let Err(failure) = read(&whole[..size]) {
            assert!(matches!(failure.status, Status::NotWasm | Status::Compile), "{size}: {}", failure.message);
        }
    }
    for at in 8..whole.len() {
        let mut garbled = whole.clone();
        garbled[at] ^= 0xff;
        let _ = read(&garbled); // never a panic
    }
    assert_eq!(refused(&wat("(module (func (result i32)))")), Status::Compile);
    for off in [
        "(module (memory i64 1))",
        "(module (memory 1 1 shared))",
        "(module (tag))",
        "(module (type (struct)))",
        "(module (memory 1) (memory 1))",
        "(module (func (param (ref func))))",
    ] {
        assert_eq!(refused(&wat(off)), Status::Compile, "{off}");
    }
    assert!(read(&wat("(module (func (param externref funcref v128)))")).is_ok());
    let async_component = "(component (import \"f\" (func async)))";
    assert_eq!(refused(&wat(async_component)), Status::Compile);
}

/// The ELF that a compiler of the engine writes has sections of its own.
#[test]
fn attack_11_precompiled_code_is_named() {
    let mut elf = vec![0u8; 0x40 + 2 * 0x40];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[0x28] = 0x40;
    elf[0x3a] = 0x40;
    elf[0x3c] = 2;
    elf[0x3e] = 1;
    let names = elf.len();
    elf[0x40 + 0x40 + 0x18..][..8].copy_from_slice(&(names as u64).to_le_bytes());
    elf[0x40] = 1;
    elf.extend(b"\0.wasmtime.engine\0");
    assert_eq!(refused(&elf), Status::Precompiled);
    elf[0x28..0x30].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(refused(&elf), Status::NotWasm);
}

#[test]
fn attack_10_counts_are_judged_before_validation() {
    let many = wat(&format!("(module {})", "(func)".repeat(60_000)));
    let start = std::time::Instant::now();
    assert_eq!(refused(&many), Status::CompileLimit);
    assert!(start.elapsed().as_millis() < 50, "{:?}", start.elapsed());
    let half = format!("(core module {})", "(func)".repeat(30_000));
    assert_eq!(refused(&wat(&format!("(component {half} {half})"))), Status::CompileLimit);
    assert_eq!(refused(&wat(&format!("(module (memory 1) {})", "(data \"x\")".repeat(100_001)))), Status::CompileLimit);
    let mut nested = "(component)".to_string();
    for _ in 0..40 {
        nested = format!("(component {nested})");
    }
    assert_eq!(refused(&wat(&nested)), Status::CompileLimit);
    assert_eq!(refused(&wat(&format!("(component {})", "(core module)".repeat(1_001)))), Status::CompileLimit);
}

/// Component types inside component types, a million deep: a reader that recurses would end the process.
#[test]
fn attack_10_types_nested_without_end() {
    let mut body = vec![1u8];
    for _ in 0..1_000_000 {
        body.extend([0x41, 1, 1]);
    }
    body.extend([0x41, 0]);
    let mut wasm = b"\0asm\x0d\0\x01\0\x07".to_vec();
    let mut size = body.len();
    while size >= 0x80 {
        wasm.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    wasm.push(size as u8);
    wasm.extend(body);
    assert_eq!(refused(&wasm), Status::CompileLimit);
}
