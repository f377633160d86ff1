//! What every probe has in common; shared by the guests and the native canary.

use std::collections::BTreeMap;

/// What was got, or why it was not.
pub type Outcome = Result<String, String>;

/// Where to look. A guest gets this as parameters of the call, so that it knows as much as the native canary.
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    pub fn get(&self, name: &str) -> Result<&str, String> {
        self.0.get(name).map(String::as_str).ok_or_else(|| format!("the setting '{name}' is missing"))
    }
}

pub struct Probe {
    pub name: &'static str,
    pub run: fn(&Settings) -> Outcome,
}

/// Runs the probe of that name.
pub fn run<'a>(mut probes: impl Iterator<Item = &'a Probe>, name: &str, settings: &Settings) -> Outcome {
    let probe = probes.find(|probe| probe.name == name).ok_or_else(|| format!("there is no probe '{name}'"))?;
    (probe.run)(settings)
}
