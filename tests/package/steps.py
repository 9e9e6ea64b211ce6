"""steps.py - what users do with the deb, and what happens to them.  Until the removal each step leaves a ready pair."""

import json
import re
from xml.etree import ElementTree

from files import NEWER, VERSION
from network import check, wait_for
from pair_of_machines import VIP

UNITS = ("lbd.service", "hafailover.service")
ALL = (*UNITS, "lbpair.target")
# Tenths of what `systemd-analyze security` says.
EXPOSED = {"lbd.service": 20, "hafailover.service": 30, "hafailover-witness.service": 20}
UFW = ("lbpair", "lbpair-pair", "lbpair-witness", "lbpair-metrics")
FIREWALLD = "/usr/lib/firewalld/services/lbpair.xml"
FILES = ("lbd.json", "hafailover.json", "secret")
LOG, CONFFILE = "/var/log/lbpair/access.log", "/etc/logrotate.d/lbpair"
WITNESS = '{ "pairs": [ { "name": "web", "secret_file": "/etc/lbpair/web.secret" } ] }\n'
LEASE_LEFT = 0.6  # at least, in seconds: a slower machine finds its address gone
EDITED = "# An operator was here.\n"
OWNERS = (("/etc/lbpair", "root:lbpair 750"), ("/run/lbpair", "lbpair:lbpair 755"),
          ("/var/lib/lbpair", "lbpair:lbpair 750"), ("/var/log/lbpair", "lbpair:lbpair 750"),
          ("/usr/sbin/lbd", "root:root 755"), (CONFFILE, "root:root 644"))


def apt_install(machine, version, *options):
    return machine.run("sh", "-c", f"apt-get install -y {' '.join(options)} /packages/deb/lbpair_{version}_*.deb")


def installed(pair):
    """Enabled, and passed over: there is no configuration yet."""
    for machine in pair.machines:
        machine.before = machine.files()
        apt_install(machine, VERSION)
        for unit in ALL:
            check(machine.run("systemctl", "is-enabled", unit).strip() == "enabled", f"{unit} is not enabled")
        machine.run("systemctl", "start", "lbpair.target")
        for unit in UNITS:
            check(machine.property(unit, "ActiveState") == "inactive", f"{unit} runs without a configuration")
        pair.nothing_failed()


def check_owners(machine):
    for path, owner in OWNERS:
        check(machine.owner(path) == owner, f"{path}: {machine.owner(path)}")


def looked_at(pair):
    """What others read of it."""
    machine = pair.machines[0]
    check_owners(machine)
    for unit, limit in EXPOSED.items():
        machine.run("systemd-analyze", "verify", "--man=no", f"/lib/systemd/system/{unit}")
        said = machine.run("systemd-analyze", "security", "--no-pager", f"--threshold={limit - 1}", unit)
        print(f"     {said.strip().splitlines()[-1][2:]}")
    for name in UFW:
        check(re.search(r"^Ports?:\n +\S+/(tcp|udp)$", machine.run("ufw", "app", "info", name), re.M), f"ufw: {name}")
    for rule in ("lbpair", "from 192.0.2.12 to any app lbpair-pair"):
        machine.run("ufw", "--dry-run", "allow", *rule.split())
    ports = [port.attrib for port in ElementTree.fromstring(machine.run("cat", FIREWALLD)).iter("port")]
    check(ports == [{"protocol": "udp", "port": "5405"}], f"{FIREWALLD}: {ports}")
    machine.run("logrotate", "--debug", CONFFILE)


def set_up(pair):
    """hactl setup on one, its one command for the other; then both serve."""
    one, two = pair.machines
    said = one.run("hactl", "setup", "--peer", "192.0.2.12", "--vip", VIP, "--server", ",".join(pair.servers))
    check("hactl setup --export | ssh root@192.0.2.12 hactl setup --join" in said, said)
    two.run("hactl", "setup", "--join", text=one.run("hactl", "setup", "--export"))
    for machine in pair.machines:
        for name in FILES:
            owner = machine.owner(f"/etc/lbpair/{name}")
            check(owner == "root:lbpair 640", f"{name}: {owner}")
        machine.run("hactl", "check")
        machine.run("systemctl", "enable", "--now", "lbpair.target")
    pair.wait_ready()
    for machine in pair.machines:
        for unit, pid in zip(UNITS, machine.pids(*UNITS)):
            check(machine.run("stat", "--format", "%U", f"/proc/{pid}").strip() == "lbpair", f"{unit} is not lbpair's")
    pair.nothing_failed()


def witnessing(pair):
    """The third daemon, as lbpair(7) has it; beside the others for once."""
    machine = pair.machines[0]
    machine.run("install", "-g", "lbpair", "-m", "640", "/etc/lbpair/secret", "/etc/lbpair/web.secret")
    machine.write("/etc/lbpair/witness.json", WITNESS)
    machine.run("sh", "-c", "hafailover --witness -t && systemctl enable --now hafailover-witness")
    is_again(machine, ["hafailover-witness"], lambda: machine.kill("hafailover-witness", "KILL"), 20)
    check(machine.host.run("ss", "-Hlun", "sport", "=", ":5406").strip(), "nothing listens on port 5406")
    machine.run("systemctl", "disable", "--now", "hafailover-witness")
    machine.run("rm", "/etc/lbpair/witness.json", "/etc/lbpair/web.secret")
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
    for role in ("active", "backup"):
        for unit in UNITS:
            before = pair.active()
            machine = before if role == "active" else pair.backup()
            with pair.outage() as seen:
                is_again(machine, [unit], lambda: machine.kill(unit, "KILL"), 20)
                pair.wait_ready()
            back = machine.since(unit, "ActiveEnter") - machine.since(unit, "ActiveExit")
            print(f"     {unit} of the {role} node: {back * 1000:.0f} ms from its death to active")
            if role == "backup" or unit == "hafailover.service" and back < LEASE_LEFT:
                check(pair.active() is before, f"{unit} of the {role} node: it moved")
                check(not seen.failures, f"{unit} of the {role} node: {dict(seen.failures)} failed")
    pair.nothing_failed()


def is_again(machine, units, end, seconds):
    """Another process of each, and active."""
    before = machine.pids(*units)
    end()
    for unit, pid in zip(units, before):
        wait_for(lambda: machine.property(unit, "MainPID") not in ("0", pid), seconds, f"another {unit}")
        wait_for(lambda: machine.property(unit, "ActiveState") == "active", 20, f"{unit} that is active")


def frozen(pair):
    """A main loop that stands still: systemd's watchdog, here with less patience, ends it and starts another."""
    machine = pair.backup()
    for unit in UNITS:
        machine.write(f"/run/systemd/system/{unit}.d/patience.conf", "[Service]\nWatchdogSec=3s\n")
    machine.run("systemctl", "daemon-reload")
    with pair.lossless():
        machine.run("systemctl", "restart", *UNITS)
        pair.wait_ready()
        is_again(machine, UNITS, lambda: [machine.kill(unit, "STOP") for unit in UNITS], 60)
        for unit in UNITS:
            said = machine.run("journalctl", "--no-pager", f"--unit={unit}")
            check("Watchdog timeout" in said, f"{unit} was not ended by its watchdog: {said[-2000:]}")
        machine.run("rm", "-r", *(f"/run/systemd/system/{unit}.d" for unit in UNITS))
        machine.run("systemctl", "daemon-reload")
        pair.wait_ready()
        check(pair.backup() is machine, "it moved")
    pair.nothing_failed()


def logs_rotated(pair):
    """Every request has a line, whenever the files changed under load."""
    machine = pair.active()
    pair.be_quiet()
    for each in pair.machines:
        config = json.loads(each.run("cat", "/etc/lbpair/lbd.json"))
        config["log"] = {"access": {"target": "file:" + LOG, "format": "json"}}
        each.write("/etc/lbpair/lbd.json", json.dumps(config, indent=2))
        each.run("hactl", "reload")
    before = pair.metric(machine, "lbpair_requests_total")
    with pair.lossless():
        for _ in range(3):
            size = int(machine.run("stat", "--format", "%s", LOG))
            machine.run("logrotate", "--force", CONFFILE)
            wait_for(lambda: int(machine.run("stat", "--format", "%s", LOG)) > 0, 20, f"log after that of {size} bytes")
    pair.be_quiet()
    asked = pair.metric(machine, "lbpair_requests_total") - before
    wait_for(lambda: lines_of_logs(machine) == asked, 10,
             f"line for each of {asked} requests, {lines_of_logs(machine)}")


def lines_of_logs(machine):
    return int(machine.run("sh", "-c", f"(cat {LOG} {LOG}.1; zcat {LOG}.*.gz) | wc -l"))


def rebooted(pair):
    """The Active hands over first, and comes back as the standby; hafailover may not claim before lbd listens."""
    machine = pair.active()
    with pair.lossless():
        machine.reboot()
        pair.wait_ready()
        check(pair.active() is not machine, "it is the Active again")
    check(machine.since("lbd", "ActiveEnter") <= machine.since("hafailover", "ExecMainStart"), "hafailover was first")
    pair.nothing_failed()


def stopped(pair):
    """The other way round: hafailover has given up before lbd stops."""
    machine, other = pair.active(), pair.backup()
    with pair.lossless():
        machine.run("systemctl", "stop", "lbpair.target")  # which does not wait for its services
        wait_for(lambda: machine.property("lbd", "ActiveState") == "inactive", 40, "end of lbd")
        check(pair.holders() == [other], f"held by {[m.name for m in pair.holders()]}")
        check(machine.since("hafailover", "InactiveEnter") <= machine.since("lbd", "ActiveExit"), "lbd stopped first")
        machine.run("systemctl", "start", "lbpair.target")
        pair.wait_ready()
    pair.nothing_failed()


def upgraded(pair):
    """The rolling procedure of lbpair(7): standby first; nothing is restarted by the installation."""
    for machine in (pair.backup(), pair.active()):
        machine.run("sh", "-c", f"cat >> {CONFFILE}", text=EDITED)
        with pair.lossless():
            before = pair.active(), machine.pids(*UNITS)
            said = apt_install(machine, NEWER)
            check("goes on as the former version" in said, said)
            check(before == (pair.active(), machine.pids(*UNITS)), "the upgrade restarted something")
            machine.run("hactl", "check")
            machine.run("systemctl", "restart", "lbd", "hafailover")
            pair.wait_ready()
            check(running_version(machine) == NEWER, running_version(machine))
        for name in FILES:
            machine.run("test", "-s", f"/etc/lbpair/{name}")
        check(machine.run("cat", CONFFILE).endswith(EDITED), f"{CONFFILE} was replaced")
    pair.nothing_failed()


def running_version(machine):
    found = re.search(r"^lbd (\S+) ", machine.run("hactl", "status"), re.M)
    return found[1] if found else "no version"


def reinstalled(pair):
    """On the standby nobody notices."""
    with pair.lossless():
        machine, pids = pair.backup(), pair.backup().pids(*UNITS)
        apt_install(machine, NEWER, "--reinstall")
        check(pids == machine.pids(*UNITS), "it restarted something")
        check(pair.backup() is machine, "it moved")


def secret_changed(pair):
    """Node by node, while it serves: for a moment they do not hear each other, and nothing moves."""
    with pair.lossless():
        before = pair.active()
        for machine in pair.machines:
            machine.write("/etc/lbpair/secret", "0123456789abcdef0123456789abcdef\n")
        for machine in pair.machines:
            machine.run("hactl", "reload", "hafailover")
        check(pair.active() is before, "it moved")
        pair.wait_ready()
        before.run("hactl", "failover", "--wait")  # they understand each other
        pair.wait_ready()
    check(before.owner("/etc/lbpair/secret") == "root:lbpair 640", "its mode")


def removed(pair):
    """The Active hands over, and is gone; its configuration stays until it is purged, then nothing does."""
    machine, other = pair.active(), pair.backup()
    with pair.lossless():
        machine.run("apt-get", "remove", "-y", "lbpair")
        is_left_behind(pair, machine, other)
        machine.run("apt-get", "purge", "-y", "lbpair")
        left = sorted(machine.files() - machine.before)
        check(not left, f"left behind: {' '.join(left)}")
        machine.run("getent", "passwd", "lbpair", fails=True)
        machine.run("getent", "group", "lbpair", fails=True)
    pair.nothing_failed()


def last_stopped(pair):
    """With nobody to hand over to, the address is gone with the daemon, not a lease later."""
    machine = pair.holders()[0]
    machine.run("systemctl", "stop", "hafailover")
    check(not pair.holders(), "the address is still there")
    pair.nothing_failed()


def is_left_behind(pair, machine, other):
    check(pair.holders() == [other], f"held by {[m.name for m in pair.holders()]}")
    check(not machine.host.holds(VIP), "the address is still there")
    for name in FILES:
        machine.run("test", "-s", f"/etc/lbpair/{name}")
    check(not machine.run("find", "/proc", "-maxdepth", "1", "-user", "lbpair"), "something of it runs")
