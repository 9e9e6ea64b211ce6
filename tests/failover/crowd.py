"""crowd.py - a laboratory with clients of all kinds (clients.py), who stay while the service moves under them.

    lab.enter(BYTES, RATE)                # they come; the download and the upload are of so many bytes
    lab.moved()                           # who was idle asks again
    lab.leave()                           # {KIND: {"done": N, "connections": N, "failed": [TEXT]}}
"""

import json
import os
import socket
import subprocess
import sys

from laboratory import HERE, SERVERS, VIP, Laboratory, Skip, check, wait_for
from service import accept_key, unmasked

SERVICES = [{"address": f"{s}:8081"} for s in SERVERS]
SECONDS = 60


class Connection:
    """One of a client, to the service."""

    def __init__(self, lab):
        self.socket = lab.client.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(SECONDS)
        self.socket.connect((VIP, 81))
        self.file = self.socket.makefile("rwb")

    def ask(self, path, *fields):
        self.file.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: pair", *fields, "", ""]).encode())
        self.file.flush()

    def head(self):
        """Of an answer: its lines."""
        return [line.decode().strip() for line in iter(self.file.readline, b"\r\n") if line]

    def upgrade(self):
        self.ask("/echo", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: bGJwYWlyIGxicGFpcg==")
        head = self.head()
        check(f"sec-websocket-accept: {accept_key('bGJwYWlyIGxicGFpcg==')}" in [h[:21].lower() + h[21:] for h in head],
              f"no WebSocket: {head}")
        return self

    def echoes(self):
        """False when the connection was reset."""
        mask = os.urandom(4)
        try:
            self.file.write(b"\x81\x85" + mask + unmasked(mask, b"hello"))
            self.file.flush()
            return self.file.read(7) == b"\x81\5hello"
        except OSError:
            return False


class Crowd(Laboratory):
    """Listeners at 81 and, with TLS, at 443 beside the one of the witness.  `bpf`: whether they may use it."""

    def __init__(self, build, bpf=True, **options):
        super().__init__(build, **options)
        for node in self.nodes:
            node.prefix = [] if bpf else ["setpriv", "--bounding-set=-bpf,-sys_admin"]

    def start(self, *words):
        super().start(*words)
        reason = self.nodes[0].status()["handover"]["no_steering"]
        if reason and not self.nodes[0].prefix:
            raise Skip(f"no BPF here: {reason}")
        return self

    def configure(self):
        self.web, self.crowd = list(self.servers), None
        self.servers = self.web + SERVICES
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.file("key"), "-out", self.file("crt"), "-subj", "/CN=pair", "-days", "2",
                        "-addext", f"subjectAltName=IP:{VIP},DNS:test"],
                       check=True, capture_output=True)
        super().configure()

    def file(self, name):
        return os.path.join(self.folder, name)

    def lbd_configuration(self, node):
        c = super().lbd_configuration(node)
        tls = {"certificates": [{"certificate": self.file("crt"), "key": self.file("key")}]}
        c["listeners"] += [{"bind": ["0.0.0.0:81"], "pool": "work"},
                           {"bind": ["0.0.0.0:443"], "pool": "work", "tls": tls}]
        c["pools"] = [{"name": "web", "servers": self.web}, {"name": "work", "servers": SERVICES}]
        return c

    def start_servers(self):
        super().start_servers()
        self.spawn(self.server, [sys.executable, os.path.join(HERE, "service.py"), *(s["address"] for s in SERVICES)])

    def enter(self, size, rate):
        self.crowd = self.spawn(self.client, [sys.executable, os.path.join(HERE, "clients.py"), VIP, str(size),
                                              str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def moved(self):
        self.crowd.stdin.write("moved\n")
        self.crowd.stdin.flush()

    def leave(self):
        text = self.crowd.communicate("end\n", SECONDS)[0]
        check(text, "the clients have ended")
        return json.loads(text)

    def move(self):
        """Moves the service; both nodes are ready for the next move then."""
        old = self.active_by_role()
        old.hactl("failover")
        wait_for(lambda: self.settled(self.other(old)), SECONDS, "end of the move")
        return old

    def active_by_role(self):
        """While connections are drained, both nodes have the address."""
        return wait_for(lambda: next((n for n in self.nodes if n.status().get("role") == "active"), None),
                        SECONDS, "active node")

    def settled(self, active):
        here, there = active.status(), self.other(active).status()
        return here.get("role") == "active" and there.get("role") == "backup" and here["peer"]["ready"] and \
            there["peer"]["role"] == "active"


__all__ = ["Crowd"]
