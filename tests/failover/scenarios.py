"""scenarios.py - what can happen to a pair, and what must then be true.

Each function breaks a pair that is ready, watches, and returns the Watch to be judged.  `bench` says that times are
wanted as the table of the documents has them; otherwise it is short, for what must hold whatever the times.
"""

import collections
import os
import random
import re
import signal
import struct
import subprocess
import sys

from crowd import Connection
from laboratory import HERE, VIP, VIP6, Skip, check, send, wait_for

# Attempts since..until are judged; two holders from `two_since` on, if that is not the same.
Watch = collections.namedtuple("Watch", "since until two_since", defaults=(None,))

# `gap` and `two` in seconds: what must be reached; None: not asked.  `failed`: outcomes that may not be.  `moves`:
# whether the address may change hands.  `before`: what keepalived 2.2, tuned, does.  `lab` and, for a short round,
# `short`: options of the laboratory.
Scenario = collections.namedtuple("Scenario", "name title run gap two failed moves lab short rounds before")
SCENARIOS = []
REFUSED = ("refused", "unreachable", "lost")  # no connection; one that is broken later was established
ANY = (*REFUSED, "broken", "late", "status")
NEVER = 0.0


def scenario(name, title, gap=None, two=NEVER, failed=(), moves=True, rounds=5, before="", short=None, **lab):
    def add(function):
        SCENARIOS.append(Scenario(name, title, function, gap, two, failed, moves, lab, short or {}, rounds, before))
        return function
    return add


def watch(lab, since, seconds):
    lab.sleep(seconds)
    return Watch(since, lab.now())


def same_holder(lab, node, why):
    wait_for(lambda: lab.record.holder() == (node.number,), what=f"{node.name} that has the address: {why}")


@scenario("a", "all of lbd killed, not restarted", gap=0.030, two=None, before="50 ms")
def lbd_killed(lab, bench):
    node, since = lab.active(), lab.now()
    send([node.lbd.pid, *node.proxies()], signal.SIGKILL)
    seen = watch(lab, since, 1.5)
    same_holder(lab, lab.other(node), "its peer has no lbd")
    return seen


@scenario("a2", "lbd's proxy process killed, restarted by its supervisor", failed=REFUSED,
          moves=False, before="57 ms")
def proxy_killed(lab, bench):
    node, since = lab.active(), lab.now()
    proxies = node.proxies()
    check(len(proxies) == 1, f"proxy processes: {proxies}")
    send(proxies, signal.SIGKILL)
    seen = watch(lab, since, 1.5)
    check(node.proxies() not in ([], proxies), "the supervisor started nothing")
    return seen


def kill_hafailover(lab, seconds, after):
    node, since = lab.active(), lab.now()
    send([node.hafailover.pid], signal.SIGKILL)
    lab.sleep(seconds)
    node.start_hafailover()
    seen = watch(lab, since, after)
    lab.wait_ready()
    return node, seen


@scenario("b", "hafailover killed, back after 6 s", gap=0.300, before="two holders 5.9 s")
def hafailover_killed(lab, bench):
    node, seen = kill_hafailover(lab, 6.0 if bench else 2.0, 1.5)
    same_holder(lab, lab.other(node), "its daemon was dead for longer than the lease")
    return seen


# Back before the lease has ended: how long a daemon of a sanitizer needs to start is not what is asked.
@scenario("b2", "hafailover killed, back after 0.3 s", failed=ANY, moves=False, before="both connections broken",
          short={"ha": {"lease": "5s"}})
def hafailover_restarted(lab, bench):
    return kill_hafailover(lab, 0.3, 2.0)[1]


def crash(lab, bench):
    node, since = lab.active(), lab.now()
    lab.crash(node)
    seen = watch(lab, since, 1.5)
    same_holder(lab, lab.other(node), "its peer is dead")
    return seen


scenario("c", "node dies: link and everything at once", gap=0.450)(crash)
scenario("c20", "the same with heartbeats every 20 ms", gap=0.100, before="186 ms at 50 ms, 58 ms at 10 ms",
         ha={"heartbeat": {"interval": "20ms"}})(crash)


def unplug(lab, bench):
    node, since = lab.active(), lab.now()
    lab.plug(node, False)
    lab.sleep(1.5)
    lab.plug(node, True)
    back = lab.now()
    lab.sleep(1.0)
    check(len(lab.record.two_holders(back, lab.now())) == 0, "two holders after the link came back")
    lab.wait_ready()
    same_holder(lab, lab.other(node), "its link was down")
    return Watch(since, lab.now())


scenario("d", "link of the Active down", gap=0.450, before="190 ms")(unplug)
scenario("d2", "the same with a second path", gap=0.030, second=True)(unplug)


@scenario("e", "planned failover", gap=0.020, two=None, failed=REFUSED, before="63 ms")
def failover(lab, bench):
    node, since = lab.active(), lab.now()
    node.hactl("failover", "--wait")
    seen = watch(lab, since, 1.0)
    same_holder(lab, lab.other(node), "failover was asked for")
    return seen


@scenario("f", "planned failback", gap=0.020, two=None, failed=REFUSED, before="28 ms")
def failback(lab, bench):
    failover(lab, bench)
    lab.wait_ready()
    return failover(lab, bench)


def part(lab, seconds):
    lab.part(True)
    lab.sleep(seconds)
    since = lab.now()
    lab.part(False)
    lab.sleep(1.5)
    until = lab.now()
    lab.wait_ready()
    return since, until


@scenario("g", "the nodes cannot hear each other for 4 s; from the heal on", gap=0.100, two=0.050,
          before="VIP dead 24 s after the heal")
def parted(lab, bench):
    since, until = part(lab, 4.0 if bench else 2.0)
    return Watch(since, until)


@scenario("g1", "the same with a second path", failed=ANY, moves=False, second=True)
def parted_with_second_path(lab, bench):
    since = lab.now()
    part(lab, 4.0 if bench else 2.0)
    return Watch(since, lab.now())


def votes(node):
    return node.status()["witness"]["votes"]


@scenario("g2", "the same with a witness that both reach; it starts anew meanwhile", failed=ANY, moves=False, witness=True)
def parted_with_witness(lab, bench):
    node, since = lab.active(), lab.now()
    wait_for(lambda: all(votes(node).values()), what="node that has all votes")
    lab.part(True)
    wait_for(lambda: not votes(node)["peer"], what="end of the peer's vote")
    lab.voter.kill()
    lab.start_third()
    lab.sleep(3.0 if bench else 1.6)
    for n in lab.nodes:
        check(votes(n)["witness"] == (n is node), f"{n.name}: {n.status()['witness']}")
    lab.part(False)
    lab.wait_ready()
    return Watch(since, lab.now())


@scenario("g3", "the same, and the Active does not reach the witness either", gap=1.500, witness=True)
def parted_from_witness(lab, bench):
    node, since = lab.active(), lab.now()
    lab.cut_from_witness(node, True)
    lab.part(True)
    same_holder(lab, lab.other(node), "it alone reaches the witness")
    took = lab.record.changes_of(lab.other(node).number)[-1][0] - since
    check(not bench or took < 1.5, f"taken over after {took:.3f} s")
    lab.sleep(2.0 if bench else 0.5)
    check(node.status()["role"] == "backup", f"{node.name} is {node.status()['role']}")
    lab.part(False)
    lab.cut_from_witness(node, False)
    lab.wait_ready()
    same_holder(lab, lab.other(node), "nobody has asked it to go")
    return Watch(since, lab.now())


@scenario("h", "hafailover stopped (SIGSTOP) for 5 s", gap=0.300, before="two holders 4.9 s")
def hafailover_stopped(lab, bench):
    node, since = lab.active(), lab.now()
    send([node.hafailover.pid], signal.SIGSTOP)
    lab.sleep(5.0 if bench else 2.5)
    send([node.hafailover.pid], signal.SIGCONT)
    seen = watch(lab, since, 1.5)
    lab.wait_ready()
    same_holder(lab, lab.other(node), "its daemon was stopped for longer than the lease")
    return seen


# A paused machine does not count its leases down either: one that outlasts the pause stands for that.
@scenario("h2", "every process of the Active frozen for 5 s; from waking on", two=0.020, ha={"lease": "30s"})
def node_frozen(lab, bench):
    node, pids = lab.active(), lab.active().processes()
    lab.forward(node, False)
    send(pids, signal.SIGSTOP)
    lab.sleep(5.0 if bench else 2.5)
    wait_for(lambda: len(lab.record.holder()) == 2, what="second holder: nothing to wake up to")
    since = lab.now()
    lab.forward(node, True)
    send(pids, signal.SIGCONT)
    seen = watch(lab, since, 1.5)
    lab.wait_ready()
    same_holder(lab, lab.other(node), "its peer slept")
    return seen


@scenario("i", "service stopped", gap=0.020, two=None, failed=REFUSED, before="55 ms")
def stopped(lab, bench):
    node, since = lab.active(), lab.now()
    for process in (node.hafailover, node.lbd):
        process.terminate()
        check(process.wait(40) == 0, f"exit status {process.returncode}")
    seen = watch(lab, since, 1.0)
    same_holder(lab, lab.other(node), "its peer has ended")
    return seen


STEERED = 'lbpair_ha_steering_packets_total{result="steered"}'
MOVE_BYTES, RATE = 2 << 20, 5 << 20  # of the download and the upload: for each move, in a second


# A machine that stands still for longer than the dead interval ends a drain: that is not what is asked.
@scenario("m", "planned moves to and fro, clients of all kinds (100 times)", gap=0.020, two=None, failed=ANY, rounds=1,
          before="every connection broken", crowd=True, ha={"heartbeat": {"dead_after": 20}, "lease": "5s"})
def moved_under_a_crowd(lab, bench):
    moves = int(os.environ.get("MOVES", "100")) if bench else 6
    lab.enter(moves * MOVE_BYTES, RATE)
    lab.sleep(0.5)
    since, begun = lab.now(), []
    for _ in range(moves):
        begun.append(lab.now())
        lab.move()
        lab.moved()
        lab.sleep(0.3)
    until = lab.now()
    crowd = lab.leave()
    gaps = sorted(lab.record.gap(at, at + 0.15)[0] * 1000 for at in begun)
    print(f"     {({kind: (c['done'], c['connections']) for kind, c in crowd.items()})}; "
          f"gap within 150 ms of a move: median {gaps[moves // 2]:.0f}, worst {gaps[-1]:.0f} ms", flush=True)
    failed = {kind: c["failed"] for kind, c in crowd.items() if c["failed"]}
    check(not failed, f"failed: {failed}")
    for kind, c in crowd.items():
        check(c["done"] >= (1 if kind in ("download", "upload") else moves / 3), f"{kind} has done little: {c}")
    for node in lab.nodes:
        check(float(node.metrics()[STEERED]) > 0, f"{node.name} has steered nothing")
    wait_for(lambda: len(lab.record.holder()) == 1, 15, "end of the drain")
    return Watch(since, until)


def move_with_tunnels(lab):
    """To where the service is now: the node, and a connection to either node."""
    before = Connection(lab).upgrade()
    lab.move()
    after = Connection(lab).upgrade()
    check(before.echoes() and after.echoes(), "connections did not survive the move")
    return lab.active_by_role(), before, after


@scenario("m2", "the new node dies while connections of the old one are drained", gap=0.450, two=None, crowd=True)
def new_node_dies(lab, bench):
    new, before, _ = move_with_tunnels(lab)
    since = lab.now()
    lab.crash(new)
    seen = watch(lab, since, 1.5)
    same_holder(lab, lab.other(new), "its peer is dead")
    check(before.echoes(), "a connection of the old node was lost with the new one")
    check(lab.other(new).history()[-1]["cause"] == "peer_silent", "it did not claim")
    return seen


# What the dead daemon left in the kernel goes on, and nobody claims before it has ended.
@scenario("m5", "hafailover of the new node is killed during the drain", gap=0.300, two=None, crowd=True)
def new_daemon_dies(lab, bench):
    new, before, after = move_with_tunnels(lab)
    old, since = lab.other(new), lab.now()
    send([new.hafailover.pid], signal.SIGKILL)
    wait_for(lambda: old.status()["role"] == "active" or not (before.echoes() and after.echoes()), 10, "claim")
    check(old.history()[-1]["cause"] == "peer_silent" and not new.host.holds(VIP),
          f"two serve, or a connection was lost: {old.history()[-1]}")
    seen = watch(lab, since, 0.5)
    check(before.echoes(), "a connection of the old node was lost with the new one")
    same_holder(lab, old, "the other one's daemon is dead")
    return seen


@scenario("m3", "the old node dies while its connections are drained", gap=0.020, two=None, failed=ANY, crowd=True)
def old_node_dies(lab, bench):
    new, before, after = move_with_tunnels(lab)
    since = lab.now()
    lab.crash(lab.other(new))
    seen = watch(lab, since, 1.5)
    check(after.echoes(), "a connection of the new node was lost with the old one")
    check(not before.echoes(), "its connections are lost")
    check(new.status()["handover"]["phase"] == "idle", "it steers to a dead node")
    return seen


@scenario("m4", "planned move where the kernel refuses BPF", gap=0.020, two=None, failed=REFUSED, crowd=True,
          bpf=False, ha={"handover": {"drain": "10s"}})
def moved_without_steering(lab, bench):
    old = lab.active()
    check("not permitted" in (old.status()["handover"]["no_steering"] or ""), "it says nothing of BPF")
    check("not permitted (needs CAP_BPF" in old.hactl("status"), "hactl status does not say why")
    connection, since = Connection(lab), lab.now()
    connection.ask("/slow")
    old.hactl("failover")
    seen = watch(lab, since, 1.5)
    same_holder(lab, lab.other(old), "failover was asked for")
    head = connection.head()
    check(head[0] == "HTTP/1.1 200 OK" and "connection: close" in [h.lower() for h in head], f"answered: {head}")
    return seen


def no_role_change(lab, before):
    for node in lab.nodes:
        news = node.history()[len(before[node.name]):]
        check(not news, f"{node.name}: {[(h['from'], h['to'], h['cause']) for h in news]}")


@scenario("j", "full CPU load on both nodes (10 minutes)", moves=False, rounds=1, equal=True)
def loaded(lab, bench):
    before, since = {n.name: n.history() for n in lab.nodes}, lab.now()
    burning = [lab.spawn(node.host, [sys.executable, "-c", "while True: pass"])
               for node in lab.nodes for _ in range(os.cpu_count())]
    lab.sleep(float(os.environ.get("LOAD_SECONDS", "600")) if bench else 4.0)
    for process in burning:
        process.kill()
    until = lab.now()
    no_role_change(lab, before)
    return Watch(since, until)


@scenario("k", "30 % of heartbeats lost, others forged, cut, replayed ... (2 minutes)", failed=ANY, moves=False,
          rounds=1, relay={"seed": 7, "loss": 30, "mischief": True})
def mischief(lab, bench):
    before, since = {n.name: n.history() for n in lab.nodes}, lab.now()
    lab.sleep(float(os.environ.get("MISCHIEF_SECONDS", "120")) if bench else 6.0)
    until = lab.now()
    no_role_change(lab, before)
    counts = relay_counts(lab)
    for trick in ("lost", "duplicated", "reordered", "replayed", "forged", "truncated"):
        check(counts.get(trick, 0) > 0, f"the relay has not {trick} anything: {counts}")
    for result in ("ok", "old", "forged", "malformed"):
        check(received(lab, result) > 0, f"no heartbeat counted as {result}; the relay: {counts}")
    # Each forged bit is in what the seal covers, or in the seal.
    check(received(lab, "forged") + received(lab, "malformed") + received(lab, "other_version") + 5
          >= counts["forged"] + counts["truncated"], f"forged packets were believed; the relay: {counts}")
    return Watch(since, until)


def relay_counts(lab):
    lab.relay.terminate()
    text = lab.relay.communicate(timeout=10)[0]
    check(text.startswith("{"), f"the relay has failed: {text}")
    return {name: int(n) for name, n in re.findall(r'"(\w+)": (\d+)', text)}


def received(lab, result):
    return sum(float(value) for node in lab.nodes for name, value in node.metrics().items()
               if name.startswith("lbpair_ha_heartbeats_total") and f'direction="received",result="{result}"' in name)


@scenario("l", "boot of both at once (50 times)", rounds=1)
def boots(lab, bench):
    chance, since = random.Random(7), lab.now()
    for _ in range(int(os.environ.get("BOOTS", "50")) if bench else 3):
        for node in lab.nodes:
            send(node.processes(), signal.SIGKILL)
        for node in lab.nodes:
            wait_for(lambda node=node: not node.processes(), what=f"end of {node.name}")
            for vip, prefix in ((VIP, 32), (VIP6, 128)):
                node.host.ip("addr", "del", f"{vip}/{prefix}", "dev", "eth0", fails=None)
        for node in chance.sample(lab.nodes, 2):
            node.start_lbd()
            lab.sleep(chance.choice((0.0, 0.0, 0.01, 0.05)))
            node.start_hafailover()
        lab.wait_ready()
        lab.sleep(0.3)
        lab.active()
    return Watch(lab.now(), lab.now() + 0.001, since)


@scenario("l2", "wall clock stepped by an hour, to and fro", failed=ANY, moves=False, rounds=1)
def clock_stepped(lab, bench):
    before, since = {n.name: n.history() for n in lab.nodes}, lab.now()
    for hours in (1, -1, 0):
        for node in lab.nodes:
            was = minute_of(node.status()["since"])
            step(node, hours)
            wait_for(lambda node=node, was=was: minute_of(node.status()["since"]) != was,
                     what=f"step of {node.name} to {hours} h")
        lab.sleep(0.7)
        check(not any(n.status()["alarms"] for n in lab.nodes), "alarms")
    no_role_change(lab, before)
    return Watch(since, lab.now())


def minute_of(time):
    """Of "2026-11-23T08:05:26.377Z"; what the node tells is reckoned back from its clock of now, to the millisecond."""
    return time[:16]


def step(node, hours):
    with open(node.path("clock"), "r+b") as f:
        f.write(struct.pack("=q", hours * 3600))


def prepare_clock(lab):
    if os.environ.get("SAN"):
        raise Skip("a sanitizer wants to be the first library, and so does our clock")
    library = os.path.join(lab.folder, "clock_step.so")
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library,
                    os.path.join(HERE, "clock_step.c")], check=True)
    for node in lab.nodes:
        with open(node.path("clock"), "wb") as f:
            f.write(struct.pack("=q", 0))
        node.environment.update(LD_PRELOAD=library, CLOCK_STEP_FILE=node.path("clock"))


PREPARE = {"l2": prepare_clock}
