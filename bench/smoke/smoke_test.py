#!/usr/bin/env python3
"""Every row of the bench runs and says what bench.json promises; how fast is not looked at.

    smoke_test.py --bench build/bin/cordon_bench_smoke --guests build/guests
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROWS = ["fresh", "warm-add", "echo-1k", "echo-64k", "bytes-64k", "bytes-nested-64k", "json-10", "kill-spin",
        "kill-bulk", "kill-blocked", "idle-rss", "threads-2", "threads-2-raw", "first-call", "load-small", "run-cli",
        "http-get", "guard-allow", "audit-record", "plugin-to-plugin", "sleeping-rss", "worker-call",
        "worker-call-one-core", "worker-1m", "worker-1m-across", "worker-start", "worker-cold", "worker-rss",
        "worker-throughput-1", "worker-throughput-2"]
KERNELS = ["mix", "fib", "sieve", "matmul"]
ROWS += [f"{kind}-{kernel}" for kind in ("interrupt", "native", "worker") for kernel in KERNELS]
PEERS = ["extism-fresh", "extism-warm", "extism-vowels-fresh", "extism-vowels-warm", "extism-rss", "wazero-fresh",
         "wazero-warm", "node-fresh", "node-warm"]
NUMBERS = ["cordon", "against", "ratio", "upper95", "p99_cordon", "p99_against", "min_cordon", "rounds", "held"]

# Answers as a peer does, but for one that fails its own check.
PEER = """
import sys
print("ready stand-in 1.0", flush=True)
for line in sys.stdin:
    print("kib 40" if line.startswith("hold") else "ns 2000000", flush=True)
"""


def wrong(row: dict) -> str:
    for name in NUMBERS:
        if not isinstance(row.get(name), (int, float)) or isinstance(row[name], bool):
            return f"{name} is no number"
    for name in ("peer", "unit", "judged"):
        if not isinstance(row.get(name), str) or not row[name]:
            return f"{name} is no text"
    if row["judged"] == "stated":
        return "" if row["bar"] is None and row["pass"] is None else "it is stated, and has a bar"
    return "" if isinstance(row["bar"], (int, float)) and isinstance(row["pass"], bool) else "it has no bar"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True, type=pathlib.Path)
    parser.add_argument("--guests", required=True, type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cordon-smoke-") as folder:
        peers, output = pathlib.Path(folder) / "peers.json", pathlib.Path(folder) / "rows.json"
        peers.write_text(json.dumps({
            "extism": {"command": [sys.executable, "-c", PEER]},
            "wazero": {"command": [sys.executable, "-c", "print('error add answered 6')"]},
            "node": {"skipped": "there is no Node"},
        }))
        subprocess.run([args.bench, "--guests", args.guests, "--output", output, "--rounds", "1", "--live", "100",
                        "--peers", peers], check=True, timeout=100)
        rows = {row["row"]: row for row in json.loads(output.read_text())}
    bad = [f"{name}: is not there" for name in ROWS + PEERS if name not in rows]
    for name, row in rows.items():
        if "skipped" in row:
            if name in ROWS:
                bad.append(f"{name}: is skipped: {row['skipped']}")
        elif why := wrong(row):
            bad.append(f"{name}: {why}")
    for name, why in (("wazero-fresh", "add answered 6"), ("node-warm", "there is no Node")):
        if why not in rows.get(name, {}).get("skipped", ""):
            bad.append(f"{name}: should be skipped, with its reason")
    if "skipped" in rows.get("extism-fresh", {}):
        bad.append("extism-fresh: a peer that answers is measured")
    print("\n".join(bad) or f"{len(rows)} rows")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
