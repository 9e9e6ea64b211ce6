"""100-continue and other interim responses, when they come and when they do not."""

import threading

import wire
from harness import Backend, Lbd, answer, check, config, echo, equal, request

EXPECT = request("POST", "/", "Expect: 100-continue", "Content-Length: 5")


def test_the_server_says_continue_and_gets_the_body():
    def script(connection):
        message = connection.request_head()
        equal(message.all(b"expect"), [b"100-continue"], "Expect at the server")
        check(connection.silent(0.2), "the body came before it was asked for")
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        equal(connection.read_exactly(5), b"hello", "body")
        connection.send(answer(b"ok"))
        echo(connection)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(EXPECT)
        equal(wire.read_response_head(client).status, 100, "status of the interim response")
        client.send(b"hello")
        equal(client.response(b"POST").body, b"ok", "answer")
        equal(client.get("/after").body, b"GET /after 0\n", "the next request")


def test_a_final_answer_before_the_body_ends_the_connection():
    """The client was told 417 or 401 or whatever: its body may or may not follow, so nothing else can."""
    def script(connection):
        connection.request_head()
        connection.send(answer(b"no", 401))
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(EXPECT)
        got = client.response(b"POST")
        equal((got.status, got.body, got.interim), (401, b"no", []), "answer")
        equal(got.one(b"connection"), b"close", "Connection")
        client.expect_end()
        server.wait(lambda: server.connections[0].eof, "the server's connection to end")
        equal(server.connections[0].received.count(b"hello"), 0, "bodies at the server")


def test_the_client_sends_the_body_without_waiting():
    def script(connection):
        message = connection.request()
        equal(message.body, b"hello", "body")
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"ok"))
        echo(connection)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(EXPECT + b"hello")
        equal(client.response(b"POST").body, b"ok", "answer")
        equal(client.get("/after").status, 200, "the next request")


def test_early_hints_come_early():
    """103 reaches the client before the server has its final answer."""
    have_hint = threading.Event()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        have_hint.wait(30)
        connection.send(answer(b"ok"))
        echo(connection)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(request())
        hint = wire.read_response_head(client)
        equal((hint.status, hint.all(b"link")), (103, [b"</style.css>; rel=preload"]), "hint")
        have_hint.set()
        equal(client.response().body, b"ok", "answer")
        equal(client.get("/after").status, 200, "the next request")


def test_a_client_of_http10_gets_no_interim_answer():
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + answer(b"ok"))
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(b"GET / HTTP/1.0\r\nHost: test\r\n\r\n")
        got = client.response()
        equal((got.body, got.interim), (b"ok", []), "answer")
        client.expect_end()


def test_no_server_wastes_no_body():
    """With nobody to send to, the final answer comes before the client sends its body."""
    from harness import ReservedPort
    with ReservedPort() as nobody, Lbd(config(nobody.address)) as lbd, lbd.client() as client:
        client.send(EXPECT)
        equal(client.response(b"POST").status, 503, "status")
        client.expect_end()
