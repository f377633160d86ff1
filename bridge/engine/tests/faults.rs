//! Which kind each failure has. Wasmtime has no type for many of them, so these cases hold its words.

mod support;

use cordon_engine::instance::Traces;
use cordon_engine::store::{CallLimits, InstanceOptions, Port, Reply};
use cordon_engine::{Code, Fault, HostImport, Instance, Kind, Linked};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use support::{call, component, engine, engine_of, lift, link, options, within};

fn instantiate(wat: &str, options: InstanceOptions) -> Result<Instance, Fault> {
    Instance::new(&link(&engine(false), wat, &[], &[])?, options, None, &within(1000), 1)
}

fn kind_of(wat: &str, change: impl FnOnce(&mut InstanceOptions)) -> Kind {
    let mut options = options();
    change(&mut options);
    instantiate(wat, options).err().expect("the guest is refused").kind
}

#[test]
fn too_many_of_a_thing_is_a_limit_on_instances() {
    let two = r#"(component (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))"#;
    assert_eq!(kind_of(two, |o| o.limits.instances = 1), Kind::Instances);
    let memory = r#"(component (core module $m (memory 1)) (core instance (instantiate $m)))"#;
    assert_eq!(kind_of(memory, |o| o.limits.memories = 0), Kind::Instances);
    let table = r#"(component (core module $m (table 1 funcref)) (core instance (instantiate $m)))"#;
    assert_eq!(kind_of(table, |o| o.limits.tables = 0), Kind::Instances);
    // What no instance may have is refused when the code is compiled.
    let tables = "(table 1 funcref)".repeat(9);
    let wat = format!("(component (core module $m {tables}) (core instance (instantiate $m)))");
    let fault = Code::compile(&engine(false), &wat::parse_str(wat).unwrap()).err().unwrap();
    assert_eq!(fault.kind, Kind::Instances, "{}", fault.message);
    let many = "(core instance (instantiate $m))".repeat(33);
    let wat = format!("(component (core module $m) {many})");
    let fault = Code::compile(&engine(false), &wat::parse_str(wat).unwrap()).err().unwrap();
    assert_eq!(fault.kind, Kind::Instances, "{}", fault.message);
}

#[test]
fn what_a_guest_declares_counts_as_memory() {
    let memory = r#"(component (core module $m (memory 64)) (core instance (instantiate $m)))"#;
    assert_eq!(kind_of(memory, |o| o.limits.memory_bytes = 1 << 20), Kind::Memory);
    let table = r#"(component (core module $m (table 2000 funcref)) (core instance (instantiate $m)))"#;
    assert_eq!(kind_of(table, |o| o.limits.table_elements = 1000), Kind::Memory);
    assert_eq!(kind_of(table, |o| o.limits.memory_bytes = 8 << 10), Kind::Memory);
    for declared in ["(memory 60000)", "(table 1000000 funcref)"] {
        let wat = format!("(component (core module $m {declared}) (core instance (instantiate $m)))");
        let fault = Code::compile(&engine(false), &wat::parse_str(wat).unwrap()).err().unwrap();
        assert_eq!(fault.kind, Kind::Memory, "{}", fault.message);
    }
}

/// A component with a resource of its own, and `body` as its function `go`.
fn with_resource(body: &str) -> String {
    format!(
        r#"(component
          (type $r (resource (rep i32)))
          (core func $new (canon resource.new $r))
          (core func $drop (canon resource.drop $r))
          (core func $rep (canon resource.rep $r))
          (core module $m
            (import "" "new" (func $new (param i32) (result i32)))
            (import "" "drop" (func $drop (param i32)))
            (import "" "rep" (func $rep (param i32) (result i32)))
            (func (export "go") {body}))
          (core instance $i (instantiate $m (with "" (instance
            (export "new" (func $new)) (export "drop" (func $drop)) (export "rep" (func $rep))))))
          (func (export "go") (canon lift (core func $i "go"))))"#
    )
}

#[test]
fn handles_that_are_wrong_and_handles_that_are_too_many_differ() {
    for (body, kind) in [
        ("(call $drop (i32.const 77))", Kind::Handle),
        ("(drop (call $rep (i32.const 0)))", Kind::Handle),
        (
            "(local i32) (local.set 0 (call $new (i32.const 1))) (call $drop (local.get 0)) (call $drop (local.get 0))",
            Kind::Handle,
        ),
        ("(loop (drop (call $new (i32.const 1))) (br 0))", Kind::TableFull),
    ] {
        let linked = link(&engine(false), &with_resource(body), &[], &[]).unwrap();
        let fault = call(&linked, "go", &[], within(5000)).unwrap_err();
        assert_eq!(fault.kind, kind, "{body}: {}", fault.message);
    }
}

#[test]
fn pointers_of_the_guest_are_checked() {
    let results = r#"(result (tuple u32 u32))"#;
    for pointer in ["2", "-4", "131072", "131068"] {
        let core = format!(r#"(func (export "bad") (result i32) (i32.const {pointer}))"#);
        let linked = link(&engine(false), &component("", &core, &lift("bad", results)), &[], &[]).unwrap();
        let fault = call(&linked, "bad", &[], within(1000)).unwrap_err();
        assert_eq!(fault.kind, Kind::BadPointer, "{pointer}: {}", fault.message);
    }
    // An allocator that lies about where the room is.
    for pointer in ["3", "-8", "131070"] {
        let wat = format!(
            r#"(component
              (core module $m (memory (export "memory") 2)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const {pointer}))
                (func (export "take") (param i32 i32)))
              (core instance $i (instantiate $m))
              (func (export "take") (param "l" (list u32))
                (canon lift (core func $i "take") (memory $i "memory") (realloc (func $i "realloc")))))"#
        );
        let linked = link(&engine(false), &wat, &[], &[]).unwrap();
        let list = [&2u32.to_le_bytes()[..], &[0; 8]].concat();
        let fault = call(&linked, "take", &list, within(1000)).unwrap_err();
        assert_eq!(fault.kind, Kind::BadPointer, "{pointer}: {}", fault.message);
    }
}

#[test]
fn text_of_the_guest_is_checked_in_every_encoding() {
    for (encoding, bytes) in [("utf8", r"\ff\fe"), ("utf16", r"\00\d8")] {
        let wat = format!(
            r#"(component
              (core module $m (memory (export "memory") 1) (data (i32.const 64) "{bytes}")
                (func (export "bad") (result i32)
                  (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 1)) (i32.const 16)))
              (core instance $i (instantiate $m))
              (func (export "bad") (result string)
                (canon lift (core func $i "bad") (memory $i "memory") string-encoding={encoding})))"#
        );
        let linked = link(&engine(false), &wat, &[], &[]).unwrap();
        let fault = call(&linked, "bad", &[], within(1000)).unwrap_err();
        assert_eq!(fault.kind, Kind::BadString, "{encoding}: {}", fault.message);
    }
}

#[test]
fn a_component_that_calls_its_own_parts_back_is_a_trap_and_no_poisoned_instance() {
    let wat = r#"(component
      (component $a (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f"))))
      (instance $a (instantiate $a))
      (core func $f (canon lower (func $a "f")))
      (core module $m (import "" "f" (func $f)) (func (export "go") (call $f)))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "go") (canon lift (core func $i "go"))))"#;
    let linked = link(&engine(false), wat, &[], &[]).unwrap();
    assert_eq!(call(&linked, "go", &[], within(1000)).unwrap_err().kind, Kind::Trap);
}

#[test]
fn text_between_two_components_is_checked_too() {
    let wat = r#"(component
      (component $a
        (core module $m (memory (export "memory") 1)
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256))
          (func (export "take") (param i32 i32)))
        (core instance $i (instantiate $m))
        (func (export "take") (param "s" string)
          (canon lift (core func $i "take") (memory $i "memory") (realloc (func $i "realloc")) string-encoding=utf16)))
      (component $b
        (import "take" (func $take (param "s" string)))
        (core module $memory (memory (export "memory") 1) (data (i32.const 64) "\ff\fe"))
        (core instance $memory (instantiate $memory))
        (core func $take (canon lower (func $take) (memory $memory "memory")))
        (core module $m (import "" "take" (func $take (param i32 i32)))
          (func (export "go") (call $take (i32.const 64) (i32.const 2))))
        (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
        (func (export "go") (canon lift (core func $i "go"))))
      (instance $a (instantiate $a))
      (instance $b (instantiate $b (with "take" (func $a "take"))))
      (export "go" (func $b "go")))"#;
    let linked = link(&engine(false), wat, &[], &[]).unwrap();
    let fault = call(&linked, "go", &[], within(1000)).unwrap_err();
    assert_eq!(fault.kind, Kind::BadString, "{}", fault.message);
}

/// A component that hands a list of `bytes` bytes to the host, then returns.
fn sender(bytes: u32) -> Arc<Linked> {
    let wat = format!(
        r#"(component
          (import "acme:host/x" (instance $h (export "send" (func (param "l" (list u8))))))
          (core module $memory (memory (export "memory") 16))
          (core instance $memory (instantiate $memory))
          (core func $send (canon lower (func $h "send") (memory $memory "memory")))
          (core module $m (import "" "send" (func $send (param i32 i32)))
            (func (export "go") (call $send (i32.const 0) (i32.const {bytes}))))
          (core instance $i (instantiate $m (with "" (instance (export "send" (func $send))))))
          (func (export "go") (canon lift (core func $i "go"))))"#
    );
    let import = HostImport {
        interface: "acme:host/x".into(),
        function: "send".into(),
        message: "send".into(),
        blocking: false,
        nested: false,
        deferred: false,
        traced: false,
        shape: String::new(),
    };
    link(&engine(false), &wat, &[], &[import]).unwrap()
}

struct Panics(AtomicU32);

impl Port for Panics {
    fn send(&self, _: u64, _: &str, _: &str, _: &[u8], _: u64) -> Reply {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a bug of the host");
    }
}

#[test]
fn what_a_guest_hands_over_in_one_call_is_limited() {
    let mut options = options();
    options.limits.host_call_bytes = 1000;
    let linked = sender(1001);
    let port = Arc::new(Panics(AtomicU32::new(0)));
    let mut instance = Instance::new(&linked, options, Some(port.clone()), &within(1000), 1).unwrap();
    let fault = instance.call(&linked.find("", "go").unwrap(), &[], &within(1000), 1).unwrap_err();
    assert_eq!(fault.kind, Kind::LiftLimit, "{}", fault.message);
    assert_eq!(port.0.load(Ordering::SeqCst), 0);
}

#[test]
fn an_instance_is_not_entered_again_after_a_panic_of_the_host() {
    let linked = sender(4);
    let port = Arc::new(Panics(AtomicU32::new(0)));
    let mut instance = Instance::new(&linked, options(), Some(port.clone()), &within(1000), 1).unwrap();
    let go = linked.find("", "go").unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| instance.call(&go, &[], &within(1000), 1)));
    assert!(panicked.is_err());
    assert!(instance.poisoned());
    assert_eq!(instance.call(&go, &[], &within(1000), 1).unwrap_err().kind, Kind::Poisoned);
    assert_eq!(port.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_growth_refused_in_one_call_does_not_explain_a_trap_of_the_next() {
    let core = r#"
        (func (export "ask") (drop (memory.grow (i32.const 1000))))
        (func (export "boom") unreachable)"#;
    let lifts = [lift("ask", ""), lift("boom", "")].concat();
    let linked = link(&engine(false), &component("", core, &lifts), &[], &[]).unwrap();
    let mut instance = Instance::new(&linked, options(), None, &within(1000), 1).unwrap();
    instance.call(&linked.find("", "ask").unwrap(), &[], &within(1000), 1).unwrap();
    assert_eq!(instance.call(&linked.find("", "boom").unwrap(), &[], &within(1000), 1).unwrap_err().kind, Kind::Trap);
}

#[test]
fn failed_growths_pay_nothing_back() {
    // 100 pages are allowed. Growing beyond what a memory can be fails in the engine, without asking the limiter.
    let core = r#"(func (export "pages") (result i32) (local i32)
        (loop
          (drop (memory.grow (i32.const -1)))
          (drop (memory.grow (i32.const 65536)))
          (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (memory.size))"#;
    let linked = link(&engine(false), &component("", core, &lift("pages", "(result u32)")), &[], &[]).unwrap();
    let mut options = options();
    options.limits.memory_bytes = 100 << 16;
    let mut instance = Instance::new(&linked, options, None, &within(5000), 1).unwrap();
    let out = instance.call(&linked.find("", "pages").unwrap(), &[], &within(5000), 1).unwrap();
    assert_eq!(out, 100u32.to_le_bytes());
    assert_eq!(instance.usage().memory_peak_bytes, 100 << 16);
}

#[test]
fn making_an_instance_is_part_of_its_usage() {
    let wat = r#"(component
      (core module $m (func $count (local i32)
          (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get 0) (i32.const 10000)))))
        (start $count) (func (export "go") (call $count)))
      (core instance $i (instantiate $m))
      (func (export "go") (canon lift (core func $i "go"))))"#;
    let linked = link(&engine(true), wat, &[], &[]).unwrap();
    let limits = CallLimits { fuel: Some(1_000_000), ..within(1000) };
    let used = Instance::new(&linked, options(), None, &limits, 1).unwrap().usage();
    assert!(used.fuel >= 10_000, "{}", used.fuel);
    // A call in a fresh instance has one budget for both, and what is short by one is short.
    let once = |fuel: u64| {
        let (go, mut traces) = (linked.find("", "go").unwrap(), Traces::default());
        let limits = CallLimits { fuel: Some(fuel), ..within(1000) };
        let done = Instance::once(&linked, options(), None, &go, &[], &limits, 1, &mut |_| (), &mut traces);
        (done, traces.usage)
    };
    let (done, both) = once(1_000_000);
    done.unwrap();
    assert!(both.fuel >= 2 * 10_000, "{}", both.fuel);
    assert!(once(both.fuel).0.is_ok());
    assert_eq!(once(used.fuel + 5000).0.unwrap_err().kind, Kind::Fuel);
    assert_eq!(once(used.fuel - 5000).0.unwrap_err().kind, Kind::Fuel);
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn memory_that_waits_to_be_given_back_is_bounded() {
    // Each instance touches 32 MiB; all of them together would be 2 GiB.
    let wat = r#"(component
      (core module $m (memory 512)
        (func $fill (memory.fill (i32.const 0) (i32.const 1) (i32.const 33554432)))
        (start $fill))
      (core instance (instantiate $m)))"#;
    let linked = link(&engine_of(false, 1024), wat, &[], &[]).unwrap();
    let before = resident_bytes();
    for _ in 0..64 {
        let mut options = options();
        options.limits.memory_bytes = 64 << 20;
        drop(Instance::new(&linked, options, None, &within(5000), 1).unwrap());
        assert!(resident_bytes() < before + (320 << 20), "{} MiB wait", (resident_bytes() - before) >> 20);
    }
}
