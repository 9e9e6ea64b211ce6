"""TCP mode: bytes both ways, each side's end, another server, the queue, what is counted and logged."""

import hashlib
import json
import os
import random
import signal
import threading
import time

from harness import (Backend, BackendProcess, BlackHole, Lbd, ReservedPort, check, config, equal,
                     wait_for)
from wire import PATIENCE


def tcp(*backends, **options):
    """config() with a listener in TCP mode."""
    return config(*backends, listener={"protocol": "tcp", **options.pop("listener", {})}, **options)


def shout(connection):
    """Sends everything back in capitals; ends its half when the other half ends."""
    while data := connection.read_some(timeout=60):
        connection.send(data.upper())


def logged(top):
    """With an access log on stderr."""
    return {**top, "log": {"access": {"format": "json"}}}


def records(lbd, n=1):
    """The first n records of the access log."""
    def lines():
        found = [line for line in lbd.log.text().split("\n") if line.startswith("{") and '"listener"' in line]
        return found[:n] if len(found) >= n else None
    return [json.loads(line) for line in wait_for(lines, f"{n} records")]


def test_bytes_pass_both_ways():
    with Backend(shout) as server, Lbd(logged(tcp(server))) as lbd:
        with lbd.client() as client:
            for i in range(50):
                client.send(b"message %03d \0\xff" % i)
                equal(client.read_exactly(14), b"MESSAGE %03d \0\xff" % i, "echo")
            equal(lbd.metric("lbpair_server_active"), 1, "lbpair_server_active")
            lbd.wait_metric("lbpair_bytes_total", 700, direction="in")
            client.half_close()
            equal(client.read_to_end(), b"", "surplus bytes")
        lbd.wait_metric("lbpair_server_active", 0)
        equal(lbd.metric("lbpair_bytes_total", direction="out"), 700, "bytes to the client")
        equal(lbd.metric("lbpair_requests_total", code="0", server=server.address), 1, "connections counted")
        record = records(lbd)[0]
        equal([record[k] for k in ("protocol", "bytes_in", "bytes_out", "server", "termination")],
              ["TCP", 700, 700, server.address, "ok"], "the record")
        check(record["connect_ms"] is not None and record["connect_ms"] <= record["duration_ms"], f"times: {record}")


def test_the_server_speaks_first():
    def script(connection):
        connection.send(b"220 ready\r\n")
        equal(connection.read_to_end(), b"QUIT\r\n", "what the client said")

    with Backend(script) as server, Lbd(tcp(server)) as lbd, lbd.client() as client:
        equal(client.read_exactly(11), b"220 ready\r\n", "greeting")
        client.send(b"QUIT\r\n")
        client.half_close()
        client.expect_end()


def test_each_sides_end_is_passed_on():
    """FIN of the client: the server still speaks.  FIN of the server: the client still speaks."""
    heard = []

    def client_first(connection):
        heard.append(connection.read_to_end())
        connection.send(b"last words" * 1000)

    def server_first(connection):
        connection.send(b"bye")
        connection.half_close()
        heard.append(connection.read_to_end())

    with Backend(client_first) as server, Lbd(tcp(server)) as lbd, lbd.client() as client:
        client.send(b"that is all")
        client.half_close()
        equal(client.read_to_end(), b"last words" * 1000, "what the server said after the FIN")
    with Backend(server_first) as server, Lbd(tcp(server)) as lbd, lbd.client() as client:
        equal(client.read_to_end(), b"bye", "everything up to the server's FIN")
        client.send(b"still here")
        client.half_close()
        server.wait(lambda: len(heard) == 2, "the client's last words")
    equal(heard, [b"that is all", b"still here"], "what the servers heard")


def test_who_ends_before_there_is_a_server_is_served():
    """All that it has to say, and its FIN, are there before the connection is made: echo x | nc."""
    with Backend(shout) as server, Lbd(tcp(server)) as lbd:
        for _ in range(20):
            with lbd.client() as client:
                client.send(b"hello")
                client.half_close()
                equal(client.read_to_end(), b"HELLO", "answer")


def test_a_reset_is_passed_on():
    ends = []

    def script(connection):
        connection.send(connection.read_some())
        connection.read_some()
        ends.append(connection.reset)

    with Backend(script) as server, Lbd(tcp(server)) as lbd:
        client = lbd.client()
        client.send(b"x")
        client.read_exactly(1)
        client.reset_now()
        server.wait(lambda: ends, "the end at the server")
        equal(ends, [True], "a reset came to the server")
        lbd.wait_metric("lbpair_server_active", 0)
    with Backend(lambda c: (c.read_some(), c.reset_now())) as server, Lbd(logged(tcp(server))) as lbd:
        with lbd.client() as client:
            client.send(b"x")
            client.read_to_end()
            check(client.reset, "the server's reset came as an orderly end")
        equal(records(lbd)[0]["termination"], "server_reset", "termination")
        equal(lbd.metric("lbpair_rejected_total", reason="server_reset"), 1, "lbpair_rejected_total")


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def test_large_transfers_arrive_whole():
    """Both ways at once, large enough for splice, in pieces of every size."""
    size = 12 << 20
    up, down = random.Random(1).randbytes(size), random.Random(2).randbytes(size)
    got = []

    def script(connection):
        thread = threading.Thread(target=lambda: got.append(digest_of(connection.read_exactly(size, 60))))
        thread.start()
        connection.sock.settimeout(60)
        at = 0
        while at < size:
            n = random.choice((1, 1000, 70000, 1 << 20))
            connection.sock.sendall(down[at:at + n])
            at += n
        thread.join(60)

    with Backend(script) as server, Lbd(tcp(server)) as lbd, lbd.client(timeout=60) as client:
        thread = threading.Thread(target=lambda: client.sock.sendall(up), daemon=True)
        thread.start()
        equal(digest_of(client.read_exactly(size, 60)), digest_of(down), "what the client got")
        server.wait(lambda: got, "all at the server", 60)
        equal(got, [digest_of(up)], "what the server got")


def pipes_of(lbd):
    directory = f"/proc/{lbd.proxy_pid()}/fd"
    return sum(os.readlink(f"{directory}/{fd}").startswith("pipe:") for fd in os.listdir(directory))


def pour(connection):
    """More than anybody reads."""
    connection.sock.settimeout(60)
    try:
        while True:
            connection.sock.sendall(b"x" * (1 << 20))
    except OSError:
        pass


def check_splice(lbd, client, before):
    """The kernel says so, sooner or later: lbd has one pipe more than before for what the client reads."""
    for _ in range(100):
        client.read_exactly(4 << 20, 60)
        if pipes_of(lbd) >= before + 2:
            return
    check(False, "no pipe was used for a flow of 400 MiB")


def test_large_flows_are_spliced():
    with Backend(pour) as server, Lbd(tcp(server)) as lbd:
        before = pipes_of(lbd)
        with lbd.client(receive_buffer=1 << 20) as client:
            check_splice(lbd, client, before)


def test_a_slow_reader_holds_the_other_side_back():
    from streaming_test import check_standstill
    sent = [0, 0]

    def send_on(sock, i):
        sock.settimeout(60)
        try:
            while sent[i] < 400 << 20:
                sent[i] += sock.send(b"x" * 65536)
        except OSError:
            pass

    def script(connection):
        send_on(connection.sock, 0)

    with Backend(script, receive_buffer=65536) as server, Lbd(tcp(server)) as lbd, \
            lbd.client(receive_buffer=65536) as client:
        before = lbd.proxy_memory()
        threading.Thread(target=send_on, args=(client.sock, 1), daemon=True).start()
        check_standstill(sent, "a sender in TCP mode")
        check(lbd.proxy_memory() - before < 2 << 20, "memory grew with what waits")


def test_another_server_where_one_refuses():
    with Backend(shout) as server, ReservedPort() as dead, ReservedPort() as dead_too:
        conf = tcp(dead.address, dead_too.address, server, pool={"retry": {"attempts": 2}})
        with Lbd(logged(conf)) as lbd:
            for _ in range(6):
                with lbd.client() as client:
                    client.send(b"x")
                    equal(client.read_exactly(1), b"X", "echo")
            equal({r["server"] for r in records(lbd, 6)}, {server.address}, "servers")
            check(lbd.metric("lbpair_retries_total") > 0, "nothing was tried again")


def test_another_server_where_one_is_silent():
    with Backend(shout) as server, BlackHole() as hole:
        conf = tcp(hole.address, server, pool={"retry": {"attempts": 1}}, timeouts={"connect": "100ms"})
        with Lbd(conf) as lbd:
            for _ in range(2):
                with lbd.client() as client:
                    client.send(b"x")
                    equal(client.read_exactly(1), b"X", "echo")


def test_the_only_server_restarts():
    """It is tried again after a while, as often as retry says; what the client said waits."""
    with ReservedPort() as port:
        number = port.port
        with Lbd(logged(tcp(port.address, pool={"retry": {"attempts": 10}}, workers=2))) as lbd:
            with lbd.client() as client, lbd.client() as gone:
                client.send(b"hello")
                gone.send(b"hello")
                wait_for(lambda: lbd.metric("lbpair_retries_total") >= 2, "both to fail")
                gone.reset_now()
                equal(records(lbd)[0]["termination"], "client_closed", "termination of one that left")
                port.close()
                with Backend(shout, port=number) as server:
                    equal(client.read_exactly(5), b"HELLO", "echo")
                    client.close()
                    record = records(lbd, 2)[1]
                    equal((record["retries"] > 0, record["termination"], len(server.connections)), (True, "ok", 1), "record")


def test_no_server():
    with ReservedPort() as dead:
        with Lbd(logged(tcp(dead.address))) as lbd:
            try:
                client = lbd.client()
                client.send(b"x")
                client.read_to_end()
                check(client.reset, "an empty answer looks complete")
            except (ConnectionResetError, BrokenPipeError):
                pass  # at once
            equal(records(lbd)[0]["termination"], "connect_failed", "termination")
            lbd.command("server", name="web/" + dead.address, action="maintenance")
            try:
                lbd.client().expect_end()
            except ConnectionResetError:
                pass  # before we knew that we were connected
            equal(records(lbd, 2)[1]["termination"], "no_server", "termination")


def test_a_killed_server():
    with BackendProcess() as one, BackendProcess() as two:
        with Lbd(tcp(one.address, two.address, pool={"retry": {"attempts": 1}})) as lbd:
            clients = [lbd.client() for _ in range(4)]
            for client in clients:
                equal(client.get("/").status, 200, "status")
            one.kill()
            wait_for(lambda: sum(c.eof for c in clients if c.silent(0.05)) == 2, "two connections to end")
            for _ in range(4):
                with lbd.client() as client:
                    equal(client.get("/").status, 200, "status after the kill")


def test_one_client_one_server():
    def name(connection):
        connection.send(b"%d" % connection.backend.port)

    with Backend(name) as one, Backend(name) as two, Backend(name) as three:
        for algorithm in ("ip_hash", "consistent_hash"):
            with Lbd(tcp(one, two, three, pool={"algorithm": algorithm}, workers=2)) as lbd:
                def ask(source):
                    with lbd.client(source=source) as client:
                        return client.read_to_end()
                by_client = {f"127.0.0.{i}": ask(f"127.0.0.{i}") for i in range(2, 22)}
                check(len(set(by_client.values())) > 1, f"{algorithm}: all went to one server")
                for source, server in by_client.items():
                    equal(ask(source), server, f"server of {source}, {algorithm}")


def test_the_queue():
    with Backend(shout) as server:
        conf = tcp({"address": server.address, "max_connections": 1}, timeouts={"queue": "20s"})
        with Lbd(conf) as lbd:
            with lbd.client() as first:
                first.send(b"a")
                equal(first.read_exactly(1), b"A", "echo")
                second, gone = lbd.client(), lbd.client()
                second.send(b"b")
                gone.send(b"c")
                lbd.wait_metric("lbpair_queued", 2, pool="web")
                gone.reset_now()
                lbd.wait_metric("lbpair_queued", 1, pool="web")
            equal(second.read_exactly(1), b"B", "echo to the one that waited")
            second.close()
        with Lbd(logged({**conf, "timeouts": {"queue": "100ms"}})) as lbd:
            with lbd.client() as first, lbd.client() as second:
                first.send(b"a")
                equal((first.read_exactly(1)), b"A", "echo")
                equal(second.read_to_end(), b"", "an answer without a server")
            equal(records(lbd)[0]["termination"], "queue_timeout", "termination")


def test_idle_connections_end():
    with Backend(shout) as server:
        with Lbd(logged(tcp(server, timeouts={"tunnel": "500ms", "drain": "2s"}))) as lbd, lbd.client() as client:
            for _ in range(4):
                time.sleep(0.2)
                client.send(b"x")
                client.read_exactly(1)
            start = time.monotonic()
            client.expect_end()
            check(0.4 < time.monotonic() - start < 5, "timeouts.tunnel was not kept")
            server.wait(lambda: server.connections[0].eof, "the server's side to end")
            equal(records(lbd)[0]["termination"], "tunnel_idle", "termination")


def test_half_closed_connections_end_sooner():
    """Each side's own time, begun when the other side's end was passed on; both ends are counted and logged."""
    times = {"client_fin": "200ms", "server_fin": "300ms", "drain": "2s"}
    held = threading.Event()

    def script(connection):
        if connection.read_exactly(1) == b"q":  # speaks on, then ends its half
            connection.half_close()
        held.wait(60)

    with Backend(script) as server, Lbd(logged(tcp(server, timeouts=times))) as lbd:
        with lbd.client() as client:
            client.send(b"x")
            client.half_close()
            client.read_to_end()
            check(client.reset, "the end without an answer looks orderly")
        with lbd.client() as client:
            client.send(b"q")
            equal(client.read_to_end(), b"", "what the server said before its end")
            server.wait(lambda: len(server.connections) == 2, "the second connection")
            lbd.wait_metric("lbpair_server_active", 0)
        equal([r["termination"] for r in records(lbd, 2)], ["server_fin_timeout", "client_fin_timeout"], "terminations")
        for reason in "client_fin_timeout", "server_fin_timeout":
            equal(lbd.metric("lbpair_rejected_total", reason=reason), 1, reason)
        held.set()


def keepalives(lbd):
    """The sockets of lbd that the kernel asks after, among those of its proxy process: /proc/net/tcp, "02:"."""
    directory = f"/proc/{lbd.proxy_pid()}/fd"
    own = {os.readlink(f"{directory}/{fd}") for fd in os.listdir(directory)}
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in list(f)[1:]]
    return sum(row[5].startswith("02:") and f"socket:[{row[9]}]" in own for row in rows)


def test_peers_are_asked_whether_they_are_there():
    with Backend(shout) as server, Lbd(tcp(server)) as lbd:
        for asks, expected in (None, 0), ("30s", 2):
            if asks:
                lbd.reload(tcp(server, timeouts={"tcp_keepalive": asks, "drain": "2s"}))
            with lbd.client() as client:
                client.send(b"x")
                equal(client.read_exactly(1), b"X", "echo")
                wait_for(lambda: keepalives(lbd) == expected, f"{expected} sockets that the kernel asks after")


def test_who_has_ended_may_still_be_answered():
    """A server that speaks every now and then is not cut, however long it takes."""
    def script(connection):
        connection.read_to_end()
        for _ in range(8):
            time.sleep(0.1)
            connection.send(b"more ")

    with Backend(script) as server, Lbd(tcp(server, timeouts={"server_fin": "500ms", "drain": "2s"})) as lbd:
        with lbd.client() as client:
            client.half_close()
            equal(client.read_to_end(), b"more " * 8, "what the server said after the client's end")


def test_a_reload_leaves_connections_alone():
    """While bytes flow, its listener stays, its server goes, then the listener goes."""
    with Backend(shout) as server, Backend(shout) as other, Lbd(tcp(server)) as lbd, lbd.client() as client:
        stop, failed = threading.Event(), []

        def flow():
            try:
                while not stop.is_set():
                    client.send(b"x" * 1000)
                    equal(client.read_exactly(1000), b"X" * 1000, "echo")
            except Exception as e:  # noqa: BLE001 - whatever it is belongs to the test
                failed.append(e)

        thread = threading.Thread(target=flow)
        thread.start()
        lbd.reload(tcp(other))
        with lbd.client() as new:
            new.send(b"y")
            equal(new.read_exactly(1), b"Y", "echo of the new server")
        equal(len(other.connections), 1, "connections to the new server")
        lbd.reload(config(other, listener={"name": "other"}))
        stop.set()
        thread.join(PATIENCE)
        equal(failed, [], "what went wrong in the flow")
        client.send(b"z")
        equal(client.read_exactly(1), b"Z", "echo after the listener went")


def test_drain_waits_for_them():
    with Backend(shout) as server, Lbd(tcp(server, timeouts={"drain": "20s"})) as lbd:
        with lbd.client() as client:
            client.send(b"x")
            equal(client.read_exactly(1), b"X", "echo")
            lbd.signal(signal.SIGTERM)
            lbd.log.wait("draining")
            client.send(b"y")
            equal(client.read_exactly(1), b"Y", "echo while lbd drains")
        lbd.end_expected = True
        equal(lbd.wait_exit(), 0, "status")


def test_yield_leaves_them_alone():
    with Backend(shout) as server, Lbd(tcp(server)) as lbd, lbd.client() as client:
        client.send(b"x")
        client.read_exactly(1)
        lbd.command("yield", on=True, idle_ms=10, for_ms=10000)
        client.send(b"y")
        equal(client.read_exactly(1), b"Y", "echo")
        check(client.silent(0.2), "the connection ended because of the other node")


def test_limits():
    with Backend(shout) as server:
        with Lbd(tcp(server, limits={"connections_per_client": 1})) as lbd:
            with lbd.client() as first, lbd.client() as second:
                first.send(b"x")
                equal(first.read_exactly(1), b"X", "echo")
                equal(second.read_to_end(), b"", "an answer beyond the limit")
            equal(lbd.metric("lbpair_rejected_total", reason="client_limit"), 1, "client_limit")
        with Lbd(tcp(server, limits={"connections": 2})) as lbd:
            clients = [lbd.client() for _ in range(3)]
            for client in clients[:2]:
                client.send(b"x")
                equal(client.read_exactly(1), b"X", "echo")
            clients[2].send(b"y")
            check(clients[2].silent(0.2), "a third connection was served")
            clients[0].close()
            equal(clients[2].read_exactly(1), b"Y", "echo when there was room")
            clients[1].close()
            clients[2].close()


def test_the_list_of_connections():
    with Backend(shout) as server, Lbd(tcp(server)) as lbd, lbd.client() as client:
        client.send(b"x")
        client.read_exactly(1)
        row = lbd.command("connections")["connections"][0]
        equal([row[k] for k in ("state", "listener", "pool", "server")], ["tcp", "in", "web", server.address], "row")
