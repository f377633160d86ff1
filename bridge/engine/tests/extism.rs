//! Plugins for Extism: the kernel, calls, and what crosses.

mod support;

use cordon_engine::extism::{ENV, KERNEL};
use cordon_engine::store::{CallLimits, Port, Reply};
use cordon_engine::{Code, Fault, HostImport, Instance, Kind, Linked};
use std::sync::{Arc, Mutex};
use support::{engine, options, within};

/// Answers config_get of "name" and keeps what is logged.
#[derive(Default)]
struct Host(Mutex<Vec<String>>);

impl Port for Host {
    fn send(&self, _: u64, interface: &str, function: &str, payload: &[u8], _: u64) -> Reply {
        self.0.lock().unwrap().push(format!("{interface} {function} {}", String::from_utf8_lossy(&payload[4..])));
        match (function, payload.get(4..)) {
            ("config_get", Some(b"name")) => Reply::Done([&[1, 3, 0, 0, 0][..], b"Ada"].concat()),
            ("config_get", _) => Reply::Done(vec![0]),
            _ => Reply::Done(payload.to_vec()),
        }
    }
}

fn import(interface: &str, function: &str, shape: &str) -> HostImport {
    HostImport {
        interface: interface.into(),
        function: function.into(),
        message: function.into(),
        blocking: false,
        nested: false,
        deferred: false,
        traced: false,
        shape: shape.into(),
    }
}

fn link_with(wat: &str, libraries: &[(&str, &str)], host: &[HostImport]) -> Result<Arc<Linked>, Fault> {
    let engine = engine(false);
    let compile = |bytes: &[u8]| Code::compile(&engine, bytes).unwrap();
    let mut all = vec![(ENV.to_string(), compile(KERNEL))];
    all.extend(libraries.iter().map(|(name, wat)| (name.to_string(), compile(&wat::parse_str(wat).unwrap()))));
    Linked::link_extism(&compile(&wat::parse_str(wat).unwrap()), &all, &[], host)
}

fn link(wat: &str) -> Arc<Linked> {
    link_with(wat, &[], &[]).unwrap()
}

fn wire(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

/// The output, or the plugin's own error: its status and its words.
type Answer = Result<Vec<u8>, (i32, String)>;

fn answer(reply: &[u8]) -> Answer {
    match reply[0] {
        0 => Ok(reply[5..].to_vec()),
        _ => {
            let status = i32::from_le_bytes(reply[1..5].try_into().unwrap());
            Err((status, String::from_utf8(reply[9..].to_vec()).unwrap()))
        }
    }
}

fn call_in(instance: &mut Instance, linked: &Linked, name: &str, input: &[u8]) -> Result<Answer, Fault> {
    let function = linked.find("", name)?;
    instance.call(&function, &wire(input), &within(5_000), 1).map(|reply| answer(&reply))
}

fn instance(linked: &Arc<Linked>) -> Instance {
    Instance::new(linked, options(), Some(Arc::new(Host::default())), &within(5_000), 1).unwrap()
}

fn call(linked: &Arc<Linked>, name: &str, input: &[u8]) -> Result<Answer, Fault> {
    call_in(&mut instance(linked), linked, name, input)
}

const ECHO: &str = include_str!("../../../tests/guests/wat/bench_extism.wat");

#[test]
fn a_plugin_gets_its_input_and_gives_its_output() {
    let linked = link(ECHO);
    for text in ["", "a", "12345678", "some more than eight bytes"] {
        assert_eq!(call(&linked, "echo", text.as_bytes()).unwrap(), Ok(text.as_bytes().to_vec()));
    }
    let long: Vec<u8> = (0..100_003u32).map(|i| i as u8).collect();
    let mut warm = instance(&linked);
    for _ in 0..3 {
        assert_eq!(call_in(&mut warm, &linked, "echo", &long).unwrap(), Ok(long.clone()));
        assert_eq!(call_in(&mut warm, &linked, "echo", b"short").unwrap(), Ok(b"short".to_vec()));
    }
}

const ASKS: &str = r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error_set (param i64)))
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "config_get" (func $config_get (param i64) (result i64)))
  (import "extism:host/env" "var_get" (func $var_get (param i64) (result i64)))
  (import "extism:host/env" "var_set" (func $var_set (param i64 i64)))
  (import "extism:host/env" "log_info" (func $log_info (param i64)))
  (import "extism:host/env" "http_status_code" (func $status (result i32)))
  (memory 1)
  (func $give (param $at i64) (call $output_set (local.get $at) (call $length (local.get $at))))
  (func (export "config") (result i32)
    (call $give (call $config_get (call $input_offset))) (i32.const 0))
  (func (export "keep") (result i32) (local $key i64)
    (local.set $key (call $alloc (i64.const 1)))
    (call $store_u8 (local.get $key) (i32.const 107))
    (call $var_set (local.get $key) (call $input_offset)) (i32.const 0))
  (func (export "kept") (result i32) (local $key i64)
    (local.set $key (call $alloc (i64.const 1)))
    (call $store_u8 (local.get $key) (i32.const 107))
    (call $give (call $var_get (local.get $key))) (i32.const 0))
  (func (export "log") (call $log_info (call $input_offset)))
  (func (export "fail") (result i32) (call $error_set (call $input_offset)) (i32.const 7))
  (func (export "trap") (result i32) (call $error_set (call $input_offset)) (unreachable))
  (func (export "status") (result i32) (i32.const 3))
  (func (export "wide") (result i64) (i64.const 0))
  (func (export "takes") (param i32) (result i32) (i32.const 0))
  (func (export "bad_key") (result i32) (call $give (call $config_get (i64.const 999))) (i32.const 0))
  (func (export "huge_key") (result i32)
    (call $give (call $var_get (i64.const 0x8000000000000000))) (i32.const 0))
  (func (export "past") (result i32)
    (call $output_set (i64.const 100) (i64.const 0x7fffffffffffffff)) (i32.const 0)))"#;

fn asks() -> Arc<Linked> {
    link_with(ASKS, &[], &[import(ENV, "config_get", ""), import(ENV, "log_info", "")]).unwrap()
}

#[test]
fn settings_and_variables_and_lines_of_the_log() {
    let linked = asks();
    assert_eq!(call(&linked, "config", b"name").unwrap(), Ok(b"Ada".to_vec()));
    assert_eq!(call(&linked, "config", b"other").unwrap(), Ok(vec![]));
    let mut warm = instance(&linked);
    assert_eq!(call_in(&mut warm, &linked, "kept", b"").unwrap(), Ok(vec![]));
    assert_eq!(call_in(&mut warm, &linked, "keep", b"value").unwrap(), Ok(vec![]));
    assert_eq!(call_in(&mut warm, &linked, "kept", b"").unwrap(), Ok(b"value".to_vec()));
    // Of one instance only.
    assert_eq!(call(&linked, "kept", b"").unwrap(), Ok(vec![]));
    let host = Arc::new(Host::default());
    let mut logs = Instance::new(&linked, options(), Some(host.clone()), &within(5_000), 1).unwrap();
    assert_eq!(call_in(&mut logs, &linked, "log", b"a line").unwrap(), Ok(vec![]));
    assert_eq!(*host.0.lock().unwrap(), ["extism:host/env log_info a line"]);
}

#[test]
fn a_plugins_own_errors_are_answers_and_traps_are_not() {
    let linked = asks();
    assert_eq!(call(&linked, "fail", b"no luck").unwrap(), Err((7, "no luck".into())));
    assert_eq!(call(&linked, "status", b"x").unwrap(), Err((3, String::new())));
    assert_eq!(call(&linked, "wide", b"x").unwrap(), Err((-1, String::new())));
    let trapped = call(&linked, "trap", b"why").unwrap_err();
    assert_eq!((trapped.kind, trapped.message.contains("why")), (Kind::Trap, true), "{}", trapped.message);
    assert_eq!(call(&linked, "takes", b"").unwrap_err().kind, Kind::NotFound);
    assert_eq!(call(&linked, "nothing", b"").unwrap_err().kind, Kind::NotFound);
    // The instance is as good as new after an error of its own.
    let mut warm = instance(&linked);
    assert!(call_in(&mut warm, &linked, "fail", b"no luck").unwrap().is_err());
    assert_eq!(call_in(&mut warm, &linked, "config", b"name").unwrap(), Ok(b"Ada".to_vec()));
}

#[test]
fn offsets_that_mean_nothing_are_refused_and_an_output_past_the_end_is_none() {
    let linked = asks();
    for name in ["bad_key", "huge_key"] {
        let fault = call(&linked, name, b"").unwrap_err();
        assert_eq!(fault.kind, Kind::BadPointer, "{}", fault.message);
    }
    assert_eq!(call(&linked, "past", b"").unwrap(), Ok(vec![]));
}

#[test]
fn variables_have_a_limit() {
    let linked = asks();
    let mut small = options();
    small.limits.var_bytes = 100;
    let mut warm = Instance::new(&linked, small, Some(Arc::new(Host::default())), &within(5_000), 1).unwrap();
    assert!(call_in(&mut warm, &linked, "keep", &[b'v'; 51]).unwrap().is_ok());
    assert_eq!(call_in(&mut warm, &linked, "keep", b"more").unwrap_err().kind, Kind::Limit);
}

#[test]
fn memory_of_the_kernel_is_the_plugins() {
    let hungry = link(
        r#"(module
          (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
          (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
          (memory 1)
          (func (export "all") (result i32) (local $n i32)
            (loop $more
              (if (i64.eqz (call $alloc (i64.const 100000))) (then (return (local.get $n))))
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (br $more))
            (unreachable)))"#,
    );
    let Err((count, _)) = call(&hungry, "all", b"").unwrap() else { panic!("it had no end") };
    // 8 MiB for all of it, of which the kernel has 1 MiB and the plugin 64 KiB from the start.
    assert!((60..75).contains(&count), "{count}");
    // An input that does not fit is no crash either.
    assert_eq!(call(&hungry, "all", &vec![0; 9 << 20]).unwrap_err().kind, Kind::Memory);
}

#[test]
fn several_modules_are_one_plugin() {
    let main = r#"(module
      (import "lib" "shout" (func $shout (param i64) (result i64)))
      (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
      (func (export "run") (result i32) (local $at i64)
        (local.set $at (call $shout (call $input_offset)))
        (call $output_set (local.get $at) (call $length (local.get $at))) (i32.const 0)))"#;
    let lib = r#"(module
      (import "extism:host/env" "load_u8" (func $load (param i64) (result i32)))
      (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
      (global $up (mut i32) (i32.const 0))
      (func (export "_initialize") (global.set $up (i32.const 32)))
      (func (export "shout") (param $at i64) (result i64)
        (call $store (local.get $at) (i32.sub (call $load (local.get $at)) (global.get $up)))
        (local.get $at)))"#;
    let linked = link_with(main, &[("lib", lib)], &[]).unwrap();
    assert_eq!(call(&linked, "run", b"ada").unwrap(), Ok(b"Ada".to_vec()));
    let circle = r#"(module (import "lib" "shout" (func)) (func (export "shout")))"#;
    let refused = link_with(main, &[("lib", circle)], &[]).err().unwrap();
    assert!(refused.message.contains("circle"), "{}", refused.message);
}

#[test]
fn initialisers_run_once_in_the_order_of_extism() {
    let guest = |exports: &str| {
        format!(
            r#"(module
              (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
              (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
              (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
              (global $seen (mut i32) (i32.const 0))
              (func $see (param i32)
                (global.set $seen (i32.add (i32.mul (global.get $seen) (i32.const 10)) (local.get 0))))
              {exports}
              (func (export "seen") (result i32) (global.get $seen)))"#
        )
    };
    let all = r#"(func (export "_initialize") (call $see (i32.const 1)))
        (func (export "__wasm_call_ctors") (call $see (i32.const 2)))"#;
    let haskell = r#"(func (export "hs_init") (param i32 i32) (call $see (i32.const 3)))"#;
    let mistyped = r#"(func (export "_initialize") (param i32) (call $see (i32.const 4)))"#;
    for (exports, seen) in [
        (r#"(func (export "_initialize") (call $see (i32.const 1)))"#.to_string(), 1),
        (all.to_string(), 2),
        (format!("{all}{haskell}"), 13),
        (mistyped.to_string(), 0),
        (r#"(func $s (call $see (i32.const 5))) (start $s)"#.to_string(), 5),
    ] {
        let expected = if seen == 0 { Ok(vec![]) } else { Err((seen, String::new())) };
        assert_eq!(call(&link(&guest(&exports)), "seen", b"").unwrap(), expected, "{exports}");
    }
}

#[test]
fn functions_of_the_embedding_program_take_blocks_and_numbers() {
    let guest = r#"(module
      (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
      (import "extism:host/user" "same" (func $same (param i64) (result i64)))
      (import "extism:host/user" "number" (func $number (param i32) (result i32)))
      (func (export "run") (result i32) (local $at i64)
        (local.set $at (call $same (call $input_offset)))
        (call $output_set (local.get $at) (call $length (local.get $at)))
        (i32.sub (call $number (i32.const 5)) (i32.const 5)))
      (func (export "bad") (result i32) (drop (call $same (i64.const 12345))) (i32.const 0)))"#;
    let user = |function, shape| import("extism:host/user", function, shape);
    let linked = link_with(guest, &[], &[user("same", "t->t"), user("number", "n->n")]).unwrap();
    assert_eq!(call(&linked, "run", b"text").unwrap(), Ok(b"text".to_vec()));
    assert_eq!(call(&linked, "run", b"\xff").unwrap_err().kind, Kind::BadString);
    assert_eq!(call(&linked, "bad", b"").unwrap_err().kind, Kind::BadPointer);
    let refused = link_with(guest, &[], &[user("same", "t->t")]).err().unwrap();
    assert!(refused.message.contains("extism:host/user.number"), "{}", refused.message);
    assert!(refused.message.contains("i32"), "{}", refused.message);
}

#[test]
fn imports_that_only_look_like_extisms_are_not_linked() {
    for import in [
        r#"(import "extism:host/envx" "alloc" (func (param i64) (result i64)))"#,
        r#"(import "extism:host/env" "allocate" (func (param i64) (result i64)))"#,
        r#"(import "extism:host/env" "memory" (memory 1))"#,
        r#"(import "extism:host/env" "alloc" (func (param i32) (result i32)))"#,
        r#"(import "extism:host/env" "var_get" (func (param i32) (result i64)))"#,
        r#"(import "extism:host/env" "config_get" (func (param i64) (result i64)))"#,
    ] {
        let refused = link_with(&format!("(module {import})"), &[], &[]).err().unwrap();
        assert_eq!(refused.kind, Kind::Link, "{import}");
    }
}

#[test]
fn a_plugin_that_writes_over_its_blocks_meets_its_own_time_limit() {
    // Block headers that point back at themselves: walking them has no end but the deadline's.
    let linked = link_with(
        r#"(module
          (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
          (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
          (import "extism:host/env" "free" (func $free (param i64)))
          (import "extism:host/env" "log_info" (func $log (param i64)))
          (func $spoil (result i64) (local $at i64)
            (local.set $at (call $alloc (i64.const 8)))
            (call $store (i64.const 65) (i64.const 0xfffffff400000001))
            (local.get $at))
          (func (export "free") (result i32) (drop (call $spoil)) (call $free (i64.const 5000)) (i32.const 0))
          (func (export "log") (result i32) (drop (call $spoil)) (call $log (i64.const 5000)) (i32.const 0)))"#,
        &[],
        &[import(ENV, "log_info", "")],
    )
    .unwrap();
    let limits = CallLimits { wall_ns: 50_000_000, cpu_ns: None, fuel: None };
    let mut spoilt = Instance::new(&linked, options(), Some(Arc::new(Host::default())), &limits, 1).unwrap();
    let ended = spoilt.call(&linked.find("", "free").unwrap(), &wire(b""), &limits, 1).unwrap_err();
    assert_eq!(ended.kind, Kind::Timeout, "{}", ended.message);
    assert_eq!(call(&linked, "log", b"").unwrap_err().kind, Kind::BadPointer);
}
