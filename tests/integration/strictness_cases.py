"""strictness_cases.py - the HTTP policy of lbd as a table: what goes in, what each side must see.

One row, one claim.  refused(): the client gets that status and the connection ends; no byte reaches a
server, not even of the request that follows in the same segment.  broken(): the same, but the head may have
been sent on before the body turned out bad; the server must see it broken off, never complete.  passed():
the server sees exactly what is written here.  served() and bad(): the server's answer is the odd thing.
docs/http-policy.md has the reasons; strictness_test.py shows the rows to lbd.
"""

import re

ANY = object()  # nothing is claimed

PROFILES = {
    "main": {
        "limits": {"header_size": "4k", "uri_size": "2k", "headers": 32, "body_size": "64k"},
        "listeners": [
            {"name": "in", "pool": "web"},
            {"name": "trusting", "pool": "web", "forwarded": {"trust": ["127.0.0.0/8"]}},
            {"name": "rfc7239", "pool": "web", "forwarded": {"x_forwarded": False, "rfc7239": True}},
            {"name": "trusting_rfc7239", "pool": "web",
             "forwarded": {"trust": ["127.0.0.0/8"], "rfc7239": True}},
            {"name": "trusting_others", "pool": "web", "forwarded": {"trust": ["192.0.2.0/24"]}},
        ],
    },
    "defaults": {},
    "largest": {"limits": {"header_size": "60k", "uri_size": "60k", "headers": 256},
                "listeners": [{"name": "in", "pool": "web", "forwarded": {"trust": ["127.0.0.0/8"],
                                                                          "rfc7239": True}}]},
    "slow": {"timeouts": {"client_header": "400ms", "client_body": "400ms", "client_idle": "600ms",
                          "drain": "2s"}},
}
TRUSTING, RFC7239, TRUSTING_RFC7239, TRUSTING_OTHERS = 1, 2, 3, 4  # listeners of the main profile

GROUPS = ["request line", "target", "absolute-form", "version", "host", "field names", "field values",
          "line ends", "content-length", "transfer-encoding", "chunks", "trailers", "hop-by-hop", "upgrade",
          "expect", "pipelining", "limits", "slow", "half-close", "http/1.0", "forwarded", "request id",
          "server status line", "server heads", "server framing", "server bodies", "server 1xx",
          "server faults"]
ROWS = []
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
LINE = "GET /case HTTP/1.1"

group = None


class Expected:
    """What one message must look like; everything left out is not claimed."""

    def __init__(self, has=None, lacks=(), order=None, matches=None, trailers=None, framing=None):
        self.has = {lower(k): values(v) for k, v in (has or {}).items()}
        self.lacks = [lower(name) for name in lacks]
        self.order = [lower(name) for name in order] if order else None
        self.matches = {lower(k): re.compile(v.encode("latin-1")) for k, v in (matches or {}).items()}
        self.trailers = trailers
        self.framing = framing


class Seen(Expected):
    """A request as the server must see it."""

    def __init__(self, line=LINE, body=b"", **fields):
        super().__init__(**fields)
        self.line = line.encode("latin-1")
        self.body = body


class Answer(Expected):
    """A final response as the client must see it."""

    def __init__(self, status=200, body=None, method="GET", interim=(), closing=False, cut=False, **fields):
        super().__init__(**fields)
        self.statuses = (status,) if isinstance(status, int) else status
        self.body = body
        self.method = method.encode()
        self.interim = interim if interim is ANY else list(interim)
        self.closing = closing
        self.cut = cut


class Row:
    def __init__(self, name, send, sees, answers, then, answer=None, listener=0, profile="main",
                 half_close=False, drip=b"", broken=False, retried=False, early=False, after="keep",
                 surplus=b"", reuse=None, both=True):
        self.group = group
        self.name = group.replace(" ", "_").replace("-", "_").replace("/", "").replace(".", "") + "_" + name
        self.send = send
        self.sees = sees  # complete requests at the server, in order
        self.answers = answers  # at the client, in order
        self.then = then  # the client's connection: open, closed, ends (whatever is said before), any
        self.answer = answer  # the server's bytes for /case; None: it echoes
        self.listener, self.profile = listener, profile
        self.half_close, self.drip = half_close, drip
        self.broken = broken
        self.retried = retried  # the server may see the request more than once
        self.early = early  # the server answers before it reads the body
        self.after = after  # what the server does then: keep, close, reset
        self.surplus = surplus
        self.reuse = reuse  # whether the next request comes on the same server connection
        self.both = both  # also byte by byte
        ROWS.append(self)


def lower(name):
    return name.lower().encode("latin-1")


def values(v):
    return [x.encode("latin-1") for x in ([v] if isinstance(v, str) else v)]


def section(name):
    global group
    assert name in GROUPS
    group = name


def head(*fields, line=LINE, host="test"):
    """The bytes of a head.  host=None leaves that field out."""
    lines = [line] + ([f"Host: {host}"] if host is not None else []) + list(fields)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def post(*fields, body=b"", line="POST /case HTTP/1.1", host="test"):
    return head(*fields, line=line, host=host) + body


def chunked(body, *fields):
    return post("Transfer-Encoding: chunked", *fields, body=body)


def refused(name, status, data, follow=SMUGGLED, matches=None, **options):
    """Nothing of it reaches a server."""
    Row(name, data + follow, [], [Answer(status, closing=True, matches=matches)], "closed", **options)


def broken(name, status, data, follow=SMUGGLED, **options):
    """The body is bad: the client is told, the server sees no complete request."""
    Row(name, data + follow, [], [Answer(status, closing=True)], "closed", broken=True, **options)


def passed(name, data, line=LINE, body=b"", then="open", reply=None, client=None, **options):
    """The server sees this request; the client gets the echo.  client: claims about the answer."""
    fields = {k: options.pop(k) for k in ("has", "lacks", "order", "matches", "trailers", "framing")
              if k in options}
    method, target = line.encode("latin-1").split(b" ")[:2]
    text = b"" if method == b"HEAD" else b"%s %s %d\n" % (method, target, len(body))
    Row(name, data, [Seen(line, body, **fields)],
        [Answer(200, text, method.decode("latin-1"), **(client or {}))], then, **options)


def served(name, data, status=200, body=b"hello", send=None, method="GET", then="open", **options):
    """The server answers so; the client sees that status and body."""
    fields = {k: options.pop(k) for k in ("has", "lacks", "order", "matches", "trailers", "framing",
                                          "interim", "closing", "cut") if k in options}
    sees = options.pop("sees", None) or Seen(f"{method} /case HTTP/1.1")
    Row(name, send or head(line=f"{method} /case HTTP/1.1"), [sees],
        [Answer(status, body, method, **fields)], then, answer=data, **options)


def bad(name, data, **options):
    """The server answers so; the client gets 502, keeps its connection, and that to the server is not used again."""
    options.setdefault("reuse", False)
    served(name, data, status=502, body=None, **options)


def cut(name, data, **options):
    """The answer ends too early or turns bad: whatever the client got of it must not look complete."""
    options.setdefault("then", "closed")
    served(name, data, body=None, cut=True, **options)


def ok(*fields, body=b"hello", status="200 OK", version="HTTP/1.1", length=True):
    """The bytes of a server's answer."""
    lines = [f"{version} {status}"] + ([f"Content-Length: {len(body)}"] if length else []) + list(fields)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


section("request line")

passed("plain", head())
passed("unknown_method", head(line="BREW /case HTTP/1.1"), line="BREW /case HTTP/1.1")
passed("lower_case_method_is_another", head(line="get /case HTTP/1.1"), line="get /case HTTP/1.1")
passed("method_of_all_tchars", head(line="!#$%&'*+-.^_`|~09az /case HTTP/1.1"),
       line="!#$%&'*+-.^_`|~09az /case HTTP/1.1")
passed("method_64_bytes", head(line="M" * 64 + " /case HTTP/1.1"), line="M" * 64 + " /case HTTP/1.1")
refused("method_65_bytes", 501, head(line="M" * 65 + " /case HTTP/1.1"))
refused("trace", 405, head(line="TRACE /case HTTP/1.1"), matches={"Allow": "(?=.*GET)(?=.*POST)(?!.*TRACE).*"})
refused("connect_authority", 405, head(line="CONNECT test:443 HTTP/1.1", host="test:443"))
refused("connect_path", 405, head(line="CONNECT /case HTTP/1.1"))
refused("double_space_before_target", 400, head(line="GET  /case HTTP/1.1"))
refused("double_space_before_version", 400, head(line="GET /case  HTTP/1.1"))
refused("leading_space", 400, head(line=" GET /case HTTP/1.1"))
refused("trailing_space", 400, head(line="GET /case HTTP/1.1 "))
refused("tab_before_target", 400, head(line="GET\t/case HTTP/1.1"))
refused("tab_before_version", 400, head(line="GET /case\tHTTP/1.1"))
refused("trailing_tab", 400, head(line="GET /case HTTP/1.1\t"))
refused("vertical_tab_as_space", 400, head(line="GET\x0b/case HTTP/1.1"))
refused("form_feed_as_space", 400, head(line="GET /case\x0cHTTP/1.1"))
refused("carriage_return_as_space", 400, head(line="GET\r/case HTTP/1.1"))
refused("nbsp_as_space", 400, head(line="GET\xa0/case HTTP/1.1"))
refused("nul_in_method", 400, head(line="G\0T /case HTTP/1.1"))
refused("nul_in_target", 400, head(line="GET /ca\0se HTTP/1.1"))
refused("del_in_target", 400, head(line="GET /ca\x7fse HTTP/1.1"))
refused("control_in_method", 400, head(line="GE\x01T /case HTTP/1.1"))
refused("separator_in_method", 400, head(line="GE(T /case HTTP/1.1"))
refused("colon_in_method", 400, head(line="GET: /case HTTP/1.1"))
refused("high_byte_in_method", 400, head(line="G\xc9T /case HTTP/1.1"))
refused("empty_method", 400, head(line=" /case HTTP/1.1"))
refused("no_target", 400, head(line="GET HTTP/1.1"))
refused("empty_target", 400, head(line="GET  HTTP/1.1"))
refused("no_version", 400, head(line="GET /case"))
refused("http09", 400, b"GET /case\r\n")
refused("method_alone", 400, head(line="GET"))
refused("four_words", 400, head(line="GET /case HTTP/1.1 HTTP/1.1"))
refused("space_in_target", 400, head(line="GET /ca se HTTP/1.1"))
refused("tls_client_hello", 400, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"x" * 40 + b"\r\n\r\n")
refused("field_as_first_line", 400, b"Host: test\r\n\r\n")
passed("one_empty_line_before", b"\r\n" + head())
passed("two_empty_lines_before", b"\r\n\r\n" + head())
refused("three_empty_lines_before", 400, b"\r\n\r\n\r\n" + head())
refused("bare_lf_line_before", 400, b"\n" + head())
refused("bare_cr_before", 400, b"\r" + head())
refused("blank_line_with_space_before", 400, b" \r\n" + head())
passed("empty_line_after_a_body", post("Content-Length: 3", body=b"abc") + b"\r\n",
       line="POST /case HTTP/1.1", body=b"abc")

section("target")

for name, target in {
        "quote": '/case"', "less": "/case<", "greater": "/case>", "backslash": "/case\\..", "caret": "/case^",
        "backtick": "/case`", "braces": "/case{a}", "pipe": "/case|", "square_brackets": "/case[1]",
        "percent_nul": "/case%00", "percent_slash": "/case%2f..%2F", "percent_upper_lower": "/case%aF%Fa",
        "percent_encoded_letters": "/%63ase", "bare_percent": "/case%", "percent_not_hex": "/case%zz",
        "percent_crlf": "/case%0d%0aX:1", "double_slash": "//case", "dot_dot": "/a/../case",
        "dot": "/./case", "semicolon": "/case;a=b", "empty_query": "/case?", "query": "/case?a=1&b=%20+",
        "query_in_query": "/case?a?b", "all_sub_delims": "/case!$&'()*+,;=:@-._~",
        "looks_absolute": "/http://other/case", "root": "/"}.items():
    passed(name, head(line=f"GET {target} HTTP/1.1"), line=f"GET {target} HTTP/1.1")
refused("fragment", 400, head(line="GET /case#x HTTP/1.1"))
refused("fragment_alone", 400, head(line="GET # HTTP/1.1"))
refused("high_byte", 400, head(line="GET /cas\xe9 HTTP/1.1"))
refused("utf8", 400, head(line="GET /cas\xc3\xa9 HTTP/1.1"))
refused("byte_80", 400, head(line="GET /case\x80 HTTP/1.1"))
refused("byte_ff", 400, head(line="GET /case\xff HTTP/1.1"))
refused("control_01", 400, head(line="GET /case\x01 HTTP/1.1"))
refused("control_1f", 400, head(line="GET /case\x1f HTTP/1.1"))
refused("escape_byte", 400, head(line="GET /case\x1b[0m HTTP/1.1"))
refused("no_slash", 400, head(line="GET case HTTP/1.1"))
refused("query_only", 400, head(line="GET ?case HTTP/1.1"))
refused("authority_form", 400, head(line="GET test:80 HTTP/1.1"))
refused("backslash_first", 400, head(line="GET \\case HTTP/1.1"))
refused("asterisk_with_get", 400, head(line="GET * HTTP/1.1"))
refused("asterisk_and_more", 400, head(line="OPTIONS *x HTTP/1.1"))
passed("asterisk_with_options", head(line="OPTIONS * HTTP/1.1"), line="OPTIONS * HTTP/1.1")
passed("options_with_path", head(line="OPTIONS /case HTTP/1.1"), line="OPTIONS /case HTTP/1.1")

section("absolute-form")

passed("http", head(line="GET http://test/case HTTP/1.1"), has={"Host": "test"})
passed("https", head(line="GET https://test/case HTTP/1.1"), has={"Host": "test"})
passed("scheme_any_case", head(line="GET HtTp://test/case HTTP/1.1"), has={"Host": "test"})
passed("host_any_case", head(line="GET http://TEST/case HTTP/1.1"), matches={"Host": "(?i:test)"})
passed("port", head(line="GET http://test:8080/case HTTP/1.1", host="test:8080"), has={"Host": "test:8080"})
passed("ipv6", head(line="GET http://[::1]:8080/case HTTP/1.1", host="[::1]:8080"),
       has={"Host": "[::1]:8080"})
passed("empty_path", head(line="GET http://test HTTP/1.1"), line="GET / HTTP/1.1")
passed("empty_path_with_query", head(line="GET http://test?case=1 HTTP/1.1"), line="GET /?case=1 HTTP/1.1")
passed("options_without_path", head(line="OPTIONS http://test HTTP/1.1"), line="OPTIONS * HTTP/1.1")
passed("http10_without_host", head(line="GET http://test/case HTTP/1.0", host=None), has={"Host": "test"},
       then="closed")
refused("other_host", 400, head(line="GET http://other/case HTTP/1.1"))
refused("other_port", 400, head(line="GET http://test:8081/case HTTP/1.1", host="test:8080"))
refused("no_host_field", 400, head(line="GET http://test/case HTTP/1.1", host=None))
refused("empty_host_field", 400, head(line="GET http://test/case HTTP/1.1", host=""))
refused("userinfo", 400, head(line="GET http://me@test/case HTTP/1.1"))
refused("userinfo_in_both", 400, head(line="GET http://me@test/case HTTP/1.1", host="me@test"))
refused("user_and_password", 400, head(line="GET http://me:pw@test/case HTTP/1.1"))
refused("empty_authority", 400, head(line="GET http:///case HTTP/1.1"))
refused("empty_authority_empty_host", 400, head(line="GET http:///case HTTP/1.1", host=""))
refused("port_without_host", 400, head(line="GET http://:80/case HTTP/1.1", host=":80"))
refused("port_65536", 400, head(line="GET http://test:65536/case HTTP/1.1", host="test:65536"))
refused("port_not_a_number", 400, head(line="GET http://test:8x/case HTTP/1.1", host="test:8x"))
refused("ftp", 400, head(line="GET ftp://test/case HTTP/1.1"))
refused("ws", 400, head(line="GET ws://test/case HTTP/1.1"))
refused("one_slash", 400, head(line="GET http:/test/case HTTP/1.1"))
refused("no_slashes", 400, head(line="GET http:test HTTP/1.1"))
refused("no_scheme", 400, head(line="GET ://test/case HTTP/1.1"))
refused("fragment", 400, head(line="GET http://test/case#x HTTP/1.1"))
refused("backslash_authority", 400, head(line="GET http://test\\other/case HTTP/1.1"))
refused("bad_byte_in_host", 400, head(line='GET http://te"st/case HTTP/1.1', host='te"st'))

section("version")

for minor in (2, 5, 9):
    passed(f"1_{minor}_is_sent_on_as_11", head(line=f"GET /case HTTP/1.{minor}"))
for name, version in {"2_0": "HTTP/2.0", "3_0": "HTTP/3.0", "0_9": "HTTP/0.9", "9_9": "HTTP/9.9"}.items():
    refused(name, 505, head(line=f"GET /case {version}"))
for name, version in {
        "lower_case": "http/1.1", "mixed_case": "Http/1.1", "two_digit_minor": "HTTP/1.10",
        "zero_before_major": "HTTP/01.1", "zero_before_minor": "HTTP/1.01", "no_minor": "HTTP/1",
        "dot_without_minor": "HTTP/1.", "comma": "HTTP/1,1", "no_dot": "HTTP/11", "no_slash": "HTTP 1.1",
        "other_name": "HTTPS/1.1", "shorter_name": "HTP/1.1", "backslash": "HTTP\\1.1", "sign": "HTTP/+1.1",
        "letter_after": "HTTP/1.1x", "space_inside": "HTTP/ 1.1", "three_numbers": "HTTP/1.1.1",
        "not_a_digit": "HTTP/1.x", "nul_after": "HTTP/1.1\0", "arabic_digit": "HTTP/1.\xd9\xa1"}.items():
    refused(name, 400, head(line=f"GET /case {version}"))
refused("http2_preface", (400, 505), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

section("host")

for name, host in {
        "name": "example.com", "port": "example.com:8080", "port_1": "a:1", "port_65535": "a:65535",
        "capitals": "EXAMPLE.Com", "underscore": "a_b.example", "trailing_dot": "example.com.", "digits": "1",
        "hyphen": "-a-", "ipv4": "192.0.2.1", "ipv4_port": "192.0.2.1:80", "ipv6": "[2001:db8::1]",
        "ipv6_port": "[2001:db8::1]:80", "ipv6_any": "[::]", "ipv6_mapped": "[::ffff:192.0.2.1]"}.items():
    passed("good_" + name, head(host=host), has={"Host": host})
passed("good_blanks_around", head("Host:  \ttest \t", host=None), has={"Host": "test"})
passed("good_no_blank", head("Host:test", host=None), has={"Host": "test"})
passed("good_any_case_of_name", head("hOsT: test", host=None), has={"Host": "test"})
passed("good_last", head("X-A: 1", "Host: test", host=None), has={"Host": "test", "X-A": "1"})
passed("empty_without_authority", head(host=""), matches={"Host": ".*"})
refused("missing", 400, head(host=None))
refused("two", 400, head("Host: other"))
refused("two_equal", 400, head("Host: test"))
refused("two_one_empty", 400, head("Host:"))
refused("two_case_differs", 400, head("hOST: test"))
refused("space_before_colon", 400, head("Host : test", host=None))
for name, host in {
        "space": "te st", "comma_space": "a, b", "slash": "a/b", "question": "a?b", "hash": "a#b", "at": "me@a",
        "backslash": "a\\b", "quote": 'a"b', "less": "a<b", "pipe": "a|b", "caret": "a^b", "brace": "a{b",
        "high": "caf\xe9", "tab": "a\tb", "control": "a\x01b", "nul": "a\0b", "del": "a\x7fb",
        "port_empty_host": ":80", "port_0": "a:0", "port_65536": "a:65536", "port_huge": "a:4294967376",
        "port_sign": "a:+80", "port_letters": "a:http", "port_trailing": "a:80a", "port_space": "a:8 0",
        "two_ports": "a:80:80", "ipv6_bare": "2001:db8::1", "ipv6_open": "[::1", "ipv6_close": "::1]",
        "ipv6_not_hex": "[::g]", "ipv6_too_long": "[1:2:3:4:5:6:7:8:9]", "ipv6_two_gaps": "[1::2::3]",
        "ipv6_holds_ipv4": "[192.0.2.1]", "ipv6_zone": "[fe80::1%eth0]", "ipv6_then_text": "[::1]a",
        "ipv6_empty": "[]", "scheme": "http://a", "percent_not_hex": "a%zz"}.items():
    refused("bad_" + name, 400, head(host=host))
refused("http10_two", 400, head("Host: other", line="GET /case HTTP/1.0"))
refused("http10_bad", 400, head(host="a/b", line="GET /case HTTP/1.0"))

section("field names")

for name, byte in {
        "paren_open": "(", "paren_close": ")", "comma": ",", "slash": "/", "semicolon": ";", "less": "<",
        "equals": "=", "greater": ">", "question": "?", "at": "@", "bracket_open": "[", "backslash": "\\",
        "bracket_close": "]", "brace_open": "{", "brace_close": "}", "quote": '"', "space": " ", "tab": "\t",
        "nul": "\0", "control_01": "\x01", "vertical_tab": "\x0b", "escape": "\x1b", "del": "\x7f",
        "high_80": "\x80", "high_ff": "\xff"}.items():
    refused("with_" + name, 400, head(f"X{byte}Y: 1"))
refused("space_before_colon", 400, head("X-A : 1"))
refused("tab_before_colon", 400, head("X-A\t: 1"))
refused("empty", 400, head(": 1"))
refused("colon_alone", 400, head(":"))
refused("line_without_colon", 400, head("X-A"))
refused("line_of_words", 400, head("this is no field"))
refused("cr_in_name", 400, head("X\rY: 1"))
refused("content_length_look_alike", 400, post("Content_Length: 5", body=b"hello"))
refused("transfer_encoding_look_alike", 400, post("Transfer_Encoding: chunked", body=b"0\r\n\r\n"))
refused("look_alike_any_case", 400, post("TRANSFER_encoding: chunked", body=b"0\r\n\r\n"))
refused("content_length_space_before_colon", 400, post("Content-Length : 5", body=b"hello"))
refused("transfer_encoding_space_before_colon", 400, post("Transfer-Encoding : chunked", body=b"0\r\n\r\n"))
refused("nul_in_content_length", 400, post("Content-Length\0: 5", body=b"hello"))
passed("underscore", head("X_A: 1"), has={"X_A": "1"})
passed("all_tchars", head("!#$%&'*+-.^_`|~09az: 1"), has={"!#$%&'*+-.^_`|~09az": "1"})
passed("one_letter", head("a: 1"), has={"a": "1"})
passed("long", head("X" * 300 + ": 1"), has={"X" * 300: "1"})
passed("same_name_twice", head("X-A: 1", "x-a: 2", "X-A: 3"), has={"X-A": ["1", "2", "3"]})
passed("order", head("B: 1", "A: 2", "D: 3", "C: 4", "A: 5"), order=["b", "a", "d", "c", "a"])

section("field values")

for name, byte in {
        "nul": "\0", "01": "\x01", "07": "\x07", "08": "\x08", "vertical_tab": "\x0b", "form_feed": "\x0c",
        "0e": "\x0e", "escape": "\x1b", "1f": "\x1f", "del": "\x7f", "cr": "\r"}.items():
    refused("control_" + name, 400, head(f"X-A: a{byte}b"))
refused("control_first", 400, head("X-A: \x01b"))
refused("control_last", 400, head("X-A: b\x01"))
refused("nul_last", 400, head("X-A: b\0"))
refused("fold_space", 400, head("X-A: a", " b"))
refused("fold_tab", 400, head("X-A: a", "\tb"))
refused("fold_blank_line", 400, head("X-A: a", " "))
refused("fold_of_host", 400, head("Host: te", " st", host=None))
refused("fold_empty_value", 400, head("X-A:", " b"))
refused("fold_first_line", 400, head(" X-A: a", host=None, line="GET /case HTTP/1.1\r\n Folded: 1"))
refused("first_field_starts_with_space", 400, head(" Host: test", host=None))
refused("first_field_starts_with_tab", 400, head("\tHost: test", host=None))
passed("obs_text", head("X-A: caf\xe9 \xff\x80"), has={"X-A": "caf\xe9 \xff\x80"})
passed("tab_inside", head("X-A: a\tb"), has={"X-A": "a\tb"})
passed("empty", head("X-A:", "X-B: 1"), has={"X-A": "", "X-B": "1"})
passed("blanks_only", head("X-A:  \t ", "X-B: 1"), has={"X-A": "", "X-B": "1"})
passed("blanks_trimmed", head("X-A: \t a b\t "), has={"X-A": "a b"})
passed("no_blank_after_colon", head("X-A:a"), has={"X-A": "a"})
passed("colons", head("X-A: :a:b:"), has={"X-A": ":a:b:"})
passed("quotes_and_commas", head('X-A: "a, b", c;q="\\""'), has={"X-A": '"a, b", c;q="\\""'})
passed("looks_like_a_field", head("X-A: Content-Length: 5"), has={"X-A": "Content-Length: 5"})
passed("long_value", head("X-A: " + "v" * 3000), has={"X-A": "v" * 3000})
passed("cookies_stay_apart", head("Cookie: a=1", "Cookie: b=2"), has={"Cookie": ["a=1", "b=2"]})

section("line ends")

refused("lf_after_request_line", 400, b"GET /case HTTP/1.1\nHost: test\r\n\r\n")
refused("lf_after_field", 400, b"GET /case HTTP/1.1\r\nHost: test\nX-A: 1\r\n\r\n")
refused("lf_for_empty_line", 400, b"GET /case HTTP/1.1\r\nHost: test\r\n\n")
refused("lf_everywhere", 400, b"GET /case HTTP/1.1\nHost: test\n\n")
refused("lf_lf_in_value", 400, head("X-A: 1\n\nGET /smuggled HTTP/1.1\r\nHost: test"))
refused("cr_everywhere", 400, b"GET /case HTTP/1.1\rHost: test\r\r", follow=SMUGGLED)
refused("cr_cr_lf_after_request_line", 400, b"GET /case HTTP/1.1\r\r\nHost: test\r\n\r\n")
refused("cr_cr_lf_after_field", 400, b"GET /case HTTP/1.1\r\nHost: test\r\r\n\r\n")
refused("cr_cr_lf_for_empty_line", 400, b"GET /case HTTP/1.1\r\nHost: test\r\n\r\r\n")
refused("cr_then_byte_for_empty_line", 400, b"GET /case HTTP/1.1\r\nHost: test\r\n\rX\r\n\r\n")
refused("lf_cr", 400, b"GET /case HTTP/1.1\n\rHost: test\n\r\n\r")
refused("lf_in_field_name", 400, head("X\nY: 1"))
refused("lf_after_colon", 400, head("X-A:\n1"))

section("content-length")

passed("plain", post("Content-Length: 5", body=b"hello"), line="POST /case HTTP/1.1", body=b"hello",
       has={"Content-Length": "5"}, lacks=["Transfer-Encoding"])
passed("leading_zeros_regenerated", post("Content-Length: 005", body=b"hello"), line="POST /case HTTP/1.1",
       body=b"hello", has={"Content-Length": "5"})
passed("18_digits", post("Content-Length: 000000000000000005", body=b"hello"), line="POST /case HTTP/1.1",
       body=b"hello", has={"Content-Length": "5"})
passed("blanks_around", post("Content-Length: \t5 \t", body=b"hello"), line="POST /case HTTP/1.1",
       body=b"hello", has={"Content-Length": "5"})
passed("zero", post("Content-Length: 0"), line="POST /case HTTP/1.1", has={"Content-Length": "0"})
passed("zeros", post("Content-Length: 000"), line="POST /case HTTP/1.1", has={"Content-Length": "0"})
passed("any_case_of_name", post("cONTENT-lENGTH: 5", body=b"hello"), line="POST /case HTTP/1.1", body=b"hello")
passed("body_with_get", head("Content-Length: 5") + b"hello", body=b"hello", has={"Content-Length": "5"})
passed("body_with_delete", head("Content-Length: 5", line="DELETE /case HTTP/1.1") + b"hello",
       line="DELETE /case HTTP/1.1", body=b"hello")
passed("body_looks_like_a_request", post(f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED),
       line="POST /case HTTP/1.1", body=SMUGGLED)
passed("post_without_length", post(), line="POST /case HTTP/1.1", lacks=["Transfer-Encoding"])
passed("body_of_all_bytes", post("Content-Length: 256", body=bytes(range(256))),
       line="POST /case HTTP/1.1", body=bytes(range(256)))
for name, value in {
        "plus": "+5", "minus": "-5", "minus_zero": "-0", "hex": "0x5", "hex_letter": "a", "decimal": "5.0",
        "exponent": "5e0", "trailing_letter": "5a", "inner_space": "0 5", "list": "5, 5", "list_differs": "5, 6",
        "list_tight": "5,5", "trailing_comma": "5,", "leading_comma": ",5", "empty": "", "quoted": '"5"',
        "semicolon": "5;", "underscore": "1_0", "nbsp": "\xa05", "arabic": "\xd9\xa5", "nul": "5\0",
        "vertical_tab": "5\x0b", "control_first": "\x0b5", "2_to_64": "18446744073709551616",
        "2_to_64_and_5": "18446744073709551621", "2_to_32_and_5_wide": "000000000000004294967301",
        "19_digits": "0000000000000000005", "1000_digits": "0" * 999 + "5", "word": "five"}.items():
    refused("bad_" + name, 400, post(f"Content-Length: {value}", body=b"hello"))
refused("two_equal", 400, post("Content-Length: 5", "Content-Length: 5", body=b"hello"))
refused("two_different", 400, post("Content-Length: 5", "Content-Length: 0", body=b"hello"))
refused("two_different_other_order", 400, post("Content-Length: 0", "Content-Length: 5", body=b"hello"))
refused("two_apart", 400, post("Content-Length: 5", "X-A: 1", "content-length: 5", body=b"hello"))
refused("folded", 400, post("Content-Length:", " 5", body=b"hello"))
refused("bad_with_get", 400, head("Content-Length: x"))
refused("two_with_get", 400, head("Content-Length: 0", "Content-Length: 0"))

section("transfer-encoding")

HELLO = b"5\r\nhello\r\n0\r\n\r\n"
for name, value in {"plain": "chunked", "capitals": "CHUNKED", "mixed": "cHuNkEd"}.items():
    passed(name, post(f"Transfer-Encoding: {value}", body=HELLO), line="POST /case HTTP/1.1", body=b"hello",
           framing="chunked", has={"Transfer-Encoding": "chunked"}, lacks=["Content-Length"])
passed("blanks_around", post("Transfer-Encoding: \tchunked \t", body=HELLO), line="POST /case HTTP/1.1",
       body=b"hello", has={"Transfer-Encoding": "chunked"})
passed("with_get", head("Transfer-Encoding: chunked") + HELLO, body=b"hello")
passed("http12", post("Transfer-Encoding: chunked", body=HELLO, line="POST /case HTTP/1.2"),
       line="POST /case HTTP/1.1", body=b"hello")
passed("empty_body", post("Transfer-Encoding: chunked", body=b"0\r\n\r\n"), line="POST /case HTTP/1.1")
for name, value in {
        "trailing_comma": "chunked,", "leading_comma": ",chunked", "empty": "", "blanks": " \t ",
        "control_first": "\x0bchunked", "control_last": "chunked\x0b", "nul": "chunked\0",
        "comma_alone": ","}.items():
    refused("bad_" + name, 400, post(f"Transfer-Encoding: {value}", body=HELLO))
for name, value in {
        "twice_in_list": "chunked, chunked", "gzip_chunked": "gzip, chunked", "chunked_gzip": "chunked, gzip",
        "identity_chunked": "identity, chunked", "chunked_identity": "chunked, identity",
        "parameter": "chunked;q=1", "quoted": '"chunked"', "two_words": "chunked chunked",
        "prefix": "xchunked", "suffix": "chunkedx", "nbsp": "\xa0chunked", "identity": "identity",
        "semicolon": "chunked;", "half": "chunk"}.items():
    refused("other_" + name, (400, 501), post(f"Transfer-Encoding: {value}", body=HELLO))
refused("gzip", 501, post("Transfer-Encoding: gzip", body=HELLO))
refused("unknown", 501, post("Transfer-Encoding: foo", body=HELLO))
refused("two_fields", 400, post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=HELLO))
refused("two_fields_identity_first", (400, 501),
        post("Transfer-Encoding: identity", "Transfer-Encoding: chunked", body=HELLO))
refused("two_fields_chunked_first", (400, 501),
        post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=HELLO))
refused("cl_te", 400, post("Content-Length: 5", "Transfer-Encoding: chunked", body=HELLO))
refused("te_cl", 400, post("Transfer-Encoding: chunked", "Content-Length: 15", body=HELLO))
refused("cl_zero_te", 400, post("Content-Length: 0", "Transfer-Encoding: chunked", body=HELLO))
refused("cl_unknown_te", (400, 501), post("Content-Length: 5", "Transfer-Encoding: foo", body=b"hello"))
refused("http10", 400, post("Transfer-Encoding: chunked", body=HELLO, line="POST /case HTTP/1.0"))
refused("http10_keep_alive", 400, post("Connection: keep-alive", "Transfer-Encoding: chunked", body=HELLO,
                                       line="POST /case HTTP/1.0"))
refused("http10_cl_te", 400, post("Content-Length: 5", "Transfer-Encoding: chunked", body=HELLO,
                                  line="POST /case HTTP/1.0"))
refused("folded", 400, post("Transfer-Encoding:", " chunked", body=HELLO))
refused("hidden_by_connection", 400, post("Connection: Transfer-Encoding", "Content-Length: 5",
                                          "Transfer-Encoding: chunked", body=HELLO))
passed("named_by_connection_still_counts", post("Connection: Transfer-Encoding", "Transfer-Encoding: chunked",
                                                body=HELLO), line="POST /case HTTP/1.1", body=b"hello")

section("chunks")

POST = "POST /case HTTP/1.1"
for name, (data, body) in {
        "two": (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        "upper_hex": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        "lower_hex": (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        "leading_zeros": (b"0005\r\nhello\r\n0000\r\n\r\n", b"hello"),
        "16_digits": (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
        "data_of_crlf": (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
        "data_looks_like_last_chunk": (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        "data_looks_like_a_request": (b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), SMUGGLED),
        "many_small": (b"1\r\nx\r\n" * 100 + b"0\r\n\r\n", b"x" * 100),
        "one_large": (b"4000\r\n" + b"y" * 0x4000 + b"\r\n0\r\n\r\n", b"y" * 0x4000),
        "extension": (b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
        "extension_without_value": (b"5;a\r\nhello\r\n0;b\r\n\r\n", b"hello"),
        "extension_quoted": (b'5;a="x;y"\r\nhello\r\n0\r\n\r\n', b"hello"),
        "extensions": (b"5;a=b;c;d=e\r\nhello\r\n0\r\n\r\n", b"hello"),
        "extension_of_256": (b"5;" + b"e" * 255 + b"\r\nhello\r\n0\r\n\r\n", b"hello")}.items():
    passed(name, chunked(data), line=POST, body=body, framing="chunked", lacks=["Content-Length"])
for name, data in {
        "plus": b"+5\r\nhello\r\n0\r\n\r\n", "minus": b"-5\r\nhello\r\n0\r\n\r\n",
        "hex_prefix": b"0x5\r\nhello\r\n0\r\n\r\n", "leading_space": b" 5\r\nhello\r\n0\r\n\r\n",
        "trailing_space": b"5 \r\nhello\r\n0\r\n\r\n", "trailing_tab": b"5\t\r\nhello\r\n0\r\n\r\n",
        "space_before_extension": b"5 ;a=b\r\nhello\r\n0\r\n\r\n", "empty_size": b"\r\nhello\r\n0\r\n\r\n",
        "extension_alone": b";a=b\r\nhello\r\n0\r\n\r\n", "not_hex": b"g\r\nhello\r\n0\r\n\r\n",
        "letter_after": b"5g\r\nhello\r\n0\r\n\r\n", "underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
        "comma": b"5,5\r\nhello\r\n0\r\n\r\n", "dot": b"5.\r\nhello\r\n0\r\n\r\n",
        "nul": b"5\0\r\nhello\r\n0\r\n\r\n", "high_byte": b"\xd9\xa5\r\nhello\r\n0\r\n\r\n",
        "17_digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
        "2_to_64_and_5": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        "2_to_32_and_5_of_17": b"00000000100000005\r\nhello\r\n0\r\n\r\n",
        "lf_after_size": b"5\nhello\r\n0\r\n\r\n", "cr_after_size": b"5\rhello\r\n0\r\n\r\n",
        "cr_cr_lf_after_size": b"5\r\r\nhello\r\n0\r\n\r\n", "lf_after_data": b"5\r\nhello\n0\r\n\r\n",
        "cr_after_data": b"5\r\nhello\r0\r\n\r\n", "nothing_after_data": b"5\r\nhello0\r\n\r\n",
        "data_too_long": b"5\r\nhellox\r\n0\r\n\r\n", "data_too_short": b"6\r\nhello\r\n0\r\n\r\n",
        "lf_after_last_chunk": b"5\r\nhello\r\n0\n\r\n", "lf_for_last_line": b"5\r\nhello\r\n0\r\n\n",
        "cr_for_last_line": b"5\r\nhello\r\n0\r\n\rX", "last_chunk_lf_lf": b"5\r\nhello\r\n0\n\n",
        "lf_in_extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n", "cr_in_extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        "control_in_extension": b"5;a=\x01\r\nhello\r\n0\r\n\r\n",
        "nul_in_extension": b"5;a=\0\r\nhello\r\n0\r\n\r\n",
        "extension_lf_only": b"5;a\nhello\r\n0\r\n\r\n",
        "extension_of_300": b"5;" + b"e" * 299 + b"\r\nhello\r\n0\r\n\r\n",
        "extensions_of_20k_together": (b"1;" + b"e" * 250 + b"\r\nx\r\n") * 80 + b"0\r\n\r\n",
        "endless_size": b"0" * 400, "second_chunk_bad": b"5\r\nhello\r\nx\r\n0\r\n\r\n",
        "no_chunks_at_all": b"hello"}.items():
    broken("bad_" + name, 400, chunked(data))
broken("size_of_16_f", (400, 413), chunked(b"FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"))
broken("size_of_2_to_63", (400, 413), chunked(b"8000000000000000\r\nhello\r\n0\r\n\r\n"))
broken("above_body_limit", 413, chunked(b"10001\r\n" + b"x" * 0x10001 + b"\r\n0\r\n\r\n"))
broken("above_body_limit_in_small_ones", 413, chunked((b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 17
                                                      + b"0\r\n\r\n"))

section("trailers")

passed("reach_the_server", chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-More: a b\r\n\r\n", "Trailer: X-Sum"),
       line=POST, body=b"hello", trailers=[(b"X-Sum", b"1"), (b"X-More", b"a b")], lacks=["X-Sum", "X-More"])
passed("blanks_trimmed", chunked(b"0\r\nX-Sum: \t1 \r\n\r\n"), line=POST, trailers=[(b"X-Sum", b"1")])
for name, field in {
        "content_length": "Content-Length: 50", "transfer_encoding": "Transfer-Encoding: chunked",
        "host": "Host: other", "connection": "Connection: close", "authorization": "Authorization: Basic eA==",
        "x_forwarded_for": "X-Forwarded-For: 192.0.2.9", "forwarded": "Forwarded: for=192.0.2.9",
        "cookie": "Cookie: a=1", "te": "TE: trailers", "upgrade": "Upgrade: websocket",
        "trailer": "Trailer: X-A", "keep_alive": "Keep-Alive: 5", "expect": "Expect: 100-continue"}.items():
    passed("forbidden_" + name, chunked(b"5\r\nhello\r\n0\r\nX-A: 1\r\n" + field.encode() + b"\r\n\r\n"), line=POST,
           body=b"hello", trailers=[(b"X-A", b"1")])
for name, data in {
        "no_colon": b"X-Sum\r\n\r\n", "empty_name": b": 1\r\n\r\n", "space_before_colon": b"X-Sum : 1\r\n\r\n",
        "bad_name": b"X(Sum: 1\r\n\r\n", "control": b"X-Sum: \x01\r\n\r\n", "nul": b"X-Sum: a\0\r\n\r\n",
        "fold": b"X-Sum: 1\r\n 2\r\n\r\n", "lf": b"X-Sum: 1\n\r\n", "lf_for_last_line": b"X-Sum: 1\r\n\n",
        "cr": b"X-Sum: 1\r\r\n\r\n", "starts_with_space": b" X-Sum: 1\r\n\r\n",
        "too_large": b"X-Sum: " + b"v" * 9000 + b"\r\n\r\n",
        "too_many_bytes": b"X-Sum: vvvvvvvvv\r\n" * 600 + b"\r\n",
        "forbidden_name_bad_value": b"Content-Length: \x01\r\n\r\n"}.items():
    broken("bad_" + name, 400, chunked(b"5\r\nhello\r\n0\r\n" + data))

section("hop-by-hop")

passed("listed_field", head("Connection: X-Secret", "X-Secret: 1", "X-Other: 2"), lacks=["X-Secret"],
       has={"X-Other": "2"})
passed("listed_any_case", head("Connection: x-sECRET", "X-Secret: 1"), lacks=["X-Secret"])
passed("listed_before_connection", head("X-Secret: 1", "Connection: X-Secret"), lacks=["X-Secret"])
passed("several_listed", head("Connection: X-A, X-B ,\tX-C", "X-A: 1", "X-B: 1", "X-C: 1", "X-D: 1"),
       lacks=["X-A", "X-B", "X-C"], has={"X-D": "1"})
passed("several_connection_fields", head("Connection: X-A", "X-A: 1", "X-B: 1", "Connection: X-B"),
       lacks=["X-A", "X-B"])
passed("empty_list_elements", head("Connection: ,, X-A ,", "X-A: 1"), lacks=["X-A"])
passed("listed_twice_present", head("Connection: X-A", "X-A: 1", "x-a: 2"), lacks=["X-A"])
passed("listed_close_and_field", head("Connection: close, X-A", "X-A: 1"), lacks=["X-A"], then="closed",
       client={"closing": True})
passed("host_cannot_be_listed", head("Connection: Host"), has={"Host": "test"})
passed("content_length_cannot_be_listed", post("Connection: Content-Length", "Content-Length: 5", body=b"hello"),
       line=POST, body=b"hello", has={"Content-Length": "5"})
passed("x_forwarded_cannot_be_listed",
       head("Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host"),
       has={"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "test"})
passed("forwarded_cannot_be_listed", head("Connection: Forwarded"), listener=RFC7239,
       matches={"Forwarded": ".*for=127\\.0\\.0\\.1.*"})
passed("via_cannot_be_listed", head("Connection: Via", "Via: 1.0 fred"), matches={"Via": "1\\.0 fred, 1\\.1 \\S+"})
passed("keep_alive_dropped", head("Keep-Alive: timeout=5, max=100"), lacks=["Keep-Alive"])
passed("proxy_connection_dropped", head("Proxy-Connection: keep-alive"), lacks=["Proxy-Connection"])
passed("proxy_connection_close_means_nothing", head("Proxy-Connection: close"), lacks=["Proxy-Connection"])
passed("connection_of_absent_fields", head("Connection: X-A, X-B"), lacks=["X-A", "X-B"])
passed("te_dropped", head("TE: gzip;q=0.5", "Connection: TE"), lacks=["TE"])
passed("te_trailers_stays", head("TE: trailers", "Connection: TE"), has={"TE": "trailers"})
passed("te_list_with_trailers", head("TE: gzip, trailers", "Connection: TE"), has={"TE": "trailers"})
passed("upgrade_dropped", head("Upgrade: foo", "Connection: upgrade"), lacks=["Upgrade", "Connection"])
passed("close", head("Connection: close"), then="closed", client={"closing": True})
passed("close_any_case", head("Connection: CLOSE"), then="closed", client={"closing": True})
passed("close_wins_in_list", head("Connection: keep-alive, close"), then="closed", client={"closing": True})
passed("close_wins_first", head("Connection: close, keep-alive"), then="closed", client={"closing": True})
passed("close_wins_in_second_field", head("Connection: keep-alive", "Connection: close"), then="closed",
       client={"closing": True})
passed("close_wins_among_blanks", head("Connection: foo ,\t close\t"), then="closed", client={"closing": True})
passed("close_is_not_a_part_of_a_word", head("Connection: closed"), then="open")
passed("end_to_end_stays", head("Authorization: Basic eA==", "Range: bytes=0-1", "Accept-Encoding: gzip",
                                "If-None-Match: \"x\"", "Origin: null"),
       has={"Authorization": "Basic eA==", "Range": "bytes=0-1", "Accept-Encoding": "gzip",
            "If-None-Match": '"x"', "Origin": "null"})

section("upgrade")

WEBSOCKET = ["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
passed("h2c_never_forwarded", head("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
       lacks=["Upgrade", "HTTP2-Settings", "Connection"])
passed("without_connection", head(*WEBSOCKET), lacks=["Upgrade"],
       has={"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
passed("with_post", post("Connection: upgrade", *WEBSOCKET, "Content-Length: 0"), line=POST, lacks=["Upgrade"])
passed("with_http10", head("Connection: upgrade", *WEBSOCKET, line="GET /case HTTP/1.0"), lacks=["Upgrade"],
       then="closed")
passed("asked_and_not_granted", head("Connection: Upgrade", *WEBSOCKET), has={"Upgrade": "websocket"},
       matches={"Connection": "(?i:upgrade)"})
passed("any_case", head("Connection: UPGRADE", "Upgrade: WebSocket"), matches={"Upgrade": "(?i:websocket)"})
passed("tls", head("Connection: Upgrade", "Upgrade: TLS/1.0"), lacks=["Upgrade", "Connection"])
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"
ASKS = head("Connection: Upgrade", *WEBSOCKET)
bad("101_unasked", SWITCH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", send=head())
bad("101_unasked_by_post", SWITCH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    send=post("Connection: Upgrade", *WEBSOCKET, "Content-Length: 0"), sees=Seen(POST))
bad("101_other_protocol", SWITCH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", send=ASKS)
bad("101_without_upgrade", SWITCH + b"\r\n", send=ASKS)
served("200_is_plain_http", ok(), send=ASKS)
served("403_is_plain_http", ok(status="403 Forbidden"), status=403, send=ASKS)
served("426_is_plain_http", ok("Upgrade: websocket", status="426 Upgrade Required"), status=426)
served("answer_offers_h2c", ok("Upgrade: h2c", "Connection: upgrade"), lacks=["Upgrade"])

section("expect")

passed("100_continue_with_the_body_at_once", post("Expect: 100-continue", "Content-Length: 5", body=b"hello"),
       line=POST, body=b"hello", client={"interim": ANY})
passed("100_continue_any_case", post("Expect: 100-Continue", "Content-Length: 5", body=b"hello"), line=POST,
       body=b"hello", client={"interim": ANY})
passed("100_continue_without_a_body", head("Expect: 100-continue"), client={"interim": ANY}, then="any")
passed("100_continue_from_http10", post("Expect: 100-continue", "Content-Length: 5", body=b"hello",
                                        line="POST /case HTTP/1.0"), line=POST, body=b"hello", then="closed")
passed("100_continue_chunked", chunked(HELLO, "Expect: 100-continue"), line=POST, body=b"hello",
       client={"interim": ANY})
refused("other", 417, post("Expect: 200-ok", "Content-Length: 5", body=b"hello"))
refused("and_other", 417, post("Expect: 100-continue, x", "Content-Length: 5", body=b"hello"))
refused("misspelt", 417, post("Expect: 100-continued", "Content-Length: 5", body=b"hello"))
refused("parameter", 417, post("Expect: 100-continue;a=b", "Content-Length: 5", body=b"hello"))
refused("two_fields", 417, post("Expect: 100-continue", "Expect: x", "Content-Length: 5", body=b"hello"))

section("pipelining")


def pipeline(name, requests, sees, then="open", refusal=None, **options):
    """Requests in one go, answered in order."""
    answers = []
    for s in sees:
        method, target = s.line.split(b" ")[:2]
        body = b"" if method == b"HEAD" else b"%s %s %d\n" % (method, target, len(s.body))
        answers.append(Answer(200, body, method.decode()))
    if refusal:
        answers.append(Answer(refusal, closing=True))
        then = "closed"
    Row(name, b"".join(requests), sees, answers, then, **options)


def get(target):
    return head(line=f"GET {target} HTTP/1.1")


def seen(*targets):
    return [Seen(f"GET {t} HTTP/1.1") for t in targets]


pipeline("two", [get("/1"), get("/2")], seen("/1", "/2"))
pipeline("twenty", [get(f"/{i}") for i in range(20)], seen(*[f"/{i}" for i in range(20)]))
pipeline("empty_line_between", [get("/1"), b"\r\n", get("/2")], seen("/1", "/2"))
pipeline("after_a_body", [post("Content-Length: 5", body=b"hello"), get("/2")], [Seen(POST, b"hello")] + seen("/2"))
pipeline("after_a_chunked_body", [chunked(HELLO), get("/2")], [Seen(POST, b"hello")] + seen("/2"))
pipeline("after_chunked_trailers", [chunked(b"0\r\nX-A: 1\r\n\r\n"), get("/2")], [Seen(POST)] + seen("/2"))
pipeline("after_head", [head(line="HEAD /1 HTTP/1.1"), get("/2")], [Seen("HEAD /1 HTTP/1.1")] + seen("/2"))
pipeline("bodies_in_a_row", [post("Content-Length: 3", body=b"abc")] * 3, [Seen(POST, b"abc")] * 3)
pipeline("nothing_after_close", [head("Connection: close"), SMUGGLED], [Seen()], then="closed")
pipeline("nothing_after_http10", [head(line="GET /case HTTP/1.0"), SMUGGLED], [Seen()], then="closed")
pipeline("error_after_a_good_one", [get("/1"), head(host=None), SMUGGLED], seen("/1"), refusal=400)
pipeline("error_after_three", [get("/1"), get("/2"), get("/3"), b"\0\r\n\r\n", SMUGGLED], seen("/1", "/2", "/3"),
         refusal=400)
pipeline("cl_te_after_a_good_one", [get("/1"), post("Content-Length: 5", "Transfer-Encoding: chunked", body=HELLO),
                                    SMUGGLED], seen("/1"), refusal=400)
pipeline("expectation_failed_after_a_good_one", [get("/1"), post("Expect: x", "Content-Length: 5", body=b"hello"),
                                                 SMUGGLED], seen("/1"), refusal=417)
pipeline("version_505_after_a_good_one", [get("/1"), head(line="GET / HTTP/2.0"), SMUGGLED], seen("/1"), refusal=505)
pipeline("options_asterisk_among", [get("/1"), head(line="OPTIONS * HTTP/1.1"), get("/3")],
         seen("/1") + [Seen("OPTIONS * HTTP/1.1")] + seen("/3"))

section("limits")


def sized(size, line=LINE):
    """A head of exactly that many bytes."""
    empty = head("X-A: ", line=line)
    return head("X-A: " + "v" * (size - len(empty)), line=line)


passed("head_of_4096", sized(4096))
refused("head_of_4097", 431, sized(4097))
refused("head_of_20000", 431, sized(20000))
refused("head_without_end", 431, head("X-A: " + "v" * 5000)[:-4], follow=b"")
refused("head_without_line_end_in_small_fields", 431, head(*[f"X-{i}: {'v' * 300}" for i in range(15)])[:-4],
        follow=b"")
passed("32_fields", head(*[f"X-{i}: v" for i in range(31)]), has={"X-30": "v"})
refused("33_fields", 431, head(*[f"X-{i}: v" for i in range(32)]))
refused("100_fields", 431, head(*[f"X-{i}: v" for i in range(100)]))
passed("target_of_2048", head(line="GET /" + "t" * 2047 + " HTTP/1.1"), line="GET /" + "t" * 2047 + " HTTP/1.1")
refused("target_of_2049", 414, head(line="GET /" + "t" * 2048 + " HTTP/1.1"))
refused("target_longer_than_a_head", (414, 431), head(line="GET /" + "t" * 6000 + " HTTP/1.1"))
refused("target_without_end", (414, 431), b"GET /" + b"t" * 5000, follow=b"")
refused("method_without_end", 501, b"M" * 5000, follow=b"")
refused("body_above_limit", 413, post("Content-Length: 65537", body=b"x" * 1000))
refused("body_far_above_limit", 413, post("Content-Length: 999999999999999999", body=b"x" * 1000))
passed("body_at_limit", post("Content-Length: 65536", body=b"x" * 65536), line=POST, body=b"x" * 65536)
refused("body_above_limit_with_expect", 413, post("Expect: 100-continue", "Content-Length: 65537"))
refused("default_head_of_33_kib", 431, sized(33 * 1024), profile="defaults")
passed("default_head_of_32_kib", sized(32 * 1024), profile="defaults")
passed("default_target_of_16_kib", head(line="GET /" + "t" * 16383 + " HTTP/1.1"),
       line="GET /" + "t" * 16383 + " HTTP/1.1", profile="defaults")
refused("default_target_above_16_kib", 414, head(line="GET /" + "t" * 16384 + " HTTP/1.1"), profile="defaults")
passed("default_128_fields", head(*[f"X-{i}: v" for i in range(127)]), profile="defaults")
refused("default_129_fields", 431, head(*[f"X-{i}: v" for i in range(128)]), profile="defaults")
refused("default_method_of_100", 501, head(line="M" * 100 + " /case HTTP/1.1"), profile="defaults")
passed("default_body_of_1_mib", post("Content-Length: 1048576", body=b"x" * 1048576), line=POST,
       body=b"x" * 1048576, profile="defaults", both=False)
passed("largest_head", sized(60 * 1024), profile="largest")
refused("above_largest_head", 431, sized(60 * 1024 + 1), profile="largest")
passed("largest_target", head(line="GET /" + "t" * 61000 + " HTTP/1.1"), line="GET /" + "t" * 61000 + " HTTP/1.1",
       profile="largest")
passed("largest_number_of_fields", head(*[f"X-{i}: v" for i in range(255)]), profile="largest")
refused("above_largest_number_of_fields", 431, head(*[f"X-{i}: v" for i in range(256)]), profile="largest")
passed("largest_head_of_colons", head(*[f"{i:03}:" for i in range(255)]), profile="largest")

section("slow")


def late(name, data, status=408, drip=b"", broken_off=False, **options):
    Row(name, data, [], [Answer(status, closing=True)] if status else [], "closed", drip=drip,
        broken=broken_off, profile="slow", both=False, **options)


late("half_a_request_line", b"GET /ca")
late("half_a_field", b"GET /case HTTP/1.1\r\nHost: te")
late("all_but_the_last_byte", head()[:-1])
late("one_empty_line", b"\r\n")
late("head_that_drips", b"GET /case HTTP/1.1\r\nHost: test\r\nX-Drip: ", drip=b"d")
late("head_that_drips_fields", b"GET /case HTTP/1.1\r\nHost: test\r\n", drip=b"X: y\r\n")
late("body_that_stops", post("Content-Length: 10", body=b"hello"), broken_off=True)
late("body_that_never_starts", post("Content-Length: 10"), broken_off=True)
late("chunk_that_stops", chunked(b"5\r\nhe"), broken_off=True)
late("chunk_size_that_stops", chunked(b"5\r\nhello\r\n5"), broken_off=True)
late("trailers_that_stop", chunked(b"5\r\nhello\r\n0\r\nX-A: 1\r\n"), broken_off=True)
late("nothing_sent_at_all", b"", status=None)
pipeline("second_head_that_stops", [get("/1"), b"GET /2 HT"], seen("/1"), refusal=408, profile="slow", both=False)
pipeline("idle_after_an_answer", [get("/1")], seen("/1"), then="closed", profile="slow", both=False)

section("half-close")

passed("after_a_request", head(), half_close=True, then="closed")
passed("after_a_body", post("Content-Length: 5", body=b"hello"), line=POST, body=b"hello", half_close=True,
       then="closed")
passed("after_a_chunked_body", chunked(HELLO), line=POST, body=b"hello", half_close=True, then="closed")
pipeline("after_pipelined_requests", [get("/1"), get("/2"), get("/3")], seen("/1", "/2", "/3"), then="closed",
         half_close=True)
served("before_an_answer_that_close_delimits", ok(length=False), after="close", half_close=True, then="closed")


def gone(name, data, **options):
    """The client ends in the middle: whatever lbd says, no complete request arrives."""
    Row(name, data, [], [], "ends", half_close=True, broken=True, **options)


gone("at_once", b"")
gone("within_the_request_line", b"GET /ca")
gone("within_the_head", head()[:-2])
gone("within_the_last_crlf", head()[:-1])
gone("within_a_body", post("Content-Length: 10", body=b"hello"))
gone("before_a_body", post("Content-Length: 10"))
gone("within_a_chunk", chunked(b"5\r\nhel"))
gone("before_the_last_chunk", chunked(b"5\r\nhello\r\n"))
gone("within_the_last_chunk", chunked(b"5\r\nhello\r\n0\r\n"))
gone("within_trailers", chunked(b"5\r\nhello\r\n0\r\nX-A: 1\r\n"))

section("http/1.0")

GET10 = "GET /case HTTP/1.0"
passed("closes", head(line=GET10), then="closed")
passed("is_sent_on_as_11_with_host", head(line=GET10, host=None), then="closed", matches={"Host": "[!-~]+"})
passed("keep_alive", head("Connection: keep-alive", line=GET10), then="open",
       client={"matches": {"Connection": "(?i:keep-alive)"}})
passed("keep_alive_and_close", head("Connection: keep-alive, close", line=GET10), then="closed")
passed("post", post("Content-Length: 5", body=b"hello", line="POST /case HTTP/1.0"), line=POST, body=b"hello",
       then="closed")
refused("get_with_body", 413, head("Content-Length: 5", line=GET10) + b"hello")
served("chunks_are_taken_off", ok("Transfer-Encoding: chunked", body=HELLO, length=False), send=head(line=GET10),
       lacks=["Transfer-Encoding"], framing="close", then="closed")
served("chunks_are_taken_off_with_keep_alive", ok("Transfer-Encoding: chunked", body=HELLO, length=False),
       send=head("Connection: keep-alive", line=GET10), lacks=["Transfer-Encoding"], framing="close",
       then="closed")
served("trailers_are_taken_off", ok("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
                                    length=False), send=head(line=GET10), framing="close", then="closed")
served("interim_answers_are_dropped", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok(), send=head(line=GET10),
       then="closed")
served("close_delimited", ok(length=False), after="close", send=head(line=GET10), framing="close", then="closed")
cut("chunks_that_break_off", ok("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n", length=False), after="close",
    send=head(line=GET10), then="any")

section("forwarded")

FORGED = ["X-Forwarded-For: 192.0.2.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: forged",
          "Forwarded: for=192.0.2.9;proto=https"]
OWN = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "test"}
passed("set_by_default", head(), has=OWN, lacks=["Forwarded"])
passed("forged_are_replaced", head(*FORGED), has=OWN, lacks=["Forwarded"])
passed("forged_twice_are_replaced", head(*FORGED, *FORGED), has=OWN, lacks=["Forwarded"])
passed("forged_in_lower_case", head(*[f.lower() for f in FORGED]), has=OWN, lacks=["Forwarded"])
passed("forged_empty", head("X-Forwarded-For:"), has=OWN)
passed("host_with_port", head(host="test:8080"), has={"X-Forwarded-Host": "test:8080", "Host": "test:8080"})
passed("another_network_is_trusted", head(*FORGED), has=OWN, lacks=["Forwarded"], listener=TRUSTING_OTHERS)
passed("trusted_none_sent", head(), has=OWN, listener=TRUSTING)
passed("trusted_are_extended", head(*FORGED[:3]), listener=TRUSTING,
       has={"X-Forwarded-For": "192.0.2.9, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "forged"})
passed("trusted_list_is_extended", head("X-Forwarded-For: 192.0.2.9, 2001:db8::1"), listener=TRUSTING,
       has={"X-Forwarded-For": "192.0.2.9, 2001:db8::1, 127.0.0.1"})
passed("trusted_fields_are_extended_in_order", listener=TRUSTING,
       data=head("X-Forwarded-For: 192.0.2.9", "X-A: 1", "X-Forwarded-For: 192.0.2.8, 192.0.2.7"),
       matches={"X-Forwarded-For": "192\\.0\\.2\\.9, 192\\.0\\.2\\.8, 192\\.0\\.2\\.7, 127\\.0\\.0\\.1"})
passed("rfc7239_alone", head(*FORGED), listener=RFC7239, matches={"Forwarded": "(?=.*for=127\\.0\\.0\\.1)"
       "(?=.*proto=http(;|$))(?=.*host=\"?test\"?(;|$))(?!.*192\\.0\\.2\\.9)(?!.*,).*"},
       lacks=["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"])
passed("rfc7239_host_with_port_is_quoted", head(host="test:8080"), listener=RFC7239,
       matches={"Forwarded": '.*host="test:8080".*'})
passed("rfc7239_trusted_is_extended", head("Forwarded: for=192.0.2.9;proto=https"), listener=TRUSTING_RFC7239,
       matches={"Forwarded": "for=192\\.0\\.2\\.9;proto=https, .*for=127\\.0\\.0\\.1.*"}, has=OWN)
passed("via_added", head(), matches={"Via": "1\\.1 [!-~]+"})
passed("via_extended", head("Via: 1.0 fred, 1.1 bob"), matches={"Via": "1\\.0 fred, 1\\.1 bob, 1\\.1 [!-~]+"})
passed("via_of_http10", head(line=GET10), matches={"Via": "1\\.0 [!-~]+"}, then="closed")

section("request id")

passed("generated", head(), matches={"X-Request-Id": "[!-~]{8,}"})
passed("forged_is_replaced", head("X-Request-Id: forged"), matches={"X-Request-Id": "(?!forged)[!-~]{8,}"})
passed("trusted_is_kept", head("X-Request-Id: 1234-abcd"), has={"X-Request-Id": "1234-abcd"}, listener=TRUSTING)
passed("trusted_none_sent", head(), matches={"X-Request-Id": "[!-~]{8,}"}, listener=TRUSTING)
passed("two_forged_make_one", head("X-Request-Id: a", "X-Request-Id: b"), matches={"X-Request-Id": "[!-~]{8,}"})

section("server status line")

served("plain", ok())
served("no_reason", ok(status="200 "))
served("long_reason", ok(status="200 " + "very " * 20 + "fine"))
served("reason_with_obs_text", ok(status="200 g\xe9nial"))
for code in (201, 206, 299, 300, 404, 418, 451, 499, 500, 503, 599, 600, 999):
    served(f"status_{code}", ok(status=f"{code} X"), status=code)
served("http10", ok(version="HTTP/1.0"), reuse=False)
served("http10_keep_alive", ok("Connection: keep-alive", version="HTTP/1.0"))
for name, line in {
        "lower_case": "http/1.1 200 OK", "version_20": "HTTP/2.0 200 OK", "version_12": "HTTP/1.2 200 OK",
        "version_09": "HTTP/0.9 200 OK", "version_110": "HTTP/1.10 200 OK", "no_minor": "HTTP/1 200 OK",
        "two_digits": "HTTP/1.1 20 OK", "four_digits": "HTTP/1.1 2000 OK", "status_099": "HTTP/1.1 099 X",
        "status_000": "HTTP/1.1 000 X", "sign": "HTTP/1.1 +20 OK", "letters": "HTTP/1.1 2xx OK",
        "double_space": "HTTP/1.1  200 OK", "tab": "HTTP/1.1\t200 OK", "leading_space": " HTTP/1.1 200 OK",
        "no_status": "HTTP/1.1 OK", "icy": "ICY 200 OK", "text": "hello", "control_in_reason": "HTTP/1.1 200 O\x01K",
        "nul_in_reason": "HTTP/1.1 200 O\0K", "cr_in_reason": "HTTP/1.1 200 O\rK", "reason_glued": "HTTP/1.1 200OK",
        "request_line": "GET / HTTP/1.1"}.items():
    bad("bad_" + name, line.encode("latin-1") + b"\r\nContent-Length: 5\r\n\r\nhello")
bad("empty_line_before", b"\r\n" + ok())
bad("lf_line_before", b"\n" + ok())
bad("body_alone", b"hello\r\n\r\n", after="close")

section("server heads")

for name, field in {
        "no_colon": "X-A", "empty_name": ": 1", "space_before_colon": "X-A : 1", "bad_name": "X(A: 1",
        "high_name": "X\xe9: 1", "nul": "X-A: a\0b", "control": "X-A: a\x01b", "escape": "X-A: \x1b[0m",
        "del": "X-A: a\x7fb", "cr": "X-A: a\rb", "lf": "X-A: a\nb: c", "fold": "X-A: a\r\n b",
        "cr_cr_lf": "X-A: a\r"}.items():
    bad("bad_" + name, ok(field))
bad("lf_after_status_line", b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello")
bad("lf_for_empty_line", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello")
bad("lf_everywhere", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello")
bad("above_64_kib", ok("X-A: " + "v" * 70000))
bad("above_64_kib_in_small_fields", ok(*[f"X-{i}: {'v' * 900}" for i in range(75)]))
bad("without_end", b"HTTP/1.1 200 OK\r\nX-A: " + b"v" * 70000)
served("of_60_kib", ok("X-A: " + "v" * 60000), has={"X-A": "v" * 60000})
served("of_128_fields", ok(*[f"X-{i}: v" for i in range(128)]), has={"X-127": "v"})
served("of_30_kib", ok("X-A: " + "v" * 30000), has={"X-A": "v" * 30000})
served("obs_text", ok("X-A: caf\xe9"), has={"X-A": "caf\xe9"})
served("blanks_trimmed", ok("X-A: \t a \t"), has={"X-A": "a"})
served("empty_value", ok("X-A:"), has={"X-A": ""})
served("cookies_stay_apart_and_in_order", ok("Set-Cookie: a=1; Path=/", "X-A: 1", "Set-Cookie: b=2"),
       has={"Set-Cookie": ["a=1; Path=/", "b=2"]})
served("order_stays", ok("B: 1", "A: 2", "C: 3"), order=["b", "a", "c"])
served("listed_field_dropped", ok("Connection: X-Secret", "X-Secret: 1", "X-Other: 2"), lacks=["X-Secret"],
       has={"X-Other": "2"})
served("keep_alive_dropped", ok("Connection: keep-alive", "Keep-Alive: timeout=5"), lacks=["Keep-Alive"])
served("proxy_connection_dropped", ok("Proxy-Connection: keep-alive"), lacks=["Proxy-Connection"])
served("content_length_cannot_be_listed", ok("Connection: Content-Length"), framing="length")
served("close_is_for_the_server_connection_alone", ok("Connection: close"), after="close", reuse=False,
       lacks=["Connection"])
served("close_without_closing", ok("Connection: close"), reuse=False)
served("close_in_a_list", ok("Connection: foo, CLOSE"), reuse=False)
served("date_and_server_stay", ok("Date: Mon, 01 Jan 2024 00:00:00 GMT", "Server: x"),
       has={"Date": "Mon, 01 Jan 2024 00:00:00 GMT", "Server": "x"})

section("server framing")

for name, fields in {
        "cl_te": ["Content-Length: 5", "Transfer-Encoding: chunked"],
        "te_cl": ["Transfer-Encoding: chunked", "Content-Length: 5"],
        "two_cl_equal": ["Content-Length: 5", "Content-Length: 5"],
        "two_cl_different": ["Content-Length: 5", "Content-Length: 6"], "cl_list": ["Content-Length: 5, 5"],
        "cl_plus": ["Content-Length: +5"], "cl_minus": ["Content-Length: -5"], "cl_hex": ["Content-Length: 0x5"],
        "cl_empty": ["Content-Length:"], "cl_letters": ["Content-Length: 5a"], "cl_space": ["Content-Length: 0 5"],
        "cl_overflow": ["Content-Length: 18446744073709551621"], "te_gzip": ["Transfer-Encoding: gzip"],
        "te_identity": ["Transfer-Encoding: identity"], "te_gzip_chunked": ["Transfer-Encoding: gzip, chunked"],
        "te_chunked_twice": ["Transfer-Encoding: chunked, chunked"],
        "te_trailing_comma": ["Transfer-Encoding: chunked,"],
        "te_two_fields": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        "te_empty": ["Transfer-Encoding:"]}.items():
    bad(name, ok(*fields, body=HELLO if "chunked" in " ".join(fields) else b"hello", length=False))
bad("http10_te", ok("Transfer-Encoding: chunked", version="HTTP/1.0", body=HELLO, length=False))
served("leading_zeros", ok("Content-Length: 005", length=False), has={"Content-Length": "5"})
served("zero_length", ok(body=b""), body=b"", has={"Content-Length": "0"}, reuse=True)
served("length_is_reused", ok(), reuse=True, has={"Content-Length": "5"})
served("chunked_is_reused", ok("Transfer-Encoding: chunked", body=HELLO, length=False), reuse=True,
       framing="chunked", lacks=["Content-Length"])
served("chunked_any_case", ok("Transfer-Encoding: ChunKed", body=HELLO, length=False), framing="chunked")
served("close_delimited", ok(length=False), after="close", then="any")
served("close_delimited_http10", ok(length=False, version="HTTP/1.0"), after="close", then="any")
served("close_delimited_empty", ok(length=False, body=b""), body=b"", after="close", then="any")
HEAD = {"method": "HEAD", "body": b""}
served("head_keeps_the_length", ok(body=b"") .replace(b"Length: 0", b"Length: 77"), **HEAD, reuse=True,
       has={"Content-Length": "77"})
served("head_without_length", ok(body=b"", length=False), **HEAD, reuse=True)
served("head_chunked", ok("Transfer-Encoding: chunked", body=b"", length=False), **HEAD, reuse=True)
served("head_with_a_body", ok(body=b""), surplus=b"hello", **HEAD, reuse=False)
served("head_with_a_declared_body", ok()[:-5], surplus=b"hello", **HEAD, reuse=False)
bad("head_cl_te", ok("Transfer-Encoding: chunked", body=b""), method="HEAD")
served("204", ok(status="204 No Content", body=b"", length=False), status=204, body=b"", reuse=True,
       lacks=["Content-Length", "Transfer-Encoding"])
served("204_with_a_body", ok(status="204 No Content", body=b"", length=False), status=204, body=b"",
       surplus=b"hello", reuse=False)
served("204_with_a_declared_body", ok(status="204 No Content")[:-5], status=204, body=b"", surplus=b"hello",
       reuse=False, lacks=["Content-Length"])
served("204_chunked", ok("Transfer-Encoding: chunked", status="204 No Content", body=b"", length=False), status=204,
       body=b"", surplus=HELLO, reuse=False, lacks=["Transfer-Encoding"])
served("304", ok("ETag: \"x\"", status="304 Not Modified", body=b"", length=False), status=304, body=b"",
       reuse=True, has={"ETag": '"x"'})
served("304_with_length", ok(status="304 Not Modified")[:-5], status=304, body=b"", reuse=True)
served("304_with_a_body", ok(status="304 Not Modified")[:-5], surplus=b"hello", status=304, body=b"", reuse=False)
served("surplus_byte", ok(), surplus=b"x", reuse=False)
served("surplus_answer", ok(), surplus=ok(body=b"evil"), reuse=False)
served("surplus_crlf", ok(), surplus=b"\r\n", reuse=False)
served("surplus_after_chunked", ok("Transfer-Encoding: chunked", body=HELLO, length=False),
       surplus=ok(body=b"evil"), reuse=False)
served("surplus_after_close", ok("Connection: close"), surplus=ok(body=b"evil"), reuse=False)
served("surplus_and_close", ok(), surplus=ok(body=b"evil"), after="close", reuse=False)

section("server bodies")


def chunks(name, data, body=b"hello", **options):
    served(name, ok("Transfer-Encoding: chunked", body=data, length=False), body=body, framing="chunked", **options)


def bad_chunks(name, data, **options):
    cut(name, ok("Transfer-Encoding: chunked", body=data, length=False), **options)


chunks("two_chunks", b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
chunks("extension_dropped", b"5;a=b\r\nhello\r\n0;c\r\n\r\n")
chunks("leading_zeros", b"00005\r\nhello\r\n00\r\n\r\n")
chunks("empty", b"0\r\n\r\n", body=b"")
chunks("large", b"8000\r\n" + b"z" * 0x8000 + b"\r\n0\r\n\r\n", body=b"z" * 0x8000)
chunks("trailers_dropped", b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", trailers=[])
chunks("trailers_for_who_asked", b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", trailers=[(b"X-T", b"1")],
       send=head("TE: trailers", "Connection: TE"))
chunks("forbidden_trailers_dropped",
       b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nX-T: 1\r\nTransfer-Encoding: x\r\n\r\n",
       trailers=[(b"X-T", b"1")], send=head("TE: trailers", "Connection: TE"))
for name, data in {
        "plus": b"+5\r\nhello\r\n0\r\n\r\n", "hex_prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
        "trailing_space": b"5 \r\nhello\r\n0\r\n\r\n", "empty_size": b"\r\nhello\r\n0\r\n\r\n",
        "lf_after_size": b"5\nhello\r\n0\r\n\r\n", "lf_after_data": b"5\r\nhello\n0\r\n\r\n",
        "data_too_long": b"5\r\nhelloo\r\n0\r\n\r\n", "17_digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
        "overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n", "lf_for_last_line": b"5\r\nhello\r\n0\r\n\n",
        "bad_trailer": b"5\r\nhello\r\n0\r\nX T: 1\r\n\r\n",
        "endless_extension": b"5;" + b"e" * 400 + b"\r\nhello\r\n0\r\n\r\n"}.items():
    bad_chunks("bad_" + name, data)
for name, data in {
        "chunk": b"5\r\nhel", "chunk_end": b"5\r\nhello\r\n", "size": b"5\r\nhello\r\n5",
        "last_chunk": b"5\r\nhello\r\n0\r\n",
        "trailers": b"5\r\nhello\r\n0\r\nX-T: 1\r\n", "before_any": b""}.items():
    bad_chunks("cut_within_" + name, data, after="close")
    bad_chunks("reset_within_" + name, data, after="reset")
cut("cut_within_length", ok(body=b"hello").replace(b"Length: 5", b"Length: 9"), after="close")
cut("reset_within_length", ok(body=b"hello").replace(b"Length: 5", b"Length: 9"), after="reset")
cut("cut_before_length", ok(body=b"").replace(b"Length: 0", b"Length: 9"), after="close")
cut("reset_within_close_delimited", ok(length=False), after="reset")
cut("reset_within_close_delimited_to_http10", ok(length=False), after="reset", send=head(line=GET10), then="any")
cut("cut_within_length_to_http10", ok(body=b"hello").replace(b"Length: 5", b"Length: 9"), after="close",
    send=head(line=GET10), then="any")

section("server 1xx")

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
served("103", HINT + ok(), interim=[103], reuse=True)
served("102_and_103", b"HTTP/1.1 102 Processing\r\n\r\n" + HINT + ok(), interim=[102, 103])
served("100_unasked", b"HTTP/1.1 100 Continue\r\n\r\n" + ok(), interim=ANY)
served("64_of_them", HINT * 64 + ok(), interim=[103] * 64)
bad("65_of_them", HINT * 65 + ok(), interim=ANY)
bad("1000_of_them", HINT * 1000 + ok(), interim=ANY)
bad("bad_field", b"HTTP/1.1 103 X\r\nBad Name: 1\r\n\r\n" + ok())
bad("nothing_after", HINT, after="close", interim=ANY)
served("before_a_404", HINT + ok(status="404 Not Found"), status=404, interim=[103])

section("server faults")

bad("closes_without_an_answer", b"", after="close", retried=True)
bad("resets_without_an_answer", b"", after="reset", retried=True)
bad("closes_within_the_status_line", b"HTTP/1.1 2", after="close")
bad("closes_within_the_head", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", after="close")
bad("closes_within_the_last_crlf", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r", after="close")
bad("resets_within_the_head", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", after="reset")
served("post_closed_without_an_answer", b"", status=502, body=None, after="close",
       send=post("Content-Length: 5", body=b"hello"), sees=Seen(POST, b"hello"), method="POST", then="any")
served("early_answer_to_a_body", ok(status="413 X"), status=413, early=True, after="close", then="any",
       send=post("Content-Length: 3000", body=b"x" * 3000), sees=Seen(POST), method="POST", interim=ANY)
served("early_answer_to_chunks", ok(status="401 X"), status=401, early=True, after="close", then="any",
       send=chunked(HELLO), sees=Seen(POST), method="POST")
