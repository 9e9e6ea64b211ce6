"""TLS to servers: whom lbd believes, what it says of itself, what it remembers, and what fails."""

import socket
import ssl

from harness import Backend, Broken, Lbd, check, config, equal, request, wait_for
from tls_peers import certificate, usual


class TlsBackend(Backend):
    """A Backend whose connections speak TLS; handshakes that fail are kept, and are no error."""

    def __init__(self, script=None, own=None, alpn=None, client_ca=None, most=None, **options):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain((own or usual()).file, (own or usual()).key)
        self.context.sni_callback = self.note_name
        if alpn:
            self.context.set_alpn_protocols(alpn)
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_ca.file)
        if most:
            self.context.maximum_version = most
        self.names, self.resumed, self.failed = [], [], []
        super().__init__(*([script] if script else []), **options)

    def note_name(self, _sock, name, _context):
        self.names.append(name)

    def run_script(self, connection):
        try:
            connection.sock = self.context.wrap_socket(connection.sock, server_side=True)
        except (OSError, ssl.SSLError) as e:
            with self.changed:
                self.failed.append(e)
                self.changed.notify_all()
            connection.close()
            return
        self.resumed.append(connection.sock.session_reused)
        super().run_script(connection)


def trusting(tls=None, ca=None, **options):
    return {"tls": {"ca": (ca or usual()).file, **(tls or {})}, **options}


def refused(lbd, reason, status=502):
    """A request gets that answer, and the failure is counted and logged."""
    before = lbd.metric("lbpair_server_tls_handshake_failures_total", reason=reason)
    equal(lbd.get().status, status, "status")
    lbd.wait_metric("lbpair_server_tls_handshake_failures_total", before + 1, reason=reason)
    lbd.log.wait(f"server_tls_failed .*reason={reason}")


def test_a_request_is_served():
    with TlsBackend() as server, Lbd(config(server, pool=trusting())) as lbd:
        for _ in range(3):
            equal(lbd.get("/").status, 200, "status")
        equal(len(server.connections), 1, "connections")
        equal(server.names, [None], "SNI for an address")
        equal(lbd.metric("lbpair_server_tls_handshakes_total", version="TLSv1.3", resumed="no"), 1, "handshakes")
        equal(lbd.metric("lbpair_server_idle_connections"), 1, "idle connections")


def test_the_name_is_sent_and_verified():
    ipv4 = {"family": "ipv4"}  # localhost is [::1] as well
    address = lambda server: f"localhost:{server.port}"
    with TlsBackend() as server, Lbd(config(address(server), resolver=ipv4, pool=trusting())) as lbd:
        refused(lbd, "certificate_name")
        equal(server.names, ["localhost"], "SNI is the server's name")
        lbd.reload(config(address(server), resolver=ipv4, pool=trusting({"server_name": "www.example.org"})))
        equal(lbd.get().status, 200, "status with server_name")
        equal(server.names[-1], "www.example.org", "SNI")
        lbd.reload(config(address(server), resolver=ipv4, pool=trusting({"server_name": "other.example"})))
        refused(lbd, "certificate_name")
        lbd.reload(config(address(server), resolver=ipv4, pool={"tls": {"verify": False}}))
        equal(lbd.get().status, 200, "status without verification")


def test_who_is_trusted():
    other = certificate("other-ca", "www.example.org", "127.0.0.1")
    ca = certificate("server-ca", "ca.example", ca=True)
    issued = certificate("issued", "127.0.0.1", issuer=ca)
    with TlsBackend(own=issued) as server:
        with Lbd(config(server, pool=trusting(ca=other))) as lbd:
            refused(lbd, "certificate")
            lbd.reload(config(server, pool=trusting(ca=ca)))
            equal(lbd.get().status, 200, "status with the authority")
            lbd.reload(config(server, pool=trusting(ca=issued)))
            equal(lbd.get().status, 200, "status with the server's own certificate")
        with Lbd(config(server, pool={"tls": {}}), env={"SSL_CERT_FILE": ca.file}) as lbd:
            equal(lbd.get().status, 200, "status with the system's authorities")
        with Lbd(config(server, pool={"tls": {}}), env={"SSL_CERT_FILE": other.file}) as lbd:
            refused(lbd, "certificate")


def test_an_expired_certificate():
    expired = certificate("expired", "127.0.0.1", days=-1)
    with TlsBackend(own=expired) as server, Lbd(config(server, pool=trusting(ca=expired))) as lbd:
        refused(lbd, "certificate_expired")


def test_a_server_that_is_not_trusted_is_passed_over():
    other = certificate("other-ca", "www.example.org", "127.0.0.1")
    pool = trusting(retry={"attempts": 1})
    with TlsBackend(own=other) as bad, TlsBackend() as good, Lbd(config(bad, good, pool=pool)) as lbd:
        for i in range(4):
            with lbd.client() as c:
                c.send(request("POST", f"/{i}", body=b"once"))  # nothing was sent: any method may be tried again
                equal(c.response(b"POST").status, 200, "status")
        equal(len(good.requests), 4, "requests")
        equal(bad.requests, [], "what a server gets that is not trusted")
        check(bad.failed, "the other server was tried")


def test_a_server_that_does_not_speak_tls():
    with Backend(lambda c: c.send(b"HTTP/1.1 400 X\r\n\r\n")) as server, Lbd(config(server, pool=trusting())) as lbd:
        refused(lbd, "not_tls")


def test_a_server_that_ends_the_handshake():
    with Backend(lambda c: c.fill(9e9)) as server, Lbd(config(server, pool=trusting())) as lbd:
        refused(lbd, "closed")


def test_a_handshake_that_takes_too_long():
    def hang(connection):
        while connection.fill(9e9):
            pass

    with Backend(hang) as server, \
            Lbd(config(server, pool=trusting(), timeouts={"tls_handshake": "100ms"})) as lbd:
        refused(lbd, "timeout", 504)


def test_lbd_shows_its_certificate():
    own = certificate("lbd-itself", "lbd.example")
    shown = []

    def script(connection):
        shown.append(connection.sock.getpeercert())
        while message := connection.request():
            connection.reply(message)

    with TlsBackend(script, client_ca=own) as server, \
            Lbd(config(server, pool=trusting({"certificate": own.file, "key": own.key}))) as lbd:
        equal(lbd.get().status, 200, "status with a certificate")
        equal(shown[0]["subject"], ((("commonName", "lbd-itself"),),), "whose")
        lbd.reload(config(server, pool=trusting()))
        equal(lbd.get().status, 502, "without a certificate the server refuses")


def test_sessions_are_resumed():
    def one(connection):
        connection.reply(connection.request(), None, 200, "Connection: close")

    for most in (None, ssl.TLSVersion.TLSv1_2):
        with TlsBackend(one, most=most) as server, Lbd(config(server, pool=trusting())) as lbd:
            for _ in range(3):
                equal(lbd.get().status, 200, "status")
            equal(server.resumed, [False, True, True], f"resumed, at most {most}")
            lbd.wait_metric("lbpair_server_tls_handshakes_total", 2, resumed="yes")
            lbd.reload(config(server, pool=trusting({"server_name": "www.example.org"})))
            equal(lbd.get().status, 200, "status")
            equal(server.resumed[-1], False, "a session is worth nothing under other settings")


def test_connections_are_not_shared_between_settings():
    with TlsBackend() as server, Lbd(config(server, pool=trusting())) as lbd:
        equal(lbd.get().status, 200, "status")
        lbd.reload(config(server, pool=trusting(), timeouts={"response": "9s"}))
        equal(lbd.get().status, 200, "status")
        equal(len(server.connections), 1, "connections: nothing has changed for it")
        lbd.reload(config(server, pool=trusting({"min_version": "1.3"})))
        equal(lbd.get().status, 200, "status")
        equal(len(server.connections), 2, "connections after a change")
        server.wait(lambda: len(server.open_connections()) == 1, "the old one to end")


def test_large_bodies_both_ways():
    body = bytes(range(256)) * 8192

    def script(connection):
        while message := connection.request():
            connection.reply(message, message.body)

    with TlsBackend(script) as server, Lbd(config(server, pool=trusting())) as lbd, lbd.client() as c:
        for _ in range(2):
            c.send(request("POST", "/", body=body))
            equal(c.response(b"POST").body == body, True, "the body that went is the one that came back")


def test_a_body_that_is_cut_is_not_complete():
    """Without close_notify an end is no end: somebody may have cut it off."""
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 X\r\n\r\npart")
        if connection.number == 0:
            connection.sock.unwrap()
        else:
            socket.socket(fileno=connection.sock.detach()).close()

    with TlsBackend(script) as server, Lbd(config(server, pool=trusting())) as lbd:
        equal(lbd.get().body, b"part", "body")
        try:
            lbd.get()
        except Broken:
            return
        raise Broken("the body that was cut looked complete")


def test_checks_verify():
    other = certificate("other-ca", "www.example.org", "127.0.0.1")
    quick = {"interval": "20s", "timeout": "10s", "fall": 1, "rise": 1}  # a changed check begins at once
    with TlsBackend() as good, TlsBackend(own=other) as bad, Backend() as plain:
        servers = [good.address, bad.address, plain.address]
        plain.tolerant = True  # what it gets is no HTTP
        with Lbd(config(*servers, pool=trusting(health_check={**quick, "type": "none"}))) as lbd:
            for kind in ("http", "https", "tcp"):
                check_of = {"type": kind, **quick, **({} if kind == "tcp" else {"path": "/" + kind})}
                done = [lbd.metric("lbpair_server_checks_total", server=s) for s in servers]
                lbd.reload(config(*servers, pool=trusting(health_check=check_of)))
                wait_for(lambda: all(lbd.metric("lbpair_server_checks_total", server=s) > n
                                     for s, n in zip(servers, done)), "a check of each")
                equal([lbd.metric("lbpair_server_up", server=s) for s in servers], [1, 0, 0], f"up, by {kind}")
            lbd.log.wait('server_down .*reason="self-signed certificate')
        equal({m.target for m in good.requests}, {b"/http", b"/https"}, "what was asked")


def test_checks_of_a_plain_pool():
    """Its requests are plain, and so nothing says whom to trust: an https check asks whether the server works."""
    with TlsBackend() as secure, Backend() as server:
        health = {"type": "https", "port": secure.port, "host": "www.example.org", "timeout": "5s"}
        with Lbd(config(server, pool={"health_check": health})) as lbd:
            lbd.wait_metric("lbpair_server_checks_total", 1, result="pass")
        equal(secure.names[0], "www.example.org", "SNI")
