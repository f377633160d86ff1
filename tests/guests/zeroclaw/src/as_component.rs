//! As a component: the same questions, asked by Cordon's own interfaces.

wit_bindgen::generate!({
    path: [
        "../../../wit/cordon-memory",
        "../../../wit/cordon-tools",
        "../../../wit/cordon-messaging",
        "../../../wit/cordon-channels",
        "../../../wit/cordon-exec",
        "../../../wit/cordon-context",
        "wit",
    ],
    world: "cordon:zeroclaw-guest/zeroclaw-guest",
    generate_all
});

use crate::tools;
use cordon::channels::directory;
use cordon::context::call;
use cordon::exec::runner::{self, Ending};
use cordon::memory::memory::{self, Scope};
use cordon::messaging::producer;
use cordon::tools::caller;
use exports::cordon::messaging::channel::{Guest as Channel, Message};
use exports::cordon::zeroclaw_guest::tools::Guest as Tools;
use serde_json::{Map, Value, json};

const DENIED: &str = "E_DENIED: access denied";
/// Of a program, so that its plugin has time to say what became of it.
const PROGRAM_MS: u32 = 800;

struct Guest;

fn ask(function: &str, question: &str) -> String {
    match answer(function, question) {
        Ok(value) => value,
        Err(error) => failure(function, error),
    }
    .to_string()
}

fn failure(function: &str, error: String) -> Value {
    match function {
        "zeroclaw_tool_call" => json!({"success": false, "output": "", "error": error}),
        "zeroclaw_memory_store" | "zeroclaw_memory_forget" | "zeroclaw_send_message" => {
            json!({"success": false, "error": error})
        }
        _ => json!({"error": error}),
    }
}

fn answer(function: &str, question: &str) -> Result<Value, String> {
    let fields = Fields::read(question)?;
    match function {
        "zeroclaw_memory_store" => {
            let (key, value) = (fields.text("key")?, fields.text("value")?);
            fields.only(&["key", "value"])?;
            memory::store(Scope::Agent, &value, &[key]).map_err(forgotten)?;
            Ok(json!({"success": true}))
        }
        "zeroclaw_memory_recall" => {
            let query = fields.text("query")?;
            fields.only(&["query"])?;
            let found = memory::recall(Scope::Agent, &query, 100).map_err(forgotten)?;
            let entries: Vec<Value> = found.into_iter().map(entry).collect();
            Ok(json!({"results": Value::from(entries).to_string()}))
        }
        "zeroclaw_memory_forget" => {
            let key = fields.text("key")?;
            fields.only(&["key"])?;
            match memory::forget(Scope::Agent, &key).map_err(forgotten)? {
                true => Ok(json!({"success": true})),
                false => Err("E_NOT_FOUND: nothing is kept under this key".into()),
            }
        }
        "zeroclaw_tool_call" => tool_call(&fields),
        "zeroclaw_send_message" => send_message(&fields),
        "zeroclaw_get_channels" => {
            fields.only(&[])?;
            let names = directory::to_send().map_err(|error| match error {
                directory::Error::AccessDenied => DENIED.into(),
                directory::Error::Other(text) => text,
            })?;
            Ok(json!({"channels": names}))
        }
        "zeroclaw_cli_exec" => run(&fields),
        "context_session" => fields.only(&[]).and_then(|()| told("session", call::session())),
        "context_user_identity" => fields.only(&[]).and_then(|()| told("user", call::user())),
        "context_agent_config" => fields.only(&[]).and_then(|()| told("agent", call::agent())),
        _ => Err("E_LINK: there is no such function".into()),
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn read(text: &str) -> Result<Fields, String> {
        if text.is_empty() {
            return Ok(Fields(Map::new()));
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err("E_TYPE: the input is not an object".into()),
            Err(error) if error.to_string().starts_with("recursion limit") => {
                Err("E_LIMIT: the input is too large or too deep".into())
            }
            Err(_) => Err("E_SYNTAX: the input is not JSON".into()),
        }
    }

    fn any(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let value = self.any(name).ok_or(format!("E_MISSING: '{name}' is missing"))?;
        value.as_str().map(String::from).ok_or(format!("E_TYPE: '{name}' is not a text"))
    }

    fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.0.keys().all(|key| known.contains(&key.as_str())) {
            true => Ok(()),
            false => Err("E_UNKNOWN_KEY: there is a field that is not known".into()),
        }
    }
}

/// A stub names no rule.
fn denied(rule: &str) -> String {
    if rule.is_empty() { DENIED.into() } else { format!("E_DENIED: {rule}") }
}

fn forgotten(error: memory::Error) -> String {
    match error {
        memory::Error::AccessDenied => DENIED.into(),
        memory::Error::NoScope => "E_NOT_FOUND: the host named no session or agent for this call".into(),
        memory::Error::Other(text) => text,
    }
}

fn entry(entry: memory::Entry) -> Value {
    let key = entry.labels.first().unwrap_or(&entry.id).clone();
    json!({"id": entry.id, "content": entry.text, "key": key, "timestamp": moment(entry.stored_ms / 1000)})
}

/// Seconds since 1970 as zeroclaw writes them. (Days from civil, backwards.)
fn moment(seconds: u64) -> String {
    let (days, left) = (seconds / 86400 + 719_468, seconds % 86400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", left / 3600, left / 60 % 60, left % 60)
}

fn tool_call(fields: &Fields) -> Result<Value, String> {
    let name = fields.text("tool_name")?;
    let arguments = fields.any("arguments").ok_or("E_MISSING: 'arguments' is missing")?;
    if !arguments.is_object() {
        return Err("E_TYPE: 'arguments' is not an object".into());
    }
    fields.only(&["tool_name", "arguments"])?;
    let answer = caller::call(&name, &arguments.to_string()).map_err(|error| match error {
        caller::Error::AccessDenied(rule) => denied(&rule),
        caller::Error::Answered(json) => json,
        caller::Error::Failed(failure) => format!("{}: {}", failure.code, failure.message),
    })?;
    Ok(match serde_json::from_str(&answer) {
        Ok(Value::Object(told)) if told.get("success").is_some_and(Value::is_boolean) => Value::Object(told),
        Ok(Value::String(text)) => json!({"success": true, "output": text}),
        _ => json!({"success": true, "output": answer}),
    })
}

fn send_message(fields: &Fields) -> Result<Value, String> {
    let channel = fields.text("channel")?;
    let body = json!({"recipient": fields.text("recipient")?, "message": fields.text("message")?});
    fields.only(&["channel", "recipient", "message"])?;
    producer::send(&channel, body.to_string().as_bytes()).map_err(|error| match error {
        producer::Error::AccessDenied => DENIED.into(),
        producer::Error::QueueFull => "queue-full".into(),
        producer::Error::RateLimited => "rate-limited".into(),
        producer::Error::Other(text) => text,
    })?;
    Ok(json!({"success": true}))
}

fn run(fields: &Fields) -> Result<Value, String> {
    let command = fields.text("command")?;
    let mut arguments = Vec::new();
    for one in fields.any("args").and_then(Value::as_array).into_iter().flatten() {
        arguments.push(one.as_str().ok_or("E_TYPE: 'args' is not a list of texts")?.to_string());
    }
    let directory = match fields.any("working_dir") {
        Some(_) => Some(fields.text("working_dir")?),
        None => None,
    };
    fields.only(&["command", "args", "working_dir", "env"])?;
    if fields.any("env").and_then(Value::as_object).is_some_and(|names| !names.is_empty()) {
        return Err("E_DENIED: exec:env".into());
    }
    let options = runner::Options { directory, stdin: Vec::new(), timeout_ms: Some(PROGRAM_MS) };
    let outcome = runner::run(&command, &arguments, &options).map_err(|error| match error {
        runner::Error::AccessDenied(rule) => denied(&rule),
        runner::Error::Other(text) => text,
    })?;
    let (exit_code, timed_out) = match outcome.ended {
        Ending::Exited(status) => (i64::from(status), false),
        Ending::Signalled(signal) => (128 + i64::from(signal), false),
        Ending::TimedOut => (-1, true),
    };
    Ok(json!({
        "exit_code": exit_code,
        "timed_out": timed_out,
        "stdout": String::from_utf8_lossy(&outcome.stdout),
        "stderr": String::from_utf8_lossy(&outcome.stderr),
        "truncated": outcome.stdout_truncated || outcome.stderr_truncated,
    }))
}

fn told(part: &str, told: Result<Option<String>, call::Error>) -> Result<Value, String> {
    let name = match told {
        Ok(Some(name)) => name,
        Ok(None) => return Err(format!("E_NOT_FOUND: the host named no {part} for this call")),
        Err(call::Error::AccessDenied) => return Err(DENIED.into()),
        Err(call::Error::Other(text)) => return Err(text),
    };
    Ok(match part {
        "user" => json!({"username": name, "display_name": name, "channel_user_id": name}),
        "agent" => json!({"name": name, "personality_traits": [], "identity": {}}),
        _ => {
            let (channel, conversation) = name.split_once('/').unwrap_or(("", &name));
            json!({"channel_name": channel, "conversation_id": conversation, "timestamp": "1970-01-01T00:00:00Z"})
        }
    })
}

macro_rules! tools {
    ($($name:ident)*) => {
        impl Tools for Guest {
            $(fn $name(arguments: String) -> String {
                tools::$name(ask, &arguments)
            })*
        }
    };
}
tools! { remember recall forget delegate announce channels shell whoami ask }

impl Channel for Guest {
    fn send(message: Message) -> Result<(), String> {
        let body: Value = serde_json::from_slice(&message.body).map_err(|error| error.to_string())?;
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_string();
        tools::channel_send(ask, &text("recipient"), &text("message"))
    }

    fn listen(_: u32) -> Result<Vec<Vec<u8>>, String> {
        let text = |one: Value| one.as_str().map_or_else(|| one.to_string(), String::from);
        Ok(tools::channel_listen().into_iter().map(|one| text(one).into_bytes()).collect())
    }
}

export!(Guest);
