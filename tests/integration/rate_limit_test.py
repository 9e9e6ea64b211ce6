"""Rate limits: exact over workers and protocols, by client, header and route; what a refused client sees; reloads."""

import json
from resource import RLIMIT_AS, prlimit

import h2
from h2 import GET
from harness import Backend, Lbd, Skip, check, config, equal, request, sanitizer, wait_for
from tcp_test import shout
from tls_peers import TlsClient, tls_config

SLOW = {"requests_per_minute": 1}  # a token a minute: none comes back while a test runs
REFUSED = "lbpair_rejected_total"


def limited(*servers, burst, listener=None, **more):
    return config(*servers, workers=4, listener={"rate_limit": {**SLOW, "burst": burst, **more}, **(listener or {})})


def statuses(clients):
    """What each gets when all ask before anybody is answered."""
    for client in clients:
        client.send(request())
    return [client.response().status for client in clients]


def close(clients):
    for client in clients:
        client.close()


def test_exactly_the_burst_passes():
    """100 requests at once on as many connections, so in all workers."""
    with Backend() as server, Lbd(limited(server, burst=20)) as lbd:
        clients = [lbd.client("127.0.0.9") for _ in range(100)]
        got = statuses(clients)
        equal((got.count(200), got.count(429)), (20, 80), "200 and 429")
        equal(len(server.requests), 20, "requests at the server")
        lbd.wait_metric(REFUSED, 80, reason="rate_limit")
        equal(statuses(clients[:5]), [429] * 5, "on the same connections")  # they stay open
        equal(lbd.get(source="127.0.0.10").status, 200, "status of another client")
        close(clients)


def test_http_2_has_the_same_buckets():
    streams = range(1, 81, 2)
    with Backend() as server, Lbd(limited(server, burst=20, listener={"http2": True})) as lbd:
        clients = [h2.connect(lbd.address()) for _ in range(3)]
        for client in clients:
            client.send(b"".join(h2.headers(stream, GET) for stream in streams))
        answers = [client.answer(stream) for client in clients for stream in streams]
        equal(sorted(a.status for a in answers), [200] * 20 + [429] * 100, "statuses")
        equal({a.one("retry-after") for a in answers if a.status == 429}, {"60"}, "Retry-After")
        equal(lbd.get().status, 429, "HTTP/1 from the same client")
        for client in clients:
            client.alive()
            client.close()


def test_http_2_over_tls():
    conf = tls_config("127.0.0.1:1", listener={"rate_limit": {**SLOW, "burst": 2}})
    conf["listeners"][0]["routes"] = [{"path": "/", "respond": {"status": 204}}]
    with Lbd(conf) as lbd, h2.H2(TlsClient(lbd.address(), alpn=["h2"]).sock) as client:
        fields = [GET[0], (":scheme", "https"), *GET[2:]]
        equal([client.request(stream, fields).status for stream in (1, 3, 5, 7)], [204, 204, 429, 429], "statuses")


def test_what_a_refused_client_sees():
    log = {"access": {"target": "stderr", "format": "json"}}
    conf = limited("127.0.0.1:1", burst=1, listener={"routes": [{"path": "/", "respond": {"status": 204}}]})
    with Lbd({**conf, "log": log}) as lbd, lbd.client() as client:
        equal(client.get().status, 204, "status of the first")
        for _ in range(2):
            got = client.get()
            equal((got.status, got.one(b"retry-after"), got.body), (429, b"60", b"429 Too Many Requests\n"), "refusal")
        client.send(request("HEAD"))
        equal(client.response(b"HEAD").status, 429, "HEAD")
        client.send(request("POST", "/elsewhere", body=b"x" * 100))  # its body is not read: the end
        equal(client.response().status, 429, "POST")
        lbd.log.wait("/elsewhere")
        records = [json.loads(line) for line in lbd.log.text().split("\n") if '"rate_limit"' in line]
        equal([(r["method"], r["target"], r["status"], r["pool"], r["client"]) for r in records],
              [("GET", "/", 429, "", "127.0.0.1")] * 2 + [("HEAD", "/", 429, "", "127.0.0.1"),
                                                          ("POST", "/elsewhere", 429, "", "127.0.0.1")], "records")


def test_tokens_come_back():
    conf = config("127.0.0.1:1", listener={"rate_limit": {"requests_per_second": 4, "burst": 1},
                                           "routes": [{"path": "/", "respond": {"status": 204}}]})
    with Lbd(conf) as lbd, lbd.client() as client:
        served = refused = 0
        while served < 3:
            got = client.get()
            served += got.status == 204
            refused += got.status == 429
            check(got.status == 204 or got.one(b"retry-after") == b"1", "Retry-After is not 1")
        check(refused > 0, "nothing was refused")


def connections_limited(n, **listener):
    return {"rate_limit": {"connections_per_minute": 1, "connection_burst": n}, **listener}


def reset_at_once(lbd, source):
    """What one too many sees where nothing can be answered."""
    try:
        with lbd.client(source) as client:
            client.read_to_end()
            return client.reset
    except ConnectionResetError:
        return True  # before we knew that we were connected


def test_connections_in_tcp_mode():
    log = {"log": {"access": {"target": "stderr", "format": "json"}}}
    conf = config("127.0.0.1:1", workers=4, listener=connections_limited(5, protocol="tcp"), **log)
    with Backend(shout) as server:
        conf["pools"][0]["servers"] = [{"address": server.address}]
        with Lbd(conf) as lbd:
            clients = [lbd.client("127.0.0.9") for _ in range(5)]
            for client in clients:
                client.send(b"x")
                equal(client.read_exactly(1), b"X", "echo")
            check(all(reset_at_once(lbd, "127.0.0.9") for _ in range(3)), "one too many was not reset")
            with lbd.client("127.0.0.10") as other:
                other.send(b"x")
                equal(other.read_exactly(1), b"X", "echo for another client")
            close(clients)
            lbd.wait_metric(REFUSED, 3, reason="rate_limit")
            equal(len(server.connections), 6, "connections at the server")
            def refused():
                found = [line for line in lbd.log.text().split("\n") if '"termination":"rate_limit"' in line]
                return found if len(found) >= 3 else None
            got = [json.loads(line) for line in wait_for(refused, "three records")]
            equal([(r["protocol"], r["client"], r["status"], r["listener"], r["bytes_in"]) for r in got],
                  [("TCP", "127.0.0.9", 0, "in", 0)] * 3, "records")
            check(reset_at_once(lbd, "127.0.0.9"), "closing connections gave tokens back")


def test_connections_before_tls():
    """No handshake is begun; requests on those that came in time are not limited."""
    conf = tls_config("127.0.0.1:1", listener=connections_limited(2))
    conf["listeners"][0]["routes"] = [{"path": "/", "respond": {"status": 204}}]
    with Lbd(conf) as lbd:
        with TlsClient(lbd.address()) as one, TlsClient(lbd.address()) as two:
            equal([c.get().status for c in (one, two) for _ in range(5)], [204] * 10, "statuses")
        check(reset_at_once(lbd, "127.0.0.1"), "a third was not reset")
        equal(lbd.metric("lbpair_tls_handshakes_total"), 2, "handshakes")


def test_connections_and_requests():
    """Of one client behind a PROXY header as well; a listener of HTTP can say what is wrong."""
    listener = connections_limited(3, routes=[{"path": "/", "respond": {"status": 204}}], proxy_protocol=["127.0.0.8/32"])
    listener["rate_limit"].update(requests_per_minute=1, burst=4)
    with Lbd(config("127.0.0.1:1", listener=listener, workers=4)) as lbd:
        def named(source, asks):
            client = lbd.client("127.0.0.8")
            client.send(b"PROXY TCP4 %s 192.0.2.1 1 80\r\n" % source)
            return [client.get().status for _ in range(asks)], client
        got = [named(b"203.0.113.5", n)[0] for n in (2, 1, 2)]
        equal(got, [[204, 204], [204], [204, 429]], "by requests")
        equal(named(b"203.0.113.5", 1)[0], [429], "by connections")
        equal(named(b"203.0.113.6", 1)[0], [204], "another client")
        got = [lbd.get(source="127.0.0.9") for _ in range(5)]
        equal([a.status for a in got], [204] * 3 + [429] * 2, "without a header")
        equal([a.all(b"retry-after") for a in got[3:]], [[b"60"]] * 2, "Retry-After")


def test_a_proxy_that_is_trusted_may_connect():
    conf = config("127.0.0.1:1", listener=connections_limited(1, forwarded={"trust": ["127.0.0.9/32"]},
                                                              routes=[{"path": "/", "respond": {"status": 204}}]))
    with Lbd(conf) as lbd:
        equal([lbd.get(source="127.0.0.9").status for _ in range(3)], [204] * 3, "the proxy")
        equal([lbd.get(source="127.0.0.8").status for _ in range(3)], [204, 429, 429], "somebody else")


def test_by_header():
    key = "X-Api-Key: "
    with Backend() as server, Lbd(limited(server, burst=2, key="header:x-api-key")) as lbd, lbd.client() as client:
        got = [client.get("/", *fields).status for fields in
               ([key + "a"], [key + "a"], [key + "a"], [key + "b"], [], [key], [], [key + "b"], [key + "b"])]
        equal(got, [200, 200, 429, 200, 200, 200, 429, 200, 429], "statuses")


def test_by_host():
    """Which is no field in HTTP/2."""
    conf = limited("127.0.0.1:1", burst=1, key="header:Host",
                   listener={"http2": True, "routes": [{"path": "/", "respond": {"status": 204}}]})
    with Lbd(conf) as lbd, lbd.client() as client, h2.connect(lbd.address()) as client2:
        got = []
        for i, host in enumerate(("a", "b", "c")):
            client.send(request(host=host))
            got += [client.response().status, client2.request(2 * i + 1, [*GET[:3], (":authority", host)]).status]
        equal(got, [204, 429] * 3, "statuses")


def test_routes_have_their_own():
    """Who is refused by one limit uses up nothing of the other."""
    answer = {"respond": {"status": 204}}
    routes = [{"path": "/one", "rate_limit": {**SLOW, "burst": 1}, **answer},
              {"path": "/all", "rate_limit": {**SLOW, "burst": 2, "key": "route"}, **answer},
              {"path_prefix": "/", **answer}]
    with Lbd(limited("127.0.0.1:1", burst=5, listener={"routes": routes})) as lbd:
        with lbd.client("127.0.0.9") as client:
            equal([client.get("/one").status for _ in range(10)], [204] + [429] * 9, "/one")
            equal([client.get("/").status for _ in range(5)], [204] * 4 + [429], "/, the rest of the listener's five")
        with lbd.client("127.0.0.10") as client:
            equal([client.get(p).status for p in ("/one", "/all", "/all", "/all")], [204, 204, 204, 429], "another")
        equal(lbd.get("/all", source="127.0.0.11").status, 429, "/all, which is for all together")
        equal(lbd.get("/one", source="127.0.0.11").status, 204, "/one")


def test_ipv6_clients_are_subnets():
    """Only ::1 can be bound here, so the two clients are named by a proxy that is trusted."""
    trust = {"forwarded": {"trust": ["127.0.0.0/8"]}}
    with Backend() as server, Lbd(limited(server, burst=1, listener=trust)) as lbd, lbd.client() as client:
        def status(who):
            return client.get("/", "X-Forwarded-For: " + who).status
        got = [status(who) for who in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1", "203.0.113.1", "203.0.113.2",
                                       "1.1.1.1, 203.0.113.1", "203.0.113.1, 127.0.0.5")]
        equal(got, [200, 429, 200, 200, 200, 429, 429], "statuses")


def test_a_client_that_is_not_trusted_names_nobody():
    with Backend() as server, Lbd(limited(server, burst=1)) as lbd, lbd.client() as client:
        equal([client.get("/", f"X-Forwarded-For: 203.0.113.{i}").status for i in range(3)], [200, 429, 429], "statuses")


def test_a_reload_keeps_what_is_owed():
    routes = [{"path": "/a", "rate_limit": {**SLOW, "burst": 1}, "respond": {"status": 204}},
              {"path_prefix": "/", "respond": {"status": 200}}]
    conf = limited("127.0.0.1:1", burst=8, listener={"routes": routes})
    with Lbd(conf) as lbd, lbd.client() as client:
        equal([client.get("/a").status for _ in range(2)], [204, 429], "before")
        conf["listeners"][0]["routes"] = [{"path": "/b", "respond": {"status": 201}},
                                          {**routes[0], "respond": {"status": 203}}, routes[1]]
        conf["pools"][0]["algorithm"] = "random"
        lbd.reload(conf)
        equal(client.get("/a").status, 429, "the same rule with another answer")
        equal([client.get("/b").status for _ in range(8)], [201] * 7 + [429], "the listener's, of which one was used")
        conf["listeners"][0]["rate_limit"]["burst"] = 9
        lbd.reload(conf)
        equal(client.get("/b").status, 201, "another rule of the listener")
        equal(client.get("/a").status, 429, "the route's is still the same")
        del conf["listeners"][0]["rate_limit"], conf["listeners"][0]["routes"][1]["rate_limit"]
        lbd.reload(conf)
        equal([client.get("/a").status for _ in range(20)], [203] * 20, "without limits")


def test_a_reload_without_memory_changes_nothing():
    """Tables are there before a reload takes effect."""
    if sanitizer():
        raise Skip("sanitizers need all address space")
    conf = limited("127.0.0.1:1", burst=1, listener={"routes": [{"path": "/", "respond": {"status": 204}}]})
    with Lbd(conf) as lbd, lbd.client() as client:
        equal(client.get().status, 204, "before")
        with open(f"/proc/{lbd.proxy_pid()}/statm") as f:
            size = int(f.read().split()[0]) * 4096
        before = prlimit(lbd.proxy_pid(), RLIMIT_AS)
        prlimit(lbd.proxy_pid(), RLIMIT_AS, (size + (64 << 20), before[1]))
        big = json.loads(json.dumps(conf))
        big["listeners"][0]["rate_limit"]["table_size"] = "256m"
        lbd.reload(big)
        lbd.log.wait("reload_refused.*out of memory for a rate limit of listener in")
        prlimit(lbd.proxy_pid(), RLIMIT_AS, before)
        equal(client.get().status, 429, "the table of before")


def test_memory_is_bounded():
    """Clients by the thousand; the unit tests have a million."""
    trust = {"forwarded": {"trust": ["127.0.0.0/8"]}, "routes": [{"path": "/", "respond": {"status": 204}}]}
    with Lbd(limited("127.0.0.1:1", burst=1, listener=trust, table_size="4k")) as lbd, lbd.client() as client:
        def burst(n):
            client.send(b"".join(request("GET", "/", f"X-Forwarded-For: 198.18.{i >> 8}.{i & 255}") for i in range(n)))
            return [client.response().status for _ in range(n)]
        equal(client.get("/", "X-Forwarded-For: 203.0.113.5").status, 204, "the first")
        got = burst(64) + burst(1500)
        check(got.count(204) <= 512, f"{got.count(204)} passed a table of 512")
        equal(client.get("/", "X-Forwarded-For: 203.0.113.5").status, 429, "who was limited before the flood")
