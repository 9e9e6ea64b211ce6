#!/usr/bin/python3
"""server.py ADDRESS:PORT... - a small web server: every request gets the same page, connections stay open."""

import selectors
import socket
import sys

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"


def accept(selector, listener):
    try:
        client, _ = listener.accept()
    except OSError:
        return
    client.setblocking(False)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    selector.register(client, selectors.EVENT_READ, bytearray())


def answer(selector, client, pending):
    try:
        data = client.recv(65536)
        pending += data
        while (end := pending.find(b"\r\n\r\n")) >= 0:
            del pending[:end + 4]
            client.send(PAGE)
    except OSError:
        data = b""
    if not data:
        selector.unregister(client)
        client.close()


def main():
    selector = selectors.DefaultSelector()
    for text in sys.argv[1:]:
        host, _, port = text.rpartition(":")
        selector.register(socket.create_server((host, int(port)), backlog=1024), selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                accept(selector, key.fileobj)
            else:
                answer(selector, key.fileobj, key.data)


main()
