"""network.py - hosts on one wire, each in a network namespace, for tests of hafailover.

    wire = Wire()
    one, client = wire.host("one", 1), wire.host("client", 9)    # 192.0.2.1 and 2001:db8::1, ...
    with one.watch() as addresses, client.capture() as frames: ...

Namespaces have no names: they last as long as a process or an open descriptor holds them, and go when the test ends.
"""

import collections
import contextlib
import ctypes
import errno
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG = 1
SLOWER = float(os.environ.get("SLOWER", "1"))  # than a usual machine by this factor: tests/kernel
LIBC = ctypes.CDLL(None, use_errno=True)
ETH_P_ALL, ETH_P_ARP, ETH_P_IPV6 = 3, 0x0806, 0x86DD
RTM_NEWADDR, RTM_DELADDR = 20, 21
# What no log of ours may say, whatever is tested.
ALARMS = re.compile(r"check_failed|check failed|Sanitizer|runtime error:|stack smashing|double free")
LEASED = struct.Struct("=IIII")

Address = collections.namedtuple("Address", "time added address prefix valid preferred mark flags")
Frame = collections.namedtuple("Frame", "time bytes")


class Skip(Exception):
    """This machine cannot show the claim; the reason is printed."""


class Failure(Exception):
    """The claim does not hold."""


def check(condition, text):
    if not condition:
        raise Failure(text)


def system(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def become_root():
    """Root of the machine, or of a user namespace that only this process and its children are in."""
    try:
        system(LIBC.unshare(CLONE_NEWNET), "unshare")
        return
    except PermissionError:
        pass
    ids = os.getuid(), os.getgid()
    try:
        system(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNET), "unshare")
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {ids[0]} 1"), ("gid_map", f"0 {ids[1]} 1")):
            with open(f"/proc/self/{file}", "w") as f:
                f.write(text)
    except OSError as e:
        raise Skip(f"no network namespaces here: {e}") from e


# Longer than a tick of the slowest kernel (100 Hz) at work, so that its timers are looked at.
BUSY_NOW_AND_THEN = """
import time
while True:
    end = time.monotonic() + 0.015
    while time.monotonic() < end:
        pass
    time.sleep(0.035)
"""


@contextlib.contextmanager
def no_cpu_idle():
    """Since Linux 6.13 an idle CPU is not woken for the end of an IPv4 lease (INIT_DEFERRABLE_WORK)."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY_NOW_AND_THEN],
                             preexec_fn=lambda cpu=cpu: os.sched_setaffinity(0, {cpu}))
            for cpu in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def wait_for(look, seconds=5.0, what="that"):
    seconds *= SLOWER
    end = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > end:
            raise Failure(f"no {what} within {seconds} s")
        time.sleep(0.002)
    return seen


def be_preferred():
    """With all that is started from now on: who does not run for a second loses its role, or its addresses."""
    with contextlib.suppress(PermissionError):
        os.nice(-15)


class Host:
    """A namespace, held by a child that sleeps in it."""

    def __init__(self, name):
        self.name = name
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                # A pipe that another thread reads to its end would have none before this one ends.
                os.closerange(3, write)
                os.closerange(write + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for its parent
                system(LIBC.unshare(CLONE_NEWNET), "unshare")
                os.write(write, b"x")
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(write)
        check(os.read(read, 1) == b"x", "no network namespace")
        os.close(read)
        self.fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        # No host waits for duplicate address detection of its own addresses.
        self.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad", fails=None)
        self.ip("link", "set", "lo", "up")

    def enter(self):
        system(LIBC.setns(self.fd, CLONE_NEWNET), "setns")

    def run(self, *argv, fails=False):
        """Its output.  `fails`: None if it may, or may not."""
        done = subprocess.run(argv, preexec_fn=self.enter, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if fails is not None and (done.returncode != 0) != fails:
            raise Failure(f"{' '.join(argv)}: status {done.returncode}: {done.stderr}")
        return done.stdout

    def ip(self, *words, fails=False):
        return self.run("ip", *words, fails=fails)

    def socket(self, *arguments):
        """A socket of that namespace.  The calling thread is there for a moment."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.enter()
        try:
            return socket.socket(*arguments)
        finally:
            system(LIBC.setns(here, CLONE_NEWNET), "setns")
            os.close(here)

    def mac(self, interface="eth0"):
        return json.loads(self.ip("-j", "link", "show", "dev", interface))[0]["address"]

    def neighbour(self, address):
        """The MAC in the cache, or None."""
        for entry in json.loads(self.ip("-j", "neigh", "show") or "[]"):
            if entry["dst"] == address and "lladdr" in entry:
                return entry["lladdr"]
        return None

    def holds(self, address):
        """Without a process: many tests look often."""
        if ":" in address:
            with open(f"/proc/{self.pid}/net/if_inet6") as f:
                return socket.inet_pton(socket.AF_INET6, address).hex() in f.read()
        with open(f"/proc/{self.pid}/net/fib_trie") as f:
            return re.search(rf"-- {re.escape(address)}\n +/32 host LOCAL\n", f.read()) is not None

    def watch(self):
        return Watch(self)

    def capture(self, interface="eth0"):
        return Capture(self, interface)


class Wire:
    """A bridge; hosts are joined to it by their eth0."""

    def __init__(self):
        self.host_of_bridge = Host("wire")
        self.host_of_bridge.ip("link", "add", "bridge", "type", "bridge")
        self.host_of_bridge.ip("link", "set", "bridge", "up")
        self.hosts = []

    def host(self, name, number):
        host = Host(name)
        host.number, host.port = number, name
        self.hosts.append(host)
        self.host_of_bridge.ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(host.pid))
        self.host_of_bridge.ip("link", "set", name, "master", "bridge", "up")
        host.ip("addr", "add", f"192.0.2.{number}/24", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        host.ip("addr", "add", f"2001:db8::{number}/64", "dev", "eth0", "nodad")
        wait_for(lambda: "fe80" in host.ip("-6", "addr", "show", "dev", "eth0", "scope", "link", "-tentative"),
                 what="link-local address")
        return host

    def plug(self, host, state):
        """Pull the cable, or put it in."""
        self.host_of_bridge.ip("link", "set", host.port, state)


class Reader:
    """A thread that reads a socket until the block ends; what it saw is in .seen."""

    def __init__(self, sock):
        self.sock, self.seen, self.ending = sock, [], threading.Event()
        self.thread = threading.Thread(target=self.read_all, daemon=True)
        self.thread.start()

    def read_all(self):
        while not self.ending.is_set():
            if select.select([self.sock], [], [], 0.05)[0]:
                try:
                    data = self.sock.recv(65536)
                except OSError as e:  # reports lost, or the interface went down
                    if e.errno in (errno.ENOBUFS, errno.ENETDOWN):
                        continue
                    raise
                self.seen.extend(self.parse(time.monotonic(), data))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.sock.close()

    def wait(self, matches, seconds=5.0, since=0.0, what="event"):
        """The first that matches and came after `since`."""
        return wait_for(lambda: next((x for x in list(self.seen) if x.time > since and matches(x)), None),
                        seconds, what)


def attributes(data):
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        yield kind, data[at + 4:at + size]
        at += max(4, (size + 3) & ~3)


class Watch(Reader):
    """Addresses that come, are renewed and go, as the kernel reports them."""

    def __init__(self, host):
        sock = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind((0, 0x10 | 0x100))  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
        super().__init__(sock)

    def parse(self, now, data):
        at = 0
        while at < len(data):
            size, kind = struct.unpack_from("=IH", data, at)
            if kind in (RTM_NEWADDR, RTM_DELADDR):
                family, prefix = struct.unpack_from("=BB", data, at + 16)
                found = dict(attributes(data[at + 24:at + size]))
                preferred, valid = LEASED.unpack(found[6])[:2] if 6 in found else (None, None)
                yield Address(now, kind == RTM_NEWADDR, socket.inet_ntop(family, found.get(2, found.get(1))), prefix,
                              valid, preferred, found.get(11, b"\0")[0], struct.unpack("=I", found[8])[0])
            at += (size + 3) & ~3

    def gone(self, address, since=0.0, seconds=5.0):
        return self.wait(lambda a: a.address == address and not a.added, seconds, since, f"end of {address}").time

    def came(self, address, since=0.0, seconds=5.0):
        return self.wait(lambda a: a.address == address and a.added, seconds, since, f"{address}")

    def renewed(self, address, until):
        return max(a.time for a in self.seen if a.address == address and a.added and a.time <= until)


class Capture(Reader):
    """All frames that arrive on an interface."""

    def __init__(self, host, interface):
        sock = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind((interface, ETH_P_ALL))
        super().__init__(sock)

    def parse(self, now, data):
        yield Frame(now, data)

    def claims(self, address):
        """(time, kind, mac) of each gratuitous ARP and unsolicited NA for the address."""
        found = []
        for frame in list(self.seen):
            if (kind_and_mac := claim_of(frame.bytes, address)) is not None:
                found.append((frame.time, *kind_and_mac))
        return found


def mac_text(data):
    return ":".join(f"{byte:02x}" for byte in data)


def claim_of(data, address):
    """("request"|"reply"|"na", MAC) if the frame announces the address to everybody, checked to the byte; or None."""
    to, source, (kind,) = data[:6], data[6:12], struct.unpack_from("!H", data, 12)
    if kind == ETH_P_ARP and ":" not in address and len(data) >= 42:
        hardware, protocol, lengths, operation = struct.unpack_from("!HHHH", data, 14)
        sender_mac, sender, target_mac, target = data[22:28], data[28:32], data[32:38], data[38:42]
        vip = socket.inet_aton(address)
        if (hardware, protocol, lengths) != (1, 0x0800, 0x0604) or sender != vip or target != vip:
            return None
        check(to == b"\xff" * 6 and sender_mac == source, f"gratuitous ARP: {data.hex()}")
        check(target_mac == (b"\0" * 6 if operation == 1 else source), f"gratuitous ARP: {data.hex()}")
        return {1: "request", 2: "reply"}[operation], mac_text(source)
    if kind == ETH_P_IPV6 and ":" in address and len(data) >= 86 and data[20] == 58 and data[54] == 136:
        vip = socket.inet_pton(socket.AF_INET6, address)
        if data[62:78] != vip or data[38:54] != socket.inet_pton(socket.AF_INET6, "ff02::1"):
            return None
        check(to == bytes.fromhex("333300000001") and data[21] == 255 and data[22:38] == vip
              and data[58] & 0xE0 == 0x20 and data[78:86] == b"\2\1" + source, f"NA: {data.hex()}")
        return "na", mac_text(source)
    return None


def arp(kind, mac, sender, target):
    """An ARP frame to everybody; kind 1 request, 2 reply."""
    mac = bytes.fromhex(mac.replace(":", ""))
    return (b"\xff" * 6 + mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, kind) + mac
            + socket.inet_aton(sender) + (mac if kind == 2 else b"\0" * 6) + socket.inet_aton(target))
