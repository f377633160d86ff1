#!/usr/bin/env python3
"""The process that compiles: what it is cut off from, and that it goes without what the kernel refuses."""
import json
import os
import pathlib
import subprocess
import time
import unittest

from cordon import ADD, BIN, HANG_SECONDS, CordonTest, big_module, module

COMPILER = pathlib.Path(BIN).with_name("cordon-compile")
KINDS = {"user": "user", "net": "net", "mount": "mnt", "ipc": "ipc", "uts": "uts"}  # as /proc calls them


def until(found, what):
    end = time.monotonic() + HANG_SECONDS
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.002)
    raise AssertionError(f"in vain: {what}")


def status(process):
    try:
        text = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


class Tests(CordonTest):
    def compiling(self):
        """A run that compiles for seconds, and the number of its compiler, once that is confined."""
        run = self.start("run", self.write("big.wasm", big_module()), "f0", "--no-cache")
        self.addCleanup(run.communicate)
        self.addCleanup(run.kill)

        def child():
            children = pathlib.Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
            return next((c for c in children if status(c).get("Seccomp") == "2"), None)
        return run, until(child, "a compiler with a filter")

    def report(self, **options):
        done = subprocess.run([COMPILER, "--json"], capture_output=True, text=True, check=True, timeout=HANG_SECONDS,
                              **options)
        return json.loads(done.stdout)

    def test_attack_10_the_compiler_is_cut_off(self):
        report = self.report()
        self.assertTrue(report["no_new_privs"] and report["seccomp"], report)
        _, compiler = self.compiling()
        self.assertEqual("1", status(compiler)["NoNewPrivs"])
        if os.geteuid() != 0:
            self.skipTest("only root sees the namespaces of a process that cannot be traced")
        for name in report["namespaces"]:
            kind = KINDS[name]
            self.assertNotEqual(os.readlink(f"/proc/self/ns/{kind}"), os.readlink(f"/proc/{compiler}/ns/{kind}"), name)

    def test_attack_10_the_compiler_ends_with_its_host(self):
        run, compiler = self.compiling()
        run.kill()
        run.wait(HANG_SECONDS)
        until(lambda: status(compiler).get("State", "Z").startswith("Z"), "the end of the compiler")

    def test_goes_without_the_namespaces_that_the_kernel_refuses(self):
        plugin = self.write("x.wasm", module([ADD]))
        script = ('echo 0 > /proc/sys/user/max_user_namespaces; echo 0 > /proc/sys/user/max_net_namespaces\n'
                  '"$1" --json; "$2" run "$3" --no-cache --input \'{"p0": 1, "p1": 2}\'')
        done = subprocess.run(["unshare", "-rm", "sh", "-ec", script, "sh", COMPILER, BIN, plugin], capture_output=True,
                              env=self.environment(), text=True, timeout=HANG_SECONDS, check=False)
        if done.returncode and not done.stdout:
            self.skipTest("no namespaces to refuse here: " + done.stderr.strip())
        report, answer = done.stdout.splitlines()
        self.assertNotIn("user", json.loads(report)["namespaces"])
        self.assertNotIn("net", json.loads(report)["namespaces"])
        self.assertTrue(json.loads(report)["seccomp"])
        self.assertEqual("3", answer)


if __name__ == "__main__":
    unittest.main()
