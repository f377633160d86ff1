use serde_json::{Value, json};

/// The host: takes the JSON of one of the ten functions, and gives its JSON.
pub type Ask = fn(function: &str, question: &str) -> String;

/// What a tool answers zeroclaw.
fn answer(result: Result<String, String>) -> String {
    match result {
        Ok(output) => json!({"success": true, "output": output}),
        Err(error) => json!({"success": false, "output": "", "error": error}),
    }
    .to_string()
}

fn asked(ask: Ask, function: &str, question: &Value) -> Result<Value, String> {
    let told: Value = serde_json::from_str(&ask(function, &question.to_string())).map_err(|e| e.to_string())?;
    match told.get("error").and_then(Value::as_str) {
        Some(error) => Err(error.to_string()),
        None => Ok(told),
    }
}

/// The tool's arguments are those of the function.
fn pass(ask: Ask, function: &str, arguments: &str) -> Result<Value, String> {
    let arguments = serde_json::from_str(arguments).map_err(|_| "the arguments are not JSON".to_string())?;
    asked(ask, function, &arguments)
}

pub fn remember(ask: Ask, arguments: &str) -> String {
    answer(pass(ask, "zeroclaw_memory_store", arguments).map(|_| "remembered".into()))
}

pub fn recall(ask: Ask, arguments: &str) -> String {
    let found = pass(ask, "zeroclaw_memory_recall", arguments);
    answer(found.map(|told| told["results"].as_str().unwrap_or_default().to_string()))
}

pub fn forget(ask: Ask, arguments: &str) -> String {
    answer(pass(ask, "zeroclaw_memory_forget", arguments).map(|_| "forgotten".into()))
}

pub fn delegate(ask: Ask, arguments: &str) -> String {
    let told = pass(ask, "zeroclaw_tool_call", arguments);
    answer(told.map(|told| told["output"].as_str().unwrap_or_default().to_string()))
}

pub fn announce(ask: Ask, arguments: &str) -> String {
    answer(pass(ask, "zeroclaw_send_message", arguments).map(|_| "sent".into()))
}

pub fn channels(ask: Ask, _: &str) -> String {
    answer(asked(ask, "zeroclaw_get_channels", &json!({})).map(|told| told["channels"].to_string()))
}

pub fn shell(ask: Ask, arguments: &str) -> String {
    answer(pass(ask, "zeroclaw_cli_exec", arguments).map(|told| told.to_string()))
}

/// What it may know of whom it is called for; an error in place of what it may not.
pub fn whoami(ask: Ask, _: &str) -> String {
    let mut told = serde_json::Map::new();
    for (name, function) in
        [("session", "context_session"), ("user", "context_user_identity"), ("agent", "context_agent_config")]
    {
        told.insert(name.into(), asked(ask, function, &json!({})).unwrap_or_else(Value::from));
    }
    answer(Ok(Value::Object(told).to_string()))
}

/// {"questions": [[function, question], …]}: each as it stands, whatever it is. A list of what was answered.
pub fn ask(ask: Ask, arguments: &str) -> String {
    let given: Value = serde_json::from_str(arguments).unwrap_or_default();
    let text = |one: &Value, at: usize| one[at].as_str().unwrap_or_default().to_string();
    let questions = given["questions"].as_array().cloned().unwrap_or_default();
    let told: Vec<String> = questions.iter().map(|one| ask(&text(one, 0), &text(one, 1))).collect();
    answer(Ok(Value::from(told).to_string()))
}

/// A channel that leads into the channel `news`.
pub fn channel_send(ask: Ask, recipient: &str, message: &str) -> Result<(), String> {
    match message {
        "refuse" => return Err("it is not taken".into()),
        "crash" => panic!("a message that cannot be sent"),
        _ => (),
    }
    let question = json!({"channel": "news", "recipient": recipient, "message": message});
    asked(ask, "zeroclaw_send_message", &question).map(|_| ())
}

pub fn channel_listen() -> Vec<Value> {
    vec![json!({"sender": "bob", "content": "hello"}), json!("a text")]
}
