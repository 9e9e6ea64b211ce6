"""listeners[].routes: where a request goes, by what it asks for; and what lbd answers itself."""

import os

import h2
from harness import Backend, Lbd, check, config, equal, request


def named(name):
    def serve(connection):
        while message := connection.request():
            connection.reply(message, name + b" " + message.target, 200)
    return serve


class Site:
    """An lbd with three pools, each with a server that says its name and the target that it was asked for."""

    def __init__(self, routes, listener=None, **top):
        self.servers = [Backend(named(name)) for name in (b"web", b"api", b"new")]
        self.config = config(self.servers[0], listener={"routes": routes, **(listener or {})}, **top)
        for name, server in zip(("api", "new"), self.servers[1:]):
            self.config["pools"].append({**self.config["pools"][0], "name": name,
                                         "servers": [{"address": server.address}]})

    def __enter__(self):
        for server in self.servers:
            server.__enter__()
        self.lbd = Lbd(self.config).__enter__()
        return self.lbd

    def __exit__(self, *exception):
        self.lbd.__exit__(*exception)
        for server in reversed(self.servers):
            server.__exit__(*exception)


def ask(client, target, host=b"h", fields=b"", method=b"GET"):
    client.send(method + b" " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + fields + b"\r\n")
    return client.response(method)


def test_host_path_method_header_query_client():
    routes = [
        {"host": "*.example.org", "pool": "api"},
        {"host": "www.example.org", "path_prefix": "/api", "pool": "new"},
        {"path": "/exact", "pool": "api"},
        {"path_prefix": "/written", "method": "PUT POST", "pool": "api"},
        {"path_prefix": "/canary", "headers": [{"name": "X-Canary", "value": "1"}], "pool": "new"},
        {"path_prefix": "/flag", "query": [{"name": "v", "value": "2"}, {"name": "x"}], "pool": "new"},
        {"path_prefix": "/ours", "clients": ["127.0.0.0/8"], "pool": "api"},
        {"path_prefix": "/theirs", "clients": ["192.0.2.0/24"], "pool": "api"},
        {"host": "[::1]", "pool": "api"},
    ]
    cases = [
        (b"/", b"h", b"", b"GET", b"web"), (b"/", b"a.example.org", b"", b"GET", b"api"),
        (b"/", b"A.B.EXAMPLE.org:8080", b"", b"GET", b"api"), (b"/", b"www.example.org.", b"", b"GET", b"api"),
        (b"/api/x", b"www.example.org", b"", b"GET", b"new"), (b"/apix", b"www.example.org", b"", b"GET", b"api"),
        (b"/exact", b"h", b"", b"GET", b"api"), (b"/exact/", b"h", b"", b"GET", b"web"),
        (b"/exact?x", b"h", b"", b"GET", b"api"),
        (b"/written", b"h", b"", b"GET", b"web"), (b"/written", b"h", b"Content-Length: 0\r\n", b"PUT", b"api"),
        (b"/canary", b"h", b"x-canary: 1\r\n", b"GET", b"new"), (b"/canary", b"h", b"X-Canary: 2\r\n", b"GET", b"web"),
        (b"/canary", b"h", b"X-Canary: 2\r\nX-Canary: 1\r\n", b"GET", b"new"),
        (b"/flag?x&v=2", b"h", b"", b"GET", b"new"), (b"/flag?v=2", b"h", b"", b"GET", b"web"),
        (b"/flag?x=1&v=22", b"h", b"", b"GET", b"web"),
        (b"/ours", b"h", b"", b"GET", b"api"), (b"/theirs", b"h", b"", b"GET", b"web"),
        (b"/", b"[::1]:80", b"", b"GET", b"api"),
    ]
    with Site(routes) as lbd, lbd.client() as client:
        for target, host, fields, method, want in cases:
            equal(ask(client, target, host, fields, method).body, want + b" " + target, f"{host} {target} {fields}")


def test_the_path_is_normalised_once_and_forwarded_as_it_was_routed():
    routes = [{"path_prefix": "/admin", "respond": {"status": 403, "body": "no\n"}}]
    with Site(routes) as lbd, lbd.client() as client:
        for target in (b"/admin", b"/x/../admin/y", b"/%61dmin", b"/./admin", b"/x/%2e%2e/admin", b"/admin/../admin"):
            equal(ask(client, target).status, 403, target)
        for target, want in ((b"/a/../b?../c", b"/b?../c"), (b"/%7Eme", b"/~me"), (b"/a%2fb", b"/a%2Fb"),
                             (b"/a//b", b"/a//b"), (b"/administrator", b"/administrator")):
            equal(ask(client, target).body, b"web " + want, target)
    for target in (b"/..", b"/a/../../admin", b"/%2e%2e/x", b"/%zz", b"/%00", b"/%"):
        with Site(routes) as lbd, lbd.client() as client:
            equal(ask(client, target).status, 400, target)


def test_without_routes_a_target_stays_as_it_is():
    with Backend(named(b"web")) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        equal(ask(client, b"/a/../%62").body, b"web /a/../%62", "target")


def test_redirects():
    routes = [{"path_prefix": "/old", "redirect": {"to": "https://{hostname}:8443{uri}"}},
              {"path": "/303", "redirect": {"to": "/see{{this}?{query}&n={node}&c={client_ip}", "status": 303}}]
    with Site(routes) as lbd, lbd.client() as client:
        got = ask(client, b"/old/x?y=1", b"www.example.org:80")
        equal((got.status, got.one(b"location"), got.body), (308, b"https://www.example.org:8443/old/x?y=1", b""), "308")
        equal(got.one(b"content-length"), b"0", "Content-Length")
        got = ask(client, b"/old", b"[2001:db8::1]:80")
        equal(got.one(b"location"), b"https://[2001:db8::1]:8443/old", "Location of an IPv6 address")
        got = ask(client, b"/303?q", method=b"HEAD")
        equal(got.status, 303, "status")
        location = got.one(b"location")
        check(location.startswith(b"/see{this}?q&n=") and location.endswith(b"&c=127.0.0.1"), location)
        # a body that nobody wants: the answer comes, the connection ends
        client.send(request("POST", "/old", body=b"x" * 10))
        equal(client.response(b"POST").status, 308, "POST")
        equal(ask(client, b"/").body, b"web /", "the request after it")
        check(lbd.metric("lbpair_requests_total", code="308", pool="") == 3, "the requests are counted")


def test_a_redirect_of_the_longest_target():
    with Site([{"redirect": {"to": "/to" + 4 * "{uri}"}}]) as lbd:
        with lbd.client() as client:
            target = b"/" + b"x" * 10000
            equal(ask(client, target).one(b"location"), b"/to" + target * 4, "Location")
        with lbd.client() as client:
            equal(ask(client, b"/" + b"x" * 15000).status, 414, "status of what cannot be answered")


def test_answers():
    routes = [{"path": "/up", "respond": {"status": 200, "body": "up\n"}},
              {"path": "/none", "respond": {"status": 204}},
              {"path": "/json", "respond": {"status": 503, "body": "{}", "content_type": "application/json"}}]
    with Site(routes) as lbd, lbd.client() as client:
        got = ask(client, b"/up")
        equal((got.status, got.body, got.one(b"content-type")), (200, b"up\n", b"text/plain; charset=utf-8"), "/up")
        got = ask(client, b"/up", method=b"HEAD")
        equal((got.status, got.one(b"content-length")), (200, b"3"), "HEAD")
        got = ask(client, b"/none")
        equal((got.status, got.one(b"content-length")), (204, None), "/none")
        got = ask(client, b"/json")
        equal((got.status, got.body, got.one(b"content-type")), (503, b"{}", b"application/json"), "/json")


def test_fields_of_answers():
    """Those of the listener and of the route, on what lbd says itself; errors have none."""
    routes = [{"path": "/cors", "method": "OPTIONS", "respond": {"status": 204},
               "response_headers": {"set": {"Access-Control-Allow-Origin": "https://{hostname}", "X-Id": "{request_id}"}}},
              {"path": "/type", "respond": {"status": 200, "body": "a,b\n"},
               "response_headers": {"set": {"Content-Type": "text/csv", "X-By": "route{server}"}}},
              {"path": "/old", "redirect": {"to": "/new", "status": 302},
               "response_headers": {"add": {"Cache-Control": "no-store"}}}]
    listener = {"response_headers": {"set": {"X-By": "{listener}"}}, "http2": True, "error_pages": {}}
    with Site(routes, listener=listener) as lbd, lbd.client() as client:
        got = ask(client, b"/cors", b"www.example.org", method=b"OPTIONS")
        equal((got.status, got.one(b"access-control-allow-origin"), got.one(b"x-by"), got.one(b"content-length")),
              (204, b"https://www.example.org", b"in", None), "/cors")
        equal(len(got.one(b"x-id")), 32, "X-Id")
        got = ask(client, b"/type")
        equal((got.status, got.all(b"content-type"), got.all(b"x-by"), got.body),
              (200, [b"text/csv"], [b"route"], b"a,b\n"), "/type")
        got = ask(client, b"/old")
        equal((got.status, got.one(b"location"), got.one(b"cache-control")), (302, b"/new", b"no-store"), "/old")
        with h2.connect(lbd.address()) as client2:
            got = client2.request(1, [*h2.GET[:2], (":path", "/type"), (":authority", "h")])
            equal((got.status, got.one("content-type"), got.one("x-by"), bytes(got.body)),
                  (200, "text/csv", "route", b"a,b\n"), "/type of HTTP/2")
        equal(ask(client, b"/..").all(b"x-by"), [], "X-By of an error")


def test_whom_a_proxy_names():
    """By the field that forwarded.client_from says, and by that alone."""
    routes = [{"path": "/", "clients": ["203.0.113.0/24"], "pool": "api"}]
    fields = {"x_forwarded_for": b"X-Forwarded-For: %s\r\n", "forwarded": b'Forwarded: for=1.2.3.4, for="%s:80";proto=http\r\n'}
    for client_from, other in (("forwarded", "x_forwarded_for"), ("x_forwarded_for", "forwarded")):
        with Site(routes, listener={"forwarded": {"trust": ["127.0.0.0/8"], "client_from": client_from},
                                    "response_headers": {"set": {"X-Client": "{client_ip}"}}}) as lbd:
            with lbd.client() as client:
                got = ask(client, b"/", fields=fields[client_from] % b"203.0.113.5")
                equal((got.body, got.one(b"x-client")), (b"api /", b"203.0.113.5"), client_from)
                equal(ask(client, b"/").one(b"x-client"), b"127.0.0.1", "the proxy's own")
                equal(ask(client, b"/", fields=fields[client_from] % b"192.0.2.1").body, b"web /", f"{client_from}, another")
                equal(ask(client, b"/", fields=fields[other] % b"203.0.113.5").body, b"web /", f"not {client_from}")


def test_a_redirect_without_a_host():
    """HTTP/1.0 need not say where it wanted to go: a redirect that says it anew cannot."""
    for to, want in (("https://{host}/", 400), ("https://{hostname}{uri}", 400), ("/elsewhere", 308)):
        with Site([{"redirect": {"to": to}}]) as lbd, lbd.client() as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            equal(client.response().status, want, to)


def test_a_split():
    routes = [{"path_prefix": "/", "split": [{"pool": "web", "weight": 90}, {"pool": "new", "weight": 10},
                                             {"pool": "api", "weight": 0}]}]
    with Site(routes) as lbd, lbd.client() as client:
        answers = [ask(client, b"/").body for _ in range(2000)]
    equal(answers.count(b"api /"), 0, "answers of the pool with weight 0")
    check(120 < answers.count(b"new /") < 280, f"{answers.count(b'new /')} of 2000 went to the tenth")


def test_a_reload_changes_routes():
    with Site([{"path": "/x", "pool": "api"}]) as lbd, lbd.client() as client:
        equal(ask(client, b"/x").body, b"api /x", "before")
        changed = {**lbd.config}
        changed["listeners"] = [{**lbd.config["listeners"][0], "routes": [{"path": "/x", "pool": "new"}]}]
        lbd.reload(changed)
        equal(ask(client, b"/x").body, b"new /x", "after")


def test_http2():
    routes = [{"host": "www.example.org", "path_prefix": "/api", "pool": "api"},
              {"path": "/up", "respond": {"status": 200, "body": "up\n"}},
              {"path_prefix": "/old", "redirect": {"to": "https://{host}{uri}"}}]

    def ask2(client, stream, path, authority="h"):
        return client.request(stream, [*h2.GET[:2], (":path", path), (":authority", authority)])

    with Site(routes, listener={"http2": True}) as lbd, h2.connect(lbd.address()) as client:
        for stream, path, authority, want in ((1, "/api/x", "www.example.org", b"api /api/x"),
                                              (3, "/a/../%61pi", "h", b"web /api"), (5, "/up", "h", b"up\n")):
            got = ask2(client, stream, path, authority)
            equal((got.status, got.body), (200, want), path)
        got = ask2(client, 7, "/old/" + "x" * 9000)
        equal((got.status, got.one("location")), (308, "https://h/old/" + "x" * 9000), "redirect")
        equal(ask2(client, 9, "/../x").status, 400, "above the root")


def echo(connection):
    """Answers with the head of the request as it came, and fields to be edited."""
    while message := connection.request():
        head = b"".join([message.start + b"\n", *(n + b": " + v + b"\n" for n, v in message.fields)])
        connection.send(b"HTTP/1.1 200 OK\r\nServer: secret\r\nX-Old: 1\r\nX-Old: 2\r\nContent-Length: %d\r\n\r\n"
                        % len(head) + head)


EDITS = {
    "request_headers": {"set": {"X-Edge": "{node}/{listener}", "User-Agent": "lbd"}, "remove": ["x-secret"]},
    "response_headers": {"set": {"X-Server": "{server}"}, "add": {"X-Id": "{request_id}"}, "remove": ["server"]},
    "routes": [{"path_prefix": "/api", "pool": "web", "replace_prefix": "/v2",
                "request_headers": {"set": {"Host": "internal:8080", "X-Edge": "route"},
                                    "add": {"X-Was": "{scheme}://{host}{uri} {client_ip} {{"}},
                "response_headers": {"set": {"X-Old": "new"}}},
               {"path_prefix": "/strip/", "pool": "web", "replace_prefix": "/"}],
}


def test_fields_are_removed_set_and_added():
    with Backend(echo) as server, Lbd(config(server, listener=EDITS)) as lbd, lbd.client() as client:
        got = ask(client, b"/x", fields=b"X-Secret: 1\r\nUser-Agent: u\r\nX-Edge: forged\r\nx-edge: too\r\n")
        lines = got.body.split(b"\n")
        equal([n for n in lines if n.lower().startswith((b"x-edge:", b"x-secret:", b"user-agent:"))],
              [b"X-Edge: " + os.uname().nodename.encode() + b"/in", b"User-Agent: lbd"], "fields of the request")
        equal(got.one(b"server"), None, "Server")
        equal(got.one(b"x-server"), server.address.encode(), "X-Server")
        equal(got.all(b"x-old"), [b"1", b"2"], "X-Old")
        check(b"X-Request-Id: " + got.one(b"x-id") in lines, "X-Id")

        got = ask(client, b"/api/%7Ex?q", b"www.example.org")
        lines = got.body.split(b"\n")
        equal(lines[0], b"GET /v2/~x?q HTTP/1.1", "request line")
        for line in (b"Host: internal:8080", b"X-Edge: route", b"X-Forwarded-Host: www.example.org",
                     b"X-Was: http://www.example.org/v2/~x?q 127.0.0.1 {"):
            equal(lines.count(line), 1, line)
        equal(got.all(b"x-old"), [b"new"], "X-Old of the route")


def test_prefixes():
    routes = [{"path_prefix": prefix, "pool": "api", "replace_prefix": to}
              for prefix, to in (("/strip/", "/"), ("/root", "/"), ("/longer", "/and/longer"), ("/dir", "/d/"))]
    with Site(routes, listener={"http2": True}) as lbd, lbd.client() as client:
        for target, want in ((b"/strip/a", b"/a"), (b"/strip/", b"/"), (b"/root", b"/"), (b"/root?q", b"/?q"),
                             (b"/root/a/b", b"/a/b"), (b"/longer", b"/and/longer"), (b"/longer?q", b"/and/longer?q"),
                             (b"/longer/%7e", b"/and/longer/~"), (b"/dir/", b"/d/"), (b"/dir", b"/d"),
                             (b"/./longer/" + b"x" * 9000, b"/and/longer/" + b"x" * 9000)):
            equal(ask(client, target).body, b"api " + want, target)
        client.send(b"GET http://h/root HTTP/1.1\r\nHost: h\r\n\r\n")
        equal(client.response(b"GET").body, b"api /", "absolute-form")
        with h2.connect(lbd.address()) as h2c:
            got = h2c.request(1, [*h2.GET[:2], (":path", "/longer/x"), (":authority", "h")])
            equal(bytes(got.body), b"api /and/longer/x", "HTTP/2")


def test_what_is_added_has_its_room_and_no_more():
    """Values that grow with the request: as much as fits, then 431."""
    edits = {"request_headers": {"add": {f"X-{i}": "{uri}" for i in range(4)}}}
    with Backend(echo) as server, Lbd(config(server, listener=edits)) as lbd, lbd.client() as client:
        target = b"/" + b"x" * 8000
        got = ask(client, target)
        equal(got.body.count(target), 5, "targets")
        equal(ask(client, b"/" + b"x" * 9000).status, 431, "status")


def test_fields_of_http2_responses():
    with Backend(echo) as server, Lbd(config(server, listener={**EDITS, "http2": True})) as lbd:
        with h2.connect(lbd.address()) as client:
            got = client.request(1, [*h2.GET[:2], (":path", "/api"), (":authority", "h")])
            equal((got.one("x-old"), got.one("server"), got.one("x-server")), ("new", None, server.address), "fields")
