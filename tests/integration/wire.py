"""wire.py - HTTP/1 messages as the tests read them: strictly, and with no code of lbd's.

A Stream is a socket with a read buffer and a deadline for every wait.  read_request and read_response
take one message from it and refuse (Broken) anything that is not canonical: lbd writes every head
itself, so whatever it sends must be beyond doubt on both sides.
"""

import os
import re
import socket
import time

SLOWER = float(os.environ.get("SLOWER", "1"))  # than a usual machine by this factor: tests/kernel
PATIENCE = 15.0 * SLOWER  # seconds: how long a test waits for what must come; a sanitizer build is slow

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.1\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ([\t\x20-\x7e\x80-\xff]*)\Z")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"): ?((?:[\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*)?)\Z")
CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}\Z")


class Failure(AssertionError):
    """The claim under test does not hold."""


class Broken(Failure):
    """A peer sent something that is no proper HTTP/1 message."""


class Cut(Broken):
    """A message began and its stream ended before it was complete; .message is what came of a response."""

    message = None


class Late(Failure):
    """What a test waited for did not come in time."""


class Message:
    """One request or response: start line, fields in order, body without its framing, trailers."""

    def __init__(self, start, fields):
        self.start = start
        self.fields = fields
        self.body = b""
        self.trailers = []
        self.framing = "none"  # none, length, chunked, close
        self.interim = []  # the 1xx responses before a final one
        self.chunks = []  # sizes as they came

    @property
    def status(self):
        return int(self.start.split(b" ")[1])

    @property
    def method(self):
        return self.start.split(b" ")[0]

    @property
    def target(self):
        return self.start.split(b" ")[1]

    def all(self, name):
        """Every value of a field, in order."""
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def one(self, name):
        """The value of a field that must be there at most once; None if absent."""
        values = self.all(name)
        if len(values) > 1:
            raise Broken(f"{name!r} is there {len(values)} times: {values}")
        return values[0] if values else None

    def __repr__(self):
        return f"<{self.start!r} {self.fields!r} {self.framing} body={self.body[:200]!r}>"


class Stream:
    """A connected socket, read through a buffer; keeps every byte that ever came in .received."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()
        self.received = bytearray()
        self.eof = False  # nothing more will come
        self.reset = False  # ... because the peer sent RST

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.settimeout(PATIENCE)
        self.sock.sendall(data)

    def fill(self, deadline):
        """Waits for more bytes; False at the end of the stream."""
        if self.eof:
            return False
        left = deadline - time.monotonic()
        if left <= 0:
            raise Late(f"nothing more came; so far {bytes(self.received[-300:])!r}")
        try:
            self.sock.settimeout(left)
            data = self.sock.recv(65536)
        except (socket.timeout, TimeoutError):
            raise Late(f"nothing more came; so far {bytes(self.received[-300:])!r}") from None
        except (ConnectionResetError, BrokenPipeError):
            self.reset = True
            data = b""
        except OSError as e:
            raise Failure(f"recv: {e}") from None
        if not data:
            self.eof = True
            return False
        self.received += data
        self.buffer += data
        return True

    def take(self, n):
        data = bytes(self.buffer[:n])
        del self.buffer[:n]
        return data

    def read_line(self, deadline, limit=1 << 20):
        """One line without its CRLF; None at a clean end before its first byte."""
        while True:
            i = self.buffer.find(b"\n")
            if i >= 0:
                line = self.take(i + 1)
                if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
                    raise Broken(f"line end: {line!r}")
                return line[:-2]
            if len(self.buffer) > limit:
                raise Broken("endless line")
            if not self.fill(deadline):
                if self.buffer:
                    raise Cut(f"ended within a line: {bytes(self.buffer)!r}")
                return None

    def read_exactly(self, n, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while len(self.buffer) < n:
            if not self.fill(deadline):
                raise Cut(f"ended after {len(self.buffer)} of {n} bytes")
        return self.take(n)

    def read_until(self, mark, timeout=PATIENCE):
        """Everything up to and including `mark`."""
        deadline = time.monotonic() + timeout
        while mark not in self.buffer:
            if not self.fill(deadline):
                raise Cut(f"ended before {mark!r}: {bytes(self.buffer)!r}")
        return self.take(self.buffer.index(mark) + len(mark))

    def read_some(self, timeout=PATIENCE):
        """At least one byte, or b"" at the end."""
        if not self.buffer:
            self.fill(time.monotonic() + timeout)
        return self.take(len(self.buffer))

    def read_to_end(self, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while self.fill(deadline):
            pass
        return self.take(len(self.buffer))

    def expect_end(self, timeout=PATIENCE):
        """The peer closes and says nothing before."""
        rest = self.read_to_end(timeout)
        if rest:
            raise Failure(f"surplus bytes before the end: {rest[:300]!r}")

    def silent(self, seconds):
        """True if nothing arrives for that long.  Only to show that something does *not* happen."""
        try:
            return not self.buffer and not self.fill(time.monotonic() + seconds)
        except Late:
            return True


def read_fields(stream, deadline):
    fields = []
    while True:
        line = stream.read_line(deadline)
        if line is None:
            raise Cut("ended within a head")
        if not line:
            return fields
        match = FIELD_LINE.match(line)
        if not match:
            raise Broken(f"field line: {line!r}")
        if match[2] != match[2].strip(b" \t"):
            raise Broken(f"blanks around a value: {line!r}")
        fields.append((match[1], match[2]))


def read_chunked(stream, message, deadline, progress):
    while True:
        line = stream.read_line(deadline)
        if line is None:
            raise Cut("ended before the last chunk")
        if not CHUNK_LINE.match(line):
            raise Broken(f"chunk line: {line!r}")
        size = int(line, 16)
        if size == 0:
            break
        message.chunks.append(size)
        data = stream.read_exactly(size, max(0.001, deadline - time.monotonic()))
        if stream.read_exactly(2) != b"\r\n":
            raise Broken("chunk does not end in CRLF")
        message.body += data
        if progress:
            progress(message)
    message.trailers = read_fields(stream, deadline)


def framing_of(message):
    """("length", n), ("chunked", None) or (None, None); refuses every doubt."""
    lengths = message.all(b"content-length")
    codings = message.all(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise Broken(f"framing in doubt: {message.fields}")
    if lengths:
        if not re.match(rb"(0|[1-9][0-9]*)\Z", lengths[0]):
            raise Broken(f"Content-Length: {lengths[0]!r}")
        return "length", int(lengths[0])
    if codings:
        if codings[0].lower() != b"chunked":
            raise Broken(f"Transfer-Encoding: {codings[0]!r}")
        return "chunked", None
    return None, None


def read_body(stream, message, deadline, progress):
    kind, n = framing_of(message)
    message.framing = kind or "none"
    if kind == "length":
        message.body = stream.read_exactly(n, max(0.001, deadline - time.monotonic()))
    elif kind == "chunked":
        read_chunked(stream, message, deadline, progress)


def read_request(stream, timeout=PATIENCE, head_only=False, progress=None):
    """The next request, or None when the peer closed instead of sending one."""
    deadline = time.monotonic() + timeout
    line = stream.read_line(deadline)
    if line is None:
        return None
    if not REQUEST_LINE.match(line):
        raise Broken(f"request line: {line!r}")
    message = Message(line, read_fields(stream, deadline))
    if len(message.all(b"host")) != 1:
        raise Broken(f"not one Host: {message.fields}")
    framing_of(message)
    if not head_only:
        read_body(stream, message, deadline, progress)
    return message


def read_response_head(stream, timeout=PATIENCE):
    deadline = time.monotonic() + timeout
    line = stream.read_line(deadline)
    if line is None:
        raise Broken("closed instead of answering" + (" (reset)" if stream.reset else ""))
    if not STATUS_LINE.match(line):
        raise Broken(f"status line: {line!r}")
    message = Message(line, read_fields(stream, deadline))
    framing_of(message)
    return message


def read_response(stream, method=b"GET", timeout=PATIENCE, progress=None):
    """The next final response (101 is final); those before it are in .interim."""
    deadline = time.monotonic() + timeout
    interim = []
    while True:
        message = read_response_head(stream, max(0.001, deadline - time.monotonic()))
        if message.status >= 200 or message.status == 101:
            break
        if framing_of(message)[0]:
            raise Broken(f"interim response with a body: {message.fields}")
        interim.append(message)
    message.interim = interim
    if method == b"HEAD" or message.status in (101, 204, 304):
        if message.status in (101, 204) and framing_of(message)[0]:
            raise Broken(f"{message.status} with framing fields: {message.fields}")
        return message
    try:
        if framing_of(message)[0]:
            read_body(stream, message, deadline, progress)
            return message
        message.framing = "close"
        message.body = stream.read_to_end(max(0.001, deadline - time.monotonic()))
        if stream.reset:
            raise Cut(f"reset within a body that close delimits: {message.body[:100]!r}")
    except Cut as e:
        e.message = message
        raise
    return message
