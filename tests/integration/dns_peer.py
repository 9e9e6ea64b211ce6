"""A name server on the loopback that says what a test tells it to, over UDP and TCP, and remembers who asked."""

import ipaddress
import socket
import struct
import threading
import time

from harness import wait_for

A, CNAME, AAAA, IN = 1, 5, 28, 1
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
QR, TC, RA = 0x8000, 0x0200, 0x0080


class Zone:
    """What is said of one name."""

    def __init__(self, *addresses, ttl=0, rcode=NOERROR, silent=False, truncated=False, fails=(), delay=0,
                 rotating=False, broken=False, aliases=()):
        self.addresses = [ipaddress.ip_address(a) for a in addresses]
        self.ttl, self.rcode = ttl, rcode
        self.silent, self.delay = silent, delay
        self.truncated = truncated  # over UDP: the whole answer comes by TCP
        self.broken = broken  # the answer is cut in its first record
        self.rotating, self.turn = rotating, 0  # each answer has the next address, alone
        self.fails = fails  # SERVFAIL for these types alone
        self.aliases = aliases  # (name, TTL): each is what the one before stands for; the last has the addresses

    def records(self, qtype):
        version = {A: 4, AAAA: 6}.get(qtype)
        records = [a.packed for a in self.addresses if a.version == version]
        if self.rotating and records:
            self.turn += 1
            return [records[self.turn % len(records)]]
        return records


def name_packed(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(owner, kind, ttl, data):
    return owner + struct.pack("!HHIH", kind, IN, ttl, len(data)) + data


class NameServer:
    def __init__(self, **zones):
        self.zones = {name.replace("_", "."): zone for name, zone in zones.items()}
        self.asked = []  # (name, type, "udp" or "tcp")
        self.lock = threading.Lock()
        self.open(0)

    def open(self, port):
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(("127.0.0.1", port))
        self.tcp.listen(64)
        self.port = self.tcp.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        for target in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    def set(self, name, zone):
        with self.lock:
            self.zones[name] = zone

    def count(self, name=None, transport=None):
        with self.lock:
            return sum(name in (None, n) and transport in (None, t) for n, _, t in self.asked)

    def wait_asked(self, more, name=None):
        """Until it was asked so often again, from now on."""
        before = self.count(name)
        wait_for(lambda: self.count(name) >= before + more, f"{more} more questions", step=0.01)

    def answer(self, query, transport):
        number, flags = struct.unpack("!HH", query[:4])
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        qtype, = struct.unpack("!H", query[at + 1:at + 3])
        name = ".".join(labels).lower()
        with self.lock:
            self.asked.append((name, qtype, transport))
            zone = self.zones.get(name, Zone(rcode=NXDOMAIN))
        if zone.silent:
            return None
        time.sleep(zone.delay)
        rcode = SERVFAIL if qtype in zone.fails else zone.rcode
        records = self.records(zone, qtype) if rcode == NOERROR else []
        flags = QR | flags & 0x7900 | RA | rcode
        if zone.truncated and transport == "udp":
            flags |= TC
            records = []
        head = struct.pack("!HHHHHH", number, flags, 1, len(records), 0, 0)
        reply = head + query[12:at + 5] + b"".join(records)
        return reply[:at + 12] if zone.broken else reply

    @staticmethod
    def records(zone, qtype):
        owner, records = b"\xc0\x0c", []  # the name that was asked for
        for alias, ttl in zone.aliases:
            records.append(record(owner, CNAME, ttl, name_packed(alias)))
            owner = name_packed(alias)
        return records + [record(owner, qtype, zone.ttl, data) for data in zone.records(qtype)]

    def reply_udp(self, query, client):
        try:
            if reply := self.answer(query, "udp"):
                self.udp.sendto(reply, client)
        except OSError:
            pass  # closed meanwhile

    def serve_udp(self):
        while True:
            try:
                query, client = self.udp.recvfrom(4096)
                if query:
                    threading.Thread(target=self.reply_udp, args=(query, client), daemon=True).start()
            except OSError:
                return

    def serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                while len(size := stream.read(2)) == 2:
                    reply = self.answer(stream.read(struct.unpack("!H", size)[0]), "tcp")
                    if reply:
                        connection.sendall(struct.pack("!H", len(reply)) + reply)

    def close(self):
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
