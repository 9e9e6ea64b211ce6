"""Pipelined requests are answered in their order, one at a time."""

import threading

from harness import Backend, Lbd, check, config, echo, equal, request


def test_answers_keep_their_order_when_the_first_is_slow():
    slow = threading.Event()

    def script(connection):
        while message := connection.request():
            if message.target == b"/slow":
                slow.wait(30)
            connection.reply(message)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request("GET", "/slow") + request("GET", "/fast") + request("POST", "/post", body=b"abc"))
        server.wait_requests(1)
        check(client.silent(0.2), "an answer came before the first request's")
        equal(len(server.requests), 1, "requests sent on while the first is open")
        slow.set()
        for expected in (b"GET /slow 0\n", b"GET /fast 0\n", b"POST /post 3\n"):
            equal(client.response().body, expected, "answer")


def test_three_hundred_in_one_go():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        thread = threading.Thread(
            target=lambda: client.send(b"".join(request("GET", f"/{i}") for i in range(300))), daemon=True)
        thread.start()
        for i in range(300):
            equal(client.response().body, b"GET /%d 0\n" % i, "answer")
        thread.join(10)
        equal(len(server.connections), 1, "connections to the server")


def later_requests_wait(first, answered):
    """`first`, and far more behind it than lbd takes in while the server is busy: all are answered."""
    count, slow = 20000, threading.Event()

    def script(connection):
        while message := connection.request():
            if message.target == b"/slow":
                slow.wait(30)
            connection.reply(message)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        for _ in range(6):  # so that the kernel lets much wait at lbd's socket
            client.send(request("POST", "/grow", body=b"x" * 2000000))
            equal(client.response(b"POST").status, 200, "status")
        client.send(first[:-1])
        thread = threading.Thread(
            target=lambda: client.send(first[-1:] + request("GET", "/later") * count), daemon=True)
        thread.start()
        server.wait_requests(7)
        slow.set()
        equal(client.response().body, answered, "first answer")
        for _ in range(count):
            equal(client.response().body, b"GET /later 0\n", "later answer")
        thread.join(10)


def test_far_more_behind_a_request_than_is_taken_in():
    later_requests_wait(request("GET", "/slow"), b"GET /slow 0\n")


def test_far_more_behind_a_body_of_known_length():
    later_requests_wait(request("POST", "/slow", body=b"x" * 1000), b"POST /slow 1000\n")


def test_far_more_behind_a_chunked_body():
    head = request("POST", "/slow", "Transfer-Encoding: chunked")
    later_requests_wait(head + b"3\r\nabc\r\n0\r\n\r\n", b"POST /slow 3\n")


def test_a_request_split_over_the_end_of_another():
    """The second request's head arrives in two parts, the first of them with the first request."""
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        second = request("GET", "/second", "X-A: 1")
        for cut in range(1, len(second), 7):
            client.send(request("GET", "/first") + second[:cut])
            equal(client.response().body, b"GET /first 0\n", "first answer")
            client.send(second[cut:])
            equal(client.response().body, b"GET /second 0\n", "second answer")


def test_a_client_that_leaves_takes_its_pipeline_along():
    """Of ten requests the server answers two; when the client leaves, the others are not sent on."""
    two = threading.Event()

    def script(connection):
        for _ in range(2):
            connection.reply(connection.request())
        connection.request()
        two.set()
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server)) as lbd:
        client = lbd.client()
        client.send(b"".join(request("GET", f"/{i}") for i in range(10)))
        check(two.wait(15), "the third request did not come")
        client.reset_now()
        server.wait(lambda: server.connections[0].eof, "lbd to give up the server's connection")
        server.script = echo
        equal(lbd.get("/other").status, 200, "status")
        equal([m.target for m in server.requests], [b"/0", b"/1", b"/2", b"/other"], "requests at the server")


def test_what_comes_after_the_last_request_takes_no_answer_away():
    """lbd closes with something unread in its socket, and the kernel resets: the answer has left before that."""
    late = []

    def script(connection):
        while message := connection.request():
            late[0].send(b"GET /late HTTP/1.1\r\n")
            connection.reply(message)

    with Backend(script) as server, Lbd(config(server)) as lbd:
        for i in range(20):
            with lbd.client() as client:
                late[:] = [client]
                client.send(request("GET", f"/{i}", "Connection: close"))
                equal(client.response().body, b"GET /%d 0\n" % i, "answer")
