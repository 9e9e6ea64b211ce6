"""files.py - what can be said of the packages without a machine."""

import filecmp
import glob
import os
import re
import subprocess
import tempfile

from network import check

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
with open(os.path.join(ROOT, "Makefile")) as makefile:
    VERSION = re.search(r"^VERSION := (\S+)$", makefile.read(), re.M)[1]
NEWER = VERSION + "+next"
MAINS = {"sbin/lbd": "lbd/main.c", "sbin/hafailover": "hafailover/main.c", "bin/hactl": "hafailover/hactl/main.c"}


def output(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, **options)
    check(done.returncode == 0, f"{' '.join(argv)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def the_one(*pattern):
    found = glob.glob(os.path.join(*pattern))
    check(len(found) == 1, f"{pattern}: {found}")
    return found[0]


def same_bytes(one, other):
    packages = [os.path.relpath(p, one) for kind in ("deb", "rpm") for p in glob.glob(os.path.join(one, kind, "*." + kind))]
    check(len(packages) >= 6, f"only {packages}")
    _, different, missing = filecmp.cmpfiles(one, other, packages, shallow=False)
    check(not different and not missing, f"not the same again: {different + missing}")


def rpm_in_an_empty_root(packages):
    package = the_one(packages, "rpm", "lbpair-[0-9]*.rpm")
    listed = output("rpm", "-qpl", package).split()
    for path in ("/usr/sbin/lbd", "/usr/sbin/hafailover", "/usr/bin/hactl", "/usr/lib/systemd/system/lbd.service",
                 "/usr/lib/systemd/system/hafailover.service", "/usr/lib/sysusers.d/lbpair.conf", "/etc/lbpair"):
        check(path in listed, f"{path} is not in the package")
    flags = output("rpm", "-qp", "--queryformat", "[%{FILENAMES} %{FILEFLAGS:fflags}\\n]", package).splitlines()
    check("/etc/logrotate.d/lbpair cn" in flags, "an edited /etc/logrotate.d/lbpair would be replaced")
    with tempfile.TemporaryDirectory(prefix="lbpair-rpm-") as root:
        output("rpm", "--root", root, "--initdb")
        output("rpm", "--root", root, "--install", "--nodeps", "--noscripts", "--nosignature", package)
        for program in MAINS:
            said = output(os.path.join(root, "usr", program), "-V")
            check(re.match(rf"{os.path.basename(program)} \d", said), said)


def debug_symbols(packages):
    """Apart from the programs, and found by them: gdb knows files and lines."""
    with tempfile.TemporaryDirectory(prefix="lbpair-symbols-") as root:
        def line_of_main(program):
            done = subprocess.run(["gdb", "-nx", "-batch", "-iex", f"set debug-file-directory {root}/usr/lib/debug",
                                   "-ex", "info line main", os.path.join(root, "usr", program)],
                                  capture_output=True, text=True)
            found = re.search(r'^Line \d+ of "(\S+)"', done.stdout, re.M)
            return found[1] if found else None

        for kind, has_lines in (("lbpair", False), ("lbpair-dbgsym", True)):
            output("dpkg-deb", "--extract", the_one(packages, "deb", f"{kind}_{NEWER}_*.deb"), root)
            for program in MAINS:
                expected = MAINS[program] if has_lines else None
                check(line_of_main(program) == expected, f"{kind}: main of {program} is in {line_of_main(program)}")
