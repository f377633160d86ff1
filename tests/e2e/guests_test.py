#!/usr/bin/env python3
"""What real guests print, log and answer, as the command shows it."""
import unittest

from cordon import GUESTS, CordonTest


class Tests(CordonTest):
    def test_an_err_is_a_result_with_exit_code_1(self):
        done = self.cordon("run", GUESTS / "a155_result.wasm", "fail")
        self.assertEqual(1, done.code)
        self.assertTrue(done.out.startswith('{"err":'))
        self.assertIn("answered with an error", done.err)
        document = self.cordon("run", GUESTS / "a155_result.wasm", "fail", "--json")
        self.assertEqual((1, True, True, ""),
                         (document.code, document.json["ok"], document.json["answered_with_error"], document.err))

    def test_what_a_guest_prints_is_marked_and_kept_off_stdout(self):
        words = ["run", GUESTS / "a155_escapes.wasm", "print", "--input"]
        for stream, name in ((1, "stdout"), (2, "stderr")):
            done = self.cordon(*words, f'{{"p0": {stream}}}')
            self.assertEqual("0\n", done.out)
            for line in done.err.splitlines():
                self.assertTrue(line.startswith(f"[a155_escapes {name}] "), line)
            self.assert_no_controls(done.err)
            document = self.cordon(*words, f'{{"p0": {stream}}}', "--json")
            self.assertEqual("", document.err)
            self.assertIn("\\u001b", document.json[name])
        self.assertEqual("", self.cordon(*words, '{"p0": 1}', "--quiet").err)

    def test_what_is_dropped_is_counted(self):
        done = self.cordon("run", GUESTS / "a19_flood.wasm", "flood", "--input", '{"p0": 1, "p1": 1}', "--json")
        self.assertEqual((1 << 20) - (64 << 10), done.json["usage"]["stdout_dropped_bytes"])

    def test_attack_155_logs_are_shown_escaped(self):
        say = '{"level": "warn", "context": "c\\u001b", "message": "red\\u001b[31m\\nerror[E_TRAP]: forged"}'
        words = ["run", GUESTS / "logging.wasm", "say", "--input", say]
        done = self.cordon(*words)
        self.assertEqual((0, "null\n"), (done.code, done.out))
        self.assert_no_controls(done.err)
        self.assertEqual(1, len(done.err.splitlines()))
        self.assertTrue(done.err.startswith("[logging warn] c\\u001b: red\\u001b[31m"), done.err)
        self.assertEqual("", self.cordon(*words, "--quiet").err)

    def test_manifest_actions_and_mounts(self):
        plugin = GUESTS / "plugins" / "graph-analyst"
        self.write("data/graph.json", '{"nodes": [{"id": "a", "node-type": "crate", "metadata": []}]}')
        words = ["run", plugin, "analyze-file", "--input", '{"path": "/data/graph.json"}']
        self.assertEqual(1, self.cordon(*words).code)
        done = self.cordon(*words, "--mount", "data:/data", "--json")
        self.assertEqual(0, done.code, done.out)
        self.assertIn("ok", done.json["output"])
        self.assertEqual("E_USAGE", self.cordon("run", plugin, "--json").json["error"]["code"])

    def test_inspect_shows_wit_and_documentation(self):
        done = self.cordon("inspect", GUESTS / "plugins" / "graph-analyst")
        self.assertEqual(0, done.code)
        self.assertIn("analyze-graph: func(nodes: list<graph-node>) -> analysis-result", done.out)
        document = self.cordon("inspect", GUESTS / "plugins" / "graph-analyst", "--json").json
        self.assertEqual("component", document["abi"])
        self.assertEqual({"analyze-file", "analyze-graph"}, {action["name"] for action in document["actions"]})

    def test_attack_1_explain_names_the_rule_of_every_import(self):
        document = self.cordon("explain", GUESTS / "a01_many.wasm", "--json").json
        open_ones = [one for one in document["imports"] if one["state"] == "not-linked"]
        self.assertEqual(4, len(open_ones))
        for one in open_ones:
            self.assertTrue(one["rule"] and one["command"], one)


if __name__ == "__main__":
    unittest.main()
