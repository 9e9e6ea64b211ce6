#!/usr/bin/python3
"""Run all checks of `make lint`, side by side, and print what they found; the last line is `N passed, N failed`.

clang-tidy remembers what it has passed (by the preprocessed text), so that only changed files cost time, and
stops taking new files when its time is up: those are named, loudly.  Everything else takes seconds.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path("tests/lint")
TREES = ("common", "lbd", "hafailover", "tests")
# A sixth of the paths that it would look at by itself, in a fraction of the time.
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=40000"]
FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-I.", "-isystem", "/usr/include/libnl3", '-DLBPAIR_VERSION="0"',
         '-DSTEERING_OBJECT="/dev/null"', "-Wall", "-Wextra"]
BPF_FLAGS = ["-target", "bpf", "-I.", "-idirafter", f"/usr/include/{os.uname().machine}-linux-gnu", "-Wall", "-Wextra"]
NOT_IN_TESTS = "-clang-analyzer-*,-bugprone-unused-return-value"  # cmocka's asserts confuse them
CLANG_FORMAT = 14  # of Debian 12: other versions lay some lines out differently
FINDING = re.compile(r"^(?:\./)?(\S+?):\d+:\d+: (?:error|warning): .* \[([a-z][\w.-]+)", re.M)


class Tree:
    """The files to look at, as paths relative to the root."""

    def __init__(self, chosen, cache, tidy_seconds):
        self.cache, self.tidy_seconds = cache, tidy_seconds
        self.partial = bool(chosen)
        self.files = [Path(f) for f in chosen] or self.everything()

    @staticmethod
    def everything():
        found = [p for tree in TREES for p in Path(tree).rglob("*") if p.is_file()]
        found += [p for folder in ("docs", "packaging", "systemd") for p in Path(folder).rglob("*")]
        found += [p for p in Path(".").iterdir()] + [Path(".ci/run")]
        skip = {"__pycache__", "corpus", "golden"}
        return sorted(p for p in found if p.is_file() and not skip & set(p.parts))

    def of(self, *suffixes):
        return [p for p in self.files if p.suffix in suffixes]

    def shell(self):
        return [p for p in self.files if p.suffix == ".sh" or p == Path(".ci/run")]

    def man(self):
        return [p for p in self.files if re.fullmatch(r"\.[1-8]", p.suffix) and p.parts[0] == "docs"]

    def text(self):
        return [p for p in self.files if p.suffix in (".c", ".h", ".py", ".sh", ".md", ".json", ".txt") or
                p.name == "Makefile" or p in self.man()]


class Skip(Exception):
    pass


def command(*words):
    """None if all is well, else the output."""
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0 and done.stdout:
        print(done.stdout, end="")
    return None if done.returncode == 0 else done.stdout or f"exit status {done.returncode}\n"


def format_(tree):
    version = subprocess.run(["clang-format", "--version"], stdout=subprocess.PIPE, text=True).stdout
    if int(re.search(r"version (\d+)", version)[1]) != CLANG_FORMAT:
        raise Skip(f"needs clang-format {CLANG_FORMAT}, here is {version.strip()}")
    output = command("clang-format", "--dry-run", "-Werror", *tree.of(".c", ".h"))
    files = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", output or "", re.M)))
    return f"to do: clang-format -i {' '.join(files)}\n" if files else output


def layers(tree):
    return command(sys.executable, HERE / "layers.py")


def events(tree):
    return command(sys.executable, HERE / "events.py")


def manual(tree):
    return command(sys.executable, HERE / "manual.py")


def names(tree):
    return command(sys.executable, HERE / "names.py")


def text(tree):
    return command(sys.executable, HERE / "text.py", *tree.text())


def python(tree):
    failures = []
    for path in tree.of(".py"):
        try:
            compile(path.read_text(), str(path), "exec")
        except (SyntaxError, ValueError) as error:
            failures.append(f"{path}: {error}\n")
    return "".join(failures) or None


def shellcheck(tree):
    return command("shellcheck", *tree.shell()) if tree.shell() else None


def mandoc(tree):
    return command("mandoc", "-Tlint", "-Wwarning", *tree.man()) if tree.man() else None


def cppcheck(tree):
    ours = [p for p in tree.of(".c") if p.parts[0] != "tests"]
    if not ours:
        return None
    folder = tree.cache / "cppcheck"
    folder.mkdir(parents=True, exist_ok=True)
    return command("cppcheck", "--quiet", "--std=c11", "--enable=warning,performance,portability", "-I.",
                   "-D_GNU_SOURCE", f"--include={HERE}/cppcheck.h", "--inline-suppr",
                   "--error-exitcode=1", f"--cppcheck-build-dir={folder}",
                   f"--suppressions-list={HERE}/cppcheck.txt", *ours)


def changed_first(files):
    """What git says was touched of late comes first, in case the time does not suffice for all."""
    touched = set()
    for words in (["status", "--porcelain"], ["diff", "--name-status", "HEAD~5"]):
        done = subprocess.run(["git", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        touched |= {line.split()[-1] for line in done.stdout.splitlines()}
    return sorted(files, key=lambda p: (str(p) not in touched, p))


class Tidy:
    def __init__(self, tree):
        self.deadline = time.monotonic() + tree.tidy_seconds
        self.folder = tree.cache / "tidy"
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = (HERE / "known.txt").read_text().splitlines()
        self.known = {tuple(line.split(None, 2)[:2]) for line in lines if line and line[0] != "#"}
        self.rules = Path(".clang-tidy").read_bytes() + repr((sorted(self.known), ANALYZER)).encode()
        self.not_reached = []

    def stamp(self, path, flags):
        done = subprocess.run(["clang", "-E", "-P", *flags, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        source = path.read_bytes()  # comments may hold NOLINT
        return self.folder / hashlib.sha256(self.rules + source + done.stdout).hexdigest()

    def file(self, path):
        """Findings that are not known, as text; and those that are."""
        if time.monotonic() > self.deadline:
            self.not_reached.append(str(path))
            return "", set()
        flags = FLAGS + ([] if path.name == "err.c" else ["-include", str(HERE / "analyzer.h")])
        if path.name.endswith(".bpf.c"):
            flags = BPF_FLAGS
        stamp = self.stamp(path, flags)
        if stamp.exists():
            return "", {tuple(line.split()) for line in stamp.read_text().splitlines()}
        checks = ["--checks=" + NOT_IN_TESTS] if path.parts[0] == "tests" else []
        done = subprocess.run(["clang-tidy", "--quiet", *checks, str(path), "--", *flags, *ANALYZER],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = {(os.path.relpath(file, ROOT), check) for file, check in FINDING.findall(done.stdout)}
        if found - self.known or (done.returncode != 0 and not found):
            return done.stdout, found & self.known
        stamp.write_text("".join(f"{file} {check}\n" for file, check in sorted(found)))
        return "", found


def tidy(tree):
    state = Tidy(tree)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(state.file, changed_first(tree.of(".c"))))
    failures = "".join(output for output, _ in results)
    stale = state.known.difference(*(seen for _, seen in results))
    if not tree.partial and not state.not_reached:
        failures += "".join(f"{HERE}/known.txt: {file} {check}: not found any more\n" for file, check in stale)
    if state.not_reached:
        print(f"SKIP clang-tidy: no time for {len(state.not_reached)} files: {' '.join(state.not_reached)}")
    return failures or None


CHECKS = {"clang-format": format_, "layers": layers, "events": events, "manual": manual, "names": names, "text": text,
          "python": python, "shellcheck": shellcheck, "mandoc": mandoc, "cppcheck": cppcheck, "clang-tidy": tidy}


def run_check(name, tree):
    start = time.monotonic()
    try:
        problem = CHECKS[name](tree)
    except Skip as reason:
        print(f"SKIP {name}: {reason}")
        return True
    print(f"  {name:<14} {'FAILED' if problem else 'ok':<8} {time.monotonic() - start:5.1f} s", flush=True)
    if problem:
        print(problem, end="" if problem.endswith("\n") else "\n", flush=True)
    return not problem


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, default=Path("build/lint"))
    parser.add_argument("--only", help="checks, comma-separated: " + ",".join(CHECKS))
    parser.add_argument("--tidy-seconds", type=float, default=480)
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    os.chdir(ROOT)
    if shutil.which("clang-tidy") is None:
        sys.exit("clang-tidy is not installed: make deps")

    tree = Tree(args.files, args.cache, args.tidy_seconds)
    results = [run_check(name, tree) for name in (args.only.split(",") if args.only else CHECKS)]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
