"""Access lists by network: at the accept, and for each request of whom a trusted proxy speaks for."""

import contextlib
import json
import socket

import h2
from h2 import GET
from harness import Backend, Broken, Lbd, check, config, equal, request
from tls_peers import client as tls_client
from tls_peers import tls_config

DENIED = "lbpair_rejected_total"
LIST = {"allow": ["127.0.0.0/8", "127.1.2.3"], "deny": ["127.1.0.0/16", "127.0.0.9"]}


def is_reset(address, source):
    sock = socket.socket()
    sock.bind((source, 0))
    try:
        sock.connect(address)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        return sock.recv(1) == b"never"
    except ConnectionError:
        return True
    finally:
        sock.close()


def test_connections_by_longest_prefix():
    with Backend() as server, Lbd(config(server, listener={"access": LIST}, workers=2)) as lbd:
        for source, refused in (("127.0.0.1", False), ("127.0.0.9", True), ("127.1.0.1", True), ("127.1.2.3", False)):
            if refused:
                equal(is_reset(lbd.address(), source), True, f"{source} is reset")
            else:
                equal(lbd.get(source=source).status, 200, source)
        lbd.wait_metric(DENIED, 2, reason="access_denied")
        lbd.wait_metric("lbpair_connections", 0)
        equal(len(server.requests), 2, "requests at the server")


def test_before_tls():
    with Backend() as server, Lbd(tls_config(server, listener={"access": {"deny": ["127.0.0.9"]}})) as lbd:
        equal(is_reset(lbd.address(), "127.0.0.9"), True, "reset")
        with tls_client(lbd) as c:
            equal(c.get().status, 200, "another client")
        lbd.wait_metric(DENIED, 1, reason="access_denied")
        equal(lbd.metric("lbpair_tls_handshake_failures_total"), 0, "handshakes that failed")


def test_in_tcp_mode():
    with Backend() as server, Lbd(config(server, listener={"protocol": "tcp", "access": LIST})) as lbd:
        equal(is_reset(lbd.address(), "127.0.0.9"), True, "reset")
        equal(lbd.get().status, 200, "another client")
        lbd.wait_metric(DENIED, 1, reason="access_denied")


def test_connections_that_are_refused_are_logged():
    """With the reason; there was no request, and is no status."""
    conf = config("127.0.0.1:1", limits={"connections_per_client": 1}, listener={"access": LIST},
                  log={"access": {"target": "stderr", "format": "json"}})
    conf["listeners"].append({"name": "tcp", "protocol": "tcp", "pool": "web", "access": LIST})
    with Lbd(conf) as lbd, lbd.client():
        for listener in (0, 1):
            equal(is_reset(lbd.address(listener), "127.0.0.9"), True, "reset")
        with lbd.client(listener=1) as c:
            equal(c.read_to_end(), b"", "an answer beyond the limit")
        lbd.log.wait('"client_limit"')
        records = [json.loads(line) for line in lbd.log.text().split("\n") if line.startswith("{")]
        equal([(r["listener"], r["client"], r["protocol"], r["status"], r["termination"]) for r in records],
              [("in", "127.0.0.9", "HTTP/1.1", 0, "access_denied"), ("tcp", "127.0.0.9", "TCP", 0, "access_denied"),
               ("tcp", "127.0.0.1", "TCP", 0, "client_limit")], "records")


def test_behind_a_trusted_proxy():
    listener = {"access": {"allow": ["203.0.113.0/24"], "deny": ["203.0.113.7"]}, "http2": True,
                "forwarded": {"trust": ["127.0.0.0/8"]}}
    rows = [("203.0.113.5", 200), ("203.0.113.7", 403), ("203.0.113.7, 127.0.0.4", 403), ("198.51.100.1", 403),
            ("198.51.100.1, 203.0.113.5", 200), ("nobody", 403)]
    with Backend() as server, Lbd(config(server, listener=listener)) as lbd:
        with lbd.client() as c, h2.connect(lbd.address()) as c2:
            for i, (who, status) in enumerate(rows):
                equal(c.get("/", "X-Forwarded-For: " + who).status, status, who)
                equal(c2.request(2 * i + 1, [*GET, ("x-forwarded-for", who)]).status, status, f"{who}, HTTP/2")
            equal(c.get().status, 403, "the proxy itself")
        lbd.wait_metric(DENIED, 9, reason="access_denied")
        equal(len(server.requests), 4, "requests at the server")


def test_a_reload_holds_for_the_next_request():
    conf = config("127.0.0.1:1", listener={"routes": [{"path": "/", "respond": {"status": 204}}]})
    with Lbd(conf) as lbd, lbd.client() as c:
        equal(c.get().status, 204, "before")
        conf["listeners"][0]["access"] = {"deny": ["127.0.0.1"]}
        lbd.reload(conf)
        equal(c.get().status, 403, "after")
        equal(is_reset(lbd.address(), "127.0.0.1"), True, "a new one is reset")
        conf["listeners"][0]["access"] = {"allow": ["127.0.0.1"]}
        lbd.reload(conf)
        equal(c.get().status, 204, "allowed again")


def test_unix_sockets_are_open():
    conf = config("127.0.0.1:1", listener={"access": {"allow": ["203.0.113.1"]}, "rate_limit": {"requests_per_minute": 1},
                                           "routes": [{"path": "/", "respond": {"status": 204}}]})
    with Lbd(conf, start=False) as lbd:
        path = lbd.path("in.sock")
        lbd.config["listeners"][0]["bind"].append("unix:" + path)
        lbd.write_config()
        lbd.start()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            for _ in range(3):
                sock.sendall(request())
                equal(sock.recv(1000)[:12], b"HTTP/1.1 204", "answer")


def test_routes_by_whom_a_request_is_from():
    routes = [{"path_prefix": "/", "clients": ["203.0.113.0/24"], "respond": {"status": 201}},
              {"path_prefix": "/", "respond": {"status": 202}}]
    trusted = config("127.0.0.1:1", listener={"routes": routes, "forwarded": {"trust": ["127.0.0.1"]}})
    with Lbd(trusted) as lbd:
        for source, status in (("127.0.0.1", 201), ("127.0.0.2", 202)):
            with lbd.client(source) as c:
                equal(c.get("/", "X-Forwarded-For: 203.0.113.5").status, status, source)


def test_hashed_by_whom_a_request_is_from():
    servers = [Backend() for _ in range(4)]
    conf = config(*servers, pool={"algorithm": "consistent_hash"}, listener={"forwarded": {"trust": ["127.0.0.1"]}})
    with Lbd(conf) as lbd, lbd.client() as c:
        for i in 2 * list(range(16)):
            equal(c.get("/", f"X-Forwarded-For: 203.0.113.{i}").status, 200, "status")
        got = [sorted(m.one(b"x-forwarded-for") for m in s.requests) for s in servers]
        equal([names[::2] for names in got], [names[1::2] for names in got], "who came once and again to each server")
        check(sum(map(bool, got)) > 1, "one server has all clients")
    for server in servers:
        server.close()


def test_refused_connections_do_not_count():
    """limits.connections_per_client: who is refused takes nobody's place, however long it lingers."""
    conf = config("127.0.0.1:1", limits={"connections_per_client": 2}, workers=2,
                  listener={"routes": [{"path": "/", "respond": {"status": 204}}], "http2": True})
    with Lbd(conf) as lbd:
        first, second = lbd.client(), h2.connect(lbd.address())
        equal((first.get().status, second.request().status), (204, 204), "within the limit")
        lingering = [lbd.client() for _ in range(5)]
        for c in lingering:
            equal(c.response().status, 429, "beyond it")
        first.close()
        lbd.wait_metric("lbpair_connections", 6)
        with lbd.client() as c:
            equal(c.get().status, 204, "in the place of the first")
        for c in (second, *lingering):
            c.close()
        lbd.wait_metric("lbpair_rejected_total", 5, reason="client_limit")


def test_connections_per_client_are_exact():
    conf = config("127.0.0.1:1", limits={"connections_per_client": 10}, workers=4,
                  listener={"routes": [{"path": "/", "respond": {"status": 204}}]})
    with Lbd(conf) as lbd:
        for _ in range(3):
            clients = [lbd.client() for _ in range(40)]
            for c in clients:
                with contextlib.suppress(OSError):  # those that are refused have their answer already
                    c.send(request())
            got = [c.response().status for c in clients]
            equal((got.count(204), got.count(429)), (10, 30), "204 and 429 of 40 at once")
            for c in clients:
                c.close()
            lbd.wait_metric("lbpair_connections", 0)


def test_connections_per_client_over_tls():
    with Backend() as server, Lbd(tls_config(server, limits={"connections_per_client": 1})) as lbd:
        with tls_client(lbd) as c:
            equal(c.get().status, 200, "the first")
            try:
                with tls_client(lbd) as other:
                    equal(other.get().status, None, "the second")
            except (OSError, Broken):
                pass
            lbd.wait_metric("lbpair_rejected_total", 1, reason="client_limit")
        lbd.wait_metric("lbpair_connections", 0)
        with tls_client(lbd) as c:
            equal(c.get().status, 200, "when it has left")
