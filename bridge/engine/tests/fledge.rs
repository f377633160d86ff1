//! Plugins for fledge: what crosses, and what of it is refused.

mod support;

use cordon_engine::store::{Port, Reply};
use cordon_engine::{Fault, HostImport, Instance, Kind};
use std::sync::{Arc, Mutex};
use support::{engine, link, options, within};

const INIT: &str = r#"{"type":"init"}"#;

/// Answers what its function says, and keeps what was asked.
#[derive(Default)]
struct Host(Mutex<Vec<String>>);

impl Port for Host {
    fn send(&self, _: u64, interface: &str, function: &str, payload: &[u8], _: u64) -> Reply {
        assert_eq!(interface, "fledge");
        self.0.lock().unwrap().push(format!("{function} {}", String::from_utf8_lossy(payload)));
        Reply::Done(match function {
            "init" => INIT.into(),
            "exec" => b"{\"code\":0}".to_vec(),
            "store_get" => b"null".to_vec(),
            "deny:metadata" => b"{}".to_vec(),
            _ => Vec::new(),
        })
    }
}

fn import(function: &str, message: &str) -> HostImport {
    HostImport {
        interface: "fledge".into(),
        function: function.into(),
        message: message.into(),
        blocking: false,
        nested: false,
        deferred: false,
        traced: false,
        shape: String::new(),
    }
}

struct Done {
    outcome: Result<(), Fault>,
    output: String,
    asked: Vec<String>,
}

/// Runs `_start` of a module with these imports, whose memory begins with `data`.
fn run(imports: &[(&str, &str)], data: &str, body: &str) -> Done {
    let mut wat = String::from("(module ");
    for (function, ty) in imports {
        wat += &format!("(import \"fledge\" \"{function}\" (func ${function} {ty})) ");
    }
    wat += &format!("(memory (export \"memory\") 1) (data (i32.const 0) {data:?}) (func (export \"_start\") {body}))");
    let host: Vec<_> = imports.iter().map(|(function, _)| import(function, function)).collect();
    run_wat(&wat, &host)
}

fn run_wat(wat: &str, host: &[HostImport]) -> Done {
    let linked = link(&engine(false), wat, &[], host).unwrap();
    let port = Arc::new(Host::default());
    let mut options = options();
    options.arguments = vec!["notes".into(), "one".into(), "two".into()];
    options.limits.host_call_bytes = 1 << 15;
    let mut instance = Instance::new(&linked, options, Some(port.clone()), &within(5_000), 1).unwrap();
    let start = linked.find("", "_start").unwrap();
    let outcome = instance.call(&start, &[], &within(5_000), 1).map(|_| ());
    let output = String::from_utf8(instance.take_stdout()).unwrap();
    Done { outcome, output, asked: port.0.lock().unwrap().clone() }
}

const TWO: &str = "(param i32 i32)";
const TWO_ONE: &str = "(param i32 i32) (result i32)";

fn kind(done: &Done) -> Kind {
    done.outcome.as_ref().unwrap_err().kind
}

#[test]
fn output_is_the_text_of_messages_and_what_is_no_message_is_nothing() {
    let said = r#"{"type":"output","text":"hi\n"}{"type":"dance"}{"type":"output"}nonsense"#;
    let calls = "(call $send (i32.const 0) (i32.const 31)) (call $send (i32.const 31) (i32.const 16))
                 (call $send (i32.const 47) (i32.const 17)) (call $send (i32.const 64) (i32.const 8))";
    let done = run(&[("send", TWO)], said, calls);
    assert!(done.outcome.is_ok());
    assert_eq!(done.output, "hi\n");
    assert!(done.asked.is_empty());
}

#[test]
fn log_lines_go_to_the_host() {
    let said = r#"{"type":"log","level":"warn","message":"careful"}"#;
    let done = run(&[("send", TWO)], said, "(call $send (i32.const 0) (i32.const 49))");
    assert_eq!(done.asked, ["log \u{4}\0\0\0warn\u{7}\0\0\0careful"]);
}

#[test]
fn the_first_message_is_the_hosts_and_each_is_taken_once() {
    let body = "(if (i32.ne (call $recv (i32.const 64) (i32.const 5)) (i32.const 5)) (then unreachable))
                (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 123)) (then unreachable))
                (if (i32.ne (call $recv (i32.const 64) (i32.const 64)) (i32.const 0)) (then unreachable))";
    let done = run(&[("recv", TWO_ONE)], "", body);
    assert!(done.outcome.is_ok(), "{:?}", done.outcome);
    assert_eq!(done.asked, ["init \u{2}\0\0\0\u{3}\0\0\0one\u{3}\0\0\0two"]);
}

#[test]
fn a_reply_that_was_not_taken_gives_way_to_the_next() {
    let body = "(drop (call $exec (i32.const 0) (i32.const 2)))
                (if (i32.ne (call $store_get (i32.const 0) (i32.const 2)) (i32.const 4)) (then unreachable))
                (if (i32.ne (call $recv (i32.const 64) (i32.const -1)) (i32.const 4)) (then unreachable))
                (if (i32.ne (i32.load (i32.const 64)) (i32.const 0x6c6c756e)) (then unreachable))";
    let done = run(&[("exec", TWO_ONE), ("store_get", TWO_ONE), ("recv", TWO_ONE)], "{}", body);
    assert!(done.outcome.is_ok(), "{:?}", done.outcome);
    assert_eq!(done.asked, ["exec {}", "store_get {}"]);
}

#[test]
fn exit_is_the_end_with_its_status() {
    let done = run(&[("exit", "(param i32)")], "", "(call $exit (i32.const 7)) unreachable");
    let fault = done.outcome.unwrap_err();
    assert_eq!((fault.kind, fault.number), (Kind::Exit, 7));
}

#[test]
fn attack_5_pointers_outside_of_the_memory_end_the_call_before_the_host_is_asked() {
    let places =
        [("65536", "1"), ("65535", "2"), ("-1", "1"), ("0", "65537"), ("0", "-1"), ("-2147483648", "-2147483648")];
    for function in ["send", "exec", "store_set", "store_get", "metadata"] {
        let gives = !matches!(function, "send" | "store_set");
        for (at, bytes) in places {
            let call = format!("(call ${function} (i32.const {at}) (i32.const {bytes}))");
            let body = if gives { format!("(drop {call})") } else { call };
            let done = run(&[(function, if gives { TWO_ONE } else { TWO })], "{}", &body);
            assert_eq!(kind(&done), Kind::BadPointer, "{function} {at} {bytes}");
            assert!(done.asked.is_empty(), "{function}");
        }
    }
    for at in ["65530", "65536", "-1"] {
        let body = format!("(drop (call $recv (i32.const {at}) (i32.const -1)))");
        assert_eq!(kind(&run(&[("recv", TWO_ONE)], "", &body)), Kind::BadPointer, "recv at {at}");
    }
}

#[test]
fn nothing_at_the_very_end_of_the_memory_is_nothing() {
    let done = run(&[("send", TWO)], "", "(call $send (i32.const 65536) (i32.const 0))");
    assert!(done.outcome.is_ok(), "{:?}", done.outcome);
}

#[test]
fn a_message_above_the_limit_ends_the_call() {
    let done = run(&[("send", TWO)], "", "(call $send (i32.const 0) (i32.const 32769))");
    assert_eq!(kind(&done), Kind::LiftLimit);
}

#[test]
fn a_plugin_without_a_memory_can_pass_nothing() {
    let wat = "(module (import \"fledge\" \"send\" (func $send (param i32 i32)))
               (func (export \"_start\") (call $send (i32.const 0) (i32.const 0))))";
    assert_eq!(kind(&run_wat(wat, &[import("send", "send")])), Kind::BadPointer);
}

#[test]
fn a_stub_answers_without_passing_the_question_on() {
    let wat = "(module (import \"fledge\" \"metadata\" (func $metadata (param i32 i32) (result i32)))
               (import \"fledge\" \"recv\" (func $recv (param i32 i32) (result i32)))
               (memory (export \"memory\") 1) (data (i32.const 0) \"[]\")
               (func (export \"_start\") (drop (call $metadata (i32.const 0) (i32.const 2)))
                 (if (i32.ne (call $recv (i32.const 8) (i32.const 8)) (i32.const 2)) (then unreachable))))";
    let done = run_wat(wat, &[import("metadata", "deny:metadata"), import("recv", "recv")]);
    assert!(done.outcome.is_ok(), "{:?}", done.outcome);
    assert_eq!(done.asked, ["deny:metadata "]);
}

#[test]
fn another_type_than_the_protocols_is_not_linked() {
    let engine = engine(false);
    let wat = "(module (import \"fledge\" \"send\" (func (param i64 i64))) (func (export \"_start\")))";
    assert_eq!(link(&engine, wat, &[], &[import("send", "send")]).err().map(|fault| fault.kind), Some(Kind::Link));
    let wat = "(module (import \"fledge\" \"dance\" (func)) (func (export \"_start\")))";
    assert_eq!(link(&engine, wat, &[], &[import("dance", "dance")]).err().map(|fault| fault.kind), Some(Kind::Link));
}
