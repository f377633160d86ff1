#!/usr/bin/env python3
"""Attacks on cordon:exec. CORDON_BIN and CORDON_GUESTS say where things are."""
import json
import unittest

from exec_case import ExecCase, word


class attack_25(ExecCase):
    def test_what_makes_other_matchers_go_back_is_answered_at_once(self):
        text = "a" * 400 + "!"
        for pattern in ("(a+)+", "(a|aa)+", "((a+)+)+"):
            grant = f"exec:printf %25s <re:{pattern}>"
            self.denied("not-requested", "printf", ["%s", text], grant)
            self.denied("exec:argv", "printf", ["%s", 100 * text], grant)  # not even looked at


class attack_107(ExecCase):
    WORDS = ["; touch X", "| touch X", "&& touch X", "& touch X", "$(touch X)", "`touch X`", "a > X", "*", "~",
             "${IFS}", "'; touch X; '", "\"; touch X; \"", "\\", "%s%n", "!!"]

    def test_what_a_shell_would_read_reaches_the_program_as_it_is(self):
        for text in self.WORDS:
            answer = self.ran("printf", ["%s", text], "exec:printf %25s <re:.+>", mount="rw", directory="/data")
            self.assertEqual((answer["how"], answer["stdout"]), ("exited 0", text))
        self.assertEqual(list(self.data.iterdir()), [])

    def test_a_line_feed_is_no_part_of_an_argument(self):
        for text in ("a\nb", "a\rb", "\x1b[0m", "a\x00b", "\x7f"):
            self.denied("exec:argv", "printf", ["%s", text], "exec:printf %25s <re:(?s).+>")


class attack_108(ExecCase):
    def test_no_pattern_takes_what_could_be_an_option(self):
        for text in ("--upload-pack=x", "-oProxyCommand=x", "-exec", "@f", "+cmd", "-", "--", "--output=/etc/x"):
            self.denied("exec:option", "git", ["log", text], "exec:git log <re:.*>")
        self.denied("exec:option", "cat", ["-n"], "exec:cat <path:/data>")

    def test_what_the_grant_spells_out_is_an_option(self):
        self.repository()
        grant = "exec:git log <one-of:--format=%25s|--oneline> <int:-3..-1>"
        answer = self.ran("git", ["log", "--format=%s", "-1"], grant, directory="/data/repo")
        self.assertEqual(answer["stdout"], "the first\n")


class attack_109(ExecCase):
    def test_other_arguments_are_other_grants(self):
        self.repository()
        grant = "exec:git status --short"
        self.assertEqual(self.ran("git", ["status", "--short"], grant, directory="/data/repo")["how"], "exited 0")
        for words in (["-c", "core.pager=x", "status", "--short"], ["status", "--git-dir=/"],
                      ["status", "--short", "x"], ["--exec-path=/tmp", "status"], ["status"], ["STATUS", "--short"],
                      ["status", "--short "]):
            self.denied("not-requested", "git", words, grant)


class attack_110(ExecCase):
    def test_what_runs_others_is_not_granted_unless_all_is_spelled_out(self):
        for grant in ("exec:sh", "exec:sh -c <re:.*>", "exec:bash <path:/data>", "exec:env sh <re:.*>", "exec:xargs",
                      "exec:xargs <re:.*>", "exec:awk <re:.*>", "exec:mawk <re:.*>", "exec:sed <re:.*> <path:/data>",
                      "exec:python3 <path:/data>", "exec:python3.11 <re:.*>", "exec:perl5.36 <re:.*>", "exec:find",
                      "exec:find <re:.*>", "exec:tar <re:.*>", "exec:git", "exec:git <re:.*>", "exec:ssh <re:.*> ls",
                      "exec:busybox <re:.*>", "exec:sudo <re:.*>", "exec:timeout 5 <re:.*>", "exec:make <re:.*>",
                      "exec:vim.basic <path:/data>", "exec:docker run <re:.*>", "exec:nohup <re:.*>"):
            self.assertEqual(self.refused(grant), "E_GRANT_TOO_WIDE", grant)

    def test_another_name_for_it_does_not_help(self):
        plugin = self.plugin(permissions={"required": [{"exec": {"program": "tool", "args": [{"pattern": ".*"}]}}]})
        for words in (("run", plugin, "run", "--input", "{}", "--grant", "exec:tool <re:.*>", "--json"),
                      ("plugin", "grant", plugin, "--yes", "--json")):
            done = self.cordon(*words, "--program", "tool=/bin/sh")
            self.assertIn(b"E_GRANT_TOO_WIDE", done.stdout, words)

    def test_the_ways_out_of_find_and_tar_are_no_operands(self):
        for text in ("-exec", "-delete", "-fprintf"):
            self.denied("exec:option", "find", ["/data", text], "exec:find <path:/data> <re:.*>")
        for text in ("--checkpoint-action=exec=sh", "-Ish", "--use-compress-program=sh"):
            self.denied("exec:option", "tar", ["tf", text], "exec:tar tf <re:.*>")

    def test_what_is_spelled_out_runs_and_runs_nothing_else(self):
        grant = "exec:sh -c " + word("echo fine; /usr/bin/id || echo refused")
        answer = self.ran("sh", ["-c", "echo fine; /usr/bin/id || echo refused"], grant)
        self.assertEqual(answer["stdout"], "fine\nrefused\n")
        # A configuration that the plugin writes for git cannot name a command either.
        self.repository()
        made = self.data / "X"
        with (self.data / "repo/.git/config").open("a") as config:
            config.write(f'[core]\n\tfsmonitor = "touch {made}; echo"\n')
        self.ran("git", ["status"], "exec:git status", directory="/data/repo", mount="rw")
        self.assertFalse(made.exists())
        # A helper is one more program that the operator names.
        self.ran("git", ["status"], "exec:git status", directory="/data/repo", mount="rw",
                 flags=["--program", "sh=/bin/sh", "--program", "touch=/usr/bin/touch"])
        self.assertTrue(made.exists())
        answer = self.ran("sh", ["-c", "echo fine; /usr/bin/id || echo refused"], grant,
                          flags=["--program", "id=/usr/bin/id"])
        self.assertIn("uid=", answer["stdout"])


class attack_111(ExecCase):
    def test_patterns_and_names_hold_from_end_to_end(self):
        self.denied("not-requested", "lsof", [], "exec:ls")
        self.denied("exec:argv", "/bin/ls", [], "exec:ls")  # no path is a name
        for text in ("12x", "x12", "1 --x", "", "１"):
            rule = "exec:argv" if text == "" else "not-requested"
            self.denied(rule, "seq", [text], "exec:seq <re:[0-9]+>")
        self.denied("exec:argv", "seq", ["1\n--x"], "exec:seq <re:[0-9]+>")
        self.denied("not-requested", "seq", ["ab"], "exec:seq <re:a|b>")


class attack_113(ExecCase):
    def test_no_path_leaves_the_folder(self):
        outside = self.tmp / "outside.txt"
        outside.write_text("secret")
        (self.data / "link").symlink_to(outside)
        (self.data / "folder").symlink_to(self.tmp)
        (self.data / "up").symlink_to("..")
        grant = "exec:cat <path:/data>"
        for path in ("/data/link", "/data/folder/outside.txt", "/data/up/outside.txt", "/data/none/outside.txt"):
            self.denied("exec:path", "cat", [path], grant)
        for path in ("/data/../outside.txt", "/data/./x", "/data//x", "/data/", "/datax", "/etc/passwd", "data/x",
                     f"{self.data}/x", "/data/..", "--opt=/etc/x"):
            rule = "exec:option" if path.startswith("-") else "not-requested"
            self.denied(rule, "cat", [path], grant)
        self.denied("exec:path", "cat", [], "exec:cat", directory="/data/folder")
        self.denied("exec:path", "cat", [], "exec:cat", directory="/data/../x")

    def test_a_path_without_a_folder_is_denied(self):
        self.denied("exec:path", "cat", ["/data/x"], "exec:cat <path:/data>", mount=None)

    def test_the_kernel_holds_what_a_pattern_or_a_swapped_link_would_open(self):
        outside = self.tmp / "outside.txt"
        outside.write_text("secret")
        answer = self.ran("cat", [str(outside)], "exec:cat <re:/.*>")
        self.assertEqual((answer["stdout"], answer["how"]), ("", "exited 1"))
        self.assertIn("Permission denied", answer["stderr"])
        for path in ("/proc/self/environ", "/proc/1/cmdline", "/root", "/tmp", str(self.state / "audit.jsonl")):
            self.assertEqual(self.ran("cat", [path], "exec:cat <re:/.*>")["stdout"], "", path)


class attack_23(ExecCase):
    # Every one of them leaves its parent, its session and its group.
    BOMB = """
import os, time
for _ in range(300):
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setsid()
                time.sleep(300)
            os._exit(0)
    except BlockingIOError:
        break
print("started", flush=True)
time.sleep(300)
"""

    def test_a_fork_bomb_ends_with_its_call_and_leaves_no_orphan(self):
        path, grant = self.script(self.BOMB)
        answer = self.ran("python3", ["-I", str(path)], grant, timeout_ms=4000)
        self.assertEqual(answer["how"], "timed-out")
        for _ in range(100):
            if not self.processes(str(path)):
                break
            time.sleep(0.02)
        self.assertEqual(self.processes(str(path)), [])


class attack_114(ExecCase):
    def test_endless_output_is_cut(self):
        answer = self.ran("yes", [], "exec:yes", timeout_ms=20000)
        self.assertEqual((answer["bytes"], answer["truncated"]), ([1 << 20, 0], [True, False]))
        self.assertEqual(answer["how"], "signalled 13")

    TREE = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            time.sleep(300)
        time.sleep(300) if MODE == "stay" else os._exit(0)
time.sleep(0.2)
print("started", flush=True)
if MODE == "stay":
    time.sleep(300)
"""

    def left(self, mode):
        path, grant = self.script(f"MODE = {mode!r}\n{self.TREE}")
        answer = self.ran("python3", ["-I", str(path)], grant, timeout_ms=1500)
        self.assertEqual(answer["stdout"], "started\n")
        for _ in range(50):
            if not self.processes(str(path)):
                break
            time.sleep(0.02)
        return answer["how"], self.processes(str(path))

    def test_the_whole_tree_ends_at_the_deadline(self):
        self.assertEqual(self.left("stay"), ("timed-out", []))

    def test_what_outlives_the_program_and_keeps_its_pipes_ends_with_it(self):
        self.assertEqual(self.left("leave"), ("exited 0", []))

    def test_the_calls_own_deadline_holds_too(self):
        path, grant = self.script(f"MODE = 'stay'\n{self.TREE}")
        with self.assertRaises(AssertionError) as error:
            self.go("python3", ["-I", str(path)], grant, flags=["--timeout", "1s"])
        self.assertIn("E_TIMEOUT", str(error.exception))
        for _ in range(100):
            if not self.processes(str(path)):
                break
            time.sleep(0.05)
        self.assertEqual(self.processes(str(path)), [])


class attack_115(ExecCase):
    def test_no_argument_list_of_any_size_reaches_the_program(self):
        for count, size in ((65, 1), (100000, 1), (1, 513), (1, 2 << 20), (64, 512), (1, 0)):
            self.assertEqual(self.go("printf", (), "exec:printf <re:.*>", action="many", count=count, size=size),
                             {"err": "access-denied exec:argv"}, (count, size))
            self.assertEqual([line["rule"] for line in self.decisions_of_guest()], ["exec:argv"])
        for name in ("", "x" * 5000, "pri\x00ntf", "../printf", "LD_PRELOAD=/x printf"):
            self.denied("exec:argv", name, [], "exec:printf")


class attack_116(ExecCase):
    SEEN = """
import json, os, resource
fds = []
for fd in range(1024):
    try:
        os.fstat(fd)
        fds.append(fd)
    except OSError:
        pass
with open("/etc/hostname", "rb"):
    pass
print(json.dumps({"env": dict(os.environ), "fds": fds, "sid": os.getsid(0) == os.getpid(), "cwd": os.getcwd(),
                  "group": os.getpgrp() == os.getpid(), "core": resource.getrlimit(resource.RLIMIT_CORE)[0]}))
"""

    def test_it_has_three_descriptors_and_an_environment_of_ours(self):
        self.variables = {"LD_PRELOAD_X": "1", "GIT_SSH_COMMAND": "evil", "BASH_ENV": "/evil", "PYTHONPATH": "/evil"}
        path, grant = self.script(self.SEEN)
        seen = json.loads(self.ran("python3", ["-I", str(path)], grant)["stdout"])
        self.assertEqual({**seen["env"], "LC_CTYPE": "C.UTF-8"},
                         {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_CTYPE": "C.UTF-8"})
        self.assertEqual((seen["fds"], seen["sid"], seen["group"]), ([0, 1, 2], True, True))
        self.assertEqual((seen["cwd"], seen["core"]), ("/", 0))

    def test_it_gains_nothing_by_a_setuid_program(self):
        path, grant = self.script("""
import ctypes
print(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0))
""")
        self.assertEqual(self.ran("python3", ["-I", str(path)], grant)["stdout"], "1\n")

    def test_it_has_no_capability_of_the_kernel_whoever_runs_it(self):
        path, grant = self.script("""
import ctypes
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None, use_errno=True).capget(header, sets) == 0
print(list(sets))
""")
        effective = json.loads(self.ran("python3", ["-I", str(path)], grant)["stdout"])
        self.assertEqual([effective[i] for i in (0, 1, 3, 4)], [0, 0, 0, 0])  # effective and permitted, both words

    def test_a_request_for_a_variable_is_denied_and_recorded(self):
        record = self.denied("not-requested", "env", ["LD_PRELOAD=/x", "git"], "exec:git log")
        self.assertEqual(record["capability"], "exec:env LD_PRELOAD=/x git")


if __name__ == "__main__":
    unittest.main()
