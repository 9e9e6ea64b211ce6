"""pair.py - two real nodes (lbd and hafailover on each), their servers and a client, on one wire.

    class Mine(Pair): ...                 # says which servers there are, and how they are started
    with Mine(build) as pair:
        pair.start()                      # both nodes up, one Active, the other ready, the client served
        at = pair.now()
        pair.crash(pair.active())
        pair.record.gap(at, pair.now())

The network is that of tests/integration_ha: namespaces without names, which end with this process however it ends, as
do all that it starts.  The witness is the client: what it saw, and who had the address meanwhile, is in `record`.
"""

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

from network import LIBC, PR_SET_PDEATHSIG, Wire, wait_for  # noqa: E402
from record import Record  # noqa: E402

VIP, VIP6 = "192.0.2.100", "2001:db8::64"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
RTMGRP_IPV4_IFADDR = 0x10
WAIT_SECONDS = 60 if os.environ.get("SAN") else 15


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

    def __init__(self, pair, number, host):
        self.pair, self.number, self.host, self.name = pair, number, host, host.name
        self.folder = os.path.join(pair.folder, host.name)
        os.makedirs(os.path.join(self.folder, "state"))
        self.environment, self.prefix = dict(os.environ), []
        self.lbd = self.hafailover = None
        self.inode = os.fstat(host.fd).st_ino

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "w") as f:
            json.dump(content, f, indent=1)

    def start(self, program, *words):
        with open(self.path(program + ".log"), "a") as log:
            return self.pair.spawn(self.host, [*self.prefix, self.pair.binary(program), "-c",
                                               self.path(program + ".json"), *words],
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

    def sockets(self):
        """Where hactl finds the daemons, as it is told by the environment."""
        return {"LBPAIR_LBD_SOCKET": self.path("lbd.sock"), "LBPAIR_HA_SOCKET": self.path("ha.sock")}

    def hactl(self, *words, fails=False):
        return self.host.run(self.pair.binary("hactl"), "--ha-socket", self.path("ha.sock"),
                             "--lbd-socket", self.path("lbd.sock"), *words, fails=fails)

    def status(self):
        """What `hactl status` says; empty while the daemon does not answer."""
        text = self.hactl("status", "--json", fails=None)
        said = json.loads(text) if text.strip() else {}
        return said if "role" in said else {}

    def history(self):
        return json.loads(self.hactl("history", "--json"))["history"]

    def metrics(self, port=9102):
        """Those of hafailover; lbd's are at 9101."""
        with self.host.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.connect(("127.0.0.1", port))
            s.sendall(b"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        return dict(line.rsplit(" ", 1) for line in text.partition("\r\n\r\n")[2].splitlines() if line[:1] != "#")

    def log(self, program="hafailover"):
        try:
            with open(self.path(program + ".log"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""  # it was never started


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


def reaches(host, address):
    """Whether a connection from there to ADDRESS:PORT is accepted."""
    ip, _, port = address.rpartition(":")
    with host.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(0.2)
        return s.connect_ex((ip, int(port))) == 0


class Pair:
    """`ha`: keys of hafailover.json.  `equal`: the nodes compete with whatever else runs."""

    def __init__(self, build, ha=None, equal=False):
        self.build, self.ha, self.equal = os.path.abspath(build), ha or {}, equal
        self.children, self.record, self.deeds, self.servers = [], None, [], []
        self.temporary = tempfile.TemporaryDirectory(prefix="lbpair-")
        self.folder = self.temporary.name
        self.wire = Wire()
        self.client = self.wire.host("client", 9)
        self.nodes = [Node(self, n, self.wire.host(f"lb{n + 1}", 11 + n)) for n in (0, 1)]
        self.paths = [[f"192.0.2.{11 + n}"] for n in (0, 1)]
        self.hand = self.wire.host_of_bridge.socket(socket.AF_INET, socket.SOCK_DGRAM)

    # --- for those who say what is served ---

    def start_servers(self):
        """Whatever answers at self.servers, which are the `servers` of lbd.json."""
        raise NotImplementedError

    def lbd_configuration(self, node):
        return {"admin": {"socket": node.path("lbd.sock")},
                "listeners": [{"bind": ["0.0.0.0:80", "[::]:80"], "pool": "web"}],
                "pools": [{"name": "web", "servers": self.servers}]}

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

    def configure(self):
        secret = os.path.join(self.folder, "secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write("a secret for the laboratory\n")
        for node in self.nodes:
            node.write("lbd.json", self.lbd_configuration(node))
            node.write("hafailover.json", {
                "nodes": [{"name": n.name, "addresses": self.paths[n.number]} for n in self.nodes],
                "secret_file": secret, "virtual_ips": [VIP, VIP6],
                "track": {"lbd": {"socket": node.path("lbd.sock")}},
                "control": node.path("ha.sock"), "state_directory": node.path("state"), **self.ha})

    # --- running ---

    def start(self):
        """Both nodes up, and the client served."""
        self.start_servers()
        for server in self.servers:
            wait_for(lambda server=server: reaches(self.client, server["address"]), WAIT_SECONDS, "server")
        self.start_witness()
        for node in self.nodes:
            node.start_lbd()
            node.start_hafailover()
        self.wait_ready()
        return self

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

    def wait_ready(self, seconds=WAIT_SECONDS):
        """One is Active, each hears the other, either could take over, and the client is served."""
        def ready():
            states = [n.status() for n in self.nodes]
            return all(states) and sorted(s["role"] for s in states) == ["active", "backup"] and \
                all(s["peer"]["ready"] and s["config"]["match"] and s["lbd"]["servers_up"] == len(self.servers)
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
        return self.nodes[wait_for(lambda: len(self.record.holder()) == 1 and self.record.holder(),
                                   what="node that alone has the address")[0]]

    def other(self, node):
        return self.nodes[1 - node.number]

    # --- breaking ---

    def plug(self, node, connected):
        """The cable of a node to everybody but for the second path: the carrier goes, or comes back."""
        request = struct.pack("16sh14x", node.name.encode(), 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(self.hand, SIOCGIFFLAGS, request))[1]
        flags = flags | IFF_UP if connected else flags & ~IFF_UP
        before = self.now()
        fcntl.ioctl(self.hand, SIOCSIFFLAGS, struct.pack("16sh14x", node.name.encode(), flags))
        self.record.reach(self.now() if connected else before, node.number, connected)

    def crash(self, node):
        """Power off: no process and no cable any more, at once."""
        pids = node.processes()
        self.plug(node, False)
        send(pids, signal.SIGKILL)

    def note(self, who, what):
        """For the story of what happened."""
        self.deeds.append((self.now(), who, what))

    def seen(self):
        """(time, who, what) of each deed, and of each coming and going of the address."""
        return self.deeds + [(t, node.name, f"has {VIP}" if has else f"has {VIP} no longer")
                             for node in self.nodes for t, has in self.record.changes_of(node.number)]

    # --- the end ---

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
