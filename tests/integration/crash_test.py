"""kill -9, of lbd's proxy process and of servers, while requests come in."""

import threading
import time
from contextlib import ExitStack

from harness import (Backend, BackendProcess, Client, Failure, Lbd, Load, check, config, equal, wait_for)


class Connects:
    """New connections one after the other, from several threads; sorts what happens to them."""

    def __init__(self, lbd, threads=4):
        self.lbd = lbd
        self.lock = threading.Lock()
        self.answered = 0
        self.refused = []
        self.broken = []  # accepted by the process that died
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopping.is_set():
            try:
                with Client(self.lbd.address()) as client:
                    result = client.get("/load").status == 200
            except ConnectionRefusedError as e:
                with self.lock:
                    self.refused.append(repr(e))
                continue
            except (Failure, OSError) as e:
                with self.lock:
                    self.broken.append(repr(e))
                continue
            with self.lock:
                self.answered += result

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(20)

    def wait_answered(self, more):
        target = self.answered + more
        wait_for(lambda: self.answered >= target, f"{more} more answers", 30)


def test_a_killed_proxy_process_refuses_no_connection():
    kills, threads = 5, 4
    with Backend() as server, Lbd(config(server, workers=2)) as lbd:
        connects = Connects(lbd, threads)
        try:
            connects.wait_answered(100)
            for _ in range(kills):
                lbd.kill_proxy()
                connects.wait_answered(100)
        finally:
            connects.stop()
        equal(connects.refused, [], "refused connections")
        check(len(connects.broken) <= kills * threads,
              f"{len(connects.broken)} broken with {kills} kills of {threads} at a time: {connects.broken[:5]}")
        lbd.log.wait("proxy_replaced")


def test_a_new_proxy_process_serves_soon():
    with Backend() as server, Lbd(config(server)) as lbd:
        gaps = []
        for _ in range(4):
            lbd.kill_proxy()
            start = time.monotonic()
            equal(lbd.get().status, 200, "status")
            gaps.append(time.monotonic() - start)
        check(min(gaps) < 1, f"seconds until a new process served: {gaps}")


def test_control_and_metrics_survive_a_crash():
    with Backend() as server, Lbd(config(server)) as lbd:
        lbd.get()
        lbd.kill_proxy()
        equal(lbd.get().status, 200, "status")
        status = lbd.command("status")
        equal((status["ready"], status["generation"]), (True, 2), "status")
        equal(lbd.metric("lbpair_proxy_generation"), 2, "lbpair_proxy_generation")
        lbd.reload()
        equal(lbd.get().status, 200, "status after a reload")


def test_a_crash_during_reloads():
    with Backend() as server, Lbd(config(server)) as lbd:
        for i in range(6):
            lbd.write_config()
            lbd.signal(1)  # SIGHUP
            lbd.kill_proxy()
            equal(lbd.get(f"/{i}").status, 200, "status")
        equal(lbd.command("status")["ready"], True, "ready")


def test_the_proxy_process_ends_with_its_supervisor():
    import os
    with Backend() as server, Lbd(config(server)) as lbd:
        pid = lbd.proxy_pid()
        lbd.end_expected = True
        os.kill(lbd.process.pid, 9)
        lbd.process.wait()

        def gone():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    return f.read().rsplit(")", 1)[1].split()[0] == "Z"
            except OSError:
                return True
        wait_for(gone, "the proxy process to end", 5)


def test_a_killed_server_fails_no_idempotent_request():
    pool = {"health_check": {"type": "tcp", "interval": "200ms"}, "retry": {"attempts": 2}}
    with ExitStack() as stack:
        servers = [stack.enter_context(BackendProcess()) for _ in range(3)]
        with Lbd(config(*[s.address for s in servers], pool=pool, workers=2)) as lbd:
            lbd.wait_metric("lbpair_server_up", 3)
            with Load(lbd, threads=4) as kept, Load(lbd, threads=2, new_connections=True) as fresh:
                kept.wait_done(300)
                for i in (0, 1, 0, 2):
                    servers[i].kill()
                    kept.wait_done(300)
                    fresh.wait_done(100)
                    servers[i] = stack.enter_context(BackendProcess(servers[i].port))
                    lbd.wait_metric("lbpair_server_up", 3)
                    kept.wait_done(100)
                kept.stop()
                fresh.stop()


test_a_killed_server_fails_no_idempotent_request.seconds = 120


def test_a_server_that_comes_back_gets_its_share():
    pool = {"health_check": {"type": "tcp", "interval": "100ms", "rise": 1}, "retry": {"attempts": 2}}
    with BackendProcess() as one, Backend() as two, Lbd(config(one.address, two, pool=pool)) as lbd:
        lbd.wait_metric("lbpair_server_up", 2)
        one.kill()
        for _ in range(10):
            equal(lbd.get().status, 200, "status")
        with Backend(port=one.port) as again:
            lbd.wait_metric("lbpair_server_up", 2)
            for i in range(10):
                equal(lbd.get(f"/{i}").status, 200, "status")
            equal(len(again.requests), 5, "requests at the server that is back")
