#!/usr/bin/env python3
"""Gets koffi into the user's cache folder, runs shop.mjs in the current folder and compares what it prints.

    run.py PLUGIN

Exits with 77, which a test takes for skipped, when Node or the packages cannot be had.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FILES = ("package.json", "package-lock.json", "shop.mjs")


def main() -> int:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        print("skipped: there is no Node with npm here")
        return 77
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    base = pathlib.Path(os.environ.get("CORDON_BUILD_CACHE") or home / "cordon-build")
    key = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    folder = base / "node-host" / key
    if not (folder / "node_modules" / "koffi").is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in FILES:
            shutil.copy(HERE / name, folder)
        try:
            done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, timeout=100,
                                  capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            done = None
        if done is None or done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            print("skipped: npm could not get koffi" + (f": {done.stderr[-300:]}" if done else " in time"))
            return 77
    command = [sys.executable, HERE.parent / "run.py", HERE / "shop.out", node, folder / "shop.mjs", sys.argv[1]]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
