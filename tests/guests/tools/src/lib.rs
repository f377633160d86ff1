//! The guest that calls other plugins, and is called.

wit_bindgen::generate!({
    path: ["../../../wit/cordon-tools", "../../../wit/wasi-keyvalue", "wit"],
    world: "cordon:tools-guest/tools-guest",
    generate_all
});

use cordon::tools::caller::{self, Error};
use cordon::tools::callee;
use exports::cordon::tools_guest::relay::Guest;
use wasi::keyvalue::atomics;
use wasi::keyvalue::store::{self, Bucket};

struct ToolsGuest;

fn told(error: Error) -> String {
    match error {
        Error::AccessDenied(rule) => format!("access-denied {rule}"),
        Error::Answered(json) => format!("answered {json}"),
        Error::Failed(failure) => format!("{} {}", failure.code, failure.message),
    }
}

fn bucket() -> Result<Bucket, String> {
    store::open("kept").map_err(denied)
}

fn denied(error: store::Error) -> String {
    match error {
        store::Error::NoSuchStore => "no-such-store".into(),
        store::Error::AccessDenied => "access-denied".into(),
        store::Error::Other(text) => text,
    }
}

fn count() {
    if let Ok(bucket) = bucket() {
        let _ = atomics::increment(&bucket, "count", 1);
    }
}

impl Guest for ToolsGuest {
    fn ask(action: String, input: String) -> Result<String, String> {
        caller::call(&action, &input).map_err(told)
    }

    fn ask_often(action: String, input: String, times: u32) -> (u32, String) {
        let mut last = String::new();
        for n in 0..times {
            match caller::call(&action, &input) {
                Ok(answer) => last = answer,
                Err(error) => return (n, told(error)),
            }
        }
        (times, last)
    }

    fn ask_large(action: String, bytes: u32, depth: u32) -> Result<String, String> {
        let text = "x".repeat(bytes as usize);
        let (open, close) = ("[".repeat(depth as usize), "]".repeat(depth as usize));
        let more = if depth > 0 { format!(", \"more\": {open}{close}") } else { String::new() };
        caller::call(&action, &format!("{{\"text\": \"{text}\"{more}}}")).map_err(told)
    }

    fn who() -> Vec<String> {
        callee::callers()
    }

    fn keep(key: String, value: String) -> Result<(), String> {
        bucket()?.set(&key, value.as_bytes()).map_err(denied)
    }

    fn look(key: String) -> Result<Option<String>, String> {
        Ok(bucket()?.get(&key).map_err(denied)?.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    fn spin() -> u32 {
        count();
        let mut n = 0u32;
        loop {
            n = std::hint::black_box(n.wrapping_add(1));
        }
    }

    fn boom() -> u32 {
        count();
        unreachable!()
    }

    fn large(bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }

    fn echo(text: String) -> String {
        text
    }
}

export!(ToolsGuest);
