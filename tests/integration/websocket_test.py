"""Upgrade to WebSocket: a tunnel after 101, and only then."""

import json
import threading
import time

import wire
from harness import Backend, Lbd, check, config, echo, equal, request
from proxy_protocol_test import V1, V2, Told
from sticky_test import Servers, sticky, word
from tcp_test import check_splice, pipes_of, pour

ASK = request("GET", "/chat", "Connection: Upgrade", "Upgrade: websocket",
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def shout(connection):
    """Switches and sends everything back in capitals; ends its half when the other half ends."""
    if connection.request() is None:
        return
    connection.send(SWITCH)
    while data := connection.read_some(timeout=60):
        connection.send(data.upper())


def upgrade(client, ask=ASK):
    client.send(ask)
    head = wire.read_response_head(client)
    equal(head.status, 101, "status")
    equal([v.lower() for v in head.all(b"upgrade")], [b"websocket"], "Upgrade")
    check(b"upgrade" in head.one(b"connection").lower(), f"no Connection: upgrade in {head}")
    equal(head.all(b"sec-websocket-accept"), [b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], "Sec-WebSocket-Accept")


def test_bytes_pass_in_both_directions():
    with Backend(shout) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        upgrade(client)
        for i in range(50):
            client.send(b"message %03d \0\xff" % i)
            equal(client.read_exactly(14), b"MESSAGE %03d \0\xff" % i, "echo")
        seen = server.requests[0]
        equal([v.lower() for v in seen.all(b"upgrade")], [b"websocket"], "Upgrade at the server")
        equal(seen.all(b"sec-websocket-key"), [b"dGhlIHNhbXBsZSBub25jZQ=="], "key at the server")


def test_large_amounts_pass():
    with Backend(shout) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        upgrade(client)
        size = 8 << 20
        thread = threading.Thread(target=lambda: client.send(b"a" * size), daemon=True)
        thread.start()
        equal(client.read_exactly(size, 30) == b"A" * size, True, "all of it came back")


def test_bytes_right_behind_101_reach_the_client():
    def script(connection):
        connection.request()
        connection.send(SWITCH + b"welcome")
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        upgrade(client)
        equal(client.read_exactly(7), b"welcome", "first bytes")


def test_bytes_before_101_wait_for_it():
    """An eager client: what it sends behind its request is no HTTP and reaches the server after 101 alone."""
    granted = threading.Event()

    def script(connection):
        connection.request()
        check(connection.silent(0.2), "bytes of the tunnel came before 101")
        granted.set()
        connection.send(SWITCH)
        equal(connection.read_exactly(5), b"early", "first bytes")
        connection.send(b"got it")
        connection.read_to_end()

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        upgrade(client, ASK + b"early")
        equal(client.read_exactly(6), b"got it", "answer")


def test_when_refused_what_follows_is_http():
    def script(connection):
        connection.reply(connection.request(), b"no", 403)
        echo(connection)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.send(ASK + request("GET", "/next"))
        equal(client.response().status, 403, "status")
        equal(client.response().body, b"GET /next 0\n", "the next request")


def test_the_client_ends_its_half_first():
    """FIN passes through; the server can still speak, then ends too."""
    def script(connection):
        connection.request()
        connection.send(SWITCH)
        equal(connection.read_to_end(), b"bye", "everything up to the client's FIN")
        connection.send(b"last words")

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        upgrade(client)
        client.send(b"bye")
        client.half_close()
        equal(client.read_to_end(), b"last words", "what the server said after the FIN")


def test_the_server_ends_its_half_first():
    heard = []

    def script(connection):
        connection.request()
        connection.send(SWITCH + b"bye")
        connection.half_close()
        heard.append(connection.read_to_end())

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        upgrade(client)
        equal(client.read_to_end(), b"bye", "everything up to the server's FIN")
        client.send(b"still here")
        client.half_close()
        server.wait(lambda: heard, "the client's last words")
        equal(heard, [b"still here"], "what the client said after the FIN")


def test_a_reset_ends_both_sides():
    with Backend(shout) as server, Lbd(config(server)) as lbd:
        client = lbd.client()
        upgrade(client)
        client.send(b"x")
        client.read_exactly(1)
        client.reset_now()
        server.wait(lambda: server.connections[0].eof, "the server's side to end")
        lbd.wait_metric("lbpair_server_active", 0)


def test_an_idle_tunnel_ends_after_its_time():
    top = {"timeouts": {"tunnel": "500ms", "drain": "2s"}}
    with Backend(shout) as server, Lbd(config(server, **top)) as lbd, lbd.client() as client:
        upgrade(client)
        for _ in range(4):  # traffic keeps it alive for longer than the time-out
            time.sleep(0.2)
            client.send(b"x")
            client.read_exactly(1)
        start = time.monotonic()
        client.expect_end()
        waited = time.monotonic() - start
        check(0.4 < waited < 5, f"tunnel 500ms took {waited:.3f} s")
        server.wait(lambda: server.connections[0].eof, "the server's side to end")


def test_a_half_closed_tunnel_ends_sooner():
    def script(connection):
        connection.request()
        connection.send(SWITCH)
        connection.read_to_end()
        held.wait(60)

    held = threading.Event()
    top = {"timeouts": {"server_fin": "200ms", "drain": "2s"}, "log": {"access": {"format": "json"}}}
    with Backend(script) as server, Lbd(config(server, **top)) as lbd, lbd.client() as client:
        upgrade(client)
        client.send(b"twelve bytes")
        client.half_close()
        client.expect_end()
        line = json.loads(lbd.log.wait('"server_fin_timeout"'))
        equal((line["status"], line["bytes_in"]), (101, len(ASK) + 12), "status and bytes of the record")
        held.set()


def test_large_tunnels_are_spliced():
    """As in TCP mode: the relay is the same."""
    def script(connection):
        connection.request()
        connection.send(SWITCH)
        pour(connection)

    with Backend(script) as server, Lbd(config(server)) as lbd:
        before = pipes_of(lbd)
        with lbd.client(receive_buffer=1 << 20) as client:
            upgrade(client)
            check_splice(lbd, client, before)


def test_tunnels_outlive_other_time_outs():
    """timeouts.response and client_idle are for HTTP; a silent tunnel has its own."""
    top = {"timeouts": {"response": "300ms", "client_idle": "300ms", "client_body": "300ms", "drain": "2s"}}
    with Backend(shout) as server, Lbd(config(server, **top)) as lbd, lbd.client() as client:
        upgrade(client)
        check(client.silent(1.0), "the tunnel spoke or ended")
        client.send(b"there?")
        equal(client.read_exactly(6), b"THERE?", "echo")


def test_a_tunnel_survives_a_reload():
    with Backend(shout) as server, Lbd(config(server)) as lbd, lbd.client() as client:
        upgrade(client)
        lbd.reload(config(server, pool={"algorithm": "random"}))
        client.send(b"there?")
        equal(client.read_exactly(6), b"THERE?", "echo")


def test_a_tunnel_holds_back_who_sends_too_fast():
    sent = [0]

    def script(connection):
        connection.request()
        connection.send(SWITCH)
        connection.sock.settimeout(60)
        while sent[0] < 200 << 20:
            sent[0] += connection.sock.send(b"x" * 65536)

    with Backend(script) as server, Lbd(config(server)) as lbd, lbd.client(receive_buffer=65536) as client:
        upgrade(client)
        from streaming_test import check_standstill
        check_standstill(sent, "a server in a tunnel")


def test_between_proxy_headers():
    """The client is who the header says it is, on the way in and on the way out; bytes may come right behind either."""
    def script(connection):
        connection.told = Told(connection.sock)
        shout(connection)

    for version in 1, 2:
        with Backend(script) as server, Lbd(config(
                server, listener={"proxy_protocol": True}, pool={"send_proxy_protocol": version},
                log={"access": {"format": "json"}})) as lbd:
            for header in V1, V2:
                with lbd.client() as client:
                    upgrade(client, header + ASK + b"early ")
                    client.send(b"late")
                    client.half_close()
                    equal(client.read_to_end(), b"EARLY LATE", "echo")
                equal(server.connections[-1].told.source, ("192.0.2.1", 12345), "source that the server was told")
                equal(server.requests[-1].one(b"x-forwarded-for"), b"192.0.2.1", "X-Forwarded-For")
            record = json.loads(lbd.log.wait('"status":101'))
            equal((record["client"], record["bytes_in"]), ("192.0.2.1", len(ASK) + 10), "client and bytes of the record")


def test_routes_and_cookies_hold():
    """To the pool of its route, whose cookie brings it back there; paths and fields are changed as for any request."""
    def script(number):
        def upgrades(connection):
            if connection.request():
                connection.send(SWITCH.replace(b"\r\n\r\n", b"\r\nX-Server: s%d\r\n\r\n" % number))
                connection.read_to_end()
        return upgrades

    with Backend() as other, Servers(2, script) as servers:
        conf = sticky(servers.config(), more={"path": "/chat"})
        conf["pools"].append({"name": "other", "servers": [{"address": other.address}], "health_check": {"type": "none"}})
        conf["listeners"][0].update(pool="other", routes=[
            {"path_prefix": "/chat", "headers": [{"name": "Upgrade", "value": "websocket"}], "pool": "web",
             "replace_prefix": "/ws", "request_headers": {"set": {"X-Who": "{client_ip}"}}}])
        with Lbd(conf) as lbd:
            def opened(*fields):
                with lbd.client() as client:
                    client.send(ASK[:-2] + b"".join(f.encode() + b"\r\n" for f in fields) + b"\r\n")
                    head = wire.read_response_head(client)
                    equal(head.status, 101, "status")
                    return head
            cookies = {head.one(b"x-server"): word(head) for head in (opened(), opened())}
            equal(sorted(cookies), [b"s0", b"s1"], "servers of new clients")
            for name, cookie in 2 * [*cookies.items()]:
                equal(opened("Cookie: " + cookie).one(b"x-server"), name, "server of one that comes back")
            seen = servers.last(b"s0")
            equal((seen.target, seen.one(b"x-who")), (b"/ws", b"127.0.0.1"), "target and field at the server")
            equal(lbd.get("/chat").body, b"GET /chat 0\n", "another request for the same path")


def test_status_101_counts():
    with Backend(shout) as server, Lbd(config(server)) as lbd:
        with lbd.client() as client:
            upgrade(client)
            client.half_close()
            client.read_to_end()
        lbd.wait_metric("lbpair_requests_total", 1, code="101")
