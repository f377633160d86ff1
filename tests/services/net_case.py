"""What the tests of the network share: a guest that makes the requests that it is told, and the audit after it."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from servers import DnsServer, HttpServer

BIN = os.environ.get("CORDON_BIN", "build/bin/cordon")
GUESTS = pathlib.Path(os.environ.get("CORDON_GUESTS", "build/guests"))
HANG_SECONDS = 60  # a guard only


class NetCase(unittest.TestCase):
    guest = "http.wasm"

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cordon-net-")
        self.addCleanup(folder.cleanup)
        self.tmp = pathlib.Path(folder.name)
        self.state = self.tmp / "state"
        self.network = {}  # plugins.network of config.yaml
        self.entries = {}
        self.variables = {}

    def http(self, *words, **options):
        server = HttpServer(*words, **options)
        self.addCleanup(server.close)
        return server

    def dns(self, zone, **options):
        server = DnsServer(zone, **options)
        self.addCleanup(server.close)
        self.network["dns"] = [f"127.0.0.1:{server.port}"]
        return server

    def cordon(self, *words, stdin=""):
        config = self.tmp / "config.yaml"
        config.write_text(json.dumps({"plugins": {"network": self.network, "entries": self.entries}}))
        env = {"PATH": os.environ["PATH"], "HOME": str(self.tmp), "CORDON_HOME": str(self.state),
               "CORDON_CONFIG": str(config), **self.variables}
        passed = ("ASAN_", "UBSAN_", "LSAN_", "CORDON_PLUGINS_ISOLATION_")
        env.update({name: value for name, value in os.environ.items() if name.startswith(passed)})
        done = subprocess.run([BIN, *map(str, words)], env=env, input=stdin.encode(), capture_output=True,
                              timeout=HANG_SECONDS)
        self.assertGreaterEqual(done.returncode, 0, f"ended by a signal: {words}\n{done.stderr}")
        return done

    def call(self, action, given, *grants, plugin=None):
        """The output of one call; the audit lines that it added are in `self.added`."""
        before = len(self.audit())
        flags = [word for grant in grants for word in ("--grant", grant)]
        done = self.cordon("run", plugin or GUESTS / self.guest, action, "--input", json.dumps(given), "--json", *flags)
        self.added = self.audit()[before:]
        document = json.loads(done.stdout)
        if not document["ok"]:
            raise AssertionError(document["error"])
        return document["output"]

    def send(self, url, *grants, method="GET", headers=(), body="", times=None, trailers=(), first_byte=0,
             between_bytes=0, plugin=None):
        """One request: {"ok": response} or {"err": name}. The URL is cut, not parsed."""
        scheme, _, rest = url.partition("://")
        slash = rest.find("/")
        authority, path = (rest, "/") if slash < 0 else (rest[:slash], rest[slash:])
        fields = [[{"name": name, "value": value} for name, value in some] for some in (headers, trailers)]
        request = {"method": method, "scheme": scheme, "authority": authority, "path": path, "headers": fields[0],
                   "body": body, "times": (1 if body else 0) if times is None else times, "trailers": fields[1],
                   "first-byte": first_byte, "between-bytes": between_bytes}
        return self.call("send", {"request": request}, *grants, plugin=plugin)

    def ask(self, action, given, *grants):
        """What one function of the guest `sockets` answers."""
        return self.call(action, given, *grants, plugin=GUESTS / "sockets.wasm")

    def audit(self):
        path = self.state / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def decisions(self):
        """What the guest's own questions were answered: (decision, rule, target)."""
        return [(line["decision"], line["rule"], line["target"])
                for line in self.added if line["event"] == "decision" and "target" in line]

    def plugin(self, permissions):
        """The guest with a plugin.yaml: acme/http."""
        folder = self.tmp / "plugin"
        folder.mkdir()
        shutil.copyfile(GUESTS / self.guest, folder / "http.wasm")
        digest = hashlib.sha256((folder / "http.wasm").read_bytes()).hexdigest()
        (folder / "plugin.yaml").write_text(f"""manifest: 1
name: acme/http
version: 1.0.0
runtime: {{ abi: component, artifact: http.wasm, digest: "sha256:{digest}" }}
actions: {{ send: {{ export: "cordon:http/raw@0.1.0#send" }} }}
permissions: {json.dumps(permissions)}
""")
        return folder

    def assert_denied(self, answer, rule, error="HttpRequestDenied", what=""):
        """Denied, with exactly one record of it."""
        self.assertEqual(answer, {"err": error}, what)
        denied = [decision for decision in self.decisions() if decision[0] == "deny"]
        self.assertEqual([decision[1] for decision in denied], [rule], (what, self.decisions()))

    def assert_refused(self, answer, what=""):
        """The request never came to be a question: WASI itself, or the parser, did not take it."""
        self.assertIn("err", answer, what)
        self.assertEqual([d for d in self.decisions() if d[0] == "allow"], [], what)
