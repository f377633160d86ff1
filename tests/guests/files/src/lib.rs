//! The guest of the file and host-call attacks: WASI's own functions, with nothing between.

wit_bindgen::generate!({ path: "wit" });

mod host;
mod raw;

pub struct Files;

export!(Files);
