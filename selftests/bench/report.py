#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: report.py [--plot FILE] RAW...

Makes of the lines that guest.py has printed (RAW) the table of `make bench`, as
Markdown; --plot writes the columns that plot.gp draws.
"""
import collections
import os
import statistics
import sys

SIZES = (1000, 10000, 100000)
PAIRS = "100,000 established pairs"


class Measured:
    """Values by (what, how, n), in the order of the runs."""

    def __init__(self, paths):
        self.values = collections.defaultdict(list)
        self.sources = collections.defaultdict(list)    # which parts are of it
        for path in paths:
            part = os.path.basename(path).rpartition(".")[0]
            with open(path, encoding="utf-8") as f:
                for line in f:
                    if line.startswith("#"):
                        self.sources[line[1:].strip()].append(part)
                    else:
                        what, how, n, _run, value = line.rstrip("\n").split("\t")
                        self.values[what, how, int(n)].append(int(value))

    def has(self, *key):
        return key in self.values

    def median(self, *key):
        return statistics.median(self.values[key])

    def spread(self, *key):
        """Of the runs, from the least to the greatest, as a part of the median."""
        values = self.values[key]
        return (max(values) - min(values)) / (self.median(*key) or 1)

    def shown(self, *key):
        """The median and, of several runs, the least and the greatest."""
        values = self.values[key]
        units = TIME if key[0] in TIMED else COUNT
        text = short(self.median(*key), units)
        if len(values) == 1:
            return text
        return f"{text} ({short(min(values), units)} to {short(max(values), units)})"


TIMED = ("read", "list")
TIME = ((" s", 1e9), (" ms", 1e6), (" µs", 1e3), (" ns", 1))
COUNT = ((" G", 1e9), (" M", 1e6), (" k", 1e3), ("", 1))


def short(number, units):
    for unit, size in units:
        if number >= size:
            return f"{number / size:.4g}{unit}"
    return str(number)


ROWS = []


def row(needs):
    """Marks a function that makes a row, or rows, of what NEEDS names."""
    def mark(function):
        ROWS.append((needs, function))
        return function
    return mark


def less(m, what, ours, theirs, n, wanted, names):
    """OURS takes a number of times less than THEIRS."""
    ratio = m.median(what, theirs, n) / m.median(what, ours, n)
    return (f"{names[0]}: {m.shown(what, ours, n)}", f"{names[1]}: {m.shown(what, theirs, n)}",
            f"{ratio:,.1f} times less", f"{wanted:,}", ratio >= wanted)


def reading(m, what, unit):
    for n, how, wanted, name in ((1000, "ss", 300, "`ss -tnH state close-wait`"),
                                 (1000, "proc-net-tcp", 2000, "`/proc/net/tcp`"),
                                 (10, "ss", 5000, "`ss -tnH state close-wait`")):
        work = f"per-port table, {PAIRS}, {n:,} in CLOSE_WAIT{unit}"
        yield (work, *less(m, what, "ports", how, n, wanted, ("open, read, close", name)))
        if how == "ss":
            yield (f"{work}, the file stays open",
                   *less(m, what, "ports-again", how, n, wanted, ("read again", name)))


def least(m, what, unit):
    return (f"for comparison: `/proc/net/sockstat`{unit}",
            f"open, read, close: {m.shown(what, 'sockstat', 10)}", "-", "", "", None)


@row(("read", "ports", 1000))
def read_rows(m):
    yield from reading(m, "read", "")
    yield least(m, "read", "")


@row(("count", "ports", 1000))
def count_rows(m):
    for *cells, _wanted, _reached in reading(m, "count", ", counted"):
        yield (*cells, "", None)
    yield least(m, "count", ", counted")


@row(("list", "cwctl", 1000))
def list_row(m):
    yield ("the 1,000 sockets with process and cgroup",
           *less(m, "list", "cwctl", "ss -p", 1000, 10,
                 ("`cwctl list`", "`ss -tnpe state close-wait`")))


@row(("reap", "cwctl", 20000))
def reap_rows(m):
    for how, what in (("cwctl", "reset 20,000 in one request, and tell who still has them open"),
                      ("cwctl -j", "reset 20,000 in one request, counting only")):
        name = f"`{how} reap --all`"
        yield (what, *less(m, "reap", how, "ss -K", 20000, 4, (name, "`ss -K`")))
        ratio = m.median("reap", how, 20000) / m.median("reap", "abort", 20000)
        yield (what, f"{name}: {m.shown('reap', how, 20000)}",
               f"the kernel's abort alone: {m.shown('reap', 'abort', 20000)}",
               f"{ratio:.3f} times", "at most 1.1", ratio <= 1.1)
    tracked = m.median("reap", "abort-tracked", 20000)
    yield ("for comparison: the kernel's abort alone, while the module tracks the sockets",
           m.shown("reap", "abort-tracked", 20000),
           f"without: {m.shown('reap', 'abort', 20000)}",
           f"{tracked / m.median('reap', 'abort', 20000):.3f} times", "", None)


def added(m, what, n):
    """Instructions that the module adds to each of N."""
    return (m.median(what, "with", n) - m.median(what, "without", n)) / n


def with_without(m, what, n):
    return (f"with the module: {m.shown(what, 'with', n)}",
            f"without: {m.shown(what, 'without', n)}")


@row(("churn", "with", 2000))
def short_rows(m):
    n = 2000
    for what, name in (("churn", "both ends here"), ("serve-client", "the client elsewhere")):
        part = added(m, what, n) * n / m.median(what, "without", n)
        wanted, reached = ("+0.3 %", part <= 0.003) if what == "churn" else ("", None)
        yield (f"{n:,} short connections, the client closes first, {name}",
               *with_without(m, what, n),
               f"{100 * part:+.2f} %: {added(m, what, n):+.0f} each", wanted, reached)
    what = "serve-server"
    entered = m.median(what, "entered", n)
    yield (f"{n:,} short connections, the server closes first, the client elsewhere",
           *with_without(m, what, n),
           f"{added(m, what, n):+.0f} each for five calls of the probe, "
           f"{entered:.0f} beyond its first branch", "+0 beyond it", entered == 0)


@row(("send", "with", 5000))
def send_row(m):
    n = 5000
    noise = m.spread("send", "without", n) * m.median("send", "without", n) / n
    yield (f"{n:,} times a byte and its echo over established connections",
           *with_without(m, "send", n),
           f"{added(m, 'send', n):+.1f} each; without, runs differ by {noise:.1f}",
           "+0", abs(added(m, "send", n)) <= noise)


@row(("load", "insmod", 20000))
def load_row(m):
    empty = m.median("load", "insmod-empty", 0)
    walk = m.median("load", "insmod", 20000) - empty
    ratio = m.median("load", "ss", 20000) / walk
    yield (f"load, {PAIRS}, 20,000 in CLOSE_WAIT: the walk",
           f"`insmod`: {m.shown('load', 'insmod', 20000)}, of which {short(empty, COUNT)} are not "
           "the walk: with empty tables", f"`ss` listing them: {m.shown('load', 'ss', 20000)}",
           f"{ratio:.1f} times less", "20", ratio >= 20)
    yield ("longest hold of a bucket's lock in this walk",
           f"{m.median('lock-hold', 'longest', 20000):,.0f}, tracing included", "-",
           f"median {m.median('lock-hold', 'median', 20000):,.0f}", "printed", None)


@row(("memory", "with", 100000))
def memory_rows(m):
    entry, empty = m.median("memory", "entry", 1), m.median("memory", "empty", 0)
    most = SIZES[-1]
    each = (m.median("memory", "with", most) - empty) / most
    after = m.median("memory", "after", most)
    yield ("memory for each of 100,000 tracked sockets",
           f"{entry:.0f} bytes; with its share of the pool {each:.1f}, and of the index "
           f"{each + m.median('memory', 'index', 1) / most:.1f}", "-",
           f"slabs: {empty:,.0f} bytes before, {m.median('memory', 'with', most):,.0f} with "
           f"them, {after:,.0f} after", "96 bytes, given back",
           entry <= 96 and after <= 2 * empty)


@row(("idle", "module", 60))
def idle_row(m):
    ours = m.median("idle", "module", 60)
    yield ("idle, nothing in CLOSE_WAIT, a timeout set",
           f"{ours:.0f} timers and works of the module in 60 s",
           f"{m.median('idle', 'all', 60):.0f} of the whole guest",
           f"with one socket: {m.median('idle', 'module-with-one-socket', 60):.0f}",
           "none", ours == 0 and m.median("idle", "module-with-one-socket", 60) > 0)


def event_cost(m, n):
    """Of a spell's two events, and of the connection's other transitions."""
    key = "growth", "short-{}", n
    return (m.median(key[0], "short-with", n) - m.median(key[0], "short-without", n)) / 2000


@row(("growth", "reap", SIZES[-1]))
def growth_rows(m):
    for how, name in (("ports", "read the per-port table"), ("sockets", "read `sockets`"),
                      ("reap", "`cwctl -j reap --all`"), ("ss", "for comparison: `ss`")):
        each = [m.median("growth", how, n) / n for n in SIZES]
        reached = None if how == "ss" else each[-1] <= 1.1 * min(each[:-1])
        yield (f"{name}, for each of 1,000, 10,000, 100,000",
               ", ".join(f"{value:,.0f}" for value in each), "-",
               f"{each[-1] / each[0]:.2f} times", "linear", reached)
    each = [event_cost(m, n) for n in SIZES]
    yield ("a spell's events, with 1,000, 10,000, 100,000 in CLOSE_WAIT",
           ", ".join(f"{value:+,.0f}" for value in each), "-",
           f"{each[-1] - each[0]:+,.0f}", "no growth", each[-1] <= 1.1 * each[0])


def verdict(reached):
    return {True: "yes", False: "**no**", None: ""}[reached]


NOTE = """
What this does not show: cache and TLB misses, branches and memory that is far away, all
of which an emulated processor has not. `ss` touches every connection, so on a real one
it is worse off than here. A string instruction (to zero a page, say) counts once for
each byte. Times are of an emulator. "Counted" rows are instructions, and so leave out
how long `ss` waits for the memory of 200,000 sockets, which is most of its time.
"""


def print_table(m):
    for source, parts in m.sources.items():
        print(f"Measured ({', '.join(parts)}): {source}.  ")
    print("Median (least to greatest); what has no unit counts instructions.\n")
    print("| work | tcp_close_wait | against | result | wanted | reached |\n|---|---|---|---|---|---|")
    for needs, make in ROWS:
        if m.has(*needs):
            for *cells, reached in make(m):
                print("|", " | ".join(cells), "|", verdict(reached), "|")
    print(NOTE.rstrip())


def write_plot(m, path):
    with open(path, "w", encoding="utf-8") as f:
        f.write("# n ss ports sockets reap event\n")
        for n in SIZES:
            values = [m.median("growth", how, n) for how in ("ss", "ports", "sockets", "reap")]
            print(n, *values, event_cost(m, n), file=f)


def main(args):
    if not args or args[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if args else 2
    plot = None
    if args[0] == "--plot":
        plot, args = args[1], args[2:]
    m = Measured(args)
    print_table(m)
    if plot and m.has("growth", "reap", SIZES[-1]):
        write_plot(m, plot)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
