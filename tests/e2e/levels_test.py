#!/usr/bin/env python3
"""Security levels and policy.yaml: one plugin that wants everything, at every level. The table itself, capability by
capability, is in src/policy/ceiling_test.cc."""
import hashlib
import json
import unittest

from cordon import ADD, CordonTest, module

CALL = ["--input", '{"p0": 1, "p1": 2}']
LEVELS = ["relaxed", "default", "strict", "paranoid"]
WANTS = """permissions:
  optional:
    - files: {mount: /docs, from: workspace, access: write}
    - files: {mount: /scratch, from: scratch, access: write}
    - http: {url: "https://api.example.com/*", methods: [GET]}
    - http: {url: "https://*.example.com/*", methods: [GET]}
    - http: {url: "https://*/*", methods: [GET]}
    - sockets: {connect: "tcp://10.0.0.0/8:5432"}
    - environment: [TOKEN]
    - storage: {bucket: cache, access: write}
    - context: [user]
    - clocks: fine
"""
# What each request comes to, by level, with each of them granted as far as a grant may say so, and at paranoid with a
# policy that lists every kind: "-" denied, "=" as asked, or what is left.
TABLE = {
    "fs:write:/docs=workspace": ["=", "=", "=", "fs:read:/docs=workspace"],
    "fs:write:/scratch=scratch": ["=", "=", "-", "-"],
    "http:GET:https://api.example.com/*": ["=", "=", "=", "="],
    "http:GET:https://*.example.com/*": ["=", "=", "http:GET:https://api.example.com/*",
                                         "http:GET:https://api.example.com/*"],
    # Too wide to be granted from default on; what is left is the widest of the others.
    "http:GET:https://*/*": ["=", "http:GET:https://*.example.com/*", "http:GET:https://api.example.com/*",
                             "http:GET:https://api.example.com/*"],
    "net:tcp:10.0.0.0/8:5432": ["=", "=", "-", "-"],
    "env:TOKEN": ["=", "=", "=", "="],
    "kv:write:cache": ["=", "=", "=", "="],
    "ctx:user": ["=", "=", "=", "-"],
    "clock:fine": ["=", "=", "clock:coarse", "clock:coarse"],
}
KINDS = "[files, http, sockets, environment, storage, context, clock, random, stdio, log]"


class Tests(CordonTest):
    def setUp(self):
        super().setUp()
        self.folder = self.plugin(WANTS)
        self.docs = self.tmp / "docs"
        self.docs.mkdir()
        self.artifact = "sha256:" + hashlib.sha256((self.folder / "adder.wasm").read_bytes()).hexdigest()

    def policy(self, text):
        return self.write("policy.yaml", text)

    def pinned(self, allow=KINDS):
        return self.policy(f'plugins:\n  acme/adder:\n    artifacts: ["{self.artifact}"]\n    allow: {allow}\n')

    def permissions(self, *words):
        document = self.cordon("explain", self.folder, "--json", *words).json
        return {one["capability"]: one for one in document["permissions"]}

    def test_every_capability_at_every_level(self):
        grants = [word for text in TABLE if text != "http:GET:https://*/*" for word in ("--grant", text)]
        for at, level in enumerate(LEVELS):
            extra = ["--policy", self.pinned()] if level == "paranoid" else []
            seen = self.permissions("--level", level, *grants, *extra)
            for capability, outcomes in TABLE.items():
                one = seen[capability]
                left = one.get("effective", "-")
                self.assertEqual(outcomes[at], "=" if left == capability else left, f"{capability} at {level}: {one}")
                if outcomes[at] == "-" and one["rule"] != "no-grant":
                    self.assertEqual(f"ceiling:level-{level}", one["rule"])
                    self.assertIn("why", one)

    def test_what_this_build_cannot_enforce_does_not_run(self):
        for level in ("strict", "paranoid"):
            done = self.cordon("run", self.folder, *CALL, "--level", level)
            self.assertEqual((4, ""), (done.code, done.out), level)
            self.assertIn("E_UNENFORCEABLE", done.err)
        self.assertIn(self.artifact, self.cordon("run", self.folder, *CALL, "--level", "strict").err)
        policy = self.pinned()
        self.assertEqual("3\n", self.cordon("run", self.folder, *CALL, "--level", "strict", "--policy", policy).out)
        self.assertEqual("3\n", self.cordon("run", self.folder, *CALL, "--level", "paranoid", "--policy", policy).out)
        call = [record for record in self.audit() if record["event"] == "call"][-1]
        self.assertIn("sha256:", json.dumps(call), "digests of input and output are in the audit from strict on")

    def test_pinned_bytes_that_changed_do_not_run_at_any_level(self):
        policy = self.pinned()
        self.plugin(WANTS, wasm=module([ADD]) + b"\0\x03\x01ab")  # a custom section
        for level in LEVELS:
            done = self.cordon("run", self.folder, *CALL, "--level", level, "--policy", policy)
            self.assertEqual("", done.out, level)
            self.assertIn("pins acme/adder to other bytes", done.err)

    def test_relaxed_grants_what_is_asked_and_says_so(self):
        done = self.cordon("run", self.folder, *CALL, "--level", "relaxed", "--root", f"workspace={self.docs}",
                           "--root", f"scratch={self.docs}")
        self.assertEqual("3\n", done.out, done.err)
        self.assertIn("level relaxed: granted because the plugin asks for it: fs:write:/docs=workspace", done.err)
        records = self.cordon("trail", "show", "--json").out
        self.assertIn("level:relaxed", records)

    def test_relaxed_stops_where_an_update_asks_for_more(self):
        run = ["run", self.folder, *CALL, "--level", "relaxed"]
        self.plugin("permissions:\n  optional:\n    - environment: [ONE]\n")
        self.assertIn("env:ONE", self.cordon(*run).err)
        self.plugin("permissions:\n  optional:\n    - environment: [ONE, TWO]\n")
        self.assertNotIn("granted because", self.cordon(*run).err)
        self.plugin("permissions:\n  optional:\n    - environment: [ONE]\n")
        self.assertIn("env:ONE", self.cordon(*run).err)

    def test_a_hostile_request_does_not_end_level_relaxed_for_others(self):
        """What no level grants is not remembered either: the memory of level relaxed could not be read with it."""
        hostile = """permissions:
  optional:
    - http: {url: "http://169.254.169.254/*", methods: [GET]}
    - exec: {program: sh, args: [-c, {pattern: ".*"}]}
    - environment: [ONE]
"""
        for _ in range(2):
            self.plugin(hostile, name="acme/hostile")
            done = self.cordon("run", self.folder, *CALL, "--level", "relaxed")
            self.assertEqual("3\n", done.out, done.err)
            self.assertNotIn("169.254", done.err)
            self.plugin("permissions:\n  optional:\n    - environment: [TWO]\n", name="acme/other")
            done = self.cordon("run", self.folder, *CALL, "--level", "relaxed")
            self.assertEqual("3\n", done.out, done.err)

    def test_relaxed_in_a_file_needs_an_end(self):
        def config(text):
            return {"CORDON_CONFIG": str(self.write("config.yaml", text))}
        done = self.cordon("run", self.folder, *CALL, env=config("plugins: { level: relaxed }\n"))
        self.assertEqual(4, done.code)
        self.assertIn("config.yaml:1:", done.err)
        root = ["--root", f"workspace={self.docs}", "--root", f"scratch={self.docs}"]
        done = self.cordon("run", self.folder, *CALL, *root, env=config(
            'plugins: { level: relaxed, level_until: "2999-01-01T00:00:00Z" }\n'))
        self.assertIn("granted because the plugin asks", done.err)
        done = self.cordon("run", self.folder, *CALL, *root, env=config(
            'plugins: { level: relaxed, level_until: "2001-01-01T00:00:00Z" }\n'))
        self.assertIn("level relaxed ended", done.err)
        self.assertNotIn("granted because", done.err)

    def test_a_policy_narrows_and_an_empty_one_denies(self):
        words = ["--grant", "env:TOKEN", "--grant", "kv:write:cache"]
        one = self.permissions(*words, "--policy", self.policy("allow: [storage, clock, random, stdio, log]\n"))
        self.assertEqual("ceiling:policy", one["env:TOKEN"]["rule"])
        self.assertIn("policy.yaml", one["env:TOKEN"]["why"])
        self.assertEqual("kv:write:cache", one["kv:write:cache"]["effective"])
        for capability in self.permissions(*words, "--policy", self.policy("# nothing\n")).values():
            self.assertEqual("denied", capability["state"], capability)

    def test_a_policy_that_cannot_be_read_denies(self):
        done = self.cordon("run", self.folder, *CALL, "--policy", self.tmp / "none.yaml")
        self.assertEqual((7, ""), (done.code, done.out))
        self.assertIn("nothing is allowed", done.err)
        done = self.cordon("run", self.folder, *CALL, "--policy", self.policy("allow:\n  - http:GET:nowhere\n"))
        self.assertEqual((4, ""), (done.code, done.out))
        self.assertIn("policy.yaml:2:", done.err)

    def test_a_configured_policy_holds_beside_that_of_the_flag(self):
        self.write("caps.yaml", "allow: [environment, clock, random, stdio, log]\n")
        env = {"CORDON_CONFIG": str(self.write("config.yaml", "plugins: { policy: caps.yaml }\n"))}
        words = ["explain", self.folder, "--json", "--grant", "env:TOKEN", "--grant", "kv:write:cache"]

        def effective(*more):
            document = self.cordon(*words, *more, env=env).json
            return {one["capability"] for one in document["permissions"] if one["state"] == "effective"}
        self.assertIn("env:TOKEN", effective())
        self.assertNotIn("kv:write:cache", effective())
        self.assertNotIn("env:TOKEN", effective("--policy", self.policy("allow: [storage]\n")))

    def test_what_a_policy_forbids_is_not_granted_for_good(self):
        policy = self.policy("allow: [storage, clock, random, stdio, log]\n")
        done = self.cordon("plugin", "grant", self.folder, "env:TOKEN", "--yes", "--policy", policy)
        self.assertEqual(3, done.code, done.err)
        self.assertIn("policy.yaml", done.err)
        self.assertFalse((self.state / "grants.yaml").exists())
        self.assertEqual(0, self.cordon("plugin", "grant", self.folder, "kv:write:cache", "--yes", "--policy",
                                        policy).code)

    def test_a_plugins_own_level_is_only_stricter(self):
        env = {"CORDON_CONFIG": str(self.write("config.yaml", """plugins:
  level: default
  entries: { acme/adder: { level: strict } }
"""))}
        self.assertEqual(4, self.cordon("run", self.folder, *CALL, env=env).code)
        self.assertEqual(4, self.cordon("run", self.folder, *CALL, "--level", "relaxed", env=env).code)
        env = {"CORDON_CONFIG": str(self.write("config.yaml", """plugins:
  level: strict
  entries: { acme/adder: { level: default } }
"""))}
        self.assertEqual(4, self.cordon("run", self.folder, *CALL, env=env).code)

    def test_a_risk_above_the_cap_does_not_run(self):
        policy = self.policy("risk: medium\nallow: [files, storage, clock, random, stdio, log]\n")
        root = ["--root", f"workspace={self.docs}"]
        done = self.cordon("run", self.folder, *CALL, *root, "--grant", "fs:write:/docs=workspace", "--policy", policy)
        self.assertEqual((3, ""), (done.code, done.out))
        self.assertIn("risk", done.err)
        self.assertEqual("3\n", self.cordon("run", self.folder, *CALL, *root, "--grant", "fs:read:/docs=workspace",
                                            "--policy", policy).out)

    def test_the_schema_of_policies_is_printed(self):
        self.assertIn("policy.yaml", self.cordon("schema", "policy").out)


if __name__ == "__main__":
    unittest.main()
