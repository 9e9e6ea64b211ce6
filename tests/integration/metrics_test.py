"""/metrics and /healthz: names, labels, and numbers that are exact."""

import os
import re
import urllib.error

from harness import ROOT, Backend, Client, Lbd, check, config, equal, request, wait_for

NAMES = {
    "lbpair_requests_total": {"listener", "pool", "server", "code"},
    "lbpair_request_duration_seconds_bucket": {"listener", "pool", "le"},
    "lbpair_request_duration_seconds_sum": {"listener", "pool"},
    "lbpair_request_duration_seconds_count": {"listener", "pool"},
    "lbpair_request_duration_quantile_seconds": {"listener", "pool", "quantile"},
    "lbpair_connections": {"listener"},
    "lbpair_connections_total": {"listener"},
    "lbpair_server_up": {"pool", "server"},
    "lbpair_server_active": {"pool", "server"},
    "lbpair_server_idle_connections": {"pool", "server"},
    "lbpair_server_checks_total": {"pool", "server", "result"},
    "lbpair_retries_total": {"pool"},
    "lbpair_rejected_total": {"listener", "reason"},
    "lbpair_bytes_total": {"listener", "direction"},
    "lbpair_config_info": {"digest"},
    "lbpair_worker_loop_lag_seconds": {"worker"},
}


def documented():
    """{name: labels}, as lbd.8 has them."""
    with open(os.path.join(ROOT, "docs/lbd.8")) as f:
        found = re.findall(r"^\.It Li (lbpair_\w+)(?:\{(.*)\})?$", f.read(), re.M)
    return {name: set(filter(None, labels.split(","))) for name, labels in found}


def test_names_and_labels():
    with Backend() as server, Lbd(config(server, workers=2)) as lbd:
        lbd.get()
        with lbd.client() as client:
            client.send(b"bad\r\n\r\n")
            client.response()
        lbd.wait_metric("lbpair_rejected_total", 1)
        series = lbd.metrics()
        for name, labels in NAMES.items():
            found = [set(got) for n, got, _ in series if n == name]
            check(found, f"no {name}")
            check(all(got == labels for got in found), f"labels of {name}: {found[0]}, not {labels}")
        manual = documented()
        for name, labels, _ in series:
            family = name if name in manual else re.sub("_(bucket|sum|count)$", "", name)
            equal(set(labels) - {"le"}, manual.get(family), f"labels of {name} in lbd.8")
        for base in ("lbpair_upstream_connect_seconds", "lbpair_upstream_response_seconds"):
            check(any(n == base + "_count" for n, _, _ in series), f"no {base}")
        equal({got["worker"] for n, got, _ in series if n == "lbpair_worker_loop_lag_seconds"}, {"0", "1"},
              "workers")
        equal(lbd.admin_get("/metrics")[1], "text/plain; version=0.0.4; charset=utf-8", "content type")


def test_counts_are_exact():
    def script(connection):
        while message := connection.request():
            connection.reply(message, None, int(message.target[1:4]))

    with Backend(script) as server, Lbd(config(server, workers=2)) as lbd:
        sent = received = 0
        for code, n in ((200, 17), (404, 5), (500, 3)):
            for i in range(n):
                with lbd.client() as client:
                    data = request("GET", f"/{code}")
                    client.send(data)
                    equal(client.response().status, code, "status")
                    sent += len(data)
                    received += len(client.received)
        lbd.wait_metric("lbpair_requests_total", 25)
        for code, n in ((200, 17), (404, 5), (500, 3)):
            equal(lbd.metric("lbpair_requests_total", listener="in", pool="web", server=server.address,
                             code=str(code)), n, f"requests with {code}")
        equal(lbd.metric("lbpair_request_duration_seconds_count", listener="in", pool="web"), 25, "durations")
        equal(lbd.metric("lbpair_upstream_response_seconds_count"), 25, "response times")
        connects = lbd.metric("lbpair_upstream_connect_seconds_count")
        equal(connects, len(server.connections), "connect times")
        equal(lbd.metric("lbpair_connections_total", listener="in"), 25, "connections")
        lbd.wait_metric("lbpair_connections", 0, listener="in")
        equal(lbd.metric("lbpair_bytes_total", listener="in", direction="in"), sent, "bytes in")
        equal(lbd.metric("lbpair_bytes_total", listener="in", direction="out"), received, "bytes out")
        equal(lbd.metric("lbpair_server_active"), 0, "active")
        equal(lbd.metric("lbpair_server_idle_connections"), len(server.open_connections()), "idle")


def test_the_histogram_is_cumulative_and_complete():
    with Backend() as server, Lbd(config(server)) as lbd:
        for _ in range(30):
            lbd.get()
        lbd.wait_metric("lbpair_requests_total", 30)
        buckets = [(float(labels["le"].replace("+Inf", "inf")), value)
                   for name, labels, value in lbd.metrics() if name == "lbpair_request_duration_seconds_bucket"]
        equal(buckets, sorted(buckets), "buckets in order, counts that never fall")
        equal(buckets[-1], (float("inf"), 30), "last bucket")
        total = lbd.metric("lbpair_request_duration_seconds_sum")
        check(0 < total < 30, f"sum of durations: {total}")


def test_quantiles():
    import time

    def script(connection):
        while message := connection.request():
            if message.target == b"/slow":
                time.sleep(0.1)
            connection.reply(message)

    with Backend(script) as server, Lbd(config(server)) as lbd:
        with lbd.client() as client:
            for i in range(100):
                client.get("/slow" if i % 20 == 0 else "/fast")

        def quantile(q):
            return lbd.metric("lbpair_request_duration_quantile_seconds", quantile=q)
        lbd.wait_metric("lbpair_requests_total", 100)
        check(quantile("0.5") < 0.05, f"p50 {quantile('0.5')}")
        check(0.09 < quantile("0.99") < 0.5, f"p99 {quantile('0.99')}")


def test_counters_survive_a_reload():
    with Backend() as server, Lbd(config(server)) as lbd:
        for _ in range(5):
            lbd.get()
        lbd.wait_metric("lbpair_requests_total", 5)
        before = lbd.metrics()
        lbd.reload(config(server, pool={"algorithm": "random"}))
        lbd.get()
        lbd.wait_metric("lbpair_requests_total", 6, server=server.address, code="200")
        digests = [[labels["digest"] for n, labels, _ in m if n == "lbpair_config_info"]
                   for m in (before, lbd.metrics())]
        check(len(digests[0]) == len(digests[1]) == 1 and digests[0] != digests[1], f"digests {digests}")


def test_healthz():
    with Backend() as server, Lbd(config(server)) as lbd:
        status, _, _ = lbd.admin_get("/healthz")
        equal(status, 200, "status of /healthz")
        equal(lbd.admin_get("/nothing")[0], 404, "status of an unknown path")


def test_admin_http_stands_garbage():
    with Backend() as server, Lbd(config(server)) as lbd:
        host, port = lbd.config["admin"]["http"].rsplit(":", 1)
        for data, status in ((b"garbage\r\n\r\n", 400), (b"POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 405),
                             (b"GET /metrics HTTP/1.1\r\nX: " + b"v" * 10000 + b"\r\n\r\n", 431)):
            with Client((host, int(port))) as client:
                client.send(data)
                equal(client.response().status, status, f"status for {data[:40]!r}")
        equal(lbd.admin_get("/healthz")[0], 200, "status of /healthz")


def test_admin_http_can_be_off():
    with Backend() as server, Lbd(config(server, admin={"http": "off"})) as lbd:
        equal(lbd.get().status, 200, "status")
        check(lbd.command("status")["ready"], "not ready")


def test_admin_http_moves_with_a_reload():
    with Backend() as server, Lbd(config(server)) as lbd:
        old = lbd.config["admin"]["http"]
        lbd.config["admin"]["http"] = lbd.reserve().address
        lbd.reload(lbd.config)
        equal(lbd.admin_get("/healthz")[0], 200, "status at the new address")
        lbd.config["admin"]["http"], new = old, lbd.config["admin"]["http"]

        def gone():
            try:
                lbd.admin_get("/healthz")
            except (urllib.error.URLError, ConnectionError):
                return True
            return False
        wait_for(gone, "the old address to refuse")
        lbd.config["admin"]["http"] = new
