"""processes.py - children of the bench: started on a CPU, with all their processes, always ended.

Every child leads a session of its own, dies with us (PR_SET_PDEATHSIG) and is ended by stop_all(),
which run.py calls on every way out.  Numbers about processes come from /proc alone.
"""
import ctypes
import os
import random
import signal
import socket
import ssl
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
children = []


class BenchError(Exception):
    """Something that makes a measurement worthless; the text is for the reader."""


class Child:
    def __init__(self, argv, cpu, log, nice=0, **popen):
        def prepare():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.sched_setaffinity(0, {cpu})
            if nice:
                os.nice(nice)

        self.argv, self.log = argv, log
        with open(log, "ab") as stderr:
            popen.setdefault("stdin", subprocess.DEVNULL)
            popen.setdefault("stdout", stderr)
            self.popen = subprocess.Popen(argv, stderr=stderr, start_new_session=True,
                                          preexec_fn=prepare, **popen)
        children.append(self)

    def running(self):
        return self.popen.poll() is None

    def log_tail(self):
        with open(self.log, errors="replace") as f:
            return " | ".join(line.strip() for line in f.readlines()[-5:])

    def fail(self, what):
        text = f"{os.path.basename(self.argv[0])}: {what}: {self.log_tail()}"
        self.stop()
        raise BenchError(text)

    def stop(self, sig=signal.SIGTERM, timeout=5):
        """Ends it and whatever it started; its exit status, None when it had to be killed."""
        if self in children:
            children.remove(self)
        status = None
        if self.running():
            self.popen.send_signal(sig)
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()
        return status


def stop_all():
    for child in list(children):
        child.stop(timeout=2)


def free_port(address):
    """A port outside the range that the kernel gives to clients, free at this moment."""
    for _ in range(100):
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind((address, port))
                return port
            except OSError:
                continue
    raise BenchError(f"no free port on {address}")


def unverified():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def answers(address, port, seconds, tls):
    """Does one request get 200?"""
    try:
        with socket.create_connection((address, port), timeout=seconds) as plain:
            s = unverified().wrap_socket(plain) if tls else plain
            s.sendall(b"GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            return s.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def wait_answers(child, address, port, seconds, tls=False):
    """Until all of its processes are there: its listening socket may be older than they are."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not child.running():
            child.fail(f"ended with status {child.popen.returncode}")
        if answers(address, port, seconds, tls):
            return
        time.sleep(0.02)
    child.fail(f"does not answer on {address}:{port} after {seconds} s")


def process_tree(pid):
    """This process and all below it, as process ids."""
    pids = [pid]
    for task in tasks(pid):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            for child in f.read().split():
                pids += process_tree(int(child))
    return pids


def tasks(pid):
    return os.listdir(f"/proc/{pid}/task")


def run_time(pids):
    """Seconds of CPU that the scheduler has charged to these processes."""
    total = 0
    for pid in pids:
        for task in tasks(pid):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total / 1e9


def cpu_busy(cpu):
    """Seconds that this CPU was not idle, stolen time included."""
    with open("/proc/stat") as f:
        for line in f:
            fields = line.split()
            if fields[0] == f"cpu{cpu}":
                user, nice, system, _, _, irq, softirq, steal = map(int, fields[1:9])
                return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    raise BenchError(f"no CPU {cpu}")


def private_memory(pids):
    """Bytes that belong to these processes alone, and their proportional share of the rest."""
    private = pss = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            for line in f:
                fields = line.split()
                if fields[0] in ("Private_Clean:", "Private_Dirty:"):
                    private += int(fields[1]) * 1024
                elif fields[0] == "Pss:":
                    pss += int(fields[1]) * 1024
    return private, pss
