#!/usr/bin/env python3
"""`plugin grant`, `plugin revoke`, `plugin grants`, and what `run` makes of them. Then roots and mounts."""
import json
import os
import pty
import subprocess
import time
import unittest

from cordon import ADD, BIN, GUESTS, HANG_SECONDS, NOBODY, SPIN, TRAP, CordonTest, as_nobody, module

CALL = ["--input", '{"p0": 1, "p1": 2}']
NEEDS = """permissions:
  required:
    - clocks: fine
      reason: to measure
"""


class Tests(CordonTest):
    def grant(self, *words, **options):
        return self.cordon("plugin", "grant", self.tmp / "plugin", *words, **options)

    def test_granted_once_it_runs_until_it_is_revoked(self):
        folder = self.plugin(NEEDS)
        denied = self.cordon("run", folder, *CALL)
        self.assertEqual((3, ""), (denied.code, denied.out))
        self.assertIn("--grant 'clock:fine'", denied.err)
        self.assertEqual("3\n", self.cordon("run", folder, *CALL, "--grant", "clock:fine").out)
        self.assertEqual(0, self.grant("clock:fine", "--yes").code)
        self.assertEqual("3\n", self.cordon("run", folder, *CALL).out)
        self.assertIn("clock:fine", self.cordon("plugin", "grants").out)
        self.assertEqual(0, self.cordon("plugin", "revoke", "acme/adder", "clock:fine").code)
        self.assertEqual(3, self.cordon("run", folder, *CALL).code)
        self.assertEqual(7, self.cordon("plugin", "revoke", "acme/adder", "clock:fine").code)

    def keeper(self):
        """A plugin that keeps values by wasi:keyvalue."""
        folder = self.plugin(wasm=(GUESTS / "storage.wasm").read_bytes())
        self.write("plugin/plugin.yaml", """manifest: 1
name: acme/keeper
version: 1.0.0
runtime: {abi: component, artifact: adder.wasm}
actions:
  set: {export: "cordon:storage-guest/kv#set"}
  get: {export: "cordon:storage-guest/kv#get"}
permissions:
  required:
    - storage: {bucket: cache, access: write}
      reason: to keep
""")
        return folder

    def keep(self, folder, value="v", code=0):
        done = self.cordon("run", folder, "set", "--input", json.dumps({"bucket": "cache", "key": "k", "value": value}))
        self.assertEqual(code, done.code, done.err)
        return done

    def test_what_was_used_of_a_grant_stays_used_until_it_is_granted_again(self):
        folder = self.keeper()
        # To open the bucket is a use, and to write is one.
        self.assertEqual(0, self.grant("kv:write:cache; uses=4", "--yes").code)
        self.keep(folder)
        self.keep(folder)
        denied = self.keep(folder, code=1)
        self.assertIn("access-denied", denied.err + denied.out)
        self.assertEqual("limit:uses", self.audit()[-2]["rule"])
        self.assertIn("as long as 'kv:write:cache; uses=4' lasts", self.cordon("explain", folder).out)
        self.assertEqual(["kv:write:cache; uses=4"],
                         self.cordon("explain", folder, "--json").json["permissions"][0]["limits"])
        self.assertEqual(0, self.grant("kv:write:cache; uses=4", "--yes").code)
        self.keep(folder)
        # A flag counts for its run alone.
        self.assertEqual(0, self.cordon("plugin", "revoke", "acme/keeper").code)
        for _ in range(2):
            done = self.cordon("run", folder, "set", "--input", '{"bucket": "cache", "key": "k", "value": "v"}',
                               "--grant", "kv:write:cache; uses=2")
            self.assertEqual(0, done.code, done.err)

    def test_bytes_go_by_as_far_as_they_were_granted(self):
        folder = self.keeper()
        self.assertEqual(0, self.grant("kv:write:cache; bytes=10B", "--yes").code)
        self.keep(folder, "123456")
        self.keep(folder, "12345", code=1)
        self.assertEqual("limit:bytes", self.audit()[-2]["rule"])
        self.keep(folder, "1234")
        self.keep(folder, "", code=1)

    def test_a_rate_holds_between_runs(self):
        folder = self.keeper()
        self.assertEqual(0, self.grant("kv:write:cache; rate=2/h", "--yes").code)
        self.keep(folder)
        self.keep(folder, code=1)
        self.assertEqual("limit:rate", self.audit()[-2]["rule"])

    def test_a_grant_ends_with_its_time(self):
        folder = self.plugin(NEEDS)
        self.assertEqual(0, self.grant("clock:fine; until=2020-01-01T00:00:00Z", "--yes").code)
        done = self.cordon("run", folder, *CALL)
        self.assertEqual(3, done.code)
        self.assertIn("limit:until", done.err)
        self.assertEqual(0, self.grant("clock:fine; until=2999-01-01T00:00:00Z", "--yes").code)
        self.assertEqual("3\n", self.cordon("run", folder, *CALL).out)

    def test_a_running_call_ends_when_what_it_holds_is_taken_back(self):
        folder = self.plugin(NEEDS, wasm=module([("add", *SPIN[1:])]))
        self.assertEqual(0, self.grant("clock:fine", "--yes").code)
        running = self.start("run", folder, "--timeout", "30s", "--input", "{}")
        for _ in range(HANG_SECONDS * 10):
            if (self.state / "audit.jsonl").exists() and any(r["event"] == "load" for r in self.audit()):
                break
            time.sleep(0.1)
        self.assertEqual(0, self.cordon("plugin", "revoke", "acme/adder", "clock:fine").code)
        out, err = running.communicate(timeout=HANG_SECONDS)
        self.assertEqual(3, running.returncode, err)
        self.assertIn(b"clock:fine of acme/adder was taken back", err)

    def test_without_names_what_is_required_is_granted(self):
        self.plugin(NEEDS)
        document = self.grant("--yes", "--json").json
        self.assertEqual(["clock:fine"], document["added"])
        self.assertEqual([], self.grant("--yes", "--json").json["added"])

    def test_everything_is_shown_and_escaped(self):
        self.plugin(NEEDS)
        done = self.grant("--yes")
        self.assertEqual("", done.out)
        for part in ("acme/adder", "artifact sha256:", "manifest sha256:", "+ clock:fine", "reason: to measure"):
            self.assertIn(part, done.err)
        self.assert_no_controls(done.err)

    def test_without_a_terminal_yes_is_needed(self):
        self.plugin(NEEDS)
        done = self.grant("clock:fine", stdin="y\n")
        self.assertEqual(2, done.code)
        self.assertIn("--yes", done.err)
        self.assertFalse((self.state / "grants.yaml").exists())

    def answer(self, text, *extra):
        master, slave = pty.openpty()
        words = [BIN, "plugin", "grant", str(self.tmp / "plugin"), "clock:fine", *extra]
        child = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=self.environment())
        os.close(slave)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(master, 4096)
        os.write(master, text)
        code = child.wait(HANG_SECONDS)
        os.close(master)
        return code, shown.decode()

    def test_on_a_terminal_it_asks(self):
        self.plugin(NEEDS)
        code, shown = self.answer(b"n\n", "--quiet")
        self.assertEqual(3, code)
        self.assertIn("clock:fine", shown)  # a question never hides what it is about
        self.assertFalse((self.state / "grants.yaml").exists())
        self.assertEqual(0, self.answer(b"y\n")[0])
        self.assertTrue((self.state / "grants.yaml").is_file())

    def test_ctrl_c_at_the_question_grants_nothing(self):
        self.plugin(NEEDS)
        master, slave = pty.openpty()
        child = subprocess.Popen([BIN, "plugin", "grant", str(self.tmp / "plugin"), "clock:fine"], stdin=slave,
                                 stdout=slave, stderr=slave, env=self.environment(), start_new_session=True)
        os.close(slave)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(master, 4096)
        child.send_signal(2)
        self.assertEqual(130, child.wait(HANG_SECONDS))
        os.close(master)
        self.assertFalse((self.state / "grants.yaml").exists())
        self.assert_no_leftovers()

    def test_grants_are_audited_and_private(self):
        self.plugin(NEEDS)
        self.grant("clock:fine", "--yes")
        self.cordon("plugin", "revoke", "acme/adder")
        grant, revoke = [r for r in self.audit() if r["event"] in ("grant", "revoke")]
        self.assertEqual(("clock:fine", "acme/adder"), (grant["capability"], grant["plugin"]))
        self.assertTrue(grant["actor"])
        self.assertEqual("clock:fine", revoke["capability"])
        self.assertEqual(0o600, (self.state / "grants.yaml").stat().st_mode & 0o777)
        self.assertEqual(0, self.cordon("trail", "verify").code)
        self.assert_no_leftovers()

    def test_changed_bytes_run_nothing_until_granted_again(self):
        folder = self.plugin(NEEDS)
        self.grant("clock:fine", "--yes")
        self.plugin(NEEDS, wasm=module([ADD, TRAP]))
        done = self.cordon("run", folder, *CALL)
        self.assertEqual((3, ""), (done.code, done.out))
        self.assertIn("error[E_CHANGED]", done.err)
        looked = self.cordon("inspect", folder)
        self.assertEqual(0, looked.code)
        self.assertIn("warning: ", looked.err)
        again = self.grant("--yes")
        self.assertIn("has changed since it was granted anything", again.err)
        self.assertEqual("3\n", self.cordon("run", folder, *CALL).out)

    def test_changed_manifest_runs_nothing_until_granted_again(self):
        folder = self.plugin(NEEDS)
        self.grant("clock:fine", "--yes")
        self.plugin(NEEDS + "  optional:\n    - environment: [TOKEN]\n")
        done = self.cordon("run", folder, *CALL, "--json")
        self.assertEqual("E_CHANGED", done.json["error"]["code"])
        self.assertIn("env:TOKEN", done.json["error"]["message"])

    def test_grants_of_a_file(self):
        folder = self.plugin(NEEDS)
        self.grant("clock:fine", "--yes")
        kept = self.write("grants.yaml", (self.state / "grants.yaml").read_bytes())
        self.cordon("plugin", "revoke", "acme/adder")
        self.assertEqual(3, self.cordon("run", folder, *CALL).code)
        self.assertEqual("3\n", self.cordon("run", folder, *CALL, "--grants", kept).out)
        explained = self.cordon("explain", folder, "--what-if", kept, "--json").json
        self.assertEqual((True, "effective"), (explained["runnable"], explained["permissions"][0]["state"]))
        explained = self.cordon("explain", folder, "--json").json
        self.assertEqual((False, "denied", "clock:fine"),
                         (explained["runnable"], *[explained["permissions"][0][k] for k in ("state", "grant")]))
        self.plugin(NEEDS, wasm=module([ADD, TRAP]))
        self.assertEqual(3, self.cordon("run", folder, *CALL, "--grants", kept).code)

    def test_bad_grants_change_nothing(self):
        self.plugin(NEEDS)
        self.grant("clock:fine", "--yes")
        before = (self.state / "grants.yaml").read_bytes()
        for text, code, name in (("nonsense:x", 4, "E_SYNTAX"), ("fs:read:/data=/etc", 3, "E_GRANT_FORBIDDEN"),
                                 ("http:GET:https://*/", 3, "E_GRANT_TOO_WIDE"), ("env:X; session", 2, "E_USAGE"),
                                 ("env:X; uses=3", 4, "E_UNENFORCEABLE")):
            done = self.grant(text, "--yes")
            self.assertIn(f"error[{name}]", done.err, text)
            self.assertEqual((code, ""), (done.code, done.out), done.err)
        self.assertEqual(before, (self.state / "grants.yaml").read_bytes())

    def test_broken_grants_file_stops_the_run_with_its_place(self):
        folder = self.plugin(NEEDS)
        self.grant("clock:fine", "--yes")
        path = self.state / "grants.yaml"
        path.write_text(path.read_text().replace("granted:", "grantd:"))
        done = self.cordon("run", folder, *CALL)
        self.assertEqual((4, ""), (done.code, done.out))
        self.assertRegex(done.err, r"grants\.yaml:\d+:\d+")
        self.assertIn("did you mean 'granted'?", done.err)

    def test_grants_file_that_others_can_write_is_refused(self):
        folder = self.plugin(NEEDS)
        self.grant("clock:fine", "--yes")
        (self.state / "grants.yaml").chmod(0o666)
        done = self.cordon("run", folder, *CALL)
        self.assertEqual((8, ""), (done.code, done.out))
        self.assertIn("can be written by others", done.err)

    def test_grants_cannot_be_written_to_a_read_only_folder(self):
        folder = self.plugin(NEEDS)
        self.state.mkdir()
        if os.geteuid() == 0:
            os.chown(self.state, NOBODY, NOBODY)
        self.state.chmod(0o500)
        done = self.cordon("plugin", "grant", folder, "clock:fine", "--yes", **as_nobody())
        self.state.chmod(0o700)
        self.assertEqual((8, ""), (done.code, done.out))
        self.assertIn("error[E_AUDIT_UNAVAILABLE]", done.err)
        self.assertEqual([], list(self.state.iterdir()))

    def test_a_bare_module_cannot_be_granted_for_good(self):
        path = self.write("x.wasm", module([ADD]))
        self.assertEqual(2, self.cordon("plugin", "grant", path, "env:X", "--yes").code)

    def test_two_at_once_lose_nothing(self):
        self.plugin(NEEDS + "  optional:\n    - environment: [A, B, C, D]\n")
        self.grant("--yes")
        children = [self.start("plugin", "grant", self.tmp / "plugin", f"env:{name}", "--yes") for name in "ABCD"]
        codes = [(child.communicate(timeout=HANG_SECONDS), child.returncode)[1] for child in children]
        granted = self.cordon("plugin", "grants", "--json").json["grants"][0]["granted"]
        self.assertEqual({0, 8} | set(codes), {0, 8})  # one that found the grants changed says so (E_BUSY)
        self.assertEqual(1 + codes.count(0), len(granted))
        self.assertEqual(0, self.cordon("trail", "verify").code)

    def test_attack_33_folders_that_nobody_may_map(self):
        folder = self.plugin("permissions:\n  optional:\n    - files: { mount: /data, from: workspace }\n")
        self.cordon("trail", "verify")
        self.state.mkdir(exist_ok=True, mode=0o700)
        for path in ("/", "..", "~", "$HOME", "/proc", "/proc/self", "/sys", "/dev", self.state, self.tmp):
            for words in (["run", folder, "--mount", f"{path}:/data"],
                          ["run", folder, "--grant", "fs:read:/data=workspace", "--root", f"workspace={path}"],
                          ["plugin", "grant", folder, "fs:read:/data=workspace", "--yes", "--root",
                           f"workspace={path}"]):
                done = self.cordon(*words, *(CALL if words[0] == "run" else []))
                self.assertEqual((3, ""), (done.code, done.out), f"{words}\n{done.err}")
                self.assertIn("error[E_GRANT_FORBIDDEN]", done.err)
                if words[0] == "run" and self.audit():
                    self.assertEqual(("deny", "E_GRANT_FORBIDDEN"), (self.audit()[-1]["decision"],
                                                                     self.audit()[-1]["code"]))

    def test_a_mount_has_the_access_of_its_flag_whatever_was_granted_before(self):
        wants = "files: { mount: /data, from: workspace, access: write }"
        folder = self.plugin(f"permissions:\n  optional:\n    - {wants}\n")
        (self.tmp / "work").mkdir()
        (self.tmp / "other").mkdir()
        done = self.grant("fs:write:/data=workspace", "--yes", "--root", f"workspace={self.tmp / 'work'}")
        self.assertEqual(0, done.code, done.err)
        self.assertIn("fs:write:/data", self.cordon("explain", folder, "--json").out)
        self.cordon("run", folder, *CALL, "--mount", f"{self.tmp / 'other'}:/data:ro")
        effective = [line["capability"] for line in self.audit() if line.get("capability", "").startswith("fs:")]
        self.assertEqual("fs:read:/data=workspace", effective[-1])

    def test_unused_grants_are_named(self):
        folder = self.plugin()
        document = self.cordon("explain", folder, "--grant", "env:X", "--json").json
        self.assertEqual(["env:X"], document["unused_grants"])


if __name__ == "__main__":
    unittest.main()
