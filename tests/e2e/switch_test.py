#!/usr/bin/env python3
"""The kill switch and the doctor, as an operator uses them."""
import json
import time
import unittest

from cordon import ADD, HANG_SECONDS, SPIN, CordonTest, module, until_it_spins

CALL = ["--input", '{"p0": 1, "p1": 2}']


class Tests(CordonTest):
    def setUp(self):
        super().setUp()
        self.wasm = self.write("x.wasm", module([ADD]))

    def test_off_keeps_everything_off_until_on(self):
        self.assertEqual(0, self.cordon("plugins", "disable").code)
        self.assertEqual(0o700, self.state.stat().st_mode & 0o777)
        for _ in range(2):
            done = self.cordon("run", self.wasm, *CALL, "--json")
            self.assertEqual(8, done.code)
            self.assertEqual("E_UNAVAILABLE", done.json["error"]["code"])
            self.assertIn("plugins are switched off", done.json["error"]["message"])
            self.assertIn("cordon plugins enable", done.json["error"]["remedy"])
        self.assertEqual(0, self.cordon("inspect", self.wasm).code)  # looking at a plugin runs nothing
        self.assertEqual({"schema": "cordon.plugins.enable/1", "ok": True, "enabled": True, "was_enabled": False},
                         self.cordon("plugins", "enable", "--json").json)  # fmt: skip
        self.assertEqual("3\n", self.cordon("run", self.wasm, *CALL).out)
        events = [record["event"] for record in self.audit()]
        self.assertEqual(["switch", "load", "load", "switch", "load", "call"], events)
        refused = self.audit()[1]
        self.assertEqual(("deny", "switched-off", "E_UNAVAILABLE"),
                         (refused["decision"], refused["rule"], refused["code"]))  # fmt: skip
        self.assertEqual(0, self.cordon("trail", "verify").code)

    def test_off_stops_a_plugin_that_runs(self):
        spin = self.write("spin.wasm", module([SPIN]))
        child = self.start("run", spin, "--timeout", "30s")
        end = time.monotonic() + HANG_SECONDS
        log = self.state / "audit.jsonl"
        while time.monotonic() < end and not (log.exists() and '"event":"load"' in log.read_text()):
            time.sleep(0.02)
        until_it_spins(child.pid)
        self.assertIsNone(child.poll())
        self.assertEqual(0, self.cordon("plugins", "disable").code)
        started = time.monotonic()
        out, err = child.communicate(timeout=HANG_SECONDS)
        self.assertLess(time.monotonic() - started, 10)  # a guard against the timeout of the call
        self.assertEqual(8, child.returncode, err)
        self.assertIn(b"plugins are switched off", err)
        calls = [record for record in self.audit() if record["event"] == "call"]
        self.assertEqual(["E_INTERRUPTED"], [record["code"] for record in calls])

    def test_a_switch_that_cannot_be_read_is_off(self):
        self.cordon("run", self.wasm, *CALL)
        (self.state / "plugins.off").symlink_to("/nowhere")
        self.assertEqual(8, self.cordon("run", self.wasm, *CALL).code)

    def findings(self, *words, **options):
        done = self.cordon("doctor", "--json", *words, **options)
        return done.code, {(one["category"], one["check"]): one for one in done.json["findings"]}

    def test_doctor_of_a_machine_that_is_well(self):
        self.cordon("run", self.wasm, *CALL)
        code, found = self.findings()
        self.assertEqual([], [one for one in found.values() if one["grade"] == "fail"])
        self.assertEqual(0, code)
        for check in (("audit", "chain"), ("engine", "security-floor"), ("cache", "key"), ("host", "landlock")):
            self.assertIn(check, found)
        shown = self.cordon("doctor").out
        self.assertIn(" 0 fail\n", shown)

    def test_doctor_finds_what_is_wrong(self):
        plugin = self.plugin()
        home = self.write("config.yaml", f"plugins:\n  directories: [{plugin.parent}]\n")
        self.cordon("plugin", "grant", plugin, "--yes")
        self.cordon("run", plugin, "add", *CALL)
        (self.state / "audit.key").chmod(0o644)
        (self.state / "plugins.off").write_text("")
        lines = (self.state / "audit.jsonl").read_text().splitlines()
        (self.state / "audit.jsonl").write_text("\n".join(lines[1:]) + "\n")
        (plugin / "adder.wasm").write_bytes(module([ADD, ("more", [], [], b"")]))
        code, found = self.findings("--config", home)
        self.assertEqual(6, code)
        grades = {check: one["grade"] for check, one in found.items()}
        self.assertEqual("fail", grades["audit", "key"])
        self.assertEqual("fail", grades["audit", "chain"])
        self.assertEqual("warn", grades["state", "switch"])
        self.assertEqual("fail", grades["plugins", "plugin"])
        for one in found.values():
            self.assertEqual(one["grade"] == "pass", one["hint"] == "", json.dumps(one))

    def test_doctor_reads_a_broken_configuration(self):
        home = self.write("config.yaml", "plugins: [\n")
        code, found = self.findings("--config", home)
        self.assertEqual((6, "fail"), (code, found["configuration", "file"]["grade"]))


if __name__ == "__main__":
    unittest.main()
