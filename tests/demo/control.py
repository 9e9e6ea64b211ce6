#!/usr/bin/python3
"""control.py SOCKET COMMAND [POOL/NAME ACTION [WEIGHT]] - one command for lbd's control socket, its answer indented."""

import json
import socket
import sys

path, command, *words = sys.argv[1:]
request = {"command": command, **dict(zip(("server", "action", "weight"), words))}
if "weight" in request:
    request["weight"] = int(request["weight"])
with socket.socket(socket.AF_UNIX) as control:
    control.connect(path)
    control.sendall(json.dumps(request).encode() + b"\n")
    with control.makefile() as reply:
        print(json.dumps(json.loads(reply.readline()), indent=2))
