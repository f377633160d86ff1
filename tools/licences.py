#!/usr/bin/env python3
"""The licences of the Rust crates that are linked into the engine: bridge/THIRD-PARTY.txt, which packages carry.

    tools/licences.py --write     from the sources that cargo has (needs cargo)
    tools/licences.py --check     the file has the crates that are linked (without cargo: none that is not locked)
"""
import argparse
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys

BRIDGE = pathlib.Path(__file__).resolve().parent.parent / "bridge"
WRITTEN = BRIDGE / "THIRD-PARTY.txt"
TARGET = "x86_64-unknown-linux-gnu"
LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.I)
HEADING = """Third-party code in Cordon's engine library

The Rust crates that are linked into Cordon's libraries and programs, with their licences, and then the licences' texts;
Rust's own library is linked too, under MIT or Apache-2.0. Made by tools/licences.py from bridge/Cargo.lock.
"""


def linked_packages() -> list[dict]:
    """What cordon-bridge links: its normal dependencies and theirs, without macros and what only builds."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    metadata = json.loads(subprocess.run(command, cwd=BRIDGE, capture_output=True, check=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    queue = [identity for identity, package in packages.items() if package["name"] == "cordon-bridge"]
    reached = set()
    while queue:
        identity = queue.pop()
        is_macro = any("proc-macro" in target["kind"] for target in packages[identity]["targets"])
        if identity in reached or is_macro:
            continue
        reached.add(identity)
        for dependency in nodes[identity]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                queue.append(dependency["pkg"])
    found = [packages[identity] for identity in reached if packages[identity]["source"]]
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def licence_texts(packages: list[dict]) -> dict[str, list[str]]:
    """Each text, and the crates that carry it. Texts that differ in their line breaks alone are one."""
    carriers = collections.defaultdict(list)
    first: dict[str, str] = {}
    for package in packages:
        folder = pathlib.Path(package["manifest_path"]).parent
        for file in sorted(folder.iterdir()):
            if file.is_file() and LICENCE_FILE.match(file.name):
                lines = file.read_text(errors="replace").replace("\t", "    ").splitlines()
                text = "\n".join(line.rstrip() for line in lines).strip()
                text = first.setdefault(" ".join(text.split()).lower(), text)
                carriers[text].append(f"{package['name']} {package['version']}")
    return carriers


def rendered() -> str:
    packages = linked_packages()
    out = [HEADING]
    for package in packages:
        licence = package["license"] or "see its text"
        out.append(f"{package['name']} {package['version']}: {licence}")
    for text, crates in sorted(licence_texts(packages).items(), key=lambda pair: pair[1]):
        crates = list(dict.fromkeys(crates))
        out.append(f"\n{'-' * 78}\n{', '.join(crates)}\n{'-' * 78}\n\n{text}")
    return "\n".join(out) + "\n"


def check() -> int:
    lock = (BRIDGE / "Cargo.lock").read_text()
    locked = set(re.findall(r'^name = "(.+)"\nversion = "(.+)"', lock, re.M))
    listed = set(re.findall(r"^([\w-]+) (\d\S*): ", WRITTEN.read_text(), re.M))
    wrong = [f"{name} {version} is not in Cargo.lock" for name, version in sorted(listed - locked)]
    if shutil.which("cargo"):
        linked = {(package["name"], package["version"]) for package in linked_packages()}
        wrong += [f"{name} {version} is linked and has no line" for name, version in sorted(linked - listed)]
    elif not listed:
        wrong.append("it lists no crate")
    for line in wrong:
        print(f"{WRITTEN.name}: {line}; run tools/licences.py --write")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--write", action="store_true")
    chosen.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        return check()
    WRITTEN.write_text(rendered())
    return 0


if __name__ == "__main__":
    sys.exit(main())
