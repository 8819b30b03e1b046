#!/usr/bin/env python3
"""Tests of the tests' own tools: the wire above all, since the crash matrix is only as good as its counting."""

import contextlib
import http.client
import io
import json
import ssl
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness import certificates, runner
from harness.keyturn import Metrics
from harness.processes import Process
from harness.subject import all_but, default_mapping
from harness.waiting import TimedOut, eventually
from harness.wire import Proxy, Wire


class _Server(BaseHTTPRequestHandler):
    """Echoes; GET …watch=1 streams two events in chunks, the second saying 410, and ends; GET /open never ends."""

    protocol_version = "HTTP/1.1"
    seen = []

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(body)
        self._whole(200, body)

    def do_GET(self):
        if "watch=1" not in self.path:
            self._whole(404 if self.path == "/none" else 200, self.path.encode())
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in ({"type": "ADDED"}, {"type": "ERROR", "object": {"code": 410}}):
            line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _whole(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class WireTest(unittest.TestCase):
    def setUp(self):
        _Server.seen = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.wire = Wire()
        self.proxy = Proxy(self.wire, "kube", self.server.server_port)
        self.client = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=10)

    def tearDown(self):
        self.client.close()
        self.proxy.close()
        self.server.shutdown()
        self.server.server_close()

    def ask(self, method, path, body=None, **more):
        self.client.request(method, path, body, **more)
        reply = self.client.getresponse()
        return reply.status, reply.read()

    def test_forwards_and_logs_on_one_connection(self):
        mark = self.wire.mark()
        self.assertEqual(self.ask("GET", "/a?b"), (200, b"/a?b"))
        self.assertEqual(self.ask("POST", "/c", b"x" * 70000), (200, b"x" * 70000))
        self.assertEqual(self.ask("POST", "/d", iter([b"one", b"two"]), encode_chunked=True,
                                  headers={"Transfer-Encoding": "chunked"}), (200, b"onetwo"))
        self.assertEqual(self.ask("GET", "/none")[0], 404)
        self.assertEqual([(str(r), r.status) for r in self.wire.since(mark)],
                         [("GET /a", 200), ("POST /c", 200), ("POST /d", 200), ("GET /none", 404)])

    def test_watches_and_leases_are_not_counted_but_410_is_seen(self):
        tripped = threading.Event()
        wire = self.wire.arm(1, "answered", tripped.set)
        self.assertIn(b'"code":410', self.ask("GET", "/x?watch=1")[1])
        self.assertEqual(self.ask("GET", "/apis/coordination.k8s.io/v1/leases")[0], 200)
        self.assertEqual(wire.count, 0)
        self.assertEqual([r.expired for r in self.wire.watches_since(0)], [True])

    def test_a_lost_reply_reached_the_server(self):
        killed = threading.Event()
        wire = self.wire.arm(2, "lost", killed.set)
        self.ask("POST", "/", b"first")
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask("POST", "/", b"second")
        self.assertTrue(killed.wait(10))
        self.assertEqual(_Server.seen, [b"first", b"second"])
        self.assertEqual(str(wire.tripped_by), "POST /")

    def test_only_requests_that_match_are_counted(self):
        killed = threading.Event()
        wire = self.wire.arm(2, "lost", killed.set, lambda request: request.path == "/b")
        for path in ("/b", "/a", "/a"):
            self.ask("POST", path, b"")
        self.assertEqual(wire.count, 1)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask("POST", "/b", b"")
        self.assertTrue(killed.wait(10))

    def test_an_answered_request_is_answered_and_the_next_held_back(self):
        killed = threading.Event()
        self.wire.arm(1, "answered", killed.set)
        self.assertEqual(self.ask("POST", "/", b"first"), (200, b"first"))
        self.assertTrue(killed.wait(10))
        outcome = []

        def late():
            other = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=10)
            try:
                other.request("POST", "/", b"late")
                outcome.append(other.getresponse().read())
            except (http.client.HTTPException, OSError):
                outcome.append(None)

        thread = threading.Thread(target=late)
        thread.start()
        self.wire.reopen()
        thread.join(10)
        # Held at the gate and refused, or come after the reopening: never answered from before it.
        self.assertEqual(_Server.seen, [b"first"] if outcome == [None] else [b"first", b"late"])

    def test_held_requests_can_pass(self):
        killed = threading.Event()
        self.wire.arm(1, "answered", killed.set)
        self.ask("POST", "/", b"first")
        self.assertTrue(killed.wait(10))
        threading.Timer(0.05, lambda: self.wire.reopen(held="pass")).start()
        other = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=10)
        other.request("POST", "/", b"held")
        self.assertEqual(other.getresponse().read(), b"held")
        other.close()

    def test_held_watches_are_refused_until_released(self):
        self.wire.hold_watches()
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask("GET", "/x?watch=1")
        self.client.close()
        self.assertEqual(self.ask("GET", "/x")[0], 200)
        self.wire.release_watches()
        self.assertEqual(self.ask("GET", "/x?watch=1")[0], 200)

    def test_a_server_that_is_not_there_closes_the_connection(self):
        self.server.shutdown()
        self.server.server_close()
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask("GET", "/")


class TlsTest(unittest.TestCase):
    def test_serves_and_calls_with_certificates_of_the_authority(self):
        with tempfile.TemporaryDirectory() as folder:
            certificates.make_authority(folder)
            certificates.make_serving(folder, "server")
            pair = (Path(folder) / "server.crt", Path(folder) / "server.key")
            authority = Path(folder) / "ca.crt"
            server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
            server.daemon_threads = True
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, pair))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            proxy = Proxy(Wire(), "kube", server.server_port, pair, authority)
            client = http.client.HTTPSConnection("127.0.0.1", proxy.port, timeout=10,
                                                 context=ssl.create_default_context(cafile=str(authority)))
            client.request("GET", "/over-tls")
            self.assertEqual(client.getresponse().read(), b"/over-tls")
            client.close()
            proxy.close()
            server.shutdown()
            server.server_close()


class ToolsTest(unittest.TestCase):
    def test_eventually_gives_the_value_or_says_what_it_saw(self):
        values = iter([0, None, "here"])
        self.assertEqual(eventually("a value", lambda: next(values), 5, every=0), "here")
        with self.assertRaisesRegex(TimedOut, "not within 0 s: never; last seen: 0"):
            eventually("never", lambda: 0, 0)
        with self.assertRaises(ZeroDivisionError):
            eventually("a mistake", lambda: 1 / 0, 5)

    def test_metrics(self):
        metrics = Metrics('# TYPE a counter\na{x="1",y="q\\"}"} 2\na{x="2"} 3.5\nb 1e3\n')
        self.assertEqual(metrics.value("a", x="1"), 2)
        self.assertEqual(metrics.total("a"), 5.5)
        self.assertEqual(metrics.value("b"), 1000)
        with self.assertRaises(LookupError):
            metrics.value("a")

    def test_processes_are_known_by_pid_and_start(self):
        with tempfile.TemporaryDirectory() as folder:
            process = Process(folder, "cat", ["cat", "/dev/zero"], owned=True)
            process.start()
            again = Process(folder, "cat", ["cat"])
            self.assertEqual(again.pid(), process.pid())
            self.assertEqual(process.stop(5), -15)
            self.assertFalse(again.running())
            (Path(folder) / "pids" / "cat").write_text("1 12345\n")  # another process has the pid now
            self.assertFalse(again.running())

    def test_values_are_compared_by_their_bytes(self):
        text = '{ "p" : "a\\"b" ,\n"n":1.50, "o":{"x": [1,  2]},"e":"\\u00e9"}'
        self.assertEqual(default_mapping(text), {"p": b'a"b', "n": b"1.50", "o": b'{"x": [1,  2]}', "e": "\u00e9".encode()})
        self.assertEqual(default_mapping("[1]"), {"value": b"[1]"})
        self.assertEqual(default_mapping("no JSON"), {"value": b"no JSON"})
        self.assertEqual(all_but("p", text), '{ "p" :  ,\n"n":1.50, "o":{"x": [1,  2]},"e":"\\u00e9"}')

    def test_runner_counts_failures_and_goes_on(self):
        class Quiet:
            def before_scenario(self):
                pass

            def explain_failure(self):
                pass

        def bad(_):
            runner.check(False, "as expected in this self-test")

        def lacking(_):
            raise runner.NotRun("as expected in this self-test")

        self.assertFalse(runner.run([("self-test: fails", bad), ("self-test: passes", lambda _: "note")], Quiet()))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertTrue(runner.run([("self-test: is not run", lacking), ("self-test: passes", lambda _: None)], Quiet()))
        self.assertEqual(said.getvalue().splitlines()[-1], "1 passed, 0 failed, 1 skipped")
        self.assertTrue(runner.run([("self-test: passes", lambda _: None)], Quiet()))


if __name__ == "__main__":
    unittest.main(buffer=True)
