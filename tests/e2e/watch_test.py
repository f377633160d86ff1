#!/usr/bin/env python3
"""`cordon run --watch`: again after each change, and what does not work takes nobody's place."""
import json
import os
import select
import signal
import time
import unittest

from cordon import ADD, HANG_SECONDS, I32, SPIN, CordonTest, module, until_it_spins

SUB = ("add", [I32, I32], [I32], b"\x20\x00\x20\x01\x6b")
READER = "permissions: {optional: [{environment: [TOKEN], reason: to speak to it}]}\n"
CALL = ["--input", '{"p0": 5, "p1": 3}']


class Tests(CordonTest):
    def setUp(self):
        super().setUp()
        self.seen = {}

    def watch(self, *words):
        child = self.start("run", *words, "--watch")
        self.addCleanup(lambda: (child.kill(), child.wait(), child.stdout.close(), child.stderr.close(),
                                 child.stdin.close()))  # fmt: skip
        return child

    def line(self, stream):
        """The next line, or a failure: what is watched never ends by itself."""
        end = time.monotonic() + HANG_SECONDS
        while b"\n" not in self.seen.get(stream, b""):
            ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
            self.assertTrue(ready, f"no more came: {self.seen.get(stream)}")
            piece = os.read(stream.fileno(), 65536)
            self.assertTrue(piece, f"it ended: {self.seen.get(stream)}")
            self.seen[stream] = self.seen.get(stream, b"") + piece
        line, self.seen[stream] = self.seen[stream].split(b"\n", 1)
        return line.decode()

    def document(self, child):
        return json.loads(self.line(child.stdout))

    def replace(self, name, content):
        """As an editor does that writes beside, and renames."""
        self.write(name + ".new", content).rename(self.tmp / name)

    def manifest(self, tail="", version="1.0.0"):
        return (f"manifest: 1\nname: acme/adder\nversion: {version}\nruntime: {{abi: core, artifact: adder.wasm}}\n"
                f"actions: {{add: {{}}}}\n{tail}")  # fmt: skip

    def end(self, child, by=signal.SIGINT):
        child.send_signal(by)
        child.wait(timeout=HANG_SECONDS)
        return child.returncode

    def test_new_code_a_broken_version_and_its_mend(self):
        folder = self.tmp / "plugin"
        self.write("plugin/adder.wasm", module([ADD]))
        self.write("plugin/plugin.yaml", self.manifest())
        child = self.watch(folder, *CALL)
        self.assertEqual("8", self.line(child.stdout))

        self.replace("plugin/adder.wasm", module([SUB]))
        self.assertEqual("2", self.line(child.stdout))
        self.assertEqual("adder.wasm changed; running again", self.line(child.stderr))
        self.assertRegex(self.line(child.stderr), r"^acme/adder 1\.0\.0 \([0-9a-f]{12}\) in place of 1\.0\.0 \(")

        self.replace("plugin/plugin.yaml", "manifest: 1\nname: [\n")
        self.assertEqual("plugin.yaml changed; running again", self.line(child.stderr))
        told = ""
        while "stays in force" not in told:
            told += self.line(child.stderr) + "\n"
        self.assertIn("E_SYNTAX", told)
        self.assertRegex(told, r"\nacme/adder \([0-9a-f]{12}\) stays in force\n$")

        self.replace("plugin/plugin.yaml", self.manifest(READER, "1.1.0"))
        self.assertEqual("2", self.line(child.stdout))
        self.assertEqual("plugin.yaml changed; running again", self.line(child.stderr))
        self.assertIn("1.1.0", self.line(child.stderr))
        self.assertEqual(130, self.end(child))
        self.assertIn(b"interrupted", child.stderr.read())
        self.assertEqual(0, self.cordon("trail", "verify").code)

    def test_a_document_for_each_run(self):
        self.write("adder.wasm", module([ADD]))
        child = self.watch("adder.wasm", "add", *CALL, "--json")
        first = self.document(child)
        self.assertEqual((True, 8, []), (first["ok"], first["output"], first["changed"]))
        self.replace("adder.wasm", "no code")
        broken = self.document(child)
        self.assertEqual((False, "E_NOT_WASM", first["digest"]),
                         (broken["ok"], broken["error"]["code"], broken["in_force"]))  # fmt: skip
        self.assertEqual(["adder.wasm"], broken["changed"])
        self.replace("adder.wasm", module([SUB]))
        mended = self.document(child)
        self.assertEqual((True, 2), (mended["ok"], mended["output"]))
        self.assertNotEqual(first["digest"], mended["digest"])
        self.assertEqual(130, self.end(child, signal.SIGTERM))
        self.assertEqual("E_INTERRUPTED", self.document(child)["error"]["code"])

    def test_grants_configuration_policy_input_and_schemas(self):
        folder = self.tmp / "plugin"
        config, policy = self.tmp / "config.yaml", self.tmp / "policy.yaml"
        self.write("plugin/adder.wasm", module([ADD]))
        self.write("plugin/plugin.yaml", self.manifest(READER).replace("add: {}", "add: {input: {$ref: in.json}}"))
        self.write("plugin/in.json", '{"type": "object"}')
        self.write("input.json", '{"p0": 5, "p1": 3}')
        self.write("config.yaml", "plugins: {enabled: true}\n")
        self.write("policy.yaml", "allow: [environment, log, clock, random, stdio]\n")
        child = self.watch(folder, "--input", "@input.json", "--config", config, "--policy", policy)
        self.assertEqual("8", self.line(child.stdout))

        def told(count):
            return [self.line(child.stderr) for _ in range(count)]

        self.replace("input.json", '{"p0": 1, "p1": 3}')
        self.assertEqual("4", self.line(child.stdout))
        self.assertEqual(["input.json changed; running again"], told(1))
        self.assertEqual(0, self.cordon("plugin", "grant", folder, "env:TOKEN", "--yes").code)
        self.assertEqual("4", self.line(child.stdout))
        self.assertEqual(["grants.yaml changed; running again", "it may by now: env:TOKEN"], told(2))
        self.replace("policy.yaml", "allow: [log, clock, random, stdio]\n")
        self.assertEqual("4", self.line(child.stdout))
        self.assertEqual(["policy.yaml changed; running again", "it may no longer: env:TOKEN"], told(2))
        self.replace("config.yaml", "plugins: {limits: {input: 4B}}\n")
        self.assertEqual(["config.yaml changed; running again"], told(1))
        self.assertIn("E_INPUT_SIZE", " ".join(told(1)))
        self.replace("config.yaml", "plugins: {enabled: true}\n")
        self.assertEqual("4", self.line(child.stdout))
        self.replace("plugin/in.json", '{"type": "object", "required": ["x"]}')
        while "E_CHANGED" not in told(1)[0]:
            pass
        self.assertEqual(130, self.end(child))

    def test_a_signal_ends_a_call_that_runs(self):
        self.write("spin.wasm", module([SPIN]))
        child = self.watch("spin.wasm", "spin", "--timeout", "30s", "--json")
        log = self.state / "audit.jsonl"
        end = time.monotonic() + HANG_SECONDS
        while time.monotonic() < end and not (log.exists() and '"event":"load"' in log.read_text()):
            time.sleep(0.02)
        until_it_spins(child.pid)
        self.assertEqual(130, self.end(child))
        self.assertEqual("E_INTERRUPTED", self.document(child)["error"]["code"])

    def test_what_cannot_be_watched(self):
        self.write("adder.wasm", module([ADD]))
        for words in (["--input", "-"], ["--raw", "--json"]):
            done = self.cordon("run", "adder.wasm", "--watch", *words)
            self.assertEqual(2, done.code, (words, done.err))


if __name__ == "__main__":
    unittest.main()
