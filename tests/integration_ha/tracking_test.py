"""Gateways and scripts of a live pair: an unfit node yields to a fit one and to nobody else, and says why."""

import signal

from couple import (SECONDS, VIP, Gateway, alarms, change, check, check_served, couple, moves, wait_alarm, wait_for,
                    wait_says)
from network import Skip
from pair import send

GATEWAYS = {"gateways": ["192.0.2.1"]}
FALL, RISE = 3, 2
# `failures` says how often it still fails, or that it hangs; each run adds a line to `runs`.
COMMAND = """n=$(cat "$DIR/failures"); echo run >> "$DIR/runs"; [ "$n" = hang ] && exec sleep 1000
[ "$n" -gt 0 ] || exit 0; echo $((n - 1)) > "$DIR/failures"; exit 7"""
SCRIPTS = {"scripts": [{"command": COMMAND, "interval": "500ms", "timeout": "500ms", "fall": FALL, "rise": RISE}]}


def fail(node, how):
    """So many times from now on, or "hang"."""
    with open(node.path("failures"), "w") as f:
        f.write(f"{how}\n")


def runs(node):
    with open(node.path("runs")) as f:
        return len(f.readlines())


def wait_runs(node, more):
    before = runs(node)
    wait_for(lambda: runs(node) >= before + more, SECONDS, f"{more} runs of the script")


def start_scripts(lab):
    for node in lab.nodes:
        node.environment["DIR"] = node.folder
        fail(node, 0)
    lab.start()
    return lab.active(), lab.other(lab.active())


def check_holder(lab, node):
    """It alone has the address, and it did not change hands since."""
    check(lab.record.holder() == (node.number,), f"{lab.record.holder()} hold, not {node.name}")


def check_yields(lab, active, backup, cause, text):
    """The Active has been hurt: the other one takes over, both say why, and nothing moves back when it is well."""
    wait_says(backup, role="active", cause=cause)
    wait_says(active, role="fault", cause=cause, eligible=False)
    check(wait_alarm(active, "not_eligible") == text, f"{alarms(active)}")
    check(moves(backup)[-1] == ("backup", "active", cause), f"{moves(backup)}")
    check(moves(active)[-1] == ("active", "fault", cause), f"{moves(active)}")
    check("not_eligible" not in alarms(backup), f"{alarms(backup)}")
    lab.active()
    check_holder(lab, backup)


def check_well_again(lab, active, backup):
    wait_says(active, role="backup", cause="eligible", eligible=True)
    wait_for(lambda: not alarms(active) and not alarms(backup), SECONDS, "end of the alarms")
    check(moves(backup)[-1][1] == "active", f"{moves(backup)}")
    check_holder(lab, backup)


def test_a_lost_gateway_moves_the_service():
    with couple(GATEWAYS) as lab, Gateway(lab) as gateway:
        lab.start()
        active, since = lab.active(), lab.now()
        backup = lab.other(active)
        gateway.ignore(active)
        check_yields(lab, active, backup, "gateways_lost", "no gateway answers")
        gateway.ignore()
        check_well_again(lab, active, backup)
        check_served(lab, since)


def test_an_unfit_peer_is_nobody_to_yield_to():
    """Both lose their gateways: the service stays where it is; the first that is well again gets it."""
    with couple(GATEWAYS) as lab, Gateway(lab) as gateway:
        lab.start()
        active, since = lab.active(), lab.now()
        backup = lab.other(active)
        gateway.ignore(backup)
        wait_says(backup, role="fault", cause="gateways_lost")
        refused = active.hactl("failover", fails=True)
        check(refused == "", refused)
        gateway.ignore(active, backup)
        wait_alarm(active, "active_unfit")
        check(wait_alarm(active, "not_eligible") == "no gateway answers", f"{alarms(active)}")
        lab.sleep(1.0)
        check(active.status()["role"] == "active", f"{moves(active)}")
        check_holder(lab, active)
        check(lab.record.changes(since, lab.now()) == 0, "the address came or went")
        gateway.ignore(active)
        wait_says(backup, role="active", cause="gateways_lost")
        wait_says(active, role="fault", cause="gateways_lost")
        check_served(lab, since)


def test_a_backup_that_is_cut_off_does_not_claim():
    """It hears neither its peer nor the gateway any more: for the one that takes longer to tell it must wait, too."""
    with couple(GATEWAYS) as lab, Gateway(lab):
        lab.start()
        active, since = lab.active(), lab.now()
        backup = lab.other(active)
        known = len(moves(backup))
        lab.forward(backup, False)
        wait_says(backup, role="fault", cause="gateways_lost")
        lab.sleep(0.5)
        check(moves(backup, known) == [("backup", "fault", "gateways_lost")], f"{moves(backup, known)}")
        lab.forward(backup, True)
        check_well_again(lab, backup, active)
        check(lab.record.changes(since, lab.now()) == 0, "the address came or went")


def test_a_script_fails_so_often_and_no_less():
    with couple(SCRIPTS) as lab:
        active, backup = start_scripts(lab)
        since, known = lab.now(), len(moves(active))
        for _ in range(3):
            fail(active, FALL - 1)
            wait_runs(active, FALL + 1)
        check(moves(active, known) == [], f"{moves(active, known)}")
        check(active.status()["eligible"], "unfit")
        fail(active, 1000)
        check_yields(lab, active, backup, "script_failed", f'script "{COMMAND[:100]}": exit status 7')
        fail(active, 0)
        check_well_again(lab, active, backup)
        check_served(lab, since)


def test_a_script_that_hangs_has_failed():
    with couple(SCRIPTS) as lab:
        active, backup = start_scripts(lab)
        since = lab.now()
        fail(active, "hang")
        check_yields(lab, active, backup, "script_failed", f'script "{COMMAND[:100]}": timed out after 500 ms')
        fail(active, 0)
        check_well_again(lab, active, backup)
        check_served(lab, since)
        sleepers = [p for p in active.processes() if b"1000" in command_line(p)]
        check(not sleepers, f"left behind: {sleepers}")


def test_a_script_that_ends_while_nobody_looks():
    """Its end and SIGCHLD are then seen in the same turn: it must be waited for once, by tracking."""
    with couple(SCRIPTS) as lab:
        _, backup = start_scripts(lab)
        fail(backup, "hang")

        def sleeping():
            return [p for p in backup.processes() if b"1000" in command_line(p)]

        wait_for(sleeping, SECONDS, "script that hangs")
        send([backup.hafailover.pid], signal.SIGSTOP)
        send(sleeping(), signal.SIGKILL)
        fail(backup, 0)
        send([backup.hafailover.pid], signal.SIGCONT)
        wait_runs(backup, 3)


def test_a_reload_before_the_first_verdicts():
    """The election waits for the script, which hangs: it is not there yet when the reload comes."""
    with couple(SCRIPTS) as lab:
        _, backup = start_scripts(lab)
        send([backup.hafailover.pid], signal.SIGTERM)
        check(backup.hafailover.wait(SECONDS) == 0, backup.log())
        fail(backup, "hang")
        before = len(backup.log())
        backup.start_hafailover()
        wait_for(lambda: "realtime" in backup.log()[before:], SECONDS, "start")
        send([backup.hafailover.pid], signal.SIGHUP)
        wait_for(lambda: "reload" in backup.log()[before:], SECONDS, "reload")
        if "started" in backup.log()[before:].split("reload")[0]:
            raise Skip("too slow: the election had begun")
        wait_for(lambda: "notice started" in backup.log()[before:], SECONDS, "election")
        check(backup.hafailover.poll() is None, "it ended")


def test_scripts_where_sigchld_was_ignored():
    """As a careless parent leaves it: a child that nobody could wait for."""
    with couple(SCRIPTS) as lab:
        _, backup = start_scripts(lab)
        send([backup.hafailover.pid], signal.SIGTERM)
        check(backup.hafailover.wait(SECONDS) == 0, backup.log())
        backup.hafailover = lab.spawn(backup.host, ["env", "--ignore-signal=CHLD", lab.binary("hafailover"), "-c",
                                                    backup.path("hafailover.json"), "--node", backup.name],
                                      env=backup.environment)
        wait_runs(backup, 3)
        check(backup.hafailover.poll() is None, "it ended")


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""  # it has ended


def test_two_failed_scripts_move_nothing():
    with couple(SCRIPTS) as lab:
        active, backup = start_scripts(lab)
        since = lab.now()
        fail(backup, 1000)
        wait_says(backup, role="fault", cause="script_failed")
        fail(active, 1000)
        wait_alarm(active, "active_unfit")
        wait_runs(active, 5)
        check(active.status()["role"] == "active", f"{moves(active)}")
        check(lab.record.changes(since, lab.now()) == 0, "the address came or went")
        fail(backup, 0)
        wait_says(backup, role="active", cause="script_failed")
        check_served(lab, since)


def test_an_interface_that_is_not_there():
    """Nothing can be asked then, not even at the start, and nothing can be claimed, but it comes up and goes on."""
    with couple() as lab:
        node = lab.nodes[0]
        change(node, virtual_ips=[{"address": VIP, "interface": "eth9"}])
        node.start_lbd()
        node.start_hafailover()
        wait_says(node, role="fault", eligible=False)
        check("no interface" in wait_alarm(node, "not_eligible"), f"{alarms(node)}")
        node.host.ip("link", "add", "eth9", "up", "type", "veth", "peer", "name", "other")
        node.host.ip("link", "set", "other", "up")
        wait_says(node, role="active")
        check(node.host.holds(VIP), "it does not have the address")
        node.host.ip("link", "del", "eth9")
        wait_says(node, role="fault", eligible=False)
        check(node.hafailover.poll() is None, "it ended")
