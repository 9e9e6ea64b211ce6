#!/usr/bin/python3
"""Includes go downwards: hold every #include of our own headers against the ranks in HACKING.md.

HACKING.md has a fenced block ```ranks``` with one room (or file, without suffix) a line, highest first.
A file may include its own room, lower rooms of its own program and common/; a program is the first part of
the path (hactl is one of its own wherever it lives).  Headers must not include each other in a circle.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TREES = ("common", "lbd", "hafailover")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def read_ranks(text):
    block = re.search(r"^```ranks\n(.*?)^```", text, re.M | re.S)
    rooms = [line.split()[0] for line in block[1].splitlines() if line.strip()] if block else []
    if not rooms:
        sys.exit("HACKING.md: no ```ranks block")
    return {room: len(rooms) - i for i, room in enumerate(rooms)}


def room_of(path, ranks):
    """The longest entry that names the file or a folder above it."""
    stem = Path(path).with_suffix("")
    for candidate in (stem, *stem.parents):
        if str(candidate) in ranks:
            return str(candidate)
    return None


def program_of(room):
    return "hactl" if "hactl" in room.split("/") else room.split("/")[0]


def check_include(path, target, ranks):
    """What is wrong with `path` including `target`, or None."""
    if not (ROOT / target).is_file():
        return f'"{target}" is not a path from the root of the repository'
    if target.endswith(".c"):
        return f"{target} is not a header"
    ours, theirs = room_of(path, ranks), room_of(target, ranks)
    if theirs is None:
        return f"{target} is in no room that HACKING.md ranks"
    if theirs != "common" and program_of(theirs) != program_of(ours):
        return f"{target} belongs to another program"
    if ranks[theirs] > ranks[ours]:
        return f"{target} is above: {theirs} ranks over {ours}"
    return None


def find_cycle(graph):
    """One circle of headers as a list of paths, or None."""
    done, trail = set(), []

    def visit(node):
        if node in trail:
            return trail[trail.index(node):] + [node]
        if node in done:
            return None
        trail.append(node)
        for following in graph.get(node, ()):
            if circle := visit(following):
                return circle
        done.add(trail.pop())
        return None

    for node in graph:
        if circle := visit(node):
            return circle
    return None


def main():
    ranks = read_ranks((ROOT / "HACKING.md").read_text())
    problems, headers = [], {}
    for tree in TREES:
        for file in sorted((ROOT / tree).rglob("*.[ch]")):
            path, text = str(file.relative_to(ROOT)), file.read_text()
            targets = INCLUDE.findall(text)
            if room_of(path, ranks) is None:
                problems.append(f"{path}: is in no room that HACKING.md ranks")
                continue
            for target in targets:
                if wrong := check_include(path, target, ranks):
                    line = text[:text.index(f'"{target}"')].count("\n") + 1
                    problems.append(f"{path}:{line}: {wrong}")
            if path.endswith(".h"):
                headers[path] = targets
    if circle := find_cycle(headers):
        problems.append("circle: " + " -> ".join(circle))
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
