"""The program: command line, exit codes, the service manager's protocol, privileges."""

import json
import os
import pwd
import re
import shutil
import signal
import tempfile

from harness import (Backend, Failure, Lbd, Skip, check, config, equal, run_lbd, wait_for)


class File:
    """A configuration file in a directory of its own."""

    def __init__(self, text):
        self.directory = tempfile.mkdtemp(prefix="lbd-")
        self.path = os.path.join(self.directory, "lbd.json")
        with open(self.path, "w") as f:
            f.write(text)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.directory)


SMALL = json.dumps({"listeners": [{"bind": ["127.0.0.1:1"], "pool": "web"}],
                    "pools": [{"name": "web", "servers": [{"address": "127.0.0.1:2"}]}]})


def test_check_of_a_good_file():
    with File(SMALL) as path:
        status, out, err = run_lbd("-t", "-c", path)
        equal((status, err), (0, ""), "status and stderr")
        check(path in out, f"stdout: {out}")


def test_check_of_a_bad_file_names_every_problem():
    bad = ('{ "listeners": [ { "bind": ["x"], "pool": "web" } ],\n'
           '  "pools": [ { "name": "web", "servers": [], "colour": 1 } ] }')
    with File(bad) as path:
        status, out, err = run_lbd("-t", "-c", path)
        equal((status, out), (1, ""), "status and stdout")
        for part in ("listeners[0].bind[0]", "pools[0].servers", "colour", path):
            check(part in err, f"no {part} in:\n{err}")


def test_the_effective_configuration_parses_to_itself():
    with File(SMALL) as path:
        status, first, err = run_lbd("-T", "-c", path)
        equal((status, err), (0, ""), "status and stderr")
        check(json.loads(first)["timeouts"]["client_header"] == "10s", f"defaults are not shown:\n{first}")
    with File(first) as path:
        status, second, err = run_lbd("-T", "-c", path)
        equal((status, err), (0, ""), "status and stderr")
        equal(second, first, "the effective configuration of the effective configuration")


def test_version_and_help():
    status, out, err = run_lbd("-V")
    equal((status, err), (0, ""), "status and stderr")
    check(re.fullmatch(r"lbd \d+\.\d+\.\d+\S*\n", out), f"version: {out!r}")
    status, out, _ = run_lbd("-h")
    equal(status, 0, "status of -h")
    check("-c" in out and "-t" in out, f"help: {out}")


def test_usage_errors_are_2():
    for arguments in (["-x"], ["-c"], ["surplus"], ["-t", "surplus"]):
        status, out, err = run_lbd(*arguments)
        equal((status, out), (2, ""), f"status and stdout of {arguments}")
        check(err, "nothing on stderr")


def test_failed_starts_are_1_with_the_reason():
    with Backend() as taken:
        cases = {
            "a missing file": (None, "No such file"),
            "a bad file": ("{", "lbd.json"),
            "an address in use": (json.dumps(dict(json.loads(SMALL), admin={"http": "off", "socket": "@SOCKET"},
                                                  listeners=[{"bind": [taken.address], "pool": "web"}])),
                                  taken.address),
        }
        for what, (text, word) in cases.items():
            with File("") as path:
                if text is None:
                    os.unlink(path)
                else:
                    with open(path, "w") as f:
                        f.write(text.replace("@SOCKET", path + ".sock"))
                status, _, err = run_lbd("-c", path)
                equal(status, 1, f"status with {what}")
                check(word in err, f"{what}: {err}")


def test_a_second_lbd_with_the_same_file_does_not_start():
    with Backend() as server, Lbd(config(server)) as lbd:
        status, _, err = run_lbd("-c", lbd.file)
        equal(status, 1, "status")
        check(lbd.socket_path in err, f"reason: {err}")
        equal(lbd.get().status, 200, "status of the first")
        check(lbd.command("status")["ready"], "the control socket of the first is gone")


def test_notifications_in_their_order():
    with Backend() as server, Lbd(config(server)) as lbd:
        lbd.reload()
        lbd.end_expected = True
        lbd.stop()
        seen = lbd.notifications.drain()
        states = [line for message in seen for line in message.split("\n")
                  if line.split("=")[0] in ("READY", "RELOADING", "STOPPING")]
        equal(states, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"], "states")
        reloading = next(m for m in seen if "RELOADING=1" in m)
        check(re.search(r"^MONOTONIC_USEC=\d+$", reloading, re.M), f"systemd wants the time: {reloading!r}")


def test_sigint_drains_like_sigterm():
    with Backend() as server, Lbd(config(server)) as lbd:
        equal(lbd.get().status, 200, "status")
        lbd.end_expected = True
        lbd.signal(signal.SIGINT)
        equal(lbd.wait_exit(), 0, "exit status")


def test_watchdog():
    with Backend() as server, Lbd(config(server), watchdog_us=600000) as lbd:
        for _ in range(3):
            lbd.notifications.wait("WATCHDOG=1", lbd.alive, timeout=5)


def test_no_watchdog_unless_asked_for():
    with Backend() as server, Lbd(config(server)) as lbd:
        lbd.get()
        check(not any("WATCHDOG" in m for m in lbd.notifications.drain()), "WATCHDOG without WATCHDOG_USEC")


def test_the_watchdog_is_quiet_for_another_process():
    with Backend() as server, Lbd(config(server), watchdog_us=300000, env={"WATCHDOG_PID": "1"}) as lbd:
        try:
            lbd.notifications.wait("WATCHDOG=1", lbd.alive, timeout=1)
        except Failure:
            return
        raise Failure("WATCHDOG for a process that is not meant")


def test_a_hanging_proxy_process_is_replaced():
    with Backend() as server, Lbd(config(server)) as lbd:
        lbd.crashes_expected = True
        pid = lbd.proxy_pid()
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: lbd.children() and lbd.children() != [pid], "a new proxy process", timeout=45)
        equal(lbd.get(timeout=30).status, 200, "status")
        lbd.log.wait("proxy_hangs")


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_privileges_are_dropped():
    if os.geteuid() != 0:
        raise Skip("needs root")
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise Skip("no user nobody") from None
    with Backend() as server, Lbd(config(server, user="nobody")) as lbd:
        equal(lbd.get().status, 200, "status")
        seen = status_of(lbd.proxy_pid())
        equal(seen["Uid"].split("\t"), [str(nobody.pw_uid)] * 4, "user of the proxy process")
        equal(seen["Gid"].split("\t"), [str(nobody.pw_gid)] * 4, "group of the proxy process")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            equal(int(seen[kind], 16), 0, f"{kind} of the proxy process")
        equal(seen["NoNewPrivs"], "1", "NoNewPrivs of the proxy process")
        check("0" not in seen["Groups"].split(), f"supplementary groups {seen['Groups']!r}")
        lbd.reload(config(server, user="nobody", pool={"algorithm": "random"}))
        equal(lbd.get().status, 200, "status after a reload")
        lbd.kill_proxy()
        equal(lbd.get().status, 200, "status after a crash")
        equal(status_of(lbd.proxy_pid())["Uid"].split("\t")[0], str(nobody.pw_uid), "user of the next one")


def test_an_unknown_user_fails_the_start():
    with File(json.dumps(dict(json.loads(SMALL), user="no-such-user-here"))) as path:
        status, _, err = run_lbd("-c", path)
        equal(status, 1, "status")
        check("no-such-user-here" in err, f"reason: {err}")


def test_works_without_root():
    if os.geteuid() != 0:
        raise Skip("the other tests show it already")
    import subprocess
    with Backend() as server, Lbd(config(server), start=False) as lbd:
        os.chmod(lbd.directory, 0o777)
        nobody = pwd.getpwnam("nobody")
        from harness import Log, Notifications, lbd_binary
        lbd.notifications = Notifications(lbd.path("notify.sock"))
        binary = shutil.copy(lbd_binary(), lbd.path("lbd"))
        lbd.process = subprocess.Popen([binary, "-c", lbd.file], user=nobody.pw_uid, group=nobody.pw_gid,
                                       extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       env={"NOTIFY_SOCKET": lbd.path("notify.sock")})
        lbd.log = Log(lbd.process.stdout)
        for port in lbd.ports:  # reserved by root: SO_REUSEPORT shares among one user alone
            port.close()
        lbd.notifications.wait("READY=1", lbd.alive)
        lbd.first_proxy = lbd.proxy_pid()
        equal(lbd.get().status, 200, "status")


def test_the_descriptor_limit_is_raised():
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with Backend() as server, Lbd(config(server)) as lbd:
            with open(f"/proc/{lbd.proxy_pid()}/limits") as f:
                line = next(l for l in f if l.startswith("Max open files"))
            check(int(line.split()[3]) > 256, f"limit: {line}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
