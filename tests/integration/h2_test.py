"""HTTP/2 from clients: right and wrong frames, heads that must not change their meaning, bodies, tunnels, ends."""

import base64
import hashlib
import itertools
import json
import os
import signal
import socket
import tempfile
import threading

import h2
import h2_cases
from h2 import GET, POST, Reset, data, headers
from harness import Backend, Broken, Failure, Lbd, answer, check, config, echo, equal, wait_for

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
        """Its host is its own, so that a late request of the row before is not taken for one of this."""
        before, host = len(self.server.requests), b"t%03d" % h2_cases.ROWS.index(row)
        send = row.send.replace(b"\x04test", b"\x04" + host)
        with connect(self.lbd) as client:
            client.send(send)
            getattr(self, "check_" + row.kind)(client, row)
        seen = [m for m in self.server.requests[before:]
                if (m.one(b"host") == host if send != row.send else b":method" in send)]
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


def test_an_answer_with_a_large_head():
    """As much as a server may say; it goes out in several frames."""
    lines = [f"x-{i}: " + "v" * 250 for i in range(250)]

    def script(connection):
        while connection.request():
            connection.send(answer(b"hello", 200, *lines))

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        got = client.request()
        equal((got.status, len(got.fields), bytes(got.body)), (200, 252, b"hello"), "answer")


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


def test_bodies_that_all_end_with_an_empty_frame():
    """As gRPC's clients end them; it is no flood."""
    streams = range(1, 101, 2)
    with Backend() as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(b"".join(headers(n, POST, False) + data(n, b"ab", False) for n in streams))
        client.send(b"".join(data(n) for n in streams))
        for n in streams:
            equal(bytes(client.answer(n).body), b"POST / 2\n", f"answer on {n}")


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
        client.send_all(1, (body[i:i + 16384] for i in range(0, len(body), 16384)))
        client.send(data(1))
        got = client.answer(1)
        equal(len(got.body), len(body), "length")
        check(bytes(got.body) == body, "the body was changed")


def test_a_fast_upload_gets_a_wide_window():
    """One of a connection at a time; over a long line the usual one would be slow."""
    def script(connection):
        while message := connection.request():
            connection.send(answer(b"%d" % len(message.body)))

    def upload(stream):
        """Half a megabyte."""
        client.send(headers(stream, POST, False))
        client.send_all(stream, [b"x" * 16384] * 32)
        sent[stream], sent[0] = 1 << 19, sent[0] + (1 << 19)

    def left(stream):
        first = client.settings[h2.INITIAL_WINDOW_SIZE] if stream else 65535
        return first + client.windows.get(stream, 0) - sent[stream]

    def end(stream):
        client.send(data(stream))
        equal(bytes(client.answer(stream).body), b"524288", "the server's count")

    sent = {0: 0}
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        for stream in (1, 5):
            upload(stream)
            client.until(lambda n=stream: left(n) > 300000 and left(0) > 400000, "a wide window")
            if stream == 1:
                upload(3)
                end(3)
                check(left(3) <= client.settings[h2.INITIAL_WINDOW_SIZE], "a second wide window")
            end(stream)
        upload(7)
        end(7)
        check(left(0) <= 896 * 1024, f"the window of all grew to {left(0)}")


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


# ---- tunnels ----

WEBSOCKET = [(":method", "CONNECT"), (":protocol", "websocket"), *GET[1:], ("sec-websocket-version", "13")]


def accept_websocket(connection, message, *fields):
    proof = hashlib.sha1(message.one(b"sec-websocket-key") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    connection.send(b"".join(line + b"\r\n" for line in (
        b"HTTP/1.1 101 X", b"Connection: upgrade", b"Upgrade: websocket",
        b"Sec-WebSocket-Accept: " + base64.b64encode(proof), *fields, b"")))


def test_a_websocket():
    def script(connection):
        message = connection.request_head()
        equal(message.start, b"GET / HTTP/1.1", "request line")
        equal((message.all(b"upgrade"), message.all(b"connection")), ([b"websocket"], [b"upgrade"]), "upgrade")
        accept_websocket(connection, message, b"Sec-WebSocket-Protocol: chat")
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


def test_a_tunnel_that_ends_with_its_server_full():
    """The client's last bytes still wait for the server when both sides have ended."""
    def script(connection):
        message = connection.request_head()
        accept_websocket(connection, message)
        gate.wait(20)
        connection.send(b"bye")
        connection.sock.shutdown(socket.SHUT_WR)
        end.wait(20)

    gate, end = threading.Event(), threading.Event()
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, WEBSOCKET, False))
        got = client.stream(1)
        client.until(lambda: got.fields, "the tunnel")
        client.send_all(1, itertools.repeat(b"client's" * 2000), patience=0.3)
        client.send(data(1))
        client.alive()
        gate.set()
        try:
            client.answer(1)
        except Reset:
            pass
        equal(bytes(got.body), b"bye", "what the server said")
        client.alive()
        end.set()


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


def test_drain_does_not_wait_for_a_client_that_does_not_listen():
    """The notice is not acknowledged: after a while the second GOAWAY comes nonetheless, and no stream begins after it."""
    def script(connection):
        while message := connection.request():
            gate.wait(20)
            connection.reply(message)

    gate = threading.Event()
    with Backend(script) as server, Lbd(config(server, listener=ON, timeouts={"drain": "20s"})) as lbd:
        with connect(lbd, auto=False) as client:
            client.send(headers(1, GET))
            server.wait_requests(1)
            lbd.end_expected = True
            lbd.signal(signal.SIGTERM)
            client.until(lambda: len(client.goaways) == 2, "the second GOAWAY")
            equal(client.goaways[1], (h2.NO_ERROR, 1), "its code and the last stream")
            client.send(headers(3, GET))
            gate.set()
            equal(client.answer(1).status, 200, "the request that was under way")
            equal(client.end(), h2.NO_ERROR, "the end")
            check(client.stream(3).fields is None, "an answer to a request behind the GOAWAY")
        equal(lbd.wait_exit(), 0, "exit status")


def test_yield_ends_a_connection_after_an_answer():
    with Backend() as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as before:
        before.request()
        equal(lbd.command("yield", on=True, idle_ms=60000, for_ms=60000)["ok"], True, "yield")
        with connect(lbd) as client:
            client.until(lambda: client.settings, "SETTINGS")  # as gRPC does, before it asks anything
            client.alive()
            equal(client.goaways, [], "GOAWAY before the first request")
            equal(client.request().status, 200, "a new connection")
            equal(client.end(), h2.NO_ERROR, "its end")
        equal(before.request(3).status, 200, "one from before")
        equal(before.end(), h2.NO_ERROR, "its end")


def test_reload_ends_connections_where_it_is_turned_off():
    with Backend() as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        equal(client.request().status, 200, "HTTP/2")
        lbd.reload({**lbd.config, "listeners": [{**lbd.config["listeners"][0], "http2": False}]})
        equal(client.end(), h2.NO_ERROR, "its end")
        equal(lbd.get("/one").status, 200, "HTTP/1.1")


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
