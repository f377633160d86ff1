#!/usr/bin/env python3
"""What a call asked for: kept, derived from, and answered again without the world."""
import json
import os
import shutil
import unittest

from cordon import ADD, GUESTS, CordonTest, module

RAW = "cordon:files/raw@0.1.0#"
KV = "cordon:storage-guest/kv@0.1.0#"


class Tests(CordonTest):
    def setUp(self):
        super().setUp()
        self.data = self.tmp / "data"
        self.data.mkdir()
        self.fixture = self.tmp / "a.fixture"

    def canary(self, *words, probe="read-mount", **options):
        plugin = GUESTS / "plugins" / "canary"
        return self.cordon(*words[:1], plugin, "probe", "--input", json.dumps({"name": probe}), *words[1:], **options)

    def record(self, guest, action, given, *flags, **options):
        done = self.cordon("record", guest, action, "--input", json.dumps(given), "--fixture", self.fixture, "--json",
                           *flags, **options)  # fmt: skip
        self.assertEqual(0, done.code, done.err + done.out)
        return done.json

    def exchanges(self):
        return [json.loads(line) for line in self.fixture.read_text().splitlines()][1:-1]

    def replay(self, *flags):
        return self.cordon("replay", self.fixture, *flags)

    def test_files_are_replayed_without_the_folder(self):
        (self.data / "graph.json").write_text(json.dumps({"nodes": []}))
        plugin = GUESTS / "plugins" / "graph-analyst"
        first = self.cordon("run", plugin, "analyze-file", "--input", '{"path": "/data/graph.json"}',
                            "--mount", f"{self.data}:/data:rw")  # fmt: skip
        recorded = self.record(plugin, "analyze-file", {"path": "/data/graph.json"}, "--mount", f"{self.data}:/data:rw")
        self.assertGreater(recorded["host_calls"], 5)
        # Writing was granted, and not needed.
        self.assertEqual(["fs:read:/data=workspace"], recorded["grants"])
        self.assertEqual(0o600, self.fixture.stat().st_mode & 0o777)
        shutil.rmtree(self.data)
        done = self.replay()
        self.assertEqual((0, first.out), (done.code, done.out), done.err)
        self.assertIn("all as they were recorded", done.err)
        # No other way than the fixture was there: the load says so.
        self.assertEqual("replay", [one for one in self.audit() if one["event"] == "load"][-1]["rule"])

    def test_the_policy_is_enough_and_nothing_less_is(self):
        (self.data / "graph.json").write_text(json.dumps({"nodes": []}))
        plugin, policy = GUESTS / "plugins" / "graph-analyst", self.tmp / "grants.yaml"
        call = ["analyze-file", "--input", '{"path": "/data/graph.json"}']
        self.record(plugin, "analyze-file", {"path": "/data/graph.json"}, "--mount", f"{self.data}:/data",
                    "--write-grants", policy)  # fmt: skip
        done = self.cordon("run", plugin, *call, "--grants", policy)
        self.assertEqual(0, done.code, done.err)
        self.assertEqual(done.out, self.replay().out)
        self.assertNotEqual(done.out, self.cordon("run", plugin, *call).out)

    def test_values_are_replayed_without_the_store(self):
        given = {"bucket": "b", "key": "k", "value": "v"}
        recorded = self.record(GUESTS / "storage.wasm", KV + "set", given, "--grant", "kv:write:b",
                               "--grant", "env:HOME")  # fmt: skip
        self.assertEqual(["kv:write:b"], recorded["grants"])
        calls = [one["call"] for one in self.exchanges()]
        self.assertTrue(any(call.startswith("wasi:keyvalue/store@") for call in calls), calls)
        (self.state / "kv.db").unlink()
        self.assertEqual(0, self.replay().code)
        self.assertFalse((self.state / "kv.db").exists())

    def test_every_probe_of_the_canary_is_replayed(self):
        """Clocks, random numbers, the environment, files that are denied: a real toolchain's guest asks for all."""
        names = json.loads(self.cordon("run", GUESTS / "plugins" / "canary", "list-probes").out)
        names = [one if isinstance(one, str) else one["name"] for one in names]
        replayed = 0
        for name in names:
            done = self.canary("record", "--fixture", self.fixture, "--timeout", "2s", probe=name)
            if done.code != 0:
                self.assertRegex(done.err, "E_TIMEOUT|E_CPU|E_INTERRUPTED", name)
                continue
            again = self.replay()
            self.assertEqual(0, again.code, f"{name}: {again.err}")
            replayed += 1
        self.assertGreater(replayed, len(names) // 2)

    def test_what_differs_is_named(self):
        (self.data / "x").write_bytes(b"content")
        self.record(GUESTS / "files.wasm", RAW + "preopens", {}, "--mount", f"{self.data}:/data")
        lines = self.fixture.read_text().splitlines()
        self.assertGreaterEqual(len(lines), 3)

        def replayed(changed):
            self.fixture.write_text("\n".join(changed) + "\n")
            done = self.replay()
            self.assertEqual(6, done.code, done.err)
            self.assertIn("error[E_DIGEST]: the replay diverged: ", done.err)
            return done.err

        first = json.loads(lines[1])
        other = lines[1].replace("get-directories", "get-other")
        self.assertIn("call 1 of the host", replayed([lines[0], other, *lines[2:]]))
        self.assertIn("asks", replayed([lines[0], json.dumps({**first, "asked": "00"}), *lines[2:]]))
        self.assertIn("the fixture ends before it", replayed([lines[0], lines[-1]]))
        self.assertIn("was not made", replayed([*lines[:-1], lines[1], lines[-1]]))
        self.assertIn("and answered", replayed([*lines[:-1], json.dumps({"output": "[]"})]))
        self.assertIn("and failed with E_TRAP", replayed([*lines[:-1], json.dumps({"failed": "E_TRAP"})]))

    def test_a_fixture_is_for_one_plugin(self):
        wasm = self.write("x.wasm", module([ADD]))
        self.record(wasm, "add", {"p0": 1, "p1": 2})
        self.assertEqual("3\n", self.replay().out)
        moved = wasm.rename(self.tmp / "y.wasm")
        self.assertEqual(7, self.replay().code)
        self.assertEqual("3\n", self.replay("--plugin", moved).out)
        other = self.write("z.wasm", module([ADD, ("more", [], [], b"")]))
        done = self.replay("--plugin", other)
        self.assertIn("E_CHANGED", done.err)

    def test_a_call_that_failed_fails_again(self):
        wasm = self.write("x.wasm", module([ADD]))
        self.assertEqual("E_INPUT_SCHEMA", self.record(wasm, "add", {"p0": 1})["failed"])
        self.assertEqual(0, self.replay().code)

    def test_fixtures_that_are_none(self):
        for text in ("", "{}\n", "nonsense", '{"fixture":2}\n', '{"fixture":1,"plugin":"x"}\n{"output":"1"}\n'):
            self.fixture.write_text(text)
            self.assertEqual(4, self.replay().code, text)
        self.record(self.write("x.wasm", module([ADD])), "add", {"p0": 1, "p1": 2})
        good = self.fixture.read_text().splitlines()
        for bad in ([good[0]], [*good, good[1]], [good[0], '{"call":"x","asked":"","answered":""}', good[1]],
                    [good[0], '{"call":"a#b","asked":"0","answered":""}', good[1]],
                    [good[0], '{"call":"a#b","asked":"","trap":"E_NONE"}', good[1]]):  # fmt: skip
            self.fixture.write_text("\n".join(bad) + "\n")
            self.assertEqual(4, self.replay().code, bad)

    def test_what_cannot_be_recorded_whole_is_refused(self):
        done = self.cordon("record", GUESTS / "http.wasm", "get-many", "--input", "{}", "--fixture", self.fixture,
                           "--grant", "http:GET:https://example.com/*")  # fmt: skip
        self.assertEqual(4, done.code, done.err)
        self.assertIn("wasi:http", done.err)
        self.assertFalse(self.fixture.exists())
        core = self.write("x.wasm", module([ADD], imports=[("wasi_snapshot_preview1", "proc_exit")]))
        self.assertNotEqual(0, self.cordon("record", core, "--fixture", self.fixture).code)
        self.assertFalse(self.fixture.exists())

    def test_what_if(self):
        plugin = GUESTS / "plugins" / "graph-analyst"
        done = self.cordon("explain", plugin, "--mount", f"{self.data}:/data", "--ask", "/data/x", "--ask",
                           "write /data/x", "--ask", "https://example.com/", "--json")  # fmt: skip
        answers = [(one["decision"], one["rule"]) for one in done.json["answers"]]
        self.assertEqual([("allow", "grant:fs:read:/data=workspace"), ("deny", "fs:read-only"),
                          ("deny", "not-requested")], answers)  # fmt: skip
        text = self.cordon("explain", plugin, "--ask", "/data/x").out
        self.assertIn("deny  /data/x  (no-grant)\n  fix: ", text)
        self.assertEqual(2, self.cordon("explain", plugin, "--ask", "https://").code)
        self.assertFalse((self.state / "audit.jsonl").exists())  # nothing was decided


if __name__ == "__main__":
    unittest.main()
