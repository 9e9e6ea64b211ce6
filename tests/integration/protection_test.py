"""Servers that fail are spared and tried again; backups, the queue's limit, and how long one try may take."""

import itertools
import threading

import h2
import h2_server_test
from harness import Backend, BackendProcess, Lbd, check, config, equal, request, wait_for
from queue_test import Gate, limited

FAILURES = ["connect_failure", "reset", "timeout", "502", "503", "504"]


def breaker(**keys):
    """Opens after three failures in a row, for longer than any test."""
    return {"circuit_breaker": {"consecutive_failures": 3, "error_percent": 0, "open": "1h", "max_open": "24h", **keys}}


class Moody:
    """A server whose answers the test chooses: a status, or None to close without one."""

    def __init__(self, status):
        self.status = status

    def __call__(self, connection):
        while message := connection.request():
            if self.status is None:
                return
            connection.reply(message, b"moody", self.status)


def hangs(connection):
    connection.request()
    connection.read_to_end()


def get_until(lbd, pattern):
    """Requests until that is in the log."""
    return wait_for(lambda: lbd.get() and lbd.log.find(pattern), f"{pattern!r} in the log")


def states(lbd):
    return {s["name"]: s["circuit"] for s in lbd.command("servers")["servers"]}


def test_failures_in_a_row_open_the_circuit_in_all_workers():
    """Connections that break count as answers do."""
    turns = itertools.cycle([503, None])

    def fails(connection):
        message, status = connection.request(), next(turns)
        if message and status:
            connection.reply(message, b"no", status, "Connection: close")

    with Backend(fails) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=breaker(), workers=3)) as lbd:
            get_until(lbd, rf"server_circuit_opened pool=web server={bad.address} "
                           r"reason=consecutive_failures for_ms=3600000$")
            equal(len(bad.requests), 3, "requests until it was open")
            equal([lbd.get().status for _ in range(20)], [200] * 20, "statuses after that")
            equal(len(bad.requests), 3, "requests at the server that is spared")
            equal(states(lbd), {bad.address: "open", good.address: "closed"}, "circuits")
            equal(lbd.metric("lbpair_server_circuit_open", server=bad.address), 1, "lbpair_server_circuit_open")
            equal(lbd.metric("lbpair_server_available", server=bad.address), 0, "lbpair_server_available")
            equal(lbd.metric("lbpair_server_circuit_opened_total", server=bad.address,
                             reason="consecutive_failures"), 1, "lbpair_server_circuit_opened_total")


def test_an_error_rate_opens_it():
    turns = itertools.cycle([200, 200, 503])

    def third_fails(connection):
        while message := connection.request():
            connection.reply(message, b"x", next(turns))

    keys = {"consecutive_failures": 0, "error_percent": 33, "min_requests": 30}
    with Backend(third_fails) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=breaker(**keys))) as lbd, lbd.client() as client:
            wait_for(lambda: client.get() and lbd.log.find("server_circuit_opened .* reason=error_percent "), "open")
            equal(len(bad.requests), 30, "requests until it was open")


def test_probes_decide_and_open_times_double():
    moody = Moody(503)
    with Backend(moody) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=breaker(open="50ms", probes=2), workers=2)) as lbd:
            get_until(lbd, r"reason=consecutive_failures for_ms=50$")
            get_until(lbd, r"reason=probe for_ms=100$")
            get_until(lbd, r"reason=probe for_ms=200$")
            seen = len(bad.requests)
            check(seen >= 5, "an opening without a failed probe")
            moody.status = 200
            get_until(lbd, rf"server_circuit_closed pool=web server={bad.address}$")
            check(len(bad.requests) >= seen + 2, "it closed without two probes")
            wait_for(lambda: lbd.get() and len(bad.requests) > seen + 2, "its share of the requests")
            equal(states(lbd)[bad.address], "closed", "circuit")


def test_no_more_than_the_share_is_spared():
    servers = [Backend(Moody(503)) for _ in range(5)]
    with Lbd(config(*servers, pool=breaker(), workers=2)) as lbd:
        for _ in range(60):
            equal(lbd.get().status, 503, "status")
        lbd.wait_metric("lbpair_server_circuit_open", 2, pool="web")
        equal(lbd.metric("lbpair_server_circuit_opened_total", pool="web"), 2, "circuits opened, of five")
        equal(lbd.metric("lbpair_pool_panic", pool="web"), 0, "lbpair_pool_panic")
    for server in servers:
        server.close()


def test_a_reload_without_it_closes_circuits():
    moody = Moody(503)
    with Backend(moody) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=breaker())) as lbd:
            get_until(lbd, "server_circuit_opened")
            lbd.reload(config(bad, good, pool={**breaker(), "retry": {"attempts": 1}}))
            equal(states(lbd)[bad.address], "open", "circuit after a reload")
            lbd.reload(config(bad, good))
            equal(states(lbd)[bad.address], "closed", "circuit after a reload without circuit_breaker")
            seen = len(bad.requests)
            wait_for(lambda: lbd.get() and len(bad.requests) > seen, "its share of the requests")


def test_a_probe_from_before_a_reload_blocks_nobody():
    """Its result does not count any more: another one is sent."""
    asked, go_on, status = threading.Event(), threading.Event(), 503

    def script(connection):
        while message := connection.request():
            if len(connection.backend.requests) == 4:
                asked.set()
                go_on.wait(30)
            connection.reply(message, b"x", status)

    pool = {**breaker(open="20ms"), "retry": {"attempts": 1, "on": ["503"], "budget_percent": 100}}
    with Backend(script) as bad, Backend() as good, Lbd(config(bad, good, pool=pool)) as lbd:
        get_until(lbd, "server_circuit_opened")
        with lbd.client() as client:
            while not asked.is_set():
                client.send(request())
                wait_for(lambda: asked.is_set() or not client.silent(0.01), "an answer, or a probe")
                if not asked.is_set():
                    client.response()
            lbd.reload(config(bad, good, pool={**pool, "algorithm": "random"}))
            go_on.set()
            equal(client.response().status, 200, "status of the probe, tried again elsewhere")
        status = 200
        get_until(lbd, "server_circuit_closed")


def test_backups_serve_only_while_no_other_can():
    servers = [Backend() for _ in range(4)]
    with Lbd(config(*servers[:2], *({"address": s.address, "backup": True} for s in servers[2:]))) as lbd:
        def used():
            before = [len(s.requests) for s in servers]
            for _ in range(8):
                equal(lbd.get().status, 200, "status")
            return [len(s.requests) - n for s, n in zip(servers, before)]

        def admin(i, action):
            lbd.command("server", name=f"web/{servers[i].address}", action=action)

        equal(used(), [4, 4, 0, 0], "requests with all servers")
        admin(0, "maintenance")
        equal(used(), [0, 8, 0, 0], "requests with one server")
        admin(1, "drain")
        equal(used(), [0, 0, 4, 4], "requests with backups alone")
        admin(0, "ready")
        equal(used(), [8, 0, 0, 0], "requests with one server again")
        equal([s["backup"] for s in lbd.command("servers")["servers"]], [False, False, True, True], "backup")
    for server in servers:
        server.close()


def test_servers_that_come_back_begin_slowly():
    """Out of maintenance, and when a circuit closes; not at the start."""
    moody = Moody(200)
    pool = {"slow_start": "1h", **breaker(open="50ms")}
    with Backend(moody) as one, Backend() as two, Lbd(config(one, two, pool=pool)) as lbd:
        def used(n=130):
            """Of so many requests, those at the first server."""
            before = len(one.requests)
            for _ in range(n):
                lbd.get()
            return len(one.requests) - before

        equal(used(20), 10, "requests at the start")
        lbd.command("server", name=f"web/{one.address}", action="drain")
        lbd.command("server", name=f"web/{one.address}", action="ready")
        equal(used(20), 10, "requests after drain")
        moody.status = 503
        get_until(lbd, "server_circuit_opened")
        moody.status = 200
        get_until(lbd, "server_circuit_closed")
        check(1 <= used() <= 4, "it has all of its weight at once after its circuit closed")
        lbd.reload(config(one, two, pool={"slow_start": "1h"}))
        check(1 <= used() <= 4, "it has all of its weight at once after a reload")
        lbd.reload(config(one, two))
        equal(used(20), 10, "requests without slow_start")
        lbd.reload(config(one, two, pool={"slow_start": "1h"}))
        lbd.command("server", name=f"web/{one.address}", action="maintenance")
        lbd.command("server", name=f"web/{one.address}", action="ready")
        check(1 <= used() <= 4, "it has all of its weight at once after maintenance")


def test_one_more_than_may_wait_is_refused():
    gate = Gate()
    with Backend(gate) as server:
        with Lbd(config(limited(server, 1), pool={"queue": {"size": 3}}, workers=3)) as lbd:
            clients = [lbd.client() for _ in range(4)]
            for client in clients:
                client.send(request())
            gate.wait_held(1)
            lbd.wait_metric("lbpair_queued", 3, pool="web")
            got = lbd.get()
            equal((got.status, got.all(b"retry-after")), (503, [b"5"]), "answer")
            equal(lbd.metric("lbpair_rejected_total", listener="in", reason="queue_full"), 1, "lbpair_rejected_total")
            equal(lbd.metric("lbpair_queued_total", pool="web"), 3, "lbpair_queued_total")
            gate.let(4)
            equal([c.response().status for c in clients], [200] * 4, "statuses of those that waited")
            for client in clients:
                client.close()


def test_a_try_may_last_only_so_long():
    retry = {"attempts": 2, "on": ["timeout"], "budget_percent": 100, "per_try_timeout": "150ms"}
    with Backend(hangs) as bad, Backend() as good, Backend() as other:  # another, should a busy machine hang as well
        with Lbd(config(bad, good, other, pool={"retry": retry})) as lbd:
            equal([lbd.get().status for _ in range(3)], [200] * 3, "statuses")
            check(len(bad.requests) >= 1, "the server that hangs was not asked")
        with Lbd(config(bad, pool={"retry": retry})) as lbd:
            equal(lbd.get().status, 504, "status where there is no other server")


def test_what_was_in_flight_to_a_server_that_is_spared_costs_no_budget():
    """Ten requests hang at once, more than the budget has: three open the circuit, the others are the last there."""
    pool = {"retry": {"attempts": 1, "on": ["timeout"], "budget_percent": 0, "budget_min": 3, "per_try_timeout": "500ms"},
            **breaker()}
    with Backend(hangs) as bad, BackendProcess() as good, Lbd(config(bad, good, pool=pool, workers=2)) as lbd:
        clients = [lbd.client() for _ in range(20)]
        for client in clients:
            client.send(request())
        equal([c.response().status for c in clients], [200] * 20, "statuses")
        check(len(bad.requests) > 3, "too few requests hung")
        equal(lbd.metric("lbpair_retries_denied_total", pool="web"), 0, "lbpair_retries_denied_total")
        for client in clients:
            client.close()


def test_what_may_not_be_tried_again_has_all_its_time():
    """A POST that has been sent gains nothing from the end of its try."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow(connection):
        message = connection.request()
        arrived.set()
        go_on.wait(30)
        connection.reply(message)

    retry = {"attempts": 2, "on": ["timeout"], "budget_percent": 100, "per_try_timeout": "100ms"}
    with Backend(slow) as server:
        with Lbd(config(server, pool={"retry": retry})) as lbd, lbd.client() as client:
            client.send(request("POST", "/order", body=b"x"))
            arrived.wait(30)
            threading.Timer(0.4, go_on.set).start()
            equal(client.response(b"POST").status, 200, "status")


def test_servers_of_http2_are_spared_too():
    """A stream that is not answered in time is given up; after three of them the circuit opens."""
    def silent(connection):
        server = h2_server_test.Server(connection)
        while (stream := server.next()) is not None:
            connection.backend.requests.append(server.answers[stream])

    retry = {"attempts": 2, "on": ["timeout"], "budget_percent": 100, "per_try_timeout": "150ms"}
    with Backend(silent) as bad, Backend(h2_server_test.echo) as good, Backend(h2_server_test.echo) as other:
        conf = config(bad, good, other, listener={"http2": True}, pool={"http2": True, "retry": retry, **breaker()})
        with Lbd(conf) as lbd, h2.connect(lbd.address()) as c:
            equal([c.request(2 * i + 1).status for i in range(15)], [200] * 15, "statuses")
            equal(len(bad.requests), 3, "requests at the server that is silent")
            equal(states(lbd)[bad.address], "open", "circuit")


def test_an_answer_that_has_begun_may_take_its_time():
    begun, go_on = threading.Event(), threading.Event()

    def slow_body(connection):
        message = connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        begun.set()
        go_on.wait(30)
        connection.send(b"cd")
        connection.reply(connection.request())
        return message

    retry = {"attempts": 1, "on": ["timeout"], "per_try_timeout": "500ms"}
    with Backend(slow_body) as server:
        with Lbd(config(server, pool={"retry": retry})) as lbd, lbd.client() as client:
            client.send(request())
            begun.wait(30)
            threading.Timer(0.7, go_on.set).start()
            equal(client.response().body, b"abcd", "body")
            equal(client.get("/next").body, b"GET /next 0\n", "the next answer on that connection")


def flaky():
    """Three requests of ten fail, in turn: 502, closed without an answer, 503."""
    turns = itertools.cycle([200, 502, 200, 200, None, 200, 200, 503, 200, 200])

    def script(connection):
        while message := connection.request():
            status = next(turns)
            if status is None:
                return
            connection.reply(message, b"ok", status)
    return script


def over_http1(lbd, n):
    with lbd.client() as client:
        return [client.get(f"/{i}").status for i in range(n)]


def over_http2(lbd, n):
    with h2.connect(lbd.address()) as c:
        return [c.request(2 * i + 1).status for i in range(n)]


def test_a_flaky_server_and_one_that_hangs_cost_clients_nothing():
    """Less than one request of a thousand fails, over HTTP/1 and HTTP/2."""
    each, statuses, lock = 180, [], threading.Lock()

    def run(client):
        got = client(lbd, each)
        with lock:
            statuses.extend(got)

    pool = {"retry": {"attempts": 2, "on": FAILURES, "budget_percent": 50, "per_try_timeout": "400ms"},
            "circuit_breaker": {"open": "500ms"}}
    with BackendProcess() as one, BackendProcess() as two, Backend(flaky()) as bad, Backend(hangs) as worse:
        conf = config(one, two, bad, worse, pool=pool, listener={"http2": True}, workers=3)
        with Lbd(conf) as lbd:
            threads = [threading.Thread(target=run, args=(f,)) for f in [over_http1, over_http2] * 3]
            for t in threads:
                t.start()
            for t in threads:
                t.join(60)
            failed = [s for s in statuses if s != 200]
            equal(len(statuses), 6 * each, "requests that were answered")
            check(len(failed) * 1000 < len(statuses), f"of {len(statuses)} failed: {failed}")
            lbd.log.wait(rf"server_circuit_opened pool=web server={worse.address} reason=consecutive_failures")
            check(len(worse.requests) < 40, f"{len(worse.requests)} requests at the server that hangs")
            check(len(bad.requests) > 100, f"only {len(bad.requests)} requests at the flaky server")
