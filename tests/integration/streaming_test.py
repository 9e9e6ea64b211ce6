"""Bodies pass as they come, in both directions, in bounded memory."""

import hashlib
import threading
import time

import wire
from harness import (Backend, Client, Failure, Lbd, PATIENCE, answer, check, config, echo, equal, request,
                     sanitizer, wait_for)

EVENTS = 20


class Steps:
    """Hands a turn from one thread to the other, counted."""

    def __init__(self):
        self.count = 0
        self.changed = threading.Condition()

    def step(self):
        with self.changed:
            self.count += 1
            self.changed.notify_all()

    def wait(self, n, what):
        with self.changed:
            if not self.changed.wait_for(lambda: self.count >= n, PATIENCE):
                raise Failure(f"no {what} number {n}")


def events_pass_one_by_one(framing_field, wrap, end=b""):
    """The server sends event i+1 only when the client has event i."""
    seen = Steps()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing_field + b"\r\n")
        for i in range(EVENTS):
            seen.wait(i + 1, "sign of the client")
            connection.send(wrap(b"data: %03d\n\n" % i))
        connection.send(end)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request("GET", "/events"))
        head = wire.read_response_head(client)  # comes before any event
        equal(head.status, 200, "status")
        delays, text = [], b""
        for i in range(EVENTS):
            start = time.monotonic()
            seen.step()
            while b"data: %03d\n\n" % i not in text:
                text += client.read_some()
            delays.append(time.monotonic() - start)
        median = sorted(delays)[EVENTS // 2]
        check(median < 0.05, f"an event takes {median * 1000:.1f} ms")


def test_events_in_chunks_arrive_one_by_one():
    events_pass_one_by_one(b"Transfer-Encoding: chunked\r\n", lambda e: b"%x\r\n%s\r\n" % (len(e), e),
                           b"0\r\n\r\n")


def test_events_until_close_arrive_one_by_one():
    events_pass_one_by_one(b"", lambda e: e)


def test_events_of_a_known_length_arrive_one_by_one():
    events_pass_one_by_one(b"Content-Length: %d\r\n" % (11 * EVENTS), lambda e: e)


def test_half_a_chunk_is_passed_on():
    """A chunk whose end is not there yet still delivers what is."""
    got_half = threading.Event()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"a" * 50)
        got_half.wait(30)
        connection.send(b"b" * 50 + b"\r\n0\r\n\r\n")

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request())
        equal(wire.read_response_head(client).status, 200, "status")
        text = b""
        while text.count(b"a") < 50:
            text += client.read_some()
        got_half.set()
        while not text.endswith(b"0\r\n\r\n"):
            text += client.read_some()
        equal(text.count(b"b"), 50, "bytes of the second half")


def upload_passes_piece_by_piece(head, wrap, end=b""):
    """The client sends piece i+1 only when the server has piece i."""
    seen = Steps()

    def script(connection):
        connection.request_head()
        text = b""
        for i in range(EVENTS):
            seen.step()
            while b"piece %03d\n" % i not in text:
                text += connection.read_some()
        connection.send(answer(b"done"))
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(head)
        for i in range(EVENTS):
            seen.wait(i + 1, "sign of the server")
            client.send(wrap(b"piece %03d\n" % i))
        client.send(end)
        equal(client.response(b"POST").body, b"done", "answer")


def test_an_upload_in_chunks_passes_piece_by_piece():
    upload_passes_piece_by_piece(request("POST", "/", "Transfer-Encoding: chunked"),
                                 lambda p: b"%x\r\n%s\r\n" % (len(p), p), b"0\r\n\r\n")


def test_an_upload_of_a_known_length_passes_piece_by_piece():
    upload_passes_piece_by_piece(request("POST", "/", f"Content-Length: {10 * EVENTS}"), lambda p: p)


def test_a_body_may_talk_back_before_it_is_complete():
    """Request and response bodies run at the same time: the server echoes each piece at once."""
    def script(connection):
        connection.request_head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            size = int(connection.read_line(time.monotonic() + 30), 16)
            data = connection.read_exactly(size + 2)
            connection.send(b"%x\r\n" % size + data)
            if size == 0:
                break
        echo(connection)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request("POST", "/", "Transfer-Encoding: chunked"))
        equal(wire.read_response_head(client).status, 200, "status")
        for i in range(20):
            piece = b"ping %02d" % i
            client.send(b"7\r\n" + piece + b"\r\n")
            client.read_until(piece)
        client.send(b"0\r\n\r\n")
        client.read_until(b"0\r\n\r\n")
        equal(client.get("/after").body, b"GET /after 0\n", "the next request")


def test_trailers_pass_in_both_directions():
    def script(connection):
        message = connection.request()
        equal([(n.lower(), v) for n, v in message.trailers], [(b"x-up", b"1")], "trailers at the server")
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Down\r\n\r\n"
                        b"2\r\nok\r\n0\r\nX-Down: 2\r\n\r\n")
        echo(connection)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request("POST", "/", "TE: trailers", "Connection: TE", "Transfer-Encoding: chunked")
                    + b"3\r\nabc\r\n0\r\nX-Up: 1\r\n\r\n")
        got = client.response(b"POST")
        equal((got.body, [(n.lower(), v) for n, v in got.trailers]), (b"ok", [(b"x-down", b"2")]), "answer")
        equal(client.get("/after").status, 200, "the next request")


BIG = 24 << 20


def pattern(size):
    block = hashlib.sha512(b"lbpair").digest() * 1024
    return (block * (size // len(block) + 1))[:size]


def test_large_bodies_arrive_intact():
    """24 MiB up and down, with a length and in chunks of odd sizes."""
    data = pattern(BIG)

    def in_chunks(send):
        view, size = memoryview(data), 1
        while view:
            send(b"%x\r\n" % len(view[:size]) + view[:size] + b"\r\n")
            view, size = view[size:], size * 3 % 100003 + 1
        send(b"0\r\n\r\n")

    def script(connection):
        while message := connection.request():
            check(message.body == data, f"{len(message.body)} bytes, not what was sent")
            if message.framing == "length":
                connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                in_chunks(connection.send)
            else:
                connection.send(answer(data))

    with Backend(script) as server, Lbd(config(server, workers=2)) as lbd, lbd.client() as client:
        client.send(request("POST", "/length", body=data))
        check(client.response(b"POST", 60).body == data, "not what the server sent in chunks")
        client.send(request("POST", "/chunked", "Transfer-Encoding: chunked"))
        in_chunks(client.send)
        check(client.response(b"POST", 60).body == data, "not what the server sent with a length")


STREAMS = 10
MEMORY_PER_STREAM = 512 << 10  # of lbd's own; the policy allows 2 MiB
TAKEN_PER_STREAM = 2 << 20  # beside what the kernel may hold: see kernel_buffers


def kernel_buffers():
    """What both ends of two connections may have in the kernel: newer ones receive 32 MiB ahead."""
    def largest(name):
        with open(f"/proc/sys/net/ipv4/{name}") as f:
            return int(f.read().split()[2])
    return 2 * largest("tcp_wmem") + largest("tcp_rmem")


def check_standstill(counts, what):
    """Waits until nothing moves for a second; what was taken until then must be bounded."""
    def moved():
        before = list(counts)
        time.sleep(1)  # the claim is that nothing happens in it
        return list(counts) == before and all(before)
    wait_for(moved, f"{what} to stop", timeout=30)
    check(max(counts) < TAKEN_PER_STREAM + kernel_buffers(), f"{what}: {max(counts)} bytes were taken from one peer")


def check_memory(lbd, before):
    grown = (lbd.proxy_memory() - before) / STREAMS
    if not sanitizer():
        check(grown < MEMORY_PER_STREAM, f"{grown / 1024:.0f} KiB of memory for each stalled stream")


def test_a_client_that_does_not_read_holds_the_server_back():
    counts = [0] * STREAMS
    size = 64 << 20
    block = pattern(1 << 16)

    def script(connection):
        number = int(connection.request().target[1:])
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        connection.sock.settimeout(120)
        while counts[number] < size:
            counts[number] += connection.sock.send(block)

    with Backend(script) as server, Lbd(config(server)) as lbd:
        before = lbd.proxy_memory()
        clients = []
        for i in range(STREAMS):
            client = Client(lbd.address(), receive_buffer=65536)
            client.send(request("GET", f"/{i}"))
            clients.append(client)
        check_standstill(counts, "servers that send")
        check_memory(lbd, before)
        lbd_works_beside(lbd, server)
        body = clients[0].response(timeout=60).body  # reads on: everything comes
        equal(len(body), size, "bytes after the pause")
        for client in clients:
            client.close()


test_a_client_that_does_not_read_holds_the_server_back.seconds = 100


def lbd_works_beside(lbd, server):
    script, server.script = server.script, echo
    equal(lbd.get("/beside").body, b"GET /beside 0\n", "a request beside the stalled ones")
    server.script = script


def test_a_server_that_does_not_read_holds_the_client_back():
    release = threading.Event()
    size = 64 << 20
    block = pattern(1 << 16)
    counts = [0] * STREAMS
    sums = []

    def script(connection):
        connection.request_head()
        release.wait(100)
        left = size
        while left > 0:
            left -= len(connection.read_some())
            connection.received.clear()
        sums.append(left)
        connection.send(answer(b"ok"))

    def upload(number, client):
        try:
            client.send(request("POST", f"/{number}", f"Content-Length: {size}"))
            client.sock.settimeout(120)
            while counts[number] < size:
                counts[number] += client.sock.send(block)
        except OSError:
            pass  # closed by the test

    with Backend(script, receive_buffer=65536) as server, Lbd(config(server)) as lbd:
        before = lbd.proxy_memory()
        clients = [lbd.client() for _ in range(STREAMS)]
        for i, client in enumerate(clients):
            threading.Thread(target=upload, args=(i, client), daemon=True).start()
        check_standstill(counts, "clients that send")
        check_memory(lbd, before)
        lbd_works_beside(lbd, server)
        server.tolerant = True
        for client in clients[1:]:
            client.reset_now()
        release.set()
        equal(clients[0].response(b"POST", 60).body, b"ok", "answer after the pause")
        equal(sums[:1], [0], "bytes that the server missed")
        clients[0].close()


test_a_server_that_does_not_read_holds_the_client_back.seconds = 100


def test_a_client_that_never_reads_is_cut():
    """timeouts.client_body bounds how long an answer may make no progress at all."""
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.send(b"x" * 65536)

    top = {"timeouts": {"client_body": "1s", "drain": "2s"}}
    with Backend(script) as server, Lbd(config(server, **top)) as lbd:
        client = Client(lbd.address(), receive_buffer=65536)
        client.send(request())
        server.wait_requests(1)
        server.wait(lambda: server.connections[0].closed, "lbd to give up", 20)
        lbd.wait_metric("lbpair_server_active", 0)
        client.close()
