#!/usr/bin/python3
"""What `make test-kernel` runs inside: whatever asks the kernel for more than sockets.  steps.py --build DIRECTORY

The last line is `N passed, N failed[, N skipped]`; what was skipped is not what was to be shown, and fails too.
"""

import argparse
import os
import re
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
SLOW = float(os.environ.get("SLOWER", "1")) > 1
STEPS = (
    # BPF at clsact, leases and their marks
    ("integration_ha/run.py", "-j", "2", "steering", "lease."),
    # splice; sockets on one port that come and go, and are handed on to the next process
    ("integration/run.py", "-j", "2", "tcp.", "reload.a_listener_is", "reload.workers", "crash.a_new", "crash.control"),
    # a pair with all of it: dead daemons, and moves under more clients than an emulated processor can serve
    ("failover/run.py", "--check", "--scenario", "a,b" if SLOW else "a,b,m"),
)


def step(build, script, *arguments):
    """(passed, failed) as its last line has it."""
    command = [sys.executable, os.path.join(TESTS, script), *arguments]
    if script.startswith("failover"):
        command += ["--build", build]
    print("==", script, *arguments, flush=True)
    start, sums = time.monotonic(), None
    environment = {**os.environ, "LBD": f"{build}/bin/lbd", "STATION": f"{build}/integration_ha/station"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            sums = SUMMARY.match(line) or sums
    print(f"== {time.monotonic() - start:.0f} s", flush=True)
    if sums is None:
        return 0, 1
    passed, failed, skipped = (int(n or 0) for n in sums.groups())
    return passed, max(failed + skipped, process.returncode != 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True)
    build = os.path.abspath(parser.parse_args().build)
    sums = [step(build, *words) for words in STEPS]
    passed, failed = (sum(column) for column in zip(*sums, strict=True))
    print(f"on Linux {os.uname().release}\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
