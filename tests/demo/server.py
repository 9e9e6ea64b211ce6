#!/usr/bin/python3
"""server.py NAME ADDRESS PORT - a small web server that says who it is; /health answers health checks."""

import http.server
import json
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one piece

    def version_string(self):
        return sys.argv[1]  # in the field Server

    def do_GET(self):
        self.answer({"server": sys.argv[1], "path": self.path,
                     "client": self.headers.get("X-Forwarded-For", ""),
                     "request_id": self.headers.get("X-Request-Id", "")})

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        self.answer({"server": sys.argv[1], "received": len(self.rfile.read(size))})

    def answer(self, content):
        if self.path == "/slow":
            time.sleep(1)
        body = json.dumps(content).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        """A proxy that dies resets its connections: that is the demo, and no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


Server((sys.argv[2], int(sys.argv[3])), Handler).serve_forever()
