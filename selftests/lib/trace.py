# SPDX-License-Identifier: GPL-2.0
"""An instance of the kernel's trace buffer with some events enabled."""
import os
import re

TRACING = "/sys/kernel/tracing"
_LINE = re.compile(r"\s*(?P<task>.*)-(?P<pid>\d+)\s+\[(?P<cpu>\d+)\]\s+(?:[^ ]+\s+)?"
                   r"(?P<time>\d+\.\d+): (?P<event>\w+): (?P<text>.*)$")
_serial = 0


def available(event=""):
    return os.path.isdir(f"{TRACING}/events/{event}")


class Trace:
    """Records EVENTS ("system/event"), with times of CLOCK_MONOTONIC."""

    def __init__(self, *events, filters=None):
        global _serial
        _serial += 1
        self.path = f"{TRACING}/instances/cw-{os.getpid()}-{_serial}"
        os.mkdir(self.path)
        self.events = events
        try:
            self._write("trace_clock", "mono")
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

    def close(self):
        for event in self.events:
            try:
                self._write(f"events/{event}/enable", "0")
            except OSError:
                pass    # the event's module is gone
        os.rmdir(self.path)
