#!/usr/bin/env python3
"""Help, usage errors, version, schemas, completions, man pages."""
import json
import re
import shutil
import subprocess
import unittest

from cordon import ROOT, CordonTest, module, ADD

COMMANDS = ["run", "inspect", "explain", "plugin validate", "plugin grant", "plugin revoke", "plugin grants",
            "config set", "config list", "config rm", "secret set", "secret list", "secret rm",
            "memory list", "memory forget", "channel list", "channel send", "channel receive", "channel relay",
            "trail verify", "trail show", "trail export", "trail key", "record", "replay", "plugins enable",
            "plugins disable", "doctor", "bindgen", "schema", "completion", "version"]  # fmt: skip
PAGES = {"replay": "cordon-record", "config set": "cordon-config",
         "config list": "cordon-config", "config rm": "cordon-config",
         "secret set": "cordon-secret", "secret list": "cordon-secret", "secret rm": "cordon-secret",
         "memory list": "cordon-memory", "memory forget": "cordon-memory",
         "channel list": "cordon-channel", "channel send": "cordon-channel",
         "channel receive": "cordon-channel", "channel relay": "cordon-channel",
         "plugin revoke": "cordon-plugin-grant", "plugin grants": "cordon-plugin-grant",
         "plugins enable": "cordon-plugins", "plugins disable": "cordon-plugins",
         "trail export": "cordon-trail", "trail key": "cordon-trail",
         "trail verify": "cordon-trail", "trail show": "cordon-trail"}  # fmt: skip


class Tests(CordonTest):
    def test_help_fits_a_screen(self):
        for words in [[]] + [command.split() for command in COMMANDS]:
            done = self.cordon(*words, "--help")
            self.assertEqual((0, ""), (done.code, done.err))
            lines = done.out.splitlines()
            self.assertLessEqual(len(lines), 31 if words else 40, words)
            self.assertLessEqual(max(map(len, lines)), 100, words)

    def test_help_lists_every_command(self):
        text = self.cordon("--help").out
        for command in COMMANDS:
            self.assertIn(f"  {command} ", text)
        self.assertEqual(text, self.cordon("help").out)
        self.assertEqual(self.cordon("run", "--help").out, self.cordon("help", "run").out)

    def test_nothing_asked_is_a_usage_error(self):
        done = self.cordon()
        self.assertEqual((2, ""), (done.code, done.out))
        self.assertIn("Usage: cordon COMMAND", done.err)

    def test_unknown_command_names_the_nearest(self):
        done = self.cordon("isnpect", "x")
        self.assertEqual(2, done.code)
        self.assertIn("error[E_USAGE]: unknown command 'isnpect'", done.err)
        self.assertIn("did you mean 'cordon inspect'?", done.err)
        self.assertIn("did you mean 'cordon plugin validate'?", self.cordon("plugin", "valdate", "x").err)

    def test_unknown_option_names_the_nearest(self):
        done = self.cordon("run", "x.wasm", "--memroy", "1MiB")
        self.assertEqual(2, done.code)
        self.assertIn("did you mean '--memory'?", done.err)

    def test_usage_errors(self):
        for words in (["run"], ["run", "x", "y", "z"], ["run", "x", "--timeout", "1s", "--timeout", "2s"],
                      ["run", "x", "--fuel", "-1"], ["run", "x", "--fuel", "0"], ["run", "x", "--env", "NAME"],
                      ["run", "x", "--env", "A=1", "--env", "A=2"], ["run", "x", "--root", "a=b", "--root", "a=c"],
                      ["run", "x", "--mount", "/a:/d", "--mount", "/b:/d:rw"],
                      ["run", "x", "--mount", "here"], ["run", "x", "--root", "=x"], ["run", "x", "--input"],
                      ["schema", "nonsense"], ["completion", "tcsh"], ["trail", "show", "--lines", "no"],
                      ["inspect", "x", "--", "argument"]):  # fmt: skip
            done = self.cordon(*words)
            self.assertEqual((2, ""), (done.code, done.out), words)
            self.assertTrue(done.err.startswith("error[E_USAGE]: "), done.err)
            self.assertIn("  fix: ", done.err)

    def test_usage_errors_as_json(self):
        done = self.cordon("run", "--json")
        self.assertEqual((2, ""), (done.code, done.err))
        self.assertEqual("cordon.run/1", done.json["schema"])
        self.assertEqual((False, "E_USAGE"), (done.json["ok"], done.json["error"]["code"]))
        self.assertEqual("E_USAGE", self.cordon("--json", "nonsense").json["error"]["code"])

    def test_common_options_may_come_first(self):
        self.assertEqual("cordon.version/1", self.cordon("--json", "version").json["schema"])

    def test_an_action_may_be_called_like_a_command(self):
        path = self.write("x.wasm", module([("version", *ADD[1:]), ("run", *ADD[1:])]))
        done = self.cordon("run", path, "version", "--input", '{"p0": 1, "p1": 2}')
        self.assertEqual((0, "3\n"), (done.code, done.out))

    def test_version(self):
        done = self.cordon("version")
        self.assertRegex(done.out, r"^cordon \d+\.\d+\.\d+\nengine wasmtime \d+\.")
        self.assertEqual(done.out, self.cordon("--version").out)
        document = self.cordon("version", "--json").json
        self.assertTrue(document["ok"])
        for key in ("version", "engine", "build", "features", "security_floor", "mitigations"):
            self.assertIn(key, document)
        self.assertFalse(self.state.exists())  # looking at the version leaves nothing behind

    def test_schemas(self):
        for name in ("manifest", "config", "grants"):
            document = json.loads(self.cordon("schema", name).out)
            self.assertEqual("https://json-schema.org/draft/2020-12/schema", document["$schema"])
        self.assertEqual(self.cordon("schema").out, self.cordon("schema", "manifest").out)

    def test_every_option_is_in_the_man_page(self):
        for command in COMMANDS:
            page = PAGES.get(command, "cordon-" + command.replace(" ", "-"))
            source = (ROOT / "docs" / "man" / f"{page}.1").read_text().replace("\\-", "-")
            for option in re.findall(r"^  (--[a-z][a-z-]*[a-z])\b", self.cordon(*command.split(), "--help").out, re.M):
                self.assertIn(option, source, f"{option} of {command} is not in {page}.1")

    def test_man_pages_have_no_mistakes(self):
        if not shutil.which("groff"):
            self.skipTest("no groff")
        for page in sorted((ROOT / "docs" / "man").glob("*.1")):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True)
            self.assertEqual(b"", done.stderr, page)

    def test_completions_are_scripts_of_their_shell(self):
        for shell in ("bash", "zsh", "fish"):
            done = self.cordon("completion", shell)
            self.assertEqual(0, done.code)
            self.assertIn("grant", done.out)
            if shutil.which(shell):
                path = self.write(f"cordon.{shell}", done.out)
                checked = subprocess.run([shell, "-n", path], capture_output=True)
                self.assertEqual((0, b""), (checked.returncode, checked.stderr))

    def test_bash_completes_commands_options_and_words(self):
        if not shutil.which("bash"):
            self.skipTest("no bash")
        script = self.cordon("completion", "bash").out
        cases = {"cordon ins": "inspect", "cordon plugin va": "validate", "cordon run x.wasm --mem": "--memory",
                 "cordon run x --level st": "strict", "cordon schema gr": "grants"}  # fmt: skip
        for line, expected in cases.items():
            words = line.split(" ")
            ask = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _cordon; echo \"${{COMPREPLY[*]}}\""
            done = subprocess.run(["bash", "-c", script + "\n" + ask], capture_output=True, text=True)
            self.assertEqual(expected, done.stdout.strip(), line + done.stderr)


if __name__ == "__main__":
    unittest.main()
