#!/usr/bin/env python3
"""What is published in wit/ does not change: each file has the digest that frozen.txt says. To publish a new version,
add a folder and its line."""
import hashlib
import pathlib
import sys

WIT = pathlib.Path(__file__).resolve().parent.parent.parent / "wit"
frozen = dict(line.split()[::-1] for line in (WIT / "frozen.txt").read_text().splitlines() if line)
found = {str(path.relative_to(WIT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in WIT.rglob("*.wit")}
wrong = [f"{name} was changed" for name in frozen if found.get(name, frozen[name]) != frozen[name]]
wrong += [f"{name} is gone" for name in frozen if name not in found]
wrong += [f"{name} has no line in frozen.txt" for name in found if name not in frozen]
print("\n".join(wrong) or f"{len(found)} files are as they were published")
sys.exit(bool(wrong))
