"""What clients get when servers or clients fail, and how soon."""

import threading
import time

from harness import (Backend, BlackHole, Lbd, ReservedPort, check, config, echo, equal, request, wait_for)


def hangs(connection):
    connection.request()
    connection.read_to_end()


def timed(call):
    start = time.monotonic()
    result = call()
    return result, time.monotonic() - start


def test_503_with_retry_after_when_no_server_can_be_reached():
    with ReservedPort() as dead, Lbd(config(dead.address)) as lbd:
        with lbd.client() as client:
            for _ in range(6):  # before and after the server was taken out of rotation
                got, seconds = timed(lambda: client.get("/"))
                equal(got.status, 503, "status")
                check(int(got.one(b"retry-after")) > 0, f"no Retry-After in {got}")
                check(seconds < 2, f"503 took {seconds:.3f} s")
        lbd.wait_metric("lbpair_requests_total", 6, code="503")


def test_503_at_once_when_the_operator_took_all_servers_out():
    with Backend() as server, Lbd(config(server)) as lbd:
        lbd.command("server", name="web/" + server.address, action="maintenance")
        got = lbd.get()
        equal(got.status, 503, "status")
        check(int(got.one(b"retry-after")) > 0, f"no Retry-After in {got}")
        equal(server.requests, [], "requests at the server")


def test_a_connect_that_never_ends_is_given_up():
    top = {"timeouts": {"connect": "300ms", "drain": "2s"}}
    with BlackHole() as hole, Lbd(config(hole.address, **top)) as lbd:
        got, seconds = timed(lbd.get)
        check(got.status in (503, 504), f"unexpected {got}")
        check(0.25 < seconds < 3, f"connect 300ms took {seconds:.3f} s")


def test_a_connect_that_never_ends_goes_elsewhere():
    top = {"timeouts": {"connect": "300ms", "drain": "2s"}}
    with BlackHole() as hole, Backend() as server:
        with Lbd(config(hole.address, server, pool={"retry": {"attempts": 1}}, **top)) as lbd:
            for i in range(4):
                equal(lbd.get(f"/{i}").body, b"GET /%d 0\n" % i, "body")


def test_504_when_the_server_does_not_answer_in_time():
    def hangs_on_even(connection):
        while message := connection.request():
            if int(message.target[1:]) % 2 == 0:
                connection.read_to_end()
                return
            connection.reply(message)

    top = {"timeouts": {"response": "300ms", "connect": "20s", "server_idle": "20s", "client_body": "20s",
                        "drain": "2s"}}
    with Backend(hangs_on_even) as server, Lbd(config(server, **top)) as lbd, lbd.client() as client:
        for i in range(4):  # on a new connection to the server first, then on one used before
            got, seconds = timed(lambda i=i: client.get(f"/{i}"))
            if i % 2 == 0:
                equal(got.status, 504, "status")
                check(0.25 < seconds < 5, f"response 300ms took {seconds:.3f} s")
            else:
                equal(got.body, b"GET /%d 0\n" % i, "the next request of the same client")
        equal([len(c.requests) for c in server.connections], [1, 2, 1], "requests on each connection")
        server.wait(lambda: server.connections[1].eof, "the server's connection to end")


def test_an_answer_that_stops_halfway_is_cut():
    def stops(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.read_to_end()

    top = {"timeouts": {"response": "300ms", "drain": "2s"}}
    with Backend(stops) as server, Lbd(config(server, **top)) as lbd, lbd.client() as client:
        client.send(request())
        start = time.monotonic()
        text = client.read_to_end()
        seconds = time.monotonic() - start
        check(text.endswith(b"\r\n\r\nhalf"), f"answer {text!r}")
        check(0.25 < seconds < 5, f"response 300ms took {seconds:.3f} s")


def test_an_answer_that_drips_is_not_cut():
    """timeouts.response bounds silence, not the length of an answer."""
    def drips(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            time.sleep(0.15)
            connection.send(b"x")
        echo(connection)

    top = {"timeouts": {"response": "600ms", "drain": "2s"}}
    with Backend(drips) as server, Lbd(config(server, **top)) as lbd:
        equal(lbd.get().body, b"x" * 10, "body")


def test_an_upload_is_not_under_the_response_time_out():
    """The server's time runs only once it has the whole request."""
    def script(connection):
        while message := connection.request(timeout=30):
            connection.reply(message)

    top = {"timeouts": {"response": "400ms", "client_body": "5s", "drain": "2s"}}
    with Backend(script) as server, Lbd(config(server, **top)) as lbd, lbd.client() as client:
        client.send(request("POST", "/", "Content-Length: 10"))
        for _ in range(10):
            time.sleep(0.1)
            client.send(b"x")
        equal(client.response(b"POST").body, b"POST / 10\n", "answer")


def test_502_keeps_the_clients_connection():
    def garbage(connection):
        connection.request()
        connection.send(b"garbage\r\n\r\n")

    with Backend(garbage) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        equal(client.get("/1").status, 502, "status")
        server.script = echo
        equal(client.get("/2").body, b"GET /2 0\n", "the next request")


def test_408_for_a_slow_head_is_counted():
    top = {"timeouts": {"client_header": "300ms", "drain": "2s"}}
    with Backend() as server, Lbd(config(server, **top)) as lbd, lbd.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: te")
        got, seconds = timed(client.response)
        equal(got.status, 408, "status")
        check(0.25 < seconds < 3, f"client_header 300ms took {seconds:.3f} s")
        client.expect_end()
        lbd.wait_metric("lbpair_rejected_total", 1, reason="client_header_timeout")
        equal(server.requests, [], "requests at the server")


def test_a_body_that_drips_below_the_minimum_rate_is_cut():
    """240 bytes a second from the fifth second on, although it never stops for client_body."""
    with Backend(hangs) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        server.tolerant = True
        client.send(request("POST", "/", "Content-Length: 100000"))
        start = time.monotonic()
        while client.silent(0.1) and time.monotonic() - start < 20:
            client.send(b"drip")
        seconds = time.monotonic() - start
        equal(client.response(b"POST").status, 408, "status")
        check(4 < seconds < 15, f"cut after {seconds:.1f} s")
        client.expect_end()
        server.wait(lambda: server.connections[0].eof, "the server's connection to end")


def test_a_body_above_the_minimum_rate_is_not_cut():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request("POST", "/", "Content-Length: 4000"))
        for _ in range(80):  # 8 s at 500 bytes a second
            time.sleep(0.1)
            client.send(b"x" * 50)
        equal(client.response(b"POST").body, b"POST / 4000\n", "answer")


def test_the_error_answer_survives_unread_input():
    """lbd answers before it has read all: the client must get the answer, not a reset."""
    with Backend() as server, Lbd(config(server, limits={"body_size": "64k"})) as lbd:
        for _ in range(10):
            with lbd.client() as client:
                sent = threading.Event()

                def upload(client=client, sent=sent):
                    try:
                        client.send(request("POST", "/", body=b"x" * 3000000))
                    except OSError:
                        pass  # the connection may end once the answer is out
                    sent.set()
                threading.Thread(target=upload, daemon=True).start()
                equal(client.response(b"POST").status, 413, "status")
                client.read_to_end()
                check(not client.reset, "the connection was reset")
                wait_for(sent.is_set, "the upload to end")


def test_panic_sends_to_all_servers():
    """More than half of the pool is down: all are tried rather than the rest overloaded."""
    def sick(connection):
        while message := connection.request():
            connection.reply(message, None, 500 if message.target == b"/health" else 200)

    pool = {"health_check": {"interval": "100ms", "fall": 1, "rise": 1}, "retry": {"attempts": 0}}
    with Backend(sick) as one, Backend(sick) as two, Backend() as three:
        with Lbd(config(one, two, three, pool=pool)) as lbd:
            lbd.wait_metric("lbpair_server_up", 1)
            for i in range(30):
                equal(lbd.get(f"/{i}").status, 200, "status")
            for server in (one, two, three):
                got = [m for m in server.requests if m.target != b"/health"]
                check(len(got) >= 5, f"a server got {len(got)} of 30 requests in panic")
            status = lbd.command("status")
            check("panic" in str(status["alarms"]), f"no alarm: {status['alarms']}")


def test_half_of_the_pool_is_no_panic():
    def sick(connection):
        while message := connection.request():
            connection.reply(message, None, 500 if message.target == b"/health" else 200)

    pool = {"health_check": {"interval": "100ms", "fall": 1, "rise": 1}, "retry": {"attempts": 0}}
    with Backend(sick) as one, Backend() as two:
        with Lbd(config(one, two, pool=pool)) as lbd:
            lbd.wait_metric("lbpair_server_up", 1)
            mark = len(one.requests)
            for i in range(20):
                equal(lbd.get(f"/{i}").status, 200, "status")
            equal([m.target for m in one.requests[mark:] if m.target != b"/health"], [], "requests while down")
