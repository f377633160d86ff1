//! Resources that a host service defines: they cross as the service's own numbers, and only where they belong.

mod support;

use cordon_engine::store::{Port, Reply};
use cordon_engine::{HostImport, Instance, Kind, Linked};
use std::sync::{Arc, Mutex};
use support::{engine, link, options, within};

const STORE: &str = "acme:host/store@1.0.0";
const LOCKS: &str = "acme:host/locks@1.0.0";

/// Two interfaces with a resource each; `locks` uses the other's. `go` runs the body with all functions at hand.
fn guest(body: &str) -> Arc<Linked> {
    let wat = format!(
        r#"(component
      (import "{STORE}" (instance $store
        (export "bucket" (type $b (sub resource)))
        (export "open" (func (param "name" u8) (result (result (own $b)))))
        (export "[method]bucket.get" (func (param "self" (borrow $b)) (param "key" u32) (result u32)))))
      (alias export $store "bucket" (type $bucket))
      (import "{LOCKS}" (instance $locks
        (export "bucket" (type $b (eq $bucket)))
        (export "lock" (type $l (sub resource)))
        (export "all" (func (param "of" (list (borrow $b))) (result (own $l))))
        (export "release" (func (param "lock" (own $l)) (result u32)))))
      (alias export $locks "lock" (type $lock))
      (core module $mem (memory (export "memory") 1))
      (core instance $mem (instantiate $mem))
      (core func $open (canon lower (func $store "open") (memory $mem "memory")))
      (core func $get (canon lower (func $store "[method]bucket.get")))
      (core func $all (canon lower (func $locks "all") (memory $mem "memory")))
      (core func $release (canon lower (func $locks "release")))
      (core func $drop-bucket (canon resource.drop $bucket))
      (core func $drop-lock (canon resource.drop $lock))
      (core module $m
        (import "" "memory" (memory 1))
        (import "" "open" (func $open (param i32 i32)))
        (import "" "get" (func $get (param i32 i32) (result i32)))
        (import "" "all" (func $all (param i32 i32) (result i32)))
        (import "" "release" (func $release (param i32) (result i32)))
        (import "" "drop-bucket" (func $drop-bucket (param i32)))
        (import "" "drop-lock" (func $drop-lock (param i32)))
        (func $opened (param i32) (result i32)
          (call $open (local.get 0) (i32.const 64)) (i32.load (i32.const 68)))
        (func $locked (param i32) (result i32)
          (i32.store (i32.const 128) (local.get 0)) (call $all (i32.const 128) (i32.const 1)))
        (func (export "go") (result i32) (local $x i32) (local $y i32) {body}))
      (core instance $i (instantiate $m (with "" (instance
        (export "memory" (memory $mem "memory"))
        (export "open" (func $open)) (export "get" (func $get)) (export "all" (func $all))
        (export "release" (func $release))
        (export "drop-bucket" (func $drop-bucket)) (export "drop-lock" (func $drop-lock))))))
      (func (export "go") (result u32) (canon lift (core func $i "go"))))"#
    );
    let import = |interface: &str, function: &str| HostImport {
        interface: interface.into(),
        function: function.into(),
        message: function.into(),
        blocking: function == "[method]bucket.get",
        nested: false,
        deferred: false,
        traced: false,
        shape: String::new(),
    };
    let imports =
        [import(STORE, "open"), import(STORE, "[method]bucket.get"), import(LOCKS, "all"), import(LOCKS, "release")];
    link(&engine(false), &wat, &[], &imports).unwrap()
}

/// Gives buckets the numbers 700 and up, and locks 900; writes down what it is sent.
#[derive(Default)]
struct Service(Mutex<Vec<String>>);

impl Port for Service {
    fn send(&self, _: u64, interface: &str, function: &str, payload: &[u8], _: u64) -> Reply {
        let words: Vec<u32> = payload.chunks_exact(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
        let name = interface.split('/').nth(1).unwrap().split('@').next().unwrap();
        self.0.lock().unwrap().push(match function {
            "open" => format!("{name} open {}", payload[0]),
            _ => format!("{name} {function} {words:?}"),
        });
        Reply::Done(match function {
            "open" => [&[0u8][..], &(700 + u32::from(payload[0])).to_le_bytes()].concat(),
            "all" => 900u32.to_le_bytes().to_vec(),
            "[method]bucket.get" => (words[0] + words[1]).to_le_bytes().to_vec(),
            "release" => words[0].to_le_bytes().to_vec(),
            _ => vec![],
        })
    }
}

fn run(body: &str) -> (Result<u32, Kind>, Vec<String>) {
    let linked = guest(body);
    let service = Arc::new(Service::default());
    let mut instance = Instance::new(&linked, options(), Some(service.clone()), &within(5000), 1).unwrap();
    let out = instance.call(&linked.find("", "go").unwrap(), &[], &within(5000), 1);
    drop(instance);
    let sent = service.0.lock().unwrap().clone();
    (out.map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).map_err(|fault| fault.kind), sent)
}

#[test]
fn a_handle_is_the_number_that_the_service_gave() {
    let (out, sent) = run("(local.set $x (call $opened (i32.const 3))) (call $get (local.get $x) (i32.const 40))");
    assert_eq!(out, Ok(743));
    // A store that goes away runs no destructors: nobody is told of the bucket that was never dropped.
    assert_eq!(sent, ["store open 3", "store [method]bucket.get [703, 40]"]);
}

#[test]
fn dropping_a_handle_is_a_message() {
    let (out, sent) = run("(call $drop-bucket (call $opened (i32.const 1))) (i32.const 5)");
    assert_eq!(out, Ok(5));
    assert_eq!(sent, ["store open 1", "store [resource-drop]bucket [701]"]);
}

#[test]
fn another_interface_takes_a_resource_that_it_uses() {
    let (out, sent) = run("(local.set $x (call $opened (i32.const 2))) (local.set $y (call $locked (local.get $x)))
         (call $release (local.get $y))");
    assert_eq!(out, Ok(900));
    // The lock was given away with `release`: there is nothing left to drop.
    assert_eq!(sent, ["store open 2", "locks all [1, 702]", "locks release [900]"]);
}

#[test]
fn a_guest_cannot_make_up_a_handle_or_use_one_for_another() {
    let opened = "(local.set $x (call $opened (i32.const 2)))";
    let locked = "(local.set $x (call $opened (i32.const 2))) (local.set $y (call $locked (local.get $x)))";
    for body in [
        // Never given, the service's own number, nothing at all, and one that is no longer there.
        format!("{opened} (call $get (i32.const 77) (i32.const 0))"),
        format!("{opened} (call $get (i32.const 702) (i32.const 0))"),
        format!("{opened} (call $get (i32.const 0) (i32.const 0))"),
        format!("{opened} (call $get (i32.const -1) (i32.const 0))"),
        format!("{opened} (call $drop-bucket (local.get $x)) (call $get (local.get $x) (i32.const 0))"),
        // A bucket for a lock, and a lock for a bucket, lent, given away and in a list.
        format!("{opened} (call $release (local.get $x))"),
        format!("{locked} (call $get (local.get $y) (i32.const 0))"),
        format!("{locked} (call $locked (local.get $y))"),
        format!("{locked} (call $drop-lock (local.get $x)) (i32.const 0)"),
        // Given away twice.
        format!("{locked} (drop (call $release (local.get $y))) (call $release (local.get $y))"),
    ] {
        let (out, sent) = run(&body);
        assert_eq!(out, Err(Kind::Handle), "{body}");
        assert!(sent.len() <= 3, "{sent:?}");
    }
}

#[test]
fn handles_are_counted() {
    let (out, sent) = run("(loop (drop (call $opened (i32.const 1))) (br 0)) (i32.const 0)");
    assert_eq!(out, Err(Kind::TableFull));
    assert!(sent.len() <= 4100, "{}", sent.len());
}
