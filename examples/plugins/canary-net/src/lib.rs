//! The canary's probes of the network. It imports wasi:sockets, so without that grant it is not even instantiated.

wit_bindgen::generate!({ path: "../canary/wit", world: "canary" });

#[path = "../../canary/src/network.rs"]
mod network;
#[path = "../../canary/src/probe.rs"]
mod probe;

use exports::cordon::canary::probes::{Guest, ProbeResult};

struct CanaryNet;

impl Guest for CanaryNet {
    fn list_probes() -> Vec<String> {
        network::PROBES.iter().map(|probe| probe.name.to_string()).collect()
    }

    fn probe(name: String, settings: Vec<(String, String)>) -> ProbeResult {
        let outcome = probe::run(network::PROBES.iter(), &name, &probe::Settings::new(settings));
        ProbeResult { succeeded: outcome.is_ok(), detail: outcome.unwrap_or_else(|answer| answer) }
    }
}

export!(CanaryNet);
