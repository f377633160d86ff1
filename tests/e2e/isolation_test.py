#!/usr/bin/env python3
"""plugins.isolation of config.yaml, key by key: what each changes for a plugin that is isolated, and for no other.
Which place is chosen is in placement_test.py, what a missing one means in run_test.py."""
import os
import pathlib
import time
import unittest

from cordon import ADD, I32, SPIN, CordonTest, module

CALL = ["--input", '{"p0": 1, "p1": 2}']
GROW = ("grow", [I32], [I32], b"\x20\x00\x40\x00")  # memory.grow
PAGES_OF_32_MIB = '{"p0": 512}'
TICKS = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """The fields of /proc/PID/stat from the state on; none when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def children(parent):
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        fields = stat(folder.name) if folder.name.isdigit() else []
        if fields and fields[1] == str(parent) and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def group_of(pid, controller):
    """Where its control group of version 1 is; none where there is no such hierarchy."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return pathlib.Path(f"/sys/fs/cgroup/{controllers}{path}")
    return None


class Tests(CordonTest):
    def setUp(self):
        super().setUp()
        self.folder = self.plugin("", wasm=module([ADD, SPIN, GROW]))
        text = (self.folder / "plugin.yaml").read_text()
        (self.folder / "plugin.yaml").write_text(text.replace("  add: {}\n", "  add: {}\n  spin: {}\n  grow: {}\n"))

    def isolation(self, text, tail=""):
        return ["--config", self.write("config.yaml", f"plugins:\n  isolation: {text}\n{tail}")]

    def spinning(self, isolation):
        """A run that never ends by itself, its host and its workers."""
        running = self.start("run", self.folder, "spin", "--timeout", "30s", *self.isolation(isolation))
        self.addCleanup(running.communicate)
        self.addCleanup(running.kill)
        for _ in range(1000):
            keepers = children(running.pid)
            made = [worker for keeper in keepers for worker in children(keeper)]
            # A keeper also makes processes that only try what the system allows.
            workers = [worker for worker in made if int((stat(worker) or [0] * 12)[11]) >= 3]
            if workers or (not keepers and int(stat(running.pid)[11]) > TICKS // 2):
                return running.pid, workers
            time.sleep(0.01)
        self.fail("it does not run")

    def test_enabled_is_a_process_of_its_own_that_can_do_nothing(self):
        host, workers = self.spinning("{enabled: true}")
        self.assertEqual(1, len(workers))
        status = pathlib.Path(f"/proc/{workers[0]}/status").read_text()
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertIn("Seccomp:\t2", status)
        for kind in ("net", "pid", "mnt", "ipc", "uts"):
            try:
                own = os.readlink(f"/proc/{workers[0]}/ns/{kind}")
            except PermissionError:
                continue
            self.assertNotEqual(os.readlink(f"/proc/{host}/ns/{kind}"), own)

    def test_without_it_there_is_no_other_process(self):
        for isolation in ("{enabled: false}", "{enabled: true, backend: in-process}", "{force: [untrusted/*]}"):
            self.assertEqual([], self.spinning(isolation)[1], isolation)

    def test_force_is_a_glob_and_holds_whatever_else_is_said(self):
        for isolation in ('{enabled: false, force: ["acme/*"]}', '{force: ["*/adder"], backend: in-process}'):
            done = self.cordon("run", self.folder, "add", *CALL, "--json", *self.isolation(isolation))
            self.assertEqual({"where": "worker", "rule": "plugins.isolation.force"}, done.json["placement"])
        for pattern in ("acme/other", "other/*", "acme/add", "acme"):
            done = self.cordon("run", self.folder, "add", *CALL, "--json", *self.isolation(f'{{force: ["{pattern}"]}}'))
            if done.code == 0:
                self.assertEqual("in-process", done.json["placement"]["where"], pattern)
            else:
                self.assertIn("plugins.isolation.force", done.out, pattern)

    def test_timeout_is_for_what_is_isolated(self):
        own = {"value": "200ms", "decided_by": "plugins.isolation.timeout"}
        for isolation, is_own in (("{enabled: true, timeout: 200ms}", True), ("{timeout: 200ms}", False),
                                  ("{enabled: true, timeout: 1h}", False)):  # fmt: skip
            shown = self.cordon("inspect", self.folder, "--json", *self.isolation(isolation)).json
            self.assertEqual(is_own, shown["limits"]["timeout"] == own, isolation)
        done = self.cordon("run", self.folder, "spin", "--json", *self.isolation("{enabled: true, timeout: 200ms}"))
        self.assertEqual((5, "E_TIMEOUT"), (done.code, done.json["error"]["code"]))

    def test_max_memory_is_for_what_is_isolated(self):
        def grown(isolation):
            return self.cordon("run", self.folder, "grow", "--input", PAGES_OF_32_MIB, *self.isolation(isolation)).out

        self.assertEqual("-1\n", grown("{enabled: true, limits: {max_memory: 16MiB}}"))
        self.assertEqual("1\n", grown("{enabled: true, limits: {max_memory: 64MiB}}"))
        self.assertEqual("1\n", grown("{limits: {max_memory: 16MiB}}"))

    def test_max_cpu_holds_a_call_to_its_share(self):
        begun = time.monotonic()
        _, workers = self.spinning("{enabled: true, limits: {max_cpu: 0.3}}")
        time.sleep(1)
        used = sum(int(one) for one in stat(workers[0])[11:13]) / TICKS
        # However busy the machine is: never more. A slice that was begun is ended.
        self.assertLess(used, 0.3 * (time.monotonic() - begun) + 0.2)

    def test_control_groups_hold_the_same_where_they_can_be_had(self):
        memory = group_of("self", "memory")
        if memory is None or not os.access(memory, os.W_OK):
            self.skipTest("this system lets this process have no control groups of version 1")
        _, workers = self.spinning("{enabled: true, limits: {max_cpu: 0.5, max_memory: 32MiB}}")
        memory, pids, cpu = (group_of(workers[0], one) for one in ("memory", "pids", "cpu"))
        for _ in range(500):  # it has just been made
            if "cordon-" in str(cpu):
                break
            time.sleep(0.01)
            memory, pids, cpu = (group_of(workers[0], one) for one in ("memory", "pids", "cpu"))
        # Input and output twice, and 64 MiB for the worker; a sanitizer needs 1 GiB.
        guest = 32 + 2 * (8 + 8)
        self.assertIn((int((memory / "memory.limit_in_bytes").read_text()) >> 20) - guest, (64, 1024))
        self.assertEqual("64", (pids / "pids.max").read_text().strip())
        quota, period = (int((cpu / f"cpu.cfs_{one}_us").read_text()) for one in ("quota", "period"))
        self.assertEqual(0.5, quota / period)
        home = pids.parent
        self.doCleanups()  # the host is killed
        for _ in range(500):
            try:
                if not (pids / "tasks").read_text():
                    break
            except FileNotFoundError:  # another host of this machine was the next one
                break
            time.sleep(0.01)
        self.setUp()
        self.assertEqual("3\n", self.cordon("run", self.folder, "add", *CALL, *self.isolation("{enabled: true}")).out)
        self.assertFalse(home.exists(), "the next host removes what a killed one left")

    def test_network_is_what_was_granted_and_enabled(self):
        wants = "permissions:\n  required:\n    - http: {url: \"https://api.example.com/*\", methods: [GET]}\n"
        folder = self.plugin(wants)
        grant = ["--grant", "http:GET:https://api.example.com/*", "--json"]
        for isolation, works in (("{enabled: true}", False), ("{enabled: true, network_enabled: true}", True),
                                 ("{enabled: false}", True), ("{force: [acme/adder]}", False)):  # fmt: skip
            words = ["run", folder, "add", *CALL, *grant, *self.isolation(isolation)]
            done = self.cordon(*words)
            self.assertEqual(works, done.code == 0, (isolation, done.out))
            if not works:
                self.assertIn("plugins.isolation", done.out)
        self.assertIn("E_DENIED", self.cordon(*words).out)

    def test_a_worker_that_does_not_start_runs_nothing_in_process(self):
        binary = pathlib.Path(self.binary({"user": 0}))
        (binary.parent / "cordon-worker").unlink()
        os.symlink("/bin/false", binary.parent / "cordon-worker")
        done = self.cordon("run", self.folder, "add", *CALL, *self.isolation("{enabled: true}"), user=os.geteuid())
        self.assertEqual("", done.out)
        self.assertIn("E_UNAVAILABLE", done.err)

    def test_attack_11_what_is_not_wasm_reaches_no_worker(self):
        whole = module([ADD])
        for content in (b"", b"\0asm", whole[:-3], b"(module)", b"\x7fELF" + whole, b"\0asm\1\0\0\0" + b"\xff" * 100):
            path = self.write("x.wasm", content)
            done = self.cordon("run", path, "--verbose", *self.isolation("{enabled: true}"))
            self.assertEqual((4, ""), (done.code, done.out), content[:20])
            self.assertRegex(done.err, r"error\[E_(NOT_WASM|PRECOMPILED|COMPILE)\]: ")


if __name__ == "__main__":
    unittest.main()
