"""Each algorithm distributes as it is defined, through the real binary."""

import threading
from collections import Counter

from harness import Backend, Lbd, check, config, echo, equal, request, wait_for


def servers(n, script=echo):
    return [Backend(script) for _ in range(n)]


def weighted(backends, weights):
    return [{"address": b.address, "name": f"s{i}", "weight": w}
            for i, (b, w) in enumerate(zip(backends, weights))]


def close(backends):
    for backend in backends:
        backend.close()


def sequence(lbd, n, client):
    """Which server (by its connection's port, as /who says) answered each of n requests."""
    return [client.get("/who").body for _ in range(n)]


def name_of(number):
    def script(connection):
        while message := connection.request():
            connection.reply(message, b"s%d" % number)
    return script


def named(n):
    return [Backend(name_of(i)) for i in range(n)]


def test_round_robin_honours_weights_exactly():
    for algorithm in ("round_robin", "weighted_round_robin"):
        backends = named(3)
        conf = config(*weighted(backends, (5, 3, 2)), pool={"algorithm": algorithm})
        with Lbd(conf) as lbd, lbd.client() as client:
            got = sequence(lbd, 100, client)
            equal(Counter(got), {b"s0": 50, b"s1": 30, b"s2": 20}, f"distribution of {algorithm}")
            for i in range(0, 100, 10):
                equal(Counter(got[i:i + 10]), {b"s0": 5, b"s1": 3, b"s2": 2}, "each ten in a row")
            check(b"".join(got).count(b"s0" * 3) == 0, "not smooth: three in a row for one server")
        close(backends)


def test_round_robin_over_several_workers():
    backends = named(3)
    conf = config(*weighted(backends, (5, 3, 2)), workers=2)
    with Lbd(conf) as lbd:
        got = Counter(lbd.get("/who").body for _ in range(300))
        for name, share in ((b"s0", 150), (b"s1", 90), (b"s2", 60)):
            check(abs(got[name] - share) <= 10, f"{name} got {got[name]} of 300, not about {share}")
    close(backends)


def test_weight_zero_gets_nothing():
    backends = named(2)
    with Lbd(config(*weighted(backends, (1, 0)))) as lbd, lbd.client() as client:
        equal(set(sequence(lbd, 20, client)), {b"s0"}, "servers that answered")
    close(backends)


def held_open(weights, requests, workers):
    """Which server gets how many of that many requests at the same time, with least_connections."""
    gate = threading.Event()

    def holds(connection):
        while message := connection.request():
            gate.wait(30)
            connection.reply(message)

    backends = servers(len(weights), holds)
    conf = config(*weighted(backends, weights), pool={"algorithm": "least_connections"}, workers=workers)
    with Lbd(conf) as lbd:
        clients = []
        for i in range(requests):
            client = lbd.client()
            client.send(request("GET", f"/{i}"))
            clients.append(client)
            wait_for(lambda: sum(len(b.requests) for b in backends) == i + 1, "the request to arrive")
        counts = [len(b.requests) for b in backends]
        active = [lbd.metric("lbpair_server_active", server=f"s{i}") for i in range(len(weights))]
        gate.set()
        for client in clients:
            equal(client.response().status, 200, "status")
            client.close()
        lbd.wait_metric("lbpair_server_active", 0)
    close(backends)
    equal(active, [float(c) for c in counts], "lbpair_server_active")
    return counts


def test_least_connections():
    equal(held_open((1, 1, 1), 9, 1), [3, 3, 3], "requests held at each server")


def test_least_connections_honours_weights():
    equal(held_open((2, 1), 12, 1), [8, 4], "requests held at each server")


def test_least_connections_over_all_workers_together():
    equal(held_open((1, 1, 1), 12, 3), [4, 4, 4], "requests held at each server")


def test_least_response_time_prefers_the_faster_server():
    from time import sleep

    def slow(connection):
        while message := connection.request():
            sleep(0.2)  # a busy machine makes the other one look slow now and then, but not so slow
            connection.reply(message, b"slow")

    def fast(connection):
        while message := connection.request():
            connection.reply(message, b"fast")

    with Backend(slow) as one, Backend(fast) as two:
        with Lbd(config(one, two, pool={"algorithm": "least_response_time"})) as lbd, lbd.client() as client:
            sequence(lbd, 8, client)  # it learns
            got = Counter(sequence(lbd, 60, client))
            check(got[b"fast"] >= 50, f"of 60: {got}")


def test_random_is_random_and_weighted():
    backends = named(3)
    conf = config(*weighted(backends, (2, 1, 1)), pool={"algorithm": "random"})
    with Lbd(conf) as lbd, lbd.client() as client:
        got = sequence(lbd, 400, client)
        counts = Counter(got)
        check(150 <= counts[b"s0"] <= 250, f"half of 400: {counts}")  # five standard deviations
        check(57 <= counts[b"s1"] <= 143, f"a quarter of 400: {counts}")
        check(len(set(zip(got, got[1:]))) == 9, "some pair of servers never followed each other")
    close(backends)


SOURCES = [f"127.0.{i // 200}.{i % 200 + 1}" for i in range(0, 400, 5)]


def mapping(lbd):
    """Which server each client address gets."""
    result = {}
    for source in SOURCES:
        with lbd.client(source) as client:
            result[source] = client.get("/who").body
    return result


def sticks(algorithm):
    backends = named(4)
    conf = config(*weighted(backends, (1, 1, 1, 1)), pool={"algorithm": algorithm}, workers=2)
    with Lbd(conf) as lbd:
        first = mapping(lbd)
        equal(mapping(lbd), first, "the servers of the same clients again")
        counts = Counter(first.values())
        check(len(counts) == 4 and min(counts.values()) >= len(SOURCES) // 10, f"distribution {counts}")
        lbd.reload(conf)
        equal(mapping(lbd), first, "the servers of the same clients after a reload")
    with Lbd(conf) as lbd:  # the other node, or the next start
        equal(mapping(lbd), first, "the servers of the same clients in another lbd")
        lbd.command("server", name="web/s2", action="maintenance")
        after = mapping(lbd)
        check(b"s2" not in after.values(), "a server in maintenance got requests")
        stayed = [s for s in SOURCES if first[s] != b"s2"]
        moved = [s for s in stayed if after[s] != first[s]]
        lbd.command("server", name="web/s2", action="ready")
        equal(mapping(lbd), first, "the servers of the same clients when it is back")
    close(backends)
    return len(moved) / len(stayed)


def test_ip_hash_sticks():
    sticks("ip_hash")


def test_consistent_hash_sticks_and_moves_few():
    moved = sticks("consistent_hash")
    check(moved <= 0.1, f"{moved:.0%} of the clients of other servers moved when one left")


def test_hashes_honour_weights():
    backends = named(2)
    for algorithm in ("ip_hash", "consistent_hash"):
        conf = config(*weighted(backends, (3, 1)), pool={"algorithm": algorithm})
        with Lbd(conf) as lbd:
            counts = Counter(mapping(lbd).values())
            share = counts[b"s0"] / len(SOURCES)
            check(0.55 < share < 0.92, f"{algorithm}: weight 3 of 4 got {share:.0%} of the clients")
    close(backends)


def test_weights_change_at_run_time():
    backends = named(2)
    with Lbd(config(*weighted(backends, (1, 1)))) as lbd, lbd.client() as client:
        equal(Counter(sequence(lbd, 20, client)), {b"s0": 10, b"s1": 10}, "distribution")
        lbd.command("server", name="web/s0", action="weight", value=4)
        got = Counter(sequence(lbd, 40, client))
        check(31 <= got[b"s0"] <= 33, f"weight 4 of 5 got {got[b's0']} of 40")  # it keeps its place
    close(backends)
