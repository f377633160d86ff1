//! The guest that writes to the host's log, and floods it. It imports nothing else.

wit_bindgen::generate!({ path: "wit", world: "cordon:log-guest/log-guest", generate_all });

use exports::cordon::log_guest::say::Guest;
use wasi::logging::logging::{Level, log};

struct LogGuest;

impl Guest for LogGuest {
    fn say(level: Level, context: String, message: String) {
        log(level, &context, &message);
    }

    fn flood(times: u32, length: u32) {
        let message = "x".repeat(length as usize);
        for _ in 0..times {
            log(Level::Info, "flood", &message);
        }
    }
}

export!(LogGuest);
