"""What lbd says when it answers an error itself: pages from files, by status, of a listener and of a pool."""

import os
import tempfile

import h2
from h2 import GET
from harness import Backend, Lbd, check, config, equal, request, run_lbd


class Pages:
    """Files in a directory of their own."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        os.chmod(self.directory.name, 0o755)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.directory.cleanup()


NOWHERE = {"address": "127.0.0.1:1"}


def page(response):
    return response.status, response.one(b"content-type"), bytes(response.body)


def test_of_the_pool_else_of_the_listener():
    with Pages() as pages:
        conf = config(NOWHERE, listener={"error_pages": {
            "400": pages.write("400.txt", "what?\n"), "503": pages.write("l503.html", "<p>listener"),
            "404": pages.write("404.HTM", "<p>nowhere")}})
        conf["pools"].append({**conf["pools"][0], "name": "api", "error_pages": {
            "503": pages.write("503.json", '{"error": 503}')}})
        conf["listeners"][0]["routes"] = [
            {"path": "/api", "pool": "api"}, {"path": "/no", "respond": {"status": 404}},
            {"path": "/never", "respond": {"status": 404, "body": "never"}}]
        with Lbd(conf) as lbd, lbd.client() as client:
            equal(page(client.get("/")), (503, b"text/html; charset=utf-8", b"<p>listener"), "listener's")
            equal(page(client.get("/api")), (503, b"application/json", b'{"error": 503}'), "pool's")
            equal(page(client.get("/no")), (404, b"text/html; charset=utf-8", b"<p>nowhere"), "of a route")
            equal(client.get("/never").body, b"never", "a route's own body")
            client.send(request("HEAD", "/api"))
            got = client.response(b"HEAD")
            equal((got.status, got.one(b"content-length"), got.one(b"retry-after")), (503, b"14", b"5"), "HEAD")
            check(client.buffer == b"", f"a body follows: {client.buffer}")
            client.send(b"GET / HTTP/9.9.9\r\n\r\n")
            equal(page(client.response()), (400, b"text/plain; charset=utf-8", b"what?\n"), "of a bad request")
            client.expect_end()
            with lbd.client() as other:
                other.send(request("DELETE", "/" + "x" * 20000))
                equal(page(other.response()), (414, b"text/plain", b"414 URI Too Long\n"), "without a page")


def test_a_late_request_and_a_large_page():
    with Pages() as pages, Lbd(config(NOWHERE, listener={"error_pages": {
            "408": pages.write("408.html", "late" * 16384)}}, timeouts={"client_header": "100ms"})) as lbd:
        with lbd.client() as client:
            client.send(b"GET / HT")
            equal(page(client.response()), (408, b"text/html; charset=utf-8", b"late" * 16384), "of a late request")


def test_over_http2():
    with Pages() as pages, Lbd(config(NOWHERE, listener={"http2": True, "error_pages": {
            "503": pages.write("503.html", "x" * 60000), "405": pages.write("405.xml", "<no/>")}})) as lbd:
        with h2.connect(lbd.address()) as client:
            got = client.request(1, GET)
            equal((got.status, got.one("content-type"), len(got.body)), (503, "text/html; charset=utf-8", 60000), "GET")
            got = client.request(3, [(":method", "HEAD"), *GET[1:]])
            equal((got.status, got.one("content-length"), len(got.body)), (503, "60000", 0), "HEAD")
            got = client.request(5, [(":method", "TRACE"), *GET[1:]])
            equal((got.status, got.one("content-type"), bytes(got.body)), (405, "application/xml", b"<no/>"), "TRACE")
        with h2.connect(lbd.address(), (h2.INITIAL_WINDOW_SIZE, 0)) as client:  # it reads none of them
            before = lbd.proxy_memory()
            streams = range(1, 161, 2)
            client.send(b"".join(h2.headers(s, GET) for s in streams))
            client.until(lambda: all(client.answers[s].fields for s in streams if s in client.answers)
                         and len(client.answers) == len(streams), "80 heads")
            lengths = [client.answers[s].one("content-length") for s in streams]
            check(lengths.count("60000") in (1, 2, 3), f"so many pages are held: {lengths.count('60000')}")
            check(lbd.proxy_memory() - before < 4 << 20, "memory")


def test_maintenance():
    with Pages() as pages, Backend() as one, Backend() as two:
        conf = config(one, two, pool={"maintenance_page": pages.write("back.html", "<p>Back soon."),
                                      "error_pages": {"503": pages.write("503.txt", "broken\n")}})
        for i, server in enumerate(conf["pools"][0]["servers"]):
            server["name"] = f"s{i}"
        with Lbd(conf) as lbd, lbd.client() as client:
            lbd.command("server", name="web/s0", action="maintenance")
            equal(client.get().body, b"GET / 0\n", "with one server")
            lbd.command("server", name="web/s1", action="maintenance")
            got = client.get()
            equal(page(got), (503, b"text/html; charset=utf-8", b"<p>Back soon."), "in maintenance")
            equal(got.one(b"retry-after"), b"5", "Retry-After")
            lbd.command("server", name="web/s1", action="drain")
            equal(page(client.get()), (503, b"text/plain; charset=utf-8", b"broken\n"), "one drains")
            lbd.command("server", name="web/s1", action="ready")
            equal(client.get().status, 200, "status when it is back")


def test_files_are_read_by_a_reload():
    with Pages() as pages:
        path = pages.write("503.txt", "old\n")
        conf = config(NOWHERE, listener={"error_pages": {"503": path}})
        with Lbd(conf) as lbd:
            digests = [lbd.command("status")["config"]["digest"]]
            for text in ("new\n", "old\n", "new\n"):
                pages.write("503.txt", text)
                equal(lbd.get().body, b"old\n" if text == "new\n" else b"new\n", "before the reload")
                lbd.reload()
                equal(lbd.get().body, text.encode(), "after it")
                digests.append(lbd.command("status")["config"]["digest"])
            check(digests[0] == digests[2] != digests[1] == digests[3], f"digests {digests}")
            lbd.log.wait("reload_done.*digest=" + digests[1])
            for spoil, complaint in (
                    (lambda: pages.write("503.txt", "x" * 65537), f"{path} is larger than 65536 bytes"),
                    (lambda: os.unlink(path), f"cannot open {path}: No such file or directory")):
                spoil()
                lbd.reload()
                lbd.log.wait("config_problem .*" + complaint)
                equal(lbd.get().body, b"new\n", "after one that was refused")
                status, _, errors = run_lbd("-t", "-c", lbd.file)
                check(status == 1 and complaint in errors, f"lbd -t: {status} {errors}")


def test_after_a_crash():
    with Pages() as pages, Lbd(config(NOWHERE, listener={"error_pages": {
            "503": pages.write("503.txt", "here\n")}})) as lbd:
        lbd.kill_proxy()
        equal(lbd.get().body, b"here\n", "body from the next process")
