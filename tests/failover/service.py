#!/usr/bin/python3
"""service.py ADDRESS:PORT... - what the clients of clients.py use.

    GET /              a page                       GET /slow       the same after 1 s
    GET /big/BYTES/RATE     that many bytes, so many of them a second
    PUT /...           the SHA-256 of what came     GET /echo       a WebSocket that says everything again
"""

import base64
import hashlib
import http.server
import socketserver
import struct
import sys
import threading
import time

PAGE, PIECE = b"hello\n", 16384
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def piece(number):
    """No two are alike: what is lost, doubled or exchanged is noticed."""
    return number.to_bytes(8, "big") * (PIECE // 8)


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()


def unmasked(mask, data):
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


class Pace:
    def __init__(self, rate):
        self.rate, self.begun, self.done = rate, time.monotonic(), 0

    def wait(self, n):
        self.done += n
        time.sleep(max(0, self.begun + self.done / self.rate - time.monotonic()))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one piece

    def do_GET(self):
        if self.path == "/echo":
            self.echo()
        elif self.path.startswith("/big/"):
            self.send_much(*map(int, self.path.split("/")[2:]))
        else:
            if self.path == "/slow":
                time.sleep(1)
            self.answer(PAGE)

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left and (data := self.rfile.read1(min(left, PIECE))):
            left -= len(data)
            digest.update(data)
        self.answer(digest.hexdigest().encode())

    def head(self, size):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def answer(self, body):
        self.head(len(body))
        self.wfile.write(body)

    def send_much(self, size, rate):
        self.head(size)
        pace = Pace(rate)
        for number in range(size // PIECE):
            self.wfile.write(piece(number))
            self.wfile.flush()
            pace.wait(PIECE)

    def echo(self):
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"),
                            ("Sec-WebSocket-Accept", accept_key(self.headers["Sec-WebSocket-Key"]))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        while len(head := self.rfile.read(2)) == 2 and head[0] & 15 == 1:
            mask = self.rfile.read(4)
            text = unmasked(mask, self.rfile.read(head[1] & 127))
            self.wfile.write(struct.pack("BB", 0x81, len(text)) + text)
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        """The laboratory ends, and lbd with it."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    servers = [Server((host, int(port)), Handler) for host, _, port in (a.rpartition(":") for a in sys.argv[1:])]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
