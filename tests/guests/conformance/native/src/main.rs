//! The conformance suite's guest as a native plugin: a program of this machine that speaks in lines of JSON.

use conformance_common::Home;
use serde_json::{Value, json};
use std::process::ExitCode;

/// A line of its own has a limit; an answer has as many lines as it needs.
const TEXT_BYTES: usize = 256 << 10;

fn tell(message: &Value) {
    println!("{message}");
}

fn told() -> Value {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.ok().and_then(|_| serde_json::from_str(&line).ok()).unwrap_or_default()
}

struct Native;

impl Home for Native {
    fn print(&self, text: &str) -> Result<(), String> {
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(rest.floor_char_boundary(TEXT_BYTES));
            tell(&json!({ "type": "output", "text": piece }));
            rest = left;
        }
        Ok(())
    }

    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        tell(&json!({ "type": "store", "key": key, "value": value }));
        Ok(())
    }

    fn get(&self, key: &str) -> Result<Option<String>, String> {
        tell(&json!({ "type": "load", "id": "1", "key": key }));
        Ok(told()["value"].as_str().map(str::to_string))
    }

    fn log(&self, message: &str) -> Result<(), String> {
        tell(&json!({ "type": "log", "level": "warn", "message": message }));
        Ok(())
    }
}

fn main() -> ExitCode {
    let init = told();
    let word = |at: usize| init["args"][at].as_str().unwrap_or_default();
    let answer = conformance_common::run(&Native, word(0), word(1)).and_then(|text| Native.print(&text));
    if let Err(error) = answer {
        eprint!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
