#!/usr/bin/env python3
"""cordon:tools as plugins meet it, by the command. CORDON_BIN and CORDON_GUESTS say where things are."""
import json
import unittest

from kv_case import ACTIONS, GUESTS, StoreCase

ACTIONS["tools"] = ("tools-guest/relay", "ask ask-often ask-large who keep look spin boom large echo")
KV = "kv:write:kept"


class Case(StoreCase):
    def setUp(self):
        super().setUp()
        self.others = []

    def load(self, name, *grants, with_others=True, calls=("a", "b", "c")):
        """A plugin that may ask for everything, and is granted for good what is said."""
        name = f"acme/{name}"
        optional = [{"storage": {"bucket": "kept", "access": "write"}}, {"call": [f"acme/{call}#*" for call in calls]}]
        folder = self.plugin("tools", {"optional": optional}, name)
        if grants:
            done = self.cordon("plugin", "grant", folder, "--yes", *grants)
            self.assertEqual(done.returncode, 0, done.stderr)
        if with_others:
            self.others.append(folder)
        return folder

    def start(self, plugin, action, given, *flags):
        before = len(self.audit())
        words = [word for other in self.others if other != plugin for word in ("--with", other)]
        done = self.cordon("run", plugin, action, "--input", "-", "--json", *words, *flags, stdin=json.dumps(given))
        self.added = self.audit()[before:]
        return json.loads(done.stdout)

    def go(self, plugin, action, given, *flags):
        document = self.start(plugin, action, given, *flags)
        if "output" not in document:
            raise AssertionError(document["error"])
        return document["output"]

    def ask(self, plugin, action, given=None, *flags):
        return self.go(plugin, "ask", {"action": action, "input": json.dumps(given or {})}, *flags)

    def asked(self):
        """The decisions about calls: (who, decision, rule, what)."""
        return [(line["plugin"], line["decision"], line["rule"], line["target"]) for line in self.added
                if line["event"] == "decision" and line["capability"].startswith("call") and "target" in line]

    def calls(self, plugin):
        return [line for line in self.added if line["event"] == "call" and line["plugin"] == f"acme/{plugin}"]


class Tools(Case):
    def test_an_action_of_another_plugin_answers_json(self):
        a, _ = self.load("a", "call:acme/b#echo"), self.load("b")
        self.assertEqual(self.ask(a, "acme/b#echo", {"text": "hello"}), {"ok": '"hello"'})
        self.assertEqual(self.asked(), [("acme/a", "allow", "grant:call:acme/b#echo", "acme/b#echo")])
        [record] = self.calls("b")
        self.assertEqual((record["action"], record["callers"]), ("echo", ["acme/a"]))

    def test_what_is_wrong_with_a_call_is_the_callers_to_know(self):
        a, _ = self.load("a", "call:acme/b#*", "call:acme/c#echo"), self.load("b", "call:acme/b#look")
        self.assertIn("E_NOT_FOUND there is no action 'none'", self.ask(a, "acme/b#none")["err"])
        self.assertEqual(self.ask(a, "acme/c#echo"), {"err": "E_NOT_FOUND the plugin acme/c is not loaded"})
        self.assertIn("E_INPUT_SCHEMA", self.ask(a, "acme/b#echo", {"wrong": 1})["err"])
        self.assertEqual(self.ask(a, "acme/b#look", {"key": "k"}), {"err": 'answered {"err":"access-denied"}'})

    def test_an_optional_call_that_is_not_granted_denies(self):
        a, _ = self.load("a"), self.load("b")
        self.assertEqual(self.ask(a, "acme/b#echo"), {"err": "access-denied "})

    def test_the_other_acts_with_its_own_grants_and_keeps_its_own_values(self):
        a, b = self.load("a", "call:acme/b#*", KV), self.load("b", KV)
        self.ask(a, "acme/b#keep", {"key": "k", "value": "b's"})
        self.assertEqual(self.ask(a, "acme/b#look", {"key": "k"}), {"ok": '{"ok":"b\'s"}'})
        self.assertEqual(self.go(a, "look", {"key": "k"}), {"ok": None})

    def test_a_bare_file_has_no_name(self):
        a = self.load("a")
        self.others.append(GUESTS / "bench.wasm")
        self.assertEqual(self.start(a, "who", {})["error"]["code"], "E_USAGE")


class attack_163(Case):
    def test_no_edge_no_call(self):
        a, _ = self.load("a", "call:acme/b#echo"), self.load("b", KV)
        answer = self.ask(a, "acme/b#keep", {"key": "k", "value": "v"})
        self.assertEqual(answer, {"err": "access-denied no-grant"})
        [(_, decision, rule, target)] = self.asked()
        self.assertEqual((decision, rule, target), ("deny", "no-grant", "acme/b#keep"))
        self.assertEqual(self.calls("b"), [])
        note = [line["note"] for line in self.added if line.get("rule") == "no-grant" and "target" in line]
        self.assertEqual(note, ["grant it: --grant 'call:acme/b#keep'"])

    def test_with_an_edge_the_other_decides_by_its_own_rules_and_sees_who_asks(self):
        a, b = self.load("a", "call:acme/b#*"), self.load("b")
        answer = self.ask(a, "acme/b#keep", {"key": "k", "value": "v"})
        self.assertEqual(answer, {"err": 'answered {"err":"access-denied"}'})
        self.assertEqual(self.ask(a, "acme/b#who"), {"ok": '["acme/a"]'})
        self.assertEqual(self.go(b, "who", {}), [])

    def test_a_call_passes_on_no_more_than_its_grant_says(self):
        b = self.load("b", KV, "call:acme/c#keep")
        self.load("c", KV)
        a = self.load("a", "call:acme/b#*; pass=nothing")
        answer = self.ask(a, "acme/b#keep", {"key": "k", "value": "v"})
        self.assertEqual(answer, {"err": 'answered {"err":"access-denied"}'})
        denied = [line for line in self.added if line.get("rule") == "call:not-passed"]
        self.assertEqual([(line["plugin"], line["callers"]) for line in denied], [("acme/b", ["acme/a"])])
        self.assertEqual(self.go(b, "keep", {"key": "k", "value": "v"}), {"ok": None})
        # Nor does what it calls in turn.
        onward = {"action": "acme/c#keep", "input": '{"key": "k", "value": "v"}'}
        self.assertIn("call:not-passed", json.dumps(self.ask(a, "acme/b#ask", onward)))
        self.load("a", "call:acme/b#*; pass=call")
        self.cordon("plugin", "revoke", a, "--yes")
        self.load("a", "call:acme/b#*; pass=call")
        self.assertIn("access-denied", json.dumps(self.ask(a, "acme/b#ask", onward)))
        self.assertEqual([line["plugin"] for line in self.added if line.get("rule") == "call:not-passed"], ["acme/c"])


class Provided(Case):
    def test_what_a_plugin_lists_is_what_others_may_call(self):
        a, b = self.load("a", "call:acme/b#*"), self.load("b")
        text = (b / "plugin.yaml").read_text()
        (b / "plugin.yaml").write_text(text + "provides: { tools: [echo], actions: [who] }\n")
        self.assertEqual(self.ask(a, "acme/b#echo", {"text": "x"}), {"ok": '"x"'})
        self.assertEqual(self.ask(a, "acme/b#who"), {"ok": '["acme/a"]'})
        self.assertEqual(self.ask(a, "acme/b#look", {"key": "k"}), {"err": "access-denied call:not-provided"})
        self.assertEqual([row[1:3] for row in self.asked()], [("deny", "call:not-provided")])
        self.assertEqual(self.go(b, "look", {"key": "k"}), {"err": "access-denied"})  # the operator's own call
        shown = json.loads(self.cordon("inspect", b, "--json").stdout)["provides"]
        self.assertEqual(shown, {"tools": ["echo"], "actions": ["who"], "services": [], "hooks": [], "commands": {}})
        self.assertIn("tools         echo", self.cordon("inspect", b).stdout.decode())

    def test_nothing_is_registered_that_is_no_action(self):
        a = self.load("a")
        (a / "plugin.yaml").write_text((a / "plugin.yaml").read_text() + "provides: { hooks: [saved] }\n")
        self.assertEqual(self.start(a, "who", {})["error"]["code"], "E_INVALID")


class attack_12(Case):
    def test_what_ends_in_a_nested_call_ends_that_plugin_only(self):
        a, _, _ = (self.load("a", "call:acme/b#*"), self.load("b", "call:acme/c#*"), self.load("c"))
        given = {"action": "acme/c#boom", "input": "{}"}
        answer = self.go(a, "ask-often", {"action": "acme/b#ask", "input": json.dumps(given), "times": 3})
        self.assertEqual(answer[0], 0)
        self.assertIn("E_TRAP", answer[1])
        self.assertEqual([line["code"] for line in self.calls("c")], ["E_TRAP"])
        self.assertNotIn("code", self.calls("b")[0])
        self.assertEqual(self.ask(a, "acme/b#who"), {"ok": '["acme/a"]'})

    def test_denials_deep_in_a_chain_name_the_whole_chain(self):
        a, _, _ = (self.load("a", "call:acme/b#*"), self.load("b", "call:acme/c#look"), self.load("c"))
        for _ in range(3):
            onward = {"action": "acme/c#keep", "input": "{}"}
            self.assertIn("access-denied no-grant", json.dumps(self.ask(a, "acme/b#ask", onward)))
            [denial] = [line for line in self.added if line.get("rule") == "no-grant" and "target" in line
                        and line["capability"].startswith("call")]
            self.assertEqual((denial["plugin"], denial["callers"]), ("acme/b", ["acme/a"]))


class attack_164(Case):
    def test_a_plugin_is_not_entered_again_by_what_it_asked_for(self):
        a, _ = self.load("a", "call:acme/b#ask", "call:acme/a#who"), self.load("b", "call:acme/a#who")
        answer = self.ask(a, "acme/b#ask", {"action": "acme/a#who", "input": "{}"})
        self.assertIn("access-denied call:cycle", json.dumps(answer))
        self.assertEqual(self.asked()[-1][1:3], ("deny", "call:cycle"))
        self.assertEqual(self.ask(a, "acme/a#who"), {"err": "access-denied call:cycle"})

    def test_a_chain_ends(self):
        names = [f"p{n}" for n in range(10)]
        for name, following in zip(names, names[1:] + ["none"]):
            self.load(name, f"call:acme/{following}#*", calls=(following,))
        given = {"action": "acme/p9#who", "input": "{}"}
        for n in range(8, 0, -1):
            given = {"action": f"acme/p{n}#ask", "input": json.dumps(given)}
        first = self.others[0]
        answer = json.dumps(self.go(first, "ask", given))
        self.assertIn("access-denied call:depth", answer)
        self.assertEqual([row[:3] for row in self.asked()][-1], ("acme/p7", "deny", "call:depth"))
        self.assertEqual(len([row for row in self.asked() if row[1] == "allow"]), 7)


class attack_165(Case):
    def test_the_caller_is_what_the_host_wrote(self):
        a, _ = self.load("a", "call:acme/b#*"), self.load("b")
        for forged in ({"callers": ["operator"]}, {"caller": "acme/c"}, {"_callers": []}):
            self.assertIn("E_INPUT_SCHEMA", self.ask(a, "acme/b#who", forged)["err"])
        self.assertEqual(self.ask(a, "acme/b#who", {}, "--context", "user=acme/c"), {"ok": '["acme/a"]'})

    def test_a_name_is_a_name(self):
        a, _ = self.load("a", "call:acme/b#*"), self.load("b")
        for name in ("acme/b", "acme/b#", "acme/b#*", "#who", "b#who", "acme/b#who#x", "Acme/b#who", "acme/b#who\u0000",
                     "acme/../b#who", "acme/b #who", "acme/b\n#who", "*", "x" * 5000):
            self.assertEqual(self.ask(a, name), {"err": "access-denied call:target"}, name)
            [(_, decision, rule, _)] = self.asked()
            self.assertEqual((decision, rule), ("deny", "call:target"))


class attack_166(Case):
    def assert_nothing_ran(self, plugin):
        """It was refused before it began, and is charged nothing."""
        for call in self.calls(plugin):
            self.assertIn(call["code"], ("E_INPUT_SIZE", "E_LIMIT", "E_SYNTAX", "E_INPUT_SCHEMA"))
            self.assertEqual((call["duration_us"], set(call["usage"].values())), (0, {0}), call)

    def test_no_payload_of_any_size_reaches_the_other(self):
        self.config["limits"] = {"input": "1MiB"}
        a, b = self.load("a", "call:acme/b#*"), self.load("b", KV)
        answer = self.go(a, "ask-large", {"action": "acme/b#echo", "bytes": 2 << 20, "depth": 0})
        self.assertTrue(answer["err"].startswith("E_INPUT_SIZE "), answer)
        self.assert_nothing_ran("b")
        answer = self.go(a, "ask-large", {"action": "acme/b#echo", "bytes": 1, "depth": 100000})
        self.assertRegex(answer["err"], "^E_(LIMIT|SYNTAX|INPUT_SCHEMA) ")
        self.assert_nothing_ran("b")
        # What does not fit through the door at all ends the caller.
        document = self.start(a, "ask-large", {"action": "acme/b#echo", "bytes": 40 << 20, "depth": 0})
        self.assertEqual(document["error"]["code"], "E_LIFT_LIMIT")
        self.assertEqual(self.calls("b"), [])

    def test_an_answer_has_its_limit_too(self):
        self.config["limits"] = {"output": "1MiB"}
        a, _ = self.load("a", "call:acme/b#*"), self.load("b")
        self.assertTrue(self.ask(a, "acme/b#large", {"bytes": 2 << 20})["err"].startswith("E_"))


class attack_167(Case):
    def test_the_other_has_no_more_time_than_the_caller_has_left(self):
        a, _ = self.load("a", "call:acme/b#*"), self.load("b", KV)
        document = self.start(a, "ask", {"action": "acme/b#spin", "input": "{}"}, "--timeout", "300ms")
        self.assertEqual(document["error"]["code"], "E_TIMEOUT")
        codes = {line["plugin"]: line["code"] for line in self.added if line["event"] == "call"}
        self.assertEqual(codes, {"acme/a": "E_TIMEOUT", "acme/b": "E_TIMEOUT"})
        # Far from the 30 s that the other may have by itself.
        durations = {line["plugin"]: line["duration_us"] for line in self.added if line["event"] == "call"}
        self.assertLess(durations["acme/b"], 20_000_000)

    def test_the_others_own_limit_holds_and_the_caller_goes_on(self):
        a, b = self.load("a", "call:acme/b#*"), self.load("b")
        text = (b / "plugin.yaml").read_text()
        (b / "plugin.yaml").write_text(text + "limits: { timeout: 200ms }\n")
        answer = self.ask(a, "acme/b#spin")
        self.assertTrue(answer["err"].startswith("E_TIMEOUT "), answer)


class attack_168(Case):
    def test_what_ends_in_the_middle_ran_once(self):
        a, b = self.load("a", "call:acme/b#*"), self.load("b", KV)
        answer = self.ask(a, "acme/b#boom")
        self.assertTrue(answer["err"].startswith("E_TRAP "), answer)
        self.assertEqual(self.go(b, "look", {"key": "count"}), {"ok": "1"})
        self.assertEqual(self.ask(a, "acme/b#echo", {"text": "still here"}), {"ok": '"still here"'})


class attack_169(Case):
    def test_no_grant_calls_whoever_there_is(self):
        a = self.load("a")
        for grant in ("call:*", "call:*#*", "call:acme/*#echo", "call:*/b#echo", "call:acme/*#*", "call:acme/b*#echo"):
            document = self.start(a, "who", {}, "--grant", grant)
            self.assertEqual(document["error"]["code"], "E_GRANT_TOO_WIDE", grant)
        for grant in ("kv:read:kept; pass=http", "call:acme/b#echo; pass=", "call:acme/b#echo; pass=everything",
                      "call:acme/b#echo; pass=log", "call:acme/b#echo; pass=http,,kv"):
            document = self.start(a, "who", {}, "--grant", grant)
            self.assertIn(document["error"]["code"], ("E_INVALID", "E_SYNTAX"), grant)


if __name__ == "__main__":
    unittest.main()
