"""Clients and servers that do everything at random: nothing breaks, and in the end nothing is left over."""

import os
import random
import socket
import struct
import threading
import time

from harness import Backend, Lbd, answer, check, config, equal, request, sanitizer, wait_for

from websocket_test import ASK, SWITCH

SECONDS = 15
GAUGES = ["lbpair_server_active", "lbpair_queued", "lbpair_connections"]


def server_script(seed):
    def script(connection):
        r = random.Random(seed + connection.number)
        while message := connection.request():
            if r.random() < 0.02:
                return connection.reset_now() if r.random() < 0.5 else None
            if message.one(b"upgrade"):
                connection.send(SWITCH + b"w" * r.choice([0, 10, 300000]))
                while data := connection.read_some(timeout=5):
                    connection.send(data)
                return None
            for _ in range(r.choice([0, 0, 0, 1, 3])):
                connection.send(b"HTTP/1.1 103 Early Hints\r\nX-A: %s\r\n\r\n" % (b"h" * r.choice([1, 20000])))
            if r.random() < 0.1:
                time.sleep(r.random() * 0.4)
            body = b"b" * r.choice([0, 1, 1000, 70000, 600000])
            kind = r.random()
            if message.method == b"HEAD":
                connection.send(answer(body)[:-len(body) or None])
            elif kind < 0.1:
                connection.send(answer(b"no", r.choice([502, 503, 504, 404])))
            elif kind < 0.2:
                connection.send(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n" + body)
                return None
            elif kind < 0.5 and body:
                connection.send(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                                % (len(body), body))
            elif kind < 0.55:
                connection.send(answer(body)[:-1])
                return None
            else:
                connection.send(answer(body) + (b"stray" if kind > 0.98 else b""))
    return script


def some_requests(r):
    out = b""
    for _ in range(r.choice([1, 1, 1, 2, 5, 400])):
        kind = r.random()
        if kind < 0.5:
            out += request("GET", "/g")
        elif kind < 0.55:
            out += request("HEAD", "/h")
        elif kind < 0.6:
            out += b"GET /old HTTP/1.0\r\n\r\n"
        elif kind < 0.7:
            out += request("PUT", "/p", body=b"p" * r.choice([1, 5000, 300000]))
        elif kind < 0.8:
            size = r.choice([1, 5000, 300000])
            out += request("POST", "/c", "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"c" * size)
        elif kind < 0.9:
            out += request("POST", "/e", "Expect: 100-continue", body=b"e" * r.choice([1, 40000]))
        elif kind < 0.95:
            out += ASK
        else:
            out += b"garbage\r\n\r\n"
    return out


def client_run(lbd, seed, until, failures):
    """One client after the other; what comes back is not looked at, only that lbd survives all this."""
    r = random.Random(seed)
    while time.monotonic() < until:
        sock = socket.socket()
        if r.random() < 0.3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        try:
            sock.settimeout(2)
            sock.connect(lbd.address())
            data = some_requests(r)
            cut = r.choice([len(data), r.randrange(len(data) + 1)])
            sock.settimeout(r.choice([0.05, 0.3]))
            for piece in (data[:cut], data[cut:]):
                try:
                    sock.sendall(piece)
                except TimeoutError:
                    break
                if r.random() < 0.3:
                    time.sleep(r.random() * 0.05)
            if r.random() < 0.3:
                sock.shutdown(socket.SHUT_WR)
            end = time.monotonic() + r.choice([0, 0.05, 0.5])
            while time.monotonic() < end:
                try:
                    if not sock.recv(r.choice([10, 100000])):
                        break
                except TimeoutError:
                    pass
            if r.random() < 0.3:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except ConnectionRefusedError as e:
            failures.append(e)
        except OSError:
            pass
        finally:
            sock.close()


def chaos_config(r, servers):
    n = r.choice([2, 3])
    return config(*[{"name": f"s{i}", "address": s.address, "max_connections": r.choice([0, 2, 10])}
                    for i, s in enumerate(r.sample(servers, n))],
                  workers=2,
                  pool={"algorithm": r.choice(["round_robin", "least_connections", "ip_hash", "random"]),
                        "retry": {"attempts": 2, "on": ["connect_failure", "reset", "timeout", "503"],
                                  "non_idempotent": r.random() < 0.3, "budget_percent": 100}},
                  limits={"connections": r.choice([10, 50000]), "connections_per_client": r.choice([0, 15])},
                  timeouts={"client_header": "1s", "client_idle": "1s", "client_body": "1s", "response": "1s",
                            "queue": "500ms", "tunnel": "1s", "server_idle": "1s", "drain": "3s"})


def test_everything_at_random():
    seed = int(os.environ.get("LBD_SEED") or random.randrange(1 << 30))
    print("LBD_SEED", seed)
    r = random.Random(seed)
    servers = [Backend(server_script(seed + i)) for i in range(4)]
    for server in servers:
        server.tolerant = True
    failures = []
    with Lbd(chaos_config(r, servers)) as lbd:
        until = time.monotonic() + SECONDS * (2 if sanitizer() else 1)
        threads = [threading.Thread(target=client_run, args=(lbd, seed + i, until, failures), daemon=True)
                   for i in range(24)]
        for thread in threads:
            thread.start()
        while time.monotonic() < until:
            time.sleep(r.random())
            lbd.reload(chaos_config(r, servers))
        for thread in threads:
            thread.join(10)
        wait_for(lambda: all(lbd.metric(name) == 0 for name in GAUGES), "the gauges to be 0 again", 20, 0.2)
        wait_for(lambda: lbd.metric("lbpair_server_idle_connections") == 0,
                 "idle server connections to end", 10, 0.2)
        check(not failures, f"connections were refused: {failures[:3]}")
        equal(lbd.command("connections")["connections"], [], "connections")
        with Backend() as calm:
            lbd.reload(config(calm, workers=2))
            for _ in range(4):
                equal(lbd.get("/after").body, b"GET /after 0\n", "answer afterwards")
    for server in servers:
        server.close()


test_everything_at_random.seconds = 120
