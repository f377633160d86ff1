#!/usr/bin/env python3
"""`cordon run` compiles a plugin once, and nothing that happens to the folder in between changes what runs."""
import os
import shutil
import signal
import subprocess
import time
import unittest

from cordon import ADD, BIN, GUESTS, HANG_SECONDS, CordonTest, module

ACTION = "cordon:bench/calls#add"


class Tests(CordonTest):
    def setUp(self):
        super().setUp()
        self.folder = self.state / "cache" / "code"
        self.wasm = self.tmp / "bench.wasm"
        shutil.copyfile(GUESTS / "bench.wasm", self.wasm)

    def words(self, *options):
        return ["run", self.wasm, ACTION, "--input", '{"a": 40, "b": 2}', "--verbose", *options]

    def run_sum(self, *options, **keywords):
        """Whether it was compiled; the answer is right in any case."""
        done = self.cordon(*self.words(*options), **keywords)
        self.assertEqual((0, "42\n"), (done.code, done.out), done.err)
        self.assertLessEqual(done.err.count("cordon: compiling"), 1, done.err)
        return "cordon: compiling" in done.err

    def entry(self):
        (found,) = self.folder.glob("*.code")
        return found

    def partials(self):
        return [path.name for path in self.folder.glob("partial-*")]

    def notes(self):
        """What the trail says of the cache, as the command shows it."""
        return [line for line in self.cordon("trail", "show", "--event", "note").out.splitlines()
                if "code-cache:" in line]

    def attack(self, change, rule):
        """Does something to the entry between two runs: it is not used, and one line of the trail names it."""
        if not self.folder.exists():
            self.run_sum()
        entry, before = self.entry(), len(self.notes())
        change(entry)
        self.assertTrue(self.run_sum(), "what was changed is not used")
        said = self.notes()[before:]
        self.assertEqual(1, len(said), said)
        self.assertIn(entry.name, said[0])
        self.assertIn(rule, said[0])
        self.assertFalse(self.run_sum(), "what was compiled again is kept")

    def test_compiles_once(self):
        self.assertTrue(self.run_sum())
        self.assertFalse(self.run_sum())
        self.assertEqual([], self.notes())

    def test_no_cache_neither_reads_nor_writes(self):
        self.assertTrue(self.run_sum("--no-cache"))
        self.assertFalse(self.folder.exists())
        self.run_sum()
        self.assertTrue(self.run_sum("--no-cache"))

    def test_the_operator_names_folder_and_size(self):
        config = self.write("config.yaml", f"plugins: {{ cache: {{ directory: {self.tmp}/elsewhere, size: 1MiB }} }}\n")
        self.assertTrue(self.run_sum("--config", config))
        self.assertFalse(self.run_sum("--config", config))
        self.assertFalse(self.folder.exists())
        entries = self.tmp / "elsewhere" / "code"
        (old,) = entries.glob("*.code")
        os.truncate(old, 1 << 20)  # as large as all may be, and older than what comes
        os.utime(old, (1, 1))
        other = self.write("x.wasm", module([ADD]))
        run = ["run", other, "--input", '{"p0": 1, "p1": 2}']
        self.assertEqual("3\n", self.cordon(*run, "--config", config).out)
        (kept,) = entries.glob("*.code")
        self.assertNotEqual(old.name, kept.name)
        self.assertTrue(self.run_sum("--plugins-cache-directory", self.tmp / "third"))
        self.assertTrue((self.tmp / "third" / "code").is_dir())

    def test_attack_76_a_forged_entry_is_not_run(self):
        def forge(entry):
            code = bytearray(entry.read_bytes())
            code[-5] ^= 1
            entry.write_bytes(code)
        self.attack(forge, "code-cache:forged")
        self.attack(lambda entry: entry.write_bytes(b"\x90" * entry.stat().st_size), "code-cache:refused")

    def test_attack_77_the_entry_of_another_plugin_is_not_run(self):
        other = self.write("x.wasm", module([ADD]))
        self.cordon("run", other, "--input", '{"p0": 1, "p1": 2}')
        genuine = self.entry().read_bytes()
        self.entry().unlink()
        self.run_sum()
        self.attack(lambda entry: entry.write_bytes(genuine), "code-cache:refused")

    def test_attack_78_a_truncated_entry_is_not_run(self):
        self.run_sum()
        for length in (0, 95, 96, self.entry().stat().st_size - 1):
            self.attack(lambda entry, to=length: os.truncate(entry, to), "code-cache:refused")

    def test_attack_79_an_entry_of_another_key_is_not_run(self):
        self.attack(lambda _: (self.folder / "secret").unlink(), "code-cache:refused")

    def test_attack_80_links_and_pipes_are_not_followed(self):
        def to_link(entry):
            entry.rename(self.tmp / "genuine")
            entry.symlink_to(self.tmp / "genuine")

        def to_pipe(entry):
            entry.unlink()
            os.mkfifo(entry, 0o600)
        self.attack(to_link, "code-cache:refused")
        self.attack(lambda entry: os.link(entry, self.tmp / "second"), "code-cache:refused")
        self.attack(to_pipe, "code-cache:refused")
        self.attack(lambda entry: entry.chmod(0o666), "code-cache:refused")

    def test_attack_80_an_open_folder_is_not_used(self):
        self.run_sum()
        self.folder.chmod(0o770)
        done = self.cordon(*self.words())
        self.assertEqual("42\n", done.out)
        self.assertIn("is open to other users", done.err)
        self.assertIn("cordon: compiling", done.err)

    def test_attack_82_two_processes_fill_one_key(self):
        for _ in range(3):
            runs = [self.start(*self.words()) for _ in range(2)]
            for run in runs:
                out, err = run.communicate(timeout=HANG_SECONDS)
                self.assertEqual((0, b"42\n"), (run.returncode, out), err)
            self.assertEqual([], self.partials())
            self.assertFalse(self.run_sum())
            shutil.rmtree(self.folder)
        self.assertEqual([], self.notes())

    def kill(self, when):
        """Starts a run and ends it as soon as `when` says so; whether it was still running."""
        run = subprocess.Popen([BIN, *map(str, self.words())], cwd=self.tmp, env=self.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None and not when():
            pass
        run.send_signal(signal.SIGKILL)
        return run.wait(HANG_SECONDS) == -signal.SIGKILL

    def test_attack_82_killed_while_it_writes(self):
        self.run_sum()
        killed = 0
        for round_ in range(12):
            self.entry().unlink(missing_ok=True)
            if round_ % 2:
                end = time.monotonic() + 0.004 * round_
                killed += self.kill(lambda end=end: time.monotonic() > end)
            else:
                killed += self.kill(lambda: self.partials())
            for partial in self.partials():
                os.utime(self.folder / partial, (1, 1))  # its writer is gone for long
            self.run_sum()
            self.assertFalse(self.run_sum())
            self.assertEqual([], self.partials())
        self.assertGreater(killed, 0)
        self.assertEqual([], self.notes(), "no half entry was ever found under the name of one")

    def in_namespace(self, script, **env):
        """A shell as root of a mount namespace of its own; the command is $CORDON, the run "$@"."""
        mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
        probe = subprocess.run(mount, capture_output=True, check=False)
        if probe.returncode:
            self.skipTest("no user and mount namespace here: " + probe.stderr.decode().strip())
        done = subprocess.run(["unshare", "-rm", "sh", "-ec", script, "sh", *map(str, self.words())], cwd=self.tmp,
                              env=self.environment(CORDON=str(BIN), **env), capture_output=True, timeout=HANG_SECONDS,
                              text=True, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        return done

    def test_attack_82_a_full_disk_costs_time_only(self):
        cache = self.tmp / "small"
        cache.mkdir()
        done = self.in_namespace(
            'mount -t tmpfs -o size=32k,mode=700 none "$CORDON_PLUGINS_CACHE_DIRECTORY"\n'
            '"$CORDON" "$@"; "$CORDON" "$@"; ls "$CORDON_PLUGINS_CACHE_DIRECTORY/code"\n'
            'rm -r "$CORDON_PLUGINS_CACHE_DIRECTORY/code"\n'
            'head -c 100000 /dev/zero > "$CORDON_PLUGINS_CACHE_DIRECTORY/rest" || true\n'
            '"$CORDON" "$@"',
            CORDON_PLUGINS_CACHE_DIRECTORY=str(cache))
        self.assertEqual("42\n42\nsecret\n42\n", done.stdout, done.stderr)
        self.assertEqual(3, done.stderr.count("cordon: compiling"))
        said = self.notes()
        self.assertEqual(2, len(said), said)
        self.assertTrue(all("code-cache:not-kept" in line and "no space left" in line for line in said), said)
        self.assertIn("cannot keep its key", done.stderr, "no room even for that")

    def test_without_procfs_the_cache_works(self):
        done = self.in_namespace('mount -t tmpfs none /proc; test ! -e /proc/self; "$CORDON" "$@"; "$CORDON" "$@"')
        self.assertEqual("42\n42\n", done.stdout)
        self.assertEqual(1, done.stderr.count("cordon: compiling"), done.stderr)


if __name__ == "__main__":
    unittest.main()
