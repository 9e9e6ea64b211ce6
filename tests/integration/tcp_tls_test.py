"""TCP mode and TLS: ended by lbd, spoken to servers, or passed through by the name that a client asks for."""

import ssl
import threading
import time

from harness import Backend, Lbd, check, equal
from tcp_test import logged, records, shout, tcp
from tls_peers import Certificate, certificate, client, context, refused, usual
from server_tls_test import TlsBackend, trusting

ONE, TWO = "one.example.org", "two.example.org"


def ended(*backends, tls=None, **options):
    listener = {"tls": {"certificates": [usual().config()], **(tls or {})}}
    return tcp(*backends, listener=listener, **options)


def test_tls_ends_here():
    with Backend(shout) as server, Lbd(logged(ended(server))) as lbd:
        using = context()
        with client(lbd, using=using) as c:
            c.send(b"hello")
            equal(c.read_exactly(5), b"HELLO", "echo")
            session = c.sock.session
            c.sock.unwrap()
        with client(lbd, session=session, using=using) as c:
            c.send(b"again")
            equal(c.read_exactly(5), b"AGAIN", "echo")
            check(c.sock.session_reused, "the session was not resumed")
        record = records(lbd, 2)[0]
        equal([record[k] for k in ("protocol", "tls_version", "host", "bytes_in", "termination")],
              ["TCP", "TLSv1.3", "www.example.org", 5, "ok"], "record")
        equal(lbd.metric("lbpair_tls_handshakes_total", resumed="yes"), 1, "resumed handshakes")


def test_protocols_that_are_agreed_on():
    """By default none; else what the file says, the servers' own; who offers others alone is refused."""
    with Backend(shout) as server, Lbd(ended(server)) as lbd:
        for alpn, offer, expected in (None, ["postgresql"], None), (["mqtt", "h2"], ["h2", "mqtt"], "mqtt"), \
                (["mqtt", "h2"], ["x", "h2"], "h2"), (["mqtt"], None, None):
            if alpn:
                lbd.reload(ended(server, tls={"alpn": alpn}))
            with client(lbd, alpn=offer) as c:
                c.send(b"x")
                equal(c.read_exactly(1), b"X", "echo")
                equal(c.sock.selected_alpn_protocol(), expected, "protocol")
        equal(refused(lbd, alpn=["postgresql"]), "NO_APPLICATION_PROTOCOL", "another protocol")


def test_what_clients_were_promised_is_asked_of_servers():
    with TlsBackend(shout, alpn=["mqtt", "h2"]) as server, \
            Lbd(ended(server, tls={"alpn": ["h2", "mqtt"]}, pool=trusting())) as lbd:
        for offer, expected in (["mqtt"], "mqtt"), (["h2"], "h2"), (None, None):
            with client(lbd, alpn=offer) as c:
                c.send(b"x")
                equal(c.read_exactly(1), b"X", "echo")
                equal(server.connections[-1].sock.selected_alpn_protocol(), expected, "protocol")


def test_large_flows_through_tls():
    data = bytes(range(256)) * 4096 * 8
    with Backend(shout) as server, Lbd(ended(server)) as lbd, client(lbd) as c:
        thread = threading.Thread(target=lambda: c.sock.sendall(data), daemon=True)
        thread.start()
        equal(c.read_exactly(len(data), 60) == data.upper(), True, "all of it came back")


def test_certificates_of_clients():
    ca = certificate("tcp-ca", "ca", ca=True)
    own = Certificate("tcp-client", ["client"], issuer=ca)
    tls = {"client_verify": "require", "client_ca": ca.file}
    with Backend(shout) as server, Lbd(ended(server, tls=tls)) as lbd:
        refused(lbd)
        with client(lbd, certificate=own) as c:
            c.send(b"x")
            equal(c.read_exactly(1), b"X", "echo")
        equal(len(server.connections), 1, "connections to the server")


def test_tls_to_servers():
    """Without ALPN; verified; one that cannot be is another try, then the end."""
    with TlsBackend(shout, alpn=["http/1.1"]) as server, Lbd(tcp(server, pool=trusting())) as lbd:
        with lbd.client() as c:
            c.send(b"x")
            equal(c.read_exactly(1), b"X", "echo")
            equal(server.connections[0].sock.selected_alpn_protocol(), None, "protocol")
            c.half_close()
            c.expect_end()
    with TlsBackend(shout, own=certificate("stranger", "stranger")) as server:
        with Lbd(logged(tcp(server, pool=trusting()))) as lbd:
            with lbd.client() as c:
                c.read_to_end()
                check(c.reset, "the end looks orderly")
            equal(records(lbd)[0]["termination"], "server_tls", "termination")


class Named(TlsBackend):
    """A server with a certificate for one name, which says that name."""

    def __init__(self, name):
        super().__init__(lambda connection: (connection.read_some(), connection.send(name.encode())),
                         own=certificate(name.split(".")[0], name))


def passing(default, one, two, **options):
    def pool(name, server):
        return {"name": name, "servers": [{"address": server.address}], "health_check": {"type": "none"}}
    conf = tcp(default, **options)
    conf["listeners"][0]["routes"] = [{"sni": ONE, "pool": "one"}, {"sni": "*.two.example.org", "pool": "two"},
                                      {"sni": TWO, "pool": "two"},
                                      {"sni": "local.example.org", "clients": ["127.0.0.9"], "pool": "two"}]
    conf["pools"] += [pool("one", one), pool("two", two)]
    return conf


def ask(lbd, name, trust):
    with client(lbd, name, trust=trust) as c:
        c.send(b"who?")
        return c.read_exactly(len(ONE)).decode()


def test_names_decide():
    with Backend(shout) as default, Named(ONE) as one, Named(TWO) as two:
        with Lbd(logged(passing(default, one, two))) as lbd:
            equal(ask(lbd, ONE, certificate("one", ONE)), ONE, "the server of the first name")
            equal(ask(lbd, TWO.upper(), certificate("two", TWO)), TWO, "the server of the second name, in capitals")
            equal(ask(lbd, "a.b." + TWO, certificate("two", TWO)), TWO, "the server of a name below the second")
            with lbd.client() as c:
                c.send(b"no tls")
                equal(c.read_exactly(6), b"NO TLS", "the pool of those who ask for no name")
            equal([(r["pool"], r["host"]) for r in records(lbd, 4)],
                  [("one", ONE), ("two", TWO.upper()), ("two", "a.b." + TWO), ("web", "")], "records")


def test_a_name_for_some_clients():
    with Backend(lambda c: c.send(b"220")) as default, Named(ONE) as one, Named(TWO) as two:
        with Lbd(passing(default, one, two)) as lbd:
            for source, expected in ("127.0.0.9", True), ("127.0.0.8", False):
                raw = lbd.client(source=source)
                raw.send(hello_of("local.example.org"))
                reply = raw.read_some()
                equal(reply[:1] == b"\x16", expected, f"TLS for {source}")
                raw.close()


def hello_of(name, **options):
    """The first flight of a client that asks for that name."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(verify=False, **options).wrap_bio(into, out, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def in_records(hello, size):
    body = hello[5:]
    return b"".join(hello[:3] + len(body[i:i + size]).to_bytes(2, "big") + body[i:i + size]
                    for i in range(0, len(body), size))


def test_a_hello_in_pieces():
    """Byte by byte, over many records, and with the client's half closed behind it: the server gets it as it was."""
    got = []

    def script(connection):
        got.append(connection.read_to_end())
        connection.send(b"done")

    with Backend(shout) as default, Backend(script) as one, Named(TWO) as two:
        with Lbd(passing(default, one, two)) as lbd:
            hello = hello_of(ONE)
            for sent in hello, in_records(hello, 11), in_records(hello, 1):
                with lbd.client() as c:
                    c.send_bytewise(sent, single=64)
                    c.send(b"and more")
                    c.half_close()
                    equal(c.read_to_end(), b"done", "answer")
                equal(got.pop(), sent + b"and more", "what the server got")


def test_without_a_pool_for_others():
    with Backend(shout) as default, Named(ONE) as one, Named(TWO) as two:
        conf = logged(passing(default, one, two))
        del conf["listeners"][0]["pool"]
        with Lbd(conf) as lbd:
            equal(ask(lbd, ONE, certificate("one", ONE)), ONE, "the server of the first name")
            check(refused(lbd, "three.example.org"), "a name that nobody has")
            with lbd.client() as c:
                c.send(b"GET / HTTP/1.1\r\n\r\n")
                equal(c.read_to_end(), b"", "an answer to what is no TLS")
            equal([r["termination"] for r in records(lbd, 3)], ["ok", "no_route", "no_route"], "terminations")
            equal(lbd.metric("lbpair_rejected_total", reason="no_route"), 2, "no_route")


def test_bad_hellos():
    hello = hello_of(ONE)
    with Backend(shout) as default, Named(ONE) as one, Named(TWO) as two:
        with Lbd(logged(passing(default, one, two, timeouts={"tls_handshake": "300ms", "drain": "2s"}))) as lbd:
            with lbd.client() as c:  # longer than anybody's
                c.send(b"\x16\x03\x01\x40\x00\x01\x00\x41\x00" + bytes(20000))
                c.read_to_end()
            with lbd.client() as c:  # not all of it
                c.send(hello[:100])
                start = time.monotonic()
                c.read_to_end()
                check(time.monotonic() - start < 5, "the deadline was not kept")
            with lbd.client() as c:  # begun, and ended
                c.send(hello[:100])
                c.half_close()
                c.read_to_end()
            equal([r["termination"] for r in records(lbd, 3)],
                  ["client_hello", "client_hello_timeout", "client_closed"], "terminations")
            equal(one.connections + two.connections + default.connections, [], "connections to servers")


def test_who_waits_for_the_server_to_speak():
    """Nothing comes in time: the default pool, whose server may speak first."""
    with Backend(lambda c: (c.send(b"220 mail\r\n"), c.read_to_end())) as default, Named(ONE) as one, \
            Named(TWO) as two:
        with Lbd(passing(default, one, two, timeouts={"tls_handshake": "100ms", "drain": "2s"})) as lbd:
            with lbd.client() as c:
                equal(c.read_exactly(10), b"220 mail\r\n", "greeting")


def test_names_decide_behind_tls_that_ends_here():
    with Backend(lambda c: c.send(b"default")) as default, Backend(lambda c: c.send(b"one")) as one, \
            Backend(lambda c: c.send(b"two")) as two:
        conf = passing(default, one, two)
        conf["listeners"][0]["tls"] = {"certificates": [usual().config()]}
        with Lbd(conf) as lbd:
            for name, expected in (ONE, b"one"), (TWO, b"two"), ("www.example.org", b"default"), (None, b"default"):
                with client(lbd, name) as c:
                    equal(c.read_to_end(), expected, f"server of {name}")


def test_sni_routes_requests():
    with Backend() as default, Backend() as one:
        conf = tcp(default)
        conf["listeners"][0].update(protocol="http", tls={"certificates": [usual().config()], "check_host": False},
                                    routes=[{"sni": "*.example.org", "path_prefix": "/a", "pool": "one"}])
        conf["pools"].append({"name": "one", "servers": [{"address": one.address}], "health_check": {"type": "none"}})
        with Lbd(conf) as lbd:
            for name, path in (ONE, "/a"), (ONE, "/b"), ("test", "/a"), (None, "/a"):
                with client(lbd, name) as c:
                    equal(c.get(path).status, 200, "status")
            equal([r.target for r in one.requests], [b"/a"], "requests by name and path")
            equal(len(default.requests), 3, "all others")
