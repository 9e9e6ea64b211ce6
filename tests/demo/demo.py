#!/usr/bin/python3
"""demo.py --lbd FILE - lbd before three web servers; one of them is killed under load, and no client notices.

Every figure on the screen was measured: the client counts answers and failures, the health comes from lbd's control
socket, the retries from its metrics.  Stays until Ctrl-C so that one can play with it; runs through once and
ends if DEMO_ONCE is set or standard input is not a terminal.  Exit status 1 if any request failed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from network import open_network

HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = ("web1", "web2", "web3")
VICTIM = "web2"
SERVER_PORT, SERVICE_PORT, ADMIN_PORT = 8000, 8080, 9101
RATE = 600  # requests a second
PATIENCE_S = 20
REVIVE_S = 5  # a server that somebody kills while playing comes back
BOLD, RED, GREEN, DIM, PLAIN = ("\033[1m", "\033[31m", "\033[32m", "\033[2m", "\033[0m") \
    if sys.stdout.isatty() else ("",) * 5


class DemoFailed(Exception):
    pass


def wait_until(reached, what):
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {PATIENCE_S} s for {what}")
        time.sleep(0.02)


class Node:
    """One lbd on a host of its own."""

    def __init__(self, network, host, servers, directory, lbd):
        self.network, self.host, self.lbd = network, host, lbd
        self.file = os.path.join(directory, f"{host.name}.json")
        self.log_file = os.path.join(directory, f"{host.name}.log")
        self.access_log = os.path.join(directory, f"{host.name}-access.log")
        self.socket = os.path.join(directory, f"{host.name}.sock")
        self.config = {
            "comment": "written by make demo",
            "log": {"access": {"target": f"file:{self.access_log}"}},
            "admin": {"socket": self.socket, "http": f"{host.address}:{ADMIN_PORT}"},
            "listeners": [{"name": "http", "bind": [f"{host.address}:{SERVICE_PORT}"], "pool": "web"}],
            "pools": [{
                "name": "web",
                "servers": [{"name": s.name, "address": f"{s.address}:{SERVER_PORT}"} for s in servers],
                "health_check": {"path": "/health", "interval": "1s", "timeout": "500ms"},
            }],
        }

    def start(self):
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=2)
            file.write("\n")
        with open(self.log_file, "w", encoding="utf-8") as log:
            self.process = self.network.start(self.host, [self.lbd, "-c", self.file], stdout=log, stderr=log)
        wait_until(lambda: set(self.health().values()) == {"up"} or self.process.poll() is not None,
                   f"{self.host.name} to find all servers up")
        if self.process.poll() is not None:
            with open(self.log_file, encoding="utf-8") as log:
                raise DemoFailed(f"lbd ended with status {self.process.returncode}:\n{log.read()}")

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(2)
            control.connect(self.socket)
            control.sendall(json.dumps({"command": command}).encode() + b"\n")
            with control.makefile() as reply:
                return json.loads(reply.readline())

    def health(self):
        """
        What lbd says of each server now: up, down (by its checks), unreachable (it refused connections and
        waits for a check), or what the operator set.  Nothing while lbd cannot be asked.
        """
        def state(server):
            if server["admin"] != "ready":
                return server["admin"]
            return server["health"] if server["reachable"] or server["health"] == "down" else "unreachable"
        try:
            return {s["name"]: state(s) for s in self.ask("servers")["servers"]}
        except (OSError, ValueError, KeyError):
            return {}

    def metric(self, name):
        """The sum over all series of that name."""
        fetch = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"
        url = f"http://{self.host.address}:{ADMIN_PORT}/metrics"
        done = subprocess.run(self.network.command(self.host, [sys.executable, "-c", fetch, url]), check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", done.stdout, re.M))


class Load:
    """The clients' totals as they come, and what was added since the last look."""

    def __init__(self, network, host, target):
        command = [sys.executable, os.path.join(HERE, "load.py"), target.address, str(SERVICE_PORT), str(RATE)]
        self.process = network.start(host, command, stdout=subprocess.PIPE, text=True)
        self.lock, self.slowest = threading.Lock(), 0.0
        self.totals = self.seen = {"answers": {}, "failed": 0, "error": ""}
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            totals = json.loads(line)
            with self.lock:
                self.totals, self.slowest = totals, max(self.slowest, totals["slowest_ms"])

    def take(self):
        """Answers by server and failures since the last call, and the longest answer's time."""
        with self.lock:
            now, slowest, self.slowest = self.totals, self.slowest, 0.0
        answers = {s: now["answers"].get(s, 0) - self.seen["answers"].get(s, 0) for s in SERVERS}
        failed = now["failed"] - self.seen["failed"]
        self.seen = now
        return answers, failed, slowest

    def sums(self):
        return sum(self.totals["answers"].values()), self.totals["failed"], self.totals["error"]


class Demo:
    def __init__(self, network, directory, lbd):
        self.network = network
        self.client = network.add("client", 2)
        self.servers = [network.add(name, 11 + i) for i, name in enumerate(SERVERS)]
        self.nodes = [Node(network, network.add("lb1", 101), self.servers, directory, lbd)]
        self.running = {}
        self.began = 0.0

    def start_server(self, host):
        command = [sys.executable, os.path.join(HERE, "server.py"), host.name, host.address, str(SERVER_PORT)]
        self.running[host.name] = self.network.start(host, command)

    def start(self):
        for server in self.servers:
            self.start_server(server)
        for node in self.nodes:
            node.start()
        self.load = Load(self.network, self.client, self.nodes[0].host)
        wait_until(lambda: self.load.sums()[0], "the first answer")
        self.load.take()
        self.began = time.monotonic()

    # What the terminal shows

    def introduce(self):
        node, first, *rest = self.nodes[0].host, *self.servers
        left = f"  {RATE} requests/s from {self.client.address} --> lbd {node.address}:{SERVICE_PORT} "
        print(f"{BOLD}lbpair demo{PLAIN}: clients, lbd and {len(self.servers)} web servers, "
              f"{self.network.describe()}\n")
        print(f"{left}--+--> {first.name} {first.address}:{SERVER_PORT}")
        for server in rest:
            print(f"{' ' * len(left)}  +--> {server.name} {server.address}:{SERVER_PORT}")
        print()

    def header(self, title):
        names = "".join(f"{s:>7}" for s in SERVERS)
        print(f"\n{BOLD}{title}{PLAIN}\n{DIM}     time  answers{names}   failed  slowest   "
              f"health by lbd's control socket{PLAIN}")

    def line(self):
        answers, failed, slowest = self.load.take()
        health = self.nodes[0].health()
        shown = "  ".join(f"{GREEN if state == 'up' else RED}{name} {state}{PLAIN}" for name, state in health.items())
        counts = "".join(f"{answers[s]:>7}" for s in SERVERS)
        print(f"  {time.monotonic() - self.began:5.1f} s  {sum(answers.values()):>7}{counts}   "
              f"{RED if failed else ''}{failed:>6}{PLAIN if failed else ''} {slowest:>5.0f} ms   {shown}", flush=True)

    def watch(self, seconds):
        for _ in range(seconds):
            time.sleep(1)
            self.line()

    # The story

    def kill_victim(self):
        self.header(f"kill -9 {VICTIM}, under load")
        self.running[VICTIM].kill()
        killed = time.monotonic()
        seen = {}

        def look():
            while "down" not in seen and time.monotonic() < killed + PATIENCE_S:
                seen.setdefault(self.nodes[0].health().get(VICTIM), time.monotonic() - killed)
                time.sleep(0.005)
        looker = threading.Thread(target=look)
        looker.start()
        self.watch(5)
        looker.join()
        if "down" not in seen:
            raise DemoFailed(f"lbd did not find {VICTIM} down")
        if "unreachable" in seen:
            print(f"           out of rotation {seen['unreachable'] * 1000:.0f} ms after the kill: it refused connections")
        print(f"           down {seen['down']:.1f} s after the kill: the health checks agree")

    def revive_victim(self):
        self.header(f"{VICTIM} starts again")
        self.start_server(next(s for s in self.servers if s.name == VICTIM))
        self.watch(5)
        wait_until(lambda: self.nodes[0].health().get(VICTIM) == "up", f"{VICTIM} to be up again")

    def result(self):
        """The sums, from the counters; True if no request failed."""
        answered, failed, error = self.load.sums()
        retries = self.nodes[0].metric("lbpair_retries_total")
        colour = RED if failed else GREEN
        print(f"\n{BOLD}{colour}{answered + failed} requests, {answered} answered with 200, failed={failed}{PLAIN}"
              f"; lbd tried {retries:.0f} times on a second server")
        if error:
            print(f"first failure: {error}")
        return failed == 0 and answered > 0

    def invite(self):
        node = self.nodes[0]
        enter = self.network.enter(self.client)
        control = f"{sys.executable} {os.path.relpath(HERE)}/control.py {node.socket}"
        url = f"http://{node.host.address}"
        print(f"""
{BOLD}Your turn{PLAIN}, in another terminal:
  {enter}curl -i {url}:{SERVICE_PORT}/hello
  {enter}curl -s {url}:{ADMIN_PORT}/metrics | grep lbpair_requests_total
  {control} servers
  {control} server web/{VICTIM} drain      (or ready, maintenance, weight 5)
  tail -f {node.access_log}
  kill -9 {self.running['web1'].pid}      (web1; it comes back after {REVIVE_S} s)
Configuration: {node.file}    log: {node.log_file}

{BOLD}Ctrl-C ends it{PLAIN} and removes everything.""", flush=True)

    def stay(self):
        """Keeps the load going, tells of every second in which something was different, revives servers."""
        self.header("meanwhile")
        before, dead = None, {}
        while True:
            time.sleep(1)
            health = self.nodes[0].health()
            if health != before or self.load.totals["failed"] != self.load.seen["failed"]:
                self.line()
            before = health
            for server in self.servers:
                if self.running[server.name].poll() is None:
                    dead.pop(server.name, None)
                elif time.monotonic() > dead.setdefault(server.name, time.monotonic()) + REVIVE_S:
                    self.start_server(server)


def play(lbd, once):
    network = open_network("lbpair")
    directory = tempfile.mkdtemp(prefix="lbpair-demo-")
    try:
        os.chmod(directory, 0o755)
        demo = Demo(network, directory, lbd)
        demo.introduce()
        demo.start()
        demo.header("all is well")
        demo.watch(3)
        demo.kill_victim()
        demo.revive_victim()
        good = demo.result()
        if not once:
            demo.invite()
            try:
                demo.stay()
            except KeyboardInterrupt:
                return demo.result()
        return good
    finally:
        network.close()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--lbd", default="build/bin/lbd")
    args = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian keeps ip, out of a user's sight
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    once = bool(os.environ.get("DEMO_ONCE")) or not sys.stdin.isatty()
    try:
        return 0 if play(os.path.abspath(args.lbd), once) else 1
    except DemoFailed as reason:
        print(f"{RED}the demo could not go on: {reason}{PLAIN}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
