//! The guest that asks for its settings and for secrets. It imports nothing else.

wit_bindgen::generate!({
    path: ["../../../wit/wasi-keyvalue", "../../../wit/wasi-config", "../../../wit/cordon-secrets", "../storage/wit"],
    world: "cordon:storage-guest/settings-guest",
    generate_all
});

use cordon::secrets::store::{self as secrets, Error as SecretError};
use exports::cordon::storage_guest::settings::Guest;
use wasi::config::store::{self as config, Error as ConfigError};

struct SettingsGuest;

fn told(error: ConfigError) -> String {
    match error {
        ConfigError::Upstream(text) | ConfigError::Io(text) => text,
    }
}

impl Guest for SettingsGuest {
    fn get(key: String) -> Result<Option<String>, String> {
        config::get(&key).map_err(told)
    }

    fn all() -> Result<Vec<(String, String)>, String> {
        config::get_all().map_err(told)
    }

    fn secret(name: String) -> Result<String, String> {
        secrets::get(&name).map_err(|error| match error {
            SecretError::AccessDenied => "access-denied".into(),
            SecretError::NotFound => "not-found".into(),
            SecretError::Other(text) => text,
        })
    }
}

export!(SettingsGuest);
