"""report.py - medians, quartiles, ratios and verdicts, and the tables that show them."""
import statistics


def quartiles(values):
    """(first quartile, median, third quartile)"""
    values = list(values)
    if len(values) == 1:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def median(values):
    return statistics.median(values)


def better_of(samples, names, key):
    """Which of the names has the lowest median of samples[name][round][key]; None without any."""
    present = [n for n in names if samples.get(n)]
    return min(present, key=lambda n: median([s[key] for s in samples[n].values()]), default=None)


def by_round(samples, name, other, key):
    """{round: name/other} for each round that has both."""
    both = sorted(samples.get(name, {}).keys() & samples.get(other, {}).keys())
    return {r: samples[name][r][key] / samples[other][r][key] for r in both}


def ratios(samples, name, other, key):
    return list(by_round(samples, name, other, key).values())


class Verdict:
    """One line of the summary: a figure of lbd against its bar."""

    def __init__(self, scenario, what, value, bar, spread=None, against=""):
        self.scenario, self.what, self.value, self.bar = scenario, what, value, bar
        self.spread, self.against = spread, against

    def passed(self):
        return self.value <= self.bar

    def text(self):
        if not self.spread:
            return "PASS" if self.passed() else "miss"
        unsure = self.spread[0] <= self.bar <= self.spread[1]
        return ("PASS" if self.passed() else "miss") + (" (inside the spread)" if unsure else "")

    def as_json(self):
        return {"scenario": self.scenario, "what": self.what, "value": self.value, "bar": self.bar,
                "spread": self.spread, "against": self.against, "pass": self.passed()}


def number(value):
    """Three or so significant digits."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"


def spread(values):
    low, mid, high = quartiles(values)
    return f"{number(mid)} ({number(low)}..{number(high)})"


def table(head, rows):
    """Columns as wide as they must be; the first to the left, the others to the right."""
    rows = [[str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip())


def throughput_table(samples):
    rows = []
    for name, rounds in samples.items():
        column = {key: [s[key] for s in rounds.values()] for key in next(iter(rounds.values()))}
        shown = [number(median(column[key])) if key in column else "" for key in ("rps", "p50_us", "p99_us")]
        rows.append([name, spread(column["cpu_us"]), *shown,
                     *(f"{median(column[key]):.2f}" for key in ("util", "rest", "foreign")),
                     len(rounds)])
    table(["proxy", "CPU us/req (quartiles)", "req/s", "p50 us", "p99 us", "util", "load util",
           "foreign", "rounds"], rows)


def ratio_lines(samples, base, key="cpu_us"):
    for name in samples:
        values = ratios(samples, name, base, key) if name != base else []
        if values:
            low, mid, high = quartiles(values)
            print(f"    {name} / {base}: {mid:.2f} ({low:.2f}..{high:.2f})")


def summary(verdicts, failures):
    print("\nSummary: lbd against its bars")
    rows = []
    for v in verdicts:
        form = number if v.value >= 10 else "{:.2f}".format
        shown = form(v.value)
        if v.spread:
            shown += f" ({form(v.spread[0])}..{form(v.spread[1])})"
        rows.append([v.scenario, v.what, v.against, shown, number(v.bar), v.text()])
    if rows:
        table(["scenario", "figure", "against", "value", "bar", "verdict"], rows)
    else:
        print("  nothing to judge: lbd or its peers did not run")
    for text in failures:
        print(f"  FAILED  {text}")
