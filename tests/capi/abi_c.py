#!/usr/bin/env python3
"""The C API as it is written down in c_symbols.txt and c_layout.txt, beside this.

    abi_c.py symbols ARCHIVE BRIDGE    the header's functions, those of the file, and those that the archive defines
    abi_c.py layout COMPILER           sizes, offsets and constants, as a C99 program sees them
    ... --update                       writes them down: a line less or different breaks programs
"""
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
TEXT = re.sub(r"//[^\n]*", "", (INCLUDE / "cordon.h").read_text())


def compare(name: str, now: list[str]) -> int:
    path = HERE / name
    if "--update" in sys.argv:
        path.write_text("".join(f"{line}\n" for line in now))
    lines = list(difflib.unified_diff(path.read_text().splitlines(), now, "written down", "now", lineterm="", n=0))
    print("\n".join(lines) or f"{name}: {len(now)} lines, as written down")
    return 1 if lines else 0


def defined(archive: str) -> set[str]:
    text = subprocess.run(["nm", "-g", "--defined-only", archive], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^[0-9a-f]+ [TDBR] (cordon_\w+)$", text, re.M))


def symbols() -> int:
    declared = re.findall(r"^(?!typedef|static)[\w*]+ (cordon_\w+)\(", TEXT, re.M)
    status = compare("c_symbols.txt", sorted(declared))
    ours = defined(sys.argv[2])
    for what, names in (("declared and not defined", set(declared) - ours),
                        ("defined and not declared", ours - set(declared)),
                        ("defined by the bridge too", ours & defined(sys.argv[3]))):
        if names:
            print(f"{what}: {' '.join(sorted(names))}")
            status = 1
    return status


def rows() -> list[tuple[str, str]]:
    """(what is shown, the C expression of it)"""
    found = [(name, name) for name in re.findall(r"^#define (CORDON_\w+) \d+u?", TEXT, re.M)]
    for body, name in re.findall(r"^typedef struct \w+ \{(.*?)^\} (\w+);", TEXT, re.M | re.S):
        found.append((f"sizeof {name}", f"sizeof({name})"))
        for line in body.split(";"):
            for field in re.findall(r"(\w+)\s*(?:,|$)", line.strip()):
                found.append((f"{name}.{field}", f"offsetof({name}, {field})"))
    return found


def layout() -> int:
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "layout.c"
        prints = "".join(f'  printf("{shown} %lu\\n", (unsigned long)({value}));\n' for shown, value in rows())
        source.write_text(f"#include <cordon.h>\n#include <stdio.h>\nint main(void) {{\n{prints}  return 0;\n}}\n")
        program = f"{folder}/layout"
        subprocess.run([sys.argv[2], "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I", INCLUDE, source,
                        "-o", program], check=True)
        return compare("c_layout.txt", subprocess.check_output([program], text=True).splitlines())


if __name__ == "__main__":
    sys.exit({"symbols": symbols, "layout": layout}[sys.argv[1]]())
