#!/usr/bin/python3
"""The man page of each daemon lists its metrics and its control commands, all of them and no others."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FAMILY = re.compile(r'"(?:# HELP (?=\w+ )|(?=\w+",\s*"))(lbpair_\w+)')  # with its type, or its help
COMMAND = re.compile(r'^\t\{ ("[a-z]+"), (?:true|false), run_', re.M)
LISTED = re.compile(r'^\.It Li (?:\{"command":)?(lbpair_\w+|"[a-z]+")', re.M)


def main():
    problems = []
    for daemon in ("lbd", "hafailover"):
        sources = [p for p in (ROOT / daemon).rglob("*.c") if p.parent.name != "hactl"]
        code = "".join(p.read_text() for p in sources)
        written = set(FAMILY.findall(code)) | set(COMMAND.findall(code))
        listed = LISTED.findall((ROOT / f"docs/{daemon}.8").read_text())
        if not FAMILY.search(code) or not COMMAND.search(code):
            problems.append(f"{daemon}: no metrics or no commands found")
        problems += [f"docs/{daemon}.8: {name} is missing" for name in sorted(written - set(listed))]
        problems += [f"docs/{daemon}.8: {name} is none of {daemon}" for name in sorted(set(listed) - written)]
        problems += [f"docs/{daemon}.8: {name} twice" for name in sorted({n for n in listed if listed.count(n) > 1})]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
