#!/usr/bin/env python3
"""`cordon run`: results, streams, documents, limits, signals."""
import os
import pathlib
import pty
import select
import signal
import subprocess
import time
import unittest

from cordon import ADD, BIN, HANG_SECONDS, SPIN, TRAP, CordonTest, big_module, module


class Tests(CordonTest):
    def on_terminal(self, *words, **env):
        """What the command shows when both streams are a terminal."""
        master, slave = pty.openpty()
        child = subprocess.Popen([BIN, *map(str, words)], stdin=slave, stdout=slave, stderr=slave, cwd=self.tmp,
                                 env=self.environment(**env))
        os.close(slave)
        shown = b""
        end = time.monotonic() + HANG_SECONDS
        while time.monotonic() < end:
            if select.select([master], [], [], 1)[0]:
                try:
                    part = os.read(master, 65536)
                except OSError:
                    break
                if not part:
                    break
                shown += part
        os.close(master)
        return child.wait(HANG_SECONDS), shown.decode()

    def test_another_plugin_whose_place_is_missing_is_skipped(self):
        self.write("x.wasm", module([ADD]))
        other = self.plugin()
        self.write("config.yaml", "plugins: {isolation: {force: [acme/adder], backend: docker}}\n")
        words = ["run", "x.wasm", "--input", '{"p0": 1, "p1": 2}', "--with", other, "--config", "config.yaml"]
        done = self.cordon(*words)
        self.assertEqual((0, "3\n"), (done.code, done.out), done.err)
        self.assertRegex(done.err, r"warning: skipped .*plugin: .*'docker', which this build does not have")
        self.assertEqual(1, sum(record.get("code") == "E_UNAVAILABLE" for record in self.audit()))
        self.write("plugin/adder.wasm", "broken")
        self.assertEqual(6, self.cordon(*words).code)  # what is wrong with the plugin itself is no matter of places

    def test_result_goes_to_stdout(self):
        path = self.write("x.wasm", module([ADD]))
        done = self.cordon("run", path, "--input", '{"p0": 40, "p1": 2}')
        self.assertEqual((0, "42\n", ""), (done.code, done.out, done.err))

    def test_input_comes_from_text_file_and_stdin(self):
        path = self.write("x.wasm", module([ADD]))
        call = self.write("call.json", '{"p0": 1, "p1": 2}')
        self.assertEqual("3\n", self.cordon("run", path, "add", "--input", f"@{call}").out)
        self.assertEqual("3\n", self.cordon("run", path, "add", "--input", "-", stdin='{"p0": 1, "p1": 2}').out)
        self.assertEqual(7, self.cordon("run", path, "add", "--input", "@none.json").code)

    def test_document(self):
        path = self.write("x.wasm", module([ADD]))
        done = self.cordon("run", path, "--json", "--input", '{"p0": 1, "p1": 2}')
        document = done.json
        self.assertEqual((0, ""), (done.code, done.err))
        self.assertEqual(1, done.out.count("\n"))
        self.assertEqual(("cordon.run/1", True, "x", "add", 3, False),
                         tuple(document[k] for k in ("schema", "ok", "plugin", "action", "output",
                                                     "answered_with_error")))
        self.assertTrue(document["digest"].startswith("sha256:"))
        for key in ("memory_peak_bytes", "fuel", "host_calls", "bytes_in", "bytes_out", "wall_us", "cpu_us",
                    "stdout_dropped_bytes"):
            self.assertIsInstance(document["usage"][key], int)

    def test_exit_codes(self):
        path = self.write("x.wasm", module([ADD, SPIN, TRAP]))
        unlinked = self.write("system.wasm", module([ADD], imports=[("env", "system")]))
        garbage = self.write("garbage.wasm", "not wasm")
        cases = [
            (1, "E_TRAP", ["run", path, "trap"]),
            (2, "E_USAGE", ["run", path]),
            (3, "E_LINK", ["run", unlinked]),
            (4, "E_NOT_WASM", ["run", garbage]),
            (4, "E_INPUT_SCHEMA", ["run", path, "add", "--input", '{"p0": "one", "p1": 2}']),
            (4, "E_SYNTAX", ["run", path, "add", "--input", "{"]),
            (4, "E_TYPE", ["run", path, "add", "--timeout", "5"]),
            (4, "E_RANGE", ["run", path, "add", "--timeout", "5h"]),
            (4, "E_UNENFORCEABLE", ["run", path, "add", "--level", "strict"]),
            (4, "E_UNENFORCEABLE", ["run", path, "add", "--grant", "env:X; uses=3"]),
            (5, "E_TIMEOUT", ["run", path, "spin", "--timeout", "50ms"]),
            (5, "E_FUEL", ["run", path, "spin", "--fuel", "10000"]),
            (5, "E_INPUT_SIZE", ["run", path, "add", "--plugins-limits-input", "4B", "--input", '{"p0": 1}']),
            (7, "E_NOT_FOUND", ["run", "none.wasm"]),
            (7, "E_NOT_FOUND", ["run", path, "nothing"]),
        ]
        for code, name, words in cases:
            done = self.cordon(*words)
            self.assertEqual((code, ""), (done.code, done.out), f"{words}\n{done.err}")
            self.assertIn(f"error[{name}]: ", done.err)
            document = self.cordon(*words, "--json")
            self.assertEqual((code, ""), (document.code, document.err), words)
            self.assertEqual((False, name), (document.json["ok"], document.json["error"]["code"]))
            self.assertEqual({"code", "message", "remedy", "details"},
                             {"code", "message", "remedy", "details"} & set(document.json["error"]))

    def test_settings_have_flags_and_variables(self):
        path = self.write("x.wasm", module([SPIN]))
        self.assertEqual(5, self.cordon("run", path, "--plugins-limits-timeout", "50ms").code)
        self.assertEqual(5, self.cordon("run", path, env={"CORDON_PLUGINS_LIMITS_TIMEOUT": "50ms"}).code)
        config = self.write("config.yaml", "plugins:\n  limits: { timeout: 50ms }\n")
        self.assertEqual(5, self.cordon("run", path, "--config", config).code)
        broken = self.write("broken.yaml", "plugins:\n  limts: {}\n")
        done = self.cordon("run", path, "--config", broken)
        self.assertEqual(4, done.code)
        self.assertIn("broken.yaml:2:3", done.err)
        self.assertIn("\n2 |   limts: {}\n  |   ^\n", done.err)

    def test_trap_shows_the_backtrace_of_the_plugin(self):
        path = self.write("x.wasm", module([TRAP]))
        self.assertIn("backtrace of the plugin:", self.cordon("run", path).err)
        self.assertIsInstance(self.cordon("run", path, "--json").json["error"]["backtrace"], list)

    def test_attack_1_unlinked_imports_are_all_named(self):
        path = self.write("x.wasm", module([ADD], imports=[("env", "system"), ("env", "exec")]))
        causes = self.cordon("run", path, "--json").json["error"]["causes"]
        self.assertEqual(["env.system", "env.exec"], [cause["details"]["import"] for cause in causes])
        done = self.cordon("run", path)
        self.assertIn("env.system", done.err)
        self.assertIn("env.exec", done.err)

    def test_attack_11_what_is_not_wasm_is_refused(self):
        whole = module([ADD])
        with open("/bin/sh", "rb") as shell:
            elf = shell.read(4096)
        for content in (b"", b"\0asm", whole[:-3], b"(module)", elf, b"\0asm\1\0\0\0" + b"\xff" * 100):
            path = self.write("x.wasm", content)
            done = self.cordon("run", path)
            self.assertEqual((4, ""), (done.code, done.out), content[:20])
            self.assertRegex(done.err, r"^error\[E_(NOT_WASM|PRECOMPILED|COMPILE)\]: ")

    def test_attack_155_text_of_plugins_is_shown_escaped(self):
        evil = "\x1b]52;c;ZXZpbA==\x07\r\b\u202eabc\x9b31m"
        path = self.write("x.wasm", module([ADD], imports=[("env", evil)]))
        for words in (["run"], ["inspect"], ["explain"]):
            for extra in ([], ["--json"]):
                done = self.cordon(*words, path, *extra)
                self.assert_no_controls(done.out + done.err)
                self.assertIn("\\u001b]52", done.out + done.err)
        self.assert_no_controls(self.cordon("trail", "show").out)
        self.assertEqual(0, self.cordon("trail", "verify").code)

    def test_attack_155_names_of_files_are_shown_escaped(self):
        path = self.write("a\x1b]0;title\x07.wasm", module([ADD]))
        for words in (["run", path], ["inspect", path], ["run", f"{path}x"], ["run", path, "x\x1b[31m"]):
            done = self.cordon(*words)
            self.assert_no_controls(done.out + done.err)

    def test_quiet_and_verbose(self):
        folder = self.plugin()
        words = ["run", folder, "--input", '{"p0": 1, "p1": 2}', "--grant", "env:UNUSED"]
        self.assertIn("cordon: compiling", self.cordon(*words, "--verbose").err)
        self.assertIn("warning: ", self.cordon(*words).err)
        self.assertEqual("", self.cordon(*words, "--quiet").err)
        self.assertNotIn("cordon: compiling", self.cordon(*words, "--verbose").err, "it is compiled once")
        self.assertIn("error[", self.cordon("run", folder, "no", "--quiet").err)

    def test_colour_only_on_a_terminal_that_wants_it(self):
        path = self.write("x.wasm", module([TRAP]))
        self.assertNotIn("\x1b", self.cordon("run", path).err)
        self.assertIn("\x1b[1;31merror[E_TRAP]\x1b[0m", self.on_terminal("run", path)[1])
        self.assertNotIn("\x1b", self.on_terminal("run", path, NO_COLOR="1")[1])
        self.assertIn("\x1b", self.on_terminal("run", path, NO_COLOR="")[1])
        self.assertNotIn("\x1b", self.on_terminal("run", path, TERM="dumb")[1])

    def test_documents_are_indented_on_a_terminal(self):
        path = self.write("x.wasm", module([ADD]))
        code, shown = self.on_terminal("run", path, "--json", "--input", '{"p0": 1, "p1": 2}')
        self.assertEqual(0, code)
        self.assertIn('{\r\n  "schema": "cordon.run/1",\r\n', shown)

    def test_long_compiles_show_progress_on_a_terminal(self):
        path = self.write("big.wasm", big_module())
        code, shown = self.on_terminal("run", path, "f0", "--input", '{"p0": 1, "p1": 2}')
        self.assertEqual(0, code, shown)
        self.assertIn("compiling", shown)
        self.assertTrue(shown.rstrip("\r\n").split("\x1b[K")[-1].lstrip("-").isdigit(), repr(shown[-60:]))
        self.assertNotIn("compiling", self.cordon("run", path, "f0", "--input", '{"p0": 1, "p1": 2}').err)

    def test_reader_that_goes_away_is_no_failure(self):
        path = self.write("x.wasm", module([ADD]))
        child = self.start("inspect", path, "--json")
        child.stdout.close()
        self.assertEqual((b"", 0), (child.stderr.read(), child.wait(HANG_SECONDS)))
        child.stderr.close()
        child.stdin.close()

    def test_closed_streams_are_not_taken_by_files(self):
        path = self.write("x.wasm", module([ADD]))
        words = [BIN, "run", path, "--input", '{"p0": 1, "p1": 2}']
        for closed in ("<&- >&- 2>&-", ">&- 2>&-", ">&-"):
            done = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *words], env=self.environment(), cwd=self.tmp)
            self.assertEqual(0, done.returncode, closed)
        self.assertEqual(0, self.cordon("trail", "verify").code)
        self.assertEqual(6, len(self.audit()))

    def test_full_output_device_is_a_failure(self):
        path = self.write("x.wasm", module([ADD]))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BIN, "inspect", path], stdout=full, stderr=subprocess.PIPE, env=self.environment())
        self.assertEqual(8, done.returncode)
        self.assertIn(b"error[E_IO]: cannot write the result to standard output: no space left on device", done.stderr)

    def loaded(self, child, times):
        """Waits until the plugin was found fit to run for the `times`th time."""
        end = time.monotonic() + HANG_SECONDS
        log = self.state / "audit.jsonl"
        while time.monotonic() < end and not (log.exists() and log.read_text().count('"event":"load"') >= times):
            time.sleep(0.02)
        return child

    def ready(self, child):
        """Waits until the command has taken Ctrl-C over from the kernel."""
        bit, end = 1 << (signal.SIGINT - 1), time.monotonic() + HANG_SECONDS
        while time.monotonic() < end and child.poll() is None:
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
            masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigBlk", "SigCgt"))]
            if any(mask & bit for mask in masks):
                return
            time.sleep(0.01)

    def interrupted(self, child, wait):
        self.ready(child)
        time.sleep(wait)
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        # Before its input is closed, which would be an answer too.
        child.wait(timeout=HANG_SECONDS)
        out, err = child.communicate(timeout=HANG_SECONDS)
        self.assertEqual(130, child.returncode, err)
        self.assertIn(b"E_INTERRUPTED", out + err)
        self.assertLess(time.monotonic() - started, 5)
        self.assert_no_leftovers()
        if (self.state / "audit.jsonl").exists():
            self.assertEqual(0, self.cordon("trail", "verify").code)
        return out, err

    def test_interrupt_ends_a_call(self):
        path = self.write("x.wasm", module([SPIN]))
        self.interrupted(self.loaded(self.start("run", path), 1), 0.7)
        self.assertEqual("E_INTERRUPTED", self.audit()[-1]["code"])
        out, err = self.interrupted(self.loaded(self.start("run", path, "--json"), 2), 0.7)
        self.assertEqual(b"", err)
        self.assertIn(b'"code":"E_INTERRUPTED"', out)

    def test_interrupt_ends_a_compile(self):
        path = self.write("big.wasm", big_module())
        self.interrupted(self.loaded(self.start("run", path, "f0"), 1), 0.2)

    def test_interrupt_ends_a_wait_for_input(self):
        path = self.write("x.wasm", module([ADD]))
        self.interrupted(self.start("run", path, "--input", "-"), 0.5)

    def test_interrupt_at_any_moment(self):
        path = self.write("x.wasm", module([ADD]))
        for step in range(12):
            child = self.start("run", path, "--input", '{"p0": 1, "p1": 2}')
            time.sleep(step * 0.008)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=HANG_SECONDS)
            # Before our first instruction the kernel ends us; at the very end the result is out already.
            self.assertIn(child.returncode, (130, 0, -signal.SIGINT), err)
        self.assert_no_leftovers()
        self.assertEqual(0, self.cordon("trail", "verify").code)

    def test_ignored_interrupt_stays_ignored(self):
        path = self.write("x.wasm", module([SPIN]))
        child = subprocess.Popen([BIN, "run", path, "--timeout", "1500ms"], stderr=subprocess.PIPE, cwd=self.tmp,
                                 env=self.environment(),
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        time.sleep(0.7)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=HANG_SECONDS)
        self.assertEqual(5, child.returncode, err)


if __name__ == "__main__":
    unittest.main()
