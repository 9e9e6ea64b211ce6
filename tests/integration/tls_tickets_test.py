"""Session tickets: resumption on this node, on the other one, after a restart; and where it must not be."""

import os
import select
import ssl
import threading

from harness import Backend, Lbd, PATIENCE, check, equal, request
from tls_peers import BytesClient, client, context, directory, tls_config


def secret(name, content):
    path = os.path.join(directory(), name)
    with open(path, "w", encoding="ascii") as f:
        f.write(content)
    return path


def shared():
    return {"ticket_secret_file": secret("secret", "0123456789abcdef" * 2 + "\n")}


def versions():
    return (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def session_of(lbd, using, **options):
    """A session that the client may resume."""
    with client(lbd, using=using, **options) as c:
        equal(c.get().status, 200, "status")
        check(c.sock.session is not None and c.sock.session.has_ticket, "no ticket")
        return c.sock.session


def resumes(lbd, using, session, **options):
    with client(lbd, using=using, session=session, **options) as c:
        equal(c.get().status, 200, "status")
        return c.sock.session_reused


def test_resumption_on_every_worker():
    with Backend() as server, Lbd(tls_config(server, workers=4)) as lbd:
        for version in versions():
            using = context(most=version, least=version)
            session = session_of(lbd, using)
            equal([resumes(lbd, using, session) for _ in range(12)], [True] * 12, f"resumed, {version.name}")
        lbd.wait_metric("lbpair_tls_handshakes_total", 24, resumed="yes")


def test_each_resumption_brings_the_next_ticket():
    """TLS 1.3: browsers use one once (RFC 8446 C.4); without another the connection after the next is a full one."""
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        using = context(least=ssl.TLSVersion.TLSv1_3)
        sessions = [session_of(lbd, using)]
        for _ in range(3):
            with client(lbd, using=using, session=sessions[-1]) as c:
                equal(c.get().status, 200, "status")
                check(c.sock.session_reused, "not resumed")
                sessions.append(c.sock.session)
        equal(len({s.id for s in sessions}), 4, "tickets")


def test_a_ticket_comes_with_the_answer():
    """Not before it, when the request came with the handshake; at once, when there is none."""
    answers = threading.Event()

    def script(connection):
        message = connection.request()
        answers.wait(PATIENCE)
        connection.reply(message)

    with Backend(script) as server, Lbd(tls_config(server)) as lbd:
        with BytesClient(lbd.address(), first=request()) as c:
            server.wait_requests(1)
            check(not select.select([c.sock], [], [], 0)[0], "something came before the answer")
            answers.set()
            equal(c.answer()[:12], b"HTTP/1.1 200", "answer")
            check(c.tls.session.has_ticket, "no ticket with the answer")
        with BytesClient(lbd.address()) as c:
            check(select.select([c.sock], [], [], PATIENCE)[0], "no ticket without a request")


def test_resumption_on_the_other_node():
    with Backend() as server, Lbd(tls_config(server, tls=shared())) as one, \
            Lbd(tls_config(server, tls=shared())) as other:
        for version in versions():
            using = context(most=version, least=version)
            session = session_of(one, using)
            check(resumes(other, using, session), f"not resumed on the other node, {version.name}")
        other.wait_metric("lbpair_tls_handshakes_total", 2, resumed="yes")
        equal(one.metric("lbpair_tls_handshakes_total", resumed="yes"), 0, "resumptions on the first node")


def test_resumption_after_a_restart():
    for tls, expected in ((shared(), True), ({}, False)):
        with Backend() as server, Lbd(tls_config(server, tls=tls)) as lbd:
            using = context()
            session = session_of(lbd, using)
            lbd.stop()
            lbd.start()
            equal(resumes(lbd, using, session), expected, f"resumed with {tls}")


def test_resumption_after_a_crash_and_after_a_reload():
    """Even without a file: the supervisor keeps the secret."""
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        using = context()
        session = session_of(lbd, using)
        lbd.reload(tls_config(server, tls={"alpn": []}))
        check(resumes(lbd, using, session), "not resumed after a reload")
        lbd.kill_proxy()
        lbd.notifications.drain()
        check(resumes(lbd, using, session), "not resumed after a crash")


def test_another_secret_is_a_full_handshake():
    with Backend() as server, Lbd(tls_config(server, tls=shared())) as lbd:
        using = context()
        session = session_of(lbd, using)
        lbd.reload(tls_config(server, tls={"ticket_secret_file": secret("other", "x" * 40)}))
        check(not resumes(lbd, using, session), "resumed with another secret")


def test_a_short_secret_is_refused():
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        lbd.reload(tls_config(server, tls={"ticket_secret_file": secret("short", "x" * 31 + "\n")}))
        lbd.log.wait("reload_refused.*a secret of 31 bytes is too short")
        with client(lbd) as c:
            equal(c.get().status, 200, "status")
