#!/usr/bin/env python3
"""Builds a program with CORDON_ENGINE=none, where there is no Rust, no OpenSSL and no libyaml, and runs it. Then
compares what both variants of the library define: a program that links with one must link with the other."""
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
sys.path.insert(0, str(SOURCE / "tools"))
import exports  # noqa: E402

ABSENT = ("cargo", "rustc", "rustup")
PACKAGES = ("OpenSSL", "PkgConfig", "nlohmann_json", "CLI11", "GTest", "Python3")


def run(*command, env) -> str:
    done = subprocess.run(list(map(str, command)), env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def machine_without(folder: pathlib.Path, programs) -> dict[str, str]:
    """The environment, where each of the programs is found and fails."""
    folder.mkdir()
    for name in programs:
        (folder / name).write_text(f"#!/bin/sh\necho '{name} was called' >&2\nexit 1\n")
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}


def functions(symbols) -> set[str]:
    """Without types and virtual tables: programs have those of classes without a key function themselves."""
    return {symbol for symbol in symbols if not symbol.startswith(("_ZTI", "_ZTS", "_ZTV"))}


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        env = machine_without(folder / "bin", ABSENT)
        build = folder / "build"
        compilers = [f"-D{name}={os.environ[name]}" for name in ("CMAKE_CXX_COMPILER", "CMAKE_C_COMPILER")
                     if name in os.environ]
        run("cmake", "-G", "Ninja", "-S", HERE / "none", "-B", build, f"-DCORDON_SOURCE={SOURCE}", *compilers,
            *(f"-DCMAKE_DISABLE_FIND_PACKAGE_{package}=ON" for package in PACKAGES), env=env)
        run("cmake", "--build", build, "-j2", env=env)
        for program in ("consumer", "consumer_shared"):
            print(run(build / program, env=env), end="")
        archive = build / "cordon" / "library" / "libcordon.a"
        none = functions(exports.public_symbols(SOURCE / "include", [str(archive)]))
    written = (SOURCE / "tests" / "abi" / "libcordon.txt").read_text()
    full = functions(line.split()[0] for line in written.splitlines())
    for symbol in sorted(full ^ none):
        print(f"only {'with' if symbol in full else 'without'} an engine: {' '.join(exports.demangle([symbol]))}")
    print(f"{len(none)} symbols, {len(full)} with an engine")
    return 1 if full != none else 0


if __name__ == "__main__":
    sys.exit(main())
