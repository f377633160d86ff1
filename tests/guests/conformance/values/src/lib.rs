//! The guest of the conformance tests: every WIT type, and every thing that a plugin may try.

wit_bindgen::generate!({ path: "wit" });

mod behaviour;
mod echo;

pub struct Conformance;

export!(Conformance);
