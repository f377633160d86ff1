//! Probes of authority that need nothing but the standard library's files and environment.

use std::fs;

use crate::probe::{Outcome, Probe, Settings};

pub const PROBES: &[Probe] = &[
    Probe { name: "ssh-key", run: |s| read(format!("{}/.ssh/id_ed25519", s.get("home")?)) },
    Probe { name: "git-credentials", run: |s| read(format!("{}/.git-credentials", s.get("home")?)) },
    Probe { name: "netrc", run: |s| read(format!("{}/.netrc", s.get("home")?)) },
    Probe { name: "gh-hosts", run: |s| read(format!("{}/.config/gh/hosts.yml", s.get("home")?)) },
    Probe { name: "passwd", run: |_| read("/etc/passwd".into()) },
    Probe { name: "mounted-file", run: |s| read(format!("{}/notes.txt", s.get("mount")?)) },
    Probe { name: "dot-dot", run: |s| read(format!("{}/../outside.txt", s.get("mount")?)) },
    Probe { name: "symlink", run: |s| read(format!("{}/link", s.get("mount")?)) },
    Probe { name: "absolute-path", run: |s| read(s.get("outside")?.into()) },
    Probe { name: "mounted-write", run: |s| write(format!("{}/planted.txt", s.get("mount")?)) },
    Probe { name: "git-hook", run: |s| write(format!("{}/.git/hooks/post-checkout", s.get("repository")?)) },
    Probe { name: "environment", run: environment },
    Probe { name: "token", run: token },
];

fn read(path: String) -> Outcome {
    let text = fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(String::from_utf8_lossy(&text[..text.len().min(160)]).into_owned())
}

fn write(path: String) -> Outcome {
    fs::write(&path, "#!/bin/sh\necho planted\n").map_err(|error| format!("{path}: {error}"))?;
    Ok(format!("wrote {path}"))
}

fn environment(_: &Settings) -> Outcome {
    let names: Vec<String> = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    if names.is_empty() { Err("there are no variables".into()) } else { Ok(names.join(" ")) }
}

fn token(_: &Settings) -> Outcome {
    let found = ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "NPM_TOKEN"].iter().find_map(|name| std::env::var(name).ok());
    found.ok_or_else(|| "no token variable is set".into())
}
