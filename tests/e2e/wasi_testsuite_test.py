#!/usr/bin/env python3
"""The preview 1 modules of the official WASI test suite (tests/wasi-testsuite), each through `cordon run` with the
arguments, the environment and the folder that its expectations name."""
import json
import shutil
import unittest

from cordon import ROOT, CordonTest

SUITE = ROOT / "tests" / "wasi-testsuite"


class Tests(CordonTest):
    def run_modules(self, language, count):
        modules = sorted((SUITE / language / "testsuite" / "wasm32-wasip1").glob("*.wasm"))
        self.assertEqual(count, len(modules))
        for path in modules:
            with self.subTest(module=path.stem):
                self.run_module(path)

    def run_module(self, path):
        notes = path.with_suffix(".json")
        expected = json.loads(notes.read_text()) if notes.exists() else {}
        words = ["run", path]
        for name, value in expected.get("env", {}).items():
            words += ["--env", f"{name}={value}"]
        if "root" in expected:
            folder = self.tmp / path.stem
            hidden = shutil.ignore_patterns(".keep", ".gitignore")
            shutil.copytree(path.parent / expected["root"], folder, ignore=hidden)
            words += ["--mount", f"{folder}:/:rw"]
        if expected.get("args"):
            words += ["--", *expected["args"]]
        done = self.cordon(*words)
        self.assertEqual(expected.get("exit_code", 0), done.code, done.err)
        for stream, text in (("stdout", done.out), ("stderr", done.err)):
            if stream in expected:
                self.assertEqual(expected[stream], text)

    def test_assemblyscript(self):
        self.run_modules("assemblyscript", 9)

    def test_c(self):
        self.run_modules("c", 11)

    def test_rust(self):
        self.run_modules("rust", 34)


if __name__ == "__main__":
    unittest.main()
