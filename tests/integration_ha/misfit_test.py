"""What does not fit together, or is not allowed, is said as exactly that: in hactl status, and at start."""

import json
import os
import re
import socket
import subprocess

from couple import SECONDS, VIP, alarms, change, check, couple, moves, wait_alarm, wait_for, wait_says
from laboratory import Laboratory
from pair import VIP6
from station import station_binary

PORT = 5405


def begin(node, *words):
    """Its hafailover once more, from the file that is there now."""
    node.hafailover.terminate()
    node.hafailover.wait(SECONDS)
    node.hafailover = node.start("hafailover", "--node", *(words or [node.name]))


def shown(node, text):
    """As an operator sees it."""
    page = node.hactl("status")
    check(text in page, f"no {text!r} in\n{page}")


def nodes_of(node, number, **keys):
    """`nodes` with other keys for one of them."""
    with open(node.path("hafailover.json")) as f:
        nodes = json.load(f)["nodes"]
    nodes[number].update(keys)
    return nodes


def another_secret(lab, active, backup):
    with open(os.open(backup.path("other"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write("quite another secret\n")
    change(backup, secret_file=backup.path("other"))
    begin(backup)
    for node in (active, backup):
        text = wait_alarm(node, "secret_differs")
        check("another secret" in text, text)
        shown(node, "another secret")
        wait_for(lambda node=node: not node.status()["peer"]["reachable"], SECONDS, "silence of the peer")
    text = wait_alarm(backup, "vip_serves")
    check(re.search(f"{VIP}|{VIP6}", text) and active.host.mac() in text, text)
    wait_says(backup, role="backup")


def another_name(lab, active, backup):
    change(backup, nodes=nodes_of(backup, backup.number, name="stranger"))
    begin(backup, "stranger")
    check(wait_alarm(active, "name_differs").endswith("calls itself stranger"), f"{alarms(active)}")
    shown(active, "calls itself stranger")
    wait_alarm(backup, "peer_silent")


def another_configuration(lab, active, backup):
    change(backup, nodes=nodes_of(backup, backup.number, priority=150))
    backup.hactl("reload", "hafailover")
    check(backup.status()["priority"] == 150, f"{backup.status()}")
    for node, other in ((active, backup), (backup, active)):
        wait_alarm(node, "config_differs")
        digests = [n.status()["config"] for n in (node, other)]
        check(digests[0]["match"] is False and digests[0]["peer_digest"] == digests[1]["digest"], f"{digests}")
        shown(node, "not the same on both nodes")
        shown(node, "the configurations of the nodes differ")
    active.hactl("failover", fails=True)


def another_configuration_of_lbd(lab, active, backup):
    """Of which hafailover only tells."""
    backup.write("lbd.json", {**lab.lbd_configuration(backup), "timeouts": {"connect": "3s"}})
    backup.hactl("reload", "lbd")
    for node, other in ((active, backup), (backup, active)):
        wait_alarm(node, "lbd_config_differs")
        digests = [n.status()["lbd"]["config"] for n in (node, other)]
        check(digests[0]["match"] is False and digests[0]["peer_digest"] == digests[1]["digest"], f"{digests}")
        shown(node, "the peer's lbd has another configuration: " + digests[1]["digest"])
    backup.write("lbd.json", lab.lbd_configuration(backup))
    backup.hactl("reload", "lbd")
    for node in (active, backup):
        wait_for(lambda node=node: node.status()["lbd"]["config"]["match"], SECONDS, "the same again")
        check("lbd_config_differs" not in alarms(node), f"{alarms(node)}")


def another_version(lab, active, backup):
    """The peer has been upgraded, and speaks what this node does not."""
    backup.hafailover.terminate()
    backup.hafailover.wait(SECONDS)
    with backup.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((lab.paths[backup.number][0], PORT))
        s.sendto(b"LBHA\x09" + bytes(251), (lab.paths[active.number][0], PORT))
        text = wait_alarm(active, "version_differs")
        check(text == "the peer speaks version 9 of the protocol, this node version 1", text)
        shown(active, text)


def test_a_peer_that_does_not_fit_is_shown_as_that():
    """Whatever is wrong with the Backup: the Active says what, goes on, and forgets it when it is mended."""
    with couple() as lab:
        lab.start()
        active, since = lab.active(), lab.now()
        backup = lab.other(active)
        with open(backup.path("hafailover.json")) as f:
            right = json.load(f)
        for misfit in (another_secret, another_name, another_configuration, another_configuration_of_lbd,
                       another_version):
            misfit(lab, active, backup)
            backup.write("hafailover.json", right)
            begin(backup)
            wait_for(lambda: not alarms(active) and not alarms(backup), SECONDS, f"mending after {misfit.__name__}")
        check(lab.record.changes(since, lab.now()) == 0, "the address came or went")
        for result in ("forged", "stranger", "other_version"):
            check(f"heartbeat_refused from={lab.paths[backup.number][0]} result={result}" in active.log(), result)


def test_a_missing_privilege_is_named_at_start():
    starts = {}
    with Laboratory(os.path.dirname(os.path.dirname(station_binary()))) as lab:
        node = lab.nodes[0]
        for privilege in ("net_admin", "net_raw"):
            starts[privilege] = subprocess.run(
                ["setpriv", f"--bounding-set=-{privilege}", lab.binary("hafailover"),
                 "-c", node.path("hafailover.json"), "--node", node.name],
                preexec_fn=node.host.enter, stderr=subprocess.PIPE, text=True, timeout=SECONDS)
    for privilege, done in starts.items():
        check(done.returncode == 1, f"status {done.returncode} without {privilege}: {done.stderr}")
        check(re.search(f"start_failed reason=.*CAP_{privilege.upper()} is missing", done.stderr), done.stderr)


def test_an_address_that_the_kernel_refuses_is_an_alarm():
    """The node that cannot hold all of them says which and why, and the other one gets them back."""
    with couple(ha={"virtual_ips": [VIP, {"address": VIP6, "interface": "eth0"}]}) as lab:
        lab.start()
        active = lab.active()
        backup = lab.other(active)
        backup.host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
        active.hactl("failover", fails=None)
        text = wait_alarm(backup, "vip_failed")
        check(text.startswith(f"cannot claim {VIP6}: Permission denied"), text)
        shown(backup, text)
        wait_says(active, role="active")
        check(moves(backup)[-1] == ("active", "fault", "vip_failed"), f"{moves(backup)}")
