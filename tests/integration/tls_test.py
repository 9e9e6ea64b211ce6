"""TLS of clients: certificates by name and kind of key, versions, ALPN, the data path, faults, limits."""

import json
import re
import socket
import ssl
import subprocess
import threading
import time

from harness import PATIENCE, Backend, Broken, Client, Lbd, check, config, equal, lbd_binary, request, wait_for
from tls_peers import BytesClient, certificate, client, context, openssl, refused, tls_config, usual


def test_a_request_is_served():
    with Backend() as server, Lbd(tls_config(server, log={"access": {"format": "json"}})) as lbd:
        with client(lbd) as c:
            equal(c.sock.version(), "TLSv1.3", "version")
            equal(c.sock.selected_alpn_protocol(), None, "protocol")
            for i in range(3):
                equal(c.get(f"/{i}").status, 200, "status")
        head = server.requests[0]
        equal(head.all(b"x-forwarded-proto"), [b"https"], "X-Forwarded-Proto")
        lbd.wait_metric("lbpair_requests_total", 3)
        equal(lbd.metric("lbpair_tls_handshakes_total", version="TLSv1.3", resumed="no"), 1, "handshakes")
        line = json.loads(lbd.log.wait(r'"tls_version"'))
        equal(line["tls_version"], "TLSv1.3", "tls_version in the access log")
        sent = len(request("GET", "/0"))
        equal(lbd.metric("lbpair_bytes_total", direction="in"), 3 * sent, "bytes in are plaintext")


def test_alpn():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        with client(lbd, alpn=["http/1.1", "x"]) as c:
            equal(c.sock.selected_alpn_protocol(), "http/1.1", "protocol")
        equal(refused(lbd, alpn=["spdy/3"]), "NO_APPLICATION_PROTOCOL", "refusal")
        lbd.wait_metric("lbpair_tls_handshake_failures_total", 1, reason="alpn")
        lbd.reload(tls_config(server, tls={"alpn": []}))
        with client(lbd, alpn=["spdy/3"]) as c:
            equal(c.sock.selected_alpn_protocol(), None, "protocol")
            equal(c.get().status, 200, "status")


def test_certificates_by_name():
    first = certificate("first", "first.example", "shared.example")
    star = certificate("star", "*.star.example")
    exact = certificate("exact", "a.star.example")
    tls = {"certificates": [c.config() for c in (first, star, exact)]}
    with Backend() as server, Lbd(tls_config(server, tls=tls)) as lbd:
        for name, expected in (("first.example", first), ("FIRST.example", first), ("shared.example", first),
                               ("a.star.example", exact), ("b.star.example", star), ("x.b.star.example", first),
                               ("star.example", first), ("unknown.example", first), (None, first)):
            with client(lbd, name, trust=expected) as c:
                equal(c.subject(), expected.file.rsplit("/", 1)[1][:-4], f"certificate for {name}")


def test_certificates_by_kind_of_key():
    ec, rsa = certificate("ec", "www.example.org"), certificate("rsa", "www.example.org", kind="rsa")
    wild = certificate("wild", "*.wild.example", kind="rsa")
    exact = certificate("wildec", "a.wild.example")
    tls = {"certificates": [c.config() for c in (rsa, ec, wild, exact)]}
    with Backend() as server, Lbd(tls_config(server, tls=tls)) as lbd:
        for name, cipher, expected in (
                ("www.example.org", "ECDHE-ECDSA-AES128-GCM-SHA256", ec),
                ("www.example.org", "ECDHE-RSA-AES128-GCM-SHA256", rsa),
                ("a.wild.example", "ECDHE-ECDSA-AES128-GCM-SHA256", exact),
                ("a.wild.example", "ECDHE-RSA-AES128-GCM-SHA256", wild),
                ("nobody.example", "ECDHE-ECDSA-AES128-GCM-SHA256", ec)):
            with client(lbd, name, trust=expected, most=ssl.TLSVersion.TLSv1_2, ciphers=cipher) as c:
                equal(c.subject() + ".crt", expected.file.rsplit("/", 1)[1], f"{name} with {cipher}")
        equal(refused(lbd, "b.wild.example", verify=False, most=ssl.TLSVersion.TLSv1_2,
                      ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"), "HANDSHAKE_FAILURE", "no such kind")
        lbd.wait_metric("lbpair_tls_handshake_failures_total", 1, reason="cipher")


def test_versions_and_ciphers():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        with client(lbd, most=ssl.TLSVersion.TLSv1_2) as c:
            equal(c.sock.version(), "TLSv1.2", "version")
            check(re.match(r"ECDHE-ECDSA-(AES\d+-GCM|CHACHA20)", c.sock.cipher()[0]), f"{c.sock.cipher()}")
            equal(c.sock.compression(), None, "compression")
            equal(c.get().status, 200, "status")
        equal(refused(lbd, most=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-AES128-SHA"),
              "HANDSHAKE_FAILURE", "a CBC cipher")
        lbd.reload(tls_config(server, tls={"min_version": "1.3"}))
        equal(refused(lbd, most=ssl.TLSVersion.TLSv1_2), "PROTOCOL_VERSION", "TLS 1.2")
        lbd.wait_metric("lbpair_tls_handshake_failures_total", 1, reason="version")
        with client(lbd) as c:
            equal(c.get().status, 200, "status")


def test_the_order_of_ciphers():
    """lbd's, but for clients that would rather have ChaCha20."""
    aes128, aes256, chacha = (f"ECDHE-ECDSA-{c}" for c in ("AES128-GCM-SHA256", "AES256-GCM-SHA384",
                                                           "CHACHA20-POLY1305"))
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        for offer, expected in (((aes256, aes128, chacha), aes128), ((aes256, chacha), aes256),
                                ((chacha, aes128), chacha)):
            with client(lbd, most=ssl.TLSVersion.TLSv1_2, ciphers=":".join(offer)) as c:
                equal(c.sock.cipher()[0], expected, f"chosen of {offer}")
        with client(lbd, least=ssl.TLSVersion.TLSv1_3) as c:  # which begins with AES256
            equal(c.sock.cipher()[0], "TLS_AES_128_GCM_SHA256", "chosen in TLS 1.3")


def test_old_protocols_are_refused():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        host, port = lbd.address()
        for option in ("-tls1", "-tls1_1"):
            done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", option, "-cipher",
                                   "ALL:@SECLEVEL=0"], input=b"", capture_output=True, timeout=30)
            check(b"alert protocol version" in done.stderr, f"{option}: {done.stderr[-500:]}")


def test_renegotiation_is_refused():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        host, port = lbd.address()
        with subprocess.Popen(["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            p.stdin.write(b"R\n")
            p.stdin.flush()
            out = p.communicate(timeout=30)[0]
        check(b"no renegotiation" in out, f"{out[-600:]}")


def test_large_bodies_both_ways():
    body = bytes(range(256)) * 8192

    def script(connection):
        while message := connection.request():
            connection.reply(message, message.body or body)

    with Backend(script) as server, Lbd(tls_config(server)) as lbd:
        with client(lbd) as c:
            for _ in range(2):
                equal(c.get().body == body, True, "the body that came is the one sent")
                c.send(request("POST", "/", body=body))  # the server answers when it has all
                equal(c.response(b"POST").body == body, True, "the body that went is the one that came back")


def test_small_records_and_pipelining():
    """Requests byte by byte, each in a record of its own; many in one record; more than a buffer holds."""
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        with client(lbd) as c:
            for byte in request("POST", "/slow", body=b"0123456789"):
                c.send(bytes([byte]))
            equal(c.response(b"POST").status, 200, "status")
            n = 400
            c.send(b"".join(request("POST", f"/{i}", "X-Filler: " + "f" * 100, body=b"b" * 50) for i in range(n)))
            for i in range(n):
                equal(c.response(b"POST").body, b"POST /%d 50\n" % i, "answer in order")


def test_a_slow_reader_gets_everything():
    body = b"0123456789abcdef" * (1 << 16)

    def script(connection):
        while message := connection.request():
            connection.reply(message, body)

    with Backend(script) as server, Lbd(tls_config(server)) as lbd:
        with client(lbd) as c:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            c.send(request())
            message = c.response(timeout=60)
            equal(message.body == body, True, "body")
        check(lbd.proxy_memory() < 100 << 20, "memory")


def test_ends_with_close_notify():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        with client(lbd) as c:
            c.send(request("GET", "/", "Connection: close"))
            check(c.read_to_notify().startswith(b"HTTP/1.1 200"), "an answer, then close_notify")
        with client(lbd) as c:
            c.send(b"bad\r\n\r\n")
            check(c.read_to_notify().startswith(b"HTTP/1.1 400"), "a refusal, then close_notify")
    with Backend() as server, Lbd(tls_config(server, timeouts={"client_idle": "100ms"})) as lbd:
        with client(lbd) as c:
            c.get()
            equal(c.read_to_notify(), b"", "an idle connection ends in order")


def test_a_cut_body_is_no_whole_one():
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.0 200 OK\r\n\r\npart of it")
        connection.reset_now()

    with Backend(script) as server, Lbd(tls_config(server)) as lbd:
        with client(lbd) as c:
            c.send(b"GET / HTTP/1.0\r\nHost: test\r\n\r\n")
            try:
                got = c.read_to_notify()
            except Broken as e:
                got = type(e).__name__.encode()
            check(b"200 OK" not in got, f"looks complete: {got!r}")


def test_plain_http_and_garbage_are_not_tls():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        for data in (request(), b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 200):
            with Client(lbd.address()) as c:
                c.send(data)
                try:
                    while c.fill(time.monotonic() + 10):
                        pass
                except ConnectionError:
                    pass
                check(not bytes(c.received).startswith(b"HTTP"), "plain HTTP on a TLS connection")
        wait_for(lambda: lbd.metric("lbpair_tls_handshake_failures_total") == 3, "three failures")
        with client(lbd) as c:
            equal(c.get().status, 200, "status")
        equal(len(server.requests), 1, "requests at the server")


def test_a_damaged_record_ends_the_connection():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        with client(lbd) as c:
            c.get()
            with socket.socket(fileno=socket.dup(c.sock.fileno())) as raw:
                raw.sendall(b"\x17\x03\x03\x00\x30" + b"z" * 48)
            try:
                while c.fill(time.monotonic() + 10):
                    pass
                raise AssertionError("it ended as if nothing had happened")
            except Exception as e:  # pylint: disable=broad-except
                check("BAD_RECORD_MAC" in str(e).upper().replace(" ", "_"), f"alert: {e}")
        lbd.wait_metric("lbpair_connections", 0)


def test_handshake_deadline():
    with Backend() as server, Lbd(tls_config(server, timeouts={"tls_handshake": "200ms"})) as lbd:
        with Client(lbd.address()) as silent, Client(lbd.address()) as dripping:
            dripping.send(b"\x16\x03\x01\x02\x00\x01")
            for c in (silent, dripping):
                c.read_to_end(10)
        lbd.wait_metric("lbpair_tls_handshake_failures_total", 2, reason="timeout")
        equal(lbd.metric("lbpair_connections"), 0, "connections")


def test_handshakes_beyond_the_limit_wait_for_their_turn():
    with Backend() as server, Lbd(tls_config(server, limits={"tls_handshakes": 2})) as lbd:
        holders = [Client(lbd.address()) for _ in range(2)]
        lbd.wait_metric("lbpair_connections", 2)
        done = []

        def one():
            with client(lbd) as c:
                done.append(c.get().status)

        threads = [threading.Thread(target=one) for _ in range(5)]
        for t in threads:
            t.start()
        lbd.wait_metric("lbpair_connections", 7)
        rows = lbd.command("connections")["connections"]
        equal({row["state"] for row in rows}, {"handshake"}, "all are in their handshake")
        equal(done, [], "nobody was served out of turn")
        holders.pop().close()
        for t in threads:
            t.join(20)
        equal(done, [200] * 5, "all were served then")
        holders.pop().close()


def test_a_waiting_client_that_leaves_keeps_nobody_waiting():
    with Backend() as server, Lbd(tls_config(server, limits={"tls_handshakes": 1},
                                             timeouts={"tls_handshake": "500ms"})) as lbd:
        holder = Client(lbd.address())
        lbd.wait_metric("lbpair_connections", 1)
        leavers = [Client(lbd.address()) for _ in range(3)]
        lbd.wait_metric("lbpair_connections", 4)
        leavers[1].close()
        lbd.wait_metric("lbpair_connections", 0)
        with client(lbd) as c:
            equal(c.get().status, 200, "status")
        for c in (holder, *leavers):
            c.close()


def test_websocket_through_tls():
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := connection.sock.recv(65536):
            connection.send(data)

    with Backend(script) as server, Lbd(tls_config(server)) as lbd:
        with client(lbd) as c:
            c.send(request("GET", "/", "Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="))
            equal(c.response().status, 101, "status")
            for size in (1, 1000, 100000):
                c.send(b"w" * size)
                equal(c.read_exactly(size), b"w" * size, "echo")


def test_bad_certificates_are_refused_at_start():
    usual()
    other = certificate("other", "other.example")
    weak = certificate("weak", "weak.example", kind="weak")
    key = openssl("rsa", "-aes256", "-passout", "pass:x", "-in", certificate("rsa", kind="rsa").key)
    with Backend() as server:
        lbd = Lbd(tls_config(server), start=False)
        encrypted, text = lbd.path("encrypted.key"), lbd.path("text")
        for path, content in ((encrypted, key), (text, b"nothing\n")):
            with open(path, "wb") as f:
                f.write(content)
        for pair, reason in (
                ((usual().file, other.key), "the key does not belong to the certificate in"),
                ((text, other.key), "holds no certificate"),
                ((other.file, text), "holds no private key that can be read"),
                ((certificate("rsa", kind="rsa").file, encrypted), "there is nobody to ask for the password"),
                ((weak.file, weak.key), "an RSA key of 1024 bits is too weak"),
                ((lbd.path("none"), other.key), "cannot open")):
            lbd.config["listeners"][0]["tls"] = {"certificates": [{"certificate": pair[0], "key": pair[1]}]}
            lbd.write_config()
            for args in (["-t"], []):
                done = subprocess.run([lbd_binary(), "-c", lbd.file, *args], capture_output=True, timeout=30)
                check(done.returncode == 1 and reason in (done.stdout + done.stderr).decode(),
                      f"{pair} {args}: {done.returncode} {done.stderr[-600:]}")
        for key_, value in (("ciphers", "NONSENSE"), ("groups", "P-256:NONSENSE")):
            lbd.config["listeners"][0]["tls"] = {"certificates": [usual().config()], key_: value}
            lbd.write_config()
            done = subprocess.run([lbd_binary(), "-c", lbd.file, "-t"], capture_output=True, timeout=30)
            check(done.returncode == 1 and f"listeners[0].tls: {key_}: OpenSSL" in done.stderr.decode(),
                  f"{key_}: {done.stderr}")
        lbd.cleanup()


def test_several_workers():
    with Backend() as server, Lbd(tls_config(server, workers=4)) as lbd:
        using = context()
        for _ in range(24):
            with client(lbd, using=using) as c:
                equal(c.get().status, 200, "status")
        lbd.wait_metric("lbpair_tls_handshakes_total", 24)


def test_a_wildcard_among_other_names():
    """In the order that a certificate has them, which is not sorted."""
    wild = certificate("wildlast", "aaa.example", "bbb.example", "*.wild.example", kind="rsa")
    exact = certificate("wildone", "a.wild.example")
    tls = {"certificates": [c.config() for c in (usual(), wild, exact)]}
    rsa = {"most": ssl.TLSVersion.TLSv1_2, "ciphers": "ECDHE-RSA-AES128-GCM-SHA256"}
    with Backend() as server, Lbd(tls_config(server, tls=tls)) as lbd:
        with client(lbd, "a.wild.example", trust=wild, **rsa) as c:
            equal(c.subject(), "wildlast", "certificate for a client without ECDSA")
        with client(lbd, "a.wild.example", trust=exact) as c:
            equal(c.subject(), "wildone", "certificate for others")


def test_a_reload_to_plain_while_a_handshake_waits_for_its_turn():
    limits = {"limits": {"tls_handshakes": 1}}
    with Backend() as server, Lbd(tls_config(server, **limits)) as lbd:
        with Client(lbd.address()) as first:
            lbd.wait_metric("lbpair_connections", 1)
            with Client(lbd.address()) as waits:
                lbd.wait_metric("lbpair_connections", 2)
                lbd.reload(config(server, **limits))
                first.close()
                waits.sock = context().wrap_socket(waits.sock, server_hostname="www.example.org")
                equal(waits.get().status, 200, "answer of the listener that it came to")
        equal(lbd.get().status, 200, "answer of the new one")


def test_smallest_records_with_the_largest_overhead():
    """A client may ask for records of 512 bytes: 128 of them for what is sealed at once, and CBC with SHA384."""
    body = b"x" * (1 << 20)

    def script(connection):
        while message := connection.request():
            connection.reply(message, body)

    tls = {"ciphers": "ECDHE-ECDSA-AES256-SHA384"}
    with Backend(script) as server, Lbd(tls_config(server, tls=tls)) as lbd:
        host, port = lbd.address()
        with subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", f"{host}:{port}", "-tls1_2",
                               "-maxfraglen", "512"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as p:
            out, _ = p.communicate(request("GET", "/", "Connection: close"), timeout=PATIENCE)
        equal(len(out.partition(b"\r\n\r\n")[2]), len(body), "bytes of the body")


def test_a_record_that_is_arriving_is_not_silence():
    """Its beginning is with OpenSSL and the socket empty: a yielding lbd waits for the rest."""
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        with BytesClient(lbd.address()) as c:
            equal(c.ask(request("GET", "/one"))[:12], b"HTTP/1.1 200", "first answer")
            record = c.seal(request("POST", "/two", body=b"b" * 8000))
            c.sock.sendall(record[:-10])
            lbd.command("yield", on=True, idle_ms=100, for_ms=20000)
            time.sleep(0.3)  # several times what an idle connection is given
            c.sock.sendall(record[-10:])
            equal(c.answer()[:12], b"HTTP/1.1 200", "second answer")
