"""laboratory.py - the pair whose failures are measured, and more hands that break things.

    with Laboratory(build) as lab:
        lab.start()                       # as Pair.start; that while tells how noisy this machine is
        lab.forward(lab.active(), False)

Heartbeats go over the wire, also over a cable of their own (`second`), or through a relay only (`relay`).  A third host
may lend its vote (`witness`).
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time

from pair import HERE, VIP, VIP6, Pair, send, wall_clock  # it says where network is
from network import Failure, Host, Skip, check, wait_for

SERVERS = ("192.0.2.21", "192.0.2.22")
WITNESS, NOBODY = "192.0.2.30", "02:00:00:00:00:01"  # the witness; a station that is not there
ETH_P_ALL = 3


class Laboratory(Pair):
    """`second`: a cable between the nodes that carries heartbeats as well; `relay` (options of relay.py): that alone."""

    def __init__(self, build, second=False, relay=None, witness=False, **options):
        super().__init__(build, **options)
        self.third, self.voter = self.wire.host("witness", 30) if witness else None, None
        if witness:
            self.ha = {**self.ha, "witness": {"address": WITNESS}}
        self.relay_options, self.relay, self.quiet = relay, None, None
        self.server = self.wire.host("servers", 21)
        self.server.ip("addr", "add", f"{SERVERS[1]}/24", "dev", "eth0")
        self.servers = [{"address": f"{s}:8080"} for s in SERVERS]
        self.switch = self.spawn(self.wire.host_of_bridge, ["ip", "-force", "-batch", "-"], stdin=subprocess.PIPE)
        if second:
            self.join_directly()
        if relay is not None:
            self.join_by_relay()
        self.configure()

    # --- building ---

    def join_directly(self):
        one, two = self.nodes
        one.host.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", str(two.host.pid))
        for node in self.nodes:
            self.add_second_address(node)

    def join_by_relay(self):
        middle, ends = Host("relay"), []
        for node in self.nodes:
            middle.ip("link", "add", node.name, "type", "veth", "peer", "name", "eth1", "netns", str(node.host.pid))
            middle.ip("link", "set", node.name, "up", "promisc", "on")
            self.add_second_address(node)
            sock = middle.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            sock.bind((node.name, ETH_P_ALL))
            ends.append(sock)
        # Sums that the sender leaves to its card would never be filled in: there is no card.
        for node in self.nodes:
            checksums_by_kernel(node.host, "eth1")
        fds = [s.fileno() for s in ends]
        self.relay = self.spawn(middle, [sys.executable, os.path.join(HERE, "relay.py"), *map(str, fds),
                                         str(self.relay_options["seed"]), str(self.relay_options["loss"])],
                                stdout=subprocess.PIPE, text=True, pass_fds=fds,
                                env={**os.environ, **({"MISCHIEF": "1"} if self.relay_options["mischief"] else {})})
        for sock in ends:
            sock.close()
        self.paths = [paths[1:] for paths in self.paths]

    def add_second_address(self, node):
        node.host.ip("addr", "add", f"198.51.100.{11 + node.number}/24", "dev", "eth1")
        node.host.ip("link", "set", "eth1", "up")
        self.paths[node.number].append(f"198.51.100.{11 + node.number}")

    # --- running ---

    def configure(self):
        super().configure()
        if self.third:
            with open(os.path.join(self.folder, "witness.json"), "w") as f:
                json.dump({"lease": self.ha.get("lease", "1s"),
                           "pairs": [{"name": "laboratory", "secret_file": os.path.join(self.folder, "secret")}]}, f)

    def start_third(self):
        """The witness, with nothing in mind."""
        with open(os.path.join(self.folder, "witness.log"), "a") as log:
            self.voter = self.spawn(self.third, [self.binary("hafailover"), "--witness", "-c",
                                                 os.path.join(self.folder, "witness.json")], stdout=log, stderr=log)

    def start(self):
        if self.third:
            self.start_third()
        super().start()
        begin = self.now()
        self.sleep(0.6)
        self.quiet = self.record.gap(begin, self.now())[0]
        return self

    def start_servers(self):
        self.spawn(self.server, [sys.executable, os.path.join(HERE, "server.py"), *(f"{s}:8080" for s in SERVERS)])

    # --- breaking ---

    def forward(self, node, forwarding):
        """As plug, but the node sees no change: its port has left the bridge."""
        self.tell_switch(f"link set dev {node.name} " + ("master bridge" if forwarding else "nomaster"))
        self.record.reach(self.now(), node.number, forwarding)

    def part(self, parted):
        """The nodes reach everybody but each other, as far as the wire goes."""
        for node in self.nodes:
            self.tell_switch(f"link set dev {node.name} type bridge_slave isolated {'on' if parted else 'off'}")

    def cut_from_witness(self, node, cut):
        """What the node sends there goes to nobody; so there are no answers either."""
        node.host.ip("neigh", *(("replace", WITNESS, "lladdr", NOBODY, "nud", "permanent") if cut else ("del", WITNESS)),
                     "dev", "eth0")
        self.note("***", f"{node.name} {'no longer ' if cut else ''}reaches the witness")

    def tell_switch(self, line):
        self.note("***", line)
        self.switch.stdin.write(line.encode() + b"\n")
        self.switch.stdin.flush()

    # --- the end ---

    def logs(self):
        text = "".join(f"--- {node.name} {program}\n{node.log(program)}" for node in self.nodes
                       for program in ("hafailover", "lbd"))
        if self.third:
            with open(os.path.join(self.folder, "witness.log")) as f:
                text += f"--- witness\n{f.read()}"
        if not self.record:
            return text
        macs = {node.host.mac(): node.name for node in self.nodes}
        offset = time.time() - time.monotonic()
        claims = [(t, macs.get(mac, mac), f"announces itself ({kind})") for t, mac, kind in self.record.claims]
        return text + "--- as seen from outside\n" + "".join(
            f"{wall_clock(t + offset)} {who} {what}\n"
            for t, who, what in sorted(self.seen() + claims + self.record.troubles()))


def checksums_by_kernel(host, interface):
    """ethtool -K INTERFACE tx off"""
    value = struct.pack("=II", 0x17, 0)  # ETHTOOL_STXCSUM
    buffer = ctypes.create_string_buffer(value, len(value))
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8946, struct.pack("16sP16x", interface.encode(), ctypes.addressof(buffer)))


__all__ = ["HERE", "VIP", "VIP6", "Failure", "Laboratory", "Skip", "check", "send", "wait_for"]
