#!/usr/bin/python3
"""run.py - testssl(1) against lbd: nothing above INFO but what is the test's own, or testssl's.

    tests/testssl/run.py [--build build] [--full] [NAME...]     NAME: one of LISTENERS; all by default

Each of LISTENERS is one lbd with certificates of a CA made for the occasion, as strict as a public one's.  What
remains is named in EXPECTED, with the reason; anything else fails.  Without --full what takes longest is left out: one
by one all ciphers, and clients that are imitated.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/integration"))
from harness import Backend, Lbd, config    # noqa: E402
from tls_peers import certificate           # noqa: E402

HARMLESS = ("OK", "INFO", "DEBUG")
PARTS = ["--protocols", "--server-defaults", "--server-preference", "--fs", "--std", "--headers", "--vulnerable"]
EXPECTED = {
    "engine_problem": "this openssl knows no ciphers of GOST to try",
    "DNS_CAArecord": "a CAA record is the domain's, and a test has none",
    "sessionresumption_ticket": "testssl leaves before the tickets of TLS 1.3 come; tls_tickets_test.py resumes",
}
BY_CONFIGURATION = {
    "HSTS": "listeners[].hsts is off unless asked for: it binds browsers for a year",
    "security_headers": "what pages say of themselves is their server's, or response_headers",
}
PAGES = {"set": {"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
                 "Content-Security-Policy": "default-src 'self'"}}


def authority():
    return certificate("testssl-ca", "ca.example.org", ca=True)


def tls(*kinds, **more):
    leaves = [certificate("testssl-" + kind, "www.example.org", "127.0.0.1", kind=kind, days=80, usage="serverAuth",
                          issuer=authority(), revoked_at="http://ca.example.org/list.crl") for kind in kinds]
    return {"certificates": [leaf.config() for leaf in leaves], **more}


def listeners():
    """{name: (the listener, what is expected there besides)}"""
    ready = {"hsts": {}, "response_headers": PAGES}
    return {
        "default": ({"tls": tls("ec")}, BY_CONFIGURATION),
        "both_keys": ({"tls": tls("ec", "rsa"), **ready}, {}),
        "client_certificates": ({"tls": tls("ec", "rsa", client_verify="optional",
                                            client_ca=authority().file), **ready}, {}),
    }


def scan(address, full):
    """testssl's findings; its text goes to our output."""
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report.json")
        subprocess.run(["testssl", "--color", "0", "--warnings", "off", "--quiet", "--add-ca", authority().file,
                        "--jsonfile", report, *([] if full else PARTS), "%s:%d" % address],
                       check=False, stdin=subprocess.DEVNULL)
        with open(report, encoding="utf-8") as f:
            return json.load(f)


def judge(name, findings, expected):
    """How many must not be; says which."""
    bad = 0
    for f in findings:
        if f["severity"] in HARMLESS:
            continue
        reason = expected.get(f["id"].split()[0])
        bad += reason is None
        print(f"{name}: {'expected' if reason else 'FINDING '} {f['severity']} {f['id']}: {f['finding']}"
              f"{' - ' + reason if reason else ''}")
    print(f"{name}: {len(findings)} findings, {bad} above INFO", flush=True)
    return bad + (len(findings) < 50)  # it did not run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.environ["LBD"] = os.path.join(ROOT, options.build, "bin/lbd")
    bad = 0
    for name, (listener, more) in listeners().items():
        if options.names and name not in options.names:
            continue
        with Backend() as server, Lbd(config(server, listener=listener)) as lbd:
            bad += judge(name, scan(lbd.address(), options.full), {**EXPECTED, **more})
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
