#!/usr/bin/python3
"""The packages as their users have them: two Debian machines, installed, set up, broken, upgraded, removed.

    run.py --build DIRECTORY [--packages DIRECTORY] [--twice]

Builds a deb, another one with a higher version, and an rpm, unless --packages says where these are (deb, rpm).  --twice builds
them again elsewhere: the bytes must be the same.  Two machines (machine.py) and their clients and servers are on one
bridge; tests/failover/witness.py is the client, which asks 200 times a second.  Needs root.  The last line is
`N passed, N failed`.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("integration_ha", "failover"):
    sys.path.insert(0, os.path.join(ROOT, "tests", folder))

import debian  # noqa: E402
import files  # noqa: E402
import rpm_steps  # noqa: E402
import steps  # noqa: E402
from pair_of_machines import Pair  # noqa: E402
from network import LIBC, Failure, be_preferred, become_root, system  # noqa: E402

CLONE_NEWNS = 0x20000
FILES = [files.rpm_in_an_empty_root, files.debug_symbols]
STEPS = [steps.installed, steps.looked_at, steps.set_up, steps.witnessing, steps.moved_by_hand, steps.killed, steps.frozen,
         steps.logs_rotated, steps.rebooted, steps.stopped, steps.upgraded, steps.reinstalled, steps.secret_changed,
         steps.removed, rpm_steps.installed, rpm_steps.reinstalled, rpm_steps.erased, steps.last_stopped]


# --- the run ---

def build(folder):
    """Side by side: much of each is not for all CPUs."""
    def script(kind, *arguments):
        shutil.rmtree(os.path.join(folder, kind), ignore_errors=True)
        files.output(os.path.join(ROOT, "packaging", kind, "build.sh"), os.path.join(folder, kind), *arguments)

    def timed(name, function, *arguments):
        start = time.monotonic()
        function(*arguments)
        print(f"     {name}  ({time.monotonic() - start:.1f} s)", flush=True)

    with ThreadPoolExecutor() as pool:
        tasks = [pool.submit(timed, "Debian for the machines", debian.tree),
                 pool.submit(timed, "debs", script, "deb", files.VERSION, files.NEWER),
                 pool.submit(timed, "rpm", script, "rpm")]
        for task in tasks:
            task.result()


def run_step(function, *arguments):
    name, start = f"{function.__module__}.{function.__name__}", time.monotonic()
    try:
        function(*arguments)
    except (Failure, OSError, subprocess.SubprocessError) as e:
        print(f"FAIL {name}\n     {e}", flush=True)
        return False
    print(f"ok   {name}  ({time.monotonic() - start:.1f} s)", flush=True)
    return True


def run_pair(packages):
    """How many steps went well; after one that did not the others would only say so again."""
    passed, start = 0, time.monotonic()
    be_preferred()
    with tempfile.TemporaryDirectory(prefix="lbpair-machines-") as folder, Pair(folder, packages) as pair:
        print(f"     two machines have booted  ({time.monotonic() - start:.1f} s)", flush=True)
        for step in STEPS:
            if not run_step(step, pair):
                print(pair.logs())
                break
            passed += 1
    return passed


def ended(number, _frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--packages")
    parser.add_argument("--twice", action="store_true")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("test-packages: machines need root")
    signal.signal(signal.SIGTERM, ended)
    start = time.monotonic()
    packages = os.path.abspath(args.packages or os.path.join(args.build, "packages"))
    if not args.packages:
        build(packages)
    passed, wanted = 0, len(FILES) + len(STEPS) + args.twice
    if args.twice:
        build(packages + "-again")
        passed += run_step(files.same_bytes, packages, packages + "-again")
    for look in FILES:
        passed += run_step(look, packages)
    become_root()
    system(LIBC.unshare(CLONE_NEWNS), "unshare")
    files.output("mount", "--make-rprivate", "/")
    with contextlib.suppress(KeyboardInterrupt):
        passed += run_pair(packages)
    print(f"     all of it: {time.monotonic() - start:.0f} s")
    print(f"{passed} passed, {wanted - passed} failed")
    return 0 if passed == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
