"""hafailover and Debian's keepalived as the two routers of a pair: who is Active, and who has the address.

Every scenario has a wire and namespaces of its own; those of one test run side by side.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from network import ALARMS, Failure, LIBC, PR_SET_PDEATHSIG, SLOWER, Skip, Wire, be_preferred, check
from station import station_binary

VIP, VIP6 = "192.0.2.100", "2001:db8::64"
ADDRESSES = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
ADVERTISEMENTS = re.compile(r'^lbpair_ha_vrrp_advertisements_total{direction="(\w+)",result="(\w+)"} (\d+)$', re.M)
PATIENCE = 40.0 * SLOWER  # the RFC's times are a second or four; this machine may be slow


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
            nodes.append({"name": f"lb{n + 1}", "address": ADDRESSES[pair.family][n], "priority": pair.priorities[n]})
        vrrp = {"version": pair.version, "multicast": pair.multicast, "interval": pair.interval}
        if pair.password:
            with open(os.open(self.path("password"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(pair.password + "\n")
            vrrp["password_file"] = self.path("password")
        vips = [VIP] if pair.family == 4 else [{"address": "fe80::100", "interface": "eth0"}, VIP6]
        self.config = {
            "nodes": nodes, "track": {"lbd": {"socket": self.path("lbd.sock")}},
            "admin": {"http": "unix:" + self.path("http")},
            "control": self.path("ha.sock"), "state_directory": self.folder, "lease": pair.lease,
            "instances": [{"virtual_ips": vips, "protocol": "vrrp", "virtual_router_id": 51,
                           "preempt": self.preempt, "preempt_delay": pair.preempt_delay, "vrrp": vrrp}]}
        self.write("hafailover.json", self.config)
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

    def killed_and_back(self):
        """As systemd has it."""
        self.processes[1].kill()
        self.processes[1].wait()
        self.start_hafailover()

    def speak_natively(self):
        """From its next start on."""
        with open(os.open(self.path("secret"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write("0123456789abcdef\n")
        self.write("hafailover.json", {**self.config, "secret_file": self.path("secret"),
                                       "instances": [{"virtual_ips": [VIP]}]})

    def speak_vrrp(self):
        self.write("hafailover.json", self.config)

    def history(self):
        return json.loads(self.hactl("history", "--json"))["history"]

    def advertisements(self):
        """{(direction, result): so many}, as /metrics has it."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path("http"))
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        return {(found[1], found[2]): int(found[3]) for found in ADVERTISEMENTS.finditer(text)}

    def write(self, name, content):
        with open(self.path(name), "w") as f:
            json.dump(content, f)

    def stop(self):
        self.processes[1].terminate()
        check(self.processes[1].wait(PATIENCE) == 0, self.log())

    def is_backup(self):
        return self.status().get("role") == "backup"

    def hears_active(self):
        status = self.status()
        return status.get("role") == "backup" and status["peer"]["role"] == "active"

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

    building = threading.Semaphore(2)  # those who wait long begin first, and are not held up by all others

    def __init__(self, version=3, family=4, multicast=False, interval="500ms", password=None, preempt_delay="0s",
                 lease="1s"):
        if not shutil.which("keepalived", path="/usr/sbin:/usr/bin"):
            raise Skip("keepalived is not installed")
        self.version, self.family, self.multicast, self.interval = version, family, multicast, interval
        self.password, self.preempt_delay, self.lease, self.priorities = password, preempt_delay, lease, [100, 100]
        self.temporary = tempfile.TemporaryDirectory(prefix="lbpair-vrrp-")
        self.folder = self.temporary.name
        with self.building:
            self.wire = Wire()
            self.hosts = [self.wire.host(f"r{n}", n) for n in (1, 2)]
        self.routers = []

    def router(self, kind, number, priority=100, preempt=False):
        self.priorities[number] = priority
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


def move(router):
    """By the operator; again, as an operator would, where a busy machine's other half let the time go by."""
    for last in (False, False, True):
        try:
            return router.hactl("failover")
        except Failure as e:
            if last or "did not take over in time" not in str(e):
                raise


def ours_is_higher(**options):
    """Each in turn Active: priority, preemption, planned moves, crash."""
    with Pair(**options) as pair:
        theirs = pair.router(Keepalived, 1, priority=100, preempt=True)
        pair.wait_active(theirs)
        ours = pair.router(Ours, 0, priority=150, preempt=True)
        pair.wait_active(ours, theirs)  # the higher priority
        status = ours.status()
        check(status["protocol"] == "vrrp" and status["role"] == "active" and status["cause"] == "preempt", status)
        check(status["peer"]["reachable"] is None and status["peer"]["role"] is None, "what nobody can know")
        check("unknown" in ours.hactl("status"), "the peer as hactl shows it")
        move(ours)
        pair.wait_active(theirs, ours)  # it is not undone by preemption
        status = ours.status()
        check((status["role"], status["peer"]["role"], status["peer"]["priority"]) == ("backup", "active", 100), status)
        check(not status["alarms"], status)
        move(ours)
        pair.wait_active(ours, theirs)
        ours.crash()
        pair.wait_active(theirs)


def ours_is_stopped(**options):
    with Pair(**options) as pair:
        ours = pair.router(Ours, 0, priority=150, preempt=True)
        pair.wait_active(ours)
        theirs = pair.router(Keepalived, 1, priority=100, preempt=True)
        wait_for(theirs.is_backup, "backup")
        pair.wait_active(ours, theirs)
        ours.stop()
        pair.wait_active(theirs, ours)  # priority 0
        ours.start_hafailover()
        pair.wait_active(ours, theirs)


def theirs_is_higher(**options):
    with Pair(**options) as pair:
        ours = pair.router(Ours, 0, priority=100, preempt=True)
        pair.wait_active(ours)
        theirs = pair.router(Keepalived, 1, priority=150, preempt=True)
        pair.wait_active(theirs, ours)
        theirs.crash()
        pair.wait_active(ours)


def theirs_is_stopped(**options):
    with Pair(**options) as pair:
        theirs = pair.router(Keepalived, 1, priority=150, preempt=True)
        pair.wait_active(theirs)
        ours = pair.router(Ours, 0, priority=100, preempt=True)
        wait_for(ours.hears_active, "Active that is heard")
        pair.wait_active(theirs, ours)
        theirs.stop()
        pair.wait_active(ours, theirs)
        theirs.start()
        pair.wait_active(theirs, ours)


KINDS = ({"version": 2, "interval": "1000ms"},
         {"version": 2, "interval": "1000ms", "multicast": True, "password": "s3cret"},
         {}, {"multicast": True}, {"family": 6}, {"family": 6, "multicast": True})


def each_in_turn():
    """Each scenario has four seconds to wait three times, where the version is 2; together no longer than that."""
    return [lambda scenario=scenario, kind=kind: scenario(**kind) for kind in KINDS
            for scenario in (ours_is_higher, theirs_is_higher, ours_is_stopped, theirs_is_stopped)]


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
        pair.password = "wrong"
        pair.router(Keepalived, 1, priority=50)  # is Active, too
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
            ours.killed_and_back()
            wait_for(lambda: ours.status().get("cause") == "adopted", "adoption")
            check(all(a.added for a in seen.seen), f"the address went: {seen.seen}")
        pair.wait_active(ours, theirs)
        check("MASTER" not in theirs.log(), theirs.log())


def preemption_is_delayed():
    """On the wire: keepalived says for so long that it is Active before we do."""
    with Pair(multicast=True, preempt_delay="2s") as pair:
        theirs = pair.router(Keepalived, 1)
        pair.wait_active(theirs)
        listener = pair.wire.host("listener", 3)
        with listener.capture() as frames:
            ours = pair.router(Ours, 0, priority=150, preempt=True)
            wait_for(lambda: said_by(frames, ours), "advertisement")
            began = wait_for(lambda: ours.advertisements().get(("received", "ok")), "advertisements")
            pair.wait_active(ours, theirs)
        first, heard = said_by(frames, ours)[0], said_by(frames, theirs)
        before = [at for at in heard if at < first]
        check(len(before) >= 4, f"only {len(before)} advertisements, 500 ms apart, before ours; {began} counted")
        check(first - heard[0] > 2, f"preempted after {first - heard[0]:.3f} s")
        check(ours.status()["cause"] == "preempt", ours.status())


def said_by(frames, router):
    """When an advertisement of VRRP over IPv4 of that router was seen, other than of priority 0."""
    source = socket.inet_aton(ADDRESSES[4][router.number])
    return [f.time for f in list(frames.seen) if f.bytes[12:14] == b"\x08\0" and f.bytes[23] == 112
            and f.bytes[26:30] == source and f.bytes[36] > 0]


def counted():
    """Each packet that is sent or comes, by what became of it; nothing else sends or comes."""
    with Pair(multicast=True) as pair:
        ours = pair.router(Ours, 0, priority=150)
        pair.wait_active(ours)
        listener = pair.wire.host("listener", 3)
        with listener.capture() as frames:
            before = ours.advertisements()
            wait_for(lambda: len(said_by(frames, ours)) >= 5, "advertisements")
            seen, now = len(said_by(frames, ours)), ours.advertisements()
        sent = now["sent", "ok"] - before["sent", "ok"]
        check(seen - 1 <= sent <= seen + 2, f"{sent} counted, {seen} seen")
        check(now["received", "ok"] == 0 and now["sent", "error"] == 0, now)
        with socket_of(listener, socket.IPPROTO_IP) as s:  # version 3, router 51, but a wrong checksum
            s.sendto(bytes.fromhex("31336401000a1234") + socket.inet_aton(VIP), ("224.0.0.18", 0))
        wait_for(lambda: ours.advertisements()["received", "bad_sum"] == 1, "counted bad checksum")
        check(sum(n for (way, _), n in ours.advertisements().items() if way == "received") == 1,
              ours.advertisements())


def socket_of(host, level):
    s = host.socket(socket.AF_INET, socket.SOCK_RAW, 112)
    s.setsockopt(level, socket.IP_MULTICAST_TTL, 255)
    s.setsockopt(level, socket.IP_MULTICAST_IF, socket.inet_aton(f"192.0.2.{host.number}"))
    return s


def reflected():
    """A wire that sends back what we say: that is not another router, and is not answered."""
    with Pair(family=6, multicast=True) as pair:
        ours = pair.router(Ours, 0)
        pair.wire.host_of_bridge.ip("link", "set", "dev", ours.host.port, "type", "bridge_slave", "hairpin", "on")
        pair.wait_active(ours)
        wait_for(lambda: ours.advertisements()["received", "stranger"] >= 5, "reflections")
        status, count = ours.status(), ours.advertisements()
        check((status["role"], status["alarms"]) == ("active", []), status)
        check(len(ours.history()) <= 3, ours.history())
        check(count["sent", "ok"] < count["received", "stranger"] + 5, f"reflections were answered: {count}")
        check(count["received", "ok"] == 0, count)


def test_roles():
    be_preferred()
    side_by_side(*each_in_turn(), lambda: parted(Keepalived), lambda: parted(Ours, multicast=True), wrong_password,
                 readable_password, crashed_daemon, preemption_is_delayed, counted, reflected)


test_roles.seconds = 240


def test_migration_as_documented():
    """docs/migration.md: two keepalived nodes become two of ours, one at a time, speak natively, and go all the way
    back; somebody always has the address."""
    be_preferred()
    # Who is started again within three intervals and its lease has not been missed, on a busy machine as well.
    with Pair(multicast=True, interval="1000ms", lease="5s") as pair, Gaps(pair) as gaps:
        one = pair.router(Keepalived, 0, priority=150, preempt=True)
        pair.wait_active(one)
        two = pair.router(Keepalived, 1, priority=100, preempt=True)
        gaps.begin()
        one, two = to_ours(pair, one, two)
        gaps.told("to lbpair")
        switch(pair, one, two, Ours.speak_natively, "native")
        gaps.told("to heartbeats")
        switch(pair, one, two, Ours.speak_vrrp, "vrrp")
        gaps.told("back to VRRP")
        to_keepalived(pair, one, two)
        gaps.told("back to keepalived")
        gaps.end()
        check(gaps.worst < 2.0, f"nobody answered for {gaps.worst:.3f} s")


def to_ours(pair, one, two):
    two.stop()  # the backup first
    two = pair.router(Ours, 1, priority=100)
    wait_for(two.hears_active, "Active that is heard")
    pair.wait_active(one, two)
    move(two)
    pair.wait_active(two, one)
    one.stop()
    one = pair.router(Ours, 0, priority=150)
    wait_for(one.hears_active, "Active that is heard")
    pair.wait_active(two, one)
    move(one)
    pair.wait_active(one, two)
    return one, two


def switch(pair, active, other, speak, protocol):
    """A new file on both; the one with the address does not let go of it."""
    for router in (active, other):
        speak(router)
    other.stop()
    active.killed_and_back()
    wait_for(lambda: active.status().get("role") == "active", "active")
    status = active.status()
    check((status["protocol"], status["cause"]) == (protocol, "adopted"), status)
    other.start_hafailover()
    wait_for(other.hears_active, "Active that is heard")
    pair.wait_active(active, other)
    wait_for(lambda: not active.status()["alarms"] and not other.status()["alarms"], "end of the alarms")


def to_keepalived(pair, active, other):
    other.stop()
    other.end()
    other = pair.router(Keepalived, other.number, priority=100, preempt=True)
    wait_for(other.is_backup, "backup")
    pair.wait_active(active, other)
    active.stop()
    pair.wait_active(other, active)
    active.end()
    active = pair.router(Keepalived, active.number, priority=150, preempt=True)
    pair.wait_active(active, other)


class Gaps:
    """A client that opens a connection to the address every few milliseconds; any kernel that has it answers."""

    def __init__(self, pair):
        self.client, self.longest, self.worst = pair.wire.host("client", 9), 0.0, 0.0
        self.running = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def begin(self):
        self.running.set()
        self.thread.start()

    def told(self, what):
        """The longest since the last one that was told."""
        print(f"     {what}: longest time without an answer from the address: {self.longest * 1000:.0f} ms")
        self.worst, self.longest = max(self.worst, self.longest), 0.0

    def end(self):
        if self.running.is_set():
            self.running.clear()
            self.thread.join()
            self.worst = max(self.worst, self.longest)

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
