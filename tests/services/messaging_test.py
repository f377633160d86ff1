#!/usr/bin/env python3
"""cordon:messaging by the command. CORDON_BIN and CORDON_GUESTS say where things are."""
import hashlib
import json
import shutil
import signal
import subprocess
import time
import unittest

from kv_case import BIN, GUESTS, AgentCase

SEND, RECEIVE = "msg:send:alerts", "msg:receive:alerts"
SHORT = ("--timeout", "800ms")  # what a call holds is held for as long


class MessagingCase(AgentCase):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.agent(), self.agent(name="acme/b")

    def send(self, body="x", channel="alerts", plugin=None, grants=(SEND,)):
        return self.call(plugin or self.a, "send", {"channel": channel, "body": body}, *grants)

    def receive(self, count=10, then="acknowledge", channel="alerts", plugin=None, grants=(RECEIVE,), flags=()):
        given = {"channel": channel, "max": count, "then": then}
        return self.call(plugin or self.b, "receive", given, *grants, flags=flags)

    def channel(self, *words, stdin=""):
        done = self.cordon("channel", *words, "--json", stdin=stdin)
        document = json.loads(done.stdout)
        return document if document["ok"] else document["error"]

    def until(self, what):
        """Waits until a hold is over: `what` gives something then."""
        for _ in range(200):
            if found := what():
                return found
            time.sleep(0.05)
        self.fail("it was not delivered again")


class Channels(MessagingCase):
    def test_what_one_plugin_sends_another_receives_once(self):
        ids = [self.send(body)["ok"] for body in ("one", "two")]
        self.assertEqual(self.decisions(), [("allow", f"grant:{SEND}", "alerts")])
        received = self.receive()["ok"]
        self.assertEqual([(m["id"], m["body"], m["sender"], m["attempt"]) for m in received],
                         [(ids[0], "one", "plugin:acme/a", 1), (ids[1], "two", "plugin:acme/a", 1)])
        self.assertEqual(self.receive(), {"ok": []})
        self.assertEqual(self.channel("list")["channels"], [])
        self.assertEqual((self.state / "messages.db").stat().st_mode & 0o777, 0o600)

    def test_sending_and_receiving_are_grants_of_their_own(self):
        self.assertEqual(self.send(grants=(RECEIVE,)), {"err": "access-denied"})
        self.assertEqual(self.receive(grants=(SEND,)), {"err": "access-denied"})
        self.assertEqual(self.send(grants=("ctx:user",)), {"err": "access-denied"})  # a stub

    def test_the_operator_sends_receives_and_looks(self):
        self.assertEqual(self.channel("list")["channels"], [])
        self.assertFalse(self.state.exists())
        sent = self.channel("send", "alerts", stdin="from outside\n")
        self.assertEqual(self.receive()["ok"], [{"id": sent["id"], "sender": "host", "attempt": 1,
                                                 "body": "from outside\n"}])
        ids = [self.send(body)["ok"] for body in ("one", "two", "three")]
        use = self.channel("list")["channels"]
        self.assertEqual(use, [{"channel": "alerts", "waiting": 3, "held": 0, "dead": 0, "bytes": 11}])
        taken = self.channel("receive", "alerts", "--count", "2")["messages"]
        self.assertEqual([(m["id"], m["body"], m["sender"]) for m in taken],
                         [(ids[0], "one", "acme/a"), (ids[1], "two", "acme/a")])
        self.assertEqual(self.cordon("channel", "receive", "alerts").stdout.decode(), f"{ids[2]}  acme/a  three\n")
        for words, code in ((["send", "../x"], "E_NAME"), (["receive", "alerts", "--count", "0"], "E_USAGE")):
            self.assertEqual(self.channel(*words)["code"], code)
        notes = [line.get("note") for line in self.audit() if line.get("target") == "channel:alerts"]
        self.assertEqual(notes, ["the operator sends a message", "the operator takes messages",
                                 "the operator takes messages"])

    def test_the_rate_of_a_sender_is_limited(self):
        self.config["messaging"] = {"rate": 5}
        sent, full, fast, error = self.call(self.a, "flood", {"channel": "alerts", "count": 500, "size": 1}, SEND)
        self.assertEqual((full, error), (0, None))
        self.assertGreaterEqual(sent, 5)
        self.assertGreater(fast, 0)
        self.assertEqual(sent + fast, 500)

    def test_explain_and_inspect_know_it(self):
        shown = self.cordon("explain", self.a, "--grant", SEND, "--json")
        self.assertIn(f"grant:{SEND}", shown.stdout.decode())
        self.assertEqual(json.loads(self.cordon("inspect", self.a, "--json").stdout)["ok"], True)


class attack_171(MessagingCase):
    def test_only_the_granted_channel(self):
        for channel in ("other", "*", "alerts*", "../alerts", "alerts/../alerts", "alerts\x00x", "Alerts", "",
                        "\x1b[31m", "alerts\n", "x" * 5000):
            self.assertEqual(self.send(channel=channel), {"err": "access-denied"}, channel)
            self.assertEqual([decision[0] for decision in self.decisions()], ["deny"], channel)
            self.assertEqual(self.receive(channel=channel), {"err": "access-denied"}, channel)
        self.assertNotIn("\x1b", (self.state / "audit.jsonl").read_text())
        for grant in ("msg:send:*", "msg:send:../x", "msg:send:", "msg:drop:alerts"):
            done = self.run_action(self.a, "send", {"channel": "alerts", "body": "x"}, grant)
            self.assertFalse(json.loads(done.stdout)["ok"], grant)


class attack_172(MessagingCase):
    def test_a_stopped_consumer_fills_the_queue_and_counts_add_up(self):
        self.config["messaging"] = {"messages": 30, "rate": 100000}
        sent, full, fast, error = self.call(self.a, "flood", {"channel": "alerts", "count": 500, "size": 10}, SEND)
        self.assertEqual((sent, full, fast, error), (30, 470, 0, None))
        self.assertEqual(self.channel("list")["channels"][0]["waiting"], 30)
        self.assertEqual(self.send(), {"err": "queue-full"})
        self.assertEqual(self.channel("send", "alerts", stdin="x")["code"], "E_LIMIT")
        self.assertEqual(len(self.receive(count=5)["ok"]), 5)
        self.assertEqual(self.call(self.a, "flood", {"channel": "alerts", "count": 9, "size": 10}, SEND)[:2], [5, 4])

    def test_bytes_are_bounded_too(self):
        self.config["messaging"] = {"bytes": "4KiB"}
        self.assertEqual(self.call(self.a, "flood", {"channel": "alerts", "count": 9, "size": 1000}, SEND)[:2], [4, 5])
        sent, _, _, error = self.call(self.a, "flood", {"channel": "alerts", "count": 1, "size": 262145}, SEND)
        self.assertEqual((sent, error[:8]), (0, "E_LIMIT:"))


class attack_173(MessagingCase):
    def test_what_was_acknowledged_is_delivered_after_a_kill_with_the_same_id(self):
        self.config["messaging"] = {"rate": 100000, "messages": 100000}
        known = self.send("kept")["ok"]
        words = [BIN, "run", self.a, "flood", "--grant", SEND, "--input",
                 json.dumps({"channel": "alerts", "count": 1000000, "size": 1})]
        running = subprocess.Popen(words, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(running.kill)
        waiting = lambda: self.channel("list")["channels"][0]["waiting"]  # noqa: E731
        self.until(lambda: waiting() > 5)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=60)
        before = waiting()
        received = self.receive(count=1)["ok"]
        self.assertEqual([(m["id"], m["body"], m["attempt"]) for m in received], [(known, "kept", 1)])
        self.assertEqual(waiting(), before - 1)

    def test_a_consumer_that_does_not_acknowledge_gets_it_again(self):
        known = self.send()["ok"]
        self.assertEqual(self.receive(then="leave", flags=SHORT)["ok"][0]["attempt"], 1)
        again = self.until(lambda: self.receive()["ok"])
        self.assertEqual([(m["id"], m["attempt"]) for m in again], [(known, 2)])


class attack_176(MessagingCase):
    def test_what_crashes_its_consumer_is_set_aside_and_the_queue_moves_on(self):
        self.config["messaging"] = {"attempts": 2}
        poison = self.send("poison")["ok"]
        good = self.send("good")["ok"]

        def crash():
            done = self.run_action(self.b, "receive", {"channel": "alerts", "max": 1, "then": "crash"}, RECEIVE,
                                   flags=SHORT)
            return json.loads(done.stdout).get("error", {}).get("code") == "E_TRAP"

        self.assertTrue(crash())
        self.assertEqual([m["id"] for m in self.receive()["ok"]], [good])  # the others go on meanwhile
        self.until(crash)
        self.until(lambda: self.channel("list")["channels"][0]["dead"] == 1)
        self.assertEqual(self.receive(), {"ok": []})
        dead = self.channel("receive", "alerts", "--dead", "--count", "9")["messages"]
        self.assertEqual([(m["id"], m["body"], m["attempt"]) for m in dead], [(poison, "poison", 2)])
        self.assertEqual(self.channel("list")["channels"], [])

    def test_no_message_says_who_sent_it_and_no_id_is_worth_anything(self):
        known = self.send('{"sender": "host", "id": "0"}')["ok"]
        acknowledge = {"channel": "alerts", "id": known}
        self.assertEqual(self.call(self.a, "acknowledge", acknowledge, RECEIVE), {"ok": False})
        received = self.receive()["ok"]
        self.assertEqual([(m["id"], m["sender"]) for m in received], [(known, "plugin:acme/a")])
        self.assertEqual(self.call(self.b, "acknowledge", acknowledge, RECEIVE), {"ok": False})
        # The same body again is another message.
        self.assertNotEqual(self.send('{"sender": "host", "id": "0"}')["ok"], known)


class Relays(MessagingCase):
    def provider(self, provides):
        folder = self.tmp / "provider"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(GUESTS / "provider.wasm", folder / "guest.wasm")
        digest = hashlib.sha256((folder / "guest.wasm").read_bytes()).hexdigest()
        (folder / "plugin.yaml").write_text(f"""manifest: 1
name: acme/telegraph
version: 1.0.0
runtime: {{ abi: component, artifact: guest.wasm, digest: "sha256:{digest}" }}
provides: {json.dumps(provides)}
""")
        return folder

    def test_a_plugin_is_a_channel(self):
        self.config["messaging"] = {"attempts": 2}
        provider = self.provider({"channels": ["alerts"]})
        for body in ("crash", "fine", "refuse", "fine too"):
            self.send(body)
        relayed = self.channel("relay", "alerts", provider)
        self.assertEqual((relayed["sent"], relayed["failed"], relayed["heard"]), (2, 2, 2))
        relayed = self.channel("relay", "alerts", provider)
        self.assertEqual((relayed["sent"], relayed["failed"]), (0, 2))
        self.assertEqual({m["body"] for m in self.channel("receive", "alerts", "--dead", "--count", "9")["messages"]},
                         {"crash", "refuse"})
        heard = self.channel("receive", "alerts.in", "--count", "9")["messages"]
        self.assertEqual([(m["body"], m["sender"]) for m in heard],
                         [("heard 0", "acme/telegraph"), ("heard 1", "acme/telegraph")] * 2)
        calls = [line for line in self.audit() if line["event"] == "call" and line["plugin"] == "acme/telegraph"]
        self.assertTrue(calls)
        self.assertEqual(calls[0]["callers"], ["acme/a"])

    def test_validate_looks_whether_it_exports_what_it_provides(self):
        for folder, ends in ((self.provider({"channels": ["alerts"], "memory": True}), 0),
                             (self.agent(name="acme/c", tail="provides: { channels: [alerts] }"), 7),
                             (self.agent(name="acme/d", tail="provides: { memory: true }"), 7)):
            done = self.cordon("plugin", "validate", folder, "--json")
            document = json.loads(done.stdout)
            self.assertEqual(document["ok"], ends == 0, document)
            if ends:
                self.assertEqual(document["error"]["code"], "E_NOT_FOUND")
                self.assertIn("provides", (folder / "plugin.yaml").read_text().splitlines()
                              [document["error"]["place"]["line"] - 1])

    def test_only_what_it_says_and_exports(self):
        for provides in ({}, {"channels": ["other"]}, {"memory": True}):
            self.assertEqual(self.channel("relay", "alerts", self.provider(provides))["code"], "E_INVALID", provides)
        other = self.agent(name="acme/c", tail="provides: { channels: [alerts] }")
        self.assertEqual(self.channel("relay", "alerts", other)["code"], "E_NOT_FOUND")


if __name__ == "__main__":
    unittest.main()
