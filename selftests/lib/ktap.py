# SPDX-License-Identifier: GPL-2.0
"""Runs unittest test cases and prints KTAP version 1.

Exit status, as kselftest has it: 0 passed, 1 failed, 4 all skipped.
"""
import faulthandler
import os
import signal
import sys
import threading
import time
import unittest

# A debug kernel under emulation is slow: CW_SCALE multiplies the numbers of
# sockets and rounds, CW_SLOW the deadlines and the slack for scheduling.
SCALE = float(os.environ.get("CW_SCALE", "1"))
SLOW = float(os.environ.get("CW_SLOW", "0")) or max(1.0, min(10.0, 0.5 / SCALE))
# Without the cases that are marked slow.
QUICK = os.environ.get("CW_QUICK") == "1"

# Who stands still for longer cannot tell "reaped too late" from "looked too late".
STANDSTILL = 0.25
ATTEMPTS = 3

KSFT_PASS, KSFT_FAIL, KSFT_SKIP = 0, 1, 4


class TestTimeout(Exception):
    """A single test took longer than its limit."""


def count(number, least=1):
    """NUMBER, scaled to what this machine can do."""
    return max(least, int(number * SCALE))


def slow(case):
    """Marks a case, or a class of them, that CW_QUICK leaves out: it takes long, and
    what it tests hardly depends on the kernel."""
    case.slow = True
    return case


def is_slow(test):
    return hasattr(test, "slow") or hasattr(getattr(test, test._testMethodName), "slow")


class Pulse:
    """Says whether the machine stood still: a thread on each processor that sleeps
    a moment, and sees how much later than that it is woken."""

    PAUSE = 0.05

    def __init__(self):
        self.worst = 0.0
        for cpu in os.sched_getaffinity(0):
            threading.Thread(target=self._beat, args=(cpu,), daemon=True).start()

    def _beat(self, cpu):
        os.sched_setaffinity(0, {cpu})  # this thread alone
        while True:
            due = time.monotonic() + self.PAUSE
            time.sleep(self.PAUSE)
            self.worst = max(self.worst, time.monotonic() - due)


class Result(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.pulse = Pulse()
        self.again = []
        self.last_attempt = False
        self.number = self.passed = self.failed = self.skips = 0
        self.seen = set()
        self.problems = []
        self.skip_reason = None

    def _alarm(self, _signal, _frame):
        raise TestTimeout("the test ran into its time limit")

    def startTest(self, test):
        super().startTest(test)
        self.problems = []
        self.skip_reason = None
        self.pulse.worst = 0.0
        limit = getattr(test, "limit", 60) * SLOW
        signal.signal(signal.SIGALRM, self._alarm)
        # again and again: clean-up that hangs is interrupted too
        signal.setitimer(signal.ITIMER_REAL, limit, 20)

    def _problem(self, test, err):
        self.problems.append(self._exc_info_to_string(err, test))
        if not hasattr(test, "_testMethodName"):
            self._report(str(test))  # a fixture of a class or a module

    def addError(self, test, err):
        self._problem(test, err)

    def addFailure(self, test, err):
        self._problem(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            text = self._exc_info_to_string(err, test)
            self.problems.append(f"with {dict(subtest.params)}:\n{text}")

    def addSkip(self, test, reason):
        self.skip_reason = reason

    def addExpectedFailure(self, test, err):
        pass

    def addUnexpectedSuccess(self, test):
        self.problems.append("succeeded, though it was expected to fail")

    def stopTest(self, test):
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().stopTest(test)
        stood = self.pulse.worst
        if (self.problems and stood > STANDSTILL and not self.last_attempt
                and getattr(test, "repeat", True)):
            self.again.append(test)
            self._print_problems()
            print(f"# once more later, the machine stood still for {stood:.3f} s: "
                  f"{name_of(test)}", file=self.out, flush=True)
            return
        self.seen.add(test.id())
        self._report(name_of(test))

    def _print_problems(self):
        for problem in self.problems:
            for line in problem.rstrip().splitlines():
                print(f"# {line}", file=self.out)

    def _report(self, name):
        self.number += 1
        self._print_problems()
        if self.problems:
            self.failed += 1
            line = f"not ok {self.number} {name}"
        elif self.skip_reason is not None:
            self.skips += 1
            line = f"ok {self.number} {name} # SKIP {self.skip_reason}"
        else:
            self.passed += 1
            line = f"ok {self.number} {name}"
        print(line, file=self.out, flush=True)
        self.problems = []


def name_of(test):
    """CLASS.METHOD."""
    return ".".join(test.id().split(".")[-2:])


def cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


def main():
    """Runs the test cases of the script that calls it.

    Arguments are parts of names of tests; without any, all of them run.
    """
    faulthandler.enable()
    wanted = sys.argv[1:]
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    tests = [t for t in cases(suite)
             if not wanted or any(w in name_of(t) for w in wanted)]
    left_out = [t for t in tests if QUICK and is_slow(t)]
    tests = [t for t in tests if t not in left_out]
    out = sys.stdout
    print("KTAP version 1", file=out)
    print(f"1..{len(tests)}", file=out, flush=True)
    for test in left_out:
        print(f"# left out, slow: {name_of(test)}", file=out)
    result = Result(out)
    attempt = tests
    for number in range(1, ATTEMPTS + 1):
        result.again, result.last_attempt = [], number == ATTEMPTS
        unittest.TestSuite(attempt).run(result)
        attempt = result.again
    for test in tests:
        if test.id() not in result.seen and result.number < len(tests):
            result.problems = ["did not run"]
            result._report(name_of(test))
    print(f"# {result.passed} passed, {result.failed} failed, {result.skips} skipped",
          file=out, flush=True)
    if result.failed or not tests:
        status = KSFT_FAIL
    elif result.skips == len(tests):
        status = KSFT_SKIP
    else:
        status = KSFT_PASS
    sys.exit(status)
