#!/usr/bin/python3
"""witness.py ADDRESS PORT FD... - what a client of ADDRESS lives through, and who holds the address meanwhile.

Opens a connection every 5 ms, asks for a page, and closes it.  Each FD is a netlink socket of a node's namespace that
reports its addresses.  Prints, with times of CLOCK_MONOTONIC in seconds:

    c BEGIN END OUTCOME [SERVER]    ok; or no connection: refused, unreachable, lost (no answer to the SYN); or not all
                            of an answer on it: broken (reset or closed), late (nothing within 2 s), status (not
                            200).  SERVER is what the answer says in that field
    a TIME NODE 1|0         the node, counted from 0 in the order of the FDs, has the address from now on, or not
    m TIME MAC request|reply    ARP from that station, which says that it has the address

A real client sends its SYN a second time after 1 s.  So what is connected before that was slow, and no SYN was lost:
that holds on a busy machine too.
"""

import errno
import gc
import heapq
import os
import re
import select
import signal
import socket
import struct
import sys
import time

SLOWER = float(os.environ.get("SLOWER", "1"))  # as in network.py: not more than such a machine can do
INTERVAL, SYN_SECONDS, ANSWER_SECONDS = 0.005 * SLOWER, 0.95, 2.0
RTM_NEWADDR, RTM_DELADDR, ETH_P_ARP = 20, 21, 0x0806
REQUEST = b"GET / HTTP/1.1\r\nHost: pair\r\nConnection: close\r\n\r\n"


def say(line):
    os.write(1, line.encode())


class Attempt:
    def __init__(self, epoll, target):
        self.begin = time.monotonic()
        self.connected, self.asked, self.answer, self.outcome = False, False, b"", None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        result = self.socket.connect_ex(target)
        if result not in (0, errno.EINPROGRESS):
            self.finish(self.failure(result))
        else:
            epoll.register(self.socket.fileno(), select.EPOLLOUT)

    def finish(self, outcome):
        self.outcome = outcome
        self.socket.close()
        server = re.search(rb"\r\nserver: *(\S+)", self.answer, re.I)
        say(f"c {self.begin:.6f} {time.monotonic():.6f} {outcome} {server[1].decode('latin-1') if server else ''}\n")

    def proceed(self, epoll):
        try:
            if self.asked:
                self.read()
                return
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "connect")
            self.connected = True
            self.socket.send(REQUEST)
            self.asked = True
            epoll.modify(self.socket.fileno(), select.EPOLLIN)
        except OSError as e:
            self.finish(self.failure(e.errno))

    def failure(self, error):
        if self.connected:
            return "broken"
        return "refused" if error in (errno.ECONNREFUSED, errno.ECONNRESET) else "unreachable"

    def read(self):
        data = self.socket.recv(65536)
        self.answer += data
        if not data:
            self.finish(self.judge())

    def judge(self):
        head, _, body = self.answer.partition(b"\r\n\r\n")
        size = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        if not size or len(body) != int(size[1]):
            return "broken"
        return "ok" if head.startswith(b"HTTP/1.1 200 ") else "status"


class Addresses:
    def __init__(self, fd, node, address):
        self.socket, self.node, self.held = socket.socket(fileno=fd), node, None
        self.address = socket.inet_aton(address)

    def read(self):
        now, data, at = time.monotonic(), self.socket.recv(65536), 0
        while at + 16 <= len(data):
            size, kind = struct.unpack_from("=IH", data, at)
            if kind in (RTM_NEWADDR, RTM_DELADDR) and self.address in data[at + 24:at + size]:
                self.note(now, kind == RTM_NEWADDR)
            at += (size + 3) & ~3

    def note(self, now, held):
        if held != self.held:
            self.held = held
            say(f"a {now:.6f} {self.node} {int(held)}\n")


class Claims:
    """ARP that reaches this host with the address as its sender."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
        self.address = socket.inet_aton(address)

    def read(self):
        frame, origin = self.socket.recvfrom(4096)
        if origin[2] != socket.PACKET_OUTGOING and frame[28:32] == self.address:
            say(f"m {time.monotonic():.6f} {frame[22:28].hex(':')} {'request' if frame[21] == 1 else 'reply'}\n")


class Witness:
    def __init__(self, target, sources):
        self.target, self.epoll = target, select.epoll()
        self.sources = {s.socket.fileno(): s for s in sources}
        self.attempts, self.deadlines = {}, []
        for fd in self.sources:
            self.epoll.register(fd, select.EPOLLIN)

    def open(self):
        attempt = Attempt(self.epoll, self.target)
        if attempt.outcome is None:
            self.attempts[attempt.socket.fileno()] = attempt
            heapq.heappush(self.deadlines, (attempt.begin + SYN_SECONDS, id(attempt), attempt))

    def give_up(self, now):
        while self.deadlines and self.deadlines[0][0] <= now:
            attempt = heapq.heappop(self.deadlines)[2]
            if attempt.outcome is not None:
                continue
            if attempt.asked and now < attempt.begin + ANSWER_SECONDS:
                heapq.heappush(self.deadlines, (attempt.begin + ANSWER_SECONDS, id(attempt), attempt))
                continue
            del self.attempts[attempt.socket.fileno()]
            attempt.finish("late" if attempt.asked else "lost")

    def poll(self, seconds):
        for fd, _ in self.epoll.poll(seconds):
            if fd in self.sources:
                self.sources[fd].read()
            elif fd in self.attempts:
                attempt = self.attempts[fd]
                attempt.proceed(self.epoll)
                if attempt.outcome is not None:
                    del self.attempts[fd]

    def run(self):
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= due:
                self.open()
                due = max(due + INTERVAL, now)
            self.give_up(now)
            self.poll(max(0.0, due - time.monotonic()))


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(5))
    except OSError:
        pass  # its own delays count as noise then
    gc.disable()
    nodes = [Addresses(int(fd), number, sys.argv[1]) for number, fd in enumerate(sys.argv[3:])]
    Witness((sys.argv[1], int(sys.argv[2])), [*nodes, Claims(sys.argv[1])]).run()


main()
