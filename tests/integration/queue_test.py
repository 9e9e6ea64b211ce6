"""servers[].max_connections over all workers, and the queue of those who wait for a server."""

import threading
import time

from harness import Backend, Lbd, check, config, equal, request, wait_for


class Gate:
    """A server that holds every request until it is let go, and knows how many it held at once."""

    def __init__(self):
        self.lock = threading.Condition()
        self.held = self.most = self.passes = 0

    def __call__(self, connection):
        while message := connection.request():
            with self.lock:
                self.held += 1
                self.most = max(self.most, self.held)
                self.lock.notify_all()
                self.lock.wait_for(lambda: self.passes > 0, 30)
                self.passes -= 1
                self.held -= 1
            connection.reply(message, message.target, 200)

    def wait_held(self, n):
        with self.lock:
            check(self.lock.wait_for(lambda: self.held == n, 10), f"{self.held} held, expected {n}")

    def let(self, n):
        with self.lock:
            self.passes += n
            self.lock.notify_all()


def limited(server, n):
    return {"address": server.address, "max_connections": n}


def test_no_more_than_the_limit_over_all_workers_and_all_are_served():
    gate = Gate()
    with Backend(gate) as server:
        with Lbd(config(limited(server, 3), workers=4)) as lbd:
            clients = [lbd.client() for _ in range(12)]
            for i, client in enumerate(clients):
                client.send(request("GET", f"/{i}"))
            gate.wait_held(3)
            lbd.wait_metric("lbpair_queued", 9, pool="web")
            equal(lbd.metric("lbpair_server_active"), 3, "lbpair_server_active")
            gate.let(12)
            for i, client in enumerate(clients):
                equal(client.response(b"GET").body, b"/%d" % i, "body")
                client.close()
            equal(gate.most, 3, "requests at the server at once")
            lbd.wait_metric("lbpair_queued", 0, pool="web")
            equal(lbd.metric("lbpair_queued_total", pool="web"), 9, "lbpair_queued_total")


def test_first_come_first_served():
    """Whichever worker a client came to."""
    gate, n = Gate(), 12
    with Backend(gate) as server, Lbd(config(limited(server, 1), workers=4)) as lbd:
        clients = []
        for i in range(n):
            clients.append(lbd.client())
            clients[-1].send(request("GET", f"/{i}"))
            if i == 0:
                gate.wait_held(1)
            else:
                lbd.wait_metric("lbpair_queued", i, pool="web")
        gate.let(n)
        for i, client in enumerate(clients):
            equal(client.response(b"GET").status, 200, f"status of request {i}")
            client.close()
        equal([r.target for r in server.requests], [b"/%d" % i for i in range(n)], "order at the server")


def test_another_server_below_its_limit_takes_it():
    one, two = Gate(), Gate()
    with Backend(one) as first, Backend(two) as second:
        with Lbd(config(limited(first, 1), limited(second, 2))) as lbd:
            clients = [lbd.client() for _ in range(3)]
            for client in clients:
                client.send(request())
            one.wait_held(1)
            two.wait_held(2)
            equal(lbd.metric("lbpair_queued", pool="web"), 0, "lbpair_queued")
            one.let(1)
            two.let(2)
            for client in clients:
                equal(client.response(b"GET").status, 200, "status")
                client.close()


def test_the_last_of_many_below_its_limit_takes_it():
    """However many are full."""
    gate, n = Gate(), 24
    with Backend(gate) as server:
        servers = [{**limited(server, 1), "name": f"s{i}"} for i in range(n)]
        for algorithm in ("round_robin", "least_connections", "ip_hash", "consistent_hash", "random"):
            with Lbd(config(*servers, pool={"algorithm": algorithm})) as lbd:
                clients = [lbd.client() for _ in range(n)]
                for client in clients:
                    client.send(request())
                gate.wait_held(n)
                equal(lbd.metric("lbpair_queued_total", pool="web"), 0, f"lbpair_queued_total, {algorithm}")
                gate.let(n)
                for client in clients:
                    equal(client.response(b"GET").status, 200, "status")
                    client.close()


def test_a_server_that_comes_up_serves_those_who_wait():
    gate = Gate()
    with Backend(gate) as server:
        one, two = ({**limited(server, 1), "name": name} for name in ("one", "two"))
        with Lbd(config(one, two, workers=3, timeouts={"queue": "20s"})) as lbd:
            lbd.command("server", name="web/two", action="maintenance")
            clients = [lbd.client() for _ in range(2)]
            for client in clients:
                client.send(request())
            gate.wait_held(1)
            lbd.wait_metric("lbpair_queued", 1, pool="web")
            lbd.command("server", name="web/two", action="ready")
            gate.wait_held(2)
            gate.let(2)
            for client in clients:
                equal(client.response(b"GET").status, 200, "status")
                client.close()


def test_who_may_not_use_the_free_server_holds_nobody_back():
    """A retry waits for the second server; the first, which it has been to, serves the others meanwhile."""
    gate = Gate()

    def slams_once(connection):
        while message := connection.request():
            if message.target == b"/again":
                return connection.reset_now()
            connection.reply(message)

    with Backend(slams_once) as first, Backend(gate) as second:
        conf = config(limited(first, 1), limited(second, 1),
                      pool={"retry": {"attempts": 1, "on": ["reset"]}}, timeouts={"queue": "10s"})
        with Lbd(conf) as lbd, lbd.client() as holds, lbd.client() as again, lbd.client() as other:
            while not gate.held:  # round robin starts anywhere
                holds.send(request("GET", "/hold"))
                wait_for(lambda: gate.held or not holds.silent(0.01), "an answer, or none")
                if not gate.held:
                    holds.response()
            again.send(request("GET", "/again"))
            lbd.wait_metric("lbpair_queued", 1, pool="web")
            start = time.monotonic()
            equal(other.get("/other").body, b"GET /other 0\n", "answer")
            check(time.monotonic() - start < 5, "a free server was not used")
            gate.let(2)
            equal(again.response().body, b"/again", "answer to the retry")


def test_a_limit_that_came_with_a_reload():
    """Exchanges from the time without a limit count, and wake those who wait when they end."""
    gate = Gate()
    with Backend(gate) as server, Lbd(config(server, timeouts={"queue": "20s"})) as lbd:
        with lbd.client() as first, lbd.client() as second:
            first.send(request("GET", "/first"))
            gate.wait_held(1)
            lbd.reload(config(limited(server, 1), timeouts={"queue": "20s"}))
            second.send(request("GET", "/second"))
            lbd.wait_metric("lbpair_queued", 1, pool="web")
            gate.let(2)
            start = time.monotonic()
            equal(first.response().body, b"/first", "answer")
            equal(second.response().body, b"/second", "answer to the one that waited")
            check(time.monotonic() - start < 5, "nobody woke it")


def test_the_last_one_of_an_old_configuration_is_answered_from_the_queue():
    """Its pool goes with it while the queue is looked through; the thread sanitizer sees who looks then."""
    gate = Gate()
    with Backend(gate) as server, Lbd(config(limited(server, 1), timeouts={"queue": "20s"})) as lbd:
        with lbd.client() as first, lbd.client() as second:
            first.send(request("GET", "/first"))
            gate.wait_held(1)
            second.send(request("GET", "/second"))
            lbd.wait_metric("lbpair_queued", 1, pool="web")
            lbd.reload(config(limited(server, 1)))
            lbd.command("server", name="web/" + server.address, action="maintenance")
            gate.let(1)
            equal(first.response().body, b"/first", "answer")
            equal(second.response().status, 503, "status of the one that waited")
            lbd.command("server", name="web/" + server.address, action="ready")
            gate.let(1)
            equal(lbd.get("/third").body, b"/third", "answer afterwards")


def test_waiting_ends_with_503_after_its_time():
    gate = Gate()
    with Backend(gate) as server:
        with Lbd(config(limited(server, 1), timeouts={"queue": "200ms"})) as lbd:
            with lbd.client() as first, lbd.client() as second:
                first.send(request("GET", "/first"))
                gate.wait_held(1)
                second.send(request("GET", "/second"))
                got = second.response(b"GET")
                equal(got.status, 503, "status")
                check(got.one(b"retry-after"), "no Retry-After")
                equal(lbd.metric("lbpair_rejected_total", reason="queue_timeout"), 1, "queue_timeout")
                gate.let(1)
                equal(first.response(b"GET").body, b"/first", "body")
                gate.let(1)
                equal(second.get("/third").body, b"/third", "the next request on the same connection")
                equal(len(server.requests), 2, "requests at the server")


def test_a_client_that_leaves_leaves_the_queue():
    gate = Gate()
    with Backend(gate) as server, Lbd(config(limited(server, 1))) as lbd:
        with lbd.client() as first:
            first.send(request("GET", "/first"))
            gate.wait_held(1)
            second = lbd.client()
            second.send(request("GET", "/second"))
            lbd.wait_metric("lbpair_queued", 1, pool="web")
            second.reset_now()
            lbd.wait_metric("lbpair_queued", 0, pool="web")
            gate.let(1)
            equal(first.response(b"GET").body, b"/first", "body")
        equal([r.target for r in server.requests], [b"/first"], "requests at the server")


def test_a_client_that_leaves_after_its_first_try_leaves_the_queue():
    """On a new connection, to which lbd has not listened yet when the first server slams the door."""
    gate = Gate()

    def slams(connection):
        connection.request()

    with Backend(gate) as busy, Backend(slams) as bad:
        with Lbd(config(limited(busy, 1), bad, timeouts={"queue": "20s"},
                        pool={"retry": {"attempts": 1, "on": ["reset"], "budget_percent": 100}})) as lbd:
            with lbd.client() as first:
                while not gate.held:  # round robin starts anywhere
                    first.send(request("POST", "/first"))
                    wait_for(lambda: gate.held or not first.silent(0.01), "an answer, or none")
                    if not gate.held:
                        equal(first.response(b"POST").status, 502, "status of the bad server's")
                for _ in range(3):
                    waits = lbd.client()
                    waits.send(request("GET", "/second"))
                    lbd.wait_metric("lbpair_queued", 1, pool="web")
                    waits.reset_now()
                    lbd.wait_metric("lbpair_queued", 0, 5, pool="web")
                gate.let(1)
                equal(first.response(b"POST").status, 200, "status")


def test_a_failed_request_waits_for_another_server():
    """What the first one said is not the last word while the others are only at their limits."""
    gate = Gate()

    def fails(connection):
        while message := connection.request():
            connection.reply(message, b"no", 503)

    with Backend(gate) as busy, Backend(fails) as bad:
        with Lbd(config(limited(busy, 1), bad, timeouts={"queue": "20s"},
                        pool={"retry": {"attempts": 1, "on": ["503"], "budget_percent": 100}})) as lbd:
            with lbd.client() as first, lbd.client() as second:
                while not gate.held:  # round robin starts anywhere
                    first.send(request("POST", "/first"))
                    wait_for(lambda: gate.held or not first.silent(0.01), "an answer, or none")
                    if not gate.held:
                        equal(first.response(b"POST").status, 503, "status of the bad server's")
                second.send(request("GET", "/second"))
                lbd.wait_metric("lbpair_queued", 1, pool="web")
                gate.let(2)
                equal(first.response(b"POST").status, 200, "status")
                equal(second.response().body, b"/second", "answer to the one that waited")
                equal(lbd.metric("lbpair_retries_total", pool="web"), 1, "lbpair_retries_total")


def test_a_body_waits_with_its_request():
    gate = Gate()
    with Backend(gate) as server, Lbd(config(limited(server, 1))) as lbd:
        with lbd.client() as first, lbd.client() as second:
            first.send(request("GET", "/first"))
            gate.wait_held(1)
            second.send(request("POST", "/second", body=b"x" * 200000))
            lbd.wait_metric("lbpair_queued", 1, pool="web")
            gate.let(2)
            equal(first.response(b"GET").status, 200, "status")
            equal(second.response(b"POST").status, 200, "status of the one that waited")
            equal(len(server.requests[1].body), 200000, "bytes of its body")
