"""One plugin source for zeroclaw's host functions, built for Extism and as a component, and calls of its tools."""
import hashlib
import json
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
        return json.loads(done.stdout)

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
        """What the guard decided, under our names for zeroclaw's functions: (decision, rule, capability, target, note).
        A stub of an interface has one capability for all that is in it."""
        told = []
        for line in self.added:
            if line["event"] != "decision" or "target" not in line:
                continue
            module, _, function = line["target"].partition("#")
            target = NAMES[function] if module == "extism:host/user" else line["target"]
            capability = line["capability"]
            if target in NAMES.values():
                capability = capability.partition(":")[0]
            told.append((line["decision"], line["rule"], capability, target, line.get("note")))
        return told

    def both(self, play):
        """Plays it with each build; what it gives, and the decisions on the way, must be the same."""
        told = {}
        for build in BUILDS:
            self.turn_to(build)
            told[build] = play(self.guest(build))
        self.assertEqual(told["extism"], told["component"])
        return told["extism"]
