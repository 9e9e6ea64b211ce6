#!/usr/bin/python3
"""Runs the tests of hafailover that need network namespaces: each test_* of every *_test.py, in a process of its own.

    run.py [-j N] [-n TIMES] [NAME...]

NAME selects by a part of `file.function`.  Several at a time, since they wait much and compute little; what a
test prints comes in one piece at its end.  A function may carry .seconds, its time limit (those that may take
longest start first), and .alone: it measures milliseconds, and runs when nothing else does.  What fails beside
others runs once more by itself: what passes then is named as flaky, and has passed.  Without namespaces everything
is skipped, loudly.  The last line is `N passed, N failed[, N skipped]`.
"""

import argparse
import glob
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 60
SLOWER = float(os.environ.get("SLOWER", "1"))  # as in network.py
CLEANUP_SECONDS = 20
AGAIN = 5  # tests that run once more; if there are more, it is not for want of quiet
PASSED, FAILED, SKIPPED = 0, 1, 77


def limit(function):
    return int(getattr(function, "seconds", SECONDS) * SLOWER)


def tests():
    for path in sorted(glob.glob(os.path.join(HERE, "*_test.py"))):
        module = os.path.basename(path)[:-3]
        loaded = importlib.import_module(module)
        for name, function in vars(loaded).items():
            if name.startswith("test_") and function.__module__ == module:
                yield module.removesuffix("_test") + "." + name.removeprefix("test_"), function


class Ended(BaseException):
    """Passes through what a test catches, and through its `with` blocks, which clean up."""


def end(number, _frame):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(CLEANUP_SECONDS)
    raise Ended("out of time" if number == signal.SIGALRM else "the runner has ended")


def child(function):
    network = importlib.import_module("network")
    os.setsid()
    network.LIBC.prctl(network.PR_SET_PDEATHSIG, signal.SIGTERM)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, end)
    signal.alarm(limit(function))
    try:
        network.become_root()
        function()
        return PASSED
    except network.Skip as e:
        print(f"     {e}")
        return SKIPPED
    except BaseException:  # noqa: BLE001 - every exception is a failed claim
        traceback.print_exc(file=sys.stdout)
        return FAILED


class Run:
    """A test that is running, in a process group of its own."""

    def __init__(self, name, function):
        self.name, self.function = name, function
        self.output = tempfile.TemporaryFile("w+", errors="replace")
        self.start = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(self.output.fileno(), 1)
            os.dup2(self.output.fileno(), 2)
            status = child(function)
            sys.stdout.flush()
            os._exit(status)

    def ended(self, status):
        """Says what came of it; nothing that it started outlives it."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        with self.output:
            self.output.seek(0)
            print(self.output.read(), end="")
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGALRM:
            print(f"     not finished after {limit(self.function)} s")
        word = {PASSED: "ok  ", SKIPPED: "SKIP"}.get(code, "FAIL")
        print(f"{word} {self.name}  ({time.monotonic() - self.start:.1f} s)", flush=True)
        return self.name, code


def run_all(chosen, at_a_time):
    """Forks from this thread only: a child gets its PDEATHSIG when the thread ends that made it."""
    waiting, running, codes = sorted(chosen, key=lambda test: -limit(test[1])), {}, []
    while waiting or running:
        while waiting and len(running) < at_a_time:
            started = Run(*waiting.pop(0))
            running[started.pid] = started
        pid, status = os.wait()
        codes.append(running.pop(pid).ended(status))
    return codes


def failures(codes):
    return [name for name, code in codes if code not in (PASSED, SKIPPED)]


def once_more(tests_run, codes):
    """What failed beside others, by itself."""
    failed = failures(codes)
    if not failed or len(failed) > AGAIN:
        return codes
    print("AGAIN, by themselves: " + " ".join(failed), flush=True)
    again = run_all([test for test in tests_run if test[0] in failed], 1)
    flaky = [name for name, code in again if code == PASSED]
    if flaky:
        print("*** flaky, passed by themselves: " + " ".join(flaky) + " ***")
    return [(name, code) for name, code in codes if name not in failed] + again


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-j", type=int, default=4, metavar="N", help="tests at a time (default 4)")
    parser.add_argument("-n", type=int, default=1, metavar="TIMES", help="run each so often")
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a test's name")
    args = parser.parse_args()
    sys.path.insert(0, HERE)
    sys.dont_write_bytecode = True
    binary = importlib.import_module("station").station_binary()
    if not os.path.exists(binary):
        print(f"no station at {binary}: run make, or set STATION\n0 passed, 1 failed")
        return 1
    chosen = [(name, f) for name, f in tests() if not args.names or any(n in name for n in args.names)]
    sys.stdout.flush()
    alone = [test for test in chosen if getattr(test[1], "alone", False)]
    together = [test for test in chosen if test not in alone]
    codes = once_more(together, run_all(together * args.n, max(1, args.j))) + run_all(alone * args.n, 1)
    failed = failures(codes)
    passed = sum(code == PASSED for _, code in codes)
    skipped = sum(code == SKIPPED for _, code in codes)
    if skipped:
        print(f"*** {skipped} SKIPPED: these claims were not shown here ***")
    if failed:
        print("failed: " + " ".join(failed))
    print(f"{passed} passed, {len(failed)} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not codes else 0


if __name__ == "__main__":
    sys.exit(main())
