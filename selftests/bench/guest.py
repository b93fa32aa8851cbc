#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: guest.py PART...

Runs in a virtual machine of `bench`. Prints what it measures as lines of five
fields, separated by tabs:

  what    what is measured
  how     by which means
  n       of how many: sockets, connections, ...
  run     number of the measurement, from 1
  value   nanoseconds, or what the name says

Parts: table, count and load (with 100,000 established pairs), events, reap, growth,
idle. In the machine of all but table, a nanosecond of the clock is an instruction.
"""
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from lib import cw, kernel, trace  # noqa: E402  pylint: disable=wrong-import-position

PAIRS = int(os.environ.get("BENCH_PAIRS", "100000"))
READS = 20          # of a file, in a row
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
TOOL = "/payload/tools/cwctl"
OUT = "/tmp/out"
SERVICE, LEAKY = 8080, 8081
PROC = "/proc/net/tcp_close_wait"
EVENTS = 2000
SS = "ss -tnH state close-wait"


def say(text):
    print(f"# {text}", flush=True)


def record(what, how, n, run, value):
    print(what, how, n, run, value, sep="\t", flush=True)


class Load:
    """A process of bench_load: a service, or the one that measures."""

    started = 0
    running = []

    def __init__(self):
        Load.started += 1
        Load.running.append(self)
        self.process = subprocess.Popen([f"{HERE}/bench_load", str(Load.started)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __call__(self, *words):
        """One command; returns the nanoseconds that it took, a list for files."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        answer = self.process.stdout.readline()
        try:
            numbers = [int(word) for word in answer.split()]
            return numbers if words[0] in ("read", "again") else numbers[0]
        except (ValueError, IndexError):
            raise RuntimeError(f"{words}: {answer.strip() or 'no answer'}") from None

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def put(path, value):
    with open(path, "w") as f:
        f.write(str(value))


def lines(path=OUT):
    with open(path) as f:
        return f.read().splitlines()


def settle():
    """Lets timers, works and RCU come to an end; idle time counts nothing."""
    time.sleep(8)


def load():
    problem = cw.load()
    if problem:
        raise RuntimeError(problem)
    settle()


def unload():
    problem = cw.unload()
    if problem:
        raise RuntimeError(problem)
    settle()


def expect(number, found, what):
    if found != number:
        raise RuntimeError(f"{what}: expected {number}, found {found}")


def close_wait():
    """How many the kernel has, by the means of today."""
    text = subprocess.run(SS.split(), check=True, stdout=subprocess.PIPE, text=True).stdout
    return len(text.splitlines())


def leak(leaky, number, have=0):
    """NUMBER sockets in CLOSE_WAIT besides those that are there; their peers are gone."""
    leaky("leak", number, LEAKY)
    settle()
    expect(have + number, close_wait(), "sockets in CLOSE_WAIT")


def command(meter, what, how, n, run, words, rows=None):
    """How long a command takes, from spawning to waiting; it prints ROWS lines."""
    record(what, how, n, run, meter("run", OUT, words))
    if rows is not None:
        expect(rows, len(lines()), how)


# --- 100,000 established pairs ---------------------------------------------

def read_rows(meter, what, n):
    for run in range(1, RUNS + 1):
        command(meter, what, "ss", n, run, SS, n)
        record(what, "proc-net-tcp", n, run, meter("read", 1, "/proc/net/tcp")[0])
        for how, verb, path in (("ports", "read", f"{PROC}/ports"),
                                ("ports-again", "again", f"{PROC}/ports"),
                                ("sockstat", "read", "/proc/net/sockstat")):
            for number, value in enumerate(meter(verb, READS, path), 1):
                record(what, how, n, READS * (run - 1) + number, value)
    expect(n, cw.ports()["in", LEAKY]["sockets"], "sockets in the table of ports")


def list_rows(meter, n):
    for run in range(1, RUNS + 1):
        command(meter, "list", "ss -p", n, run, "ss -tnpeH state close-wait", n)
        expect(n, sum("users:" in line for line in lines()), "sockets with a process")
        command(meter, "list", "cwctl", n, run, f"{TOOL} list")
        expect(n, sum("bench_load" in line for line in lines()), "sockets with a process")


def send_rows(service, n):
    service("send", n)      # caches and timers of the connections
    for run in range(1, 2 * RUNS + 1):
        unload()
        record("send", "without", n, run, service("send", n))
        load()
        record("send", "with", n, run, service("send", n))


LOCKS = "_raw_spin_lock_bh _raw_spin_unlock_bh"


def lock_holds():
    """How long a walk holds the locks of buckets: nanoseconds from lock to unlock."""
    with open(f"{trace.TRACING}/trace") as f:
        found = re.findall(r"(\d+): (_raw_spin_(?:un)?lock_bh) <-walk", f.read())
    taken, holds = None, []
    for stamp, name in found:
        ns = int(stamp)
        if name == "_raw_spin_lock_bh":
            taken = ns
        elif taken is not None:
            holds.append(ns - taken)
            taken = None
    return holds


def traced_load(n):
    """Loads the module with the walk's lock holds traced."""
    put(f"{trace.TRACING}/buffer_size_kb", 65536)
    put(f"{trace.TRACING}/trace_clock", "x86-tsc")    # 1 GHz here
    put(f"{trace.TRACING}/set_ftrace_filter", LOCKS)
    put(f"{trace.TRACING}/current_tracer", "function")
    load()
    put(f"{trace.TRACING}/tracing_on", 0)
    holds = lock_holds()
    say(f"{len(holds)} lock holds")
    record("lock-hold", "median", n, 1, sorted(holds)[len(holds) // 2])
    record("lock-hold", "longest", n, 1, max(holds))
    put(f"{trace.TRACING}/current_tracer", "nop")


def empty_load(meter):
    """Loading with nothing in the tables: what is not the walk."""
    for run in range(1, RUNS + 1):
        command(meter, "load", "insmod-empty", 0, run, f"insmod {cw.module_file()}")
        settle()
        unload()


def load_rows(meter, n):
    ko = cw.module_file()
    for run in range(1, RUNS + 1):
        command(meter, "load", "ss", n, run, SS, n)
        command(meter, "load", "insmod", n, run, f"insmod {ko}")
        expect(n, cw.stats()["adopted"], "adopted sockets")
        settle()
        unload()
    traced_load(n)


def established(service):
    say(f"{service('pairs', PAIRS, SERVICE) / PAIRS:.0f} ns a pair")
    settle()


def read_both(what):
    """The table of ports with 10 and with 1,000 sockets; leaves these."""
    service, leaky, meter = Load(), Load(), Load()
    load()
    established(service)
    leak(leaky, 10)
    read_rows(meter, what, 10)
    leak(leaky, 990, 10)
    read_rows(meter, what, 1000)
    return meter


def part_table():
    list_rows(read_both("read"), 1000)
    unload()


def part_count():
    read_both("count")
    unload()


def part_load():
    service, leaky, meter = Load(), Load(), Load()
    empty_load(meter)
    load()
    established(service)
    send_rows(service, 5000)
    unload()
    leak(leaky, 20000)
    load_rows(meter, 20000)
    unload()


# --- coming and going ------------------------------------------------------

SHORT = {"churn": ("churn", ""), "serve-client": ("serve", "client"),
         "serve-server": ("serve", "server")}


def entered():
    """How many transitions went beyond the probe's first branch."""
    return cw.stats()["entered"] if cw.loaded() else 0


def short_rows(service, n):
    """Blocks of short connections, with and without the module in turn."""
    for run in range(1, 2 * RUNS + 1):
        for how, change in (("without", unload), ("with", load)):
            change()
            for what, (verb, who) in SHORT.items():
                before = entered()
                record(what, how, n, run, service(verb, n, SERVICE, who))
                if how == "with":
                    record(what, "entered", n, run, entered() - before)


def part_events():
    service = Load()
    if not kernel.have_module("tun"):
        raise RuntimeError("no TUN device")
    load()
    for verb, who in SHORT.values():
        service(verb, 1000, SERVICE, who)       # slabs and caches fill
    short_rows(service, 2000)
    unload()


def reap_rows(leaky, meter, n):
    for run in range(1, RUNS + 1):
        leak(leaky, n)
        command(meter, "reap", "ss -K", n, run, "ss -KtnH state close-wait", n)
        expect(0, close_wait(), "after ss -K")
        leaky("drop")
        settle()
        leak(leaky, n)
        record("reap", "abort", n, run, leaky("abort"))
        expect(0, close_wait(), "after the abort alone")
        leaky("drop")
        load()
        leak(leaky, n)
        record("reap", "abort-tracked", n, run, leaky("abort"))
        expect(n, cw.stats()["left"], "left")
        leaky("drop")
        unload()
        for how, words in (("cwctl", "reap --all"), ("cwctl -j", "-j reap --all")):
            load()
            leak(leaky, n)
            command(meter, "reap", how, n, run, f"{TOOL} {words}")
            expect(n, cw.stats()["reaped_request"], "reaped")
            leaky("drop")
            unload()


def part_reap():
    leaky, meter = Load(), Load()
    problem = cw.load("cw_abort")
    if problem:
        raise RuntimeError(problem)
    reap_rows(leaky, meter, 20000)


# --- how it grows ----------------------------------------------------------

def slab():
    """Bytes that the entries' slabs take, and bytes of one entry."""
    for line in lines("/proc/slabinfo"):
        words = line.split()
        if words[0] == "cw_entry":
            slabs, pages = int(words[14]), int(words[5])
            return slabs * pages * os.sysconf("SC_PAGESIZE"), int(words[3])
    raise RuntimeError("no slab cw_entry: boot with slab_nomerge")


def growth_rows(leaky, meter, n):
    leak(leaky, n)
    for run in range(1, RUNS + 1):
        unload()
        command(meter, "growth", "ss", n, run, SS, n)
        record("growth", "short-without", n, run, meter("churn", EVENTS, SERVICE))
        load()
        record("growth", "short-with", n, run, meter("churn", EVENTS, SERVICE))
    for name in ("ports", "sockets"):
        for run, value in enumerate(meter("read", RUNS, f"{PROC}/{name}"), 1):
            record("growth", name, n, run, value)
    record("memory", "with", n, 1, slab()[0])
    command(meter, "growth", "reap", n, 1, f"{TOOL} -j reap --all")
    expect(n, cw.stats()["reaped_request"], "reaped")
    leaky("drop")
    settle()
    record("memory", "after", n, 1, slab()[0])


def part_growth():
    leaky, meter = Load(), Load()
    load()
    record("memory", "empty", 0, 1, slab()[0])
    record("memory", "entry", 1, 1, slab()[1])
    record("memory", "index", 1, 1, 8 * cw.tracker()["hash_chains"])
    for n in (1000, 10000, 100000):
        growth_rows(leaky, meter, n)
    unload()


# --- asleep ----------------------------------------------------------------

def wake_ups(seconds):
    """How many timers and works there were, and how many of them the module's."""
    log = trace.Trace(*trace.WAKE_UPS, size_kb=16384)
    time.sleep(seconds)
    ours = trace.of_module(log, cw.MODULE, trace.symbols(cw.MODULE))
    total, lost = len(log.lines()), log.overruns()
    log.close()
    expect(0, lost, "lost events")
    return total, len(ours)


def part_idle():
    service, leaky = Load(), Load()
    seconds = 60
    load()
    cw.put("timeout", 1)
    cw.put("action", "observe")
    service("pairs", 100, SERVICE)
    settle()
    total, ours = wake_ups(seconds)
    record("idle", "all", seconds, 1, total)
    record("idle", "module", seconds, 1, ours)
    leak(leaky, 1)
    record("idle", "module-with-one-socket", seconds, 1, wake_ups(seconds)[1])
    leaky("drop")
    unload()


def main():
    for name in ("tcp_max_tw_buckets", "tcp_max_orphans"):
        put(f"/proc/sys/net/ipv4/{name}", 1 << 20)
    put("/proc/sys/net/ipv4/tcp_fin_timeout", 1)
    put("/proc/sys/fs/nr_open", 1 << 21)
    put("/proc/sys/fs/file-max", 1 << 22)
    if not kernel.have_module("tcp_diag"):
        raise RuntimeError("no tcp_diag: ss would read /proc/net/tcp")
    for part in sys.argv[1:]:
        globals()["part_" + part]()
        while Load.running:
            Load.running.pop().close()


if __name__ == "__main__":
    main()
