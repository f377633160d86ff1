#!/usr/bin/env python3
"""Counters as promtool reads them, and traces as OpenTelemetry's own protobuf decodes them."""
import http.server
import os
import socket
import subprocess
import threading
import time
import unittest

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cordon import ADD, GUESTS, CordonTest, module

CALL = ["--input", '{"p0": 1, "p1": 2}']
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Sink:
    """A collector on loopback that keeps what it is sent."""

    def __init__(self, status=200):
        self.requests, self.messages = [], []
        sink = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.requests.append((self.path, self.headers["Content-Type"]))
                sink.messages.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self):
        return [span for message in self.messages for resource in message.resource_spans
                for scope in resource.scope_spans for span in scope.spans]  # fmt: skip

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Tests(CordonTest):
    def setUp(self):
        super().setUp()
        self.wasm = self.write("x.wasm", module([ADD]))

    def sink(self, status=200):
        sink = Sink(status)
        self.addCleanup(sink.close)
        return sink

    def check_metrics(self, text):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((0, ""), (done.returncode, done.stderr), text)

    def test_promtool_finds_no_fault_in_the_counters(self):
        out = self.tmp / "cordon.prom"
        self.cordon("run", self.wasm, *CALL, "--metrics", out)
        self.check_metrics(out.read_text())
        self.assertIn('cordon_calls_total{plugin="x",outcome="ok"} 1\n', out.read_text())
        hostile = self.write('a"}b\\ \n.wasm', module([ADD]))
        self.cordon("run", hostile, *CALL, "--metrics", out)
        self.check_metrics(out.read_text())
        self.cordon("run", self.wasm, "--input", "{}", "--metrics", out)
        self.assertIn('outcome="E_INPUT_SCHEMA"} 1\n', out.read_text())
        self.assertNotEqual(0, self.cordon("run", self.wasm, *CALL, "--metrics", "/nowhere/x.prom").code)

    def test_a_call_is_a_span_of_its_callers_trace(self):
        sink = self.sink()
        config = self.write("config.yaml", f"telemetry:\n  otlp:\n    endpoint: {sink.endpoint}/\n")
        done = self.cordon("run", self.wasm, *CALL, "--config", config, env={"TRACEPARENT": f"00-{TRACE}-{PARENT}-01"})
        self.assertEqual("3\n", done.out)
        self.assertEqual([("/v1/traces", "application/x-protobuf")], sink.requests)
        (span,) = sink.spans()
        self.assertEqual((TRACE, PARENT), (span.trace_id.hex(), span.parent_span_id.hex()))
        self.assertEqual("call add", span.name)
        self.assertEqual(span.SPAN_KIND_SERVER, span.kind)
        self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)
        self.assertLess(abs(time.time_ns() - span.end_time_unix_nano), 600e9)
        attributes = {one.key: one.value for one in span.attributes}
        self.assertEqual("x", attributes["cordon.plugin"].string_value)
        self.assertGreater(attributes["cordon.call.id"].int_value, 0)
        resource = {one.key: one.value.string_value for one in sink.messages[0].resource_spans[0].resource.attributes}
        self.assertEqual("cordon", resource["service.name"])
        call = [record for record in self.audit() if record["event"] == "call"][-1]
        self.assertEqual(f"{TRACE}-{span.span_id.hex()}", call["trace"])

    def test_host_calls_are_spans_below_their_call(self):
        sink = self.sink()
        done = self.cordon("run", GUESTS / "storage.wasm", "cordon:storage-guest/kv@0.1.0#set", "--grant", "kv:write:b",
                           "--input", '{"bucket": "b", "key": "k", "value": "v"}',
                           "--telemetry-otlp-endpoint", sink.endpoint)  # fmt: skip
        spans = {span.name: span for span in sink.spans()}
        call = spans.pop("call cordon:storage-guest/kv@0.1.0#set")
        self.assertTrue(spans, done.err)
        self.assertEqual(b"", call.parent_span_id)
        for span in spans.values():
            self.assertEqual((call.trace_id, call.span_id), (span.trace_id, span.parent_span_id))
            self.assertEqual(span.SPAN_KIND_CLIENT, span.kind)
            self.assertTrue(span.name.startswith("wasi:keyvalue/"), span.name)

    def test_a_failure_is_an_error_of_its_span(self):
        sink = self.sink()
        self.cordon("run", self.wasm, "--input", "{}", env={"CORDON_TELEMETRY_OTLP_ENDPOINT": sink.endpoint})
        (span,) = sink.spans()
        self.assertEqual((span.status.STATUS_CODE_ERROR, "E_INPUT_SCHEMA"), (span.status.code, span.status.message))

    def test_off_by_default_and_when_the_caller_does_not_sample(self):
        sink = self.sink()
        self.cordon("run", self.wasm, *CALL)
        self.cordon("run", self.wasm, *CALL, "--telemetry-otlp-endpoint", sink.endpoint,
                    env={"TRACEPARENT": f"00-{TRACE}-{PARENT}-00"})  # fmt: skip
        self.assertEqual([], sink.requests)

    def test_a_collector_that_fails_does_not_keep_a_call(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            for endpoint in (f"http://127.0.0.1:{silent.getsockname()[1]}", "http://127.0.0.1:1",
                             self.sink(500).endpoint, "http://does-not-exist.invalid"):  # fmt: skip
                done = self.cordon("run", self.wasm, *CALL, "--telemetry-otlp-endpoint", endpoint)
                self.assertEqual((0, "3\n"), (done.code, done.out), endpoint)

    def test_an_endpoint_that_cannot_be_used_is_refused(self):
        done = self.cordon("run", self.wasm, *CALL, "--telemetry-otlp-endpoint", "https://127.0.0.1:4318")
        self.assertEqual(4, done.code)
        self.assertIn("E_UNENFORCEABLE", done.err)
        for wrong in ("127.0.0.1:4318", "http://", "http://user@x", "http://x:0"):
            self.assertEqual(4, self.cordon("run", self.wasm, *CALL, "--telemetry-otlp-endpoint", wrong).code, wrong)


if __name__ == "__main__":
    unittest.main()
