#!/usr/bin/env python3
"""zeroclaw's host functions: one source, built for Extism and as a component, gives the same answers and leaves the
same records. CORDON_BIN and CORDON_GUESTS say where things are."""
import hashlib
import json
import re
import shutil
import unittest

from kv_case import ACTIONS
from zeroclaw_case import CONTEXT, GUESTS, MEMORY, NAMES, PERMISSIONS, WHO, ZeroclawCase

ACTIONS["tools"] = ("tools-guest/relay", "ask who echo boom")
DENIED = "E_DENIED: access denied"
EXEC = ("exec:echo hello", "exec:pwd", "exec:sleep 30", "exec:seq 1000000")
EVERYTHING = (*MEMORY, *CONTEXT, "call:acme/b#recall", "msg:send:alerts", "exec:echo hello")
# For each function a question that is well formed.
GOOD = {
    "zeroclaw_memory_store": {"key": "k", "value": "v"},
    "zeroclaw_memory_recall": {"query": "tea"},
    "zeroclaw_memory_forget": {"key": "k"},
    "zeroclaw_tool_call": {"tool_name": "acme/b#recall", "arguments": {}},
    "zeroclaw_send_message": {"channel": "alerts", "recipient": "bob", "message": "hi"},
    "zeroclaw_get_channels": {},
    "zeroclaw_cli_exec": {"command": "echo", "args": ["hello"]},
    "context_session": {},
    "context_user_identity": {},
    "context_agent_config": {},
}
SUCCEEDS = {"zeroclaw_memory_store", "zeroclaw_memory_forget", "zeroclaw_tool_call", "zeroclaw_send_message"}


def failure(function, error):
    told = {"error": error}
    if function in SUCCEEDS:
        told["success"] = False
    if function == "zeroclaw_tool_call":
        told["output"] = ""
    return told


class Functions(ZeroclawCase):
    def test_memory_keeps_finds_and_forgets(self):
        def play(plugin):
            told = []

            def go(tool, given, grants=MEMORY):
                told.append((self.tool(plugin, tool, given, *grants, context=WHO), self.asked()))
                return told[-1][0]
            self.assertEqual(go("remember", {"key": "ada", "value": "Ada likes green tea"}), "remembered")
            [entry] = json.loads(go("recall", {"query": "tea"}))
            self.assertEqual((entry["key"], entry["content"]), ("ada", "Ada likes green tea"))
            self.assertRegex(entry["timestamp"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertEqual(set(entry), {"id", "key", "content", "timestamp"})
            del told[-1]
            decided = [line[:4] for line in self.asked()]
            self.assertEqual(go("forget", {"key": entry["id"]}), "forgotten")
            told.pop()
            self.assertEqual([line[:3] for line in self.asked()], [("allow", "grant:" + MEMORY[2], MEMORY[2])])
            self.assertEqual(go("forget", {"key": "ada"}), "E_NOT_FOUND: nothing is kept under this key")
            self.assertEqual(json.loads(go("recall", {"query": "tea"})), [])
            self.assertIn("E_LIMIT", go("remember", {"key": "k", "value": "x" * 65537}))
            self.assertIn("E_LIMIT", go("recall", {"query": "x" * 4097}))
            self.assertIn("E_INVALID", go("remember", {"key": "a\x1bb", "value": "v"}))
            self.assertIn("E_INVALID", go("remember", {"key": "k", "value": ""}))
            return told, decided
        self.both(play)

    def test_memory_is_of_the_agent_that_the_host_names(self):
        def play(plugin):
            without = self.tool(plugin, "remember", {"key": "k", "value": "v"}, *MEMORY)
            self.assertEqual(without, "E_NOT_FOUND: the host named no session or agent for this call")
            self.tool(plugin, "remember", {"key": "k", "value": "v"}, *MEMORY, context=WHO)
            other = self.tool(plugin, "recall", {"query": "v"}, *MEMORY, context={"agent": "other"})
            return without, other
        self.assertEqual(self.both(play)[1], "[]")

    def test_another_plugins_tool(self):
        asks = [{"call": "acme/d#x"}, {"storage": {"bucket": "kept", "access": "write"}}]
        other = self.plugin("tools", {"optional": asks}, "acme/c")

        def play(plugin):
            # Of the same build for both, so that it answers the same.
            callee = self.guest("extism", "acme/b")
            self.cordon("plugin", "grant", callee, "--yes", "msg:send:alerts")

            def go(name, arguments, grant="call:acme/b#*"):
                given = {"tool_name": name, "arguments": arguments}
                flags = ("--with", callee, "--with", other)
                return self.tool(plugin, "delegate", given, grant, flags=flags), self.asked()
            return [go("acme/b#channels", {}), go("acme/b#whoami", {}),
                    go("acme/b#remember", {"key": "k", "value": "v"}), go("acme/b#none", {}),
                    go("acme/b#whoami", {}, "call:acme/b#channels"),
                    go("acme/c#echo", {"text": "hello"}, "call:acme/c#*"), go("acme/c#who", {}, "call:acme/c#*"),
                    go("acme/c#boom", {}, "call:acme/c#*")]
        told = self.both(play)
        # A result of zeroclaw's, whether it succeeded or not; a text; any other JSON.
        self.assertEqual(told[0][0], '["alerts"]')
        self.assertEqual(json.loads(told[1][0]), {part: DENIED for part in ("session", "user", "agent")})
        self.assertEqual(told[2][0], DENIED)
        self.assertTrue(told[3][0].startswith("E_NOT_FOUND: "), told[3][0])
        self.assertEqual(told[4][0], "E_DENIED: no-grant")
        self.assertEqual([line[:3] for line in told[4][1]], [("deny", "no-grant", "call:acme/b#whoami")])
        self.assertEqual([text for text, _ in told[5:7]], ["hello", '["acme/a"]'])
        self.assertTrue(told[7][0].startswith("E_TRAP: "), told[7][0])

    def test_messages_travel_with_their_recipient(self):
        def play(plugin):
            given = {"channel": "alerts", "recipient": "bob", "message": "the disk is full"}
            grants = ("msg:send:alerts", "msg:send:news")
            told = [(self.tool(plugin, "announce", given, "msg:send:alerts"), self.asked())]
            told.append((self.tool(plugin, "announce", {**given, "channel": "news"}, "msg:send:alerts"), self.asked()))
            told.append((self.tool(plugin, "announce", {**given, "message": "x" * 262144}, *grants), self.asked()))
            told.append((self.tool(plugin, "channels", {}, *grants), self.asked()))
            told.append((self.tool(plugin, "channels", {}, "msg:send:news"), self.asked()))
            waiting = json.loads(self.cordon("channel", "receive", "alerts", "--count", "9", "--json").stdout)
            [message] = waiting["messages"]
            return told, message["sender"], json.loads(message["body"])
        told, sender, body = self.both(play)
        self.assertEqual((sender, body), ("acme/a", {"recipient": "bob", "message": "the disk is full"}))
        self.assertEqual([text for text, _ in told][:2], ["sent", DENIED])
        self.assertTrue(told[2][0].startswith("E_LIMIT: "), told[2][0])
        self.assertEqual([json.loads(text) for text, _ in told[3:]], [["alerts", "news"], ["news"]])

    def test_a_rate_of_the_operator_holds(self):
        def play(plugin):
            given = ["zeroclaw_send_message", json.dumps(GOOD["zeroclaw_send_message"])]
            return self.ask(plugin, [given] * 4, "msg:send:alerts; uses=2"), [line[:3] for line in self.asked()]
        told, decided = self.both(play)
        self.assertEqual([one["success"] for one in told], [True, True, False, False])
        self.assertEqual([rule for _, rule, _ in decided][2:], ["limit:uses"] * 2)

    def test_programs(self):
        (self.tmp / "work").mkdir()

        def play(plugin):
            files = ("--grant", "fs:read:/data=workspace", "--root", f"workspace={self.tmp / 'work'}")

            def go(given, flags=files, **options):
                text = self.tool(plugin, "shell", given, *EXEC, flags=flags, **options)
                return json.loads(text) if text.startswith("{") else text, self.asked()
            return [go({"command": "echo", "args": ["hello"]}), go({"command": "pwd", "working_dir": "/data"}),
                    go({"command": "echo", "args": ["other"]}), go({"command": "id"}),
                    go({"command": "seq", "args": ["1000000"]}),
                    go({"command": "sleep", "args": ["30"]}, (*files, "--timeout", "3s"))]
        [hello, placed, other, unknown, cut, slow] = self.both(play)
        self.assertEqual(hello[0], {"stdout": "hello\n", "stderr": "", "exit_code": 0, "truncated": False,
                                    "timed_out": False})
        self.assertEqual(placed[0]["stdout"], f"{self.tmp / 'work'}\n")
        for refused in (other, unknown):
            self.assertEqual(refused[0], "E_DENIED: not-requested")
        self.assertEqual((cut[0]["truncated"], len(cut[0]["stdout"])), (True, 1 << 20))
        self.assertEqual((slow[0]["timed_out"], slow[0]["exit_code"]), (True, -1))

    def test_whom_it_is_called_for(self):
        def play(plugin):
            told = json.loads(self.tool(plugin, "whoami", {}, *CONTEXT, context=WHO))
            stamp = told["session"].pop("timestamp")
            decided = self.asked()
            plain = json.loads(self.tool(plugin, "whoami", {}, *CONTEXT, context={"session": "s-1"}))
            plain["session"].pop("timestamp")
            self.assertRegex(stamp, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            return told, decided, plain
        told, decided, plain = self.both(play)
        self.assertEqual(told, {
            "session": {"channel_name": "tg", "conversation_id": "42"},
            "user": {"username": "alice", "display_name": "alice", "channel_user_id": "alice"},
            "agent": {"name": "helper", "personality_traits": [], "identity": {}}})
        self.assertEqual([line[:4] for line in decided],
                         [("allow", f"grant:ctx:{part}", f"ctx:{part}", part) for part in ("session", "user", "agent")])
        self.assertEqual(plain, {"session": {"channel_name": "", "conversation_id": "s-1"},
                                 "user": "E_NOT_FOUND: the host named no user for this call",
                                 "agent": "E_NOT_FOUND: the host named no agent for this call"})


class Denied(ZeroclawCase):
    def test_each_function_without_its_grant(self):
        def play(plugin):
            told = self.ask(plugin, [[name, json.dumps(given)] for name, given in GOOD.items()], context=WHO)
            return told, self.asked()
        told, decided = self.both(play)
        self.assertEqual(told, [failure(function, DENIED) for function in GOOD])
        self.assertEqual([(record[0], record[1], record[3]) for record in decided],
                         [("deny", "no-grant", NAMES[function]) for function in GOOD])

    def test_bad_questions_are_told_apart(self):
        deep = '{"key": ' + "[" * (1 << 19)
        questions = [(function, text) for function in GOOD for text in ("{", "[]", '"x"', '{"other": 1}', deep)]
        questions += [
            ("zeroclaw_memory_store", '{"key": "k"}'), ("zeroclaw_memory_store", '{"key": 1, "value": "v"}'),
            ("zeroclaw_memory_store", '{"key": "k", "value": "v", "more": 1}'), ("zeroclaw_memory_recall", ""),
            ("zeroclaw_tool_call", '{"tool_name": "acme/b#recall"}'),
            ("zeroclaw_tool_call", '{"tool_name": "acme/b#recall", "arguments": []}'),
            ("zeroclaw_send_message", '{"channel": "alerts", "message": "m"}'),
            ("zeroclaw_cli_exec", '{"command": "echo", "args": [1]}'), ("zeroclaw_cli_exec", '{"args": []}'),
            ("zeroclaw_cli_exec", '{"command": "echo", "timeout_ms": 1}'), ("context_session", '{"x": 1}'),
        ]

        def play(plugin):
            told = self.ask(plugin, questions, *EVERYTHING, context=WHO)
            self.assertEqual(self.asked(), [])  # nothing was asked
            return told
        told = self.both(play)
        for (function, text), answer in zip(questions, told, strict=True):
            self.assertEqual(answer, failure(function, answer["error"]), function)
            code = answer["error"].split(":")[0]
            wanted = {"{": "E_SYNTAX", "[]": "E_TYPE", '"x"': "E_TYPE", deep: "E_LIMIT"}.get(text)
            self.assertEqual(code, wanted or code, (function, text[:20]))
            self.assertIn(code, ("E_SYNTAX", "E_TYPE", "E_LIMIT", "E_MISSING", "E_UNKNOWN_KEY"))
        self.assertEqual([answer["error"] for answer in told[-11:]],
                         ["E_MISSING: 'value' is missing", "E_TYPE: 'key' is not a text",
                          "E_UNKNOWN_KEY: there is a field that is not known", "E_MISSING: 'query' is missing",
                          "E_MISSING: 'arguments' is missing", "E_TYPE: 'arguments' is not an object",
                          "E_MISSING: 'recipient' is missing", "E_TYPE: 'args' is not a list of texts",
                          "E_MISSING: 'command' is missing", "E_UNKNOWN_KEY: there is a field that is not known",
                          "E_UNKNOWN_KEY: there is a field that is not known"])

    def test_what_is_not_granted_is_not_there(self):
        required = {"required": [{"context": ["user"]}],
                    "optional": [{"memory": {"access": "store", "scope": "agent"}}]}
        plugin = self.guest("extism", permissions=required)
        error = self.start(plugin, "whoami", {})["error"]
        causes = {cause["details"]["import"]: cause["details"] for cause in error["causes"]
                  if "import" in cause["details"]}
        self.assertEqual({name.partition(".")[2] for name in causes}, set(NAMES) - {"zeroclaw_memory_store"})
        wanted = {"zeroclaw_memory_recall": "memory:recall:agent", "zeroclaw_tool_call": "call:NAMESPACE/NAME#ACTION",
                  "zeroclaw_get_channels": "msg:send:CHANNEL", "zeroclaw_cli_exec": "exec:PROGRAM",
                  "context_user_identity": "ctx:user"}
        for name, grant in wanted.items():
            details = causes[f"extism:host/user.{name}"]
            self.assertEqual((details["type"], details["grant"]), ("(i64) -> i64", grant))
            self.assertIn(f"--grant '{grant}'", details["command"])

    def test_a_channel_to_receive_from_is_none_to_send_to(self):
        self.turn_to("component")
        receive = {"messaging": {"channel": "alerts", "access": "receive"}}
        plugin = self.guest("component", permissions={"optional": [*PERMISSIONS, receive]})
        self.assertEqual(self.tool(plugin, "channels", {}, "msg:receive:alerts"), "[]")
        self.assertEqual(self.tool(plugin, "channels", {}, "msg:receive:alerts", "msg:send:news"), '["news"]')

    def test_link_strict_has_no_stubs(self):
        plugin = self.guest("extism", tail="link: strict")
        error = self.start(plugin, "whoami", {})["error"]
        self.assertEqual((error["code"], len(error["causes"])), ("E_LINK", 10))
        self.assertIn("`link: strict` forbids a stub", error["causes"][0]["message"])

    def test_each_function_has_a_grant_of_its_own(self):
        plugin = self.guest("extism")
        told = self.ask(plugin, [[name, json.dumps(GOOD[name])] for name in NAMES if "memory" in name],
                        "memory:recall:plugin")
        self.assertEqual(told, [failure("zeroclaw_memory_store", DENIED), {"results": "[]"},
                                failure("zeroclaw_memory_forget", DENIED)])

    def test_paranoid_has_neither_context_nor_programs(self):
        policy = self.tmp / "policy.yaml"
        policy.write_text(json.dumps({"policy": 1, "name": "all", "plugins": ["acme/*"], "ceiling": {
            "allow": [*MEMORY, *CONTEXT, "exec:echo hello", "msg:send:alerts"]}}))
        plugin = self.guest("extism")
        grants = [word for grant in EVERYTHING for word in ("--grant", grant)]
        shown = json.loads(self.cordon("explain", plugin, "--level", "paranoid", *grants, "--json").stdout)
        rules = {one["import"].partition(".")[2]: (one["state"], one["rule"]) for one in shown["imports"]}
        for name in ("zeroclaw_cli_exec", "context_session", "context_user_identity", "context_agent_config"):
            self.assertEqual(rules[name], ("not-linked", "ceiling:level-paranoid"), name)

    def test_inspect_and_explain_say_what_they_do(self):
        plugin = self.guest("extism")
        shown = json.loads(self.cordon("explain", plugin, "--grant", "ctx:user", "--json").stdout)
        told = {one["import"]: one for one in shown["imports"]}
        user = told["extism:host/user.context_user_identity"]
        self.assertEqual((user["state"], user["capability"], user["meaning"]),
                         ("linked", "context", "tells for which user it is called"))
        self.assertEqual(told["extism:host/user.zeroclaw_cli_exec"]["meaning"], "runs a program of the host")
        for verb in ("explain", "inspect"):
            text = self.cordon(verb, plugin).stdout.decode()
            self.assertIn("finds what was kept, by words", text)
            self.assertIn("extism:host/user.zeroclaw_memory_recall", text)


class Keys(ZeroclawCase):
    """What a component has no word for: keys, and bare names."""

    def go(self, tool, given, *grants):
        return self.tool(self.guest("extism"), tool, given, *grants, context=WHO)

    def test_a_key_has_one_text_where_the_plugin_may_forget(self):
        for value in ("first", "second"):
            self.go("remember", {"key": "note", "value": f"the {value}"}, *MEMORY)
        self.assertEqual([line[:4] for line in self.asked()], [
            ("allow", "grant:memory:store:agent", "memory:store:agent", "agent"),
            ("allow", "grant:memory:forget:agent", "memory:forget:agent", "agent/note")])
        self.assertEqual([one["content"] for one in json.loads(self.go("recall", {"query": "note"}, *MEMORY))],
                         ["the second"])
        self.go("remember", {"key": "note", "value": "the third"}, MEMORY[0])
        self.assertEqual([one["content"] for one in json.loads(self.go("recall", {"query": "the"}, *MEMORY))],
                         ["the third", "the second"])
        self.assertEqual(self.go("forget", {"key": "note"}, MEMORY[2]), "forgotten")
        self.assertEqual([line[:4] for line in self.asked()],
                         [("allow", "grant:memory:forget:agent", "memory:forget:agent", "agent/note")])
        self.assertEqual(self.go("recall", {"query": "the"}, *MEMORY), "[]")

    def test_a_key_without_words_and_keys_that_are_alike(self):
        for key in ("***", "**", "a b", "b a"):
            self.go("remember", {"key": key, "value": f"value of {key}"}, *MEMORY)
        for key in ("**", "b a"):
            self.assertEqual(self.go("forget", {"key": key}, *MEMORY), "forgotten")
        kept = {one["key"] for one in json.loads(self.go("recall", {"query": "value"}, *MEMORY))}
        self.assertEqual(kept, {"***", "a b"})

    def test_a_memory_has_the_scope_that_was_granted(self):
        plugin = ("memory:store:plugin", "memory:recall:plugin")
        self.go("remember", {"key": "k", "value": "of all"}, *plugin)
        self.assertEqual([line[2:4] for line in self.asked()], [("memory:store:plugin", "plugin")])
        session = ("memory:store:session", "memory:recall:session")
        self.assertEqual(self.go("recall", {"query": "all"}, *plugin, *session), "[]")
        self.assertIn("of all", self.go("recall", {"query": "all"}, *plugin))

    def test_a_bare_name_is_the_one_tool_that_was_granted(self):
        plugin, other, third = self.guest("extism"), self.guest("extism", "acme/b"), self.guest("extism", "acme/c")
        given = {"tool_name": "channels", "arguments": {}}

        def go(*grants):
            self.tool(plugin, "delegate", given, *grants, flags=("--with", other, "--with", third))
            return [line[:4] for line in self.asked() if "call" in line[2]]
        for grants, target in ((("call:acme/b#channels",), "b"), (("call:acme/c#*",), "c"),
                               (("call:acme/b#channels", "call:acme/c#*"), "b")):
            self.assertEqual([line[3] for line in go(*grants)], [f"acme/{target}#channels"])
        for grants in (("call:acme/b#channels", "call:acme/c#channels"), ("call:acme/b#*", "call:acme/c#*"),
                       ("call:acme/b#recall",)):
            self.assertEqual(go(*grants), [("deny", "call:target", "call", "channels")])

    def test_a_bare_name_may_have_the_spelling_of_its_own_home(self):
        more = [*PERMISSIONS, {"call": ["acme/b#look-up", "acme/c#look_up"]}]
        plugin = self.guest("extism", permissions={"optional": more})
        for grants, target in ((("call:acme/b#look-up",), "acme/b#look-up"),
                               (("call:acme/b#look-up", "call:acme/c#look_up"), "acme/c#look_up")):
            told = self.tool(plugin, "delegate", {"tool_name": "look_up", "arguments": {}}, *grants)
            self.assertIn("is not loaded", told)
            self.assertEqual([line[:4] for line in self.asked()],
                             [("allow", f"grant:call:{target}", f"call:{target}", target)])

    def test_a_question_has_at_most_one_mebibyte(self):
        long = json.dumps({"key": "k", "value": "x" * (1 << 20)})
        [told] = self.ask(self.guest("extism"), [("zeroclaw_memory_store", long)], *MEMORY, context=WHO)
        self.assertEqual(told, failure("zeroclaw_memory_store", "E_LIMIT: the input is too large or too deep"))
        self.assertEqual(self.asked(), [])


class Channels(ZeroclawCase):
    def relay(self, plugin, *words):
        before = len(self.audit())
        done = self.cordon("channel", "relay", "alerts", plugin, "--grant", "msg:send:news", *words, "--json")
        self.trail += [self.plain(line) for line in self.audit()[before:]]
        return json.loads(done.stdout)

    def test_a_plugin_of_zeroclaw_is_a_channel(self):
        self.config["messaging"] = {"attempts": 2}

        def play(_):
            channel = self.guest(self.build, "acme/chat", tail="provides: { channels: [alerts] }")
            self.assertTrue(json.loads(self.cordon("plugin", "validate", channel, "--json").stdout)["ok"])
            for text in ("hi", "refuse", "crash"):
                self.cordon("channel", "send", "alerts", stdin=json.dumps({"recipient": "bob", "message": text}))
            told = [{key: relayed[key] for key in ("sent", "failed", "heard")}
                    for relayed in (self.relay(channel), self.relay(channel))]
            dead = json.loads(self.cordon("channel", "receive", "alerts", "--dead", "--count", "9", "--json").stdout)
            news = json.loads(self.cordon("channel", "receive", "news", "--count", "9", "--json").stdout)["messages"]
            heard = json.loads(self.cordon("channel", "receive", "alerts.in", "--count", "9", "--json").stdout)
            return (told, [json.loads(one["body"])["message"] for one in dead["messages"]],
                    [(one["sender"], json.loads(one["body"])) for one in news],
                    [(one["sender"], one["body"]) for one in heard["messages"]])
        told, dead, news, heard = self.both(play)
        self.assertEqual(told, [{"sent": 1, "failed": 2, "heard": 2}, {"sent": 0, "failed": 2, "heard": 2}])
        self.assertEqual(sorted(dead), ["crash", "refuse"])
        self.assertEqual(news, [("acme/chat", {"recipient": "bob", "message": "hi"})])
        self.assertEqual(heard, [("acme/chat", '{"content":"hello","sender":"bob"}'), ("acme/chat", "a text")] * 2)

    def test_a_body_that_names_nobody_is_a_message_to_nobody(self):
        channel = self.guest("extism", "acme/chat", tail="provides: { channels: [alerts] }")
        self.cordon("channel", "send", "alerts", stdin="just text")
        self.assertEqual(self.relay(channel)["sent"], 1)
        [message] = json.loads(self.cordon("channel", "receive", "news", "--json").stdout)["messages"]
        self.assertEqual(json.loads(message["body"]), {"recipient": "", "message": "just text"})

    def test_only_what_it_says_and_exports(self):
        self.assertEqual(self.relay(self.guest("extism"))["error"]["code"], "E_INVALID")
        other = self.guest("extism", "acme/other", tail="provides: { channels: [alerts] }")
        (other / "guest.wasm").write_bytes((GUESTS / "extism_shop.wasm").read_bytes())
        text = (other / "plugin.yaml").read_text()
        digest = hashlib.sha256((other / "guest.wasm").read_bytes()).hexdigest()
        text = re.sub("sha256:[0-9a-f]{64}", f"sha256:{digest}", text)
        (other / "plugin.yaml").write_text(re.sub("actions: .*", "actions: { announce: {} }", text))
        done = json.loads(self.cordon("plugin", "validate", other, "--json").stdout)
        self.assertEqual(done["error"]["code"], "E_NOT_FOUND")
        self.assertEqual(self.relay(other, "--grant", "host:prices")["error"]["code"], "E_LINK")


class Imported(ZeroclawCase):
    """What `plugin import` writes of zeroclaw's manifests loads, and runs with the grants that it asks for."""

    def imported(self, manifest):
        folder = self.tmp / "from"
        folder.mkdir()
        shutil.copyfile(GUESTS / "zeroclaw_extism.wasm", folder / "plugin.wasm")
        (folder / "manifest.toml").write_text(manifest)
        done = self.cordon("plugin", "import", folder / "manifest.toml", "--output", self.tmp / "made", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(json.loads(self.cordon("plugin", "validate", self.tmp / "made", "--json").stdout)["ok"])
        return self.tmp / "made", {one["from"]: one["fate"] for one in json.loads(done.stdout)["findings"]}

    def test_several_tools_each_with_its_risk(self):
        plugin, fates = self.imported("""name = "notes"
version = "1.2.0"
wasm_path = "plugin.wasm"
[[tools]]
name = "keep_note"
description = "Keeps a note"
export = "remember"
risk_level = "low"
parameters_schema = { type = "object", required = ["key", "value"] }
[[tools]]
name = "shell"
risk_level = "high"
[[tools]]
name = "channels"
[[tools]]
name = "whoami"
risk_level = "medium"
[host_capabilities.memory]
read = true
write = true
[host_capabilities.tool_delegation]
allowed_tools = ["acme/b#recall"]
[host_capabilities.messaging]
allowed_channels = ["alerts"]
[host_capabilities.context]
session = true
user_identity = true
agent_config = true
[host_capabilities.cli]
allowed_commands = ["echo"]
allowed_args = ["hello", "bye"]
allowed_env = ["LANG"]
""")
        self.assertEqual(fates["host_capabilities.cli.allowed_env"], "lost")
        shown = json.loads(self.cordon("inspect", plugin, "--json").stdout)
        self.assertEqual({one["name"]: one["risk"] for one in shown["actions"]},
                         {"keep-note": "low", "shell": "high", "channels": "low", "whoami": "medium"})
        self.assertEqual(shown["provides"]["tools"], ["keep-note", "shell", "channels", "whoami"])
        self.assertIn("channels: [notes]", (plugin / "plugin.yaml").read_text().replace("\n    - \"", " [")
                      .replace("\"\n", "]\n"))
        # As it stands it may do nothing, and loads.
        self.assertEqual(self.tool(plugin, "channels", {}), DENIED)
        given = {"key": "ada", "value": "likes tea"}
        self.assertEqual(self.tool(plugin, "keep-note", given, MEMORY[0], context=WHO), "remembered")
        self.assertEqual(self.start(plugin, "keep-note", {"key": "ada"}, MEMORY[0])["error"]["code"], "E_INPUT_SCHEMA")
        ran = self.tool(plugin, "shell", {"command": "echo", "args": ["hello"]}, "exec:echo hello")
        self.assertEqual(json.loads(ran)["stdout"], "hello\n")
        self.assertEqual(self.tool(plugin, "channels", {}, "msg:send:alerts"), '["alerts"]')
        told = json.loads(self.tool(plugin, "whoami", {}, "ctx:user", context=WHO))
        self.assertEqual((told["user"]["username"], told["agent"]), ("alice", DENIED))

    def test_the_later_form_of_a_channel(self):
        plugin, _ = self.imported("""name = "chat"
version = "0.1.0"
wasm_path = "plugin.wasm"
capabilities = ["channel"]
permissions = []
""")
        self.cordon("channel", "send", "chat", stdin='{"recipient": "bob", "message": "hi"}')
        # It imports what its manifest does not ask for: nothing is there for it.
        done = json.loads(self.cordon("channel", "relay", "chat", plugin, "--json").stdout)
        self.assertEqual(done["error"]["code"], "E_LINK")


class attack_5(ZeroclawCase):
    def test_offsets_that_are_none(self):
        plugin = self.guest("extism")
        for function in GOOD:
            more = (1, 65536 * 40, (1 << 63) + 7) if function == "zeroclaw_memory_store" else ()
            for at in ((1 << 64) - 1, "freed", *more):
                error = self.start(plugin, "wild", {"function": function, "at": at}, *EVERYTHING)["error"]
                self.assertEqual(error["code"], "E_BAD_POINTER", (function, at))
            self.assertEqual(self.asked(), [])

    def test_no_offset_is_no_question(self):
        told = self.start(self.guest("extism"), "wild", {"function": "zeroclaw_get_channels", "at": 0}, *EVERYTHING)
        self.assertGreater(told["output"], 0)


class attack_163(ZeroclawCase):
    def test_tools_that_were_not_granted(self):
        for name in ("*", "acme/b#*", "*#recall", "acme/c#recall", "acme/b#forget", "acme/b", " ", "../b#recall",
                     "acme/b#recall#x", "acme/b#re\u0000call"):
            def play(plugin):
                given = {"tool_name": name, "arguments": {}}
                told = self.tool(plugin, "delegate", given, "call:acme/b#recall",
                                 flags=("--with", self.guest("extism", "acme/b"),
                                        "--with", self.guest("extism", "acme/c")))
                return told, self.asked(), [line["plugin"] for line in self.added if line["event"] == "call"]
            told, decided, called = self.both(play)
            self.assertTrue(told.startswith("E_DENIED: "), (name, told))
            self.assertEqual([line[0] for line in decided], ["deny"], name)
            self.assertEqual(called, ["acme/a"], name)


class attack_171(ZeroclawCase):
    def test_channels_that_are_none(self):
        for channel in ("al\x1b[31merts", "alerts\n", "*", "", "alerts.in", "../alerts", "\u202ealerts"):
            def play(plugin):
                given = {"channel": channel, "recipient": "bob", "message": "hi"}
                return self.tool(plugin, "announce", given, "msg:send:alerts"), self.asked()
            told, decided = self.both(play)
            self.assertEqual((told, [line[0] for line in decided]), (DENIED, ["deny"]), channel)
            self.assertNotRegex(json.dumps(decided, ensure_ascii=False), "[\x00-\x1f\u202e]")

    def test_what_is_in_a_message_is_data(self):
        plugin = self.guest("extism")
        given = {"channel": "alerts", "recipient": '","sender":"host', "message": "\x1b[31m"}
        self.assertEqual(self.tool(plugin, "announce", given, "msg:send:alerts"), "sent")
        done = self.cordon("channel", "receive", "alerts", "--json")
        self.assertNotIn(b"\x1b", done.stdout)
        [message] = json.loads(done.stdout)["messages"]
        self.assertEqual(message["sender"], "acme/a")
        self.assertEqual(set(json.loads(message["body"])), {"recipient", "message"})


class attack_107(ZeroclawCase):
    def test_folders_and_variables_of_programs(self):
        (self.tmp / "work").mkdir()
        flags = ("--grant", "fs:read:/data=workspace", "--root", f"workspace={self.tmp / 'work'}")
        for more, rule in (({"working_dir": "../"}, "exec:path"), ({"working_dir": "/data/../.."}, "exec:path"),
                           ({"working_dir": "/"}, "exec:path"), ({"working_dir": "/etc"}, "exec:path"),
                           ({"env": {"LD_PRELOAD": "/data/x.so"}}, "exec:env"), ({"env": {"A": ""}}, "exec:env")):
            def play(plugin):
                given = {"command": "echo", "args": ["hello"], **more}
                return self.tool(plugin, "shell", given, "exec:echo hello", flags=flags), self.asked()
            self.turn_to("extism")
            told, decided = play(self.guest("extism"))
            self.assertEqual(told, f"E_DENIED: {rule}")
            self.assertEqual([line[:2] for line in decided], [("deny", rule)])
            if "env" not in more:  # no interface of Cordon's has a word for it, so nothing is asked
                self.assertEqual(self.both(play), (told, decided))
        plain = {"command": "echo", "args": ["hello"], "env": {}}
        self.assertIn("hello", self.tool(self.guest("extism"), "shell", plain, "exec:echo hello"))


if __name__ == "__main__":
    unittest.main()
