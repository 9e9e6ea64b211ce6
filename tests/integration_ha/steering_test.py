"""Connections survive while the address moves: the BPF program, in the hands of two stations without an election.

lb1 had the address and hushes, lb2 has claimed it and steers.  A "server" is a thread in the node's namespace.
"""

import contextlib
import socket
import threading
import time

from couple import couple
from network import Skip, Wire, check, wait_for
from station import Station

V4, V6 = "192.0.2.100", "2001:db8::64"
PORT = 8080


class Server:
    """Echoes lines, after its name; counts who is connected."""

    def __init__(self, host):
        self.name, self.sock, self.accepted = host.name, host.socket(socket.AF_INET6, socket.SOCK_STREAM), 0
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("::", PORT))
        self.sock.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.sock.accept()
            self.accepted += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError), connection.makefile("rwb") as f:
            for line in f:
                f.write(self.name.encode() + b" " + line)
                f.flush()


class Pair:
    def __init__(self):
        self.wire = Wire()
        self.client = self.wire.host("client", 9)
        self.nodes = [self.wire.host("lb1", 11), self.wire.host("lb2", 12)]
        self.servers = [Server(node) for node in self.nodes]
        self.stations = [Station(node) for node in self.nodes]
        for station in self.stations:
            answer = station.do("attach eth0", "done|failed")
            if "failed" in answer.text:
                raise Skip(f"no BPF here: {answer.text}")
            station.configure(V4, V6)
        self.stations[0].do("claim")
        self.stations[0].say("announce")

    def connect(self, address):
        s = self.client.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(3)
        s.connect((address, PORT))
        return s

    def move(self):
        """From lb1 to lb2, as a planned failover does it."""
        old, new = self.stations
        old.say("hush")
        new.do("claim")
        for vip in (V4, V6):
            new.do(f"steer {vip} eth0 {self.nodes[0].mac()}")
        new.say("announce")
        for vip, own in ((V4, "192.0.2.11"), (V6, "2001:db8::b")):
            old.do(f"hush {vip} eth0 {own}")
        for vip in (V4, V6):
            wait_for(lambda vip=vip: self.client.neighbour(vip) in (None, self.nodes[1].mac()), what="news")

    def count(self, number):
        text = self.stations[number].wait("^counters", self.stations[number].say("counters")).text
        return {k: int(v) for k, v in (word.split("=") for word in text.split()[1:])}

    def end(self):
        for station in self.stations:
            station.do("detach")
            station.end()


def ask(s, line=b"hello"):
    s.sendall(line + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        data = s.recv(65536)
        check(data, "the connection was closed")
        answer += data
    return answer.split()[0].decode()


def test_connections_stay_where_they_are():
    pair = Pair()
    old = {vip: pair.connect(vip) for vip in (V4, V6)}
    for vip, s in old.items():
        check(ask(s) == "lb1", "not served by lb1")
    pair.move()
    for vip, s in old.items():
        check(ask(s) == "lb1", f"{vip}: the connection did not stay")
        with pair.connect(vip) as new:
            check(ask(new) == "lb2", f"{vip}: a new connection is not served by the new node")
        check(ask(s, b"x" * 60000) == "lb1", f"{vip}: a long line")
        check(pair.client.neighbour(vip) == pair.nodes[1].mac(), f"{vip}: learned from the wrong node")
    there = pair.count(1)
    print(f"     {there}")
    check(there["steered"] > 4 and there["kept"] > 4 and there["opened"] == 2 and not there["expired"], there)
    pair.end()


def test_connections_are_counted_until_they_have_ended():
    """IPv4 arrives at the IPv6 socket of the server.  Other addresses do not count, nor do new connections if so asked."""
    pair = Pair()
    station = pair.stations[0]
    opened = [pair.connect(address) for address in (V4, V6, V4, "192.0.2.11")]
    for s in opened:
        ask(s)

    def counts(n):
        since = time.monotonic()
        station.wait(f"^connections {n}$", since)

    station.do(f"count all {V4} {V6}")
    counts(3)
    opened.append(pair.connect(V6))
    ask(opened[-1])
    counts(4)
    opened.pop().close()
    counts(3)
    station.do(f"count first {V4} {V6}")
    counts(3)
    opened.insert(0, pair.connect(V4))
    ask(opened[0])
    opened[1].close()
    counts(2)
    opened[3].close()
    opened[2].close()
    counts(0)
    station.do("count all 192.0.2.11")
    counts(1)
    pair.end()


def test_what_others_take_away_is_put_back():
    """The program, by whoever wants the qdisc for himself."""
    with couple() as lab:
        lab.start()
        node = lab.active()
        if reason := node.status()["handover"]["no_steering"]:
            raise Skip(f"no BPF here: {reason}")

        def filters():
            return [node.host.run("tc", "filter", "show", "dev", "eth0", way, fails=None).count("direct-action")
                    for way in ("ingress", "egress")]
        check(filters() == [1, 1], f"attached: {filters()}")
        node.host.run("tc", "qdisc", "del", "dev", "eth0", "clsact")  # and both filters with it
        wait_for(lambda: filters() == [1, 1], 20, "program in its place")
