"""Certificates that change while lbd serves: at a reload and at once, right ones and wrong ones; how long they last."""

import os
import shutil
import threading

import h2
from h2 import GET
from hactl_test import expect, hactl
from harness import Backend, Lbd, check, equal, request
from tls_peers import certificate, client, context, tls_config


def pair(lbd, c, name="live"):
    """Its files under names of lbd's own, where others can take their place."""
    for source, end in ((c.file, ".crt"), (c.key, ".key")):
        shutil.copy(source, lbd.path(name + end))
    return {"certificate": lbd.path(name + ".crt"), "key": lbd.path(name + ".key")}


def started(server, c):
    lbd = Lbd(tls_config(server), start=False)
    lbd.config["listeners"][0]["tls"] = {"certificates": [pair(lbd, c)]}
    lbd.write_config()
    lbd.start()
    return lbd


def first():
    return certificate("first", "www.example.org", "test")


def second(**options):
    return certificate("second", "www.example.org", "test", **options)


def answering_slowly(connection):
    while message := connection.request():
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        if message.target == b"/slow":
            connection.backend.go_on.wait(20)
        connection.send(b"6\r\nsecond\r\n0\r\n\r\n")


def test_replaced_without_touching_connections():
    for how in ("reload", "renew"):
        with Backend(answering_slowly) as server, started(server, first()) as lbd:
            server.go_on = threading.Event()
            using = context(verify=False)
            with client(lbd, verify=False) as idle, client(lbd, verify=False) as busy, \
                    client(lbd, verify=False, alpn=["h2"]) as sock, h2.H2(sock.sock) as streams:
                equal(idle.get().status, 200, "status")
                equal(streams.request(1, GET).status, 200, "status")
                with client(lbd, using=using) as c:
                    c.get()
                    session = c.sock.session
                busy.send(request("GET", "/slow"))
                lbd.wait_metric("lbpair_server_active", 1)
                with open(lbd.file, encoding="utf-8") as f:
                    good = f.read()
                pair(lbd, second())
                if how == "reload":
                    lbd.reload()
                else:
                    with open(lbd.file, "w", encoding="utf-8") as f:
                        f.write("half written {")
                    lbd.command("renew")
                    with open(lbd.file, "w", encoding="utf-8") as f:
                        f.write(good)
                with client(lbd, trust=second()) as c:
                    equal(c.subject(), "second", "the certificate of a new connection")
                    equal(c.get().status, 200, "status")
                with client(lbd, using=using, session=session) as c:
                    equal(c.sock.session_reused, True, "a session from before")
                server.go_on.set()
                equal(busy.response().body, b"firstsecond", "an answer that ran meanwhile")
                equal((idle.get().status, busy.get().status), (200, 200), "connections from before")
                equal(streams.request(3, GET).status, 200, "a stream on a connection from before")
            check(lbd.metric("lbpair_tls_certificate_days", certificate=lbd.path("live.crt")) in (99, 100), "days")
            check("reload_refused" not in lbd.log.text(), "refused")


def test_a_bad_pair_changes_nothing():
    other = certificate("other", "other.example")
    with Backend() as server, started(server, first()) as lbd:
        shutil.copy(other.key, lbd.path("live.key"))
        reason = f"{lbd.path('live.key')}: the key does not belong to the certificate in {lbd.path('live.crt')}"
        for command in ("reload", "renew"):
            with lbd.control() as control:
                reply = control.ask(command)
            equal(reply, {"ok": False, "error": "listeners[0].tls: " + reason}, f"answer to {command}")
        os.unlink(lbd.path("live.crt"))
        with lbd.control() as control:
            reply = control.ask("renew")
        check(f"cannot open {lbd.path('live.crt')}" in reply["error"], f"{reply}")
        with client(lbd, trust=first()) as c:
            equal((c.subject(), c.get().status), ("first", 200), "what is served")


def test_too_much_is_refused():
    """One large file by many names: text around a certificate is allowed."""
    with Backend() as server, started(server, first()) as lbd:
        pair(lbd, first(), "large")
        for end in (".crt", ".key"):
            with open(lbd.path("large" + end), "ab") as f:
                f.write((b"#" * 63 + b"\n") * 16300)
        large = []
        for i in range(31):
            for end in (".crt", ".key"):
                os.link(lbd.path("large" + end), lbd.path(f"{i}{end}"))
            large.append({"certificate": lbd.path(f"{i}.crt"), "key": lbd.path(f"{i}.key")})
        lbd.reload(tls_config(server, tls={"certificates": large}))
        lbd.log.wait("reload_refused.*the files of certificates, keys and pages have 62 MiB together: allowed are 60")
        with client(lbd, trust=first()) as c:
            equal(c.get().status, 200, "status")


def alarms(lbd):
    return [(a["name"], a["text"]) for a in lbd.command("status")["alarms"]]


def test_days_and_alarms():
    soon, late, fine = (certificate(name, f"{name}.example", days=days)
                        for name, days in (("soon", 5), ("late", -1), ("fine", 15)))
    with Backend() as server, Lbd(tls_config(server, tls={
            "certificates": [c.config() for c in (fine, soon, late)]})) as lbd:
        for c, days in ((fine, 15), (soon, 5), (late, -1)):
            left = lbd.metric("lbpair_tls_certificate_days", certificate=c.file)
            check(left in (days - 1, days), f"days of {c.names}: {left}")
        got = sorted(alarms(lbd))
        equal(got, [("certificate_expired", late.file + " has expired"),
                    ("certificate_expires", got[1][1] if got[1][1] in (
                        f"{soon.file} expires in {n} days" for n in (4, 5)) else "a number of days")], "alarms")
        lbd.reload(tls_config(server, tls={"certificates": [fine.config()]}))
        equal(alarms(lbd), [], "alarms")
        equal(lbd.metric("lbpair_tls_certificate_days", certificate=soon.file), None, "one that is gone")
        lbd.reload(tls_config(server) | {"listeners": [{"name": "in", "pool": "web"}]})
        equal(lbd.command("certificates")["certificates"], [], "without TLS")


def test_hactl_certificate():
    new, other = second(days=20), certificate("other", "other.example")
    with Backend() as server, started(server, first()) as lbd:
        socket = lbd.config["admin"]["socket"]
        file, key = lbd.path("live.crt"), lbd.path("live.key")
        os.rename(file, lbd.path("archive.crt"))
        os.symlink(lbd.path("archive.crt"), file)
        os.chmod(key, 0o600)
        expect(0, rf"^{file} +(99|100)  ECDSA  www.example.org test +CN=first +in$", None, hactl("certificate", lbd=socket))

        def contents():
            with open(file, "rb") as f, open(key, "rb") as g:
                return f.read(), g.read()

        before = contents()
        expect(1, None, "the key does not belong to the certificate", hactl("certificate", "replace", file, new.file, other.key, lbd=socket))
        equal(contents(), before, "the files after a refusal")
        expect(1, None, "lbd uses no certificate", hactl("certificate", "replace", lbd.path("none"), new.file, new.key, lbd=socket))
        expect(0, "certificates read again", None, hactl("certificate", "replace", file, new.file, new.key, lbd=socket))
        check(os.path.islink(file) and os.stat(key).st_mode & 0o777 == 0o600, "the link and the mode stay")
        with client(lbd, trust=new) as c:
            equal(c.subject(), "second", "the certificate")
        check(not [n for n in os.listdir(os.path.dirname(file)) if n.startswith("live.crt.")], "leftovers")
        shutil.copy(first().file, lbd.path("archive.crt"))
        shutil.copy(first().key, key)
        expect(0, "certificates read again", None, hactl("certificate", "renew", lbd=socket))
        with client(lbd, trust=first()) as c:
            equal(c.subject(), "first", "the certificate")
        for words in (["certificate", "x"], ["certificate", "replace", "a"], ["certificate", "renew", "--json"]):
            equal(hactl(*words, lbd=socket)[0], 2, f"status of {words}")
