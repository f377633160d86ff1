#!/usr/bin/env python3
"""`plugin import`: what is written can be validated and run, and is never wider than its source."""
import base64
import json
import unittest

from cordon import ADD, GUESTS, CordonTest, module


class Tests(CordonTest):
    def imported(self, name, content, *words, code=0):
        source = self.write(name, content)
        done = self.cordon("plugin", "import", source, "--output", self.tmp / "made", *words)
        self.assertEqual(code, done.code, done.err)
        return done

    def test_a_policy_and_its_component_run_with_what_the_policy_allowed(self):
        self.write("data/a.txt", "hello")
        policy = f"""version: "1.0"
permissions:
  storage:
    allow: [{{uri: "fs://{self.tmp}/data/**", access: [read]}}]
  network:
    allow: [{{host: "*"}}]
"""
        done = self.imported("policy.yaml", policy, "--artifact", GUESTS / "files.wasm", "--name", "acme/files",
                             "--json")
        fates = {one["from"]: one["fate"] for one in done.json["findings"]}
        # A policy has neither a name nor a version.
        self.assertEqual({"permissions.storage.allow[0]": "carried", "permissions.network.allow[0].host": "lost",
                          "": "narrowed"}, fates)
        made = self.tmp / "made"
        self.assertEqual(0, self.cordon("plugin", "validate", made).code)
        self.assertEqual(0o600, (made / "grants.yaml").stat().st_mode & 0o777)
        explained = self.cordon("explain", made, "--what-if", made / "grants.yaml", "--json").json
        effective = [one.get("effective") for one in explained["permissions"] if one["kind"] == "files"]
        self.assertEqual([f"fs:read:{self.tmp}/data=path-1"], effective)

    def test_nothing_is_granted_that_the_source_only_asked_for(self):
        self.imported("plugin.toml", '[plugin]\nname = "x"\nversion = "1.0.0"\nruntime = "wasm"\n'
                      '[capabilities]\nstore = true\n')
        self.assertFalse((self.tmp / "made/grants.yaml").exists())
        self.assertIn("bucket", (self.tmp / "made/plugin.yaml").read_text())

    def test_what_is_there_is_not_written_over(self):
        source = '{"name": "n", "version": "1.0.0", "tools": ["sum"]}'
        self.imported("nexus.plugin.json", source)
        before = (self.tmp / "made/plugin.yaml").read_text()
        refused = self.imported("nexus.plugin.json", source.replace("sum", "other"), code=2)
        self.assertIn("--force", refused.err)
        self.assertEqual(before, (self.tmp / "made/plugin.yaml").read_text())
        self.imported("nexus.plugin.json", source.replace("sum", "other"), "--force")
        self.assertIn("other", (self.tmp / "made/plugin.yaml").read_text())

    def test_a_module_in_the_manifest_is_written_beside_it(self):
        data = base64.b64encode(module([ADD])).decode()
        self.imported("m.json", json.dumps({"wasm": [{"data": data, "name": "adder"}]}))
        self.assertEqual(module([ADD]), (self.tmp / "made/adder.wasm").read_bytes())
        self.assertIn("add", (self.tmp / "made/plugin.yaml").read_text())

    def test_the_artifact_says_how_it_is_called(self):
        self.write("adder.wasm", module([ADD]))
        self.imported("nexus.plugin.json", '{"name": "n", "version": "1.0.0", "entry": "adder.wasm", "tools": ["add"]}')
        self.assertIn('abi: "core"', (self.tmp / "made/plugin.yaml").read_text())
        done = self.cordon("run", self.tmp / "made", "add", "--input", '{"p0": 1, "p1": 2}')
        self.assertEqual("3\n", done.out, done.err)

    def test_hostile_sources_are_refused_with_their_place(self):
        for name, content, code in (("m.toml", "x = [", 4), ("m.json", '{"wasm": [', 4), ("m.yaml", "a: [", 4),
                                    ("m.json", "[" * 100000, 4), ("m.toml", "a=" + "[" * 100000, 4),
                                    ("m.json", '{"wasm": [7]}', 4), ("m.txt", "", 4)):
            done = self.imported(name, content, code=code)
            self.assertIn("error[E_", done.err)
            self.assertFalse((self.tmp / "made").exists(), name)
        self.assertEqual(7, self.cordon("plugin", "import", self.tmp / "nowhere.json").code)

    def test_a_source_cannot_have_other_files_copied_or_written(self):
        self.write("key", "a private key")
        for binary in (str(self.tmp / "key"), "../key", "key", "/etc/passwd"):
            source = f'[plugin]\nname = "x"\nruntime = "wasm"\n[[commands]]\nname = "a"\nbinary = "{binary}"\n'
            done = self.imported("sub/plugin.toml" if binary.startswith("..") else "plugin.toml", source, code=4)
            self.assertIn("error[E_NOT_WASM]", done.err)
            self.assertFalse((self.tmp / "made").exists())
        source = '[plugin]\nname = "x"\nruntime = "wasm"\n[[commands]]\nname = "a"\nbinary = "-"\n'
        self.write("plugin.toml", source)
        done = self.cordon("plugin", "import", "plugin.toml", "--output", self.tmp / "made", stdin="\0asm")
        self.assertEqual(0, done.code, done.err)
        self.assertIn("the artifact is not there", done.err)
        refused = self.imported("nexus.plugin.json", '{"name": "n", "tools": ["a"]}', "--name", "a/../../b", code=4)
        self.assertIn("error[E_NAME]", refused.err)

    def test_text_of_a_source_is_escaped(self):
        done = self.imported("m.json", json.dumps({"wasm": [], "allowed_hosts": ["a\u202e\x1b[2J.com"],
                                                   "x\x1b]0;y\x07": 1}))
        self.assert_no_controls(done.out + done.err)


if __name__ == "__main__":
    unittest.main()
