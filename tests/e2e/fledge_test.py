#!/usr/bin/env python3
"""Plugins written for fledge, unmodified: what their messages come to, and what is refused. Two of the guests are of
one source, with every capability (notes) and with none (plain)."""
import json
import pathlib
import shutil
import subprocess
import unittest

from cordon import GUESTS, HANG_SECONDS, CordonTest

NOTES = GUESTS / "fledge_notes.wasm"
PLAIN = GUESTS / "fledge_plain.wasm"
ALL = ("--grant", "kv:write:fledge", "--grant", "ctx:project")


class Tests(CordonTest):
    def run_notes(self, *words, options=(), programs=("true",), **more):
        """The plugin with its store, the metadata, and programs."""
        grants = [word for program in programs for word in ("--grant", f"exec:{program}")]
        return self.cordon("run", NOTES, *ALL, *grants, *options, "--", *words, **more)

    def exec(self, line, *words, **more):
        done = self.run_notes("exec", line, *words, **more)
        self.assertEqual(0, done.code, done.err)
        return done.json

    def project(self):
        folder = self.tmp / "project"
        self.write("project/fledge.toml", 'name = "demo"\n[build]\nsteps = ["a", "b"]\n')
        self.write("project/Cargo.toml", "[package]\n")
        git = ["git", "-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "init.defaultBranch=trunk"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["tag", "v1.9.0"], ["tag", "v1.10.0"],
                      ["remote", "add", "origin", "https://example.com/demo.git"]):
            subprocess.run([*git, *words], cwd=folder, check=True, timeout=HANG_SECONDS,
                           env=self.environment(GIT_CONFIG_NOSYSTEM="1"))
        return folder

    def manifest(self, tail="", artifact=NOTES, abi="fledge"):
        folder = self.tmp / "plugin"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(artifact, folder / "notes.wasm")
        self.write("plugin/plugin.yaml", f"""manifest: 1
name: acme/notes
version: 2.1.0
runtime: {{ abi: {abi}, artifact: notes.wasm }}
{tail}""")
        return folder

    def codes(self, done):
        return json.loads(done.err)["error"]["code"] if done.err.startswith("{") else done.err

    # ---- as a program ----------------------------------------------------------------------------------------------

    def test_arguments_are_in_the_first_message_and_output_is_what_messages_say(self):
        done = self.cordon("run", PLAIN, "--", "echo", "one", 'two "words"', "é")
        self.assertEqual((0, 'one two "words" é\n', ""), (done.code, done.out, done.err))
        told = self.cordon("run", PLAIN, "--", "init", "x").json
        self.assertEqual({
            "type": "init", "protocol": "fledge-v1", "args": ["init", "x"], "project": None,
            "plugin": {"name": "fledge_plain", "version": "0.0.0", "dir": ""}, "fledge": told["fledge"],
            "capabilities": {"exec": False, "store": False, "metadata": False, "filesystem": "none"}}, told)

    def test_what_it_prints_is_for_people(self):
        done = self.cordon("run", PLAIN, "--", "print")
        self.assertEqual((0, "for the host", "for people\n"), (done.code, done.out, done.err))

    def test_the_exit_status_passes_through(self):
        for status in (0, 1, 42):
            self.assertEqual(status, self.cordon("run", PLAIN, "--", "exit", status).code)
        self.assertEqual(2, self.cordon("run", PLAIN, "--", "no-such-word").code)

    def test_log_lines_are_escaped(self):
        done = self.cordon("run", PLAIN, "--", "log", "warn", "care\x1b[2Jful")
        self.assertEqual(0, done.code)
        self.assertIn("warn] care\\u001b[2Jful", done.err)
        self.assertIn("info] x", self.cordon("run", PLAIN, "--", "log", "shout", "x").err)

    def test_what_is_no_message_is_nothing(self):
        for text in ("", "{", "[]", '{"type":"dance"}', '{"type":"output"}', '{"type":"output","text":5}', "null",
                     "[" * 10000):
            done = self.cordon("run", PLAIN, "--", "raw", text)
            self.assertEqual((0, "", ""), (done.code, done.out, done.err), text)

    def test_a_second_look_finds_nothing(self):
        self.assertEqual("<>", self.cordon("run", PLAIN, "--", "again").out)

    def test_its_time_and_its_output_have_limits(self):
        slow = self.cordon("run", PLAIN, "--timeout", "200ms", "--", "spin")
        self.assertEqual(125, slow.code)
        self.assertIn("E_TIMEOUT", slow.err)
        folder = self.manifest("actions: { go: {} }", PLAIN)
        flood = self.cordon("run", folder, "go", "--input", '{"args": ["flood", "9000"]}')
        self.assertIn("E_OUTPUT_SIZE", flood.err)

    # ---- as actions ------------------------------------------------------------------------------------------------

    def test_an_action_passes_args_and_gives_the_text(self):
        folder = self.manifest("""actions:
  go: {}
  add: { command: { args: [lines, { input: first }, --, { input: rest }], output: lines } }
  tell: { command: { args: [init], output: json } }
""", PLAIN)
        self.assertEqual(0, self.cordon("plugin", "validate", folder).code)
        done = self.cordon("run", folder, "go", "--input", '{"args": ["echo", "-n", "a b"]}')
        self.assertEqual('"-n a b\\n"', done.out.strip(), done.err)
        lines = self.cordon("run", folder, "add", "--input", '{"first": "x", "rest": ["-y", "z"]}')
        self.assertEqual(["x", "--", "-y", "z"], lines.json)
        self.assertIn("E_INPUT_SCHEMA", self.cordon("run", folder, "add", "--input", '{"first": "-x"}').err)
        told = self.cordon("run", folder, "tell", "--input", "{}").json
        self.assertEqual({"name": "acme/notes", "version": "2.1.0", "dir": ""}, told["plugin"])
        self.assertIn("E_OUTPUT_SCHEMA", self.cordon("run", self.manifest(
            "actions: { go: { command: { args: [echo, x], output: json } } }", PLAIN), "go", "--input", "{}").err)
        failed = self.cordon("run", self.manifest("actions: { go: {} }", PLAIN), "go", "--input",
                             '{"args": ["exit", "9"]}')
        self.assertIn("E_EXIT", failed.err)

    def test_what_was_imported_runs(self):
        self.write("hello/plugin.toml", '[plugin]\nname = "hello"\nversion = "1.0.0"\nruntime = "wasm"\n'
                   'protocol = "fledge-v1"\n[[commands]]\nname = "hello"\nbinary = "hello.wasm"\n'
                   '[capabilities]\nstore = true\nmetadata = true\nfilesystem = "project"\n')
        shutil.copyfile(PLAIN, self.tmp / "hello/hello.wasm")
        made = self.cordon("plugin", "import", self.tmp / "hello/plugin.toml", "--output", self.tmp / "made")
        self.assertEqual(0, made.code, made.err)
        if not (self.tmp / "made/hello.wasm").exists():
            shutil.copyfile(PLAIN, self.tmp / "made/hello.wasm")
        self.write("files/a.txt", "of the project")
        done = self.cordon("run", self.tmp / "made", "hello", *ALL, "--mount", f"{self.tmp}/files:/project", "--input",
                           '{"args": ["cat", "/project/a.txt"]}')
        self.assertEqual('"of the project"', done.out.strip(), done.err)
        refused = self.cordon("run", self.tmp / "made", "hello", "--input", "{}")
        for missing in ("kv:write:fledge", "ctx:project", "/project"):
            self.assertIn(missing, refused.err)

    # ---- what is granted -------------------------------------------------------------------------------------------

    def test_attack_1_an_import_without_its_grant_is_not_linked(self):
        refused = self.cordon("run", NOTES, "--grant", "kv:read:fledge", "--", "echo", "x", "--json")
        self.assertEqual((123, ""), (refused.code, refused.out))
        for name in ("fledge.exec ", "fledge.store_set ", "fledge.metadata "):
            self.assertIn(name, refused.err)
        self.assertNotIn("fledge.store_get ", refused.err)
        # A bucket of another name, and another part of the context, are other things.
        other = self.cordon("run", NOTES, "--grant", "kv:write:other", "--grant", "ctx:user", "--grant", "exec:true",
                            "--", "echo", "x")
        for name in ("fledge.store_set ", "fledge.store_get ", "fledge.metadata "):
            self.assertIn(name, other.err)
        self.assertNotIn("fledge.exec ", other.err)

    def test_attack_1_imports_that_only_look_like_fledges(self):
        for guest, rule in (("fledge_mistyped", "wrong-type"), ("fledge_unknown", "unknown-function")):
            refused = self.cordon("run", GUESTS / f"{guest}.wasm", *ALL)
            self.assertEqual(123, refused.code)
            self.assertIn(rule, refused.err)
        as_command = self.cordon("run", self.manifest(artifact=PLAIN, abi="command"), "--", "echo", "x")
        self.assertIn("write abi: fledge", as_command.err)

    def test_attack_5_two_gib_that_are_not_there_end_the_call(self):
        done = self.cordon("run", GUESTS / "fledge_outside.wasm")
        self.assertEqual(121, done.code)
        self.assertIn("2147483648 bytes", done.err)

    def test_link_lenient_answers_as_fledge_does(self):
        optional = """permissions:
  optional:
    - exec: { program: id }
    - storage: { bucket: fledge, access: write }
    - context: [project]
"""
        wasm = GUESTS / "fledge_ungranted.wasm"
        lenient = self.cordon("run", self.manifest(optional + "link: lenient\n", wasm))
        self.assertEqual((0, "exec ok\nstore ok\nmetadata ok\n"), (lenient.code, lenient.out), lenient.err)
        denied = [record["capability"] for record in self.audit() if record.get("rule") == "no-grant"]
        self.assertIn("exec:id", denied)
        strict = self.cordon("run", self.manifest(optional, wasm))
        self.assertEqual(123, strict.code)
        self.assertIn("fledge.exec", strict.err)

    def test_programs_run_without_a_shell(self):
        self.assertEqual({"code": 0, "stdout": "a|b\n", "stderr": ""},
                         self.exec("echo 'a|b'", programs=("echo <re:a.b>",)))
        self.assertEqual(1, self.exec("false", programs=("false",))["code"])
        denied = self.exec("echo other", programs=("echo one",))
        self.assertEqual((126, ""), (denied["code"], denied["stdout"]))
        self.assertIn("echo other", denied["stderr"])
        second = self.run_notes("twice", "echo a", "echo b", programs=("echo a", "echo b"))
        self.assertEqual("b\n", second.json["stdout"], second.err)

    def test_attack_107_what_only_a_shell_could_act_on_is_refused(self):
        for line in ("true; id", "true | id", "true && id", "$(id)", "`id`", "true > /tmp/x", "true\nid", "~/x",
                     "true 'open", ""):
            refused = self.exec(line)
            self.assertEqual((126, ""), (refused["code"], refused["stdout"]), line)
            self.assertNotEqual("", refused["stderr"])
        rules = [record["rule"] for record in self.audit() if record.get("rule") == "exec:shell"]
        self.assertEqual(10, len(rules))

    def test_a_program_has_a_time_and_a_place(self):
        late = self.exec("sleep 30", "", "1", programs=("sleep 30",), options=("--timeout", "20s"))
        self.assertEqual(124, late["code"])
        mount = ("--mount", f"{self.write('work/sub/x', '').parent.parent}:/project")
        for cwd, place in (("", "work"), (".", "work"), ("sub", "work/sub"), ("/project/sub/", "work/sub")):
            ran = self.exec("pwd", cwd, programs=("pwd",), options=mount)
            self.assertEqual(f"{self.tmp}/{place}\n", ran["stdout"])
        for cwd in ("/etc", "..", "../..", "/project/../..", "/plugin", "sub/../.."):
            refused = self.exec("pwd", cwd, programs=("pwd",), options=mount)
            self.assertEqual((1, ""), (refused["code"], refused["stdout"]), cwd)

    def test_a_malformed_request_ends_the_call(self):
        for words in (["exec-raw", "nonsense"], ["exec-raw", "[]"], ["set-raw", "nonsense"], ["set-raw", "{}"],
                      ["set-raw", '{"key": "k", "value": 5}']):
            done = self.run_notes(*words)
            self.assertEqual(124, done.code, words)
            self.assertIn("E_INVALID", done.err)
        self.assertEqual("{}", self.run_notes("metadata-raw", "5").out)

    def test_the_store_keeps_what_it_is_given(self):
        self.assertEqual(0, self.run_notes("set", "key", 'va"lue').code)
        self.assertEqual('"va\\"lue"', self.run_notes("get", "key").out)
        self.assertEqual("null", self.run_notes("get", "other").out)

    def test_the_store_has_fledges_limits(self):
        self.assertEqual(0, self.run_notes("set", "k" * 256, "v", "65536").code)
        for words in (["set", "k" * 257, "v"], ["set", "", "v"], ["set", "a\nb", "v"], ["set", "k", "v", "65537"],
                      ["get", "k" * 257], ["get", ""]):
            refused = self.run_notes(*words)
            self.assertEqual(124, refused.code, (words[0], refused.err))
            self.assertIn("E_LIMIT", refused.err)
        many = self.run_notes("fill", "257", "1")
        self.assertIn("E_LIMIT", many.err)
        self.assertEqual('"v"', self.run_notes("get", "k254").out)
        large = self.run_notes("fill", "17", "64000")
        self.assertIn("E_LIMIT", large.err)

    def test_metadata_is_what_was_granted_and_no_more(self):
        mount = ("--mount", f"{self.project()}:/project")
        git = ("git tag --sort=-v:refname", "git log --oneline -20", "git rev-parse --abbrev-ref HEAD",
               "git remote get-url origin")
        told = self.run_notes("metadata", "fledge_config", "git_tags", "git_log", "git_status", "env", "other",
                              options=(*mount, "--env", "MODE=fast"), programs=git).json
        self.assertEqual({"name": "demo", "build": {"steps": ["a", "b"]}}, told["fledge_config"])
        self.assertEqual(["v1.10.0", "v1.9.0"], told["git_tags"])
        self.assertEqual("first", told["git_log"][0].split()[1])
        self.assertEqual({"MODE": "fast"}, told["env"])
        self.assertEqual((None, None), (told["git_status"], told["other"]))
        denials = [record for record in self.audit() if record.get("decision") == "deny"]
        self.assertEqual({"exec:git status --porcelain"}, {record["capability"] for record in denials})
        init = self.run_notes("init", options=mount, programs=git).json
        self.assertEqual({"name": "project", "root": "/project", "language": "rust", "git": {
            "branch": "trunk", "dirty": False, "remote": "origin", "remote_url": "https://example.com/demo.git"}},
            init["project"])
        self.assertEqual({"exec": True, "store": True, "metadata": True, "filesystem": "project"},
                         init["capabilities"])
        # Without the grant nothing is told but what the mount shows.
        plain = self.cordon("run", PLAIN, *mount, "--", "init").json
        self.assertEqual({"name": "project", "root": "/project", "language": "unknown", "git": None}, plain["project"])
        nothing = self.run_notes("metadata", "fledge_config", "git_tags", "env").json
        self.assertEqual({"fledge_config": None, "git_tags": None, "env": {}}, nothing)

    def test_attack_8_a_link_in_the_projects_place_is_not_followed(self):
        secret = self.write("secret.toml", "a = 1\n")
        project = self.tmp / "linked"
        project.mkdir()
        (project / "fledge.toml").symlink_to(secret)
        told = self.run_notes("metadata", "fledge_config", options=("--mount", f"{project}:/project"))
        self.assertEqual({"fledge_config": None}, told.json)

    def test_folders_are_those_of_fledge(self):
        mounts = ("--mount", f"{self.write('p/a', 'of the project').parent}:/project", "--mount",
                  f"{self.write('own/b', '').parent}:/plugin:rw")
        self.assertEqual("of the project", self.cordon("run", PLAIN, *mounts, "--", "cat", "/project/a").out)
        self.assertNotEqual("written\n", self.cordon("run", PLAIN, *mounts, "--", "write", "/project/a", "x").out)
        self.assertEqual("written\n", self.cordon("run", PLAIN, *mounts, "--", "write", "/plugin/b", "x").out)
        self.assertEqual("x", (self.tmp / "own/b").read_text())
        init = self.cordon("run", PLAIN, *mounts, "--", "init").json
        self.assertEqual(("/plugin", "plugin"), (init["plugin"]["dir"], init["capabilities"]["filesystem"]))

    # ---- shown -----------------------------------------------------------------------------------------------------

    def test_inspect_and_explain_know_the_kind(self):
        self.assertEqual("fledge", self.cordon("inspect", NOTES, "--json").json["abi"])
        explained = self.cordon("explain", NOTES, "--grant", "exec:true", "--json").json
        states = {one["import"]: (one["state"], one.get("grant")) for one in explained["imports"]
                  if one["import"].startswith("fledge.")}
        self.assertEqual(("linked", None), (states["fledge.exec"][0], states["fledge.exec"][1] or None))
        self.assertEqual(("not-linked", "kv:write:fledge"), states["fledge.store_set"])
        self.assertEqual(("not-linked", "ctx:project"), states["fledge.metadata"])
        self.assertEqual("linked", states["fledge.send"][0])

    def test_it_is_not_half_recorded(self):
        done = self.cordon("record", PLAIN, "_start", "--fixture", self.tmp / "r")
        self.assertIn("E_UNENFORCEABLE", done.err)

    def test_a_manifest_with_another_artifact_is_refused(self):
        component = self.cordon("run", self.manifest(artifact=GUESTS / "shop.wasm"), "--", "echo")
        self.assertIn("E_INVALID", component.err)


if __name__ == "__main__":
    unittest.main()
