#!/usr/bin/python3
"""demo.py [--build DIR] [--once] [--quick] - a pair of load balancers is broken in five ways, and what its client saw.

Two nodes with lbd and hafailover, three web servers and a client, each in a network namespace.  Every figure on the
screen was measured: by the client, which opens a connection every 5 ms, by the kernel, which tells who has the address,
or by the daemons, whose logs and whose hactl are quoted.  Then it stays, to be played with, until Ctrl-C; it ends by
itself with --once, with DEMO_ONCE in the environment, or where standard input is no terminal.  The exit status is 1 if
a request failed that may not: those while a server dies, and new connections while the service is moved by hand.
"""

import argparse
import os
import shutil
import signal
import sys
import textwrap
import time

sys.dont_write_bytecode = True

from stage import PORT, Stage, send, wait_for  # noqa: E402 - it says where pair and network are
from pair import VIP, wall_clock  # noqa: E402
from network import Failure, Skip, become_root  # noqa: E402

VICTIM = "web2"
REVIVE_S = 5  # what somebody kills while playing comes back, as a service manager would see to it
WORDS = {"refused": "refused", "unreachable": "unreachable", "lost": "unanswered", "broken": "cut off", "late": "too late",
         "status": "not 200"}
SUDO = "sudo " if os.environ.get("SUDO_USER") else ""
NO_CONNECTION = ("refused", "unreachable", "lost")
BOLD, RED, CYAN, DIM, PLAIN = ("\033[1m", "\033[31m", "\033[36m", "\033[2m", "\033[0m") \
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("",) * 5


def say(text="", indent=2):
    width = min(shutil.get_terminal_size((100, 24)).columns, 100) - indent - 1
    print(textwrap.indent(textwrap.fill(" ".join(text.split()), width), " " * indent), flush=True)


def red(text, really=True):
    return f"{RED}{text}{PLAIN}" if really else text


def milliseconds(seconds):
    return f"{seconds * 1000:.0f} ms"


class Figures:
    """What the client saw from `since` to `until`."""

    def __init__(self, record, since, until):
        self.gap = record.gap(since, until)[0]
        self.answers, self.failures = record.answers_by(since, until), record.failures(since, until)
        self.failed = sum(self.failures.values())
        self.asked = sum(self.answers.values()) + self.failed

    def failed_text(self):
        kinds = ", ".join(f"{n} {WORDS[kind]}" for kind, n in sorted(self.failures.items()))
        return f"{self.failed} of {self.asked} requests failed" + (f" ({kinds})" if kinds else "")

    def answers_text(self):
        return ", ".join(f"{name} {n}" for name, n in sorted(self.answers.items()))


class Demo:
    def __init__(self, stage, pause):
        self.stage, self.pause = stage, pause
        self.steps, self.good, self.since = [], True, 0.0

    # --- one step: break something, look on, tell ---

    def begin(self, title):
        print(f"\n{BOLD}{len(self.steps) + 1}. {title}{PLAIN}", flush=True)
        self.since, self.title, self.before = self.stage.now(), title, self.stage.active().name

    def look_on(self, seconds=None):
        self.stage.sleep(self.pause if seconds is None else seconds)

    def end(self, promised=()):
        """The story and the figures; a failure of a kind that is `promised` not to be is a failure of the demo."""
        until = self.stage.now()
        figures = Figures(self.stage.record, self.since, until)
        for when, who, what in self.stage.story(self.since, until):
            self.tell(f"{max(0, when - self.since) * 1000:7.0f} ms", who, what)
        wrong = any(figures.failures[kind] for kind in promised) or not figures.answers
        self.good = self.good and not wrong
        print(f"  {BOLD}longest gap {milliseconds(figures.gap)}, {red(figures.failed_text(), wrong)}{PLAIN}", flush=True)
        say(f"answers: {figures.answers_text()}")
        after = self.stage.active().name
        where = after if after == self.before else f"{self.before} -> {after}"
        self.steps.append((self.title, figures, where, wrong))
        return figures

    @staticmethod
    def tell(when, who, what):
        line = f"{when}  {who:<6} {what}"
        print(f"  {CYAN}{line[:96]}{PLAIN}", flush=True)

    def type(self, node, *command):
        print(f"\n{BOLD}{node.name}# {' '.join(command)}{PLAIN}", flush=True)
        self.stage.show(node, *command)

    # --- the story ---

    def introduce(self):
        print(f"""{BOLD}lbpair demo{PLAIN}: every host is a network namespace on this machine, and ends with the demo

  client 192.0.2.9            opens 200 connections a second to the virtual IP, {VIP}
     |
     +-----------------------+           hafailover on each: one of the two has the virtual IP
  lb1 192.0.2.11          lb2 192.0.2.12
     +-----------+-----------+           lbd on each: takes the requests to one of the servers
     |           |           |
  web1 .21    web2 .22    web3 .23       port {PORT}
""", flush=True)
        say("""After each step: what happened, in milliseconds since the step began, as the kernel (who has the address)
            and the logs of the daemons tell it; the longest time for which the client got no answer (the gap); how many
            of its requests failed, and how many each server answered.""", indent=0)

    def calm(self):
        self.begin("All is well")
        self.look_on()
        self.end()
        say("This gap is what the client and this machine do by themselves: compare the next ones with it.")
        self.type(self.stage.active(), "hactl", "status")

    def server_dies(self):
        self.begin(f"A web server dies under load, and comes back: kill -9 {VICTIM}")
        active = self.stage.active()
        self.stage.note(VICTIM, "*** kill -9")
        self.stage.web[VICTIM].kill()
        self.until_told(active, "server_down")
        self.look_on()
        self.stage.note(VICTIM, "*** starts again")
        self.stage.start_server(VICTIM)
        self.until_told(active, "server_up")
        self.look_on(self.pause / 2)
        self.end(promised=WORDS)
        tried = sum(float(n) for name, n in active.metrics(9101).items() if name.startswith("lbpair_retries_total"))
        say(f"""No request failed. Those that {VICTIM} could not answer were sent to another server ({tried:.0f} of them).
            lbd asks nothing more of a server that refused connections (server_unreachable); its health checks come
            to the same a little later (server_down), and find it well again when it is (server_up).""")

    def until_told(self, node, event):
        wait_for(lambda: any(who == node.name and f" {event} " in what
                             for _, who, what in self.stage.story(self.since, self.stage.now())),
                 60, f"{event} on {node.name}")

    def lbd_dies(self):
        active = self.stage.active()
        other = self.stage.other(active)
        self.begin(f"All of lbd dies on {active.name}, which is active")
        self.stage.note(active.name, "*** kill -9 of lbd, its supervisor and its proxy process")
        send([active.lbd.pid, *active.proxies()], signal.SIGKILL)
        self.until_holder(other)
        self.end()
        say(f"""hafailover keeps a connection to lbd, so it knows within milliseconds that lbd has died, and asks
            {other.name} to take over: nobody waits for heartbeats that do not come. What was at {active.name} in those
            milliseconds failed.""")
        self.type(active, "hactl", "status")
        active.start_lbd()
        self.stage.wait_checked(active)
        print()
        say(f"lbd runs again on {active.name}, which is the backup now. The service stays where it is.")

    def node_dies(self):
        active = self.stage.active()
        other = self.stage.other(active)
        self.begin(f"{active.name} dies altogether: its cable is pulled, all of its processes are killed")
        self.stage.note(active.name, "*** no cable, no process")
        self.stage.crash(active)
        self.until_holder(other)
        self.end()
        say(f"""Nobody could tell {other.name} this time. It missed three heartbeats, of which one comes every 100 ms, asked the
            network whether anybody still answers for {VIP}, and took it. Shorter intervals make a shorter
            gap: 20 ms instead of 100 ms is a matter of one line, heartbeat.interval.""")
        self.type(other, "hactl", "status")
        return active

    def node_returns(self, node):
        self.begin(f"{node.name} comes back")
        self.stage.note(node.name, "*** cable, lbd and hafailover")
        self.stage.start_node(node)
        self.look_on(self.pause / 2)
        self.end()
        say(f"""{node.name} listened first, found {self.stage.active().name} serving, and is the backup. Nothing moves back by
            itself, unless preempt or prefer asks for it.""")

    def moved_by_hand(self):
        active = self.stage.active()
        other = self.stage.other(active)
        self.begin(f"The service is moved by hand, as before an upgrade of {active.name}")
        self.stage.note(active.name, "*** hactl failover --wait")
        self.type(active, "hactl", "failover", "--wait")
        self.until_holder(other)
        figures = self.end(promised=NO_CONNECTION)
        broken = "; who was being served at that moment was cut off" if figures.failures["broken"] else ""
        say(f"""{other.name} had the address before {active.name} gave it up, so no new connection failed{broken}. hactl
            refuses to move the service, and says why, when the other node is not ready for it.""")
        self.type(other, "hactl", "history")

    def until_holder(self, node):
        wait_for(lambda: self.stage.record.holder() == (node.number,), 15, f"{node.name} that has {VIP}")
        self.look_on()

    def play(self):
        self.introduce()
        self.stage.start()
        self.calm()
        self.server_dies()
        self.lbd_dies()
        self.node_returns(self.node_dies())
        self.moved_by_hand()
        self.sum_up()
        return self.good

    def sum_up(self):
        print(f"\n{BOLD}{'What the client saw':<65}{'longest gap':>11}{'failed':>8}  served by{PLAIN}")
        for number, (title, figures, where, wrong) in enumerate(self.steps, 1):
            short = textwrap.shorten(title.partition(":")[0], 60, placeholder="...")
            print(f"  {number}. {short:<60}{milliseconds(figures.gap):>11}"
                  f"{red(f'{figures.failed:>8}', wrong)}  {where}", flush=True)
        if not self.good:
            print(red("Requests failed that may not fail."), flush=True)

    # --- it is yours ---

    def invite(self):
        active = self.stage.active().name
        other = self.stage.other(self.stage.active()).name
        print(f"\n{BOLD}Your turn{PLAIN}, in another terminal:\n  cd {self.stage.folder}", flush=True)
        for command, meaning in (
                (f"./on client curl -i http://{VIP}/hello", "what a client gets; try it a few times"),
                (f"./on {other} hactl status --watch", "both nodes, from either node"),
                (f"./on {active} hactl failover", "to the other node"),
                (f"./on {active} hactl top", "lbd at work; also: servers, history, help"),
                (f"./on {active} hactl server web/web1 drain", "on each node; then: ready"),
                (f"./on {active} ip link set eth0 down", "pull its cable; then: up"),
                (f"./on {active}", "a shell there"),
                (f"kill -9 $(cat {active}/lbd.pid)", f"or {active}/hafailover.pid, or web1.pid"),
                (f"kill -STOP $(cat {active}/hafailover.pid)", "what hangs loses the address; then: -CONT")):
            print(f"  {SUDO}{command:<45}{DIM}{meaning}{PLAIN}", flush=True)
        print(f"""What has died is started again after {REVIVE_S} s. Configurations and logs are there, too: {active}/lbd.json ...

{BOLD}Ctrl-C ends it{PLAIN} and removes everything. What happens meanwhile:""", flush=True)

    def stay(self):
        dead, offset = {}, time.time() - time.monotonic()
        since = self.stage.now()
        while True:
            self.stage.write_pids()
            self.stage.sleep(1)
            until = self.stage.now() - 1  # who has not been answered since then is known
            figures, events = Figures(self.stage.record, since, until), self.stage.story(since, until)
            for when, who, what in events:
                self.tell(wall_clock(when + offset), who, what)
            if events or figures.failed:
                say(f"The client: longest gap {milliseconds(figures.gap)}; {figures.failed_text()}")
            self.stage.record.forget(since - 10)
            since = until
            self.revive(dead)

    def revive(self, dead):
        """Whatever has been dead for a while; since when is in `dead`."""
        for name, (process, start) in self.stage.processes().items():
            if process.poll() is None:
                dead.pop(name, None)
            elif self.stage.now() > dead.setdefault(name, self.stage.now()) + REVIVE_S:
                self.stage.note(name.partition("/")[0], f"*** {name.rpartition('/')[2]} is started again")
                start()


def perform(build, once, pause):
    before = os.readlink("/proc/self/ns/user")
    become_root()
    stage = Stage(build, in_user_namespace=os.readlink("/proc/self/ns/user") != before)
    try:
        demo = Demo(stage, pause)
        good = demo.play()
        if not once:
            demo.invite()
            try:
                demo.stay()
            except KeyboardInterrupt:
                print()
        return good
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stage.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build", help="the object tree with bin/lbd, bin/hafailover, bin/hactl")
    parser.add_argument("--once", action="store_true", help="end after the last step")
    parser.add_argument("--quick", action="store_true", help="look on for a second after each step instead of three")
    args = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian keeps ip, out of a user's sight
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    once = args.once or bool(os.environ.get("DEMO_ONCE")) or not sys.stdin.isatty()
    try:
        return 0 if perform(args.build, once, 1.0 if args.quick else 3.0) else 1
    except Skip as reason:
        print(red(f"The demo builds a network of its own: it needs root, or user namespaces. {reason}"), file=sys.stderr)
    except (Failure, OSError) as reason:
        print(red(f"The demo could not go on: {reason}"), file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
