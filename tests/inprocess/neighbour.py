#!/usr/bin/env python3
"""Gets Wasmtime's own library, pinned, into the user's cache folder, and runs a program that uses it beside Cordon.

    neighbour.py ORDER PROGRAM LIBCORDON

Exits with 77, which a test takes for skipped, when the library cannot be had.
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from cordon import ADD, TRAP, module  # noqa: E402

VERSION = "48.0.0"  # of Cordon's own major version: what is alike collides most easily
SHA256 = "58544d539053dff7bd4cf30c40d7a540862d683013c0dfa6ba46a063f5b682f7"  # of the wheel for x86-64 Linux
GUEST = module([
    ADD,
    ("unreachable", *TRAP[1:]),
    ("reach", [], [], b"\x41\x7f\x28\x02\x00\x1a"),  # an address that only a guard page stops
    ("divide", [], [], b"\x41\x01\x41\x00\x6d\x1a"),
    ("recurse", [], [], b"\x10\x04"),
])


def skip(why: str):
    print(f"skipped: {why}")
    sys.exit(77)


def library() -> pathlib.Path:
    if os.uname().machine != "x86_64":
        skip("the wheel is pinned for x86-64 only")
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    base = pathlib.Path(os.environ.get("CORDON_BUILD_CACHE") or home / "cordon-build")
    found = base / "neighbour" / f"libwasmtime-{VERSION}.so"
    if found.exists():
        return found
    found.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=found.parent) as name:
        try:
            done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                                   "--only-binary=:all:", "-d", name, f"wasmtime=={VERSION}"],
                                  capture_output=True, text=True, timeout=100, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            skip(f"pip could not get wasmtime {VERSION}: {error}")
        if done.returncode:
            skip(f"pip could not get wasmtime {VERSION}: {done.stderr.strip()[-300:]}")
        (wheel,) = pathlib.Path(name).glob("*.whl")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
            sys.exit(f"{wheel.name} is not the one that is pinned")
        with zipfile.ZipFile(wheel) as content:
            partial = pathlib.Path(name) / "partial"
            partial.write_bytes(content.read("wasmtime/linux-x86_64/_libwasmtime.so"))
            partial.replace(found)
    return found


def main() -> int:
    order, program, cordon = sys.argv[1:]
    neighbour = library()
    with tempfile.TemporaryDirectory() as folder:
        guest = pathlib.Path(folder) / "guest.wasm"
        guest.write_bytes(GUEST)
        done = subprocess.run([program, order, cordon, neighbour, guest], capture_output=True, text=True, timeout=60,
                              check=False)
    print(done.stdout + done.stderr, end="")
    return 0 if (done.returncode, done.stdout, done.stderr) == (0, "both\n", "") else 1


if __name__ == "__main__":
    sys.exit(main())
