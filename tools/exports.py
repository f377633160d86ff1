#!/usr/bin/env python3
"""What libcordon exports: the functions that the public headers declare, and nothing else.

    tools/exports.py --include include --objects LIST --symbols OUT [--version-script OUT --node CORDON_0.1]

The objects of the library define thousands of symbols. Those that belong to the API have a qualified name that a header
of include/ declares; inline functions and templates are the consumer's own. The classes with virtual functions export
their type, so that exceptions and dynamic_cast work across the boundary.
"""
import argparse
import pathlib
import re
import subprocess
import sys

# A namespace or type whose `{` this is; or a name that is about to be called or declared.
SCOPE = re.compile(r"(?:namespace|class|struct|union|enum(?:\s+class)?)\s+([\w:]+)[^;(){}]*$")
DECLARED = re.compile(r"(operator\s*[^\s\w(]+|operator\s*\(\s*\)|~?\w+)\s*\(")


def without_comments(text: str) -> str:
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', '""', text)
    text = re.sub(r'extern\s+""\s*\{', "", text)  # of C; its closing brace is forgiven below
    return re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)


def declared_names(header: str) -> tuple[set[str], set[str]]:
    """The qualified names of functions, and of classes that have virtual ones."""
    functions, polymorphic = set(), set()
    scopes: list[str | None] = []  # None: a body
    statement = ""
    for piece in re.split(r"([{};])", without_comments(header)):
        if piece == "{":
            named = SCOPE.search(statement)
            if named and None not in scopes and not re.search(r"\)\s*\w*\s*$", statement):
                scopes.append(named[1])
            else:
                note(statement, scopes, functions, polymorphic)
                scopes.append(None)
            statement = ""
        elif piece == "}":
            if scopes:
                scopes.pop()
            statement = ""
        elif piece == ";":
            note(statement, scopes, functions, polymorphic)
            statement = ""
        else:
            statement += piece
    return functions, polymorphic


def note(statement: str, scopes: list[str | None], functions: set[str], polymorphic: set[str]) -> None:
    if None in scopes:
        return
    scope = "::".join(name for name in scopes if name)
    for name in DECLARED.findall(statement):
        name = re.sub(r"\s+", "", name)
        functions.add(f"{scope}::{name}" if scope else name)
    if re.search(r"\bvirtual\b", statement):
        polymorphic.add(scope)


def qualified_name(demangled: str) -> str:
    """`cordon::Host::Load(...) const` is cordon::Host::Load."""
    name = re.sub(r"\[abi:\w+\]", "", demangled)
    if "operator()" in name:
        return name[: name.index("operator()") + len("operator()")]
    depth = 0
    for at, char in enumerate(name):
        if char == "<" and not name[:at].endswith("operator"):
            depth += 1
        elif char == ">" and depth:
            depth -= 1
        elif char == "(" and depth == 0 and at > 0:
            return name[:at]
    return name


def defined(objects: list[str]) -> dict[str, str]:
    """Each global symbol's kind, as nm has it."""
    found = {}
    for start in range(0, len(objects), 200):
        lines = subprocess.run(["nm", "-g", "--defined-only", *objects[start:start + 200]], capture_output=True,
                               text=True, check=True).stdout
        found.update((words[2], words[1]) for words in map(str.split, lines.splitlines()) if len(words) == 3)
    return found


def demangle(symbols: list[str]) -> list[str]:
    text = subprocess.run(["c++filt"], input="\n".join(symbols), capture_output=True, text=True, check=True).stdout
    return text.split("\n")[: len(symbols)]


def public_symbols(include: pathlib.Path, objects: list[str]) -> dict[str, str]:
    """Mangled to demangled."""
    functions, polymorphic = set(), set()
    for header in sorted(include.rglob("*.h")):
        more_functions, more_polymorphic = declared_names(header.read_text())
        functions |= more_functions
        polymorphic |= more_polymorphic
    types = {f"{what} for {name}" for name in polymorphic for what in ("typeinfo", "typeinfo name", "vtable")}
    symbols = defined(objects)
    public = {}
    for symbol, text in zip(symbols, demangle(list(symbols))):
        strong = symbols[symbol] in "TDBR"
        if text in types or (strong and qualified_name(text) in functions):
            public[symbol] = text
    return public


def write_if_changed(path: pathlib.Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def listing(public: dict[str, str]) -> str:
    """Sorted by what people read; constructors have two symbols of one name."""
    return "".join(f"{symbol}  {text}\n" for symbol, text in sorted(public.items(), key=lambda pair: pair[::-1]))


def version_script(public: dict[str, str], node: str) -> str:
    lines = "".join(f"    {symbol};\n" for symbol in sorted(public))
    return f"{node} {{\n  global:\n{lines}  local:\n    *;\n}};\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--include", type=pathlib.Path)
    parser.add_argument("--objects", type=pathlib.Path, help="a file with one object a line")
    parser.add_argument("--symbols", type=pathlib.Path, required=True)
    parser.add_argument("--version-script", type=pathlib.Path)
    parser.add_argument("--node", default="CORDON")
    args = parser.parse_args()
    objects = [line for line in args.objects.read_text().split("\n") if line]
    public = public_symbols(args.include, objects)
    if not public:
        print("exports: the objects define nothing of what the headers declare", file=sys.stderr)
        return 1
    write_if_changed(args.symbols, listing(public))
    if args.version_script:
        write_if_changed(args.version_script, version_script(public, args.node))
    return 0


if __name__ == "__main__":
    sys.exit(main())
