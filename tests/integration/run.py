#!/usr/bin/python3
"""Runs the integration tests: every test_* function of every *_test.py, each in a process of its own.

    run.py [-j N] [-l] [--slow] [NAME...]

NAME selects by a part of `file.function`, or of a row of a table (`te_twice`).  A test is a function test_*()
that raises when its claim does not hold; a table is a function table_*(report) that calls
report(row, error) for each of its rows.  A function may carry .seconds (its time limit) and .slow (it runs
with --slow only).  What fails beside others runs once more by itself: what passes then is named as flaky, and
has passed.  The last line is `N passed, N failed[, N skipped]`; the exit status is 1 if any failed.
"""

import argparse
import atexit
import glob
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 60  # for one test, unless it says otherwise; a sanitizer build gets three times as long
SLOWER = float(os.environ.get("SLOWER", "1"))  # as in wire.py
AGAIN = 5  # tests that run once more; if there are more, it is not for want of quiet
RESULTS = 3  # the descriptor on which a child reports


def modules():
    return sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(HERE, "*_test.py")))


def functions(module):
    loaded = importlib.import_module(module)
    return [(name, f) for name, f in vars(loaded).items()
            if name.startswith(("test_", "table_")) and callable(f) and f.__module__ == module]


class Job:
    def __init__(self, module, name, function):
        self.module, self.function, self.is_table = module, name, name.startswith("table_")
        self.name = module.removesuffix("_test") + "." + name.removeprefix("test_").removeprefix("table_")
        self.slow = getattr(function, "slow", False)
        self.seconds = getattr(function, "seconds", SECONDS)
        self.rows = getattr(function, "rows", list)

    def selected(self, patterns):
        return not patterns or any(p in self.name or p in row for p in patterns
                                   for row in [self.name, *self.rows()])


def child(module, function):
    """Runs one function and reports on descriptor RESULTS."""
    with os.fdopen(RESULTS, "w") as results:
        def report(row, error=None, skip=None):
            print(json.dumps([row, error, skip]), file=results, flush=True)

        run = getattr(importlib.import_module(module), function)
        harness = importlib.import_module("harness")
        try:
            if function.startswith("table_"):
                run(report)
            else:
                run()
            report(None)
        except harness.Skip as e:
            report(None, skip=str(e))
        except Exception:  # noqa: BLE001 - every exception is a failed claim
            report(None, error=traceback.format_exc())
    sys.stdout.flush()
    atexit._run_exitfuncs()
    os._exit(0)  # threads of scripts may still wait for peers


class Runner:
    def __init__(self, args):
        self.args = args
        self.lock = threading.Lock()
        self.words = {}  # of each test or row: what came of it the last time
        self.failed_jobs = []

    def run_all(self, jobs):
        with ThreadPoolExecutor(max(1, self.args.j)) as pool:  # what may take long starts first
            list(pool.map(self.run, sorted(jobs, key=lambda j: -j.seconds)))
        before = self.named("failed")
        if len(self.failed_jobs) > AGAIN:
            return
        for name in before:
            del self.words[name]
        for job in self.failed_jobs:
            print(f"AGAIN {job.name}, by itself", flush=True)
            self.run(job)
        flaky = [name for name in before if self.words.get(name) != "failed"]
        if flaky:
            print("*** flaky, passed by themselves: " + " ".join(flaky) + " ***")

    def named(self, word):
        return sorted(name for name, w in self.words.items() if w == word)

    def say(self, job, name, seconds, error=None, skip=None, output=""):
        with self.lock:
            self.words[name] = "failed" if error else "skipped" if skip else "passed"
            if error:
                if job not in self.failed_jobs:
                    self.failed_jobs.append(job)
                print(f"FAIL {name}\n" + "".join(f"     {line}\n" for line in error.rstrip().split("\n"))
                      + "".join(f"   | {line}\n" for line in output.rstrip().split("\n") if output.strip()),
                      end="", flush=True)
            elif skip:
                print(f"SKIP {name}: {skip}", flush=True)
            else:
                print(f"ok   {name}" + (f"  ({seconds:.1f} s)" if seconds >= 1 else ""), flush=True)

    def run(self, job):
        read, write = os.pipe()
        os.set_inheritable(write, True)
        start = time.monotonic()
        limit = job.seconds * (3 if self.args.sanitizer else 1) * SLOWER
        command = [sys.executable, "-c",
                   f"import os, sys; os.dup2({write}, {RESULTS}); sys.path.insert(0, {HERE!r}); "
                   f"import run; run.child({job.module!r}, {job.function!r})"]
        env = {**os.environ, "LBD_TEST_ONLY": " ".join(self.args.names), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, pass_fds=[write], env=env,
                                   start_new_session=True)
        os.close(write)
        output = bytearray()
        reader = threading.Thread(target=lambda: output.extend(process.stdout.read()), daemon=True)
        reader.start()
        watchdog = threading.Timer(limit, os.killpg, [process.pid, signal.SIGKILL])
        watchdog.start()
        last, ended = start, False
        with os.fdopen(read) as results:
            for line in results:
                row, error, skip = json.loads(line)
                now = time.monotonic()
                ended = ended or row is None
                if row is not None or error or skip or not job.is_table:
                    self.say(job, job.name if row is None else f"{job.name}.{row}", now - last, error, skip,
                             output.decode(errors="replace") if row is None else "")
                last = now
        late = not watchdog.is_alive()
        watchdog.cancel()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        status = process.wait()
        reader.join(5)
        text = output.decode(errors="replace")
        if late:
            self.say(job, job.name, limit, f"not finished after {limit} s", output=text)
        elif not ended:
            self.say(job, job.name, 0, f"ended with status {status} and no result", output=text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-j", type=int, default=4, metavar="N", help="tests at a time (default 4)")
    parser.add_argument("-l", action="store_true", help="list the tests")
    parser.add_argument("--slow", action="store_true", help="the slow ones too")
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a test's or a row's name")
    args = parser.parse_args()
    sys.path.insert(0, HERE)
    sys.dont_write_bytecode = True
    jobs = [Job(m, name, f) for m in modules() for name, f in functions(m)]
    jobs = [j for j in jobs if j.selected(args.names) and (args.slow or not j.slow)]
    if args.l:
        for job in jobs:
            print("\n".join([job.name] + [f"{job.name}.{row}" for row in job.rows()]))
        return 0
    harness = importlib.import_module("harness")
    if not os.path.exists(harness.lbd_binary()):
        print(f"no lbd at {harness.lbd_binary()}: run make, or set LBD\n0 passed, 1 failed")
        return 1
    args.sanitizer = harness.sanitizer()
    runner = Runner(args)
    runner.run_all(jobs)
    passed, failed, skipped = (runner.named(word) for word in ("passed", "failed", "skipped"))
    if failed:
        print("failed: " + " ".join(failed))
    print(f"{len(passed)} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
