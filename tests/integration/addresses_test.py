"""Where lbd listens and where servers are: IPv4, IPv6, unix sockets."""

import os
import socket
import tempfile

from harness import Backend, Client, Lbd, Skip, check, config, equal, request
from wire import Stream, read_response


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_a_server_on_a_unix_socket():
    with tempfile.TemporaryDirectory() as directory:
        with Backend(listen=os.path.join(directory, "server.sock")) as server, Lbd(config(server)) as lbd:
            for i in range(3):
                equal(lbd.get(f"/{i}").body, b"GET /%d 0\n" % i, "body")
            equal(len(server.connections), 1, "connections to the server")
            with lbd.client() as client:
                client.send(request("POST", "/up", body=b"x" * 100000))
                equal(client.response(b"POST").body, b"POST /up 100000\n", "body")
            os.unlink(server.address.removeprefix("unix:"))
            server.connections[0].half_close()
            server.wait(lambda: server.connections[0].eof, "the idle connection to end")
            equal(lbd.get("/gone").status, 503, "status when the socket is gone")


def test_ipv6_on_both_sides():
    if not has_ipv6():
        raise Skip("no IPv6 on this machine")
    with Backend(listen="::1") as server, Lbd(config(server), start=False) as lbd:
        lbd.config["listeners"][0]["bind"] = [lbd.reserve("::1").address]
        lbd.write_config()
        lbd.start()
        with lbd.client() as client:
            got = client.get("/six")
        equal(got.body, b"GET /six 0\n", "body")
        equal(server.requests[0].all(b"x-forwarded-for"), [b"::1"], "X-Forwarded-For")


def test_ipv6_in_forwarded_is_quoted():
    if not has_ipv6():
        raise Skip("no IPv6 on this machine")
    with Backend() as server:
        conf = config(server, listener={"forwarded": {"rfc7239": True}})
        with Lbd(conf, start=False) as lbd:
            lbd.config["listeners"][0]["bind"] = [lbd.reserve("::1").address]
            lbd.write_config()
            lbd.start()
            lbd.get()
            value = server.requests[0].one(b"forwarded")
            check(b'for="[::1]"' in value, f"Forwarded: {value}")


def test_several_addresses_and_listeners():
    with Backend() as one, Backend() as two:
        conf = config(one)
        conf["listeners"].append({"name": "other", "pool": "second"})
        conf["pools"].append({"name": "second", "servers": [{"address": two.address}],
                              "health_check": {"type": "none"}})
        with Lbd(conf, start=False) as lbd:
            lbd.config["listeners"][0]["bind"].append(lbd.reserve().address)
            lbd.write_config()
            lbd.start()
            for bind in (0, 1):
                with Client(lbd.address(0, bind)) as client:
                    equal(client.get("/first").status, 200, "status")
            equal(lbd.get("/second", listener=1).status, 200, "status")
            equal([m.target for m in one.requests], [b"/first", b"/first"], "requests of the first pool")
            equal([m.target for m in two.requests], [b"/second"], "requests of the second pool")
            lbd.wait_metric("lbpair_requests_total", 1, listener="other", pool="second", code="200")
            lbd.wait_metric("lbpair_requests_total", 2, listener="in", pool="web", code="200")


def test_a_server_by_name():
    """From /etc/hosts; DNS is names_test's."""
    ipv4 = {"family": "ipv4"}
    with Backend() as server, Lbd(config(f"localhost:{server.port}", resolver=ipv4)) as lbd:
        equal(lbd.get("/named").body, b"GET /named 0\n", "body")
        lbd.reload(config(f"localhost:{server.port}", pool={"algorithm": "random"}, resolver=ipv4))
        equal(lbd.get("/again").status, 200, "status after a reload")


def test_a_stale_unix_socket_is_replaced():
    with Backend() as server, Lbd(config(server), start=False) as lbd:
        path = lbd.path("in.sock")
        for stale in (path, lbd.socket_path):
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(stale)  # nobody listens on it any more
        lbd.config["listeners"][0]["bind"] = ["unix:" + path]
        lbd.write_config()
        lbd.start()
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        with Stream(sock) as client:
            client.send(request())
            equal(read_response(client).status, 200, "status")
        lbd.end_expected = True
        lbd.stop()
        check(not os.path.exists(path), "the listener's socket is still there")


def test_lbd_listens_on_a_unix_socket():
    with Backend() as server, Lbd(config(server), start=False) as lbd:
        path = lbd.path("in.sock")
        lbd.config["listeners"][0]["bind"] = ["unix:" + path]
        lbd.write_config()
        lbd.start()
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        with Stream(sock) as client:
            client.send(request("GET", "/unix"))
            equal(read_response(client).body, b"GET /unix 0\n", "body")
