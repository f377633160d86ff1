#!/usr/bin/env python3
"""cordon:memory by the command. CORDON_BIN and CORDON_GUESTS say where things are."""
import json
import unittest

from kv_case import AgentCase

STORE, RECALL, FORGET = (tuple(f"memory:{access}:{scope}" for scope in ("plugin", "session", "agent"))
                         for access in ("store", "recall", "forget"))
ALL = (*STORE, *RECALL, *FORGET)


class MemoryCase(AgentCase):
    def setUp(self):
        super().setUp()
        self.a = self.agent()

    def memory(self, action, *grants, plugin=None, context=None, **given):
        return self.call(plugin or self.a, action, {"scope": "plugin", **given}, *(grants or ALL), context=context)

    def texts(self, query="", **given):
        return [entry["text"] for entry in self.memory("recall", query=query, max=10, **given)["ok"]]


class Remembers(MemoryCase):
    def test_what_one_run_stores_the_next_one_recalls_and_forgets(self):
        first = self.memory("store", text="Ada likes green tea", labels=["taste"])["ok"]
        self.assertEqual(self.decisions(), [("allow", "grant:memory:store:plugin", "plugin")])
        self.memory("store", text="The parcels arrive on Tuesday", labels=[])
        self.assertEqual(self.texts("green parcel tea"), ["Ada likes green tea", "The parcels arrive on Tuesday"])
        self.assertEqual(self.texts(), ["The parcels arrive on Tuesday", "Ada likes green tea"])
        found = self.memory("recall", query="taste", max=1)["ok"]
        self.assertEqual(found, [{"id": first, "text": "Ada likes green tea", "labels": ["taste"]}])
        self.assertEqual(self.memory("forget", id=first), {"ok": True})
        self.assertEqual(self.memory("forget", id=first), {"ok": False})
        self.assertEqual(self.memory("forget-all"), {"ok": 1})
        self.assertEqual(self.texts(), [])
        self.assertEqual((self.state / "memory.db").stat().st_mode & 0o777, 0o600)
        self.assertNotIn("green tea", (self.state / "audit.jsonl").read_text())

    def test_each_access_of_each_scope_is_a_grant_of_its_own(self):
        context = {"session": "s1", "agent": "a1"}
        calls = {"store": {"text": "x", "labels": []}, "recall": {"query": "", "max": 1}, "forget": {"id": "x"},
                 "forget-all": {}}
        for grant in ("memory:store:plugin", "memory:recall:session", "memory:forget:agent"):
            for action, given in calls.items():
                for scope in ("plugin", "session", "agent"):
                    asked = f"memory:{action.removesuffix('-all')}:{scope}"
                    if grant.split(":")[1] not in asked and grant.split(":")[2] not in asked:
                        continue
                    answer = self.memory(action, grant, scope=scope, context=context, **given)
                    if asked == grant:
                        self.assertIn("ok", answer, asked)
                    else:
                        self.assertEqual(answer, {"err": "access-denied"}, asked)
                        self.assertEqual([decision[0] for decision in self.decisions()], ["deny"])

    def test_a_session_and_an_agent_remember_apart(self):
        for scope, context, text in (("session", {"session": "s1"}, "of s1"), ("session", {"session": "s2"}, "of s2"),
                                     ("agent", {"agent": "s1"}, "of the agent s1"), ("plugin", {}, "of all")):
            self.assertIn("ok", self.memory("store", scope=scope, context=context, text=text, labels=[]))
        self.assertEqual(self.texts(scope="session", context={"session": "s1", "agent": "s1"}), ["of s1"])
        self.assertEqual(self.texts("of", scope="session", context={"session": "s2"}), ["of s2"])
        self.assertEqual(self.texts(scope="agent", context={"agent": "s1"}), ["of the agent s1"])
        self.assertEqual(self.texts(context={"session": "s1"}), ["of all"])
        self.assertEqual(self.texts(scope="session", context={"session": "s3"}), [])
        of_north = {"session": "s1", "tenant": "north"}
        self.assertEqual(self.texts(scope="session", context=of_north), [], "another tenant's session of that name")
        self.assertEqual(self.texts(context=of_north), [])
        self.assertIn("ok", self.memory("store", scope="session", context=of_north, text="of north", labels=[]))
        self.assertEqual(self.texts("of", scope="session", context=of_north), ["of north"])
        self.assertEqual(self.texts("of", scope="session", context={"session": "s1"}), ["of s1"])
        self.assertEqual(self.memory("recall", scope="session", query="", max=1), {"err": "no-scope"})

    def test_the_operator_has_a_plugin_forget(self):
        def listed():
            return json.loads(self.cordon("memory", "list", "--json").stdout)["plugins"]

        def forget(*flags):
            return json.loads(self.cordon("memory", "forget", "acme/a", *flags, "--json").stdout)

        self.assertEqual(listed(), [])
        b = self.agent(name="acme/b")
        for scope, context in (("plugin", {}), ("session", {"session": "x"}), ("agent", {"agent": "x"})):
            for plugin in (self.a, b):
                self.memory("store", plugin=plugin, scope=scope, context=context, text="planted", labels=[])
        self.assertEqual(listed(), [{"plugin": "acme/a", "entries": 3, "bytes": 21},
                                    {"plugin": "acme/b", "entries": 3, "bytes": 21}])
        self.assertEqual(forget("--session", "x")["forgotten"], 1)
        self.assertEqual(forget("--session", "x")["forgotten"], 0)
        self.assertEqual(self.texts(scope="agent", context={"agent": "x"}), ["planted"])
        self.assertEqual(forget("--agent", "y")["forgotten"], 0)
        self.assertEqual(forget("--agent", "x")["forgotten"], 1)
        self.assertEqual(self.texts(), ["planted"])
        self.assertEqual(forget()["forgotten"], 1)
        self.assertEqual(listed(), [{"plugin": "acme/b", "entries": 3, "bytes": 21}])
        done = self.cordon("memory", "forget", "acme/b", "--all", "--json")
        self.assertEqual(json.loads(done.stdout)["forgotten"], 3)
        self.assertEqual(self.cordon("memory", "list").stdout, b"")
        self.assertEqual(forget("--all", "--agent", "x")["error"]["code"], "E_USAGE")
        notes = [line["target"] for line in self.audit() if line.get("note") == "the operator has the plugin forget"]
        self.assertEqual(notes, ["memory:session"] * 2 + ["memory:agent"] * 2 + ["memory:plugin", "memory:all"])

    def test_the_operators_ceiling_holds(self):
        self.config["limits"] = {"storage": "5KiB", "keys": 3}
        count, error = self.memory("fill", count=9, size=2000)
        self.assertEqual((count, error[:8]), (2, "E_LIMIT:"))
        self.memory("forget-all")
        self.assertEqual(self.memory("fill", count=9, size=1)[0], 3)
        self.assertEqual(self.memory("fill", plugin=self.agent(name="acme/b"), count=1, size=1), [1, None])

    def test_explain_and_inspect_know_it(self):
        shown = self.cordon("explain", self.a, "--grant", "memory:recall:plugin", "--json")
        self.assertIn("grant:memory:recall:plugin", shown.stdout.decode())
        self.assertEqual(json.loads(self.cordon("inspect", self.a, "--json").stdout)["ok"], True)


class attack_174(MemoryCase):
    def test_another_plugins_memories_are_out_of_reach(self):
        b = self.agent(name="acme/b")
        for scope, context in (("plugin", {}), ("session", {"session": "s1"}), ("agent", {"agent": "a1"})):
            given = {"scope": scope, "context": context}
            stored = self.memory("store", plugin=b, text="their secret", labels=["secret"], **given)
            for query in ("secret", "", "\"secret\" OR place:*", "their* OR secret", "') OR 1=1 --"):
                self.assertEqual(self.texts(query, scope=scope, context=context), [], query)
            self.assertEqual(self.memory("forget", scope=scope, context=context, id=stored["ok"]), {"ok": False})
            self.assertEqual(self.memory("forget-all", scope=scope, context=context), {"ok": 0})
            self.assertEqual(self.texts("secret", plugin=b, scope=scope, context=context), ["their secret"])

    def test_text_of_a_guest_controls_no_terminal(self):
        self.memory("forget", id="\x1b]52;c;evil\x07\u202e")
        self.assertNotIn("\x1b", (self.state / "audit.jsonl").read_text())
        self.assertEqual(self.memory("store", text="x", labels=["\x1b[31m"])["err"][:10], "E_INVALID:")


if __name__ == "__main__":
    unittest.main()
