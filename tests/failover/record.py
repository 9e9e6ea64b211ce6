"""record.py - what the witness saw, and what can be said of it: gaps, failures, holders.  Pure but for Record.read."""

import collections
import threading

LONG_SECONDS = 0.03  # a time without an answer that is worth a line

Attempt = collections.namedtuple("Attempt", "begin end outcome server", defaults=("",))


class Record:
    """Filled by a thread that reads the witness.  `reach` notes which nodes the clients can reach."""

    def __init__(self, pipe):
        self.attempts, self.held, self.cut, self.claims = [], ([], []), ([], []), []
        self.pipe, self.lock = pipe, threading.Lock()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.pipe:
            kind, *words = line.split()
            with self.lock:
                if kind == "c":
                    self.attempts.append(Attempt(float(words[0]), float(words[1]), *words[2:]))
                elif kind == "m":
                    self.claims.append((float(words[0]), *words[1:]))
                else:
                    self.held[int(words[1])].append((float(words[0]), words[2] == "1"))

    def reach(self, now, node, reachable):
        with self.lock:
            self.cut[node].append((now, not reachable))

    def changes_of(self, node):
        """[(time, whether it has the address from then on)]."""
        with self.lock:
            return list(self.held[node])

    def holder(self):
        """0, 1, both or none of them, at this moment."""
        with self.lock:
            return tuple(node for node in (0, 1) if self.held[node] and self.held[node][-1][1])

    def gap(self, since, until):
        """The longest time without an answer, and whether it was over by then: an answer in the last half second."""
        with self.lock:
            ends = sorted(a.end for a in self.attempts if a.outcome == "ok" and a.end <= until)
        before = max((e for e in ends if e <= since), default=since)
        times = [before, *(e for e in ends if e > since), until]
        gaps = [b - a for a, b in zip(times, times[1:])]
        return max(gaps), gaps[-1] < 0.5

    def answers(self, since):
        """How many of those who began since then have their answer."""
        with self.lock:
            return sum(a.outcome == "ok" and a.begin >= since for a in self.attempts[-1000:])

    def answers_by(self, since, until):
        """How many of those who began in that time were answered, by server."""
        with self.lock:
            return collections.Counter(a.server for a in self.attempts
                                       if since <= a.begin <= until and a.outcome == "ok")

    def forget(self, until):
        with self.lock:
            self.attempts = [a for a in self.attempts if a.end > until]

    def failures(self, since, until):
        """Attempts begun in that time that came to nothing, by outcome."""
        with self.lock:
            return collections.Counter(a.outcome for a in self.attempts
                                       if since <= a.begin <= until and a.outcome != "ok")

    def troubles(self):
        """(time, who, what) of each attempt that came to nothing, and of times without an answer."""
        with self.lock:
            failed = [(a.begin, "client", f"{a.outcome} after {(a.end - a.begin) * 1000:.0f} ms")
                      for a in self.attempts if a.outcome != "ok"]
            ends = sorted(a.end for a in self.attempts if a.outcome == "ok")
        return failed + [(a, "client", f"no answer for {(b - a) * 1000:.0f} ms")
                         for a, b in zip(ends, ends[1:]) if b - a > LONG_SECONDS]

    def changes(self, since, until):
        """How often an address came or went."""
        with self.lock:
            return sum(since < time <= until for node in (0, 1) for time, _ in self.held[node])

    def two_holders(self, since, until):
        """[(from, to)]: both nodes had the address, and the clients could reach both."""
        with self.lock:
            sides = [(list(self.held[n]), list(self.cut[n])) for n in (0, 1)]
        times = sorted({since, until, *(t for held, cut in sides for t, _ in held + cut if since < t < until)})
        spans = []
        for begin, end in zip(times, times[1:]):
            if all(at(held, begin) and not at(cut, begin) for held, cut in sides):
                if spans and spans[-1][1] == begin:
                    spans[-1] = (spans[-1][0], end)
                else:
                    spans.append((begin, end))
        return spans


def at(changes, time):
    """The value of the last change up to that time."""
    value = False
    for when, value_then in changes:
        if when > time:
            break
        value = value_then
    return value


def total(spans):
    return sum(end - begin for begin, end in spans)
