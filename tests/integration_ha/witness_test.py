"""A witness of several pairs, asked by nodes that this file is: whom it lends its vote, over starts and reloads."""

import hashlib
import hmac
import json
import os
import signal
import socket
import struct
import subprocess
import tempfile

from network import LIBC, PR_SET_PDEATHSIG, Host, check, wait_for
from station import station_binary

QUESTION, ANSWER, CHALLENGE = 1, 2, 3
LOOK, TAKE, GIVE_BACK = 0, 1, 2
GRANTED, HELD, FREE, QUIET = 0, 1, 2, 3
LEASE_MS = 1333
BINARY = os.path.join(os.path.dirname(os.path.dirname(station_binary())), "bin", "hafailover")
PORT = 5406


def derived(secret, purpose):
    return hmac.digest(secret, b"lbpair witness %s 1" % purpose, hashlib.sha256)


class Asker:
    """A node, by what is written in witness_wire.h."""

    def __init__(self, host, secret, name, session, to="127.0.0.1"):
        self.key, self.pair = derived(secret, b"seal"), derived(secret, b"pair")[:8]
        self.name, self.session, self.to = name.encode(), session, to
        self.number, self.host, self.challenge, self.has = 0, 0, 0, False
        self.socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def packet(self, wish, lease_ms=LEASE_MS):
        body = b"LBWI" + bytes([1, QUESTION, wish, int(self.has)]) + self.pair + struct.pack(
            ">QIIQQ16x64s", self.session, self.number, lease_ms, self.host, self.challenge, self.name)
        return body + hmac.digest(self.key, body, hashlib.sha256)

    def send(self, packet, seconds=10):
        """(type, verdict, yours, milliseconds left); None: no answer."""
        self.socket.settimeout(seconds)
        self.socket.sendto(packet, (self.to, PORT))
        try:
            answer, origin = self.socket.recvfrom(2048)
        except TimeoutError:
            return None
        check(origin == (self.to, PORT), f"answered from {origin}")
        check(len(answer) == len(packet) == 160, f"{len(packet)} bytes, answered by {len(answer)}")
        check(answer[128:] == hmac.digest(self.key, answer[:128], hashlib.sha256), "the seal of an answer")
        kind, verdict, flags = answer[5:8]
        session, number, left, host, challenge, name = struct.unpack(">QIIQQ16x64s", answer[16:128])
        check((session, number, name.rstrip(b"\0")) == (self.session, self.number, self.name), f"answered to {name}")
        if kind == CHALLENGE:
            self.host, self.challenge = host, challenge
        return kind, verdict, bool(flags & 2), left

    def ask(self, wish=TAKE):
        """As a node does: (verdict, yours)."""
        self.number += 1
        said = self.send(self.packet(wish))
        if said and said[0] == CHALLENGE:
            said = self.send(self.packet(wish))
        check(said and said[0] == ANSWER, f"{self.name} was answered {said}")
        self.has = said[1] == GRANTED
        return said[1], said[2]

    def wait_granted(self):
        wait_for(lambda: self.ask() == (GRANTED, True), what=f"vote for {self.name}")


class Third:
    """The machine with the witness."""

    def __init__(self):
        self.host, self.folder = Host("third"), tempfile.TemporaryDirectory(prefix="witness-")
        self.host.ip("addr", "add", "127.0.0.7/8", "dev", "lo")
        self.host.ip("link", "set", "lo", "up")
        self.process, self.log = None, self.path("log")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, *pairs, **keys):
        for name, secret in pairs:
            with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(secret + b"\n")
        with open(self.path("witness.json"), "w") as f:
            json.dump({"pairs": [{"name": name, "secret_file": self.path(name)} for name, _ in pairs], **keys}, f)

    def start(self):
        def prepare():
            self.host.enter()
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        before = self.said("witness_started")
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([BINARY, "--witness", "-c", self.path("witness.json")], stdout=log,
                                            stderr=log, preexec_fn=prepare)
        self.wait_said("witness_started", before + 1)

    def reload(self, event):
        before = self.said(event)
        self.process.send_signal(signal.SIGHUP)
        self.wait_said(event, before + 1)

    def said(self, event):
        if not os.path.exists(self.log):
            return 0
        with open(self.log) as f:
            return sum(f" {event} " in line for line in f)

    def wait_said(self, event, times=1):
        wait_for(lambda: self.said(event) >= times, what=f"{event} ({times})")

    def metrics(self):
        with self.host.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.connect(("127.0.0.1", 9103))
            s.sendall(b"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        return dict(line.rsplit(" ", 1) for line in text.partition("\r\n\r\n")[2].splitlines() if line[:1] != "#")

    def stop(self, number=signal.SIGTERM, status=0):
        self.process.send_signal(number)
        check(self.process.wait(10) == status, f"exit status {self.process.returncode}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


A, B, C = ((name, (name + " has this for a secret").encode()) for name in ("a", "b", "c"))


def test_lends_one_vote():
    with Third() as third:
        third.write(A, B)
        third.start()
        one, two = (Asker(third.host, A[1], f"lb{n}", n) for n in (1, 2))
        other = Asker(third.host, B[1], "lb2", 2, to="127.0.0.7")
        check(one.ask() == (QUIET, False), "lent just after the start")
        one.wait_granted()
        check(two.ask() == (HELD, False), "lent twice")
        other.wait_granted()
        replay = one.packet(TAKE)
        check(one.send(replay, 0.2) is None, "answered to a replay")
        one.number += 1
        check(one.send(one.packet(TAKE)[:-1] + b"x", 0.2) is None, "answered to a forgery")
        stranger = Asker(third.host, C[1], "lb1", 1)
        stranger.number = 1
        check(stranger.send(stranger.packet(TAKE), 0.2) is None, "answered to a stranger")
        counts = third.metrics()
        for key, value in (('packets_total{pair="a",result="old"}', "1"),
                           ('packets_total{pair="a",result="forged"}', "1"), ('packets_total{pair="",result="unknown"}', "1"),
                           ('vote{pair="a",node="lb1"}', "1"), ('vote{pair="a",node="lb2"}', "0")):
            check(counts["lbpair_witness_" + key] == value, f"{key} of {counts}")
        check(one.ask(GIVE_BACK) == (FREE, False), "not given back")
        check(two.ask() == (GRANTED, True), "given back, and not lent")
        third.stop()


def test_starts_anew():
    with Third() as third:
        third.write(A)
        third.start()
        one, two = (Asker(third.host, A[1], f"lb{n}", n) for n in (1, 2))
        one.wait_granted()
        third.stop(signal.SIGKILL, -signal.SIGKILL)
        third.start()
        check(two.ask() == (QUIET, False), "what was lent is forgotten")
        check(one.ask() == (GRANTED, True), "who had it has lost it")
        check(two.ask() == (HELD, False), "lent twice")
        one.has = False
        one.session = 11  # the node has started anew, too
        check(one.ask(LOOK) == (HELD, True), "the name does not count")
        two.wait_granted()


def test_reload():
    with Third() as third:
        third.write(A, B)
        third.start()
        one, two = (Asker(third.host, A[1], f"lb{n}", n) for n in (1, 2))
        new, gone = Asker(third.host, C[1], "lb1", 1), Asker(third.host, B[1], "lb1", 1)
        one.wait_granted()
        gone.ask(LOOK)
        third.write(A, C)
        third.reload("reloaded")
        check(two.ask() == (HELD, False), "a reload has forgotten what was lent")
        check(new.ask() == (QUIET, False), "a new pair begins without its grace")
        gone.number += 1
        check(gone.send(gone.packet(LOOK), 0.2) is None, "a pair that is gone is answered")
        for keys in ({"listen": ["127.0.0.1:9"]}, {"lease": "0s"}):
            third.write(A, **keys)
            third.reload("reload_failed")
        third.write(A, ("c", A[1]))
        third.reload("reload_failed")
        new.wait_granted()
        third.stop()
