"""HTTP/2 clients that mean harm: each is cut or held, its memory stays below 1 MB, and others are served."""

import contextlib
import itertools
import threading

import h2
from h2 import GET, POST, GoAway, Reset, headers
from h2_attacks import FLOODS, HELD, SHUT, STREAMS, get
from h2_server_test import OK, Server, both
from harness import Backend, Broken, Failure, Lbd, answer, check, config, echo, equal, sanitizer, wait_for

ON = {"http2": True}
MB = 1 << 20
LITTLE = [(h2.INITIAL_WINDOW_SIZE, 1024)]  # with less a request may have to wait


def connect(lbd, *pairs, **options):
    return h2.connect(lbd.address(), *pairs, **options)


def patient(connection):
    """A server to which bodies may be broken off."""
    try:
        echo(connection)
    except Broken:
        pass


class Memory:
    """What attackers made lbd use, at its peak."""

    def __init__(self, lbd):
        self.lbd = lbd
        with connect(lbd) as client:  # what is allocated once for all
            client.send(headers(1, get("/warm"), False) + h2.data(1, b"x" * 16384, False) * 3 + h2.data(1))
            equal(client.answer(1).status, 200, "a request before")
        self.before = self.peak()

    def peak(self):
        with open(f"/proc/{self.lbd.proxy_pid()}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) * 1024

    def check(self, clients=1):
        equal(self.lbd.get("/after").status, 200, "a request from elsewhere")
        grown = (self.peak() - self.before) / clients
        check(sanitizer() or grown < MB, f"memory grew by {grown:.0f} bytes for each attacker")


# ---- floods: cut with GOAWAY ----

def cut(lbd, pieces):
    with connect(lbd, auto=False) as client:
        for piece in pieces:
            client.try_send(piece)
        equal(client.end(), h2.ENHANCE_YOUR_CALM, "how it ended")


def table_floods(report):
    with Backend(patient) as server, Lbd(config(server, listener=ON)) as lbd:
        memory = Memory(lbd)
        for name, (piece, n) in FLOODS.items():
            pieces = [piece(i) for i in range(n)]
            try:
                cut(lbd, pieces)
                cut(lbd, [b"".join(pieces)])
                memory.check()
                report(name)
            except Exception as e:
                report(name, f"{type(e).__name__}: {e}")


table_floods.rows = lambda: list(FLOODS)


def test_padding_without_end():
    """Bytes that carry nothing."""
    wasted = h2.frame(h2.DATA, h2.PADDED, 1, b"\xff" + bytes(255)) * 100
    with Backend(patient) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd) as client:
        client.send(headers(1, POST, False))
        with contextlib.suppress(OSError):
            for _ in range(600):  # 16 MB
                client.send(wasted)
        check(client.end() in (h2.ENHANCE_YOUR_CALM, h2.FLOW_CONTROL_ERROR), "the end")


def test_answers_in_crumbs():
    """A window of one byte, opened again and again."""
    def script(connection):
        while connection.request():
            connection.send(answer(b"x" * 100000))

    send = headers(1, GET) + h2.window(1, 1) * 900
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd:
        with connect(lbd, *SHUT, auto=False) as client:
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


def test_what_is_taken_back_at_once_reaches_no_server():
    """Neither what the client resets in the same breath, nor what we have to."""
    asked = []

    def script(connection):
        while message := connection.request():
            asked.append(message.target)
            connection.send(answer(b"ok"))

    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd:
        equal(lbd.get("/before").status, 200, "a connection to the server")
        for name in ("rapid_reset", "made_you_reset", "made_you_reset_by_nothing"):
            with connect(lbd) as client:
                client.send(b"".join(map(FLOODS[name][0], range(40))) + headers(81, get("/after")))
                equal(client.answer(81).status, 200, "a request behind them")
        equal(asked, [b"/before", *[b"/after"] * 3], "requests")


# ---- what makes lbd hold things: bounded ----

def hold(send, clients=4):
    """Each client sends that; the server answers when all of it has been measured."""
    def silent(connection):
        while message := connection.request():
            if message.target == b"/":
                gate.wait(20)
            connection.reply(message)

    gate = threading.Event()
    with Backend(silent) as server, Lbd(config(server, listener=ON)) as lbd:
        memory = Memory(lbd)
        with contextlib.ExitStack() as stack:
            stack.callback(gate.set)
            attackers = [stack.enter_context(connect(lbd)) for _ in range(clients)]
            for attacker in attackers:
                attacker.alive()
                attacker.send(send)
                with contextlib.suppress(GoAway):
                    attacker.alive()
            memory.check(clients)


def test_large_heads_by_reference():
    hold(HELD["large_heads"])


def test_large_trailers_by_reference():
    hold(HELD["large_trailers"])


class Kept:
    """Servers that answer when they are told to, but "/" with 100,000 bytes at once."""

    def __init__(self):
        self.asked, self.gate = [], threading.Event()

    def __call__(self, connection):
        with contextlib.suppress(OSError, Broken):
            while message := connection.request():
                if message.target != b"/after":
                    self.asked.append(message.target)
                    check(message.target == b"/" or self.gate.wait(20), "the gate")
                connection.send(answer(b"x" * 100000 if message.target == b"/" else b"ok"))


@contextlib.contextmanager
def shut_out(n, **options):
    """A client that asks n times and has no window: one request is with a server."""
    kept = Kept()
    with Backend(kept) as server, Lbd(config(server, listener=ON, **options)) as lbd, connect(lbd, *SHUT) as client:
        with contextlib.ExitStack() as stack:
            stack.callback(kept.gate.set)
            client.send(b"".join(headers(i, get(f"/{i}")) for i in range(1, 2 * n, 2)))
            client.alive()
            lbd.wait_metric("lbpair_http2_requests_held_total", n - 1)
            server.wait(lambda: len(kept.asked) == 1, "one request")
            yield client, kept, server, lbd


def test_requests_behind_shut_windows():
    """Answers that could not be sent are not asked for, but for a few."""
    with shut_out(99) as (client, kept, server, lbd):
        client.send(headers(199, [(":method", "HEAD"), *get("/head")[1:]]))
        server.wait(lambda: b"/head" in kept.asked, "what needs no window")
        client.send(h2.window(197, 1024))
        server.wait(lambda: b"/197" in kept.asked, "who has a window")
        client.send(h2.reset(1))
        server.wait(lambda: b"/3" in kept.asked, "the next in line, when another gave up")
        client.alive()
        equal(len(kept.asked), 4, "requests")
        kept.gate.set()
        client.until(lambda: all(client.stream(n).fields for n in STREAMS[1:99]), "heads of small answers")
        equal(bytes(client.answer(197).body), b"ok", "with a window")
        client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 65535)))
        for n in STREAMS[1:99]:
            equal(bytes(client.answer(n).body), b"ok", f"stream {n}")
        equal(len(kept.asked), 100, "requests")


def test_large_answers_behind_shut_windows():
    """They hold a server until they have a window."""
    def has(*streams):
        return all(client.stream(n).fields for n in streams)

    kept = Kept()
    with Backend(kept) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd, *SHUT) as client:
        client.send(b"".join(headers(n, GET) for n in STREAMS[:20]))
        client.until(lambda: has(1), "a head")
        equal(lbd.get("/after").status, 200, "a request from elsewhere")
        client.alive()
        equal(len(kept.asked), 1, "requests")
        client.send(h2.window(1, 1024))
        client.until(lambda: has(3), "another head")
        client.send(h2.reset(3))
        client.until(lambda: has(5), "and another")
        client.alive()
        equal(len(kept.asked), 3, "requests")
        client.send(h2.settings((h2.INITIAL_WINDOW_SIZE, 1 << 20)))
        for n in (1, *STREAMS[2:20]):
            equal(len(client.answer(n).body), 100000, f"stream {n}")


def test_requests_behind_an_exhausted_connection():
    """A window for all that one answer has used up: it opens, and the others go on."""
    kept = Kept()
    with Backend(kept) as server, Lbd(config(server, listener=ON)) as lbd:
        with connect(lbd, (h2.INITIAL_WINDOW_SIZE, 1 << 20), auto=False) as client:
            client.send(headers(1, GET))
            client.until(lambda: len(client.stream(1).body) == 65535, "what the window takes")
            client.send(b"".join(headers(n, get("/x")) for n in STREAMS[1:11]))
            lbd.wait_metric("lbpair_http2_requests_held_total", 9)
            client.send(h2.window(0, 2048))  # the first answer will use it up
            server.wait(lambda: len(kept.asked) == 11, "all requests")
            client.send(h2.window(0, 1 << 20))
            kept.gate.set()
            for n in STREAMS[:11]:
                equal(len(client.answer(n).body), 100000 if n == 1 else 2, f"stream {n}")


def test_request_behind_windows_that_stay_shut():
    with shut_out(2, timeouts={"client_body": "300ms"}) as (client, kept, server, lbd):
        try:
            client.answer(3)
        except Reset as e:
            equal(e.code, h2.INTERNAL_ERROR, "code")
        equal(client.stream(3).reset, h2.INTERNAL_ERROR, "the second")
        equal(len(kept.asked), 1, "requests")
        lbd.wait_metric("lbpair_rejected_total", 1, reason="client_stalled")


def test_answers_that_are_given_up_again_and_again():
    """Each with its server's connection: they count as resets."""
    kept = Kept()
    with Backend(kept) as server, Lbd(config(server, listener=ON)) as lbd, connect(lbd, *SHUT) as client:
        try:
            for n in range(1, 801, 2):
                client.send(headers(n, GET))
                client.until(lambda n=n: client.stream(n).fields, "its head")
                client.try_send(h2.reset(n))
            raise Failure("it may go on for ever")
        except GoAway as e:
            equal(e.code, h2.ENHANCE_YOUR_CALM, "code")
        check(100 < len(kept.asked) < 200, f"{len(kept.asked)} requests")


def test_client_that_goes_while_its_requests_wait():
    with shut_out(100) as (client, kept, server, lbd):
        client.close()
        wait_for(lambda: lbd.metric("lbpair_http2_streams", listener="in") == 0, "no stream to be open")
        equal(len(kept.asked), 1, "requests")


def test_many_streams_that_nobody_reads():
    """A little is taken of a hundred large answers: memory is bounded; some come only when the others have it all."""
    def script(connection):
        message = connection.request()
        try:
            if message.target == b"/late":
                connection.send(answer(b"x" * 1000000)[:20000])
                gate.wait(20)
                connection.send(b"x" * 20000)
            while message:
                large = message.target in (b"/", b"/late")
                connection.send(answer(b"x" * 1000000 if large else b"ok"))
                message = connection.request()
        except (OSError, Broken):
            pass

    def ask(client, streams, path):
        client.send(b"".join(headers(n, get(path)) for n in streams))
        client.until(lambda: all(client.stream(n).fields for n in streams), "their heads")

    gate = threading.Event()
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, contextlib.ExitStack() as stack:
        memory = Memory(lbd)
        stuck = [stack.enter_context(connect(lbd, *LITTLE, auto=False)) for _ in range(4)]
        for client in stuck:
            client.send(h2.window(0, MB))
            client.alive()
            ask(client, STREAMS[:5], "/late")
            ask(client, STREAMS[5:], "/")
        gate.set()
        for client in stuck:
            for _ in range(20):
                client.alive()
        memory.check(len(stuck))


def test_many_streams_of_a_client_that_does_not_read_its_socket():
    def script(connection):
        message = connection.request()
        asked.append(message.target)
        with contextlib.suppress(OSError, Broken):
            connection.send(answer(b"x" * 1000000 if message.target == b"/" else b"ok"))

    asked = []
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, contextlib.ExitStack() as stack:
        memory = Memory(lbd)
        stuck = [stack.enter_context(connect(lbd, (h2.INITIAL_WINDOW_SIZE, 0x7fffffff))) for _ in range(4)]
        for client in stuck:
            client.send(h2.window(0, 0x7fff0000 - 65535) + b"".join(headers(n, GET) for n in STREAMS))
        server.wait(lambda: asked.count(b"/") == len(stuck) * len(STREAMS), "all requests")
        for _ in range(20):
            equal(lbd.get("/other").status, 200, "a request from elsewhere")
        memory.check(len(stuck))


def test_uploads_to_a_server_that_stops():
    """It took the first so fast that the client may send more ahead."""
    def script(connection):
        stops, taken = connection.request_head().target == b"/", 0
        if not stops:
            connection.send(answer(b"ok", 200, "Connection: close"))
        while not (stops and taken > MB) and (got := connection.sock.recv(65536)):
            taken += len(got)
        if stops:
            gate.wait(20)

    gate = threading.Event()
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, contextlib.ExitStack() as stack:
        stack.callback(gate.set)
        memory = Memory(lbd)
        attackers = [stack.enter_context(connect(lbd)) for _ in range(2)]
        for attacker in attackers:
            attacker.send(headers(1, POST, False))
            attacker.send_all(1, itertools.repeat(b"x" * 16384), patience=0.5)
            check(attacker.windows[1] > MB, "it was fast for a while")
        memory.check(len(attackers))


# ---- answers of servers of HTTP/2, which send as much as they may ----

def greedy(connection):
    """1 MB to each; to POST two bytes."""
    c = Server(connection)
    left, total = {}, 0

    def room(stream):
        return min(c.settings.get(h2.INITIAL_WINDOW_SIZE, 65535) + c.windows.get(stream, 0) - (MB - left[stream]),
                   65535 + c.windows.get(0, 0) - total, left[stream], 16384)

    while c.step(9e9):
        for stream, a in list(c.answers.items()):
            if a.ended and stream not in left and a.one(":method") == "POST":
                c.reply(stream, b"ok")
                left[stream] = 0
            elif a.ended and stream not in left:
                left[stream] = MB
                c.send(headers(stream, OK, False))
            while left.get(stream) and a.reset is None and (n := room(stream)) > 0:
                left[stream] -= n
                total += n
                c.send(h2.data(stream, b"x" * n, not left[stream]))


def stall(read, clients, most):
    """Clients that read so much of each of their answers, and no more."""
    with Backend(greedy) as server, Lbd(both(server)) as lbd, contextlib.ExitStack() as stack:
        server.tolerant = True
        memory = Memory(lbd)
        window = (h2.INITIAL_WINDOW_SIZE, read)
        stuck = [stack.enter_context(connect(lbd, window, auto=False)) for _ in range(clients)]
        for client in stuck:
            client.send(h2.window(0, 0x7fff0000 - 65535) + b"".join(headers(n, GET) for n in STREAMS))
            client.until(lambda: all(client.stream(n).fields for n in STREAMS), "their heads")
            client.until(lambda: all(len(client.stream(n).body) >= read for n in STREAMS), "what they read")
        for client in stuck:
            for _ in range(20):
                client.alive()
        grown = (memory.peak() - memory.before) / len(stuck)
        check(sanitizer() or grown < most * MB, f"memory grew by {grown:.0f} bytes for each attacker")


def test_many_answers_of_http2_that_nobody_reads():
    stall(LITTLE[0][1], clients=4, most=1.25)


def test_many_answers_of_http2_that_are_read_for_a_while():
    stall(40000, clients=1, most=2)  # what is on its way while they read is among that
