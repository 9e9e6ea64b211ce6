#!/usr/bin/python3
"""clients.py ADDRESS BYTES RATE - clients of all kinds, who stay, and what they live through.

Each does what it does again and again, and takes a connection that was ended as the protocol has it
(Connection: close, GOAWAY) for no failure; anything else is one.  One asks, waits, and asks again on the
same connection after each line `moved`.  The download and the upload are of BYTES at RATE.

After the line `end`, and when both have ended: a JSON object, {KIND: {"done": N, "connections": N, "failed": [TEXT]}}.
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))

import h2  # noqa: E402
from service import PAGE, PIECE, Pace, accept_key, piece, unmasked  # noqa: E402

PLAIN, SECURE, SECONDS = 81, 443, 10


class Wrong(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Wrong(text)


def context(*alpn):
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.set_alpn_protocols(alpn)
    return c


class Client(threading.Thread):
    """`act` is done until the end; `again` is called after a failure: nothing of before is left."""

    pause = 0.01

    def __init__(self, address, kind=None):
        super().__init__(daemon=True)
        self.address, self.kind = address, kind or type(self).__name__.lower()
        self.done, self.connections, self.failed, self.ending = 0, 0, [], threading.Event()
        self.again()

    def run(self):
        while not self.over():
            try:
                self.act()
                self.done += 1
            except (OSError, Wrong, http.client.HTTPException, AssertionError) as e:
                self.failed.append(f"{time.strftime('%H:%M:%S')} {type(e).__name__}: {e}")
                self.again()
            time.sleep(self.pause)

    def over(self):
        return self.ending.is_set()

    def again(self):
        pass

    def result(self):
        return {"done": self.done, "connections": self.connections, "failed": self.failed}


class Kept(Client):
    """Requests on one connection, until an answer says that it ends."""

    path = "/"

    def again(self):
        self.connection = None

    def connect(self):
        return http.client.HTTPConnection(self.address, PLAIN, timeout=SECONDS)

    def act(self):
        if not self.connection:
            self.connection = self.connect()
            self.connections += 1
        self.connection.request("GET", self.path)
        response = self.connection.getresponse()
        body = response.read()
        check(response.status == 200 and body == PAGE, f"{response.status} {body[:80]!r}")
        if response.will_close:
            self.again()


class Slow(Kept):
    path = "/slow"


class Tls(Kept):
    def connect(self):
        return http.client.HTTPSConnection(self.address, SECURE, timeout=SECONDS, context=context("http/1.1"))


class Idle(Kept):
    """Asks when it is told to."""

    def __init__(self, *words):
        super().__init__(*words)
        self.told = threading.Semaphore(1)

    def over(self):
        self.told.acquire()
        return super().over()


class Http2(Client):
    def again(self):
        self.session = None

    def act(self):
        if not self.session or self.session.goaways:
            sock = context("h2").wrap_socket(socket.create_connection((self.address, SECURE), SECONDS))
            check(sock.selected_alpn_protocol() == "h2", "no HTTP/2")
            self.session, self.stream = h2.H2(sock), 1
            self.connections += 1
        answer = self.session.request(self.stream, [*h2.GET[:1], (":scheme", "https"), *h2.GET[2:]])
        check(answer.status == 200 and answer.body == PAGE, f"{answer.status} {bytes(answer.body[:80])!r}")
        self.stream += 2


class WebSocket(Client):
    pause = 0.03

    def again(self):
        self.file = None

    def connect(self):
        sock = socket.create_connection((self.address, PLAIN), SECONDS)
        self.file, self.connections = sock.makefile("rwb"), self.connections + 1
        key = base64.b64encode(os.urandom(16)).decode()
        self.say(b"GET /echo HTTP/1.1\r\nHost: pair\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key.encode() + b"\r\n\r\n")
        head = b"".join(iter(self.file.readline, b"\r\n"))
        check(head.startswith(b"HTTP/1.1 101 ") and accept_key(key).encode() in head, f"no WebSocket: {head!r}")

    def say(self, data):
        self.file.write(data)
        self.file.flush()

    def act(self):
        if not self.file:
            self.connect()
        text, mask = f"message {self.done}".encode(), os.urandom(4)
        self.say(struct.pack("BB", 0x81, 0x80 | len(text)) + mask + unmasked(mask, text))
        echo = self.file.read(2 + len(text))
        check(echo[2:] == text, f"{text} came back as {echo}")


class Once(Client):
    """One long transfer."""

    def __init__(self, address, size, rate):
        super().__init__(address)
        self.size, self.rate, self.connections = size, rate, 1

    def over(self):
        return self.done or self.failed

    def connection(self):
        return http.client.HTTPConnection(self.address, PLAIN, timeout=SECONDS)

    def digest(self):
        sum_of_all = hashlib.sha256()
        for number in range(self.size // PIECE):
            sum_of_all.update(piece(number))
        return sum_of_all.hexdigest()


class Download(Once):
    def act(self):
        connection, digest = self.connection(), hashlib.sha256()
        connection.request("GET", f"/big/{self.size}/{self.rate}")
        response = connection.getresponse()
        while data := response.read(PIECE):
            digest.update(data)
        check(response.status == 200 and digest.hexdigest() == self.digest(), "other bytes than were sent")


class Upload(Once):
    def pieces(self):
        pace = Pace(self.rate)
        for number in range(self.size // PIECE):
            yield piece(number)
            pace.wait(PIECE)

    def act(self):
        connection = self.connection()
        connection.request("PUT", "/", self.pieces(), {"Content-Length": str(self.size)})
        answer = connection.getresponse().read().decode()
        check(answer == self.digest(), f"other bytes than were sent: {answer}")


def main():
    address, size, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    idle = Idle(address)
    once = [Download(address, size, rate), Upload(address, size, rate)]
    clients = [Kept(address), Slow(address), Slow(address, "slow2"), Tls(address), Http2(address), WebSocket(address),
               idle, *once]
    for client in clients:
        client.start()
    for line in sys.stdin:
        if line == "end\n":
            break
        idle.told.release()
    for client in once:
        client.join()
    for client in clients:
        client.ending.set()
    idle.told.release()
    for client in clients:
        client.join()
    print(json.dumps({client.kind: client.result() for client in clients}), flush=True)


if __name__ == "__main__":
    main()
