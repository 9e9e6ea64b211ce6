"""HTTP/2 over TLS: ALPN decides, and the clients that people use get their answers."""

import re
import shutil
import subprocess

import h2
from h2 import GET, POST, data, headers
from harness import Backend, Lbd, Skip, answer, check, equal, request
from tls_peers import TlsClient, client, refused, tls_config, usual

BODY = bytes(i * 7 & 0xff for i in range(256)) * 4096  # 1 MiB


def connect(lbd, offer=("h2", "http/1.1")):
    return h2.H2(TlsClient(lbd.address(), alpn=list(offer)).sock)


def mirror(connection):
    while message := connection.request():
        connection.send(answer(message.body or b"hello"))


def test_alpn_decides():
    only_1 = {"alpn": ["http/1.1"]}
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        with connect(lbd) as c:
            equal(c.sock.selected_alpn_protocol(), "h2", "protocol")
            equal(c.request(1, [GET[0], (":scheme", "https"), *GET[2:]]).status, 200, "HTTP/2")
            equal(server.requests[0].all(b"x-forwarded-proto"), [b"https"], "X-Forwarded-Proto")
            for offer in (["http/1.1"], None):
                with client(lbd, "test", alpn=offer) as old:
                    equal(old.get("/").status, 200, "HTTP/1.1")
                with client(lbd, "test", alpn=offer) as old:
                    old.send(h2.PREFACE)
                    equal(old.response().status, 505, f"HTTP/2 where {offer} was offered")
            lbd.reload(tls_config(server, tls=only_1))
            equal(c.end(), h2.NO_ERROR, "the end of HTTP/2")
        equal(refused(lbd, alpn=["h2"]), "NO_APPLICATION_PROTOCOL", "HTTP/2 where it is off")


def test_http_1_where_http_2_was_agreed():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        with h2.H2(TlsClient(lbd.address(), alpn=["h2"]).sock, begin=False) as c:
            c.send(request("GET", "/"))
            equal(c.end(), h2.PROTOCOL_ERROR, "its end")
        check(not server.requests, f"a server saw {server.requests}")


def test_bodies_in_records():
    with Backend(mirror) as server, Lbd(tls_config(server)) as lbd, connect(lbd) as c:
        c.send(headers(1, POST, False))
        c.send_all(1, (BODY[i:i + 16384] for i in range(0, len(BODY), 16384)))
        c.send(data(1))
        check(bytes(c.answer(1).body) == BODY, "the body was changed")
        equal(bytes(c.request(3).body), b"hello", "the next one")


def run(*command):
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    check(done.returncode == 0, f"{command} failed: {done.stderr[-1000:]!r}")
    return done.stdout


def url(lbd, path="/"):
    return "https://127.0.0.1:%d%s" % (lbd.address()[1], path)


def test_curl():
    with Backend(mirror) as server, Lbd(tls_config(server)) as lbd:
        upload = lbd.path("upload")
        with open(upload, "wb") as f:
            f.write(BODY)
        trusting = ["curl", "-sS", "--cacert", usual().file]
        out = run(*trusting, "--http2", "-w", "%{http_version}", url(lbd), url(lbd, "/again"))
        equal(out, b"hello2hello2", "answers")
        check(run(*trusting, "--http2", "--data-binary", "@" + upload, url(lbd)) == BODY, "the body was changed")
        equal(run(*trusting, "--http1.1", "-w", "%{http_version}", url(lbd)), b"hello1.1", "HTTP/1.1")


def test_nghttp():
    """It pings, sets priorities, and pads what it sends."""
    with Backend(mirror) as server, Lbd(tls_config(server)) as lbd:
        upload = lbd.path("upload")
        with open(upload, "wb") as f:
            f.write(BODY)
        out = run("nghttp", "-vn", "--padding=100", "--trailer=x-sum: 1", "-d", upload, url(lbd))
        check(b":status: 200" in out and b"recv GOAWAY" not in out and b"recv RST_STREAM" not in out, out[-2000:])
        check(server.requests[0].body == BODY, "the body was changed")


def test_h2load():
    with Backend(mirror) as server, Lbd(tls_config(server, workers=2)) as lbd:
        out = run("h2load", "-n", "2000", "-c", "4", "-m", "32", url(lbd)).decode()
        found = re.search(r"2000 done, (\d+) succeeded, (\d+) failed", out)
        check(found and found.groups() == ("2000", "0"), out)
        check("Application protocol: h2" in out and "TLSv1.3" in out, out)
