//! The conformance suite's guest as a component: one export, and what it imports is WASI's.

wit_bindgen::generate!({ world: "guest", path: "wit" });

struct Component;
export!(Component);

impl Guest for Component {
    fn run(behaviour: String, input: String) -> Result<String, String> {
        conformance_common::run(&conformance_wit_home::WitHome, &behaviour, &input)
    }
}
