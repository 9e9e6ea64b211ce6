#!/usr/bin/python3
"""Every event that a daemon logs is named in its man page.

An event is the first argument of log_err() and its kin, or the second of log_event().  Events of common/
must be in the page of each daemon.  A daemon counts from the day it has a main.c.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CALL = re.compile(r'\blog_(?:crit|err|warning|notice|info|debug|event\([^,"]+,)\s*\(?\s*"([^"]*)"')
PAGES = {"lbd": "docs/lbd.8", "hafailover": "docs/hafailover.8"}


def events_in(tree):
    for file in sorted((ROOT / tree).rglob("*.c")):
        text = file.read_text()
        for call in CALL.finditer(text):
            yield call[1], f"{file.relative_to(ROOT)}:{text[:call.start()].count(chr(10)) + 1}"


def main():
    problems = []
    for tree, page in PAGES.items():
        if not (ROOT / tree / "main.c").is_file():
            continue
        if not (ROOT / page).is_file():
            problems.append(f"{page}: missing")
            continue
        words = set(re.findall(r"[a-z0-9_]+", (ROOT / page).read_text()))
        for event, place in [*events_in(tree), *events_in("common")]:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", event):
                problems.append(f"{place}: event \"{event}\" is not lower case with underscores")
            elif event not in words:
                problems.append(f"{place}: event {event} is not in {page}")
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
