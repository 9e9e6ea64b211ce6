"""h2_cases.py - what HTTP/2 clients may say wrong, or right but unusual: rows for h2_test.py.

Each row names the section that it is about.  What it expects:

    ok(status)     stream 1 gets this answer, and the connection goes on
    rst(*codes)    stream 1 is reset with one of these codes, the connection goes on, no server saw the request
    gone(*codes)   the connection ends with GOAWAY and one of these codes (None: without it)
"""

import struct

from h2 import (ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM,
                ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GET, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
                MAX_FRAME_SIZE, NO_ERROR, PADDED, PING, POST, PRIORITISED, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE,
                REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, block, data, frame, headers,
                integer, literal, ping, reset, settings, window)

ROWS = []


class Row:
    def __init__(self, name, section, send, kind, wanted, **more):
        self.name, self.section, self.send, self.kind, self.wanted = name, section, send, kind, wanted
        self.served = more.pop("served", kind == "ok")
        self.target = more.pop("target", None)
        self.body = more.pop("body", None)
        assert not more, more


def ok(name, section, send, status=200, **more):
    ROWS.append(Row(name, section, send, "ok", [status], served=more.pop("served", status == 200), **more))


def rst(name, section, send, *codes, **more):
    ROWS.append(Row(name, section, send, "rst", codes or [PROTOCOL_ERROR], **more))


def gone(name, section, send, *codes, **more):
    ROWS.append(Row(name, section, send, "gone", codes or [PROTOCOL_ERROR], **more))


def get(*fields, without=(), **replace):
    """GET's fields, with other values for pseudo-headers, some left out, regular ones behind."""
    pseudo = [(n, replace.get(n[1:], v)) for n, v in GET if n not in without]
    return [*pseudo, *fields]


def field(name, value="x", section="9113 8.2.1", **more):
    return headers(1, get((name, value)), **more)


u32 = struct.Struct(">I").pack

# ---- 9113 3.4, 4: preface, frames ----
ok("plain", "9113 3.4", headers(1, GET))
ok("frame_of_unknown_type", "9113 4.1", frame(0xbe, 0xff, 0, b"who knows") + headers(1, GET))
ok("frame_of_unknown_type_on_a_stream", "9113 5.5", frame(0x16, 0, 1, b"x" * 8) + headers(1, GET))
ok("undefined_flags", "9113 4.1", ping(flags=0x16) + headers(1, GET, flags=END_HEADERS | 0x02))
ok("reserved_bit", "9113 4.1", frame(PING, 0, 1 << 31, b"12345678") + headers(1, GET))
gone("data_too_large", "9113 4.2", headers(1, POST, False) + frame(DATA, 0, 1, b"x" * 16385),
     FRAME_SIZE_ERROR, served=None)
gone("headers_too_large", "9113 4.2", frame(HEADERS, END_HEADERS, 1, b"x" * 16385), FRAME_SIZE_ERROR)
gone("settings_too_large", "9113 4.2", frame(SETTINGS, 0, 0, bytes(16386)), FRAME_SIZE_ERROR)
gone("block_of_no_sense", "9113 4.3", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff"),
     COMPRESSION_ERROR)
gone("block_interrupted_by_ping", "9113 4.3", headers(1, GET, flags=0) + ping())
gone("block_interrupted_by_another", "9113 4.3", headers(1, GET, flags=0) + headers(3, GET))
gone("block_interrupted_by_an_unknown_frame", "9113 5.5", headers(1, GET, flags=0) + frame(0xbe, 0, 0))

# ---- 5.1: states of streams ----
gone("data_on_idle", "9113 5.1", data(1, b"x"))
gone("reset_on_idle", "9113 5.1", reset(1))
gone("window_update_on_idle", "9113 5.1", window(1, 100))
gone("continuation_on_idle", "9113 5.1", frame(CONTINUATION, END_HEADERS, 1, block(GET)))
gone("data_after_the_end", "9113 5.1", headers(1, GET) + data(1, b"x"), STREAM_CLOSED, served=None)
gone("headers_after_the_end", "9113 5.1", headers(1, GET) + headers(1, GET), STREAM_CLOSED, served=None)
gone("even_stream", "9113 5.1.1", headers(2, GET))
gone("stream_zero", "9113 5.1.1", headers(0, GET))
gone("stream_lower_than_before", "9113 5.1.1", headers(5, GET) + headers(3, GET), PROTOCOL_ERROR, STREAM_CLOSED,
     served=None)
ok("streams_left_out", "9113 5.1.1", headers(1, GET) + headers(101, GET), served=None)
ok("priority_on_idle", "9113 5.1", frame(PRIORITY, 0, 7, u32(0) + b"\x10") + headers(1, GET))
ok("priority_after_the_end", "9113 5.1", headers(1, GET) + frame(PRIORITY, 0, 1, u32(0) + b"\x10"))

# ---- 6.1 DATA ----
gone("data_on_zero", "9113 6.1", frame(DATA, 0, 0, b"x"))
gone("data_padding_too_long", "9113 6.1", headers(1, POST, False) + frame(DATA, PADDED | END_STREAM, 1, b"\x05ab"),
     served=None)
ok("data_padded", "9113 6.1", headers(1, POST, False) + frame(DATA, PADDED | END_STREAM, 1, b"\x02hello\0\0"),
   body=b"POST / 5\n")
ok("data_all_padding", "9113 6.1", headers(1, POST, False) + frame(DATA, PADDED, 1, b"\x03\0\0\0") +
   data(1, b"ab"), body=b"POST / 2\n")
ok("data_in_three", "9113 8.1", headers(1, POST, False) + data(1, b"ab", False) + data(1, b"", False) +
   data(1, b"cde"), body=b"POST / 5\n")
ok("data_empty_at_the_end", "9113 8.1", headers(1, POST, False) + data(1, b"ab", False) + data(1), body=b"POST / 2\n")
ok("body_empty", "9113 8.1", headers(1, POST, False) + data(1), body=b"POST / 0\n")

# ---- 6.2 HEADERS, 6.10 CONTINUATION ----
ok("headers_padded", "9113 6.2", frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x04" + block(GET) + bytes(4)))
gone("headers_padding_too_long", "9113 6.2", frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\xff" + block(GET)))
ok("headers_with_priority", "9113 6.2",
   frame(HEADERS, END_HEADERS | END_STREAM | PRIORITISED, 1, u32(0) + b"\xff" + block(GET)))
HALF = len(block(GET)) // 2
ok("continuation", "9113 6.10", frame(HEADERS, END_STREAM, 1, block(GET)[:HALF]) +
   frame(CONTINUATION, END_HEADERS, 1, block(GET)[HALF:]))
ok("continuation_byte_by_byte_of_five", "9113 6.10", frame(HEADERS, END_STREAM, 1, block(GET)[:-5]) +
   b"".join(frame(CONTINUATION, END_HEADERS if i == 1 else 0, 1, block(GET)[-i:][:1]) for i in range(5, 0, -1)))
gone("continuation_of_another_stream", "9113 6.10", headers(1, GET, flags=0) + frame(CONTINUATION, END_HEADERS, 3))
gone("continuation_after_the_end", "9113 6.10", headers(1, GET) + frame(CONTINUATION, END_HEADERS, 1, block(GET)),
     PROTOCOL_ERROR, STREAM_CLOSED, served=None)
gone("continuation_on_zero", "9113 6.10", headers(1, GET, flags=0) + frame(CONTINUATION, END_HEADERS, 0))
gone("continuations_without_end", "9113 10.5.1", headers(1, GET, flags=0) + frame(CONTINUATION, 0, 1) * 40,
     PROTOCOL_ERROR, ENHANCE_YOUR_CALM)

# ---- 6.3 PRIORITY, 6.4 RST_STREAM ----
gone("priority_on_zero", "9113 6.3", frame(PRIORITY, 0, 0, bytes(5)))
gone("priority_of_four_bytes", "9113 6.3", frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE_ERROR)
gone("reset_on_zero", "9113 6.4", frame(RST_STREAM, 0, 0, u32(CANCEL)))
gone("reset_of_three_bytes", "9113 6.4", headers(1, GET) + frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE_ERROR,
     served=None)

# ---- 6.5 SETTINGS ----
ok("settings_unknown", "9113 6.5.2", settings((0xff, 1)) + headers(1, GET))
ok("settings_empty", "9113 6.5", settings() + headers(1, GET))
gone("settings_on_a_stream", "9113 6.5", frame(SETTINGS, 0, 1, b""))
gone("settings_ack_with_payload", "9113 6.5", frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE_ERROR)
gone("settings_of_five_bytes", "9113 6.5", frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR)
gone("settings_push_2", "9113 6.5.2", settings((ENABLE_PUSH, 2)))
gone("settings_window_too_large", "9113 6.5.2", settings((INITIAL_WINDOW_SIZE, 1 << 31)), FLOW_CONTROL_ERROR)
gone("settings_frame_size_too_small", "9113 6.5.2", settings((MAX_FRAME_SIZE, 16383)))
gone("settings_frame_size_too_large", "9113 6.5.2", settings((MAX_FRAME_SIZE, 1 << 24)))

# ---- 6.6 PUSH_PROMISE, 6.7 PING, 6.8 GOAWAY ----
gone("push_promise", "9113 6.6", frame(PUSH_PROMISE, END_HEADERS, 1, u32(2) + block(GET)))
gone("ping_on_a_stream", "9113 6.7", frame(PING, 0, 1, bytes(8)))
gone("ping_of_seven_bytes", "9113 6.7", frame(PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR)
ok("ping_ack_unasked", "9113 6.7", ping(flags=ACK) + headers(1, GET))
gone("goaway_on_a_stream", "9113 6.8", frame(GOAWAY, 0, 1, bytes(8)))
gone("goaway_of_seven_bytes", "9113 6.8", frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR)

# ---- 6.9 WINDOW_UPDATE ----
gone("window_update_of_nothing", "9113 6.9", window(0, 0))
gone("window_update_of_nothing_on_a_stream", "9113 6.9, 5.4.2", headers(1, POST, False) + window(1, 0), served=None)
gone("window_update_of_three_bytes", "9113 6.9", frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE_ERROR)
gone("window_too_large", "9113 6.9.1", window(0, 0x7fffffff), FLOW_CONTROL_ERROR)
rst("window_too_large_on_a_stream", "9113 6.9.1", headers(1, POST, False) + window(1, 0x7fffffff), FLOW_CONTROL_ERROR,
    served=None)
ok("window_grows_below_zero_and_back", "9113 6.9.2",
   settings((INITIAL_WINDOW_SIZE, 0)) + headers(1, GET) + settings((INITIAL_WINDOW_SIZE, 100)))

# ---- 8.1.1, 8.2, 8.3: malformed requests ----
for missing in (":method", ":scheme", ":path"):
    rst("without_" + missing[1:], "9113 8.3.1", headers(1, get(without=[missing])))
rst("without_authority", "9113 8.3.1", headers(1, get(without=[":authority"])))
ok("host_instead_of_authority", "9113 8.3.1", headers(1, get(("host", "test"), without=[":authority"])))
ok("host_as_authority", "9113 8.3.1", headers(1, get(("host", "TEST"), authority="TeST")))
rst("host_other_than_authority", "9113 8.3.1", headers(1, get(("host", "other"))))
rst("host_twice", "9113 8.3.1", headers(1, get(("host", "test"), ("host", "test"))))
for name in (":method", ":scheme", ":path", ":authority"):
    rst(f"{name[1:]}_twice", "9113 8.3", headers(1, [*GET, (name, dict(GET)[name])]))
    rst(f"{name[1:]}_empty", "9113 8.3.1", headers(1, get(**{name[1:]: ""})))
rst("pseudo_unknown", "9113 8.3", headers(1, [*GET, (":unknown", "x")]))
rst("pseudo_of_a_response", "9113 8.3", headers(1, [*GET, (":status", "200")]))
rst("pseudo_behind_a_field", "9113 8.3", headers(1, [*GET[:3], ("a", "b"), GET[3]]))
rst("protocol_without_connect", "8441 4", headers(1, [*GET, (":protocol", "websocket")]))
for what, value in (("space", "/a b"), ("tab", "/a\tb"), ("cr_lf", "/\r\nX: y"), ("nul", "/\0"), ("fragment", "/#x"),
                    ("no_slash", "a"), ("asterisk", "*"), ("absolute", "http://test/"), ("obs_text", "/\xe9"),
                    ("version", "/ HTTP/1.1\r\nHost: evil\r\n\r\n")):
    rst("path_with_" + what, "9113 8.3.1, 10.3", headers(1, get(path=value)))
for what, value in (("space", "te st"), ("userinfo", "me@test"), ("comma", "a,b"), ("slash", "test/x"),
                    ("port_0", "test:0"), ("cr_lf", "test\r\nX: y")):
    rst("authority_with_" + what, "9113 8.3.1, 10.3", headers(1, get(authority=value)))
for what, value in (("space", "GE T"), ("cr_lf", "GET / HTTP/1.1\r\nX:"), ("colon", "GET:")):
    rst("method_with_" + what, "9113 8.3.1, 10.3", headers(1, get(method=value)))
rst("scheme_unknown", "9113 8.3.1", headers(1, get(scheme="ftp")))
rst("scheme_with_cr_lf", "9113 8.3.1, 10.3", headers(1, get(scheme="http\r\n")))
ok("options_asterisk", "9113 8.3.1", headers(1, get(method="OPTIONS", path="*")), target=b"*")
ok("path_of_query", "9113 8.3.1", headers(1, get(path="/?a=b%20c")), target=b"/?a=b%20c")
ok("trace", "9110 9.3.8", headers(1, get(method="TRACE")), 405)
ok("connect", "9113 8.5", headers(1, [(":method", "CONNECT"), (":authority", "test:443")], False), 405)
ok("method_too_long", "9110 9", headers(1, get(method="A" * 65)), 501)
ok("method_unknown", "9110 9", headers(1, get(method="PURGE")))
for name in ("Upper", "sp ace", "co:lon", "t\tab", "", "cr\rlf", "n\0ul", "\xe9"):
    rst(f"name_{name!r}", "9113 8.2.1", field(name))
for what, value in (("nul", "a\0b"), ("cr", "a\rb"), ("lf", "a\nb"), ("cr_lf", "a\r\nX: y"), ("leading_space", " a"),
                    ("trailing_space", "a "), ("leading_tab", "\ta"), ("trailing_tab", "a\t"), ("control", "a\x01b"),
                    ("delete", "a\x7fb")):
    rst("value_with_" + what, "9113 8.2.1, 10.3", field("x", value))
ok("value_with_tab_inside", "9113 8.2.1", field("x", "a\tb"))
ok("value_of_obs_text", "9110 5.5", field("x", "caf\xe9"))
ok("value_empty", "9110 5.5", field("x", ""))
for name, value in (("connection", "close"), ("connection", "keep-alive"), ("keep-alive", "timeout=5"),
                    ("proxy-connection", "close"), ("transfer-encoding", "chunked"), ("upgrade", "websocket"),
                    ("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA")):
    rst(f"connection_field_{name}_{value[:9]}", "9113 8.2.2", field(name, value))
ok("te_trailers", "9113 8.2.2", field("te", "trailers"))
rst("te_gzip", "9113 8.2.2", field("te", "gzip"))
rst("te_trailers_and_gzip", "9113 8.2.2", field("te", "trailers, gzip"))
rst("like_content_length", "9113 10.3", field("content_length", "5"))
rst("like_transfer_encoding", "9113 10.3", field("transfer_encoding", "chunked"))
ok("expect_other", "9110 10.1.1", headers(1, [*POST, ("expect", "200-ok")], False) + data(1, b"x"), 417)


def sized(n, *parts):
    send = headers(1, [*POST, ("content-length", n)], not parts)
    return send + b"".join(data(1, p, i == len(parts) - 1) for i, p in enumerate(parts))


ok("length_exact", "9113 8.1.1", sized("5", b"he", b"llo"), body=b"POST / 5\n")
ok("length_zero", "9113 8.1.1", sized("0"), body=b"POST / 0\n")
ok("length_zero_and_empty_data", "9113 8.1.1", sized("0", b""), body=b"POST / 0\n")
rst("length_without_body", "9113 8.1.1", sized("5"))
rst("length_not_reached", "9113 8.1.1", sized("5", b"he", b"ll"), served=None)
rst("length_exceeded", "9113 8.1.1", sized("5", b"he", b"lloo"), served=None)
for value in ("", "-1", "+5", "5,5", "0x5", "5 5", "1" * 19, "18446744073709551616"):
    rst(f"length_{value!r}", "9110 8.6", sized(value, b"hello"))
rst("length_twice", "9110 8.6", headers(1, [*POST, ("content-length", "5"), ("content-length", "5")], False))

# ---- 8.1: trailers ----
ok("trailers", "9113 8.1", headers(1, POST, False) + data(1, b"ab", False) + headers(1, [("x-sum", "1")]),
   body=b"POST / 2\n")
rst("length_not_reached_before_trailers", "9113 8.1.1", headers(1, [*POST, ("content-length", "5")], False) +
    data(1, b"he", False) + headers(1, [("x-sum", "1")]), served=None)
rst("trailers_too_large", "9110 15.5", headers(1, POST, False) + headers(1, [("a", "x" * 9000)]), served=None)
rst("trailers_without_end", "9113 8.1", headers(1, POST, False) + headers(1, [("x-sum", "1")], False), served=None)
rst("trailers_with_pseudo", "9113 8.1", headers(1, POST, False) + headers(1, [(":path", "/x")]), served=None)
rst("trailers_with_cr_lf", "9113 8.2.1", headers(1, POST, False) + headers(1, [("x", "a\r\nb: c")]), served=None)

# ---- 7541: HPACK ----
ok("hpack_static", "7541 6.1", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x82\x86\x84" + literal(":authority", "test")))
ok("hpack_huffman", "7541 5.2", frame(HEADERS, END_HEADERS | END_STREAM, 1,
                                      b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"))
ok("hpack_never_indexed", "7541 6.2.3", headers(1, block(GET) + literal("x", "y", 0x10)))
ok("hpack_indexed_and_used", "7541 6.2.1", headers(1, block(GET) + literal("x", "y", 0x40) + b"\xbe"))
ok("hpack_table_size_0", "7541 6.3", headers(1, b"\x20" + block(GET)))
ok("hpack_table_size_twice", "7541 4.2", headers(1, b"\x20" + integer(4096, 5, 0x20) + block(GET)))
gone("hpack_index_0", "7541 6.1", headers(1, block(GET) + b"\x80"), COMPRESSION_ERROR)
gone("hpack_index_of_nothing", "7541 2.3.3", headers(1, block(GET) + b"\xbe"), COMPRESSION_ERROR)
gone("hpack_name_index_of_nothing", "7541 2.3.3", headers(1, block(GET) + b"\x7f\x20\x01a"), COMPRESSION_ERROR)
gone("hpack_table_size_too_large", "7541 6.3", headers(1, integer(4097, 5, 0x20) + block(GET)), COMPRESSION_ERROR)
gone("hpack_table_size_behind_a_field", "7541 4.2", headers(1, block(GET) + b"\x20"), COMPRESSION_ERROR)
gone("hpack_huffman_padding_of_8_bits", "7541 5.2", headers(1, block(GET) + b"\0\x01x\x82\x1f\xff"), COMPRESSION_ERROR)
gone("hpack_huffman_padding_of_zeros", "7541 5.2", headers(1, block(GET) + b"\0\x01x\x81\x18"), COMPRESSION_ERROR)
gone("hpack_huffman_eos", "7541 5.2", headers(1, block(GET) + b"\0\x01x\x84\xff\xff\xff\xff"), COMPRESSION_ERROR)
gone("hpack_string_cut", "7541 5.2", headers(1, block(GET) + b"\0\x05abc"), COMPRESSION_ERROR)
gone("hpack_integer_without_end", "7541 5.1", headers(1, block(GET) + b"\xff" + b"\xff" * 12), COMPRESSION_ERROR)

# ---- limits ----
ok("head_too_large", "9110 15.5", b"".join([
    frame(HEADERS, END_STREAM, 1, block(get(("a", "x" * 16000)))), frame(CONTINUATION, 0, 1, literal("b", "x" * 16000)),
    frame(CONTINUATION, END_HEADERS, 1, literal("c", "x" * 16000))]), 431)
ok("fields_too_many", "9110 15.5", headers(1, get(*[("a", "b")] * 200)), 431)
ok("crumbs_too_many", "9113 8.2.3", headers(1, get(*[("cookie", "b")] * 200)), 431)
ok("target_too_long", "9110 15.5", frame(HEADERS, END_STREAM, 1, block(get(path="/" + "x" * 16000))) +
   frame(CONTINUATION, END_HEADERS, 1, literal("a", "b")))
NAMES = [row.name for row in ROWS]
assert len(set(NAMES)) == len(NAMES), [n for n in NAMES if NAMES.count(n) > 1]
