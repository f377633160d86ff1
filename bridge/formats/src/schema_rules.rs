//! What a schema may hold, judged before it is compiled: every reference stays inside the document, nothing loops in
//! place, and the whole is of bounded size. Every `$ref` also gets a sibling keyword that counts steps at check time,
//! because a small schema with shared references can ask for more steps than there are atoms.

use crate::{Failure, Outcome, Status};
use serde_json::{Map, Value};
use std::collections::HashMap;

pub const STEP_KEYWORD: &str = "x-cordon-step";
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
const LOCATIONS_MAX: usize = 20_000;
const IN_PLACE_MAX: usize = 24;

const SCHEMA: &[&str] = &[
    "additionalProperties",
    "unevaluatedProperties",
    "items",
    "unevaluatedItems",
    "contains",
    "propertyNames",
    "contentSchema",
    "additionalItems",
];
const SCHEMA_IN_PLACE: &[&str] = &["not", "if", "then", "else"];
const MAP: &[&str] = &["properties", "patternProperties", "$defs", "definitions"];
const MAP_IN_PLACE: &[&str] = &["dependentSchemas", "dependencies"];
const LIST: &[&str] = &["prefixItems"];
const LIST_IN_PLACE: &[&str] = &["allOf", "anyOf", "oneOf"];
const REFUSED: &[&str] = &["$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"];

struct Location {
    pointer: String,
    in_place: Vec<usize>,
}

struct Walk<'a> {
    root: &'a Value,
    anchors: HashMap<String, String>,
    locations: Vec<Location>,
    by_pointer: HashMap<String, usize>,
    has_ref: Vec<usize>,
}

/// Checks the rules and inserts the step keyword. Returns the number of subschemas.
pub fn prepare(schema: &mut Value) -> Outcome<usize> {
    if !matches!(schema, Value::Object(_) | Value::Bool(_)) {
        return Err(Failure::new(Status::Invalid, "a schema is an object or a boolean"));
    }
    let (marked, count) = {
        let mut walk = Walk {
            root: schema,
            anchors: HashMap::new(),
            locations: Vec::new(),
            by_pointer: HashMap::new(),
            has_ref: Vec::new(),
        };
        collect_anchors(schema, &mut String::new(), &mut walk.anchors);
        walk.location(String::new())?;
        let mut next = 0;
        while next < walk.locations.len() {
            walk.visit(next)?;
            next += 1;
        }
        walk.refuse_loops()?;
        let marked: Vec<String> = walk.has_ref.iter().map(|&at| walk.locations[at].pointer.clone()).collect();
        (marked, walk.locations.len())
    };
    for pointer in marked {
        if let Some(Value::Object(object)) = schema.pointer_mut(&pointer) {
            let mut with_step = Map::new();
            with_step.insert(STEP_KEYWORD.to_string(), Value::Bool(true));
            with_step.append(object);
            *object = with_step;
        }
    }
    Ok(count)
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn collect_anchors(value: &Value, pointer: &mut String, anchors: &mut HashMap<String, String>) {
    let size = pointer.len();
    match value {
        Value::Object(object) => {
            if let Some(Value::String(name)) = object.get("$anchor") {
                anchors.entry(name.clone()).or_insert_with(|| pointer.clone());
            }
            for (key, child) in object {
                pointer.push('/');
                pointer.push_str(&escape(key));
                collect_anchors(child, pointer, anchors);
                pointer.truncate(size);
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                collect_anchors(child, pointer, anchors);
                pointer.truncate(size);
            }
        }
        _ => {}
    }
}

impl<'a> Walk<'a> {
    fn location(&mut self, pointer: String) -> Outcome<usize> {
        if let Some(&known) = self.by_pointer.get(&pointer) {
            return Ok(known);
        }
        let index = self.locations.len();
        if index >= LOCATIONS_MAX {
            return Err(Failure::new(Status::Limit, format!("a schema of more than {LOCATIONS_MAX} subschemas")));
        }
        self.by_pointer.insert(pointer.clone(), index);
        self.locations.push(Location { pointer, in_place: Vec::new() });
        Ok(index)
    }

    fn visit(&mut self, at: usize) -> Outcome<()> {
        let pointer = self.locations[at].pointer.clone();
        let Some(Value::Object(object)) = self.root.pointer(&pointer) else {
            return Ok(()); // a boolean, or something that the compiler reports with its meta-schema
        };
        self.check_identity(object, &pointer)?;
        for (key, child) in object {
            let below = format!("{pointer}/{}", escape(key));
            let name = key.as_str();
            if SCHEMA.contains(&name) {
                self.location(below)?;
            } else if SCHEMA_IN_PLACE.contains(&name) {
                self.in_place(at, below)?;
            } else if MAP.contains(&name) || MAP_IN_PLACE.contains(&name) {
                for key in child.as_object().into_iter().flat_map(|map| map.keys()) {
                    let entry = format!("{below}/{}", escape(key));
                    if MAP.contains(&name) { self.location(entry).map(|_| ())? } else { self.in_place(at, entry)? }
                }
            } else if LIST.contains(&name) || LIST_IN_PLACE.contains(&name) {
                for index in 0..child.as_array().map_or(0, Vec::len) {
                    let entry = format!("{below}/{index}");
                    if LIST.contains(&name) { self.location(entry).map(|_| ())? } else { self.in_place(at, entry)? }
                }
            } else if name == "$ref" {
                let target = self.resolve(child, &below)?;
                self.in_place(at, target)?;
                self.has_ref.push(at);
            }
        }
        Ok(())
    }

    fn check_identity(&self, object: &Map<String, Value>, pointer: &str) -> Outcome<()> {
        let shown = if pointer.is_empty() { "the root" } else { pointer };
        for key in REFUSED {
            if object.contains_key(*key) {
                return Err(Failure::new(Status::Invalid, format!("'{key}' at {shown} is not supported; use '$ref'")));
            }
        }
        if object.contains_key(STEP_KEYWORD) {
            return Err(Failure::new(Status::Invalid, format!("'{STEP_KEYWORD}' at {shown} is a reserved keyword")));
        }
        if let Some(dialect) = object.get("$schema") {
            let same = dialect.as_str().is_some_and(|uri| uri.trim_end_matches('#') == DIALECT);
            if !same || !pointer.is_empty() {
                let message = format!("'$schema' at {shown}: the only dialect is {DIALECT}, named at the root");
                return Err(Failure::new(Status::Invalid, message));
            }
        }
        if object.contains_key("$id") && !pointer.is_empty() {
            return Err(Failure::new(Status::Invalid, format!("'$id' at {shown}: only the root may have one")));
        }
        Ok(())
    }

    fn in_place(&mut self, at: usize, pointer: String) -> Outcome<()> {
        let to = self.location(pointer)?;
        self.locations[at].in_place.push(to);
        Ok(())
    }

    /// The pointer that a `$ref` means.
    fn resolve(&self, reference: &Value, at: &str) -> Outcome<String> {
        let Some(reference) = reference.as_str() else {
            return Err(Failure::new(Status::Invalid, format!("the reference at {at} is not a string")));
        };
        let Some(fragment) = reference.strip_prefix('#') else {
            let message = format!("the reference '{reference}' at {at} leaves the document; inline it under $defs");
            return Err(Failure::new(Status::Invalid, message));
        };
        let fragment = percent_decode(fragment);
        let target = match fragment.as_deref() {
            Some("") => Some(String::new()),
            Some(pointer) if pointer.starts_with('/') => Some(pointer.to_string()),
            Some(anchor) => self.anchors.get(anchor).cloned(),
            None => None,
        };
        match target {
            Some(pointer) if self.root.pointer(&pointer).is_some() => Ok(canonical(&pointer)),
            _ => Err(Failure::new(Status::Invalid, format!("the reference '{reference}' at {at} has no target"))),
        }
    }

    /// A subschema that applies itself to the same value has no end, and a very long chain no stack.
    fn refuse_loops(&self) -> Outcome<()> {
        const NEW: usize = usize::MAX;
        const OPEN: usize = usize::MAX - 1;
        let mut longest = vec![NEW; self.locations.len()];
        for start in 0..self.locations.len() {
            let mut stack = vec![(start, 0)];
            while let Some((at, edge)) = stack.pop() {
                let edges = &self.locations[at].in_place;
                if edge == 0 {
                    if longest[at] != NEW {
                        continue;
                    }
                    longest[at] = OPEN;
                }
                if edge < edges.len() {
                    if longest[edges[edge]] == OPEN {
                        let pointer = &self.locations[edges[edge]].pointer;
                        let message = format!("the subschema at '{pointer}' applies itself to the same value");
                        return Err(Failure::new(Status::Invalid, message));
                    }
                    stack.push((at, edge + 1));
                    stack.push((edges[edge], 0));
                    continue;
                }
                longest[at] = edges.iter().map(|&to| longest[to] + 1).max().unwrap_or(0);
                if longest[at] > IN_PLACE_MAX {
                    let message = format!("more than {IN_PLACE_MAX} subschemas apply one through another to one value");
                    return Err(Failure::new(Status::Limit, message));
                }
            }
        }
        Ok(())
    }
}

/// One spelling for one place, so that `/a~0b` reached by two references is one location.
fn canonical(pointer: &str) -> String {
    pointer.split('/').map(|part| escape(&part.replace("~1", "/").replace("~0", "~"))).collect::<Vec<_>>().join("/")
}

fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}
