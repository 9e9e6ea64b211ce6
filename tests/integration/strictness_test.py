"""strictness_test.py - runs the table of strictness_cases.py against lbd.

Every row is delivered twice, as a whole and byte by byte (whichever side has the odd bytes), and must have
the same answer.  One lbd and one server serve many rows one after the other, so that whatever a row leaves
behind on either side breaks the requests that prove it is still in step:
- a further request on the same client connection, if that is still open,
- a further request from elsewhere through the same pool,
and the server must in the end have seen exactly the requests of the row and those two, to the byte.
"""

import fcntl
import os
import struct
import termios
import threading
import time

import strictness_cases
import wire
from harness import PATIENCE, Backend, Failure, Lbd, check, config, equal, request, wait_for
from peers import SocketDiagnosis
from strictness_cases import ANY, PROFILES, ROWS
from wire import Cut

PARTS = 3  # of the main profile, so that they run side by side
SOON = 6.0  # seconds: longer than any deadline of the profiles


class Table:
    """One lbd, one server, and the row that is being shown to them."""

    def __init__(self, profile):
        self.lock = threading.Lock()
        self.row = None
        self.bytewise = False
        self.cuts = []  # requests that lbd broke off, each with the row and way in which it began
        self.faults = []
        self.server = Backend(self.script)
        self.lbd = Lbd(config(self.server, **PROFILES[profile]))

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        self.server.close()
        self.lbd.__exit__(kind, *rest)

    # The server

    def script(self, connection):
        while True:
            head = wire.read_request(connection, 3600, head_only=True)
            if head is None:
                return
            row, bytewise = self.row, self.bytewise
            special = row.answer is not None and head.target.startswith(b"/case")
            if special and row.early:
                connection.record(head)
            elif not self.read_rest(connection, head, (row, bytewise)):
                return
            if not special:
                connection.reply(head)
            elif not self.play(connection, row):
                return

    def read_rest(self, connection, head, began):
        """Reads the body; False if the connection is of no use any more."""
        try:
            wire.read_body(connection, head, time.monotonic() + PATIENCE, None)
        except Cut:
            self.cuts.append((began, head))
            return False
        except Failure as e:
            self.faults.append(e)
            return False
        connection.record(head)
        return True

    def play(self, connection, row):
        """Sends the row's odd answer; False if the connection ends with it."""
        if self.bytewise:
            connection.send_bytewise(row.answer[:-1])
            connection.send(row.answer[-1:] + row.surplus)
        elif row.answer + row.surplus:
            connection.send(row.answer + row.surplus)
        if row.after == "reset":
            if self.bytewise or row.answer:  # RST must not overtake what was sent
                self.wait_read(connection)
            connection.reset_now()
        return row.after == "keep"

    @staticmethod
    def wait_read(connection):
        diagnosis = SocketDiagnosis()
        connection.wait_until_read(diagnosis, PATIENCE)
        diagnosis.netlink.close()

    def unread(self):
        """Connections on which bytes wait that no request accounts for, or whose end is not yet noted."""
        found = []
        for connection in self.server.connections:
            if connection.closed:
                continue
            if connection.eof:
                found.append(b"")
                continue
            size = b"\0\0\0\0"
            try:
                size = fcntl.ioctl(connection.sock.fileno(), termios.FIONREAD, size)
            except (OSError, ValueError):
                continue
            if connection.buffer or struct.unpack("i", size)[0]:
                found.append(bytes(connection.buffer))
        return found

    # One row

    def run(self, row, bytewise):
        self.row, self.bytewise = row, bytewise
        mark, cut_mark = len(self.server.requests), len(self.cuts)
        with self.lbd.client(listener=row.listener) as client:
            start = time.monotonic()
            self.deliver(client, row, bytewise)
            then = row.then
            for expected in row.answers:
                if expected.cut:
                    then = self.check_cut(client, expected, then)
                else:
                    self.check_answer(client, expected)
            self.check_then(client, then)
            if row.profile == "slow":
                waited = time.monotonic() - start
                check(0.35 < waited < 5, f"deadline of 0.4 s: over after {waited:.2f} s")
        sync = request("GET", "/sync")
        with self.lbd.client(listener=row.listener) as other:
            other.send(sync)
            equal(other.response(timeout=SOON).body, b"GET /sync 0\n", "a request from elsewhere, after the row")
        self.check_server(row, then, mark, cut_mark)

    def deliver(self, client, row, bytewise):
        try:
            if bytewise and row.answer is None:
                client.send_bytewise(row.send)
            elif row.send:
                client.send(row.send)
            if row.half_close:
                client.half_close()
            self.drip(client, row)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused already; the answer is there

    @staticmethod
    def drip(client, row):
        """Goes on sending a byte every 50 ms until lbd says something or closes."""
        for i in range(200 if row.drip else 0):
            if not client.silent(0.05):
                return
            client.send(row.drip[i % len(row.drip)].to_bytes(1, "little"))

    def check_answer(self, client, expected):
        got = client.response(expected.method, SOON)
        what = f"answer to {expected.method.decode()}"
        check(got.status in expected.statuses, f"{what}: expected {expected.statuses}, got {got}")
        if expected.body is not None:
            equal(got.body, expected.body, f"body of the {what}")
        if expected.interim is not ANY:
            equal([m.status for m in got.interim], expected.interim, f"interim answers before the {what}")
        self.check_fields(got, expected, what)
        if expected.closing:
            check(b"close" in (got.one(b"connection") or b"").lower(),
                  f"{what}: no Connection: close in {got}")

    @staticmethod
    def check_cut(client, expected, then):
        """
        The answer began and was visibly broken off; or, if nothing of it had been sent on, a 502 came
        instead.  Returns what must hold for the connection.
        """
        try:
            got = client.response(expected.method, SOON)
        except Cut as e:
            check(e.message is not None, f"closed without an answer: {e}")
            check(e.message.status in expected.statuses, f"unexpected {e.message}")
            client.buffer.clear()
            return then
        check(got.status == 502, f"a broken answer was presented as complete: {got}")
        return "closed" if b"close" in (got.one(b"connection") or b"") else "open"

    @staticmethod
    def check_fields(got, expected, what):
        for name, values in expected.has.items():
            equal(got.all(name), values, f"{name.decode()} in the {what}")
        for name in expected.lacks:
            equal(got.all(name), [], f"{name.decode()} in the {what}")
        if expected.order:
            names = [n.lower() for n, _ in got.fields]
            equal([n for n in names if n in expected.order], expected.order, f"order of fields in the {what}")
        for name, pattern in expected.matches.items():
            value = b", ".join(got.all(name))  # RFC 9110 5.3: the same as one field
            check(got.all(name) and pattern.fullmatch(value),
                  f"{name.decode()} in the {what}: expected {pattern.pattern!r}, got {got.all(name)}")
        if expected.trailers is not None:
            equal([(n.lower(), v) for n, v in got.trailers], [(n.lower(), v) for n, v in expected.trailers],
                  f"trailers of the {what}")
        if expected.framing:
            equal(got.framing, expected.framing, f"framing of the {what}")

    @staticmethod
    def check_then(client, then):
        if then == "closed":
            client.expect_end(SOON)
        elif then == "ends":
            client.read_to_end(SOON)
        elif then == "open":
            client.send(request("GET", "/after"))
            equal(client.response(timeout=SOON).body, b"GET /after 0\n", "the next request on the same connection")

    def check_server(self, row, then, mark, cut_mark):
        expected = len(row.sees) + (then == "open") + 1
        self.server.wait(lambda: len(self.server.requests) - mark >= expected,
                         f"the server to see {expected} requests", SOON)
        wait_for(lambda: not self.unread() or row.broken, "the server to have read all", timeout=2)
        with self.server.changed:
            seen = self.server.requests[mark:]
            # the end of one that an earlier row broke off may be noticed only now
            cuts = [head for began, head in self.cuts[cut_mark:] if row.broken or began == (row, self.bytewise)]
        if row.broken:  # the request may have begun, then its connection must have ended
            wait_for(lambda: not self.unread(), "the broken request's connection to end", SOON)
            check(not any(m.target == b"/smuggled" for m in cuts), f"smuggled: {cuts}")
        else:
            equal(cuts, [], "requests that lbd broke off")
        equal(self.faults, [], "what the server could not understand")
        if row.retried:  # the same request may have come again, on a new connection
            seen = [m for i, m in enumerate(seen) if i == 0 or not m.target.startswith(b"/case")]
        lines = [s.line for s in row.sees]
        if then == "open":
            lines.append(b"GET /after HTTP/1.1")
        equal([m.start for m in seen], lines + [b"GET /sync HTTP/1.1"], "request lines at the server")
        for expected, got in zip(row.sees, seen):
            self.check_seen(got, expected)
        if row.reuse is not None and then == "open":
            same = seen[len(row.sees)].connection == seen[0].connection
            equal(same, row.reuse, "server connection used again")

    def check_seen(self, got, expected):
        what = f"request {got.start.decode('latin-1')} at the server"
        equal(got.body, expected.body, f"body of the {what}")
        for name, value in got.fields:
            check(b"\0" not in value, f"NUL in {name}: {value}")
        self.check_fields(got, expected, what)


def selected(rows):
    """The rows that were asked for by name; all, if what was asked for is a table or nothing."""
    patterns = os.environ.get("LBD_TEST_ONLY", "").split()
    chosen = [r for r in rows if any(p in r.name for p in patterns)]
    return chosen or list(rows)


def run_table(profile, rows, report):
    todo = selected(rows)
    while todo:  # a row that failed may have left anything behind: the next one starts afresh
        with Table(profile) as table:
            while todo:
                row = todo.pop(0)
                error = row_error(table, row)
                report(row.name, error)
                if error:
                    break


def row_error(table, row):
    for bytewise in (False, True) if row.both else (False,):
        try:
            table.run(row, bytewise)
        except Exception as e:  # noqa: BLE001 - whatever it is, this row failed
            shown = row.send if row.answer is None else row.answer + row.surplus
            return (f"{'byte by byte' if bytewise else 'as a whole'}: {e}\n"
                    f"{'client' if row.answer is None else 'server'} sent "
                    f"{shown[:600]!r}{'...' if len(shown) > 600 else ''}")
    return None


def add_table(name, profile, rows):
    def table(report):
        run_table(profile, rows, report)
    table.rows = lambda: [r.name for r in rows]
    table.seconds = 240  # when rows fail; a few seconds otherwise
    table.__module__ = __name__
    globals()["table_" + name] = table


def test_table_is_large_enough():
    """At least 260 rows with names of their own, and every class of the policy."""
    names = [r.name for r in ROWS]
    equal(len(names), len(set(names)), "rows with names of their own")
    check(len(names) >= 260, f"only {len(names)} rows")
    equal(sorted({r.group for r in ROWS}), sorted(strictness_cases.GROUPS), "classes")


main_rows = [r for r in ROWS if r.profile == "main"]
for part in range(PARTS):
    add_table(f"part{part + 1}", "main", main_rows[part::PARTS])
for profile_name in PROFILES:
    if profile_name != "main":
        add_table(profile_name, profile_name, [r for r in ROWS if r.profile == profile_name])
