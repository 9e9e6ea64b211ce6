"""Hosts and names on one TLS connection: 421 for a host of another certificate, no session under another name."""

import ssl

import h2
from h2 import GET
from harness import Backend, Lbd, equal, request
from tls_peers import certificate, client, context, tls_config, usual

TWO = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def two_names():
    one, other = certificate("one", "one.example", "*.one.example"), certificate("two", "two.example")
    return {"certificates": [c.config() for c in (usual(), one, other)]}


def status(lbd, name, host):
    with client(lbd, name, verify=False) as c:
        c.send(request(host=host))
        return c.response().status


def test_a_host_of_another_certificate():
    with Backend() as server, Lbd(tls_config(server, tls=two_names())) as lbd:
        for name, host, expected in (("one.example", "one.example", 200), ("one.example", "ONE.example:8443", 200),
                                     ("one.example", "a.one.example", 200), ("one.example", "a.b.one.example", 421),
                                     ("one.example", "two.example", 421), ("two.example", "one.example", 421),
                                     (None, "127.0.0.1:443", 200), (None, "one.example", 421),
                                     ("unknown.example", "unknown.example", 421), ("www.example.org", "test", 200)):
            equal(status(lbd, name, host), expected, f"status for {host} on a connection for {name}")
        lbd.wait_metric("lbpair_rejected_total", 5, reason="misdirected")
        equal(len(server.requests), 5, "requests at the server")
        with client(lbd, "one.example", verify=False) as c:
            c.send(b"GET http://two.example/ HTTP/1.1\r\nHost: two.example\r\n\r\n")
            equal(c.response().status, 421, "status for an absolute target")


def test_a_host_of_another_certificate_in_http2():
    def fields(host):
        return [(name, host if name == ":authority" else value) for name, value in GET]

    with Backend() as server, Lbd(tls_config(server, tls=two_names())) as lbd:
        with client(lbd, "one.example", verify=False, alpn=["h2"]) as c:
            with h2.H2(c.sock) as session:
                for stream, host, expected in ((1, "two.example", 421), (3, "one.example", 200),
                                               (5, "a.one.example:1", 200), (7, "test", 421), (9, "one.example", 200)):
                    equal(session.request(stream, fields(host)).status, expected, f"status for {host}")
        equal(len(server.requests), 3, "requests at the server")


def test_the_check_can_be_off():
    with Backend() as server, Lbd(tls_config(server, tls={**two_names(), "check_host": False})) as lbd:
        equal(status(lbd, "one.example", "two.example"), 200, "status")
    nameless = certificate("name less", ca=True)
    with Backend() as server, Lbd(tls_config(server, tls={"certificates": [nameless.config()]})) as lbd:
        equal(status(lbd, "www.example.org", "other.example"), 421, "status")


def test_a_session_is_not_resumed_under_another_name():
    with Backend() as server, Lbd(tls_config(server, tls=two_names())) as lbd:
        for version in TWO:
            using = context(verify=False, most=version, least=version)

            def reused(name, session, using=using):
                with client(lbd, name, session=session, using=using) as c:
                    c.send(request(host=name if name and not name.startswith("unknown") else "test"))
                    equal(c.response().status, 200, f"status for {name}")
                    return c.sock.session_reused, c.sock.session

            for first, second, expected in (
                    ("one.example", "one.example", True), ("one.example", "ONE.example", True),
                    ("one.example", "two.example", False), ("one.example", None, False),
                    ("one.example", "unknown.example", False), ("a.one.example", "one.example", False),
                    (None, "two.example", False), (None, None, True), (None, "unknown.example", True)):
                fresh, session = reused(first, None)
                equal(fresh, False, "a first connection")
                again, session = reused(second, session)
                equal(again, expected, f"{version.name}: a session of {first} resumed for {second}")
                equal(reused(second, session)[0], True, f"{version.name}: the session after it, of {second}")
