#!/usr/bin/env python3
"""What `make package` makes, as the people who get it see it.

    packages.py make|tarball|debian|reproducible

`tarball` is the way from the tarball to a first plugin call: unpack, compile ten lines, run them; nothing else of ours
on the machine. It prints how long that took.
"""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import consume

PACKAGES = consume.WORK / "packages"
HELLO = consume.SOURCE / "tests" / "consume" / "hello.cc"
SAYS = "2 + 40 = 42\n"
DATE = "1700000000"
HEADER = (consume.SOURCE / "include" / "cordon" / "version.h").read_text()
LIBRARY = "libcordon" + re.search(r'CORDON_VERSION "(\d+\.\d+)\.\d+"', HEADER)[1]


def cpack(where: pathlib.Path, *generators: str) -> None:
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    for generator in generators:
        consume.run("cpack", "--config", consume.BUILD / "CPackConfig.cmake", "-G", generator, "-B", where,
                    clean=False, SOURCE_DATE_EPOCH=DATE)
    shutil.rmtree(where / "_CPack_Packages")


def only(pattern: str) -> pathlib.Path:
    found = [path for path in PACKAGES.glob(pattern) if not re.search(r"-debug\.|dbgsym|\.sha256$", path.name)]
    if len(found) != 1:
        sys.exit(f"{pattern}: there should be one, and there are {[path.name for path in found]}")
    return found[0]


def make() -> None:
    cpack(PACKAGES, "TGZ", *(["DEB"] if shutil.which("dpkg-shlibdeps") else []))
    for path in sorted(PACKAGES.iterdir()):
        print(f"{path.stat().st_size:>10} {path.name}")


def stripped(folder: pathlib.Path) -> None:
    for file in [*folder.glob("**/bin/cordon"), *folder.glob("**/libcordon.so.*.*.*")]:
        if ".debug_" in consume.run("readelf", "-SW", file, clean=False):
            sys.exit(f"{file} has debug information")


def tarball() -> None:
    folder = consume.fresh("from tarball")
    started = time.monotonic()
    consume.run("tar", "-xzf", only("cordon-*.tar.gz"), "-C", folder, clean=False)
    tree = next(folder.iterdir())
    library = next(tree.glob("lib/**/libcordon.a")).parent
    for package in ("cordon", "cordon-static"):
        flags = consume.package_flags(package, library)
        consume.run("c++", "-std=c++23", HELLO, "-o", folder / package, *flags)
        consume.answers(folder / package, SAYS, ())
        print(f"{time.monotonic() - started:.1f} s from the tarball to a call ({package})")
    stripped(tree)
    debug = [path for path in PACKAGES.iterdir() if path.name.endswith("-debug.tar.gz")]
    listed = consume.run("tar", "-tzf", debug[0], clean=False)
    if listed.count(".debug\n") < 2:
        sys.exit(f"the debug information is not apart:\n{listed}")


def debian() -> None:
    if not shutil.which("dpkg-shlibdeps"):
        print("skipped: no dpkg-dev")
        return
    root = consume.fresh("from debian")
    depends = {}
    for name in (f"{LIBRARY}_*.deb", "libcordon-dev_*.deb", "cordon_*.deb"):
        package = only(name)
        consume.run("dpkg-deb", "-x", package, root, clean=False)
        depends[name.split("_")[0]] = consume.run("dpkg-deb", "-f", package, "Depends", clean=False)
        documents = root / "usr/share/doc" / name.split("_")[0]
        if not (documents / "copyright").exists():
            sys.exit(f"{package.name} has no copyright file")
    print(depends)
    for library in ("libc6", "libssl3", "libyaml-0-2", "libsqlite3-0", "libre2-9", "libstdc++6"):
        if not re.search(rf"\b{re.escape(library)}(?![\w+-])", depends[LIBRARY]):
            sys.exit(f"{LIBRARY} does not depend on {library}")
    if f"{LIBRARY} (=" not in depends["libcordon-dev"]:
        sys.exit("libcordon-dev does not depend on its own shared library")
    library = root / "usr/lib"
    flags = ["-isystem", root / "usr/include", "-L", library, "-lcordon", f"-Wl,-rpath,{library}"]
    consume.run("c++", "-std=c++23", HELLO, "-o", root / "hello", *flags)
    consume.answers(root / "hello", SAYS, ())
    stripped(root / "usr")


def reproducible() -> None:
    """The same build packed again gives the same bytes."""
    again = consume.WORK / "packages again"
    cpack(again, "TGZ")
    for path in sorted(again.glob("*.tar.gz")):
        first, second = (hashlib.sha256((folder / path.name).read_bytes()).hexdigest() for folder in (PACKAGES, again))
        print(first, path.name)
        if first != second:
            sys.exit(f"{path.name} differs from the one that was packed before: {second}")
    shutil.rmtree(again)


CASES = (make, tarball, debian, reproducible)

if __name__ == "__main__":
    os.umask(0o022)
    {case.__name__: case for case in CASES}[sys.argv[1]]()
