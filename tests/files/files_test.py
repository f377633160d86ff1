#!/usr/bin/env python3
"""A guest that makes raw wasi:filesystem calls tries to leave what it was granted (attacks.md 24, 134 to 144, and 154).

Run one with `files_test.py attack_134`. CORDON_BIN and CORDON_GUESTS say where the command and the guests are.
"""
import ctypes
import json
import os
import pathlib
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

BIN = os.environ.get("CORDON_BIN", "build/bin/cordon")
GUESTS = pathlib.Path(os.environ.get("CORDON_GUESTS", "build/guests"))
HANG_SECONDS = 120  # a guard; promptness is measured by the bench
SECRET = "planted-secret-7f3a"
SOAK = os.environ.get("CORDON_SOAK") == "1"


class Case(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="cordon-files-")
        self.addCleanup(self.temporary.cleanup)
        self.base = pathlib.Path(self.temporary.name)
        self.mount = self.base / "mount"
        self.mount.mkdir()
        (self.base / "outside.txt").write_text(SECRET)
        (self.mount / "inside.txt").write_text("inside")
        (self.mount / "sub").mkdir()
        self.home = self.base / "state"

    def run_guest(self, guest, action, given, *flags):
        """The JSON document of one call, and the audit lines that it added."""
        before = len(self.audit())
        done = subprocess.run(
            [BIN, "run", str(GUESTS / f"{guest}.wasm"), action, "--input", json.dumps(given), "--json", *flags],
            env={"PATH": os.environ["PATH"], "HOME": str(self.base), "CORDON_HOME": str(self.home)}
            | {name: value for name, value in os.environ.items() if name.startswith("CORDON_PLUGINS_")},
            capture_output=True, stdin=subprocess.DEVNULL, timeout=HANG_SECONDS)  # fmt: skip
        self.assertGreaterEqual(done.returncode, 0, "died of a signal")
        for byte in done.stdout + done.stderr:
            self.assertTrue(byte >= 0x20 or byte == 0x0A, "a raw control character was shown")
        self.assertNotIn(SECRET.encode(), done.stdout + done.stderr)
        return json.loads(done.stdout), self.audit()[before:]

    def audit(self):
        path = self.home / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def raw(self, action, given, *mounts):
        mounts = mounts or (f"{self.mount}:/data:rw",)
        flags = [word for mount in mounts for word in ("--mount", mount)]
        document, audit = self.run_guest("files", action, given, *flags)
        self.assertTrue(document["ok"], document)
        return document["output"], audit

    def open(self, path, *how, mounts=()):
        return self.raw("open", {"folder": 0, "path": path, "how": list(how)}, *mounts)

    def denials(self, audit):
        return [line["rule"] for line in audit if line.get("decision") == "deny"]

    def assert_denied(self, result, rule, what=""):
        output, audit = result
        self.assertIn("err", output, what)
        self.assertEqual(self.denials(audit), [rule], what)
        return output["err"]


@unittest.skipUnless(os.geteuid() == 0, "a small disk is made by mounting one")
class attack_24(Case):
    CLONE_NEWNS = 0x20000

    def setUp(self):
        super().setUp()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(self.CLONE_NEWNS) != 0:
            self.skipTest("no mount namespace of its own: " + os.strerror(ctypes.get_errno()))
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=8", "none", self.mount], check=True)
        self.addCleanup(subprocess.run, ["umount", self.mount], check=True)
        (self.mount / "kept.txt").write_text("kept")
        self.other = self.base / "other"
        self.other.mkdir()

    def put(self, name, text="", folder=None):
        """What a program says that writes a whole file."""
        mount = f"{folder or self.mount}:/data:rw"
        chosen = {key: value for key, value in os.environ.items() if key.startswith("CORDON_PLUGINS_")}
        done = subprocess.run(
            [BIN, "run", str(GUESTS / "command_p1.wasm"), "--mount", mount, "--", "write", f"/data/{name}", text],
            env={"PATH": os.environ["PATH"], "HOME": str(self.base), "CORDON_HOME": str(self.home)} | chosen,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=HANG_SECONDS)  # fmt: skip
        self.assertGreaterEqual(done.returncode, 0, "died of a signal")
        return done.returncode, done.stderr.decode()

    def assert_others_write(self):
        self.assertEqual((self.mount / "kept.txt").read_text(), "kept")
        self.assertEqual(self.put("fine", "fine", self.other), (0, ""))
        self.assertEqual((self.other / "fine").read_text(), "fine")

    def test_a_full_disk_is_an_error_and_what_was_there_stays(self):
        code, said = self.put("big", "x" * 100_000)
        self.assertNotEqual(code, 0)
        self.assertIn("No space left on device", said)
        self.assert_others_write()
        (self.mount / "big").unlink()
        self.assertEqual(self.put("small", "x"), (0, ""))

    def test_a_folder_without_room_for_files(self):
        codes = [self.put(f"empty-{i}")[0] for i in range(8)]
        self.assertEqual(codes[0], 0)
        self.assertNotEqual(codes[-1], 0)
        self.assert_others_write()


class attack_134(Case):
    def test_paths_that_would_leave(self):
        for path, rules in {
            "..": ("fs:path", "fs:beneath"),
            "../outside.txt": ("fs:path", "fs:beneath"),
            "sub/../../outside.txt": ("fs:path", "fs:beneath"),
            str(self.base / "outside.txt"): ("fs:path", "fs:beneath"),
            "/etc/passwd": ("fs:path", "fs:beneath"),
        }.items():
            output, audit = self.open(path, "read", "follow")
            self.assertIn("err", output, path)
            self.assertEqual(len(self.denials(audit)), 1, path)
            self.assertIn(self.denials(audit)[0], rules, path)

    def test_paths_that_are_no_paths(self):
        for path in ("", "x" * 5000, "a\0b", "inside.txt/", "inside.txt/.", "inside.txt/.."):
            output, _ = self.open(path, "read")
            self.assertIn("err", output, path[:20])

    def test_what_stays_inside_is_inside(self):
        for path in ("inside.txt", "./inside.txt", "sub/../inside.txt", "sub//../inside.txt"):
            output, audit = self.open(path, "read")
            self.assertIn("ok", output, path)
            self.assertEqual(self.denials(audit), [])
        self.assertIn("ok", self.open("sub/.", "read", "directory")[0])

    def test_links_out(self):
        (self.mount / "absolute").symlink_to(self.base / "outside.txt")
        (self.mount / "relative").symlink_to("../outside.txt")
        (self.mount / "first").symlink_to("relative")
        (self.mount / "folder").symlink_to("..")
        (self.mount / "loop").symlink_to("loop")
        (self.mount / "good").symlink_to("inside.txt")
        for path in ("absolute", "relative", "first", "folder/outside.txt", "folder/"):
            self.assert_denied(self.open(path, "read", "follow"), "fs:beneath", path)
        self.assertIn("err", self.open("loop", "read", "follow")[0])
        self.assertIn("ok", self.open("good", "read", "follow")[0])
        for path in ("absolute", "relative", "first", "folder/outside.txt"):
            found, _ = self.raw("race-read", {"folder": 0, "path": path, "marker": SECRET, "rounds": 3})
            self.assertEqual(found, 0, path)


class attack_135(Case):
    def test_a_folder_that_becomes_a_link_is_never_followed_out(self):
        trap = self.base / "trap"
        trap.mkdir()
        (trap / "x").write_text(SECRET)
        (self.mount / "d").mkdir()
        (self.mount / "d" / "x").write_text("inside")
        stop = threading.Event()

        def swap():
            while not stop.is_set():
                try:
                    os.rename(self.mount / "d", self.mount / "e")
                    os.symlink(trap, self.mount / "d")
                    os.unlink(self.mount / "d")
                    os.rename(self.mount / "e", self.mount / "d")
                except OSError:
                    pass

        thread = threading.Thread(target=swap)
        thread.start()
        rounds = 1_000_000 if SOAK else 5_000
        try:
            read, _ = self.raw("race-read", {"folder": 0, "path": "d/x", "marker": SECRET, "rounds": rounds})
            self.raw("race-write", {"folder": 0, "path": "d/written", "rounds": rounds})
        finally:
            stop.set()
            thread.join()
        self.assertEqual(read, 0)
        self.assertEqual([p.name for p in trap.iterdir()], ["x"])
        self.assertEqual((trap / "x").read_text(), SECRET)


class attack_136(Case):
    def test_a_read_only_grant_changes_nothing(self):
        only = (f"{self.mount}:/data:ro",)
        target = self.mount / "inside.txt"
        os.utime(target, (1_000_000_000, 1_000_000_000))
        before = (target.read_bytes(), target.stat().st_mtime_ns, sorted(p.name for p in self.mount.iterdir()))
        at = {"folder": 0, "path": "inside.txt"}
        tries = [
            ("open", {**at, "how": ["write"]}),
            ("open", {**at, "how": ["truncate", "write"]}),
            ("open", {"folder": 0, "path": "new", "how": ["create", "write"]}),
            ("set-times-at", {**at, "follow": True, "seconds": 5}),
            ("make-folder", {"folder": 0, "path": "made"}),
            ("remove-folder", {"folder": 0, "path": "sub"}),
            ("unlink", at),
            ("rename", {**at, "to-folder": 0, "to-path": "moved"}),
            ("hard-link", {**at, "follow": False, "to-folder": 0, "to-path": "linked"}),
            ("make-symlink", {"target": "inside.txt", "folder": 0, "path": "link"}),
        ]
        for action, given in tries:
            self.assert_denied(self.raw(action, given, *only), "fs:read-only", action)
        after = (target.read_bytes(), target.stat().st_mtime_ns, sorted(p.name for p in self.mount.iterdir()))
        self.assertEqual(before, after)
        self.assertIn("ok", self.open("inside.txt", "read", mounts=only)[0])


class attack_137(Case):
    def test_nothing_moves_between_grants_of_different_modes(self):
        other = self.base / "other"
        other.mkdir()
        (other / "theirs.txt").write_text("theirs")
        mounts = (f"{self.mount}:/rw:rw", f"{other}:/ro:ro")
        names, _ = self.raw("preopens", {}, *mounts)
        rw, ro = names.index("/rw"), names.index("/ro")
        for action, extra in (("rename", {}), ("hard-link", {"follow": False})):
            for given in (
                {"folder": rw, "path": "inside.txt", "to-folder": ro, "to-path": "x", **extra},
                {"folder": ro, "path": "theirs.txt", "to-folder": rw, "to-path": "x", **extra},
            ):
                output, audit = self.raw(action, given, *mounts)
                self.assertIn("err", output)
                self.assertEqual(len(self.denials(audit)), 1)
        self.assertEqual((self.mount / "inside.txt").read_text(), "inside")
        self.assertEqual((other / "theirs.txt").read_text(), "theirs")
        self.assertFalse((self.mount / "x").exists() or (other / "x").exists())


class attack_139(Case):
    def test_a_root_that_is_replaced_while_it_is_used_stays_the_old_one(self):
        trap = self.base / "trap"
        trap.mkdir()
        (trap / "inside.txt").write_text(SECRET)
        replaced = threading.Event()

        def replace():
            time.sleep(0.3)
            os.rename(self.mount, self.base / "moved")
            os.symlink(trap, self.mount)
            replaced.set()

        thread = threading.Thread(target=replace)
        thread.start()
        found, _ = self.raw("race-read", {"folder": 0, "path": "inside.txt", "marker": SECRET, "rounds": 20_000})
        thread.join()
        self.assertTrue(replaced.is_set())
        self.assertEqual(found, 0)


class attack_140(Case):
    def test_only_files_and_folders_open(self):
        os.mkfifo(self.mount / "fifo")
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.mount / "socket"))
        names = ["fifo", "socket"]
        if os.geteuid() == 0:
            try:
                os.mknod(self.mount / "device", stat.S_IFCHR | 0o600, os.makedev(1, 5))
                names.append("device")
            except PermissionError:
                pass
        for name in names:
            for how in (("read",), ("write",)):
                self.assert_denied(self.open(name, *how), "fs:not-regular", name)


class attack_141(Case):
    def test_a_guest_makes_no_link_that_leaves(self):
        for target in ("/etc/passwd", "../outside.txt", "sub/../../outside.txt"):
            given = {"target": target, "folder": 0, "path": "link"}
            self.assert_denied(self.raw("make-symlink", given), "fs:symlink-out", target)
            self.assertFalse((self.mount / "link").is_symlink())
        self.assertIn("ok", self.raw("make-symlink", {"target": "inside.txt", "folder": 0, "path": "link"})[0])


class attack_142(Case):
    def test_another_case_is_another_name(self):
        # On a file system that folds case both would be found, beneath the same grant and by the same rule.
        output, audit = self.open("INSIDE.TXT", "read")
        folds = (self.mount / "INSIDE.TXT").exists()
        self.assertEqual("ok" in output, folds)
        self.assertEqual(self.denials(audit), [])
        document, _ = self.run_guest("conformance", "read-file", {"path": "/Data/inside.txt"},
                                     "--mount", f"{self.mount}:/data:ro")  # fmt: skip
        self.assertIn("err", document["output"])


class attack_143(Case):
    def test_many_entries_and_nasty_names(self):
        nasty = [b"new\nline", b"esc\x1b[31m", "rtl\u202e".encode(), b" ", b"-rf"]
        for name in nasty:
            (self.mount / os.fsdecode(name)).write_text("x")
        for i in range(1_000_000 if SOAK else 20_000):
            os.close(os.open(self.mount / f"f{i}", os.O_CREAT | os.O_WRONLY))
        some, _ = self.raw("entries", {"folder": 0, "path": ".", "limit": 50})
        self.assertEqual(len(some["ok"]), 50)
        all_of_them, _ = self.run_guest("files", "entries", {"folder": 0, "path": ".", "limit": 4_000_000},
                                        "--mount", f"{self.mount}:/data:ro", "--timeout", "30s")  # fmt: skip
        if all_of_them["ok"]:
            self.assertTrue("err" in all_of_them["output"] or len(all_of_them["output"]["ok"]) >= 20_000)
        else:
            self.assertIn(all_of_them["error"]["code"], ("E_LIFT_LIMIT", "E_MEMORY", "E_TIMEOUT", "E_OUTPUT_SIZE"))


    def test_a_name_that_is_not_utf8_has_no_spelling_in_wasi(self):
        (self.mount / os.fsdecode(b"bad\xff")).write_text("x")
        output, _ = self.raw("entries", {"folder": 0, "path": ".", "limit": 50})
        self.assertEqual(output.get("err"), "illegal-byte-sequence")


class attack_144(Case):
    def test_descriptors_shuffled(self):
        for seed in range(3):
            given = {"p0": seed, "p1": 1_000_000 if SOAK else 50_000}
            document, _ = self.run_guest("a144_descriptors", "shuffle", given, "--timeout", "30s")
            self.assertTrue(document["ok"], document)

    def test_a_folder_among_them_stays_whole(self):
        (self.mount / "kept").write_text("x")
        document, _ = self.run_guest("a144_descriptors", "shuffle", {"p0": 1, "p1": 50_000},
                                     "--mount", f"{self.mount}:/data:ro")  # fmt: skip
        self.assertTrue(document["ok"], document)
        self.assertEqual((self.mount / "kept").read_text(), "x")


class attack_154(Case):
    def test_markup_is_text(self):
        markup = "<script>alert(1)</script> </title> {{7*7}} javascript:alert(1)"
        folder = self.base / "plugin"
        folder.mkdir()
        (folder / "p.wasm").write_bytes((GUESTS / "core_math.wasm").read_bytes())
        (folder / "plugin.yaml").write_text(
            "manifest: 1\nname: acme/markup\nversion: 1.0.0\n"
            f"description: {json.dumps(markup)}\nruntime: {{ abi: core, artifact: p.wasm }}\n")  # fmt: skip
        for flags in ((), ("--json",)):
            done = subprocess.run([BIN, "inspect", str(folder), *flags], capture_output=True, timeout=HANG_SECONDS,
                                  env={"HOME": str(self.base), "CORDON_HOME": str(self.home)})  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr)
            text = done.stdout.decode()
            shown = json.loads(text)["description"] if flags else text
            self.assertIn(markup, shown)


if __name__ == "__main__":
    unittest.main()
