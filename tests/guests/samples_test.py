#!/usr/bin/env python3
"""Runs each example plugin on its samples: NAME.input.json must answer NAME.expected.json.

    samples_test.py --cordon build/bin/cordon --guests build/guests [--write]

A sample is for the action that it is filed under: samples/ACTION/ or, in samples/ itself, the first action.
`--write` writes what was answered, to be read and committed.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PLUGINS = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "plugins"
FIRST_ACTION = {"graph-analyst": "analyze-graph", "canary": "probe"}


def answer(cordon: pathlib.Path, plugin: pathlib.Path, action: str, given: pathlib.Path, home: str):
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": home, "LANG": "C.UTF-8"}
    command = [str(cordon), "run", str(plugin), action, "--input", f"@{given}", "--json"]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    document = json.loads(done.stdout)
    return document["output"] if document.get("ok") else {"error": document["error"]["code"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cordon", required=True, type=pathlib.Path)
    parser.add_argument("--guests", required=True, type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    bad = ran = 0
    for given in sorted(PLUGINS.glob("*/samples/**/*.input.json")):
        name = given.relative_to(PLUGINS).parts[0]
        action = given.parent.name if given.parent.name != "samples" else FIRST_ACTION[name]
        expected = given.with_name(given.name.replace(".input.", ".expected."))
        with tempfile.TemporaryDirectory(prefix="cordon-samples-") as home:
            got = answer(args.cordon.resolve(), args.guests.resolve() / "plugins" / name, action, given, home)
        ran += 1
        if args.write:
            expected.write_text(json.dumps(got, indent=2, ensure_ascii=False) + "\n")
        elif got != json.loads(expected.read_text()):
            bad += 1
            print(f"FAIL {given}: answered\n{json.dumps(got, indent=2)}")
            continue
        print(f"ok   {given.relative_to(PLUGINS)}")
    return 1 if bad or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
