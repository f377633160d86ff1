#!/usr/bin/env python3
"""Builds every guest from source: the example plugins, and the guests of the tests.

    tools/build_guests.py --output build/guests

leaves in the output folder
    NAME.wasm              the guests of the tests (tests/guests: WAT, and Rust made into components)
    conformance/KIND/      the conformance suite's guest of each kind, with its plugin.yaml
    plugins/NAME/          the example plugins, each with its plugin.yaml, artifact and digest
    bin/canary             the canary, built for this machine
What was built stays in the user's cache, keyed by its inputs; a second run copies.
"""
import argparse
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "guests"
PLUGINS = ROOT / "examples" / "plugins"
SOURCES = {".c", ".go", ".mod", ".rs", ".toml", ".wit", ".wat", ".lock", ".yaml", ".json"}
WASI = "wasm32-wasip2"
WASI_1 = "wasm32-wasip1"
BARE = "wasm32-unknown-unknown"
C_HEADERS = pathlib.Path("/usr/include/wasm32-wasi")
KEPT_BUILDS = 4


class Failure(Exception):
    pass


def say(text: str) -> None:
    print(f"guests: {text}", flush=True)


def cache_folder() -> pathlib.Path:
    chosen = os.environ.get("CORDON_BUILD_CACHE")
    if chosen:
        return pathlib.Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "cordon-build"


def cargo() -> str:
    return os.environ.get("CARGO", "cargo")


def run(command: list, **options) -> None:
    done = subprocess.run([str(part) for part in command], **options)
    if done.returncode != 0:
        raise Failure(f"failed with status {done.returncode}: {' '.join(str(part) for part in command)}")


def inputs():
    for folder in (TESTS, PLUGINS, ROOT / "wit"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in SOURCES and "target" not in path.relative_to(folder).parts:
                yield path


def key() -> str:
    digest = hashlib.sha256()
    version = subprocess.run([cargo(), "--version", "--verbose"], cwd=TESTS, capture_output=True)
    if version.returncode != 0:
        raise Failure("cargo does not run; install Rust 1.95 or later (tools/setup.sh build guests)")
    digest.update(version.stdout)
    # Those that are built where their tools are.
    digest.update(f"go {shutil.which('go')} c {can_build_c()}".encode())
    digest.update(pathlib.Path(__file__).read_bytes())
    for path in inputs():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def can_build_c() -> bool:
    return shutil.which("clang") is not None and shutil.which("wasm-ld") is not None and C_HEADERS.is_dir()


def has_target(target: str) -> bool:
    found = subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", target], cwd=TESTS, capture_output=True, text=True
    )
    return found.returncode == 0 and any(pathlib.Path(found.stdout.strip()).glob("libstd-*"))


def install_targets() -> None:
    missing = [target for target in (WASI, WASI_1, BARE) if not has_target(target)]
    if not missing:
        return
    if not shutil.which("rustup"):
        wanted = " ".join(missing)
        raise Failure(f"this Rust cannot build for {wanted}; install rustup, then: rustup target add {wanted}")
    for attempt in range(1, 4):
        say(f"adding the Rust targets {' '.join(missing)} (try {attempt} of 3, at most 2 minutes)")
        if subprocess.run(["timeout", "120", "rustup", "target", "add", *missing], cwd=TESTS).returncode == 0:
            return
    raise Failure(f"rustup could not add them; try: rustup target add {' '.join(missing)}")


def forget_other_checkouts(target_dir: pathlib.Path) -> None:
    """cargo tells what is fresh by times, and packages by their place within the checkout: of another checkout that
    shares the folder it would take an older source for built. So what is ours is built again after a change of
    checkouts; what it depends on stays."""
    marker = target_dir / "checkout"
    if marker.is_file() and marker.read_text() == str(ROOT):
        return
    names = set()
    for workspace in (TESTS, PLUGINS):
        for manifest in workspace.rglob("Cargo.toml"):
            names.add(tomllib.loads(manifest.read_text()).get("package", {}).get("name"))
    for mark in [*target_dir.glob("*/.fingerprint/*"), *target_dir.glob("*/*/.fingerprint/*")]:
        if mark.name.rpartition("-")[0] in names:
            shutil.rmtree(mark)
    target_dir.mkdir(parents=True, exist_ok=True)
    marker.write_text(str(ROOT))


def leb128(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def many_functions(count: int) -> bytes:
    """A core module of `count` empty functions, one of them exported as "run" (attack 10)."""

    def section(number: int, content: bytes) -> bytes:
        return bytes([number]) + leb128(len(content)) + content

    types = section(1, b"\x01\x60\x00\x00")
    functions = section(3, leb128(count) + b"\x00" * count)
    exports = section(7, b"\x01\x03run\x00\x00")
    bodies = section(10, leb128(count) + b"\x02\x00\x0b" * count)
    return b"\0asm\1\0\0\0" + types + functions + exports + bodies


class Builder:
    """Builds into one folder; cargo's own files stay in the cache."""

    def __init__(self, target_dir: pathlib.Path, into: pathlib.Path):
        self.target_dir = target_dir
        self.into = into
        self.assembler = target_dir / "debug" / "assemble"

    def cargo_build(self, workspace: pathlib.Path, *arguments: str) -> None:
        env = dict(os.environ, CARGO_TARGET_DIR=str(self.target_dir))
        for name in ("RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS"):
            env.pop(name, None)
        run([cargo(), "build", "--quiet", "--locked", *arguments], cwd=workspace, env=env)

    def assemble(self) -> None:
        say("the assembler")
        self.cargo_build(TESTS, "-p", "assemble")
        texts = sorted(TESTS.glob("wat/*.wat"))
        say(f"{len(texts)} guests from text")
        run([self.assembler, "wat", self.into, *texts])
        (self.into / "a10_functions.wasm").write_bytes(many_functions(100_000))

    def rust_tests(self) -> None:
        say("the guests of the tests that are in Rust")
        names = ("conformance", "files", "http", "resident", "sockets")
        packages = [argument for name in names for argument in ("-p", name)]
        self.cargo_build(TESTS, "--release", "--target", WASI, *packages)
        for name in names:
            shutil.copyfile(self.target_dir / WASI / "release" / f"{name}.wasm", self.into / f"{name}.wasm")
        bare = ("agent", "bench", "exec", "logging", "provider", "settings", "shop", "storage",
                "tools")
        packages = [argument for name in bare for argument in ("-p", name)]
        self.cargo_build(TESTS, "--release", "--target", BARE, *packages)
        for name in bare:
            self.encode(name, self.into / f"{name}.wasm")

    def commands(self) -> None:
        """Programs of ordinary standard libraries. Those of Go and C where their tools are; their tests are skipped
        elsewhere."""
        say("the commands")
        for target, name in ((WASI_1, "command_p1.wasm"), (WASI, "command_p2.wasm")):
            self.cargo_build(TESTS, "--release", "--target", target, "-p", "command")
            shutil.copyfile(self.target_dir / target / "release" / "command.wasm", self.into / name)
        if shutil.which("go"):
            env = dict(os.environ, GOOS="wasip1", GOARCH="wasm", GOFLAGS="-trimpath", GOTOOLCHAIN="local")
            out = self.into / "command_go.wasm"
            run(["go", "build", "-ldflags", "-s -w", "-o", out, "."], cwd=TESTS / "command-go", env=env)
        if can_build_c():
            source = TESTS / "command-c" / "main.c"
            run(["clang", "--target=wasm32-wasi", "-O2", "-o", self.into / "command_c.wasm", source])

    def extism(self) -> None:
        """The examples of extism-pdk, which need no component around them."""
        say("the examples of extism-pdk")
        self.cargo_build(TESTS, "--release", "--target", BARE, "-p", "extism-examples", "--examples")
        folder = self.into / "extism"
        folder.mkdir()
        for path in sorted((TESTS / "extism" / "examples").glob("*.rs")):
            built = self.target_dir / BARE / "release" / "examples" / f"{path.stem}.wasm"
            shutil.copyfile(built, folder / built.name)

    def conformance(self) -> None:
        """A guest of each kind, in the folder of its name: a Rust package that says what it is built for ("host": this
        machine), and the plugin.yaml beside it."""
        say("the guests of the conformance suite")
        for manifest in sorted((TESTS / "conformance").glob("*/plugin.yaml")):
            source = manifest.parent
            package = tomllib.loads((source / "Cargo.toml").read_text())["package"]
            name, target = package["name"], package["metadata"]["guest"]["target"]
            is_native = target == "host"
            self.cargo_build(TESTS, "--release", *([] if is_native else ["--target", target]), "-p", name)
            built = self.target_dir / ("" if is_native else target) / "release"
            names = (name,) if is_native else (f"{name}.wasm", f"{name.replace('-', '_')}.wasm")
            folder = self.into / "conformance" / source.name
            folder.mkdir(parents=True)
            artifact = next(path for path in map(built.joinpath, names) if path.is_file())
            shutil.copy2(artifact, folder / ("guest" if is_native else "guest.wasm"))
            shutil.copyfile(manifest, folder / "plugin.yaml")

    def fledge(self) -> None:
        """One plugin for fledge with every capability, and one that asks for none."""
        say("the plugins for fledge")
        for features, name in ("exec,store,metadata", "fledge_notes.wasm"), ("", "fledge_plain.wasm"):
            self.cargo_build(TESTS, "--release", "--target", WASI_1, "-p", "fledge-notes", "--features", features)
            shutil.copyfile(self.target_dir / WASI_1 / "release" / "fledge-notes.wasm", self.into / name)

    def zeroclaw(self) -> None:
        """One source, built twice: for Extism, and as a component."""
        say("the plugin of zeroclaw, for Extism and as a component")
        for feature in ("extism", "component"):
            self.cargo_build(TESTS, "--release", "--target", BARE, "-p", "zeroclaw", "--features", feature)
            built = self.target_dir / BARE / "release" / "zeroclaw.wasm"
            if feature == "component":
                self.encode("zeroclaw", self.into / "zeroclaw.wasm")
            else:
                shutil.copyfile(built, self.into / "zeroclaw_extism.wasm")

    def encode(self, name: str, out: pathlib.Path) -> None:
        run([self.assembler, "component", out, self.target_dir / BARE / "release" / f"{name}.wasm"])

    def plugins(self) -> None:
        manifests = sorted(PLUGINS.glob("*/plugin.yaml"))
        if not manifests:
            return
        names = [path.parent.name for path in manifests]
        say(f"the example plugins: {', '.join(names)}")
        packages = [argument for name in names for argument in ("-p", name)]
        self.cargo_build(PLUGINS, "--release", "--target", WASI, *packages)
        for name in names:
            folder = self.into / "plugins" / name
            folder.mkdir(parents=True)
            shutil.copyfile(PLUGINS / name / "plugin.yaml", folder / "plugin.yaml")
            built = self.target_dir / WASI / "release" / f"{name.replace('-', '_')}.wasm"
            artifact = folder / f"{name}.wasm"
            shutil.copyfile(built, artifact)
            digest = hashlib.sha256(artifact.read_bytes()).hexdigest()
            (folder / f"{name}.wasm.sha256").write_text(f"{digest}  {name}.wasm\n")
        if "canary" in names:
            say("the canary, for this machine")
            self.cargo_build(PLUGINS, "-p", "canary-native")
            (self.into / "bin").mkdir()
            shutil.copy2(self.target_dir / "debug" / "canary-native", self.into / "bin" / "canary")


def build(store: pathlib.Path, name: str, target_dir: pathlib.Path) -> pathlib.Path:
    finished = store / name
    if finished.is_dir():
        os.utime(finished)
        return finished
    say("not in the cache; building (3 to 5 minutes the first time, then seconds)")
    started = time.monotonic()
    install_targets()
    forget_other_checkouts(target_dir)
    with tempfile.TemporaryDirectory(dir=store, prefix="partial-") as partial:
        into = pathlib.Path(partial) / "guests"
        into.mkdir()
        builder = Builder(target_dir, into)
        builder.assemble()
        builder.rust_tests()
        builder.commands()
        builder.extism()
        builder.conformance()
        builder.fledge()
        builder.zeroclaw()
        builder.plugins()
        into.rename(finished)
    say(f"built in {time.monotonic() - started:.0f} s")
    old = sorted((p for p in store.iterdir() if p.is_dir() and p != finished), key=lambda p: p.stat().st_mtime)
    for folder in old[: max(0, len(old) + 1 - KEPT_BUILDS)]:
        shutil.rmtree(folder, ignore_errors=True)
    return finished


def copy(finished: pathlib.Path, output: pathlib.Path, name: str) -> None:
    """Replaces what an earlier run left; a marker says which build is there."""
    marker = output / ".build"
    if marker.is_file() and marker.read_text() == name:
        return
    output.mkdir(parents=True, exist_ok=True)
    marker.unlink(missing_ok=True)
    for old in output.glob("*.wasm"):
        old.unlink()
    for folder in ("conformance", "plugins", "bin"):
        shutil.rmtree(output / folder, ignore_errors=True)
    shutil.copytree(finished, output, dirs_exist_ok=True)
    marker.write_text(name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    args = parser.parse_args()
    cache = cache_folder()
    store = cache / "guests"
    store.mkdir(parents=True, exist_ok=True)
    try:
        # Guests have a lock and a target folder of their own, so that they do not wait for the engine's build.
        with open(cache / "guests.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            name = key()
            finished = build(store, name, cache / "guests-target")
            copy(finished, args.output, name)
    except Failure as failure:
        print(f"guests: error: {failure}", file=sys.stderr)
        return 1
    say(f"ready in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
