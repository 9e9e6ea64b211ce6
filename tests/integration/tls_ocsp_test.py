"""OCSP responses from files, stapled: right ones, others, ones that are over."""

import functools
import os
import re
import shutil
import subprocess

from harness import PATIENCE, Backend, Lbd, check, equal
from tls_certificates_test import alarms
from tls_peers import certificate, client, directory, openssl, tls_config


def authority(name="ocspca"):
    return certificate(name, "authority.example", ca=True)


@functools.cache
def chained(name):
    """A certificate with its issuer behind it."""
    leaf = certificate(name, "www.example.org", "test", issuer=authority())
    with open(leaf.file, "ab") as f, open(authority().file, "rb") as issuer:
        f.write(issuer.read())
    return leaf


def response(c, issuer=None, status="V", name="ocsp"):
    """A file with what the issuer says of the certificate."""
    issuer = issuer or authority()
    base = os.path.join(directory(), name)
    serial = openssl("x509", "-in", c.file, "-noout", "-serial").strip().split(b"=")[1].decode()
    with open(base + ".index", "w", encoding="ascii") as f:
        f.write("\t".join([status, "351231235959Z", "260101000000Z" if status == "R" else "", serial, "unknown",
                           "/CN=x"]) + "\n")
    openssl("ocsp", "-index", base + ".index", "-CA", issuer.file, "-issuer", issuer.file, "-cert", c.file,
            "-rsigner", issuer.file, "-rkey", issuer.key, "-ndays", "7", "-respout", base + ".der")
    return base + ".der"


def stapled(lbd, *options):
    """What a client that asks is shown: the status of the certificate, or None."""
    host, port = lbd.address()
    done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-servername", "www.example.org",
                           "-status", *options], input=b"", capture_output=True, timeout=PATIENCE)
    if b"OCSP response: no response sent" in done.stdout:
        return None
    found = re.search(rb"OCSP Response Status: successful[^$]*Cert Status: (\w+)", done.stdout)
    check(found, f"{done.stdout[-2000:]} {done.stderr}")
    return found[1].decode()


def test_stapled_and_renewed():
    rsa = certificate("ocsprsa", "www.example.org", kind="rsa")
    with Backend() as server, Lbd(tls_config(server), start=False) as lbd:
        file = lbd.path("www.ocsp")
        shutil.copy(response(chained("ocsp1")), file)
        lbd.config["listeners"][0]["tls"] = {"certificates": [chained("ocsp1").config(ocsp=file), rsa.config()]}
        lbd.write_config()
        lbd.start()
        for version in ("-tls1_2", "-tls1_3"):
            equal(stapled(lbd, version), "good", version)
        equal(stapled(lbd, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), None, "the other certificate")
        equal(alarms(lbd), [], "alarms")
        shutil.copy(response(chained("ocsp1"), status="R", name="revoked"), file)
        lbd.command("renew")
        equal(stapled(lbd), "revoked", "after a new file")
        equal(alarms(lbd), [("certificate_revoked", f"{chained('ocsp1').file} is revoked, says {file}")], "alarms")
        row = [r for r in lbd.command("certificates")["certificates"] if r["ocsp"]][0]
        check(row["ocsp"] == file and re.match(r"\d{4}-\d\d-\d\dT", row["ocsp_until"]), f"{row}")
        with client(lbd, verify=False) as c:
            equal(c.get().status, 200, "status")


def test_wrong_ones_are_refused():
    own, other = chained("ocsp1"), chained("ocsp2")
    with Backend() as server, Lbd(tls_config(server)) as lbd:
        text, error = lbd.path("text"), lbd.path("error")
        with open(text, "wb") as f:
            f.write(b"nothing")
        with open(error, "wb") as f:
            f.write(b"\x30\x03\x0a\x01\x03")  # tryLater
        for file, reason in ((response(other, name="other"), "is not about the certificate"),
                             (response(own, issuer=authority("ocspca2"), name="forged"), "is not about the certificate"),
                             (text, "holds no OCSP response in DER"), (error, "says that it is none"),
                             (lbd.path("none"), "cannot open")):
            lbd.reload(tls_config(server, tls={"certificates": [own.config(ocsp=file)]}))
            lbd.log.wait(f"reload_refused.*{reason}")
        with open(response(own, name="damaged"), "rb") as f:
            damaged = bytearray(f.read())
        at = damaged.index(b"20", damaged.index(b"\x18\x0f") + 17)  # this update, later than when it was produced
        damaged[at + 3] ^= 1
        with open(text, "wb") as f:
            f.write(damaged)
        lbd.reload(tls_config(server, tls={"certificates": [own.config(ocsp=text)]}))
        lbd.log.wait("reload_refused.*is not signed by the certificate's issuer")


def test_one_that_is_over_is_not_sent():
    """Without the issuer its signature cannot be checked, so that one can be made old."""
    leaf = certificate("ocspleaf", "www.example.org", "test", issuer=authority())
    with open(response(leaf, name="old"), "rb") as f:
        old = f.read()
    times = re.findall(rb"\x18\x0f(\d{14}Z)", old)
    old = old.replace(times[-1], b"2020" + times[-1][4:])
    with Backend() as server, Lbd(tls_config(server), start=False) as lbd:
        file = lbd.path("www.ocsp")
        with open(file, "wb") as f:
            f.write(old)
        lbd.config["listeners"][0]["tls"] = {"certificates": [leaf.config(ocsp=file)]}
        lbd.write_config()
        lbd.start()
        equal(stapled(lbd), None, "an old response")
        equal(alarms(lbd), [("ocsp_expired", f"{file} is over and no longer sent")], "alarms")
