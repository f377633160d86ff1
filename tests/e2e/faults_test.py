#!/usr/bin/env python3
"""What the machine does to whoever runs plugins: its disk is full, its clock jumps. In this process and in workers."""
import os
import pathlib
import shutil
import subprocess
import unittest

from cordon import BIN, HANG_SECONDS, CordonTest

GUESTS = pathlib.Path(os.environ["CORDON_GUESTS"])
FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
CALL = ["--input", '{"p0": 1, "p1": 2}']


class Tests(CordonTest):
    def places(self):
        """The flags of each place."""
        for isolation in ("{enabled: false}", "{enabled: true}"):
            yield ["--config", self.write("config.yaml", f"plugins: {{isolation: {isolation}}}\n")]

    def test_attack_103_a_disk_that_is_full_costs_a_call_and_no_record(self):
        script = """mount -t tmpfs -o size=64k,mode=700 none "$CORDON_HOME" || exit 99
            head -c 1000000 /dev/zero > "$CORDON_HOME/filler" 2>/dev/null
            "$0" "$@"; code=$?
            rm "$CORDON_HOME/filler"; "$0" "$@" && "$0" trail verify >&2 || exit 98
            exit $code"""
        if shutil.which("unshare") is None or os.geteuid() != 0:
            self.skipTest("no file system of our own can be mounted here")
        wasm = self.plugin()
        self.state.mkdir()
        for flags in self.places():
            done = subprocess.run(["unshare", "-m", "sh", "-c", script, BIN, "run", wasm, *CALL, *flags], text=True,
                                  capture_output=True, env=self.environment(), timeout=HANG_SECONDS)  # fmt: skip
            if done.returncode in (1, 99):
                self.skipTest("no file system of our own can be mounted here")
            self.assertEqual(8, done.returncode, done.stderr)
            self.assertIn("error[E_AUDIT_UNAVAILABLE]", done.stderr)
            self.assertEqual("3\n", done.stdout)  # of the second run only, when there was room again

    def faked(self, *words, clock, **options):
        self.assertIsNotNone(FAKETIME, "the package libfaketime is missing: tools/setup.sh")
        env = self.environment(LD_PRELOAD=str(FAKETIME), FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1",
                               FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1")  # fmt: skip
        return subprocess.Popen([BIN, *map(str, words)], text=True, cwd=self.tmp, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # fmt: skip

    def test_a_clock_that_jumps_neither_ends_a_call_nor_keeps_it(self):
        tool = GUESTS / "command_p1.wasm"
        clock = self.write("clock", "+0\n")
        for flags in self.places():
            for jump in ("+400d\n", "-400d\n"):
                clock.write_text("+0\n")
                sleeping = self.faked("run", *flags, "--timeout", "25s", tool, "--", "sleep", "50", clock=clock)
                spinning = self.faked("run", *flags, "--timeout", "1500ms", tool, "--", "spin", clock=clock)
                self.assertEqual("asleep\n", sleeping.stdout.readline())
                clock.write_text(jump)
                _, said = spinning.communicate(timeout=HANG_SECONDS)
                self.assertIn("E_TIMEOUT", said)
                self.assertIsNone(sleeping.poll(), "its time is not over")
                sleeping.terminate()
                sleeping.communicate(timeout=HANG_SECONDS)

    def test_a_clock_that_goes_back_leaves_a_trail_that_can_be_verified(self):
        wasm = self.plugin()
        clock = self.write("clock", "+0\n")
        for flags in self.places():
            for jump in ("+400d\n", "-400d\n", "+0\n"):
                clock.write_text(jump)
                out, said = self.faked("run", wasm, *CALL, *flags, clock=clock).communicate(timeout=HANG_SECONDS)
                self.assertEqual("3\n", out, said)
        self.assertEqual(3, len({record["time"][:4] for record in self.audit()}), "it did jump")
        verified = self.cordon("trail", "verify")
        self.assertEqual(0, verified.code, verified.err)


if __name__ == "__main__":
    unittest.main()
