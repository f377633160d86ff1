//! The guest that asks in whose name it is called, remembers, sends and receives. It imports nothing else.

wit_bindgen::generate!({
    path: ["../../../wit/cordon-context", "../../../wit/cordon-memory", "../../../wit/cordon-messaging", "wit"],
    world: "cordon:agent-guest/agent-guest",
    generate_all
});

use cordon::context::call::{self, Error as CallError};
use cordon::memory::memory::{self, Error as MemoryError, Scope as Place};
use cordon::messaging::consumer::{self, Error as ReceiveError, Sender};
use cordon::messaging::producer::{self, Error as SendError};
use exports::cordon::agent_guest::agent::{Guest, Memory, Message, Scope, Then, Told};

struct AgentGuest;

fn unknown(error: CallError) -> String {
    match error {
        CallError::AccessDenied => "access-denied".into(),
        CallError::Other(text) => text,
    }
}

fn forgotten(error: MemoryError) -> String {
    match error {
        MemoryError::AccessDenied => "access-denied".into(),
        MemoryError::NoScope => "no-scope".into(),
        MemoryError::Other(text) => text,
    }
}

fn unsent(error: SendError) -> String {
    match error {
        SendError::AccessDenied => "access-denied".into(),
        SendError::QueueFull => "queue-full".into(),
        SendError::RateLimited => "rate-limited".into(),
        SendError::Other(text) => text,
    }
}

fn unreceived(error: ReceiveError) -> String {
    match error {
        ReceiveError::AccessDenied => "access-denied".into(),
        ReceiveError::Other(text) => text,
    }
}

fn place(scope: Scope) -> Place {
    match scope {
        Scope::Plugin => Place::Plugin,
        Scope::Session => Place::Session,
        Scope::Agent => Place::Agent,
    }
}

impl Guest for AgentGuest {
    fn who() -> Told {
        Told {
            user: call::user().map_err(unknown),
            session: call::session().map_err(unknown),
            agent: call::agent().map_err(unknown),
        }
    }

    fn store(scope: Scope, text: String, labels: Vec<String>) -> Result<String, String> {
        memory::store(place(scope), &text, &labels).map_err(forgotten)
    }

    fn recall(scope: Scope, query: String, max: u32) -> Result<Vec<Memory>, String> {
        let found = memory::recall(place(scope), &query, max).map_err(forgotten)?;
        Ok(found.into_iter().map(|entry| Memory { id: entry.id, text: entry.text, labels: entry.labels }).collect())
    }

    fn forget(scope: Scope, id: String) -> Result<bool, String> {
        memory::forget(place(scope), &id).map_err(forgotten)
    }

    fn forget_all(scope: Scope) -> Result<u64, String> {
        memory::forget_all(place(scope)).map_err(forgotten)
    }

    fn fill(scope: Scope, count: u32, size: u32) -> (u32, Option<String>) {
        let text = "x".repeat(size as usize);
        for done in 0..count {
            if let Err(error) = memory::store(place(scope), &text, &[]) {
                return (done, Some(forgotten(error)));
            }
        }
        (count, None)
    }

    fn send(channel: String, body: String) -> Result<String, String> {
        producer::send(&channel, body.as_bytes()).map_err(unsent)
    }

    fn flood(channel: String, count: u32, size: u32) -> (u32, u32, u32, Option<String>) {
        let body = vec![b'x'; size as usize];
        let (mut sent, mut full, mut fast) = (0, 0, 0);
        for _ in 0..count {
            match producer::send(&channel, &body) {
                Ok(_) => sent += 1,
                Err(SendError::QueueFull) => full += 1,
                Err(SendError::RateLimited) => fast += 1,
                Err(error) => return (sent, full, fast, Some(unsent(error))),
            }
        }
        (sent, full, fast, None)
    }

    fn receive(channel: String, max: u32, then: Then) -> Result<Vec<Message>, String> {
        let mut out = Vec::new();
        for message in consumer::receive(&channel, max).map_err(unreceived)? {
            match then {
                Then::Acknowledge => drop(consumer::acknowledge(&channel, &message.id).map_err(unreceived)?),
                Then::Leave => (),
                Then::Crash => panic!("a message that cannot be worked on"),
            }
            out.push(Message {
                id: message.id,
                sender: match message.sender {
                    Sender::Host => "host".into(),
                    Sender::Plugin(name) => format!("plugin:{name}"),
                },
                attempt: message.attempt,
                body: String::from_utf8_lossy(&message.body).into_owned(),
            });
        }
        Ok(out)
    }

    fn acknowledge(channel: String, id: String) -> Result<bool, String> {
        consumer::acknowledge(&channel, &id).map_err(unreceived)
    }
}

export!(AgentGuest);
