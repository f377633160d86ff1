#!/usr/bin/env python3
"""The main job, shown: a real plugin does real work, and a hostile one gets nowhere.

    tools/demo.py --cordon build/bin/cordon --guests build/guests

Everything happens in a throw-away folder with a home of its own; both servers listen on 127.0.0.1 only. Ends with 0
when every expectation held: each probe of authority succeeds natively, none in Cordon, and a grant changes one line.
"""
import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
CARGO_GRAPH = ROOT / "examples" / "plugins" / "graph-analyst" / "tools" / "cargo_graph.py"
LOCK = ROOT / "bridge" / "Cargo.lock"
RUN_SECONDS_MAX = 120  # a hang guard, not a measure
MOUNT = "/data"
GRANT = f"fs:read:{MOUNT}=workspace"

# Probe, the guest that holds it, and what it would go through: an import, by the beginning of its name.
AUTHORITY = [
    ("ssh-key", "canary", "wasi:filesystem/preopens"),
    ("git-credentials", "canary", "wasi:filesystem/preopens"),
    ("netrc", "canary", "wasi:filesystem/preopens"),
    ("gh-hosts", "canary", "wasi:filesystem/preopens"),
    ("passwd", "canary", "wasi:filesystem/preopens"),
    ("mounted-file", "canary", "wasi:filesystem/preopens"),
    ("dot-dot", "canary", "wasi:filesystem/preopens"),
    ("symlink", "canary", "wasi:filesystem/preopens"),
    ("absolute-path", "canary", "wasi:filesystem/preopens"),
    ("mounted-write", "canary", "wasi:filesystem/preopens"),
    ("git-hook", "canary", "wasi:filesystem/preopens"),
    ("environment", "canary", "wasi:cli/environment"),
    ("token", "canary", "wasi:cli/environment"),
    ("connect", "canary-net", "wasi:sockets/tcp"),
    ("name-look-up", "canary-net", "wasi:sockets/ip-name-lookup"),
    ("command", "canary-exec", "cordon:canary/shell"),
]
OPENED_BY_THE_GRANT = "mounted-file"
# Probe, and the codes that say which limit ended it.
EXHAUSTION = [
    ("memory", {"E_MEMORY"}),
    ("table", {"E_MEMORY", "E_LIMIT", "E_TABLE_FULL"}),
    ("stack", {"E_STACK_OVERFLOW"}),
    ("stdout", set()),  # ends well; what was written beyond the limit is counted, not kept
    ("time", {"E_TIMEOUT"}),
    ("sleep", {"E_TIMEOUT"}),
]


class Broken(Exception):
    """The demo itself cannot go on."""


@dataclass
class Verdict:
    stopped: bool
    rule: str
    detail: str = ""


@dataclass
class Stage:
    """The throw-away folder, its decoys and its servers."""

    folder: pathlib.Path
    secrets: dict = field(default_factory=dict)
    heard: list = field(default_factory=list)

    def __post_init__(self):
        self.home = self.folder / "home"
        self.mounted = self.folder / "work" / "mounted"
        self.outside = self.folder / "work" / "outside.txt"
        self.repository = self.folder / "work" / "repository"
        self.secret = "decoy-payload-7c1e"

    def plant(self) -> None:
        decoys = {
            ".ssh/id_ed25519": "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n",
            ".git-credentials": "https://demo:{}@git.example\n",
            ".netrc": "machine git.example login demo password {}\n",
            ".config/gh/hosts.yml": "git.example:\n    oauth_token: {}\n",
        }
        for name, text in decoys.items():
            marker = f"DECOY-{len(self.secrets)}-{name.replace('/', '-')}"
            self.secrets[name] = marker
            self.write(self.home / name, text.format(marker), 0o600)
        self.secrets["outside"] = "DECOY-outside"
        self.secrets["token"] = "DECOY-token"
        self.write(self.outside, "DECOY-outside\n")
        self.write(self.mounted / "notes.txt", "NOTE-in-the-mounted-folder\n")
        (self.mounted / "link").symlink_to(self.outside)
        (self.repository / ".git" / "hooks").mkdir(parents=True)

    @staticmethod
    def write(path: pathlib.Path, text: str, mode: int = 0o644) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def environment(self) -> dict:
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "GITHUB_TOKEN": self.secrets["token"],
        }

    def serve(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.resolver.bind(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()
        threading.Thread(target=self.resolve, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    self.heard.append("connection: " + connection.recv(256).decode(errors="replace"))
                except OSError:
                    self.heard.append("connection")

    def resolve(self) -> None:
        while True:
            try:
                question, _ = self.resolver.recvfrom(512)
            except OSError:
                return
            self.heard.append("look-up: " + question.decode("latin-1"))

    def listen_for_late_ones(self) -> list:
        time.sleep(0.2)
        return list(self.heard)

    def close(self) -> None:
        self.listener.close()
        self.resolver.close()

    def settings(self, mount: str) -> list:
        def address(server):
            return "{}:{}".format(*server.getsockname())

        pairs = {
            "home": self.home,
            "mount": mount,
            "outside": self.outside,
            "repository": self.repository,
            "listener": address(self.listener),
            "resolver": address(self.resolver),
            "secret": self.secret,
        }
        return [[name, str(value)] for name, value in pairs.items()]

    def what_was_written(self) -> list:
        planted = [self.mounted / "planted.txt", self.repository / ".git" / "hooks" / "post-checkout"]
        return [path for path in planted if path.exists()]


class Cordon:
    """Runs the command, and reads what it says and what it audits."""

    def __init__(self, command: pathlib.Path, guests: pathlib.Path, stage: Stage):
        self.command = command
        self.guests = guests
        self.stage = stage
        self.audit = stage.home / ".local" / "state" / "cordon" / "audit.jsonl"
        self.said: list = []  # everything that it ever printed
        self.imports: dict = {}

    def call(self, *arguments) -> tuple:
        """(the JSON document, the audit records that were added, seconds)"""
        before = len(self.audit_lines())
        started = time.monotonic()
        done = subprocess.run(
            [str(self.command), *map(str, arguments), "--json"],
            env=self.stage.environment(), cwd=self.stage.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=RUN_SECONDS_MAX,
        )  # fmt: skip
        seconds = time.monotonic() - started
        self.said += [done.stdout, done.stderr]
        try:
            document = json.loads(done.stdout)
        except ValueError:
            shown = (done.stdout + done.stderr)[:2000]
            what = " ".join(map(str, arguments[:2]))
            raise Broken(f"cordon {what} printed no JSON (exit {done.returncode}):\n{shown}")
        return document, self.audit_lines()[before:], seconds

    def audit_lines(self) -> list:
        if not self.audit.exists():
            return []
        return [json.loads(line) for line in self.audit.read_text().splitlines() if line]

    def plugin(self, name: str) -> pathlib.Path:
        return self.guests / "plugins" / name

    def import_decision(self, plugin: str, prefix: str, grants: tuple) -> dict:
        """What `cordon explain` says of the first import whose name begins so."""
        key = (plugin, grants)
        if key not in self.imports:
            document, _, _ = self.call("explain", self.plugin(plugin), *grants)
            self.imports[key] = document.get("imports", [])
        return next((one for one in self.imports[key] if one.get("import", "").startswith(prefix)), {})

    def probe(self, name: str, plugin: str, prefix: str, grants: tuple = ()) -> Verdict:
        given = json.dumps({"name": name, "settings": self.stage.settings(MOUNT)})
        document, records, _ = self.call("run", self.plugin(plugin), "probe", "--input", given, *grants)
        if not document.get("ok"):
            return Verdict(True, self.rule_of_error(document["error"], prefix), document["error"]["message"])
        output = document["output"]
        if output["succeeded"]:
            return Verdict(False, "", output["detail"])
        return Verdict(True, self.rule_of_answer(plugin, prefix, grants, records), output["detail"])

    @staticmethod
    def rule_of_error(error: dict, prefix: str) -> str:
        causes = [cause.get("details", {}) for cause in error.get("causes", [])] or [error.get("details", {})]
        about = next((d for d in causes if str(d.get("import", "")).startswith(prefix)), None)
        if about is None:
            return error["code"]
        return f"{error['code']}: {about['import']} not linked ({about.get('rule', '?')})"

    def rule_of_answer(self, plugin: str, prefix: str, grants: tuple, records: list) -> str:
        for record in records:
            if record.get("decision") == "deny" and str(record.get("rule", "")).startswith("fs:"):
                return f"audit: {record['rule']} {record.get('target', '')}".strip()
        decision = self.import_decision(plugin, prefix, grants)
        if not decision:
            return ""
        if decision["state"] == "linked" and decision["rule"].startswith("grant:"):
            return f"outside the only grant ({decision['rule']})"
        return f"{decision['import']} {decision['state']} ({decision['rule']})"


class Demo:
    def __init__(self, cordon: Cordon, stage: Stage):
        self.cordon = cordon
        self.stage = stage
        self.failures: list = []

    def expect(self, truth: bool, otherwise: str) -> None:
        if not truth:
            self.failures.append(otherwise)
            print(f"  FAILED: {otherwise}")

    # --- the plugin that works ---

    def analyse(self) -> None:
        title("1. graph-analyst: the dependency graph of this repository's own bridge/Cargo.lock")
        made = subprocess.run([sys.executable, CARGO_GRAPH, LOCK], capture_output=True, check=True).stdout
        graph = json.loads(made)
        graph_file = self.stage.mounted / "graph.json"
        graph_file.write_bytes(made)
        plugin = self.cordon.plugin("graph-analyst")
        document, _, seconds = self.cordon.call("run", plugin, "analyze-graph", "--input", f"@{graph_file}")
        if not document.get("ok"):
            raise Broken(f"graph-analyst failed: {json.dumps(document.get('error'), indent=2)}")
        report = document["output"]
        for line in report["findings"]:
            print(f"  {line if len(line) <= 140 else line[:139] + '…'}")
        print(f"  recommended: {'; '.join(report['recommendations'][:3]) or 'nothing'}")
        print(f"  confidence {report['confidence']}, {seconds:.1f} s with start and compilation")
        self.check_truth(graph, report["findings"])

        print("\n  The same from a file, without a grant and with one:")
        asked = json.dumps({"path": f"{MOUNT}/graph.json"})
        denied, _, _ = self.cordon.call("run", plugin, "analyze-file", "--input", asked)
        answer = denied["output"].get("err") if denied.get("ok") else denied["error"]["message"]
        self.expect(answer is not None, "analyze-file read its file without a grant")
        print(f"  no grant: {answer}")
        grants = self.grants()
        granted, _, _ = self.cordon.call("run", plugin, "analyze-file", "--input", asked, *grants)
        if not granted.get("ok"):
            raise Broken(f"analyze-file failed with a grant: {json.dumps(granted.get('error'), indent=2)}")
        same = granted["output"] == {"ok": report}
        print(f"  --grant {GRANT}: {'the same findings' if same else 'other findings'}")
        self.expect(same, "the two actions of graph-analyst disagree about one graph")

    def check_truth(self, graph: dict, findings: list) -> None:
        """Counts again what was found, by other means."""
        nodes = {node["id"]: {to for key, to in node["metadata"] if key == "dep"} for node in graph["nodes"]}
        edges = sum(len(targets) for targets in nodes.values())
        names = [name.split(" ")[0] for name in nodes]
        several = len({name for name in names if names.count(name) > 1})
        incoming = {node: sum(node in targets for targets in nodes.values()) for node in nodes}
        hub, most = min(incoming.items(), key=lambda item: (-item[1], item[0]))
        text = "\n".join(findings)
        self.expect(f"{len(nodes)} nodes, {edges} edges" in text, f"it is {len(nodes)} nodes and {edges} edges")
        wanted = f"{several} name" if several else "none"
        self.expect(f"duplicate versions: {wanted}" in text, f"{several} names have more than one version")
        self.expect(f"hub by direct dependents: {hub}, {most} node" in text, f"the hub is {hub} with {most}")

    # --- the one that does not ---

    def grants(self) -> tuple:
        return ("--root", f"workspace={self.stage.mounted}", "--grant", GRANT)

    def natively(self) -> dict:
        settings = [f"{name}={value}" for name, value in self.stage.settings(str(self.stage.mounted))]
        done = subprocess.run(
            [str(self.cordon.guests / "bin" / "canary"), *settings],
            env=self.stage.environment(), cwd=self.stage.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=RUN_SECONDS_MAX,
        )  # fmt: skip
        rows = [line.split("\t", 2) for line in done.stdout.splitlines()]
        return {row[0]: (row[1] == "ok", row[2]) for row in rows if len(row) == 3}

    def run_natively(self) -> dict:
        native = self.natively()
        for name, _, _ in AUTHORITY:
            succeeded, detail = native.get(name, (False, "it was not run"))
            if not succeeded:
                self.expect(False, f"natively, {name} did not succeed, so stopping it proves nothing: {detail}")
        heard = self.stage.listen_for_late_ones()
        for kind in ("connection", "look-up"):
            arrived = any(one.startswith(kind) and self.stage.secret in one for one in heard)
            self.expect(arrived, f"natively, the {kind} did not reach the demo's server")
        self.expect(len(self.stage.what_was_written()) == 2, "natively, the files were not written")
        if self.failures:
            raise Broken("the native canary must succeed everywhere")
        for path in self.stage.what_was_written():
            path.unlink()
        self.stage.heard.clear()
        return native

    def probe_all(self, native: dict) -> dict:
        title("2. canary: the same probes natively, then in Cordon with nothing granted")
        row("probe", "natively", "in Cordon", "rule that stopped it")
        verdicts = {}
        for name, plugin, prefix in AUTHORITY:
            verdict = verdicts[name] = self.cordon.probe(name, plugin, prefix)
            row(name, "succeeds", "stopped" if verdict.stopped else "SUCCEEDS", verdict.rule)
            self.expect(verdict.stopped, f"in Cordon, the probe {name} succeeded: {verdict.detail}")
            self.expect(not verdict.stopped or bool(verdict.rule), f"nothing names the rule that stopped {name}")
        self.nothing_got_out()
        return verdicts

    def exhaust_all(self) -> None:
        for name, codes in EXHAUSTION:
            if name == "table":
                call = ("run", self.cordon.guests / "a16_tables.wasm", "until-trap", "--input", "{}")
            else:
                given = json.dumps({"name": name, "settings": []})
                call = ("run", self.cordon.plugin("canary"), "probe", "--input", given)
            document, records, seconds = self.cordon.call(*call, "--timeout", "1s")
            error = document.get("error") or {}
            if name == "stdout":
                dropped = sum(record.get("usage", {}).get("output_dropped_bytes", 0) for record in records)
                stopped, rule = dropped > 0, f"audit: output_dropped_bytes {dropped}"
            else:
                stopped, rule = error.get("code") in codes, error.get("code", "")
                limit = error.get("details", {}).get("limit")
                rule += f": limit {limit}" if limit else ""
            row(name, "-", "stopped" if stopped else "NOT STOPPED", rule)
            self.expect(stopped, f"the probe {name} was not stopped by its limit: {error.get('message', document)}")
            self.expect(seconds < 30, f"the probe {name} took {seconds:.0f} s")

    def with_one_folder(self, before: dict) -> None:
        title(f"3. canary again, with one folder to read: --grant {GRANT}")
        row("probe", "granted nothing", "granted one", "")
        changed = []
        for name, plugin, prefix in AUTHORITY:
            grants = self.grants() if plugin == "canary" else ()
            now = self.cordon.probe(name, plugin, prefix, grants)
            if now.stopped != before[name].stopped:
                changed.append(name)
            words = ["stopped" if verdict.stopped else "succeeds" for verdict in (before[name], now)]
            mark = "<- the line that changed" if now.stopped != before[name].stopped else now.rule
            row(name, words[0], words[1], mark)
        self.expect(changed == [OPENED_BY_THE_GRANT], f"these lines changed: {changed}")
        self.nothing_got_out()

    def nothing_got_out(self) -> None:
        """Looks for itself, whatever the guest and Cordon say."""
        for name, marker in self.stage.secrets.items():
            self.expect(not any(marker in text for text in self.cordon.said), f"the decoy of {name} was printed")
        self.expect(not any("root:x:0" in text for text in self.cordon.said), "/etc/passwd was printed")
        self.expect(not self.stage.listen_for_late_ones(), f"the demo's servers heard: {self.stage.heard}")
        self.expect(not self.stage.what_was_written(), f"files were written: {self.stage.what_was_written()}")

    def run(self) -> None:
        self.analyse()
        native = self.run_natively()
        verdicts = self.probe_all(native)
        self.exhaust_all()
        self.with_one_folder(verdicts)


def title(text: str) -> None:
    print(f"\n{text}")


def row(probe: str, first: str, second: str, rule: str) -> None:
    print(f"  {probe:<17}{first:<17}{second:<15}{rule}".rstrip(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cordon", required=True, type=pathlib.Path)
    parser.add_argument("--guests", required=True, type=pathlib.Path)
    args = parser.parse_args()
    for path in (args.cordon, args.guests / "plugins" / "canary" / "plugin.yaml"):
        if not path.exists():
            print(f"demo: {path} is not there; run: make demo", file=sys.stderr)
            return 2
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cordon-demo-"))
    stage = Stage(folder)
    try:
        stage.plant()
        stage.serve()
        demo = Demo(Cordon(args.cordon.resolve(), args.guests.resolve(), stage), stage)
        demo.run()
        stage.close()
    except (Broken, subprocess.TimeoutExpired) as problem:
        print(f"\ndemo: {problem}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if demo.failures:
        print(f"\ndemo: {len(demo.failures)} expectations failed:", file=sys.stderr)
        print("\n".join(f"  {failure}" for failure in demo.failures), file=sys.stderr)
        return 1
    print(f"\nEvery probe that works natively was stopped; the grant opened {OPENED_BY_THE_GRANT} and nothing else.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
