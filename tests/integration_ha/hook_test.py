"""Hooks of a live pair that has no virtual address: a cloud's address follows the Active, and nothing waits for a hook;
and the examples of docs/clouds.md against clouds that are made of shell."""

import json
import os
import subprocess
import tempfile

from couple import SECONDS, alarms, change, check, couple, moves, wait_alarm, wait_for, wait_says
from pair import reaches
from station import ROOT

# The cloud is a folder: who has the address, what was asked of it, and in what state it is.
ACTIVE = """cd "$CLOUD" && echo "$LBPAIR_NODE active $LBPAIR_TRY $LBPAIR_FROM $LBPAIR_CAUSE" >> calls
[ -e "hangs-for-$LBPAIR_NODE" ] && sleep 1000
[ -e down ] && exit 9
echo "$LBPAIR_NODE" > "new.$LBPAIR_NODE" && mv "new.$LBPAIR_NODE" address"""
BACKUP = """cd "$CLOUD" && echo "$LBPAIR_NODE backup $LBPAIR_TRY $LBPAIR_FROM $LBPAIR_CAUSE" >> calls"""


class Cloud:
    def __init__(self, lab):
        self.folder = os.path.join(lab.folder, "cloud")
        os.mkdir(self.folder)
        for node in lab.nodes:
            node.environment["CLOUD"] = self.folder
            with open(node.path("hafailover.json")) as f:
                config = json.load(f)
            del config["virtual_ips"]
            node.write("hafailover.json", config)
            change(node, hooks={"active": ACTIVE, "backup": BACKUP, "timeout": "1m"})

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name)) as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def calls(self, node):
        """Of its last role: (hook, try, from, cause)."""
        return [tuple(line.split()[1:]) for line in self.read("calls") if line.split()[0] == node.name]

    def wait_leads_to(self, node):
        wait_for(lambda: self.read("address") == [node.name], SECONDS, f"address at {node.name}: {self.read('calls')}")
        wait_for(lambda: hook(node)["state"] == "done", SECONDS, f"hook that is done: {hook(node)}")

    def mark(self, name, there=True):
        path = os.path.join(self.folder, name)
        if there:
            open(path, "w").close()
        else:
            os.unlink(path)


def hook(node):
    return node.status().get("hook") or {}


def start(lab):
    lab.start_servers()
    for server in lab.servers:
        wait_for(lambda server=server: reaches(lab.client, server["address"]), SECONDS, "server")
    for node in lab.nodes:
        node.start_lbd()
        node.start_hafailover()

    def roles():
        said = [n.status() for n in lab.nodes]
        return all(said) and sorted(s["role"] for s in said) == ["active", "backup"] and \
            all(s["peer"]["ready"] and s["lbd"]["servers_up"] == len(lab.servers) for s in said) and [s["role"] for s in said]
    found = wait_for(roles, SECONDS, "Active and a ready Backup: " + lab.nodes[0].log())
    return lab.nodes[found.index("active")], lab.nodes[found.index("backup")]


def move(cloud, old, new):
    """A planned move, and what the hooks are told of it."""
    before = len(cloud.calls(new)), len(cloud.calls(old))
    old.hactl("failover")
    wait_says(new, role="active", cause="operator")
    wait_says(old, role="backup", cause="operator")
    wait_for(lambda: len(cloud.calls(new)) > before[0] and len(cloud.calls(old)) > before[1], SECONDS, "both hooks")
    check(cloud.calls(new)[before[0]] == ("active", "1", "backup", "operator"), f"{cloud.read('calls')}")
    check(cloud.calls(old)[before[1]] == ("backup", "1", "active", "operator"), f"{cloud.read('calls')}")


def fails_and_is_tried_again(cloud, one, two):
    """Said everywhere, while the service goes on."""
    cloud.mark("down")
    move(cloud, one, two)
    text = wait_alarm(two, "hook_failed")
    check('the hook "active" fails' in text and "exit status 9" in text, text)
    check(text in two.hactl("status"), two.hactl("status"))
    check(hook(two)["failing"], f"{hook(two)}")
    check(int(two.metrics()['lbpair_ha_hook_runs_total{hook="active",result="failed"}']) >= 1, "counted")
    check(two.metrics()["lbpair_ha_hook_failing"] == "1", "said by the metrics")
    check(cloud.read("address") == [one.name], f"{cloud.read('address')}")
    cloud.mark("down", False)
    cloud.wait_leads_to(two)
    check(hook(two)["tries"] >= 2, f"{hook(two)}")
    check("hook_failed" not in alarms(two) and two.metrics()["lbpair_ha_hook_failing"] == "0", f"{alarms(two)}")


def hangs_and_is_superseded(cloud, two, one):
    """One that hangs holds up neither the roles nor the next one, and never has its way later."""
    cloud.mark(f"hangs-for-{one.name}")
    move(cloud, two, one)
    wait_for(lambda: hook(one).get("state") == "running", SECONDS, "hook that runs")
    before = len(moves(one))
    cloud.mark(f"hangs-for-{one.name}", False)
    move(cloud, one, two)
    cloud.wait_leads_to(two)
    wait_for(lambda: hook(one).get("state") == "done" and hook(one)["name"] == "backup", SECONDS, "end of the old hook")
    check(int(one.metrics()['lbpair_ha_hook_runs_total{hook="active",result="superseded"}']) == 1, "counted")
    check(moves(one, before) == [("active", "backup", "operator")], f"{moves(one)}")
    check(not any(is_sleep(pid) for pid in one.processes()), "it was not killed with what it had started")


def cut_and_joined(lab, cloud):
    """Both have been Active: whoever stays so has the last word."""
    lab.part(True)
    wait_for(lambda: all(n.status().get("role") == "active" for n in lab.nodes), SECONDS, "two Actives")
    wait_for(lambda: all(hook(n)["state"] == "done" for n in lab.nodes), SECONDS, "two hooks")
    before = {n: len(cloud.calls(n)) for n in lab.nodes}
    lab.part(False)
    wait_for(lambda: any(n.status().get("role") == "backup" for n in lab.nodes), SECONDS, "one Active")
    stays = next(n for n in lab.nodes if n.status()["role"] == "active")
    wait_for(lambda: len(cloud.calls(stays)) > before[stays], SECONDS, f"last word of {stays.name}")
    check(cloud.calls(stays)[-1][0] == "active", f"{cloud.read('calls')}")
    cloud.wait_leads_to(stays)
    return stays, lab.other(stays)


def is_sleep(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as f:
            return f.read().startswith("sleep\0")
    except OSError:
        return False  # it has ended


def test_a_cloud_without_virtual_address():
    with couple() as lab:
        cloud = Cloud(lab)
        one, two = start(lab)
        cloud.wait_leads_to(one)
        check(one.status()["vips"] == [] and not one.status()["alarms"], f"{one.status()}")
        fails_and_is_tried_again(cloud, one, two)
        hangs_and_is_superseded(cloud, two, one)
        two, one = cut_and_joined(lab, cloud)
        two.hafailover.kill()
        wait_says(one, role="active", cause="peer_silent")
        cloud.wait_leads_to(one)
        check(cloud.calls(one)[-1] == ("active", "1", "backup", "peer_silent"), f"{cloud.read('calls')}")


# `calls` has what was asked; the third look finds the address where it shall be.
AWS_CURL = """case "$*" in
*api/token) echo secret ;;
*"aws-ec2-metadata-token: secret"*meta-data/mac) echo 02:00:00:00:00:01 ;;
*macs/02:00:00:00:00:01/interface-id) echo eni-7 ;;
*placement/region) echo eu-test-1 ;;
*local-ipv4s) echo look >> calls; echo 10.0.1.11; [ $(grep -c look calls) -lt 3 ] || echo 10.0.1.100 ;;
*) exit 22 ;;
esac"""
AWS = '[ -e denied ] && exit 254; echo "aws $*" >> calls'
AWS_CALL = "aws ec2 assign-private-ip-addresses --region eu-test-1 --network-interface-id eni-7 --allow-reassignment " \
    "--private-ip-addresses 10.0.1.100"
FLOATING_CURL = """[ "$(cat)" = 'header = "Authorization: Bearer t0ken"' ] || exit 22
case "$*" in
*"-X POST"*) [ -e denied ] && exit 22; echo "$*" >> calls ;;
*) echo look >> calls; [ $(grep -c look calls) -lt 3 ] && n=10011 || n=1001; echo "{\\"server\\": $n, \\"id\\": 1001}" ;;
esac"""
FLOATING_CALL = '-sf -m 5 --config - -H Content-Type: application/json -X POST -d {"server": 1001} ' \
    "https://cloud.example/ip/1/actions/assign"


def example(name, programs, files=()):
    """(status, what was asked) when all is well, and when the cloud refuses."""
    with tempfile.TemporaryDirectory(prefix="lbpair-hook-") as folder:
        for program, text in {**programs, "logger": ":"}.items():
            with open(os.open(os.path.join(folder, program), os.O_WRONLY | os.O_CREAT, 0o755), "w") as f:
                f.write(f"#!/bin/sh\n{text}\n")
        for file, text in files:
            with open(os.path.join(folder, file), "w") as f:
                f.write(text)
        environment = {"PATH": f"{folder}:{os.environ['PATH']}", "LBPAIR_NODE": "lb1", "LBPAIR_TRY": "1",
                       "LBPAIR_VIRTUAL_IPS": "10.0.1.100/32 2001:db8::64/128",
                       "FLOATING_IP_FILE": os.path.join(folder, "floating-ip")}

        def run():
            done = subprocess.run(["/bin/sh", os.path.join(ROOT, "docs", "examples", name)], cwd=folder,
                                  env=environment, timeout=SECONDS)
            with open(os.path.join(folder, "calls")) as f:
                return done.returncode, f.read().splitlines()
        good = run()
        for mark in ("denied", "calls"):
            open(os.path.join(folder, mark), "w").close()
        return good, run()


def test_examples():
    good, refused = example("hook-aws.sh", {"curl": AWS_CURL, "aws": AWS})
    check(good == (0, [AWS_CALL, "look", "look", "look"]), f"{good}")
    check(refused == (254, []), f"{refused}")
    good, refused = example("hook-floating-ip.sh", {"curl": FLOATING_CURL},
                            [("floating-ip", "url=https://cloud.example/ip/1\ntoken=t0ken\nserver=1001\n")])
    check(good == (0, ["look", FLOATING_CALL, "look", "look"]), f"{good}")
    check(refused == (22, ["look"]), f"{refused}")
