#!/usr/bin/env python3
"""Builds what `make bench` measures, and measures it.

    bench/run.py [--build build] [--row NAME]... [--rounds N]

Cordon and raw Wasmtime are linked into one program from one library (bench/raw), so both sides run the same engine
code. Leaves BUILD/bench.json and prints a table. Whether every bar was met is in the table; the exit code says only
whether all was measured.
"""
import argparse
import fcntl
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import build_bridge  # noqa: E402  (needs the path above)


def run(command: list, **options) -> None:
    done = subprocess.run([str(word) for word in command], **options)
    if done.returncode != 0:
        raise SystemExit(f"bench: failed with status {done.returncode}: {' '.join(str(word) for word in command)}")


def build_library() -> pathlib.Path:
    """The static library with the bridge and the raw engine; cargo's files are those of the bridge's own build."""
    cache = build_bridge.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = dict(os.environ, CARGO_TARGET_DIR=str(cache / "target"))
        cargo = os.environ.get("CARGO", "cargo")
        run([cargo, "build", "--release", "--locked", "-p", "cordon-bench-raw"], cwd=ROOT / "bridge", env=environment)
    return cache / "target" / "release" / "libcordon_bench_raw.a"


def build_program(tree: pathlib.Path, library: pathlib.Path) -> pathlib.Path:
    run(["cmake", "-S", ROOT, "-B", tree, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
         "-DCORDON_BUILD_TESTS=OFF", f"-DCORDON_BRIDGE_LIBRARY={library}"], stdout=subprocess.DEVNULL)
    run(["cmake", "--build", tree, "--target", "cordon_bench"])
    return tree / "bin" / "cordon_bench"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--row", action="append", default=[], help="measure this row only; may be repeated")
    parser.add_argument("--rounds", type=int, help="rounds of every row (default: 100, and 30 of the slow ones)")
    args = parser.parse_args()
    build = args.build.resolve()
    guests = build / "guests"
    run([sys.executable, ROOT / "tools" / "build_guests.py", "--output", guests])
    program = build_program(build / "bench", build_library())
    command = [program, "--guests", guests, "--output", build / "bench.json"]
    for row in args.row:
        command += ["--row", row]
    if args.rounds:
        command += ["--rounds", args.rounds]
    print(f"bench: {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}; a few minutes", flush=True)
    run(command)
    print(f"bench: load {os.getloadavg()[0]:.2f}; {build / 'bench.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
