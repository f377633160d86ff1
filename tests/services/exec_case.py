"""What the tests of exec share: a plugin that runs what it is told to, and a repository for git."""
import json
import os
import pathlib
import subprocess

from kv_case import ACTIONS, GUESTS, StoreCase

ACTIONS["exec"] = ("exec-guest/exec", "run many")
GIT = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a",
       "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}


def word(text):
    """A literal in the compact form."""
    return "".join(c if c.isalnum() or c in "_./=:@+,-" else "".join(f"%{b:02X}" for b in c.encode()) for c in text)


class ExecCase(StoreCase):
    def setUp(self):
        super().setUp()
        self.data = self.tmp / "data"
        self.data.mkdir()

    def plugin(self, guest="exec", permissions=None, name="acme/a", tail=""):
        return super().plugin(guest, permissions or {}, name, tail)

    def repository(self):
        repo = self.data / "repo"
        repo.mkdir()
        for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "the first"]):
            subprocess.run(["git", *words], cwd=repo, env={**GIT, "HOME": str(self.tmp)}, check=True)
        words = ["git", "rev-parse", "HEAD"]
        return subprocess.run(words, cwd=repo, env=GIT, check=True, capture_output=True, text=True).stdout.strip()

    def script(self, text):
        """A Python program in the mounted folder, and the grant that spells it out."""
        path = self.data / "script.py"
        path.write_text(text)
        return path, f"exec:python3 -I {word(str(path))}"

    def go(self, program, arguments=(), *grants, mount="ro", directory=None, given="", timeout_ms=None, flags=(),
           action="run", **more):
        """One call of a bare .wasm; the answer, with the audit lines that it added in `self.added`."""
        document = {"program": program, "arguments": list(arguments), "directory": directory, "input": given,
                    "timeout-ms": timeout_ms} if action == "run" else {"program": program, **more}
        words = ["run", GUESTS / "exec.wasm", f"cordon:exec-guest/exec@0.1.0#{action}", "--input", "-", "--json"]
        if mount:
            words += ["--mount", f"{self.data}:/data:{mount}"]
        for grant in grants:
            words += ["--grant", grant]
        before = len(self.audit())
        done = self.cordon(*words, *flags, stdin=json.dumps(document))
        self.added = self.audit()[before:]
        answer = json.loads(done.stdout)
        if "output" not in answer:
            raise AssertionError(answer["error"])
        return answer["output"]

    def ran(self, *words, **options):
        answer = self.go(*words, **options)
        self.assertIn("ok", answer)
        return answer["ok"]

    def denied(self, rule, *words, **options):
        """The guest is told, nothing ran, and there is one record."""
        self.assertEqual(self.go(*words, **options), {"err": f"access-denied {rule}"}, words[:2])
        asked = [line for line in self.decisions_of_guest() if line["capability"].startswith("exec:")]
        self.assertEqual([(line["decision"], line["rule"]) for line in asked], [("deny", rule)])
        return asked[0]

    def decisions_of_guest(self):
        return [line for line in self.added if line["event"] == "decision" and "target" in line]

    def refused(self, grant):
        """The code with which a grant is refused before anything runs."""
        done = self.cordon("run", GUESTS / "exec.wasm", "cordon:exec-guest/exec@0.1.0#run", "--json", "--grant", grant)
        return json.loads(done.stdout)["error"]["code"]

    def processes(self, mark):
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
        return found
