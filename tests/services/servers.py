"""Servers of the tests' own, on loopback: HTTP as bytes, TLS with certificates of their own, and DNS."""
import contextlib
import socket
import socketserver
import ssl
import struct
import subprocess
import threading

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class HttpServer:
    """Answers each request with what `answer(request, connection)` gives: bytes, or nothing when it wrote them itself.

    `request` is a dictionary: method, target, headers (names in lower case; a list of pairs), body, connection (its
    number). Requests are kept in `requests`, connections are counted in `connections`.
    """

    def __init__(self, answer=lambda request, connection: OK, tls=None, address="127.0.0.1", port=0,
                 greeting=b""):
        self.answer, self.tls, self.greeting = answer, tls, greeting
        self.requests, self.connections = [], 0
        self.listener = socket.create_server((address, port))
        self.port = self.listener.getsockname()[1]
        self.open = True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.open:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection, self.connections), daemon=True).start()

    def serve(self, connection, number):
        with contextlib.suppress(OSError, ValueError, ssl.SSLError):
            connection.settimeout(30)
            connection.sendall(self.greeting)
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as reader:
                while (request := read_request(reader)) is not None:
                    request["connection"] = number
                    self.requests.append(request)
                    answer = self.answer(request, connection)
                    if answer is not None:
                        connection.sendall(answer)

    def close(self):
        self.open = False
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def read_request(reader):
    line = reader.readline(65536)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = read_headers(reader)
    lengths = [value for name, value in headers if name == "content-length"]
    body, trailers = b"", []
    if ("transfer-encoding", "chunked") in headers:
        while size := int(reader.readline(), 16):
            body += reader.read(size)
            reader.readline()
        trailers = read_headers(reader)
    elif lengths:
        body = reader.read(int(lengths[0]))
    return {"method": method, "target": target, "headers": headers, "body": body, "trailers": trailers}


def read_headers(reader):
    headers = []
    while (line := reader.readline(65536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip().lower(), value.strip()))
    return headers


def response(body=b"", status="200 OK", headers=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location, status="302 Found"):
    return response(status=status, headers=[f"Location: {location}"])


class Certificates:
    """An authority of our own in a folder, and certificates by it."""

    def __init__(self, folder):
        self.folder = folder
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-days", "2", "-subj", "/CN=root of the tests", "-keyout", "ca.key", "-out", "ca.pem")

    @property
    def root(self):
        return self.folder / "ca.pem"

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def context(self, name, days=2, subject="DNS:{}", protocols=("http/1.1",)):
        """What a server for `name` needs."""
        stem = f"{name}-{days}".replace("*", "star")
        extension = self.folder / f"{stem}.ext"
        extension.write_text("subjectAltName=" + subject.format(name) + "\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
                     "-keyout", f"{stem}.key", "-out", f"{stem}.csr")
        self.openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", str(days), "-extfile", extension.name, "-out", f"{stem}.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        context.set_alpn_protocols(list(protocols))
        return context


class DnsServer:
    """Answers questions for addresses: `zone` maps a name to a list of answers, one for each question asked in turn
    (the last stays). An answer is a list of addresses, the name of another ("CNAME"), or an rcode.
    Questions are kept in `questions`."""

    def __init__(self, zone, ttl=0):
        self.zone, self.ttl, self.questions, self.asked = zone, ttl, [], {}
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, answering = self.request
                answer = outer.reply(data)
                if len(answer) > 1200:  # say that it is too long, so that TCP is asked
                    cut = answer[:2] + bytes([answer[2] | 2]) + answer[3:6] + b"\0" * 6
                    answer = cut + data[12:question_end(data)]
                answering.sendto(answer, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                while len(size := self.rfile.read(2)) == 2:
                    answer = outer.reply(self.rfile.read(struct.unpack(">H", size)[0]))
                    self.wfile.write(struct.pack(">H", len(answer)) + answer)

        for _ in range(100):  # another socket may have the port of the one kind that is free for the other
            self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tcp)
            self.port = self.tcp.server_address[1]
            try:
                self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", self.port), Udp)
                break
            except OSError:
                self.tcp.server_close()
        for server in (self.udp, self.tcp):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()

    def reply(self, query):
        name, kind = question_of(query)
        self.questions.append((name, kind))
        records, rcode, owner = [], 0, name
        for _ in range(16):
            answers = self.zone.get(owner)
            if answers is None:
                rcode = 3
                break
            turn = self.asked.get((owner, kind), 0)
            self.asked[owner, kind] = turn + 1
            answer = answers[min(turn, len(answers) - 1)]
            if isinstance(answer, int):
                rcode = answer
            elif isinstance(answer, str):
                records.append(record(owner, 5, self.ttl, encode_name(answer)))
                owner = answer
                continue
            else:
                packed = [data for data in map(pack, answer) if len(data) == SIZE.get(kind)]
                records += [record(owner, kind, self.ttl, data) for data in packed]
            break
        flags = 0x8580 | rcode
        header = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        return header + query[12:question_end(query)] + b"".join(records)


SIZE = {1: 4, 28: 16}


def pack(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(name, kind, ttl, data):
    return encode_name(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def question_end(query):
    at = 12
    while query[at]:
        at += 1 + query[at]
    return at + 5


def question_of(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + query[at] + 1].decode("latin-1").lower())
        at += 1 + query[at]
    return ".".join(labels), struct.unpack(">H", query[at + 1:at + 3])[0]
