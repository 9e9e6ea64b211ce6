"""The BPF program of planned moves, frame by frame (BPF_PROG_TEST_RUN): what it does with each, and to each."""

import os
import re
import socket
import struct

from network import Skip, Wire, check, wait_for
from station import ROOT, Station

V4, V6 = "192.0.2.100", "2001:db8::64"  # steered to the peer
H4, H6 = "192.0.2.101", "2001:db8::65"  # hushed
OWN4, OWN6 = "192.0.2.11", "2001:db8::b"
CLIENT4, CLIENT6 = "192.0.2.9", "2001:db8::9"
PEER = "02:00:00:00:00:0c"
PASS, DROP, REDIRECT = -1, 2, 7
SYN, RST, ACK = 2, 4, 16
TCP, UDP, ICMP, ICMP6, HOPOPTS, FRAGMENT, ESP, DSTOPTS = 6, 17, 1, 58, 0, 44, 50, 60
PORT = 8080


# ---- frames ----

def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def inet_sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def pseudo(source, target, protocol, size):
    if len(source) == 4:
        return source + target + struct.pack("!BBH", 0, protocol, size)
    return source + target + struct.pack("!IHBB", size, 0, 0, protocol)


def tcp(flags, source, target=PORT, sequence=1000, acked=1, data=b"x"):
    return struct.pack("!HHIIBBHHH", source, target, sequence, acked, 0x50, flags, 8192, 0, 0) + data


def ip4(payload, source=CLIENT4, target=V4, protocol=TCP, ttl=64, fragment=0, number=7, options=b""):
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), number, fragment,
                       ttl, protocol, 0, address(source), address(target)) + options
    return head[:10] + struct.pack("!H", inet_sum(head)) + head[12:] + payload


def ip6(payload, source=CLIENT6, target=V6, protocol=TCP, ttl=64, extensions=()):
    """`extensions`: (kind, its bytes but the first), in their order."""
    kinds = [kind for kind, _ in extensions] + [protocol]
    body = b"".join(bytes([kinds[i + 1]]) + rest for i, (_, rest) in enumerate(extensions)) + payload
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), kinds[0], ttl, address(source), address(target)) + body


def icmp6(kind, payload, source, target, **options):
    body = struct.pack("!BBH", kind, 0, 0) + payload
    total = inet_sum(pseudo(address(source), address(target), ICMP6, len(body)) + body)
    return ip6(body[:2] + struct.pack("!H", total) + body[4:], source, target, ICMP6, ttl=255, **options)


def arp(operation, sender, target, sender_mac):
    return struct.pack("!HHHHH", 1, 0x800, 6 << 8 | 4, operation, 0)[:8] + mac(sender_mac) + address(sender) + \
        b"\0" * 6 + address(target)


def ether(payload, target, source, kind=None, tags=()):
    kind = kind or (0x86dd if payload[0] >> 4 == 6 else 0x800)
    return mac(target) + mac(source) + b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags) + \
        struct.pack("!H", kind) + payload


def ip4_is_sound(packet):
    return inet_sum(packet[:(packet[0] & 15) * 4]) == 0


# ---- the node ----

class Node:
    def __init__(self):
        self.wire = Wire()
        self.host, self.client = self.wire.host("lb2", 11), self.wire.host("client", 9)
        self.station = Station(self.host)
        answer = self.station.do("attach eth0", "done|failed")
        if "failed" in answer.text:
            raise Skip(f"no BPF here: {answer.text}")
        self.host.ip("addr", "add", f"{V4}/32", "dev", "eth0")
        self.host.ip("addr", "add", f"{V6}/128", "dev", "eth0", "nodad")
        for vip in (V4, V6):
            self.station.do(f"steer {vip} eth0 {PEER}")
        for vip, own in ((H4, OWN4), (H6, OWN6), ("192.0.2.102", "0.0.0.0")):
            self.station.do(f"hush {vip} eth0 {own}")
        self.mac, self.client_mac = self.host.mac(), self.client.mac()
        self.listener = self.host.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.listener.bind(("::", PORT))
        self.listener.listen(8)

    def run(self, frame, where="in"):
        """(verdict, frame as it is then)."""
        since = self.station.say(f"run {where} eth0 {frame.hex()}")
        _, code, verdict, hexadecimal = self.station.wait("^run ", since).text.split()
        check(code == "0", f"the kernel did not run it: {code}")
        return int(verdict), bytes.fromhex(hexadecimal)

    def frame(self, packet, **options):
        return ether(packet, **{"target": self.mac, "source": self.client_mac, **options})

    def passes(self, packet, what, **options):
        frame = self.frame(packet, **options)
        check(self.run(frame) == (PASS, frame), f"{what}: {self.run(frame)}")

    def steers(self, packet, what, tags=(), **options):
        verdict, after = self.run(self.frame(packet, tags=tags, **options))
        at = 14 + 4 * len(tags)
        check(verdict == REDIRECT, f"{what}: verdict {verdict}")
        check(after[:12] == mac(PEER) + mac(self.mac), f"{what}: sent to {after[:12].hex()}")
        ttl = 8 if packet[0] >> 4 == 4 else 7
        check(after[at + ttl] == packet[ttl] - 1, f"{what}: TTL {after[at + ttl]}")
        check(packet[0] >> 4 == 6 or ip4_is_sound(after[at:]), f"{what}: sum of the head")
        same = [i for i in range(len(packet)) if after[at + i] != packet[i]]
        check(set(same) <= {ttl, 10, 11}, f"{what}: changed at {same}")

    def drops(self, packet, what, where="in", **options):
        check(self.run(self.frame(packet, **options), where)[0] == DROP, f"{what} is not dropped")

    def connection(self, vip):
        """(the client's socket, the server's, the client's port)."""
        s = self.client.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(5)
        s.connect((vip, PORT))
        return s, self.listener.accept()[0], s.getsockname()[1]

    def counters(self):
        text = self.station.wait("^counters", self.station.say("counters")).text
        return {k: int(v) for k, v in (word.split("=") for word in text.split()[1:])}

    def end(self):
        self.station.do("detach")
        self.station.end()


# ---- rights ----

def test_the_rights_of_the_unit_suffice():
    """Without CAP_PERFMON the verifier is stricter, and how strict is another matter with each kernel."""
    with open(os.path.join(ROOT, "systemd/hafailover.service"), encoding="utf-8") as f:
        names = re.search(r"^CapabilityBoundingSet=(.+)$", f.read(), re.M)[1].lower().split()
    only = "-all," + ",".join("+" + name.removeprefix("cap_") for name in names)
    host = Wire().host("lb2", 11)
    if "failed" in (usual := attached(Station(host))):
        raise Skip(f"no BPF here: {usual}")
    answer = attached(Station(host, ("setpriv", f"--bounding-set={only}", f"--inh-caps={only}")))
    check("done" in answer, answer)


def attached(station):
    with station:
        return station.do("attach eth0", "done|failed").text


# ---- TCP ----

def test_who_knows_a_connection_keeps_it():
    node = Node()
    for ip, vip in ((ip4, V4), (ip6, V6)):
        node.passes(ip(tcp(SYN, 4000)), "a new connection")
        node.steers(ip(tcp(ACK, 4000)), "an unknown connection")
        node.steers(ip(tcp(SYN | ACK, 4000)), "half of an unknown one")
        node.steers(ip(tcp(RST, 4000)), "the end of an unknown one")
        node.steers(ip(tcp(ACK, 4000, 9)), "a port where nobody listens")
        node.passes(ip(tcp(ACK, 4000)), "from the peer", source=PEER)
        node.passes(ip(tcp(ACK, 4000)), "for another station", target="02:00:00:00:00:77")
        node.passes(ip(tcp(ACK, 4000)[:10]), "cut short")
        node.passes(ip(tcp(ACK, 4000), protocol=UDP), "UDP")
        node.passes(ip(tcp(ACK, 4000), target=OWN6 if ip is ip6 else OWN4), "another address")
        node.drops(ip(tcp(ACK, 4000), ttl=1), "its last hop")
        near, far, port = node.connection(vip)
        node.passes(ip(tcp(ACK, port)), "an established connection")
        node.steers(ip(tcp(ACK, port + 1)), "its neighbour")
        far.close()
        near.recv(1)
        near.close()
        # Where this kernel keeps it for a minute, the peer may have a newer one of these ports.
        node.steers(ip(tcp(ACK, port)), "TIME_WAIT")
    node.steers(ip4(tcp(ACK, 4000), options=b"\1" * 8), "options")
    there = node.counters()
    check(there["expired"] == 2 and there["returned"] >= 2 and there["opened"] >= 2, there)
    node.end()


def syn_cookie(node, vip):
    """(port, sequence, acknowledgement) of an ACK that answers a SYN-ACK of this kernel, of which it knows nothing."""
    family = 0x86dd if ":" in vip else 0x800
    near = node.client.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(family))
    near.bind(("eth0", family))
    near.settimeout(5)
    packet = (ip6 if ":" in vip else ip4)
    body = tcp(SYN, 4100, data=b"")
    source = CLIENT6 if ":" in vip else CLIENT4
    total = inet_sum(pseudo(address(source), address(vip), TCP, len(body)) + body)
    near.send(ether(packet(body[:16] + struct.pack("!H", total) + body[18:]), node.mac, node.client_mac))
    while True:
        frame = near.recv(2048)
        at = 54 if ":" in vip else 34
        if frame[at:at + 4] == struct.pack("!HH", PORT, 4100) and frame[at + 13] == SYN | ACK:
            return 4100, 1001, int.from_bytes(frame[at + 4:at + 8], "big") + 1


def test_a_cookie_is_knowledge():
    node = Node()
    node.host.run("sh", "-c", "echo 2 > /proc/sys/net/ipv4/tcp_syncookies")
    for ip, vip in ((ip4, V4), (ip6, V6)):
        port, sequence, acked = syn_cookie(node, vip)
        node.passes(ip(tcp(ACK, port, PORT, sequence, acked)), "the cookie")
        node.steers(ip(tcp(ACK, port, PORT, sequence, acked ^ 1 << 20)), "another number")
        node.steers(ip(tcp(ACK, port + 1, PORT, sequence, acked)), "another's cookie")
    check(node.counters()["cookies"] >= 2, node.counters())
    node.end()


def test_tags():
    node = Node()
    for packet in (ip4(tcp(ACK, 4000)), ip6(tcp(ACK, 4000))):
        node.steers(packet, "a priority", tags=(0x6000,))
        node.steers(packet, "two of them", tags=(0, 0))
        node.passes(packet, "of a VLAN", tags=(5,))
        node.passes(packet, "of one within a priority", tags=(0, 5))
        node.passes(packet, "too many", tags=(0, 0, 0))
    node.end()


def test_errors_of_the_network():
    node = Node()

    def error(ip, port, protocol=TCP, kind=3):
        if ip is ip4:
            inner = ip4(tcp(ACK, PORT, port)[:8], V4, CLIENT4, protocol)
            return ip4(struct.pack("!BBHI", kind, 4, 0, 1400) + inner, "192.0.2.1", V4, ICMP)
        inner = ip6(tcp(ACK, PORT, port)[:8], V6, CLIENT6, protocol, extensions=[(DSTOPTS, b"\0" * 7)])
        return icmp6(kind, struct.pack("!I", 1400) + inner, "2001:db8::1", V6)

    for ip, vip, kinds, echo in ((ip4, V4, (3, 11, 12), 8), (ip6, V6, (1, 2, 3, 4), 128)):
        _near, _far, port = node.connection(vip)
        for kind in kinds:
            node.passes(error(ip, port, kind=kind), f"kind {kind} of a known connection")
            node.steers(error(ip, port + 1, kind=kind), f"kind {kind} of an unknown one")
        node.passes(error(ip, port + 1, UDP), "of UDP")
        node.passes(error(ip, port + 1, kind=echo), "an echo")
    node.end()


def test_fragments():
    """They go where the first goes; if that has not come, to both."""
    node = Node()

    def part(ip, port, number, first):
        body = tcp(ACK, port, data=b"x" * 12) if first else b"y" * 32
        if ip is ip4:
            return ip4(body, fragment=0x2000 if first else 4, number=number)
        return ip6(body, extensions=[(FRAGMENT, struct.pack("!BHI", 0, 1 if first else 32, number))])

    for ip, vip in ((ip4, V4), (ip6, V6)):
        _near, _far, port = node.connection(vip)
        node.passes(part(ip, port, 1, True), "the first of a known one")
        node.passes(part(ip, port, 1, False), "what follows it")
        node.steers(part(ip, port + 1, 2, True), "the first of an unknown one")
        node.steers(part(ip, port + 1, 2, False), "what follows that")
        before = node.counters()["steered"]
        verdict, _ = node.run(node.frame(part(ip, port, 3, False)))
        check(verdict == PASS and node.counters()["steered"] == before + 1, "one without a first: to both")
    node.end()


def test_extension_headers():
    node = Node()
    body = tcp(ACK, 4000)
    node.steers(ip6(body, extensions=[(HOPOPTS, b"\0" * 7), (DSTOPTS, b"\1" + b"\0" * 14)]), "options")
    node.passes(ip6(body, extensions=[(DSTOPTS, b"\0" * 7)] * 8), "too many")
    node.passes(ip6(body, protocol=ESP), "encrypted")
    node.end()


# ---- silence ----

def test_nobody_learns_a_hushed_address():
    node = Node()
    solicited, everybody = "33:33:ff:00:00:65", "ff:ff:ff:ff:ff:ff"

    def solicit(target):
        return icmp6(135, b"\0" * 4 + address(target) + b"\1\1" + mac(node.client_mac), CLIENT6, "ff02::1:ff00:65")

    node.drops(arp(1, CLIENT4, H4, node.client_mac), "ARP", target=everybody, kind=0x806)
    node.drops(arp(1, "0.0.0.0", H4, node.client_mac), "an ARP probe", target=everybody, kind=0x806)
    node.passes(arp(1, CLIENT4, OWN4, node.client_mac), "ARP for another", target=everybody, kind=0x806)
    node.passes(arp(2, CLIENT4, H4, node.client_mac), "an ARP reply", kind=0x806)
    node.drops(solicit(H6), "a solicitation", target=solicited)
    node.passes(solicit(OWN6), "a solicitation for another", target=solicited)
    node.passes(ip4(tcp(ACK, 4000), target=H4), "TCP")
    node.passes(ip6(tcp(ACK, 4000), target=H6), "TCP")
    check(node.counters()["hushed"] == 3, node.counters())
    node.end()


def test_it_asks_in_its_own_name():
    node = Node()

    def leaves(packet, what, expected=None, kind=None):
        frame = ether(packet, "ff:ff:ff:ff:ff:ff", node.mac, kind)
        wanted = frame[:14] + (packet if expected is None else expected)
        check(node.run(frame, "out") == (PASS, wanted), f"{what}: {node.run(frame, 'out')}")

    def nd(kind, source, target):
        return icmp6(kind, b"\0" * 4 + address(target) + b"\1\1" + mac(node.mac), source, "ff02::1")

    leaves(arp(1, H4, CLIENT4, node.mac), "a question", arp(1, OWN4, CLIENT4, node.mac), 0x806)
    leaves(arp(1, OWN4, CLIENT4, node.mac), "in another name", kind=0x806)
    leaves(nd(135, H6, CLIENT6), "a solicitation", nd(135, OWN6, CLIENT6))
    leaves(nd(135, OWN6, CLIENT6), "a solicitation in another name")
    leaves(nd(136, OWN6, OWN6), "an advertisement of another")
    leaves(ip4(tcp(ACK, PORT, 4000), H4, CLIENT4), "TCP")
    for packet, what in ((arp(1, H4, H4, node.mac), "an announcement"), (arp(2, H4, CLIENT4, node.mac), "an answer"),
                         (arp(1, "192.0.2.102", CLIENT4, node.mac), "a question without another name")):
        node.drops(packet, what, "out", kind=0x806)
    node.drops(nd(136, OWN6, H6), "an advertisement", "out")
    node.end()


def test_rules_end_by_themselves():
    node = Node()
    frame = node.frame(ip4(tcp(ACK, 4000)))
    question = node.frame(arp(1, CLIENT4, H4, node.client_mac), kind=0x806)
    check(node.run(frame)[0] == REDIRECT and node.run(question)[0] == DROP, "there are no rules")
    node.station.do("lapse")
    wait_for(lambda: node.run(frame) == (PASS, frame) and node.run(question) == (PASS, question), what="end of rules")
    node.end()
