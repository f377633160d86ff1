//! The canary as a guest. The same probes run natively, in `native/`; those that need imports of their own are in
//! canary-net and canary-exec, because a guest whose imports are not granted does not start at all.

wit_bindgen::generate!({ path: "wit", world: "canary" });

mod authority;
mod exhaustion;
mod probe;

use exports::cordon::canary::probes::{Guest, ProbeResult};
use probe::Settings;

struct Canary;

impl Guest for Canary {
    fn list_probes() -> Vec<String> {
        authority::PROBES.iter().chain(exhaustion::PROBES).map(|probe| probe.name.to_string()).collect()
    }

    fn probe(name: String, settings: Vec<(String, String)>) -> ProbeResult {
        let probes = authority::PROBES.iter().chain(exhaustion::PROBES);
        let outcome = probe::run(probes, &name, &Settings::new(settings));
        ProbeResult { succeeded: outcome.is_ok(), detail: outcome.unwrap_or_else(|answer| answer) }
    }
}

export!(Canary);
