#!/usr/bin/env python3
"""Tests of the rules of tools/tidy.py: each rule finds what it is for, and leaves the rest alone."""
import pathlib
import tempfile
import unittest

import tidy


class RuleTest(unittest.TestCase):
    def findings(self, rule, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            return [str(finding) for finding in rule(tidy.Tree(root))]

    def assert_found(self, rule, files: dict[str, str], *expected: str) -> None:
        found = self.findings(rule, files)
        self.assertEqual(len(found), len(expected), found)
        for text, part in zip(found, expected):
            self.assertIn(part, text)

    def assert_clean(self, rule, files: dict[str, str]) -> None:
        self.assertEqual(self.findings(rule, files), [])


LAYERS = "# a comment\nbase:\npolicy: base\nruntime: policy\nengine: base\n"


def with_rooms(files: dict[str, str], layers: str = LAYERS) -> dict[str, str]:
    rooms = {f"src/{room}/README.md": "# room\n" for room in ("base", "policy", "runtime", "engine")}
    return {"tools/layers.txt": layers, **rooms, **files}


class Size(RuleTest):
    def test_a_file_of_700_lines_is_fine_and_one_of_701_is_not(self):
        self.assert_clean(tidy.size, {"src/a/a.cc": "x\n" * 700})
        self.assert_found(tidy.size, {"src/a/a.cc": "x\n" * 701}, "701 lines")

    def test_a_line_of_120_columns_is_fine_and_one_of_121_is_not(self):
        self.assert_clean(tidy.size, {"a.h": "x" * 120 + "\n"})
        self.assert_found(tidy.size, {"a.h": "x" * 121 + "\n"}, "a.h:1: 121 columns")

    def test_columns_are_characters_not_bytes(self):
        self.assert_clean(tidy.size, {"a.py": "é" * 120 + "\n"})

    def test_prose_may_have_long_lines(self):
        self.assert_clean(tidy.size, {"a.md": "x" * 400 + "\n"})

    def test_a_large_blob_is_found_whatever_it_is(self):
        self.assert_found(tidy.size, {"a.bin": "x" * ((1 << 20) + 1)}, "a.bin: 1048577 bytes")

    def test_a_generated_header_is_left_to_its_generator(self):
        self.assert_clean(tidy.size, {"bridge/include/cordon_bridge.h": "x" * 200 + "\n"})


class Loops(RuleTest):
    def test_a_loop_over_what_a_temporary_holds(self):
        self.assert_found(tidy.loops, {"a.cc": "for (const Entry& entry : *memory.Recall(place, 1)) {\n"}, "a.cc:1")

    def test_a_loop_over_what_a_variable_holds(self):
        self.assert_clean(tidy.loops, {"a.cc": "for (const Entry& entry : *entries) {\n"})
        self.assert_clean(tidy.loops, {"a.cc": "for (const Entry& entry : list.entries()) {\n"})


class Spaces(RuleTest):
    def test_tabs_and_trailing_spaces(self):
        self.assert_found(tidy.spaces, {"a.cc": "int a; \n\tint b;\n"}, "a.cc:1: space", "a.cc:2: a tab")

    def test_a_makefile_needs_its_tabs(self):
        self.assert_clean(tidy.spaces, {"Makefile": "a:\n\tb\n"})

    def test_the_last_line_ends(self):
        self.assert_found(tidy.spaces, {"a.cc": "int a;"}, "does not end with a newline")

    def test_carriage_returns_are_trailing_space(self):
        self.assert_found(tidy.spaces, {"a.sh": "a\r\n"}, "a.sh:1: space")

    def test_a_corpus_is_left_alone(self):
        self.assert_clean(tidy.spaces, {"fuzz/corpus/manifest/a.yaml": "a:\t \n"})


class Layers(RuleTest):
    def test_an_edge_of_the_file_is_allowed(self):
        self.assert_clean(tidy.layers, with_rooms({"src/policy/a.cc": '#include "base/b.h"\n#include "policy/c.h"\n'}))

    def test_an_edge_that_points_up_is_not(self):
        files = with_rooms({"src/base/a.h": "#pragma once\n#include <string>\n#include \"policy/grant.h\"\n"})
        self.assert_found(tidy.layers, files, "src/base/a.h:3: base may not include policy")

    def test_angle_brackets_do_not_hide_an_edge(self):
        self.assert_found(tidy.layers, with_rooms({"src/base/a.h": "#include <policy/grant.h>\n"}), "may not include")

    def test_edges_are_not_inherited(self):
        files = with_rooms({"src/runtime/a.cc": '#include "base/b.h"\n'})
        self.assert_found(tidy.layers, files, "runtime may not include base")

    def test_a_test_reaches_what_is_linked_below(self):
        self.assert_clean(tidy.layers, with_rooms({"src/runtime/a_test.cc": '#include "base/b.h"\n'}))
        files = with_rooms({"src/runtime/a_test.cc": '#include "engine/b.h"\n'})
        self.assert_found(tidy.layers, files, "runtime may not include engine")

    def test_public_headers_are_for_everyone_and_include_nobody(self):
        self.assert_clean(tidy.layers, with_rooms({"src/base/a.h": '#include "cordon/error.h"\n'}))
        files = with_rooms({"include/cordon/a.h": '#include <vector>\n#include "base/text.h"\n'})
        self.assert_found(tidy.layers, files, "include/cordon/a.h:2: a public header")

    def test_includes_are_rooted_at_src(self):
        files = with_rooms({"src/base/a.cc": '#include "a.h"\n'})
        self.assert_found(tidy.layers, files, 'includes are rooted at src/: "base/a.h"')

    def test_one_room_has_the_bridge(self):
        self.assert_clean(tidy.layers, with_rooms({"src/engine/a.cc": '#include "cordon_bridge.h"\n'}))
        files = with_rooms({"src/policy/a.cc": "#include <cordon_bridge.h>\n"})
        self.assert_found(tidy.layers, files, "only src/engine may include cordon_bridge.h")

    def test_the_bench_may_include_every_room(self):
        self.assert_clean(tidy.layers, with_rooms({"bench/a.cc": '#include "runtime/host.h"\n'}))

    def test_each_room_has_a_line_and_each_line_a_room(self):
        files = with_rooms({"src/extra/a.cc": "\n"}, LAYERS + "ghost: base\n")
        self.assert_found(tidy.layers, files, "no line for the room src/extra", "names the room ghost")

    def test_a_line_names_rooms_that_exist(self):
        files = with_rooms({}, LAYERS.replace("runtime: policy", "runtime: polcy"))
        self.assert_found(tidy.layers, files, "runtime may include polcy, which has no line")

    def test_no_circles(self):
        files = with_rooms({}, LAYERS.replace("base:\n", "base: runtime\n"))
        self.assert_found(tidy.layers, files, "in a circle: base -> runtime -> policy -> base")


class Names(RuleTest):
    def test_words_that_say_nothing(self):
        for line in (
            "class PluginManager {", "struct CallInfo {", "enum class DataKind {", "using RequestHandler = int;",
            "template <typename T> class BoxImpl {", "pub(crate) struct StoreContext {", "pub type HostData = u8;",
        ):
            with self.subTest(line=line):
                path = "a.rs" if line.startswith("pub") else "a.h"
                self.assertEqual(len(self.findings(tidy.names, {path: line + "\n"})), 1)

    def test_a_word_is_a_whole_word(self):
        self.assert_clean(tidy.names, {"a.h": "class Database {\nstruct Basement {\nclass Informant {\n"})

    def test_uses_and_forward_declarations_are_not_definitions(self):
        self.assert_clean(tidy.names, {"a.h": "struct SomeContext;\n  OtherManager* manager_;\n"})

    def test_an_associated_type_has_the_name_of_its_trait(self):
        self.assert_clean(tidy.names, {"a.rs": "    type Data<'a> = &'a mut Store;\n"})


class Remarks(RuleTest):
    word = "TO" + "DO"

    def test_what_is_left_over_has_an_owner(self):
        self.assert_found(tidy.remarks, {"a.cc": f"// {self.word}: later\n"}, "without an owner")
        self.assert_clean(tidy.remarks, {"a.cc": f"// {self.word}(ada): when the worker lands\n"})

    def test_a_longer_word_is_another_word(self):
        self.assert_clean(tidy.remarks, {"a.cc": f"int {self.word}S = 1;\n"})


class Machine(RuleTest):
    def test_paths_of_one_machine(self):
        path = "/root/" + ".cargo/bin/cargo"
        self.assert_found(tidy.machine, {"a.md": f"run {path}\n"}, "a path of one machine")

    def test_paths_of_made_up_people(self):
        self.assert_clean(tidy.machine, {"a.md": "reads /home/alice/.ssh/id_ed25519\n"})


class CodeMap(RuleTest):
    page = "# A\n\n## Code map\n\n- `src/`: rooms\n  - `src/base/`: ground\n- `tools/`: tools\n\n## Next\n\n`ghost/`\n"
    files = {
        "ARCHITECTURE.md": page, "src/base/a.cc": "\n", "tools/x.py": "\n", ".ci/run": "\n", "src/CMakeLists.txt": "\n"
    }

    def test_a_map_in_step(self):
        self.assert_clean(tidy.code_map, self.files)

    def test_what_the_map_leaves_out(self):
        files = {**self.files, "web/a.ts": "\n", "src/net/a.cc": "\n"}
        self.assert_found(tidy.code_map, files, "does not name `src/net/`", "does not name `web/`")

    def test_what_is_only_on_the_map(self):
        files = {path: text for path, text in self.files.items() if path != "tools/x.py"}
        self.assert_found(tidy.code_map, files, "names `tools/`, which does not exist")

    def test_no_map(self):
        self.assert_found(tidy.code_map, {"README.md": "\n"}, "is missing")


class Readmes(RuleTest):
    def test_each_room_has_one(self):
        files = {"src/base/a.cc": "\n", "src/net/README.md": "\n", "src/CMakeLists.txt": "\n"}
        self.assert_found(tidy.readmes, files, "src/base")


class Links(RuleTest):
    def test_links_lead_somewhere(self):
        files = {
            "README.md": "[a](docs/a.md) [b](docs/) [c](https://example.org/x) [d](docs/a.md#the-end) `[x](no)`\n",
            "docs/a.md": "# The end\n[up](../README.md)\n```\n[in code](nowhere.md)\n```\n",
        }
        self.assert_clean(tidy.links, files)

    def test_links_that_lead_nowhere(self):
        page = "[a](docs/b.md)\n[b](docs/a.md#beginning)\n[c](../../etc/passwd)\n"
        files = {"README.md": page, "docs/a.md": "# End\n"}
        self.assert_found(
            tidy.links, files, "README.md:1: the link docs/b.md", "docs/a.md has no heading #beginning", "README.md:3"
        )


class Codes(RuleTest):
    source = '    {"E_SYNTAX", 4},   {"E_DENIED", 3},\n'

    def test_the_page_is_in_step(self):
        page = "| code | exit |\n| `E_SYNTAX` | 4 | x |\n| `E_DENIED` | 3 | x |\n"
        self.assert_clean(tidy.codes, {"src/base/error.cc": self.source, "docs/reference/errors.md": page})

    def test_the_page_is_out_of_step(self):
        page = "| `E_SYNTAX` | 5 | x |\n| `E_GONE` | 3 | x |\n"
        self.assert_found(
            tidy.codes, {"src/base/error.cc": self.source, "docs/reference/errors.md": page},
            "does not list E_DENIED", "lists E_GONE", "says that E_SYNTAX exits with 5",
        )


class Changelog(RuleTest):
    def test_the_form_of_a_release(self):
        page = "# Changelog\n## [Unreleased]\n### Security\n## [0.1.0] - 2026-11-21\n"
        self.assert_clean(tidy.changelog, {"CHANGELOG.md": page})
        self.assert_found(tidy.changelog, {"CHANGELOG.md": "## v0.1\n"}, "a release is")


if __name__ == "__main__":
    unittest.main()
