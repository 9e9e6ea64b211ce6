#!/usr/bin/python3
"""Runs the tests of hafailover that need network namespaces: each test_* of every *_test.py, in a process of its own.

    run.py [-n TIMES] [NAME...]

NAME selects by a part of `file.function`.  One after the other, since they measure times; what was measured is
printed.  Without namespaces everything is skipped, loudly.  The last line is `N passed, N failed[, N skipped]`.
"""

import argparse
import glob
import importlib
import os
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 60
CLEANUP_SECONDS = 20
PASSED, FAILED, SKIPPED = 0, 1, 77


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
    signal.alarm(getattr(function, "seconds", SECONDS))
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


def run(name, function):
    start = time.monotonic()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = child(function)
        sys.stdout.flush()
        os._exit(status)
    _, status = os.waitpid(pid, 0)
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        print(f"     not finished after {getattr(function, 'seconds', SECONDS)} s")
    word = {PASSED: "ok  ", SKIPPED: "SKIP"}.get(code, "FAIL")
    print(f"{word} {name}  ({time.monotonic() - start:.1f} s)", flush=True)
    return code


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
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
    codes = [(name, run(name, f)) for name, f in chosen for _ in range(args.n)]
    failed = [name for name, code in codes if code not in (PASSED, SKIPPED)]
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
