#!/usr/bin/env python3
"""Plugins that others wrote for Extism, through Cordon and through Extism itself, side by side: the same output, the
same words of an error, the same success."""
import hashlib
import http.server
import json
import os
import pathlib
import random
import subprocess
import threading
import unittest

import cordon
import extism_side
from extism_side import I64, NUMBER, Extism

PEER = os.environ.get("CORDON_EXTISM_HOST", "build/bin/extism_host")
EXIT_GUEST = 1
# What tests/guests/wat/extism_probe.wat asks.
(ALLOC, FREE, LENGTH, LENGTH_UNSAFE, LOAD_U8, LOAD_U64, STORE_U8, STORE_U64, INPUT_LOAD_U8, INPUT_LOAD_U64, INPUT_SET,
 OUTPUT_SET, ERROR_SET, ERROR_GET, INPUT_OFFSET, INPUT_LENGTH, OUTPUT_OFFSET, OUTPUT_LENGTH, MEMORY_BYTES, RESET,
 VAR_SET, VAR_GET, CONFIG_GET, LOG_INFO, HTTP_REQUEST, HTTP_HEADERS, HTTP_STATUS) = range(27)  # fmt: skip


def questions_of(questions):
    return b"".join(bytes([op]) + a.to_bytes(8, "little") + b.to_bytes(8, "little") for op, a, b in questions)


class Site(http.server.BaseHTTPRequestHandler):
    """/hello answers; /moved leads there; /away leads to a host that nobody was granted."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        targets = {"/moved": "/hello", "/away": "http://localhost:1/hello", "/round": "/round"}
        if self.path in targets:
            self.send_response(302)
            self.send_header("Location", targets[self.path])
            body = b""
        else:
            self.send_response(200 if self.path == "/hello" else 404)
            self.send_header("X-Said", "to " + self.headers.get("X-Asked", "nobody"))
            body = f"{self.command} {self.path}".encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp=None):
        return "always"

    def log_message(self, *_):
        pass


class Tests(cordon.CordonTest):
    @classmethod
    def setUpClass(cls):
        try:
            cls.sdk = extism_side.go_sdk()
            extism_side.library()
        except extism_side.Missing as why:
            raise unittest.SkipTest(str(why)) from why

    def environment(self, **changes):
        # What was compiled once stays: these plugins are megabytes.
        return super().environment(CORDON_PLUGINS_CACHE_DIRECTORY=str(extism_side.cache_folder() / "code"), **changes)

    def binary_of(self, module):
        return module if isinstance(module, pathlib.Path) else self.sdk / f"{module}.wasm"

    def ours(self, module, export, data, *flags):
        path = self.write("input", data)
        words = ["run", self.binary_of(module), export, "--raw", "--input", f"@{path}", *map(str, flags)]
        done = subprocess.run([self.binary({}), *words], capture_output=True, cwd=self.tmp, env=self.environment(),
                              timeout=cordon.HANG_SECONDS)
        self.assertGreaterEqual(done.returncode, 0, done.stderr)
        return done

    def compare(self, module, export, data=b"", flags=(), **options):
        """Gives what both did."""
        theirs = Extism(self.binary_of(module), **options).call(export, data)
        source = module
        if settings := options.get("config"):
            known = ", ".join(f'{key}: {{ type: string, default: "{value}" }}' for key, value in settings.items())
            asked = "{ config: true }, { files: { mount: /mnt, from: workspace } }"
            source = self.manifest(module, export, f"""permissions: {{ optional: [{asked}] }}
config: {{ type: object, properties: {{ {known} }} }}
""")
            flags = (*flags, "--grant", "config")
        ours = self.ours(source, "run" if settings else export, data, *flags)
        shown = f"{module} {export} {data[:40]!r}\nExtism: {theirs}\nCordon: {ours}"
        self.assertEqual(theirs.error is None, ours.returncode == 0, shown)
        if theirs.error is None:
            self.assertEqual(theirs.output, ours.stdout, shown)
        elif ours.stdout:
            said = json.loads(ours.stdout)["err"]
            self.assertEqual(theirs.code, said["code"], shown)
            # Behind a colon stand words of a system.
            self.assertEqual(theirs.error.split(": ")[0], said["message"].split(": ")[0], shown)
        return theirs, ours

    def works(self, *case, **options):
        theirs, _ = self.compare(*case, **options)
        self.assertIsNone(theirs.error, case)

    def fails(self, *case, **options):
        theirs, ours = self.compare(*case, **options)
        self.assertIsNotNone(theirs.error, case)
        return ours

    def test_plugins_in_rust_and_c(self):
        self.works("count_vowels", "count_vowels", b"Hello, World!")
        self.works("count_vowels", "count_vowels", b"")
        self.works("count_vowels", "count_vowels", b"aeiou" * 50_000)
        self.works("count_vowels", "count_vowels", b"yy", config={"vowels": "yY"})
        self.works("alloc", "run_test")
        self.works("hello", "run_test")
        self.works("input_offset", "input_offset_length", b"some bytes")
        said = self.fails("fail", "run_test")
        self.assertEqual((said.returncode, said.stderr), (EXIT_GUEST, b"fail answered with an error\n"))

    def test_plugins_in_tinygo(self):
        self.works("config", "run_test", config={"thing": "hello"})
        self.works("config", "run_test")
        self.works("var", "run_test")
        self.works("log", "run_test")
        self.works("println", "run_test", b"abc")
        self.works("replace", "run_test", b"This is a test")
        self.works("sleep", "run_test")

    def test_the_ways_in_which_a_plugin_ends(self):
        ended = self.fails("exit", "_start")
        self.assertIn(b"E_EXIT", ended.stderr)
        self.fails("exit", "_start", config={"code": "7"})
        self.works("exit", "_start", config={"code": "0"})
        self.fails("count_vowels", "nothing")
        # It imports what nobody registered, so neither makes a plugin of it.
        ended = self.fails("nested.c.instr", "_start", b"hello world")
        self.assertIn(b"dylibso_observe.instrument_enter", ended.stderr)
        self.fails("host", "run_test")

    def test_plugins_in_go_with_its_standard_library(self):
        self.works("count_vowels_std", "_start", b"hello world")
        self.works("std_command", "_start", b"ben")

    def test_a_plugin_in_haskell(self):
        self.works("hello_haskell", "testing", b"John", config={"greeting": "Howdy"})

    def test_a_manifest_says_so_for_a_plugin_that_imports_nothing(self):
        folder = self.manifest("noop", "run_test")
        self.assertIsNone(Extism(self.sdk / "noop.wasm").call("run_test").error)
        done = self.ours(folder, "run", b"")
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)

    def test_files_by_mount(self):
        folder = self.tmp / "data"
        self.write("data/test.txt", "hello world!")
        # A command and a reactor in one, which Extism for Rust refuses and Extism for Go runs, as here.
        theirs = Extism(self.sdk / "fs.wasm", allowed_paths={folder: "/mnt"}).call("run_test")
        self.assertIn("cannot be both a Command and a Reactor", theirs.error)
        done = self.ours("fs", "run_test", b"", "--mount", f"{folder}:/mnt:rw")
        self.assertEqual((done.returncode, done.stdout), (0, b"hello world!"), done.stderr)
        # Go's own runtime, as a reactor.
        self.works("fs_std", "run_test", b"", ("--mount", f"{folder}:/mnt:rw"), allowed_paths={folder: "/mnt"})
        read = {"config": {"path": "/mnt/test.txt"}, "allowed_paths": {f"ro:{folder}": "/mnt"}}
        self.works("read_write", "try_read", b"", ("--mount", f"{folder}:/mnt"), **read)
        self.fails("read_write", "try_write", b"x", ("--mount", f"{folder}:/mnt"), **read)
        self.assertEqual(EXIT_GUEST, self.ours("fs", "run_test", b"").returncode)
        self.assertEqual((folder / "test.txt").read_text(), "hello world!")

    def manifest(self, module, export, tail="", libraries=None):
        self.write("plugin/plugin.wasm", self.binary_of(module).read_bytes())
        modules = ""
        for name, library in (libraries or {}).items():
            content = self.binary_of(library).read_bytes()
            self.write(f"plugin/{len(modules)}.wasm", content)
            digest = hashlib.sha256(content).hexdigest()
            modules += f'{{ name: "{name}", artifact: {len(modules)}.wasm, digest: "sha256:{digest}" }},'
        return self.write("plugin/plugin.yaml", f"""manifest: 1
name: acme/plugin
version: 1.0.0
runtime: {{ abi: extism, artifact: plugin.wasm, modules: [{modules}] }}
actions: {{ run: {{ export: {export} }} }}
{tail}""").parent

    def site(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    def test_requests_by_http(self):
        site = self.site()
        grant = ("--grant", f"http:GET:{site}/*")
        for path in ("/hello", "/missing", "/moved"):
            asked = json.dumps({"url": site + path, "headers": {"X-Asked": "Ada"}}).encode()
            self.works("http_headers", "http_get", asked, grant, allowed_hosts=["127.0.0.1"])
        for asked in (b"no JSON", b"{}", b'{"url": "file:///etc/passwd"}', b'{"url": ""}', b'{"url": "http://"}',
                      json.dumps({"url": site + "/round"}).encode()):  # fmt: skip
            self.fails("http_headers", "http_get", asked, grant, allowed_hosts=["127.0.0.1"])
        self.fails("http", "run_test")

    def test_each_refused_request_has_a_code_and_a_record(self):
        site = self.site()
        request = lambda url, **more: json.dumps({"url": url, **more}).encode()  # noqa: E731
        for asked, code in ((b"no JSON", b"E_GUEST"), (request("file:///etc/passwd"), b"E_INVALID"),
                            (request(""), b"E_INVALID"), (request("http://"), b"E_INVALID"),
                            (request(site + "/hello", method="BAD METHOD"), b"E_DENIED"),
                            (request(site + "/hello", headers={"a b": "c"}), b"E_INVALID"),
                            (request(site + "/hello", headers={"Host": "other"}), b"E_DENIED"),
                            (request(site + "/hello", method="POST"), b"E_DENIED"),
                            (request("http://127.0.0.1:1/"), b"E_DENIED"),
                            (request(site + "/away"), b"E_DENIED"), (request(site + "/round"), b"E_IO")):  # fmt: skip
            done = self.ours("http_headers", "http_get", asked, "--grant", f"http:GET:{site}/*")
            self.assertEqual(done.returncode != 0, True, asked)
            if code != b"E_GUEST":  # its own library reads the JSON first
                self.assertIn(b"error[" + code + b"]", done.stderr, asked)
        denied = [record.get("target") for record in self.audit() if record.get("decision") == "deny"]
        self.assertIn("http://localhost:1/hello", denied)
        # Without a grant it is loaded, and denied when it asks.
        done = self.ours("http_headers", "http_get", request(site + "/hello"))
        self.assertIn(b"error[E_DENIED]", done.stderr)

    def test_functions_of_the_embedding_program(self):
        upper = ("host", "to_upper", [I64], [I64], lambda text: text.upper())
        messages = [("extism:host/user", f"host{colour}Message", [I64], [I64],
                     lambda text, colour=colour: colour.lower().encode() + b":" + text)
                    for colour in ("Green", "Purple")]  # fmt: skip
        product = ("extism:host/user", "mult", [NUMBER, NUMBER], [NUMBER], lambda a, b: a * b)
        for module, export, data, functions in (("host", "run_test", b"", [product]),
                                                ("host_memory", "run_test", b"Frodo", [upper]),
                                                ("host_multiple", "say_green", b"John Doe", messages),
                                                ("host_multiple", "say_purple", b"Jane Doe", messages)):  # fmt: skip
            theirs = Extism(self.sdk / f"{module}.wasm", functions=functions).call(export, data)
            self.assertIsNone(theirs.error)
            done = subprocess.run([PEER, self.sdk / f"{module}.wasm", export, data], capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (0, theirs.output), done.stderr)

    def test_the_examples_of_its_pdk(self):
        examples = cordon.GUESTS.resolve() / "extism"
        site = self.site()
        asked = json.dumps({"url": site + "/hello"}).encode()
        grant = ("--grant", f"http:GET:{site}/*")
        for example, export, data, flags in (("count_vowels", "count_vowels", b"Hello, World!", ()),
                                             ("sum", "add", b'{"a": 40, "b": 2}', ()),
                                             ("sum", "add", b'{"a": 40}', ()),
                                             ("sum", "add", b'{"a": 4000000000, "b": 4000000000}', ()),
                                             ("http", "http_get", asked, grant),
                                             ("http_headers", "http_get", asked, grant),
                                             ("reflect", "host_reflect", b"x", ()),
                                             ("host_function", "count_vowels", b"aeiou", ())):  # fmt: skip
            self.compare(examples / f"{example}.wasm", export, data, flags, allowed_hosts=["127.0.0.1"])
        # The function that one of them imports from its host is another's export.
        of_host = examples / "host_function_host.wasm"
        main = examples / "host_function.wasm"
        theirs = Extism(("extism:host/user", of_host), ("main", main)).call("count_vowels", b"Hello")
        self.assertIsNone(theirs.error)
        folder = self.manifest(main, "count_vowels", libraries={"extism:host/user": of_host})
        done = self.ours(folder, "run", b"Hello")
        self.assertEqual((done.returncode, done.stdout), (0, theirs.output), done.stderr)

    def probe(self, questions):
        """What both answer to questions for their kernels."""
        asked = questions_of(questions)
        guest = cordon.GUESTS.resolve() / "extism_probe.wasm"
        theirs, ours = Extism(guest).call("probe", asked), self.ours(guest, "probe", asked)
        shown = f"{questions}\nExtism: {theirs}\nCordon: {ours}"
        self.assertIsNotNone(theirs.code, shown)  # it was loaded
        self.assertEqual(theirs.error is None, ours.returncode == 0, shown)
        if theirs.error is None:
            self.assertEqual(theirs.output, ours.stdout, shown)
        return theirs.error is None

    def test_attack_5_offsets_that_mean_nothing(self):
        odd = (0, 1, 63, 64, 65, 76, 77, 78, 100, 65535, 65536, 2**20 - 8, 2**20 + 1, 2**31, 2**32 - 1,
               2**32, 2**32 + 77, 2**63, 2**63 + 77, 2**64 - 8, 2**64 - 1)  # fmt: skip
        questions = [(ALLOC, 64, 0)]
        for at in odd:
            for op in (FREE, LENGTH, LENGTH_UNSAFE, STORE_U8, STORE_U64, LOAD_U8, LOAD_U64, INPUT_LOAD_U8,
                       INPUT_LOAD_U64, INPUT_SET, OUTPUT_SET, ERROR_SET, ERROR_GET, OUTPUT_OFFSET, OUTPUT_LENGTH,
                       INPUT_LENGTH):  # fmt: skip
                questions.append((op, at, 7))
            questions += [(INPUT_SET, 77, at), (INPUT_LENGTH, 0, 0), (OUTPUT_SET, 77, at), (OUTPUT_LENGTH, 0, 0)]
        self.assertTrue(self.probe(questions))
        # At the very end of the memory a read traps, at home too.
        self.assertFalse(self.probe([(LOAD_U8, 2**20, 0)]))

    def test_attack_5_blocks_freed_overlapping_and_written_over(self):
        for seed in range(6):
            chance = random.Random(seed)
            questions = []
            for i in range(700):
                earlier = chance.randrange(max(i, 1))
                kind = chance.random()
                if kind < 0.45:
                    questions.append((ALLOC, chance.choice((1, 8, 100, 4000, chance.randrange(1, 90_000))), 0))
                elif kind < 0.7:
                    questions.append((FREE | 128, earlier, 0))
                elif kind < 0.8:
                    questions.append((STORE_U64 | 128, earlier, chance.randrange(2**64)))
                elif kind < 0.9:
                    questions.append((chance.choice((LENGTH, LENGTH_UNSAFE, LOAD_U64)) | 128, earlier, 0))
                elif kind < 0.98:
                    questions.append((MEMORY_BYTES, 0, 0))
                else:
                    questions.append((RESET, 0, 0))
            self.assertTrue(self.probe(questions))

    def test_attack_5_handles_of_host_functions(self):
        for op in (VAR_SET, VAR_GET, CONFIG_GET, HTTP_REQUEST):
            for at in (1, 76, 2**32, 2**63, 2**64 - 1):
                self.assertFalse(self.probe([(op, at, at)]), (op, at))
        # A handle that was freed by being used once, and one inside of another block.
        self.assertFalse(self.probe([(ALLOC, 8, 0), (CONFIG_GET | 128, 0, 0), (CONFIG_GET | 128, 0, 0)]))
        self.assertFalse(self.probe([(ALLOC, 64, 0), (VAR_GET, 77 + 12, 0)]))
        self.assertTrue(self.probe([(VAR_GET, 0, 0), (CONFIG_GET, 0, 0), (LOG_INFO, 0, 0), (HTTP_STATUS, 0, 0)]))

    def test_attack_16_memory_to_exhaustion_and_variables_over_their_limit(self):
        guest = cordon.GUESTS.resolve() / "extism_probe.wasm"
        asked = questions_of([(ALLOC, 2**20, 0)] * 100)
        done = self.ours(guest, "probe", asked, "--memory", "16MiB")
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [int.from_bytes(done.stdout[i:i + 8], "little") for i in range(0, len(done.stdout), 8)]
        self.assertTrue(all(answers[:10]) and not any(answers[20:]), answers)
        # 2^63, and what is 4 GiB or more, is no memory that there could be.
        huge = questions_of([(ALLOC, bytes_, 0) for bytes_ in (2**32, 2**63, 2**64 - 1)])
        self.assertEqual(self.ours(guest, "probe", huge).stdout, bytes(24))
        # Variables: 1 MiB with what Extism counts beside, in 48 bytes each.
        for bytes_, fits in ((2**20 - 48 - 8, True), (2**20 - 48 - 7, False)):
            self.assertEqual(fits, self.probe([(ALLOC, 8, 0), (ALLOC, bytes_, 0), (VAR_SET | 192, 0, 1)]), bytes_)

    def test_limits_of_its_manifest(self):
        self.fails("sleep", "run_test", b"", ("--timeout", "300ms"), config={"duration": "20"},
                   limits={"timeout_ms": 300})  # fmt: skip
        site = self.site()
        asked = json.dumps({"url": site + "/hello"}).encode()
        requests = f"permissions: {{ optional: [{{ http: {{ url: '{site}/*', methods: [GET] }} }}] }}\n"
        for limit, fits in ((10, True), (9, False)):
            theirs = Extism(self.sdk / "http_headers.wasm", allowed_hosts=["127.0.0.1"],
                            limits={"memory": {"max_http_response_bytes": limit}}).call("http_get", asked)  # fmt: skip
            self.assertEqual(theirs.error is None, fits, theirs)
            folder = self.manifest("http_headers", "http_get", requests + f"limits: {{ http-response: {limit}B }}\n")
            done = self.ours(folder, "run", asked, "--grant", f"http:GET:{site}/*")
            self.assertEqual(done.returncode == 0, fits, done.stderr)
        self.assertIn(b"E_LIMIT", done.stderr)
        guest = cordon.GUESTS.resolve() / "extism_probe.wasm"
        for size, fits in ((100 - 48 - 8, True), (100 - 48 - 7, False)):
            kept = questions_of([(ALLOC, 8, 0), (ALLOC, size, 0), (VAR_SET | 192, 0, 1)])
            theirs = Extism(guest, limits={"memory": {"max_var_bytes": 100}}).call("probe", kept)
            folder = self.manifest(guest, "probe", "limits: { vars: 100B }\n")
            shown = self.cordon("inspect", folder, "--json").json
            self.assertEqual((shown["abi"], shown["limits"]["vars"]["value"]), ("extism", "100B"))
            done = self.ours(folder, "run", kept)
            self.assertEqual((theirs.error is None, done.returncode == 0), (fits, fits), done.stderr)

    def test_variables_that_are_kept(self):
        guest = cordon.GUESTS.resolve() / "extism_probe.wasm"
        asks = "permissions: { optional: [{ storage: { bucket: vars, access: write } }] }"
        folder = self.manifest(guest, "probe", asks)
        keep = questions_of([(ALLOC, 8, 0), (STORE_U64 | 128, 0, 0x6161616161616161), (ALLOC, 8, 0),
                    (STORE_U64 | 128, 2, 0x4242424242424242), (VAR_SET | 192, 0, 2)])  # fmt: skip
        read = questions_of([(ALLOC, 8, 0), (STORE_U64 | 128, 0, 0x6161616161616161), (VAR_GET | 128, 0, 0),
                    (LOAD_U64 | 128, 2, 0)])  # fmt: skip
        for flags, kept in (((), 0), (("--grant", "kv:write:vars"), 0x4242424242424242)):
            self.assertEqual(self.ours(folder, "run", keep, *flags).returncode, 0)
            done = self.ours(folder, "run", read, *flags)
            self.assertEqual(int.from_bytes(done.stdout[24:32], "little"), kept, done.stderr)

    def test_several_modules(self):
        theirs = Extism(("lib", self.sdk / "lib.wasm"), ("main", self.sdk / "main.wasm")).call("run_test", b"benjamin")
        folder = self.manifest("main", "run_test", libraries={"lib": "lib"})
        done = self.ours(folder, "run", b"benjamin")
        self.assertEqual((done.returncode, done.stdout), (0, theirs.output), done.stderr)
        # Its bytes are those that the manifest names.
        next(folder.glob("0.wasm")).write_bytes(b"\0asm\1\0\0\0")
        self.assertIn(b"E_DIGEST", self.ours(folder, "run", b"benjamin").stderr)


if __name__ == "__main__":
    unittest.main()
