"""One plugin source for zeroclaw's host functions, built for Extism and as a component, and calls of its tools."""
import hashlib
import json
import re
import shutil

from kv_case import GUESTS, StoreCase

TOOLS = "remember recall forget delegate announce channels shell whoami ask".split()
BUILDS = ("extism", "component")
ARTIFACTS = {"extism": "zeroclaw_extism.wasm", "component": "zeroclaw.wasm"}
# What each function is called, by zeroclaw and by Cordon.
NAMES = {
    "zeroclaw_memory_store": "cordon:memory/memory@1.0.0#store",
    "zeroclaw_memory_recall": "cordon:memory/memory@1.0.0#recall",
    "zeroclaw_memory_forget": "cordon:memory/memory@1.0.0#forget",
    "zeroclaw_tool_call": "cordon:tools/caller@1.0.0#call",
    "zeroclaw_send_message": "cordon:messaging/producer@1.0.0#send",
    "zeroclaw_get_channels": "cordon:channels/directory@1.0.0#to-send",
    "zeroclaw_cli_exec": "cordon:exec/runner@1.0.0#run",
    "context_session": "cordon:context/call@1.0.0#session",
    "context_user_identity": "cordon:context/call@1.0.0#user",
    "context_agent_config": "cordon:context/call@1.0.0#agent",
}
EXPORTS = {
    "channel_send": "cordon:messaging/channel@1.0.0#send",
    "channel_listen": "cordon:messaging/channel@1.0.0#listen",
}
MEMORY = ("memory:store:agent", "memory:recall:agent", "memory:forget:agent")
CONTEXT = ("ctx:user", "ctx:session", "ctx:agent")
WHO = {"user": "alice", "session": "tg/42", "agent": "helper"}
PERMISSIONS = [
    *({"memory": {"access": access, "scope": scope}} for scope in ("plugin", "session", "agent")
      for access in ("store", "recall", "forget")),
    {"call": ["acme/b#*", "acme/c#*"]},
    {"messaging": {"channel": "alerts", "access": "send"}},
    {"messaging": {"channel": "news", "access": "send"}},
    {"context": ["user", "session", "agent"]},
    {"exec": {"program": "echo", "args": ["hello"]}},
    {"exec": {"program": "pwd"}},
    {"exec": {"program": "sleep", "args": ["30"]}},
    {"exec": {"program": "seq", "args": ["1000000"]}},
    {"files": {"mount": "/data", "from": "workspace", "access": "read"}},
]


class ZeroclawCase(StoreCase):
    build = "extism"

    def setUp(self):
        super().setUp()
        self.trail = []

    def turn_to(self, build):
        """From now on it is the plugin of this build, with memories, messages and records of its own."""
        self.build = build
        self.state = self.tmp / f"state-{build}"

    def guest(self, build, name="acme/a", permissions=None, tail=""):
        folder = self.tmp / f"{name.replace('/', '-')}-{build}"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(GUESTS / ARTIFACTS[build], folder / "guest.wasm")
        digest = hashlib.sha256((folder / "guest.wasm").read_bytes()).hexdigest()
        export = {"extism": lambda tool: "question" if tool == "ask" else tool,
                  "component": lambda tool: f"cordon:zeroclaw-guest/tools@0.1.0#{tool}"}[build]
        actions = {tool: {"export": export(tool)} for tool in TOOLS}
        if build == "extism":
            actions["wild"] = {"export": "wild"}
        (folder / "plugin.yaml").write_text(f"""manifest: 1
name: {name}
version: 1.0.0
runtime: {{ abi: {build}, artifact: guest.wasm, digest: "sha256:{digest}" }}
actions: {json.dumps(actions)}
permissions: {json.dumps(permissions if permissions is not None else {"optional": PERMISSIONS})}
{tail}""")
        return folder

    def start(self, plugin, tool, given, *grants, context=None, flags=()):
        if self.build == "component":
            given = {"arguments": json.dumps(given)}
        words = [*flags, *(word for grant in grants for word in ("--grant", grant)),
                 *(word for name, value in (context or {}).items() for word in ("--context", f"{name}={value}"))]
        before = len(self.audit())
        done = self.cordon("run", plugin, tool, "--input", "-", "--json", *words, stdin=json.dumps(given))
        self.added = self.audit()[before:]
        self.trail += [self.plain(line) for line in self.added]
        return json.loads(done.stdout)

    @staticmethod
    def plain(line):
        """A record without what differs from run to run, under our names for zeroclaw's functions. A stub of an
        interface has one capability for all that is in it."""
        kept = {key: line[key] for key in ("event", "plugin", "action", "capability", "target", "rule", "decision",
                                           "code", "note", "callers") if key in line}
        kept["action"] = EXPORTS.get(kept.get("action"), kept.get("action"))
        module, _, function = kept.get("target", "").partition("#")
        if module == "extism:host/user":
            kept["target"] = NAMES[function]
        if kept.get("target") in NAMES.values():
            kept["capability"] = kept["capability"].partition(":")[0]
        if "target" in kept:
            kept["target"] = re.sub("/[0-9a-f]{32}$", "/ID", kept["target"])
        return kept

    def tool(self, plugin, tool, given, *grants, **options):
        """What the tool answered zeroclaw: its output, or its error."""
        document = self.start(plugin, tool, given, *grants, **options)
        if "output" not in document:
            raise AssertionError(document["error"])
        told = json.loads(document["output"]) if self.build == "component" else document["output"]
        self.assertEqual(set(told), {"success", "output"} if told["success"] else {"success", "output", "error"})
        return told["output"] if told["success"] else told["error"]

    def ask(self, plugin, questions, *grants, **options):
        """The answers to questions as they stand: (function, JSON text)."""
        told = self.tool(plugin, "ask", {"questions": questions}, *grants, **options)
        return [json.loads(one) for one in json.loads(told)]

    def asked(self):
        """What the guard decided while the plugin ran: (decision, rule, capability, target, note)."""
        lines = [self.plain(line) for line in self.added if line["event"] == "decision" and "target" in line]
        return [(*(line[key] for key in ("decision", "rule", "capability", "target")), line.get("note"))
                for line in lines]

    def both(self, play):
        """Plays it with each build; what it gives, and every record that it leaves, must be the same."""
        told, trails = {}, {}
        for build in BUILDS:
            self.turn_to(build)
            self.trail = []
            told[build] = play(self.guest(build))
            trails[build] = self.trail
        self.assertEqual(told["extism"], told["component"])
        self.assertEqual(trails["extism"], trails["component"])
        self.assertTrue(self.trail)
        return told["extism"]
