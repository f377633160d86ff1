"""Gets the peers of the bench, pinned, into the user's cache; what cannot be had is skipped, and says why."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
EXTISM = "1.41.0"
# Of the wheel for x86-64 Linux.
EXTISM_SHA256 = "ec20105dc6f80a545b421717a89e849b80677a9337f3ed7f0367f4c89ad6e998"


class Skipped(Exception):
    pass


def run(command: list, why: str, **options) -> None:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Skipped(f"{why}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise Skipped(f"{why}: {last}")


def extism(cache: pathlib.Path, program: pathlib.Path, guests: pathlib.Path) -> list:
    if os.uname().machine != "x86_64":
        raise Skipped("its wheel is pinned for x86-64 only")
    folder = cache / f"extism-{EXTISM}"
    library = folder / "libextism_sys.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", folder,
             f"extism-sys=={EXTISM}"], "pip could not get extism-sys")
        wheels = list(folder.glob("*.whl"))
        if not wheels or hashlib.sha256(wheels[0].read_bytes()).hexdigest() != EXTISM_SHA256:
            raise Skipped("the wheel of extism-sys is not the one that is pinned")
        with zipfile.ZipFile(wheels[0]) as wheel:
            partial = library.with_suffix(".partial")
            partial.write_bytes(wheel.read("extism_sys/libextism_sys.so"))
            partial.replace(library)
    return [program, guests, library]


def wazero(cache: pathlib.Path, guests: pathlib.Path) -> list:
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if not go:
        raise Skipped("there is no go; install Go 1.25 or later (Debian's golang is older) for this row")
    program = cache / "wazero_peer"
    cache.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, GOFLAGS="-mod=readonly", CGO_ENABLED="0")
    run([go, "build", "-trimpath", "-o", program, "."], "go could not build it", cwd=HERE / "wazero", env=environment)
    return [program, guests]


def node(guests: pathlib.Path) -> list:
    found = shutil.which("node") or shutil.which("nodejs")
    if not found:
        raise Skipped("there is no node; install nodejs for this row")
    return [found, HERE / "node.mjs", guests]


def javascript(cache: pathlib.Path, guests: pathlib.Path) -> None:
    """A component of 12 MB with a JavaScript engine in it, js.wasm among the guests: what load-js loads."""
    source = HERE / "js"
    found = shutil.which("node"), shutil.which("npm")
    if None in found:
        raise Skipped("there is no node with npm")
    parts = sorted(path for path in source.iterdir() if path.is_file())
    key = hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()[:16]
    folder = cache / f"js-{key}"
    made = folder / "js.wasm"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        run([found[1], "install", "--ignore-scripts", "--no-audit", "--no-fund"], "npm could not get componentize-js",
            cwd=folder)
        run([found[0], "make.mjs", folder / "js.partial"], "componentize-js could not make the component", cwd=folder)
        (folder / "js.partial").replace(made)
        shutil.rmtree(folder / "node_modules")
    shutil.copyfile(made, guests / "js.wasm")


def commands(cache: pathlib.Path, extism_program: pathlib.Path, guests: pathlib.Path) -> dict:
    """What cordon_bench reads as --peers."""
    peers = {}
    for name, find in (("extism", lambda: extism(cache, extism_program, guests)),
                       ("wazero", lambda: wazero(cache, guests)), ("node", lambda: node(guests))):
        try:
            peers[name] = {"command": [str(word) for word in find()]}
        except (Skipped, OSError, zipfile.BadZipFile) as why:
            peers[name] = {"skipped": " ".join(str(why).split())}
    return peers
