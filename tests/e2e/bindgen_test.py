#!/usr/bin/env python3
"""cordon bindgen: what it writes, where, and what it refuses."""
import unittest

from cordon import ROOT, CordonTest, module, ADD

CASES = ROOT / "tests" / "cases" / "bindgen"
WORLD = "package acme:shop;\n\nworld shop {\n  export open: func(hour: u8) -> bool;\n}\n"


class Tests(CordonTest):
    def bindgen(self, *words, **options):
        return self.cordon("bindgen", "--host", "cpp", *words, **options)

    def test_prints_the_header(self):
        done = self.bindgen(CASES / "shop.wit")
        self.assertEqual((0, ""), (done.code, done.err))
        self.assertEqual((CASES / "shop.h").read_text(), done.out)

    def test_writes_a_file_or_into_a_folder_and_says_so(self):
        world = self.write("shop.wit", WORLD)
        done = self.bindgen(world, "--output", self.tmp / "typed.h", "--json")
        document = done.json
        self.assertEqual(("cordon.bindgen/1", True, "acme:shop/shop"),
                         (document["schema"], document["ok"], document["world"]))  # fmt: skip
        self.assertEqual([{"interface": "", "class": "acme::shop::shop::Shop"}], document["clients"])
        self.assertEqual((str(self.tmp / "typed.h"), True), (document["file"], document["changed"]))
        self.assertEqual(len((self.tmp / "typed.h").read_bytes()), document["bytes"])
        (self.tmp / "folder").mkdir()
        done = self.bindgen(world, "--output", self.tmp / "folder")
        self.assertIn("wrote ", done.err)
        self.assertEqual((self.tmp / "typed.h").read_text(), (self.tmp / "folder" / "shop.h").read_text())
        self.assert_no_leftovers()

    def test_a_header_that_says_the_same_is_not_written(self):
        world = self.write("shop.wit", WORLD)
        self.bindgen(world, "--output", self.tmp / "shop.h")
        (self.tmp / "shop.h").chmod(0o444)
        before = (self.tmp / "shop.h").stat()
        done = self.bindgen(world, "--output", self.tmp / "shop.h", "--json")
        self.assertFalse(done.json["changed"])
        self.assertEqual(before, (self.tmp / "shop.h").stat())

    def test_without_an_output_the_document_has_the_text(self):
        document = self.bindgen(self.write("shop.wit", WORLD), "--json").json
        self.assertIn("class Shop {", document["text"])

    def test_mistakes_have_their_place(self):
        world = self.write("shop.wit", "package acme:shop;\n\nworld shop {\n  export f: func(x: uint);\n}\n")
        done = self.bindgen(world)
        self.assertEqual((4, ""), (done.code, done.out))
        self.assertIn("error[E_SYNTAX]: ", done.err)
        self.assertIn("shop.wit:4:21", done.err)
        self.assertIn("4 |   export f: func(x: uint);\n  |                     ^\n", done.err)

    def test_resources_are_an_error_or_left_out(self):
        done = self.bindgen(CASES / "resources.wit", "--json")
        self.assertEqual(4, done.code)
        causes = done.json["error"]["causes"]
        self.assertEqual([5, 8], [cause["place"]["line"] for cause in causes])
        done = self.bindgen(CASES / "resources.wit", "--skip-unsupported")
        self.assertEqual(0, done.code)
        self.assertIn("warning: left out acme:files/files#open: the resource 'file' does not cross", done.err)

    def test_several_worlds_and_packages(self):
        folder = self.write("wit/two.wit", "package a:b; world one { import c:d/e; } world two { }").parent
        more = self.write("more/e.wit", "package c:d; interface e { f: func(); }").parent
        self.assertIn("has several worlds: one, two", self.bindgen(folder, "--package", more).err)
        done = self.bindgen(folder, "--package", more, "--world", "one")
        self.assertIn("class E {", done.out)
        self.assertIn("package 'c:d' not found", self.bindgen(folder, "--world", "one").err)

    def test_the_language_must_be_named(self):
        world = self.write("shop.wit", WORLD)
        for words in ([], ["--host", "cobol"]):
            done = self.cordon("bindgen", world, *words)
            self.assertEqual(2, done.code)
            self.assertIn(f"say: cordon bindgen --host cpp {world}", done.err)

    def test_what_is_no_wit_is_refused(self):
        cases = [(self.write("x.wasm", module([ADD])), "E_INVALID"), (self.write("x.txt", "hello"), "E_SYNTAX"),
                 (self.write("x.wit", b"\xff\xfe"), "E_BAD_STRING"), (self.tmp / "none.wit", "E_NOT_FOUND"),
                 (self.write("y.wit", "package a:b; world w { type t = " + "list<" * 9999), "E_SYNTAX"),
                 ("/dev/zero", "E_NOT_REGULAR")]  # fmt: skip
        for path, code in cases:
            done = self.bindgen(path)
            self.assertEqual("", done.out)
            self.assertTrue(done.err.startswith(f"error[{code}]: "), done.err)
        done = self.bindgen(self.write("z.wit", WORLD), "--namespace", "a { } namespace b")
        self.assertTrue(done.err.startswith("error[E_NAME]: "), done.err)

    def test_text_of_the_wit_is_shown_escaped(self):
        done = self.bindgen(self.write("x.wit", "package a:b;\nworld w { export f: func(x: \"\u001b[31mred\"); }"))
        self.assertNotEqual(0, done.code)
        self.assert_no_controls(done.err)


if __name__ == "__main__":
    unittest.main()
