"""From HTTP to HTTPS, and staying there: redirects of a whole listener, Strict-Transport-Security."""

import h2
from h2 import GET
from harness import Backend, Client, Lbd, answer, config, equal, request
from tls_peers import client, tls_config


def redirecting(server, **options):
    return config(server, listener={"redirect_https": options, "http2": True,
                                    "response_headers": {"set": {"X-Frame-Options": "DENY"}}},
                  log={"access": {"format": "json"}})


def test_every_request_is_redirected():
    with Backend() as server, Lbd(redirecting(server)) as lbd:
        for method, target, fields, host, location in (
                ("GET", "/", [], "www.example.org", b"https://www.example.org/"),
                ("POST", "/a?b=%20c", ["Content-Length: 5"], "www.example.org:8080", b"https://www.example.org/a?b=%20c"),
                ("HEAD", "/<script>", [], "[::1]:80", b"https://[::1]/%3Cscript%3E"),
                ("OPTIONS", "*", [], "x", b"https://x/")):
            with Client(lbd.address()) as c:
                c.send(request(method, target, *fields, host=host))
                got = c.response(method.encode())
                equal((got.status, got.all(b"location")), (308, [location]), f"{method} {target}")
                equal(got.all(b"x-frame-options"), [b"DENY"], "a field of the listener")
                equal(got.all(b"connection"), [b"close"] if method == "POST" else [], "Connection")
                if method != "POST":  # whose body nobody reads
                    c.send(request(host=host))
                    equal(c.response().status, 308, "status of the next one")
        with Client(lbd.address()) as c:
            c.send(b"GET / HTTP/1.0\r\n\r\n")
            equal(c.response().status, 400, "without a host there is nowhere to go")
        with Client(lbd.address()) as c:
            c.send(request("GET", "/" + "x" * 8000))
            equal(c.response().one(b"location"), b"https://test/" + b"x" * 8000, "a long one")
        with h2.connect(lbd.address()) as c:
            got = c.request(1, GET)
            equal((got.status, dict(got.fields)["location"]), (308, "https://test/"), "HTTP/2")
            equal(c.request(3, GET).status, 308, "another on the same connection")
        equal(server.requests, [], "requests at the server")
        lbd.wait_metric("lbpair_requests_total", 10, code="308")
        lbd.log.wait(r'"method":"POST".*"status":308')
        lbd.reload(redirecting(server, status=301, port=8443))
        with Client(lbd.address()) as c:
            c.send(request("GET", "/a", host="www.example.org"))
            got = c.response()
            equal((got.status, got.all(b"location")), (301, [b"https://www.example.org:8443/a"]), "another port")


def test_hsts():
    def script(connection):
        while message := connection.request():
            connection.send(answer(b"x", 200, "Strict-Transport-Security: max-age=1", "X: y",
                                   "STRICT-transport-security: max-age=2"))
            del message

    wanted = b"max-age=86400; includeSubDomains; preload"
    hsts = {"max_age": "24h", "include_subdomains": True, "preload": True}
    with Backend(script) as server, Lbd(tls_config(server, listener={"hsts": hsts})) as lbd:
        with client(lbd) as c:
            for host, status in (("test", 200), ("other.example", 421)):
                c.send(request(host=host))
                got = c.response()
                equal((got.status, got.all(b"strict-transport-security")), (status, [wanted]), host)
        with client(lbd, alpn=["h2"]) as c, h2.H2(c.sock) as streams:
            for stream, fields, status in ((1, GET, 200), (3, [*GET[:3], (":authority", "other.example")], 421)):
                got = streams.request(stream, fields)
                equal((got.status, [v for n, v in got.fields if n == "strict-transport-security"]),
                      (status, [wanted.decode()]), f"HTTP/2, {status}")
        lbd.reload(tls_config(server))
        with client(lbd) as c:
            equal(c.get().all(b"strict-transport-security"), [b"max-age=1", b"max-age=2"], "the server's own")
