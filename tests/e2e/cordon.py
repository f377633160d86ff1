"""Runs the command in a home of its own, and makes small modules for it to run."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BIN = os.environ.get("CORDON_BIN", "build/bin/cordon")
GUESTS = pathlib.Path(os.environ.get("CORDON_GUESTS", "build/guests"))
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HANG_SECONDS = 60  # a guard only
NOBODY = 65534

I32, I64 = 0x7F, 0x7E


def leb(number):
    out = b""
    while True:
        byte, number = number & 0x7F, number >> 7
        if not number:
            return out + bytes([byte])
        out += bytes([byte | 0x80])


def vector(items):
    return leb(len(items)) + b"".join(items)


def text(name):
    data = name if isinstance(name, bytes) else name.encode()
    return leb(len(data)) + data


def section(number, content):
    return bytes([number]) + leb(len(content)) + content


def module(functions, imports=(), memory_pages=1):
    """functions: (export name, parameter types, result types, body); imports: (module, name) of functions () -> ()."""
    types = [b"\x60\x00\x00"]
    types += [b"\x60" + vector([bytes([t]) for t in params]) + vector([bytes([t]) for t in results])
              for _, params, results, _ in functions]
    out = b"\0asm\1\0\0\0" + section(1, vector(types))
    if imports:
        out += section(2, vector([text(m) + text(n) + b"\x00\x00" for m, n in imports]))
    out += section(3, vector([leb(i + 1) for i in range(len(functions))]))
    out += section(5, b"\x01\x00" + leb(memory_pages))
    exports = [text("memory") + b"\x02\x00"]
    exports += [text(name) + b"\x00" + leb(len(imports) + i) for i, (name, *_) in enumerate(functions) if name]
    out += section(7, vector(exports))
    bodies = [b"\x00" + body + b"\x0b" for *_, body in functions]
    return out + section(10, vector([leb(len(body)) + body for body in bodies]))


ADD = ("add", [I32, I32], [I32], b"\x20\x00\x20\x01\x6a")
SPIN = ("spin", [], [], b"\x03\x40\x0c\x00\x0b")
TRAP = ("trap", [], [], b"\x00")


def big_module():
    """Takes seconds to compile."""
    step = b"\x20\x00\x20\x01\x6a\x21\x00\x20\x00\x20\x01\x6c\x21\x01"
    body = step * 60 + b"\x20\x00"
    return module([(f"f{i}" if i == 0 else "", [I32, I32], [I32], body) for i in range(8000)])


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


class CordonTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cordon-e2e-")
        self.addCleanup(folder.cleanup)
        self.tmp = pathlib.Path(folder.name).resolve()
        self.tmp.chmod(0o755)
        self.home = self.tmp / "home"
        self.home.mkdir()
        self.state = self.tmp / "state"

    def environment(self, **changes):
        env = {"HOME": str(self.home), "CORDON_HOME": str(self.state), "PATH": os.environ["PATH"], "TERM": "xterm",
               "LANG": "C.UTF-8", "CORDON_CONFIG": ""}  # fmt: skip
        for name, value in os.environ.items():
            if name.startswith(("ASAN_", "UBSAN_", "TSAN_", "LSAN_", "CORDON_PLUGINS_")):
                env[name] = value
        env.update(changes)
        return {name: value for name, value in env.items() if value is not None}

    def binary(self, options):
        """Where another user can reach it, too."""
        if "user" not in options:
            return BIN
        copy = self.tmp / "cordon"
        if not copy.exists():
            beside = [pathlib.Path(BIN).with_name(name) for name in ("cordon-compile", "cordon-worker")]
            for program in (pathlib.Path(BIN), *beside):
                shutil.copyfile(program, self.tmp / program.name)
                (self.tmp / program.name).chmod(0o755)
        return copy

    def cordon(self, *words, stdin="", env=None, **options):
        done = subprocess.run([self.binary(options), *map(str, words)], input=stdin.encode(), capture_output=True,
                              cwd=self.tmp, env=self.environment(**(env or {})), timeout=HANG_SECONDS, **options)
        self.assertGreaterEqual(done.returncode, 0, f"ended by a signal: {words}\n{done.stderr}")
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *words, **options):
        """With Ctrl-C as a terminal would deliver it, whatever our own parent ignores."""
        return subprocess.Popen([BIN, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, cwd=self.tmp, env=self.environment(),
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)

    def write(self, name, content):
        path = self.tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def plugin(self, manifest_tail="", wasm=None, name="acme/adder"):
        """A folder with a plugin.yaml over one module."""
        wasm = wasm or module([ADD])
        folder = self.tmp / "plugin"
        self.write("plugin/adder.wasm", wasm)
        self.write("plugin/plugin.yaml", f"""manifest: 1
name: {name}
version: 1.0.0
runtime:
  abi: core
  artifact: adder.wasm
  digest: sha256:{hashlib.sha256(wasm).hexdigest()}
actions:
  add: {{}}
{manifest_tail}""")
        return folder

    def audit(self):
        lines = (self.state / "audit.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [record for record in records if record["event"] != "checkpoint"]

    def assert_no_controls(self, shown):
        self.assertIsNone(re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown), repr(shown))

    def assert_no_leftovers(self):
        self.assertEqual([], [str(p) for p in self.tmp.rglob("*.tmp")])


def until_it_spins(pid):
    """Of a process that has loaded its plugin: until it has computed for a while."""

    def ticks():
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])

    loaded = ticks()
    end = time.monotonic() + HANG_SECONDS
    while time.monotonic() < end and ticks() < loaded + 20:
        time.sleep(0.02)


def as_nobody():
    """Options that run a child without privileges, when we have any."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
