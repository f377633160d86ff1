//! Semantic versions: strict ones, and ranges whose parts are set apart by spaces or commas.

use crate::{Failure, Outcome, Status};
use semver::{BuildMetadata, Version, VersionReq};

const SIZE_MAX: usize = 256;

/// Build metadata takes no part in precedence, so the canonical version has none.
pub fn parse(text: &str) -> Outcome<Version> {
    if text.len() > SIZE_MAX {
        return Err(Failure::new(Status::Name, format!("a version of more than {SIZE_MAX} bytes")));
    }
    let mut version = Version::parse(text)
        .map_err(|error| Failure::new(Status::Name, format!("'{text}' is not a version: {error}")))?;
    version.build = BuildMetadata::EMPTY;
    Ok(version)
}

/// Turns `>=0.1 <2` and `>= 0.1, < 2` into the comma form that the semver crate reads.
pub fn parse_range(text: &str) -> Outcome<VersionReq> {
    if text.len() > SIZE_MAX {
        return Err(Failure::new(Status::Name, format!("a range of more than {SIZE_MAX} bytes")));
    }
    let bad = |reason: String| Failure::new(Status::Name, format!("'{text}' is not a version range: {reason}"));
    let mut parts: Vec<String> = Vec::new();
    for comma_part in text.split(',') {
        let mut operator = String::new();
        let before = parts.len();
        for word in comma_part.split_ascii_whitespace() {
            operator.push_str(word);
            if !word.trim_matches(['<', '>', '=', '^', '~']).is_empty() {
                parts.push(std::mem::take(&mut operator));
            }
        }
        if !operator.is_empty() {
            return Err(bad(format!("'{operator}' has no version after it")));
        }
        if parts.len() == before {
            return Err(bad("a part of it is empty".to_string()));
        }
    }
    VersionReq::parse(&parts.join(", ")).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(version: &str, range: &str) -> bool {
        parse_range(range).unwrap().matches(&parse(version).unwrap())
    }

    #[test]
    fn ranges_take_spaces_or_commas() {
        for range in [">=0.1 <2", ">=0.1,<2", ">=0.1, <2", ">= 0.1 < 2", "  >=0.1   <2 "] {
            assert!(matches("0.1.0", range), "{range}");
            assert!(!matches("2.0.0", range), "{range}");
        }
        assert!(matches("2.9.9", "^2.1"));
        assert!(!matches("1.3.0", "~1.2"));
        assert!(matches("7.0.0", "*"));
    }

    #[test]
    fn bad_ranges_are_refused() {
        for range in ["", " ", ">=", ">=0.1,", ",", "1.2 - 2", "1 || 2", ">=x", "latest", "^1.2.3.4"] {
            assert!(parse_range(range).is_err(), "{range:?}");
        }
        assert!(parse_range(&"1,".repeat(200)).is_err());
    }

    #[test]
    fn versions_are_strict() {
        for text in ["1", "1.2", "v1.2.3", "1.2.3 ", "01.2.3", "1.2.3-", "", "1.2.99999999999999999999"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(parse("1.4.0-rc.1+build.5").unwrap().to_string(), "1.4.0-rc.1");
    }
}
