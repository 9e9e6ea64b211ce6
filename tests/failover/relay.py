#!/usr/bin/python3
"""relay.py FD FD SEED LOSS - a cable between two packet sockets that does what cables and enemies do.

Loses heartbeats at random (LOSS in percent), and with MISCHIEF in the environment sends others twice, late, out of
order, again after seconds, with bits changed, or cut short.  Prints a line with its counts at its end (SIGTERM).
"""

import collections
import heapq
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time


def is_heartbeat(frame):
    """UDP over IPv4; anything else (ARP) goes through as it is."""
    return frame[12:14] == b"\x08\x00" and frame[23] == 17


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def rebuilt(frame, payload):
    """The same datagram with another payload: lengths and sums are right, so that the kernel delivers it."""
    ip = bytearray(frame[14:34])
    struct.pack_into("!H", ip, 2, 28 + len(payload))
    ip[10:12] = b"\0\0"
    struct.pack_into("!H", ip, 10, checksum(bytes(ip)))
    return frame[:14] + bytes(ip) + frame[34:38] + struct.pack("!HH", 8 + len(payload), 0) + payload


class Relay:
    def __init__(self, sockets, seed, loss, mischief):
        self.sockets, self.random, self.loss, self.mischief = sockets, random.Random(seed), loss, mischief
        self.late, self.past = [], (collections.deque(maxlen=100), collections.deque(maxlen=100))
        self.counts = collections.Counter()

    def later(self, seconds, side, frame):
        heapq.heappush(self.late, (time.monotonic() + seconds, self.random.random(), side, frame))

    def pass_on(self, side, frame):
        """`side` is where it goes."""
        if not is_heartbeat(frame):
            self.sockets[side].send(frame)
            return
        self.past[side].append(frame)
        if self.random.random() * 100 < self.loss:
            self.counts["lost"] += 1
            return
        self.counts["passed"] += 1
        if self.mischief:
            self.play(side, frame)
        else:
            self.sockets[side].send(frame)

    def play(self, side, frame):
        trick = self.random.choice(("none", "none", "duplicated", "reordered", "replayed", "forged", "truncated"))
        self.counts[trick] += 1
        if trick == "reordered":
            self.later(0.15, side, frame)
            return
        self.sockets[side].send(frame)
        payload = bytearray(frame[42:])
        if trick == "duplicated":
            self.sockets[side].send(frame)
        elif trick == "replayed":
            self.sockets[side].send(self.random.choice(self.past[side]))
        elif trick == "forged":
            payload[self.random.randrange(len(payload))] ^= 1 << self.random.randrange(8)
            self.sockets[side].send(rebuilt(frame, bytes(payload)))
        elif trick == "truncated":
            self.sockets[side].send(rebuilt(frame, bytes(payload[:self.random.randrange(len(payload))])))

    def run(self):
        while True:
            wait = max(0.0, self.late[0][0] - time.monotonic()) if self.late else None
            ready = select.select(self.sockets, [], [], wait)[0]
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, side, frame = heapq.heappop(self.late)
                self.sockets[side].send(frame)
            for sock in ready:
                frame, origin = sock.recvfrom(65536)
                if origin[2] != socket.PACKET_OUTGOING:
                    self.pass_on(1 - self.sockets.index(sock), frame)


def main():
    sockets = [socket.socket(fileno=int(fd)) for fd in sys.argv[1:3]]
    relay = Relay(sockets, int(sys.argv[3]), float(sys.argv[4]), "MISCHIEF" in os.environ)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        relay.run()
    finally:
        print(json.dumps(relay.counts), flush=True)


main()
