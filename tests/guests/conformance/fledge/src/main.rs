//! The conformance suite's guest as a plugin for fledge: it is told its arguments, keeps, logs and answers by messages.

use conformance_common::Home;
use serde_json::{Value, json};
use std::io::Read;

const MESSAGE_BYTES: usize = 64 << 10;

#[link(wasm_import_module = "fledge")]
unsafe extern "C" {
    safe fn exit(status: i32);
    fn recv(at: *mut u8, max: usize) -> i32;
    fn send(at: *const u8, bytes: usize);
    fn store_get(at: *const u8, bytes: usize) -> i32;
    fn store_set(at: *const u8, bytes: usize);
}

fn tell(message: &Value) {
    let text = message.to_string();
    unsafe { send(text.as_ptr(), text.len()) }
}

fn told() -> Value {
    let mut bytes = vec![0; MESSAGE_BYTES];
    let size = unsafe { recv(bytes.as_mut_ptr(), bytes.len()) };
    serde_json::from_slice(&bytes[..size as usize]).unwrap_or_default()
}

struct Fledge;

impl Home for Fledge {
    fn print(&self, text: &str) -> Result<(), String> {
        tell(&json!({ "type": "output", "text": text }));
        Ok(())
    }

    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        let text = json!({ "key": key, "value": value }).to_string();
        unsafe { store_set(text.as_ptr(), text.len()) }
        Ok(())
    }

    fn get(&self, key: &str) -> Result<Option<String>, String> {
        unsafe { store_get(key.as_ptr(), key.len()) };
        Ok(told().as_str().map(str::to_string))
    }

    fn log(&self, message: &str) -> Result<(), String> {
        tell(&json!({ "type": "log", "level": "warn", "message": message }));
        Ok(())
    }
}

fn main() {
    let behaviour = told()["args"][0].as_str().unwrap_or_default().to_string();
    let mut input = String::new();
    let read = std::io::stdin().read_to_string(&mut input).map_err(|error| error.to_string());
    let answer = read.and_then(|_| conformance_common::run(&Fledge, &behaviour, &input));
    if let Err(error) = answer.and_then(|text| Fledge.print(&text)) {
        eprint!("{error}");
        exit(1)
    }
}
