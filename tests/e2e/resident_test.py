#!/usr/bin/env python3
"""Plugins that stay: asked for, granted, and given their state back by the next run."""
import json
import shutil
import unittest

from cordon import GUESTS, CordonTest

ADD = ["add", "--input", '{"n": 2}']


class Tests(CordonTest):
    def plugin(self, instance="resident", tail=""):
        folder = self.tmp / "counter"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(GUESTS / "resident.wasm", folder / "counter.wasm")
        (folder / "plugin.yaml").write_text(f"""manifest: 1
name: acme/counter
version: 1.0.0
runtime: {{ abi: component, artifact: counter.wasm, instance: {instance} }}
actions:
  add: {{ export: "cordon:resident-guest/counter#add" }}
{tail}
""")
        return folder

    def test_the_remedy_names_the_grant_and_the_grant_helps(self):
        for instance in ("resident", "pooled"):
            plugin = self.plugin(instance)
            refused = self.cordon("run", plugin, *ADD)
            self.assertEqual(3, refused.code, refused.err)
            self.assertIn(f"instance:{instance} is required and not granted", refused.err)
            self.assertIn(f"--grant 'instance:{instance}'", refused.err)
            done = self.cordon("run", plugin, *ADD, "--grant", f"instance:{instance}")
            self.assertEqual((0, "2"), (done.code, done.out.strip()), done.err)

    def test_explain_and_grant_know_it(self):
        plugin = self.plugin()
        explained = self.cordon("explain", plugin)
        self.assertIn("instance:resident", explained.out, explained.err)
        granted = self.cordon("plugin", "grant", plugin, "instance:resident", "--yes")
        self.assertIn("medium risk", granted.out + granted.err)
        self.assertEqual(0, granted.code, granted.err)
        done = self.cordon("run", plugin, *ADD)
        self.assertEqual((0, "2"), (done.code, done.out.strip()), done.err)

    def test_strict_levels_refuse_it(self):
        refused = self.cordon("run", self.plugin(), *ADD, "--grant", "instance:resident", "--level", "strict")
        self.assertNotEqual(0, refused.code)
        self.assertIn("gives each call an instance of its own", refused.err)

    def test_the_next_run_goes_on_where_the_last_one_ended(self):
        plugin = self.plugin(tail="lifecycle: { state: { snapshot: 1h } }")
        for total in ("2", "4", "6"):
            done = self.cordon("run", plugin, *ADD, "--grant", "instance:resident")
            self.assertEqual((0, total), (done.code, done.out.strip()), done.err)

    def test_what_is_not_exported_is_an_error_before_anything_runs(self):
        plugin = self.plugin(tail="lifecycle: { liveness: { every: 1s } }")
        shutil.copyfile(GUESTS / "shop.wasm", plugin / "counter.wasm")
        done = self.cordon("run", plugin, *ADD, "--grant", "instance:resident", "--json")
        self.assertNotEqual(0, done.code)
        self.assertNotIn("output", json.loads(done.out))


if __name__ == "__main__":
    unittest.main()
