"""tls_peers.py - certificates for tests, and clients that speak TLS.

Certificates are made by openssl(1), once per test process, into a directory that goes with it.
"""

import atexit
import functools
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from harness import Backend, Client, config
from wire import PATIENCE, Broken, Failure

KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"],
        "ed": ["-newkey", "ed25519"], "weak": ["-newkey", "rsa:1024"]}


@functools.cache
def directory():
    path = tempfile.mkdtemp(prefix="lbd-tls-")
    atexit.register(shutil.rmtree, path, True)
    os.chmod(path, 0o755)
    return path


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, check=True, capture_output=True, timeout=60).stdout


class Certificate:
    """A certificate and its key as files; `issuer` another one, or itself."""

    def __init__(self, file, names, kind="ec", issuer=None, days=100, ca=False, subject=None, usage=None,
                 revoked_at=None):
        base = os.path.join(directory(), file)
        self.file, self.key, self.names = base + ".crt", base + ".key", names
        san = ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in names)
        extra = ["-addext", "subjectAltName=" + san] if san else []
        if not ca:
            extra += ["-addext", "basicConstraints=critical,CA:FALSE"]
        if usage:
            extra += ["-addext", "extendedKeyUsage=" + usage]
        if revoked_at:
            extra += ["-addext", "crlDistributionPoints=URI:" + revoked_at]
        subject = subject or "/CN=" + file
        issued = ["-CA", issuer.file, "-CAkey", issuer.key] if issuer else []
        if issuer or days < 0:
            self.make_request(base, extra, kind, subject, issued, days)
        else:
            openssl("req", "-x509", *KEYS[kind], "-nodes", "-keyout", self.key, "-out", self.file,
                    "-days", str(days), "-utf8", "-subj", subject, *extra)

    def make_request(self, base, extra, kind, subject, issued, days):
        openssl("req", "-new", *KEYS[kind], "-nodes", "-keyout", self.key, "-out", base + ".csr",
                "-utf8", "-subj", subject, *extra)
        signer = issued or ["-signkey", self.key]
        openssl("x509", "-req", "-in", base + ".csr", "-out", self.file, *signer, "-copy_extensions", "copyall",
                "-days", str(days), *(["-set_serial", "0x7f" + os.urandom(15).hex()] if issued else []))

    def config(self, **more):
        return {"certificate": self.file, "key": self.key, **more}


@functools.cache
def certificate(file, *names, kind="ec", **options):
    return Certificate(file, names or ("www.example.org", "127.0.0.1"), kind, **options)


def usual():
    return certificate("usual", "www.example.org", "*.example.org", "test", "127.0.0.1")


def tls_config(*backends, tls=None, **options):
    """config() with a listener that speaks TLS with the usual certificate."""
    listener = {"tls": {"certificates": [usual().config()], **(tls or {})}, **options.pop("listener", {})}
    return config(*backends, listener=listener, **options)


def context(trust=None, verify=True, alpn=None, certificate=None, most=None, least=None, ciphers=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    if verify:
        c.load_verify_locations((trust or usual()).file)
    else:
        c.verify_mode = ssl.CERT_NONE
    if alpn:
        c.set_alpn_protocols(alpn)
    if certificate:
        c.load_cert_chain(certificate.file, certificate.key)
    if most:
        c.maximum_version = most
    if least:
        c.minimum_version = least
    if ciphers:
        c.set_ciphers(ciphers)
    return c


class TlsClient(Client):
    """A client that has done its handshake."""

    def __init__(self, address, name="www.example.org", session=None, timeout=PATIENCE, using=None, **options):
        super().__init__(address, timeout=timeout)
        plain = self.sock
        try:
            self.sock = (using or context(**options)).wrap_socket(
                plain, server_hostname=name, session=session, suppress_ragged_eofs=False)
        except BaseException:
            plain.close()
            raise

    def subject(self):
        """The common name of lbd's certificate."""
        return dict(pair[0] for pair in self.sock.getpeercert()["subject"])["commonName"]

    def read_to_notify(self):
        """Everything until close_notify; a bare end of the connection is Broken."""
        try:
            while self.fill(time.monotonic() + PATIENCE):
                pass
        except Failure as e:
            if "EOF occurred" not in str(e):
                raise
            raise Broken("no close_notify") from None
        if self.reset:
            raise Broken("reset")
        return bytes(self.buffer)


def client(lbd, name="www.example.org", listener=0, **options):
    return TlsClient(lbd.address(listener), name, **options)


def refused(lbd, name="www.example.org", **options):
    """Why the handshake failed; fails if it did not."""
    try:
        with client(lbd, name, **options) as c:
            c.sock.settimeout(PATIENCE)
            c.sock.recv(1)  # TLS 1.3: a refusal shows with the first read
    except ssl.SSLError as e:
        return (e.reason or str(e)).upper().replace(" ", "_").split("ALERT_")[-1].split("_(_SSL")[0]
    except (ConnectionResetError, BrokenPipeError, socket.timeout) as e:
        return type(e).__name__
    raise Broken("the handshake succeeded")


__all__ = ["Backend", "Certificate", "TlsClient", "certificate", "client", "context", "directory", "openssl",
           "refused", "tls_config", "usual"]


class BytesClient:
    """One that decides which bytes of its records leave when.  It has done its handshake, and said `first` with it."""

    def __init__(self, address, first=b""):
        self.sock = socket.create_connection(address, PATIENCE)
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context().wrap_bio(self.into, self.out, server_hostname="www.example.org")
        self.run(self.tls.do_handshake, flush=False)
        self.sock.sendall(self.seal(first) if first else self.out.read())

    def run(self, step, flush=True):
        while True:
            try:
                result = step()
                break
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                if not data:
                    raise Broken("the connection ended") from None
                self.into.write(data)
        if flush:
            self.flush()
        return result

    def flush(self):
        self.sock.sendall(self.out.read())

    def seal(self, data):
        self.tls.write(data)
        return self.out.read()

    def answer(self):
        return self.run(lambda: self.tls.read(65536))

    def ask(self, data):
        self.sock.sendall(self.seal(data))
        return self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
