"""Limits on connections and descriptors: who gives way, who waits, and that nothing spins."""

import threading
import time

from harness import Backend, Broken, Client, Failure, Lbd, check, config, equal, held_by, request, wait_for


def test_at_the_limit_the_oldest_idle_connection_goes():
    with Backend() as server, Lbd(config(server, limits={"connections": 5})) as lbd:
        clients = []
        for i in range(5):
            client = lbd.client()
            equal(client.get(f"/{i}").status, 200, "status")
            clients.append(client)
        with lbd.client() as extra:
            equal(extra.get("/extra").status, 200, "status of the sixth connection")
            clients[0].expect_end()
            for client in clients[1:]:
                equal(client.get("/still").status, 200, "status of a younger one")
        lbd.wait_metric("lbpair_rejected_total", 1, reason="connections_limit")
        for client in clients:
            client.close()


def test_connections_in_use_do_not_give_way():
    gate = threading.Event()
    with Backend(held_by(gate)) as server, Lbd(config(server, limits={"connections": 3}, workers=2)) as lbd:
        busy = [lbd.client() for _ in range(3)]
        for client in busy:
            client.send(request("GET", "/held"))
        server.wait_requests(3)
        with Client(lbd.address()) as waiting:  # in the kernel's queue
            waiting.send(request("GET", "/waits"))
            check(waiting.silent(0.3), "an answer above the limit")
            before = lbd.cpu_seconds()
            check(waiting.silent(1.0), "an answer above the limit")
            spent = lbd.cpu_seconds() - before
            check(spent < 0.3, f"{spent:.2f} s of CPU time in a second of waiting")
            gate.set()
            for client in busy:
                equal(client.response().status, 200, "status of one that was in use")
                client.close()
            equal(waiting.response().body, b"GET /waits 0\n", "answer for the one that waited")


def test_the_last_place_is_not_missed():
    """One worker that looks for more than there is must not keep another from the last place."""
    with Backend() as server, Lbd(config(server, limits={"connections": 3}, workers=2)) as lbd:
        for i in range(150):
            clients = [lbd.client() for _ in range(3)]
            for client in clients:
                client.send(request())
            for client in clients:
                equal(client.response().status, 200, f"status in round {i}")
            for client in clients:
                client.send(request("GET", "/", "Connection: close"))
            for client in clients:
                client.response()
                client.close()


def test_connections_per_client():
    with Backend() as server, Lbd(config(server, limits={"connections_per_client": 3}, workers=2)) as lbd:
        clients = [lbd.client("127.0.0.9") for _ in range(3)]
        for client in clients:
            equal(client.get().status, 200, "status within the limit")
        with lbd.client("127.0.0.9") as fourth:
            try:
                fourth.send(request())
            except OSError:
                pass
            equal(fourth.response().status, 429, "status above the limit")
            fourth.expect_end()
        equal(lbd.get(source="127.0.0.10").status, 200, "status of another client")
        lbd.wait_metric("lbpair_rejected_total", 1, reason="client_limit")
        clients.pop().close()
        wait_for(lambda: lbd.metric("lbpair_connections") == 2, "the connection to end")
        equal(lbd.get(source="127.0.0.9").status, 200, "status when one has left")
        for client in clients:
            client.close()


def test_few_descriptors_never_spin():
    """EMFILE: lbd waits instead of turning in circles, and works on when descriptors are free again."""
    with Backend() as server, Lbd(config(server), descriptors=128) as lbd:
        clients = []
        for _ in range(200):
            client = Client(lbd.address())
            client.send(b"GET / HTTP/1.1\r\n")  # not idle: nobody gives way
            clients.append(client)
        lbd.log.wait("accept_paused")
        before = lbd.cpu_seconds()
        time.sleep(1.0)
        spent = lbd.cpu_seconds() - before
        check(spent < 0.3, f"{spent:.2f} s of CPU time in a second without descriptors")
        for client in clients:
            client.close()
        for i in range(20):
            equal(lbd.get(f"/{i}").status, 200, "status when descriptors are free")


def test_few_descriptors_for_servers():
    """No descriptor for a connection to a server is a 503, not a crash; later it works again."""
    gate = threading.Event()
    with Backend(held_by(gate)) as server, Lbd(config(server), descriptors=128) as lbd:
        clients = [Client(lbd.address()) for _ in range(100)]
        for client in clients:
            client.send(request("GET", "/held"))
        time.sleep(0.5)
        gate.set()
        statuses = set()
        for client in clients:
            try:
                statuses.add(client.response(timeout=30).status)
            except Broken:
                statuses.add("closed")  # it was idle when another needed its descriptor
            client.close()
        check(statuses <= {200, 502, 503, "closed"} and 200 in statuses, f"statuses {statuses}")
        wait_for(lambda: lbd.get().status == 200, "service again")


def test_our_lack_of_descriptors_is_not_the_servers_fault():
    """A socket that we could not open says nothing about the server: it stays in rotation."""
    gate = threading.Event()
    with Backend(held_by(gate)) as server, Lbd(config(server), descriptors=128) as lbd:
        kept = [lbd.client() for _ in range(3)]
        clients = [Client(lbd.address()) for _ in range(100)]
        for client in clients:
            client.send(request("GET", "/held"))
        statuses = set()
        for client in clients:
            try:
                if len(server.requests) < 100 and not client.silent(0.02):
                    statuses.add(client.response().status)
            except Broken:
                pass  # it was idle when another needed its descriptor
        for client in kept:  # connections that are there already need a server, too
            try:
                statuses.add(client.get(timeout=1).status)
            except (Failure, OSError):
                pass  # waits for a descriptor, or gave its own to another
        gate.set()
        for client in clients + kept:
            client.close()
        check(503 in statuses or lbd.log.find("accept_paused"), f"descriptors did not run out: {statuses}")
        check(not lbd.log.find("server_unreachable"), "lbd blames the server")
        wait_for(lambda: lbd.metric("lbpair_connections") == 0, "all to leave")
        equal(lbd.metric("lbpair_server_up"), 1, "lbpair_server_up")


def test_no_descriptor_leaks():
    import os
    with Backend() as server, Lbd(config(server)) as lbd:
        pid = lbd.proxy_pid()

        def descriptors():
            return len(os.listdir(f"/proc/{pid}/fd"))
        lbd.get()
        lbd.wait_metric("lbpair_connections", 0)
        before = descriptors()
        for i in range(150):
            with lbd.client() as client:
                if i % 3 == 0:
                    client.send(b"garbage\r\n\r\n")
                    client.read_to_end()
                elif i % 3 == 1:
                    client.send(b"GET / HT")
                    client.reset_now()
                else:
                    client.get()
        lbd.wait_metric("lbpair_connections", 0)
        after = wait_for(lambda: descriptors() <= before + 2 and descriptors(), "descriptors to be closed")
        check(after <= before + 2, f"{before} descriptors before, {after} after")


def test_many_idle_connections_are_cheap():
    from harness import sanitizer
    with Backend() as server, Lbd(config(server)) as lbd:
        lbd.get()
        before = lbd.proxy_memory()
        n = 1000
        clients = []
        for _ in range(n):
            client = Client(lbd.address())
            client.send(request())
            clients.append(client)
        for client in clients:
            equal(client.response().status, 200, "status")
        lbd.wait_metric("lbpair_connections", n)
        each = (lbd.proxy_memory() - before) / n
        check(sanitizer() or each < 4096, f"{each:.0f} bytes for each idle connection")
        for client in clients:
            client.close()
        lbd.wait_metric("lbpair_connections", 0)
