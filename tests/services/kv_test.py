#!/usr/bin/env python3
"""wasi:keyvalue as a plugin meets it, by the command. CORDON_BIN and CORDON_GUESTS say where things are."""
import json
import signal
import subprocess
import time
import unittest

from kv_case import BIN, StoreCase

WRITE, READ = "kv:write:cache", "kv:read:cache"


def asks(*capabilities, need="required"):
    out = []
    for text in capabilities:
        _, access, bucket = text.split(":")
        out.append({"storage": {"bucket": bucket, "access": access}})
    return {need: out}


class Values(StoreCase):
    def setUp(self):
        super().setUp()
        self.a = self.plugin("storage", asks(WRITE))

    def kv(self, action, *grants, plugin=None, bucket="cache", **given):
        return self.call(plugin or self.a, action, {"bucket": bucket, **given}, *(grants or (WRITE,)))

    def test_what_one_run_sets_the_next_one_gets(self):
        self.assertEqual(self.kv("set", key="k", value="hello"), {"ok": None})
        self.assertEqual(self.decisions(), [("allow", "grant:kv:write:cache", "cache"),
                                            ("allow", "grant:kv:write:cache", "cache/k")])
        self.assertEqual(self.kv("get", key="k"), {"ok": "hello"})
        self.assertEqual(self.kv("exists", key="k"), {"ok": True})
        self.assertEqual(self.kv("delete", key="k"), {"ok": None})
        self.assertEqual(self.kv("get", key="k"), {"ok": None})
        self.assertEqual(self.kv("exists", key="k"), {"ok": False})
        self.assertEqual((self.state / "kv.db").stat().st_mode & 0o777, 0o600)

    def test_all_functions(self):
        self.assertEqual(self.kv("increment", key="n", delta=5), {"ok": 5})
        self.assertEqual(self.kv("increment", key="n", delta=-7), {"ok": -2})
        self.assertEqual(self.kv("swap", key="s", value="mine", between=None), {"ok": True})
        self.assertEqual(self.kv("swap", key="s", value="again", between="theirs"), {"ok": False})
        self.assertEqual(self.kv("get", key="s"), {"ok": "again"})
        self.assertEqual(self.kv("set-many", pairs=[["x", "1"], ["y", "2"]]), {"ok": None})
        self.assertEqual(self.kv("get-many", keys=["x", "none", "y"]), {"ok": [["x", "1"], ["none", None], ["y", "2"]]})
        self.assertEqual(self.kv("delete-many", keys=["x", "none"]), {"ok": None})
        self.assertEqual(self.kv("keys"), {"ok": [["n", "s", "y"], 1]})
        self.assertEqual(self.kv("hoard", count=100), {"ok": None})

    def test_keys_come_in_pages(self):
        self.config["limits"] = {"timeout": "60s"}
        for start in range(0, 1500, 750):
            pairs = [[f"k{n:04}", "v"] for n in range(start, start + 750)]
            self.assertEqual(self.kv("set-many", pairs=pairs), {"ok": None})
        keys, pages = self.kv("keys")["ok"]
        self.assertEqual((len(keys), pages, keys[0], keys[-1]), (1500, 2, "k0000", "k1499"))

    def test_reading_alone_writes_nothing(self):
        self.kv("set", key="k", value="v")
        self.assertEqual(self.kv("get", READ, key="k"), {"ok": "v"})
        for action, given in (("set", {"key": "k", "value": "x"}), ("delete", {"key": "k"}),
                              ("increment", {"key": "n", "delta": 1}), ("set-many", {"pairs": [["k", "x"]]}),
                              ("delete-many", {"keys": ["k"]}), ("swap", {"key": "k", "value": "x", "between": None})):
            self.assertEqual(self.kv(action, READ, **given), {"err": "access-denied"}, action)
            self.assertEqual([decision[0] for decision in self.decisions()].count("deny"), 1, self.decisions())
        self.assertEqual(self.kv("get", READ, key="k"), {"ok": "v"})

    def test_an_optional_bucket_that_is_not_granted_is_denied(self):
        plugin = self.plugin("storage", asks(WRITE, need="optional"), name="acme/optional")
        self.assertEqual(self.call(plugin, "get", {"bucket": "cache", "key": "k"}), {"err": "access-denied"})
        self.assertEqual([decision[0] for decision in self.decisions()], ["deny"])
        self.assertFalse((self.state / "kv.db").exists())


class attack_174(StoreCase):
    KEYS = ["../b/cache/secret", "..%2fsecret", "acme/b\u001fcache\u001fsecret", "acme/b\u0000cache\u0000secret",
            "secret' OR '1'='1", "'; DROP TABLE entry; --", "%", "*", "\n", "\u001b]52;c;evil\u0007", "\u202e",
            "k" * 256]

    def test_another_plugins_bucket_of_the_same_name_is_another_bucket(self):
        a, b = (self.plugin("storage", asks(WRITE), name=name) for name in ("acme/a", "acme/b"))
        self.call(b, "set", {"bucket": "cache", "key": "secret", "value": "theirs"}, WRITE)
        self.call(a, "set-many", {"bucket": "cache", "pairs": [[key, "mine"] for key in self.KEYS]}, WRITE)
        found = self.call(a, "get-many", {"bucket": "cache", "keys": [*self.KEYS, "secret"]}, WRITE)["ok"]
        self.assertEqual(found, [[key, "mine"] for key in self.KEYS] + [["secret", None]])
        self.assertEqual(len(self.call(a, "keys", {"bucket": "cache"}, WRITE)["ok"][0]), len(self.KEYS))
        self.assertEqual(self.call(b, "keys", {"bucket": "cache"}, WRITE)["ok"], [["secret"], 1])
        # Nothing that controls a terminal is in the audit.
        audit = (self.state / "audit.jsonl").read_text()
        self.assertNotIn("\x1b", audit)
        self.assertNotIn("\u202e", audit)

    def test_no_name_opens_what_was_not_granted(self):
        a = self.plugin("storage", asks(WRITE))
        for bucket in ("other", "../b/cache", "cache/../cache", "cache\u0000x", "acme/b/cache", "", "*", "Cache",
                       "x" * 5000):
            self.assertEqual(self.call(a, "get", {"bucket": bucket, "key": "k"}, WRITE), {"err": "access-denied"})
            self.assertEqual([decision[0] for decision in self.decisions()], ["deny"], bucket)


class attack_24(StoreCase):
    def test_a_full_bucket_keeps_what_it_has_and_others_still_write(self):
        tail = {"required": [{"storage": {"bucket": "cache", "access": "write", "quota": "10KiB"}},
                             {"storage": {"bucket": "other", "access": "write"}}]}
        a = self.plugin("storage", tail)
        grants = (WRITE, "kv:write:other; quota=4KiB")
        kept, error = self.call(a, "fill", {"bucket": "cache", "count": 100, "size": 1000}, *grants)
        self.assertEqual(kept, 10)
        self.assertTrue(error.startswith("E_LIMIT: "), error)
        self.assertIn(("deny", "kv:quota", "cache"), self.decisions())
        self.assertEqual(self.call(a, "fill", {"bucket": "other", "count": 100, "size": 1000}, *grants)[0], 4)
        self.assertEqual(len(self.call(a, "keys", {"bucket": "cache"}, *grants)["ok"][0]), 10)
        b = self.plugin("storage", asks(WRITE), name="acme/b")
        self.assertEqual(self.call(b, "fill", {"bucket": "cache", "count": 20, "size": 1000}, WRITE), [20, None])

    def test_the_operators_ceiling_holds(self):
        self.config["limits"] = {"storage": "5KiB", "keys": 3}
        a = self.plugin("storage", {"required": [{"storage": {"bucket": "cache", "access": "write", "quota": "1GiB"}}]})
        self.assertEqual(self.call(a, "fill", {"bucket": "cache", "count": 9, "size": 2000}, WRITE)[0], 2)
        self.assertEqual(self.call(a, "fill", {"bucket": "cache", "count": 9, "size": 1}, WRITE)[0], 3)

    def test_a_value_is_at_most_a_mebibyte(self):
        a = self.plugin("storage", asks(WRITE))
        self.assertEqual(self.call(a, "fill", {"bucket": "cache", "count": 1, "size": 1 << 20}, WRITE), [1, None])
        kept, error = self.call(a, "fill", {"bucket": "cache", "count": 1, "size": (1 << 20) + 1}, WRITE)
        self.assertEqual((kept, error[:8]), (0, "E_LIMIT:"))


class attack_175(StoreCase):
    def test_two_processes_count_and_one_is_killed(self):
        a = self.plugin("storage", asks(WRITE))
        env = self.environment()

        def start(times):
            words = [BIN, "run", a, "increment", "--grant", WRITE, "--json", "--input",
                     json.dumps({"bucket": "cache", "key": "n", "delta": 1})]
            return [subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    for _ in range(times)]

        acknowledged = 0
        for round in range(3):
            running = start(4)
            time.sleep(0.02 * round)
            running[0].send_signal(signal.SIGKILL)
            for process in running:
                out, _ = process.communicate(timeout=60)
                acknowledged += b'"ok":true' in out
        counter = int(self.call(a, "get", {"bucket": "cache", "key": "n"}, WRITE)["ok"] or 0)
        self.assertGreaterEqual(counter, acknowledged)
        self.assertLessEqual(counter, acknowledged + 3)
        self.assertGreaterEqual(acknowledged, 9)


class attack_33(StoreCase):
    def test_the_file_itself_is_out_of_reach(self):
        files = {"files": {"mount": "/state", "from": "workspace", "access": "write"}}
        a = self.plugin("storage", {"required": [*asks(WRITE)["required"], files]})
        done = self.cordon("run", a, "keys", "--input", '{"bucket": "cache"}', "--json", "--grant", WRITE,
                           "--grant", "fs:write:/state=workspace", "--root", f"workspace={self.state}")
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "E_GRANT_FORBIDDEN")


if __name__ == "__main__":
    unittest.main()
