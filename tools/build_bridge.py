#!/usr/bin/env python3
"""Builds bridge/ with cargo and keeps its static libraries in a user cache, keyed by their inputs: the whole one, and
the one of worker processes, which only runs what was compiled.

The key covers every source of the bridge, Cargo.lock, the compiler and this script, so that a clone whose
bridge is the same as one built before takes the library from the cache instead of compiling for minutes.
"""
import argparse
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BRIDGE = ROOT / "bridge"
KEPT_BUILDS = 16  # each is up to 100 MB
PACKAGES = ("cordon-bridge", "cordon-bridge-worker")


def cache_folder() -> pathlib.Path:
    chosen = os.environ.get("CORDON_BUILD_CACHE")
    if chosen:
        return pathlib.Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "cordon-build"


def inputs():
    for path in sorted(BRIDGE.rglob("*")):
        if path.suffix in {".rs", ".toml", ".wat", ".wit"} or path.name == "Cargo.lock":
            if "target" not in path.relative_to(BRIDGE).parts:
                yield path


def freshen() -> None:
    """Cargo tells sources apart by place in the workspace and by time alone, and clones share its files: without this
    the newer artifact of another clone would pass for ours."""
    for path in inputs():
        os.utime(path)


def rust_flags(cargo: list[str]) -> str:
    """What RUSTFLAGS must be for every release build that shares cargo's files: panic texts and debug information name
    sources, and these names must tell nothing of the machine or the user that built. Fetches the crates, because the
    folders they are in are named after the registry. Crates of our own need nothing: cargo names them by relative
    paths."""
    if subprocess.run([*cargo, "fetch", "--quiet", "--locked"], cwd=BRIDGE).returncode != 0:
        raise SystemExit("bridge: cargo could not fetch the crates; see its messages above")
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
    sources = home / "registry" / "src"
    rustc = os.environ.get("RUSTC", "rustc")
    found = subprocess.run([rustc, "--print", "sysroot"], cwd=BRIDGE, capture_output=True, text=True, check=True)
    names = [(home, "/cargo"), (found.stdout.strip() + "/lib/rustlib/src/rust", "/rustc"),
             (cache_folder() / "target", "/build")]
    names += [(folder, "/cargo") for folder in sorted(sources.glob("*"))]  # the last that fits counts
    remaps = [f"--remap-path-prefix={real}={said}" for real, said in names]
    return " ".join([*os.environ.get("RUSTFLAGS", "").split(), *remaps])


def key(cargo: list[str], package: str) -> str:
    digest = hashlib.sha256(package.encode())
    digest.update(subprocess.run([*cargo, "--version", "--verbose"], capture_output=True, check=True).stdout)
    digest.update(pathlib.Path(__file__).read_bytes())
    for path in inputs():
        digest.update(str(path.relative_to(BRIDGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def prune(store: pathlib.Path, keep: pathlib.Path) -> None:
    builds = sorted((p for p in store.iterdir() if p.suffix == ".a" and p != keep), key=lambda p: p.stat().st_mtime)
    for old in builds[: max(0, len(builds) + 1 - KEPT_BUILDS)]:
        old.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--package", choices=PACKAGES, default=PACKAGES[0])
    parser.add_argument("--print-flags", action="store_true", help="print RUSTFLAGS as the bridge is built with them")
    args = parser.parse_args()
    cargo = [os.environ.get("CARGO", "cargo")]
    if args.print_flags:
        print(rust_flags(cargo))
        return 0
    if not args.output:
        parser.error("--output is needed")
    cache = cache_folder()
    store = cache / "bridge"
    store.mkdir(parents=True, exist_ok=True)
    library = store / f"{key(cargo, args.package)}.a"
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            print("bridge: not in the cache; compiling (10 to 20 minutes the first time, then 1 to 3)", flush=True)
            freshen()
            env = dict(os.environ, CARGO_TARGET_DIR=str(cache / "target"), RUSTFLAGS=rust_flags(cargo))
            command = [*cargo, "build", "--release", "--locked", "-p", args.package]
            if subprocess.run(command, cwd=BRIDGE, env=env).returncode != 0:
                print("bridge: cargo failed; see its messages above", file=sys.stderr)
                return 1
            partial = library.with_suffix(".partial")
            built = f"lib{args.package.replace('-', '_')}.a"
            shutil.copyfile(cache / "target" / "release" / built, partial)
            partial.replace(library)
            prune(store, library)
        else:
            os.utime(library)
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.unlink(missing_ok=True)
        shutil.copyfile(library, args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
