"""Kernel TLS: what is sent in bulk, by the kernel's records; what does not go with them."""

import errno
import random
import re
import socket
import ssl
import subprocess
import threading

import h2
from harness import Backend, Lbd, Skip, answer, check, equal, request
from tcp_tls_test import ended
from tls_peers import client, context, tls_config
from wire import PATIENCE, Stream

BULK = random.Random(1).randbytes(3 << 20)
OLD = ssl.TLSVersion.TLSv1_2
CIPHERS = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305")
PROTOCOLS = [("1.3", {})] + [(name, {"most": OLD, "ciphers": name}) for name in CIPHERS]
TCP_ULP = 31


def here():
    """Skips where lbd cannot use it: a socket without a connection is refused for that alone."""
    with socket.socket() as s:
        try:
            s.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls\0")
        except OSError as e:
            if e.errno != errno.ENOTCONN:
                raise Skip(f"the kernel has no TLS (modprobe tls): {e.strerror}") from None


def parts(connection):
    """GET /N: the first N bytes of BULK."""
    while message := connection.request():
        connection.send(answer(BULK[:int(message.target[1:])]))


def gushing(then=lambda connection: None):
    """In TCP mode: a line with a number is answered with so many bytes, once."""
    def script(connection):
        n = int(connection.read_until(b"\n", 60))
        connection.send(BULK[:n])
        then(connection)
    return script


def offloaded(lbd, n):
    lbd.wait_metric("lbpair_tls_ktls_connections_total", n)


def test_said_at_the_start():
    with Backend(parts) as server, Lbd(tls_config(server)) as lbd:
        lbd.log.wait(r"kernel_tls (aes_gcm=(yes|no) chacha20_poly1305=(yes|no)|none=\"[^\"]+\")")


def test_off():
    with Backend(parts) as server, Lbd(tls_config(server, tls={"ktls": "off"})) as lbd, client(lbd) as c:
        check(c.get(f"/{len(BULK)}").body == BULK, "the body was changed")
        equal(lbd.metric("lbpair_tls_ktls_connections_total"), 0, "connections")


def test_downloads():
    """Of each kind of key; small answers before and after; resumed; the end is said."""
    here()
    with Backend(parts) as server, Lbd(tls_config(server)) as lbd:
        for n, (name, options) in enumerate(PROTOCOLS):
            using = context(**options)
            with client(lbd, using=using) as c:
                for size in (10, len(BULK), 10, 1 << 20, 0, 16385):
                    check(c.get(f"/{size}").body == BULK[:size], f"{name}: {size} bytes were changed")
                session = c.sock.session
            with client(lbd, using=using, session=session) as c:
                check(c.sock.session_reused, f"{name}: the session was not resumed")
                check(c.get(f"/{len(BULK)}", "Connection: close").body == BULK, f"{name}: the body was changed")
                equal(c.read_to_notify(), b"", "surplus")
            offloaded(lbd, 2 * n + 2)
        sent = lbd.metric("lbpair_tls_ktls_bytes_total")
        all_sent = lbd.metric("lbpair_bytes_total", direction="out")
        check(len(PROTOCOLS) * 5 << 20 < sent < all_sent, f"bytes: {sent} of {all_sent}")


def test_small_answers_stay():
    here()
    with Backend(parts) as server, Lbd(tls_config(server)) as lbd, client(lbd) as c:
        for _ in range(100):
            check(c.get("/8192").body == BULK[:8192], "the body was changed")
        equal(lbd.metric("lbpair_tls_ktls_connections_total"), 0, "connections")


class Wire(Stream):
    """A client that keeps the records."""

    def __init__(self, address, using):
        super().__init__(socket.create_connection(address, PATIENCE))
        self.sealed, self.seen = ssl.MemoryBIO(), bytearray()
        self.said = ssl.MemoryBIO()
        self.tls = using.wrap_bio(self.sealed, self.said, server_hostname="www.example.org")

    def turn(self, act):
        while True:
            try:
                result = act()
                self.sock.sendall(self.said.read())
                return result
            except ssl.SSLWantReadError:
                self.sock.sendall(self.said.read())
                data = self.sock.recv(1 << 16)
                self.seen += data
                if not data:
                    self.sealed.write_eof()
                self.sealed.write(data)

    def records(self):
        """(kind, what follows the header) of each."""
        at = 0
        while at < len(self.seen):
            n = int.from_bytes(self.seen[at + 3:at + 5], "big")
            yield self.seen[at], bytes(self.seen[at + 5:at + 5 + n])
            at += 5 + n


def test_no_nonce_twice():
    """TLS 1.2 shows its nonces: before the change and after it, one row."""
    here()
    using = context(most=OLD, ciphers=CIPHERS[0])
    with Backend(parts) as server, Lbd(tls_config(server)) as lbd, Wire(lbd.address(), using) as c:
        c.turn(c.tls.do_handshake)
        c.turn(lambda: c.tls.write(b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n" % len(BULK)))
        got = bytearray()
        while got[-64:] != BULK[-64:]:
            got += c.turn(lambda: c.tls.read(1 << 16))
        check(got.endswith(BULK), "the body was changed")
        offloaded(lbd, 1)
        nonces = [int.from_bytes(text[:8], "big") for kind, text in c.records() if kind == 23]
        check(len(nonces) > len(BULK) >> 14, f"{len(nonces)} records")
        equal([b - a & (1 << 64) - 1 for a, b in zip(nonces, nonces[1:])], [1] * (len(nonces) - 1), "steps")


def test_http_2():
    here()
    with Backend(parts) as server, Lbd(tls_config(server)) as lbd:
        with h2.H2(client(lbd, alpn=["h2"]).sock, (4, 1 << 24)) as c:  # a window, so that much comes at once
            c.send(h2.window(0, 1 << 24))
            for stream in (1, 3, 5):
                fields = [(":method", "GET"), (":scheme", "https"), (":authority", "test"), (":path", f"/{len(BULK)}")]
                check(bytes(c.request(stream, fields).body) == BULK, "the body was changed")
            offloaded(lbd, 1)


def test_tcp_mode():
    """The server ends at once; the client still gets all of it, and the word that it is all."""
    here()
    with Backend(gushing()) as server, Lbd(ended(server)) as lbd:
        for n, size in enumerate(range(len(BULK) - 40000, len(BULK), 9001)):
            with client(lbd) as c:
                c.send(b"%d\n" % size)
                check(c.read_to_notify() == BULK[:size], f"{size} bytes were changed")
            offloaded(lbd, n + 1)


def test_slow_reader():
    """The socket is full to the middle of a record when the server ends."""
    here()
    with Backend(gushing()) as server, Lbd(ended(server)) as lbd:
        for _ in range(4):
            with Slow(lbd.address(), b"%d\n" % len(BULK)) as c:
                check(c.read_slowly() == BULK, "the bytes were changed")
        offloaded(lbd, 4)


def test_slow_reader_of_the_last_answer():
    here()
    with Backend(parts) as server, Lbd(tls_config(server)) as lbd:
        with Slow(lbd.address(), request("GET", f"/{len(BULK)}", "Connection: close")) as c:
            check(c.read_slowly().endswith(BULK), "the body was changed")
        offloaded(lbd, 1)


class Slow:
    """A client with a small receive buffer that reads little at a time."""

    def __init__(self, address, word):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(PATIENCE)
        plain.connect(address)
        self.sock = context().wrap_socket(plain, server_hostname="www.example.org", suppress_ragged_eofs=False)
        self.sock.sendall(word)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def read_slowly(self):
        """All of it; the end without close_notify raises."""
        got = bytearray()
        while data := self.sock.recv(16384):
            got += data
        return bytes(got)


def test_two_ways():
    """What comes is OpenSSL's all the time."""
    here()

    def mirror(connection):
        while data := connection.read_some(60):
            connection.send(data)
    with Backend(mirror) as server, Lbd(ended(server)) as lbd, client(lbd) as c:
        using = threading.Thread(target=lambda: c.sock.sendall(BULK * 2), daemon=True)
        using.start()
        check(c.read_exactly(2 * len(BULK), 60) == BULK * 2, "the bytes were changed")
        offloaded(lbd, 1)


def test_broken_off():
    here()
    with Backend(gushing(lambda c: c.read_some(60))) as server, Lbd(ended(server)) as lbd:
        for _ in range(3):
            with client(lbd) as c:
                c.send(b"%d\n" % len(BULK))
                c.read_exactly(1 << 20)
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        offloaded(lbd, 3)
        lbd.wait_metric("lbpair_connections", 0)


class Openssl:
    """openssl s_client, which can ask for keys: lines to it, and what it prints."""

    def __init__(self, address):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", "%s:%d" % address, "-servername", "www.example.org"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def wait(self, pattern):
        while not re.search(pattern, self.text):
            data = self.process.stdout.read1(1 << 16)
            check(data, f"no {pattern} in {bytes(self.text[-2000:])!r}")
            self.text += data


def lines(connection):
    """A line with a number: so many lines."""
    while True:
        line = connection.read_until(b"\n", 60)
        connection.send(b"0123456789abcdef" * (int(line) << 16) + b"END\n")


def test_other_keys_before():
    """A key that changed before is OpenSSL's for good."""
    here()
    with Backend(lines) as server, Lbd(ended(server)) as lbd, Openssl(lbd.address()) as c:
        server.tolerant = True
        c.say(b"K\n")
        c.wait(rb"KEYUPDATE")
        c.say(b"1\n")  # leaves behind the request
        c.wait(rb"END\n")
        equal(lbd.metric("lbpair_tls_ktls_connections_total"), 0, "connections")


def test_other_keys_after():
    """The client may change its own; a new one of ours there cannot be, so the connection ends."""
    here()
    with Backend(lines) as server, Lbd(ended(server)) as lbd, Openssl(lbd.address()) as c:
        server.tolerant = True
        c.say(b"1\n")
        c.wait(rb"END\n")
        offloaded(lbd, 1)
        c.say(b"k\n")
        c.wait(rb"KEYUPDATE")
        c.say(b"0\n")
        c.wait(rb"END\n(?s:.*)END\n")
        c.say(b"K\n")
        c.wait(rb"KEYUPDATE(?s:.*)KEYUPDATE")
        c.say(b"0\n")
        c.wait(rb"alert internal error")
