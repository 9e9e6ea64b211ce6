#!/usr/bin/python3
"""attack.py - harms a proxy by HTTP/2 until it is ended: attack.py NAME ADDR:PORT

Four at a time, each of them 2.5 times a second: an attack costs lbd less than 5 ms, most of it for a hundred
requests that it cannot tell from good ones.  NAME is one of tests/integration/h2_attacks.py.
"""
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))
import h2                                   # noqa: E402
import h2_attacks                           # noqa: E402

CONNECTIONS = 4
EVERY = 0.4                                 # seconds


def names():
    return [*h2_attacks.FLOODS, *h2_attacks.HELD]


def payload(name):
    if name in h2_attacks.HELD:
        begin = h2.settings(*(h2_attacks.SHUT if name == "shut_windows" else []))
        return h2.PREFACE + begin + h2_attacks.HELD[name]
    piece, n = h2_attacks.FLOODS[name]
    return h2.PREFACE + h2.settings() + b"".join(map(piece, range(n)))


def once(address, data):
    """Until it is cut; what is held waits for its next turn."""
    with socket.create_connection(address, timeout=EVERY) as s:
        s.sendall(data)
        while s.recv(65536):
            pass


def attack(address, data):
    while True:
        next_turn = time.monotonic() + EVERY
        try:
            once(address, data)
        except OSError:
            pass
        time.sleep(max(0, next_turn - time.monotonic()))


def main():
    name, (host, port) = sys.argv[1], sys.argv[2].split(":")
    for _ in range(CONNECTIONS):
        threading.Thread(target=attack, args=((host, int(port)), payload(name)), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
