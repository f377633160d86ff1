#!/usr/bin/env python3
"""wasi:http through the one way out: what works, and who decides. CORDON_BIN and CORDON_GUESTS say where things are."""
import json
import unittest

from net_case import GUESTS, NetCase
from servers import Certificates, response


class Requests(NetCase):
    def test_a_granted_request_is_sent_and_has_one_record(self):
        server = self.http(lambda request, _: response(b"hello", headers=["X-Answer: yes"]))
        url = f"http://127.0.0.1:{server.port}"
        answer = self.send(f"{url}/v1/x?secret=1", f"http:GET:{url}/v1/*", headers=[("x-asked", "me")])["ok"]
        self.assertEqual((answer["status"], answer["body"], answer["bytes"]), (200, "hello", 5))
        self.assertIn({"name": "x-answer", "value": "yes"}, answer["headers"])
        self.assertEqual(self.decisions(), [("allow", f"grant:http:GET:{url}/v1/*", f"{url}/v1/x")])
        asked = server.requests[0]
        self.assertEqual(asked["target"], "/v1/x?secret=1")
        self.assertEqual(sorted(asked["headers"]), [("host", f"127.0.0.1:{server.port}"), ("x-asked", "me")])

    def test_what_no_grant_covers_is_denied_and_nothing_is_sent(self):
        server, other = self.http(), self.http()
        url = f"http://127.0.0.1:{server.port}"
        grants = (f"http:GET:{url}/v1/*", f"http:GET:http://127.0.0.1:{other.port}/only")
        for asked, method in ((f"{url}/v2/x", "GET"), (f"{url}/v1", "GET"), (f"{url}/v1/x", "POST"),
                              (f"{url}/v1/x", "get"), (f"http://127.0.0.1:{other.port}/v1/x", "GET"),
                              (f"https://127.0.0.1:{server.port}/v1/x", "GET"), ("http://localhost/v1/x", "GET")):
            answer = self.send(asked, *grants, method=method)
            self.assert_denied(answer, "not-requested", what=(method, asked))
            self.assertIn("ask for http:", [line["note"] for line in self.added if "note" in line][0])
        self.assertEqual((server.connections, other.connections), (0, 0))

    def test_bodies_and_trailers_both_ways(self):
        def answer(request, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n")
            for _ in range(300):
                connection.sendall(b"400\r\n" + b"y" * 1024 + b"\r\n")
            connection.sendall(b"0\r\nX-Sum: 300\r\n\r\n")

        server = self.http(answer)
        url = f"http://127.0.0.1:{server.port}"
        got = self.send(f"{url}/", f"http:POST:{url}/*", method="POST", body="x" * 8192, times=64,
                        headers=[("trailer", "x-check"), ("te", "trailers")], trailers=[("x-check", "512KiB")])["ok"]
        self.assertEqual(got["bytes"], 300 * 1024)
        self.assertEqual(got["trailers"], [{"name": "x-sum", "value": "300"}])
        self.assertEqual(len(server.requests[0]["body"]), 512 << 10)
        self.assertEqual(server.requests[0]["trailers"], [("x-check", "512KiB")])

    def test_connections_are_kept_for_the_same_plugin(self):
        server = self.http()
        answer = self.call("get-many", {"scheme": "http", "authority": f"127.0.0.1:{server.port}", "path": "/",
                                        "times": 5}, f"http:GET:http://127.0.0.1:{server.port}/*")
        self.assertEqual((answer, len(server.requests), server.connections), ({"ok": 200}, 5, 1))
        self.assertEqual(len(self.decisions()), 5)

    def test_nothing_of_a_request_stays_behind(self):
        server = self.http()
        many = 1500  # an instance holds 1024 resources of the host at once
        answer = self.call("get-many", {"scheme": "http", "authority": f"127.0.0.1:{server.port}", "path": "/",
                                        "times": many}, f"http:GET:http://127.0.0.1:{server.port}/*")
        self.assertEqual((answer, len(server.requests)), ({"ok": 200}, many))

    def test_a_grant_is_used_up_by_requests_and_by_bytes(self):
        server = self.http(lambda request, _: response(b"x" * 1000))
        url = f"http://127.0.0.1:{server.port}"
        many = {"scheme": "http", "authority": f"127.0.0.1:{server.port}", "path": "/", "times": 5}
        self.call("get-many", many, f"http:GET:{url}/*; uses=3")
        self.assertEqual(len(server.requests), 3)
        self.assertEqual([rule for _, rule, _ in self.decisions()][-1], "limit:uses")
        self.call("get-many", many, f"http:GET:{url}/*; bytes=2500B")
        # The third is given what is left, which is less than its answer; then there is nothing.
        self.assertEqual(len(server.requests), 3 + 3)

    def test_a_name_is_looked_up_by_the_operators_servers(self):
        server = self.http()
        dns = self.dns({"api.example.test": [["127.0.0.2", "::1"]]})
        self.network["private"] = ["127.0.0.0/8"]
        server = self.http(address="127.0.0.2")
        url = f"http://api.example.test:{server.port}"
        self.assertEqual(self.send(f"{url}/", f"http:GET:{url}/*")["ok"]["status"], 200)
        self.assertEqual(dict(server.requests[0]["headers"])["host"], f"api.example.test:{server.port}")
        self.assertEqual({name for name, _ in dns.questions}, {"api.example.test"})

    def test_what_does_not_answer_has_its_own_error(self):
        server = self.http()
        server.close()
        url = f"http://127.0.0.1:{server.port}"
        self.assertEqual(self.send(f"{url}/", f"http:GET:{url}/*"), {"err": "ConnectionRefused"})
        self.dns({"broken.test": [2]})
        self.assertIn("DnsError", self.send("http://gone.test/", "http:GET:http://gone.test/*")["err"])
        self.assertIn("DnsError", self.send("http://broken.test/", "http:GET:http://broken.test/*")["err"])


class Optional(NetCase):
    def test_an_optional_permission_that_is_not_granted_denies_each_request(self):
        folder = self.plugin({"optional": [{"http": {"url": "https://api.example.com/*", "methods": ["GET"]}}]})
        server = self.http()
        answer = self.send(f"http://127.0.0.1:{server.port}/", plugin=folder)
        self.assert_denied(answer, "no-grant")
        self.assertEqual(server.connections, 0)


class Tls(NetCase):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.tmp)
        self.network.update(roots=[str(self.certificates.root)], private=["127.0.0.0/8"])
        self.dns({"api.example.test": [["127.0.0.1"]]})

    def test_the_operators_roots_are_trusted(self):
        server = self.http(tls=self.certificates.context("api.example.test"))
        url = f"https://api.example.test:{server.port}"
        self.assertEqual(self.send(f"{url}/", f"http:GET:{url}/*")["ok"]["body"], "ok")


class Injected(NetCase):
    def test_a_header_that_the_plugin_never_sees(self):
        server = self.http()
        self.variables["API_KEY"] = "k-7f3a"
        url = f"http://127.0.0.1:{server.port}"
        self.entries["acme/http"] = {"egress": [{"to": f"{url}/v1/*", "header": "Authorization", "prefix": "Bearer ",
                                            "variable": "API_KEY"}]}
        plugin = self.plugin({"required": [{"http": {"url": f"{url}/*", "methods": ["GET"]}}]})
        self.send(f"{url}/v1/x", f"http:GET:{url}/*", headers=[("authorization", "mine")], plugin=plugin)
        self.send(f"{url}/v2/x", f"http:GET:{url}/*", plugin=plugin)
        given = [dict(request["headers"]).get("authorization") for request in server.requests]
        self.assertEqual(given, ["Bearer k-7f3a", None])
        self.assertNotIn("k-7f3a", (self.state / "audit.jsonl").read_text())

    def test_attack_159_a_secret_by_name_reaches_the_server_and_nobody_else(self):
        server = self.http()
        url = f"http://127.0.0.1:{server.port}"
        self.entries["acme/http"] = {"egress": [{"to": f"{url}/v1/*", "header": "Authorization", "prefix": "Bearer ",
                                                 "secret": "api-key"}]}
        plugin = self.plugin({"required": [{"http": {"url": f"{url}/*", "methods": ["GET"]}}]})
        grant = f"http:GET:{url}/*"
        with self.assertRaisesRegex(AssertionError, "E_MISSING.*cordon secret set api-key"):
            self.send(f"{url}/v1/x", grant, plugin=plugin)
        shown = b""
        for value in ("planted-9d21", "planted-turned"):
            self.assertEqual(self.cordon("secret", "set", "api-key", stdin=value).returncode, 0)
            answer = self.send(f"{url}/v1/x", grant, headers=[("authorization", "mine")], plugin=plugin)
            self.assertEqual(answer["ok"]["body"], "ok")
            for words in (["explain", plugin], ["inspect", plugin, "--json"], ["trail", "show"], ["secret", "list"],
                          ["run", plugin, "send", "--grant", grant, "--input", "{}", "--verbose"]):
                done = self.cordon(*words)
                shown += done.stdout + done.stderr
        self.send(f"{url}/v2/x", grant, plugin=plugin)
        given = [dict(request["headers"]).get("authorization") for request in server.requests]
        self.assertEqual(given, ["Bearer planted-9d21", "Bearer planted-turned", None])
        self.assertNotIn(b"planted", shown)
        for path in self.tmp.rglob("*"):
            if path.is_file():
                self.assertNotIn(b"planted", path.read_bytes(), path)

    def test_a_secret_that_is_missing_is_told_before_anything_runs(self):
        self.entries["acme/http"] = {"egress": [{"to": "http://a.test/*", "header": "X-Key", "variable": "NOT_THERE"}]}
        plugin = self.plugin({"required": [{"http": {"url": "http://a.test/*", "methods": ["GET"]}}]})
        with self.assertRaisesRegex(AssertionError, "NOT_THERE"):
            self.send("http://a.test/", "http:GET:http://a.test/*", plugin=plugin)


class Quotas(NetCase):
    """What would take minutes at the rate that is set ends with the call's deadline, and without one it does not."""

    def run_within(self, url, **given):
        """The code of one call that may take a second, or nothing when it ended well."""
        scheme, _, rest = url.partition("://")
        authority, _, path = rest.partition("/")
        request = {"method": "GET", "scheme": scheme, "authority": authority, "path": "/" + path, "headers": [],
                   "body": "", "times": 0, "trailers": [], "first-byte": 0, "between-bytes": 0, **given}
        done = self.cordon("run", GUESTS / self.guest, "send", "--input", json.dumps({"request": request}), "--json",
                           "--grant", f"http:GET,POST:{url}*", "--timeout", "1s")
        document = json.loads(done.stdout)
        return None if document["ok"] else document["error"]["code"]

    def test_bodies_move_no_faster_than_their_rate(self):
        server = self.http(lambda request, _: response(b"y" * (256 << 10)))
        url = f"http://127.0.0.1:{server.port}/"
        upload = {"method": "POST", "body": "x" * 8192, "times": 32}
        self.assertEqual((self.run_within(url), self.run_within(url, **upload)), (None, None))
        self.entries = {"http": {"quotas": {"io": {"network": "1KiB/s"}}}}
        self.assertEqual(self.run_within(url), "E_TIMEOUT")
        empty = self.http(lambda request, _: response(b""))
        self.assertEqual(self.run_within(f"http://127.0.0.1:{empty.port}/", **upload), "E_TIMEOUT")
        self.assertEqual(self.run_within(f"http://127.0.0.1:{empty.port}/"), None)

    def test_requests_have_a_rate(self):
        server = self.http()
        self.entries = {"http": {"quotas": {"io": {"requests": "3/h"}}}}
        given = {"scheme": "http", "authority": f"127.0.0.1:{server.port}", "path": "/", "times": 5}
        answer = self.call("get-many", given, f"http:GET:http://127.0.0.1:{server.port}/*")
        self.assertEqual(answer, {"err": "HttpRequestDenied"})
        self.assertEqual(len(server.requests), 3)

    def test_what_would_pass_by_is_refused(self):
        self.entries = {"sockets": {"quotas": {"io": {"network": "1MiB/s"}}}}
        done = self.cordon("run", GUESTS / "sockets.wasm", "connect", "--grant", "net:tcp:127.0.0.1:9",
                           "--json", "--input", "{}")
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "E_UNENFORCEABLE", done.stdout)


if __name__ == "__main__":
    unittest.main()
