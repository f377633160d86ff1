//! What a path can say before any system call: refused here, or left to the kernel to resolve.

use super::{Fail, reason};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// PATH_MAX without its final NUL, in bytes. Also the bound of a path below its mount.
pub const MAX_PATH_BYTES: usize = 4095;

/// Refuses what can be refused by looking: empty, too long, NUL, absolute, or climbing above its start.
///
/// Not the containment check: `a/../b` and links are for the kernel (RESOLVE_BENEATH), which alone knows what they are.
pub fn check(path: &str) -> Result<(), Fail> {
    if path.is_empty() {
        return Err(Fail::Refused(ErrorCode::NoEntry, reason::PATH));
    }
    if path.len() > MAX_PATH_BYTES {
        return Err(Fail::Refused(ErrorCode::NameTooLong, reason::PATH));
    }
    if path.contains('\0') {
        return Err(Fail::Refused(ErrorCode::Invalid, reason::PATH));
    }
    if path.starts_with('/') {
        return Err(Fail::Refused(ErrorCode::NotPermitted, reason::BENEATH));
    }
    let mut depth = 0_i32;
    for part in path.split('/') {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        if depth < 0 {
            return Err(Fail::Refused(ErrorCode::NotPermitted, reason::BENEATH));
        }
    }
    Ok(())
}

/// A checked path, cut before its last name: what mutations work on.
#[derive(Debug, PartialEq, Eq)]
pub struct Split {
    /// Never empty: "." when the path is one name.
    pub parent: String,
    /// One name without a slash, never ".", ".." or empty.
    pub name: String,
    /// The path ended in a slash: it can only mean a directory.
    pub slash: bool,
}

/// Cuts a checked path. The last name must be a real one: `x/.` and `x/..` name nothing that can be made or removed.
pub fn split(path: &str) -> Result<Split, Fail> {
    let trimmed = path.trim_end_matches('/');
    let slash = trimmed.len() != path.len();
    let (parent, name) = match trimmed.rsplit_once('/') {
        Some((parent, name)) => (parent, name),
        None => (".", trimmed),
    };
    if matches!(name, "" | "." | "..") {
        return Err(Fail::Code(ErrorCode::Invalid));
    }
    Ok(Split { parent: parent.to_string(), name: name.to_string(), slash })
}

/// Whether a link with this content stays below the folder it is in, wherever that folder is moved.
///
/// No `..` at all: `a/../../x` leaves when `a` is a link, and `../x` leaves once the link or a folder above it has been
/// moved up, which its maker may do later.
pub fn points_down(target: &[u8]) -> bool {
    !target.starts_with(b"/") && target.split(|b| *b == b'/').all(|part| part != b"..")
}

/// Refuses what a guest must not put into a link: a host's tool may follow it one day.
pub fn link_target(target: &str) -> Result<(), Fail> {
    if target.is_empty() || target.len() > MAX_PATH_BYTES || target.contains('\0') {
        return Err(Fail::Refused(ErrorCode::Invalid, reason::PATH));
    }
    if !points_down(target.as_bytes()) {
        return Err(Fail::Refused(ErrorCode::NotPermitted, reason::SYMLINK_OUT));
    }
    Ok(())
}

/// A path from the mount's root, as the guest spelled it but for `.` and doubled slashes; empty for the root. For
/// records and decisions by name, never for containment.
pub fn join(folder: &str, path: &str) -> Result<String, Fail> {
    let mut joined = String::from(folder);
    for part in path.split('/').filter(|p| !matches!(*p, "" | ".")) {
        if !joined.is_empty() {
            joined.push('/');
        }
        joined.push_str(part);
    }
    if joined.len() > MAX_PATH_BYTES {
        return Err(Fail::Refused(ErrorCode::NameTooLong, reason::PATH));
    }
    Ok(joined)
}

/// As much of a path as a record takes.
pub fn clip(path: &str) -> &str {
    &path[..path.floor_char_boundary(MAX_PATH_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str) -> Option<&'static str> {
        match check(path) {
            Err(Fail::Refused(_, reason)) => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn attack_134_paths_refused_by_looking() {
        for path in ["/", "/etc/passwd", "..", "../x", "a/../../x", "./..", "a/./../..//x"] {
            assert_eq!(refused(path), Some(reason::BENEATH), "{path}");
        }
        for path in ["", "a\0b", &"x".repeat(5000), &"é".repeat(4000)] {
            assert_eq!(refused(path), Some(reason::PATH));
        }
        for path in ["a", "a/b", "a/../b", ".", "a/.", "a//b/", "..a", "...", "a\nb", "\u{1b}[2J"] {
            assert_eq!(refused(path), None, "{path}");
        }
    }

    #[test]
    fn attack_134_last_names() {
        let cut = |p: &str| split(p).ok().map(|s| (s.parent, s.name, s.slash));
        let some = |a: &str, b: &str, slash| Some((a.to_string(), b.to_string(), slash));
        assert_eq!(cut("a"), some(".", "a", false));
        assert_eq!(cut("a/b///"), some("a", "b", true));
        assert_eq!(cut("a/../b"), some("a/..", "b", false));
        for path in [".", "a/.", "a/..", "./", "a/./"] {
            assert_eq!(cut(path), None, "{path}");
        }
    }

    #[test]
    fn attack_141_link_targets() {
        for target in ["a", "a/b", "./a", "..a", "a/...", "a//b/"] {
            assert!(link_target(target).is_ok(), "{target}");
        }
        for target in ["", "/", "/etc/passwd", "..", "../a", "a/..", "a/../../b", "a\0b", &"x".repeat(5000)] {
            assert!(link_target(target).is_err(), "{target}");
        }
    }

    #[test]
    fn records_name_the_path_from_the_root() {
        assert_eq!(join("", ".").unwrap(), "");
        assert_eq!(join("a", "./b//c/").unwrap(), "a/b/c");
        assert_eq!(join("a", "../b").unwrap(), "a/../b");
        assert!(join(&"x".repeat(4000), &"y".repeat(95)).is_err());
    }

    #[test]
    fn a_record_never_cuts_a_character() {
        assert_eq!(clip(&"é".repeat(4000)).len(), 4094);
        assert_eq!(clip("short"), "short");
    }
}
