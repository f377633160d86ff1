//! The conformance suite's guest as a plugin for zeroclaw: one for Extism whose state is its agent's memory.

use conformance_common::Home;
use conformance_pdk_home::{Asked, PdkHome, answer};
use extism_pdk::*;
use serde_json::{Value, json};

#[link(wasm_import_module = "extism:host/user")]
unsafe extern "C" {
    fn zeroclaw_memory_recall(question: u64) -> u64;
    fn zeroclaw_memory_store(question: u64) -> u64;
}

struct Zeroclaw;

/// What the host tells, or the error that it tells.
fn told(offset: u64) -> Result<Value, String> {
    let block = Memory::find(offset).ok_or("nothing was told")?;
    let told: Value = serde_json::from_slice(&block.to_vec()).map_err(|error| error.to_string())?;
    match told["error"].as_str() {
        Some(error) => Err(error.to_string()),
        None => Ok(told),
    }
}

fn question(value: &Value) -> Result<Memory, String> {
    Memory::from_bytes(value.to_string()).map_err(|error| error.to_string())
}

impl Home for Zeroclaw {
    fn setting(&self, key: &str) -> Result<Option<String>, String> {
        PdkHome.setting(key)
    }

    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        let asked = question(&json!({ "key": key, "value": value }))?;
        told(unsafe { zeroclaw_memory_store(asked.offset()) }).map(|_| ())
    }

    fn get(&self, key: &str) -> Result<Option<String>, String> {
        let asked = question(&json!({ "query": key }))?;
        let told = told(unsafe { zeroclaw_memory_recall(asked.offset()) })?;
        let results = told["results"].as_str().unwrap_or_default();
        let results: Vec<Value> = serde_json::from_str(results).map_err(|error| error.to_string())?;
        let found = results.iter().find(|result| result["key"] == key);
        Ok(found.and_then(|result| result["content"].as_str()).map(str::to_string))
    }

    fn log(&self, message: &str) -> Result<(), String> {
        PdkHome.log(message)
    }

    fn fetch(&self, url: &str) -> Result<String, String> {
        PdkHome.fetch(url)
    }
}

#[plugin_fn]
pub fn run(Json(asked): Json<Asked>) -> FnResult<String> {
    answer(&Zeroclaw, &asked)
}
