"""laboratory.py - a pair of real nodes, its servers and a client, on one wire; and the hand that breaks things.

    with Laboratory(build) as lab:
        lab.start()                       # both nodes up, one Active, the other ready, the client served
        at = lab.now()
        lab.crash(lab.active())
        lab.record.gap(at, lab.now())

The network is that of tests/integration_ha: namespaces without names, which end with this process however it ends, as
do all that it starts.  Heartbeats go over the wire, also over a cable of their own (`second`), or through a relay only
(`relay`).
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration_ha"))

from network import Failure, Host, LIBC, PR_SET_PDEATHSIG, Skip, Wire, check, wait_for  # noqa: E402
from record import Record  # noqa: E402

VIP, VIP6 = "192.0.2.100", "2001:db8::64"
SERVERS = ("192.0.2.21", "192.0.2.22")
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
RTMGRP_IPV4_IFADDR = 0x10
ETH_P_ALL = 3


def prefer_me():
    try:
        os.nice(-15)
    except PermissionError:
        pass


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()


class Node:
    """One of the pair: its files, its processes."""

    def __init__(self, lab, number, host):
        self.lab, self.number, self.host, self.name = lab, number, host, host.name
        self.folder = os.path.join(lab.folder, host.name)
        os.makedirs(os.path.join(self.folder, "state"))
        self.environment = dict(os.environ)
        self.lbd = self.hafailover = None
        self.inode = os.fstat(host.fd).st_ino

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "w") as f:
            json.dump(content, f, indent=1)

    def start(self, program, *words):
        with open(self.path(program + ".log"), "a") as log:
            return self.lab.spawn(self.host, [self.lab.binary(program), "-c", self.path(program + ".json"), *words],
                                  stdout=log, stderr=log, env=self.environment)

    def start_lbd(self):
        self.lbd = self.start("lbd")

    def start_hafailover(self):
        self.hafailover = self.start("hafailover", "--node", self.name)

    def processes(self):
        """Everything that runs on this node, and nothing else."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.stat(f"/proc/{pid}/ns/net").st_ino == self.inode and int(pid) != self.host.pid:
                    found.append(int(pid))
            except OSError:
                pass  # it has ended
        return found

    def proxies(self):
        """lbd's children: one, but for the moment in which its supervisor replaces it."""
        return [p for p in self.processes() if parent(p) == self.lbd.pid]

    def hactl(self, *words, fails=False):
        return self.host.run(self.lab.binary("hactl"), "--ha-socket", self.path("ha.sock"),
                             "--lbd-socket", self.path("lbd.sock"), *words, fails=fails)

    def status(self):
        """What `hactl status` says; empty while the daemon does not answer."""
        text = self.hactl("status", "--json", fails=None)
        said = json.loads(text) if text.strip() else {}
        return said if "role" in said else {}

    def history(self):
        return json.loads(self.hactl("history", "--json"))["history"]

    def metrics(self):
        with self.host.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.connect(("127.0.0.1", 9102))
            s.sendall(b"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        return dict(line.rsplit(" ", 1) for line in text.partition("\r\n\r\n")[2].splitlines() if line[:1] != "#")

    def log(self, program="hafailover"):
        with open(self.path(program + ".log"), errors="replace") as f:
            return f.read()


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # it has ended


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Laboratory:
    """`second`: a cable between the nodes that carries heartbeats as well; `relay` (options of relay.py): that alone.

    `equal`: the nodes compete with whatever else runs.
    """

    def __init__(self, build, second=False, relay=None, ha=None, equal=False):
        self.build, self.ha, self.relay_options, self.equal = build, ha or {}, relay, equal
        self.children, self.relay, self.record, self.quiet = [], None, None, None
        self.deeds = []
        self.temporary = tempfile.TemporaryDirectory(prefix="lbpair-")
        self.folder = self.temporary.name
        self.wire = Wire()
        self.client, self.servers = self.wire.host("client", 9), self.wire.host("servers", 21)
        self.servers.ip("addr", "add", f"{SERVERS[1]}/24", "dev", "eth0")
        self.nodes = [Node(self, n, self.wire.host(f"lb{n + 1}", 11 + n)) for n in (0, 1)]
        self.hand = self.wire.host_of_bridge.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.switch = self.spawn(self.wire.host_of_bridge, ["ip", "-force", "-batch", "-"], stdin=subprocess.PIPE)
        self.paths = [[f"192.0.2.{11 + n}"] for n in (0, 1)]
        if second:
            self.join_directly()
        if relay is not None:
            self.join_by_relay()
        self.configure()

    # --- building ---

    def binary(self, name):
        return os.path.join(self.build, "bin", name)

    def spawn(self, host, argv, **options):
        """Before other work on this machine, which is not what we measure, as far as we may."""
        def prepare():
            die_with_parent()
            host.enter()
            if not self.equal:
                prefer_me()
        options.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen(argv, preexec_fn=prepare, **options)
        self.children.append(child)
        return child

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

    def configure(self):
        secret = os.path.join(self.folder, "secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write("a secret for the laboratory\n")
        for node in self.nodes:
            node.write("lbd.json", {
                "admin": {"socket": node.path("lbd.sock")},
                "listeners": [{"bind": ["0.0.0.0:80", "[::]:80"], "pool": "web"}],
                "pools": [{"name": "web", "servers": [{"address": f"{s}:8080"} for s in SERVERS]}]})
            node.write("hafailover.json", {
                "nodes": [{"name": n.name, "addresses": self.paths[n.number]} for n in self.nodes],
                "secret_file": secret, "virtual_ips": [VIP, VIP6],
                "track": {"lbd": {"socket": node.path("lbd.sock")}},
                "control": node.path("ha.sock"), "state_directory": node.path("state"), **self.ha})

    # --- running ---

    def start(self):
        """Both nodes up and the client served for a while; that while tells how noisy this machine is."""
        self.start_servers()
        self.start_witness()
        for node in self.nodes:
            node.start_lbd()
            node.start_hafailover()
        self.wait_ready()
        begin = self.now()
        self.sleep(0.6)
        self.quiet = self.record.gap(begin, self.now())[0]
        return self

    def start_servers(self):
        self.spawn(self.servers, [sys.executable, os.path.join(HERE, "server.py"), *(f"{s}:8080" for s in SERVERS)])
        for server in SERVERS:
            wait_for(lambda server=server: self.answers(server), what="server")

    def answers(self, server):
        with self.servers.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            return s.connect_ex((server, 8080)) == 0

    def start_witness(self):
        watches = []
        for node in self.nodes:
            sock = node.host.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            sock.bind((0, RTMGRP_IPV4_IFADDR))
            watches.append(sock)
        fds = [s.fileno() for s in watches]
        witness = self.spawn(self.client, [sys.executable, os.path.join(HERE, "witness.py"), VIP, "80", *map(str, fds)],
                             stdout=subprocess.PIPE, text=True, pass_fds=fds)
        for sock in watches:
            sock.close()
        self.record = Record(witness.stdout)

    def wait_ready(self, seconds=15.0):
        """One is Active, each hears the other, either could take over, and the client is served."""
        def ready():
            states = [n.status() for n in self.nodes]
            return all(states) and sorted(s["role"] for s in states) == ["active", "backup"] and \
                all(s["peer"]["ready"] and s["config"]["match"] and s["lbd"]["servers_up"] == 2
                    and not s["alarms"] for s in states)
        wait_for(ready, seconds, "pair that is ready")
        since = self.now()
        wait_for(lambda: self.record.answers(since) > 20, seconds, "service")

    @staticmethod
    def now():
        return time.monotonic()

    @staticmethod
    def sleep(seconds):
        time.sleep(seconds)

    def active(self):
        """The node that holds the address; there must be one, and only one."""
        holders = self.record.holder()
        check(len(holders) == 1, f"holders of the address: {[self.nodes[n].name for n in holders]}")
        return self.nodes[holders[0]]

    def other(self, node):
        return self.nodes[1 - node.number]

    # --- breaking ---

    def plug(self, node, connected):
        """The cable of a node to everybody but for the second path: the carrier goes, or comes back."""
        request = struct.pack("16sh14x", node.name.encode(), 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(self.hand, SIOCGIFFLAGS, request))[1]
        flags = flags | IFF_UP if connected else flags & ~IFF_UP
        fcntl.ioctl(self.hand, SIOCSIFFLAGS, struct.pack("16sh14x", node.name.encode(), flags))
        self.record.reach(self.now(), node.number, connected)

    def forward(self, node, forwarding):
        """As above, but the node sees no change: its port has left the bridge."""
        self.tell_switch(f"link set dev {node.name} " + ("master bridge" if forwarding else "nomaster"))
        self.record.reach(self.now(), node.number, forwarding)

    def part(self, parted):
        """The nodes reach everybody but each other, as far as the wire goes."""
        for node in self.nodes:
            self.tell_switch(f"link set dev {node.name} type bridge_slave isolated {'on' if parted else 'off'}")

    def tell_switch(self, line):
        self.note(line)
        self.switch.stdin.write(line.encode() + b"\n")
        self.switch.stdin.flush()

    def note(self, what):
        """For the story that is printed when something was missed."""
        self.deeds.append((self.now(), f"*** {what}"))

    def crash(self, node):
        """Power off: no process and no cable any more, at once."""
        pids = node.processes()
        self.plug(node, False)
        send(pids, signal.SIGKILL)

    # --- the end ---

    def logs(self):
        text = "".join(f"--- {node.name} {program}\n{node.log(program)}" for node in self.nodes
                       for program in ("hafailover", "lbd"))
        macs = {node.host.mac(): node.name for node in self.nodes}
        offset = time.time() - time.monotonic()
        events = [(t, f"announced by {macs.get(mac, mac)} ({kind})") for t, mac, kind in self.record.claims] \
            + [(t, f"{node.name} {'has' if has else 'has no longer'} {VIP}") for node in self.nodes
               for t, has in self.record.held[node.number]] \
            + [(t, what) for t, what in self.deeds]
        return text + "--- as seen from outside\n" + "".join(
            f"{wall_clock(t + offset)} {what}\n" for t, what in sorted(events)) if self.record else text

    def close(self):
        for node in self.nodes:
            send(node.processes(), signal.SIGKILL)
        for child in self.children:
            child.kill()
            child.wait()
        for host in (*self.wire.hosts, self.wire.host_of_bridge):
            os.kill(host.pid, signal.SIGKILL)
            os.waitpid(host.pid, 0)
            os.close(host.fd)
        self.temporary.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wall_clock(seconds):
    return time.strftime("%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}"


def checksums_by_kernel(host, interface):
    """ethtool -K INTERFACE tx off"""
    value = struct.pack("=II", 0x17, 0)  # ETHTOOL_STXCSUM
    buffer = ctypes.create_string_buffer(value, len(value))
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8946, struct.pack("16sP16x", interface.encode(), ctypes.addressof(buffer)))


__all__ = ["Failure", "Laboratory", "Skip", "check", "send", "wait_for"]
