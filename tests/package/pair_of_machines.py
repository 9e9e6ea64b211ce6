"""pair_of_machines.py - two machines, two web servers and a client on one wire; what the client sees."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import types

from machine import Machine
from network import LIBC, PR_SET_PDEATHSIG, Failure, Wire, check, wait_for
from record import Record

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIP = "192.0.2.100"
READY_SECONDS, OUTAGE_SECONDS = 60, 10


class Pair:
    def __init__(self, folder, packages):
        self.wire = Wire()
        self.packages = packages
        self.processes, self.record, self.witness = [], None, None
        hosts = [self.wire.host(name, number) for name, number in (("lb1", 11), ("lb2", 12))]
        self.client = self.wire.host("client", 9)
        self.servers = [self.start_server(number) for number in (21, 22)]
        self.machines = []
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            for host in hosts:
                self.machines.append(Machine(host.name, host, folder, packages))
                self.machines[-1].boot()
            for machine in self.machines:
                machine.wait_booted()
            undo.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        for machine in self.machines:
            machine.close()

    def spawn(self, host, argv, **options):
        def settle():
            host.enter()
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setsid()
        self.processes.append(subprocess.Popen(argv, preexec_fn=settle, **options))
        return self.processes[-1]

    def start_server(self, number):
        """Its HOST:PORT."""
        host = self.wire.host(f"web{number}", number)
        self.spawn(host, [sys.executable, os.path.join(ROOT, "tests/demo/server.py"), host.name, "0.0.0.0", "8080"])
        return f"192.0.2.{number}:8080"

    # --- who has the address ---

    def holders(self):
        return [machine for machine in self.machines if machine.host.holds(VIP)]

    def active(self):
        found = [m for m in self.machines if self.status(m).get("role") == "active"]
        check(len(found) == 1, f"active: {[m.name for m in found]}")
        return found[0]

    def backup(self):
        return self.machines[1 - self.machines.index(self.active())]

    def status(self, machine):
        """What hafailover says; empty while it says nothing."""
        text = machine.run("hactl", "status", "--json", fails=None)
        said = json.loads(text) if text.strip() else {}
        return said if "role" in said else {}

    def is_ready(self):
        """One has the address, the other could take it at once; clients are answered."""
        said = [self.status(machine) for machine in self.machines]
        if sorted(s.get("role", "") for s in said) != ["active", "backup"] or len(self.holders()) != 1:
            return False
        return all(s["peer"].get("ready") and s["lbd"].get("ready") and not s["lbd"].get("draining")
                   and s["config"].get("match") for s in said) and self.is_served()

    def wait_ready(self):
        try:
            wait_for(self.is_ready, READY_SECONDS, "pair that is ready")
        except Failure as e:
            raise Failure(f"{e}: {[self.status(machine) for machine in self.machines]}") from e

    def metric(self, machine, name):
        """Of lbd there, the sum of its samples."""
        with machine.host.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(10)
            s.connect(("127.0.0.1", 9101))
            s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            said = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        return sum(int(n) for n in re.findall(rf"^{name}\{{.*\}} (\d+)$", said, re.M))

    def nothing_failed(self):
        for machine in self.machines:
            failed = machine.run("systemctl", "--failed", "--no-legend", "--plain")
            check(not failed.strip(), f"{machine.name}: {failed}")

    # --- the client ---

    def is_served(self):
        with self.client.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(2)
            try:
                s.connect((VIP, 80))
                s.sendall(b"GET / HTTP/1.0\r\nHost: pair\r\n\r\n")
                return s.recv(4096).startswith(b"HTTP/1.1 200 ")
            except OSError:
                return False

    def watch(self):
        """From here on the client asks."""
        if self.record is None:
            command = [sys.executable, os.path.join(ROOT, "tests/failover/witness.py"), VIP, "80"]
            self.witness = self.spawn(self.client, command, stdout=subprocess.PIPE, text=True)
            self.record = Record(self.witness.stdout)
        start = time.monotonic()
        wait_for(lambda: self.record.answers(start) >= 20, what="answer to the client")
        return start

    def settle(self, start):
        """Those that had begun are over."""
        end = time.monotonic()
        wait_for(lambda: self.record.answers(end) >= 20, what="answer to the client")
        asked = sum(self.record.answers_by(start, end).values())
        return end, asked, self.record.failures(start, end)

    def be_quiet(self):
        """The client is gone, until it is to watch again, and with it all that it had asked."""
        self.witness.kill()
        self.witness.wait()
        self.record = None
        wait_for(lambda: not any(self.metric(m, "lbpair_connections") for m in self.machines), 20, "end of connections")

    @contextlib.contextmanager
    def lossless(self):
        """No request of that time fails."""
        with self.outage() as seen:
            yield
        check(not seen.failures, f"{seen.asked} requests answered, {dict(seen.failures)} failed")

    @contextlib.contextmanager
    def outage(self):
        """.asked, .failures, .gap, when it is over; it must be."""
        seen, start = types.SimpleNamespace(), self.watch()
        yield seen
        end, seen.asked, seen.failures = self.settle(start)
        seen.gap, over = self.record.gap(start, end)
        print(f"     {seen.asked} requests answered, {sum(seen.failures.values())} failed, "
              f"longest gap {seen.gap * 1000:.0f} ms")
        check(over and seen.gap < OUTAGE_SECONDS, f"no answer for {seen.gap:.3f} s")

    def logs(self):
        return "\n".join(f"--- {m.name}\n{m.journal()}" for m in self.machines)
