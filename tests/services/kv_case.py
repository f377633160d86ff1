"""What the tests of storage, settings and secrets share: a plugin of any name with permissions, and calls of it."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BIN = os.environ.get("CORDON_BIN", "build/bin/cordon")
GUESTS = pathlib.Path(os.environ.get("CORDON_GUESTS", "build/guests"))
HANG_SECONDS = 60  # a guard only
ACTIONS = {
    "storage": ("storage-guest/kv", "get set delete exists keys increment swap get-many set-many delete-many fill "
                "get-often hoard"),
    "settings": ("storage-guest/settings", "get all secret"),
    "agent": ("agent-guest/agent", "who store recall forget forget-all fill send flood receive acknowledge"),
}


class StoreCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cordon-store-")
        self.addCleanup(folder.cleanup)
        self.tmp = pathlib.Path(folder.name)
        self.state = self.tmp / "state"
        self.config = {}
        self.variables = {}

    def environment(self):
        (self.tmp / "config.yaml").write_text(json.dumps({"plugins": self.config}))
        env = {"PATH": os.environ["PATH"], "HOME": str(self.tmp), "CORDON_HOME": str(self.state),
               "CORDON_CONFIG": str(self.tmp / "config.yaml"), **self.variables}
        passed = ("ASAN_", "UBSAN_", "LSAN_", "CORDON_PLUGINS_")
        env.update({name: value for name, value in os.environ.items() if name.startswith(passed)})
        return env

    def cordon(self, *words, stdin="", **options):
        done = subprocess.run([BIN, *map(str, words)], env=self.environment(), input=stdin.encode(),
                              capture_output=True, timeout=HANG_SECONDS, **options)
        self.assertGreaterEqual(done.returncode, 0, f"ended by a signal: {words}\n{done.stderr}")
        return done

    def plugin(self, guest, permissions, name="acme/a", tail=""):
        folder = self.tmp / name.replace("/", "-")
        folder.mkdir(exist_ok=True)
        shutil.copyfile(GUESTS / f"{guest}.wasm", folder / "guest.wasm")
        interface, actions = ACTIONS[guest]
        exports = {name: {"export": f"cordon:{interface}@0.1.0#{name}"} for name in actions.split()}
        digest = hashlib.sha256((folder / "guest.wasm").read_bytes()).hexdigest()
        (folder / "plugin.yaml").write_text(f"""manifest: 1
name: {name}
version: 1.0.0
runtime: {{ abi: component, artifact: guest.wasm, digest: "sha256:{digest}" }}
actions: {json.dumps(exports)}
permissions: {json.dumps(permissions)}
{tail}""")
        return folder

    def run_action(self, plugin, action, given, *grants, context=None, flags=()):
        flags = [*flags, *(word for grant in grants for word in ("--grant", grant)),
                 *(word for name, value in (context or {}).items() for word in ("--context", f"{name}={value}"))]
        return self.cordon("run", plugin, action, "--input", json.dumps(given), "--json", *flags)

    def call(self, plugin, action, given, *grants, context=None, flags=()):
        """The output of one call; the audit lines that it added are in `self.added`."""
        before = len(self.audit())
        done = self.run_action(plugin, action, given, *grants, context=context, flags=flags)
        self.added = self.audit()[before:]
        document = json.loads(done.stdout)
        if "output" not in document:
            raise AssertionError(document["error"])
        return document["output"]

    def audit(self):
        path = self.state / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def decisions(self):
        """What the guest's own questions were answered: (decision, rule, target)."""
        return [(line["decision"], line["rule"], line["target"])
                for line in self.added if line["event"] == "decision" and "target" in line]


class AgentCase(StoreCase):
    """The guest that imports cordon:context, memory and messaging: what a test does not grant is a stub."""

    def agent(self, *asked, name="acme/a", tail=""):
        everything = [{"context": ["user", "session", "agent"]}]
        everything += [{"memory": {"access": access, "scope": scope}} for scope in ("plugin", "session", "agent")
                       for access in ("store", "recall", "forget")]
        everything += [{"messaging": {"channel": "alerts", "access": access}} for access in ("send", "receive")]
        return self.plugin("agent", {"optional": [*everything, *asked]}, name=name, tail=tail)
