//! JSON Schema, draft 2020-12: offline, with the linear-time regular expressions, and with a budget of steps.

use crate::schema_rules::{STEP_KEYWORD, prepare};
use crate::{Failure, Outcome, Status};
use jsonschema::{Draft, Keyword, PatternOptions, ValidationError, Validator};
use serde_json::Value;
use std::cell::Cell;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

const SCHEMA_BYTES_MAX: usize = 1 << 20;
const VALUE_BYTES_MAX: usize = 64 << 20;
const DEPTH_MAX: usize = 64;
/// References followed in one check. Judging costs tens of nanoseconds a step, explaining tens of microseconds.
const STEPS_MAX: u64 = 2_000_000;
const EXPLAIN_STEPS_MAX: u64 = 20_000;
const VIOLATIONS_MAX: usize = 20;
/// Beyond this product of value nodes and subschemas only the first violation is looked for: the library collects
/// all of them before it gives the first.
const COLLECT_MAX: usize = 2_000_000;
const MESSAGE_MAX: usize = 240;
const REGEX_BYTES_MAX: usize = 1 << 20;

pub struct Schema {
    validator: Validator,
    subschemas: usize,
}

thread_local! {
    static STEPS_LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Thrown through the library when the budget is spent.
struct BudgetSpent;

struct Step;

fn step() {
    STEPS_LEFT.with(|left| match left.get() {
        0 => resume_unwind(Box::new(BudgetSpent)), // no hook, no message
        n => left.set(n - 1),
    });
}

impl<'i> Keyword<'i> for Step {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        step();
        Ok(())
    }
    fn is_valid(&self, _: &'i Value) -> bool {
        step();
        true
    }
}

impl Schema {
    pub fn compile(json: &[u8]) -> Outcome<Schema> {
        if json.len() > SCHEMA_BYTES_MAX {
            return Err(Failure::new(Status::Limit, format!("a schema of more than {SCHEMA_BYTES_MAX} bytes")));
        }
        check_depth(json, "a schema")?;
        let mut schema: Value =
            serde_json::from_slice(json).map_err(|error| Failure::new(Status::Syntax, format!("not JSON: {error}")))?;
        let subschemas = prepare(&mut schema)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .with_pattern_options(PatternOptions::regex().size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX))
            .should_validate_formats(true)
            .with_keyword(STEP_KEYWORD, |_, _, _| Ok(Box::new(Step)))
            .build(&schema)
            .map_err(|error| Failure::new(Status::Invalid, message(&error)))?;
        Ok(Schema { validator, subschemas })
    }

    /// A JSON array of `[instance path, schema path, message]`, or nothing when the value fits.
    pub fn check(&self, json: &[u8]) -> Outcome<String> {
        if json.len() > VALUE_BYTES_MAX {
            return Err(Failure::new(Status::Limit, format!("a value of more than {VALUE_BYTES_MAX} bytes")));
        }
        check_depth(json, "a value")?;
        let value: Value =
            serde_json::from_slice(json).map_err(|error| Failure::new(Status::Syntax, format!("not JSON: {error}")))?;
        let Some(fits) = within(STEPS_MAX, || self.validator.is_valid(&value)) else {
            let message = format!("checking the value against its schema takes more than {STEPS_MAX} steps");
            return Err(Failure::new(Status::Limit, message));
        };
        if fits {
            return Ok(String::new());
        }
        let violations = within(EXPLAIN_STEPS_MAX, || self.violations(&value))
            .unwrap_or_else(|| vec![(String::new(), String::new(), "the value does not fit the schema".to_string())]);
        Ok(serde_json::to_string(&violations).unwrap_or_default())
    }

    fn violations(&self, value: &Value) -> Vec<(String, String, String)> {
        if nodes(value).saturating_mul(self.subschemas) > COLLECT_MAX {
            return self.validator.validate(value).err().iter().map(violation).collect();
        }
        self.validator.iter_errors(value).take(VIOLATIONS_MAX).map(|error| violation(&error)).collect()
    }
}

/// Runs `body` with a budget; nothing when it was spent.
fn within<T>(steps: u64, body: impl FnOnce() -> T) -> Option<T> {
    STEPS_LEFT.with(|left| left.set(steps));
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<BudgetSpent>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

fn violation(error: &ValidationError<'_>) -> (String, String, String) {
    (error.instance_path().to_string(), error.schema_path().to_string(), message(error))
}

/// Writes until the text is too long, so that a megabyte of value is never spelled out.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > MESSAGE_MAX {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn message(error: &ValidationError<'_>) -> String {
    let mut bounded = Bounded(String::new());
    let text = if write!(bounded, "{error}").is_ok() {
        bounded.0
    } else {
        let mut masked = Bounded(String::new());
        let _ = write!(masked, "{}", error.masked());
        masked.0
    };
    let mut letters = text.trim_end_matches('.').chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "does not fit the schema".to_string(),
    }
}

fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Object(object) => 1 + object.values().map(nodes).sum::<usize>(),
        _ => 1,
    }
}

/// The library recurses over values; this bounds how far.
fn check_depth(json: &[u8], what: &str) -> Outcome<()> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for &byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Failure::new(Status::Limit, format!("{what} nested deeper than {DEPTH_MAX}")));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
