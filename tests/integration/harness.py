"""harness.py - one lbd under test: its configuration, its processes, its control socket and metrics.

    with Backend() as server, Lbd(config(server)) as lbd:
        assert lbd.client().get("/").status == 200

Lbd writes lbd.json into a directory of its own, reserves free ports, starts the binary ($LBD, else
build/bin/lbd), waits for READY=1 on a notification socket and always ends what it started.  At the end it
must leave with status 0 on SIGTERM; a failed check, a sanitizer's report or a proxy process that had to be
started anew fails the test, whatever else it looked at.
"""

import copy
import ctypes
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

from peers import (Backend, BackendProcess, BlackHole, Client, ReservedPort, answer, echo, echo_of,
                   held_by, request, wait_for)
from wire import PATIENCE, Broken, Failure, Late, Message, Stream

__all__ = ["Backend", "BackendProcess", "BlackHole", "Broken", "Client", "Control", "Failure", "Late", "Lbd", "Load",
           "Message", "PATIENCE", "ReservedPort", "Skip", "Stream", "answer", "check", "config", "echo",
           "echo_of", "equal", "held_by", "lbd_binary", "request", "run_lbd", "sanitizer", "wait_for"]

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALARMS = re.compile(
    r"check_failed|AddressSanitizer|ThreadSanitizer|LeakSanitizer|MemorySanitizer|runtime error:"
    r"|stack smashing|double free|corrupted|buffer overflow detected")
PR_SET_PDEATHSIG = 1


class Skip(Exception):
    """This machine cannot show the claim; the reason is printed."""


def check(condition, text):
    """The claim must hold; `text` says what was seen."""
    if not condition:
        raise Failure(text)


def equal(got, expected, what):
    if got != expected:
        raise Failure(f"{what}: expected {expected!r}, got {got!r}")


def lbd_binary():
    path = os.environ.get("LBD") or os.path.join(ROOT, "build/bin/lbd")
    return os.path.abspath(path)


def sanitizer(binary=None):
    """True if the binary is a sanitizer build: slower, and memory figures mean nothing."""
    if os.environ.get("SAN"):
        return True
    with open(binary or lbd_binary(), "rb") as f:
        return b"__asan_init" in (data := f.read()) or b"__tsan_init" in data


def config(*backends, pool=None, listener=None, **top):
    """
    The usual configuration: one listener "in", one pool "web" with these servers (Backends or address
    texts), no health checks, no retries but the free ones.  `pool` and `listener` override single keys,
    other keyword arguments whole top-level objects.
    """
    servers = [b if isinstance(b, dict) else {"address": b if isinstance(b, str) else b.address}
               for b in backends]
    return {
        "workers": 1,
        "timeouts": {"drain": "2s"},
        "listeners": [{"name": "in", "pool": "web", **(listener or {})}],
        "pools": [{"name": "web", "servers": servers, "health_check": {"type": "none"},
                   "retry": {"attempts": 0}, **(pool or {})}],
        **top,
    }


class Log:
    """What a process writes to a pipe, line by line, kept and waited for."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.lines = []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read_all, daemon=True)
        self.thread.start()

    def read_all(self):
        for line in self.pipe:
            with self.changed:
                self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.changed.notify_all()

    def text(self):
        with self.changed:
            return "\n".join(self.lines)

    def find(self, pattern, start=0):
        """The first line from number `start` on that matches, or None."""
        with self.changed:
            return next((line for line in self.lines[start:] if re.search(pattern, line)), None)

    def wait(self, pattern, timeout=PATIENCE, start=0):
        with self.changed:
            if not self.changed.wait_for(
                    lambda: any(re.search(pattern, line) for line in self.lines[start:]), timeout):
                raise Late(f"no {pattern!r} in the log:\n" + "\n".join(self.lines[-30:]))
        return self.find(pattern, start)

    def count(self):
        with self.changed:
            return len(self.lines)


class Notifications:
    """The service manager's side of sd_notify: every datagram, in order."""

    def __init__(self, path):
        self.path = path
        if os.path.exists(path):
            os.unlink(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.seen = []

    def receive(self, timeout):
        readable, _, _ = select.select([self.sock], [], [], max(0, timeout))
        if not readable:
            return None
        message = self.sock.recv(4096).decode()
        self.seen.append(message)
        return message

    def drain(self):
        """Takes what is there; returns all that was ever seen."""
        while self.receive(0):
            pass
        return self.seen

    def wait(self, variable, alive=lambda: True, timeout=PATIENCE):
        """Until a datagram says `variable` ("READY=1"); datagrams before it are passed over."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            message = self.receive(0.1)
            if message and variable in message.split("\n"):
                return message
            if not message and not alive():
                raise Failure(f"ended before {variable}")
        raise Late(f"no {variable} within {timeout} s; seen {self.seen}")


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Lbd:
    """One running lbd."""

    def __init__(self, configuration, args=(), env=None, descriptors=None, watchdog_us=None, start=True):
        self.directory = tempfile.mkdtemp(prefix="lbd-")
        os.chmod(self.directory, 0o755)
        self.file = os.path.join(self.directory, "lbd.json")
        self.socket_path = os.path.join(self.directory, "control.sock")
        self.ports = []
        self.args, self.env = list(args), dict(env or {})
        self.descriptors = descriptors  # RLIMIT_NOFILE, soft and hard
        self.watchdog_us = watchdog_us
        self.crashes_expected = False  # True: the test kills the proxy process
        self.process = None
        self.config = self.complete(configuration)
        self.write_config()
        try:
            if start:
                self.start()
        except BaseException:
            self.cleanup()
            raise

    # The configuration

    def complete(self, configuration):
        """Adds what belongs to this instance: ports and sockets, unless the test chose them."""
        configuration = copy.deepcopy(configuration)
        for listener in configuration["listeners"]:
            if "bind" not in listener:
                listener["bind"] = [self.reserve().address]
        admin = configuration.setdefault("admin", {})
        admin.setdefault("socket", self.socket_path)
        configuration.setdefault("resolver", {}).setdefault("state_file", self.path("names"))
        if "http" not in admin:
            admin["http"] = self.reserve().address
        return configuration

    def reserve(self, host="127.0.0.1"):
        port = ReservedPort(host)
        self.ports.append(port)
        return port

    def write_config(self, text=None):
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            f.write(text if text is not None else json.dumps(self.config, indent=1))
        os.rename(self.file + ".new", self.file)

    def path(self, name):
        return os.path.join(self.directory, name)

    def address(self, listener=0, bind=0):
        host, port = self.config["listeners"][listener]["bind"][bind].rsplit(":", 1)
        return host.strip("[]"), int(port)

    # Processes

    def start(self):
        env = {k: v for k, v in os.environ.items() if k not in ("WATCHDOG_USEC", "WATCHDOG_PID")}
        env["NOTIFY_SOCKET"] = self.path("notify.sock")
        if self.watchdog_us:
            env["WATCHDOG_USEC"] = str(self.watchdog_us)
        env.update(self.env)
        self.notifications = Notifications(self.path("notify.sock"))

        def before_exec():
            die_with_parent()
            if self.descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

        self.process = subprocess.Popen(
            [lbd_binary(), "-c", self.file, *self.args], env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=before_exec, cwd=self.directory)
        self.log = Log(self.process.stdout)
        try:
            self.notifications.wait("READY=1", self.alive, timeout=30)
        except Failure as e:
            self.kill()
            raise Failure(f"lbd did not get ready ({e}); its log:\n{self.log.text()}") from None
        self.first_proxy = self.proxy_pid() if self.alive() else None

    def alive(self):
        return self.process.poll() is None

    def children(self):
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
                return [int(pid) for pid in f.read().split()]
        except FileNotFoundError:
            return []

    def proxy_pid(self):
        """The proxy process; waits while there is none."""
        return wait_for(self.children, "a proxy process")[0]

    def pids(self):
        return [self.process.pid, *self.children()]

    def proxy_memory(self):
        """Resident bytes of the proxy process that it does not share."""
        with open(f"/proc/{self.proxy_pid()}/smaps_rollup") as f:
            return 1024 * sum(int(line.split()[1]) for line in f if line.startswith("Private_"))

    def cpu_seconds(self):
        """CPU time of all processes of lbd so far."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def signal(self, number):
        self.process.send_signal(number)

    def kill_proxy(self):
        """kill -9 of the proxy process.  Returns when it is gone."""
        self.crashes_expected = True
        pid = self.proxy_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: pid not in self.children(), "the proxy process to go")

    def wait_exit(self, timeout=PATIENCE):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Late(f"lbd did not end within {timeout} s:\n{self.log.text()[-3000:]}") from None

    def stop(self):
        """SIGTERM; must drain and leave with status 0."""
        if self.alive():
            self.signal(signal.SIGTERM)
        status = self.wait_exit(30)
        if status != 0:
            raise Failure(f"lbd ended with status {status}; its log:\n{self.log.text()[-6000:]}")

    def kill(self):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    # Reload

    def reload(self, configuration=None, text=None):
        """Writes a new file (ports are kept), sends SIGHUP, waits until lbd is done with it."""
        if configuration is not None:
            old = {l["name"]: l["bind"] for l in self.config["listeners"]}
            configuration = copy.deepcopy(configuration)
            for listener in configuration["listeners"]:
                if "bind" not in listener and listener["name"] in old:
                    listener["bind"] = old[listener["name"]]
            configuration.setdefault("admin", self.config["admin"])
            self.config = self.complete(configuration)
        if configuration is not None or text is not None:
            self.write_config(text)
        self.notifications.drain()
        self.signal(signal.SIGHUP)
        self.notifications.wait("RELOADING=1", self.alive)
        self.notifications.wait("READY=1", self.alive)

    # Talking to it

    def client(self, source=None, listener=0, **options):
        return Client(self.address(listener), source, **options)

    def get(self, target="/", *fields, **options):
        """One GET on a connection of its own."""
        with self.client(**options) as client:
            return client.get(target, *fields)

    def control(self):
        return Control(self.config["admin"]["socket"])

    def command(self, command, **arguments):
        """One command on the control socket; its answer must say ok."""
        with self.control() as control:
            reply = control.ask(command, **arguments)
        if reply.get("ok") is not True:
            raise Failure(f"command {command}: {reply}")
        return reply

    def admin_get(self, path):
        """Status, content type and body from admin.http."""
        host, port = self.config["admin"]["http"].rsplit(":", 1)
        url = f"http://{host}:{port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as r:
                return r.status, r.headers.get("Content-Type"), r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.headers.get("Content-Type"), e.read().decode()

    def metrics(self):
        status, _, text = self.admin_get("/metrics")
        equal(status, 200, "status of /metrics")
        return parse_metrics(text)

    def metric(self, name, **labels):
        """The sum over all series of that name with these labels; None if there is no such series."""
        values = [value for series_name, series_labels, value in self.metrics()
                  if series_name == name and labels.items() <= series_labels.items()]
        return sum(values) if values else None

    def wait_metric(self, name, expected, timeout=PATIENCE, **labels):
        """Until the sum is what is expected: workers count when an exchange is over, just after the
        client has its answer."""
        seen = None

        def reached():
            nonlocal seen
            seen = self.metric(name, **labels)
            return seen == expected
        try:
            wait_for(reached, timeout=timeout, step=0.02)
        except Late:
            raise Failure(f"{name}{labels}: expected {expected}, got {seen}") from None

    # The end

    def cleanup(self):
        if self.process and self.process.poll() is None:
            self.kill()
        for port in self.ports:
            port.close()
        if self.process:
            self.log.thread.join(5)
            self.process.stdout.close()
            self.notifications.sock.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def verify(self):
        """Stops lbd and fails if it was ever ill."""
        restarted = self.alive() and not self.crashes_expected and self.children() != [self.first_proxy]
        unexpected_end = not self.alive() and not getattr(self, "end_expected", False)
        if not unexpected_end:
            self.stop() if self.alive() else None
        self.log.thread.join(5)
        text = self.log.text()
        if ALARMS.search(text):
            raise Failure("lbd reported a fault:\n" + text[-8000:])
        if restarted:
            raise Failure("the proxy process was started anew:\n" + text[-6000:])
        if unexpected_end:
            raise Failure(f"lbd ended by itself, status {self.process.returncode}:\n{text[-6000:]}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.verify()
            else:
                print("---- log of lbd\n" + self.log.text()[-6000:])
        finally:
            self.cleanup()


class Control(Stream):
    """A connection to the control socket."""

    def __init__(self, path):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(path)
        super().__init__(sock)

    def read_object(self, timeout=PATIENCE):
        """The next JSON line; None at the end."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            if not self.fill(deadline):
                return None
        return json.loads(self.take(self.buffer.index(b"\n") + 1))

    def ask(self, command, **arguments):
        self.send(json.dumps({"command": command, **arguments}).encode() + b"\n")
        reply = self.read_object()
        if not isinstance(reply, dict):
            raise Failure(f"no answer to {command}")
        return reply


METRIC = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)\Z')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|\Z)')


def parse_metrics(text):
    """[(name, {label: value}, number)]; refuses what Prometheus would refuse."""
    series, seen, types = [], set(), {}
    check(text.endswith("\n"), "metrics do not end with a newline")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            check(name not in types, f"two TYPE lines for {name}")
            types[name] = kind
            continue
        if not line or line.startswith("#"):
            continue
        match = METRIC.match(line)
        check(match, f"metrics line: {line!r}")
        labels = dict(LABEL.findall(match[2] or ""))
        check(LABEL.sub("", match[2] or "") == "", f"labels: {line!r}")
        identity = (match[1], tuple(sorted(labels.items())))
        check(identity not in seen, f"series twice: {line!r}")
        seen.add(identity)
        series.append((match[1], labels, float(match[3])))
    for name, _, _ in series:
        base = re.sub(r"_(bucket|sum|count)\Z", "", name)
        check(name in types or types.get(base) in ("histogram", "summary"), f"no TYPE line for {name}")
    return series


class Load:
    """
    Clients in the background that go on until stopped: each thread sends one request after the other, on
    a connection of its own or on a new one each time, and keeps what failed.
    """

    def __init__(self, lbd, threads=4, new_connections=False, target="/load", expect=200):
        self.lbd, self.new, self.target, self.expect = lbd, new_connections, target, expect
        self.done = 0
        self.failures = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        client = None
        while not self.stopping.is_set():
            try:
                if client is None:
                    client = self.lbd.client()
                response = client.get(self.target)
                equal(response.status, self.expect, f"status of {response}")
                with self.lock:
                    self.done += 1
                if self.new or b"close" in (response.one(b"connection") or b""):
                    client.close()
                    client = None
            except Exception as e:  # noqa: BLE001 - a failed request is the finding, whatever it was
                with self.lock:
                    self.failures.append(repr(e))
                if client:
                    client.close()
                client = None
                self.stopping.wait(0.01)
        if client:
            client.close()

    def wait_done(self, more, timeout=60):
        """Until that many more requests were answered or anything failed."""
        target = self.done + more
        wait_for(lambda: self.done >= target or self.failures, f"{more} more requests", timeout)

    def stop(self):
        """Ends the load; fails if any request failed.  Returns how many were answered."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        if self.failures:
            raise Failure(f"{len(self.failures)} of {self.done + len(self.failures)} requests failed: "
                          f"{self.failures[:5]}")
        return self.done

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping.set()


def run_lbd(*args, stdin=b"", env=None, timeout=30):
    """Runs the binary to its end: (status, stdout, stderr)."""
    result = subprocess.run([lbd_binary(), *args], input=stdin, capture_output=True, timeout=timeout,
                            env={**os.environ, **(env or {})}, preexec_fn=die_with_parent)
    return result.returncode, result.stdout.decode(), result.stderr.decode()
