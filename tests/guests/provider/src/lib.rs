//! The guest that keeps the memories of others, and is a channel. It keeps nothing: what it answers says what it was
//! asked. It imports nothing.

wit_bindgen::generate!({
    path: ["../../../wit/cordon-memory", "../../../wit/cordon-messaging", "wit"],
    world: "cordon:provider-guest/provider-guest",
    generate_all
});

use exports::cordon::memory::provider::{Entry, Guest as Provider, Place};
use exports::cordon::messaging::channel::{Guest as Channel, Message};

struct ProviderGuest;

fn spelled(place: &Place) -> String {
    format!("{}/{:?}/{}", place.owner, place.scope, place.name)
}

impl Provider for ProviderGuest {
    fn store(place: Place, text: String, labels: Vec<String>) -> Result<String, String> {
        match text.as_str() {
            "refuse" => Err("E_LIMIT: it is full".into()),
            "crash" => panic!("a provider that crashes"),
            "lie" => Ok("\u{1b}[31m".repeat(1000)),
            _ => Ok(format!("{} {text} {}", spelled(&place), labels.join(","))),
        }
    }

    fn recall(place: Place, query: String, max: u32) -> Result<Vec<Entry>, String> {
        let (text, labels) = (spelled(&place), vec![query]);
        let entry = |n: u32| Entry { id: n.to_string(), text: text.clone(), labels: labels.clone(), stored_ms: 7 };
        // One more than was asked for.
        Ok((0..=max).map(entry).collect())
    }

    fn forget(_: Place, id: String) -> Result<bool, String> {
        Ok(id == "0")
    }

    fn forget_all(place: Place) -> Result<u64, String> {
        Ok(place.entries_max)
    }
}

impl Channel for ProviderGuest {
    fn send(message: Message) -> Result<(), String> {
        match message.body.as_slice() {
            b"crash" => panic!("a message that cannot be sent"),
            b"refuse" => Err("the other side does not answer".into()),
            _ => Ok(()),
        }
    }

    fn listen(max: u32) -> Result<Vec<Vec<u8>>, String> {
        Ok((0..max.min(2)).map(|n| format!("heard {n}").into_bytes()).collect())
    }
}

export!(ProviderGuest);
