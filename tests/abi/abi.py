#!/usr/bin/env python3
"""Compares what the libraries show with what is written down: tests/abi/libcordon.txt.

    abi.py api|shared|static|needed [--update]

A line less or different breaks programs that are linked already: that needs a new SONAME, which below 1.0 is a new
minor version (include/cordon/version.h). A line more does not. Either way it is written down on purpose, by --update.
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys

WRITTEN = pathlib.Path(__file__).resolve().parent / "libcordon.txt"
LIBRARY = pathlib.Path(os.environ.get("CORDON_BUILD", "build")) / "library"
# What libcordon.so may ask of a machine. Nothing of Rust, and nothing that Debian's base does not have but these two.
NEEDED = {"libcrypto.so.3", "libyaml-0.so.2",
          "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6", "ld-linux-x86-64.so.2"}


def output(*command) -> str:
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


def names(text: str) -> list[str]:
    return sorted(line.split()[0] for line in text.splitlines())


def shown(*command) -> list[str]:
    """The symbols that nm lists, without the version and the node that names it."""
    rows = [row for row in map(str.split, output(*command).splitlines()) if len(row) == 3 and row[1] != "A"]
    return sorted(name.partition("@")[0] for _, _, name in rows)


def differ(what: str, now: list[str], then: list[str]) -> int:
    lines = list(difflib.unified_diff(then, now, "written down", what, lineterm="", n=0))
    print("\n".join(lines) or f"{what}: {len(now)} symbols, as written down")
    return 1 if lines else 0


def api() -> int:
    """The API of the headers: what tools/exports.py finds."""
    made = (LIBRARY / "exports.txt").read_text()
    if "--update" in sys.argv:
        WRITTEN.write_text(made)
    status = differ("the API", made.splitlines(), WRITTEN.read_text().splitlines())
    if status:
        print("if that is meant: CORDON_BUILD=build tests/abi/abi.py api --update")
    return status


def shared() -> int:
    """Exactly the API: no symbol of the rooms, the bridge, Rust, OpenSSL or another library."""
    return differ("libcordon.so", shown("nm", "-D", "--defined-only", LIBRARY / "libcordon.so"),
                  names(WRITTEN.read_text()))


def static() -> int:
    return differ("libcordon.a", shown("nm", "-g", "--defined-only", LIBRARY / "libcordon.a"),
                  names(WRITTEN.read_text()))


def needed() -> int:
    """The name that programs look for, and what the library itself looks for."""
    header = (WRITTEN.parent.parent.parent / "include/cordon/version.h").read_text()
    major, minor, patch = re.search(r'CORDON_VERSION "(\d+)\.(\d+)\.(\d+)"', header).groups()
    parts = dict(re.findall(r"CORDON_VERSION_(MAJOR|MINOR|PATCH) (\d+)", header))
    dynamic = output("readelf", "-d", LIBRARY / "libcordon.so")
    soname = re.search(r"\(SONAME\).*\[(.*)\]", dynamic)[1]
    extra = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) - NEEDED
    file = (LIBRARY / "libcordon.so").resolve().name
    print(f"{file}: {soname}; version {major}.{minor}.{patch}; needs besides what it may: {sorted(extra) or 'nothing'}")
    good = soname == f"libcordon.so.{major}.{minor}" and file == f"libcordon.so.{major}.{minor}.{patch}"
    return 0 if good and not extra and parts == {"MAJOR": major, "MINOR": minor, "PATCH": patch} else 1


CASES = (api, shared, static, needed)

if __name__ == "__main__":
    sys.exit({case.__name__: case for case in CASES}[sys.argv[1]]())
