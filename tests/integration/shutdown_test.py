"""The end: drain, deadline, the second signal."""

import signal
import threading
import time

from harness import (Backend, Broken, Client, Lbd, Load, check, config, equal, request, wait_for)


def refused(lbd):
    try:
        with Client(lbd.address(), timeout=2):
            return False
    except OSError:
        return True


class Held:
    """A server that answers when it is told to."""

    def __init__(self):
        self.gate = threading.Event()
        self.server = Backend(self.script)

    def script(self, connection):
        while message := connection.request():
            if message.target != b"/quick":
                self.gate.wait(60)
            connection.reply(message)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return self.server.__exit__(*args)


def test_what_is_in_flight_completes():
    with Held() as held, Lbd(config(held.server, timeouts={"drain": "20s"}, workers=2)) as lbd:
        clients = [lbd.client() for _ in range(4)]
        for i, client in enumerate(clients):
            client.send(request("GET", f"/{i}"))
        held.server.wait_requests(4)
        lbd.end_expected = True
        lbd.signal(signal.SIGTERM)
        lbd.log.wait("draining")
        wait_for(lambda: refused(lbd), "new connections to be refused")
        check(lbd.alive(), "ended with requests in flight")
        held.gate.set()
        for i, client in enumerate(clients):
            got = client.response()
            equal(got.body, b"GET /%d 0\n" % i, "answer")
            equal(got.one(b"connection"), b"close", "Connection")
            client.expect_end()
        equal(lbd.wait_exit(5), 0, "exit status")


def test_idle_connections_end_at_once():
    with Backend() as server, Lbd(config(server, timeouts={"drain": "20s"})) as lbd, lbd.client() as client:
        with lbd.client() as silent:
            client.get()
            lbd.wait_metric("lbpair_connections", 2)
            lbd.end_expected = True
            start = time.monotonic()
            lbd.signal(signal.SIGTERM)
            client.expect_end(5)
            silent.expect_end(5)
            equal(lbd.wait_exit(5), 0, "exit status")
            check(time.monotonic() - start < 5, "it waited for idle connections")


def test_a_body_under_way_completes():
    with Backend() as server, Lbd(config(server, timeouts={"drain": "20s"})) as lbd, lbd.client() as client:
        client.send(request("POST", "/", "Content-Length: 10") + b"hello")
        wait_for(lambda: server.connections and len(server.connections[0].received) > 20, "the head to arrive")
        lbd.end_expected = True
        lbd.signal(signal.SIGTERM)
        wait_for(lambda: refused(lbd), "new connections to be refused")
        client.send(b"again")
        got = client.response(b"POST")
        equal((got.body, got.one(b"connection")), (b"POST / 10\n", b"close"), "answer and Connection")
        equal(lbd.wait_exit(5), 0, "exit status")


def test_the_deadline_cuts_what_does_not_end():
    with Held() as held, Lbd(config(held.server, timeouts={"drain": "500ms"})) as lbd:
        with lbd.client() as client:
            client.send(request())
            held.server.wait_requests(1)
            lbd.end_expected = True
            start = time.monotonic()
            lbd.signal(signal.SIGTERM)
            lbd.wait_exit(10)
            waited = time.monotonic() - start
            check(0.4 < waited < 5, f"drain 500ms took {waited:.2f} s")
            try:
                got = client.response()
                check(got.status >= 500, f"unexpected {got}")
            except Broken:
                pass  # cut
            held.gate.set()


def test_the_deadline_cuts_those_who_wait_for_a_server_too():
    """In both workers, connections that have a server are younger than some that wait for one."""
    with Held() as held:
        servers = {"address": held.server.address, "max_connections": 20}
        with Lbd(config(servers, workers=2, timeouts={"drain": "500ms", "queue": "60s"})) as lbd:
            clients = [lbd.client() for _ in range(40)]
            for client in clients[20:]:
                client.send(request())
            held.server.wait_requests(20)
            for client in clients[:20]:
                client.send(request())
            lbd.wait_metric("lbpair_queued", 20, pool="web")
            lbd.end_expected = True
            lbd.signal(signal.SIGTERM)
            equal(lbd.wait_exit(10), 0, "exit status")
            check(not lbd.log.find("proxy_died"), "the proxy process died")
            held.gate.set()


def test_a_second_sigterm_ends_at_once():
    with Held() as held, Lbd(config(held.server, timeouts={"drain": "60s"})) as lbd, lbd.client() as client:
        client.send(request())
        held.server.wait_requests(1)
        lbd.end_expected = True
        lbd.signal(signal.SIGTERM)
        wait_for(lambda: refused(lbd), "new connections to be refused")
        start = time.monotonic()
        lbd.signal(signal.SIGTERM)
        lbd.wait_exit(5)
        check(time.monotonic() - start < 2, "the second SIGTERM did not end it at once")
        held.gate.set()
        wait_for(lambda: refused(lbd), "the port to be free")


def test_tunnels_are_cut_at_the_deadline_alone():
    from websocket_test import shout, upgrade
    with Backend(shout) as server, Lbd(config(server, timeouts={"drain": "1s"})) as lbd, lbd.client() as client:
        upgrade(client)
        lbd.end_expected = True
        lbd.signal(signal.SIGTERM)
        lbd.log.wait("draining")
        client.send(b"still there?")
        equal(client.read_exactly(12), b"STILL THERE?", "echo while draining")
        client.read_to_end(10)
        lbd.wait_exit(10)


def test_a_stop_under_load_breaks_no_answer():
    """Every request that was accepted is answered; after that connections are refused or closed unused."""
    with Backend() as server, Lbd(config(server, workers=2, timeouts={"drain": "20s"})) as lbd:
        with Load(lbd, threads=4) as load:
            load.wait_done(200)
            lbd.end_expected = True
            lbd.signal(signal.SIGTERM)
            status = lbd.wait_exit(15)
            equal(status, 0, f"exit status; the log:\n{lbd.log.text()[-6000:]}\n")
            load.stopping.set()
            for thread in load.threads:
                thread.join(15)
        broken = [f for f in load.failures if "Connection refused" not in f and "closed instead of answering" not in f
                  and "Broken pipe" not in f and "ConnectionResetError" not in f]
        equal(broken, [], "requests that failed otherwise than by a connection that ended")


def test_the_control_socket_says_draining():
    with Held() as held, Lbd(config(held.server, timeouts={"drain": "20s"})) as lbd, lbd.client() as client:
        with lbd.control() as control:
            control.ask("watch")
            client.send(request())
            held.server.wait_requests(1)
            lbd.end_expected = True
            lbd.signal(signal.SIGTERM)
            line = control.read_object(5)
            while not line["draining"]:
                line = control.read_object(5)
            equal(line["ready"], False, "ready while draining")
            held.gate.set()
            client.response()
            equal(lbd.wait_exit(5), 0, "exit status")


def test_the_sockets_are_gone_afterwards():
    import os
    with Backend() as server, Lbd(config(server)) as lbd:
        equal(lbd.get().status, 200, "status")
        lbd.end_expected = True
        lbd.stop()
        check(not os.path.exists(lbd.socket_path), "the control socket is still there")
        lbd.start()  # on the same addresses
        equal(lbd.get().status, 200, "status after a restart")
        lbd.end_expected = False
