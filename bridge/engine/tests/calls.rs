//! The bridge from above: compile, link, call, stop. Guests are text, assembled here.

mod support;

use cordon_engine::store::{CallLimits, Port, Reply};
use cordon_engine::{HostImport, Instance, Kind, Linked, Piece};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{call, component, engine, lift, link, options, within};

#[test]
fn numbers_cross_flat() {
    let wat = component(
        "",
        r#"(func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))"#,
        &lift("add", r#"(param "a" s32) (param "b" s32) (result s32)"#),
    );
    let linked = link(&engine(false), &wat, &[], &[]).unwrap();
    let input = [2i32.to_le_bytes(), 40i32.to_le_bytes()].concat();
    assert_eq!(call(&linked, "add", &input, within(1000)).unwrap(), 42i32.to_le_bytes());
    // A payload that does not fit is an error, never a read beyond it.
    assert_eq!(call(&linked, "add", &input[..7], within(1000)).unwrap_err().kind, Kind::Invalid);
    assert_eq!(call(&linked, "add", &[&input[..], &[0]].concat(), within(1000)).unwrap_err().kind, Kind::Invalid);
}

#[test]
fn strings_lists_and_nested_lists_cross() {
    let echo = r#"(func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))"#;
    for ty in ["string", "(list u8)", "(list u64)", "(list string)", "(list (tuple u8 (list u16)))"] {
        let lifts = lift("echo", r#"(param "x" $t) (result $t)"#);
        let wat = component(&format!("(type $t {ty})"), echo, &lifts);
        let Ok(linked) = link(&engine(false), &wat, &[], &[]) else { panic!("{ty}") };
        let payload: Vec<u8> = match ty {
            "string" => [&3u32.to_le_bytes()[..], b"abc"].concat(),
            "(list u8)" => [&4u32.to_le_bytes()[..], &[1, 2, 3, 255]].concat(),
            "(list u64)" => [&2u32.to_le_bytes()[..], &7u64.to_le_bytes(), &u64::MAX.to_le_bytes()].concat(),
            "(list string)" => {
                [&2u32.to_le_bytes()[..], &1u32.to_le_bytes(), b"a", &2u32.to_le_bytes(), "é".as_bytes()].concat()
            }
            _ => {
                [&1u32.to_le_bytes()[..], &[9], &2u32.to_le_bytes(), &1u16.to_le_bytes(), &2u16.to_le_bytes()].concat()
            }
        };
        assert_eq!(call(&linked, "echo", &payload, within(1000)).unwrap(), payload, "{ty}");
    }
}

#[test]
fn seventeen_parameters_go_through_memory() {
    let params: String = (0..17).map(|i| format!(r#"(param "p{i}" u32)"#)).collect();
    let wat = component(
        "",
        r#"(func (export "last") (param i32) (result i32) (i32.load offset=64 (local.get 0)))"#,
        &lift("last", &format!("{params} (result u32)")),
    );
    let linked = link(&engine(false), &wat, &[], &[]).unwrap();
    let input: Vec<u8> = (0..17u32).flat_map(|i| (i + 100).to_le_bytes()).collect();
    assert_eq!(call(&linked, "last", &input, within(1000)).unwrap(), 116u32.to_le_bytes());
}

#[test]
fn hostile_results_are_refused() {
    // A list of 2^28 records behind a valid pointer, a string outside memory, a case that does not exist.
    let cases = [
        ("(type $t (list (tuple u8 u8)))", r#"(i32.store (i32.const 20) (i32.const 0x10000000)) (i32.const 16)"#, "$t"),
        (
            "(type $t string)",
            r#"(i32.store (i32.const 16) (i32.const -8)) (i32.store (i32.const 20) (i32.const 64)) (i32.const 16)"#,
            "$t",
        ),
        (r#"(type $e' (enum "a" "b")) (export $t "e" (type $e'))"#, "(i32.const 7)", "$t"),
        (r#"(type $f' (flags "a" "b")) (export $t "f" (type $f'))"#, "(i32.const 4)", "$t"),
    ];
    for (ty, body, name) in cases {
        let core = format!(r#"(func (export "bad") (result i32) {body})"#);
        let wat = component(ty, &core, &lift("bad", &format!("(result {name})")));
        let linked = link(&engine(false), &wat, &[], &[]).unwrap_or_else(|e| panic!("{ty}: {e}"));
        let fault = call(&linked, "bad", &[], within(1000)).unwrap_err();
        assert!(matches!(fault.kind, Kind::LiftLimit | Kind::BadPointer), "{ty}: {:?} {}", fault.kind, fault.message);
    }
}

#[test]
fn a_spinning_guest_stops_at_its_deadline_and_never_early() {
    let wat = component("", r#"(func (export "spin") (loop (br 0)))"#, &lift("spin", ""));
    let linked = link(&engine(false), &wat, &[], &[]).unwrap();
    for ms in [1, 20, 60] {
        let start = Instant::now();
        let fault = call(&linked, "spin", &[], within(ms)).unwrap_err();
        assert_eq!(fault.kind, Kind::Timeout);
        assert!(start.elapsed() >= Duration::from_millis(ms));
    }
    let limits = CallLimits { cpu_ns: Some(20_000_000), ..within(10_000) };
    assert_eq!(call(&linked, "spin", &[], limits).unwrap_err().kind, Kind::Cpu);
}

#[test]
fn an_instance_that_was_stopped_is_never_entered_again() {
    let wat = component("", r#"(func (export "boom") unreachable)"#, &lift("boom", ""));
    let linked = link(&engine(false), &wat, &[], &[]).unwrap();
    let mut instance = Instance::new(&linked, options(), None, &within(1000), 1).unwrap();
    let boom = linked.find("", "boom").unwrap();
    let fault = instance.call(&boom, &[], &within(1000), 1).unwrap_err();
    assert_eq!(fault.kind, Kind::Trap);
    assert!(fault.backtrace.contains("boom") || fault.backtrace.contains("wasm"), "{}", fault.backtrace);
    assert!(instance.poisoned());
    assert_eq!(instance.call(&boom, &[], &within(1000), 1).unwrap_err().kind, Kind::Poisoned);
}

#[test]
fn fuel_memory_and_stack_have_kinds_of_their_own() {
    let core = r#"
        (func (export "spin") (loop (br 0)))
        (func (export "grow") (if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)))
        (func $deep (export "deep") (call $deep))"#;
    let lifts = [lift("spin", ""), lift("grow", ""), lift("deep", "")].concat();
    let linked = link(&engine(true), &component("", core, &lifts), &[], &[]).unwrap();
    let fuel = CallLimits { fuel: Some(100_000), ..within(5000) };
    assert_eq!(call(&linked, "spin", &[], fuel).unwrap_err().kind, Kind::Fuel);
    assert_eq!(call(&linked, "grow", &[], within(1000)).unwrap_err().kind, Kind::Memory);
    assert_eq!(call(&linked, "deep", &[], within(1000)).unwrap_err().kind, Kind::StackOverflow);
}

#[derive(Default)]
struct Recorder(Mutex<Vec<(String, Vec<u8>)>>);

impl Port for Recorder {
    fn send(&self, _: u64, interface: &str, function: &str, payload: &[u8], _: u64) -> Reply {
        self.0.lock().unwrap().push((format!("{interface}#{function}"), payload.to_vec()));
        match function {
            "slow" => std::thread::sleep(Duration::from_secs(2)),
            "refuse" => return Reply::Trap(17, "no".into()),
            _ => {}
        }
        Reply::Done(payload.to_vec())
    }
}

fn importing(function: &str, blocking: bool) -> Arc<Linked> {
    let wat = format!(
        r#"(component
          (import "acme:host/x" (instance $h (export "{function}" (func (param "n" u64) (result u64)))))
          (core func $f (canon lower (func $h "{function}")))
          (core module $m (import "" "f" (func $f (param i64) (result i64)))
            (func (export "go") (param i64) (result i64) (call $f (local.get 0))))
          (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
          (func (export "go") (param "n" u64) (result u64) (canon lift (core func $i "go"))))"#
    );
    let import = HostImport {
        interface: "acme:host/x".into(),
        function: function.into(),
        message: function.into(),
        blocking,
        nested: false,
        deferred: false,
        traced: false,
        shape: String::new(),
    };
    link(&engine(false), &wat, &[], &[import]).unwrap()
}

#[test]
fn a_host_function_is_one_message() {
    let linked = importing("double", false);
    let port = Arc::new(Recorder::default());
    let mut instance = Instance::new(&linked, options(), Some(port.clone()), &within(1000), 1).unwrap();
    let go = linked.find("", "go").unwrap();
    assert_eq!(instance.call(&go, &5u64.to_le_bytes(), &within(1000), 1).unwrap(), 5u64.to_le_bytes());
    assert_eq!(port.0.lock().unwrap()[0], ("acme:host/x#double".to_string(), 5u64.to_le_bytes().to_vec()));
    assert_eq!(instance.usage().host_calls, 1);
}

#[test]
fn a_guest_blocked_in_a_host_function_stops_at_its_deadline() {
    let linked = importing("slow", true);
    let port = Arc::new(Recorder::default());
    let mut instance = Instance::new(&linked, options(), Some(port), &within(1000), 1).unwrap();
    let start = Instant::now();
    let fault = instance.call(&linked.find("", "go").unwrap(), &5u64.to_le_bytes(), &within(50), 1).unwrap_err();
    assert_eq!(fault.kind, Kind::Timeout);
    assert!(start.elapsed() >= Duration::from_millis(50) && start.elapsed() < Duration::from_millis(1500));
}

#[test]
fn the_host_can_end_a_call() {
    let linked = importing("refuse", false);
    let mut instance =
        Instance::new(&linked, options(), Some(Arc::new(Recorder::default())), &within(1000), 1).unwrap();
    let fault = instance.call(&linked.find("", "go").unwrap(), &5u64.to_le_bytes(), &within(1000), 1).unwrap_err();
    assert_eq!((fault.kind, fault.number, fault.message.as_str()), (Kind::Host, 17, "no"));
}

#[test]
fn nothing_is_linked_that_was_not_named() {
    let wat =
        r#"(component (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64))))))"#;
    assert_eq!(link(&engine(false), wat, &[], &[]).err().unwrap().kind, Kind::Link);
    assert!(link(&engine(false), wat, &["wasi:random/random"], &[]).is_ok());
}

#[test]
fn another_thread_interrupts() {
    let wat = component("", r#"(func (export "spin") (loop (br 0)))"#, &lift("spin", ""));
    let linked = link(&engine(false), &wat, &[], &[]).unwrap();
    let mut instance = Instance::new(&linked, options(), None, &within(1000), 1).unwrap();
    let interrupter = instance.interrupter();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        interrupter.interrupt();
    });
    let fault = instance.call(&linked.find("", "spin").unwrap(), &[], &within(10_000), 1).unwrap_err();
    assert_eq!(fault.kind, Kind::Interrupted);
    other.join().unwrap();
}

#[test]
fn a_stub_stands_in_for_an_interface_with_resources() {
    // As toolchains import sockets: a resource, a function that makes one, one that takes it, one that may fail.
    let wat = r#"(component
      (import "wasi:sockets/tcp@0.2.0" (instance $s
        (export "tcp-socket" (type $t (sub resource)))
        (type $e' (enum "unknown" "access-denied"))
        (export "error-code" (type $e (eq $e')))
        (export "create" (func (param "family" u8) (result (result (own $t) (error $e)))))
        (export "[method]tcp-socket.listen" (func (param "self" (borrow $t)) (result (result (error $e)))))))
      (core module $mem (memory (export "memory") 1))
      (core instance $mem (instantiate $mem))
      (core func $create (canon lower (func $s "create") (memory $mem "memory")))
      (core module $m (import "" "create" (func $c (param i32 i32))) (import "" "memory" (memory 1))
        (func (export "go") (result i32) (call $c (i32.const 4) (i32.const 64))
          (i32.add (i32.mul (i32.load8_u (i32.const 64)) (i32.const 10)) (i32.load8_u (i32.const 68)))))
      (core instance $i (instantiate $m (with "" (instance
        (export "create" (func $create)) (export "memory" (memory $mem "memory"))))))
      (func (export "go") (result u32) (canon lift (core func $i "go"))))"#;
    let stub = |function: &str| HostImport {
        interface: "wasi:sockets/tcp@0.2.0".into(),
        function: function.into(),
        message: format!("deny:{function}"),
        blocking: false,
        nested: false,
        deferred: false,
        traced: false,
        shape: String::new(),
    };
    struct Denies;
    impl Port for Denies {
        fn send(&self, _: u64, _: &str, function: &str, payload: &[u8], _: u64) -> Reply {
            assert!(function == "deny:create" && payload.is_empty());
            // result: err, case 1
            Reply::Done(vec![1, 1, 0, 0, 0])
        }
    }
    let linked = link(&engine(false), wat, &[], &[stub("create"), stub("[method]tcp-socket.listen")]).unwrap();
    let mut instance = Instance::new(&linked, options(), Some(Arc::new(Denies)), &within(1000), 1).unwrap();
    // 11: an err, of the second case.
    let out = instance.call(&linked.find("", "go").unwrap(), &[], &within(1000), 1).unwrap();
    assert_eq!(out, 11u32.to_le_bytes());
}

/// A component whose `echo` gives back what it gets.
fn echo_of(ty: &str) -> Arc<Linked> {
    let echo = r#"(func (export "echo") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))"#;
    let lifts = lift("echo", r#"(param "x" $t) (result $t)"#);
    link(&engine(false), &component(&format!("(type $t {ty})"), echo, &lifts), &[], &[]).unwrap()
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

#[test]
fn a_payload_may_be_cut_anywhere() {
    let long = counted("é".repeat(700).as_bytes());
    let cases = [
        ("string", long.clone()),
        ("(list u8)", counted(&[7; 1000])),
        ("(list u32)", [&3u32.to_le_bytes()[..], &[1; 12]].concat()),
        ("(list string)", [&2u32.to_le_bytes()[..], &long, &counted(b"b")].concat()),
        ("(list (tuple u8 (list u16)))", [&1u32.to_le_bytes()[..], &[9], &2u32.to_le_bytes(), &[1, 0, 2, 0]].concat()),
    ];
    for (ty, payload) in cases {
        let linked = echo_of(ty);
        let echo = linked.find("", "echo").unwrap();
        for size in [1, 2, 3, 5, 300, 701, payload.len()] {
            let mut instance = Instance::new(&linked, options(), None, &within(1000), 1).unwrap();
            let pieces: Vec<Piece<'_>> =
                payload.chunks(size).flat_map(|part| [Piece::new(part), Piece::new(&[])]).collect();
            let mut out = Vec::new();
            let mut sink = |pieces: &[Piece<'_>]| pieces.iter().for_each(|p| out.extend_from_slice(p.get()));
            instance.call_pieces(&echo, &pieces, &within(1000), 1, &mut sink).unwrap();
            assert_eq!(out, payload, "{ty} in pieces of {size}");
            // One byte short, and one too many.
            for wrong in [&pieces[..pieces.len() - 2], &[&pieces[..], &[Piece::new(&[0])]].concat()] {
                let mut instance = Instance::new(&linked, options(), None, &within(1000), 1).unwrap();
                let mut untouched = |_: &[Piece<'_>]| panic!("a result of nothing");
                let fault = instance.call_pieces(&echo, wrong, &within(1000), 1, &mut untouched).unwrap_err();
                assert_eq!(fault.kind, Kind::Invalid, "{ty} in pieces of {size}");
            }
        }
    }
}

#[test]
fn text_is_checked_across_pieces() {
    let linked = echo_of("string");
    let echo = linked.find("", "echo").unwrap();
    let text = [&[b'a'; 300][..], &[0xc3]].concat();
    let head = 302u32.to_le_bytes();
    for (last, right) in [(0xa9, true), (b'x', false)] {
        let mut instance = Instance::new(&linked, options(), None, &within(1000), 1).unwrap();
        let last = [last];
        let pieces = [Piece::new(&head), Piece::new(&text), Piece::new(&last)];
        let done = instance.call_pieces(&echo, &pieces, &within(1000), 1, &mut |_| ());
        assert_eq!(done.map_err(|f| f.kind), if right { Ok(()) } else { Err(Kind::Invalid) });
    }
}

#[test]
fn a_call_inside_a_call_takes_its_own_result() {
    struct Nested(Arc<Linked>);
    impl Port for Nested {
        fn send(&self, _: u64, _: &str, _: &str, payload: &[u8], _: u64) -> Reply {
            let text = counted("inner".repeat(100).as_bytes());
            assert_eq!(call(&self.0, "echo", &text, within(1000)).unwrap(), text);
            Reply::Done(payload.to_vec())
        }
    }
    let linked = importing("ask", false);
    let port = Arc::new(Nested(echo_of("string")));
    let mut instance = Instance::new(&linked, options(), Some(port), &within(1000), 1).unwrap();
    let go = linked.find("", "go").unwrap();
    assert_eq!(instance.call(&go, &5u64.to_le_bytes(), &within(1000), 1).unwrap(), 5u64.to_le_bytes());
}

#[test]
fn a_port_lives_until_its_last_blocking_answer() {
    struct Slow(Arc<AtomicU32>);
    impl Port for Slow {
        fn send(&self, _: u64, _: &str, _: &str, payload: &[u8], _: u64) -> Reply {
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0, "answered after it was gone");
            Reply::Done(payload.to_vec())
        }
    }
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.fetch_add(10, Ordering::SeqCst);
        }
    }
    let seen = Arc::new(AtomicU32::new(0));
    let linked = importing("slow", true);
    let go = linked.find("", "go").unwrap();
    let mut instance = Instance::new(&linked, options(), Some(Arc::new(Slow(seen.clone()))), &within(1000), 1).unwrap();
    assert_eq!(instance.call(&go, &5u64.to_le_bytes(), &within(20), 1).unwrap_err().kind, Kind::Timeout);
    drop((instance, go, linked));
    while seen.load(Ordering::SeqCst) != 11 {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_full_pool_waits_for_the_big_memories_that_are_on_their_way_out() {
    // 16 instances fit. Each call touches 6 MiB and is stopped; the next may begin before that memory is gone.
    let core = r#"(func (export "fill")
        (drop (memory.grow (i32.const 100)))
        (loop (memory.fill (i32.const 65536) (i32.const 7) (i32.const 6000000)) (br 0)))"#;
    let linked = link(&engine(false), &component("", core, &lift("fill", "")), &[], &[]).unwrap();
    let idle: Vec<Instance> =
        (0..15).map(|_| Instance::new(&linked, options(), None, &within(1000), 1).unwrap()).collect();
    let brief = CallLimits { cpu_ns: Some(3_000_000), ..within(60_000) };
    for _ in 0..20 {
        assert_eq!(call(&linked, "fill", &[], brief).unwrap_err().kind, Kind::Cpu);
    }
    drop(idle);
}

#[test]
fn a_warm_instance_is_stopped_after_a_long_rest() {
    let lifts = [lift("spin", ""), lift("add", r#"(param "a" s32) (param "b" s32) (result s32)"#)].concat();
    let core = r#"(func (export "spin") (loop (br 0)))
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))"#;
    let linked = link(&engine(false), &component("", core, &lifts), &[], &[]).unwrap();
    let (add, spin) = (linked.find("", "add").unwrap(), linked.find("", "spin").unwrap());
    // The ticker sleeps after 50 ms: before, about when, and long after.
    for rest in [0, 49, 50, 51, 52, 200] {
        let mut instance = Instance::new(&linked, options(), None, &within(1000), 1).unwrap();
        let both = [2i32.to_le_bytes(), 40i32.to_le_bytes()].concat();
        assert_eq!(instance.call(&add, &both, &within(1000), 1).unwrap(), 42i32.to_le_bytes());
        std::thread::sleep(Duration::from_millis(rest));
        let start = Instant::now();
        assert_eq!(instance.call(&spin, &[], &within(10), 1).unwrap_err().kind, Kind::Timeout);
        assert!(start.elapsed() >= Duration::from_millis(10), "stopped early");
        assert!(instance.usage().wall_ns >= 9_000_000, "{}", instance.usage().wall_ns);
    }
}
