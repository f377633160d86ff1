#!/usr/bin/env python3
"""In which process a plugin runs, and who decided it, as each command says it."""
import unittest

from cordon import CordonTest

CALL = ["--input", '{"p0": 1, "p1": 2}', "--json"]
CASES = [
    ("{}", [], "in-process", "host", "in this process"),
    ("{enabled: true}", [], "worker", "plugins.isolation.enabled",
     "in a worker process, by plugins.isolation.enabled"),
    ("{enabled: true, backend: in-process}", [], "in-process", "host", "in this process"),
    ("{force: [acme/adder]}", [], "worker", "plugins.isolation.force",
     "in a worker process, by plugins.isolation.force"),
    ("{force: [acme/other]}", [], "in-process", "host", "in this process"),
    ("{enabled: true, backend: docker}", [], "docker", "plugins.isolation.enabled",
     "in docker, by plugins.isolation.enabled"),
    ("{}", ["--level", "paranoid"], "worker", "level:paranoid", "in a worker process, by level:paranoid"),
]


class Tests(CordonTest):
    def test_each_command_says_where_and_why(self):
        folder = self.plugin()
        for isolation, flags, where, rule, text in CASES:
            config = self.write("config.yaml", f"plugins: {{isolation: {isolation}}}\n")
            words = [folder, "--config", config, *flags]
            placement = {"where": where, "rule": rule}
            for command in ("inspect", "explain"):
                self.assertEqual(placement, self.cordon(command, *words, "--json").json["placement"], words)
                self.assertIn(text + "\n", self.cordon(command, *words).out)
            if where in ("in-process", "worker") and not flags:
                self.assertEqual(placement, self.cordon("run", *words, *CALL).json["placement"])

    def test_the_doctor_says_it_of_each_plugin(self):
        self.plugin()
        config = self.write("config.yaml", f"plugins: {{enabled: true, directories: [{self.tmp}], "
                                           "isolation: {force: [acme/adder]}}\n")  # fmt: skip
        report = self.cordon("doctor", "--config", config, "--json").json
        found = [check for check in report["findings"] if check["check"] == "acme/adder"]
        self.assertEqual(["may run in a worker process, by plugins.isolation.force, risk low"],
                         [check["message"] for check in found], report)  # fmt: skip


if __name__ == "__main__":
    unittest.main()
