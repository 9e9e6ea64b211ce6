"""hactl against the real lbd, and against a scripted hafailover where an answer must be a certain one."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

from harness import (Backend, Failure, Lbd, Skip, check, config, equal, lbd_binary, request, wait_for)
from harness import ROOT

NOBODY = 65534
HA_STATUS = {
    "node": "lb1", "role": "active", "since": "2026-01-01T00:00:00.000Z", "cause": "start", "term": 3,
    "priority": 100, "vips": [{"address": "192.0.2.100/32", "interface": "eth0", "held": True}],
    "peer": {"name": "lb2", "role": "backup", "reachable": True, "term": 3, "ready": True,
             "paths": [{"address": "192.0.2.12", "reachable": True, "hears_us": True}]},
    "config": {"digest": "0123456789abcdef", "match": True},
    "lbd": {"ready": True, "draining": False, "servers_up": 1, "servers_total": 1}, "alarms": []}


def hactl_binary():
    path = os.path.join(os.path.dirname(lbd_binary()), "hactl")
    check(os.access(path, os.X_OK), f"{path} is not built")
    return path


class FakeDaemon:
    """
    A control socket that answers from a script: {command: reply, or function of the request}.  A reply is an
    object ("ok" is added), bytes that are sent as they are, or None: silence.
    """

    def __init__(self, replies, mode=0o600):
        self.directory = tempfile.mkdtemp(prefix="hactl-")
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "control.sock")
        self.replies, self.requests = replies, []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        os.chmod(self.path, mode)
        self.sock.listen(16)
        self.clients = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            self.clients.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            for line in client.makefile("rb"):
                request = json.loads(line)
                self.requests.append(request)
                reply = self.replies[request["command"]]
                if callable(reply):
                    reply = reply(request)
                if isinstance(reply, dict):
                    reply = json.dumps({"ok": True, **reply}).encode() + b"\n"
                if reply is not None:
                    client.sendall(reply)
        except OSError:
            pass

    def say(self, line):
        """To everybody who is there: a stream goes on."""
        for client in self.clients:
            client.sendall(json.dumps({"ok": True, **line}).encode() + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        for client in self.clients:
            client.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def refusal(text):
    return json.dumps({"ok": False, "error": text}).encode() + b"\n"


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if not k.startswith("LBPAIR_") and k != "NO_COLOR"}
    return {**env, "TERM": "xterm", **changes}


def hactl(*words, lbd="/nonexistent/lbd.sock", ha="/nonexistent/ha.sock", timeout=30, **options):
    """Exit status, output and complaints."""
    done = subprocess.run([hactl_binary(), "--lbd-socket", lbd, "--ha-socket", ha, *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                          env=environment(), **options)
    for text in (done.stdout, done.stderr):
        check(not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text), f"control characters in {text!r}")
        check("Sanitizer" not in text and "runtime error" not in text, text)
    return done.returncode, done.stdout, done.stderr


def expect(status, out, err, result, what=""):
    """The exit status, and patterns for both streams; None: empty."""
    for name, pattern, text in (("output", out, result[1]), ("complaints", err, result[2])):
        if pattern is None:
            equal(text, "", f"{what} {name}")
        else:
            check(re.search(pattern, text, re.M), f"{what} {name}: no {pattern!r} in {text!r}")
    equal(result[0], status, f"{what} exit status; complaints {result[2]!r}")


# What needs no daemon

USAGE = [
    ("nothing", [], 2, None, r"^usage: hactl"),
    ("unknown", ["sttus"], 2, None, r'no command "sttus"; did you mean status\?'),
    ("unknown_far", ["frobnicate"], 2, None, r'no command "frobnicate"$'),
    ("unknown_hostile", ["a\033[2Jb"], 2, None, r'no command "a\\x1b\[2Jb"$'),
    ("help", ["help"], 0, r"^  failover ", None),
    ("help_option", ["--help"], 0, r"^usage: hactl", None),
    ("help_command", ["help", "server"], 0, r"^usage: hactl server POOL/NAME ", None),
    ("command_help", ["server", "--help"], 0, r"^usage: hactl server POOL/NAME ", None),
    ("command_h", ["top", "-h"], 0, r"^usage: hactl top$", None),
    ("help_unknown", ["help", "sever"], 2, None, r'no command "sever"; did you mean server\?'),
    ("version", ["-V"], 0, r"^hactl \d+\.\d+\.\d+$", None),
    ("option", ["--jsn", "status"], 2, None, r"unrecognized option '--jsn'"),
    ("command_option", ["status", "--jsn"], 2, None, r"no option --jsn; did you mean --json\?\nusage: hactl status"),
    ("option_value", ["status", "--json=1"], 2, None, r"--json takes no value"),
    ("option_no_value", ["failover", "--to"], 2, None, r"--to needs a value"),
    ("json_watch", ["status", "--json", "--watch"], 2, None, r"exclude each other"),
    ("surplus", ["history", "now"], 2, None, r'unexpected argument "now"'),
    ("server_nothing", ["server"], 2, None, r"something is missing"),
    ("server_action", ["server", "web/a", "kill"], 2, None, r'no action "kill"'),
    ("server_weight", ["server", "web/a", "weight"], 2, None, r"weight needs a number"),
    ("server_weight_word", ["server", "web/a", "weight", "5x"], 2, None, r'"5x" is no weight'),
    ("server_weight_minus", ["server", "web/a", "weight", "-1"], 2, None, r'"-1" is no weight'),
    ("server_weight_huge", ["server", "web/a", "weight", "9" * 30], 2, None, r"is no weight"),
    ("server_number", ["server", "web/a", "drain", "5"], 2, None, r"only weight takes a number"),
    ("server_wait", ["server", "web/a", "ready", "--wait"], 2, None, r"--wait goes with drain and maintenance"),
    ("server_wait_json", ["server", "web/a", "drain", "--wait", "--json"], 2, None, r"--wait goes with"),
    ("standby", ["standby", "maybe"], 2, None, r'on or off, not "maybe"'),
    ("reload", ["reload", "nginx"], 2, None, r'no daemon "nginx"'),
    ("timeout", ["--timeout", "5", "status"], 2, None, r"--timeout must be a duration"),
    ("timeout_zero", ["--timeout", "0s", "status"], 2, None, r"--timeout must be a duration"),
    ("ha_gone", ["history"], 3, None, r"hafailover is not reachable: there is no socket /nonexistent/ha\.sock"),
    ("lbd_gone", ["servers"], 3, None, r"lbd is not reachable: there is no socket /nonexistent/lbd\.sock"),
    ("both_gone", ["status"], 3, None, r"hafailover is not(.|\n)*lbd is not reachable"),
    ("both_gone_json", ["status", "--json"], 3, None, r"hafailover is not(.|\n)*lbd is not reachable"),
    ("reload_gone", ["reload"], 3, None, r"lbd is not(.|\n)*hafailover is not reachable"),
    ("top_gone", ["top"], 3, None, r"lbd is not reachable"),
    ("path_long", ["--lbd-socket", "/" + "x" * 200, "servers"], 3, None, r"must have 1 to 107 bytes"),
]


def table_without_daemons(report):
    for name, words, status, out, err in USAGE:
        try:
            expect(status, out, err, hactl(*words), name)
            report(name)
        except Failure as e:
            report(name, str(e))


table_without_daemons.rows = lambda: [row[0] for row in USAGE]


def test_every_command_is_in_the_manual():
    _, text, _ = hactl("help")
    commands = re.findall(r"^  ([a-z]+) ", text, re.M)
    check(len(commands) == 12, f"commands: {commands}")
    with open(os.path.join(ROOT, "docs/hactl.1")) as f:
        manual = f.read()
    for command in commands:
        check(re.search(rf"^\.(It )?Ic {command}\b", manual, re.M), f"{command} is not in hactl.1")
        _, text, _ = hactl(command, "--help")
        for option in re.findall(r"--([a-z-]+)", text.split("\n")[0]):
            check(f"Fl -{option}" in manual, f"{command} --{option} is not in hactl.1")


# Reaching a daemon

def permission_refused(path):
    """hactl as somebody who may not; root becomes nobody."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = tempfile.mkdtemp(prefix="hactl-")
    try:
        os.chmod(folder, 0o755)
        copy = shutil.copy(hactl_binary(), folder)  # the build may be where nobody may look
        return subprocess.run([copy, "--lbd-socket", path, "--ha-socket", path, "servers"], text=True,
                              capture_output=True, timeout=30, cwd="/", env=environment(), **user)
    finally:
        shutil.rmtree(folder)


def test_no_permission_is_named():
    with FakeDaemon({}, mode=0o000) as daemon:
        done = permission_refused(daemon.path)
        equal(done.returncode, 3, f"exit status ({done.stderr})")
        check(f"no permission for {daemon.path}" in done.stderr and "group lbpair" in done.stderr, done.stderr)


def test_nobody_listens():
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as sock:
        path = os.path.join(folder, "s")
        sock.bind(path)
        expect(3, None, r"nobody listens on " + path, hactl("history", ha=path))


def timed(*words, **options):
    start = time.monotonic()
    return hactl(*words, **options), time.monotonic() - start


def test_silence_is_bounded():
    with FakeDaemon({"servers": None}) as daemon:
        result, seconds = timed("--timeout", "300ms", "servers", lbd=daemon.path)
        expect(3, None, r"did not answer in time", result)
        check(0.25 < seconds < 3, f"{seconds} s")


def test_an_answer_that_never_ends_is_bounded():
    def drip(_):
        for _ in range(100):
            daemon.clients[-1].sendall(b"x")
            time.sleep(0.05)

    with FakeDaemon({"servers": drip}) as daemon:
        result, seconds = timed("--timeout", "500ms", "servers", lbd=daemon.path)
        expect(3, None, r"did not answer in time", result)
        check(seconds < 3, f"{seconds} s")


def test_a_full_backlog_is_bounded():
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as sock:
        path = os.path.join(folder, "s")
        sock.bind(path)
        sock.listen(0)
        waiting = []
        try:
            while True:
                client = socket.socket(socket.AF_UNIX)
                waiting.append(client)
                client.setblocking(False)
                client.connect(path)
        except BlockingIOError:
            pass
        result, seconds = timed("--timeout", "300ms", "servers", lbd=path)
        expect(3, None, r"lbd is not reachable", result)
        check(seconds < 3, f"{seconds} s")
        for client in waiting:
            client.close()


NONSENSE = [("closed", b"", 3), ("empty", b"\n", 1), ("word", b"hello\n", 1), ("array", b"[]\n", 1), ("number", b"1\n", 1),
            ("no_ok", b"{}\n", 1), ("no_reason", b'{"ok":false}\n', 1), ("half", b'{"ok":tr\n', 1),
            ("deep", b"[" * 100000 + b"\n", 1), ("binary", b'{"ok":true,"x":"\xff"}\n', 1)]


def table_nonsense_answers(report):
    for name, line, status in NONSENSE:
        def answer(_, line=line):
            if line:
                return line
            daemon.clients[-1].shutdown(socket.SHUT_RDWR)
            return None
        try:
            with FakeDaemon({"history": answer}) as daemon:
                err = r"makes no sense" if line else r"closed the connection"
                expect(status, None, err, hactl("history", ha=daemon.path))
            report(name)
        except Failure as e:
            report(name, str(e))


def test_an_endless_line_is_bounded():
    def flood(_):
        for _ in range(40):
            daemon.clients[-1].sendall(b"x" * (1 << 20))

    with FakeDaemon({"history": flood}) as daemon:
        expect(1, None, r"too long", hactl("history", ha=daemon.path))


# status

def test_status_of_both_nodes():
    with FakeDaemon({"status": HA_STATUS}) as ha, Backend() as server, Lbd(config(server)) as lbd:
        result = hactl("status", ha=ha.path, lbd=lbd.socket_path)
        expect(0, r"^lb1 \(here\)  active +\d+ d \d+ h  start +100     3  ready  1 of 1 up$", None, result)
        expect(0, r"^lb2 +backup ", None, result)
        expect(0, r"^192\.0\.2\.100/32  eth0 +here$", None, result)
        expect(0, r"^lbd \d\S+ on \S+: ready, up for .*, 1 of 1 servers up, 0 connections", None, result)
    equal(ha.requests, [{"command": "status"}], "requests")


def test_status_where_hafailover_does_not_run():
    with Backend() as server, Lbd(config(server), args=["--node", "solo"]) as lbd:
        result = hactl("status", lbd=lbd.socket_path)
        expect(0, r"^hafailover is not reachable: there is no socket /nonexistent/ha\.sock", None, result)
        expect(0, r"^lbd \S+ on solo: ready, ", None, result)
        bind = re.escape(lbd.config["listeners"][0]["bind"][0])
        expect(0, rf"^in +{bind} +web +0$", None, result)
        code, out, err = hactl("status", "--json", lbd=lbd.socket_path)
        equal((code, json.loads(out)["node"]), (0, "solo"), "status --json")
        check("hafailover is not reachable" in err, err)


def test_status_where_lbd_does_not_run():
    with FakeDaemon({"status": HA_STATUS}) as ha:
        result = hactl("status", ha=ha.path)
        expect(0, r"^lb1 \(here\)", None, result)
        expect(0, r"^lbd is not reachable: there is no socket /nonexistent/lbd\.sock", None, result)


def test_json_is_untouched():
    line = b'{"ok":true,  "node":"lb1" ,"uptime_s":0.10000000000000001,"x":"\\u001b\\u00e4", "y":[ ]}\n'
    answers = {"status": line, "history": line, "failover": line, "standby": line, "servers": line, "server": line}
    with FakeDaemon(answers) as daemon:
        for words in (["status"], ["history"], ["failover"], ["standby", "on"], ["servers"],
                      ["server", "a/b", "drain"]):
            code, out, err = hactl(*words, "--json", ha=daemon.path, lbd=daemon.path)
            equal((code, out.encode(), err), (0, line, ""), f"{words} --json")


def test_environment_names_the_sockets():
    with FakeDaemon({"history": {"history": []}}) as ha:
        done = subprocess.run([hactl_binary(), "history"], capture_output=True, text=True, timeout=30,
                              env=environment(LBPAIR_HA_SOCKET=ha.path))
        equal((done.returncode, done.stderr), (0, ""), "with LBPAIR_HA_SOCKET")
        done = subprocess.run([hactl_binary(), "servers"], capture_output=True, text=True, timeout=30,
                              env=environment(LBPAIR_LBD_SOCKET="/nonexistent/x"))
        equal(done.returncode, 3, "exit status")
        check("/nonexistent/x" in done.stderr, done.stderr)


# server --wait

def test_drain_waits_for_the_last_connection():
    gate = threading.Event()

    def held(connection):
        while message := connection.request():
            gate.wait(30)
            connection.reply(message)

    with Backend(held) as server, Lbd(config({"address": server.address, "name": "s1"})) as lbd, lbd.client() as client:
        client.send(request("GET", "/held"))
        server.wait_requests(1)
        words = [hactl_binary(), "--lbd-socket", lbd.socket_path, "server", "web/s1", "drain", "--wait"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=environment()) as process:
            equal([process.stdout.readline() for _ in range(2)],
                  ["web/s1: now drain, weight 1, 1 requests active\n", "web/s1: 1 requests, 1 connections left\n"],
                  "what it says at first")
            lbd.reload(lbd.config)
            equal(process.poll(), None, "exit status while a request runs")
            gate.set()
            equal(process.stdout.read(), "web/s1: nothing is left\n", "what it says at last")
            equal(process.wait(10), 0, "exit status")
        expect(0, r"^web/s1 +\S+ +drained ", None, hactl("servers", lbd=lbd.socket_path))
        client.response()


def test_drain_ends_when_it_is_taken_back():
    row = {"pool": "web", "name": "s1", "admin": "drain", "active": 1, "connections": 1, "drained": False}
    with FakeDaemon({"server": {"changed": True, "server": row}, "watch": {"servers": [{**row, "admin": "ready"}]}}) as lbd:
        expect(1, r"^web/s1: now drain", r"web/s1 is ready again", hactl("server", "web/s1", "drain", "--wait", lbd=lbd.path))
    with FakeDaemon({"server": {"changed": True, "server": row}, "watch": {"servers": []}}) as lbd:
        expect(1, r"^web/s1: now drain", r"web/s1 is no longer configured",
               hactl("server", "web/s1", "maintenance", "--wait", lbd=lbd.path))
    with FakeDaemon({"server": {"changed": True, "server": row}, "watch": None}) as lbd:
        expect(3, r"^web/s1: now drain", r"did not answer in time",
               hactl("--timeout", "300ms", "server", "web/s1", "drain", "--wait", lbd=lbd.path))


# failover, standby, history

def test_failover_away_moves_nothing_from_a_backup():
    for role, requests in (("active", ["status", "failover"]), ("backup", ["status"]), ("fault", ["status"])):
        with FakeDaemon({"status": {**HA_STATUS, "role": role}, "failover": {}}) as ha:
            out = r"^moved to the other node$" if role == "active" else None
            expect(0, out, None, hactl("failover", "--away", ha=ha.path), role)
        equal([r["command"] for r in ha.requests], requests, role)
    expect(3, None, r"hafailover is not reachable", hactl("failover", "--away"))


def test_failover_asks_precisely():
    with FakeDaemon({"failover": {}, "standby": {}}) as ha:
        expect(0, r"^moved to the other node$", None, hactl("failover", ha=ha.path))
        expect(0, r"^moved to lb2$", None, hactl("failover", "--to", "lb2", "--force", ha=ha.path))
        expect(0, r"^moved to lb2$", None, hactl("failover", "--to=lb2", ha=ha.path))
        expect(0, r"^this node is in standby$", None, hactl("standby", "on", ha=ha.path))
        expect(0, r"^this node takes part again$", None, hactl("standby", "off", "--force", ha=ha.path))
    equal(ha.requests, [{"command": "failover"}, {"command": "failover", "to": "lb2", "force": True},
                        {"command": "failover", "to": "lb2"}, {"command": "standby", "on": True},
                        {"command": "standby", "on": False, "force": True}], "requests")


def test_refusals():
    hostile = "lb2 is not ready\n\033[31mred"
    with FakeDaemon({"failover": refusal(hostile), "standby": refusal("no"), "history": refusal("no")}) as ha:
        expect(1, None, r"^hactl: hafailover: lb2 is not ready\nhactl: \\x1b\[31mred$", hactl("failover", ha=ha.path))
        expect(1, None, r"^hactl: hafailover: no$", hactl("standby", "on", ha=ha.path))
        expect(1, None, r"^hactl: hafailover: no$", hactl("history", ha=ha.path))


def test_failover_wait_sees_it_through():
    state = {"asked": 0}

    def status(_):
        """The move is seen in the third status after the command."""
        if state["asked"]:
            state["asked"] += 1
        moved = state["asked"] > 3
        return {**HA_STATUS, "role": "backup" if moved else "active",
                "peer": {**HA_STATUS["peer"], "role": "active" if moved else "backup"}}

    def failover(_):
        state["asked"] = 1
        return {}

    with FakeDaemon({"status": status, "failover": failover}) as ha:
        expect(0, r"^lb2 is active$", None, hactl("failover", "--wait", ha=ha.path))
    equal([r["command"] for r in ha.requests], ["status", "failover"] + ["status"] * 3, "requests")


def waiting(phase, connections, role="active", peer="backup"):
    return {**HA_STATUS, "role": role, "peer": {**HA_STATUS["peer"], "role": peer},
            "handover": {"steering": phase != "emptying", "phase": phase, "connections": connections,
                         "packets_steered": 7, "drain_ms": 30000}}


def test_failover_shows_the_connections_that_end_before():
    """For longer than it waits for an answer else; the same number is said once."""
    asked, done = [], threading.Event()

    def status(_):
        asked.append(True)
        if len(asked) == 3:
            done.set()
        return waiting("emptying", 2)

    with FakeDaemon({"status": status, "failover": lambda _: done.wait(20) and {}}) as ha:
        result = hactl("failover", ha=ha.path)
    equal(result, (0, "2 connections to end before the move\nmoved to the other node\n", ""), "what it says")


def test_failover_wait_shows_the_connections_that_are_left():
    states = [waiting("idle", None), waiting("draining", 3, "backup", "active"),
              waiting("draining", 3, "backup", "active"), waiting("idle", None, "backup", "active")]
    with FakeDaemon({"status": lambda _: states.pop(0), "failover": {}}) as ha:
        result = hactl("failover", "--wait", ha=ha.path)
    equal(result, (0, "3 connections left on lb1\nlb2 is active\n", ""), "what it says")
    states = [waiting("idle", None, "backup", "active"), waiting("steering", 1), waiting("idle", None)]
    with FakeDaemon({"status": lambda _: states.pop(0), "failover": {}}) as ha:
        result = hactl("failover", "--wait", ha=ha.path)
    equal(result, (0, "1 connection left on lb2, 7 packets steered\nlb1 is active\n", ""), "what it says")


def test_failover_wait_to_this_node_ends_when_no_other_is_active():
    asked = []

    def status(_):
        asked.append(True)
        return {**HA_STATUS, "peer": {**HA_STATUS["peer"], "role": "active" if len(asked) < 4 else "backup"}}

    with FakeDaemon({"status": status, "failover": {}}) as ha:
        expect(0, r"^lb1 is active$", None, hactl("failover", "--wait", "--to", "lb1", ha=ha.path))
    equal(len(asked), 4, "times that the status was asked for")


def test_failover_wait_without_an_active_node():
    nobody = {**HA_STATUS, "role": "backup"}
    with FakeDaemon({"status": nobody, "failover": {}}) as ha:
        expect(1, None, r"name one with --to", hactl("failover", "--wait", ha=ha.path))
    equal(ha.requests, [{"command": "status"}], "requests")


def test_history():
    changes = [{"time": "2026-01-01T00:00:00.000Z", "node": "lb1", "from": "backup", "to": "active",
                "cause": "peer_silent", "term": 4, "duration_ms": 90000}]
    with FakeDaemon({"history": {"history": changes}}) as ha:
        expect(0, r"^2026-01-01T00:00:00\.000Z  lb1   backup  active  peer_silent     4  1 min 30 s$", None,
               hactl("history", ha=ha.path))


def test_hostile_names():
    evil = "\033]0;x\a\n\u202e\x9b2J\x00"
    status = json.loads(json.dumps(HA_STATUS).replace("lb1", "X").replace("lb2", "X").replace("eth0", "X")
                        .replace("backup", "X").replace("start", "X"), object_hook=lambda o: {
                            k: evil if v == "X" else v for k, v in o.items()})
    servers = {"servers": [{"pool": evil, "name": evil, "address": evil, "health": evil, "reason": evil}]}
    change = [{k: evil for k in ("time", "node", "from", "to", "cause")}]
    with FakeDaemon({"status": status, "servers": servers, "history": {"history": change},
                     "server": {"server": servers["servers"][0]}}) as daemon:
        for words in (["status"], ["servers"], ["servers", "--names"], ["history"], ["server", "a/b", "ready"]):
            code, out, err = hactl(*words, ha=daemon.path, lbd=daemon.path)
            equal((code, err), (0, ""), str(words))
            check("\\x1b" in out and "\\u{202e}" in out and "\u202e" not in out, out)


# servers, with the real lbd

def test_servers():
    with Backend() as one, Backend() as two:
        conf = config({"address": one.address, "name": "one"}, {"address": two.address, "name": "two", "weight": 5})
        with Lbd(conf) as lbd:
            def ask(*words):
                return hactl(*words, lbd=lbd.socket_path)

            expect(0, rf"^web/one  {re.escape(one.address)}  (unknown|up) ", None, ask("servers"))
            equal(ask("servers", "--names"), (0, "web/one\nweb/two\n", ""), "servers --names")
            expect(0, r"^web/one: now drain, weight 1, 0 requests active$", None, ask("server", "web/one", "drain"))
            expect(0, r"^web/one: was already so: drain", None, ask("server", "web/one", "drain"))
            expect(0, r"^web/one +\S+ +drained ", None, ask("servers"))
            for _ in range(4):
                lbd.get()
            equal((len(one.requests), len(two.requests)), (0, 4), "requests while one is drained")
            expect(0, r"now maintenance", None, ask("server", "web/one", "maintenance"))
            expect(0, r"now ready", None, ask("server", "web/one", "ready"))
            expect(0, r"now ready, weight 7,", None, ask("server", "web/two", "weight", "7"))
            expect(0, r"^web/two .* 7 \(of 5\) ", None, ask("servers"))
            expect(0, r"weight 5,", None, ask("server", "web/two", "weight", "default"))
            expect(1, None, r"no server web/three; known: web/one, web/two", ask("server", "web/three", "drain"))
            expect(1, None, r"no pool wob; known: web", ask("server", "wob/one", "drain"))
            expect(1, None, r'"value" must be an integer in 0\.\.256', ask("server", "web/two", "weight", "257"))
            code, out, _ = ask("servers", "--json")
            equal((code, [s["weight"] for s in json.loads(out)["servers"]]), (0, [1, 5]), "servers --json")


# reload and check

def test_reload():
    with Backend() as server, Lbd(config(server)) as lbd, FakeDaemon({"reload": {}}) as ha:
        expect(0, r"^lbd: reloaded\nhafailover: reloaded$", None, hactl("reload", lbd=lbd.socket_path, ha=ha.path))
        expect(0, r"^lbd: reloaded$", r"hafailover is not reachable", hactl("reload", lbd=lbd.socket_path))
        equal(hactl("reload", "lbd", lbd=lbd.socket_path)[::2], (0, ""), "reload lbd")
        equal(hactl("reload", "hafailover", ha=ha.path)[::2], (0, ""), "reload hafailover")
        lbd.write_config('{ "listeners": 1,\n  "pools": 2 }')
        result = hactl("reload", lbd=lbd.socket_path, ha=ha.path)
        expect(1, r"^hafailover: reloaded$", r"lbd\.json:1: listeners: .*\nhactl: .*lbd\.json:2: pools: ", result)
        expect(0, r"ready", None, hactl("status", lbd=lbd.socket_path))


def test_check():
    with Backend() as server, tempfile.TemporaryDirectory() as folder:
        def file(name, text):
            path = os.path.join(folder, name)
            with open(path, "w") as f:
                f.write(text)
            return path

        conf = config(server, listener={"bind": ["127.0.0.1:0"]})
        conf["listeners"][0]["bind"] = ["127.0.0.1:8080"]
        good = file("good.json", json.dumps(conf))
        bad = file("bad.json", '{"listeners": [], "pools": []}')
        broken = file("lbd-broken.json", "{")
        expect(0, rf"^{good}: ok$", None, hactl("check", good))
        expect(1, None, r"bad\.json:1: listeners", hactl("check", bad))
        expect(1, rf"^{good}: ok$", r"lbd-broken\.json", hactl("check", broken, good))
        expect(1, None, r"no-such", hactl("check", os.path.join(folder, "no-such.json")))
        if os.access(os.path.join(os.path.dirname(hactl_binary()), "hafailover"), os.X_OK):
            ha_bad = file("pair.json", '{"nodes": [], "virtual_ips": 1}')
            expect(1, None, r"pair\.json:1: .*(nodes|virtual_ips)", hactl("check", ha_bad))
            secret = file("secret", "s" * 40)
            os.chmod(secret, 0o600)
            pair = file("two.json", json.dumps({
                "nodes": [{"name": "a", "address": "192.0.2.11"}, {"name": "b", "address": "192.0.2.12"}],
                "secret_file": secret, "virtual_ips": ["192.0.2.100"]}))
            expect(0, r"two\.json: ok$", None, hactl("check", "--node", "b", pair))
            expect(1, None, r"two\.json:1: .*node", hactl("check", pair))


# top

def test_top_without_a_terminal():
    with Backend() as server, Lbd(config(server)) as lbd:
        stop = threading.Event()

        def load():
            with lbd.client() as client:
                while not stop.is_set():
                    client.get()
                    time.sleep(0.005)
        thread = threading.Thread(target=load)
        thread.start()
        try:
            code, out, err = hactl("top", lbd=lbd.socket_path)
        finally:
            stop.set()
            thread.join()
        equal((code, err), (0, ""), "top")
        rate = float(re.search(r"^([\d.]+) requests per second$", out, re.M)[1])
        check(5 < rate < 400, f"{rate} requests per second")
        row = re.search(r"^in +web +([\d.]+) +0\.0 +([\d.]+) ms +([\d.]+) ms ", out, re.M)
        check(row and 5 < float(row[1]) < 400 and 0 < float(row[2]) <= float(row[3]), out)
        check(re.search(rf"^web +{re.escape(server.address)} +\w+ +[1-9][\d.]+ +0\.0 ", out, re.M), out)
        check(re.search(r"  2xx [1-9][\d.]+  3xx 0\.0 ", out), out)


def test_top_without_metrics():
    """A daemon that has too many of them says so; the rest is shown."""
    status = {"status": {"node": "lb1", "ready": True, "requests_total": 1}, "servers": {"servers": []},
              "metrics": refusal("the metrics do not fit here")}
    with FakeDaemon(status) as lbd:
        expect(0, r"^no codes, latencies .*do not fit here", None, hactl("top", lbd=lbd.path))
    with FakeDaemon({**status, "metrics": None}) as lbd:
        result, seconds = timed("--timeout", "400ms", "top", lbd=lbd.path)
        expect(0, r"^no codes, latencies .*did not answer in time", None, result)
        check(seconds < 6, f"{seconds} s")


# Terminals

class Terminal:
    """hactl on a terminal of its own."""

    def __init__(self, *words, columns=80, rows=24, **env):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.seen = b""
        self.process = subprocess.Popen([hactl_binary(), *words], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment(**env), start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 65536)
        return self.seen

    def wait_text(self, pattern, after=0):
        return wait_for(lambda: re.search(pattern, self.read()[after:], re.S), repr(pattern))

    def press(self, keys):
        os.write(self.master, keys)

    def end(self):
        """The exit status; the terminal must be as it was."""
        status = wait_for(lambda: (self.read(), self.process.poll())[1:] if self.process.poll() is not None else None,
                          "hactl to end")[0]
        self.read()
        equal(termios.tcgetattr(self.slave), self.before, "terminal settings")
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def lines_of(data):
    """What the terminal shows of plain output, without colours."""
    text = re.sub(rb"\x1b\[[0-9;]*m", b"", data).decode()
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def test_colour_and_width_of_a_terminal():
    long = {"servers": [{"pool": "web", "name": "n" * 60, "address": "10.0.0.1:80", "health": "down",
                         "admin": "ready", "reason": "r" * 60}]}
    with FakeDaemon({"servers": long}) as daemon:
        options = ["--lbd-socket", daemon.path, "servers"]
        with Terminal(*options, columns=100) as terminal:
            equal(terminal.end(), 0, "exit status")
            check(b"\x1b[31mdown\x1b[0m" in terminal.seen, terminal.seen)
            lines = lines_of(terminal.seen)
            equal(max(len(line) for line in lines), 100, f"width of {lines}")
            check(lines[1].count("\u2026") == 2, lines[1])
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            with Terminal(*options, **env) as terminal:
                equal(terminal.end(), 0, "exit status")
                check(b"\x1b" not in terminal.seen, terminal.seen)
        equal(max(len(line) for line in hactl("servers", lbd=daemon.path)[1].split("\n")) > 150, True, "width of a pipe")


def test_top_on_a_terminal():
    with Backend() as server, Lbd(config(server)) as lbd:
        words = ["--lbd-socket", lbd.socket_path, "top"]
        for keys in (b"q", b"\x03"):
            with Terminal(*words) as terminal:
                terminal.wait_text(rb"\x1b\[\?1049h.*- requests per second")
                terminal.wait_text(rb"0\.0 requests per second", len(terminal.seen))
                lbd.get()
                terminal.wait_text(rb"[01]\.\d requests per second", len(terminal.seen))
                terminal.press(b"x")
                terminal.press(keys)
                equal(terminal.end(), 0, f"exit status after {keys!r}")
                check(terminal.seen.endswith(b"\x1b[?25h\x1b[?1049l"), terminal.seen[-40:])
        with Terminal(*words) as terminal:
            terminal.wait_text(rb"requests per second")
            terminal.process.send_signal(signal.SIGTERM)
            equal(terminal.end(), -signal.SIGTERM, "exit status after SIGTERM")
            check(terminal.seen.endswith(b"\x1b[?25h\x1b[?1049l"), terminal.seen[-40:])


def test_ctrl_c_does_not_wait_for_a_silent_daemon():
    with FakeDaemon({"status": None, "servers": None}) as daemon:
        with Terminal("--timeout", "1h", "--lbd-socket", daemon.path, "top") as terminal:
            wait_for(lambda: daemon.requests, "the request")
            terminal.press(b"\x03")
            equal(terminal.end(), 0, "exit status")


def test_watching_shows_what_the_daemons_say():
    """One question each; then every line is drawn when it comes."""
    with FakeDaemon({"watch": HA_STATUS}) as ha, FakeDaemon({"watch": {"node": "x", "servers_total": 7}}) as lbd:
        with Terminal("--lbd-socket", lbd.path, "--ha-socket", ha.path, "status", "--watch") as terminal:
            terminal.wait_text(rb"lb1 \(here\).*0 of 7 servers up")
            ha.say({**HA_STATUS, "role": "fault"})
            terminal.wait_text(rb"fault", len(terminal.seen))
            lbd.say({"node": "x", "servers_up": 5, "servers_total": 7})
            terminal.wait_text(rb"5 of 7 servers up", len(terminal.seen))
            equal((len(ha.requests), len(lbd.requests)), (1, 1), "questions")
            terminal.press(b"q")
            equal(terminal.end(), 0, "exit status")


def test_watching_servers():
    with Backend() as one, Backend() as two, Lbd(config(one, two)) as lbd:
        with Terminal("--lbd-socket", lbd.socket_path, "servers", "--watch", columns=200) as terminal:
            terminal.wait_text(re.escape(one.address).encode())
            lbd.command("server", name="web/" + one.address, action="maintenance")
            terminal.wait_text(rb"maintenance", len(terminal.seen))
            terminal.press(b"q")
            equal(terminal.end(), 0, "exit status")
        with FakeDaemon({"watch": refusal("not here")}) as old, \
                Terminal("--lbd-socket", old.path, "servers", "--watch") as terminal:
            terminal.wait_text(rb"lbd: not here")


def test_watching_survives_a_restart_and_fits_the_window():
    with FakeDaemon({"watch": HA_STATUS}) as ha, FakeDaemon({"watch": refusal("no")}) as lbd:
        with Terminal("--timeout", "200ms", "--lbd-socket", lbd.path, "--ha-socket", ha.path, "status", "--watch",
                      columns=90, rows=5) as terminal:
            terminal.wait_text(rb"lb1 \(here\)")
            check(b"192.0.2.100/32" not in terminal.seen, "more lines than the terminal has")
            terminal.resize(90, 40)
            terminal.process.send_signal(signal.SIGWINCH)
            terminal.wait_text(rb"192\.0\.2\.100/32")
            ha.replies["watch"] = refusal("just a moment")
            terminal.wait_text(rb"just a moment", len(terminal.seen))
            ha.replies["watch"] = lbd.replies["watch"] = None
            terminal.wait_text(rb"did not answer in time", len(terminal.seen))
            ha.replies["watch"] = {**HA_STATUS, "role": "fault"}
            terminal.wait_text(rb"fault", len(terminal.seen))
            terminal.press(b"q")
            equal(terminal.end(), 0, "exit status")


def test_watching_without_a_terminal_prints_once():
    with FakeDaemon({"status": HA_STATUS}) as ha:
        expect(0, r"^lb1 \(here\)", None, hactl("status", "--watch", ha=ha.path))
    equal(len(ha.requests), 1, "requests")


def test_output_that_cannot_be_written():
    with FakeDaemon({"history": {"history": []}}) as ha, open("/dev/full", "w") as full:
        done = subprocess.run([hactl_binary(), "--ha-socket", ha.path, "history"], stdout=full, text=True,
                              stderr=subprocess.PIPE, env=environment(), timeout=30)
        equal((done.returncode, done.stderr), (1, "hactl: cannot write to standard output\n"), "to a full disk")


# Completion

def complete(line, path):
    """What bash would offer, with hactl found in `path`."""
    script = ('source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _hactl; '
              '[[ ${#COMPREPLY[@]} == 0 ]] || printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", os.path.join(ROOT, "packaging/completion/hactl.bash"),
                           line], capture_output=True, text=True, timeout=30, cwd="/",
                          env=environment(PATH=path + ":" + os.environ["PATH"]))
    equal((done.returncode, done.stderr), (0, ""), f"completion of {line!r}")
    return done.stdout.split("\n")[:-1]


def bash_or_skip():
    if not shutil.which("bash"):
        raise Skip("no bash")


def test_completion():
    bash_or_skip()
    path = os.path.dirname(hactl_binary())
    commands = re.findall(r"^  ([a-z]+) ", hactl("help")[1], re.M)
    equal(complete("hactl ", path), commands, "commands")
    for command in commands:
        usage = hactl(command, "--help")[1].split("\n")[0]
        equal(sorted(complete(f"hactl {command} -", path)), sorted(set(re.findall(r"--[a-z-]+", usage)) | {"--help"}),
              f"options of {command}")
    with Backend() as one, Backend() as two, FakeDaemon({"status": HA_STATUS}) as ha:
        with Lbd(config({"address": one.address, "name": "one"}, two)) as lbd:
            start = f"hactl --lbd-socket {lbd.socket_path} --ha-socket {ha.path} "
            port = two.address.split(":")[1]
            for line, offers in (("sta", ["status", "standby"]),
                                 ("server web/o", ["web/one"]),
                                 ("server ", ["web/one", "web/" + two.address]),
                                 ("server web/127.0.0.1:", [port]),  # readline replaces what is behind the colon
                                 ("server web/one dr", ["drain"]), ("server web/one weight ", ["default"]),
                                 ("server web/one drain ", []), ("failover --to ", ["lb1", "lb2"]),
                                 ("failover --wait --to lb2", ["lb2"]), ("standby ", ["on", "off"]),
                                 ("reload h", ["hafailover"]), ("help serv", ["servers", "server"]),
                                 ("check /etc/pass", ["/etc/passwd", "/etc/passwd-"])):
                got = complete(start + line, path)
                equal([w for w in got if w != "/etc/passwd-"], [w for w in offers if w != "/etc/passwd-"], line)
        equal(complete(start + "server ", path), [], "servers of an lbd that is gone")


def test_completion_offers_nothing_that_a_shell_would_run():
    bash_or_skip()
    with tempfile.TemporaryDirectory() as folder:
        mark = os.path.join(folder, "mark")
        names = ["good", f"$(touch {mark})", f"`touch {mark}`", "a;b", "a b", "*", "$HOME", "'", '"', "a\nb", "\\"]
        servers = {"servers": [{"pool": "p", "name": name} for name in names]}
        status = {**HA_STATUS, "node": f"$(touch${{IFS}}{mark})"}
        with FakeDaemon({"servers": servers, "status": status}) as daemon:
            path = os.path.dirname(hactl_binary())
            equal(complete(f"hactl --lbd-socket {daemon.path} server ", path), ["p/good"], "offers")
            equal(complete(f"hactl --ha-socket {daemon.path} failover --to ", path), ["lb2"], "offers of nodes")
        check(not os.path.exists(mark), "a name was run")


def test_completion_passes_shellcheck():
    if not shutil.which("shellcheck"):
        raise Skip("no shellcheck")
    done = subprocess.run(["shellcheck", os.path.join(ROOT, "packaging/completion/hactl.bash")], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    equal((done.returncode, done.stdout), (0, ""), "shellcheck")
