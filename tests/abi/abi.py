#!/usr/bin/env python3
"""Compares what the libraries show with what is written down: tests/abi/libcordon.txt, and layout.txt for the types.

    abi.py api|layout|shared|static|needed [--update]

A line less or different breaks programs that are linked already: that needs a new SONAME, which below 1.0 is a new
minor version (include/cordon/version.h). A line more does not. Either way it is written down on purpose, by --update.
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
WRITTEN = HERE / "libcordon.txt"
LAYOUT = HERE / "layout.txt"
LIBRARY = pathlib.Path(os.environ.get("CORDON_BUILD", "build")) / "library"
# What libcordon.so may ask of a machine. Nothing of Rust, and nothing that Debian's base does not have but these four.
NEEDED = {"libcrypto.so.3", "libyaml-0.so.2", "libsqlite3.so.0", "libre2.so.9",
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
    print("\n".join(lines) or f"{what}: {len(now)} lines, as written down")
    return 1 if lines else 0


def compare(what: str, made: str, written: pathlib.Path) -> int:
    if "--update" in sys.argv:
        written.write_text(made)
    status = differ(what, made.splitlines(), written.read_text().splitlines())
    if status:
        print(f"if that is meant: CORDON_BUILD=build tests/abi/abi.py {sys.argv[1]} --update")
    return status


def api() -> int:
    """The API of the headers: what tools/exports.py finds."""
    return compare("the API", (LIBRARY / "exports.txt").read_text(), WRITTEN)


def layout() -> int:
    """The size of each C++ type that consumers hold, and of the virtual tables that they fill in."""
    headers = sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.h"))
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "all.cc"
        source.write_text("".join(f"#include <{header}>\n" for header in headers))
        output("g++", "-std=c++23", "-I", INCLUDE, "-S", "-o", "/dev/null", f"-fdump-lang-class={folder}/dump", source)
        dump = (pathlib.Path(folder) / "dump").read_text()
    found = re.findall(r"^Class (cordon::[\w:]+)\n   (size=\d+ align=\d+)$", dump, re.M)
    tables = dict(re.findall(r"^Vtable for (cordon::[\w:]+)\n.*: (\d+) entries$", dump, re.M))
    rows = [f"{name} {size}" + (f" virtual={tables[name]}" if name in tables else "") for name, size in found]
    return compare("the types", "".join(f"{row}\n" for row in sorted(set(rows))), LAYOUT)


def shared() -> int:
    """Exactly the API: no symbol of the rooms, the bridge, Rust, OpenSSL or another library."""
    return differ("libcordon.so", shown("nm", "-D", "--defined-only", LIBRARY / "libcordon.so"),
                  names(WRITTEN.read_text()))


def static() -> int:
    return differ("libcordon.a", shown("nm", "-g", "--defined-only", LIBRARY / "libcordon.a"),
                  names(WRITTEN.read_text()))


def needed() -> int:
    """The name that programs look for, and what the library itself looks for."""
    header = (INCLUDE / "cordon/version.h").read_text()
    major, minor, patch = re.search(r'CORDON_VERSION "(\d+)\.(\d+)\.(\d+)"', header).groups()
    parts = dict(re.findall(r"CORDON_VERSION_(MAJOR|MINOR|PATCH) (\d+)", header))
    dynamic = output("readelf", "-d", LIBRARY / "libcordon.so")
    soname = re.search(r"\(SONAME\).*\[(.*)\]", dynamic)[1]
    extra = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) - NEEDED
    file = (LIBRARY / "libcordon.so").resolve().name
    print(f"{file}: {soname}; version {major}.{minor}.{patch}; needs besides what it may: {sorted(extra) or 'nothing'}")
    good = soname == f"libcordon.so.{major}.{minor}" and file == f"libcordon.so.{major}.{minor}.{patch}"
    return 0 if good and not extra and parts == {"MAJOR": major, "MINOR": minor, "PATCH": patch} else 1


CASES = (api, layout, shared, static, needed)

if __name__ == "__main__":
    sys.exit({case.__name__: case for case in CASES}[sys.argv[1]]())
