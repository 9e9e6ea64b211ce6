"""WebSocket to servers of HTTP/2: as a stream where the server takes that (RFC 8441), else by HTTP/1."""

import socket
import threading

import h2
from h2 import data, headers
from h2_server_test import OK, Server, both, client
from h2_test import WEBSOCKET, accept_websocket
from harness import Backend, Lbd, check, config, equal, wait_for
from websocket_test import ASK, shout, upgrade

TAKES = (h2.ENABLE_CONNECT_PROTOCOL, 1)


def shouting(connection, *pairs, fields=()):
    """Sends everything back in capitals; ends its half when the other half ends."""
    c = Server(connection, *pairs)
    while (stream := c.next(whole=False)) is not None:
        a = c.answers[stream]
        connection.backend.requests.append(a)
        if a.one(":method") != "CONNECT":
            c.reply(stream)
            continue
        c.send(headers(stream, [*OK, *fields], False))
        seen = 0
        while not a.ended or seen < len(a.body):
            if seen < len(a.body):
                piece, seen = bytes(a.body[seen:]), len(a.body)
                c.send(data(stream, piece.upper(), False))
            elif not c.step(9e9):
                return
        c.send(data(stream))


def taking(connection):
    shouting(connection, TAKES, fields=[("sec-websocket-protocol", "chat")])


def bilingual(connection):
    """Speaks both, and takes no tunnels in HTTP/2."""
    if connection.sock.recv(3, socket.MSG_PEEK) == b"PRI":
        shouting(connection)
    else:
        shout(connection)


def test_a_client_of_http1():
    with Backend(taking) as server, Lbd(both(server)) as lbd, lbd.client() as c:
        upgrade(c)
        for i in range(20):
            c.send(b"message %d \0\xff" % i)
            equal(c.read_until(b"\xff"), b"MESSAGE %d \0\xff" % i, "echo")
        c.half_close()
        equal(c.read_to_end(), b"", "the end")
        seen = server.requests[0]
        equal([seen.one(n) for n in (":method", ":protocol", ":scheme", ":path", "sec-websocket-version")],
              ["CONNECT", "websocket", "http", "/chat", "13"], "what the server was asked")
        equal([seen.one(n) for n in ("sec-websocket-key", "connection", "upgrade", "host")], [None] * 4, "HTTP/1")
        equal(lbd.get("/after").status, 200, "a request behind it")
        equal(len(server.connections), 1, "connections")
        equal(lbd.metric("lbpair_server_http1_tunnels_total"), 0, "tunnels by HTTP/1")


def test_a_client_of_http2():
    with Backend(taking) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        c.send(headers(1, WEBSOCKET, False) + data(1, b"hello", False))
        c.until(lambda: bytes(c.stream(1).body) == b"HELLO", "the echo")
        got = c.stream(1)
        equal((got.status, got.one("sec-websocket-protocol"), got.one("sec-websocket-accept")), (200, "chat", None), "head")
        c.send(data(1, b"bye"))
        equal(bytes(c.answer(1).body), b"HELLOBYE", "all of it")
        equal(server.requests[0].one("sec-websocket-key"), None, "key")
        lbd.wait_metric("lbpair_server_idle_connections", 1)
        equal(len(server.connections), 1, "connections")


def test_much_passes_at_the_speed_of_the_slower():
    size = 3 << 20

    def script(connection):
        c = Server(connection, TAKES)
        stream = c.next(whole=False)
        c.send(headers(stream, OK, False))
        c.until(lambda: len(c.answers[stream].body) == size, "all of it")
        c.send_all(stream, [b"b" * 16384 for _ in range(size // 16384)])
        c.send(data(stream))
        c.until(lambda: c.answers[stream].ended, "its end")

    with Backend(script) as server, Lbd(both(server)) as lbd, lbd.client() as c:
        upgrade(c)
        c.send(b"a" * size)
        equal(c.read_exactly(size, 30) == b"b" * size, True, "all of it came")
        equal(c.read_to_end(), b"", "the end")


def test_early_bytes_and_a_server_that_waits():
    """The first connection: nothing is asked before the server's SETTINGS, nothing sent before its answer."""
    def script(connection):
        equal(connection.read_exactly(len(h2.PREFACE)), h2.PREFACE, "preface")
        check(connection.silent(0.2) or b"websocket" not in bytes(connection.received), "asked before SETTINGS")
        connection.send(h2.settings(TAKES))
        c = h2.H2(connection.sock, begin=False)
        c.buffer += connection.take(len(connection.buffer))
        c.until(lambda: any(a.fields for a in c.answers.values()), "the request")
        c.send(headers(1, OK, False))
        c.until(lambda: bytes(c.answers[1].body) == b"early", "what was sent before the answer")
        c.send(data(1, b"got it", False))
        c.until(lambda: c.answers[1].ended or c.answers[1].reset is not None, "the end")

    with Backend(script) as server, Lbd(both(server)) as lbd, lbd.client() as c:
        upgrade(c, ASK + b"early")
        equal(c.read_exactly(6), b"got it", "answer")


def test_a_refusal_is_passed_on():
    def script(connection):
        c = Server(connection, TAKES)
        while (stream := c.next(whole=False)) is not None:
            c.send(headers(stream, [(":status", "403")], False) + data(stream, b"no"))

    with Backend(script) as server, Lbd(both(server)) as lbd, lbd.client() as c, client(lbd) as other:
        c.send(ASK)
        answer = c.response()
        equal((answer.status, answer.body, answer.one(b"upgrade")), (403, b"no", None), "the answer")
        equal(c.get("/").status, 403, "the connection goes on")
        other.send(headers(1, WEBSOCKET, False))
        equal((other.answer(1).status, bytes(other.answer(1).body)), (403, b"no"), "in HTTP/2")


def test_a_reset_ends_it():
    def script(connection):
        c = Server(connection, TAKES)
        while (stream := c.next(whole=False)) is not None:
            c.send(headers(stream, OK, False) + data(stream, b"hi", False))
            c.until(lambda: c.answers[stream].body, "a byte")
            c.send(h2.reset(stream, h2.INTERNAL_ERROR))

    with Backend(script) as server, Lbd(both(server)) as lbd, lbd.client() as c, client(lbd) as other:
        upgrade(c)
        equal(c.read_exactly(2), b"hi", "the server's bytes")
        c.send(b"x")
        c.expect_end()
        other.send(headers(1, WEBSOCKET, False) + data(1, b"x", False))
        other.until(lambda: other.stream(1).reset is not None, "RST_STREAM")
        equal(len(server.connections), 1, "connections")


def test_a_client_that_leaves():
    gone = []

    def script(connection):
        c = Server(connection, TAKES)
        stream = c.next(whole=False)
        c.send(headers(stream, OK, False))
        c.until(lambda: c.answers[stream].reset is not None, "RST_STREAM")
        gone.append(c.answers[stream].reset)
        c.next()

    with Backend(script) as server, Lbd(both(server)) as lbd:
        with lbd.client() as c:
            upgrade(c)
            c.reset_now()
        wait_for(lambda: gone, "the server to hear of it")
        equal(gone, [h2.CANCEL], "how its stream ended")
        lbd.wait_metric("lbpair_server_active", 0)


def test_an_idle_one_ends_after_its_time():
    with Backend(taking) as server, Lbd(both(server, timeouts={"tunnel": "200ms", "drain": "2s"})) as lbd:
        with lbd.client() as c:
            upgrade(c)
            c.send(b"a")
            equal(c.read_exactly(1), b"A", "echo")
            c.expect_end()
        lbd.wait_metric("lbpair_server_active", 0)


def test_half_closed_ones_end_sooner():
    """A server of HTTP/2 that has ended its half, then a client of HTTP/2 that has."""
    def ends(connection):
        c = Server(connection, TAKES)
        c.send(headers(c.next(whole=False), OK, False) + data(1, b"bye"))
        held.wait(60)

    def never_ends(connection):
        accept_websocket(connection, connection.request_head())
        held.wait(60)

    held = threading.Event()
    times = {"client_fin": "200ms", "server_fin": "200ms", "drain": "2s"}
    log = {"access": {"format": "json"}}
    with Backend(ends) as server, Lbd(both(server, timeouts=times, log=log)) as lbd, lbd.client() as c:
        upgrade(c)
        equal(c.read_to_end(), b"bye", "what the server said")
        lbd.log.wait('"termination":"client_fin_timeout"')
    with Backend(never_ends) as server, Lbd(config(server, listener={"http2": True}, timeouts=times, log=log)) as lbd, \
            client(lbd) as c:
        c.send(headers(1, WEBSOCKET, False))
        c.until(lambda: c.stream(1).fields, "the tunnel")
        c.send(data(1))
        lbd.log.wait('"termination":"server_fin_timeout"')
        c.alive()
    held.set()


def test_a_server_that_does_not_take_them():
    """It is asked by HTTP/1, at once when that is known."""
    with Backend(bilingual) as server, Lbd(both(server)) as lbd:
        for n in (1, 2):
            with lbd.client() as c:
                upgrade(c)
                c.send(b"hello")
                equal(c.read_exactly(5), b"HELLO", "echo")
            equal(lbd.metric("lbpair_server_http1_tunnels_total"), n, "tunnels by HTTP/1")
        equal(lbd.get("/").status, 200, "a request")
        equal(len(server.connections), 3, "connections: one of HTTP/2, one for each tunnel")


def test_a_server_of_http2_alone_that_does_not_take_them():
    with Backend(lambda c: shouting(c)) as server, Lbd(both(server)) as lbd, lbd.client() as c:
        server.tolerant = True
        c.send(ASK)
        equal(c.response().status, 502, "status")
        equal(lbd.metric("lbpair_server_http1_tunnels_total"), 1, "tunnels by HTTP/1")


def test_a_key_that_is_none():
    """lbd could not answer it: it is for a server of HTTP/1 to refuse."""
    with Backend(bilingual) as server, Lbd(both(server)) as lbd, lbd.client() as c:
        c.send(ASK.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"))
        equal(c.read_until(b"\r\n"), b"HTTP/1.1 101 Switching Protocols\r\n", "what the server of HTTP/1 says")
        equal([r.method for r in server.requests], [b"GET"], "what it was asked")
