"""Connections are kept and used again on both sides, and the races of doing so hurt nobody."""

import os
import random
import signal
import threading
import time

from harness import (Backend, Lbd, answer, check, config, echo, echo_of, equal, request, wait_for)


def test_one_server_connection_serves_many_clients():
    with Backend() as server, Lbd(config(server)) as lbd:
        for i in range(20):
            equal(lbd.get(f"/{i}").body, b"GET /%d 0\n" % i, "body")
        equal(len(server.connections), 1, "connections to the server")


def test_a_client_connection_serves_many_requests():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        for i in range(100):
            equal(client.get(f"/{i}").body, b"GET /%d 0\n" % i, "body")
        equal(len(server.connections), 1, "connections to the server")


def test_concurrent_requests_get_connections_of_their_own():
    gate = threading.Event()

    def held(connection):
        while message := connection.request():
            gate.wait(30)
            connection.reply(message)

    with Backend(held) as server, Lbd(config(server)) as lbd:
        clients = [lbd.client() for _ in range(5)]
        for i, client in enumerate(clients):
            client.send(request("GET", f"/{i}"))
        server.wait_requests(5)
        equal(len(server.connections), 5, "connections to the server")
        gate.set()
        for i, client in enumerate(clients):
            equal(client.response().body, b"GET /%d 0\n" % i, "each client's own answer")
            client.close()
        lbd.wait_metric("lbpair_server_idle_connections", 5)
        lbd.get("/again")
        equal(len(server.connections), 5, "connections after one more request")


def test_the_end_of_an_idle_server_connection_is_noticed():
    leave = threading.Event()

    def one_then_close(connection):
        connection.reply(connection.request())
        leave.wait(30)
        connection.half_close()  # FIN alone: lbd must close by itself
        connection.read_to_end()

    with Backend(one_then_close) as server, Lbd(config(server)) as lbd:
        equal(lbd.get("/1").status, 200, "status")
        lbd.wait_metric("lbpair_server_idle_connections", 1)
        leave.set()
        server.wait(lambda: server.connections[0].eof, "lbd to close its side")
        lbd.wait_metric("lbpair_server_idle_connections", 0)
        equal(lbd.get("/2").body, b"GET /2 0\n", "body")
        equal([m.target for m in server.requests], [b"/1", b"/2"], "requests, each once")


def test_bytes_on_an_idle_server_connection_end_it():
    speak = threading.Event()

    def one_then_speak(connection):
        connection.reply(connection.request())
        if connection.number == 0:
            speak.wait(30)
            connection.send(answer(b"evil"))
            connection.read_to_end()
        else:
            echo(connection)

    with Backend(one_then_speak) as server, Lbd(config(server)) as lbd:
        equal(lbd.get("/1").status, 200, "status")
        lbd.wait_metric("lbpair_server_idle_connections", 1)
        speak.set()
        server.wait(lambda: server.connections[0].eof, "lbd to close the connection")
        equal(lbd.get("/2").body, b"GET /2 0\n", "body")


def is_stopped(pid):
    """SIGSTOP takes effect when each thread meets it, not when it is sent."""
    def state(task):
        with open(f"/proc/{pid}/task/{task}/stat") as f:
            return f.read().rpartition(") ")[2][0]
    return all(state(task) == "T" for task in os.listdir(f"/proc/{pid}/task"))


def test_stray_bytes_that_come_together_with_a_request_answer_nothing():
    """lbd finds both at once, in either order."""
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        for i in range(6):
            equal(client.get(f"/{i}").body, b"GET /%d 0\n" % i, "answer")
            pid, idle = lbd.proxy_pid(), server.connections[-1]
            both = [lambda: idle.send(answer(b"stray")), lambda: client.send(request("GET", "/next"))]
            os.kill(pid, signal.SIGSTOP)
            try:
                wait_for(lambda: is_stopped(pid), "all of lbd's threads to stop")
                for send in both if i % 2 else reversed(both):
                    send()
                    time.sleep(0.02)
            finally:
                os.kill(pid, signal.SIGCONT)
            equal(client.response().body, b"GET /next 0\n", "answer to the request that came with them")


def test_idle_server_connections_end_after_their_time():
    top = {"timeouts": {"server_idle": "300ms", "drain": "2s"}}
    with Backend() as server, Lbd(config(server, **top)) as lbd:
        lbd.get("/1")
        start = time.monotonic()
        server.wait(lambda: server.connections[0].eof, "the idle connection to end")
        waited = time.monotonic() - start
        check(0.2 < waited < 3, f"server_idle 300ms took {waited:.3f} s")
        equal(lbd.get("/2").status, 200, "status")


def test_no_more_idle_server_connections_than_allowed():
    gate = threading.Event()

    def held(connection):
        while message := connection.request():
            gate.wait(30)
            connection.reply(message)

    with Backend(held) as server, Lbd(config(server, limits={"server_idle": 2})) as lbd:
        clients = [lbd.client() for _ in range(6)]
        for client in clients:
            client.send(request())
        server.wait_requests(6)
        gate.set()
        for client in clients:
            equal(client.response().status, 200, "status")
            client.close()
        wait_for(lambda: len(server.open_connections()) == 2, "all but two to be closed")
        lbd.wait_metric("lbpair_server_idle_connections", 2)


def dies_when_used_again(connection):
    """Answers one request, takes a second one and closes without a byte."""
    connection.reply(connection.request())
    connection.request()


def test_a_get_that_meets_a_dying_connection_is_sent_again():
    with Backend(dies_when_used_again) as server, Lbd(config(server)) as lbd:
        with lbd.client() as client:
            for i in range(10):
                equal(client.get(f"/{i}").body, b"GET /%d 0\n" % i, "body")
        check(any(len(c.requests) == 2 for c in server.connections), "no connection was used twice")


def test_what_is_not_idempotent_and_meets_a_dying_connection_is_never_sent_twice():
    with Backend(dies_when_used_again) as server, Lbd(config(server)) as lbd:
        for i, data in enumerate((request("POST", "/0", body=b"x" * 10),
                                  request("POST", "/1", "Content-Length: 0"),
                                  request("POST", "/2"),
                                  request("POST", "/3", "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n\r\n",
                                  request("PATCH", "/4", body=b"x"),
                                  request("BREW", "/5"),
                                  request("get", "/6"))):
            equal(lbd.get("/idle").status, 200, "status")  # leaves an idle connection
            with lbd.client() as client:
                client.send(data)
                equal(client.response(b"POST").status, 502, f"status of {data[:8]}")
            seen = [m for m in server.requests if m.target == b"/%d" % i]
            equal(len(seen), 1, f"times that {data[:8]} reached the server")


def test_servers_that_close_at_random_cost_no_get_and_double_no_post():
    """The reuse race for real: idle connections end around the moment when the next request comes."""
    random.seed(20)

    def impatient(connection):
        connection.reply(connection.request())  # a new connection is waited on: only idle ones end early
        while True:
            connection.sock.settimeout(random.uniform(0.0005, 0.006))
            try:
                if not connection.buffer:
                    data = connection.sock.recv(65536)
                    if not data:
                        return
                    connection.received += data
                    connection.buffer += data
            except TimeoutError:
                return  # closes while a request may be on its way
            message = connection.request()
            if message is None:
                return
            connection.reply(message)

    with Backend(impatient) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        failed = 0
        for i in range(400):
            time.sleep(random.uniform(0, 0.006))  # the race needs real time, no event can stand for it
            method = "POST" if i % 3 == 0 else "GET"
            client.send(request(method, f"/{i}", body=b"abc" if method == "POST" else b""))
            got = client.response(method.encode())
            if method == "GET":
                equal(got.body, b"GET /%d 0\n" % i, "answer to a GET")
            elif got.status != 200:
                equal(got.status, 502, "answer to a POST that was lost")
                failed += 1
        targets = [m.target for m in server.requests if m.method == b"POST"]
        equal(len(targets), len(set(targets)), "POSTs that the server saw, each once")
        check(len(server.connections) > 20, f"the race did not happen: {len(server.connections)} connections")


def test_the_server_is_released_when_the_client_leaves():
    def held(connection):
        connection.request()
        connection.read_to_end()

    with Backend(held) as server, Lbd(config(server)) as lbd:
        client = lbd.client()
        client.send(request())
        server.wait_requests(1)
        client.reset_now()
        server.wait(lambda: server.connections[0].eof, "lbd to give up the server's connection", 5)
        lbd.wait_metric("lbpair_server_active", 0)


def test_the_server_is_released_when_the_client_leaves_during_the_answer():
    def endless(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.send(b"x" * 65536)  # ends with EPIPE

    with Backend(endless) as server, Lbd(config(server)) as lbd:
        client = lbd.client()
        client.send(request())
        client.read_exactly(100000)
        client.reset_now()
        server.wait(lambda: server.connections[0].closed, "the server's send to fail", 5)
        equal(lbd.metric("lbpair_server_idle_connections"), 0, "idle connections")


def test_a_server_that_answers_early_ends_the_exchange():
    """The answer comes before the body was sent: the client gets it, the connection is not used again."""
    def early(connection):
        message = connection.request_head()
        connection.reply(message, b"no", 413, "Connection: close")
        connection.half_close()
        connection.read_to_end()

    with Backend(early) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request("POST", "/big", "Content-Length: 1000000"))
        got = client.response(b"POST")
        equal((got.status, got.body), (413, b"no"), "answer")
        server.wait(lambda: server.connections[0].eof, "the server's connection to end")


def test_an_early_answer_on_a_connection_that_stays_open():
    """
    The server answers before it has the body and waits for it.  What the client sends afterwards is still
    that body; the server's connection must not carry another request unless the body was completed.
    """
    def early(connection):
        message = connection.request_head()
        connection.reply(message, b"early")
        if message.method == b"POST":
            rest = connection.read_to_end()  # if lbd sends no more of the body, it must close
            check(rest in (b"", smuggled[:10], smuggled), f"after the head: {rest!r}")
        else:
            echo(connection)

    smuggled = request("GET", "/smuggled")
    with Backend(early) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request("POST", "/", f"Content-Length: {len(smuggled)}") + smuggled[:10])
        equal(client.response(b"POST").body, b"early", "answer")
        try:
            client.send(smuggled[10:])
        except OSError:
            pass  # closed already
        equal(lbd.get("/sync").body, b"early", "a request from elsewhere")
        client.close()
        server.wait(lambda: server.connections[0].eof, "the early server's connection to end")
        equal([m.target for m in server.requests], [b"/", b"/sync"], "requests at the server")


def test_responses_go_to_those_who_asked():
    """Many clients at once over few server connections, each with bodies of its own."""
    with Backend() as server, Lbd(config(server, workers=2)) as lbd:
        errors = []

        def many(name):
            try:
                with lbd.client() as client:
                    for i in range(50):
                        body = f"{name}-{i}".encode() * (i + 1)
                        client.send(request("POST", f"/{name}/{i}", body=body))
                        equal(client.response(b"POST").body, b"POST /%d/%d %d\n" % (name, i, len(body)), "body")
            except Exception as e:  # noqa: BLE001 - reported by the main thread
                errors.append(e)

        threads = [threading.Thread(target=many, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        equal(errors, [], "errors")
        equal(len(server.requests), 400, "requests at the server")
        equal({echo_of(m) for m in server.requests}.__len__(), 400, "different requests at the server")
