#!/usr/bin/python3
"""What HACKING.md, README.md and docs/*.md name exists: `functions` in the code, files in the tree."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FUNCTION = re.compile(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`")
FILE = re.compile(r"\b(?:common|lbd|hafailover|tests|docs|packaging)(?:/[\w.-]+)+\.(?:c|h|py|sh|md|json|[1-8])\b")


def main():
    code = "".join(p.read_text() for tree in ("common", "lbd", "hafailover") for p in (ROOT / tree).rglob("*.[ch]"))
    defined = set(re.findall(r"^(?:\w[\w *]*[ *])?(\w+)\(", code, re.M))
    problems = []
    for page in (ROOT / "HACKING.md", ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text()
        if page.name == "HACKING.md":
            problems += [f"{page.name}: no function {f}" for f in set(FUNCTION.findall(text)) - defined]
        problems += [f"{page.name}: no file {f}" for f in set(FILE.findall(text)) if not (ROOT / f).is_file()]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
