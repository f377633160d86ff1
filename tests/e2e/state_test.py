#!/usr/bin/env python3
"""The state folder: made when it is missing, refused when it cannot be trusted or written. Then nothing runs."""
import csv
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import unittest

from cordon import ADD, BIN, HANG_SECONDS, NOBODY, CordonTest, as_nobody, module

CALL = ["--input", '{"p0": 1, "p1": 2}']


class Tests(CordonTest):
    def setUp(self):
        super().setUp()
        self.wasm = self.write("x.wasm", module([ADD]))

    def assert_nothing_runs(self, **options):
        done = self.cordon("run", self.wasm, *CALL, **options)
        self.assertEqual((8, ""), (done.code, done.out), done.err)
        self.assertIn("error[E_AUDIT_UNAVAILABLE]", done.err)
        document = self.cordon("run", self.wasm, *CALL, "--json", **options)
        self.assertEqual((8, ""), (document.code, document.err))
        self.assertEqual("E_AUDIT_UNAVAILABLE", document.json["error"]["code"])
        self.assertNotIn("output", document.json)
        return done

    def own(self, folder):
        """A folder that belongs to whoever `as_nobody` makes of us."""
        folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        return folder

    def test_it_is_made_closed_to_others(self):
        self.assertEqual(0, self.cordon("run", self.wasm, *CALL).code)
        self.assertEqual(0o700, self.state.stat().st_mode & 0o777)
        self.assertEqual(0o600, (self.state / "audit.jsonl").stat().st_mode & 0o777)

    def test_it_is_found_by_the_environment(self):
        env = {"CORDON_HOME": None}
        self.assertEqual(0, self.cordon("run", self.wasm, *CALL, env=env).code)
        self.assertTrue((self.home / ".local/state/cordon/audit.jsonl").is_file())
        env["XDG_STATE_HOME"] = str(self.tmp / "xdg")
        self.assertEqual(0, self.cordon("run", self.wasm, *CALL, env=env).code)
        self.assertTrue((self.tmp / "xdg/cordon/audit.jsonl").is_file())

    def test_without_a_home_nothing_runs(self):
        self.assert_nothing_runs(env={"CORDON_HOME": None, "HOME": None})
        self.assert_nothing_runs(env={"CORDON_HOME": "not/absolute"})

    def test_every_run_is_recorded(self):
        self.cordon("run", self.wasm, *CALL)
        self.assertEqual(["load", "call"], [record["event"] for record in self.audit()])
        self.assertEqual(0, self.cordon("trail", "verify").code)

    def test_attack_103_read_only_folder(self):
        self.own(self.state).chmod(0o500)
        try:
            self.assert_nothing_runs(**as_nobody())
        finally:
            self.state.chmod(0o700)
        # As soon as it can be written again, all is well.
        done = self.cordon("run", self.wasm, *CALL, **as_nobody())
        self.assertEqual(0, done.code, done.err)

    def test_attack_103_folder_that_cannot_be_made(self):
        self.own(self.tmp / "closed").chmod(0o500)
        self.assert_nothing_runs(env={"CORDON_HOME": str(self.tmp / "closed/state")}, **as_nobody())

    def test_attack_103_log_that_may_not_grow(self):
        self.cordon("run", self.wasm, *CALL)
        size = (self.state / "audit.jsonl").stat().st_size

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))

        self.assert_nothing_runs(preexec_fn=limit)
        self.assertEqual(0, self.cordon("run", self.wasm, *CALL).code)
        self.assertEqual(0, self.cordon("trail", "verify").code)

    def test_attack_103_full_disk(self):
        script = """mount -t tmpfs -o size=64k,mode=700 none "$CORDON_HOME" || exit 99
            head -c 1000000 /dev/zero > "$CORDON_HOME/filler" 2>/dev/null
            "$0" "$@"; code=$?
            rm "$CORDON_HOME/filler"; "$0" "$@" || exit 98
            exit $code"""
        self.state.mkdir()
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, BIN, "run", self.wasm, *CALL], text=True,
                              capture_output=True, env=self.environment(), timeout=HANG_SECONDS) \
            if shutil.which("unshare") and os.geteuid() == 0 else None  # fmt: skip
        if done is None or done.returncode in (1, 99):
            self.skipTest("no file system of our own can be mounted here")
        self.assertEqual(8, done.returncode, done.stderr)
        self.assertIn("error[E_AUDIT_UNAVAILABLE]", done.stderr)
        self.assertEqual("3\n", done.stdout)  # of the second run only, when there was room again

    def test_folder_of_somebody_else(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give a folder away")
        self.state.mkdir(mode=0o700)
        os.chown(self.state, NOBODY, NOBODY)
        self.assert_nothing_runs()
        grants = self.cordon("plugin", "grants")
        self.assertEqual(8, grants.code)
        self.assertIn("belongs to another user", grants.err)
        self.assertEqual([], list(self.state.iterdir()))

    def test_folder_that_others_can_write(self):
        self.state.mkdir()
        self.state.chmod(0o777)
        self.assert_nothing_runs()

    def test_folder_that_is_a_symbolic_link(self):
        (self.tmp / "elsewhere").mkdir(mode=0o700)
        self.state.symlink_to(self.tmp / "elsewhere")
        self.assert_nothing_runs()
        self.assertEqual([], list((self.tmp / "elsewhere").iterdir()))

    def test_looking_needs_no_state(self):
        self.own(self.state).chmod(0o500)
        for command in ("inspect", "explain"):
            self.assertEqual(0, self.cordon(command, self.wasm, **as_nobody()).code)
        self.state.chmod(0o700)
        self.assertEqual([], list(self.state.iterdir()))

    def test_attack_102_changed_log_is_found(self):
        for _ in range(3):
            self.cordon("run", self.wasm, *CALL)
        log = self.state / "audit.jsonl"
        lines = log.read_bytes().splitlines(keepends=True)
        edited = [lines[0], lines[1].replace(b'"x"', b'"y"'), *lines[2:]]
        for content in (edited, [lines[0], *lines[2:]], [lines[1], lines[0], *lines[2:]]):
            log.write_bytes(b"".join(content))
            done = self.cordon("trail", "verify")
            self.assertEqual((6, ""), (done.code, done.out))
            self.assertIn("error[E_DIGEST]: the audit log is not as it was written: line ", done.err)
            self.assertEqual(6, self.cordon("trail", "verify", "--json").code)
        log.write_bytes(b"".join(lines))
        whole = self.cordon("trail", "verify").out
        self.assertTrue(whole.startswith("9 records, the chain is whole\n3 checkpoints hold"), whole)
        key = self.write("log.pub", self.cordon("trail", "key").out)
        self.assertEqual(0, self.cordon("trail", "verify", "--key", key).code)

    def test_the_log_is_exported(self):
        self.cordon("run", self.wasm, *CALL)
        self.write("y.wasm", module([ADD], imports=[("env", "=cmd|' /C calc'!A0\r\n,\"")]))
        self.cordon("run", "y.wasm")
        lines = [json.loads(line) for line in self.cordon("trail", "export").out.splitlines()]
        self.assertEqual((self.state / "audit.jsonl").read_text().count("\n"), len(lines))
        denied = self.cordon("trail", "export", "--decision", "deny", "--plugin", "y").out.splitlines()
        self.assertEqual(["y"] * len(denied), [json.loads(line)["plugin"] for line in denied])
        self.assertGreater(len(denied), 0)
        self.assertEqual("", self.cordon("trail", "export", "--until", "2001-01-01").out)
        late = self.cordon("trail", "export", "--since", "2001-01-01T00:00:00Z").out.splitlines()
        self.assertEqual(len(lines), len(late))
        self.assertEqual(2, self.cordon("trail", "export", "--since", "yesterday").code)
        table = list(csv.reader(io.StringIO(self.cordon("trail", "export", "--format", "csv").out)))
        self.assertEqual(["seq", "time", "event"], table[0][:3])
        self.assertEqual(len(lines) + 1, len(table))
        for row in table:
            for cell in row:
                self.assertNotIn(cell[:1], ("=", "+", "-", "@"))

    def test_trail_shows_and_filters(self):
        self.assertEqual(7, self.cordon("trail", "show").code)
        self.cordon("run", self.wasm, *CALL)
        self.write("y.wasm", module([ADD], imports=[("env", "system")]))
        self.cordon("run", "y.wasm")
        self.assertEqual(1, len(self.cordon("trail", "show", "--lines", "1").out.splitlines()))
        calls = self.cordon("trail", "show", "--event", "call", "--json").out.splitlines()
        self.assertEqual(1, len(calls))
        self.assertIn('"action":"add"', calls[0])
        for line in self.cordon("trail", "show", "--plugin", "y").out.splitlines():
            self.assertIn(" y ", line)
            self.assertIn("E_LINK", line)


if __name__ == "__main__":
    unittest.main()
