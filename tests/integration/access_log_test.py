"""The access log: one record a request, every key, nothing a client sends can forge a line."""

import json
import os
import re
import signal

from harness import Backend, Lbd, ReservedPort, check, config, equal, request, wait_for

KEYS = ["time", "listener", "client", "method", "host", "target", "protocol", "status", "bytes_in",
        "bytes_out", "duration_ms", "connect_ms", "response_ms", "pool", "server", "retries", "request_id",
        "tls_version", "termination"]
NAME = "access.log"


def access_log(format="json"):
    """The log object of a configuration; records() and lines() complete it."""
    return {"access": {"target": "file:@" + NAME, "format": format}}


def lines(lbd):
    """A function that waits for n lines of the log.  Before start: the file lives beside lbd.json."""
    path = lbd.path(NAME)
    lbd.config["log"]["access"]["target"] = "file:" + path
    lbd.write_config()

    def read(n):
        def there():
            with open(path, "rb") as f:
                text = f.read()
            return text if text.count(b"\n") >= n else None
        wait_for(lambda: os.path.exists(path), "the access log")
        text = wait_for(there, f"{n} lines in the access log")
        equal(text.count(b"\n"), n, "lines in the access log")
        return text.decode("utf-8").splitlines()
    return read


def records(lbd):
    read = lines(lbd)
    return lambda n: [json.loads(line) for line in read(n)]


class Logged:
    """lbd with an access log, started."""

    def __init__(self, conf, format="json"):
        conf["log"] = access_log(format)
        self.lbd = Lbd(conf, start=False)
        self.read = records(self.lbd) if format == "json" else lines(self.lbd)

    def __enter__(self):
        try:
            self.lbd.start()
        except BaseException:
            self.lbd.cleanup()
            raise
        return self.lbd, self.read

    def __exit__(self, *args):
        return self.lbd.__exit__(*args)


def test_every_key_of_a_record():
    with Backend() as server, Logged(config(server)) as (lbd, read):
        with lbd.client() as client:
            sent = request("POST", "/path?q=1", "User-Agent: me", body=b"hello")
            client.send(sent)
            client.response(b"POST")
            size = len(client.received)
        (record,) = read(1)
        equal(list(record), KEYS, "keys and their order")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"]), record["time"])
        for key, value in {"listener": "in", "client": "127.0.0.1", "method": "POST", "host": "test",
                           "target": "/path?q=1", "protocol": "HTTP/1.1", "status": 200,
                           "bytes_in": len(sent), "bytes_out": size, "pool": "web", "retries": 0,
                           "server": server.address, "termination": "ok"}.items():
            equal(record[key], value, key)
        equal(record["request_id"].encode(), server.requests[0].one(b"x-request-id"), "request_id")
        for key in ("duration_ms", "connect_ms", "response_ms"):
            check(isinstance(record[key], float) and 0 <= record[key] < 10000, f"{key}: {record[key]}")
        check(record["duration_ms"] >= record["response_ms"], "duration below response time")
        check(not record["tls_version"], f"tls_version: {record['tls_version']}")


def test_a_reused_connection_has_no_connect_time():
    with Backend() as server, Logged(config(server)) as (lbd, read):
        with lbd.client() as client:
            client.get("/1")
            client.get("/2")
        first, second = read(2)
        check(first["connect_ms"] is not None, "no connect_ms for the first request")
        equal(second["connect_ms"], None, "connect_ms of the second request")


def test_request_ids_are_unique_and_reach_the_server():
    with Backend() as server, Logged(config(server, workers=2)) as (lbd, read):
        for _ in range(50):
            lbd.get()
        ids = [r["request_id"] for r in read(50)]
        equal(len(set(ids)), 50, "different request ids")
        equal(sorted(ids), sorted(m.one(b"x-request-id").decode() for m in server.requests), "ids at the server")


def test_a_trusted_request_id_is_logged():
    listener = {"forwarded": {"trust": ["127.0.0.1"]}}
    with Backend() as server, Logged(config(server, listener=listener)) as (lbd, read):
        lbd.get("/", "X-Request-Id: mine-1")
        equal(read(1)[0]["request_id"], "mine-1", "request_id")


def test_times_are_those_of_the_server():
    import time

    def slow(connection):
        while message := connection.request():
            time.sleep(0.2)
            connection.reply(message)

    with Backend(slow) as server, Logged(config(server)) as (lbd, read):
        lbd.get()
        record = read(1)[0]
        check(190 <= record["response_ms"] <= record["duration_ms"] < 5000, f"{record}")


REFUSED = [
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request_line"),
    (b"GET / HTTP/1.1\r\n\r\n", 400, "host"),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version_major"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n", 400, "field_name"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400, "field_value"),
    (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "line_end"),
    (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_denied"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, "content_length"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "framing"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "transfer_coding"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417, "expect"),
    (b"GET /" + b"t" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target_length"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"v" * 40000 + b"\r\n\r\n", 431, "head_size"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400, "chunk"),
]


def test_refused_requests_are_logged_with_their_reason():
    with Backend() as server, Logged(config(server)) as (lbd, read):
        server.tolerant = True
        for data, status, _ in REFUSED:
            with lbd.client() as client:
                client.send(data)
                equal(client.response().status, status, f"status for {data[:60]!r}")
        seen = read(len(REFUSED))
        equal([(r["status"], r["termination"]) for r in seen], [(s, t) for _, s, t in REFUSED], "records")
        for _, _, reason in REFUSED:
            equal(lbd.metric("lbpair_rejected_total", listener="in", reason=reason), 1,
                  f"lbpair_rejected_total for {reason}")


def test_ends_have_names():
    """No server, a server's reset, its silence, its garbage, a client that left, one that is slow."""
    def script(connection):
        message = connection.request()
        if message.target == b"/garbage":
            connection.send(b"garbage\r\n\r\n")
        elif message.target in (b"/slow", b"/left"):
            connection.read_to_end()
        elif message.target == b"/ok":
            connection.reply(message)

    with Backend(script) as server, ReservedPort() as dead:
        conf = config(server, timeouts={"response": "300ms", "client_header": "300ms", "drain": "2s"})
        conf["listeners"].append({"name": "dead", "pool": "dead"})
        conf["pools"].append({"name": "dead", "servers": [{"address": dead.address}],
                              "health_check": {"type": "none"}})
        with Logged(conf) as (lbd, read):
            expected = []
            for target, status, end in (("/reset", 502, "server_reset"), ("/garbage", 502, "status_line"),
                                        ("/slow", 504, "server_timeout"), ("/ok", 200, "ok")):
                equal(lbd.get(target).status, status, f"status of {target}")
                expected.append((target, status, end))
            equal(lbd.get("/dead", listener=1).status, 503, "status without a server")
            expected.append(("/dead", 503, "connect_failed"))
            client = lbd.client()
            client.send(request("GET", "/left"))
            server.wait(lambda: any(m.target == b"/left" for m in server.requests))
            client.reset_now()
            expected.append(("/left", 0, "client_closed"))
            seen = read(6)
            if seen[1]["termination"] == "server_bad_response":
                expected[1] = ("/garbage", 502, "server_bad_response")
            equal([(r["target"], r["status"], r["termination"]) for r in seen], expected, "records")


HOSTILE = [
    'GET /a"b HTTP/1.1', "GET /a\\b HTTP/1.1", "GET /%0d%0a%00 HTTP/1.1", "GET /</script> HTTP/1.1",
    "GET /{{x}} HTTP/1.1",
]


def test_client_bytes_are_escaped_in_json():
    with Backend() as server, Logged(config(server)) as (lbd, read):
        with lbd.client() as client:
            for line in HOSTILE:
                client.send(line.encode() + b"\r\nHost: a\r\n\r\n")
                equal(client.response().status, 200, f"status of {line}")
            client.send(b"GET / HTTP/1.1\r\nHost: \"},{\x1b[31m\r\n\r\n")
            client.response()
        with lbd.client() as client:
            client.send(b"GET /caf\xe9\x00\x1b HTTP/1.1\r\nHost: a\r\n\r\n")
            client.response()
        with lbd.client() as client:
            client.send(b"G\x1b\"T / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.response()
        seen = read(len(HOSTILE) + 3)
        equal([r["target"] for r in seen[:5]], [line.split(" ")[1] for line in HOSTILE], "targets")
        for record in seen:
            equal(list(record), KEYS, "keys")
        with open(lbd.path(NAME), "rb") as f:
            text = f.read()
        check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]", text), "raw control or high bytes in the log")


COMBINED = re.compile(
    r'(\S+) - - \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "([^"]*)" (\d{3}) (\d+|-) '
    r'"([^"]*)" "([^"]*)"(.*)')


def test_combined_format():
    with Backend() as server, Logged(config(server), "combined") as (lbd, read):
        with lbd.client() as client:
            client.get("/path?q=1", "Referer: http://from/", "User-Agent: me/1.0")
            client.get('/a"b\\c', 'User-Agent: x" "y\\', "Referer: caf\xe9")
            client.get("/plain")
        with lbd.client() as client:
            client.send(b"\x16\x03\x01\x00\xa5\x01\r\n\r\n")
            client.response()
        seen = [COMBINED.match(line) for line in read(4)]
        check(all(seen), f"not in the combined format: {read(4)}")
        equal((seen[0][1], seen[0][3], seen[0][4], seen[0][6], seen[0][7]),
              ("127.0.0.1", "GET /path?q=1 HTTP/1.1", "200", "http://from/", "me/1.0"), "fields")
        check("\\x22" in seen[1][3] or '\\"' in seen[1][3], f"quote in a target: {seen[1][3]}")
        equal(seen[1][6], "caf\\xe9", "high byte in a referer")
        equal((seen[2][6], seen[2][7]), ("-", "-"), "absent fields")
        equal(seen[3][4], "400", "status of bytes that are no HTTP")
        with open(lbd.path(NAME), "rb") as f:
            check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]", f.read()), "raw bytes in the log")


def test_one_record_for_each_pipelined_request():
    with Backend() as server, Logged(config(server)) as (lbd, read), lbd.client() as client:
        client.send(b"".join(request("GET", f"/{i}") for i in range(20)))
        for _ in range(20):
            client.response()
        equal([r["target"] for r in read(20)], [f"/{i}" for i in range(20)], "targets")


def test_reopen_on_usr1():
    with Backend() as server, Logged(config(server)) as (lbd, read):
        lbd.get("/before")
        read(1)
        os.rename(lbd.path(NAME), lbd.path("rotated"))
        lbd.signal(signal.SIGUSR1)
        lbd.log.wait("logs_reopened")
        wait_for(lambda: os.path.exists(lbd.path(NAME)), "the new file")

        def targets(name):
            with open(lbd.path(name)) as f:
                return [json.loads(line)["target"] for line in f]
        sent = ["/before"]
        while not targets(NAME) and len(sent) < 1000:  # the descriptor may still be on its way to the log
            sent.append(f"/{len(sent)}")
            lbd.get(sent[-1])
        wait_for(lambda: len(targets("rotated") + targets(NAME)) == len(sent), "all records")
        equal(targets("rotated") + targets(NAME), sent, "records of both files together")
        check(targets(NAME), "no record in the new file")


def test_a_reload_changes_format_and_file():
    with Backend() as server, Logged(config(server)) as (lbd, read):
        lbd.get("/json")
        read(1)
        lbd.config["log"]["access"] = {"target": "file:" + lbd.path("other"), "format": "combined"}
        lbd.reload(lbd.config)
        lbd.get("/combined")
        wait_for(lambda: os.path.exists(lbd.path("other")) and os.path.getsize(lbd.path("other")), "a record")
        with open(lbd.path("other")) as f:
            check(COMBINED.match(f.read().strip()), "not in the combined format")
        lbd.config["log"]["access"] = {"format": "off"}
        lbd.reload(lbd.config)
        lbd.get("/nothing")
        lbd.wait_metric("lbpair_requests_total", 3)


def test_nothing_is_lost_under_load():
    from harness import Load
    with Backend() as server, Logged(config(server, workers=2)) as (lbd, read):
        with Load(lbd, threads=4) as load:
            load.wait_done(2000)
            done = load.stop()
        dropped = lbd.metric("lbpair_access_log_dropped_total")
        equal(dropped, 0, "lbpair_access_log_dropped_total")
        equal(len(read(done)), done, "records")
