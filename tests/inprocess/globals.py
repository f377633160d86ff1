#!/usr/bin/env python3
"""Two Hosts in one process share nothing: the rooms' own objects have no writable variable but those listed here.

    globals.py FOLDER-OF-ARCHIVES
"""
import pathlib
import re
import subprocess
import sys

ALLOWED = {
    "cordon::embed::(anonymous namespace)::serving",  # thread_local: whether this thread runs a service
}
# nm's letters of variables that can be written; thread_local ones have them too.
LINE = re.compile(r"^[0-9a-f]+ [bBdDsSuGgC] (.*)$")
# Constant after relocation or after its first use (kName, by the rules of the house), or the compiler's own.
CONSTANT = re.compile(r"^(vtable|typeinfo|typeinfo name|construction vtable|VTT|guard variable|DW\.ref)\b|^\.|^__"
                      r"|::k[A-Z]\w*$")


def written(archive: pathlib.Path) -> set[str]:
    text = subprocess.run(["nm", "-C", "--defined-only", archive], capture_output=True, text=True, check=True).stdout
    names = {found[1] for found in map(LINE.match, text.splitlines()) if found}
    return {name for name in names if "cordon" in name and not CONSTANT.search(name)}


def read_only(archive: pathlib.Path) -> set[str]:
    """What lies in .data.rel.ro is written by the loader alone."""
    text = subprocess.run(["objdump", "-Ct", archive], capture_output=True, text=True, check=True).stdout
    return {line.split(None, 5)[-1] for line in text.splitlines() if ".data.rel.ro" in line and "cordon" in line}


def main() -> int:
    archives = sorted(path for path in pathlib.Path(sys.argv[1]).glob("libcordon_*.a") if path.stem != "libcordon_cli")
    found = set().union(*(written(archive) for archive in archives))
    constant = set().union(*(read_only(archive) for archive in archives))
    found = {name for name in found if not any(name in line for line in constant)}
    for name in sorted(found - ALLOWED):
        print(f"a variable of the whole process: {name}")
    if not found & ALLOWED:
        print(f"none of {len(archives)} archives has what is allowed: nothing was looked at")
        return 1
    print(f"{len(archives)} archives, {len(found)} variables")
    return 1 if found - ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
