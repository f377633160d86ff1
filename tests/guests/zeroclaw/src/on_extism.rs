//! As zeroclaw runs it: exports take and give bytes, and the host's functions take and give offsets of JSON.

use crate::tools;
use extism_pdk::*;
use serde_json::{Value, json};

macro_rules! host_functions {
    ($($name:ident)*) => {
        #[link(wasm_import_module = "extism:host/user")]
        unsafe extern "C" {
            $(fn $name(question: u64) -> u64;)*
        }

        fn reach(function: &str, question: u64) -> u64 {
            match function {
                $(stringify!($name) => unsafe { $name(question) },)*
                _ => 0,
            }
        }
    };
}

host_functions! {
    zeroclaw_memory_store zeroclaw_memory_recall zeroclaw_memory_forget zeroclaw_tool_call zeroclaw_send_message
    zeroclaw_get_channels zeroclaw_cli_exec context_session context_user_identity context_agent_config
}

fn ask(function: &str, question: &str) -> String {
    let block = Memory::from_bytes(question).expect("memory for a question");
    let told = reach(function, if question.is_empty() { 0 } else { block.offset() });
    Memory::find(told).map(|block| String::from_utf8_lossy(&block.to_vec()).into_owned()).unwrap_or_default()
}

macro_rules! tools {
    ($($name:ident)*) => {
        $(#[plugin_fn]
        pub fn $name(arguments: String) -> FnResult<String> {
            Ok(tools::$name(ask, &arguments))
        })*
    };
}

// `ask` is the function above, so the tool of that name is `question`.
tools! { remember recall forget delegate announce channels shell whoami }

#[plugin_fn]
pub fn question(arguments: String) -> FnResult<String> {
    Ok(tools::ask(ask, &arguments))
}

/// {"function", "at"}: an offset that it may not have. `at` is a number, or "freed" for that of a block that is gone.
#[plugin_fn]
pub fn wild(arguments: String) -> FnResult<String> {
    let given: Value = serde_json::from_str(&arguments)?;
    let at = match given["at"].as_u64() {
        Some(at) => at,
        None => {
            let block = Memory::from_bytes("{\"key\":\"k\",\"value\":\"v\"}")?;
            let at = block.offset();
            block.free();
            at
        }
    };
    Ok(reach(given["function"].as_str().unwrap_or_default(), at).to_string())
}

#[plugin_fn]
pub fn channel_send(given: String) -> FnResult<String> {
    let given: Value = serde_json::from_str(&given)?;
    let text = |name: &str| given[name].as_str().unwrap_or_default().to_string();
    let sent = tools::channel_send(ask, &text("recipient"), &text("message"));
    Ok(match sent {
        Ok(()) => json!({"success": true}),
        Err(error) => json!({"success": false, "error": error}),
    }
    .to_string())
}

#[plugin_fn]
pub fn channel_listen(_: String) -> FnResult<String> {
    Ok(Value::from(tools::channel_listen()).to_string())
}
