#!/usr/bin/env python3
"""`cordon run` of a command: a program in the shell, with what was granted and nothing else. The guests are programs of
Rust's, Go's and C's own libraries; those of preview 1 and of WASI 0.2 must not differ."""
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import time
import unittest

from cordon import BIN, GUESTS, HANG_SECONDS, CordonTest

BOTH = [GUESTS / "command_p1.wasm", GUESTS / "command_p2.wasm"]


class Tests(CordonTest):
    def both(self):
        for guest in BOTH:
            with self.subTest(guest=guest.stem):
                yield guest

    def launch(self, *words, **options):
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen([BIN, *map(str, words)], cwd=self.tmp, env=self.environment(), **streams,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def test_arguments_come_after_the_commands_own_name(self):
        for guest in self.both():
            done = self.cordon("run", guest, "--", "args", "one", "two words", "", "--json", "é")
            self.assertEqual((0, f"{guest.stem}\nargs\none\ntwo words\n\n--json\né\n"), (done.code, done.out), done.err)

    def test_the_environment_is_what_was_granted(self):
        for guest in self.both():
            done = self.cordon("run", guest, "--env", "A=b=c", "--", "env", env={"SECRET": "x"})
            self.assertEqual((0, "A=b=c\n"), (done.code, done.out))

    def test_the_exit_status_passes_through(self):
        for guest in self.both():
            for status in (0, 1, 3, 42, 125):
                done = self.cordon("run", guest, "--", "exit", status)
                # Of WASI 0.2, the standard library can only say that it failed.
                told = status if guest == BOTH[0] else min(status, 1)
                self.assertEqual((told, f"ending with {status}\n"), (done.code, done.err))
            done = self.cordon("run", guest, "--", "no-such-word")
            self.assertEqual((1, "", 'command: no such word: "no-such-word"\n'), (done.code, done.out, done.err))
        self.assertEqual(255, self.cordon("run", BOTH[0], "--", "exit", "255").code)

    def test_failures_of_ours_are_told_apart_from_the_status(self):
        for guest in self.both():
            trapped = self.cordon("run", guest, "--", "panic")
            self.assertEqual(121, trapped.code)
            self.assertIn("E_TRAP", trapped.err)
            slow = self.cordon("run", guest, "--timeout", "100ms", "--", "spin")
            self.assertEqual(125, slow.code)
            self.assertIn("E_TIMEOUT", slow.err)
            asleep = self.cordon("run", guest, "--timeout", "200ms", "--", "sleep", "3600")
            self.assertEqual((125, "asleep\n"), (asleep.code, asleep.out))
            denied = self.cordon("run", guest, "--mount", "/:/data", "--", "list", "/data")
            self.assertGreaterEqual(denied.code, 120)

    def test_input_and_output_stream_while_it_runs(self):
        for guest in self.both():
            child = self.launch("run", guest, "--", "cat")
            for text in (b"first\n", b"second\n", b"x" * 3000 + b"\n"):
                child.stdin.write(text)
                child.stdin.flush()
                self.assertEqual(text, child.stdout.readline())
            child.stdin.close()
            self.assertEqual(0, child.wait(HANG_SECONDS))
            for stream in (child.stdout, child.stderr):
                stream.close()

    def test_more_than_any_buffer_passes(self):
        text = "".join(f"line {i}\n" for i in range(200_000))
        for guest in self.both():
            done = self.cordon("run", guest, "--", "cat", stdin=text)
            self.assertEqual((0, len(text)), (done.code, len(done.out)))
            self.assertEqual(text, done.out)

    def test_a_file_is_input_and_output(self):
        given = self.write("in.txt", "a\nb\n")
        for guest in self.both():
            with open(given, "rb") as source, open(self.tmp / "out.txt", "wb") as target:
                child = self.launch("run", guest, "--", "shout", stdin=source, stdout=target, stderr=subprocess.DEVNULL)
                self.assertEqual(0, child.wait(HANG_SECONDS))
            self.assertEqual("A\nB\n", (self.tmp / "out.txt").read_text())

    def test_a_reader_that_leaves_ends_it_quietly(self):
        for guest in self.both():
            child = self.launch("run", guest, "--", "yes")
            self.assertEqual(b"y\n", child.stdout.readline())
            child.stdout.close()
            self.assertEqual(141, child.wait(HANG_SECONDS))
            self.assertEqual(b"", child.stderr.read())
            child.stdin.close()
            child.stderr.close()

    def test_ctrl_c_ends_it_wherever_it_is(self):
        for guest in self.both():
            for words, first in ((["sleep", "3600"], b"asleep\n"), (["yes"], b"y\n")):
                child = self.launch("run", guest, "--timeout", "25s", "--", *words)
                self.assertEqual(first, child.stdout.readline())
                child.send_signal(signal.SIGINT)
                out, err = child.communicate(timeout=HANG_SECONDS)
                self.assertEqual(130, child.returncode, err)

    def test_ctrl_c_ends_it_while_it_reads(self):
        for guest in self.both():
            child = self.launch("run", guest, "--timeout", "25s", "--", "cat")
            child.stdin.write(b"x\n")
            child.stdin.flush()
            self.assertEqual(b"x\n", child.stdout.readline())
            child.send_signal(signal.SIGINT)
            self.assertEqual(130, child.wait(HANG_SECONDS))
            child.communicate()

    def test_a_deadline_ends_it_while_nobody_reads(self):
        for guest in self.both():
            child = self.launch("run", guest, "--timeout", "300ms", "--", "yes")
            self.assertEqual(125, child.wait(HANG_SECONDS))
            child.communicate()

    def test_output_has_no_limit_without_a_manifest(self):
        for guest in self.both():
            done = self.cordon("run", guest, "--", "flood", 4 << 20)
            self.assertEqual((0, 4 << 20), (done.code, len(done.out)))

    def test_the_document_holds_the_output(self):
        for guest in self.both():
            done = self.cordon("run", guest, "--json", "--", "shout", stdin="a\n")
            document = done.json
            self.assertEqual((0, "cordon.run/1", True, 0, "A\n", ""),
                             (done.code, *(document[k] for k in ("schema", "ok", "exit_status", "stdout", "stderr"))))
            failed = self.cordon("run", guest, "--json", "--", "exit", 1)
            self.assertEqual((1, 1, "ending with 1\n"),
                             (failed.code, failed.json["exit_status"], failed.json["stderr"]))
            slow = self.cordon("run", guest, "--json", "--timeout", "100ms", "--", "sleep", "3600")
            self.assertEqual((125, False, "E_TIMEOUT", "asleep\n"),
                             (slow.code, slow.json["ok"], slow.json["error"]["code"], slow.json["stdout"]))

    def test_each_run_has_a_record(self):
        for guest in self.both():
            self.cordon("run", guest, "--", "exit", 9)
        calls = [record for record in self.audit() if record["event"] == "call"]
        self.assertEqual(["_start", "wasi:cli/run@"], [record["action"][:13] for record in calls])
        self.assertEqual(["E_EXIT"] * 2, [record["code"] for record in calls])

    def test_attack_155_a_terminal_is_not_told_what_to_do(self):
        for guest in self.both():
            master, slave = pty.openpty()
            child = subprocess.Popen([BIN, "run", str(guest), "--", "print", "a\x1b]0;t\x07\x9bEND\n"], stdin=slave,
                                     stdout=slave, stderr=slave, cwd=self.tmp, env=self.environment())
            os.close(slave)
            shown = b""
            end = time.monotonic() + HANG_SECONDS
            while time.monotonic() < end and b"END" not in shown:
                if select.select([master], [], [], 1)[0]:
                    shown += os.read(master, 4096)
            self.assertEqual(0, child.wait(HANG_SECONDS))
            os.close(master)
            self.assertIn(b"a\\u001b]0;t\\u0007", shown)
            self.assertNotIn(b"\x1b]", shown)

    def test_files_are_those_of_the_mount(self):
        for guest in self.both():
            folder = self.tmp / guest.stem
            folder.mkdir()
            (folder / "x").write_text("hello")
            mount = ["--mount", f"{folder}:/data"]
            self.assertEqual("x 5\n", self.cordon("run", guest, *mount, "--", "list", "/data").out)
            self.assertEqual("hello", self.cordon("run", guest, *mount, "--", "read", "/data/x").out)
            done = self.cordon("run", guest, f"{mount[0]}", f"{mount[1]}:rw", "--", "files", "/data")
            self.assertEqual((0, "one\ntwo\n8\nb 8\n"), (done.code, done.out), done.err)
            refused = self.cordon("run", guest, *mount, "--", "write", "/data/y", "text")
            self.assertEqual(1, refused.code)
            for path in ("/etc/passwd", "/data/../etc/passwd", "../x"):
                self.assertEqual(1, self.cordon("run", guest, *mount, "--", "read", path).code, path)
            self.assertEqual(["x"], [path.name for path in folder.iterdir()])

    def test_a_mount_may_be_all_that_it_sees(self):
        (self.tmp / "root").mkdir()
        (self.tmp / "root" / "x").write_text("hello")
        for guest in self.both():
            for path in ("/x", "x", "./x"):
                self.assertEqual("hello", self.cordon("run", guest, "--mount", "root:/", "--", "read", path).out)

    def test_attack_134_what_leaves_a_mount_is_recorded(self):
        for guest in self.both():
            folder = self.tmp / guest.stem
            folder.mkdir()
            (folder / "out").symlink_to("/etc")
            done = self.cordon("run", guest, "--mount", f"{folder}:/data", "--", "read", "/data/out/passwd")
            self.assertEqual((1, ""), (done.code, done.out))
        denied = [record for record in self.audit() if record.get("rule") == "fs:beneath"]
        self.assertEqual(["/data/out/passwd"] * 2, [record["target"] for record in denied])

    def test_a_reactor_is_begun_before_its_export(self):
        done = self.cordon("run", GUESTS / "reactor.wasm")
        self.assertEqual((0, "1\n"), (done.code, done.out), done.err)

    def test_a_go_program_reads_and_writes_files(self):
        guest = GUESTS / "command_go.wasm"
        if not guest.exists():
            self.skipTest("built where Go is")
        folder = self.tmp / "texts"
        (folder / "deep").mkdir(parents=True)
        (folder / "a.txt").write_text("one two three")
        (folder / "deep" / "b.txt").write_text("four\nfive\n")
        mount = ["--mount", f"{folder}:/texts:rw"]
        counts = [{"name": "/texts/a.txt", "words": 3}, {"name": "/texts/deep/b.txt", "words": 2}]
        done = self.cordon("run", guest, *mount, "--", "/texts")
        self.assertEqual((0, counts), (done.code, json.loads(done.out or "null")), done.err)
        done = self.cordon("run", guest, *mount, "--", "-out", "/texts/out.json", "/texts")
        self.assertEqual((0, ""), (done.code, done.out), done.err)
        self.assertEqual(counts, json.loads((folder / "out.json").read_text()))
        self.assertEqual([{"name": "-", "words": 2}], json.loads(self.cordon("run", guest, stdin="a b").out))
        missing = self.cordon("run", guest, *mount, "--", "/none")
        self.assertEqual(3, missing.code)

    def program_of_others(self, name):
        for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep):
            path = pathlib.Path(folder, "programs", name)
            if path.is_file():
                return path
        return self.skipTest("installed by python_packages.py")

    def test_quickjs_runs_unmodified(self):
        guest = self.program_of_others("quickjs.wasm")
        (self.tmp / "data").mkdir()
        script = """
            const file = std.open("/data/out.txt", "w"); file.puts(scriptArgs.join("|")); file.close();
            console.log(std.in.readAsString().toUpperCase()); std.exit(7);"""
        done = self.cordon("run", guest, "--mount", "data:/data:rw", "--", "--std", "-e", script, "x", "y",
                           stdin="hello")
        self.assertEqual((7, "HELLO\n"), (done.code, done.out), done.err)
        self.assertEqual("x|y", (self.tmp / "data" / "out.txt").read_text())

    def test_cpython_runs_unmodified(self):
        guest = self.program_of_others("python.wasm")
        (self.tmp / "data").mkdir()
        script = """
import json, os, sys
with open("/data/in.json", "w") as out: json.dump({"argv": sys.argv[1:], "env": os.environ.get("A")}, out)
print(sys.stdin.read().upper(), end="")
print(os.listdir("/data"), file=sys.stderr)
try: open("/etc/passwd")
except OSError as error: print(type(error).__name__)
sys.exit(5)"""
        done = self.cordon("run", guest, "--memory", "64MiB", "--mount", "data:/data:rw", "--env", "A=b", "--", "-c",
                           script, "x", stdin="hello\n")
        self.assertEqual((5, "HELLO\nFileNotFoundError\n", "['in.json']\n"), (done.code, done.out, done.err))
        self.assertEqual({"argv": ["x"], "env": "b"}, json.loads((self.tmp / "data" / "in.json").read_text()))

    def test_a_c_program_reads_and_writes_files(self):
        guest = GUESTS / "command_c.wasm"
        if not guest.exists():
            self.skipTest("built where clang and wasi-libc are")
        folder = self.tmp / "texts"
        folder.mkdir()
        (folder / "a.txt").write_text("x\ny\n")
        mount = ["--mount", f"{folder}:/texts:rw"]
        done = self.cordon("run", guest, *mount, "--", "/texts/a.txt", "/texts/b.txt")
        self.assertEqual((0, "8\n", "1 x\n2 y\n"), (done.code, done.out, (folder / "b.txt").read_text()), done.err)
        self.assertEqual(3, self.cordon("run", guest, *mount, "--", "/texts/none", "/texts/c.txt").code)
        self.assertEqual(2, self.cordon("run", guest).code)

    def actions(self, guest, actions, tail=""):
        """A plugin with abi: command over a guest."""
        folder = self.tmp / f"plugin-{guest.stem}"
        self.write(f"{folder.name}/tool.wasm", guest.read_bytes())
        self.write(f"{folder.name}/plugin.yaml", "manifest: 1\nname: acme/tool\nversion: 1.0.0\n"
                   "runtime: { abi: command, artifact: tool.wasm }\nactions:\n" + actions + tail)
        return folder

    def act(self, folder, action, given, *words):
        return self.cordon("run", folder, action, "--input", json.dumps(given), *words)

    def test_an_action_maps_input_to_arguments_and_stdin(self):
        for guest in self.both():
            folder = self.actions(guest, """\
  args:
    command:
      { args: [args, --, { input: path }, { flag: "-n", input: count }, { flag: --x=, input: x }], output: lines }
  shout: { command: { args: [shout], stdin: { input: text } } }
  echo: { command: { args: [cat], stdin: json, output: json } }
""")
            done = self.act(folder, "args", {"path": ["--a", "b c"], "count": 3, "x": "é"})
            self.assertEqual(["tool", "args", "--", "--a", "b c", "-n", "3", "--x=é"], json.loads(done.out), done.err)
            self.assertEqual('"A\\nB\\n"\n', self.act(folder, "shout", {"text": "a\nb"}).out)
            self.assertEqual({"a": [1, None]}, json.loads(self.act(folder, "echo", {"a": [1, None]}).out))
            self.assertEqual("", self.act(folder, "shout", {"text": "a"}).err)

    def test_an_action_is_held_against_its_schemas_and_limits(self):
        for guest in self.both():
            folder = self.actions(guest, """\
  print: { command: { args: [print, { input: text }], output: json }, input: { type: object, required: [text] },
           output: { type: integer } }
  flood: { command: { args: [flood, { input: count }] }, timeout: 5s }
  spin: { command: { args: [spin] }, timeout: 100ms }
""")
            self.assertEqual("42\n", self.act(folder, "print", {"text": "42\n"}).out)
            for given, code, number in (({}, "E_INPUT_SCHEMA", 4), ({"text": "-x"}, "E_INPUT_SCHEMA", 4),
                                        ({"text": "{"}, "E_OUTPUT_SCHEMA", 1), ({"text": '"x"'}, "E_OUTPUT_SCHEMA", 1)):
                done = self.act(folder, "print", given)
                self.assertIn(f"error[{code}]", done.err)
                self.assertEqual(number, done.code)
            self.assertEqual(100 << 10, len(json.loads(self.act(folder, "flood", {"count": 100 << 10}).out)))
            big = self.act(folder, "flood", {"count": 64 << 10}, "--plugins-limits-output", "32KiB")
            self.assertIn("error[E_OUTPUT_SIZE]", big.err)
            self.assertIn("error[E_TIMEOUT]", self.act(folder, "spin", {}).err)

    def test_an_action_that_fails_shows_its_last_words_safely(self):
        for guest in self.both():
            folder = self.actions(guest, "  fail: { command: { args: [{ input: word }, { input: count }] } }\n")
            done = self.act(folder, "fail", {"word": "exit", "count": 1}, "--json")
            error = done.json["error"]
            self.assertEqual((1, "E_EXIT", "1", "ending with 1\n"),
                             (done.code, error["code"], error["details"]["status"], error["details"]["stderr"]))
            done = self.act(folder, "fail", {"word": "\x1b[31m"})
            self.assertEqual(1, done.code)
            self.assert_no_controls(done.err)

    def test_a_plugin_that_is_a_command_runs_as_one_within_its_limits(self):
        for guest in self.both():
            folder = self.actions(guest, "  shout: { command: { args: [shout], stdin: json } }\n")
            self.assertEqual("A\n", self.cordon("run", folder, "--", "shout", stdin="a\n").out)
            done = self.cordon("run", folder, "--plugins-limits-stdout", "4KiB", "--", "flood", 10 << 10)
            self.assertEqual((0, 4 << 10), (done.code, len(done.out)))
            self.assertIn("6144 bytes of output were dropped", done.err)

    def test_an_artifact_that_is_no_command_is_refused(self):
        folder = self.actions(GUESTS / "core_math.wasm", "  x: {}\n")
        for words in (["run", folder, "x"], ["plugin", "validate", folder]):
            done = self.cordon(*words)
            self.assertEqual(4, done.code)
            self.assertIn("E_INVALID", done.err)
        folder = self.actions(BOTH[0], "  x: {}\n")
        self.assertEqual(0, self.cordon("plugin", "validate", folder).code)

    def test_what_preview_1_cannot_use_is_said(self):
        grant = ["--grant", "net:tcp:example.com:443"]
        warnings = self.cordon("explain", BOTH[0], *grant, "--json").json["warnings"]
        self.assertEqual([("W_UNUSABLE", "net:tcp:example.com:443")], [(w["code"], w["capability"]) for w in warnings])
        self.assertIn("W_UNUSABLE", self.cordon("explain", BOTH[0], *grant).out)
        self.assertIn("W_UNUSABLE", self.cordon("run", BOTH[0], *grant, "--", "args").err)
        self.assertEqual([], self.cordon("explain", BOTH[0], "--json").json["warnings"])

    def test_a_command_is_not_half_recorded(self):
        for guest in self.both():
            folder = self.actions(guest, "  print: { command: { args: [print, x] } }\n")
            done = self.cordon("record", folder, "--fixture", "x.json")
            self.assertEqual(4, done.code)
            self.assertIn("E_UNENFORCEABLE", done.err)

    def test_inspect_shows_a_command_and_its_actions(self):
        for guest in self.both():
            self.assertEqual("command", self.cordon("inspect", guest, "--json").json["abi"])
            folder = self.actions(guest, "  x: { command: { args: [{ input: path }], output: lines } }\n")
            shown = self.cordon("inspect", folder, "--json").json
            self.assertEqual("command", shown["abi"])
            action = shown["actions"][0]
            self.assertEqual({"path": {}}, action["input_schema"]["properties"])
            self.assertEqual({"type": "array", "items": {"type": "string"}}, action["output_schema"])


if __name__ == "__main__":
    unittest.main()
