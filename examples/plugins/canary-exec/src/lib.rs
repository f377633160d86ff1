//! The canary's probe of commands. WASI has no way to start one, so it asks the host for an interface of its own
//! invention; without it, it is not even instantiated.

wit_bindgen::generate!({ path: "../canary/wit", world: "canary-exec" });

use cordon::canary::shell;
use exports::cordon::canary::probes::{Guest, ProbeResult};

struct CanaryExec;

impl Guest for CanaryExec {
    fn list_probes() -> Vec<String> {
        vec!["command".into()]
    }

    fn probe(_: String, _: Vec<(String, String)>) -> ProbeResult {
        let outcome = shell::run("id", &[]);
        ProbeResult { succeeded: outcome.is_ok(), detail: outcome.unwrap_or_else(|answer| answer) }
    }
}

export!(CanaryExec);
