"""Is an address in use, and does it serve?  Asked by ARP and ND, then by a connection on that interface."""

import socket
import threading
import time

from network import Wire, arp, check, wait_for
from station import Station

V4, V6 = "192.0.2.100", "2001:db8::64"
BOTH = (V4, V6)


class Server(threading.Thread):
    """Accepts on a port of that host and does one of: answer, say something else, close, be silent."""

    ANSWERS = {"http": b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "tls": b"\x15\x03\x01\x00\x02\x02\x46",
               "ssh": b"SSH-2.0-x\r\n", "close": b"", "silent": None}

    def __init__(self, host, manner, port=80):
        super().__init__(daemon=True)
        self.sock = host.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.sock.bind(("::", port))
        self.sock.listen(64)
        self.manner, self.requests, self.kept = manner, [], []
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            self.kept.append(connection)
            if self.manner == "silent":
                continue
            try:
                self.requests.append(connection.recv(4096))
                for byte in self.ANSWERS[self.manner]:
                    connection.send(bytes([byte]))  # in as many pieces as there may be
            except ConnectionError:  # who asked has heard enough
                pass
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.join()


def pair():
    wire = Wire()
    holder, backup = wire.host("holder", 1), wire.host("backup", 2)
    return wire, holder, backup


def hold(host):
    for vip, size in ((V4, 32), (V6, 128)):
        host.ip("addr", "add", f"{vip}/{size}", "dev", "eth0", *(["nodad"] if size == 128 else []))


def expect(station, vip, verdict, seconds, words="", **question):
    got = station.probe(vip, **question)
    print(f"     {vip} {question or ''}: {got[0]} after {got[1] * 1000:.2f} ms, {got[2]}")
    check(got[0] == verdict and words in got[2], f"{vip}: {got}, not {verdict} {words!r}")
    check(seconds[0] <= got[1] <= seconds[1], f"{vip}: after {got[1]:.3f} s, not within {seconds}")


SOON, AT_DEADLINE = (0, 0.15), (0.299, 0.4)


def test_silent():
    _, _, backup = pair()
    with Station(backup) as station:
        for vip in BOTH:
            expect(station, vip, "silent", AT_DEADLINE)
            expect(station, vip, "silent", (0.049, 0.12), ms=50)


def test_serves():
    _, holder, backup = pair()
    hold(holder)
    for manner in ("http", "tls"):
        with Server(holder, manner) as server, Station(backup) as station:
            for vip in BOTH:
                expect(station, vip, "serves", SOON)
            host = [line for request in server.requests for line in request.split(b"\r\n") if line.startswith(b"Host")]
            check(host == [b"Host: 192.0.2.100", b"Host: [2001:db8::64]"], str(server.requests))
            check(all(r.startswith(b"TRACE / HTTP/1.1\r\n") and r.endswith(b"\r\n\r\n") for r in server.requests), "")


def test_answers_without_service():
    _, holder, backup = pair()
    hold(holder)
    with Station(backup) as station:
        for vip in BOTH:
            expect(station, vip, "answers", SOON, "Connection refused")
        with Server(holder, "silent"):
            for vip in BOTH:
                expect(station, vip, "answers", AT_DEADLINE, "no response")
                expect(station, vip, "serves", SOON, service="connect")
        with Server(holder, "close"):
            for vip in BOTH:
                expect(station, vip, "answers", SOON, "closed")
        with Server(holder, "ssh"):
            for vip in BOTH:
                expect(station, vip, "answers", SOON, "not in HTTP")


def test_only_the_neighbour():
    """Gateways."""
    _, holder, backup = pair()
    with Station(backup) as station:
        for address in ("192.0.2.1", "2001:db8::1"):
            expect(station, address, "answers", SOON, service="neighbour")
        holder.ip("link", "set", "eth0", "down")
        for address in ("192.0.2.1", "2001:db8::1"):
            expect(station, address, "silent", AT_DEADLINE, service="neighbour")


def test_what_cannot_be_asked():
    wire, _, backup = pair()
    with Station(backup) as station:
        expect(station, "198.51.100.1", "failed", SOON, "no interface is on its subnet")
        expect(station, V4, "failed", SOON, "no such interface", interface="nosuch")
        expect(station, V4, "failed", SOON, "not Ethernet", interface="lo")
        wire.plug(backup, "down")
        station.wait("carrier=0")
        expect(station, V4, "failed", SOON, "no carrier")


def test_a_late_answer_counts():
    """The holder appears in the middle."""
    _, holder, backup = pair()
    with Server(holder, "http"), Station(backup) as station:
        for vip, size in ((V4, 32), (V6, 128)):
            at = station.say(f"probe late{size} {vip} 80 http 400")
            time.sleep(0.15)
            holder.ip("addr", "add", f"{vip}/{size}", "dev", "eth0", *(["nodad"] if size == 128 else []))
            found = station.wait(f"^probed late{size} ", at)
            check("serves" in found.text, found.text)


def test_a_stall_of_our_own_is_not_their_silence():
    """The answer came while we stood still; and where nobody answers, the time is granted once more."""
    _, holder, backup = pair()
    with Station(backup) as station:
        station.say("probe gone 192.0.2.77 0 neighbour 300\nbusy 1000")
        found = station.wait("^probed gone ")
        check("silent" in found.text and 1.29 <= float(found.text.split("duration=")[1].split()[0]) < 1.5, found.text)
        for address in ("192.0.2.1", "2001:db8::1"):
            at = station.say(f"probe here {address} 0 neighbour 100\nbusy 1000")
            check("answers" in station.wait("^probed here ", at).text, station.text())
    hold(holder)
    with Server(holder, "http"), Station(backup) as station:
        for vip in BOTH:
            at = station.say(f"probe here {vip} 80 http 100\nbusy 1000")
            check("serves" in station.wait("^probed here ", at).text, station.text())


def test_answers_of_before_do_not_count():
    """What was still unread when a probe ended is not heard by the next one."""
    _, holder, backup = pair()
    hold(holder)
    with Station(backup) as station:
        at = station.say(f"probe first {V4} 0 neighbour 500\nbusy 300")
        time.sleep(0.1)
        with holder.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
            sock.bind(("eth0", 0))
            for _ in range(20):
                sock.send(arp(2, holder.mac(), V4, V4))
        holder.ip("addr", "del", f"{V4}/32", "dev", "eth0")
        check("answers" in station.wait("^probed first ", at).text, station.text())
        expect(station, V4, "silent", AT_DEADLINE, service="neighbour")


def test_on_that_interface_whatever_the_routes():
    _, holder, backup = pair()
    hold(holder)
    backup.ip("link", "add", "aside", "type", "veth", "peer", "name", "nowhere")
    backup.ip("link", "set", "aside", "up")
    backup.ip("link", "set", "nowhere", "up")
    backup.ip("route", "add", f"{V4}/32", "dev", "aside")
    backup.ip("route", "add", f"{V6}/128", "dev", "aside")
    with Server(holder, "http"), Station(backup) as station:
        for vip in BOTH:
            expect(station, vip, "serves", SOON)


def test_a_lost_segment():
    """The first SYN is dropped, as a full queue does; TCP itself would send it again after a second only."""
    _, holder, backup = pair()
    hold(holder)
    listener = holder.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("0.0.0.0", 80))
    listener.listen(0)
    fillers = [holder.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(3)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex((V4, 80))
    with Station(backup) as station:
        at = station.say(f"probe lost {V4} 80 http 400")
        time.sleep(0.1)
        check(not station.find("^probed"), station.text())
        answering = threading.Thread(target=serve_some, args=(listener,), daemon=True)
        answering.start()
        found = station.wait("^probed lost ", at)
        print(f"     {found.text}")
        check("serves" in found.text, found.text)


def serve_some(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=lambda c: c.recv(999) and c.send(b"HTTP/1.1 405 x\r\n\r\n"), args=(connection,),
                         daemon=True).start()


def test_several_at_once_and_given_up():
    _, holder, backup = pair()
    hold(holder)
    with Server(holder, "http"), Station(backup) as station:
        for i in range(20):
            station.say(f"probe n{i} {BOTH[i % 2]} 80 http 300")
            station.say(f"probe g{i} 192.0.2.{200 + i} 0 neighbour 200")
        for i in range(20):
            check("serves" in station.wait(f"^probed n{i} ").text, station.text())
            check("silent" in station.wait(f"^probed g{i} ").text, station.text())


def test_nobody_is_misled():
    """Who knows the address goes on with the MAC he knows, and no question claims it."""
    wire, holder, backup = pair()
    client = wire.host("client", 9)
    hold(holder)
    for vip in BOTH:
        with client.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((vip, 9))
            sock.send(b"x")
        wait_for(lambda vip=vip: client.neighbour(vip) == holder.mac(), what=f"{vip} in the client's cache")
    with Station(backup) as station, client.capture() as seen, holder.capture() as asked:
        for vip in (*BOTH, "192.0.2.101", "2001:db8::65"):
            station.probe(vip, service="neighbour")
        for vip in BOTH:
            check(client.neighbour(vip) == holder.mac(), f"{vip} is at {client.neighbour(vip)}")
        own = bytes.fromhex(backup.mac().replace(":", ""))
        senders = {f.bytes[28:32] for f in seen.seen if f.bytes[6:12] == own and f.bytes[12:14] == b"\x08\x06"}
        check(senders <= {b"\0" * 4, socket.inet_aton("192.0.2.2")} and b"\0" * 4 in senders, f"ARP senders: {senders}")
        sources = {f.bytes[22:38] for f in [*seen.seen, *asked.seen]
                   if f.bytes[6:12] == own and f.bytes[12:14] == b"\x86\xdd" and f.bytes[54] == 135}
        check(all(s[:2] == b"\xfe\x80" or s == b"\0" * 16 for s in sources) and sources, f"NS senders: {sources}")


def test_no_waiting_for_closed_sockets():
    """Probes follow each other without a pause: no packet socket is opened or closed for each."""
    _, holder, backup = pair()
    hold(holder)
    with Station(backup) as station:
        durations = [station.probe(vip, service="neighbour")[1] for _ in range(30) for vip in BOTH]
        print(f"     60 probes: median {sorted(durations)[30] * 1000:.2f} ms, longest {max(durations) * 1000:.1f} ms")
        check(sorted(durations)[30] < 0.02, f"{durations}")
        sockets = backup.run("cat", "/proc/net/packet").strip().split("\n")[1:]
        check(len(sockets) <= 3, f"packet sockets: {sockets}")
