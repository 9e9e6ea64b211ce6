"""The PROXY protocol: clients that come through another proxy, servers that are told of the client; HAProxy on either side."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

import h2
import h2_server_test
from addresses_test import has_ipv6
from h2 import GET
from harness import Backend, Client, Lbd, ReservedPort, Skip, check, config, echo, equal, request, wait_for
from server_tls_test import TlsBackend, trusting
from tls_peers import TlsClient, certificate, context, tls_config, usual

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n"


def v2(source, destination, ports=(12345, 443), command=1, more=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    ends = b"".join(socket.inet_pton(family, a) for a in (source, destination)) + struct.pack("!HH", *ports)
    return SIGNATURE + struct.pack("!BBH", 0x20 + command, 0x21 if family == socket.AF_INET6 else 0x11,
                                   len(ends + more)) + ends + more


V2 = v2("192.0.2.1", "198.51.100.7")
LOCAL = SIGNATURE + b"\x20\0\0\0"


def forwarded(server):
    return server.requests[-1].one(b"x-forwarded-for").decode()


# ---- from clients ----

def table_whose_connection_it_is(report):
    """Header and request in one piece, and byte by byte."""
    rows = {
        "v1": (V1, "192.0.2.1"),
        "v1_ipv6": (b"PROXY TCP6 2001:db8::1 2001:db8::2 12345 443\r\n", "2001:db8::1"),
        "v1_unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        "v2": (V2, "192.0.2.1"),
        "v2_ipv6": (v2("2001:db8::1", "2001:db8::2"), "2001:db8::1"),
        "v2_local": (LOCAL, "127.0.0.1"),
        "v2_more": (v2("192.0.2.1", "198.51.100.7", more=b"\x04\0\x64" + b"x" * 100), "192.0.2.1"),
        "v2_unix": (SIGNATURE + b"\x21\x31\x00\xd8" + b"/run/a".ljust(216, b"\0"), "unknown"),
    }
    with Backend() as server, Lbd(config(server, listener={"proxy_protocol": True, "http2": True})) as lbd:
        for name, (header, want) in rows.items():
            try:
                with lbd.client() as client:
                    client.send(header + request("GET", "/" + name))
                    equal(client.response().status, 200, "status")
                    equal(client.get("/again").status, 200, "status of the next one")
                equal(forwarded(server), want, "X-Forwarded-For")
                with lbd.client() as client:
                    client.send_bytewise(header + request("GET", "/bytewise"))
                    equal(client.response().body, b"GET /bytewise 0\n", "body")
                equal(forwarded(server), want, "X-Forwarded-For, byte by byte")
                with lbd.client() as client:
                    client.send(header + h2.PREFACE + h2.settings() + h2.headers(1, GET))
                    h = h2.H2(client.sock, begin=False)
                    equal(h.answer(1).status, 200, "status with HTTP/2")
                equal(forwarded(server), want, "X-Forwarded-For with HTTP/2")
            except AssertionError as e:
                report(name, str(e))
            else:
                report(name)


def table_refused(report):
    """No answer; counted by reason and logged."""
    rows = {
        "missing": request("GET", "/"),
        "line": b"PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n",
        "address": b"PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n",
        "version": SIGNATURE + b"\x31\x11\0\0",
        "family": SIGNATURE + b"\x21\x41\0\0",
        "length": SIGNATURE + b"\x21\x11\0\1",
        "extension": v2("192.0.2.1", "198.51.100.7", more=b"\x04\xff\xff"),
        "checksum": v2("192.0.2.1", "198.51.100.7", more=b"\x03\0\4abcd"),
        "closed": b"PROXY TCP4 ",
        "timeout": b"PROXY TCP4 ",
    }
    with Backend() as server, Lbd(config(
            server, listener={"proxy_protocol": ["127.0.0.0/8"]}, timeouts={"client_header": "200ms"})) as lbd:
        for reason, sent in rows.items():
            try:
                with lbd.client() as client:
                    client.send(sent)
                    if reason == "closed":
                        client.half_close()
                    client.expect_end()
                lbd.wait_metric("lbpair_proxy_protocol_failures_total", 1, reason=reason, listener="in")
                lbd.log.wait(f"proxy_header_refused listener=in peer=127.0.0.1 reason={reason}$")
            except AssertionError as e:
                report(reason, str(e))
            else:
                report(reason)
        with lbd.client() as client:  # it only looks
            client.half_close()
            client.expect_end()
        equal(lbd.metric("lbpair_proxy_protocol_failures_total"), len(rows), "failures")
        equal(server.requests, [], "requests at the server")


def test_others_may_not_claim_an_address():
    with Backend() as server, Lbd(config(server, listener={"proxy_protocol": ["10.0.0.0/8"]})) as lbd:
        equal(lbd.get("/").status, 200, "status without a header")
        with lbd.client() as client:
            client.send(V1 + request())
            equal(client.response().status, 400, "status with one")
        lbd.wait_metric("lbpair_rejected_total", 1, reason="version")
        equal(len(server.requests), 1, "requests at the server")


def test_the_address_is_the_clients_everywhere():
    """The log, routes, ip_hash, limits, and what the operator sees."""
    with Backend() as server, tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        file = os.path.join(directory, "access.log")
        conf = config(server, listener={"proxy_protocol": True, "routes": [
            {"clients": ["192.0.2.0/24"], "respond": {"status": 403}}]},
            limits={"connections_per_client": 1},
            log={"access": {"target": "file:" + file, "format": "json"}})
        with Lbd(conf) as lbd:
            with lbd.client() as one, lbd.client() as two, lbd.client() as three:
                one.send(V1 + request("GET", "/one"))
                equal(one.response().status, 403, "status of the route")
                two.send(v2("198.51.100.1", "127.0.0.1") + request("GET", "/two"))
                equal(two.response().status, 200, "status of another client")
                three.send(v2("198.51.100.1", "127.0.0.1") + request("GET", "/three"))
                equal(three.response().status, 429, "status of its second connection")
                equal(sorted(c["client"] for c in lbd.command("connections")["connections"]
                             if c["state"] != "linger"), ["192.0.2.1", "198.51.100.1"], "connections")
            wait_for(lambda: open(file).read().count("\n") == 3, "three records")
            records = [json.loads(line) for line in open(file)]
            equal([r["client"] for r in records], ["192.0.2.1", "198.51.100.1", "198.51.100.1"], "clients in the log")


class FirstFlight(TlsClient):
    """A TLS client whose ClientHello comes in one piece with what goes before it."""

    def __init__(self, address, header):  # pylint: disable=super-init-not-called
        Client.__init__(self, address)
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context().wrap_bio(self.into, self.out, server_hostname="www.example.org")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.sock.sendall(header + self.out.read())
                header = b""
                self.into.write(self.sock.recv(65536))

    def get_status(self):
        self.tls.write(request("GET", "/tls"))
        self.sock.sendall(self.out.read())
        while True:
            try:
                return int(self.tls.read(65536).split()[1])
            except ssl.SSLWantReadError:
                self.into.write(self.sock.recv(65536))


def test_before_tls():
    with Backend() as server, Lbd(tls_config(server, listener={"proxy_protocol": True})) as lbd:
        for header in (V1, V2):
            with FirstFlight(lbd.address(), header) as client:
                equal(client.get_status(), 200, "status")
            equal(forwarded(server), "192.0.2.1", "X-Forwarded-For")
        with lbd.client() as client:
            client.send_bytewise(V2)
            client.sock = context().wrap_socket(client.sock, server_hostname="www.example.org")
            equal(client.get().status, 200, "status when the header comes alone")
        equal(forwarded(server), "192.0.2.1", "X-Forwarded-For")
        lbd.wait_metric("lbpair_tls_handshakes_total", 3)


# ---- to servers ----

class Told:
    """What a server was told of its client.  Nothing behind it is read."""

    def __init__(self, sock):
        self.sock, self.more = sock, {}
        self.source = self.destination = None
        first = self.read(1)
        if first == b"P":
            self.read_line()
        else:
            self.read_binary(first)

    def read(self, n):
        data = self.sock.recv(n, socket.MSG_WAITALL) if n else b""
        equal(len(data), n, "bytes of the header")
        return data

    def read_line(self):
        line = b"P"
        while not line.endswith(b"\r\n"):
            line += self.read(1)
        _, self.family, *ends = line.decode().split()
        if ends:
            self.source, self.destination = (ends[0], int(ends[2])), (ends[1], int(ends[3]))

    def read_binary(self, first):
        signature, self.command, self.family, n = struct.unpack("!12sBBH", first + self.read(15))
        equal(signature, SIGNATURE, "signature")
        rest = self.read(n)
        width = {0: 0, 0x11: 4, 0x21: 16}[self.family]
        if width:
            family = socket.AF_INET6 if width == 16 else socket.AF_INET
            ports = struct.unpack("!HH", rest[2 * width:2 * width + 4])
            self.source = socket.inet_ntop(family, rest[:width]), ports[0]
            self.destination = socket.inet_ntop(family, rest[width:2 * width]), ports[1]
            rest = rest[2 * width + 4:]
        self.more = dict(values(rest))


def values(data):
    """The types, lengths and values in it."""
    while data:
        kind, n = struct.unpack("!BH", data[:3])
        yield kind, data[3:3 + n]
        data = data[3 + n:]


def told(connection):
    """A server that wants to know."""
    connection.told = Told(connection.sock)
    echo(connection)


def table_to_servers(report):
    """Each client's requests on a connection of its own, which goes with it."""
    for version in (1, 2):
        try:
            with Backend(told) as server, \
                    Lbd(config(server, pool={"send_proxy_protocol": version, "retry": {"attempts": 0}})) as lbd:
                with lbd.client() as one, lbd.client() as two:
                    for client in (one, two, one, two):
                        equal(client.get().status, 200, "status")
                    equal(len(server.connections), 2, "connections to the server")
                    for client, connection in zip((one, two), server.connections):
                        equal(len(connection.requests), 2, "requests on each")
                        equal(connection.told.source, client.sock.getsockname(), "source")
                        equal(connection.told.destination, lbd.address(), "destination")
                    one.close()
                    server.wait(lambda: server.connections[0].eof, "the end of its connection")
                    check(not server.connections[1].eof, "the other one's ended, too")
                    equal(two.get().status, 200, "status of the other one")
        except AssertionError as e:
            report(f"v{version}", str(e))
        else:
            report(f"v{version}")


def test_few_rest():
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Backend(told)) for _ in range(8)]
        with Lbd(config(*servers, pool={"send_proxy_protocol": 1})) as lbd, lbd.client() as client:
            for server in servers:
                equal(client.get().status, 200, "status")
            equal([len(s.requests) for s in servers], [1] * 8, "requests")
            wait_for(lambda: sum(len(s.open_connections()) for s in servers) == 5, "all but five to end")


def test_what_was_heard_is_told_on():
    with Backend(told) as server, Lbd(config(
            server, listener={"proxy_protocol": True}, pool={"send_proxy_protocol": 2})) as lbd:
        for header, source, destination in (
                (V1, "192.0.2.1", "198.51.100.7"), (v2("2001:db8::1", "2001:db8::2"), "2001:db8::1", "2001:db8::2")):
            with lbd.client() as client:
                client.send(header + request())
                equal(client.response().status, 200, "status")
            equal(server.connections[-1].told.source, (source, 12345), "source")
            equal(server.connections[-1].told.destination, (destination, 443), "destination")
        with lbd.client() as client:
            client.send(LOCAL + request())
            equal(client.response().status, 200, "status")
            equal(server.connections[-1].told.source, client.sock.getsockname(), "source of a local one")


def test_streams_of_a_client_at_once():
    """Several connections to the server, all of them the client's; they are used again by it alone."""
    gate = threading.Barrier(3)

    def script(connection):
        connection.told = Told(connection.sock)
        while (message := connection.request()) is not None:
            if message.target == b"/together":
                gate.wait(10)
            connection.reply(message)
    with Backend(script) as server, Lbd(config(
            server, listener={"http2": True}, pool={"send_proxy_protocol": 1})) as lbd:
        with h2.connect(lbd.address()) as client:
            together = [*GET[:2], (":path", "/together"), GET[3]]
            client.send(b"".join(h2.headers(s, together) for s in (1, 3, 5)))
            for stream in (1, 3, 5):
                equal(client.answer(stream).status, 200, "status")
            equal(client.request(7, GET).status, 200, "status")
            equal(len(server.connections), 3, "connections to the server")
            equal({c.told.source for c in server.connections}, {client.sock.getsockname()}, "sources")
        server.wait(lambda: all(c.eof for c in server.connections), "their end")


def test_servers_that_speak_http2():
    def script(connection):
        connection.told = Told(connection.sock)
        h2_server_test.echo(connection)
    with Backend(script) as server, Lbd(config(
            server, listener={"http2": True}, pool={"http2": True, "send_proxy_protocol": 2})) as lbd:
        with h2.connect(lbd.address()) as one, h2.connect(lbd.address()) as two:
            for client, streams in ((one, (1, 3)), (two, (1, 3)), (one, (5, 7)), (two, (5, 7))):
                client.send(b"".join(h2.headers(stream, GET) for stream in streams))
                for stream in streams:
                    equal(client.answer(stream).status, 200, "status")
            equal(len(server.connections), 2, "connections to the server")
            equal([c.told.source for c in server.connections],
                  [one.sock.getsockname(), two.sock.getsockname()], "sources")
            one.close()
            server.wait(lambda: server.connections[0].closed, "the end of its connection")
            check(not server.connections[1].closed, "the other one's ended, too")


def test_before_tls_to_servers():
    """And of TLS with the client."""
    heard = []

    def script(connection):
        heard.append(Told(connection.sock))
        connection.sock = own.wrap_socket(connection.sock, server_side=True)
        echo(connection)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(usual().file, usual().key)
    ca = certificate("proxied ca", ca=True)
    alice = certificate("alice", issuer=ca, subject="/O=Example/CN=Alice Müller", usage="clientAuth")
    with Backend(script) as server, Lbd(tls_config(
            server, pool={**trusting(), "send_proxy_protocol": 2},
            tls={"client_verify": "optional", "client_ca": ca.file})) as lbd:
        for client_context, certified in ((context(), False), (context(certificate=alice), True)):
            with TlsClient(lbd.address(), using=client_context) as client:
                equal(client.get().status, 200, "status")
                source = client.sock.getsockname()
            equal(heard[-1].source, source, "source")
            tls = heard[-1].more[0x20]
            equal(struct.unpack("!BI", tls[:5]), (7, 0) if certified else (1, 1), "flags and verdict")
            equal(dict(values(tls[5:])), {0x21: b"TLSv1.3", **({0x22: "Alice Müller".encode()} if certified else {})},
                  "of TLS")
            equal(heard[-1].more[0x02], b"www.example.org", "authority")


def test_checks_speak_for_themselves():
    for version, kind in ((1, "http"), (2, "http"), (2, "tcp")):
        with Backend(told) as server, Lbd(config(server, pool={
                "send_proxy_protocol": version, "health_check": {"type": kind, "interval": "20ms"}})) as lbd:
            lbd.wait_metric("lbpair_server_up", 1)
            if kind == "http":
                server.wait_requests(1)
                seen = next(c for c in server.connections if c.requests).told
                equal(seen.family, "UNKNOWN" if version == 1 else 0, "family")
                if version == 2:
                    equal(seen.command, 0x20, "command")


def test_a_reload_switches_it():
    """What is open was opened under other rules: it is not used again."""
    with Backend(lambda c: told(c) if c.number else echo(c)) as server, Lbd(config(server)) as lbd:
        with lbd.client() as client:
            equal(client.get().status, 200, "status")
            lbd.reload(config(server, pool={"send_proxy_protocol": 1}))
            equal(client.get().status, 200, "status")
            equal(server.connections[1].told.source, client.sock.getsockname(), "source")
        equal([len(c.requests) for c in server.connections], [1, 1], "requests on each connection")


def test_in_tcp_mode():
    """Nobody waits for anybody: the header comes alone, and the server speaks first."""
    def script(connection):
        connection.told = Told(connection.sock)
        connection.send(b"220 ready\n")
        connection.send(b"250 " + connection.read_until(b"\n"))
    with Backend(script) as server, Lbd(config(
            server, listener={"protocol": "tcp", "proxy_protocol": True}, pool={"send_proxy_protocol": 2},
            log={"access": {"format": "json"}})) as lbd:
        for behind in (b"", b"HELO\n"):
            with lbd.client() as client:
                client.send(V1 + behind)
                equal(client.read_exactly(10), b"220 ready\n", "greeting")
                if not behind:
                    client.send(b"HELO\n")
                equal(client.read_to_end(), b"250 HELO\n", "answer")
            told = server.connections[-1].told
            equal((told.source, told.destination), (("192.0.2.1", 12345), ("198.51.100.7", 443)), "addresses")
        record = json.loads(lbd.log.wait('^{.*"listener"'))
        equal((record["client"], record["bytes_in"], record["bytes_out"]), ("192.0.2.1", 5, 19), "the record")


def test_before_a_hello_that_is_passed_through():
    with TlsBackend() as server:
        conf = config("127.0.0.1:1", listener={
            "protocol": "tcp", "proxy_protocol": True, "routes": [{"sni": "www.example.org", "pool": "named"}]})
        conf["pools"].append({"name": "named", "servers": [{"address": server.address}]})
        with Lbd(conf) as lbd:
            with FirstFlight(lbd.address(), V2) as client:
                equal(client.get_status(), 200, "status")
            equal(server.names, ["www.example.org"], "SNI")


# ---- HAProxy ----

@contextlib.contextmanager
def haproxy(text, addresses):
    if not shutil.which("haproxy"):
        raise Skip("no haproxy on this machine")
    with tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, "haproxy.cfg")
        with open(file, "w") as f:
            f.write("defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n" + text)
        process = subprocess.Popen(["haproxy", "-db", "-f", file], stderr=subprocess.DEVNULL)
        try:
            for address in addresses:
                wait_for(lambda: accepts(address) or process.poll() is not None, "haproxy to listen")
            equal(process.poll(), None, "haproxy's status")
            yield
        finally:
            process.terminate()
            process.wait()


def accepts(address):
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return False
    return True


def haproxy_config(lbd, ports, end):
    """In front of each listener of lbd two, one for each version; behind lbd one that says what it was told."""
    text = f"frontend end\n bind 127.0.0.1:{end} accept-proxy\n" \
        " http-request return status 200 content-type text/plain lf-string \"%[src] %[src_port] %[dst] %[dst_port]\"\n"
    for (host, listener, version), port in ports.items():
        option = "send-proxy" if version == 1 else "send-proxy-v2 proxy-v2-options crc32c,unique-id"
        address = ":".join(str(part) for part in lbd.address(listener))
        text += f"listen l{port}\n bind {host}:{port}\n server lbd {address} {option}\n"
    return text


def test_between_haproxy_and_haproxy():
    """Whatever version goes in and whatever goes out, what comes out is what the client sees."""
    hosts = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
    with contextlib.ExitStack() as stack:
        end = stack.enter_context(ReservedPort()).port
        conf = config(f"127.0.0.1:{end}", listener={"proxy_protocol": True}, pool={"send_proxy_protocol": 1})
        conf["listeners"].append({"name": "two", "pool": "two", "proxy_protocol": True})
        conf["pools"].append({**conf["pools"][0], "name": "two", "send_proxy_protocol": 2})
        lbd = stack.enter_context(Lbd(conf))
        ports = {(host, listener, version): stack.enter_context(ReservedPort(host)).port
                 for host in hosts for listener in (0, 1) for version in (1, 2)}
        stack.enter_context(haproxy(
            haproxy_config(lbd, ports, end), [("127.0.0.1", end), *((key[0], port) for key, port in ports.items())]))
        for (host, listener, version), port in ports.items():
            with Client((host, port)) as client:
                got = client.get().body.decode().split()
                source, destination = client.sock.getsockname(), client.sock.getpeername()
                equal(got, [host, str(source[1]), host, str(destination[1])],
                      f"version {version} in, {listener + 1} out")
        equal(lbd.metric("lbpair_proxy_protocol_failures_total"), 0, "failures")
