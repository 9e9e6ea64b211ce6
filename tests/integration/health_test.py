"""Active health checks: what they ask, how a verdict changes, what keeps it."""

import os
import shutil
import ssl
import subprocess
import tempfile
import time

from harness import (Backend, Lbd, ReservedPort, Skip, check, config, equal, wait_for)


class Patient:
    """A server whose health the test sets; counts the checks."""

    def __init__(self, status=200):
        self.status = status
        self.hang = False
        self.checks = []
        self.server = Backend(self.script)
        self.address = self.server.address

    def script(self, connection):
        while message := connection.request():
            if message.target.startswith(b"/health"):
                self.checks.append((time.monotonic(), message))
                if self.hang:
                    connection.read_to_end()
                    return
                connection.reply(message, b"", self.status)
            else:
                connection.reply(message)

    def traffic(self):
        return [m.target for m in self.server.requests if not m.target.startswith(b"/health")]

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return self.server.__exit__(*args)


def checked(**keys):
    return {"health_check": {"interval": "100ms", **keys}, "retry": {"attempts": 0}}


def up(lbd, server, expected=1, timeout=15):
    """Until a check said so: a server that was never checked counts as up."""
    if expected:
        wait_for(lambda: lbd.metric("lbpair_server_checks_total", server=server.address, result="pass"),
                 "a check that passed")
    lbd.wait_metric("lbpair_server_up", expected, timeout, server=server.address)


def test_a_check_is_a_get_of_the_path():
    with Patient() as one, Lbd(config(one, pool=checked(path="/health?x=1", host="check.example"))) as lbd:
        up(lbd, one)
        wait_for(lambda: len(one.checks) >= 3, "three checks")
        _, message = one.checks[0]
        equal(message.start, b"GET /health?x=1 HTTP/1.1", "request line")
        equal(message.all(b"host"), [b"check.example"], "Host")


def test_the_defaults_ask_for_health():
    with Patient() as one, Lbd(config(one, pool={"health_check": {}})) as lbd:
        up(lbd, one)
        equal(one.checks[0][1].start, b"GET /health HTTP/1.1", "request line")
        equal(one.checks[0][1].all(b"host"), [one.address.encode()], "Host")


def test_down_after_fall_and_up_after_rise():
    with Patient() as one, Patient() as two:
        with Lbd(config(one, two, pool=checked(fall=3, rise=2))) as lbd:
            up(lbd, one)
            up(lbd, two)
            one.status = 500
            up(lbd, one, 0)
            mark = len(one.traffic())
            for i in range(10):
                equal(lbd.get(f"/{i}").status, 200, "status")
            equal(one.traffic()[mark:], [], "requests at the server that is down")
            one.status = 200
            up(lbd, one)
            for i in range(10):
                equal(lbd.get(f"/{i}").status, 200, "status")
            check(len(one.traffic()) - mark >= 4, "the server that is up again gets nothing")
            lbd.log.wait("server_down")
            lbd.log.wait("server_up")


def test_fewer_failures_than_fall_change_nothing():
    with Patient() as one, Lbd(config(one, pool=checked(fall=4, rise=1))) as lbd:
        up(lbd, one)
        for _ in range(3):
            mark = len(one.checks)
            one.status = 500
            wait_for(lambda: len(one.checks) >= mark + 1, "a failed check")
            one.status = 200
            mark = len(one.checks)
            wait_for(lambda: len(one.checks) >= mark + 2, "a good check")
            equal(lbd.metric("lbpair_server_up", server=one.address), 1, "lbpair_server_up")
        equal(lbd.log.find("server_down"), None, "server_down in the log")


def test_checks_are_faster_while_the_state_is_changing():
    pool = checked(interval="2s", fall=3, rise=3)
    with Patient() as one, Lbd(config(one, pool=pool)) as lbd:
        up(lbd, one)
        one.status = 500
        mark = len(one.checks)
        wait_for(lambda: len(one.checks) > mark, "the first failed check")
        start = time.monotonic()
        up(lbd, one, 0)
        seconds = time.monotonic() - start
        check(seconds < 3.5, f"two more failed checks at an interval of 2 s took {seconds:.1f} s")


def test_expect_status_lists_what_is_well():
    with Patient(204) as one, Patient(200) as two:
        with Lbd(config(one, two, pool=checked(expect_status=[204, 301], fall=1))) as lbd:
            up(lbd, one)
            up(lbd, two, 0)
            one.status = 301
            mark = len(one.checks)
            wait_for(lambda: len(one.checks) >= mark + 3, "three more checks")
            up(lbd, one)


def test_a_check_that_hangs_fails_after_its_time():
    with Patient() as one, Patient() as two:
        with Lbd(config(one, two, pool=checked(interval="300ms", timeout="200ms", fall=2))) as lbd:
            up(lbd, one)
            one.hang = True
            up(lbd, one, 0)
            lbd.log.wait("server_down.*time")


def test_traffic_is_not_refused_before_the_first_verdict():
    with Patient() as one:
        one.hang = True
        with Lbd(config(one, pool=checked(timeout="30s", interval="30s"))) as lbd:
            wait_for(lambda: one.checks, "the first check to begin")
            equal(lbd.get("/early").body, b"GET /early 0\n", "body before any check has ended")
            one.server.tolerant = True


def test_the_first_check_decides():
    with Patient(500) as one, Patient() as two:
        with Lbd(config(one, two, pool=checked(interval="30s", fall=3))) as lbd:
            up(lbd, one, 0, timeout=5)  # not after three intervals
            up(lbd, two, 1, timeout=5)


def test_tcp_checks():
    """A pool without health_check is checked by connect."""
    pool = {"retry": {"attempts": 0}}
    with Backend() as server, ReservedPort() as dead:
        conf = config(server, dead.address, pool=pool)
        conf["pools"][0]["health_check"] = {"type": "tcp", "interval": "100ms", "fall": 1}
        with Lbd(conf) as lbd:
            lbd.wait_metric("lbpair_server_up", 1, server=server.address)
            lbd.wait_metric("lbpair_server_up", 0, server=dead.address)
            for i in range(6):
                equal(lbd.get(f"/{i}").status, 200, "status")
        conf = config(server, pool=pool)
        del conf["pools"][0]["health_check"]
        with Lbd(conf) as lbd:
            lbd.wait_metric("lbpair_server_checks_total", 1, server=server.address, result="pass")


class TlsServer:
    """Answers every request on a TLS connection with that status."""

    def __init__(self, directory):
        openssl = shutil.which("openssl")
        if not openssl:
            raise Skip("no openssl to make a certificate with")
        key, cert = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
        subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=test"],
                       check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.names = []
        self.context.sni_callback = lambda sock, name, context: self.names.append(name)
        self.status = b"200"
        self.plain = Backend(self.script)
        self.address = self.plain.address

    def script(self, connection):
        try:
            with self.context.wrap_socket(connection.sock, server_side=True) as tls:
                text = b""
                while b"\r\n\r\n" not in text:
                    data = tls.recv(4096)
                    if not data:
                        return
                    text += data
                tls.sendall(b"HTTP/1.1 " + self.status + b" X\r\nContent-Length: 0\r\n\r\n")
        except (ssl.SSLError, OSError):
            pass  # checks end with a reset

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return self.plain.__exit__(*args)


def test_https_checks():
    with tempfile.TemporaryDirectory() as directory, TlsServer(directory) as one, Backend() as plain:
        pool = checked(type="https", fall=1, rise=1, host="check.example")
        with Lbd(config(one, plain, pool=pool)) as lbd:
            up(lbd, one)
            up(lbd, plain, 0)  # speaks no TLS
            check("check.example" in one.names, f"SNI: {one.names}")
            one.status = b"503"
            up(lbd, one, 0)
            one.status = b"200"
            up(lbd, one)
        plain.errors.clear()  # it could not understand TLS


def test_checks_go_to_another_port_if_told_so():
    with Patient() as one, Backend() as traffic:
        port = int(one.address.split(":")[1])
        with Lbd(config(traffic, pool=checked(port=port, fall=1, rise=1))) as lbd:
            up(lbd, traffic)
            one.status = 500
            up(lbd, traffic, 0)
            equal(traffic.requests, [], "checks at the port for traffic")


def test_verdicts_survive_a_reload():
    with Patient(500) as one, Patient() as two, Patient() as three:
        conf = config(one, two, three, pool=checked(interval="20s", fall=3))
        with Lbd(conf) as lbd:
            up(lbd, one, 0)
            up(lbd, two)
            conf["pools"][0]["algorithm"] = "least_connections"
            lbd.reload(conf)
            equal(lbd.metric("lbpair_server_up", server=one.address), 0, "lbpair_server_up after the reload")
            for i in range(12):
                equal(lbd.get(f"/{i}").status, 200, "status")
            equal(one.traffic(), [], "requests at the server that is down")
            equal(len(lbd.log.text().split("server_down")), 2, "server_down in the log, once")


def test_verdicts_survive_a_crash_of_the_proxy_process():
    with Patient(500) as one, Patient() as two, Patient() as three:
        with Lbd(config(one, two, three, pool=checked(interval="20s", fall=3))) as lbd:
            up(lbd, one, 0)
            up(lbd, two)
            one.hang = two.hang = three.hang = True  # no new verdict can come
            lbd.kill_proxy()
            for i in range(12):
                equal(lbd.get(f"/{i}").status, 200, "status")
            equal(one.traffic(), [], "requests at the server that is down")
            equal(lbd.metric("lbpair_server_up", server=one.address), 0, "lbpair_server_up after the crash")
            for patient in (one, two, three):
                patient.server.tolerant = True


def test_a_server_that_refused_connects_comes_back_by_a_check():
    """Three failed connects take it out; a check, soon and not after an interval, brings it back."""
    with Backend() as other:
        pool = {"health_check": {"type": "tcp", "interval": "30s"}, "retry": {"attempts": 2}}
        server = Backend()
        with Lbd(config(server, other, pool=pool)) as lbd:
            lbd.wait_metric("lbpair_server_up", 2)
            port = server.port
            server.close()
            for i in range(12):
                equal(lbd.get(f"/{i}").status, 200, "status")
            lbd.wait_metric("lbpair_server_up", 0, server=server.address)
            with Backend(port=port) as again:
                lbd.wait_metric("lbpair_server_up", 1, timeout=20, server=server.address)
                mark = len(again.requests)
                for i in range(10):
                    equal(lbd.get(f"/{i}").status, 200, "status")
                check(len(again.requests) - mark >= 4, "the server that is back gets nothing")

def test_checks_are_spread_in_time():
    """Twelve servers at an interval of one second are not asked all at once."""
    patients = [Patient() for _ in range(12)]
    with Lbd(config(*patients, pool=checked(interval="1s"))) as lbd:
        wait_for(lambda: all(len(p.checks) >= 4 for p in patients), "four checks of each", timeout=20)
        lbd.wait_metric("lbpair_server_up", 12)
        times = sorted(p.checks[3][0] for p in patients)
        buckets = {int(t * 10) for t in times}
        check(len(buckets) >= 4, f"checks of 12 servers fell into {len(buckets)} tenths of a second")
    for patient in patients:
        patient.server.close()


def test_checks_are_counted():
    with Patient() as one, Lbd(config(one, pool=checked(fall=2, rise=1))) as lbd:
        up(lbd, one)
        one.status = 500
        up(lbd, one, 0)
        passed = lbd.metric("lbpair_server_checks_total", server=one.address, result="pass")
        failed = lbd.metric("lbpair_server_checks_total", server=one.address, result="fail")
        check(passed >= 1 and failed >= 2, f"{passed} passed, {failed} failed")
        servers = lbd.command("servers")["servers"]
        equal((servers[0]["health"], servers[0]["available"]), ("down", False), "server in the control socket")
        check("500" in servers[0]["reason"], f"reason: {servers[0]['reason']}")


def test_checks_run_once_and_not_per_worker():
    with Patient() as one, Lbd(config(one, pool=checked(interval="300ms"), workers=4)) as lbd:
        up(lbd, one)
        start, mark = time.monotonic(), len(one.checks)
        wait_for(lambda: len(one.checks) >= mark + 6, "six checks")
        check(time.monotonic() - start > 1.0, "six checks at 300ms in less than a second")


def test_a_server_in_maintenance_is_still_checked():
    with Patient() as one, Patient() as two, Lbd(config(one, two, pool=checked())) as lbd:
        up(lbd, one)
        lbd.command("server", name="web/" + one.address, action="maintenance")
        mark = len(one.checks)
        wait_for(lambda: len(one.checks) > mark + 2, "more checks")
        up(lbd, one)
