#!/usr/bin/python3
"""Runs a command on the kernel of Debian 12, in a virtual machine with the files of this one.

    run.py [--build DIRECTORY] [--seconds N] [COMMAND...]

Gets the kernel's package with apt, once, and unpacks it below the build tree; nothing is installed.  Without COMMAND it
runs steps.py.  The exit code is the command's, or 125 if there was none.  Needs root, for the machine reads all files.
Fast with KVM; an emulated processor needs ten times as long, and tests that are told so (SLOWER) are patient.
"""

import argparse
import os
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True

from debian_kernel import Failure, stock  # noqa: E402
from virtual_machine import run  # noqa: E402

NO_COMMAND_RAN = 125


def ended(number, _frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--seconds", type=float, default=1200, help="the machine ends after so long (default 1200)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, ended)
    command = args.command or [sys.executable, os.path.join(HERE, "steps.py"), "--build", args.build]
    with tempfile.TemporaryDirectory(prefix="lbpair-kernel-") as folder:
        try:
            return run(stock(os.path.join(args.build, "kernel")), command, args.seconds, folder)
        except Failure as e:
            print(f"test-kernel: {e}", file=sys.stderr)
        except KeyboardInterrupt:
            pass
    return NO_COMMAND_RAN


if __name__ == "__main__":
    sys.exit(main())
