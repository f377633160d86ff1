//! WASI whose calls are told, and the same guest answered from what was told.

mod support;

use cordon_engine::store::{Interrupter, Port, Reply};
use cordon_engine::{HostImport, Instance, Kind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{engine, link, options, within};

const RANDOM: &str = "wasi:random/random@0.2.0";
const GUEST: &str = r#"(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-u64" (func (result u64)))))
  (core func $get (canon lower (func $random "get-random-u64")))
  (core module $m
    (import "" "get" (func $get (result i64)))
    (func (export "go") (result i64) (call $get)))
  (core instance $i (instantiate $m (with "" (instance (export "get" (func $get))))))
  (func (export "go") (result u64) (canon lift (core func $i "go"))))"#;

fn imports(traced: bool) -> Vec<HostImport> {
    let import = |function: &str| HostImport {
        interface: RANDOM.into(),
        function: function.into(),
        message: function.into(),
        blocking: false,
        nested: false,
        deferred: false,
        traced,
        shape: String::new(),
    };
    vec![import("get-random-u64")]
}

#[derive(Default)]
struct Told(Mutex<Vec<(String, Vec<u8>)>>);

impl Port for Told {
    fn send(&self, _: u64, interface: &str, function: &str, payload: &[u8], _: u64) -> Reply {
        assert_eq!(interface, RANDOM);
        self.0.lock().unwrap().push((function.to_string(), payload.to_vec()));
        Reply::Done(vec![])
    }
}

/// Answers as it was told.
struct Answers(Vec<u8>);

impl Port for Answers {
    fn send(&self, _: u64, _: &str, function: &str, payload: &[u8], _: u64) -> Reply {
        assert!(function == "get-random-u64" && payload.is_empty());
        Reply::Done(self.0.clone())
    }
}

fn call(linked: &Arc<cordon_engine::Linked>, port: Arc<dyn Port>) -> Vec<u8> {
    let mut instance = Instance::new(linked, options(), Some(port), &within(10_000), 1).unwrap();
    instance.call(&linked.find("", "go").unwrap(), &[], &within(10_000), 1).unwrap()
}

#[test]
fn what_is_told_is_what_the_guest_got() {
    let told = Arc::new(Told::default());
    let output = call(&link(&engine(false), GUEST, &[], &imports(true)).unwrap(), told.clone());
    let messages = told.0.lock().unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].0, "trace:get-random-u64");
    // It was answered, nothing was asked, and this is the answer.
    assert_eq!(messages[0].1[..5], [0, 0, 0, 0, 0]);
    assert_eq!(messages[0].1[5..], output[..]);
    // The same guest, with no WASI at all.
    let replayed = link(&engine(false), GUEST, &[], &imports(false)).unwrap();
    assert_eq!(call(&replayed, Arc::new(Answers(output.clone()))), output);
}

#[test]
fn an_interface_that_is_not_traced_is_no_answer() {
    let guest = GUEST.replace("wasi:random/random", "wasi:sockets/random");
    let mut imports = imports(true);
    imports[0].interface = "wasi:sockets/random@0.2.0".into();
    let linked = link(&engine(false), &guest, &[], &imports).unwrap();
    struct Any;
    impl Port for Any {
        fn send(&self, _: u64, _: &str, _: &str, payload: &[u8], _: u64) -> Reply {
            assert_eq!(payload, [2, 0, 0, 0, 0]); // it ended in a trap
            Reply::Done(vec![])
        }
    }
    let mut instance = Instance::new(&linked, options(), Some(Arc::new(Any)), &within(10_000), 1).unwrap();
    let fault = instance.call(&linked.find("", "go").unwrap(), &[], &within(10_000), 1).unwrap_err();
    assert_eq!(fault.kind, Kind::Link);
}

#[test]
fn an_instance_is_stopped_from_its_first_instruction_on() {
    let guest = r#"(module (func $spin (loop (br 0))) (start $spin) (func (export "go")))"#;
    let linked = link(&engine(false), guest, &[], &[]).unwrap();
    let stop = Arc::new(Interrupter::default());
    let mut given = options();
    given.interrupter = Some(stop.clone());
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        stop.interrupt();
    });
    let fault = Instance::new(&linked, given, None, &within(60_000), 1).err().unwrap();
    assert_eq!(fault.kind, Kind::Interrupted);
    other.join().unwrap();
}
