"""peers.py - the two sides that lbd stands between: scripted clients and scripted servers.

Client is a raw connection.  Backend listens and runs its script once per connection, in a thread of
its own; it records every byte that came and every complete request.  Pieces that must arrive one by one
are sent with send_bytewise: the next byte leaves only when the kernel says that the last was read.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

import wire
from wire import PATIENCE, Failure, Late, Stream

LINGER_RESET = struct.pack("ii", 1, 0)
TCP_ESTABLISHED, TCP_CLOSE_WAIT, TCP_FIN_WAIT1, TCP_FIN_WAIT2 = 1, 8, 4, 5


def wait_for(condition, what="a condition", timeout=PATIENCE, step=0.005):
    """Polls until condition() is true and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Late(f"waited {timeout} s for {what}")
        time.sleep(step)


class SocketDiagnosis:
    """Asks the kernel (sock_diag) how many bytes the other end of a TCP connection has not read yet."""

    def __init__(self):
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4)  # NETLINK_SOCK_DIAG

    @staticmethod
    def packed(name):
        host, port = name[0], name[1]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return family, struct.pack("!H", port), socket.inet_pton(family, host).ljust(16, b"\0")

    def unread_by_peer(self, sock):
        """Bytes in the peer's receive queue; None when the peer's socket reads no more."""
        family, local_port, local = self.packed(sock.getsockname())
        _, peer_port, peer = self.packed(sock.getpeername())
        identity = peer_port + local_port + peer + local + struct.pack("=III", 0, ~0 & 0xFFFFFFFF,
                                                                         ~0 & 0xFFFFFFFF)
        request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + identity
        header = struct.pack("=IHHII", 16 + len(request), 20, 1, 0, 0)  # SOCK_DIAG_BY_FAMILY
        self.netlink.send(header + request)
        reply = self.netlink.recv(4096)
        if struct.unpack_from("=H", reply, 4)[0] != 20:
            return None
        state = reply[17]
        if state not in (TCP_ESTABLISHED, TCP_CLOSE_WAIT, TCP_FIN_WAIT1, TCP_FIN_WAIT2):
            return None
        return struct.unpack_from("=I", reply, 16 + 4 + 48 + 4)[0]


class Peer(Stream):
    """What a client and a server's connection have in common."""

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset_now(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.sock.close()

    def wait_until_read(self, diagnosis, timeout):
        """Until the peer has read all that was sent; False if it reads no more, or not now."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                unread = diagnosis.unread_by_peer(self.sock)
            except OSError:  # reset meanwhile
                return False
            if not unread:
                return unread == 0
            if time.monotonic() > deadline:
                return False

    def send_bytewise(self, data, single=1500):
        """
        Byte by byte; of longer data the beginning and the end so, and pieces of 97 in between.  A peer
        that stops reading (it answered, or waits for something else) gets the rest at once.
        """
        diagnosis = SocketDiagnosis()
        i = 0
        try:
            while i < len(data):
                near = i < single // 2 or i >= len(data) - single // 2
                piece = data[i:i + (1 if near else 97)]
                self.send(piece)
                i += len(piece)
                if not self.wait_until_read(diagnosis, 0.1):
                    self.send(data[i:])
                    return
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            diagnosis.netlink.close()


class Client(Peer):
    """A raw client connection to lbd."""

    def __init__(self, address, source=None, timeout=PATIENCE, receive_buffer=None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(timeout)
        if source:
            sock.bind((source, 0))
        try:
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock)

    def response(self, method=b"GET", timeout=PATIENCE, progress=None):
        return wire.read_response(self, method, timeout, progress)

    def get(self, target="/", *fields, timeout=PATIENCE):
        """One GET on this connection, and its response."""
        self.send(request("GET", target, *fields))
        return self.response(b"GET", timeout)


def request(method="GET", target="/", *fields, body=b"", host="test"):
    """The bytes of a proper request.  Fields are "Name: value"; a body gets its Content-Length."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answer(body=b"ok\n", status=200, *fields, reason="X"):
    """The bytes of a proper response with a Content-Length."""
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def echo_of(message):
    """What an echoing server says of a request: enough to know which one was answered."""
    return b"%s %s %d\n" % (message.method, message.target, len(message.body))


class BackendConnection(Peer):
    """One connection that lbd opened to a Backend; given to its script."""

    def __init__(self, sock, backend, number):
        super().__init__(sock)
        self.backend = backend
        self.number = number  # counts from 0 in order of accept
        self.requests = []
        self.closed = False  # its script has ended

    def fill(self, deadline):
        more = super().fill(deadline)
        with self.backend.changed:
            self.backend.changed.notify_all()
        return more

    def request(self, timeout=3600, progress=None):
        """The next complete request, recorded; None when lbd closed instead."""
        message = wire.read_request(self, timeout, progress=progress)
        if message:
            self.record(message)
        return message

    def request_head(self, timeout=3600):
        """The next head; its body stays unread."""
        message = wire.read_request(self, timeout, head_only=True)
        if message:
            self.record(message)
        return message

    def record(self, message):
        with self.backend.changed:
            self.requests.append(message)
            self.backend.requests.append(message)
            message.connection = self.number
            self.backend.changed.notify_all()

    def reply(self, message, body=None, status=200, *fields):
        """An answer to `message`; the body says what was asked unless given."""
        data = answer(echo_of(message) if body is None else body, status, *fields)
        if message.method == b"HEAD":
            data = data[:data.index(b"\r\n\r\n") + 4]
        self.send(data)


def echo(connection):
    """The default script: a proper keep-alive server that says what it was asked."""
    while True:
        message = connection.request()
        if message is None:
            return
        connection.reply(message)


def held_by(gate):
    """A script like echo, that answers /held when that event is set."""
    def script(connection):
        while message := connection.request():
            if message.target == b"/held":
                gate.wait(30)
            connection.reply(message)
    return script


class Backend:
    """
    A server under the test's control.  `script(connection)` runs per connection; an exception in it is
    kept and fails the test at close.  listen: an IPv4 or IPv6 address, or the path of a unix socket.
    """

    def __init__(self, script=echo, listen="127.0.0.1", port=0, backlog=512, receive_buffer=None):
        self.script = script
        self.changed = threading.Condition()
        self.connections = []
        self.requests = []
        self.errors = []
        self.tolerant = False  # True: scripts may fail (their peer is allowed to break off)
        self.closing = False
        if listen.startswith("/"):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(listen)
            os.chmod(listen, 0o777)
            self.address = "unix:" + listen
        else:
            family = socket.AF_INET6 if ":" in listen else socket.AF_INET
            self.listener = socket.socket(family)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if receive_buffer:
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.listener.bind((listen, port))
            self.port = self.listener.getsockname()[1]
            self.address = f"[{listen}]:{self.port}" if ":" in listen else f"{listen}:{self.port}"
        self.listener.listen(backlog)
        self.thread = threading.Thread(target=self.accept_all, daemon=True)
        self.thread.start()

    def accept_all(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                connection = BackendConnection(sock, self, len(self.connections))
                self.connections.append(connection)
                self.changed.notify_all()
            threading.Thread(target=self.run_script, args=(connection,), daemon=True).start()

    def run_script(self, connection):
        try:
            self.script(connection)
        except (BrokenPipeError, ConnectionResetError):
            pass  # lbd may close at any time
        except Exception as e:  # noqa: BLE001 - whatever a script raises belongs to the test
            if not self.closing and not self.tolerant:
                self.errors.append(e)
        finally:
            connection.close()
            with self.changed:
                connection.closed = True
                self.changed.notify_all()

    def wait(self, condition, what="the server to see something", timeout=PATIENCE):
        """Until condition() holds; it is looked at whenever bytes, requests or connections come."""
        with self.changed:
            if not self.changed.wait_for(condition, timeout):
                raise Late(f"waited {timeout} s for {what}")

    def wait_requests(self, n, timeout=PATIENCE):
        self.wait(lambda: len(self.requests) >= n, f"{n} requests", timeout)
        return self.requests

    def open_connections(self):
        return [c for c in self.connections if not c.eof and not c.closed]

    def close(self):
        self.closing = True
        for stop in (lambda: self.listener.shutdown(socket.SHUT_RDWR), self.listener.close):
            try:
                stop()
            except OSError:
                pass
        self.thread.join(PATIENCE)
        for connection in list(self.connections):
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        errors = list(self.errors)
        self.close()
        if kind is None and errors:
            raise Failure(f"the server's script failed: {errors[0]!r}") from errors[0]


class BlackHole:
    """An address where connects neither succeed nor fail: a listener whose queue is full."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.waiting = []
        for _ in range(8):
            sock = socket.socket()
            sock.settimeout(0.2)
            self.waiting.append(sock)
            try:
                sock.connect(self.listener.getsockname())
            except (socket.timeout, TimeoutError):
                return
        raise Failure("the queue of the black hole does not fill")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in [*self.waiting, self.listener]:
            sock.close()


class ReservedPort:
    """
    A port that is ours until close: bound, not listening (a connect is refused).  lbd can still listen
    on it, since both sides say SO_REUSEADDR or SO_REUSEPORT; nobody is given it by chance.
    """

    def __init__(self, host="127.0.0.1"):
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.sock.bind((host, 0))
        self.port = self.sock.getsockname()[1]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class BackendProcess:
    """An echoing server in a process of its own, which a test can kill like a crash would."""

    def __init__(self, port=0):
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), str(port)], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.address = f"127.0.0.1:{self.port}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.process.stdout.close()


def main():
    """The other side of BackendProcess; ends with its parent."""
    backend = Backend(port=int(sys.argv[1]))
    print(backend.port, flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
