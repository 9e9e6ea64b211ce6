"""The control socket: every command, its errors, and what it changes."""

import contextlib
import os
import stat
import threading

import h2
from harness import (Backend, Control, Lbd, check, config, equal, held_by, request, wait_for)


def test_status():
    with Backend() as server, Lbd(config(server, workers=2)) as lbd, lbd.client() as client:
        client.get()
        lbd.wait_metric("lbpair_requests_total", 1)
        status = lbd.command("status")
        for key, value in {"ready": True, "draining": False, "servers_up": 1, "servers_total": 1,
                           "connections": 1, "requests_total": 1, "alarms": [], "generation": 1,
                           "pid": lbd.proxy_pid()}.items():
            equal(status[key], value, key)
        equal([w["id"] for w in status["workers"]], [0, 1], "workers")
        listener = status["listeners"][0]
        equal((listener["name"], listener["bind"], listener["pool"], listener["connections"]),
              ("in", lbd.config["listeners"][0]["bind"], "web", 1), "listener")
        equal(status["config"]["file"], lbd.file, "configuration file")


def test_servers():
    with Backend() as one, Backend() as two:
        conf = config({"address": one.address, "name": "first", "weight": 7}, two)
        with Lbd(conf) as lbd:
            servers = lbd.command("servers")["servers"]
            equal([(s["pool"], s["name"], s["address"], s["weight"]) for s in servers],
                  [("web", "first", one.address, 7), ("web", two.address, two.address, 1)], "servers")
            for s in servers:
                equal((s["admin"], s["available"], s["active"]), ("ready", True, 0), "state of a server")


def test_drain_lets_the_rest_end_and_gives_nothing_new():
    gate = threading.Event()
    with Backend(held_by(gate)) as one, Backend() as two:
        conf = config({"address": one.address, "name": "one"}, {"address": two.address, "name": "two"})
        with Lbd(conf) as lbd, lbd.client() as client:
            client.send(request("GET", "/held"))
            wait_for(lambda: one.requests or two.requests, "the request to arrive")
            name, other = ("one", two) if one.requests else ("two", one)
            reply = lbd.command("server", name="web/" + name, action="drain")
            equal((reply["changed"], reply["server"]["admin"]), (True, "drain"), "reply")
            mark = len(other.requests)
            for i in range(8):
                equal(lbd.get(f"/{i}").status, 200, "status")
            equal(len(other.requests) - mark, 8, "requests at the other server")
            gate.set()
            equal(client.response().body, b"GET /held 0\n", "the request that was in flight")
            equal(lbd.command("server", name="web/" + name, action="drain")["changed"], False, "changed again")
            lbd.command("server", name="web/" + name, action="ready")
            for i in range(8):
                lbd.get(f"/{i}")
            equal(len(other.requests) - mark, 12, "requests at the other server when both are ready")


def test_a_drained_server_tells_when_its_last_connection_is_gone():
    """Idle ones are closed at once, in all workers; those of requests with their answers."""
    gate = threading.Event()
    with Backend(held_by(gate)) as one, Backend() as two:
        conf = config({"address": one.address, "name": "one"}, two, workers=2)
        with Lbd(conf) as lbd, lbd.client() as client, lbd.control() as watch:
            lbd.command("server", name="web/" + two.address, action="maintenance")
            for i in range(8):  # whichever worker takes them
                lbd.get(f"/{i}")
            client.send(request("GET", "/held"))
            one.wait(lambda: [m for m in one.requests if m.target == b"/held"], "the request to arrive")
            lbd.command("server", name="web/" + two.address, action="ready")
            watch.ask("watch", of="servers")
            equal(lbd.command("server", name="web/one", action="drain")["server"]["drained"], False, "drained")
            one.wait(lambda: len(one.open_connections()) == 1, "idle connections to be closed")
            check(not lbd.log.find("server_drained pool=web server=one"), "told too early")
            gate.set()
            equal(client.response().body, b"GET /held 0\n", "the request that was in flight")
            lbd.log.wait("server_drained pool=web server=one")
            while not (row := watch.read_object(5)["servers"][0])["drained"]:
                pass
            equal((row["active"], row["connections"], row["idle"]), (0, 0, 0), "what is left")
            one.wait(lambda: not one.open_connections(), "the last connection to be closed")
            lbd.kill_proxy()
            equal([s["drained"] for s in lbd.command("servers")["servers"]], [True, False], "drained after a crash")


def test_maintenance_and_ready():
    with Backend() as one, Backend() as two, Lbd(config(one, two)) as lbd:
        lbd.command("server", name="web/" + one.address, action="maintenance")
        for i in range(6):
            equal(lbd.get().status, 200, "status")
        equal((len(one.requests), len(two.requests)), (0, 6), "requests")
        equal(lbd.command("status")["servers_up"], 1, "servers_up")
        lbd.command("server", name="web/" + one.address, action="ready")
        for i in range(6):
            lbd.get()
        equal(len(one.requests), 3, "requests when ready again")


def test_what_the_operator_sets_is_so_in_all_workers_at_once():
    """From the answer to the command on, whichever worker has the connection."""
    with Backend() as one, Backend() as two, contextlib.ExitStack() as stack:
        conf = config({"address": one.address, "name": "one"}, {"address": two.address, "name": "two"}, workers=4)
        lbd = stack.enter_context(Lbd(conf))
        clients = [stack.enter_context(lbd.client()) for _ in range(16)]
        connections = lambda: [w["connections"] for w in lbd.command("status")["workers"]]  # noqa: E731

        def shares():
            before = len(one.requests), len(two.requests)
            for client in clients * 2:
                equal(client.get().status, 200, "status")
            return len(one.requests) - before[0], len(two.requests) - before[1]

        shares()
        check(sum(n > 0 for n in connections()) > 1, f"connections of the workers: {connections()}")
        for action, value, wanted in (("maintenance", None, (0, 32)), ("ready", None, None), ("drain", None, (0, 32)),
                                      ("ready", None, None), ("weight", 0, (0, 32)), ("weight", None, None)):
            arguments = {"value": value} if action == "weight" else {}
            lbd.command("server", name="web/one", action=action, **arguments)
            got = shares()
            check(got == wanted if wanted else min(got) > 0, f"after {action}: {got}")


def test_what_the_operator_set_survives_reload_and_crash():
    with Backend() as one, Backend() as two, Backend() as three:
        conf = config(one, two, three)
        with Lbd(conf) as lbd:
            lbd.command("server", name="web/" + one.address, action="maintenance")
            lbd.command("server", name="web/" + two.address, action="weight", value=5)
            for act in (lambda: lbd.reload(conf), lbd.kill_proxy):
                act()
                servers = {s["name"]: s for s in lbd.command("servers")["servers"]}
                equal(servers[one.address]["admin"], "maintenance", "admin")
                equal(servers[two.address]["weight"], 5, "weight")
                for _ in range(12):
                    equal(lbd.get().status, 200, "status")
            equal((len(one.requests), len(two.requests), len(three.requests)), (0, 20, 4), "requests")


def test_weight_null_is_the_configured_one():
    with Backend() as one, Lbd(config({"address": one.address, "name": "one", "weight": 3})) as lbd:
        equal(lbd.command("server", name="web/one", action="weight", value=9)["server"]["weight"], 9, "weight")
        equal(lbd.command("server", name="web/one", action="weight", value=None)["server"]["weight"], 3, "weight")


def test_bad_commands_are_refused_with_a_reason():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.control() as control:
        for arguments, word in ((dict(command="nothing"), "nothing"),
                                (dict(command="server"), "name"),
                                (dict(command="server", name="web/other", action="drain"), "other"),
                                (dict(command="server", name="other/x", action="drain"), "other"),
                                (dict(command="server", name="web/" + server.address), "action"),
                                (dict(command="server", name="web/" + server.address, action="x"), "action"),
                                (dict(command="server", name="web/" + server.address, action="weight"), "value"),
                                (dict(command="server", name="web/" + server.address, action="weight",
                                      value=1000), "value"),
                                (dict(command="watch", of="clients"), "status or servers"),
                                (dict(command="connections", limit=-1), "limit")):
            reply = control.ask(**arguments)
            equal(reply.get("ok"), False, f"ok of {arguments}")
            check(word in reply.get("error", ""), f"{arguments}: {reply}")
        for line in (b"{\n", b"[]\n", b"{}\n", b"1\n", b"\xff\xfe\n", b'{"command":1}\n'):
            control.send(line)
            reply = control.read_object()
            if reply is None:  # closing is an answer too
                control = lbd.control()
                continue
            equal(reply.get("ok"), False, f"ok of {line}")
        check(lbd.command("status")["ready"], "not ready after bad commands")
        control.close()


def test_pipelined_commands_are_answered_in_order():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.control() as control:
        control.send(b'{"command":"status"}\n{"command":"servers"}\n{"command":"reload"}\n{"command":"status"}\n')
        replies = [control.read_object() for _ in range(4)]
        equal(["ready" in r for r in replies], [True, False, False, True], "which reply is a status")
        equal([r["ok"] for r in replies], [True] * 4, "ok")


def test_reload_answers_when_it_is_in_force():
    with Backend() as one, Backend() as two, Lbd(config(one)) as lbd:
        lbd.config["pools"][0]["servers"] = [{"address": two.address}]
        lbd.write_config()
        digest = lbd.command("status")["config"]["digest"]
        lbd.command("reload")
        equal(lbd.get("/now").status, 200, "status")
        equal([m.target for m in two.requests], [b"/now"], "requests at the new server")
        check(lbd.command("status")["config"]["digest"] != digest, "the digest is the old one")
        lbd.write_config('{ "listeners": 1 }')
        with lbd.control() as control:
            reply = control.ask("reload")
        equal(reply["ok"], False, "ok of a bad reload")
        check("listeners" in reply["error"], f"reason: {reply}")
        equal(lbd.get("/still").status, 200, "status")


def test_connections():
    gate = threading.Event()
    with Backend(held_by(gate)) as server, Lbd(config(server, workers=2)) as lbd:
        with lbd.client("127.0.0.2") as idle, lbd.client("127.0.0.3") as busy:
            idle.get()
            idle.get()
            busy.send(request("GET", "/held"))
            server.wait_requests(3)
            reply = lbd.command("connections")
            equal(reply["total"], 2, "total")
            rows = {row["client"].rsplit(":", 1)[0]: row for row in reply["connections"]}
            equal(sorted(rows), ["127.0.0.2", "127.0.0.3"], "clients")
            equal((rows["127.0.0.2"]["state"], rows["127.0.0.2"]["requests"]), ("idle", 2), "idle one")
            busy_row = rows["127.0.0.3"]
            equal((busy_row["listener"], busy_row["pool"], busy_row["server"]), ("in", "web", server.address),
                  "busy one")
            check(busy_row["state"] != "idle", f"state {busy_row['state']}")
            equal(len(lbd.command("connections", limit=1)["connections"]), 1, "rows with limit 1")
            gate.set()
            busy.response()


def test_connections_of_http2_are_in_the_list():
    """While a stream has an exchange, the connection has none."""
    gate = threading.Event()

    def held(connection):
        message = connection.request()
        gate.wait(30)
        connection.reply(message)

    with Backend(held) as server, Lbd(config(server, listener={"http2": True})) as lbd:
        with h2.connect(lbd.address()) as client:
            client.send(h2.headers(1, h2.GET, True))
            server.wait_requests(1)
            equal([row["state"] for row in lbd.command("connections")["connections"]], ["exchange"], "states")
            gate.set()
            equal(client.answer(1).status, 200, "status")


def test_watch_tells_of_changes_at_once():
    with Backend() as one, Backend() as two, Lbd(config(one, two)) as lbd, lbd.control() as control:
        first = control.ask("watch")
        equal((first["ok"], first["ready"], first["servers_up"]), (True, True, 2), "first line")
        lbd.command("server", name="web/" + one.address, action="maintenance")
        line = control.read_object(5)
        while line["servers_up"] == 2:
            line = control.read_object(5)
        equal(line["servers_up"], 1, "servers_up")
        for _ in range(2):
            check(control.read_object(5), "no line for five seconds")


def test_watch_of_servers():
    with Backend() as one, Backend() as two, Lbd(config(one, two)) as lbd, lbd.control() as control:
        equal(len(control.ask("watch", of="servers")["servers"]), 2, "rows of the first line")
        lbd.command("server", name="web/" + one.address, action="drain")
        while control.read_object(5)["servers"][0]["admin"] != "drain":
            pass


def test_metrics_by_the_socket():
    with Backend() as server, Lbd(config(server)) as lbd:
        lbd.get()
        lbd.wait_metric("lbpair_requests_total", 1)
        text = lbd.command("metrics")["metrics"]
        check('lbpair_requests_total{listener="in",pool="web"' in text and text.endswith("\n"), text)


def test_watch_ends_when_lbd_is_killed():
    """hafailover learns from it within milliseconds that lbd died."""
    with Backend() as server, Lbd(config(server)) as lbd, lbd.control() as control:
        control.ask("watch")
        lbd.end_expected = True
        lbd.kill()
        while control.read_object(5) is not None:
            pass


def test_help_lists_the_commands():
    with Backend() as server, Lbd(config(server)) as lbd:
        text = str(lbd.command("help"))
        for name in ("status", "servers", "server", "reload", "connections", "watch"):
            check(name in text, f"no {name} in {text}")


def test_the_socket_is_not_for_everyone():
    with Backend() as server, Lbd(config(server)) as lbd:
        mode = os.stat(lbd.socket_path).st_mode
        check(stat.S_ISSOCK(mode) and mode & 0o007 == 0, f"mode {mode:o}")


def test_a_client_that_never_reads_hurts_nobody():
    with Backend() as server, Lbd(config(server)) as lbd:
        with Control(lbd.socket_path) as rude:
            rude.sock.settimeout(2)
            try:
                for _ in range(20000):
                    rude.sock.sendall(b'{"command":"servers"}\n')
            except OSError:
                pass  # full, or cut off
            check(lbd.command("status")["ready"], "not ready")
            equal(lbd.get().status, 200, "status")
