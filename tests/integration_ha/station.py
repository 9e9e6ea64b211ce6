"""station.py - a station (station.c) on a host: commands in, events out.

    with Station(host) as one:
        one.configure("192.0.2.100", "2001:db8::64")
        one.do("claim")
"""

import collections
import os
import re
import signal
import subprocess
import threading
import time

from network import ALARMS, LIBC, PR_SET_PDEATHSIG, Failure, be_preferred, check, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

Event = collections.namedtuple("Event", "time text")


def station_binary():
    return os.path.abspath(os.environ.get("STATION") or os.path.join(ROOT, "build/integration_ha/station"))


class Station:
    def __init__(self, host, prefix=()):
        self.host, self.events, self.log = host, [], []

        def settle():
            host.enter()
            be_preferred()
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        self.process = subprocess.Popen([*prefix, station_binary()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1, preexec_fn=settle)
        self.threads = [threading.Thread(target=self.read_events, daemon=True),
                        threading.Thread(target=self.read_log, daemon=True)]
        for thread in self.threads:
            thread.start()
        self.wait("^(ready|giving-up)")

    def read_events(self):
        for line in self.process.stdout:
            when, _, text = line.rstrip("\n").partition(" ")
            self.events.append(Event(float(when), text))

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        status = self.end()
        check(kind or status in (0, -signal.SIGKILL), f"the station ended with status {status}:\n{self.text()}")

    def text(self):
        return "\n".join([f"{e.time:.3f} {e.text}" for e in self.events] + self.log)

    def end(self):
        """Commands end, then it does.  What a sanitizer or a failed check said is a failure."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        for thread in self.threads:
            thread.join(2)
        check(not any(ALARMS.search(line) for line in self.log), self.text())
        return status

    def signal(self, number):
        """When it was sent."""
        now = time.monotonic()
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()
        return now

    def find(self, pattern, since=0.0):
        return next((e for e in list(self.events) if e.time >= since and re.search(pattern, e.text)), None)

    def wait(self, pattern, since=0.0, seconds=5.0):
        def look():
            return self.find(pattern, since) or (self.process.poll() is not None and "ended")

        found = wait_for(look, seconds, f"event {pattern!r}; events so far:\n{self.text()}")
        if found == "ended" and not (found := self.find(pattern, since)):
            self.threads[0].join(2)
            found = self.find(pattern, since)
        if not found:
            raise Failure(f"the station ended without {pattern!r}:\n{self.text()}")
        return found

    def say(self, command):
        now = time.monotonic()
        self.process.stdin.write(command + "\n")
        return now

    def do(self, command, expect=r"done"):
        """A command that answers with its first word."""
        now = self.say(command)
        answer = self.wait(f"^{command.split()[0]} ", now)
        check(re.search(expect, answer.text), f"{command}: {answer.text}")
        return answer

    def configure(self, *addresses, lease=1, patience=300, expect="done"):
        return self.do(" ".join(["configure", str(lease), str(patience), *addresses]), expect)

    def show(self):
        """Numbers by name."""
        now = self.say("show")
        text = self.wait("^shown ", now).text
        return {k: float(v) for k, v in (word.split("=") for word in text.split()[1:])}

    def probe(self, address, port=80, service="http", ms=300, interface=""):
        """(verdict, seconds, rest of the answer)."""
        now = self.say(f"probe p {address} {port} {service} {ms} {interface}")
        found = re.match(r"probed p (\S+) answered=(\S+) duration=(\S+) (.*)", self.wait("^probed p ", now).text)
        return found[1], float(found[3]), found[4]
