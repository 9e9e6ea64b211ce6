"""No state of an exchange lasts for ever, and none is cut before its time: what waits for whom, and how long."""

import socket
import threading
import time

import wire
from harness import Backend, Client, Lbd, answer, check, config, equal, request

from websocket_test import ASK, SWITCH


def narrow(lbd):
    """A client whose connection takes little before it is read from, as over a long wire."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    sock.settimeout(15)
    sock.connect(lbd.address())
    client = Client.__new__(Client)
    wire.Stream.__init__(client, sock)
    return client


def hints(size):
    return b"HTTP/1.1 103 Early Hints\r\n" + b"X-Filler: %s\r\n" % (b"y" * 1000) * (size // 1000) + b"\r\n"


def test_a_body_that_stops_without_having_waited_for_100():
    """The client asks for 100 (Continue), does not wait for it, and falls silent."""
    def script(connection):
        connection.request_head()
        connection.read_to_end()

    with Backend(script) as server:
        with Lbd(config(server, timeouts={"client_body": "1s", "response": "1s"})) as lbd:
            with lbd.client() as client:
                client.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 10"))
                server.wait_requests(1)
                client.send(b"x")
                equal(client.response(b"POST", timeout=10).status, 408, "status")


def test_a_body_that_stops_after_a_part_of_the_answer_was_slow():
    """The answer streams beside the body; the client stops reading for a while, then stops sending."""
    size = 1 << 19

    def script(connection):
        connection.request_head()
        connection.send(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % size)
        connection.send(b"a" * size + b"\r\n")
        connection.read_to_end()

    with Backend(script) as server:
        with Lbd(config(server, timeouts={"client_body": "4s", "response": "1s"})) as lbd:
            client = narrow(lbd)
            client.send(request("POST", "/", "Content-Length: 10") + b"x")
            server.wait_requests(1)
            time.sleep(0.5)
            client.read_exactly(size, 30)
            client.read_to_end(15)
            lbd.wait_metric("lbpair_rejected_total", 1, reason="client_body_timeout")


def test_a_slow_reader_that_sends_has_its_time_to_read():
    """While it owes a body too; the pace of that is judged after five seconds."""
    size = 3 << 20
    let = threading.Event()

    def script(connection):
        connection.request_head()
        connection.send(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % size)
        sender = threading.Thread(target=lambda: connection.send(b"a" * size), daemon=True)
        sender.start()
        let.wait(20)  # and then takes the body, so that lbd waits for the client once more
        connection.read_exactly(12 << 20, 30)
        sender.join(20)
        connection.read_to_end()

    with Backend(script, receive_buffer=65536) as server:
        with Lbd(config(server, timeouts={"client_body": "20s"})) as lbd:
            client = narrow(lbd)
            client.send(request("POST", "/", "Content-Length: %d" % (16 << 20)))
            sender = threading.Thread(target=lambda: client.send(b"x" * (12 << 20)), daemon=True)
            sender.start()
            time.sleep(1)
            let.set()
            sender.join(20)
            for _ in range(14):  # fast enough as a body
                time.sleep(0.5)
                client.send(b"x" * 500)
            got = client.read_exactly(size, 30)
            check(got.endswith(b"a"), "the answer was cut")
            client.close()


test_a_slow_reader_that_sends_has_its_time_to_read.seconds = 90


def test_a_slow_reader_of_early_hints_is_not_cut():
    def script(connection):
        connection.request()
        connection.send(hints(60000))
        connection.send(hints(60000))
        time.sleep(0.5)
        connection.send(answer(b"done"))

    with Backend(script) as server, Lbd(config(server)) as lbd:
        client = narrow(lbd)
        client.send(request())
        time.sleep(0.3)
        got = client.response()
        equal((got.body, len(got.interim)), (b"done", 2), "answer")
        client.close()


def test_a_slow_reader_of_a_tunnels_first_bytes_is_not_cut():
    size = 1 << 20

    def script(connection):
        connection.request()
        connection.send(SWITCH + b"a" * size)
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server)) as lbd:
        client = narrow(lbd)
        client.send(ASK)
        time.sleep(0.3)
        equal(wire.read_response_head(client).status, 101, "status")
        equal(client.read_exactly(size, 30), b"a" * size, "bytes behind 101")
        client.close()


def test_nothing_is_retried_that_has_begun_to_answer():
    """After an interim response a time-out is final, however the client reads."""
    def hangs(connection):
        connection.request()
        for _ in range(4):
            connection.send(hints(60000))
        connection.read_to_end()

    servers = [Backend(hangs), Backend(hangs)]
    conf = config(*servers, pool={"retry": {"attempts": 2, "on": ["timeout"], "budget_percent": 100}},
                  timeouts={"response": "1s"})
    with servers[0], servers[1], Lbd(conf) as lbd:
        with lbd.client() as client:
            client.send(request())
            equal(client.response(timeout=10).status, 504, "status")
        equal(sum(len(s.requests) for s in servers), 1, "tries")
