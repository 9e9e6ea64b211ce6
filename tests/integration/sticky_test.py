"""Clients stay with their server: by lbd's cookie, and by what is hashed."""

import base64
import os
import threading

import h2
from harness import Backend, Lbd, ReservedPort, check, config, equal, request, wait_for
from tls_peers import client as tls_client, context, directory, tls_config


def secret(name="sticky", content="0123456789abcdef" * 2 + "\n"):
    path = os.path.join(directory(), name)
    with open(path, "w", encoding="ascii") as f:
        f.write(content)
    return path


def numbered(number):
    def script(connection):
        while message := connection.request():
            connection.reply(message, b"s%d" % number)
    return script


class Servers:
    """s0, s1, ...: each says its name, and remembers what it was asked."""

    def __init__(self, n, script=numbered):
        self.all = [Backend(script(i)) for i in range(n)]

    def config(self, **more):
        return [{"name": f"s{i}", "address": b.address, **more} for i, b in enumerate(self.all)]

    def last(self, body):
        """The last request at the server that gave that answer."""
        return self.all[int(body[1:])].requests[-1]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for server in self.all:
            server.__exit__(kind)


def sticky(servers, file=None, more=None, **options):
    pool = {"stickiness": {"name": "SRV", "secret_file": file or secret(), **(more or {})}, **options.pop("pool", {})}
    return config(*servers, pool=pool, **options)


def word(answer):
    """What an answer sets: the cookie, as it is sent back."""
    return answer.one(b"set-cookie").split(b";")[0].decode()


def placed(client, cookie=None):
    """(its server, the cookie it has from now on) of one request."""
    answer = client.get("/", *([f"Cookie: {cookie}"] if cookie else []))
    equal(answer.status, 200, "status")
    return answer.body, word(answer) if answer.all(b"set-cookie") else cookie


def everywhere(client, n):
    """{server: its cookie}, by round robin."""
    return dict(placed(client) for _ in range(n))


def test_a_cookie_brings_clients_back():
    with Servers(3) as servers, Lbd(sticky(servers.config(), workers=2)) as lbd, lbd.client() as client:
        first = client.get()
        name, value = word(first).split("=")
        equal(name, "SRV", "name of the cookie")
        equal(first.one(b"set-cookie"), b"SRV=%s; Path=/; HttpOnly; SameSite=Lax" % value.encode(), "Set-Cookie")
        equal(first.one(b"cache-control"), b"private", "Cache-Control")
        equal(len(base64.urlsafe_b64decode(value)), 12, "bytes of the word")
        equal(servers.last(first.body).all(b"cookie"), [], "cookies of the first request")
        for _ in range(8):
            with lbd.client() as other:  # on either worker
                again = other.get("/", f"Cookie: SRV={value}")
                equal((again.body, again.all(b"set-cookie"), again.all(b"cache-control")), (first.body, [], []), "again")
                equal(servers.last(first.body).all(b"cookie"), [], "cookies at the server")
        words = everywhere(client, 3)
        equal(len(set(words.values())), 3, "different words")
        for server, cookie in words.items():
            got = client.get("/", "Cookie: a=1; " + cookie + "; b=2", "X-After: y", "Cookie: c=3")
            equal((got.body, got.all(b"set-cookie")), (server, []), "its server")
            seen = servers.last(server)
            equal((seen.all(b"cookie"), seen.one(b"x-after")), ([b"a=1; b=2", b"c=3"], b"y"), "what the server got")
        lbd.wait_metric("lbpair_sticky_total", 4, outcome="new")
        lbd.wait_metric("lbpair_sticky_total", 11, outcome="kept")


def test_both_nodes_understand_it():
    """Two lbd that know nothing of each other; servers in another order there, one more, and other addresses."""
    with Servers(3) as here, Servers(3) as there:
        file = secret()
        other = [{"name": "new", "address": there.all[0].address}, *reversed(there.config())]
        with Lbd(sticky(here.config(), file)) as one, Lbd(sticky(other, file, workers=2)) as two:
            with one.client() as client:
                words = everywhere(client, 3)
            for _ in range(3):
                for server, cookie in words.items():
                    with two.client() as client:
                        equal(placed(client, cookie), (server, cookie), "server and cookie at the other node")
            two.kill_proxy()
            two.notifications.drain()
            with two.client() as client:
                equal(placed(client, words[b"s1"]), (b"s1", words[b"s1"]), "after a crash")


NOBODYS = ["SRV=", "SRV=x", "SRV=AAAAAAAAAAAAAAAA", "SRV=127.0.0.1:80", "SRV=s0", "SRV=\"{}\"", "SRV={}x", "SRV= {}", "SRV=={}",
           "SRV=" + "A" * 20000, "SRV=;" * 3000, "SRV=\x80\xff", "SRV={}, SRV={}"]
PASSED = ["srv={}", "SRV", "XSRV={}", "SRV ={}", "a=SRV={}", "; ;;", "=", "\"SRV={}\"", ""]
KNOWN = ["SRV={}", ";SRV={};", " SRV={} ;a=1", "SRV=x; SRV={}", "SRV={}; SRV=x", "a=\"; SRV={}; b=\"", "a=1;SRV={}"]


def test_hostile_cookies():
    with Servers(3) as servers, Lbd(sticky(servers.config())) as lbd, lbd.client() as client:
        server, cookie = placed(client)
        value = cookie.split("=", 1)[1]
        for text in NOBODYS + PASSED:
            got = client.get("/", "Cookie: " + text.replace("{}", value))
            equal((got.status, len(got.all(b"set-cookie"))), (200, 1), f"an answer to {text[:40]}")
            seen = servers.last(got.body).all(b"cookie")
            if text in PASSED and text.strip():
                equal(seen, [text.replace("{}", value).encode("latin-1")], "the cookie of another name")
            else:
                equal(seen, [b""] if text == "" else [], f"{text[:40]} at the server")
        lbd.wait_metric("lbpair_sticky_total", len(NOBODYS), outcome="unknown")
        for text in KNOWN:
            got = client.get("/", "Cookie: " + text.replace("{}", value))
            equal((got.body, got.all(b"set-cookie")), (server, []), f"an answer to {text}")
            check(not any(b"SRV" in c for c in servers.last(server).all(b"cookie")), f"{text}: a server saw it")
        lbd.wait_metric("lbpair_sticky_total", len(KNOWN), outcome="kept")


def test_it_falls_to_another_server_and_stays():
    with Servers(3) as servers:
        conf = sticky(servers.config())
        with Lbd(conf) as lbd, lbd.client() as client:
            words = everywhere(client, 3)

            def server(name, **change):
                lbd.command("server", name="web/" + name, **change)

            server("s1", action="drain")
            for _ in range(3):
                equal(placed(client, words[b"s1"]), (b"s1", words[b"s1"]), "in drain")
            equal({placed(client)[0] for _ in range(6)}, {b"s0", b"s2"}, "new clients meanwhile")
            server("s1", action="ready")
            server("s2", action="weight", value=0)
            equal(placed(client, words[b"s2"])[0], b"s2", "weight 0")
            server("s2", action="weight", value=1)
            server("s1", action="maintenance")
            now, cookie = placed(client, words[b"s1"])
            equal(cookie, words[now], "the cookie of its new server")
            check(now != b"s1", "a server in maintenance answered")
            server("s1", action="ready")
            for _ in range(6):
                equal(placed(client, cookie), (now, cookie), "it stays there")
            lbd.wait_metric("lbpair_sticky_total", 1, outcome="moved")
            rest = [s for s in servers.config() if s["name"] != "s1"]
            lbd.reload(sticky(rest))
            now, cookie = placed(client, words[b"s1"])
            check(now != b"s1" and cookie == words[now], f"a server that is gone: {now}, {cookie}")
            lbd.reload(sticky(servers.config(), secret("other", "x" * 32)))
            now, cookie = placed(client, words[b"s0"])
            check(cookie not in words.values(), "another secret, the same word")
            equal(placed(client, cookie), (now, cookie), "with its new cookie")
            lbd.wait_metric("lbpair_sticky_total", 2, outcome="unknown")


def test_a_server_that_fails_loses_its_clients():
    """Nobody listens: another try goes elsewhere, and so does the cookie."""
    with Servers(3) as servers, ReservedPort("127.0.0.1") as port:
        dead = servers.config()
        dead[1]["address"] = port.address
        with Lbd(sticky(servers.config())) as lbd, lbd.client() as client:
            words = everywhere(client, 3)
            lbd.reload(sticky(dead, pool={"retry": {"attempts": 2}}))
            now, cookie = placed(client, words[b"s1"])
            check(now != b"s1" and cookie == words[now], f"with a cookie of the dead: {now}, {cookie}")
            equal(placed(client, cookie), (now, cookie), "it stays there")
            equal(lbd.metric("lbpair_retries_total"), 1, "retries")


def test_a_full_server_gives_way():
    gate = threading.Event()

    def slow(number):
        def script(connection):
            while message := connection.request():
                if message.target == b"/slow":
                    gate.wait(30)
                connection.reply(message, b"s%d" % number)
        return script

    with Servers(2, slow) as servers, Lbd(sticky(servers.config(max_connections=1))) as lbd:
        with lbd.client() as client, lbd.client() as holder:
            words = everywhere(client, 2)
            holder.send(request("GET", "/slow", "Cookie: " + words[b"s0"]))
            servers.all[0].wait(lambda: servers.all[0].requests[-1:] and servers.all[0].requests[-1].target == b"/slow")
            equal(placed(client, words[b"s0"]), (b"s1", words[b"s1"]), "while its server is full")
            gate.set()
            equal(holder.response().body, b"s0", "the request that filled it")


def test_attributes_and_http2():
    """The secret of tickets is the default; crumbs; Secure by TLS."""
    more = {"stickiness": {"name": "SRV", "ttl": "1h", "domain": "example.org", "path": "/shop", "same_site": "none"}}
    with Servers(3) as servers:
        conf = tls_config(*servers.config(), tls={"ticket_secret_file": secret()}, pool=more)
        conf["listeners"].append({"name": "plain", "pool": "web", "http2": True})
        with Lbd(conf) as lbd:
            with tls_client(lbd) as client:
                got = client.get()
                cookie = word(got)
                equal(got.one(b"set-cookie").decode(),
                      cookie + "; Domain=example.org; Path=/shop; Max-Age=3600; Secure; HttpOnly; SameSite=None", "over TLS")
            with lbd.client(listener=1) as client:
                equal(client.get().one(b"set-cookie").split(b"; ", 1)[1],
                      b"Domain=example.org; Path=/shop; Max-Age=3600; HttpOnly", "plain")
            with tls_client(lbd, using=context(alpn=["h2"])) as secure:
                client = h2.H2(secure.sock)
                fresh = client.request(1)
                check(fresh.one("set-cookie").startswith("SRV="), f"HTTP/2: {fresh.fields}")
                kept = client.request(3, [*h2.GET, ("cookie", "a=1"), ("cookie", cookie), ("cookie", "b=2")])
                equal((bytes(kept.body), kept.one("set-cookie")), (got.body, None), "with crumbs")
                equal(servers.last(got.body).all(b"cookie"), [b"a=1; b=2"], "crumbs at the server")
                alone = client.request(5, [*h2.GET, ("cookie", cookie)])
                equal((bytes(alone.body), servers.last(got.body).all(b"cookie")), (got.body, []), "alone")


def test_a_websocket_gets_one_too():
    def upgrades(number):
        def script(connection):
            if connection.request():
                connection.send(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-Server: s%d\r\n\r\n" % number)
                connection.read_to_end()
        return script

    def opened(lbd, *fields):
        with lbd.client() as client:
            client.send(request("GET", "/", "Connection: upgrade", "Upgrade: websocket", *fields))
            got = client.response()
            equal(got.status, 101, "status")
            return got

    with Servers(2, upgrades) as servers, Lbd(sticky(servers.config())) as lbd:
        first = opened(lbd)
        again = opened(lbd, "Cookie: " + word(first))
        equal((again.one(b"x-server"), again.all(b"set-cookie")), (first.one(b"x-server"), []), "again")


def test_a_secret_that_is_too_short():
    with Servers(1) as servers, Lbd(sticky(servers.config())) as lbd, lbd.client() as client:
        server, cookie = placed(client)
        lbd.reload(sticky(servers.config(), secret("short", "x" * 31 + "\n")))
        lbd.log.wait(r"reload_refused.*pools\[0\]\.stickiness: .*a secret of 31 bytes is too short")
        lbd.reload(sticky(servers.config(), "/nowhere/secret"))
        lbd.log.wait("reload_refused.*cannot open /nowhere/secret")
        equal(placed(client, cookie), (server, cookie), "still")


# ---- what is hashed ----

KEYS = {  # what differs between requests: target, fields
    "header:X-Tenant": lambda i: ("/", [("x-tenant", f"t{i}")]),
    "header:host": lambda i: ("/", [("host", f"h{i}")]),
    "cookie:session": lambda i: ("/", [("cookie", f"a=1; session=t{i}; b={i % 3}")]),
    "uri": lambda i: (f"/page?i={i}", []),
    "path": lambda i: (f"/page{i}?x={i % 3}", []),
}


def one_by_one(lbd, i, key):
    """The server of that key, by HTTP/1 and HTTP/2."""
    target, fields = KEYS[key](i)
    host = dict(fields).get("host", "test")
    rest = [(n, v) for n, v in fields if n != "host"]
    with lbd.client() as client:
        client.send(request("GET", target, *(f"{n.title()}: {v}" for n, v in rest), host=host))
        plain = client.response().body
    with h2.connect(lbd.address()) as client:
        got = client.request(1, [(":method", "GET"), (":scheme", "http"), (":path", target), (":authority", host), *rest])
        equal(bytes(got.body), plain, f"HTTP/2 and HTTP/1, {key} {i}")
    return plain


def test_keys_decide():
    with Servers(4) as servers:
        def conf(key, algorithm):
            return config(*servers.config(), pool={"algorithm": algorithm, "hash_key": key}, listener={"http2": True},
                          workers=2)
        with Lbd(conf("client_ip", "ip_hash")) as lbd:
            for n, key in enumerate(KEYS):
                lbd.reload(conf(key, ("ip_hash", "consistent_hash")[n % 2]))
                first = [one_by_one(lbd, i, key) for i in range(12)]
                check(len(set(first)) >= 3, f"{key}: 12 keys got only {set(first)}")
                equal([one_by_one(lbd, i, key) for i in range(12)], first, f"{key}: the same again")
            lbd.reload(conf("header:X-Tenant", "consistent_hash"))
            with lbd.client() as client:
                equal(len({client.get(f"/{i}", *f).body for i, f in enumerate([[], [], ["X-Tenant:"], []])}), 1,
                      "servers of requests without a key")


def test_clients_behind_a_trusted_proxy():
    with Servers(4) as servers:
        def of(client):
            return [client.get("/", f"X-Forwarded-For: 192.0.2.{i}").body for i in range(12)]

        pool, trust = {"algorithm": "consistent_hash"}, {"forwarded": {"trust": ["127.0.0.0/8"]}}
        with Lbd(config(*servers.config(), pool=pool, listener=trust)) as lbd, lbd.client() as client:
            first = of(client)
            check(len(set(first)) >= 3, f"12 clients got only {set(first)}")
            equal(of(client), first, "the same again")
            lbd.reload(config(*servers.config(), pool=pool))
            equal(len(set(of(client))), 1, "servers of a proxy that is not trusted")


def test_uri_without_and_path_with_a_query():
    with Servers(4) as servers:
        pool = {"algorithm": "consistent_hash", "hash_key": "path"}
        with Lbd(config(*servers.config(), pool=pool)) as lbd, lbd.client() as client:
            equal(len({client.get(f"/page?i={i}").body for i in range(12)}), 1, "servers of one path")
            lbd.reload(config(*servers.config(), pool={**pool, "hash_key": "uri"}))
            check(len({client.get(f"/page?i={i}").body for i in range(12)}) >= 3, "queries do not count")


def test_bounded_load():
    """Twelve at once for one key: over all workers no server has more than 1.25 times its share."""
    gate = threading.Event()

    def holds(number):
        def script(connection):
            while message := connection.request():
                gate.wait(30)
                connection.reply(message, b"s%d" % number)
        return script

    with Servers(4, holds) as servers:
        pool = {"algorithm": "consistent_hash", "hash_key": "uri", "hash_balance_factor": 125}
        with Lbd(config(*servers.config(), pool=pool, workers=2)) as lbd:
            clients = []
            for i in range(12):
                clients.append(lbd.client())
                clients[-1].send(request("GET", "/popular"))
                wait_for(lambda: sum(len(s.requests) for s in servers.all) == i + 1, "the request to arrive")
            counts = sorted(len(s.requests) for s in servers.all)
            gate.set()
            for c in clients:
                equal(c.response().status, 200, "status")
            check(counts[-1] <= 4, f"12 requests at once for one key: {counts}")
            wait_for(lambda: lbd.metric("lbpair_server_active") == 0, "the requests to end")
            equal(len({clients[0].get("/popular").body for _ in range(8)}), 1, "servers of the key, one by one")
            for c in clients:
                c.close()
