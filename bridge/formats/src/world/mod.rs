//! A WIT world, from its source text or from a component, as a JSON document that src/formats/wit_world.cc reads.
//!
//! Pure: the files were read by the caller.

mod walk;

#[cfg(test)]
mod tests;

use crate::describe::{annotate_world, check_binary};
use crate::{Failure, Outcome, Status, on_a_deep_stack};
use serde::Serialize;
use wit_parser::decoding::{self, DecodedWasm};
use wit_parser::{PackageId, ParseError, Resolve, ResolveError, SourceMap, Span, WorldId};

const FILES_MAX: usize = 1024;
const BYTES_MAX: usize = 4 << 20;

/// One file of WIT text. Files of one `package` belong together; 0 is the package that has the world.
pub struct Source<'a> {
    pub package: u32,
    pub file: &'a str,
    pub text: &'a str,
}

/// A place in a source, 1-based; columns count characters.
#[derive(Serialize, Clone, Default, Debug, PartialEq)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub excerpt: String,
}

/// What went wrong, as JSON in the message of a `Failure`.
#[derive(Serialize)]
struct Fault<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
}

fn fault(status: Status, message: &str, place: Option<Place>) -> Failure {
    let text = serde_json::to_string(&Fault { message, place });
    Failure::new(status, text.unwrap_or_else(|_| "{\"message\":\"an error that cannot be written\"}".to_string()))
}

/// `world` may be empty when the package has one world.
pub fn from_sources(sources: &[Source<'_>], world: &str) -> Outcome<String> {
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    if sources.len() > FILES_MAX || bytes > BYTES_MAX {
        let message = format!("the WIT is more than {FILES_MAX} files or {} MiB", BYTES_MAX >> 20);
        return Err(fault(Status::Limit, &message, None));
    }
    on_a_deep_stack(|| {
        let mut resolve = Resolve::default();
        let package = parse(&mut resolve, sources)?;
        let world = select(&resolve, package, world)?;
        let text = |file: &str| sources.iter().find(|source| source.file == file).map(|source| source.text);
        walk::describe(&resolve, world, &|span| place(&resolve.source_map, span, &text))
    })
}

pub fn from_binary(wasm: &[u8], world: &str) -> Outcome<String> {
    let package_docs = check_binary(wasm).map_err(|failure| fault(failure.status, &failure.message, None))?;
    let decode = || decoding::decode(wasm).map_err(|error| fault(Status::Invalid, &format!("{error:#}"), None));
    on_a_deep_stack(|| match decode()? {
        DecodedWasm::WitPackage(resolve, package) => {
            let world = select(&resolve, package, world)?;
            walk::describe(&resolve, world, &|_| None)
        }
        DecodedWasm::Component(resolve, found) => {
            let name = &resolve.worlds[found].name;
            if !world.is_empty() && world != name {
                return Err(fault(Status::Invalid, "a component has one world, and it has lost its name", None));
            }
            walk::describe_with(&resolve, found, &|_| None, |contract| annotate_world(contract, &package_docs))
        }
    })
}

fn parse(resolve: &mut Resolve, sources: &[Source<'_>]) -> Outcome<PackageId> {
    let text = |file: &str| sources.iter().find(|source| source.file == file).map(|source| source.text);
    let mut packages: Vec<u32> = sources.iter().map(|source| source.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let mut groups = Vec::new();
    for package in packages {
        let mut map = SourceMap::default();
        for source in sources.iter().filter(|source| source.package == package) {
            map.push_str(source.file, source.text);
        }
        groups.push(map.parse().map_err(|(map, error)| parse_fault(&map, &error, &text))?);
    }
    if groups.is_empty() {
        return Err(fault(Status::Invalid, "there is no .wit file", None));
    }
    let main = groups.remove(0);
    resolve.push_groups(main, groups).map_err(|error| resolve_fault(&resolve.source_map, &error, &text))
}

type TextOf<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

fn parse_fault(map: &SourceMap, error: &ParseError, text: &TextOf<'_>) -> Failure {
    fault(Status::Syntax, &error.to_string(), place(map, error.kind().span(), text))
}

fn resolve_fault(map: &SourceMap, error: &ResolveError, text: &TextOf<'_>) -> Failure {
    fault(Status::Syntax, &error.to_string(), place(map, error.kind().span(), text))
}

fn place(map: &SourceMap, span: Span, text: &TextOf<'_>) -> Option<Place> {
    let found = map.resolve_span(span)?;
    let text = text(found.path)?;
    let mut at = found.range.start.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let excerpt = text[start..].split('\n').next().unwrap_or_default().trim_end_matches('\r');
    Some(Place {
        file: found.path.to_string(),
        line: before.matches('\n').count() as u32 + 1,
        column: before[start..].chars().count() as u32 + 1,
        excerpt: excerpt.chars().take(400).collect(),
    })
}

fn select(resolve: &Resolve, package: PackageId, world: &str) -> Outcome<WorldId> {
    let chosen = (!world.is_empty()).then_some(world);
    resolve.select_world(&[package], chosen).map_err(|_| {
        let package = &resolve.packages[package];
        let known: Vec<&str> = package.worlds.keys().map(String::as_str).take(64).collect();
        let message = match (known.is_empty(), chosen) {
            (true, _) => format!("the package {} has no world", package.name),
            (_, None) => format!("the package {} has several worlds: {}", package.name, known.join(", ")),
            (_, Some(name)) => {
                format!("the package {} has no world '{name}'; it has: {}", package.name, known.join(", "))
            }
        };
        fault(Status::Name, &message, None)
    })
}
