"""Reload in place: what changes, what stays, what a bad file does."""

import json
import signal
import threading

from harness import (Backend, Lbd, Load, ReservedPort, Stream, check, config, echo, equal, request, sanitizer,
                     wait_for)


def refuses(lbd, address):
    import socket
    sock = socket.socket()
    sock.settimeout(5)
    try:
        sock.connect(address)
        with Stream(sock) as s:
            s.send(request())
            return not s.read_some(5)
    except ConnectionRefusedError:
        return True
    finally:
        sock.close()


BAD = {
    "not JSON": ("{", r"lbd\.json"),
    "an unknown key": ('{ "listener": [] }', "listener"),
    "a wrong type": ('{ "listeners": 5, "pools": [] }', "listeners"),
    "empty": ("", r"lbd\.json"),
}


def test_a_bad_file_changes_nothing_and_says_why():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        digest = lbd.command("status")["config"]["digest"]
        client.get()
        for text, reason in BAD.values():
            mark = lbd.log.count()
            lbd.reload(text=text)
            lbd.log.wait("reload_refused", start=mark)
            check(lbd.log.find(reason, mark), f"no {reason!r} in the log:\n{lbd.log.text()}")
            equal(client.get("/old").status, 200, "status on the old connection")
            equal(lbd.get("/new").status, 200, "status on a new one")
        equal(lbd.command("status")["config"]["digest"], digest, "digest")


def test_a_file_that_names_a_missing_pool_changes_nothing():
    with Backend() as server, Lbd(config(server)) as lbd:
        bad = json.loads(json.dumps(lbd.config))
        bad["listeners"][0]["pool"] = "nowhere"
        mark = lbd.log.count()
        lbd.reload(text=json.dumps(bad))
        lbd.log.wait("reload_refused", start=mark)
        check(lbd.log.find("nowhere", mark), "the name is not in the log")
        equal(lbd.get().status, 200, "status")


def test_an_address_in_use_changes_nothing():
    with Backend() as server, Backend() as other, Lbd(config(server)) as lbd:
        conf = json.loads(json.dumps(lbd.config))
        conf["listeners"].append({"name": "taken", "bind": [other.address], "pool": "web"})
        mark = lbd.log.count()
        lbd.reload(text=json.dumps(conf))
        lbd.log.wait("reload_refused", start=mark)
        check(lbd.log.find(other.address, mark), "the address is not in the log")
        equal(lbd.get().status, 200, "status")
        equal(len(lbd.command("status")["listeners"]), 1, "listeners")
        lbd.write_config()
        lbd.command("reload")


def test_servers_are_exchanged():
    with Backend() as one, Backend() as two, Lbd(config(one)) as lbd, lbd.client() as client:
        equal(client.get("/1").status, 200, "status")
        lbd.reload(config(two))
        equal(client.get("/2").status, 200, "status on the same client connection")
        equal(([m.target for m in one.requests], [m.target for m in two.requests]), ([b"/1"], [b"/2"]), "requests")
        one.wait(lambda: one.connections[0].eof, "the idle connection to the old server to end")


def test_a_listener_is_added_and_removed():
    with Backend() as server, Lbd(config(server)) as lbd:
        first = json.loads(json.dumps(lbd.config))
        both = json.loads(json.dumps(lbd.config))
        port = lbd.reserve()
        both["listeners"].append({"name": "second", "bind": [port.address], "pool": "web"})
        lbd.reload(both)
        equal(lbd.get("/2", listener=1).status, 200, "status at the new listener")
        with lbd.client(listener=1) as client:
            client.get("/kept")
            address = lbd.address(1)
            lbd.reload(first)
            wait_for(lambda: refuses(lbd, address), "the removed listener to refuse")
            equal(lbd.get("/1").status, 200, "status at the listener that stayed")
        lbd.reload(both)
        equal(lbd.get("/again", listener=1).status, 200, "status at the listener that came back")


def test_a_pool_is_added():
    with Backend() as one, Backend() as two, Lbd(config(one)) as lbd:
        conf = config(one)
        conf["pools"].append({"name": "second", "servers": [{"address": two.address}],
                              "health_check": {"type": "none"}})
        conf["listeners"][0]["pool"] = "second"
        lbd.reload(conf)
        equal(lbd.get().status, 200, "status")
        equal((len(one.requests), len(two.requests)), (0, 1), "requests")


def test_an_exchange_ends_as_it_began():
    """A request in flight keeps the server and the time-outs it started with."""
    gate = threading.Event()

    def held(connection):
        message = connection.request()
        gate.wait(30)
        connection.reply(message)
        echo(connection)

    with Backend(held) as one, Backend() as two, Lbd(config(one)) as lbd, lbd.client() as client:
        client.send(request("GET", "/held"))
        one.wait_requests(1)
        lbd.reload(config(two))
        gate.set()
        equal(client.response().body, b"GET /held 0\n", "answer")
        equal(client.get("/next").body, b"GET /next 0\n", "the next request")
        equal([m.target for m in two.requests], [b"/next"], "requests at the new server")


def test_a_server_that_is_gone_keeps_no_connection():
    """A request that waited for it is still sent to it; then nothing stays open."""
    gate = threading.Event()

    def script(connection):
        while message := connection.request():
            gate.wait(30)
            connection.reply(message)

    with Backend(script) as old, Backend() as new:
        with Lbd(config({"address": old.address, "max_connections": 1}, timeouts={"queue": "20s"})) as lbd:
            with lbd.client() as first, lbd.client() as second:
                first.send(request("GET", "/first"))
                old.wait_requests(1)
                second.send(request("GET", "/second"))
                lbd.wait_metric("lbpair_queued", 1, pool="web")
                lbd.reload(config(new))
                gate.set()
                equal(first.response().body, b"GET /first 0\n", "answer")
                equal(second.response().body, b"GET /second 0\n", "answer to the one that waited")
                wait_for(lambda: not old.open_connections(), "the connections to the old server to end", 5)


def test_the_servers_of_an_exchange_keep_their_place_among_thousands():
    """An old configuration lives on; what it counts is not given to others, however many there are."""
    gate, n = threading.Event(), 9000

    def script(connection):
        while message := connection.request():
            gate.wait(60)
            connection.reply(message)

    with Backend(script) as server:
        many = [{"name": f"s{i}", "address": "127.0.0.1:9", "weight": 0} for i in range(n)]
        last = {"name": "last", "address": server.address}
        fresh = [{"name": f"fresh{i}", "address": server.address} for i in range(2)]
        with Lbd(config(*many, last)) as lbd, lbd.client() as client:
            client.send(request("GET", "/held"))
            server.wait_requests(1)
            lbd.reload(config(*many))
            lbd.reload(config(*many, listener={"forwarded": {"rfc7239": True}}))
            lbd.reload(config(*many, *fresh))
            gate.set()
            equal(client.response().status, 200, "status")
            lbd.wait_metric("lbpair_server_active", 0)


def test_limits_and_time_outs_change():
    with Backend() as server, Lbd(config(server)) as lbd:
        equal(lbd.get("/" + "x" * 3000).status, 200, "status before")
        lbd.reload(config(server, limits={"uri_size": "1k"},
                          timeouts={"client_header": "300ms", "drain": "2s"}))
        equal(lbd.get("/" + "x" * 3000).status, 414, "status after")
        with lbd.client() as client:
            client.send(b"GET / HT")
            equal(client.response().status, 408, "status of a slow head")


def test_workers_cannot_vanish():
    """Another number of workers either takes effect or is refused; requests go on in both cases."""
    with Backend() as server, Lbd(config(server, workers=1)) as lbd:
        lbd.reload(config(server, workers=3))
        for _ in range(20):
            equal(lbd.get().status, 200, "status")


def test_reloads_that_change_nothing():
    with Backend() as server, Lbd(config(server)) as lbd, lbd.client() as client:
        client.get()
        for _ in range(5):
            lbd.reload()
        equal(client.get().status, 200, "status on the same connection")
        equal(len(server.connections), 1, "connections to the server")


def test_a_storm_of_hangups():
    with Backend() as server, Lbd(config(server)) as lbd:
        for _ in range(100):
            lbd.signal(signal.SIGHUP)
        equal(lbd.get("/during").status, 200, "status during the storm")
        lbd.command("reload")
        equal(lbd.get("/after").status, 200, "status after the storm")


def reload_under_load(times):
    with Backend() as one, Backend() as two, ReservedPort() as spare:
        configs = [config(one, workers=2), config(two, workers=2), config(one, two, workers=2)]
        configs[1]["listeners"].append({"name": "more", "bind": [spare.address], "pool": "web"})
        configs[2]["pools"].append({"name": "second", "servers": [{"address": two.address}],
                                    "health_check": {"type": "none"}})
        with Lbd(configs[0]) as lbd:
            with Load(lbd, threads=2) as kept, Load(lbd, threads=2, new_connections=True) as fresh:
                memory = []
                for i in range(times):
                    lbd.reload(configs[i % 3])
                    if i % 50 == 49:
                        memory.append(lbd.proxy_memory())
                    if kept.failures or fresh.failures:
                        break
                done = kept.stop() + fresh.stop()
            check(done > times, f"only {done} requests during {times} reloads")
            if not sanitizer():
                grown = memory[-1] - memory[0]
                check(grown < 3 << 20, f"memory grew by {grown >> 10} KiB from reload 50 to {times}: {memory}")


def test_200_reloads_under_load():
    reload_under_load(200)


def test_1000_reloads_under_load():
    reload_under_load(1000)


test_200_reloads_under_load.seconds = 90
test_1000_reloads_under_load.seconds = 400
test_1000_reloads_under_load.slow = True


def test_reloads_with_tunnels_do_not_grow():
    """Long-lived connections hold no generation alive: memory is flat, the tunnels work."""
    from websocket_test import shout, upgrade
    with Backend(shout) as server, Lbd(config(server)) as lbd:
        tunnels = [lbd.client() for _ in range(20)]
        for tunnel in tunnels:
            upgrade(tunnel)
        lbd.reload()
        before = lbd.proxy_memory()
        for i in range(40):
            lbd.reload(config(server, pool={"algorithm": "random" if i % 2 else "round_robin"}))
        grown = lbd.proxy_memory() - before
        check(sanitizer() or grown < 2 << 20, f"memory grew by {grown >> 10} KiB in 40 reloads")
        for tunnel in tunnels:
            tunnel.send(b"still there?")
            equal(tunnel.read_exactly(12), b"STILL THERE?", "echo")
            tunnel.close()
