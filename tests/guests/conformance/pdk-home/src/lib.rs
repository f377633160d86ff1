//! What plugins for Extism have: settings, variables, the log and HTTP by Extism's own PDK.

use conformance_common::Home;
use extism_pdk::*;
use serde::Deserialize;

/// The input of a call.
#[derive(Deserialize)]
pub struct Asked {
    pub behaviour: String,
    pub input: String,
}

pub fn answer(home: &impl Home, asked: &Asked) -> FnResult<String> {
    conformance_common::run(home, &asked.behaviour, &asked.input).map_err(|error| WithReturnCode(Error::msg(error), 1))
}

pub struct PdkHome;

fn told(error: Error) -> String {
    error.to_string()
}

impl Home for PdkHome {
    fn setting(&self, key: &str) -> Result<Option<String>, String> {
        config::get(key).map_err(told)
    }

    fn put(&self, key: &str, value: &str) -> Result<(), String> {
        var::set(key, value).map_err(told)
    }

    fn get(&self, key: &str) -> Result<Option<String>, String> {
        var::get(key).map_err(told)
    }

    fn log(&self, message: &str) -> Result<(), String> {
        log!(LogLevel::Warn, "{message}");
        Ok(())
    }

    fn fetch(&self, url: &str) -> Result<String, String> {
        let answer = http::request::<()>(&HttpRequest::new(url), None).map_err(told)?;
        String::from_utf8(answer.body()).map_err(|error| error.to_string())
    }
}
