"""Client certificates: who is let in, what servers are told, what clients cannot pretend, tickets, revocation."""

import base64
import hashlib
import os
import ssl

import h2
from h2 import GET
from harness import Backend, Client, Lbd, check, equal, request
from tls_peers import certificate, client, context, directory, openssl, refused, tls_config
from tls_tickets_test import shared, versions

FIELDS = {"verified": "X-Client-Verified", "subject": "X-Client-Subject", "issuer": "X-Client-Issuer",
          "serial": "X-Client-Serial", "fingerprint": "X-Client-Fingerprint", "certificate": "Client-Cert"}


def authority():
    return certificate("authority", "authority.example", ca=True)


def person(name="person", **options):
    return certificate(name, "person.example", issuer=authority(), **options)


def asking(verify="require", ca=None, **more):
    return {"client_verify": verify, "client_ca": (ca or authority()).file, "client_headers": FIELDS, **more}


def told(server, number=-1):
    """Of the last request: what the server was told, by key."""
    head = server.requests[number]
    return {key: head.all(field.lower().encode()) for key, field in FIELDS.items()}


def test_required():
    with Backend() as server, Lbd(tls_config(server, tls=asking())) as lbd:
        for version in versions():
            of = {"most": version, "least": version}
            stranger = certificate("stranger", "stranger.example")
            check(refused(lbd, **of) in ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "CERTIFICATE_REQUIRED",
                                         "HANDSHAKE_FAILURE"), refused(lbd, **of))
            equal(refused(lbd, certificate=stranger, **of), "UNKNOWN_CA", "a stranger")
            equal(refused(lbd, certificate=person("late", days=-1), **of), "CERTIFICATE_EXPIRED", "an expired one")
            equal(refused(lbd, certificate=person("server", usage="serverAuth"), **of),
                  "UNSUPPORTED_CERTIFICATE", "one for servers")
            with client(lbd, certificate=person(), **of) as c:
                equal(c.get().status, 200, "status of a proper one")
        lbd.wait_metric("lbpair_tls_handshake_failures_total", 2 * 4, reason="certificate")
        lbd.wait_metric("lbpair_tls_handshake_failures_total", 2, reason="certificate_expired")
        equal(len(server.requests), 2, "requests at the server")


def test_what_servers_are_told():
    who = person()
    with Backend() as server, Lbd(tls_config(server, tls=asking("optional"))) as lbd:
        with client(lbd, certificate=who) as c:
            c.get()
            der = ssl.PEM_cert_to_DER_cert(open(who.file, encoding="ascii").read())
            got = told(server)
            equal(got, {"verified": [b"yes"], "subject": [b"CN=person"], "issuer": [b"CN=authority"],
                        "serial": [openssl("x509", "-in", who.file, "-noout", "-serial").strip().split(b"=")[1]],
                        "fingerprint": [hashlib.sha256(der).hexdigest().encode()],
                        "certificate": [b":" + base64.b64encode(der) + b":"]}, "what the server was told")
            c.get()
            equal(told(server), got, "the second time")
        with client(lbd, certificate=who, alpn=["h2"]) as c, h2.H2(c.sock) as session:
            equal(session.request(1, GET).status, 200, "status")
            equal(told(server), got, "in HTTP/2")
        with client(lbd) as c:
            c.get()
            equal(told(server), {**dict.fromkeys(FIELDS, []), "verified": [b"no"]}, "without a certificate")


def test_names_that_would_break_out():
    who = certificate("odd", "person.example", issuer=authority(),
                      subject="/O=a\r\nX-Client-Verified: no/OU=a, b\\+c=\"d\"\\\\/CN=Jürg")
    with Backend() as server, Lbd(tls_config(server, tls=asking())) as lbd:
        with client(lbd, certificate=who) as c:
            c.get()
        got = told(server)
        equal((got["verified"], len(got["subject"])), ([b"yes"], 1), "fields")
        equal(got["subject"][0], rb'CN=J\C3\BCrg,OU=a\, b\+c=\"d\"\\,O=a\0D\0AX-Client-Verified: no', "subject")


def test_clients_cannot_say_it():
    forged = ("X-Client-Subject: CN=admin", "x_client_subject: CN=admin", "X-CLIENT.VERIFIED: yes", "client-cert: :x:")
    with Backend() as server:
        c = tls_config(server, tls=asking("optional"))
        c["listeners"].append({"name": "plain", "pool": "web"})
        with Lbd(c) as lbd:
            with client(lbd) as secure, Client(lbd.address(1)) as plain:
                for who, verified in ((secure, [b"no"]), (plain, [])):
                    who.send(request("GET", "/", *forged, "X-Client: stays"))
                    equal(who.response().status, 200, "status")
                    equal(told(server), {**dict.fromkeys(FIELDS, []), "verified": verified}, "what the server was told")
                    names = [name for name, _ in server.requests[-1].fields]
                    check(b"x_client_subject" not in names and b"X-CLIENT.VERIFIED" not in names, f"{names}")
                    equal(server.requests[-1].all(b"x-client"), [b"stays"], "another field")


def test_clients_cannot_say_it_in_a_trailer():
    c = tls_config(server := Backend(), tls={**asking("optional"), "client_headers": {"subject": "Who-Is-It"}})
    with server, Lbd(c) as lbd:
        with client(lbd) as one:
            one.send(b"POST / HTTP/1.1\r\nHost: www.example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"0\r\nWho-Is-It: CN=admin\r\nwho.is.it: CN=admin\r\nX-Sum: 1\r\n\r\n")
            equal(one.response(b"POST").status, 200, "status")
        with client(lbd, alpn=["h2"]) as c, h2.H2(c.sock) as session:
            session.send(h2.headers(1, h2.POST, False) + h2.data(1, b"x", False)
                         + h2.headers(1, [("who_is_it", "CN=admin"), ("x-sum", "1")]))
            equal(session.answer(1).status, 200, "status in HTTP/2")
        equal([[name.lower() for name, _ in m.trailers] for m in server.requests], [[b"x-sum"]] * 2, "trailers")


def test_tickets_do_not_cross_policies():
    """Two listeners with one secret; one lets anybody in."""
    with Backend() as server:
        open_door, guarded = tls_config(server, tls=shared()), tls_config(server, tls={**shared(), **asking()})
        weak = tls_config(server, tls={**shared(), **asking("optional")})
        with Lbd(open_door) as anybody, Lbd(guarded) as lbd, Lbd(weak) as optional:
            for version in versions():
                using = context(most=version, least=version)
                for door in (anybody, optional):
                    with client(door, using=using) as c:
                        equal(c.get().status, 200, "status")
                        session = c.sock.session
                    check(refused(lbd, session=session, using=using) != "", "refused")
                member = context(most=version, least=version, certificate=person())
                with client(lbd, using=member) as c:
                    c.get()
                    session = c.sock.session
                with client(lbd, using=member, session=session) as c:
                    equal(c.get().status, 200, "status")
                    equal(c.sock.session_reused, True, f"resumed, {version.name}")
                    equal(told(server)["subject"], [b"CN=person"], "what the server is told of a resumed one")
        check(all(r.all(b"x-client-verified") != [b"no"] for r in server.requests if r.all(b"x-client-subject")), "mix")


def revoke(*serials_of, time=()):
    """A revocation list of the authority."""
    base = os.path.join(directory(), "crl" + "-".join([c.file.rsplit("/", 1)[1] for c in serials_of] + list(time)))
    os.makedirs(base, exist_ok=True)
    with open(os.path.join(base, "index"), "w", encoding="ascii") as index:
        for c in serials_of:
            serial = openssl("x509", "-in", c.file, "-noout", "-serial").strip().split(b"=")[1].decode()
            index.write(f"R\t351231235959Z\t250101000000Z\t{serial}\tunknown\t/CN=x\n")
    settings = os.path.join(base, "openssl.cnf")
    with open(settings, "w", encoding="ascii") as f:
        f.write(f"[ca]\ndefault_ca=a\n[a]\ndatabase={base}/index\ndefault_md=sha256\ndefault_crl_days=30\n")
    openssl("ca", "-config", settings, "-gencrl", "-keyfile", authority().key, "-cert", authority().file,
            "-out", base + ".crl", *time)
    return base + ".crl"


def test_revocation_takes_effect_at_a_reload():
    good, bad = person("good"), person("bad")
    with Backend() as server:
        before = tls_config(server, tls=asking(client_crl=revoke()))
        after = tls_config(server, tls=asking(client_crl=revoke(bad)))
        with Lbd(before) as lbd:
            one, other = context(certificate=good), context(certificate=bad)
            with client(lbd, using=other) as c:
                equal(c.get().status, 200, "status before")
                session = c.sock.session
                lbd.reload(after)
                equal(c.read_to_notify(), b"", "its open connection ends")
            equal(refused(lbd, using=other), "CERTIFICATE_REVOKED", "a handshake")
            equal(refused(lbd, using=other, session=session), "CERTIFICATE_REVOKED", "a resumption")
            with client(lbd, using=one) as c:
                equal(c.get().status, 200, "status of another")
                session = c.sock.session
                lbd.reload(after)
                equal(c.get().status, 200, "status after a reload that changes nothing")
            with client(lbd, using=one, session=session) as c:
                equal(c.get().status, 200, "status")
                equal(c.sock.session_reused, True, "resumed")


def test_the_end_of_a_revocation_list_is_an_alarm():
    over = revoke(time=("-crl_lastupdate", "20260101000000Z", "-crl_nextupdate", "20260201000000Z"))
    with Backend() as server, Lbd(tls_config(server, tls=asking(client_crl=revoke()))) as lbd:
        check(lbd.metric("lbpair_tls_crl_days") in (29, 30), f"days: {lbd.metric('lbpair_tls_crl_days')}")
        row = lbd.command("certificates")["revocations"][0]
        equal((row["listeners"], row["alarm"]), (["in"], False), "what is said of the list")
        equal(lbd.command("status")["alarms"], [], "alarms")
        lbd.reload(tls_config(server, tls=asking(client_crl=over)))
        check(lbd.metric("lbpair_tls_crl_days", file=over) < 0, "days of one that is over")
        equal([a["name"] for a in lbd.command("status")["alarms"]], ["crl_expired"], "alarms")
        equal(refused(lbd, certificate=person()), "CERTIFICATE_EXPIRED", "a handshake")


def test_bad_files_are_refused():
    with Backend() as server, Lbd(tls_config(server, tls=asking())) as lbd:
        text = lbd.path("text")
        with open(text, "wb") as f:
            f.write(b"nothing\n")
        for more, reason in (({"client_ca": text}, "holds no certificate"),
                             ({"client_crl": text}, "holds no revocation list"),
                             ({"client_crl": lbd.path("none")}, "cannot open")):
            lbd.reload(tls_config(server, tls={**asking(), **more}))
            lbd.log.wait(f"reload_refused.*{reason}")
        with client(lbd, certificate=person()) as c:
            equal(c.get().status, 200, "status")
