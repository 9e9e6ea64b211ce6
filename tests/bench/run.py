#!/usr/bin/python3
"""run.py - what does a request cost in lbd, HAProxy, nginx and a proxy without features?

All proxies run in one session, alternately, round by round, one worker each on one CPU, with the
load generator and the servers on another.  Absolute figures move with the machine; ratios inside a
round do not, so verdicts are ratios.  `make bench` runs this; docs/benchmark.md has the method, how
to read the tables, and the limits.

Exit status: 0 bars reached or nothing to judge, 1 a bar missed or a measurement failed, 2 usage.
"""
import argparse
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import attack
import measure
import report
from processes import BenchError, free_port, stop_all
from proxies import PEERS, Setup, Http2Server, is_floor, kind_of
from report import Verdict, median, number, spread

RATE = 5000
ATTACKED = (1000, 16)                       # requests/s and connections of those who mean no harm
BARS = {"attacked": 2.0, "instructions": 8000, "memory": 0.8 * 1024, "tlsmemory": 14 * 1024, "servers": 1.10,
        "routes": 1.20, "many": 0.80, "limited": 500}
NEVER_REACHED = 100000                      # requests/s of one client
TLS_CONNECTIONS = 3000                      # idle ones: the load generator pays for them, too


class Load:
    """A closed-loop scenario; `bar` is the ratio of CPU per request, lbd to the better peer."""

    def __init__(self, name, title, arguments, bar, floor=True, traced=measure.STRACE_REQUESTS, calls=None):
        self.name, self.title, self.arguments, self.bar = name, title, arguments.split(), bar
        self.tls = "-T" in self.arguments
        self.floor = floor and not self.tls  # whether the floor proxy can do this at all
        self.traced = traced                # requests under strace; 0: not traced
        self.calls = calls                  # the bar of system calls per request

    def setup(self, bench):
        return Setup(bench.servers[:4], tls=self.tls)

    def serves(self, name):
        return self.floor or not is_floor(name)

    def measure(self, bench, proxy, more):
        return measure.throughput(bench, proxy, self.arguments + more)

    def drive(self, bench, proxy, requests):
        measure.load(bench, proxy.address(), ["-r", str(requests), *self.arguments])


class H2Load(Load):
    """The same with HTTP/2."""

    def __init__(self, name, title, bar, calls):
        super().__init__(name, title, "-T", bar, calls=calls)

    def measure(self, bench, proxy, more):
        return measure.h2_throughput(bench, proxy)

    def drive(self, bench, proxy, requests):
        measure.h2load(bench, proxy, requests)


class H2PoolLoad(Load):
    """HTTP/2 to the servers, which nginx does not speak."""

    def setup(self, bench):
        return Setup(bench.http2_servers(Http2Server), http2=True)

    def serves(self, name):
        return name in ("lbd", "haproxy")


class TcpLoad(Load):
    """Connections that are passed on as they are."""

    def setup(self, bench):
        return Setup(bench.servers[:4], tcp=True)

    def serves(self, name):
        return name in ("lbd", "haproxy") or is_floor(name)


class LimitedLoad(Load):
    """A rate limit that is looked at and never reached."""

    def setup(self, bench):
        return Setup(bench.servers[:4], rate=NEVER_REACHED)

    def serves(self, name):
        return name in ("lbd", "haproxy")


class StickyLoad(Load):
    """All clients have the cookie of one server, between two others."""

    def setup(self, bench):
        return Setup(bench.servers[:4], cookie="SRV")

    def serves(self, name):
        return name in ("lbd", "haproxy")

    def measure(self, bench, proxy, more):
        cookie = measure.cookie(proxy)
        if not cookie or measure.cookie(proxy, cookie):
            raise BenchError(f"is not sticky: {cookie}")
        return super().measure(bench, proxy, ["-C", f"theme=dark; {cookie}; consent=yes", *more])


LOADS = [
    Load("small64", "128 B answers, kept alive, 64 connections", "-n 64", 0.80, calls=4.2),
    Load("small1000", "128 B answers, kept alive, 1000 connections", "-n 1000", 0.70,
         traced=0),
    Load("close", "128 B answers, a new connection per request, 64 at a time", "-n 64 -x", 0.85,
         floor=False),
    Load("b16k", "16 KiB answers", "-n 64 -p /16k -l 16384", 0.85),
    Load("post16k", "16 KiB uploads", "-n 64 -b 16384", 0.95),
    Load("b1m", "1 MiB answers", "-n 64 -p /1m -l 1048576", 0.90, traced=1000),
    Load("chunked16k", "16 KiB answers in four chunks", "-n 64 -p /chunked16k -l 16384", 0.85),
    Load("tls", "HTTPS, 128 B answers, kept alive, 64 connections", "-n 64 -T", 0.75, calls=4.4),
    Load("tlsfull", "HTTPS, a full handshake per request, 16 at a time", "-n 16 -x -T", 0.90, traced=1000),
    Load("tlsres", "HTTPS, a resumed session per request, 16 at a time", "-n 16 -x -T -S", 1.0, traced=1000),
    H2Load("h2", "HTTP/2 over TLS, 128 B answers, 16 connections of 32 streams", 0.85, calls=2.2),
    TcpLoad("tcp64", "TCP mode, 128 B and answers of that size, 64 connections", "-n 64", 1.05),
    TcpLoad("tcpclose", "TCP mode, 128 B answers, a new connection per request, 64 at a time", "-n 64 -x", 1.05),
    TcpLoad("tcp1m", "TCP mode, 1 MiB answers", "-n 64 -p /1m -l 1048576", 0.80, traced=1000),
    StickyLoad("sticky", "128 B answers, kept alive, 64 connections; stickiness by cookie", "-n 64", 0.80, traced=0),
    LimitedLoad("limited", "128 B answers, kept alive, 64 connections; a rate limit by client", "-n 64", 0.80,
                traced=0),
    H2PoolLoad("h2pool", "128 B answers, kept alive, 64 connections; HTTP/2 to the servers", "-n 64", 0.85, calls=2.3),
]
LOAD = {load.name: load for load in LOADS}
FEW_AND_MANY = (4, 1000)
FEW_AND_MANY_HOSTS = (10, 10000)
BALANCED = ("round_robin", "least_connections")
SCENARIOS = [*LOAD, "servers", "routes", "latency", "memory", "tlsmemory", "attacked", "calls", "instructions"]


class Run:
    """One invocation: what runs, what was found."""

    def __init__(self, bench, options):
        self.bench, self.rounds = bench, options.rounds
        self.proxies = options.proxies
        self.browser = ["-B"] if options.browser else []
        self.results, self.verdicts, self.failures = {}, [], []

    def fail(self, scenario, name, error):
        self.failures.append(f"{scenario}, {name}: {error}")
        print(f"  FAILED  {name}: {error}")

    def few(self, n=4):
        return Setup(self.bench.servers[:n])

    def order(self, names, r):
        """Another one first in every round, and every other round backwards."""
        first = r % max(1, len(names))
        turned = names[first:] + names[:first]
        return turned[::-1] if r % 2 else turned

    def alternate(self, scenario, setups, measurement):
        """{key: {round: sample}} from {key: (proxy name, Setup)}; all start before round 1."""
        running, samples = {}, {}
        try:
            for key, (name, setup) in setups.items():
                try:
                    proxy = kind_of(name)(name, self.bench, setup)
                    proxy.start()
                    running[key] = proxy
                    samples[key] = {}
                except BenchError as e:
                    self.fail(scenario, key, e)
            for r in range(self.rounds):
                for key in self.order(list(running), r):
                    try:
                        samples[key][r] = measurement(running[key])
                    except BenchError as e:
                        self.fail(scenario, f"{key}, round {r + 1}", e)
                        running.pop(key).stop()
        finally:
            for proxy in running.values():
                proxy.stop()
        samples = {key: rounds for key, rounds in samples.items() if rounds}
        self.results[scenario] = samples
        return samples

    def judge_ratio(self, scenario, what, samples, key, bar):
        peer = report.better_of(samples, PEERS, key)
        values = report.ratios(samples, "lbd", peer, key) if peer else []
        if values:
            low, mid, high = report.quartiles(values)
            self.verdicts.append(Verdict(scenario, what, mid, bar, (low, high), peer))

    # ---- the scenarios ----

    def load(self, load):
        names = [p for p in self.proxies if load.serves(p)]
        samples = self.alternate(load.name, {n: (n, load.setup(self.bench)) for n in names},
                                 lambda proxy: load.measure(self.bench, proxy, self.browser))
        if not samples:
            return
        report.throughput_table(samples)
        report.ratio_lines(samples, report.better_of(samples, PEERS, "cpu_us") or list(samples)[0])
        self.judge_ratio(load.name, "CPU per request", samples, "cpu_us", load.bar)

    def servers(self):
        few, many = FEW_AND_MANY
        floor = "floor -p"
        names = [p for p in self.proxies if not is_floor(p)]
        names += [floor] if any(map(is_floor, self.proxies)) else []
        for algorithm in BALANCED:
            setups = {f"{p} {n}": (p, Setup(self.bench.servers[:n], algorithm))
                      for p in names for n in (few, many)}
            print(f"  {algorithm}")
            samples = self.alternate(f"servers {algorithm}", setups, self.many_servers)
            if samples:
                report.throughput_table(samples)
            growth = {p: report.by_round(samples, f"{p} {many}", f"{p} {few}", "cpu_us") for p in names}
            for p in names:
                if growth[p]:
                    low, mid, high = report.quartiles(growth[p].values())
                    print(f"    {p}: {many} servers / {few} servers: {mid:.2f} ({low:.2f}..{high:.2f})")
            self.judge_growth(f"{many}/{few}, {algorithm}", growth.get("lbd"), growth.get(floor))
            self.judge_many("servers", f"CPU per request, {many}, {algorithm}", samples, many)

    def judge_many(self, scenario, what, samples, many):
        """lbd beside HAProxy, both with many of something."""
        values = report.ratios(samples, f"lbd {many}", f"haproxy {many}", "cpu_us")
        if values:
            low, mid, high = report.quartiles(values)
            self.verdicts.append(Verdict(scenario, what, mid, BARS["many"], (low, high), "haproxy"))

    def judge_growth(self, what, growth, kernel):
        """The kernel makes a connection that was not used for a while dearer for everybody."""
        both = growth and kernel and [growth[r] / kernel[r] for r in growth.keys() & kernel.keys()]
        if both:
            low, mid, high = report.quartiles(both)
            self.verdicts.append(Verdict("servers", what, mid, BARS["servers"], (low, high),
                                         "itself and the floor"))

    def many_servers(self, proxy):
        """Connections to all servers are open before the window."""
        measure.load(self.bench, proxy.address(), ["-n", "64", "-r", "20000"])
        return measure.throughput(self.bench, proxy, ["-n", "64"])

    def routes(self):
        """Requests to all of the hosts by turns."""
        names = [p for p in self.proxies if p in ("lbd", "haproxy")]
        setups = {f"{p} {n}": (p, Setup(self.bench.servers[:4], hosts=n)) for p in names for n in FEW_AND_MANY_HOSTS}
        samples = self.alternate("routes", setups, lambda proxy: measure.throughput(
            self.bench, proxy, ["-n", "64", "-H", str(proxy.setup.hosts)]))
        if samples:
            report.throughput_table(samples)
        few, many = FEW_AND_MANY_HOSTS
        for p in names:
            growth = report.ratios(samples, f"{p} {many}", f"{p} {few}", "cpu_us")
            if not growth:
                continue
            low, mid, high = report.quartiles(growth)
            print(f"    {p}: {many} hosts / {few} hosts: {mid:.2f} ({low:.2f}..{high:.2f})")
            if p == "lbd":
                self.verdicts.append(Verdict("routes", f"{many}/{few} hosts", mid, BARS["routes"], (low, high), "itself"))
        self.judge_many("routes", f"CPU per request, {many} hosts", samples, many)

    def latency(self):
        direct = {}

        def added(proxy):
            base = measure.latency(self.bench, self.bench.servers[0], RATE, 64)
            through = measure.latency(self.bench, proxy.address(), RATE, 64)
            direct.setdefault("p50_us", []).append(base["p50_us"])
            direct.setdefault("p99_us", []).append(base["p99_us"])
            return {"p50_us": through["p50_us"], "p99_us": through["p99_us"],
                    "added_p50_us": through["p50_us"] - base["p50_us"],
                    "added_p99_us": through["p99_us"] - base["p99_us"]}

        samples = self.alternate("latency", {n: (n, self.few()) for n in self.proxies}, added)
        if not samples:
            return
        rows = [["(direct)", spread(direct["p50_us"]), spread(direct["p99_us"]), "", ""]]
        for name, rounds in samples.items():
            keys = ("p50_us", "p99_us", "added_p50_us", "added_p99_us")
            rows.append([name, *(spread([s[k] for s in rounds.values()]) for k in keys)])
        report.table(["proxy", "p50 us", "p99 us", "added p50 us", "added p99 us"], rows)
        peer = report.better_of(samples, PEERS, "added_p99_us")
        if peer and "lbd" in samples:
            mine = [s["added_p99_us"] for s in samples["lbd"].values()]
            bar = median([s["added_p99_us"] for s in samples[peer].values()])
            low, mid, high = report.quartiles(mine)
            self.verdicts.append(Verdict("latency", "added p99, us", mid, bar, (low, high), peer))

    def attacked(self):
        """Quiet and attacked in turn, lbd alone."""
        samples = {}
        proxy = kind_of("lbd")("lbd", self.bench, self.few())
        try:
            proxy.start()
            for name in attack.names() * self.rounds:
                quiet = measure.latency(self.bench, proxy.address(), *ATTACKED)
                p99 = (quiet["p99_us"], measure.attacked(self.bench, proxy, name, *ATTACKED)["p99_us"])
                samples.setdefault(name, []).append(p99)
        except BenchError as e:
            self.fail("attacked", "lbd", e)
        finally:
            if proxy.child:
                proxy.stop()
        self.results["attacked"] = samples
        rows = []
        for name, pairs in samples.items():
            low, mid, high = report.quartiles([attacked / quiet for quiet, attacked in pairs])
            rows.append([name, *map(spread, zip(*pairs)), f"{mid:.2f}"])
            self.verdicts.append(Verdict("attacked", f"p99, {name}", mid, BARS["attacked"], (low, high), "quiet"))
        report.table(["attack", "quiet p99 us", "attacked p99 us", "ratio"], rows)

    def memory(self):
        self.idle("memory", self.proxies, self.few(), self.bench.idle_connections)

    def tlsmemory(self):
        names = [p for p in self.proxies if not is_floor(p)]
        self.idle("tlsmemory", names, Setup(self.bench.servers[:4], tls=True), TLS_CONNECTIONS, ["-T"])

    def idle(self, scenario, names, setup, connections, options=()):
        samples = {}
        for name in names:
            proxy = kind_of(name)(name, self.bench, setup)
            try:
                proxy.start()
                samples[name] = measure.idle_memory(self.bench, proxy, connections, options)
            except BenchError as e:
                self.fail(scenario, name, e)
            finally:
                if proxy.child:
                    proxy.stop()
        self.results[scenario] = samples
        report.table(["proxy", "private KiB/connection", "Pss KiB/connection", "base MiB"],
                     [[n, f"{s['private'] / 1024:.2f}", f"{s['pss'] / 1024:.2f}",
                       f"{s['base'] / 2**20:.1f}"] for n, s in samples.items()])
        if "lbd" in samples:
            self.verdicts.append(Verdict(scenario, "private bytes/connection",
                                         samples["lbd"]["private"], BARS[scenario]))

    def calls(self):
        for load in [l for l in LOADS if l.traced]:
            scenario, samples = load.name, {}
            for name in [p for p in self.proxies if load.serves(p)]:
                proxy = kind_of(name)(name, self.bench, load.setup(self.bench))
                try:
                    proxy.start()
                    samples[name] = measure.system_calls(
                        self.bench, proxy, lambda n, p=proxy, l=load: l.drive(self.bench, p, n), load.traced)
                except BenchError as e:
                    self.fail("calls", f"{scenario}, {name}", e)
                finally:
                    if proxy.child:
                        proxy.stop()
            self.results[f"calls {scenario}"] = samples
            self.print_calls(scenario, samples)
            if load.calls and "lbd" in samples:
                self.verdicts.append(Verdict("calls", f"per request, {scenario}",
                                             sum(samples["lbd"].values()), load.calls))

    @staticmethod
    def print_calls(scenario, samples):
        for name, calls in samples.items():
            top = sorted(calls.items(), key=lambda c: -c[1])
            shown = " ".join(f"{call} {n:.2f}" for call, n in top if n >= 0.02)
            print(f"  {scenario:<11} {name:<10} {sum(calls.values()):6.2f}: {shown}")

    def instructions(self):
        samples = {}
        for name in self.proxies:
            self.count_instructions(samples, name, name, self.few())
        if "lbd" in samples:
            self.verdicts.append(Verdict("instructions", "user, per kept-alive request",
                                         samples["lbd"], BARS["instructions"]))
            for algorithm in BALANCED:
                self.instructions_of_many(samples, algorithm)
            self.instructions_of_routes(samples)
            self.instructions_of_limit(samples)
        self.results["instructions"] = samples
        report.table(["proxy", "user instructions per request"],
                     [[n, number(v)] for n, v in samples.items()])

    def count_instructions(self, samples, key, name, setup):
        arguments = LOAD["small64"].arguments + self.browser + (["-H", str(setup.hosts)] if setup.hosts else [])
        try:
            samples[key] = measure.instructions(
                self.bench, lambda: kind_of(name)(name, self.bench, setup), arguments)
        except BenchError as e:
            self.fail("instructions", key, e)

    def instructions_of_many(self, samples, algorithm):
        """The other half of `servers`: exact, but blind to caches."""
        counts = []
        for n in FEW_AND_MANY:
            key = f"lbd {algorithm} {n}"
            self.count_instructions(samples, key, "lbd", Setup(self.bench.servers[:n], algorithm))
            counts.append(samples.get(key))
        if all(counts):
            self.verdicts.append(Verdict("servers", f"instructions, {algorithm}",
                                         counts[1] / counts[0], BARS["servers"], against="itself"))

    def instructions_of_routes(self, samples):
        """The other half of `routes`."""
        counts = []
        for n in FEW_AND_MANY_HOSTS:
            key = f"lbd {n} hosts"
            self.count_instructions(samples, key, "lbd", Setup(self.bench.servers[:4], hosts=n))
            counts.append(samples.get(key))
        if all(counts):
            self.verdicts.append(Verdict("routes", "instructions", counts[1] / counts[0], BARS["routes"],
                                         against="itself"))

    def instructions_of_limit(self, samples):
        """What a limit costs that is never reached."""
        key = "lbd with a rate limit"
        self.count_instructions(samples, key, "lbd", Setup(self.bench.servers[:4], rate=NEVER_REACHED))
        if key in samples:
            self.verdicts.append(Verdict("limited", "instructions", samples[key] - samples["lbd"], BARS["limited"],
                                         against="without"))

    def scenario(self, name):
        titles = {
            "servers": "1000 servers against 4, 128 B answers, 64 connections, own cost",
            "routes": "10,000 hosts against 10, each a route, 128 B answers, 64 connections",
            "latency": f"added to a direct connection at {RATE} requests/s, open loop",
            "memory": f"{self.bench.idle_connections} idle connections after one request each",
            "tlsmemory": f"{TLS_CONNECTIONS} idle HTTPS connections after one request each",
            "attacked": f"p99 at {ATTACKED[0]} requests/s while four HTTP/2 connections attack lbd",
            "calls": "system calls per request (strace; connection set-up spread over the run)",
            "instructions": "user instructions per request, small64 (callgrind)",
        }
        if name in LOAD:
            print(f"\n{name}: {LOAD[name].title}")
            self.load(LOAD[name])
        else:
            print(f"\n{name}: {titles[name]}")
            getattr(self, name)()
        sys.stdout.flush()


# ---- the session ----

def first_line(argv):
    out = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = out.stdout.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "?"


def machine():
    """What a reader must know about the machine before believing a figure."""
    with open("/proc/cpuinfo") as f:
        models = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        congestion = f.read().strip()
    return {"cpu": models[0] if models else "?", "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "congestion_control": congestion, "load_average": os.getloadavg()[0],
            "haproxy": first_line(["haproxy", "-v"]) if shutil.which("haproxy") else None,
            "nginx": first_line(["nginx", "-v"]) if shutil.which("nginx") else None}


def print_head(m, options):
    print(f"{m['cpu']}, {m['cpus']} CPUs, kernel {m['kernel']}, "
          f"{m['congestion_control']}, loopback")
    print(f"{m['haproxy'] or 'no haproxy'}; {m['nginx'] or 'no nginx'}")
    print(f"proxies on CPU {options.cpus[0]}, load and servers on CPU {options.cpus[1]}; "
          f"{options.rounds} rounds of {options.seconds} s after {options.warm_up} s of warm-up")
    print("CPU us/req: run time of the proxy's threads, kernel work included; median (quartiles)\n"
          "util: share of its CPU that the proxy used; load util: of theirs, load and servers\n"
          "foreign: share of the proxy's CPU that others used; beyond 0.05 trust ratios only")
    if m["load_average"] > 0.5:
        print(f"NOTE: the machine is not quiet (load average {m['load_average']:.1f})")


def present(bench, names):
    """Those that can run; the others are named loudly."""
    found = []
    for name in names:
        why = kind_of(name).missing(bench)
        if why:
            print(f"SKIPPED: {name}: {why}")
        else:
            found.append(name)
    return found


def run_all(options, directory):
    files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    bench = measure.Bench(options, directory, min(files_max, 65536))
    info = machine()
    print_head(info, options)
    options.proxies = present(bench, options.proxies)
    if not options.proxies:
        raise BenchError("no proxy to run")
    bench.start_backend("127.1.0.1", 1000, free_port("127.1.0.1"))
    run = Run(bench, options)
    for name in options.scenarios:
        run.scenario(name)
    report.summary(run.verdicts, run.failures)
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"machine": info, "results": run.results, "failures": run.failures,
                       "verdicts": [v.as_json() for v in run.verdicts]}, f, indent=1)
    return 1 if run.failures or not all(v.passed() for v in run.verdicts) else 0


def names(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_options():
    p = argparse.ArgumentParser(description="lbd against HAProxy, nginx and a bare proxy")
    p.add_argument("--scenario", type=names, dest="scenarios", default=SCENARIOS,
                   help="some of: " + ", ".join(SCENARIOS))
    p.add_argument("--proxies", type=names, default=["lbd", "haproxy", "nginx", "floor"],
                   help='comma-separated; "floor -b 262144" is the floor with options of floor.c')
    p.add_argument("--rounds", type=int, help="of each scenario (7)")
    p.add_argument("--seconds", type=float, help="of each measurement (1.0)")
    p.add_argument("--quick", action="store_true", help="3 rounds of 0.4 s: to see that it works")
    p.add_argument("--build", default="build", help="object tree with bin/lbd and bench/")
    p.add_argument("--lbd", metavar="PATH", help="another binary under test")
    p.add_argument("--cpus", default="0,1", help="CPU of the proxy, CPU of load and servers")
    p.add_argument("--browser", action="store_true", help="requests with ten more fields")
    p.add_argument("--nice", type=int, default=0, help="niceness of all children (negative: root)")
    p.add_argument("--json", metavar="FILE", help="write everything measured")
    options = p.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (0.4 if options.quick else 1.0)
    options.warm_up = 0.2 if options.quick else 0.4
    options.lbd = os.path.abspath(options.lbd or os.path.join(options.build, "bin/lbd"))
    options.tools = os.path.abspath(os.path.join(options.build, "bench"))
    options.cpus = [int(c) for c in names(options.cpus)]
    unknown = [s for s in options.scenarios if s not in SCENARIOS]
    if unknown:
        p.error(f"unknown scenario {', '.join(unknown)}; known: {', '.join(SCENARIOS)}")
    if len(options.cpus) != 2 or not set(options.cpus) <= os.sched_getaffinity(0):
        p.error(f"--cpus: two of {sorted(os.sched_getaffinity(0))} are needed")
    for tool in ("load", "backend"):
        if not os.access(os.path.join(options.tools, tool), os.X_OK):
            p.error(f"{options.tools}/{tool} is not built")
    return options


def main():
    options = parse_options()
    signal.signal(signal.SIGINT, signal.default_int_handler)    # also where a shell ignores it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.sched_setaffinity(0, {options.cpus[1]})
    directory = tempfile.mkdtemp(prefix="lbd-bench-")
    try:
        return run_all(options, directory)
    except BenchError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        stop_all()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
