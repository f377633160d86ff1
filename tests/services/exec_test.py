#!/usr/bin/env python3
"""cordon:exec as a plugin meets it, by the command, with git as what is granted. CORDON_BIN and CORDON_GUESTS say where
things are."""
import json
import os
import shutil
import unittest

from exec_case import ExecCase

LOG = "exec:git log --oneline <re:[0-9a-f]{7,40}>"


class Exec(ExecCase):
    def test_git_runs_with_the_arguments_that_were_granted(self):
        head = self.repository()
        answer = self.ran("git", ["log", "--oneline", head], LOG, directory="/data/repo")
        self.assertEqual((answer["how"], answer["stderr"]), ("exited 0", ""))
        self.assertEqual(answer["stdout"], f"{head[:7]} the first\n")
        self.assertEqual(answer["truncated"], [False, False])
        [record] = self.decisions_of_guest()
        self.assertEqual((record["decision"], record["capability"]), ("allow", f"exec:git log --oneline {head}"))
        self.assertRegex(record["target"], r"^/usr/bin/git sha256:[0-9a-f]{64}$")
        self.assertEqual(record["rule"], "grant:" + LOG)

    def test_each_form_of_argument(self):
        grant = "exec:printf [%25s] <one-of:a|b> <int:1..9> <re:[x-z]+> plain"
        self.assertEqual(self.ran("printf", ["[%s]", "b", "9", "xyz", "plain"], grant)["stdout"], "[b][9][xyz][plain]")
        for wrong in (["[%s]", "c", "9", "xyz", "plain"], ["[%s]", "a|b", "9", "xyz", "plain"],
                      ["[%s]", "b", "10", "xyz", "plain"], ["[%s]", "b", "09", "xyz", "plain"],
                      ["[%s]", "b", "9", "xyzA", "plain"], ["[%s]", "b", "9", "xyz", "plainer"],
                      ["[%s]", "b", "9", "xyz"], ["[%s]", "b", "9", "xyz", "plain", "more"], []):
            record = self.denied("not-requested", "printf", wrong, grant)
            self.assertIn("--grant 'exec:printf", record["note"])

    def test_input_status_and_signal(self):
        self.assertEqual(self.ran("cat", [], "exec:cat", given="a line\n")["stdout"], "a line\n")
        self.assertEqual(self.ran("false", [], "exec:false")["how"], "exited 1")
        big = self.ran("wc", ["-c"], "exec:wc -c", given="x" * 1000000)
        self.assertEqual(big["stdout"].strip(), "1000000")
        answer = self.go("cat", [], "exec:cat", given="x" * ((1 << 20) + 1))
        self.assertEqual(answer, {"err": "E_INPUT_SIZE: the input of a program has at most 1 MiB"})
        _, grant = self.script("import os, signal; os.kill(os.getpid(), signal.SIGUSR1)")
        self.assertEqual(self.ran("python3", ["-I", str(self.data / "script.py")], grant)["how"], "signalled 10")

    def test_a_path_is_the_hosts_own_and_writable_as_the_folder_is(self):
        (self.data / "in put.txt").write_text("content")
        self.assertEqual(self.ran("cat", ["/data/in put.txt"], "exec:cat <path:/data>")["stdout"], "content")
        [record] = self.decisions_of_guest()
        self.assertEqual(record["capability"], "exec:cat <path:/data/in%20put.txt>")
        tee = "exec:tee <path:/data>"
        refused = self.ran("tee", ["/data/new.txt"], tee, given="written")
        self.assertEqual(refused["how"], "exited 1")
        self.assertIn("Permission denied", refused["stderr"])
        self.ran("tee", ["/data/new.txt"], tee, given="written", mount="rw")
        self.assertEqual((self.data / "new.txt").read_text(), "written")

    def test_it_starts_where_it_is_told_to_or_at_the_root(self):
        self.assertEqual(self.ran("pwd", [], "exec:pwd")["stdout"], "/\n")
        (self.data / "sub").mkdir()
        self.assertEqual(self.ran("pwd", ["-P"], "exec:pwd -P", directory="/data/sub")["stdout"],
                         f"{self.data.resolve()}/sub\n")
        self.denied("exec:path", "pwd", [], "exec:pwd", directory="/elsewhere")

    def test_the_time_is_over(self):
        self.assertEqual(self.ran("sleep", ["100"], "exec:sleep 100", timeout_ms=100)["how"], "timed-out")

    def test_an_optional_grant_that_is_missing_denies(self):
        plugin = self.plugin(permissions={"optional": [{"exec": {"program": "git", "args": ["status"]}}]})
        given = {"program": "git", "arguments": ["status"], "directory": None, "input": "", "timeout-ms": None}
        self.assertEqual(self.call(plugin, "run", given), {"err": "access-denied "})
        self.assertEqual([line["decision"] for line in self.decisions_of_guest()], ["deny"])


class Pinned(ExecCase):
    """Grants on disk: the file that a name stands for is written down."""

    def setUp(self):
        super().setUp()
        self.tool = self.tmp / "tool"
        shutil.copyfile("/usr/bin/printf", self.tool)
        self.tool.chmod(0o755)
        self.p = self.plugin(permissions={"required": [{"exec": {"program": "tool", "args": ["ran"]}}]})
        self.given = {"program": "tool", "arguments": ["ran"], "directory": None, "input": "", "timeout-ms": None}

    def grant(self, *more):
        return self.cordon("plugin", "grant", self.p, "--program", f"tool={self.tool}", "--yes", "--json", *more)

    def test_a_grant_shows_and_keeps_the_file(self):
        granted = json.loads(self.grant().stdout)
        self.assertEqual(granted["programs"]["tool"]["path"], str(self.tool.resolve()))
        self.assertIn("program tool is", self.cordon("plugin", "grants").stdout.decode())
        self.assertEqual(self.call(self.p, "run", self.given)["ok"]["stdout"], "ran")
        shown = json.loads(self.cordon("explain", self.p, "--json").stdout)
        self.assertEqual(shown["programs"], granted["programs"])
        self.assertIn("program tool is", self.cordon("explain", self.p).stdout.decode())
        shown = json.loads(self.cordon("inspect", self.p, "--json").stdout)
        self.assertEqual(shown["programs"], granted["programs"])
        record = [line for line in self.audit() if line["event"] == "grant"][0]
        self.assertIn(granted["programs"]["tool"]["digest"], record["target"])

    def test_a_name_that_nobody_wrote_down_is_not_looked_for(self):
        self.grant()
        grants = (self.state / "grants.yaml").read_text().splitlines(keepends=True)
        text = "".join(line for line in grants if "programs:" not in line and "tool\"" not in line)
        (self.state / "grants.yaml").write_text(text)
        done = json.loads(self.run_action(self.p, "run", self.given).stdout)
        self.assertEqual(done["error"]["code"], "E_MISSING")
        self.assertIn("cordon plugin grant", done["error"]["remedy"])

    def error(self):
        return json.loads(self.run_action(self.p, "run", self.given).stdout)["error"]


class attack_112(Pinned):
    def test_a_program_that_was_swapped_does_not_run(self):
        self.grant()
        shutil.copyfile("/usr/bin/false", self.tool)  # the same inode, other bytes
        self.assertEqual(self.error()["code"], "E_CHANGED")
        self.assertEqual(self.error()["details"]["rule"], "exec:program-changed")
        self.grant()
        self.assertEqual(self.call(self.p, "run", self.given)["ok"]["how"], "exited 1")

    def test_another_file_with_the_same_bytes_is_another_file(self):
        self.grant()
        other = self.tmp / "other"
        shutil.copy(self.tool, other)
        os.rename(other, self.tool)
        self.assertEqual(self.error()["code"], "E_CHANGED")
        self.tool.unlink()
        self.assertEqual(self.error()["code"], "E_CHANGED")

    def test_a_link_that_is_pointed_elsewhere_changes_nothing(self):
        link = self.tmp / "link"
        link.symlink_to(self.tool)
        self.cordon("plugin", "grant", self.p, "--program", f"tool={link}", "--yes")
        link.unlink()
        link.symlink_to("/usr/bin/false")
        self.assertEqual(self.call(self.p, "run", self.given)["ok"]["stdout"], "ran")

    def test_the_search_path_of_the_environment_finds_nothing(self):
        folder = self.tmp / "bin"
        folder.mkdir()
        shutil.copy("/usr/bin/false", folder / "printf")
        self.variables["PATH"] = f"{folder}:{os.environ['PATH']}"
        self.assertEqual(self.ran("printf", ["ran"], "exec:printf ran")["stdout"], "ran")

    def test_an_optional_program_that_was_swapped_is_denied(self):
        self.p = self.plugin(permissions={"optional": [{"exec": {"program": "tool", "args": ["ran"]}}]})
        self.grant("exec:tool ran")
        self.tool.write_bytes(self.tool.read_bytes() + b"\0")
        self.assertEqual(self.call(self.p, "run", self.given), {"err": "access-denied exec:program-changed"})
        self.assertEqual([line["rule"] for line in self.decisions_of_guest()], ["exec:program-changed"])

    def test_a_script_is_no_program(self):
        self.tool.write_text("#!/bin/sh\ntrue\n")
        self.assertEqual(json.loads(self.grant().stdout)["error"]["code"], "E_INVALID")


if __name__ == "__main__":
    unittest.main()
