"""HTTP/2 from clients: right and wrong frames, heads that must not change their meaning, bodies, tunnels, ends."""

import base64
import contextlib
import hashlib
import json
import os
import signal
import tempfile
import threading

import h2
import h2_cases
from h2 import GET, POST, GoAway, Reset, data, headers
from harness import Backend, Broken, Failure, Lbd, answer, check, config, echo, equal, sanitizer, wait_for

ON = {"http2": True}


def connect(lbd, *pairs, **options):
    return h2.connect(lbd.address(), *pairs, **options)


def patient(connection):
    """A server to which bodies may be broken off."""
    try:
        echo(connection)
    except Broken:
        pass


# ---- the table ----

class Rows:
    def __init__(self, server, lbd):
        self.server, self.lbd = server, lbd

    def run(self, row):
        before = len(self.server.requests)
        with connect(self.lbd) as client:
            client.send(row.send)
            getattr(self, "check_" + row.kind)(client, row)
        seen = self.server.requests[before:]
        if row.served is False:
            check(all(m.target == b"/after" for m in seen), f"a server saw {seen}")
        elif row.target:
            equal(seen[0].target, row.target, "target at the server")
        equal(self.lbd.get("/sync").status, 200, "a request from elsewhere")

    @staticmethod
    def after(client):
        got = client.request(1001, [*GET[:2], (":path", "/after"), GET[3]])
        equal((got.status, bytes(got.body)), (200, b"GET /after 0\n"), "a request after it")

    def check_ok(self, client, row):
        got = client.answer(1)
        equal(got.status, row.wanted[0], "status")
        if row.body is not None:
            equal(bytes(got.body), row.body, "body")
        self.after(client)

    def check_rst(self, client, row):
        try:
            got = client.answer(1)
        except Reset as e:
            check(e.code in row.wanted, f"expected {row.wanted}: {e}")
        else:
            raise Failure(f"an answer: {got.fields}")
        self.after(client)

    @staticmethod
    def check_gone(client, row):
        code = client.end()
        check(code in row.wanted, f"expected {row.wanted}, ended with {code}")


def table_frames(report):
    with Backend(patient) as server, Lbd(config(server, listener=ON)) as lbd:
        rows = Rows(server, lbd)
        for row in h2_cases.ROWS:
            try:
                rows.run(row)
                report(row.name)
            except Exception as e:  # the next row may still hold
                report(row.name, f"RFC {row.section}: {type(e).__name__}: {e}")


table_frames.rows = lambda: h2_cases.NAMES


def table_byte_by_byte(report):
    """However the bytes arrive, the answer is the same; but a stream that was answered meanwhile is forgotten."""
    with Backend(patient) as server, Lbd(config(server, listener=ON)) as lbd:
        rows = Rows(server, lbd)
        for row in h2_cases.ROWS:
            if len(row.send) > 300 or row.name.endswith("_after_the_end"):
                continue
            try:
                with connect(lbd) as client:
                    for i in range(len(row.send)):
                        client.try_send(row.send[i:i + 1])
                    getattr(rows, "check_" + row.kind)(client, row)
                report(row.name)
            except Exception as e:
                report(row.name, f"RFC {row.section}: {type(e).__name__}: {e}")


# ---- heads ----

def test_what_a_server_gets():
    fields = [*GET, ("x-a", "1"), ("cookie", "a=b"), ("x-b", "2"), ("cookie", "c=d"), ("te", "trailers"), ("cookie", "e")]
    with Backend() as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        got = client.request(1, fields)
        equal(got.status, 200, "status")
        seen = server.requests[0]
        equal(seen.start, b"GET / HTTP/1.1", "request line")
        equal(seen.all(b"host"), [b"test"], "Host")
        equal(seen.all(b"cookie"), [b"a=b; c=d; e"], "crumbs of the cookie, in one")
        equal(seen.all(b"te"), [b"trailers"], "TE")
        equal(seen.all(b"via"), [b"2.0 lbpair"], "Via")
        equal(seen.all(b"x-forwarded-proto"), [b"http"], "X-Forwarded-Proto")
        names = [n.lower() for n, _ in seen.fields]
        check(names.index(b"x-a") < names.index(b"cookie") < names.index(b"x-b"), f"order: {names}")


def test_what_a_client_gets():
    head = ["X-Upper: Value", "Connection: keep-alive, x-drop", "X-Drop: 1", "Keep-Alive: timeout=5", "Set-Cookie: a=b",
            "Set-Cookie: c=d"]

    def script(connection):
        while connection.request():
            connection.send(answer(b"hello", 200, *head))

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        for stream in (1, 3):  # the second one comes out of the dynamic table
            got = client.request(stream)
            equal(sorted(got.fields), [(":status", "200"), ("content-length", "5"), ("set-cookie", "a=b"),
                                       ("set-cookie", "c=d"), ("x-upper", "Value")], "fields")
            equal(bytes(got.body), b"hello", "body")


def test_answers_without_a_body():
    def script(connection):
        while message := connection.request():
            if message.method == b"HEAD":
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
            else:
                connection.send(b"HTTP/1.1 %s X\r\n\r\n" % message.target[1:])

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        got = client.request(1, [(":method", "HEAD"), *GET[1:]])
        equal((got.status, got.one("content-length"), got.frames), (200, "7", 0), "HEAD")
        for stream, status in ((3, 204), (5, 304)):
            got = client.request(stream, [*GET[:2], (":path", f"/{status}"), GET[3]])
            equal((got.status, got.frames, bytes(got.body)), (status, 0, b""), f"{status}")


def test_expect_and_interim_answers():
    def script(connection):
        connection.request_head()
        connection.send(b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\nHTTP/1.1 100 X\r\n\r\n")
        equal(connection.read_exactly(10), b"5\r\nhello\r\n", "first chunk")
        connection.read_exactly(5)
        connection.send(answer(b"ok"))
        echo(connection)

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, [*POST, ("expect", "100-continue")], False))
        got = client.stream(1)
        client.until(lambda: len(got.interim) == 2, "interim answers")
        equal([dict(f)[":status"] for f in got.interim], ["103", "100"], "interim answers")
        client.send(data(1, b"hello"))
        equal(bytes(client.answer(1).body), b"ok", "answer")
        equal(client.request(3).status, 200, "next request")


def test_trailers_both_ways():
    def script(connection):
        while message := connection.request():
            seen.append(dict(message.trailers))
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
                            b"Grpc-Status: 0\r\nContent-Length: 9\r\n\r\n")

    seen = []
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, [*POST, ("te", "trailers")], False) + data(1, b"ab", False) +
                    headers(1, [("x-sum", "1"), ("host", "evil"), ("x-more", "2")]))
        got = client.answer(1)
        equal(seen, [{b"x-sum": b"1", b"x-more": b"2"}], "trailers at the server")
        equal((bytes(got.body), got.trailers), (b"ok", [("grpc-status", "0")]), "body and trailers at the client")


# ---- streams ----

def test_many_streams_at_once():
    with Backend() as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        streams = range(1, 201, 2)
        client.send(b"".join(headers(n, [*GET[:2], (":path", f"/{n}"), GET[3]]) for n in streams))
        for n in streams:
            equal(bytes(client.answer(n).body), b"GET /%d 0\n" % n, f"answer on {n}")
        equal(client.settings[h2.MAX_CONCURRENT_STREAMS], 100, "streams that lbd allows")


def test_a_cancelled_request_ends_its_try():
    def script(connection):
        connection.request()
        check(connection.read_to_end() == b"", "bytes after the request")

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, GET))
        server.wait_requests(1)
        client.send(h2.reset(1))
        server.wait(lambda: server.connections[0].eof, "its connection to end")
        client.alive()


def test_a_broken_answer_is_not_complete():
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, GET))
        try:
            client.answer(1)
            raise Failure("it ended as if it were complete")
        except Reset as e:
            equal(e.code, h2.INTERNAL_ERROR, "code")
        client.alive()


def test_an_early_answer_ends_the_request():
    def script(connection):
        connection.request_head()
        connection.send(answer(b"no", 403))
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, POST, False))
        got = client.answer(1)
        equal((got.status, bytes(got.body)), (403, b"no"), "answer")
        client.until(lambda: got.reset is not None, "RST_STREAM")
        equal(got.reset, h2.NO_ERROR, "code of the reset")
        client.send(data(1, b"on its way already"))
        client.alive()


def test_without_a_server():
    with Lbd(config("127.0.0.1:1", listener=ON)) as lbd, connect(lbd) as client:
        got = client.request(1)
        equal((got.status, bytes(got.body)), (503, b"503 Service Unavailable\n"), "answer")
        equal(got.one("connection"), None, "Connection")
        equal(client.request(3).status, 503, "next answer")


# ---- flow control ----

def test_large_bodies():
    body = bytes(i * 7 & 0xff for i in range(256)) * 8192  # 2 MiB

    def script(connection):
        while message := connection.request():
            connection.send(answer(message.body))

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, POST, False))
        window = {0: 65535, 1: 0}
        client.until(lambda: client.settings is not None, "SETTINGS")
        window[1] = client.settings[h2.INITIAL_WINDOW_SIZE]
        done = 0
        while done < len(body):
            room = min(window[0] + client.windows.get(0, 0), window[1] + client.windows.get(1, 0)) - done
            if room <= 0:
                before = dict(client.windows)
                client.until(lambda b=before: client.windows != b, "WINDOW_UPDATE")
                continue
            n = min(room, 16384, len(body) - done)
            client.send(data(1, body[done:done + n], done + n == len(body)))
            done += n
        got = client.answer(1)
        equal(len(got.body), len(body), "length")
        check(bytes(got.body) == body, "the body was changed")


def test_a_client_that_opens_no_window_gets_nothing_more():
    def script(connection):
        connection.request()
        sent = 0
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        connection.sock.settimeout(0.5)
        try:
            while sent < 100000000:
                sent += connection.sock.send(b"x" * 65536)
        except OSError:
            pass
        amounts.append(sent)

    amounts = []
    timeouts = {"client_body": "1s", "drain": "2s"}
    with Backend(script) as server, Lbd(config(server, listener=ON, timeouts=timeouts)) as lbd:
        with connect(lbd, (h2.INITIAL_WINDOW_SIZE, 0)) as client:
            client.send(headers(1, GET))
            got = client.stream(1)
            client.until(lambda: got.reset is not None, "the end of our patience")
            equal((got.status, len(got.body), got.reset), (200, 0, h2.INTERNAL_ERROR), "answer")
        server.wait(lambda: amounts, "the server to give up")
        check(amounts[0] < 20 << 20, f"{amounts[0]} bytes were taken from the server")


def test_many_streams_that_nobody_reads():
    """All windows shut, a hundred large answers: memory is bounded; some come only when the others have it all."""
    def script(connection):
        message = connection.request()
        try:
            if message.target == b"/late":
                connection.send(answer(b"x" * 1000000)[:20000])
                gate.wait(20)
                connection.send(b"x" * 20000)
            while message:
                connection.send(answer(b"x" * 1000000))
                message = connection.request()
        except (OSError, Broken):
            pass

    def late(n):
        return n < 10

    gate = threading.Event()
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd:
        equal(lbd.get("/warm").status, 200, "a request before")
        before, clients = lbd.proxy_memory(), 4
        streams = range(1, 201, 2)
        with contextlib.ExitStack() as stack:
            stuck = [stack.enter_context(connect(lbd, (h2.INITIAL_WINDOW_SIZE, 0))) for _ in range(clients)]
            for client in stuck:
                client.alive()
                for some in (filter(late, streams), (n for n in streams if not late(n))):
                    some = list(some)
                    client.send(b"".join(headers(n, [*GET[:2], (":path", "/late" if late(n) else "/"), GET[3]])
                                         for n in some))
                    client.until(lambda c=client, s=some: all(c.stream(n).fields for n in s), "their heads")
            gate.set()
            for client in stuck:
                for _ in range(20):
                    client.alive()
            grown = (lbd.proxy_memory() - before) / clients
            check(sanitizer() or grown < 1 << 20, f"{grown} bytes for each connection")
            equal(lbd.get("/after").status, 200, "a request from elsewhere")


# ---- tunnels ----

WEBSOCKET = [(":method", "CONNECT"), (":protocol", "websocket"), *GET[1:], ("sec-websocket-version", "13")]


def test_a_websocket():
    def script(connection):
        message = connection.request_head()
        equal(message.start, b"GET / HTTP/1.1", "request line")
        equal((message.all(b"upgrade"), message.all(b"connection")), ([b"websocket"], [b"upgrade"]), "upgrade")
        proof = hashlib.sha1(message.one(b"sec-websocket-key") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        connection.send(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n"
                        b"Sec-WebSocket-Protocol: chat\r\n\r\n" % base64.b64encode(proof))
        equal(connection.read_exactly(5), b"hello", "first words")
        connection.send(b"and hello to you")
        equal(connection.read_exactly(3), b"bye", "last words")
        check(connection.read_to_end() == b"", "and nothing more")
        connection.send(b"bye")

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, WEBSOCKET, False) + data(1, b"hello", False))
        got = client.stream(1)
        client.until(lambda: got.body == b"and hello to you", "an answer through the tunnel")
        equal((got.status, got.one("sec-websocket-protocol"), got.one("sec-websocket-accept")), (200, "chat", None), "head")
        client.send(data(1, b"bye"))
        equal(bytes(client.answer(1).body), b"and hello to youbye", "all of it")
        client.alive()


def test_a_websocket_without_proof_is_refused():
    def script(connection):
        connection.request_head()
        connection.send(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, WEBSOCKET, False))
        equal(client.answer(1).status, 502, "status")


# ---- the connection ----

def test_http_1_on_the_same_port():
    with Backend() as server, Lbd(config(server, listener=ON)) as lbd:
        equal(lbd.get("/one").status, 200, "HTTP/1.1")
        with connect(lbd) as client:
            equal(client.request().status, 200, "HTTP/2")


def test_not_where_it_is_off():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(h2.PREFACE)
        equal(client.response().status, 505, "status")


def test_drain_says_goodbye_and_loses_nothing():
    def script(connection):
        while message := connection.request():
            gate.wait(20)
            connection.reply(message)

    gate = threading.Event()
    with Backend(script) as server, Lbd(config(server, listener=ON, timeouts={"drain": "20s"})) as lbd:
        with connect(lbd) as client:
            client.send(headers(1, GET))
            server.wait_requests(1)
            lbd.end_expected = True
            lbd.signal(signal.SIGTERM)
            client.until(lambda: client.goaways, "the first GOAWAY")
            equal(client.goaways[0], (h2.NO_ERROR, 0x7fffffff), "a notice")
            client.send(headers(3, GET))  # was on its way: still taken
            client.until(lambda: len(client.goaways) == 2, "the second GOAWAY")
            equal(client.goaways[1][0], h2.NO_ERROR, "its code")
            gate.set()
            equal(client.answer(1).status, 200, "the request that was under way")
            if client.goaways[1][1] >= 3:
                equal(client.answer(3).status, 200, "the request that crossed the notice")
            equal(client.end(), h2.NO_ERROR, "the end")
        equal(lbd.wait_exit(), 0, "exit status")


def test_an_idle_connection_ends():
    timeouts = {"client_idle": "300ms", "drain": "2s"}
    with Backend() as server, Lbd(config(server, listener=ON, timeouts=timeouts)) as lbd, connect(lbd) as client:
        equal(client.request().status, 200, "status")
        equal(client.end(), h2.NO_ERROR, "code")


def test_a_head_that_does_not_end_is_too_late():
    timeouts = {"client_header": "300ms", "drain": "2s"}
    with Backend() as server, Lbd(config(server, listener=ON, timeouts=timeouts)) as lbd, connect(lbd) as client:
        client.alive()  # nothing of ours may come between
        client.send(headers(1, GET, flags=0))
        equal(client.end(), h2.NO_ERROR, "code")


# ---- attacks ----

def cut(send, codes=(h2.ENHANCE_YOUR_CALM,), *pairs, script=patient, rounds=1, memory=1 << 20):
    """What ends the connection, after how much; lbd's memory stays bounded and it serves others."""
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd:
        equal(lbd.get("/warm").status, 200, "a request before")
        before = lbd.proxy_memory()
        with connect(lbd, *pairs, auto=False) as client:
            for i in range(rounds):
                client.try_send(send(i) if callable(send) else send)
            code = client.end()
            check(code in codes, f"expected {codes}, ended with {code}")
            grown = lbd.proxy_memory() - before
        equal(lbd.get("/after").status, 200, "a request after")
        check(sanitizer() or grown < memory + (1 << 20), f"memory grew by {grown} bytes")


def test_rapid_reset():
    cut(lambda i: headers(2 * i + 1, GET) + h2.reset(2 * i + 1), rounds=1000)


def test_made_you_reset():
    """CVE-2025-8671: the client breaks the rules so that we reset."""
    cut(lambda i: headers(2 * i + 1, POST, False) + h2.window(2 * i + 1, 0x7fffffff), rounds=1000)


def test_malformed_for_ever():
    cut(lambda i: headers(2 * i + 1, [*GET, ("connection", "close")]), rounds=1000)


def test_ping_flood():
    cut(h2.ping() * 5000)


def test_settings_flood():
    cut(h2.settings() * 5000)


def test_priority_flood():
    cut(h2.frame(h2.PRIORITY, 0, 1, bytes(5)) * 5000)


def test_unknown_frame_flood():
    cut(h2.frame(0xbe, 0, 0) * 5000)


def test_window_update_flood():
    cut(h2.window(0, 1) * 5000)


def test_empty_data_flood():
    cut(headers(1, POST, False) + data(1, b"", False) * 100)


def test_hpack_bomb():
    """A few bytes each stand for 4,000."""
    bomb = h2.block(GET) + h2.literal("x", "y" * 4000, 0x40) + b"\xbe" * 12000
    cut(headers(1, bomb))


def test_field_bomb():
    """CVE-2026-49975: thousands of small ones by reference."""
    bomb = h2.block(GET) + h2.literal("x", "", 0x40) + b"\xbe" * 16000
    cut(headers(1, bomb))


def test_padding_without_end():
    """Bytes that carry nothing."""
    wasted = h2.frame(h2.DATA, h2.PADDED, 1, b"\xff" + bytes(255))
    with Backend(patient) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, POST, False))
        try:
            for _ in range(60000):  # 16 MB
                client.send(wasted)
        except OSError:
            pass
        check(client.end() in (h2.ENHANCE_YOUR_CALM, h2.FLOW_CONTROL_ERROR), "the end")


def test_answers_in_crumbs():
    """A window of one byte, opened again and again."""
    def script(connection):
        while connection.request():
            connection.send(answer(b"x" * 100000))

    send = headers(1, GET) + h2.window(1, 1) * 900
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd:
        with connect(lbd, (h2.INITIAL_WINDOW_SIZE, 0), auto=False) as client:
            client.send(send)
            got = client.stream(1)
            try:
                for _ in range(10):
                    client.until(lambda n=len(got.body): len(got.body) >= n + 100, "crumbs")
                    client.send(h2.window(1, 1) * 100)
            except GoAway as e:
                equal(e.code, h2.ENHANCE_YOUR_CALM, "code")
                return
            equal(client.end(), h2.ENHANCE_YOUR_CALM, "code")


# ---- the access log ----

def test_the_records():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "access.log")
        os.chmod(directory, 0o755)
        log = {"access": {"target": "file:" + path, "format": "json"}}
        with Backend() as server, Lbd(config(server, listener=ON, log=log)) as lbd, connect(lbd) as client:
            client.request(1)
            client.send(headers(3, [*GET, ("connection", "close")]))
            client.alive()
            equal(client.request(5, [(":method", "TRACE"), *GET[1:]]).status, 405, "TRACE")
            wait_for(lambda: open(path, encoding="utf-8").read().count("\n") == 3, "three records")
            with open(path, encoding="utf-8") as f:
                records = [json.loads(line) for line in f]
        equal([(r["protocol"], r["method"], r["status"], r["termination"]) for r in records],
              [("HTTP/2.0", "GET", 200, "ok"), ("HTTP/2.0", "GET", 0, "malformed"),
               ("HTTP/2.0", "TRACE", 405, "method_denied")], "records")
        check(records[0]["bytes_out"] > 12, f"{records[0]}")


# ---- metrics ----

def test_the_metrics():
    with Backend() as server, Lbd(config(server, listener=ON)) as lbd:
        with connect(lbd) as client:
            client.request(1)
            client.request(3)
        with connect(lbd) as client:
            client.send(headers(0, GET))
            client.end()
        wait_for(lambda: lbd.metric("lbpair_http2_streams", listener="in") == 0, "no stream to be open")
        equal(lbd.metric("lbpair_http2_streams_total", listener="in"), 2, "streams")
        wait_for(lambda: lbd.metric("lbpair_http2_connections_cut_total", listener="in", reason="protocol") == 1,
                 "the connection that was cut to be counted")
        equal(lbd.metric("lbpair_http2_connections_cut_total", listener="in", reason="resets"), 0, "cut for resets")
