"""What is tried again, where, how often, and what never is."""

import threading

from harness import (Backend, Lbd, ReservedPort, answer, check, config, echo, equal, request)

ALL = ["connect_failure", "reset", "timeout", "502", "503", "504"]


def retry(**keys):
    return {"retry": keys}


def always(status, *fields):
    """A server that gives every request this answer."""
    def script(connection):
        while message := connection.request():
            connection.reply(message, b"no", status, *fields)
    return script


def slams(connection):
    """Takes a request on every new connection and closes without a byte."""
    connection.request()


def test_a_refused_connect_goes_to_another_server():
    with ReservedPort() as dead, Backend() as server:
        with Lbd(config(dead.address, server, pool=retry(attempts=2))) as lbd:
            for i in range(10):
                equal(lbd.get(f"/{i}").body, b"GET /%d 0\n" % i, "body")
            check(lbd.metric("lbpair_retries_total", pool="web") >= 1, "no retry was counted")


def test_a_refused_connect_is_retried_for_post_too():
    """Nothing was sent: it cannot have had an effect."""
    with ReservedPort() as dead, Backend() as server:
        with Lbd(config(dead.address, server, pool=retry(attempts=2))) as lbd:
            for i in range(6):
                with lbd.client() as client:
                    client.send(request("POST", f"/{i}", body=b"x" * 50))
                    equal(client.response(b"POST").body, b"POST /%d 50\n" % i, "body")
            equal(len(server.requests), 6, "requests at the server")


def test_retries_of_connects_are_outside_the_budget():
    with ReservedPort() as dead, Backend() as server:
        pool = {**retry(attempts=1, budget_percent=0), "algorithm": "random"}
        with Lbd(config(dead.address, server, pool=pool)) as lbd:
            for _ in range(30):
                equal(lbd.get().status, 200, "status")


def test_three_refused_connects_take_a_server_out():
    with ReservedPort() as dead, Backend() as server:
        with Lbd(config(dead.address, server, pool=retry(attempts=2))) as lbd:
            for _ in range(30):
                equal(lbd.get().status, 200, "status")
            equal(lbd.metric("lbpair_retries_total", pool="web"), 3, "retries until it was out")
            equal(lbd.metric("lbpair_server_up", server=dead.address), 0, "lbpair_server_up")


def test_attempts_bound_the_tries():
    """attempts counts tries after the first."""
    for attempts in (0, 1, 3):
        servers = [Backend(slams) for _ in range(5)]
        with Lbd(config(*servers, pool=retry(attempts=attempts, budget_percent=100))) as lbd:
            equal(lbd.get().status, 502, "status")
            equal(sum(len(s.requests) for s in servers), attempts + 1, f"tries with attempts {attempts}")
            check(all(len(s.requests) <= 1 for s in servers), "a server was tried twice")
            equal(lbd.metric("lbpair_retries_total", pool="web") or 0, attempts, "lbpair_retries_total")
        for server in servers:
            server.close()


def test_the_race_of_an_idle_connection_is_no_attempt():
    """The first connection dies when it is used again, the second is reset; the one retry is still there."""
    connections = []

    def script(connection):
        connections.append(connection)
        if len(connections) == 1:
            connection.reply(connection.request())
            connection.request_head()
        elif len(connections) == 2:
            slams(connection)
        else:
            echo(connection)

    with Backend(script) as one, Backend(script) as two:
        with Lbd(config(one, two, pool={"algorithm": "ip_hash", **retry(attempts=1, on=["reset"])})) as lbd:
            equal(lbd.get("/warm").status, 200, "status")
            equal(lbd.get("/again").body, b"GET /again 0\n", "answer")
            equal(len(connections), 3, "connections")


def test_a_reset_is_retried_for_get_alone():
    with Backend(slams) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=retry(attempts=2, budget_percent=100))) as lbd:
            for i in range(10):
                equal(lbd.get(f"/{i}").status, 200, "status of a GET")
            statuses = []
            for i in range(10):
                with lbd.client() as client:
                    client.send(request("POST", f"/post{i}", body=b"x" * (i % 3)))
                    statuses.append(client.response(b"POST").status)
            equal(sorted(set(statuses)), [200, 502], "statuses of POSTs")
            posts = [m.target for s in (bad, good) for m in s.requests if m.method == b"POST"]
            equal(len(posts), 10, "POSTs that reached a server, each once")


def test_non_idempotent_true_retries_post():
    with Backend(slams) as bad, Backend() as good:
        pool = retry(attempts=2, budget_percent=100, non_idempotent=True)
        with Lbd(config(bad, good, pool=pool)) as lbd:
            for i in range(6):
                with lbd.client() as client:
                    client.send(request("POST", f"/{i}", body=b"hello"))
                    equal(client.response(b"POST").body, b"POST /%d 5\n" % i, "body")


def test_on_selects_what_is_retried():
    with Backend(slams) as bad, Backend() as good:
        pool = retry(attempts=2, budget_percent=100, on=["connect_failure"])
        with Lbd(config(bad, good, pool=pool)) as lbd:
            equal(sorted({lbd.get().status for _ in range(6)}), [200, 502], "statuses")


def test_status_503_is_retried_when_asked_for():
    with Backend(always(503)) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=retry(attempts=2, budget_percent=100, on=ALL))) as lbd:
            for i in range(10):
                equal(lbd.get(f"/{i}").status, 200, "status")
            check(len(bad.requests) >= 4, "the bad server got nothing")


def test_status_503_is_passed_on_by_default():
    with Backend(always(503)) as bad, Backend() as good:
        with Lbd(config(bad, good, pool={"retry": {}})) as lbd:
            equal(sorted({lbd.get().status for _ in range(6)}), [200, 503], "statuses")


def test_the_last_answer_is_passed_on():
    """All servers say 503: the client gets the server's own answer, not lbd's."""
    with Backend(always(503)) as one, Backend(always(503)) as two:
        with Lbd(config(one, two, pool=retry(attempts=5, budget_percent=100, on=ALL))) as lbd:
            got = lbd.get()
            equal((got.status, got.body), (503, b"no"), "answer")
            equal(len(one.requests) + len(two.requests), 2, "tries")


def test_a_timeout_is_retried_when_asked_for():
    def hangs(connection):
        connection.request()
        connection.read_to_end()

    top = {"timeouts": {"response": "300ms", "drain": "2s"}}
    with Backend(hangs) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=retry(attempts=1, budget_percent=100, on=["timeout"]), **top)) as lbd:
            for _ in range(4):
                equal(lbd.get().status, 200, "status")
            equal(len(bad.requests), 2, "requests at the server that hangs")


def test_the_budget_bounds_retries():
    """20 percent of the requests, which is more than the least that it has."""
    with Backend(always(503)) as one, Backend(always(503)) as two:
        pool = retry(attempts=1, budget_percent=20, budget_min=3, on=ALL)
        with Lbd(config(one, two, pool=pool)) as lbd, lbd.client() as client:
            for _ in range(100):
                equal(client.get().status, 503, "status")
            tries = len(one.requests) + len(two.requests) - 100
            check(18 <= tries <= 23, f"{tries} retries of 100 requests with a budget of 20 %")
            lbd.wait_metric("lbpair_retries_total", tries, pool="web")


def test_a_budget_of_nothing_still_allows_its_least():
    with Backend(always(503)) as one, Backend(always(503)) as two:
        pool = retry(attempts=1, budget_percent=0, budget_min=3, on=ALL)
        with Lbd(config(one, two, pool=pool)) as lbd, lbd.client() as client:
            for _ in range(30):
                equal(client.get().status, 503, "status")
            equal(len(one.requests) + len(two.requests) - 30, 3, "retries")


def test_a_body_that_streamed_is_not_sent_again():
    """PUT is idempotent, but its megabyte is gone when the server breaks off: no second try is possible."""
    def takes_and_slams(connection):
        connection.request_head()
        connection.read_exactly(700000)

    with Backend(takes_and_slams) as bad, Backend() as good:
        conf = config(bad, good, pool=retry(attempts=2, budget_percent=100))
        with Lbd(conf) as lbd:
            statuses = []
            for i in range(2):
                with lbd.client() as client:
                    try:
                        client.send(request("PUT", f"/{i}", body=b"x" * 1000000))
                    except OSError:
                        pass  # lbd answered before it had read all
                    statuses.append(client.response(b"PUT").status)
            equal(sorted(statuses), [200, 502], "statuses")


def test_a_small_body_is_sent_again_in_full():
    with Backend(slams) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=retry(attempts=2, budget_percent=100))) as lbd:
            for i in range(4):
                with lbd.client() as client:
                    client.send(request("PUT", f"/{i}", body=b"payload" * 10))
                    equal(client.response(b"PUT").body, b"PUT /%d 70\n" % i, "body")
            check(all(m.body == b"payload" * 10 for m in good.requests), "a body was not whole")


def test_no_retry_once_the_answer_began():
    def breaks_off(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Le")

    with Backend(breaks_off) as bad, Backend(breaks_off) as bad2:
        with Lbd(config(bad, bad2, pool=retry(attempts=0))) as lbd:
            equal(lbd.get().status, 502, "status")
            equal(len(bad.requests) + len(bad2.requests), 1, "tries")


def test_retries_are_counted_in_the_log():
    from access_log_test import access_log, records
    with Backend(slams) as bad, Backend() as good:
        conf = config(bad, good, pool=retry(attempts=2, budget_percent=100), log=access_log())
        with Lbd(conf, start=False) as lbd:
            records_of = records(lbd)
            lbd.start()
            for i in range(4):
                equal(lbd.get(f"/{i}").status, 200, "status")
            equal(sorted(r["retries"] for r in records_of(4)), [0, 0, 1, 1], "retries in the access log")


def test_parallel_failures_share_no_state():
    """Many requests fail and are retried at once: every client gets its own answer."""
    with Backend(slams) as bad, Backend() as good:
        with Lbd(config(bad, good, pool=retry(attempts=1, budget_percent=100), workers=2)) as lbd:
            errors = []

            def many(n):
                try:
                    for i in range(20):
                        equal(lbd.get(f"/{n}/{i}").body, b"GET /%d/%d 0\n" % (n, i), "body")
                except Exception as e:  # noqa: BLE001 - reported below
                    errors.append(e)
            threads = [threading.Thread(target=many, args=(n,)) for n in range(6)]
            for t in threads:
                t.start()
            for t in threads:
                t.join(60)
            equal(errors, [], "errors")


def test_a_retry_prefers_a_server_that_was_not_tried():
    with Backend(slams) as bad, Backend(always(503)) as middling, Backend(echo) as good:
        pool = retry(attempts=2, budget_percent=100, on=ALL)
        for i in range(4):  # a fresh lbd each time: two retries of one request are within any budget
            with Lbd(config(bad, middling, good, pool=pool)) as lbd:
                equal(lbd.get(f"/{i}").body, b"GET /%d 0\n" % i, "body")


def test_retry_after_of_a_server_is_respected():
    """A 503 with Retry-After is meant for the client."""
    with Backend(always(503, "Retry-After: 7")) as one, Backend(always(503, "Retry-After: 7")) as two:
        with Lbd(config(one, two, pool=retry(attempts=2, budget_percent=100, on=ALL))) as lbd:
            got = lbd.get()
            equal((got.status, got.all(b"retry-after")), (503, [b"7"]), "answer")
            equal(len(one.requests) + len(two.requests), 1, "tries")


def test_answers_of_lbd_itself_are_not_the_servers():
    with Backend(lambda c: c.request() and c.send(answer(b"x", 200)[:9])) as server:
        with Lbd(config(server)) as lbd:
            got = lbd.get()
            equal(got.status, 502, "status")
            check(len(got.body) < 1000, "a long answer")
