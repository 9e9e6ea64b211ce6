"""rpm_steps.py - the rpm on a machine of the pair, in the place of the deb.

The machine is a Debian: its rpm knows of no dependencies, and no trigger of systemd reads units again.  All else, the
scriptlets above all, is what happens on Fedora and RHEL 9 (packaging/rpm/macros.debian).
"""

import os
import re

from files import the_one
from network import check
from steps import ALL, CONFFILE, EDITED, UNITS, check_owners, is_left_behind

WANTED = "/etc/systemd/system/multi-user.target.wants"


def rpm(machine, *words):
    said = machine.run("sh", "-c", "rpm --force-debian --nodeps --nosignature " + " ".join(words) + " 2>&1")
    check(not re.search("error|failed|does not exist", said), f"rpm {words[0]}: {said}")
    machine.run("systemctl", "daemon-reload")


def package(pair):
    return "/packages/rpm/" + os.path.basename(the_one(pair.packages, "rpm", "lbpair-[0-9]*.rpm"))


def installed(pair):
    """Where the deb has been: as the presets of Fedora say, nothing is enabled.  It joins the other, which is a deb."""
    other = pair.holders()[0]
    machine = pair.machines[1 - pair.machines.index(other)]
    machine.write("/etc/systemd/system-preset/99-default-disable.preset", "disable *\n")
    rpm(machine, "--install", package(pair))
    check_owners(machine)
    for unit in ALL:
        check(machine.run("systemctl", "is-enabled", unit, fails=True).strip() == "disabled", f"{unit} is not disabled")
    machine.run("rpm", "--verify", "--nodeps", "lbpair")
    with pair.lossless():
        machine.run("hactl", "setup", "--join", text=other.run("hactl", "setup", "--export"))
        machine.run("systemctl", "enable", "--now", "lbpair.target")
        pair.wait_ready()
    for unit in ALL:
        check(machine.run("systemctl", "is-enabled", unit).strip() == "enabled", f"{unit} is not enabled")
    pair.nothing_failed()


def reinstalled(pair):
    """The scriptlets of an upgrade: nothing restarts, what was edited stays."""
    machine = pair.backup()
    with pair.lossless():
        pids = machine.pids(*UNITS)
        machine.run("sh", "-c", f"cat >> {CONFFILE}", text=EDITED)
        rpm(machine, "--reinstall", package(pair))
        check(pids == machine.pids(*UNITS), "it restarted something")
        for unit in ALL:
            check(machine.run("systemctl", "is-enabled", unit).strip() == "enabled", f"{unit} is not enabled any more")
        check(machine.run("cat", CONFFILE).endswith(EDITED), f"{CONFFILE} was replaced")
        machine.run("systemctl", "restart", "lbd", "hafailover")
        pair.wait_ready()


def erased(pair):
    """The Active hands over, and is gone; what its operator wrote stays."""
    machine = pair.backup()
    other = pair.active()
    with pair.lossless():
        other.run("hactl", "failover", "--wait")
        pair.wait_ready()
        rpm(machine, "--erase", "lbpair")
        is_left_behind(pair, machine, other)
        for path in ("/usr/sbin/lbd", "/usr/lib/systemd/system/lbd.service", f"{WANTED}/lbd.service"):
            machine.run("test", "-e", path, fails=True)
    pair.nothing_failed()
