"""hafailover and Debian's keepalived as the two routers of a pair: who is Active, and who has the address.

Every scenario has a wire and namespaces of its own; those of one test run side by side.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from network import ALARMS, Failure, LIBC, PR_SET_PDEATHSIG, Skip, Wire, check
from station import station_binary

VIP, VIP6 = "192.0.2.100", "2001:db8::64"
ADDRESSES = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
PATIENCE = 40.0  # the RFC's times are a second or four; this machine may be slow


def wait_for(look, what):
    """Every look starts a process, and many scenarios look at the same time."""
    end = time.monotonic() + PATIENCE
    while not (seen := look()):
        if time.monotonic() > end:
            raise Failure(f"no {what} within {PATIENCE} s")
        time.sleep(0.05)
    return seen


def binary(name):
    return os.path.join(os.path.dirname(os.path.dirname(station_binary())), "bin", name)


def spawn(host, argv, log):
    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        host.enter()
    with open(log, "a") as f:
        return subprocess.Popen(argv, preexec_fn=prepare, stdin=subprocess.DEVNULL, stdout=f, stderr=f)


class Router:
    """What both have in common: a host, a folder, and the address that it has or has not."""

    def __init__(self, pair, host, number, priority, preempt):
        self.pair, self.host, self.number, self.priority, self.preempt = pair, host, number, priority, preempt
        self.folder = os.path.join(pair.folder, host.name)
        os.makedirs(self.folder, exist_ok=True)
        self.processes = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def holds(self):
        return self.host.holds(VIP if self.pair.family == 4 else VIP6)

    def crash(self):
        """Power off: no process, no address, no cable."""
        self.pair.wire.plug(self.host, "down")
        for process in self.processes:
            process.kill()
            process.wait()

    def log(self):
        return "".join(f"--- {name}\n" + open(self.path(name), errors="replace").read()[-4000:]
                       for name in sorted(os.listdir(self.folder)) if name.endswith(".log"))


class Ours(Router):
    def start(self):
        pair, nodes = self.pair, []
        for n in (0, 1):
            nodes.append({"name": f"lb{n + 1}", "address": ADDRESSES[pair.family][n],
                          "priority": self.priority if n == self.number else 100})
        vrrp = {"version": pair.version, "multicast": pair.multicast, "interval": pair.interval}
        if pair.password:
            with open(os.open(self.path("password"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(pair.password + "\n")
            vrrp["password_file"] = self.path("password")
        vips = [VIP] if pair.family == 4 else [{"address": "fe80::100", "interface": "eth0"}, VIP6]
        self.write("hafailover.json", {
            "nodes": nodes, "track": {"lbd": {"socket": self.path("lbd.sock")}}, "admin": {"http": "off"},
            "control": self.path("ha.sock"), "state_directory": self.folder,
            "instances": [{"virtual_ips": vips, "protocol": "vrrp", "virtual_router_id": 51,
                           "preempt": self.preempt, "vrrp": vrrp}]})
        self.write("lbd.json", {
            "admin": {"socket": self.path("lbd.sock"), "http": "off"}, "workers": 1,
            "listeners": [{"bind": ["0.0.0.0:80", "[::]:80"], "pool": "web"}],
            "pools": [{"name": "web", "servers": [{"address": "127.0.0.1:9"}], "health_check": {"type": "none"}}]})
        self.processes = [self.spawn("lbd"), self.spawn("hafailover")]
        return self

    def spawn(self, name):
        return spawn(self.host, [binary(name), "-c", self.path(name + ".json"), "--node", f"lb{self.number + 1}"],
                     self.path(name + ".log"))

    def start_hafailover(self):
        self.processes[1] = self.spawn("hafailover")

    def write(self, name, content):
        with open(self.path(name), "w") as f:
            json.dump(content, f)

    def stop(self):
        self.processes[1].terminate()
        check(self.processes[1].wait(PATIENCE) == 0, self.log())

    def is_backup(self):
        return self.status().get("role") == "backup"

    def hactl(self, *words, fails=False):
        return self.host.run(binary("hactl"), "--ha-socket", self.path("ha.sock"), "--lbd-socket",
                             self.path("lbd.sock"), *words, fails=fails)

    def status(self):
        text = self.hactl("status", "--json", fails=None)
        return json.loads(text) if text.strip() else {}

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Keepalived(Router):
    def start(self):
        pair = self.pair
        own, peer = ADDRESSES[pair.family][self.number], ADDRESSES[pair.family][1 - self.number]
        unicast = "" if pair.multicast else f"unicast_src_ip {own}\n unicast_peer {{\n {peer}\n }}"
        password = f"authentication {{\n auth_type PASS\n auth_pass {pair.password}\n }}" if pair.password else ""
        seconds = int(pair.interval.removesuffix("ms")) / 1000
        vips = f"{VIP}/32" if pair.family == 4 else f"fe80::100/64\n {VIP6}/128"
        with open(self.path("keepalived.conf"), "w") as f:
            f.write(f"""vrrp_instance X {{
 state BACKUP
 interface eth0
 virtual_router_id 51
 priority {self.priority}
 version {pair.version}
 advert_int {seconds:g}
 {"" if self.preempt else "nopreempt"}
 {unicast}
 {password}
 virtual_ipaddress {{
 {vips}
 }}
}}
""")
        files = [word for option, name in (("-p", "pid"), ("-r", "vrrp"), ("-c", "check"))
                 for word in (option, self.path(name))]
        self.processes = [spawn(self.host, [shutil.which("keepalived", path="/usr/sbin:/usr/bin"), "-n", "-l", "-D",
                                            "-P", "-f", self.path("keepalived.conf"), *files],
                                self.path("keepalived.log"))]
        return self

    def is_backup(self):
        return "Entering BACKUP STATE" in self.log()

    def children(self):
        pid = self.processes[0].pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(p) for p in f.read().split()]

    def crash(self):
        children = self.children()
        super().crash()
        for pid in children:
            os.kill(pid, signal.SIGKILL)

    def stop(self):
        self.processes[0].terminate()
        self.processes[0].wait()

    end = stop


class Pair:
    """`ours` and `theirs` on a wire.  The first has the lower address, unless `swapped`."""

    def __init__(self, version=3, family=4, multicast=False, interval="100ms", password=None):
        if not shutil.which("keepalived", path="/usr/sbin:/usr/bin"):
            raise Skip("keepalived is not installed")
        self.version, self.family, self.multicast, self.interval = version, family, multicast, interval
        self.password = password
        self.temporary = tempfile.TemporaryDirectory(prefix="lbpair-vrrp-")
        self.folder = self.temporary.name
        self.wire = Wire()
        self.hosts = [self.wire.host(f"r{n}", n) for n in (1, 2)]
        self.routers = []

    def router(self, kind, number, priority=100, preempt=False):
        router = kind(self, self.hosts[number], number, priority, preempt)
        self.routers.append(router)
        return router.start()

    def wait_active(self, router, *others):
        """It has the address, the others have not; and so it stays for a while."""
        def looks():
            return router.holds() and not any(o.holds() for o in others)
        try:
            wait_for(looks, f"address on {router.host.name}")
            for _ in range(4):
                time.sleep(0.1)
                check(looks(), f"{router.host.name} did not stay the only one")
        except Failure as e:
            raise Failure(f"{e}\n" + "".join(f"== {r.host.name} holds={r.holds()}\n{r.log()}" for r in self.routers)) \
                from e

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        for router in self.routers:
            router.end()
        logs = "".join(router.log() for router in self.routers)
        self.temporary.cleanup()
        check(failed or not ALARMS.search(logs), logs)


def side_by_side(*scenarios):
    """Each in a thread; all are judged."""
    failures = []

    def run(scenario):
        try:
            scenario()
        except Exception as e:  # noqa: BLE001 - every exception is a failed claim
            failures.append(e)
    threads = [threading.Thread(target=run, args=(s,)) for s in scenarios]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def ours_is_higher(**options):
    """Each in turn Active: priority, preemption, planned moves, stop, crash."""
    with Pair(**options) as pair:
        theirs = pair.router(Keepalived, 1, priority=100, preempt=True)
        pair.wait_active(theirs)
        ours = pair.router(Ours, 0, priority=150, preempt=True)
        pair.wait_active(ours, theirs)  # the higher priority
        status = ours.status()
        check(status["protocol"] == "vrrp" and status["role"] == "active" and status["cause"] == "preempt", status)
        check(status["peer"]["reachable"] is None and status["peer"]["role"] is None, "what nobody can know")
        check("unknown" in ours.hactl("status"), "the peer as hactl shows it")
        ours.hactl("failover")
        pair.wait_active(theirs, ours)  # it is not undone by preemption
        status = ours.status()
        check((status["role"], status["peer"]["role"], status["peer"]["priority"]) == ("backup", "active", 100), status)
        check(not status["alarms"], status)
        ours.hactl("failover")
        pair.wait_active(ours, theirs)
        ours.stop()
        pair.wait_active(theirs, ours)  # priority 0
        ours.start_hafailover()
        pair.wait_active(ours, theirs)
        ours.crash()
        pair.wait_active(theirs)


def theirs_is_higher(**options):
    with Pair(**options) as pair:
        ours = pair.router(Ours, 0, priority=100, preempt=True)
        pair.wait_active(ours)
        theirs = pair.router(Keepalived, 1, priority=150, preempt=True)
        pair.wait_active(theirs, ours)
        theirs.stop()
        pair.wait_active(ours, theirs)
        theirs.start()
        pair.wait_active(theirs, ours)
        theirs.crash()
        pair.wait_active(ours)


KINDS = ({}, {"multicast": True}, {"family": 6}, {"family": 6, "multicast": True},
         {"version": 2, "interval": "1000ms"},
         {"version": 2, "interval": "1000ms", "multicast": True, "password": "s3cret"})


def test_versions_families_and_ways():
    side_by_side(*(lambda scenario=scenario, kind=kind: scenario(**kind)
                   for kind in KINDS for scenario in (ours_is_higher, theirs_is_higher)))


test_versions_families_and_ways.seconds = 240


def parted(kind_of_higher, **options):
    """Both Active while they are cut off; equal priorities, so that the higher address decides; no preemption."""
    with Pair(**options) as pair:
        kinds = {1: kind_of_higher, 0: Ours if kind_of_higher is Keepalived else Keepalived}
        lower = pair.router(kinds[0], 0)
        pair.wait_active(lower)
        higher = pair.router(kinds[1], 1)
        wait_for(higher.is_backup, "backup")
        pair.wait_active(lower, higher)  # who is, stays
        for host in pair.hosts:
            pair.wire.host_of_bridge.ip("link", "set", "dev", host.port, "type", "bridge_slave", "isolated", "on")
        wait_for(lambda: lower.holds() and higher.holds(), "two Actives")
        for host in pair.hosts:
            pair.wire.host_of_bridge.ip("link", "set", "dev", host.port, "type", "bridge_slave", "isolated", "off")
        pair.wait_active(higher, lower)


def wrong_password():
    with Pair(version=2, interval="1000ms", password="right") as pair:
        ours = pair.router(Ours, 0)
        pair.wait_active(ours)
        pair.password = "wrong"
        pair.router(Keepalived, 1, priority=50)
        wait_for(lambda: any(a["name"] == "vrrp_refused" and "other_password" in a["text"]
                             for a in ours.status()["alarms"]), "alarm")


def readable_password():
    with Pair(version=2, interval="1000ms", password="right") as pair:
        ours = pair.router(Ours, 0)
        wait_for(lambda: os.path.exists(ours.path("ha.sock")), "start")
        ours.end()
        os.chmod(ours.path("password"), 0o644)
        told = subprocess.run([binary("hafailover"), "-t", "-c", ours.path("hafailover.json"), "--node", "lb1"],
                              capture_output=True, text=True)
        check(told.returncode == 1 and "it is no secret" in told.stderr, told.stderr)


def crashed_daemon():
    """Killed and started again within the lease, it goes on: the address never went, keepalived never noticed."""
    with Pair(interval="1000ms") as pair:
        ours = pair.router(Ours, 0)
        pair.wait_active(ours)
        theirs = pair.router(Keepalived, 1, priority=50)
        wait_for(theirs.is_backup, "backup")
        with ours.host.watch() as seen:
            ours.processes[1].kill()
            ours.processes[1].wait()
            ours.start_hafailover()
            wait_for(lambda: ours.status().get("cause") == "adopted", "adoption")
            check(all(a.added for a in seen.seen), f"the address went: {seen.seen}")
        pair.wait_active(ours, theirs)
        check("MASTER" not in theirs.log(), theirs.log())


def test_partition_tie_break_passwords_and_a_crashed_daemon():
    side_by_side(lambda: parted(Keepalived), lambda: parted(Ours, multicast=True), wrong_password, readable_password,
                 crashed_daemon)


def test_migration_as_documented():
    """docs/migration.md: two keepalived nodes become two of ours, one at a time; somebody always has the address."""
    with Pair(multicast=True) as pair, Gaps(pair) as gaps:
        one = pair.router(Keepalived, 0, priority=150, preempt=True)
        pair.wait_active(one)
        two = pair.router(Keepalived, 1, priority=100, preempt=True)
        gaps.begin()
        two.stop()  # the backup first
        two = pair.router(Ours, 1, priority=100)
        wait_for(two.is_backup, "backup")
        pair.wait_active(one, two)
        two.hactl("failover")
        pair.wait_active(two, one)
        one.stop()
        one = pair.router(Ours, 0, priority=150)
        wait_for(one.is_backup, "backup")
        pair.wait_active(two, one)
        one.hactl("failover")
        pair.wait_active(one, two)
        gaps.end()
        print(f"     longest time without an answer from the address: {gaps.longest * 1000:.0f} ms")
        check(gaps.longest < 1.0, f"nobody answered for {gaps.longest:.3f} s")


class Gaps:
    """A client that opens a connection to the address every few milliseconds; any kernel that has it answers."""

    def __init__(self, pair):
        self.client, self.longest, self.running = pair.wire.host("client", 9), 0.0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def begin(self):
        self.running.set()
        self.thread.start()

    def end(self):
        if self.running.is_set():
            self.running.clear()
            self.thread.join()

    def run(self):
        last = time.monotonic()
        while self.running.is_set():
            with self.client.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
                s.settimeout(0.05)
                try:
                    s.connect((VIP, 80))
                except ConnectionRefusedError:
                    pass  # keepalived's node has the address and no lbd
                except OSError:
                    continue
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now
            time.sleep(0.005)
        self.longest = max(self.longest, time.monotonic() - last)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
