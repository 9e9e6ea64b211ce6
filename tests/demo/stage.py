"""stage.py - the pair of the demo: three web servers that say who they are, a story to tell, and a way in for humans."""

import datetime
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "failover"))

from pair import WAIT_SECONDS, Pair, reaches, send, wait_for  # noqa: E402
from network import check  # noqa: E402

PORT = 8000
LOG_LINE = re.compile(r"(\S+Z) (?:notice|warning|error) (\w+) ?(.*)")
BESIDE = re.compile(r" ?(?:pool|term|lasted_ms)=\S+")  # beside the point here
TOLD = {"role_changed", "lbd_not_ready", "server_unreachable", "server_reachable", "server_down", "server_up"}
ENTRANCE = """#!/bin/sh
# on HOST [COMMAND...] - on that host of the demo; without a command: a shell there
case $1 in
{cases}
*) echo 'usage: on {names} [COMMAND...]' >&2; exit 2 ;;
esac
shift
PATH={bin}:$PATH:/usr/sbin:/sbin
exec nsenter -t $pid {options} -- "${{@:-sh}}"
"""


class Stage(Pair):
    def __init__(self, build, in_user_namespace):
        super().__init__(build)
        os.chmod(self.folder, 0o755)
        self.hosts = {f"web{n}": self.wire.host(f"web{n}", 20 + n) for n in (1, 2, 3)}
        self.servers = [{"name": name, "address": f"192.0.2.{host.number}:{PORT}"} for name, host in self.hosts.items()]
        self.web = {}
        self.configure()
        self.write_entrance("-U --preserve-credentials -n" if in_user_namespace else "-n")

    def lbd_configuration(self, node):
        usual = super().lbd_configuration(node)
        usual["pools"][0]["health_check"] = {"path": "/health", "interval": "1s", "timeout": "500ms"}
        return {**usual, "log": {"access": {"target": f"file:{node.path('access.log')}"}}}

    # --- the servers, and what is dead ---

    def start_servers(self):
        for name in self.hosts:
            self.start_server(name)

    def start_server(self, name):
        command = [sys.executable, os.path.join(HERE, "server.py"), name, *self.address_of(name).split(":")]
        self.web[name] = self.spawn(self.hosts[name], command)

    def address_of(self, name):
        return next(s["address"] for s in self.servers if s["name"] == name)

    def processes(self):
        """What should run: {name: (process, how to start it again)}."""
        running = {name: (process, lambda name=name: self.start_server(name)) for name, process in self.web.items()}
        for node in self.nodes:
            running[f"{node.name}/lbd"] = node.lbd, node.start_lbd
            running[f"{node.name}/hafailover"] = node.hafailover, node.start_hafailover
        return running

    def start_node(self, node):
        """As booted: the network first, then the daemons."""
        self.plug(node, True)
        wait_for(lambda: all(reaches(node.host, s["address"]) for s in self.servers), WAIT_SECONDS, "network")
        node.start_lbd()
        node.start_hafailover()
        self.wait_checked(node)

    def wait_checked(self, node):
        """The pair is ready, and that node's lbd has found all servers well."""
        self.wait_ready()
        wait_for(lambda: all(s["health"] == "up" for s in json.loads(node.hactl("servers", "--json"))["servers"]),
                 WAIT_SECONDS, f"servers that {node.name} finds well")

    def write_pids(self):
        for name, (process, _) in self.processes().items():
            with open(os.path.join(self.folder, name + ".pid"), "w") as f:
                f.write(f"{process.pid}\n")

    # --- the way in ---

    def write_entrance(self, options):
        hosts = {"client": self.client, **{n.name: n.host for n in self.nodes}, **self.hosts}
        settings = {n.name: [f"{key}={value}" for key, value in n.sockets().items()] for n in self.nodes}
        cases = [" ".join([f"{name}) export pid={host.pid}", *settings.get(name, ()), ";;"]) for name, host in hosts.items()]
        text = ENTRANCE.format(cases="\n".join(cases), names="|".join(hosts), options=options,
                               bin=os.path.join(self.build, "bin"))
        with open(os.open(os.path.join(self.folder, "on"), os.O_WRONLY | os.O_CREAT, 0o755), "w") as f:
            f.write(text)

    def show(self, node, *command):
        """As typed by an operator on that node, in colour where there is a terminal."""
        environment = {**os.environ, "PATH": os.path.join(self.build, "bin") + ":" + os.environ["PATH"], **node.sockets()}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, preexec_fn=node.host.enter, env=environment)
        check(done.returncode == 0, f"{' '.join(command)}: exit status {done.returncode}")

    # --- what happened ---

    def story(self, since, until):
        """[(time, who, what)]: deeds, the address, and what the daemons say of it; in order."""
        told = self.seen() + [line for node in self.nodes for program in ("lbd", "hafailover")
                              for line in logged(node, program)]
        return sorted(event for event in told if since - 0.002 <= event[0] <= until)


def logged(node, program):
    offset = time.time() - time.monotonic()
    for stamp, event, rest in LOG_LINE.findall(node.log(program)):
        if event in TOLD:
            when = datetime.datetime.fromisoformat(stamp).timestamp() - offset
            yield when, node.name, f"{program}: {event} {BESIDE.sub('', rest).strip()}"


__all__ = ["PORT", "Stage", "send", "wait_for"]
