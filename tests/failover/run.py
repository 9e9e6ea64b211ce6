#!/usr/bin/python3
"""Two real nodes in network namespaces, broken in every way of the table; what a client and an observer saw.

    run.py [--build DIR] [--scenario NAME,...] [--rounds N] [--quick] [--check] [--logs]

A new client connects to the virtual address every 5 ms.  The gap is the longest time without an answer; `two` is how
long both nodes had the address while the clients could reach both.  `refused` connections were not to be had (refused,
SYN lost), `broken` ones were had and then lost before all of the answer was there.  A gap is judged by its median,
all else by the worst round.  `noise` is the longest gap before anything was broken: what this machine does by itself.

--check is for `make test`: one short round of each, several at a time; times are printed but not judged, everything
else is.  The last line is `N passed, N failed[, N skipped]`.
"""

import argparse
import json
import os
import re
import signal
import statistics
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration_ha")]

from crowd import Crowd  # noqa: E402
from laboratory import Failure, Laboratory  # noqa: E402
from network import ALARMS, LIBC, PR_SET_PDEATHSIG, SLOWER, Skip, become_root  # noqa: E402
from record import total  # noqa: E402
from scenarios import PREPARE, REFUSED, SCENARIOS  # noqa: E402

PASSED, FAILED, SKIPPED = 0, 1, 77
AT_A_TIME = max(1, round(3 / SLOWER))
NOT_SLOWED = {"j"}  # alone: it takes the whole machine
ALLOWANCE = 0.002  # by which two reports of the kernel may be out of order here
SOON = 1.0  # for what must end within milliseconds, where times are not judged


def play(scenario, build, bench, logs):
    """One round; a dictionary of what came of it."""
    options = {**scenario.lab, **({} if bench else scenario.short)}
    lab = (Crowd if options.pop("crowd", False) else Laboratory)(build, **options)
    try:
        PREPARE.get(scenario.name, lambda lab: None)(lab)
        lab.start()
        begin = lab.now()
        seen = scenario.run(lab, bench)
        return measure(scenario, lab, seen, begin, bench)
    except (Failure, OSError, KeyError, ValueError) as e:
        return {"complaints": [f"{type(e).__name__}: {e}"], "logs": lab.logs(), "trace": traceback.format_exc()}
    finally:
        if logs:
            print(lab.logs(), flush=True)
        lab.close()


def measure(scenario, lab, seen, begin, bench):
    gap, recovered = lab.record.gap(seen.since, seen.until)
    failures = lab.record.failures(seen.since, seen.until - 0.2)
    two = total(lab.record.two_holders(seen.two_since or seen.since, seen.until))
    complaints = [] if recovered else ["no answer at the end"]
    bad = {k: n for k, n in failures.items() if k in scenario.failed}
    if bad:
        complaints.append("failed connections: " + ", ".join(f"{n} {k}" for k, n in bad.items()))
    if scenario.two is not None and two > (SOON if scenario.two and not bench else scenario.two + ALLOWANCE):
        complaints.append(f"two holders for {two * 1000:.0f} ms")
    if not scenario.moves and (changes := lab.record.changes(begin, seen.until)):
        complaints.append(f"the address came or went {changes} times")
    holders = lab.record.holder()
    if len(holders) != 1:
        complaints.append(f"{len(holders)} holders at the end")
    logs = lab.logs()
    if ALARMS.search(logs):
        complaints.append("a daemon reports a fault of its own")
    return {"gap": gap, "two": two, "refused": sum(failures[k] for k in REFUSED),
            "broken": sum(n for k, n in failures.items() if k not in REFUSED),
            "noise": lab.quiet, "complaints": complaints, "logs": logs}


def in_child(scenario, build, bench, logs):
    """Each round has namespaces and descriptors of its own, and they end with it."""
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os._exit(child(write, scenario, build, bench, logs))
    os.close(write)
    with open(read) as f:
        text = f.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else {"complaints": ["the round came to no end"], "logs": ""}


def child(write, scenario, build, bench, logs):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        become_root()
        result = play(scenario, build, bench, logs)
    except Skip as e:
        result = {"skipped": str(e), "complaints": []}
    except KeyboardInterrupt:
        return 1
    except BaseException:  # noqa: BLE001 - a fault of the laboratory is a failure too
        result = {"complaints": ["exception"], "logs": "", "trace": traceback.format_exc()}
    with open(write, "w") as f:
        json.dump(result, f)
    sys.stdout.flush()
    return 0


def wait_for_children():
    """They have had the same Ctrl-C, and clean up."""
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass


def ms(seconds):
    return f"{seconds * 1000:.0f}"


def bar_text(scenario):
    bars = []
    if scenario.gap is not None:
        bars.append(f"gap < {ms(scenario.gap)} ms")
    if scenario.two is not None:
        bars.append("never two" if not scenario.two else f"two <= {ms(scenario.two)} ms")
    if scenario.failed:
        bars.append("none broken" if "broken" in scenario.failed else "none refused")
    if not scenario.moves:
        bars.append("no move")
    return ", ".join(bars)


def verdict(scenario, rounds, judge_gap=True):
    """What is wrong with these rounds; empty when nothing is."""
    wrong = [c for r in rounds for c in r["complaints"]]
    gaps = [r["gap"] for r in rounds if "gap" in r]
    if judge_gap and scenario.gap is not None and gaps and statistics.median(gaps) >= scenario.gap:
        wrong.append(f"gap {ms(statistics.median(gaps))} ms")
    return wrong


LINE = "{:<4} {:<58} {:>5} {:>6} {:>5} {:>7} {:>6} {:>5}  {:<36} {:<27} {}"
HEADER = (LINE.format("", "", "gap", "worst", "two", "refused", "broken", "noise", "must reach", "keepalived, tuned", "verdict"),
          LINE.format("", "", "ms", "ms", "ms", "", "", "ms", "", "", ""))


def row(scenario, rounds):
    good = [r for r in rounds if "gap" in r]
    worst = {k: max((r[k] for r in good), default=0) for k in ("gap", "two", "refused", "broken", "noise")}
    median = statistics.median([r["gap"] for r in good]) if good else 0
    wrong = verdict(scenario, rounds)
    return LINE.format(scenario.name, scenario.title[:58], ms(median), ms(worst["gap"]), ms(worst["two"]),
                       worst["refused"], worst["broken"], ms(worst["noise"]), bar_text(scenario),
                       scenario.before, "ok" if not wrong else "MISSED: " + "; ".join(sorted(set(wrong))))


def show_trouble(name, result):
    if result.get("trace"):
        print(result["trace"])
    if result["complaints"]:
        print(f"---- {name}: {'; '.join(result['complaints'])}\n{result.get('logs', '')}----", flush=True)


def bench(chosen, args):
    table, failed = [], 0
    print(*HEADER, sep="\n", flush=True)
    for scenario in chosen:
        count = 1 if args.quick else args.rounds or scenario.rounds
        rounds = [in_child(scenario, args.build, True, args.logs) for _ in range(count)]
        if any("skipped" in r for r in rounds):
            print(f"SKIPPED: {rounds[0]['skipped']}")
            return 1
        failed += bool(verdict(scenario, rounds))
        table.append(row(scenario, rounds))
        print(table[-1], flush=True)
        if args.verbose:
            for r in rounds:
                show_trouble(scenario.name, {**r, "complaints": verdict(scenario, [r])})
    print(f"{len(table) - failed} reached, {failed} missed")
    return 1 if failed or not table else 0


def short(scenario, args):
    start = time.monotonic()
    result = in_child(scenario, args.build, False, args.logs)
    return scenario, result, time.monotonic() - start


def check_all(chosen, args):
    counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}
    together = [s for s in chosen if s.name not in NOT_SLOWED]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        try:
            for scenario, result, seconds in pool.map(lambda s: short(s, args), together):
                counts[report(scenario, result, seconds)] += 1
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for scenario in (s for s in chosen if s.name in NOT_SLOWED):
        counts[report(*short(scenario, args))] += 1
    skipped = f", {counts[SKIPPED]} skipped" if counts[SKIPPED] else ""
    print(f"{counts[PASSED]} passed, {counts[FAILED]} failed{skipped}")
    return 1 if counts[FAILED] or not chosen else 0


def report(scenario, result, seconds):
    if "skipped" in result:
        print(f"SKIP {scenario.name}: {result['skipped']}", flush=True)
        return SKIPPED
    wrong = verdict(scenario, [result], judge_gap=False)
    figures = f"gap {ms(result['gap'])} ms, two {ms(result['two'])} ms" if "gap" in result else ""
    print(f"{'FAIL' if wrong else 'ok  '} {scenario.name}: {scenario.title}  ({figures}; {seconds:.1f} s)", flush=True)
    show_trouble(scenario.name, result)
    return FAILED if wrong else PASSED


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build", help="the object tree with bin/lbd, bin/hafailover, bin/hactl")
    parser.add_argument("--scenario", help="names, comma-separated: " + ",".join(s.name for s in SCENARIOS))
    parser.add_argument("--rounds", type=int, help="of each scenario; 5 if not said")
    parser.add_argument("--quick", action="store_true", help="one round of each, and short ones of the long")
    parser.add_argument("--check", action="store_true", help="for make test")
    parser.add_argument("--logs", action="store_true", help="print the logs of the daemons")
    parser.add_argument("--verbose", action="store_true", help="the logs of the daemons where something was missed")
    args = parser.parse_args()
    args.build = os.path.join(ROOT, args.build)
    names = args.scenario.split(",") if args.scenario else [s.name for s in SCENARIOS]
    unknown = [n for n in names if n not in [s.name for s in SCENARIOS]]
    missing = [p for p in ("lbd", "hafailover", "hactl") if not os.path.exists(os.path.join(args.build, "bin", p))]
    if unknown or missing:
        print(f"no scenario {unknown}" if unknown else f"not built: {missing} in {args.build}/bin")
        return 2
    chosen = [s for s in SCENARIOS if s.name in names]
    try:
        return check_all(chosen, args) if args.check else bench(chosen, args)
    except KeyboardInterrupt:
        wait_for_children()
        return 130


if __name__ == "__main__":
    sys.exit(main())
