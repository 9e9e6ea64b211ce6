"""h2.py - HTTP/2 frame by frame (RFC 9113) and HPACK (RFC 7541), for tests that say right and wrong things on purpose.

    with connect(address) as c:         is H2(socket): preface and SETTINGS are sent, nothing else happens by itself
    c.send(headers(1, GET) + data(1, b"x"))
    c.answer(1)                        -> (status, fields, body, trailers); raises Reset or GoAway when that came

Fields are encoded as literals, without Huffman codes and without the dynamic table, unless a test writes the block
itself; what lbd sends is decoded in full.
"""

import socket
import struct
import time

from wire import PATIENCE, Broken, Failure, Late, Stream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITISED = 4, 8, 32
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE,
 _, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES) = range(1, 10)

GET = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test")]
POST = [(":method", "POST"), *GET[1:]]

# RFC 7541, appendix A: name, value; then appendix B: the lengths of the codes, which are canonical
STATIC = [tuple(line.partition("=")[::2]) for line in """\
:authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200 :status=204
:status=206 :status=304 :status=400 :status=404 :status=500 accept-charset accept-encoding=gzip,_deflate
accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control
content-disposition content-encoding content-language content-length content-location content-range content-type
cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since
last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after
server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate""".split()]
STATIC = [(name, value.replace("_", " ")) for name, value in STATIC]
LENGTHS = [int(n) for n in """
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28 6 10 10 12 13 6 8 11 10
10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23
24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23
20 22 22 22 23 22 22 23 26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30""".split()]


def huffman_codes():
    """{(length, code): symbol}"""
    codes, code, before = {}, 0, 0
    for length, symbol in sorted((n, s) for s, n in enumerate(LENGTHS)):
        code <<= length - before
        codes[length, code] = symbol
        code, before = code + 1, length
    return codes


CODES = huffman_codes()


class Reset(Failure):
    """RST_STREAM came; .code says why."""

    def __init__(self, stream, code):
        super().__init__(f"stream {stream} was reset: {code}")
        self.code = code


class GoAway(Failure):
    """GOAWAY with an error came, or the connection ended; .code is None if without a word."""

    def __init__(self, code, last=None):
        super().__init__(f"the connection ended: {code}")
        self.code, self.last = code, last


# ---- writing ----

def frame(kind, flags, stream, payload=b"", length=None):
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def integer(value, bits, first=0):
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def text(s):
    s = s if isinstance(s, bytes) else s.encode("latin-1")
    return integer(len(s), 7) + s


def literal(name, value, first=0):
    """`first`: 0 without indexing, 0x10 never, 0x40 with indexing."""
    return bytes([first]) + text(name) + text(value)


def block(fields):
    return b"".join(literal(n, v) for n, v in fields)


def headers(stream, fields, end=True, flags=END_HEADERS):
    payload = fields if isinstance(fields, bytes) else block(fields)
    return frame(HEADERS, flags | (END_STREAM if end else 0), stream, payload)


def data(stream, payload=b"", end=True):
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def settings(*pairs, flags=0):
    return frame(SETTINGS, flags, 0, b"".join(struct.pack(">HI", k, v) for k, v in pairs))


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window(stream, n):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", n))


def ping(payload=b"12345678", flags=0):
    return frame(PING, flags, 0, payload)


# ---- reading ----

class Decoder:
    """HPACK, all of it."""

    def __init__(self):
        self.table, self.size = [], 4096

    def integer(self, p, i, bits):
        most = (1 << bits) - 1
        value, shift, i = p[i] & most, 0, i + 1
        if value < most:
            return value, i
        while True:
            value += (p[i] & 127) << shift
            shift, i = shift + 7, i + 1
            if not p[i - 1] & 128:
                return value, i

    def text(self, p, i):
        huffman = p[i] & 128
        n, i = self.integer(p, i, 7)
        raw = p[i:i + n]
        return (self.huffman(raw) if huffman else raw).decode("latin-1"), i + n

    def huffman(self, raw):
        out, length, code = bytearray(), 0, 0
        for bit in (byte >> i & 1 for byte in raw for i in range(7, -1, -1)):
            length, code = length + 1, code << 1 | bit
            if (length, code) in CODES:
                out.append(CODES[length, code])
                length = code = 0
        if length > 7 or code != (1 << length) - 1:
            raise Broken("Huffman code ends wrongly")
        return bytes(out)

    def entry(self, index):
        if not 0 < index <= len(STATIC) + len(self.table):
            raise Broken(f"no entry {index} in the header table")
        return STATIC[index - 1] if index <= len(STATIC) else self.table[index - len(STATIC) - 1]

    def evict(self):
        while sum(len(n) + len(v) + 32 for n, v in self.table) > self.size:
            self.table.pop()

    def decode(self, p):
        fields, i = [], 0
        while i < len(p):
            if p[i] & 0x80:
                index, i = self.integer(p, i, 7)
                fields.append(self.entry(index))
                continue
            if p[i] & 0xe0 == 0x20:
                self.size, i = self.integer(p, i, 5)
                self.evict()
                continue
            keep = p[i] & 0x40
            index, i = self.integer(p, i, 6 if keep else 4)
            name, i = self.text(p, i) if index == 0 else (self.entry(index)[0], i)
            value, i = self.text(p, i)
            fields.append((name, value))
            if keep:
                self.table.insert(0, (name, value))
                self.evict()
        return fields


class Answer:
    def __init__(self):
        self.interim, self.fields, self.body, self.trailers = [], None, bytearray(), None
        self.frames = 0  # of DATA
        self.ended, self.reset = False, None

    @property
    def status(self):
        return int(dict(self.fields)[":status"])

    def one(self, name):
        values = [v for n, v in self.fields if n == name]
        if len(values) > 1:
            raise Broken(f"{name} is there {len(values)} times")
        return values[0] if values else None


class H2(Stream):
    """A client; with `auto` it acknowledges SETTINGS and PING and gives windows back, as one must."""

    def __init__(self, sock, *pairs, auto=True, begin=True):
        super().__init__(sock)
        self.decoder, self.answers, self.auto = Decoder(), {}, auto
        self.settings, self.acked, self.pongs, self.goaways, self.windows = None, 0, [], [], {}
        self.frames, self.block, self.block_ends = [], b"", False
        if begin:
            self.send(PREFACE + settings(*pairs))

    def stream(self, number):
        return self.answers.setdefault(number, Answer())

    def read_frame(self, deadline):
        """(kind, flags, stream, payload); None at the end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            if not self.fill(deadline):
                return None
        n = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.take(9)[3:])
        return kind, flags, stream & 0x7fffffff, self.take(n)

    def step(self, deadline):
        """One frame, noted.  False at the end."""
        got = self.read_frame(deadline)
        if not got:
            return False
        self.frames.append(got)
        self.note(*got)
        return True

    def note(self, kind, flags, stream, payload):
        if kind == DATA:
            answer = self.stream(stream)
            answer.body += payload
            answer.frames += 1
            answer.ended |= bool(flags & END_STREAM)
            if self.auto and payload:
                self.try_send(window(0, len(payload)) +
                              (b"" if answer.ended else window(stream, len(payload))))
        elif kind == HEADERS:
            self.block, self.block_ends = payload, bool(flags & END_STREAM)
        elif kind == CONTINUATION:
            self.block += payload
        elif kind == RST_STREAM:
            self.stream(stream).reset = int.from_bytes(payload, "big")
        elif kind == SETTINGS and flags & ACK:
            self.acked += 1
        elif kind == SETTINGS:
            self.settings = dict(struct.unpack(">HI", payload[i:i + 6]) for i in range(0, len(payload), 6))
            if self.auto:
                self.try_send(settings(flags=ACK))
        elif kind == PING and flags & ACK:
            self.pongs.append(payload)
        elif kind == PING and self.auto:
            self.try_send(ping(payload, ACK))
        elif kind == GOAWAY:
            self.goaways.append(struct.unpack(">II", payload[:8])[::-1])
        elif kind == WINDOW_UPDATE:
            self.windows[stream] = self.windows.get(stream, 0) + int.from_bytes(payload, "big")
        if kind in (HEADERS, CONTINUATION) and flags & END_HEADERS:
            self.note_head(self.stream(stream), self.decoder.decode(self.block), self.block_ends)

    @staticmethod
    def note_head(answer, fields, end):
        status = dict(fields).get(":status")
        if status and status.startswith("1"):
            answer.interim.append(fields)
        elif answer.fields is None:
            answer.fields = fields
        else:
            answer.trailers = fields
        answer.ended |= end

    def try_send(self, payload):
        try:
            self.send(payload)
        except OSError:
            pass  # what was sent before it closed is still read

    def until(self, condition, what, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not condition():
            if not self.step(deadline):
                errors = [g for g in self.goaways if g[0] != NO_ERROR]
                code, last = (errors or self.goaways or [(None, None)])[-1]
                raise GoAway(code, last)
            errors = [g for g in self.goaways if g[0] != NO_ERROR]
            if errors:
                raise GoAway(*errors[0])
        return what

    def answer(self, stream=1, timeout=PATIENCE):
        a = self.stream(stream)
        self.until(lambda: a.ended or a.reset is not None, f"answer on {stream}", timeout)
        if not a.ended:
            raise Reset(stream, a.reset)
        return a

    def request(self, stream=1, fields=None, body=None):
        fields = GET if fields is None else fields
        self.send(headers(stream, fields, body is None) + (data(stream, body) if body is not None else b""))
        return self.answer(stream)

    def send_all(self, stream, pieces, patience=None):
        """DATA as the windows allow; with `patience`, until they stay shut for so many seconds."""
        self.until(lambda: self.settings is not None, "SETTINGS")
        sent = {0: 0, stream: 0}
        first = {0: 65535, stream: self.settings.get(INITIAL_WINDOW_SIZE, 65535)}
        for piece in pieces:
            def open_for(n=len(piece)):
                return all(first[s] + self.windows.get(s, 0) - sent[s] >= n for s in sent)
            try:
                self.until(open_for, "WINDOW_UPDATE", patience or PATIENCE)
            except Late:
                if patience:
                    return
                raise
            self.send(data(stream, piece, False))
            sent = {s: n + len(piece) for s, n in sent.items()}

    def alive(self):
        """Does the connection still answer?"""
        before = len(self.pongs)
        self.send(ping())
        self.until(lambda: len(self.pongs) > before, "PING's answer")

    def end(self, timeout=PATIENCE):
        """The code of the GOAWAY with which it ends."""
        try:
            self.until(lambda: False, "end", timeout)
        except GoAway as e:
            return e.code
        except Late:
            raise Late("the connection did not end") from None


def connect(address, *pairs, **options):
    sock = socket.create_connection(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return H2(sock, *pairs, **options)
