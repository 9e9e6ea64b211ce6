#!/usr/bin/python3
"""Run everything that `make test` built, say what came of it, and fail when anything failed or nothing ran.

Unit binaries run side by side; each case that cmocka reports counts.  A fuzz harness replays its corpus and
counts once, as does a golden script; the integration suite counts what its last line says.  A suite in
which nothing ran is a failure.  The very last line is `N passed, N failed`.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).resolve().parent.parent
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
UNIT_SECONDS = 300
REPLAY_SECONDS = 300
GOLDEN_SECONDS = 300
INTEGRATION_SECONDS = 1500
SIMULATION_SECONDS = 600
SCHEDULES, SANITIZER_SCHEDULES = 100_000, 10_000
FAILOVER_SECONDS = 900
# Not for the thread sanitizer: what happens there happens in one thread at a time, or (demo) in the suite failover.
NO_THREADS = {name + "_test.py" for name in (
    "strictness", "demo", "services", "grpc", "interim", "pipelining", "deadlines", "route", "error_pages",
    "h2_attacks", "h2_server_websocket", "tls_redirect", "tls_host", "tls_ocsp")}
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/thread.supp",
}


class Outcome:
    """What one program did: counts, and its output if somebody should read it."""

    def __init__(self, name, passed, failed, skipped=0, output=""):
        self.name, self.passed, self.failed, self.skipped = name, passed, failed, skipped
        self.output = output


def run(command, seconds, show=False):
    """Exit status (None: out of time) and everything that was printed; `show` prints it meanwhile as well."""
    env = {**SANITIZER_ENV, **os.environ}
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, text=True,
                                   errors="replace", stdout=subprocess.PIPE if show else log,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            if show:
                return follow(process, seconds)
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            end_session(process)
        log.seek(0)
        return status, log.read()


def follow(process, seconds):
    """Print what is not well as it comes.  The suite has time limits of its own; ours ends what hangs altogether."""
    watchdog = Timer(seconds, end_session, [process])
    watchdog.start()
    lines = []
    for line in process.stdout:
        lines.append(line)
        if os.environ.get("V") or not line.startswith("ok "):
            print("  " + line, end="", flush=True)
    status = process.wait()
    late = watchdog.finished.is_set()
    watchdog.cancel()
    return None if late else status, "".join(lines)


def end_session(process):
    """Nothing that a test started outlives it."""
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        pass
    process.wait()


def why(status, seconds):
    if status is None:
        return f"\n*** not finished after {seconds} s\n"
    if status < 0:
        return f"\n*** killed by signal {-status}\n"
    return f"\n*** exit status {status}\n"


def unit(binary):
    """cmocka's marks count cases; a crash in the middle is a failure of the case that was running."""
    status, text = run([binary], UNIT_SECONDS)
    passed = len(re.findall(r"^\[       OK \]", text, re.M))
    failed, skipped = (sum(int(n) for n in re.findall(rf"^\[  {mark}\] (\d+) test\(s\), listed below", text, re.M))
                       for mark in ("FAILED  ", "SKIPPED "))
    if status != 0 and failed == 0:
        failed = 1
    if passed + failed + skipped == 0:
        failed, text = 1, text + "\n*** no test ran\n"
    if failed:
        text += why(status, UNIT_SECONDS)
    return Outcome(binary.name, passed, failed, skipped, text)


def replay(binary):
    corpus = ROOT / "tests/fuzz/corpus" / binary.name.removeprefix("fuzz_")
    inputs = sorted(p for p in corpus.glob("*") if p.is_file()) if corpus.is_dir() else []
    name = f"{binary.name} ({len(inputs)} inputs)"
    if not inputs:
        return Outcome(name, 0, 1, output=f"no corpus in {corpus.relative_to(ROOT)}\n")
    status, text = run([binary, *inputs], REPLAY_SECONDS)
    if status == 0:
        return Outcome(name, 1, 0)
    return Outcome(name, 0, 1, output=text + why(status, REPLAY_SECONDS))


def summed(name, command, seconds):
    """A program that sums up for itself.  An exit status that contradicts its sum is a failure."""
    status, text = run(command, seconds, show=True)
    sums = SUMMARY.findall(text)
    passed, failed, skipped = (int(n or 0) for n in sums[-1]) if sums else (0, 0, 0)
    if (status == 0) != (failed == 0) or not sums:
        failed = max(failed, 1)
        print(why(status, seconds) + ("" if sums else "*** no sum at its end"))
    return Outcome(name, passed, failed, skipped)


def judged(name, command, seconds):
    """A program that ends with 0 when all is well, and says on its last line what it looked at."""
    status, text = run(command, seconds)
    if status == 0:
        return Outcome(f"{name} ({text.strip().rpartition(chr(10))[2]})", 1, 0)
    return Outcome(name, 0, 1, output=text + why(status, seconds))


def in_parallel(function, items, at_a_time=os.cpu_count()):
    with ThreadPoolExecutor(at_a_time) as pool:
        yield from pool.map(function, items)


def units(args):
    """Those of edges and threads wait more than they compute."""
    return in_parallel(unit, built(args.build / "unit", "test_*", ROOT / "tests/unit"), 2 * os.cpu_count())


def replays(args):
    return in_parallel(replay, built(args.build / "fuzz", "fuzz_*", ROOT / "tests/fuzz"))


def golden(args):
    """Documents and schema of each daemon against the daemon itself."""
    scripts = [(script, args.build / "bin" / daemon)
               for folder, daemon in (("golden", "lbd"), ("golden_ha", "hafailover"))
               for script in sorted((ROOT / "tests" / folder).glob("*.py")) if (args.build / "bin" / daemon).exists()]

    def check(pair):
        script, daemon = pair
        return judged(f"{script.parent.name}/{script.name}", [sys.executable, script, daemon], GOLDEN_SECONDS)
    return in_parallel(check, scripts)


def integration(args):
    os.environ.update(LBD=str(args.build / "bin/lbd"), SAN=args.san)
    folder = ROOT / "tests/integration"
    names = args.integration_args
    if args.san == "thread" and not names:
        names = [path.name.removesuffix("_test.py") + "." for path in sorted(folder.glob("*_test.py"))
                 if path.name not in NO_THREADS]
    yield summed("tests/integration", [sys.executable, folder / "run.py", *names], INTEGRATION_SECONDS)


def simulation(args):
    """hafailover's election under a simulated clock and faulty network, with a share of the schedules for each CPU."""
    share = -(-(SANITIZER_SCHEDULES if args.san else SCHEDULES) // os.cpu_count())

    def schedules(first):
        name = f"schedules {first} to {first + share - 1}"
        command = [args.build / "simulation/simulation", "--seed", str(first), "--schedules", str(share)]
        status, text = run(command, SIMULATION_SECONDS)
        if status == 0 and text.startswith(f"{share} schedules in "):
            return Outcome(name, 1, 0)
        return Outcome(name, 0, 1, output=text + why(status, SIMULATION_SECONDS))
    return in_parallel(schedules, range(1, 1 + share * os.cpu_count(), share))


def integration_ha(args):
    os.environ.update(STATION=str(args.build / "integration_ha/station"), SAN=args.san)
    yield summed("tests/integration_ha", [sys.executable, ROOT / "tests/integration_ha/run.py"], INTEGRATION_SECONDS)


def failover(args):
    """A real pair in network namespaces, and what may happen to it."""
    os.environ["SAN"] = args.san
    command = [sys.executable, ROOT / "tests/failover/run.py", "--check", "--build", args.build]
    if args.san == "thread":
        command += ["--scenario", THREAD_SCENARIOS]
    yield summed("tests/failover", command, FAILOVER_SECONDS)


def built(folder, pattern, sources):
    """Only what still has a source: an old object tree may hold tests that are gone."""
    return sorted(p for p in folder.glob(pattern) if p.is_file() and (sources / f"{p.name}.c").exists())


SUITES = {"unit": units, "corpus": replays, "golden": golden, "integration": integration,
          "simulation": simulation, "integration_ha": integration_ha, "failover": failover}
THREAD_SUITES = ("unit", "integration", "failover")
HA_SUITES = ("simulation", "integration_ha", "failover")
THREAD_SCENARIOS = "a,a2,e,f,i,l,j"  # lbd's threads live through these; hafailover has only one


def suites_of(args):
    if args.only:
        return args.only.split(",")
    if args.san == "thread":
        return THREAD_SUITES
    has_hafailover = (args.build / "bin/hafailover").exists()
    return [name for name in SUITES if has_hafailover or name not in HA_SUITES]


def run_suite(name, args):
    print(f"== {name}", flush=True)
    total, start = Outcome(name, 0, 0), time.monotonic()
    for outcome in SUITES[name](args):
        if outcome.failed and outcome.output:
            print(f"---- {outcome.name}\n{outcome.output}----")
        skipped = f", {outcome.skipped} SKIPPED" if outcome.skipped else ""
        verdict = f"{outcome.failed} FAILED, " if outcome.failed else ""
        print(f"  {outcome.name:<36} {verdict}{outcome.passed} passed{skipped}", flush=True)
        total.passed += outcome.passed
        total.failed += outcome.failed
        total.skipped += outcome.skipped
    total.seconds = time.monotonic() - start
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=lambda p: (ROOT / p).resolve(), default=ROOT / "build")
    parser.add_argument("--san", default="", help="the sanitizers that this build has")
    parser.add_argument("--only", help="suites, comma-separated: " + ",".join(SUITES))
    parser.add_argument("integration_args", nargs="*", help="for tests/integration/run.py")
    args = parser.parse_args()

    start = time.monotonic()
    totals = [run_suite(name, args) for name in suites_of(args)]

    print(f"== {args.build.name}: {time.monotonic() - start:.0f} s")
    for total in totals:
        skipped = f"   {total.skipped} SKIPPED" if total.skipped else ""
        print(f"  {total.name:<12} {total.passed:5} passed {total.failed:5} failed{total.seconds:6.0f} s{skipped}")
        if total.passed + total.failed == 0:
            print(f"  {total.name:<12} *** nothing ran")
            total.failed = 1
    passed, failed = sum(t.passed for t in totals), sum(t.failed for t in totals)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
