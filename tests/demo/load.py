#!/usr/bin/python3
"""load.py ADDRESS PORT RATE - clients that ask all the time and count every answer.

Prints a JSON line ten times a second with totals since the start: {"answers": {"web1": 12, ...}, "failed": 0,
"slowest_ms": 3.1, "error": "..."}; slowest_ms is that of the time since the line before.  Anything but a complete 200 from a
server of the demo is a failure; nothing is asked twice.
"""

import collections
import http.client
import json
import sys
import threading
import time

CLIENTS = 16
REQUESTS_PER_CONNECTION = 200  # new connections all the time, too
TIMEOUT_S = 10


class Counts:
    def __init__(self):
        self.lock = threading.Lock()
        self.answers = collections.Counter()
        self.failed, self.slowest, self.error = 0, 0.0, ""

    def answer(self, server, seconds):
        with self.lock:
            self.answers[server] += 1
            self.slowest = max(self.slowest, seconds)

    def failure(self, error):
        with self.lock:
            self.failed += 1
            self.error = self.error or error

    def take(self):
        with self.lock:
            line = {"answers": dict(self.answers), "failed": self.failed,
                    "slowest_ms": round(self.slowest * 1000, 1), "error": self.error}
            self.slowest = 0.0
        return line


def ask(connection, path):
    """The name of the server that answered."""
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise ValueError(f"status {response.status}")
    return json.loads(body)["server"]


def client(counts, address, port, interval):
    connection, asked = None, 0
    due = time.monotonic()
    while True:
        due = max(due + interval, time.monotonic() - 1)
        time.sleep(max(0, due - time.monotonic()))
        start = time.monotonic()
        try:
            connection = connection or http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)
            counts.answer(ask(connection, f"/{asked}"), time.monotonic() - start)
            asked += 1
            if asked % REQUESTS_PER_CONNECTION:
                continue
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            counts.failure(f"{type(error).__name__}: {error}")
        if connection:
            connection.close()
            connection = None


def main():
    address, port, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    counts = Counts()
    for number in range(CLIENTS):
        threading.Timer(number / rate, client, [counts, address, port, CLIENTS / rate]).start()
    while True:
        time.sleep(0.1)
        print(json.dumps(counts.take()), flush=True)


if __name__ == "__main__":
    main()
