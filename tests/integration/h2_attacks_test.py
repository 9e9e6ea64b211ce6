"""HTTP/2 clients that mean harm: each is cut or held, its memory stays below 1 MB, and others are served."""

import contextlib
import threading

import h2
from h2 import GET, POST, GoAway, data, headers
from harness import Backend, Broken, Failure, Lbd, answer, check, config, echo, equal, sanitizer

ON = {"http2": True}
MB = 1 << 20
STREAMS = range(1, 201, 2)  # as many as lbd allows at once


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
        equal(lbd.get("/warm").status, 200, "a request before")
        self.before = self.peak()

    def peak(self):
        with open(f"/proc/{self.lbd.proxy_pid()}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) * 1024

    def check(self, clients=1):
        equal(self.lbd.get("/after").status, 200, "a request from elsewhere")
        grown = (self.peak() - self.before) / clients
        check(sanitizer() or grown < MB, f"memory grew by {grown:.0f} bytes for each attacker")


# ---- floods: cut with GOAWAY ----

BOMB = h2.block(GET) + h2.literal("x", "y" * 4000, 0x40)  # at 62 from now on

FLOODS = {
    "rapid_reset": (lambda i: headers(2 * i + 1, GET) + h2.reset(2 * i + 1), 1000),
    # CVE-2025-8671: the client breaks the rules so that we reset
    "made_you_reset": (lambda i: headers(2 * i + 1, POST, False) + h2.window(2 * i + 1, 0x7fffffff), 1000),
    "made_you_reset_by_nothing": (lambda i: headers(2 * i + 1, POST, False) +
                                  headers(2 * i + 1, [("x", "1")], False), 1000),
    "malformed": (lambda i: headers(2 * i + 1, [*GET, ("connection", "close")]), 1000),
    "refused": (lambda i: headers(2 * i + 1, b"\x82\x86\x84\x41\1a", False), 5000),
    "ping": (lambda i: h2.ping(), 5000),
    "settings": (lambda i: h2.settings(), 5000),
    "priority": (lambda i: h2.frame(h2.PRIORITY, 0, 1, bytes(5)), 5000),
    "unknown_frame": (lambda i: h2.frame(0xbe, 0, 0), 5000),
    "window_update": (lambda i: h2.window(0, 1), 5000),
    "empty_data": (lambda i: data(1, b"", False) if i else headers(1, POST, False), 100),
    # a few bytes each stand for 4,000; CVE-2026-49975: thousands of small ones by reference
    "hpack_bomb": (lambda i: headers(1, BOMB + b"\xbe" * 12000), 1),
    "field_bomb": (lambda i: headers(1, h2.block(GET) + h2.literal("x", "", 0x40) + b"\xbe" * 16000), 1),
}


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


# ---- what makes lbd hold things: bounded ----

def hold(send, script=None, clients=4, *pairs):
    """Each client sends that; servers answer when all of it has been measured."""
    def silent(connection):
        while message := connection.request():
            if message.target == b"/":
                gate.wait(20)
            connection.reply(message)

    gate = threading.Event()
    with Backend(script or silent) as server, Lbd(config(server, listener=ON)) as lbd:
        memory = Memory(lbd)
        with contextlib.ExitStack() as stack:
            stack.callback(gate.set)
            attackers = [stack.enter_context(connect(lbd, *pairs)) for _ in range(clients)]
            for attacker in attackers:
                attacker.alive()
                attacker.send(send)
                with contextlib.suppress(GoAway):
                    attacker.alive()
            memory.check(clients)


def test_large_heads_by_reference():
    """A hundred requests of 28 KB each, in 1,900 bytes, of a server that takes its time."""
    first = headers(1, BOMB + b"\xbe" * 6)
    hold(first + b"".join(headers(n, h2.block(GET) + b"\xbe" * 7) for n in STREAMS[1:]))


def test_large_trailers_by_reference():
    """Trailers are not under flow control."""
    post = [*POST, ("content-length", "1")]
    first = h2.literal("x", "y" * 4000, 0x40) + b"\xbe" * 6
    hold(b"".join(headers(n, post, False) + data(n, b"a", False) + headers(n, first if n == 1 else b"\xbe" * 7)
                  for n in STREAMS))


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
                large = message.target in (b"/", b"/late")
                connection.send(answer(b"x" * 1000000 if large else b"ok"))
                message = connection.request()
        except (OSError, Broken):
            pass

    def ask(client, streams, path):
        client.send(b"".join(headers(n, [*GET[:2], (":path", path), GET[3]]) for n in streams))
        client.until(lambda: all(client.stream(n).fields for n in streams), "their heads")

    gate = threading.Event()
    with Backend(script) as server, Lbd(config(server, listener=ON)) as lbd, contextlib.ExitStack() as stack:
        memory = Memory(lbd)
        stuck = [stack.enter_context(connect(lbd, (h2.INITIAL_WINDOW_SIZE, 0))) for _ in range(4)]
        for client in stuck:
            client.alive()
            ask(client, STREAMS[:5], "/late")
            ask(client, STREAMS[5:], "/")
        gate.set()
        for client in stuck:
            for _ in range(20):
                client.alive()
        memory.check(len(stuck))
