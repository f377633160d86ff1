#!/usr/bin/env python3
"""The rules of the house that a machine can check, run as the test `tidy`.

    tools/tidy.py [--root FOLDER] [--only RULE[,RULE...]]

Each rule is a function from the tree to findings (FILE:LINE: what, and what to do). The rules have tests of their own
in tools/tidy_test.py.
"""
import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
from typing import Iterator

FILE_LINES_MAX = 700
LINE_COLUMNS_MAX = 120
BLOB_BYTES_MAX = 1 << 20

SOURCES = {".cc", ".h", ".c", ".rs", ".py", ".sh", ".cmake", ".wit", ".wat", ".ts"}
TEXTS = SOURCES | {".md", ".txt", ".yaml", ".yml", ".toml", ".json", ".1"}
BUILD_FILES = ("Makefile", "CMakeLists.txt")
# Written by a tool, and checked by it.
GENERATED = {"bridge/include/cordon_bridge.h", "bridge/include/cordon_formats.h"}
# Hostile or verbatim input, where odd bytes and long lines are the point.
INPUTS = ("fuzz/corpus/", "tests/cases/", "tests/guests/wat/", "tests/wasi-testsuite/", "wit/")
# The one room that may include each header of the bridge.
BRIDGE_HEADERS = {"cordon_bridge.h": "engine", "cordon_formats.h": "formats"}
# The bridge itself, and a program that has it a second time.
BRIDGE_USERS = ("bridge/", "tests/consume/consumer/beside.cc")

# Words that say nothing about what a type is.
BANNED_WORDS = {
    "Manager", "Handler", "Helper", "Helpers", "Util", "Utils", "Context", "Factory", "Impl", "Info", "Data", "Base",
}


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


class Tree:
    """The files that belong to the project: tracked ones and new ones that are not ignored."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.files = sorted(path for path in self._list() if (root / path).is_file() and not (root / path).is_symlink())
        self._texts: dict[str, str] = {}

    def _list(self) -> list[str]:
        listed = subprocess.run(
            ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
        ) if (self.root / ".git").exists() else None
        if listed is not None and listed.returncode == 0:
            return [path for path in listed.stdout.decode().split("\0") if path]
        skipped = {"build", "target", ".git", "__pycache__"}
        paths = (path.relative_to(self.root) for path in self.root.rglob("*"))
        return [path.as_posix() for path in paths if not skipped & set(path.parts)]

    def text(self, path: str) -> str:
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_bytes().decode("utf-8", errors="replace")
        return self._texts[path]

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        return enumerate(self.text(path).split("\n"), start=1)

    def has(self, path: str) -> bool:
        return path in self.files

    def with_suffix(self, suffixes: set[str]) -> list[str]:
        return [
            path
            for path in self.files
            if (pathlib.PurePath(path).suffix in suffixes or (SOURCES <= suffixes and path.endswith(BUILD_FILES)))
            and not path.startswith(INPUTS)
            and path not in GENERATED
        ]


def size(tree: Tree) -> Iterator[Finding]:
    for path in tree.files:
        if (count := (tree.root / path).stat().st_size) > BLOB_BYTES_MAX:
            yield Finding(path, 0, f"{count} bytes; nothing above {BLOB_BYTES_MAX} belongs in the repository")
    for path in tree.with_suffix(SOURCES):
        if (count := tree.text(path).count("\n")) > FILE_LINES_MAX:
            yield Finding(path, 0, f"{count} lines; above {FILE_LINES_MAX} it is two files in one: split it")
        for number, line in tree.lines(path):
            if len(line) > LINE_COLUMNS_MAX:
                yield Finding(path, number, f"{len(line)} columns; at most {LINE_COLUMNS_MAX}")


def spaces(tree: Tree) -> Iterator[Finding]:
    for path in tree.with_suffix(TEXTS):
        text = tree.text(path)
        if text and not text.endswith("\n"):
            yield Finding(path, 0, "does not end with a newline")
        for number, line in tree.lines(path):
            if line != line.rstrip():
                yield Finding(path, number, "space at the end of the line")
            if "\t" in line and pathlib.PurePath(path).name != "Makefile":
                yield Finding(path, number, "a tab; use spaces, or \\t in a string")


def read_layers(tree: Tree) -> dict[str, set[str]]:
    layers = {}
    for line in tree.text("tools/layers.txt").splitlines():
        if line and not line.startswith("#"):
            room, _, below = line.partition(":")
            layers[room.strip()] = set(below.split())
    return layers


def rooms_of(tree: Tree) -> set[str]:
    return {path.split("/")[1] for path in tree.files if path.startswith("src/") and path.count("/") >= 2}


def layers(tree: Tree) -> Iterator[Finding]:
    allowed = read_layers(tree)
    rooms = rooms_of(tree)
    for room in sorted(rooms - allowed.keys()):
        yield Finding("tools/layers.txt", 0, f"has no line for the room src/{room}")
    for room in sorted(allowed.keys() - rooms):
        yield Finding("tools/layers.txt", 0, f"names the room {room}, and there is no src/{room}")
    for room, below in allowed.items():
        for other in sorted(below - allowed.keys()):
            yield Finding("tools/layers.txt", 0, f"{room} may include {other}, which has no line")
    for cycle in cycles(allowed):
        yield Finding("tools/layers.txt", 0, f"rooms include each other in a circle: {' -> '.join(cycle)}")
    for path in tree.files:
        if pathlib.PurePath(path).suffix in {".cc", ".h"}:
            yield from includes(tree, path, allowed)


def cycles(edges: dict[str, set[str]]) -> Iterator[list[str]]:
    done: set[str] = set()

    def visit(room: str, trail: list[str]) -> Iterator[list[str]]:
        if room in trail:
            yield trail[trail.index(room):] + [room]
        elif room not in done:
            for below in sorted(edges.get(room, ())):
                yield from visit(below, trail + [room])
            done.add(room)

    for room in edges:
        yield from visit(room, [])


def below(edges: dict[str, set[str]], room: str | None) -> set[str]:
    reached: set[str] = set()
    queue = list(edges.get(room, ()))
    while queue:
        if (next_room := queue.pop()) not in reached:
            reached.add(next_room)
            queue.extend(edges.get(next_room, ()))
    return reached


def includes(tree: Tree, path: str, allowed: dict[str, set[str]]) -> Iterator[Finding]:
    parts = path.split("/")
    room = parts[1] if parts[0] == "src" and len(parts) > 2 else None
    # A test may also read with the rooms below the ones that its room includes: it links them anyway.
    reach = below(allowed, room) if path.endswith("_test.cc") else allowed.get(room, set())
    for number, line in tree.lines(path):
        found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not found:
            continue
        quoted, target = found[1] == '"', found[2]
        first = target.split("/")[0]
        if target in BRIDGE_HEADERS and room != BRIDGE_HEADERS[target] and not path.startswith(BRIDGE_USERS):
            yield Finding(path, number, f"only src/{BRIDGE_HEADERS[target]} may include {target}")
        if path.startswith("include/"):
            if first in allowed or (quoted and first != "cordon"):
                yield Finding(path, number, f"a public header includes the standard library and cordon/, not {target}")
        elif room and first in allowed and first != room and first not in reach:
            yield Finding(path, number, f"{room} may not include {first} (tools/layers.txt); go through a lower room")
        elif room and quoted and "/" not in target and target not in BRIDGE_HEADERS:
            yield Finding(path, number, f'includes are rooted at src/: "{room}/{target}"')


def headers(tree: Tree) -> Iterator[Finding]:
    for path in tree.files:
        if path.endswith(".h") and path.startswith(("src/", "include/", "fuzz/", "bench/")):
            if "#pragma once" not in tree.text(path):
                yield Finding(path, 0, "has no #pragma once")


# A definition of a type. An indented `type` is an associated type of Rust, whose name its trait chose.
TYPE = re.compile(
    r"^(?:\s*(?:template\s*<[^;]*>\s*)?(?:pub(?:\([a-z]+\))?\s+)?"
    r"(?:enum\s+class|enum|class|struct|union|concept|using|trait)|(?:pub(?:\([a-z]+\))?\s+)?type)"
    r"\s+(?:\[\[\w+\]\]\s*)?([A-Z]\w*)\s*(.?)"
)


def names(tree: Tree) -> Iterator[Finding]:
    for path in tree.with_suffix({".cc", ".h", ".rs"}):
        for number, line in tree.lines(path):
            found = TYPE.match(line)
            if not found or found[2] == ";":  # a forward declaration names what another file defines
                continue
            words = set(re.findall(r"[A-Z][a-z0-9]*", found[1]))
            for word in sorted(words & BANNED_WORDS):
                yield Finding(path, number, f"'{word}' in the type name {found[1]} says nothing; name what it is")


# Split, so that the words do not find themselves.
LEFT_OVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b(?!\([a-z][\w-]*\):)")
# Where tools keep their things on one machine; homes of made-up people in examples are fine.
TOOL_HOME = re.compile(r"/(?:root|home/\w+)/\.(?:cargo|rustup|pyenv|cache/pip)\b")


def remarks(tree: Tree) -> Iterator[Finding]:
    for path in tree.with_suffix(TEXTS):
        for number, line in tree.lines(path):
            if found := LEFT_OVER.search(line):
                yield Finding(path, number, f"{found[1]} without an owner: write {found[1]}(name): what, or do it")


def machine(tree: Tree) -> Iterator[Finding]:
    here = str(tree.root)
    telling = len(here) > 6 and not here.startswith("/tmp/")
    for path in tree.with_suffix(TEXTS):
        for number, line in tree.lines(path):
            if TOOL_HOME.search(line) or (telling and re.search(re.escape(here) + r"\b", line)):
                yield Finding(path, number, "a path of one machine; make it relative, or ask the system")


def code_map(tree: Tree) -> Iterator[Finding]:
    path = "ARCHITECTURE.md"
    if not tree.has(path):
        yield Finding(path, 0, "is missing; it holds the code map")
        return
    section = re.search(r"^## Code map\n(.*?)(?=^## |\Z)", tree.text(path), re.M | re.S)
    if not section:
        yield Finding(path, 0, "has no section '## Code map'")
        return
    named = set(re.findall(r"`([\w./-]+/)`", section[1]))
    folders = {file.split("/")[0] + "/" for file in tree.files if "/" in file and not file.startswith(".")}
    rooms = {f"src/{room}/" for room in rooms_of(tree)}
    for folder in sorted((folders | rooms) - named):
        yield Finding(path, 0, f"the code map does not name `{folder}`")
    for folder in sorted(named):
        if not any(file.startswith(folder) for file in tree.files):
            yield Finding(path, 0, f"the code map names `{folder}`, which does not exist")


def readmes(tree: Tree) -> Iterator[Finding]:
    for room in sorted(rooms_of(tree)):
        if not tree.has(f"src/{room}/README.md"):
            yield Finding(f"src/{room}", 0, "a room says what it is for in its README.md")


def links(tree: Tree) -> Iterator[Finding]:
    folders = {parent.as_posix() for file in tree.files for parent in pathlib.PurePath(file).parents}
    for path in tree.files:
        if not path.endswith(".md") or path.startswith(INPUTS):
            continue
        text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), tree.text(path), flags=re.M | re.S)
        for number, line in enumerate(text.split("\n"), start=1):
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                file, _, fragment = target.partition("#")
                if re.match(r"[a-z]+:", target):
                    continue
                there = (tree.root / path).parent / file if file else tree.root / path
                try:
                    relative = there.resolve().relative_to(tree.root.resolve()).as_posix()
                except ValueError:
                    relative = ".."
                if not tree.has(relative) and relative not in folders:
                    yield Finding(path, number, f"the link {target} leads nowhere")
                elif fragment and relative.endswith(".md") and fragment not in anchors(tree.text(relative)):
                    yield Finding(path, number, f"{relative} has no heading #{fragment}")


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def codes(tree: Tree) -> Iterator[Finding]:
    """docs/reference/errors.md lists each code with its exit code, as src/base/error.cc has them."""
    source, page = "src/base/error.cc", "docs/reference/errors.md"
    if not tree.has(source):
        return
    if not tree.has(page):
        yield Finding(page, 0, "is missing; it lists the error codes")
        return
    real = dict(re.findall(r'\{"(E_\w+)",\s*(\d+)\}', tree.text(source)))
    told = dict(re.findall(r"^\| `(E_\w+)` \| (\d+) \|", tree.text(page), re.M))
    for code in sorted(real.keys() - told.keys()):
        yield Finding(page, 0, f"does not list {code} (exit code {real[code]})")
    for code in sorted(told.keys() - real.keys()):
        yield Finding(page, 0, f"lists {code}, which {source} does not have")
    for code in sorted(real.keys() & told.keys()):
        if real[code] != told[code]:
            yield Finding(page, 0, f"says that {code} exits with {told[code]}; it is {real[code]}")


# `for (x : *Call())` in C++23 as GCC 12 has it: the Result that Call gave is gone before the loop begins.
DANGLING_LOOP = re.compile(r"\bfor \([^;]* : \*[\w:]+(?:(?:\.|->)\w+)*\(.*\)\)")


def loops(tree: Tree) -> Iterator[Finding]:
    for path in tree.with_suffix({".cc", ".h"}):
        for number, line in tree.lines(path):
            if DANGLING_LOOP.search(line):
                yield Finding(path, number, "loops over what a temporary holds; keep the result in a variable")


RELEASE = re.compile(r"## (\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d)")


def changelog(tree: Tree) -> Iterator[Finding]:
    path = "CHANGELOG.md"
    if not tree.has(path):
        yield Finding(path, 0, "is missing")
        return
    for number, line in tree.lines(path):
        if line.startswith("## ") and not RELEASE.fullmatch(line):
            yield Finding(path, number, "a release is '## [Unreleased]' or '## [1.2.3] - 2026-01-31'")


RULES = {
    "size": size,
    "spaces": spaces,
    "layers": layers,
    "headers": headers,
    "names": names,
    "loops": loops,
    "remarks": remarks,
    "machine": machine,
    "map": code_map,
    "readmes": readmes,
    "links": links,
    "codes": codes,
    "changelog": changelog,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--only", help=f"rules to run, of: {', '.join(RULES)}")
    args = parser.parse_args()
    chosen = args.only.split(",") if args.only else list(RULES)
    for name in chosen:
        if name not in RULES:
            parser.error(f"unknown rule '{name}'; rules are: {', '.join(RULES)}")
    tree = Tree(args.root.resolve())
    found = 0
    for name in chosen:
        for finding in RULES[name](tree):
            found += 1
            print(f"{finding} [{name}]")
    print(f"tidy: {len(tree.files)} files, {len(chosen)} rules, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
