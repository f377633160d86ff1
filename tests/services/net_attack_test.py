#!/usr/bin/env python3
"""A plugin that may make some requests tries to make others (attacks.md 119 to 129).

Run one with `net_attack_test.py attack_119`. CORDON_BIN and CORDON_GUESTS say where the command and the guests are.
"""
import gzip
import itertools
import os
import socket
import subprocess
import sys
import time
import unittest

from net_case import HANG_SECONDS, NetCase
from servers import Certificates, redirect, response

INSIDE = "CORDON_TEST_IN_NAMESPACE"
SOON = 20  # seconds: a guard against a limit that is not held to; far above any limit that is set here


class attack_119(NetCase):
    """An allowed host sends the guest elsewhere: the guest follows, and each hop is a question of its own."""

    def test_a_redirect_is_an_answer_and_where_it_leads_is_asked_afresh(self):
        inner = self.http()
        for location, rule in ((f"http://127.0.0.1:{inner.port}/", "not-requested"),
                               ("http://169.254.169.254/latest/meta-data/", "not-requested"),
                               ("http://[::1]/", "not-requested")):
            server = self.http(lambda request, _: redirect(location))
            url = f"http://127.0.0.1:{server.port}"
            answer = self.send(f"{url}/", f"http:GET:{url}/*")["ok"]
            self.assertEqual(answer["status"], 302)
            to = dict((field["name"], field["value"]) for field in answer["headers"])["location"]
            self.assert_denied(self.send(to, f"http:GET:{url}/*"), rule, what=location)
        self.assertEqual(inner.connections, 0)

    def test_other_schemes_go_nowhere(self):
        for url in ("file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "ws://127.0.0.1/",
                    "data://text/", "javascript://x/"):
            self.assert_refused(self.send(url, "http:GET:http://127.0.0.1/*"), url)


class attack_120(NetCase):
    """Every spelling of an address that is not its own."""

    def test_a_spelling_that_is_not_canonical_is_no_address(self):
        server = self.http()
        port = server.port
        grant = f"http:GET:http://127.0.0.1:{port}/*"
        for host in ("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "0", "127.000.000.001",
                     "127.0.0.1.", "169.254.43518", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1",
                     "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::]",
                     "[0:0:0:0:0:0:0:1]", "[fe80::1%25lo]", "[::1%lo]", "localhost", "LOCALHOST", "localhost."):
            answer = self.send(f"http://{host}:{port}/", grant)
            if host == "127.0.0.1.":  # a dot at the end is taken off, and the address is the one that was granted
                self.assertEqual(answer["ok"]["status"], 200)
                continue
            self.assert_refused(answer, host)
        self.assertEqual(server.connections, 1)

    def test_a_granted_name_that_leads_to_them_leads_nowhere(self):
        server = self.http()
        addresses = {"127.0.0.1": "net:loopback", "10.0.0.1": "net:private", "192.168.1.1": "net:private",
                     "172.16.0.1": "net:private", "100.64.0.1": "net:private", "169.254.169.254": "net:metadata",
                     "100.100.100.200": "net:metadata", "0.0.0.0": "net:unspecified", "224.0.0.1": "net:multicast",
                     "255.255.255.255": "net:multicast", "::1": "net:loopback", "::": "net:unspecified",
                     "fe80::1": "net:link-local", "fd00::1": "net:private", "fd00:ec2::254": "net:metadata",
                     "::ffff:127.0.0.1": "net:loopback", "::ffff:169.254.169.254": "net:metadata",
                     "64:ff9b::7f00:1": "net:loopback", "2002:a9fe:a9fe::": "net:metadata",
                     "2001:0:1::1": "net:reserved"}
        zone = {f"h{i}.test": [[address]] for i, address in enumerate(addresses)}
        self.dns(zone)
        for i, (address, rule) in enumerate(addresses.items()):
            url = f"http://h{i}.test:{server.port}"
            self.assert_denied(self.send(f"{url}/", f"http:GET:{url}/*"), rule, "DestinationIpProhibited", address)
        self.assertEqual(server.connections, 0)

    def test_a_block_that_the_operator_names_opens_that_block_alone(self):
        server = self.http(address="127.0.0.2")
        self.dns({"in.test": [["127.0.0.2"]], "out.test": [["127.0.0.1"]], "cloud.test": [["169.254.169.254"]]})
        self.network["private"] = ["127.0.0.2/32", "169.254.0.0/16"]
        grants = [f"http:GET:http://{host}.test:{server.port}/*" for host in ("in", "out", "cloud")]
        self.assertEqual(self.send(f"http://in.test:{server.port}/", *grants)["ok"]["status"], 200)
        for host, rule in (("out", "net:loopback"), ("cloud", "net:metadata")):
            answer = self.send(f"http://{host}.test:{server.port}/", *grants)
            self.assert_denied(answer, rule, "DestinationIpProhibited", host)


class attack_121(NetCase):
    """A name that changes its mind. 127.0.0.2 stands for an address that is allowed, 127.0.0.1 for one that is not."""

    def setUp(self):
        super().setUp()
        self.network["private"] = ["127.0.0.2/32"]
        self.good = self.http(lambda request, _: response(b"good", headers=["Connection: close"]), address="127.0.0.2")
        self.bad = self.http(lambda request, _: response(b"bad"), address="127.0.0.1", port=self.good.port)

    def ask(self, name):
        url = f"http://{name}:{self.good.port}"
        return self.send(f"{url}/", f"http:GET:{url}/*")

    def test_the_address_that_was_checked_is_the_one_that_is_connected_to(self):
        dns = self.dns({"turn.test": [["127.0.0.2"], ["127.0.0.1"]]}, ttl=0)
        self.assertEqual(self.ask("turn.test")["ok"]["body"], "good")
        self.assertEqual([kind for _, kind in dns.questions].count(1), 1, "a name is resolved once for a connection")

    def test_the_second_answer_is_checked_like_the_first(self):
        self.dns({"turn.test": [["127.0.0.2"], ["127.0.0.1"]]}, ttl=0)
        answer = self.call("get-many", {"scheme": "http", "authority": f"turn.test:{self.good.port}", "path": "/",
                                        "times": 2}, f"http:GET:http://turn.test:{self.good.port}/*")
        self.assert_denied(answer, "net:loopback", "DestinationIpProhibited")
        self.assertEqual(self.bad.connections, 0)

    def test_of_mixed_answers_only_what_is_allowed(self):
        self.dns({"mixed.test": [["127.0.0.1", "127.0.0.2", "10.0.0.1", "::1"]]})
        self.assertEqual(self.ask("mixed.test")["ok"]["body"], "good")
        self.assertEqual(self.bad.connections, 0)

    def test_chains_and_floods_of_answers(self):
        chain = {f"c{i}.test": [f"c{i + 1}.test"] for i in range(8)}
        loop = {"l0.test": ["l1.test"], "l1.test": ["l0.test"]}
        flood = {"flood.test": [[f"10.0.{i // 250}.{i % 250 + 1}" for i in range(2000)]]}
        self.dns({**chain, "c8.test": [["127.0.0.1"]], **loop, **flood})
        self.assert_denied(self.ask("c0.test"), "net:loopback", "DestinationIpProhibited")
        self.assertIn("Dns", self.ask("l0.test")["err"])
        self.assert_denied(self.ask("flood.test"), "net:private", "DestinationIpProhibited")
        self.assertEqual((self.good.connections, self.bad.connections), (0, 0))


class attack_122(NetCase):
    """URLs that two readers read differently."""

    def test_the_host_that_was_decided_is_the_host_that_is_contacted(self):
        allowed, evil = self.http(), self.http()
        good, bad = f"127.0.0.1:{allowed.port}", f"127.0.0.1:{evil.port}"
        grant = f"http:GET:http://{good}/*"
        for authority, path in ((f"{good}@{bad}", "/"), (f"user:pass@{bad}", "/"), (f"{bad}#@{good}", "/"),
                                (f"{good}\\@{bad}", "/"), (f"{bad}?@{good}", "/"), (f"@{bad}", "/"),
                                (f"{good}@", "/"), (f"u@{good}", "/"), (f"{bad}/@{good}", "/"), (bad, "/"),
                                (good, f"@{bad}/"), (good, f"http://{bad}/"), (f" {bad}", "/"), (f"{bad}\t", "/")):
            self.assert_refused(self.call("send", {"request": {
                "method": "GET", "scheme": "http", "authority": authority, "path": path, "headers": [], "body": "",
                "times": 0, "trailers": [], "first-byte": 0, "between-bytes": 0}}, grant), (authority, path))
        self.assertEqual((allowed.connections, evil.connections), (0, 0))


class attack_123(NetCase):
    """One host and one path, spelled in many ways: the canonical form decides, and it is what is sent."""

    def setUp(self):
        super().setUp()
        self.server = self.http()
        self.network["private"] = ["127.0.0.0/8"]
        self.dns({"api.example.test": [["127.0.0.1"]], "xn--pi-7ja.example.test": [["127.0.0.1"]]})
        self.url = f"http://api.example.test:{self.server.port}"

    def test_hosts(self):
        grant = f"http:GET:{self.url}/*"
        for host in ("api.example.test", "API.Example.TEST", "api.example.test."):
            self.assertEqual(self.send(f"http://{host}:{self.server.port}/", grant)["ok"]["status"], 200, host)
            self.assertEqual(self.decisions()[0][2], f"{self.url}/", host)
        for host in ("api.example.test..", ".api.example.test", "api..example.test", "api.example.test.evil.test",
                     "evil-api.example.test", "example.test", "xn--pi-7ja.example.test", "аpi.example.test",
                     "api．example．test", "a­pi.example.test", "%61pi.example.test"):
            self.assert_refused(self.send(f"http://{host}:{self.server.port}/", grant), host)

    def test_a_star_is_for_what_stands_below(self):
        grant = f"http:GET:http://*.example.test:{self.server.port}/*"
        self.assertEqual(self.send(f"{self.url}/", grant)["ok"]["status"], 200)
        for host in ("example.test", "badexample.test", "api.example.test.evil.test"):
            self.assert_denied(self.send(f"http://{host}:{self.server.port}/", grant), "not-requested", what=host)

    def test_paths(self):
        grant = f"http:GET:{self.url}/v1/*"
        for path, sent in (("/v1/a", "/v1/a"), ("/v1/./a", "/v1/a"), ("/v1/b/../a", "/v1/a"), ("/v1/%61", "/v1/a"),
                           ("/v1/b/%2e%2E/a", "/v1/a"), ("/v1/a%2fb", "/v1/a%2Fb"), ("/x/../v1/a", "/v1/a")):
            self.assertEqual(self.send(f"{self.url}{path}", grant)["ok"]["status"], 200, path)
            self.assertEqual(self.server.requests[-1]["target"], sent, path)
        count = len(self.server.requests)
        for path in ("/v1/../admin", "/v1/%2e%2e/admin", "/v1/..%2fadmin", "/v1/%2e%2e%2fadmin", "/v1/..%252fadmin",
                     "/v1/..%5cadmin", "/V1/a", "/%2fv1/a", "//v1/a", "/v1", "/v1%2fa"):
            answer = self.send(f"{self.url}{path}", grant)
            if path in ("//v1/a", "/%2fv1/a", "/v1%2fa"):
                self.assertIn("err", answer, path)
                continue
            self.assert_denied(answer, "not-requested", what=path)
        self.assertEqual(len(self.server.requests), count)


class attack_124(NetCase):
    def test_ports_and_schemes(self):
        server, other = self.http(), self.http()
        grant = f"http:GET:http://127.0.0.1:{server.port}/*"
        for port in (22, 0, 65536, 443, 80, other.port, f"+{server.port}", f"0x{server.port:x}", "", f" {server.port}",
                     f"{server.port}x", "-1", f"00000{server.port}"):
            self.assert_refused(self.send(f"http://127.0.0.1:{port}/", grant), port)
        for scheme in ("https", "ftp", "ws", "wss", "data", "file", "HTTP+UNIX", "javascript"):
            self.assert_refused(self.send(f"{scheme}://127.0.0.1:{server.port}/", grant), scheme)
        self.assertEqual((server.connections, other.connections), (0, 0))
        self.assertEqual(server.requests, [])


class attack_125(NetCase):
    """Headers that would end a message early, begin another, or speak for the connection."""

    def setUp(self):
        super().setUp()
        self.server = self.http()
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.grants = (f"http:GET,POST:{self.url}/*",)

    def test_control_characters(self):
        for bad in ("a\r\nHost: evil", "a\nb", "a\rb", "a\0b"):
            self.assert_refused(self.send(f"{self.url}/", *self.grants, headers=[("x-a", bad)]), bad)
            self.assert_refused(self.send(f"{self.url}/", *self.grants, headers=[(bad, "x")]), bad)
            self.assert_refused(self.send(f"{self.url}/", *self.grants, method=bad), bad)
            self.assert_refused(self.send(f"{self.url}/{bad}", *self.grants), bad)
        self.assertEqual(self.server.connections, 0)

    def test_names_that_are_not_the_guests(self):
        for name in ("host", "Host", "connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection",
                     "proxy-authorization", "http2-settings"):
            self.assert_refused(self.send(f"{self.url}/", *self.grants, headers=[(name, "x")]), name)
        self.assertEqual(self.server.connections, 0)

    def test_lengths(self):
        for lengths in (("5", "6"), ("5", "5"), ("+5",), ("-1",), ("0x5",), ("5,5",), ("99999999999999999999",)):
            answer = self.send(f"{self.url}/", *self.grants, method="POST", body="hello",
                               headers=[("content-length", length) for length in lengths])
            self.assertIn("err", answer, lengths)
        self.send(f"{self.url}/", *self.grants, method="POST", body="hello\nGET /evil HTTP/1.1\r\n\r\n",
                  headers=[("content-length", "5")])
        self.assertLessEqual({(request["target"], len(request["body"]) <= 5) for request in self.server.requests},
                             {("/", True)})

    def test_trailers_that_would_be_headers(self):
        for name in ("content-length", "host", "transfer-encoding", "authorization"):
            answer = self.send(f"{self.url}/", *self.grants, method="POST", body="x", headers=[("trailer", name)],
                               trailers=[(name, "5")])
            self.assertIn("err", answer, name)
        self.assertEqual([request for request in self.server.requests if request["trailers"]], [])


class attack_126(NetCase):
    def test_what_makes_a_proxy_or_a_tunnel_of_a_server(self):
        server = self.http()
        url = f"http://127.0.0.1:{server.port}"
        grant = f"http:GET,HEAD,POST,OPTIONS:{url}/*"
        for method in ("CONNECT", "TRACE", "PROPFIND", "get", "GET ", "G\u00c9T", ""):
            self.assert_refused(self.send(f"{url}/", grant, method=method), method)
        for path in ("http://evil.test/", "*", "evil.test:443", "//evil.test/", "\\\\evil.test"):
            request = {"method": "GET", "scheme": "http", "authority": f"127.0.0.1:{server.port}", "path": path,
                       "headers": [], "body": "", "times": 0, "trailers": [], "first-byte": 0, "between-bytes": 0}
            self.call("send", {"request": request}, grant)
        for request in server.requests:
            self.assertTrue(request["target"].startswith("/"), request)
            self.assertEqual(dict(request["headers"])["host"], f"127.0.0.1:{server.port}")
        self.assert_refused(self.send(f"{url}/", grant, headers=[("upgrade", "websocket")]))

    def test_a_server_that_switches_protocols_is_not_followed(self):
        server = self.http(lambda *_: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        url = f"http://127.0.0.1:{server.port}"
        self.assertEqual(self.send(f"{url}/", f"http:GET:{url}/*"), {"err": "HttpProtocolError"})


class attack_127(NetCase):
    """Servers that never end. An error within a body has no code, only the words of the engine's WASI."""

    def attempt(self, answer, **limits):
        self.network.update(limits)
        server = self.http(answer)
        url = f"http://127.0.0.1:{server.port}"
        began = time.monotonic()
        got = self.send(f"{url}/", f"http:GET:{url}/*")
        self.assertLess(time.monotonic() - began, SOON)
        return got

    @staticmethod
    def endless(head, piece, pause=0.0):
        def answer(request, connection):
            connection.sendall(head)
            for _ in itertools.count():
                connection.sendall(piece)
                time.sleep(pause)
        return answer

    def test_a_body_without_end(self):
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        got = self.attempt(self.endless(head, piece), response="1MiB")
        self.assertEqual(got, {"err": "HTTP response body size exceeds limit: 1048576 bytes"})
        got = self.attempt(self.endless(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536), response="1MiB")
        self.assertEqual(got, {"err": "HTTP response body size exceeds limit: 1048576 bytes"})

    def test_a_drop_now_and_then(self):
        got = self.attempt(self.endless(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"x", 10), idle="300ms")
        self.assertEqual(got, {"err": "connection read timeout"})
        got = self.attempt(self.endless(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b"x", 0.05), idle="10s",
                           total="500ms")
        self.assertEqual(got, {"err": "connection read timeout"})

    def test_headers_without_end(self):
        for piece in (b"X-A: b\r\n", b"x" * 1024):
            got = self.attempt(self.endless(b"HTTP/1.1 200 OK\r\n", piece))
            self.assertEqual(got, {"err": "HttpResponseHeaderSectionSize(None)"}, piece[:8])
        got = self.attempt(self.endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.05), first_byte="500ms")
        self.assertIn(got["err"], ("HttpResponseTimeout", "HttpResponseHeaderSectionSize(None)"))

    def test_a_flood_of_interim_answers(self):
        got = self.attempt(self.endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), first_byte="500ms")
        self.assertIn("err", got)

    def test_silence(self):
        got = self.attempt(lambda request, connection: time.sleep(60), first_byte="300ms")
        self.assertEqual(got, {"err": "HttpResponseTimeout"})

    def test_what_is_compressed_is_not_unpacked_here(self):
        packed = gzip.compress(b"\0" * (64 << 20))
        server = self.http(lambda *_: response(packed, headers=["Content-Encoding: gzip"]))
        url = f"http://127.0.0.1:{server.port}"
        self.assertEqual(self.send(f"{url}/", f"http:GET:{url}/*")["ok"]["bytes"], len(packed))

    def test_lengths_that_lie(self):
        got = self.attempt(lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello GET / HTTP/1.1\r\n\r\n")
        self.assertEqual((got["ok"]["body"], got["ok"]["bytes"]), ("hello", 5))
        for head in (b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5\r\nTransfer-Encoding: chunked",
                     b"Content-Length: x", b"Content-Length: -1"):
            def answer(request, connection):
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\nhello")
                connection.shutdown(socket.SHUT_RDWR)
            self.assertIn("err", self.attempt(answer), head)

        def short(request, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            connection.shutdown(socket.SHUT_RDWR)
        self.assertEqual(self.attempt(short), {"err": "incomplete HTTP response"})

    def test_a_request_that_is_too_large(self):
        self.network["request"] = "64KiB"
        server = self.http()
        url = f"http://127.0.0.1:{server.port}"
        answer = self.send(f"{url}/", f"http:POST:{url}/*", method="POST", body="x" * 4096, times=64)
        self.assertIn("HttpRequestBodySize", answer["err"])
        self.assertEqual([d[1] for d in self.decisions() if d[0] == "deny"], ["http:limit"])


class attack_128(NetCase):
    def setUp(self):
        super().setUp()
        self.certificates = Certificates(self.tmp)
        self.network.update(private=["127.0.0.0/8"])
        self.dns({"api.example.test": [["127.0.0.1"]]})

    def ask(self, server, roots=True):
        if roots:
            self.network["roots"] = [str(self.certificates.root)]
        else:
            self.network.pop("roots", None)
        url = f"https://api.example.test:{server.port}"
        return self.send(f"{url}/", f"http:GET:{url}/*")

    def test_certificates_that_are_not_for_this_name_now(self):
        context = self.certificates.context
        for server, what in ((self.http(tls=context("other.example.test")), "another name"),
                             (self.http(tls=context("api.example.test", days=-1)), "expired"),
                             (self.http(tls=context("api.example.test", subject="IP:127.0.0.1")), "the address"),
                             (self.http(tls=context("below.api.example.test")), "a name below")):
            self.assert_denied(self.ask(server), "http:certificate", "TlsCertificateError", what)
            self.assertEqual(server.requests, [], what)

    def test_nobody_is_trusted_whom_nobody_named(self):
        server = self.http(tls=self.certificates.context("api.example.test"))
        self.assertEqual(self.ask(server)["ok"]["status"], 200)
        self.assert_denied(self.ask(server, roots=False), "http:certificate", "TlsCertificateError")

    def test_plain_text_where_tls_is_due(self):
        self.assertEqual(self.ask(self.http(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n")),
                         {"err": "TlsProtocolError"})

    def test_no_proxy_of_the_environment(self):
        proxy, server = self.http(), self.http()
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "https_proxy"):
            self.variables[name] = f"http://127.0.0.1:{proxy.port}"
        (self.tmp / ".netrc").write_text("machine 127.0.0.1 login me password hidden\n")
        url = f"http://127.0.0.1:{server.port}"
        self.assertEqual(self.send(f"{url}/", f"http:GET:{url}/*")["ok"]["status"], 200)
        self.assertEqual(proxy.connections, 0)
        self.assertNotIn("authorization", dict(server.requests[0]["headers"]))


class attack_129(NetCase):
    def test_this_machines_own_services(self):
        server = self.http()
        for host in ("localhost", "ip6-localhost", socket.gethostname().lower()):
            url = f"http://{host}:{server.port}"
            answer = self.send(f"{url}/", f"http:GET:{url}/*")
            self.assertIn(answer.get("err", "").split("(")[0], ("DestinationIpProhibited", "DnsError"), (host, answer))
        for url in ("http+unix://%2Fvar%2Frun%2Fdocker.sock/", "unix:///var/run/docker.sock"):
            self.assert_refused(self.send(url, "http:GET:http://127.0.0.1/*"), url)
        self.assertEqual(server.connections, 0)


class metadata(NetCase):
    """A lookalike of a cloud's metadata service, at its own address, in a network namespace of the test's own."""

    def test_it_is_never_reached(self):
        inside = [sys.executable, __file__, "inside_namespace"]
        done = subprocess.run(["unshare", "-rn", *inside], capture_output=True, text=True, timeout=HANG_SECONDS,
                              env={**os.environ, INSIDE: "1"})
        if "unshare:" in done.stderr:
            self.skipTest(f"the kernel refuses network namespaces: {done.stderr.strip()}")
        self.assertEqual(done.returncode, 0, done.stderr)


@unittest.skipUnless(os.environ.get(INSIDE), "it changes the addresses of the loopback: only in a namespace of its own")
class inside_namespace(NetCase):
    def setUp(self):
        super().setUp()
        for words in (("link", "set", "lo", "up"), ("addr", "add", "169.254.169.254/32", "dev", "lo"),
                      ("addr", "add", "93.184.215.14/32", "dev", "lo")):
            subprocess.run(["ip", *words], check=True)

    def test_the_service_is_there_and_nobody_gets_to_it(self):
        service = self.http(address="169.254.169.254", port=80)
        with socket.create_connection(("169.254.169.254", 80)) as probe:
            probe.sendall(b"")
        self.dns({"metadata.example.test": [["169.254.169.254"]],
                  "turn.test": [["93.184.215.14"], ["169.254.169.254"]]})
        self.network["private"] = ["169.254.0.0/16"]
        answer = self.send("http://metadata.example.test/", "http:GET:http://metadata.example.test/*")
        self.assert_denied(answer, "net:metadata", "DestinationIpProhibited")
        # A public address, as far as anybody can tell in here: it is let through.
        public = self.http(address="93.184.215.14", port=80)
        answer = self.send("http://turn.test/", "http:GET:http://turn.test/*")
        self.assertEqual((answer["ok"]["status"], public.connections), (200, 1))
        self.assertEqual(service.requests, [])


if __name__ == "__main__":
    unittest.main()
