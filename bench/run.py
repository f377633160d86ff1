#!/usr/bin/env python3
"""Builds what `make bench` measures, and measures it.

    bench/run.py [--build build] [--row NAME]... [--rounds N] [--no-peers] [--docs]

Cordon and raw Wasmtime are linked into one program from one library (bench/raw), so both sides run the same engine
code; other engines (bench/peers) are processes of their own, and one that cannot be had is a row that says so.
Leaves BUILD/bench.json and charts in BUILD/bench, and prints a table. Whether every bar was met is in the table; the
exit code says only whether all was measured.
"""
import argparse
import fcntl
import filecmp
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "bench" / "peers")]

import build_bridge  # noqa: E402  (needs the path above)
import charts  # noqa: E402
import setup as peer_setup  # noqa: E402

DOCS = ROOT / "docs" / "bench"
BUSY_LOAD = 0.7  # above this, something else ran on the machine


def run(command: list, **options) -> None:
    done = subprocess.run([str(word) for word in command], **options)
    if done.returncode != 0:
        raise SystemExit(f"bench: failed with status {done.returncode}: {' '.join(str(word) for word in command)}")


def build_library(tree: pathlib.Path) -> pathlib.Path:
    """The static library with the bridge and the raw engine; cargo's files are those of the bridge's own build, and
    those of other clones too, so what was made is copied while they wait."""
    cache = build_bridge.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cargo = os.environ.get("CARGO", "cargo")
        flags = build_bridge.rust_flags([cargo])
        environment = dict(os.environ, CARGO_TARGET_DIR=str(cache / "target"), RUSTFLAGS=flags)
        build_bridge.freshen()
        run([cargo, "build", "--release", "--locked", "-p", "cordon-bench-raw"], cwd=ROOT / "bridge", env=environment)
        tree.mkdir(parents=True, exist_ok=True)
        made, kept = cache / "target" / "release" / "libcordon_bench_raw.a", tree / "libcordon_bench_raw.a"
        if not kept.exists() or not filecmp.cmp(made, kept, shallow=False):
            shutil.copyfile(made, kept)
    return kept


def build_program(tree: pathlib.Path, library: pathlib.Path) -> pathlib.Path:
    run(["cmake", "-S", ROOT, "-B", tree, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
         "-DCORDON_BUILD_TESTS=OFF", f"-DCORDON_BRIDGE_LIBRARY={library}"], stdout=subprocess.DEVNULL)
    run(["cmake", "--build", tree, "--target", "cordon_bench", "extism_peer", "cordon"])
    return tree / "bin" / "cordon_bench"


def first_line(*command: str) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=ROOT / "bridge").stdout
    except (OSError, subprocess.TimeoutExpired):
        return "not here"
    return said.splitlines()[0] if said else "not here"


def word_of(path: str, key: str, otherwise: str) -> str:
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except OSError:
        return otherwise
    return next((line.split(":", 1)[-1].strip() for line in lines if line.startswith(key)), otherwise)


def machine(load_before: float) -> dict:
    return {
        "cpu": word_of("/proc/cpuinfo", "model name", platform.machine()),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "governor": word_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", "unknown"),
        "load_before": load_before,
        "load_after": os.getloadavg()[0],
        "busy": load_before > BUSY_LOAD,
    }


def versions(peers: dict) -> dict:
    lock = (ROOT / "bridge" / "Cargo.lock").read_text().split("[[package]]")
    wasmtime = next(part for part in lock if 'name = "wasmtime"\n' in part).split('version = "')[1].split('"')[0]
    cordon = first_line("git", "describe", "--always", "--dirty")
    found = {"Cordon": cordon, "g++": first_line("g++", "-dumpfullversion"),
             "rustc": (first_line("rustc", "--version").split() + ["", ""])[1], "wasmtime": wasmtime}
    for name, peer in peers.items():
        if "command" not in peer:
            found[name] = "skipped"
            continue
        done = subprocess.run(peer["command"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        found[name] = done.stdout.strip().removeprefix("ready ").partition(" ")[2] or "failed"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--row", action="append", default=[], help="measure this row only; may be repeated")
    parser.add_argument("--rounds", type=int, help="rounds of every row (default: 100, and 30 of the slow ones)")
    parser.add_argument("--no-peers", action="store_true", help="leave other engines out")
    parser.add_argument("--docs", action="store_true", help="write table and charts into docs/bench, too")
    parser.add_argument("--draw", action="store_true", help="measure nothing: draw what BUILD/bench.json holds")
    args = parser.parse_args()
    build = args.build.resolve()
    output = build / "bench.json"
    if not args.draw:
        measure(args, build, output)
    report = json.loads(output.read_text())
    charts.write(report, build / "bench")
    if args.docs:
        charts.write_docs(report, DOCS)
    return 0


def measure(args: argparse.Namespace, build: pathlib.Path, output: pathlib.Path) -> None:
    load = os.getloadavg()[0]  # of others: building makes its own
    guests = build / "guests"
    run([sys.executable, ROOT / "tools" / "build_guests.py", "--output", guests])
    program = build_program(build / "bench", build_library(build / "bench"))
    peers = {name: {"skipped": "left out (--no-peers)"} for name in ("extism", "wazero", "node")}
    if not args.no_peers:
        peers = peer_setup.commands(build_bridge.cache_folder() / "peers", program.parent / "extism_peer", guests)
    if not args.row or "load-js" in args.row:
        try:
            peer_setup.javascript(build_bridge.cache_folder() / "peers", guests)
        except (peer_setup.Skipped, OSError) as why:
            print(f"bench: no component of JavaScript, so no load-js: {why}", flush=True)
    offered, rows = build / "bench" / "peers.json", build / "bench" / "rows.json"
    offered.write_text(json.dumps(peers, indent=1))
    command = [program, "--guests", guests, "--output", rows, "--peers", offered]
    for row in args.row:
        command += ["--row", row]
    if args.rounds:
        command += ["--rounds", args.rounds]
    print(f"bench: {os.cpu_count()} CPUs, load {load:.2f}; some minutes", flush=True)
    run(command)
    report = {"machine": machine(load), "versions": versions(peers), "rows": json.loads(rows.read_text())}
    output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"bench: load {report['machine']['load_after']:.2f}; {output}, charts in {build / 'bench'}")


if __name__ == "__main__":
    sys.exit(main())
