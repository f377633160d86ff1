#!/usr/bin/env python3
"""Runs a host in the current folder and compares what it prints with a file: run.py EXPECTED COMMAND..."""
import difflib
import pathlib
import subprocess
import sys

done = subprocess.run(sys.argv[2:], capture_output=True, text=True, timeout=100)
expected = pathlib.Path(sys.argv[1]).read_text()
lines = "".join(difflib.unified_diff(expected.splitlines(True), done.stdout.splitlines(True), "expected", "printed"))
print(lines + done.stderr if lines or done.returncode else done.stdout, end="")
sys.exit(1 if lines or done.returncode else 0)
