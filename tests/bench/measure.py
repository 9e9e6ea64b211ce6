"""measure.py - one measurement of each kind; run.py decides which, how often, in which order.

Whatever went wrong during a measurement (a wrong answer, a closed connection, a dead process)
raises BenchError: a figure is either clean or absent.
"""
import glob
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time

from processes import BenchError, Child, cpu_busy, private_memory, run_time, tasks

CALLGRIND_COUNTS = (2000, 6000)
STRACE_REQUESTS = 10000


class Bench:
    """What all measurements share: paths, CPUs, limits, the temporary directory, the servers."""

    def __init__(self, options, directory, files_max):
        self.lbd, self.tools, self.nice = options.lbd, options.tools, options.nice
        self.proxy_cpu, self.load_cpu = options.cpus
        self.seconds, self.warm_up = options.seconds, options.warm_up
        self.directory = directory
        self.files_max = files_max
        self.connections_max = files_max // 2 - 400
        self.idle_connections = min(9000, self.connections_max - 100)
        self.backend = None
        self.http2_backend = None
        self.servers = []
        self.pem = None

    def tool(self, name):
        return os.path.join(self.tools, name)

    def directory_for(self, name):
        return tempfile.mkdtemp(prefix=name.replace(" ", "") + "-", dir=self.directory)

    def certificate(self):
        """A file with a certificate for P-256 and its key, the same for all."""
        if not self.pem:
            self.pem = os.path.join(self.directory, "bench.pem")
            key = os.path.join(self.directory, "bench.key")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-subj", "/CN=bench", "-addext", "subjectAltName=DNS:bench,DNS:www.example.com,IP:127.0.0.1",
                            "-days", "2", "-keyout", key, "-out", self.pem], check=True, capture_output=True)
            with open(key) as f, open(self.pem, "a") as pem:
                pem.write(f.read())
            os.chmod(self.pem, 0o644)
        return self.pem

    def start_backend(self, first, count, port):
        """One process that listens on `count` addresses from `first` upwards."""
        argv = [self.tool("backend"), f"{first}:{port}/{count}"]
        log = os.path.join(self.directory, "backend")
        self.backend = Child(argv, self.load_cpu, log, self.nice, stdout=subprocess.PIPE)
        if self.backend.popen.stdout.readline() != b"ready\n":
            self.backend.fail("does not listen")
        net, middle, low = first.rsplit(".", 2)
        base = int(middle) * 256 + int(low)
        self.servers = [f"{net}.{n >> 8}.{n & 255}:{port}" for n in range(base, base + count)]

    def http2_servers(self, make):
        """The address of one that make(bench) starts when the first asks for it."""
        if not self.http2_backend:
            self.http2_backend = make(self)
        return [self.http2_backend.address]

    def check_backend(self):
        if not self.backend.running():
            status = self.backend.popen.returncode
            raise SystemExit(f"bench: the servers ended with status {status}: "
                             f"{self.backend.log_tail()}")


def clean(result):
    """Raises unless every answer was right and every connection stayed open."""
    errors = {kind: n for kind, n in result["errors"].items() if n}
    if errors:
        raise BenchError("wrong answers: " + ", ".join(f"{n} x {k}" for k, n in errors.items()))
    if result["stuck"]:
        raise BenchError("no answer for five seconds")
    if not result["requests"]:
        raise BenchError("no answer in the window")
    if result["reopened"]:
        raise BenchError(f"{result['reopened']} kept-alive connections were closed by the proxy")
    return result


def clean_handshakes(result, resumed):
    """All full, or all resumed but those before the first ticket."""
    n, full = result["handshakes"], result["handshakes"] - result["resumed"]
    if (full > 0.02 * n + 64) if resumed else (full < n):
        raise BenchError(f"{result['resumed']} of {n} handshakes were resumed")
    return result


def start_load(bench, address, arguments, accounts=(), **popen):
    argv = [bench.tool("load"), *arguments]
    for name, pids in accounts:
        argv += ["-a", f"{name}={','.join(map(str, pids))}"]
    log = os.path.join(bench.directory, "load")
    return Child(argv + [address], bench.load_cpu, log, bench.nice, stdout=subprocess.PIPE, **popen)


def load(bench, address, arguments, accounts=(), timeout=120):
    child = start_load(bench, address, arguments, accounts)
    try:
        out, _ = child.popen.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.fail(f"no end after {timeout} s")
    if not out:
        child.fail("no result")
    child.stop()
    bench.check_backend()
    return clean_handshakes(clean(json.loads(out)), "-S" in arguments)


def cookie(proxy, sent=None):
    """What the proxy sets, "NAME=VALUE", in an answer to a request with that cookie; None: nothing."""
    connection = http.client.HTTPConnection(proxy.address(), timeout=5)
    try:
        connection.request("GET", "/128", headers={"Cookie": sent} if sent else {})
        set_cookie = connection.getresponse().getheader("Set-Cookie")
    finally:
        connection.close()
    return set_cookie and set_cookie.split(";")[0]


# ---- HTTP/2: its load comes from h2load, whose runs have a beginning and an end but no window ----

H2LOAD = ["-t", "1", "-c", "16", "-m", "32"]
H2LOAD_RATE = 30000                         # requests/s or so, to tell it how many


def h2load(bench, proxy, requests):
    """How many seconds they took, all answered rightly."""
    argv = ["h2load", *H2LOAD, "-n", str(requests), f"https://{proxy.address()}/128"]
    child = Child(argv, bench.load_cpu, os.path.join(bench.directory, "h2load"), bench.nice, stdout=subprocess.PIPE)
    try:
        out = child.popen.communicate(timeout=120)[0].decode()
    except subprocess.TimeoutExpired:
        child.fail("no end after 120 s")
    child.stop()
    bench.check_backend()
    wanted = f"{requests} done, {requests} succeeded, 0 failed, 0 errored, 0 timeout"
    if wanted not in out or f"{requests} 2xx" not in out or "protocol: h2\n" not in out:
        raise BenchError(f"h2load: {out[-600:]}")
    found = re.search(r"finished in ([\d.]+)(m?)s", out)
    return float(found.group(1)) / (1000 if found.group(2) else 1)


def h2_throughput(bench, proxy):
    """CPU per request over whole runs, the 16 handshakes among them."""
    requests = int(H2LOAD_RATE * bench.seconds)
    pids = proxy.pids()
    h2load(bench, proxy, int(H2LOAD_RATE * bench.warm_up))
    before, busy, started = run_time(pids), cpu_busy(bench.proxy_cpu), time.monotonic()
    load_busy = cpu_busy(bench.load_cpu)
    seconds = h2load(bench, proxy, requests)
    spent, took = run_time(pids) - before, time.monotonic() - started
    return {
        "cpu_us": spent / requests * 1e6,
        "rps": requests / seconds,
        "util": spent / seconds,
        "rest": (cpu_busy(bench.load_cpu) - load_busy) / took,
        "foreign": max(0.0, (cpu_busy(bench.proxy_cpu) - busy - spent) / took),
    }


def throughput(bench, proxy, arguments):
    """A closed loop: CPU per request of the proxy, and what the clients saw."""
    pids = proxy.pids()
    accounts = [("proxy", pids), ("rest", [0, bench.backend.popen.pid])]    # 0: the load itself
    window = ["-w", str(bench.warm_up), "-d", str(bench.seconds)]
    busy = cpu_busy(bench.proxy_cpu) - run_time(pids)
    started = time.monotonic()
    r = load(bench, proxy.address(), [*window, *arguments], accounts)
    foreign = (cpu_busy(bench.proxy_cpu) - run_time(pids) - busy) / (time.monotonic() - started)
    return {
        "cpu_us": r["cpu_s"]["proxy"] / r["requests"] * 1e6,
        "rps": r["rps"],
        "p50_us": r["latency_us"]["p50"],
        "p99_us": r["latency_us"]["p99"],
        "p999_us": r["latency_us"]["p999"],
        "util": r["cpu_s"]["proxy"] / r["seconds"],
        "rest": r["cpu_s"]["rest"] / r["seconds"],
        "foreign": max(0.0, foreign),
    }


def latency(bench, address, rate, connections):
    """An open loop at a fixed rate: microseconds from when a request was due to its answer."""
    window = ["-w", str(bench.warm_up), "-d", str(bench.seconds)]
    r = load(bench, address, [*window, "-R", str(rate), "-n", str(connections)])
    if r["rps"] < 0.95 * rate:
        raise BenchError(f"only {r['rps']:.0f} of {rate} requests per second")
    return {"p50_us": r["latency_us"]["p50"], "p99_us": r["latency_us"]["p99"]}


def attacked(bench, proxy, name, rate, connections):
    """The same while somebody else attacks, with what the load leaves of its CPU."""
    argv = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "attack.py"), name, proxy.address()]
    child = Child(argv, bench.load_cpu, os.path.join(bench.directory, "attack"), 19)
    try:
        r = latency(bench, proxy.address(), rate, connections)
        if not child.running():
            child.fail("ended")
        return r
    finally:
        child.stop()


def parse_strace(text):
    """Calls by name from the table of `strace -c`."""
    calls = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 5 and re.fullmatch(r"[\d.]+", fields[0]) and fields[-1] != "total":
            calls[fields[-1]] = int(fields[3])
    return calls


def wait_attached(child, n):
    """strace says so on stderr, process by process."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and child.running():
        with open(child.log) as f:
            found = re.findall(r"Process \d+ attached(?: with (\d+) threads)?", f.read())
        if sum(int(threads or 1) for threads in found) >= n:
            return
        time.sleep(0.02)
    child.fail("cannot attach")


def system_calls(bench, proxy, drive, requests):
    """
    Calls per request by name: clients' connections spread over the run that drive(requests) makes, those to
    servers open before.
    """
    drive(requests // 4)
    pids = proxy.pids()
    out = os.path.join(proxy.directory, "strace.out")
    argv = ["strace", "-c", "-f", "-o", out]
    for pid in pids:
        argv += ["-p", str(pid)]
    log = os.path.join(proxy.directory, f"strace-{time.monotonic_ns()}")
    strace = Child(argv, bench.proxy_cpu, log)
    wait_attached(strace, sum(len(tasks(pid)) for pid in pids))
    drive(requests)
    strace.stop(signal.SIGINT, 30)
    with open(out) as f:
        calls = parse_strace(f.read())
    if sum(calls.values()) < requests:
        raise BenchError("strace did not see the calls")
    return {name: n / requests for name, n in calls.items()}


def instructions_of_run(bench, make_proxy, arguments, requests):
    """User instructions of one whole life of a proxy, all its processes together."""
    proxy = make_proxy()
    out = os.path.join(proxy.directory, "callgrind")
    proxy.start(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}.%p"])
    load(bench, proxy.address(), ["-r", str(requests), *arguments], timeout=300)
    if proxy.stop() is None:
        raise BenchError("did not end after SIGTERM, so callgrind has no total")
    total = 0
    for path in glob.glob(out + ".*"):
        with open(path) as f:
            found = re.findall(r"^(?:totals|summary): (\d+)", f.read(), re.M)
        total += int(found[-1]) if found else 0
    return total


def instructions(bench, make_proxy, arguments):
    """User instructions per request: a difference of two counts, so that the start cancels out."""
    few, many = (instructions_of_run(bench, make_proxy, arguments, n) for n in CALLGRIND_COUNTS)
    return (many - few) / (CALLGRIND_COUNTS[1] - CALLGRIND_COUNTS[0])


def idle_memory(bench, proxy, n, options=()):
    """Bytes for each of n idle client connections after one request, in a proxy that has seen traffic."""
    load(bench, proxy.address(), ["-r", "5000", "-n", "64", *options])
    time.sleep(0.3)
    before = private_memory(proxy.pids())
    child = start_load(bench, proxy.address(), ["-i", "-n", str(n), *options], stdin=subprocess.PIPE)
    line = child.popen.stdout.readline()
    if not line:
        child.fail("no result")
    clean(json.loads(line))
    time.sleep(0.3)
    after = private_memory(proxy.pids())
    out, _ = child.popen.communicate(timeout=30)
    child.stop()
    closed = json.loads(out)["closed"]
    if closed:
        raise BenchError(f"closed {closed} of {n} idle connections")
    return {"private": (after[0] - before[0]) / n, "pss": (after[1] - before[1]) / n,
            "base": before[0]}
