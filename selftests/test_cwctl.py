#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The tool cwctl against the module: what it shows, filters, reaps and says."""
import contextlib
import errno
import fcntl
import json
import os
import shlex
import pty
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

from lib import cw, genl, kernel, ktap, net
from lib.net import wait_until

V4, V6 = socket.AF_INET, socket.AF_INET6
HERE = os.path.dirname(os.path.realpath(__file__))
CWCTL = os.environ.get("CWCTL", os.path.join(HERE, "..", "tools", "cwctl"))
DONE, FAILED, USAGE, NOTHING, NOT_LOADED = range(5)
CTRL_CMD_DELFAMILY = 2
SKIPPED = ("unaccepted", "kernel", "mptcp", "ulp", "busy", "changed")
ROW = cw.SOCKETS + ("processes", "cgroup_path")


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    return {**env, "TZ": "UTC", "LC_ALL": "C", **more}


def run(*args, columns=None, user=None, **kwargs):
    """Runs the tool; a CompletedProcess with text."""
    env = environment(**({"COLUMNS": str(columns)} if columns else {}))
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
    if user is not None:
        options.update(user=user, group=user, extra_groups=[])
    return subprocess.run([CWCTL, *args], check=False, text=True, errors="surrogateescape",
                          env=env, timeout=60 * ktap.SLOW, **options)


class Case(cw.Case):
    def setUp(self):
        if not os.access(CWCTL, os.X_OK):
            self.skipTest("cwctl is not built")
        super().setUp()

    def text(self, *args, status=DONE, **kwargs):
        """What the tool prints; it must end as expected and say nothing else."""
        done = run(*args, **kwargs)
        self.assertEqual((done.returncode, done.stderr), (status, ""), f"{args}: {done.stdout}")
        return done.stdout

    def json(self, *args, status=DONE, **kwargs):
        out = self.text("-j", *args, status=status, **kwargs)
        self.assertEqual(out.count("\n"), 1, out)
        return json.loads(out)

    def fails(self, status, pattern, *args, **kwargs):
        """One clear line on stderr, and in JSON an object that says the same."""
        done = run(*args, **kwargs)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertRegex(done.stderr, r"\Acwctl: .*" + pattern + r".*\n\Z")
        done = run("-j", *args, **kwargs)
        self.assertEqual(done.returncode, status)
        self.assertRegex(done.stderr, r"\Acwctl: .*" + pattern + r".*\n\Z")
        error = json.loads(done.stdout)
        self.assertEqual(list(error), ["error"])
        self.assertIn(error["error"], done.stderr)

    def cookies(self, *args):
        return sorted(int(r["cookie"], 16) for r in self.json("list", *args)["sockets"])

    def assert_fits(self, text, width):
        for line in text.splitlines():
            self.assertLessEqual(len(line), width, line)

    def reap(self, *args, status=DONE):
        answer = self.json("reap", *args, status=status)
        self.assertEqual(list(answer), ["matched", "reaped", "skipped", "dry_run"])
        self.assertEqual(tuple(answer["skipped"]), SKIPPED)
        return answer


class Show(Case):
    def test_empty(self):
        self.assertEqual(self.text(), "no socket is in CLOSE_WAIT\n")
        self.assertEqual(self.text("show", "--port", "80"),
                         "no socket in CLOSE_WAIT matches\n")
        self.assertEqual(self.json("show"), {"ports": []})
        self.assertEqual(self.json(), {"ports": []})

    def test_rows_are_those_of_proc(self):
        lsn = self.listener(port=8080)
        for cls in ("held", "unread", "unread", "unnoticed", "unaccepted"):
            self.spell(cls, lsn)
        self.spell("held", self.listener(V6, port=9090))
        self.spell("unnoticed", self.listener(port=3306), direction="out")
        rows = self.json("show")["ports"]
        for row in rows:
            self.assertEqual(tuple(row), cw.PORTS)
        table = cw.ports()
        self.assertEqual({(r["dir"], r["port"]) for r in rows}, set(table))
        for row in rows:
            for name, value in table[row["dir"], row["port"]].items():
                if not name.endswith("_ms") and name not in cw.AGES:
                    self.assertEqual(row[name], value, name)

    def test_worst_first(self):
        for port, number in ((7001, 1), (7002, 3), (7003, 1), (7004, 2)):
            lsn = self.listener(port=port)
            for _ in range(number):
                self.spell("held", lsn)
            time.sleep(0.02)
        self.assertEqual([r["port"] for r in self.json()["ports"]], [7002, 7004, 7001, 7003])

    def test_text(self):
        for cls in ("held", "unread"):
            self.spell(cls, self.listener(port={"held": 8080, "unread": 65000}[cls]))
        out = self.text(columns=80)
        self.assert_fits(out, 80)
        lines = [line.split() for line in out.splitlines()]
        self.assertEqual(lines[0][:8], ["DIR", "PORT", "COUNT", "UNACCEPTED", "SENDING",
                                        "UNREAD", "UNNOTICED", "HELD"])
        self.assertEqual(lines[1][:8], ["in", "8080", "1", "0", "0", "0", "0", "1"])
        self.assertEqual(lines[2][:8], ["in", "65000", "1", "0", "0", "1", "0", "0"])
        self.assertNotIn("RX-BYTES", out)
        self.assertIn("RX-BYTES", self.text(columns=150))
        self.assertIn("RX-BYTES", self.text())      # a pipe

    def on_terminal(self, **env):
        master, slave = pty.openpty()
        subprocess.run([CWCTL], check=True, stdout=slave, env=environment(**env))
        os.close(slave)
        out = os.read(master, 4096).decode()
        os.close(master)
        return out

    def test_terminal_of_unknown_width(self):
        """A serial console: 80 columns."""
        self.spell("held")
        out = self.on_terminal(TERM="vt100", NO_COLOR="1")
        self.assert_fits(out, 80)
        self.assertNotIn("RX-BYTES", out)

    def test_colour_only_on_a_terminal(self):
        self.spell("held")
        self.assertNotIn("\033", self.text())
        for env, coloured in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                              ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
            self.assertEqual("\033[" in self.on_terminal(**env), coloured, env)


class Sleeper:
    """A process that does nothing but have a socket open."""

    def __init__(self, sock):
        self.process = subprocess.Popen(["sleep", "1000"], pass_fds=[sock.fileno()])

    def close(self):
        self.process.kill()
        self.process.wait()


class List(Case):
    def test_empty(self):
        self.assertEqual(self.text("list"), "no socket is in CLOSE_WAIT\n")
        self.assertEqual(self.json("list"), {"sockets": []})

    def test_rows_are_those_of_proc(self):
        for family in (V4, V6):
            for cls in ("held", "unread", "unnoticed", "unaccepted", "sending"):
                self.spell(cls, self.listener(family))
        rows = self.json("list")["sockets"]
        table = {r["cookie"]: r for r in cw.sockets()}
        self.assertEqual(len(rows), 10)
        for row in rows:
            self.assertEqual(tuple(row), ROW)
            self.assertRegex(row["cookie"], r"\A[1-9a-f][0-9a-f]*\Z")
            proc = table[int(row["cookie"], 16)]
            for name in cw.SOCKETS:
                if name not in ("cookie", "age_ms", "idle_ms", "tx_bytes"):
                    self.assertEqual(row[name], proc[name], name)
        ages = [r["age_ms"] for r in rows]
        self.assertEqual(ages, sorted(ages, reverse=True))

    def test_mapped(self):
        lsn = self.listener(V6, "::", port=8081, options=((41, 26, 0),))
        self.keep(net.close_wait("held", lsn, address=("127.0.0.1", 8081), family=V4))
        row, = self.json("list")["sockets"]
        self.assertEqual(row["local"], "[::ffff:127.0.0.1]:8081")
        self.assertEqual(self.json("list", "--local", "127.0.0.1")["sockets"][0]["cookie"],
                         row["cookie"])

    def test_processes(self):
        spell = self.spell("held")
        other = os.dup(spell.app.fileno())
        self.addCleanup(os.close, other)
        row, = self.json("list")["sockets"]
        comm = open("/proc/self/comm", encoding="ascii").read().strip()
        self.assertEqual(row["processes"], [
            {"pid": os.getpid(), "comm": comm, "fd": fd}
            for fd in sorted((spell.app.fileno(), other))])
        self.assertIn(f"{os.getpid()}/{comm} fd {spell.app.fileno()}", self.text("list"))

    def test_shared_by_many(self):
        """Text names some of the processes, JSON all of them."""
        spell = self.spell("held")
        for _ in range(5):
            self.enter(contextlib.closing(Sleeper(spell.app)))
        wait_until(lambda: len(self.json("list")["sockets"][0]["processes"]) == 6,
                   "all to have it")
        for out in (self.text("list"), self.text("list", columns=400)):
            self.assertRegex(out, r"(\d+/\S+ fd \d+, ){3}3 more")

    def test_processes_of_many_descriptors(self):
        """Whether a process with few has the socket, or one with many, or both."""
        apps = {name: self.spell("held").app for name in ("few", "many", "both")}
        cookies = {name: f"{net.cookie(app):x}" for name, app in apps.items()}

        def child(keep, number):
            for name, app in apps.items():
                if name not in (keep, "both"):
                    app.close()
            for _ in range(number):
                os.dup(0)
        pids = {}
        for name, number in (("few", 0), ("many", 600)):
            made = kernel.Child(child, name, number, stay=True)
            self.addCleanup(made.release)
            pids[name] = made.pid
        for app in apps.values():
            app.close()
        found = {row["cookie"]: [p["pid"] for p in row["processes"]]
                 for row in self.json("list")["sockets"]}
        self.assertEqual(found, {cookies["few"]: [pids["few"]],
                                 cookies["many"]: [pids["many"]],
                                 cookies["both"]: sorted(pids.values())})

    def test_processes_in_a_large_table(self):
        """Wherever among thousands of descriptors, in order or not, and how often."""
        net.raise_nofile(5000)
        lsn = self.listener()
        expected = {}

        def place(*more):
            """A spell at the lowest descriptor that is free, and at others."""
            app = self.spell("held", lsn).app
            for fd in more:
                os.dup2(app.fileno(), fd)
                self.addCleanup(os.close, fd)
            expected[f"{net.cookie(app):x}"] = sorted([app.fileno(), *more])

        def fill(number, make):
            return [self.keep(make()) for _ in range(number)]
        place()
        old = fill(800, socket.socket)
        place()
        fill(200, lambda: open(os.devnull, "rb"))   # pylint: disable=consider-using-with
        place(4000)             # behind a hole, with one in order
        fill(800, socket.socket)
        place(4100, 4500)
        for one in old[400:402]:    # for the peer, and for a new one below older ones
            one.close()
        place()
        place()
        mine = os.getpid()
        self.assertEqual({row["cookie"]: [p["fd"] for p in row["processes"] if p["pid"] == mine]
                          for row in self.json("list")["sockets"]}, expected)
        self.assertRegex(self.text("reap", "--all").replace("\n", " "),
                         r"; 9 descriptors are still open in \S+ \(pid %d\) \Z" % mine)

    def test_processes_unseen(self):
        self.spell("held")
        row, = self.json("list", user=65534)["sockets"]
        self.assertEqual(row["processes"], [])
        self.assertRegex(self.text("list", user=65534), r"(?m)\s- ")

    def test_cgroup_path(self):
        group = self.cgroup("cw-test.slice")
        spell = self.in_cgroup(group, lambda: self.spell("held"))
        row, = self.json("list", "--cgroup", "/cw-test.slice")["sockets"]
        self.assertEqual(row["cookie"], f"{spell.cookie:x}")
        self.assertEqual(row["cgroup_path"], "/cw-test.slice")
        self.assertEqual(row["cgroup"], os.stat(group).st_ino)

    def cgroup(self, name):
        mount = "/sys/fs/cgroup"
        if not os.path.exists(f"{mount}/cgroup.procs"):
            subprocess.run(["mount", "-t", "cgroup2", "none", mount], check=False,
                           stderr=subprocess.DEVNULL)
        if not os.path.exists(f"{mount}/cgroup.procs"):
            self.skipTest("no cgroup v2")
        path = f"{mount}/{name}"
        os.makedirs(path, exist_ok=True)
        self.addCleanup(os.rmdir, path)
        return path

    @staticmethod
    def in_cgroup(path, function):
        def move(to):
            with open(f"{to}/cgroup.procs", "w", encoding="ascii") as f:
                f.write(str(os.getpid()))
        move(path)
        try:
            return function()
        finally:
            move("/sys/fs/cgroup")

    def test_cgroup_filter(self):
        outer = self.cgroup("cw-a.slice")
        inner = self.cgroup("cw-a.slice/b.service")
        other = self.cgroup("cw-c.slice")
        found = {path: self.in_cgroup(path, lambda: self.spell("held")).cookie
                 for path in (outer, inner, other)}
        self.assertEqual(self.cookies("--cgroup", "/cw-a.slice"),
                         sorted((found[outer], found[inner])))
        self.assertEqual(self.cookies("--cgroup", inner), [found[inner]])
        self.assertEqual(self.cookies("--cgroup", "/cw-c.slice/"), [found[other]])
        self.assertEqual(self.cookies("--cgroup", "/"), sorted(found.values()))
        self.fails(FAILED, "no cgroup /no.slice", "list", "--cgroup", "/no.slice")

    def test_nothing_raw_reaches_the_terminal(self):
        evil = b"\x1b]0;x\x07\xff\n\"\\"
        group = self.cgroup("cw-\x1b[31m.slice")
        spell = self.in_cgroup(group, lambda: self.spell("held"))
        def rename():
            with open("/proc/self/comm", "wb") as f:
                f.write(evil)
        child = kernel.Child(rename, stay=True)
        self.addCleanup(child.release)
        out = self.text("list")
        self.assertTrue(out.replace("\n", "").isprintable(), ascii(out))
        row, = self.json("list")["sockets"]
        self.assertEqual(row["cgroup_path"], "/cw-\x1b[31m.slice")
        names = [p["comm"] for p in row["processes"] if p["pid"] == child.pid]
        self.assertEqual(names, ["\x1b]0;x\x07\ufffd\n\"\\"])
        self.assertEqual(row["cookie"], f"{spell.cookie:x}")

    def test_fits(self):
        """Addresses of any length, on lines of 80 columns, and never cut."""
        address = "fd00:1111:2222:3333:4444:5555:6666:"
        for end in ("7777", "8888"):
            net.add_address6(f"{address}{end}", 128)
        lsn = self.listener(V6, f"{address}7777", port=45678)
        self.keep(net.close_wait("held", lsn, bind=(f"{address}8888", 0)))
        self.spell("held")
        out = self.text("list", columns=80)
        self.assert_fits(out, 80)
        self.assertIn(f"[{address}7777]:45678", out)
        self.assertIn(f"[{address}8888]:", out)
        for columns in (250, None):
            self.assertEqual(len(self.text("list", columns=columns).splitlines()), 3)

    def test_many(self):
        made = self.bulk(ktap.count(2000))
        rows = self.json("list")["sockets"]
        self.assertEqual(len(rows), len(made))
        self.assertTrue(all(len(r["processes"]) == 1 for r in rows))


class Filters(Case):
    def check(self, expected, *args):
        """list, show and a dry reap agree on what the filter matches."""
        self.assertEqual(self.cookies(*args), sorted(s.cookie for s in expected), args)
        ports = self.json("show", *args)["ports"]
        self.assertEqual(sum(r["sockets"] for r in ports), len(expected), args)
        answer = self.reap(*args, "--dry-run", status=DONE if expected else NOTHING)
        self.assertEqual(answer["matched"], len(expected), args)
        self.assertTrue(answer["dry_run"])

    def test_port(self):
        one, two, three = (self.spell(lsn=self.listener(port=p)) for p in (80, 81, 90))
        out = self.spell(lsn=self.listener(port=85), direction="out")
        self.check([one], "--port", "80")
        self.check([one, two, out], "--port", "80-89")
        self.check([one, two, three, out], "--port", "1-65535")
        self.check([], "--port", "82")

    def test_dir(self):
        inside = self.spell(lsn=self.listener(port=80))
        outside = self.spell(lsn=self.listener(port=3306), direction="out")
        self.check([inside], "--dir", "in")
        self.check([outside], "--dir", "out")
        self.check([], "--dir", "out", "--port", "80")

    def test_addresses(self):
        four = [self.spell(bind=(f"127.0.0.{n}", 0)) for n in (5, 6)]
        six = self.spell(lsn=self.listener(V6))
        self.check([four[0]], "--peer", "127.0.0.5")
        self.check(four, "--peer", "127.0.0.0/8")
        self.check(four, "--peer", "127.0.0.4/30")
        self.check([six], "--peer", "::1")
        self.check([six], "--local", "::/0")
        self.check(four, "--local", "0.0.0.0/0")
        self.check([], "--peer", "10.0.0.0/8")
        self.check([four[1]], "--local", "127.0.0.1/32", "--peer", "127.0.0.6")

    def test_class(self):
        held, unread = self.spell("held"), self.spell("unread")
        self.spell("unnoticed")
        self.check([held], "--class", "held")
        self.check([held, unread], "--class", "unread,held")
        self.check([], "--class", "sending")

    def test_times(self):
        old = self.spell("unread")
        young = round(2 * ktap.SLOW)     # seconds, in which the rest has to be done
        wait_until(lambda: cw.find(old.app)["age_ms"] >= 1000 * young, "it is old", 2 * young)
        old.app.recv(1)
        self.spell("held")
        self.check([old], "--older-than", f"{young}")
        self.check([], "--older-than", "1h")
        self.check([], "--idle", "1h")
        self.assertEqual(len(self.cookies("--older-than", "0s")), 2)

    def test_uid(self):
        mine = self.spell("held")
        self.check([mine], "--uid", "0")
        self.check([mine], "--uid", "root")
        self.check([], "--uid", "65534")

    def test_pid(self):
        mine = self.spell("held")
        lsn = self.listener()
        def other():
            # the descriptors of the parent are not the child's
            mine.app.close()
            self.their = net.close_wait("held", lsn)
            return self.their.cookie
        child = kernel.Child(other, stay=True)
        self.addCleanup(child.release)
        theirs = child.result()
        self.check([mine], "--pid", str(os.getpid()))
        self.assertEqual(self.cookies("--pid", str(child.pid)), [theirs])
        self.check([], "--pid", "4194303")
        self.check([], "--pid", str(os.getpid()), "--class", "sending")

    def test_all_must_match(self):
        lsn = self.listener(port=80)
        held = self.spell("held", lsn)
        self.spell("unread", lsn)
        self.spell("held")
        self.check([held], "--port", "80", "--class", "held", "--dir", "in", "--peer",
                   "127.0.0.1", "--local", "127.0.0.0/8", "--uid", "root", "--older-than", "0",
                   "--idle", "0", "--pid", str(os.getpid()))


class Reap(Case):
    def test_usage(self):
        self.fails(USAGE, "reap needs a filter, or --all", "reap")
        self.fails(USAGE, "reap needs a filter, or --all", "reap", "--dry-run")

    def test_reaps(self):
        gone, stays = self.spell("held"), self.spell("unread")
        answer = self.reap("--class", "held")
        self.assertEqual(answer, {"matched": 1, "reaped": 1,
                                  "skipped": dict.fromkeys(SKIPPED, 0), "dry_run": False})
        self.assertTrue(net.got_reset(gone.peer))
        self.assertEqual(gone.app.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
                         errno.ECONNABORTED)
        self.assertIsNotNone(cw.find(stays.app))
        self.assert_stats(reaped_request=1, sockets=1)

    def test_dry_run_touches_nothing(self):
        spell = self.spell("held")
        self.assertEqual(self.reap("--all", "--dry-run")["reaped"], 1)
        self.assertIsNotNone(cw.find(spell.app))
        self.assertEqual(self.text("reap", "--all", "--dry-run"),
                         "1 connection matches, 1 would be reset\n")

    def test_nothing_matches(self):
        self.spell("held")
        self.assertEqual(self.reap("--class", "sending", status=NOTHING)["matched"], 0)
        self.assertEqual(self.text("reap", "--class", "sending", status=NOTHING),
                         "no socket in CLOSE_WAIT matches\n")
        self.assertEqual(cw.stats()["sockets"], 1)

    def test_skipped(self):
        self.spell("held")
        self.spell("unaccepted")
        answer = self.reap("--all")
        self.assertEqual((answer["matched"], answer["reaped"]), (2, 1))
        self.assertEqual(answer["skipped"]["unaccepted"], 1)
        self.assertRegex(self.text("reap", "--all"),
                         r"\A0 connections reset; left alone: 1 not accepted yet\n\Z")

    def test_max(self):
        lsn = self.listener()
        for _ in range(5):
            self.spell("held", lsn)
        answer = self.reap("--class", "held", "--max", "2")
        self.assertEqual(answer["reaped"], 2)
        self.assertEqual(cw.stats()["sockets"], 3)
        self.assertRegex(self.text("reap", "--all", "--max", "1"),
                         r"\A1 connection reset of 3 that match[,;]")
        # a process' ports say what was reaped on them
        rows = self.json("show", "--pid", str(os.getpid()))["ports"]
        self.assertEqual([(r["sockets"], r["reaped"]) for r in rows], [(2, 3)])

    def test_what_is_freed(self):
        """A client's ephemeral port is free; the port of a service never was taken."""
        lsn = self.listener(port=3306)
        client = self.spell("held", lsn, direction="out")
        port = client.app.getsockname()[1]
        out = self.text("reap", "--dir", "out")
        self.assertRegex(
            out.replace("\n", " "),
            r"\A1 connection reset, 1 ephemeral port free; 1 descriptor is still open in "
            r"\S+ \(pid %d\) \Z" % os.getpid())
        client.peer.close()
        self.keep(net.listener(port=port))      # it really is
        self.spell("held", self.listener(port=8080))
        out = self.text("reap", "--dir", "in")
        self.assertNotIn("port", out)
        self.assertIn("1 descriptor is still open", out)

    def test_still_open_elsewhere(self):
        """Every process that has one, with its number, the most first."""
        lsn = self.listener()
        spells = [self.spell("held", lsn) for _ in range(3)]
        child = kernel.Child(lambda: spells[0].app.close(), stay=True)
        self.addCleanup(child.release)
        self.assertRegex(
            self.text("reap", "--all").replace("\n", " "),
            r"\A3 connections reset; 3 descriptors are still open in \S+ \(pid %d\), "
            r"2 in \S+ \(pid %d\) \Z" % (os.getpid(), child.pid))

    def test_still_open_of_many(self):
        """Nobody looks at all of their descriptors: who, not how many."""
        self.bulk(100)
        self.assertRegex(
            self.text("reap", "--all").replace("\n", " "),
            r"\A100 connections reset; descriptors are still open in \S+ \(pid %d\) \Z"
            % os.getpid())

    def test_by_pid(self):
        mine = [self.spell("held") for _ in range(3)]
        self.assertEqual(self.reap("--pid", str(os.getpid()), "--max", "2")["reaped"], 2)
        answer = self.reap("--pid", str(os.getpid()))
        self.assertEqual((answer["matched"], answer["reaped"]), (1, 1))
        self.assertTrue(all(net.aborted(s.app, 5) for s in mine))

    def test_needs_a_capability(self):
        spell = self.spell("held")
        self.fails(FAILED, "Operation not permitted", "reap", "--all", user=65534)
        self.fails(FAILED, "CAP_NET_ADMIN", "timeout", "5", user=65534)
        self.assertIsNotNone(cw.find(spell.app))

    def test_while_sockets_come_and_go(self):
        lsn = self.listener()
        spells = [self.spell("held", lsn) for _ in range(ktap.count(50, 10))]
        def churn():
            while True:
                net.churn(lsn)
        child = os.fork()
        if not child:
            try:
                churn()
            finally:
                os._exit(1)
        try:
            for _ in range(5):
                answer = json.loads(run("-j", "reap", "--older-than", "1").stdout)
                self.assertEqual(answer["matched"],
                                 answer["reaped"] + sum(answer["skipped"].values()))
                time.sleep(0.3)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.assertTrue(all(net.aborted(s.app, 5) for s in spells))

    def test_interrupted(self):
        """Ctrl-C while it works: the tool ends, and another may go on."""
        self.bulk(ktap.count(2000))
        with subprocess.Popen([CWCTL, "reap", "--all"], stdout=subprocess.DEVNULL) as tool:
            time.sleep(0.01)
            tool.send_signal(signal.SIGINT)
            tool.wait()
        wait_until(lambda: run("reap", "--all").returncode in (DONE, NOTHING), "a later reap")
        wait_until(lambda: cw.stats()["sockets"] == 0, "all are reaped")


@ktap.slow
class Large(Case):
    limit = 600

    def test_reap_by_pid(self):
        """More cookies than one request takes."""
        if ktap.SCALE < 0.1:
            self.skipTest("too many sockets for this machine")
        number = len(self.bulk(8100, half=True))
        answer = self.reap("--pid", str(os.getpid()), "--max", "8050")
        self.assertEqual((answer["matched"], answer["reaped"]), (number, 8050))


class InNamespaces(Case):
    name = f"cw-test-{os.getpid()}"

    def named(self):
        net.ip("netns", "add", self.name)
        self.addCleanup(self.unname)
        net.ip("-n", self.name, "link", "set", "lo", "up")
        return self.name

    def unname(self):
        if os.path.exists(f"/run/netns/{self.name}"):
            net.ip("netns", "del", self.name)

    def inside(self, name, cls="held", **kwargs):
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        kernel.setns(fd)
        try:
            return self.spell(cls, **kwargs)
        finally:
            kernel.setns(home)
            os.close(fd)
            os.close(home)


class Namespaces(InNamespaces):
    def test_named(self):
        name = self.named()
        there, here = self.inside(name), self.spell("unread")
        for where in (name, f"/run/netns/{name}"):
            self.assertEqual(self.cookies("-n", where), [there.cookie])
            rows = self.json("-n", where)["ports"]
            self.assertEqual(tuple(rows[0]), cw.PORTS)
        self.assertEqual(self.cookies(), [here.cookie])
        self.assertEqual(self.json("-n", name, "reap", "--all")["reaped"], 1)
        self.assertIsNotNone(cw.find(here.app))
        self.assertEqual(self.json("timeout", "--netns", name, "77")["timeout"], 77)
        self.assertEqual(self.json("timeout")["timeout"], 0)

    def test_all(self):
        name = self.named()
        there, here = self.inside(name), self.spell("unread")
        home = os.stat("/proc/thread-self/ns/net").st_ino
        rows = {int(r["cookie"], 16): r for r in self.json("-a", "list")["sockets"]}
        self.assertEqual(rows[there.cookie]["netns"], name)
        self.assertEqual(rows[here.cookie]["netns"], f"net:[{home}]")
        self.assertEqual(tuple(rows[here.cookie]), ("netns",) + ROW)
        ports = self.json("show", "-a")["ports"]
        self.assertLessEqual({name, f"net:[{home}]"}, {r["netns"] for r in ports})
        self.assert_fits(self.text("-a", "show", columns=80), 80)
        answer = self.json("-a", "reap", "--class", "held,unread")
        self.assertEqual(answer["reaped"], 2)
        self.assertEqual(sum(r["reaped"] for r in answer["namespaces"]), 2)

    def test_hidden_name(self):
        self.name = f".{self.name}"
        there = self.inside(self.named())
        rows = {int(r["cookie"], 16): r for r in self.json("-a", "list")["sockets"]}
        self.assertEqual(rows[there.cookie]["netns"], self.name)

    def test_odd_name(self):
        """What is proposed to be run next can be given to a shell as it stands."""
        self.name = f"é $x;'-{os.getpid()}"
        self.inside(self.named())
        for args in (("-n", self.name), ("-n", f"/run/netns/{self.name}"), ("-a",)):
            status = self.json(*args, "status")
            places = status.get("namespaces", [status])
            command, = [s["next"] for place in places for s in place["services"]]
            self.assertEqual(shlex.split(command)[:3],
                             ["cwctl", "-n", args[1] if args[1:] else self.name])

    def test_no_namespaces(self):
        """What else lies in /run/netns is passed over, and not waited for."""
        there = self.inside(self.named())
        names = [f"/run/netns/{self.name}-{kind}" for kind in ("fifo", "loop", "socket", "dir", "file")]
        fifo, loop, sock, directory, file = names
        self.addCleanup(subprocess.run, ["rm", "-rf", *names], check=True)
        os.mkfifo(fifo)
        os.symlink(loop, loop)
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(sock)
        os.mkdir(directory)
        with open(file, "w", encoding="ascii"):
            pass
        self.assertEqual(self.cookies("-a"), [there.cookie])

    def test_host(self):
        names = [r["netns"] for r in self.json("-a", "timeout")["namespaces"]]
        self.assertEqual(names.count("host"), 1)
        self.assertEqual(len(names), len(set(names)))

    def test_wrong(self):
        self.fails(USAGE, "exclude each other", "-n", "x", "-a", "show")
        self.fails(FAILED, "cannot open network namespace no-such", "-n", "no-such", "show")
        self.fails(FAILED, "/etc/passwd is not a network namespace", "-n", "/etc/passwd")
        self.fails(FAILED, "is too long", "-n", "/./" * 1500)
        with tempfile.TemporaryDirectory() as there:
            os.mkfifo(f"{there}/fifo")
            self.fails(FAILED, "fifo is not a network namespace", "-n", f"{there}/fifo")
        self.fails(USAGE, "neither a name nor an absolute path", "-n", "a/b")
        self.fails(FAILED, "needs", "-a", user=65534)

    def test_failure_in_one(self):
        """Does not keep the command from the others, which come behind it."""
        rules = ",".join(f"{port}=5" for port in range(1, 256, 2))
        subprocess.run(["ip", "netns", "exec", self.named(), "sysctl", "-qw",
                        f"net.ipv4.tcp_close_wait_port_timeouts={rules}"], check=True)
        self.addCleanup(run, "-a", "timeout", "default", "--port", "9999")
        done = run("-a", "timeout", "600", "--port", "9999")
        self.assertEqual(done.returncode, FAILED)
        self.assertRegex(done.stderr, rf"\Acwctl: network namespace {self.name}: this would make "
                         r"129 rules; there can be 128; done in (\d+) of \d+ namespaces\n\Z")
        self.assertEqual(self.json("timeout")["port_timeouts"],
                         [{"dir": "in", "first": 9999, "last": 9999, "timeout": 600}])

    def test_while_namespaces_come_and_go(self):
        child = subprocess.Popen(
            ["sh", "-c", "while :; do unshare -n true; ip netns add cw-x-$$; "
             "ip netns del cw-x-$$; done"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            for _ in range(ktap.count(10, 2)):
                self.json("-a", "show")
                self.json("-a", "list")
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            for name in os.listdir("/run/netns"):
                if name.startswith("cw-x-"):
                    net.ip("netns", "del", name)


class Timeout(Case):
    def rules(self):
        return cw.get("port_timeouts")

    def test_show(self):
        self.assertEqual(self.json("timeout"), {"timeout": 0, "action": "reap",
                                                "reap_rate": 1000, "port_timeouts": []})
        cw.put("timeout", 900)
        cw.put("port_timeouts", "80=5,out:3306=0")
        answer = self.json("timeout")
        self.assertEqual(answer["timeout"], 900)
        self.assertEqual(answer["port_timeouts"], [
            {"dir": "in", "first": 80, "last": 80, "timeout": 5},
            {"dir": "out", "first": 3306, "last": 3306, "timeout": 0}])
        self.assertEqual(len(self.json("timeout", "--port", "80-90")["port_timeouts"]), 1)
        self.assertIn("timeout 900s, action reap", self.text("timeout"))

    def test_namespace(self):
        for word, value in (("600", "600"), ("10m", "600"), ("2h", "7200"), ("off", "0")):
            self.text("timeout", word)
            self.assertEqual(cw.get("timeout"), value)
        self.fails(USAGE, "not a timeout", "timeout", "10x")
        self.fails(USAGE, "not a timeout", "timeout", "31536001")
        self.fails(USAGE, "'default' needs --port", "timeout", "default")

    def test_ports(self):
        for args, rules in (
                (("60", "--port", "100-200"), "100-200=60"),
                (("5", "--port", "150"), "100-149=60,150=5,151-200=60"),
                (("7", "--port", "90-120"), "90-120=7,121-149=60,150=5,151-200=60"),
                (("off", "--port", "in:140-160"),
                 "90-120=7,121-139=60,140-160=0,161-200=60"),
                (("1m", "--port", "out:150"),
                 "90-120=7,121-139=60,140-160=0,161-200=60,out:150=60"),
                (("default", "--port", "100-180"), "90-99=7,181-200=60,out:150=60"),
                (("default", "--port", "1-65535"), "out:150=60"),
                (("default", "--port", "out:150"), "")):
            self.text("timeout", *args)
            self.assertEqual(self.rules(), rules, args)

    def test_too_many(self):
        cw.put("port_timeouts", ",".join(f"{p}=5" for p in range(1, 257, 2)))
        before = self.rules()
        self.fails(FAILED, "there can be 128", "timeout", "9", "--port", "1000")
        self.assertEqual(self.rules(), before)
        self.addCleanup(run, "-a", "timeout", "default", "--port", "1000")
        inode = os.stat("/proc/thread-self/ns/net").st_ino
        self.fails(FAILED, rf"network namespace net:\[{inode}\]: .*there can be 128; "
                   r"done in \d+ of \d+ namespaces", "-a", "timeout", "9", "--port", "1000")
        self.text("timeout", "9", "--port", "1-255")
        self.assertEqual(self.rules(), "1-255=9")

    def lock(self):
        """What those take who change rules."""
        mine = self.keep(open("/proc/thread-self/ns/net", encoding="ascii"))
        fcntl.flock(mine, fcntl.LOCK_EX)
        return mine

    def test_at_the_same_time(self):
        """None undoes what another sets meanwhile."""
        lock = self.lock()
        tool = subprocess.Popen([CWCTL, "timeout", "5", "--port", "80"],
                                stdout=subprocess.DEVNULL)
        self.addCleanup(tool.wait)
        self.addCleanup(tool.kill)

        def waits():
            fds = f"/proc/{tool.pid}/fd/"
            with contextlib.suppress(FileNotFoundError):    # closed just now
                return any(os.readlink(fds + fd).startswith("net:") for fd in os.listdir(fds))
            return False
        wait_until(waits, "the tool to wait for the lock")
        cw.put("port_timeouts", "81=6")
        lock.close()
        self.assertEqual(tool.wait(20 * ktap.SLOW), DONE)
        self.assertEqual(self.rules(), "80=5,81=6")

    def test_locked_by_a_stranger(self):
        """Anybody in the namespace can hold the lock, which must not hold off others."""
        self.lock()
        begin = time.monotonic()
        self.text("timeout", "5", "--port", "80")
        self.assertGreater(time.monotonic() - begin, 4.9, "not waited for")
        self.assertEqual(self.rules(), "80=5")

    def test_at_work(self):
        spell = self.spell("held", self.listener(port=8080))
        self.spell("held", self.listener(port=8081))
        self.text("timeout", "1", "--port", "8080")
        self.assertTrue(net.aborted(spell.app, 10))
        self.assertEqual(cw.stats()["sockets"], 1)


class Status(Case):
    def test_empty(self):
        out = self.text("status")
        self.assertRegex(out, r"^module tcp_close_wait \S+ is loaded, tracking by events\n")
        self.assertRegex(out, r"no socket is in CLOSE_WAIT, holding 0 of the \d+\s+ephemeral ports")
        self.assert_fits(out, 80)

    def test_json(self):
        lsn = self.listener(port=8080)
        for _ in range(3):
            self.spell("held", lsn)
        self.spell("unnoticed", self.listener(port=3306), direction="out")
        answer = self.json("status")
        self.assertEqual(answer["module"]["tracking"], "events")
        self.assertEqual(answer["sockets"], 4)
        first, last = map(int, open("/proc/sys/net/ipv4/ip_local_port_range",
                                    encoding="ascii").read().split())
        self.assertEqual(answer["ephemeral_ports"],
                         {"held": 1, "size": last - first + 1, "first": first, "last": last})
        self.assertEqual(answer["stats"]["entered"], 4)
        worst, other = answer["services"]
        self.assertEqual((worst["dir"], worst["port"], worst["held"]), ("in", 8080, 3))
        self.assertIn("close() was forgotten", worst["hint"])
        self.assertEqual(worst["processes"][0]["pid"], os.getpid())
        self.assertEqual(worst["processes"][0]["descriptors"], 3)
        self.assertIn("idle pooled", other["hint"])
        for service in answer["services"]:
            words = service["next"].split()
            self.assertEqual(words[0], "cwctl")
            self.text(*words[1:])

    def test_text(self):
        for cls in ("held", "unread", "unnoticed", "unaccepted", "sending"):
            self.spell(cls)
        out = self.text("status")
        for word in ("held", "unread", "unnoticed", "unaccepted", "sending", "next: cwctl list"):
            self.assertIn(word, out)
        self.assertRegex(out, r"5 sockets are in CLOSE_WAIT, holding 0 of the \d+\s+ephemeral")
        for line in out.splitlines():
            if "next:" not in line:
                self.assertLessEqual(len(line), 80, line)

    def test_for_anyone(self):
        self.spell("held")
        self.assertEqual(self.json("status", user=65534)["sockets"], 1)


class Monitor(InNamespaces):
    def monitor(self, *args, **kwargs):
        tool = subprocess.Popen([CWCTL, *args, "monitor"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=environment(), **kwargs)
        self.addCleanup(tool.wait)
        self.addCleanup(tool.kill)
        self.addCleanup(tool.stdout.close)
        self.addCleanup(tool.stderr.close)
        wait_until(lambda: self.listens(tool.pid), "the monitor to listen")
        return tool

    @staticmethod
    def listens(pid, netns=None):
        """In the namespace that the tool is in, or in another."""
        where = [f"--net=/run/netns/{netns}"] if netns else ["-t", str(pid), "--net"]
        rows = [line.split() for line in subprocess.run(
            ["nsenter", *where, "cat", "/proc/net/netlink"], check=True,
            stdout=subprocess.PIPE, text=True).stdout.splitlines()[1:]]
        return any(r[1] == "16" and r[2] == str(pid) and int(r[3], 16) for r in rows)

    def line(self, tool):
        """The next line, read without a buffer: select() does not know of that."""
        with open(tool.stdout.fileno(), "rb", buffering=0, closefd=False) as stdout:
            self.assertTrue(select.select([stdout], [], [], 10 * ktap.SLOW)[0], "no line")
            return stdout.readline().decode()

    def test_json(self):
        tool = self.monitor("-j")
        spell = self.spell("held", self.listener(port=8080))
        self.reap("--all")
        event = json.loads(self.line(tool))
        self.assertEqual((event["event"], event["cause"], event["error"]),
                         ("reaped", "request", errno.ECONNABORTED))
        self.assertEqual((event["dir"], event["class"]), ("in", "held"))
        self.assertEqual(event["cookie"], f"{spell.cookie:x}")
        self.assertEqual(event["local"], "127.0.0.1:8080")
        self.spell("held")
        self.text("timeout", "1")
        event = json.loads(self.line(tool))
        self.assertEqual((event["cause"], event["error"]), ("timeout", errno.ETIMEDOUT))

    def test_text(self):
        tool = self.monitor()
        self.spell("held", self.listener(port=8080))
        self.reap("--all")
        self.assertRegex(self.line(tool), r"\A\d\d:\d\d:\d\d in 127\.0\.0\.1:8080 127\.0\.0\.1:"
                         r"\d+ age \S+ idle \S+ held \(request\)\n\Z")

    @staticmethod
    def with_timeout():
        """The numbers of namespaces that have sockets or a timeout."""
        with open(f"{cw.DEBUGFS}/netns", encoding="ascii") as f:
            return {int(line.split()[0]) for line in f.readlines()[1:]}

    def test_namespaces_come_and_go(self):
        """With -a new ones are followed, and those that are gone are not kept."""
        tool = self.monitor("-j", "-a")
        name = self.named()
        number = os.stat(f"/run/netns/{name}").st_ino
        self.text("-n", name, "timeout", "1000")
        wait_until(lambda: self.listens(tool.pid, name), "the monitor to follow")
        there = self.inside(name)
        self.json("-n", name, "reap", "--all")
        event = json.loads(self.line(tool))
        self.assertEqual((event["netns"], event["cookie"]), (name, f"{there.cookie:x}"))
        there.close()
        there.lsn.close()
        self.assertIn(number, self.with_timeout())
        self.unname()
        wait_until(lambda: number not in self.with_timeout(), "the namespace to go")
        here = self.spell("held")
        self.reap("--all")
        event = json.loads(self.line(tool))
        self.assertEqual(event["cookie"], f"{here.cookie:x}")
        self.assertNotEqual(event["netns"], name)

    def core_sysctl(self, name, value):
        """Sets a sysctl of the host for this test alone."""
        sysctl = ["nsenter", "-t", "1", "-n", "sysctl"]
        old = subprocess.run([*sysctl, "-n", name], check=True, stdout=subprocess.PIPE, text=True)
        self.addCleanup(subprocess.run, [*sysctl, "-qw", f"{name}={old.stdout.strip()}"], check=True)
        subprocess.run([*sysctl, "-qw", f"{name}={value}"], check=True)

    def test_lost(self):
        """Whoever has no power over the host gets a small buffer, which overflows."""
        # newer kernels allow more
        self.core_sysctl("net.core.rmem_max", 212992)
        self.core_sysctl("net.core.rmem_default", 212992)
        tool = self.monitor("-j", user=65534)
        made = self.bulk(600)
        os.kill(tool.pid, signal.SIGSTOP)
        self.assertEqual(self.reap("--all")["reaped"], len(made))
        os.kill(tool.pid, signal.SIGCONT)
        seen = set()
        while "lost" not in seen:
            seen.add(json.loads(self.line(tool))["event"])
        self.assertIn("reaped", seen | {json.loads(self.line(tool))["event"]})

    def test_lost_with_the_news_of_unloading(self):
        """The module comes again at once, as when it is upgraded."""
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.addCleanup(self._module_as_before)
        self.core_sysctl("net.core.rmem_max", 212992)
        self.core_sysctl("net.core.rmem_default", 212992)
        tool = self.monitor(user=65534)
        made = self.bulk(600)
        os.kill(tool.pid, signal.SIGSTOP)
        self.assertEqual(self.reap("--all")["reaped"], len(made))
        self.assertEqual(cw.unload_when_free(), "")
        self.assertEqual(cw.load(), "")
        os.kill(tool.pid, signal.SIGCONT)
        out, err = tool.communicate(timeout=20 * ktap.SLOW)
        self.assertIn("some events were lost", out)
        self.assertEqual((tool.returncode, err),
                         (NOT_LOADED, "cwctl: the module tcp_close_wait was unloaded\n"))

    def test_only_the_kernel_is_heard(self):
        """Root of a container can send to the host's monitor, but not speak for the kernel."""
        tool = self.monitor("-j")
        with genl.Socket() as nl:
            number = struct.pack("=H", nl.id)
            for kind, command, body in (
                    (genl.GENL_ID_CTRL, CTRL_CMD_DELFAMILY,
                     genl.attribute(genl.CTRL_ATTR_FAMILY_ID, number)),
                    (nl.id, nl.spec.ops["reaped-ntf"]["value"], b"")):
                message = struct.pack("=BBH", command, 1, 0) + body
                nl.sock.sendto(struct.pack("=IHHII", 16 + len(message), kind, 0, 0, 0) + message,
                               (tool.pid, 0))
        spell = self.spell("held")
        self.reap("--all")
        self.assertEqual(json.loads(self.line(tool))["cookie"], f"{spell.cookie:x}")
        self.assertIsNone(tool.poll())

    def test_unload(self):
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.addCleanup(self._module_as_before)
        tool = self.monitor()
        self.assertEqual(cw.unload(), "")
        self.assertEqual(tool.wait(10 * ktap.SLOW), NOT_LOADED)
        self.assertEqual(tool.stderr.read(), "cwctl: the module tcp_close_wait was unloaded\n")

    def test_closed_pipe(self):
        """It ends when nobody reads it any more, not at the next event."""
        tool = self.monitor()
        tool.stdout.close()
        self.assertEqual(tool.wait(10 * ktap.SLOW), FAILED)
        self.assertEqual(tool.stderr.read(), "")


@ktap.slow
class Errors(Case):
    def test_usage(self):
        for args in (("sho",), ("show", "x"), ("timeout", "5", "6"), ("show", "--max", "5"),
                     ("show", "--por", "80"), ("show", "--port"), ("-x",), ("--no",),
                     ("show", "--port", "0"), ("show", "--port", "80-70"),
                     ("show", "--port", "65536"), ("show", "--port", "in:80"),
                     ("list", "--dir", "up"), ("list", "--class", "hel"),
                     ("list", "--class", "held,"), ("list", "--peer", "1.2.3"),
                     ("list", "--peer", "1.2.3.4/33"), ("list", "--peer", "::1/129"),
                     ("list", "--idle", "5x"), ("list", "--idle", ""), ("list", "--idle", "-5"),
                     ("list", "--uid", "nosuchuser"), ("list", "--pid", "0"),
                     ("reap", "--all", "--max", "0"), ("monitor", "--port", "80"),
                     ("status", "--port", "80"), ("show", "--port", "80", "--port", "81"),
                     ("timeout", "5", "--port", "up:80"), ("--json=1",)):
            with self.subTest(args=args):
                self.fails(USAGE, "see cwctl --help", *args)

    def test_options_anywhere(self):
        for args in (("-j", "show"), ("show", "-j"), ("show", "--json"), ("-j",),
                     ("--port", "80", "-j"), ("show", "--port=80", "--json")):
            self.assertEqual(json.loads(self.text(*args)), {"ports": []}, args)

    def test_help(self):
        for name in ("show", "list", "reap", "timeout", "monitor", "status"):
            out = self.text(name, "--help")
            self.assertIn(f"cwctl {name}" if name != "show" else "cwctl", out)
            self.assertIn(name, self.text("--help"))
        self.assertRegex(self.text("--version"), r"\Acwctl \d+(\.\d+)+\n\Z")

    def test_full_disk(self):
        self.spell("held")
        for args in (("show",), ("list", "-j"), ("status",), ("--help",), ("timeout",)):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = run(*args, stdout=full)
            self.assertEqual(done.returncode, FAILED, args)
            self.assertEqual(done.stderr,
                             "cwctl: cannot write the output: No space left on device\n")
        with open("/dev/full", "w", encoding="ascii") as full:
            done = run("reap", "--all", stdout=full)
        self.assertEqual((done.returncode, done.stderr), (
            FAILED, "cwctl: cannot write the output: No space left on device; 1 were reaped\n"))

    def test_closed_pipe(self):
        self.spell("held")
        for args in (("show",), ("list", "-j"), ("reap", "--all", "--dry-run")):
            reader, writer = os.pipe()
            os.close(reader)
            done = run(*args, stdout=writer)
            os.close(writer)
            self.assertEqual((done.returncode, done.stderr), (FAILED, ""), args)

    def test_closed_stdout(self):
        done = subprocess.run(["sh", "-c", f"exec {CWCTL} show >&-"], check=False,
                              stderr=subprocess.PIPE, text=True, env=environment())
        self.assertEqual(done.returncode, FAILED)
        self.assertRegex(done.stderr, r"\Acwctl: cannot write the output: .*\n\Z")

    def test_not_loaded(self):
        if not cw.module_file():
            self.skipTest("CW_MODULE_DIR does not name a directory with the module")
        self.addCleanup(self._module_as_before)
        self.assertEqual(cw.unload(), "")
        for args in ((), ("list",), ("reap", "--all"), ("timeout",), ("timeout", "5"),
                     ("monitor",), ("status",), ("-a", "show")):
            self.fails(NOT_LOADED, "not loaded", *args)

    def test_readable_by_anyone(self):
        spell = self.spell("held")
        self.assertEqual(self.json("show", user=65534)["ports"][0]["held"], 1)
        row, = self.json("list", user=65534)["sockets"]
        self.assertEqual(row["cookie"], f"{spell.cookie:x}")

    def test_completion(self):
        script = self.text("--completion")
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        def complete(*words):
            done = subprocess.run(
                ["bash", "-c", script + '\nCOMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _cwctl\n'
                 'printf "%s\\n" "${COMPREPLY[@]}"', "bash", "cwctl", *words],
                check=True, text=True, stdout=subprocess.PIPE)
            return done.stdout.split()
        self.assertEqual(complete("li"), ["list"])
        self.assertEqual(complete("reap", "--dr"), ["--dry-run"])
        self.assertEqual(complete("show", "--dr"), [])
        self.assertEqual(complete("show", "--class", "un"),
                         ["unaccepted", "unread", "unnoticed"])


if __name__ == "__main__":
    ktap.main()
