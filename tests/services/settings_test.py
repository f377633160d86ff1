#!/usr/bin/env python3
"""wasi:config and cordon:secrets by the command. CORDON_BIN and CORDON_GUESTS say where things are."""
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time
import unittest

from kv_case import BIN, GUESTS, StoreCase

SCHEMA = """config:
  type: object
  additionalProperties: false
  required: [url]
  properties:
    url: { type: string, pattern: "^https://" }
    depth: { type: integer, minimum: 1, default: 3 }
    tags: { type: array, items: { type: string } }
    token: { type: string, x-secret: true, minLength: 8 }
"""
PLANTED = "planted-5f1c-secret"


def wait_until_busy(pid):
    """Until the process has used a second of the processor: it runs its guest then."""
    while sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) < 80:
        time.sleep(0.02)


class Case(StoreCase):
    def setUp(self):
        super().setUp()
        asks = {"required": [{"config": True}], "optional": [{"secrets": ["api-key", "other"]}]}
        self.p = self.plugin("settings", asks, tail=SCHEMA)

    def done(self, *words, code=0, **options):
        done = self.cordon(*words, **options)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done

    def error(self, *words, **options):
        return json.loads(self.cordon(*words, "--json", **options).stdout)["error"]

    def run_error(self, *grants):
        return json.loads(self.run_action(self.p, "all", {}, *grants).stdout)["error"]


class Settings(Case):
    def test_settings_come_from_the_operator_and_fit_the_schema(self):
        error = self.run_error("config")
        self.assertEqual((error["code"], error["message"]), ("E_MISSING", "the setting 'url' of acme/a is not set"))
        self.config["entries"] = {"acme/a": {"config": {"url": "https://a.test", "tags": ["x", "y"]}}}
        self.assertEqual(dict(self.call(self.p, "all", {}, "config")["ok"]),
                         {"url": "https://a.test", "depth": "3", "tags": '["x","y"]'})
        self.assertEqual(self.decisions(), [("allow", "grant:config", "all settings")])
        self.done("config", "set", self.p, "depth", "7")
        self.assertEqual(self.call(self.p, "get", {"key": "depth"}, "config"), {"ok": "7"})
        self.assertEqual(self.call(self.p, "get", {"key": "nothing"}, "config"), {"ok": None})
        self.done("config", "rm", self.p, "depth")
        self.assertEqual(self.call(self.p, "get", {"key": "depth"}, "config"), {"ok": "3"})

    def test_what_does_not_fit_is_refused_when_it_is_set_and_when_it_is_loaded(self):
        for key, value in (("depth", "0"), ("depth", "many"), ("url", "http://a.test"), ("colour", "red"),
                           ("tags", "[1]")):
            self.assertEqual(self.error("config", "set", self.p, key, value)["code"], "E_INVALID", key)
        self.config["entries"] = {"acme/a": {"config": {"url": "https://a.test", "depth": "3"}}}
        error = self.run_error("config")
        self.assertEqual(error["code"], "E_INVALID")
        self.assertIn("depth", error["message"])

    def test_without_the_grant_there_are_no_settings(self):
        self.config["entries"] = {"acme/a": {"config": {"url": "https://a.test"}}}
        self.assertEqual(self.run_error()["code"], "E_DENIED")


class attack_159(Case):
    """A secret is planted as a setting and by name, and looked for in all that comes out and all that is kept."""

    def setUp(self):
        super().setUp()
        self.config["entries"] = {"acme/a": {"config": {"url": "https://a.test"}}}
        self.seen = []
        run = self.cordon

        def recorded(*words, **options):
            done = run(*words, **options)
            self.seen.append((words, done.stdout + done.stderr))
            return done

        self.cordon = recorded
        self.done("config", "set", self.p, "token", stdin=PLANTED + "\n")
        self.done("secret", "set", "api-key", stdin=PLANTED)

    def assert_unseen(self):
        for words, out in self.seen:
            self.assertNotIn(PLANTED.encode(), out, words)
        for path in self.tmp.rglob("*"):
            if path.is_file() and path.name != "planted":
                self.assertNotIn(PLANTED.encode(), path.read_bytes(), path)

    def test_nothing_shows_it(self):
        grants = [word for grant in ("config", "secret:api-key") for word in ("--grant", grant)]
        for words in (["config", "list", self.p], ["secret", "list"], ["inspect", self.p], ["explain", self.p, *grants],
                      ["trail", "show"], ["run", self.p, "get", "--input", '{"key": "url"}', *grants],
                      ["run", self.p, "secret", "--input", '{"name": "other"}', "--grant", "secret:other", *grants]):
            self.cordon(*words)
            self.cordon(*words, "--json", "--verbose")
        self.config["entries"]["acme/a"]["config"]["depth"] = 0
        self.cordon("run", self.p, "all", *grants)
        self.config["entries"]["acme/a"]["config"].pop("depth")
        self.assert_unseen()
        # It is there, for the plugin that it was granted to.
        self.assertEqual(self.call(self.p, "get", {"key": "token"}, "config"), {"ok": PLANTED})
        self.assertEqual(self.call(self.p, "secret", {"name": "api-key"}, "config", "secret:api-key"), {"ok": PLANTED})

    def test_a_value_of_the_environment_is_shown_nowhere(self):
        self.config["entries"]["acme/a"]["config"]["depth"] = 0
        for flags in (["--env", f"TOKEN={PLANTED}"], ["--env", f"TOKEN={PLANTED}", "--env", "TOKEN=x"],
                      ["--env", f"TOKEN={PLANTED}", "--grant", "config", "--json", "--verbose"]):
            done = self.cordon("run", self.p, "all", *flags)
            self.assertNotEqual(done.returncode, 0)
        self.assert_unseen()

    def test_a_crash_leaves_no_core(self):
        def dumped(words):
            """Whether a process that runs a guest leaves a core when it is told to crash."""
            process = subprocess.Popen(words, env=self.environment(), cwd=self.tmp, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)))
            wait_until_busy(process.pid)
            process.send_signal(signal.SIGABRT)
            _, status = os.waitpid(process.pid, 0)
            process.returncode = 0
            self.assertEqual(os.WTERMSIG(status), signal.SIGABRT, words)
            return os.WCOREDUMP(status)

        if not dumped(["sh", "-c", "while :; do :; done"]):
            self.skipTest("no process leaves a core here")
        spin = self.tmp / "spin"
        spin.mkdir()
        shutil.copyfile(GUESTS / "a03_spin.wasm", spin / "spin.wasm")
        digest = hashlib.sha256((spin / "spin.wasm").read_bytes()).hexdigest()
        (spin / "plugin.yaml").write_text(f"""manifest: 1
name: acme/a
version: 1.0.0
runtime: {{ abi: component, artifact: spin.wasm, digest: "sha256:{digest}" }}
actions: {{ spin: {{ export: spin }} }}
permissions: {{ optional: [{{ config: true }}, {{ environment: [TOKEN] }}] }}
{SCHEMA}""")
        run = [BIN, "run", str(spin), "spin", "--timeout", "20s"]
        self.assertTrue(dumped(run), "a run that holds no secret")
        self.assertFalse(dumped([*run, "--grant", "config"]))
        self.assertFalse(dumped([*run, "--env", f"TOKEN={PLANTED}"]))
        self.variables["API_KEY"] = PLANTED
        self.config["entries"]["acme/a"]["egress"] = [{"to": "http://a.test/*", "header": "X", "variable": "API_KEY"}]
        self.assertFalse(dumped(run))

    def test_a_value_that_does_not_fit_is_not_shown(self):
        self.done("config", "set", self.p, "token", stdin="pl4nted")
        message = json.dumps(self.run_error("config"))
        self.assertIn("token", message)
        self.assertNotIn("pl4nted", message)

    def test_a_secret_is_never_a_word_of_a_command_or_a_line_of_config_yaml(self):
        self.assertEqual(self.error("config", "set", self.p, "token", PLANTED)["code"], "E_USAGE")
        self.config["entries"]["acme/a"]["config"]["token"] = "planted-in-clear"
        error = json.dumps(self.run_error("config"))
        self.assertIn("E_INVALID", error)
        self.assertNotIn("planted-in-clear", error)
        self.assertNotIn(b"planted-in-clear", self.cordon("config", "list", self.p).stdout)

    def test_a_guest_inherits_no_key(self):
        self.variables["CORDON_SECRETS_KEY"] = "ab" * 32
        self.assertEqual(self.error("secret", "list")["code"], "E_DIGEST")
        self.variables["CORDON_SECRETS_KEY"] = "abc"
        self.assertEqual(self.error("secret", "list")["code"], "E_INVALID")


class Secrets(Case):
    def setUp(self):
        super().setUp()
        self.config["entries"] = {"acme/a": {"config": {"url": "https://a.test"}}}

    def secret(self, name, *grants):
        return self.call(self.p, "secret", {"name": name}, "config", *grants)

    def test_only_the_granted_name(self):
        self.done("secret", "set", "api-key", stdin="shared-value\n")
        self.assertEqual(self.secret("api-key", "secret:api-key"), {"ok": "shared-value"})
        self.assertEqual(self.decisions()[-1], ("allow", "grant:secret:api-key", "api-key"))
        for name in ("other", "API-KEY", "../api-key", "api-key\u0000", "", "config:token", "*"):
            self.assertEqual(self.secret(name, "secret:api-key"), {"err": "access-denied"}, name)
            self.assertEqual(self.decisions()[-1][0], "deny")
        self.assertEqual(self.secret("other", "secret:other"), {"err": "not-found"})
        self.assertEqual(self.secret("api-key"), {"err": "access-denied"})  # a stub

    def test_rotation_and_a_plugins_own(self):
        self.done("secret", "set", "api-key", stdin="first")
        self.done("secret", "set", "api-key", stdin="second")
        self.assertEqual(self.secret("api-key", "secret:api-key"), {"ok": "second"})
        self.done("secret", "set", "api-key", "--plugin", "acme/a", stdin="its own")
        self.assertEqual(self.secret("api-key", "secret:api-key"), {"ok": "its own"})
        self.done("secret", "rm", "api-key", "--plugin", "acme/a")
        self.done("secret", "rm", "api-key")
        self.assertEqual(self.secret("api-key", "secret:api-key"), {"err": "not-found"})
        self.done("secret", "rm", "api-key", code=7)
        notes = [line["note"] for line in self.audit() if line.get("target") == "secret:api-key"]
        self.assertEqual(notes[:2], ["a secret is set"] * 2)

    def test_a_tampered_file_gives_nothing(self):
        self.done("secret", "set", "api-key", stdin="first")
        path = self.state / "secrets"
        text = path.read_text()
        path.write_text(text.replace("api-key", "api-kez"))
        self.assertEqual(self.run_error("config", "secret:api-key")["code"], "E_DIGEST")
        self.done("secret", "list", code=6)

    def test_no_value_is_an_error(self):
        self.assertEqual(self.error("secret", "set", "api-key", stdin="\n")["code"], "E_MISSING")
        self.assertEqual(self.error("secret", "set", "a b", stdin="x")["code"], "E_NAME")
        self.assertEqual(self.error("secret", "set", "k", stdin="x" * 70000)["code"], "E_LIMIT")


if __name__ == "__main__":
    unittest.main()
