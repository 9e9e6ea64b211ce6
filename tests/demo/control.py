#!/usr/bin/python3
"""control.py SOCKET COMMAND [POOL/NAME ACTION [VALUE]] - one command for lbd's control socket, its answer indented."""

import json
import signal
import socket
import sys

signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # piped into head
path, command, *words = sys.argv[1:]
request = {"command": command, **dict(zip(("name", "action", "value"), words))}
if "value" in request:
    request["value"] = int(request["value"])
with socket.socket(socket.AF_UNIX) as control:
    control.connect(path)
    control.sendall(json.dumps(request).encode() + b"\n")
    with control.makefile() as reply:
        print(json.dumps(json.loads(reply.readline()), indent=2))
