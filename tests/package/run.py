#!/usr/bin/python3
"""The packages as their users have them: two Debian machines, installed, set up, broken, upgraded, removed.

    run.py --build DIRECTORY [--packages DIRECTORY]

Builds a deb, another one with a higher version, and an rpm, unless --packages says where these are (old, new, rpm).  Two
machines (machine.py) and their clients and servers are on one bridge; tests/failover/witness.py is the client,
which asks 200 times a second.  Needs root.  The last line is `N passed, N failed`.
"""

import argparse
import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("integration_ha", "failover"):
    sys.path.insert(0, os.path.join(ROOT, "tests", folder))

from pair_of_machines import VIP, Pair  # noqa: E402
from network import LIBC, Failure, become_root, check, system, wait_for  # noqa: E402

CLONE_NEWNS = 0x20000
UNITS = ("lbd.service", "hafailover.service")
NEWER = "0.1.0+next"
FILES = ("lbd.json", "hafailover.json", "secret")


# --- deb ---

def installed(pair):
    """Enabled, and passed over: there is no configuration yet."""
    for machine in pair.machines:
        machine.run("sh", "-c", "apt-get install -y /packages/old/lbpair_*.deb")
        for unit in (*UNITS, "lbpair.target"):
            check(machine.run("systemctl", "is-enabled", unit).strip() == "enabled", f"{unit} is not enabled")
        machine.run("systemctl", "start", "lbpair.target")
        for unit in UNITS:
            check(machine.property(unit, "ActiveState") == "inactive", f"{unit} runs without a configuration")
        pair.nothing_failed()


def set_up(pair):
    """hactl setup on one, its one command for the other; then both serve."""
    one, two = pair.machines
    said = one.run("hactl", "setup", "--peer", "192.0.2.12", "--vip", VIP, "--server", ",".join(pair.servers))
    check("hactl setup --export | ssh root@192.0.2.12 hactl setup --join" in said, said)
    two.run("hactl", "setup", "--join", text=one.run("hactl", "setup", "--export"))
    for machine in pair.machines:
        for name in FILES:
            seen = machine.run("stat", "--format", "%U:%G %a", f"/etc/lbpair/{name}").strip()
            check(seen == "root:lbpair 640", f"{name}: {seen}")
        machine.run("hactl", "check")
        machine.run("systemctl", "enable", "--now", "lbpair.target")
    pair.wait_ready()
    for machine in pair.machines:
        for unit in UNITS:
            pid = machine.property(unit, "MainPID")
            check(machine.run("stat", "--format", "%U", f"/proc/{pid}").strip() == "lbpair", f"{unit} is not lbpair's")
    pair.nothing_failed()


def moved_by_hand(pair):
    for _ in range(2):
        with pair.lossless():
            before = pair.active()
            before.run("hactl", "failover", "--wait")
            pair.wait_ready()
            check(pair.active() is not before, "it did not move")


def killed(pair):
    """A daemon that dies is there again.  What clients notice: the move when lbd is gone altogether, else nothing."""
    for which in ("active", "backup"):
        for unit in UNITS:
            machine, other = pair.active(), pair.backup()
            if which == "backup":
                machine, other = other, machine
            moves = which == "active" and unit == "lbd.service"
            with pair.outage_below(10) if moves else pair.lossless():
                old = machine.property(unit, "MainPID")
                machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", unit)
                wait_for(lambda: machine.property(unit, "MainPID") not in ("0", old), 20, f"another {unit}")
                wait_for(lambda: machine.property(unit, "ActiveState") == "active", 20, f"{unit} that is active")
                pair.wait_ready()
            if not moves:
                check((pair.active() is machine) == (which == "active"), f"{unit} of the {which} node: it moved")
            print(f"     {unit} of the {which} node: {restart_time(machine, unit):.0f} ms from its death to active")
    pair.nothing_failed()


def restart_time(machine, unit):
    gone, back = (int(machine.property(unit, f"Active{what}TimestampMonotonic")) for what in ("Exit", "Enter"))
    return (back - gone) / 1000


def rebooted(pair):
    """The Active hands over first, and comes back as the standby."""
    machine = pair.active()
    with pair.lossless():
        machine.reboot()
        pair.wait_ready()
        check(pair.active() is not machine, "it is the Active again")
    pair.nothing_failed()


def upgraded(pair):
    """The rolling procedure of lbpair(7): standby first; nothing is restarted by the installation."""
    for machine in (pair.backup(), pair.active()):
        with pair.lossless():
            before = pair.active(), [machine.property(unit, "MainPID") for unit in UNITS]
            said = machine.run("sh", "-c", "apt-get install -y /packages/new/lbpair_*.deb")
            check("goes on as the former version" in said, said)
            check(before == (pair.active(), [machine.property(unit, "MainPID") for unit in UNITS]),
                  "the upgrade restarted something")
            machine.run("systemctl", "restart", "lbd", "hafailover")
            pair.wait_ready()
            check(running_version(machine) == NEWER, running_version(machine))
    for machine in pair.machines:
        for name in FILES:
            machine.run("test", "-s", f"/etc/lbpair/{name}")
    pair.nothing_failed()


def running_version(machine):
    found = re.search(r"^lbd (\S+) ", machine.run("hactl", "status"), re.M)
    return found[1] if found else "no version"


def reinstalled(pair):
    """On the standby nobody notices."""
    with pair.lossless():
        machine, pids = pair.backup(), [pair.backup().property(unit, "MainPID") for unit in UNITS]
        machine.run("sh", "-c", "apt-get install -y --reinstall /packages/new/lbpair_*.deb")
        check(pids == [machine.property(unit, "MainPID") for unit in UNITS], "it restarted something")
        check(pair.backup() is machine, "it moved")


def secret_changed(pair):
    """Node by node, while it serves: for a moment they do not hear each other, and nothing moves."""
    with pair.lossless():
        before = pair.active()
        for machine in pair.machines:
            machine.run("sh", "-c", "cat > /etc/lbpair/secret", text="0123456789abcdef0123456789abcdef\n")
        for machine in pair.machines:
            machine.run("hactl", "reload", "hafailover")
        check(pair.active() is before, "it moved")
        pair.wait_ready()
        before.run("hactl", "failover", "--wait")  # they understand each other
        pair.wait_ready()
    check(before.run("stat", "--format", "%U:%G %a", "/etc/lbpair/secret").strip() == "root:lbpair 640", "its mode")


def removed(pair):
    """The Active hands over, and is gone; its configuration stays until it is purged."""
    machine, other = pair.active(), pair.backup()
    with pair.lossless():
        machine.run("apt-get", "remove", "-y", "lbpair")
        check(pair.holders() == [other], f"held by {[m.name for m in pair.holders()]}")
        check(not machine.host.holds(VIP), "the address is still there")
        for name in FILES:
            machine.run("test", "-s", f"/etc/lbpair/{name}")
        check(not machine.run("pgrep", "-u", "lbpair", fails=None), "something of it runs")
        machine.run("apt-get", "purge", "-y", "lbpair")
        for path in ("/etc/lbpair", "/var/lib/lbpair", "/var/log/lbpair", "/run/lbpair", "/usr/sbin/lbd"):
            machine.run("test", "-e", path, fails=True)
        machine.run("getent", "passwd", "lbpair", fails=True)
    pair.nothing_failed()


STEPS = [installed, set_up, moved_by_hand, killed, rebooted, upgraded, reinstalled, secret_changed, removed]


# --- rpm ---

def rpm_in_an_empty_root(packages):
    found = glob.glob(os.path.join(packages, "rpm", "lbpair-[0-9]*.rpm"))
    check(len(found) == 1, f"packages: {found}")
    package = found[0]
    listed = output("rpm", "-qpl", package).split()
    for path in ("/usr/sbin/lbd", "/usr/sbin/hafailover", "/usr/bin/hactl", "/usr/lib/systemd/system/lbd.service",
                 "/usr/lib/systemd/system/hafailover.service", "/usr/lib/sysusers.d/lbpair.conf", "/etc/lbpair"):
        check(path in listed, f"{path} is not in the package")
    with tempfile.TemporaryDirectory(prefix="lbpair-rpm-") as root:
        output("rpm", "--root", root, "--initdb")
        output("rpm", "--root", root, "--install", "--nodeps", "--noscripts", "--nosignature", package)
        for name in ("sbin/lbd", "sbin/hafailover", "bin/hactl"):
            said = output(os.path.join(root, "usr", name), "-V")
            check(re.match(rf"{os.path.basename(name)} \d", said), said)


def output(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, **options)
    check(done.returncode == 0, f"{' '.join(argv)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


# --- the run ---

def build(folder):
    for script, name, version in (("deb", "old", []), ("deb", "new", [NEWER]), ("rpm", "rpm", [])):
        print(f"     {name}", flush=True)
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        output(os.path.join(ROOT, "packaging", script, "build.sh"), os.path.join(folder, name), *version)


def run_step(name, function, argument):
    start = time.monotonic()
    try:
        function(argument)
    except (Failure, OSError, subprocess.SubprocessError) as e:
        print(f"FAIL {name}\n     {e}", flush=True)
        return False
    print(f"ok   {name}  ({time.monotonic() - start:.1f} s)", flush=True)
    return True


def run_pair(packages):
    """How many steps went well; after one that did not the others would only say so again."""
    passed = 0
    with tempfile.TemporaryDirectory(prefix="lbpair-machines-") as folder, Pair(folder, packages) as pair:
        for step in STEPS:
            if not run_step(step.__name__, step, pair):
                print(pair.logs())
                break
            passed += 1
    return passed


def ended(number, _frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--packages")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("test-packages: machines need root")
    signal.signal(signal.SIGTERM, ended)
    packages = os.path.abspath(args.packages or os.path.join(args.build, "packages"))
    if not args.packages:
        build(packages)
    passed = int(run_step("rpm_in_an_empty_root", rpm_in_an_empty_root, packages))
    become_root()
    system(LIBC.unshare(CLONE_NEWNS), "unshare")
    output("mount", "--make-rprivate", "/")
    with contextlib.suppress(KeyboardInterrupt):
        passed += run_pair(packages)
    failed = 1 + len(STEPS) - passed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
