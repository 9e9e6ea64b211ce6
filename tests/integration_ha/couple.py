"""couple.py - two real nodes for claims about what they decide and say: tests/failover's laboratory, and more hands.

    with couple(track={"gateways": ["192.0.2.1"]}) as lab, Gateway(lab) as gateway:
        lab.start()                            # ready: one Active, the other a healthy Backup
        gateway.ignore(lab.active())
"""

import contextlib
import json
import os
import select
import socket
import struct
import sys
import threading

from network import ALARMS, ETH_P_ALL, ETH_P_ARP, Failure, check, mac_text, wait_for
from station import ROOT, station_binary

sys.path.insert(0, os.path.join(ROOT, "tests", "failover"))

from laboratory import VIP, Laboratory  # noqa: E402

SECONDS = 30  # for what takes well under one on an idle machine


@contextlib.contextmanager
def couple(track=None, **options):
    """`track`: keys of hafailover.json's `track`, beside lbd."""
    lab = Laboratory(os.path.dirname(os.path.dirname(station_binary())), **options)
    try:
        for node in lab.nodes:
            change(node, track={"lbd": {"socket": node.path("lbd.sock")}, **(track or {})})
        yield lab
        check(not ALARMS.search(lab.logs()), "a daemon reports a fault of its own")
    except Failure:
        print(lab.logs())
        raise
    finally:
        lab.close()


def change(node, **keys):
    """Of its hafailover.json."""
    with open(node.path("hafailover.json")) as f:
        node.write("hafailover.json", {**json.load(f), **keys})


def alarms(node):
    return {a["name"]: a["text"] for a in node.status().get("alarms", [])}


def wait_alarm(node, name, seconds=SECONDS):
    """Its text."""
    wait_for(lambda: name in alarms(node), seconds, f"alarm {name} of {node.name}: {node.log()}")
    return alarms(node)[name]


def wait_says(node, seconds=SECONDS, **wanted):
    """Until its status has those members."""
    def look():
        said = node.status()
        return said and all(said[key] == value for key, value in wanted.items())
    wait_for(look, seconds, f"{wanted} of {node.name}: {node.status()}")
    return node.status()


def moves(node, since=0):
    """(from, to, cause) of each change of its role, newest last; without the first `since` of them."""
    return [(h["from"], h["to"], h["cause"]) for h in node.history()[since:]]


def check_served(lab, since):
    """The client was answered all the time since then, and is."""
    lab.sleep(0.2)
    gap, recovered = lab.record.gap(since, lab.now())
    check(recovered and gap < 1.0, f"the client was not served for {gap:.3f} s")


class Gateway:
    """Answers ARP for an address that no kernel has, but not to everybody."""

    def __init__(self, lab, address="192.0.2.1"):
        host = lab.wire.host("gateway", 2)
        self.address, self.deaf_to = socket.inet_aton(address), set()
        self.mac = bytes.fromhex(host.mac().replace(":", ""))
        self.sock = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.bind(("eth0", 0))
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ending.is_set():
            if select.select([self.sock], [], [], 0.05)[0]:
                self.answer(self.sock.recv(2048))

    def answer(self, frame):
        kind, operation, asker = *struct.unpack_from("!H6xH", frame, 12), frame[22:28]
        if kind == ETH_P_ARP and operation == 1 and frame[38:42] == self.address and \
                mac_text(asker) not in self.deaf_to:
            self.sock.send(asker + self.mac + frame[12:20] + b"\0\2" + self.mac + self.address + asker + frame[28:32])

    def ignore(self, *nodes):
        """From now on those, and only those."""
        self.deaf_to = {node.host.mac() for node in nodes}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.sock.close()


__all__ = ["SECONDS", "VIP", "Gateway", "alarms", "change", "check", "check_served", "couple", "moves", "wait_alarm",
           "wait_for", "wait_says"]
