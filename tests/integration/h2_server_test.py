"""HTTP/2 to servers: calls over shared connections, bodies both ways, trailers, and servers that misbehave."""

import threading

import h2
from h2 import GET, H2, data, headers, settings
from harness import Backend, Broken, Late, Lbd, check, config, equal, request, sanitizer, wait_for
from server_tls_test import TlsBackend, trusting

OK = [(":status", "200")]


class Server(H2):
    """The server's side of a connection; what came is in answers, by stream."""

    def __init__(self, connection, *pairs, **options):
        super().__init__(connection.sock, begin=False, **options)
        equal(self.take_preface(), h2.PREFACE, "preface")
        self.send(settings(*pairs))
        self.served = set()

    def take_preface(self):
        while len(self.buffer) < len(h2.PREFACE):
            if not self.fill(9e9):
                return b""
        return self.take(len(h2.PREFACE))

    def next(self, whole=True):
        """The number of the next request, complete or its head alone; None at the end."""
        while True:
            for stream, a in self.answers.items():
                if stream not in self.served and (a.ended if whole else a.fields):
                    self.served.add(stream)
                    return stream
            if not self.step(9e9):
                return None

    def reply(self, stream, body=None, fields=(), trailers=None):
        body = self.told(stream) if body is None else body
        out = headers(stream, OK + list(fields), end=not body and not trailers)
        for i in range(0, len(body), 16000):
            out += data(stream, body[i:i + 16000], not trailers and i + 16000 >= len(body))
        self.send(out + (headers(stream, trailers) if trailers else b""))

    def told(self, stream):
        a = self.answers[stream]
        return b"%s %s %d" % (a.one(":method").encode(), a.one(":path").encode(), len(a.body))


def echo(connection):
    c = Server(connection)
    while (stream := c.next()) is not None:
        connection.backend.requests.append(c.answers[stream])
        c.reply(stream)


def pool(**options):
    return {"http2": True, **options}


def client(lbd):
    return h2.connect(lbd.address())


def both(*servers, **options):
    """A configuration whose clients may speak HTTP/2, too."""
    return config(*servers, listener={"http2": True}, pool=pool(**options.pop("pool", {})), **options)


def test_http1_clients():
    with Backend(echo) as server, Lbd(both(server)) as lbd, lbd.client() as c:
        for i in range(3):
            equal(c.get(f"/{i}").body, b"GET /%d 0" % i, "body")
        c.send(request("POST", "/p", body=b"12345"))
        equal(c.response(b"POST").body, b"POST /p 5", "body")
        c.send(b"POST /c HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n")
        equal(c.response(b"POST").body, b"POST /c 5", "body")
        c.send(request("HEAD", "/h"))
        equal(c.response(b"HEAD").status, 200, "status")
        equal(len(server.connections), 1, "connections")
        first, post, chunked = server.requests[0], server.requests[3], server.requests[4]
        equal([first.one(n) for n in (":method", ":scheme", ":authority", ":path")], ["GET", "http", "test", "/0"],
              "pseudo-header fields")
        equal(first.one("host"), None, "host")
        equal(first.one("x-forwarded-proto"), "http", "x-forwarded-proto")
        equal(post.one("content-length"), "5", "content-length")
        equal(bytes(chunked.body), b"abcde", "body")
        equal(chunked.trailers, [("x-t", "1")], "trailers")
        for name in ("connection", "transfer-encoding", "te"):
            equal([m.one(name) for m in server.requests], [None] * 6, name)


def test_nothing_follows():
    """HTTP/2 says so without a length, HTTP/1 cannot."""
    def script(connection):
        c = Server(connection)
        while (stream := c.next()) is not None:
            fields = {"/304": [(":status", "304")], "/204": [(":status", "204")]}
            c.send(headers(stream, fields.get(c.answers[stream].one(":path"), OK)))

    with Backend(script) as server, Lbd(both(server)) as lbd, lbd.client() as c, client(lbd) as other:
        equal([c.get("/").one(b"content-length") for _ in range(2)], [b"0", b"0"], "lengths")
        for status in (204, 304):
            answer = c.get(f"/{status}")
            equal((answer.status, answer.one(b"content-length")), (status, None), "status and length")
        c.send(request("HEAD", "/"))
        equal(c.response(b"HEAD").one(b"content-length"), None, "length of an answer to HEAD")
        equal(other.request(1).one("content-length"), None, "length in HTTP/2")


def test_http2_clients():
    """Many at once, over two connections: few of them may be sent much ahead."""
    with Backend(echo) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        streams = range(1, 100, 2)
        c.send(b"".join(headers(s, [(":method", "GET"), (":scheme", "http"), (":path", f"/{s}"),
                                    (":authority", "test")]) for s in streams))
        for s in streams:
            equal(bytes(c.answer(s).body), b"GET /%d 0" % s, "body")
        equal(len(server.connections), 2, "connections")
        lbd.wait_metric("lbpair_server_idle_connections", 2)


def test_a_drained_server_loses_its_shared_connection():
    with Backend(echo) as server, Lbd(both({"address": server.address, "name": "one"})) as lbd:
        equal(lbd.get("/").status, 200, "status")
        lbd.wait_metric("lbpair_server_idle_connections", 1)
        lbd.command("server", name="web/one", action="drain")
        lbd.log.wait("server_drained pool=web server=one")
        server.wait(lambda: not server.open_connections(), "its end")


def test_trailers_both_ways():
    def script(connection):
        c = Server(connection)
        stream = c.next()
        connection.backend.requests.append(c.answers[stream])
        c.reply(stream, b"some", [("content-type", "application/grpc")], [("grpc-status", "5"), ("grpc-message", "no")])
        stream = c.next()
        c.send(headers(stream, [*OK, ("grpc-status", "12")]))  # trailers alone

    with Backend(script) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        fields = [*h2.POST, ("te", "trailers")]
        c.send(headers(1, fields, False) + data(1, b"body", False) + headers(1, [("x-end", "1")]))
        a = c.answer(1)
        equal((bytes(a.body), a.trailers), (b"some", [("grpc-status", "5"), ("grpc-message", "no")]), "the answer")
        equal(server.requests[0].trailers, [("x-end", "1")], "trailers of the request")
        equal(server.requests[0].one("te"), "trailers", "te")
        equal(c.request(3, fields, b"").one("grpc-status"), "12", "an answer of trailers alone")


def test_streams_flow_as_they_come():
    """Each piece arrives before the next is sent, in both directions at once."""
    def script(connection):
        c = Server(connection)
        stream = c.next(whole=False)
        c.send(headers(stream, OK, False))
        a, seen = c.answers[stream], 0
        while not a.ended or seen < len(a.body):
            if seen < len(a.body):
                piece, seen = bytes(a.body[seen:]), len(a.body)
                c.send(data(stream, piece.upper(), False))
            else:
                c.step(9e9)
        c.send(headers(stream, [("grpc-status", "0")]))

    with Backend(script) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        c.send(headers(1, [*h2.POST, ("te", "trailers")], False))
        for i in range(5):
            c.send(data(1, b"piece%d" % i, False))
            c.until(lambda: bytes(c.stream(1).body).endswith(b"PIECE%d" % i), "the piece")
        c.send(data(1))
        equal(c.answer(1).trailers, [("grpc-status", "0")], "trailers")


def test_a_head_does_not_wait_for_its_body():
    """In HTTP/1 they leave together, if they come together."""
    gate = threading.Event()

    def script(connection):
        c = Server(connection)
        while (stream := c.next()) is not None:
            c.send(headers(stream, [*OK, ("content-length", "4")], False))
            if c.answers[stream].one(":path") == "/later":
                gate.wait(20)
            c.send(data(stream, b"body"))

    with Backend(script) as server, Lbd(both(server)) as lbd, lbd.client() as c:
        equal(c.get("/").body, b"body", "body")
        c.send(request("GET", "/later"))
        check(b"200 OK" in c.read_until(b"\r\n\r\n"), "the head")
        gate.set()
        equal(c.read_exactly(4), b"body", "the body")


def test_large_bodies_both_ways():
    body = bytes(range(256)) * 8000

    def script(connection):
        c = Server(connection, (h2.INITIAL_WINDOW_SIZE, 1 << 20))
        c.send(h2.window(0, 1 << 24))
        while (stream := c.next()) is not None:
            equal(bytes(c.answers[stream].body) == body, True, "what the server got")
            c.send(headers(stream, OK, False))
            c.send_all(stream, [body[i:i + 16384] for i in range(0, len(body), 16384)])
            c.send(data(stream))

    with Backend(script) as server, Lbd(both(server)) as lbd, lbd.client() as c:
        for _ in range(2):
            c.send(request("POST", "/", body=body))
            equal(c.response(b"POST").body == body, True, "what the client got")


def test_a_client_that_does_not_read_holds_the_server():
    sent = []

    def script(connection):
        c = Server(connection)
        stream = c.next()
        c.send(headers(stream, OK, False))
        try:
            c.send_all(stream, [b"x" * 16384 for _ in range(1000)], patience=0.5)
        except Broken:
            pass
        sent.append(sum(n for n in c.windows.values()))
        other = c.next()
        c.reply(other, b"meanwhile")
        c.next()

    with Backend(script) as server, Lbd(both(server)) as lbd:
        with h2.connect(lbd.address(), auto=False) as slow:
            slow.send(settings(flags=h2.ACK) + headers(1, GET))
            wait_for(lambda: sent, "the server to be held")
            equal(lbd.get("/").body, b"meanwhile", "others on the same connection")
            check(lbd.proxy_memory() < 64 << 20, "memory")
        equal(len(server.connections), 1, "connections")


def test_the_servers_limit_of_streams():
    """Further calls go over further connections."""
    def script(connection):
        c = Server(connection, (h2.MAX_CONCURRENT_STREAMS, 2))
        first = c.next()
        c.reply(first)
        pair = [c.next(), c.next()]
        barrier.wait(20)
        for stream in pair:
            c.reply(stream)
        c.next()

    barrier = threading.Barrier(2)
    with Backend(script) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        c.request(1)  # its SETTINGS are known now
        c.send(headers(3, GET) + headers(5, GET))
        server.wait(lambda: len(server.connections) == 1, "one connection")
        c.send(headers(7, GET))
        server.wait(lambda: len(server.connections) == 2, "another connection")
        equal(c.answer(7).status, 200, "status")  # its place there is free again
        c.send(headers(9, GET) + headers(11, GET))
        for stream in (3, 5, 9, 11):
            equal(c.answer(stream).status, 200, "status")
        equal(len(server.connections), 2, "connections")


def goaway(last, code=h2.NO_ERROR):
    return h2.frame(h2.GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big"))


def test_goaway():
    """What the server has not seen goes over another connection, whatever its method; the rest is answered."""
    def script(connection):
        c = Server(connection)
        if connection.number > 0:
            while (stream := c.next()) is not None:
                c.reply(stream, b"again %d" % len(c.answers[stream].body))
            return
        first = c.next()
        c.next()
        c.send(goaway(first))
        c.reply(first, b"first")
        c.next()

    with Backend(script) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        c.send(headers(1, GET))
        server.wait(lambda: server.connections, "a connection")
        c.send(headers(3, h2.POST, False) + data(3, b"once"))
        equal(bytes(c.answer(1).body), b"first", "the one that was seen")
        equal(bytes(c.answer(3).body), b"again 4", "the one that was not")
        equal(bytes(c.request(5).body), b"again 0", "later ones")
        server.wait(lambda: len(server.open_connections()) == 1, "the first connection to end")
        equal(len(server.connections), 2, "connections")


def test_refused_streams():
    """Nothing was done with it: another server is tried, also with a POST; or it is 502."""
    def refuse(connection):
        c = Server(connection)
        while (stream := c.next(whole=False)) is not None:
            c.send(h2.reset(stream, h2.REFUSED_STREAM))

    with Backend(refuse) as bad, Backend(echo) as good:
        with Lbd(both(bad, good, pool={"retry": {"attempts": 1}})) as lbd, client(lbd) as c:
            for stream in (1, 3, 5, 7):
                equal(c.request(stream, h2.POST, b"once").status, 200, "status")
            equal(len(good.requests), 4, "requests")
            check(lbd.metric("lbpair_retries_total") >= 2, "retries")
        with Lbd(both(bad)) as lbd:
            equal(lbd.get().status, 502, "status without another server")


def test_resets():
    """Before the head 502, and for GET another try; after it the client's stream is reset."""
    def script(connection):
        c = Server(connection)
        while (stream := c.next()) is not None:
            if c.answers[stream].one(":path") == "/late":
                c.send(headers(stream, OK, False) + data(stream, b"part", False))
            c.send(h2.reset(stream, h2.INTERNAL_ERROR))

    with Backend(script) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        equal(c.request(1).status, 502, "status")
        c.send(headers(3, [(n, "/late" if n == ":path" else v) for n, v in GET]))
        try:
            c.answer(3)
            raise Broken("an answer that was cut looked complete")
        except h2.Reset as e:
            equal(e.code, h2.INTERNAL_ERROR, "code")
        with lbd.client() as one:
            one.send(request("GET", "/late"))
            try:
                one.response()
                raise Late("complete")
            except Broken:
                pass
        equal(len(server.connections), 1, "connections")


def test_a_client_that_leaves():
    """Its stream is reset, the connection goes on."""
    gone = []

    def script(connection):
        c = Server(connection)
        stream = c.next()
        c.until(lambda: c.answers[stream].reset is not None, "a reset")
        gone.append(c.answers[stream].reset)
        c.reply(c.next(), b"next")
        c.next()

    with Backend(script) as server, Lbd(both(server)) as lbd:
        c = lbd.client()
        c.send(request())
        wait_for(lambda: lbd.metric("lbpair_server_active") == 1, "the request to be there")
        c.reset_now()
        wait_for(lambda: gone, "the reset")
        equal(gone[0], h2.CANCEL, "code")
        equal(lbd.get().body, b"next", "body")
        equal(len(server.connections), 1, "connections")


def malformed(answer):
    def script(connection):
        c = Server(connection)
        while (stream := c.next()) is not None:
            c.send(answer(stream))

    with Backend(script) as server, Lbd(both(server)) as lbd:
        status = lbd.get().status
        lbd.wait_metric("lbpair_requests_total", 1)
    return status


def test_malformed_answers():
    for what, answer in (
            ("no status", lambda s: headers(s, [("x", "y")])),
            ("a status of letters", lambda s: headers(s, [(":status", "2x0")])),
            ("a request's pseudo-header", lambda s: headers(s, [*OK, (":path", "/")])),
            ("101", lambda s: headers(s, [(":status", "101")])),
            ("capitals", lambda s: headers(s, [*OK, ("X-A", "y")])),
            ("a line end in a value", lambda s: headers(s, [*OK, ("x", "a\r\nb: c")])),
            ("a field of one hop", lambda s: headers(s, [*OK, ("connection", "close")])),
            ("transfer-encoding", lambda s: headers(s, [*OK, ("transfer-encoding", "chunked")])),
            ("two lengths", lambda s: headers(s, [*OK, ("content-length", "1"), ("content-length", "2")])),
            ("an interim answer that ends", lambda s: headers(s, [(":status", "103")])),
            ("data before a head", lambda s: data(s, b"x")),
            ("no HTTP/2", lambda s: b"HTTP/1.1 200 X\r\n\r\n" * 10),
            ("a push", lambda s: h2.frame(h2.PUSH_PROMISE, 4, s, b"\0\0\0\2" + h2.block(GET))),
            ("a header that is too large", lambda s: headers(s, OK, False, 0) + b"".join(
                h2.frame(h2.CONTINUATION, 4 if i == 5 else 0, s, h2.literal("x", "y" * 16000)) for i in range(6)))):
        equal(malformed(answer), 502, what)


def test_interim_answers_and_lengths():
    def script(connection):
        c = Server(connection)
        stream = c.next()
        c.send(headers(stream, [(":status", "103"), ("link", "</a>")], False) +
               headers(stream, [*OK, ("content-length", "4")], False) + data(stream, b"body", False) + data(stream))
        stream = c.next()
        c.send(headers(stream, [*OK, ("content-length", "4")], False) + data(stream, b"bo"))
        stream = c.next()
        c.reply(stream, b"after")
        c.next()

    with Backend(script) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        a = c.request(1)
        equal((len(a.interim), a.one("content-length"), bytes(a.body)), (1, "4", b"body"), "the answer")
        try:
            c.request(3)
            raise Broken("a body that was too short looked complete")
        except h2.Reset:
            pass
        equal(bytes(c.request(5).body), b"after", "body")
        equal(len(server.connections), 1, "connections")


def test_the_connection_breaks():
    """Requests without an answer are 502; those with a part of it are cut; the next one finds another."""
    def script(connection):
        c = Server(connection)
        if connection.number > 0:
            while (stream := c.next()) is not None:
                c.reply(stream, b"again")
            return
        first, second = c.next(), c.next()
        c.send(headers(first, OK, False) + data(first, b"part", False))
        c.send(headers(second, [*OK, ("content-length", "4")], False) + data(second, b"all."))

    with Backend(script) as server, Lbd(both(server)) as lbd, client(lbd) as c:
        c.send(headers(1, h2.POST) + headers(3, GET))
        equal(bytes(c.answer(3).body), b"all.", "what was complete")
        try:
            c.answer(1)
            raise Broken("what was cut looked complete")
        except h2.Reset:
            pass
        equal(bytes(c.request(5).body), b"again", "body")


def test_silence():
    """504; and a server that does not answer PING either is given up."""
    def script(connection):
        c = Server(connection, auto=False)
        c.next()
        while c.step(9e9):
            pass

    times = {"response": "150ms", "connect": "150ms"}
    with Backend(script) as server, Lbd(both(server, timeouts=times)) as lbd:
        equal(lbd.get().status, 504, "status")
        server.wait(lambda: not server.open_connections(), "the connection to end")


def test_a_flood_from_a_server():
    def script(connection):
        c = Server(connection)
        c.next()
        for _ in range(200):
            connection.send(h2.ping() * 100)
        while c.step(9e9):
            pass

    with Backend(script) as server, Lbd(both(server)) as lbd:
        server.tolerant = True
        equal(lbd.get().status, 502, "status")
        lbd.wait_metric("lbpair_server_http2_connections_cut_total", 1, reason="control_frames")


def test_over_tls():
    with TlsBackend(echo, alpn=["h2"]) as server, Lbd(both(server, pool=trusting())) as lbd, client(lbd) as c:
        for s in (1, 3):
            equal(c.request(s).status, 200, "status")
        equal(server.connections[0].sock.selected_alpn_protocol(), "h2", "protocol")
        equal(server.requests[0].one(":scheme"), "https", "scheme")
        equal(len(server.connections), 1, "connections")


def test_over_tls_to_a_server_without_it():
    """All that waited for the one connection are served, each over its own."""
    with TlsBackend(alpn=["http/1.1"]) as server, Lbd(both(server, pool=trusting())) as lbd, client(lbd) as c:
        c.send(b"".join(headers(s, GET) for s in (1, 3, 5)))
        for s in (1, 3, 5):
            equal(c.answer(s).status, 200, "status")
        equal(c.request(7).status, 200, "status")
        check(len(server.connections) <= 4, f"{len(server.connections)} connections")
        equal({s.sock.selected_alpn_protocol() for s in server.connections}, {"http/1.1"}, "protocol")


def test_not_trusted():
    with TlsBackend(echo, alpn=["h2"]) as server, \
            Lbd(both(server, pool=trusting({"server_name": "other.example"}))) as lbd, client(lbd) as c:
        c.send(b"".join(headers(s, GET) for s in (1, 3)))
        equal([c.answer(s).status for s in (1, 3)], [502, 502], "status")
        lbd.wait_metric("lbpair_server_tls_handshake_failures_total", 1, reason="certificate_name")


def test_a_reload_ends_connections_gently():
    hold = threading.Event()

    def script(connection):
        c = Server(connection)
        first = c.next()
        hold.wait(20)
        c.reply(first, b"held")
        while (stream := c.next()) is not None:
            c.reply(stream)

    with Backend(script) as old, Backend(echo) as new, Lbd(both({"name": "a", "address": old.address})) as lbd:
        with client(lbd) as c, client(lbd) as other:
            c.send(headers(1, GET))
            old.wait(lambda: old.connections, "a connection")
            lbd.reload(both({"name": "a", "address": new.address}))
            equal(other.request(1).status, 200, "status")
            equal(len(new.requests), 1, "requests at the new address")
            hold.set()
            equal(bytes(c.answer(1).body), b"held", "body")
            old.wait(lambda: not old.open_connections(), "the old connection to end")


def test_checks_speak_http2():
    """As requests do: plain, over TLS, or HTTP/1.1 where ALPN says so; and with a port of their own not."""
    asked, quick = [], {"interval": "20s", "timeout": "10s", "fall": 1, "rise": 1}

    def script(connection):
        c = Server(connection)
        stream = c.next()
        asked.append(c.answers[stream].one(":path"))
        c.send(headers(stream, [(":status", asked[-1][1:])]))
        c.next()

    with Backend(script) as plain, TlsBackend(script, alpn=["h2"]) as secure, TlsBackend(alpn=["http/1.1"]) as old:
        for server, tls in ((plain, {}), (secure, trusting()), (old, trusting())):
            for status, up in (("/200", 1), ("/503", 0)):
                if server is old:
                    status, up = "/", 1
                checked = {"type": "http", "path": status, **quick}
                with Lbd(both(server, pool={"health_check": checked, **tls})) as lbd:
                    wait_for(lambda: lbd.metric("lbpair_server_checks_total") == 1, "a check")
                    equal(lbd.metric("lbpair_server_up"), up, f"up after {status}")
        equal(asked, ["/200", "/503"] * 2, "what was asked")
    with Backend() as server:
        checked = {"type": "http", "port": server.port, **quick}
        with Lbd(both(server, pool={"health_check": checked})) as lbd:
            lbd.wait_metric("lbpair_server_checks_total", 1, result="pass")
    with Backend() as server:
        server.tolerant = True  # it does not understand
        with Lbd(both(server, pool={"health_check": {"type": "http", **quick}})) as lbd:
            lbd.wait_metric("lbpair_server_checks_total", 1, result="fail")


def test_many_wait_for_a_connection_that_fails():
    """It is one failure, however many wait: the server stays in rotation."""
    with TlsBackend(echo, alpn=["h2"]) as server, \
            Lbd(both(server, pool=trusting({"server_name": "other.example"}))) as lbd, client(lbd) as c:
        c.send(b"".join(headers(s, GET) for s in range(1, 21, 2)))
        equal({c.answer(s).status for s in range(1, 21, 2)}, {502}, "status")
        lbd.wait_metric("lbpair_requests_total", 10)
        equal(lbd.metric("lbpair_server_up"), 1, "server up")
        equal(lbd.log.find("server_unreachable"), None, "what is said of the server")
