#!/usr/bin/env python3
"""cordon:context by the command. CORDON_BIN and CORDON_GUESTS say where things are."""
import json
import unittest

from kv_case import AgentCase, GUESTS

ALL = {"user": "alice", "session": "s-1", "agent": "helper"}


class Told(AgentCase):
    def setUp(self):
        super().setUp()
        self.a = self.agent()

    def who(self, *grants, context=None):
        return self.call(self.a, "who", {}, *grants, context=context)

    def test_each_part_has_its_grant(self):
        every = ("ctx:user", "ctx:session", "ctx:agent")
        self.assertEqual(self.who(*every, context=ALL), {name: {"ok": value} for name, value in ALL.items()})
        self.assertEqual(self.decisions(), [("allow", f"grant:{grant}", grant[4:]) for grant in every])
        for grant in every:
            told = self.who(grant, context=ALL)
            for name, value in ALL.items():
                self.assertEqual(told[name], {"ok": value} if grant == f"ctx:{name}" else {"err": "access-denied"})
            self.assertEqual([decision for decision, _, _ in self.decisions()].count("deny"), 2)

    def test_no_plugin_learns_of_the_tenant_and_the_audit_does(self):
        self.assertEqual(self.who("ctx:user", context={"user": "bob", "tenant": "north"})["user"], {"ok": "bob"})
        named = {line.get("tenant") for line in self.added if line["event"] == "call" or "target" in line}
        self.assertEqual(named, {"north"})
        exported = self.cordon("trail", "export", "--format", "csv").stdout.decode().splitlines()
        self.assertTrue(exported[0].endswith(",tenant"), exported[0])
        self.assertEqual(sum(line.endswith(",north") for line in exported), 4, "three decisions and a call")

    def test_without_a_grant_stubs_deny(self):
        self.assertEqual(self.who(context=ALL), {name: {"err": "access-denied"} for name in ALL})
        self.assertEqual([decision for decision, _, _ in self.decisions()], ["deny"] * 3)

    def test_what_the_host_does_not_say_is_nothing(self):
        self.assertEqual(self.who("ctx:user", "ctx:session", context={"user": "bob"}),
                         {"user": {"ok": "bob"}, "session": {"ok": None}, "agent": {"err": "access-denied"}})

    def test_nothing_of_it_is_linked_when_nothing_asks(self):
        done = self.cordon("run", GUESTS / "agent.wasm", "cordon:agent-guest/agent@0.1.0#who", "--json",
                           "--context", "user=alice")
        error = json.loads(done.stdout)["error"]
        self.assertEqual(error["code"], "E_LINK")
        self.assertIn("cordon:context/call@1.0.0", json.dumps(error))
        self.assertIn("ctx:user", json.dumps(error))

    def test_inspect_and_explain_know_it(self):
        shown = json.loads(self.cordon("explain", self.a, "--grant", "ctx:user", "--json").stdout)
        self.assertIn("grant:ctx:user", json.dumps(shown))
        self.assertNotIn("E_UNENFORCEABLE", json.dumps(shown["imports"] if "imports" in shown else shown))

    def test_a_grant_that_is_kept_counts(self):
        done = self.cordon("plugin", "grant", self.a, "ctx:user", "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.who(context=ALL)["user"], {"ok": "alice"})

    def test_values_are_bounded_and_say_nothing_to_a_terminal(self):
        for text, code in (("user", "E_USAGE"), ("user=", "E_USAGE"), ("colour=red", "E_USAGE"), ("=x", "E_USAGE"),
                           ("user=\x1b[31m", "E_INVALID"), ("session=a\nb", "E_INVALID"), ("agent=\u202e", "E_INVALID"),
                           ("user=" + "x" * 257, "E_LIMIT"), ("tenant=", "E_USAGE"), ("tenant=a\tb", "E_INVALID")):
            done = self.cordon("run", self.a, "who", "--json", "--context", text)
            self.assertEqual(json.loads(done.stdout)["error"]["code"], code, text)
            self.assertNotIn(b"\x1b", done.stdout)
        done = self.cordon("run", self.a, "who", "--json", "--context", "user=a", "--context", "user=b")
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "E_USAGE")
        self.assertEqual(self.who("ctx:user", context={"user": "x" * 256})["user"], {"ok": "x" * 256})


if __name__ == "__main__":
    unittest.main()
