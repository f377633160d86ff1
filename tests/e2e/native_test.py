#!/usr/bin/env python3
"""Native plugins: programs that speak fledge's messages on their standard streams, confined by bubblewrap. What needs
it is skipped where it cannot work; that such a plugin is refused is tested everywhere."""
import functools
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import time
import unittest

from cordon import HANG_SECONDS, BIN, CordonTest

PRELUDE = """#!/usr/bin/python3
import json, os, signal, subprocess, sys, time
def send(**message): print(json.dumps(message), flush=True)
def receive(): return json.loads(sys.stdin.readline())
def ask(**message):
    send(id=7, **message)
    reply = receive()
    assert (reply["type"], reply["id"]) == ("response", 7), reply
    return reply["value"]
def out(value): send(type="output", text=json.dumps(value) + "\\n")
init = receive()
args = init["args"]
"""


@functools.cache
def cannot_confine():
    """Why not; None where it works."""
    if shutil.which("bwrap", path="/usr/bin") is None:
        return "there is no /usr/bin/bwrap"
    done = subprocess.run(["/usr/bin/bwrap", "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "true"],
                          capture_output=True)
    return None if done.returncode == 0 else "user namespaces are not permitted"


class Tests(CordonTest):
    def needs_bubblewrap(self):
        if why := cannot_confine():
            self.skipTest(f"skipped={why}")

    def config(self, native="allow", more=""):
        self.write("config.yaml", f"plugins: {{ native: {native}{more} }}\n").chmod(0o600)
        return {"CORDON_CONFIG": str(self.tmp / "config.yaml")}

    def manifest(self, program="", tail="", prelude=PRELUDE):
        self.write("plugin/plugin", prelude + program)
        self.write("plugin/plugin.yaml", f"""manifest: 1
name: acme/tool
version: 1.0.0
runtime: {{ abi: native, artifact: plugin }}
actions: {{ run: {{}} }}
{tail}""")
        return self.tmp / "plugin"

    def run_native(self, program, *words, args=(), tail="", more="", **options):
        self.needs_bubblewrap()
        folder = self.manifest(program, tail)
        return self.cordon("run", folder, *words, "--", *args, env=self.config(more=more), **options)

    # ---- whether it may run ----------------------------------------------------------------------------------------

    def test_the_operator_decides_whether_it_runs(self):
        folder = self.manifest("out('ran')")
        for native in ("refuse", "confirm"):
            refused = self.cordon("run", folder, env=self.config(native))
            self.assertEqual((123, ""), (refused.code, refused.out))
            self.assertIn("E_DENIED", refused.err)
        self.assertIn("--allow-native", refused.err)
        still = self.cordon("run", folder, "--allow-native", env=self.config("refuse"))
        self.assertIn("E_DENIED", still.err)
        self.assertIn("E_DENIED", self.cordon("run", folder).err)  # without any configuration
        self.needs_bubblewrap()
        for native, words in (("confirm", ["--allow-native"]), ("warn", []), ("allow", [])):
            ran = self.cordon("run", folder, *words, env=self.config(native))
            self.assertEqual((0, '"ran"\n'), (ran.code, ran.out), ran.err)
            self.assertEqual(native == "warn", "warning: acme/tool is a native plugin" in ran.err)
        notes = [record["rule"] for record in self.audit() if record["event"] == "note"]
        self.assertEqual(1, notes.count("native:warn"))

    def test_what_a_process_cannot_be_held_to_is_refused(self):
        for tail, named in (
            ("permissions: { required: [ { http: { url: 'https://example.com/*', methods: [GET] } } ] }", "http:"),
            ("permissions: { required: [ { sockets: { connect: 'tcp://example.com:80' } } ] }", "net:tcp:"),
            ("limits: { fuel: 1000 }", "limits.fuel"),
            ("permissions: { required: [ { random: none } ] }", "random"),
        ):
            refused = self.cordon("run", self.manifest(tail=tail), env=self.config())
            self.assertIn(refused.code, (123, 124), tail)
            self.assertIn("E_UNENFORCEABLE", refused.err)
            self.assertIn(named, refused.err)
        self.assertIn("E_UNENFORCEABLE",
                      self.cordon("run", self.manifest(), "--level", "paranoid", env=self.config()).err)

    def test_what_is_no_program_is_refused(self):
        for artifact in (b"\0asm\1\0\0\0", b"", b"text"):
            folder = self.manifest()
            self.write("plugin/plugin", artifact)
            self.assertIn("E_INVALID", self.cordon("run", folder, env=self.config()).err)
            self.assertIn("E_INVALID", self.cordon("plugin", "validate", folder).err)

    def test_it_is_not_half_recorded(self):
        folder = self.manifest("out('ran')")
        done = self.cordon("record", folder, "run", "--fixture", self.tmp / "r", env=self.config())
        self.assertIn("E_UNENFORCEABLE", done.err)
        self.assertFalse((self.tmp / "r").exists())

    def test_its_risk_is_high_and_inspect_says_what_it_is(self):
        shown = self.cordon("inspect", self.manifest(), "--json", env=self.config()).json
        self.assertEqual(("native", "high"), (shown["abi"], shown["risk"]))
        explained = self.cordon("explain", self.manifest(), env=self.config("refuse"))
        self.assertIn("plugins.native", explained.out + explained.err)

    # ---- the messages ----------------------------------------------------------------------------------------------

    def test_it_is_told_and_tells(self):
        done = self.run_native("""
out([init["type"], init["protocol"], args, init["capabilities"], init["plugin"]["name"]])
send(type="log", level="error", message="bad\\x1b[2J")
send(type="progress", message="half", current=1, total=2)
print("for people", file=sys.stderr)
sys.exit(5)
""", args=["one", "-two"])
        self.assertEqual(5, done.code)
        self.assertEqual(["init", "fledge-v1", ["one", "-two"],
                          {"exec": False, "store": False, "metadata": False, "filesystem": "none"}, "acme/tool"],
                         done.json)
        self.assertIn("error] bad\\u001b[2J", done.err)
        self.assertIn("for people\n", done.err)
        self.assertNotIn("half", done.err)  # only a terminal is shown progress

    def test_what_is_not_granted_is_answered_so(self):
        done = self.run_native("""
send(type="store", key="k", value="v")
out([ask(type="exec", command="id"), ask(type="load", key="k"), ask(type="metadata", keys=["env"])])
""")
        self.assertEqual([{"code": 126, "stdout": "", "stderr": "exec capability not granted"}, None, {}], done.json)
        denied = [record["capability"] for record in self.audit() if record.get("rule") == "no-grant"]
        self.assertEqual(["kv:write:fledge", "exec", "kv:read:fledge", "ctx:project"], denied)

    def test_what_is_granted_is_answered_by_the_services(self):
        done = self.run_granted()
        answers = done.json
        self.assertEqual({"code": 0, "stdout": "a b\n", "stderr": ""}, answers[0], done.err)
        self.assertEqual(126, answers[1]["code"])
        self.assertEqual(["v", None, {"env": {"MODE": "fast"}, "fledge_config": {"a": 1}}, "fast", "/project",
                          "/plugin", "a = 1\n"], answers[2:])
        self.assertEqual("x", (self.tmp / "own/made").read_text())

    def run_granted(self):
        self.needs_bubblewrap()
        self.write("work/fledge.toml", "a = 1\n")
        (self.tmp / "own").mkdir()
        folder = self.manifest("""
send(type="store", key="k", value="v")
out([ask(type="exec", command="echo 'a b'"), ask(type="exec", command="echo a | sh"), ask(type="load", key="k"),
     ask(type="load", key="other"), ask(type="metadata", keys=["env", "fledge_config"]), os.environ["MODE"],
     os.getcwd(), os.environ["FLEDGE_PLUGIN_DIR"], open("/project/fledge.toml").read()])
open("/plugin/made", "w").write("x")
""", """permissions:
  required:
    - exec: { program: echo, args: [{ pattern: "a.b" }] }
    - storage: { bucket: fledge, access: write }
    - context: [project]
    - environment: [MODE]
    - files: { mount: /project, from: workspace, access: read }
    - files: { mount: /plugin, from: plugin/data, access: write }
""")
        return self.cordon("run", folder, "--grant", "exec:echo <re:a.b>", "--grant", "kv:write:fledge", "--grant",
                           "ctx:project", "--env", "MODE=fast", "--mount", f"{self.tmp}/work:/project", "--mount",
                           f"{self.tmp}/own:/plugin:rw", env=self.config())

    def test_an_action_has_its_input_and_its_output(self):
        self.needs_bubblewrap()
        folder = self.manifest("send(type='output', text=' '.join(args))")
        done = self.cordon("run", folder, "run", "--input", '{"args": ["a", "-b"]}', env=self.config())
        self.assertEqual('"a -b"', done.out.strip(), done.err)
        self.assertIn("E_NOT_FOUND", self.cordon("run", folder, "rum", "--input", "{}", env=self.config()).err)
        failing = self.manifest("print('why', file=sys.stderr); sys.exit(9)")
        failed = self.cordon("run", failing, "run", "--input", "{}", "--json", env=self.config())
        self.assertEqual("E_EXIT", failed.json["error"]["code"])
        self.assertIn("why", failed.out)

    def test_without_a_terminal_questions_have_their_defaults(self):
        done = self.run_native("""
out([ask(type="confirm", message="m"), ask(type="confirm", message="m", default=True),
     ask(type="select", message="m", options=["a", "b"]),
     ask(type="select", message="m", options=["a", "b"], default=1),
     ask(type="select", message="m", options=["a", "b"], default=99),
     ask(type="multi_select", message="m", options=["a", "b", "c"], defaults=[2, 0, 7]),
     ask(type="multi_select", message="m", options=["a"]), ask(type="prompt", message="m", default="d")])
""")
        self.assertEqual([False, True, "a", "b", "a", ["c", "a"], [], "d"], done.json)
        asked = self.run_native("ask(type='prompt', message='Who?\\x1b[2J')")
        self.assertIn("E_UNAVAILABLE", asked.err)
        self.assertIn("Who?\\u001b[2J", asked.err)
        self.assertIn("E_INVALID", self.run_native("ask(type='select', message='m', options=[])").err)

    def test_a_terminal_is_asked(self):
        self.needs_bubblewrap()
        folder = self.manifest("""
send(type="progress", message="wait\\x1b[2J", current=1, total=2)
value = [ask(type="prompt", message="Number", validate="integer"), ask(type="confirm", message="Sure"),
         ask(type="select", message="Which", options=["a", "b"]),
         ask(type="multi_select", message="Some", options=["a", "b", "c"]),
         ask(type="prompt", message="Name", default="nobody")]
out(value)
""")
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.tmp)
            os.execve(BIN, [BIN, "run", str(folder)], self.environment(**self.config()))
        os.write(terminal, b"many\n42\ny\n2\n1,3\n\n")
        shown = b""
        while select.select([terminal], [], [], HANG_SECONDS)[0]:
            try:
                block = os.read(terminal, 4096)
            except OSError:
                break
            if not block:
                break
            shown += block
        self.assertEqual(0, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown)
        os.close(terminal)
        text = shown.decode()
        self.assertIn('["42", true, "b", ["a", "c"], "nobody"]', text)
        self.assertIn("write a whole number", text)
        self.assertIn("wait\\u001b[2J 1/2", text)
        self.assertNotIn("\x1b[2J", text)

    # ---- what is no message ----------------------------------------------------------------------------------------

    def test_malformed_and_unknown_messages_are_skipped_with_a_line_in_the_log(self):
        done = self.run_native("""
for line in ("nonsense", "[]", "5", '{"type":"dance"}', '{"type":"exec","command":"id"}', "{" * 2000, ""):
    print(line, flush=True)
out("done")
""")
        self.assertEqual((0, '"done"\n'), (done.code, done.out))
        self.assertEqual(6, done.err.count("a line was skipped"), done.err)

    def test_attack_19_a_line_without_an_end_ends_the_call(self):
        for program in ("sys.stdout.write('x' * (3 << 20)); sys.stdout.flush(); time.sleep(600)",
                        "print('x' * (3 << 20), flush=True); time.sleep(600)"):
            done = self.run_native(program)
            self.assertEqual(124, done.code)
            self.assertIn("E_LIMIT", done.err)

    def test_attack_19_a_flood_of_output_is_cut_and_counted(self):
        done = self.run_native("for i in range(3000): send(type='output', text='x' * 1000)",
                               more=", limits: { stdout: 64KiB }")
        self.assertEqual((0, 64 << 10), (done.code, len(done.out)), done.err)
        self.assertIn("bytes of output were dropped", done.err)
        logs = self.run_native("for i in range(5000): send(type='log', level='info', message='x' * 100)")
        self.assertEqual(0, logs.code)
        self.assertLess(len(logs.err), 400_000)

    def test_a_last_line_without_its_end_counts(self):
        done = self.run_native("sys.stdout.write(json.dumps({'type': 'output', 'text': 'x'}))")
        self.assertEqual((0, "x"), (done.code, done.out))

    # ---- how it behaves as a process -------------------------------------------------------------------------------

    def test_attack_23_what_it_leaves_behind_ends_with_it(self):
        done = self.run_native("""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            send(type="output", text="x")
            time.sleep(0.001)
    os._exit(0)
out("bye")
os._exit(4)
""", "--timeout", "20s")
        self.assertEqual(4, done.code, done.err)
        self.assertIn('"bye"\n', done.out)

    def test_attack_23_a_program_that_ignores_signals_ends_at_its_deadline(self):
        done = self.run_native("""
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
out("on")
time.sleep(600)
""", "--timeout", "3s")
        self.assertEqual((125, '"on"\n'), (done.code, done.out))
        self.assertIn("E_TIMEOUT", done.err)

    def test_a_program_that_closes_its_output_has_its_time_and_no_more(self):
        quick = self.run_native("os.close(1); os.close(2); time.sleep(0.2); os._exit(6)")
        self.assertEqual(6, quick.code, quick.err)
        slow = self.run_native("os.close(1); os.close(2); time.sleep(600)", "--timeout", "1s")
        self.assertIn("E_TIMEOUT", slow.err)

    def test_a_program_that_never_reads_is_not_heard_for_ever(self):
        done = self.run_native("""
line = json.dumps({"type": "exec", "id": "x" * 1000, "command": "id"}) + "\\n"
for i in range(10000): os.write(1, line.encode())
""", "--timeout", "2s")
        self.assertEqual(125, done.code)
        self.assertIn("E_TIMEOUT", done.err)
        gone = self.run_native("os.close(0)\nfor i in range(100): send(type='load', id=i, key='k')\nout('done')")
        self.assertEqual((0, '"done"\n'), (gone.code, gone.out), gone.err)

    def test_memory_and_cpu_have_limits(self):
        large = self.run_native("""
children = [subprocess.Popen(["/usr/bin/python3", "-c", "b = bytearray(40 << 20); import time; time.sleep(600)"])
            for i in range(4)]
time.sleep(600)
""", "--memory", "64MiB", "--timeout", "20s")
        self.assertIn("E_MEMORY", large.err)
        busy = self.run_native("while True: pass", "--timeout", "20s", tail="limits: { cpu: 300ms }")
        self.assertIn("E_CPU", busy.err)

    def test_attack_118_it_sees_nothing_of_this_machine_but_its_programs(self):
        done = self.run_curious()
        seen, refused, variables, interfaces = done.json
        self.assertEqual(([], "ConnectionRefusedError", ["lo"]), (seen, refused, interfaces))
        self.assertEqual([], [name for name in variables if name not in (
            "FLEDGE_PLUGIN_DIR", "HOME", "LANG", "LC_CTYPE", "PATH", "PWD", "SHLVL", "_")])

    def run_curious(self):
        return self.run_native(f"""
import socket
paths = ("/etc/passwd", "/root", "/home", "/var", "/sys", "{self.tmp}", "/proc/1/root/etc")
seen = [path for path in paths if os.path.exists(path)]
try:
    socket.create_connection(("127.0.0.1", 22), 1)
except OSError as error:
    refused = type(error).__name__
out([seen, refused, sorted(os.environ), [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]])
""")

    def test_attack_118_the_kernels_dangerous_parts_are_denied(self):
        if os.uname().machine != "x86_64":
            self.skipTest("skipped=the numbers of system calls are those of x86-64")
        done = self.run_native("""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
    ctypes.set_errno(0)
    words = [ctypes.c_long(word) for word in words]
    return libc.syscall(*words) >= 0 and "allowed" or errno.errorcode[ctypes.get_errno()]
names = {"ptrace": (101, 0), "process_vm_readv": (310,), "mount": (165,), "unshare": (272, 0x10000000), "setns": (308,),
         "io_uring_setup": (425, 1), "bpf": (321,), "keyctl": (250,), "add_key": (248,), "userfaultfd": (323,),
         "perf_event_open": (298,), "open_by_handle_at": (304,), "init_module": (175,), "kexec_load": (246,),
         "pivot_root": (155,), "chroot": (161,), "fsopen": (430,), "open_tree": (428,), "clone3": (435,),
         "clone(NEWUSER)": (56, 0x10000011), "clone(NEWNET)": (56, 0x40000011), "TIOCSTI": (16, 0, 0x5412, 0),
         "TIOCSTI, upper half": (16, 0, 0x100005412, 0), "TIOCLINUX": (16, 0, 0x541c, 0), "AF_VSOCK": (41, 40, 1, 0),
         "AF_NETLINK": (41, 16, 3, 0), "AF_PACKET": (41, 17, 3, 0), "AF_UNIX": (41, 1, 1, 0), "getpid": (39,)}
out({name: call(*words) for name, words in names.items()})
""")
        found = done.json
        allowed = [name for name, answer in found.items() if answer == "allowed"]
        self.assertEqual(["AF_UNIX", "getpid"], allowed)
        self.assertEqual("ENOSYS", found.pop("clone3"))
        for name in ("AF_VSOCK", "AF_NETLINK", "AF_PACKET"):
            self.assertEqual("EAFNOSUPPORT", found.pop(name), name)
        self.assertEqual({"EPERM"}, {found[name] for name in found if name not in allowed})

    def sleeping(self, seconds):
        """Whether that program runs anywhere on this machine."""
        wanted = b"sleep\0" + seconds.encode() + b"\0"
        for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if process.read_bytes() == wanted:
                    return True
            except OSError:
                pass
        return False

    def test_the_switch_ends_it_and_what_it_runs(self):
        self.needs_bubblewrap()
        seconds = f"261.{os.getpid()}"
        folder = self.manifest(f"out('on')\nask(type='exec', command='sleep {seconds}', timeout=200)",
                               f"""permissions:
  required: [ {{ exec: {{ program: sleep, args: ["{seconds}"] }} }} ]
""")
        child = subprocess.Popen([BIN, "run", str(folder), "--timeout", "4m", "--grant", f"exec:sleep {seconds}"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.tmp,
                                 env=self.environment(**self.config(more=", limits: { timeout: 5m }")))
        self.assertEqual(b'"on"\n', child.stdout.readline())
        while not self.sleeping(seconds):
            self.assertIsNone(child.poll())
            time.sleep(0.02)
        self.assertEqual(0, self.cordon("plugins", "disable").code)
        _, told = child.communicate(timeout=HANG_SECONDS)
        self.assertNotEqual(0, child.returncode)
        self.assertIn(b"E_UNAVAILABLE", told)
        until = time.monotonic() + HANG_SECONDS
        while self.sleeping(seconds) and time.monotonic() < until:
            time.sleep(0.02)
        self.assertFalse(self.sleeping(seconds))

    def test_ctrl_c_ends_it(self):
        self.needs_bubblewrap()
        folder = self.manifest("out('on')\ntime.sleep(600)")
        child = subprocess.Popen([BIN, "run", str(folder), "--timeout", "25s"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.tmp,
                                 env=self.environment(**self.config()),
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.assertEqual(b'"on"\n', child.stdout.readline())
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=HANG_SECONDS)
        self.assertEqual(130, child.returncode)

    def test_what_was_imported_runs(self):
        self.needs_bubblewrap()
        self.write("hello/plugin.toml", '[plugin]\nname = "hello"\nversion = "1.0.0"\n[[commands]]\nname = "hello"\n'
                   'binary = "hello"\n[capabilities]\nstore = true\n')
        self.write("hello/hello", PRELUDE + "send(type='output', text='hello ' + args[0])")
        made = self.cordon("plugin", "import", self.tmp / "hello/plugin.toml", "--output", self.tmp / "made")
        self.assertEqual(0, made.code, made.err)
        if not (self.tmp / "made/hello").exists():
            shutil.copyfile(self.tmp / "hello/hello", self.tmp / "made/hello")
        done = self.cordon("run", self.tmp / "made", "hello", "--grant", "kv:write:fledge", "--input",
                           '{"args": ["world"]}', env=self.config())
        self.assertEqual('"hello world"', done.out.strip(), done.err)


if __name__ == "__main__":
    unittest.main()
