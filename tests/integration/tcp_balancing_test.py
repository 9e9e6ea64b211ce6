"""TCP mode: servers are chosen, tried, spared, drained and eased in as they are for requests."""

import contextlib
from collections import Counter

from balancing_test import weighted
from harness import Backend, Client, Lbd, ReservedPort, check, equal, wait_for
from protection_test import breaker
from proxy_protocol_test import haproxy
from tcp_test import logged, records, shout, tcp
from tls_peers import usual


def says(number):
    """Its name first, as mail servers do; then it listens."""
    def script(connection):
        connection.send(b"s%d" % number)
        connection.read_to_end()
    return script


@contextlib.contextmanager
def servers(n):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Backend(says(i))) for i in range(n)]


def ask(lbd, source=None):
    """The server of one connection."""
    with lbd.client(source) as client:
        return client.read_exactly(2).decode()


def asked(lbd, n):
    return Counter(ask(lbd) for _ in range(n))


def test_each_algorithm():
    """Hashes: tcp_test."""
    with servers(3) as three:
        for algorithm, check_counts in (
                ("round_robin", lambda c: c == {"s0": 10, "s1": 6, "s2": 4}),
                ("random", lambda c: c.total() == 20),
                ("least_response_time", lambda c: c.total() == 20)):
            with Lbd(tcp(*weighted(three, (5, 3, 2)), pool={"algorithm": algorithm})) as lbd:
                got = asked(lbd, 20)
                check(check_counts(got), f"{algorithm}: {got}")
        with Lbd(tcp(*weighted(three, (2, 1, 1)), pool={"algorithm": "least_connections"}, workers=2)) as lbd:
            clients, got = [], []
            for _ in range(8):
                clients.append(lbd.client())
                got.append(clients[-1].read_exactly(2))
            equal(Counter(got), {b"s0": 4, b"s1": 2, b"s2": 2}, "connections that are open at once")
            for client in clients:
                client.close()


def test_shares_of_pools():
    with servers(2) as two:
        conf = tcp(two[0], listener={"routes": [
            {"clients": ["127.0.0.0/8"], "split": [{"pool": "web", "weight": 3}, {"pool": "new", "weight": 1}]}]})
        conf["pools"].append({**conf["pools"][0], "name": "new", "servers": [{"address": two[1].address}]})
        with Lbd(conf) as lbd:
            got = asked(lbd, 100)
            check(4 <= got["s1"] <= 46, f"a quarter of 100: {got}")  # five standard deviations


def test_drain_and_maintenance():
    with Backend(shout) as one, Backend(shout) as other, \
            Lbd(tcp({"name": "one", "address": one.address}, {"name": "other", "address": other.address, "weight": 0})) as lbd:
        def echoes(client):
            client.send(b"x")
            equal(client.read_exactly(1), b"X", "echo")

        def opened(n):
            """How many of so many new connections go to the first."""
            before = len(one.connections)
            for _ in range(n):
                with lbd.client() as client:
                    echoes(client)
            return len(one.connections) - before

        with lbd.client() as old:
            echoes(old)
            equal(len(one.connections), 1, "connections to the first")
            lbd.command("server", name="web/other", action="weight", value=1)
            for action in "drain", "maintenance":
                lbd.command("server", name="web/one", action=action)
                equal(opened(4), 0, f"new connections to a server in {action}")
                echoes(old)
            lbd.command("server", name="web/one", action="drain")
            start = lbd.log.count()
        lbd.log.wait("server_drained.*one", start=start - 1)
        lbd.command("server", name="web/one", action="ready")
        equal(opened(4), 2, "new connections when it is ready")


def test_backups():
    with servers(3) as three:
        listed = weighted(three, (1, 1, 1))
        listed[2]["backup"] = True
        with Lbd(tcp(*listed)) as lbd:
            equal(set(asked(lbd, 6)), {"s0", "s1"}, "servers")
            for name in "s0", "s1":
                lbd.command("server", name=f"web/{name}", action="maintenance")
            equal(set(asked(lbd, 3)), {"s2"}, "without the others")
    with servers(1) as one, ReservedPort() as dead:
        listed = [{"address": dead.address}, {"address": one[0].address, "backup": True}]
        checks = {"health_check": {"type": "tcp", "interval": "50ms", "timeout": "50ms", "fall": 1}}
        with Lbd(tcp(*listed, pool=checks)) as lbd:
            lbd.wait_metric("lbpair_server_up", 0, server=dead.address)
            equal(asked(lbd, 3), {"s0": 3}, "when the other one is down")


def test_connections_to_a_server_that_is_down():
    """Its port for checks says so, while it goes on serving: a primary that has become a standby."""
    check_pool = {"type": "tcp", "send": "?", "expect": "primary", "interval": "50ms", "timeout": "50ms", "fall": 1,
                  "on_down": "close"}
    role = [b"primary"]
    with Backend(shout) as one, Backend(shout) as two, Backend(lambda c: (c.read_some(), c.send(role[0]))) as checks:
        servers = [{"address": one.address, "name": "one"}, {"address": two.address, "name": "two", "backup": True}]

        def conf(**more):
            return logged(tcp(*servers, pool={"health_check": {**check_pool, "port": checks.port, **more}}, workers=2))
        with Lbd(conf()) as lbd:
            lbd.wait_metric("lbpair_server_up", 1, server="one")
            clients = [lbd.client() for _ in range(4)]
            for client in clients:
                client.send(b"x")
                equal(client.read_exactly(1), b"X", "echo")
            role[0] = b"standby"
            for client in clients:
                client.read_to_end()
                check(client.reset, "the end looks orderly")
            equal({(r["server"], r["termination"]) for r in records(lbd, 4)}, {("one", "server_down")}, "records")
            role[0] = b"primary"
            lbd.wait_metric("lbpair_server_up", 1, server="one")
            lbd.reload(conf(on_down="keep"))
            with lbd.client() as client:
                client.send(b"x")
                equal(client.read_exactly(1), b"X", "echo")
                role[0] = b"standby"
                lbd.wait_metric("lbpair_server_up", 0, server="one")
                client.send(b"y")
                equal(client.read_exactly(1), b"Y", "echo where connections are kept")


def test_slow_start():
    with servers(2) as two, Lbd(tcp(*weighted(two, (1, 1)), pool={"slow_start": "1h"})) as lbd:
        equal(asked(lbd, 10)["s0"], 5, "connections at the start")
        lbd.command("server", name="web/s0", action="maintenance")
        lbd.command("server", name="web/s0", action="ready")
        check(1 <= asked(lbd, 130)["s0"] <= 4, "it has all of its weight at once")


def test_a_circuit_opens_and_is_probed():
    """Connections that are refused count; a probe is a client's connection, which nothing happens to."""
    with servers(2) as two, ReservedPort() as port:
        listed = [{"address": port.address, "name": "bad"}, *weighted(two, (1, 1))]
        pool = {"retry": {"attempts": 2}, **breaker(consecutive_failures=1, open="100ms", max_open="100ms")}
        with Lbd(tcp(*listed, pool=pool, workers=2)) as lbd:
            wait_for(lambda: ask(lbd) and lbd.log.find("server_circuit_opened pool=web server=bad"), "it to open")
            equal(set(asked(lbd, 20)), {"s0", "s1"}, "servers while it is open")
            number = port.port
            port.close()
            with Backend(says(2), port=number):
                wait_for(lambda: ask(lbd) and lbd.log.find("server_circuit_closed pool=web server=bad"), "it to close")
                wait_for(lambda: "s2" in asked(lbd, 3), "a connection to it")
            equal(lbd.metric("lbpair_rejected_total"), 0, "connections that came to nothing")


def test_one_more_than_may_wait():
    with Backend(shout) as server:
        conf = logged(tcp({"address": server.address, "max_connections": 1}, pool={"queue": {"size": 1}}, workers=2))
        with Lbd(conf) as lbd, lbd.client() as first:
            first.send(b"a")
            equal(first.read_exactly(1), b"A", "echo")
            with lbd.client() as second:
                lbd.wait_metric("lbpair_queued", 1, pool="web")
                with contextlib.suppress(ConnectionResetError), lbd.client() as third:
                    equal(third.read_to_end(), b"", "an answer")
                    check(third.reset, "the end looks orderly")
                equal(records(lbd)[0]["termination"], "queue_full", "termination")
                first.close()
                second.send(b"b")
                equal(second.read_exactly(1), b"B", "echo to the one that waited")


HAPROXY = """
defaults
 mode tcp
 timeout connect 5s
 timeout client 30s
 timeout server 30s
 timeout tunnel 30s
listen front
 bind 127.0.0.1:{front}
 server lbd 127.0.0.1:{lbd} send-proxy-v2 ssl verify none sni str(www.example.org) alpn mqtt
frontend end
 mode http
 bind 127.0.0.1:{end} accept-proxy
 http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[fc_pp_authority] %[fc_pp_unique_id]"
"""


def test_between_haproxy_and_haproxy():
    """Its TLS with ALPN ends here, behind its PROXY header; what is behind us hears of the client and of the name."""
    with contextlib.ExitStack() as stack:
        front, end = (stack.enter_context(ReservedPort()).port for _ in range(2))
        conf = logged(tcp(f"127.0.0.1:{end}", pool={"send_proxy_protocol": 2}, listener={
            "proxy_protocol": True, "tls": {"certificates": [usual().config()], "alpn": ["mqtt"]}}))
        lbd = stack.enter_context(Lbd(conf))
        text = HAPROXY.format(front=front, end=end, lbd=lbd.address()[1])
        stack.enter_context(haproxy(text, [("127.0.0.1", end), ("127.0.0.1", front)]))
        with Client(("127.0.0.1", front)) as client:
            source = ":".join(map(str, client.sock.getsockname()))
            equal(client.get().body.decode().split(), [source, "www.example.org"], "what the end was told")
        equal([records(lbd)[0][k] for k in ("client", "host", "termination")],
              ["127.0.0.1", "www.example.org", "ok"], "record")
