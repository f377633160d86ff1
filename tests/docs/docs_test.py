#!/usr/bin/env python3
"""Keeps the guide true.

    docs_test.py compare                      every ```cpp block of docs/guide and README.md is a region of a program
    docs_test.py run PROGRAM EXPECTED GUESTS  the program prints what EXPECTED says; long numbers are N

A region stands between `// [name]` and `// [/name]`, and is compared without its indentation.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REGION = re.compile(r"^[ ]*// \[([\w-]+)\]\n(.*?)^[ ]*// \[/\1\]\n", re.M | re.S)
BLOCK = re.compile(r"^```cpp\n(.*?)^```", re.M | re.S)


def tidy(code: str) -> str:
    lines = [line.rstrip() for line in textwrap.dedent(code).strip("\n").splitlines()]
    return "\n".join(line for line in lines if not re.match(r"\s*// \[/?[\w-]+\]$", line))


def regions() -> dict[str, str]:
    found = {}
    programs = sorted(HERE.glob("*.cc")) + sorted((ROOT / "examples" / "hosts").rglob("*.cc"))
    programs.append(ROOT / "tests" / "consume" / "hello.cc")
    for path in programs:
        text = path.read_text()
        found[tidy(text)] = path.name
        pending = [text]
        while pending:
            for match in REGION.finditer(pending.pop()):
                found[tidy(match.group(2))] = f"{path.name}, {match.group(1)}"
                pending.append(match.group(2))
    return found


def compare() -> int:
    known = regions()
    used, wrong = set(), 0
    pages = sorted((ROOT / "docs" / "guide").glob("*.md")) + [ROOT / "README.md"]
    for page in pages:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            code = tidy(match.group(1))
            if code in known:
                used.add(code)
                continue
            line = text.count("\n", 0, match.start()) + 1
            print(f"{page.relative_to(ROOT)}:{line}: this code is in no program of tests/docs or examples/hosts")
            wrong += 1
    for code, where in known.items():
        if "," in where and code not in used and where.split(",")[0] in {p.name for p in HERE.glob("*.cc")}:
            print(f"tests/docs/{where}: no page shows this region")
            wrong += 1
    print(f"{len(used)} blocks compared, {wrong} wrong")
    return 1 if wrong or not used else 0


def run(program: str, expected: str, guests: str) -> int:
    with tempfile.TemporaryDirectory(prefix="cordon-docs-") as folder:
        done = subprocess.run([program, guests, folder], cwd=folder, capture_output=True, text=True, timeout=100)
    wanted = pathlib.Path(expected).read_text()
    printed = re.sub(r"\b\d{6,}\b", "N", done.stdout.replace(guests, "GUESTS"))
    if done.returncode == 0 and printed == wanted:
        return 0
    print(f"exit status {done.returncode}\n--- expected\n{wanted}--- printed\n{printed}{done.stderr}")
    return 1


if __name__ == "__main__":
    sys.exit(compare() if sys.argv[1:] == ["compare"] else run(*sys.argv[2:5]))
