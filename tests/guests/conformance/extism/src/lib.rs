//! The conformance suite's guest as a plugin for Extism, by its own PDK.

use conformance_pdk_home::{Asked, PdkHome, answer};
use extism_pdk::*;

#[plugin_fn]
pub fn run(Json(asked): Json<Asked>) -> FnResult<String> {
    answer(&PdkHome, &asked)
}
