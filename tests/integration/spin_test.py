"""Whatever lbd waits for, it waits asleep: no state of a connection burns CPU time."""

import threading
import time

import wire
from harness import Backend, BlackHole, Client, Lbd, check, config, equal, request
from websocket_test import SWITCH, upgrade

WAIT = 0.8  # seconds that are measured
SPENT = 0.2  # CPU seconds that are too many; a spinning thread takes all of WAIT


def asleep(lbd, what):
    before = lbd.cpu_seconds()
    time.sleep(WAIT)  # the claim is about this time
    spent = lbd.cpu_seconds() - before
    check(spent < SPENT, f"{spent:.2f} s of CPU time in {WAIT} s with {what}")


class Silent:
    """A server that takes requests and answers when told."""

    def __init__(self, first=b""):
        self.gate = threading.Event()
        self.first = first
        self.server = Backend(self.script)

    def script(self, connection):
        message = connection.request_head()
        connection.send(self.first)
        self.gate.wait(30)
        if not self.first:
            connection.reply(message)
        connection.read_to_end()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.gate.set()
        return self.server.__exit__(*args)


def test_nothing_to_do():
    with Backend() as server, Lbd(config(server, workers=2)) as lbd:
        clients = [lbd.client() for _ in range(50)]
        for client in clients[:25]:
            client.get()
        asleep(lbd, "50 idle connections")
        for client in clients:
            client.close()


def test_a_half_closed_client_that_waits():
    with Silent() as silent, Lbd(config(silent.server)) as lbd, lbd.client() as client:
        client.send(request())
        client.half_close()
        silent.server.wait_requests(1)
        asleep(lbd, "a half-closed client")
        silent.gate.set()
        equal(client.response().status, 200, "status")


def test_a_pipeline_that_is_full():
    with Silent() as silent, Lbd(config(silent.server)) as lbd, lbd.client() as client:
        silent.server.tolerant = True
        client.sock.settimeout(0.3)
        try:
            for i in range(100000):
                client.sock.sendall(request("GET", f"/{i}"))
        except OSError:
            pass  # nothing more is taken
        asleep(lbd, "more pipelined requests than lbd takes")


def test_a_client_that_does_not_read():
    with Silent(b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n" + b"x" * 30000000) as silent:
        with Lbd(config(silent.server)) as lbd:
            with Client(lbd.address(), receive_buffer=65536) as client:
                client.send(request())
                silent.server.wait_requests(1)
                client.read_some()
                asleep(lbd, "a client that does not read")
                silent.server.tolerant = True


def test_a_server_that_does_not_read():
    with Silent() as silent, Lbd(config(silent.server)) as lbd, lbd.client() as client:
        silent.server.tolerant = True
        client.send(request("POST", "/", "Content-Length: 100000000"))
        client.sock.settimeout(0.3)
        try:
            while True:
                client.sock.sendall(b"x" * 100000)
        except OSError:
            pass  # nothing more is taken
        asleep(lbd, "a server that does not read")


def test_a_server_that_closed_while_the_client_does_not_read():
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5000000)

    with Backend(script) as server, Lbd(config(server)) as lbd:
        with Client(lbd.address(), receive_buffer=65536) as client:
            client.send(request())
            client.read_some()
            asleep(lbd, "a server that has closed and a client that does not read")


def test_a_connect_under_way():
    with BlackHole() as hole, Lbd(config(hole.address, timeouts={"connect": "5s", "drain": "2s"})) as lbd:
        with lbd.client() as client:
            client.send(request())
            asleep(lbd, "a connect under way")


def test_a_half_closed_client_during_a_connect():
    with BlackHole() as hole, Lbd(config(hole.address, timeouts={"connect": "5s", "drain": "2s"})) as lbd:
        with lbd.client() as client:
            client.send(request())
            client.half_close()
            asleep(lbd, "a half-closed client during a connect")


def test_tunnels_half_closed():
    gate = threading.Event()

    def script(connection):
        if connection.request().target == b"/server":
            connection.send(SWITCH)
            connection.half_close()
        else:
            connection.send(SWITCH)
        gate.wait(30)

    with Backend(script) as server, Lbd(config(server)) as lbd:
        with lbd.client() as one, lbd.client() as two:
            upgrade(one)
            one.half_close()
            upgrade(two, request("GET", "/server", "Connection: Upgrade", "Upgrade: websocket"))
            asleep(lbd, "tunnels of which one half is closed")
            gate.set()


def test_a_head_that_stops():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: te")
        asleep(lbd, "half a head")


def test_a_refused_client_that_stays():
    """After an error answer lbd reads into nothing for a while."""
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(b"garbage\r\n\r\n")
        equal(client.response().status, 400, "status")
        asleep(lbd, "a refused client that does not close")


def test_draining_with_a_request_in_flight():
    with Silent() as silent, Lbd(config(silent.server, timeouts={"drain": "20s"})) as lbd, lbd.client() as client:
        client.send(request())
        silent.server.wait_requests(1)
        lbd.end_expected = True
        lbd.process.terminate()
        lbd.log.wait("draining")
        asleep(lbd, "a drain that waits")
        silent.gate.set()
        equal(client.response().status, 200, "status")
        equal(lbd.wait_exit(), 0, "exit status")


def test_an_answer_without_end_that_pauses():
    with Silent(b"HTTP/1.1 200 OK\r\n\r\nhello") as silent, Lbd(config(silent.server)) as lbd:
        with lbd.client() as client:
            client.send(request())
            equal(wire.read_response_head(client).status, 200, "status")
            asleep(lbd, "an answer that pauses")
