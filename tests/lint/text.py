#!/usr/bin/python3
"""Text files: no blanks at line ends, a newline at the end, no CR; C files of a readable width, and length but for tests."""
import sys
from pathlib import Path

LINES_WARN, LINES_MAX = 600, 800
WIDTH_MAX = 120  # clang-format holds code to 100; a comment may lean out a little
TAB = 8


def check(path):
    """Problems that fail and remarks that do not."""
    problems, remarks = [], []
    data = path.read_bytes()
    if b"\r" in data:
        problems.append(f"{path}: has a CR")
    if data and not data.endswith(b"\n"):
        problems.append(f"{path}: no newline at its end")
    lines = data.decode("utf-8", "replace").split("\n")[:-1]
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            problems.append(f"{path}:{number}: blanks at the end")
        if path.suffix in (".c", ".h") and len(line.expandtabs(TAB)) > WIDTH_MAX:
            problems.append(f"{path}:{number}: {len(line.expandtabs(TAB))} columns wide")
    if path.suffix in (".c", ".h") and path.parts[0] != "tests" and len(lines) > LINES_WARN:
        note = f"{path}: {len(lines)} lines: does it hold more than one thing?"
        (problems if len(lines) > LINES_MAX else remarks).append(note)
    return problems, remarks


def main():
    failed = False
    for name in sys.argv[1:]:
        problems, remarks = check(Path(name))
        failed = failed or bool(problems)
        for line in problems + remarks:
            print(line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
