# SPDX-License-Identifier: GPL-2.0
"""An instance of the kernel's trace buffer with some events enabled."""
import glob
import os
import re

TRACING = "/sys/kernel/tracing"
_LINE = re.compile(r"\s*(?P<task>.*)-(?P<pid>\d+)\s+\[(?P<cpu>\d+)\]\s+(?:[^ ]+\s+)?"
                   r"(?P<time>\d+\.\d+): (?P<event>\w+): (?P<text>.*)$")
_serial = 0


def available(event=""):
    return os.path.isdir(f"{TRACING}/events/{event}")


# What wakes a processor up.
WAKE_UPS = ("timer/timer_start", "timer/timer_expire_entry", "timer/hrtimer_expire_entry",
            "workqueue/workqueue_queue_work", "workqueue/workqueue_execute_start")


def symbols(module):
    """The names of a module's functions and data."""
    with open("/proc/kallsyms") as f:
        return {words[2] for words in map(str.split, f)
                if len(words) > 3 and words[3] == f"[{module}]"}


def of_module(log, module, names):
    """The recorded lines that name a function or a work of the module."""
    found = []
    for line in log.lines():
        words = line["text"].replace("=", " ").split()
        if module in line["text"] or any(word.partition("+")[0].strip("()[]") in names
                                         for word in words):
            found.append(f'{line["event"]}: {line["text"]}')
    return found


class Trace:
    """Records EVENTS ("system/event"), with times of CLOCK_MONOTONIC."""

    def __init__(self, *events, filters=None, size_kb=None):
        global _serial
        _serial += 1
        self.path = f"{TRACING}/instances/cw-{os.getpid()}-{_serial}"
        os.mkdir(self.path)
        self.events = events
        try:
            self._write("trace_clock", "mono")
            if size_kb:
                self._write("buffer_size_kb", str(size_kb))
            for event in events:
                if filters and event in filters:
                    self._write(f"events/{event}/filter", filters[event])
                self._write(f"events/{event}/enable", "1")
        except OSError:
            self.close()
            raise

    def _write(self, name, text):
        with open(f"{self.path}/{name}", "w") as f:
            f.write(text)

    def lines(self):
        """The events so far: dicts with time (seconds), event and text."""
        with open(f"{self.path}/trace", errors="replace") as f:
            found = [m.groupdict() for m in map(_LINE.match, f)
                     if m and not m[0].startswith("#")]
        for line in found:
            line["time"] = float(line["time"])
            line["pid"] = int(line["pid"])
        return found

    def raw(self):
        with open(f"{self.path}/trace", errors="replace") as f:
            return f.read()

    def overruns(self):
        """How many events did not fit into the buffer."""
        number = 0
        for path in glob.glob(f"{self.path}/per_cpu/cpu*/stats"):
            with open(path) as f:
                number += sum(int(line.split()[-1]) for line in f
                              if line.startswith("overrun"))
        return number

    def close(self):
        for event in self.events:
            try:
                self._write(f"events/{event}/enable", "0")
            except OSError:
                pass    # the event's module is gone
        os.rmdir(self.path)
