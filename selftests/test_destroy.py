#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What an abort does to a connection and to who uses it: by timeout and on request.

The cases are those for which the kernel's own users test SOCK_DESTROY.
"""
import array
import errno
import os
import select
import socket
import struct
import subprocess
import threading
import time

from lib import cw, genl, kernel, ktap, net
from lib.ktap import SLOW
from lib.net import wait_until

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4
FIN, SYN, RST = 1, 2, 4
ALL_EVENTS = (select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLERR
              | select.EPOLLHUP)
SKIPPED = ("unaccepted", "kernel", "mptcp", "ulp")


class Wire:
    """Every TCP segment on lo, as (source port, destination port, flags, length)."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        # what has filled another socket's buffer comes here twice
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        self.sock.bind(("lo", ETH_P_ALL))
        self.sock.setblocking(False)

    def close(self):
        self.sock.close()

    def segments(self):
        """Those since the last look."""
        found = []
        while True:
            try:
                packet, (_dev, _proto, kind, *_) = self.sock.recvfrom(65536)
            except BlockingIOError:
                return found
            version = packet[0] >> 4
            protocol = packet[9] if version == 4 else packet[6]
            if kind != PACKET_OUTGOING or protocol != socket.IPPROTO_TCP:
                continue
            tcp = packet[4 * (packet[0] & 15) if version == 4 else 40:]
            sport, dport, offset, flags = struct.unpack_from("!HH8xBB", tcp)
            found.append((sport, dport, flags & 7, len(tcp) - 4 * (offset >> 4)))


class ByTimeout:
    """Mixed into the cases: their sockets are stuck."""
    error = errno.ETIMEDOUT
    stat = "reaped_timeout"

    def reap(self, *spells):
        """Reaps them, and whatever else is in CLOSE_WAIT; returns when it is done."""
        cookies = {spell if isinstance(spell, int) else spell.cookie for spell in spells}
        cw.put("timeout", 1)
        wait_until(lambda: not cookies & {row["cookie"] for row in cw.sockets()}, "reaped", 20)
        cw.put("timeout", 0)

    def begin(self, number):
        """NUMBER sockets are reaped from now on; end() when that is over."""
        cw.put("reap_rate", 0)
        cw.put("action", "observe")
        cw.put("timeout", 1)
        wait_until(lambda: cw.stats()["observed"] >= number, "all stuck", 20)
        cw.put("action", "reap")

    def end(self):
        cw.put("timeout", 0)

    def leaves_alone(self, reason):
        """A socket is skipped for REASON, while another beside it is reaped."""
        control = self.spell()
        cw.put("timeout", 1)
        self.assert_stats(reaped_timeout=1,
                          **{"skipped_" + r: int(r == reason) for r in SKIPPED})
        cw.put("timeout", 0)
        self.assertTrue(net.aborted(control.app, 0))


class ByRequest:
    """Mixed into the cases: somebody asks for it."""
    error = errno.ECONNABORTED
    stat = "reaped_request"

    def reap(self, *spells):
        cookies = [spell if isinstance(spell, int) else spell.cookie for spell in spells]
        with genl.Socket() as nl:
            answer = nl.reap(cookies=cookies)
        self.assertEqual((answer["matched"], answer["reaped"]), (len(cookies),) * 2, answer)

    def begin(self, number):
        del number
        self.asked = self.keep(genl.Socket())
        self.asked.ask_reap(all=True)

    def end(self):
        answer = self.asked.answer()
        self.assertEqual(answer["matched"],
                         answer["reaped"] + sum(answer["skipped"].values()), answer)

    def leaves_alone(self, reason):
        self.spell()
        with genl.Socket() as nl:
            answer = nl.reap(all=True)
        self.assertEqual((answer["matched"], answer["reaped"], answer["skipped"][reason]),
                         (2, 1, 1), answer)


class Case(cw.Case):
    def assert_dead(self, sock):
        """What a process finds that uses its descriptor for the first time since."""
        self.assertEqual(net.aborted(sock, 5 * SLOW), select.POLLERR | select.POLLHUP)
        self.assert_refused(self.error, sock.send, b"x")
        self.assert_refused(errno.EPIPE, sock.send, b"x")

    def so_error(self, sock):
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    @staticmethod
    def woken(wait, wanted):
        """The events that WAIT() returns, until all that are WANTED have come.

        Before 6.12 the kernel wakes for the error, and ends the connection then.
        """
        seen, deadline = 0, time.monotonic() + 10 * SLOW
        while wanted & ~seen and time.monotonic() < deadline:
            for _fd, events in wait():
                seen |= events
        return seen

    def thread(self, function):
        """Runs FUNCTION in a thread that sleeps by now; what it returns is put into a list."""
        result = []
        thread = threading.Thread(target=lambda: result.append(function()))
        thread.start()
        self.addCleanup(thread.join)
        wait_until(lambda: self.task_state(thread.native_id) == "S", "the thread sleeps")
        return thread, result

    def finished(self, thread, result):
        thread.join(10 * SLOW)
        self.assertFalse(thread.is_alive(), "it was not woken")
        return result[0]

    def listener6(self):
        return self.listener(socket.AF_INET6)

    def families(self):
        """A spell of IPv4, of IPv6, and of IPv4 at a socket of IPv6."""
        yield "IPv4", self.spell()
        yield "IPv6", self.spell(lsn=self.listener6())
        both = self.listener(socket.AF_INET6, host="::")
        yield "mapped", self.spell(lsn=both, family=socket.AF_INET,
                                   address=("127.0.0.1", both.getsockname()[1]))


class Application:
    """The side that is in CLOSE_WAIT."""

    def test_poll_and_epoll(self):
        spell = self.spell("unread")
        epoll = self.keep(select.epoll())
        epoll.register(spell.app, select.EPOLLET)
        self.reap(spell)
        self.assertEqual(net.aborted(spell.app, 0), select.POLLERR | select.POLLHUP)
        (_fd, events), = epoll.poll(5)
        self.assertEqual(events, select.EPOLLERR | select.EPOLLHUP)

    def test_sleeper_in_poll(self):
        """Woken by the abort, not by its own time limit."""
        spell = self.spell()
        poll = select.poll()
        poll.register(spell.app, 0)
        wanted = select.POLLERR | select.POLLHUP
        waiting = self.thread(lambda: self.woken(lambda: poll.poll(60000 * SLOW), wanted))
        self.reap(spell)
        self.assertEqual(self.finished(*waiting), wanted)

    def test_sleeper_in_epoll(self):
        """Edge-triggered, all events seen once: one edge more, with all that holds then."""
        spell = self.spell("sending")
        epoll = self.keep(select.epoll())
        epoll.register(spell.app, ALL_EVENTS | select.EPOLLET)
        self.assertEqual(epoll.poll(5)[0][1], select.EPOLLIN | select.EPOLLRDHUP)
        waiting = self.thread(lambda: self.woken(lambda: epoll.poll(60 * SLOW), ALL_EVENTS))
        self.reap(spell)
        self.assertEqual(self.finished(*waiting), ALL_EVENTS)

    def test_sleeper_in_select(self):
        """It waits to write: writable, for the write returns at once now."""
        spell = self.spell("sending")
        waiting = self.thread(lambda: select.select([], [spell.app], [spell.app], 60 * SLOW))
        self.reap(spell)
        self.assertEqual(self.finished(*waiting), ([], [spell.app], []))

    def test_sleeper_in_write(self):
        spell = self.spell("sending")

        def write():
            try:
                spell.app.sendall(b"x" * (1 << 24))
                return 0
            except OSError as e:
                return e.errno
        waiting = self.thread(write)
        self.reap(spell)
        self.assertEqual(self.finished(*waiting), self.error)
        self.assertEqual(self.so_error(spell.app), 0)

    def test_error_by_getsockopt(self):
        spell = self.spell()
        self.reap(spell)
        self.assertEqual(self.so_error(spell.app), self.error)
        self.assertEqual(self.so_error(spell.app), 0)
        self.assert_refused(errno.EPIPE, spell.app.send, b"x")

    def test_error_by_write(self):
        spell = self.spell("held")
        self.reap(spell)
        self.assert_refused(self.error, spell.app.send, b"x")
        for _ in range(3):
            self.assert_refused(errno.EPIPE, spell.app.send, b"x")

    def test_queued_data_stays(self):
        spell = self.spell("unread", data=b"hello")
        self.reap(spell)
        self.assertEqual(spell.app.recv(100, socket.MSG_PEEK), b"hello")
        self.assertEqual(spell.app.recv(2), b"he")
        self.assertEqual(spell.app.recv(100), b"llo")
        for _ in range(3):
            self.assertEqual(spell.app.recv(100), b"")
        # reading has not taken the error away
        self.assertEqual(self.so_error(spell.app), self.error)

    def test_end_of_file_as_before(self):
        for cls in ("unnoticed", "held"):
            with self.subTest(cls=cls):
                spell = self.spell(cls)
                self.reap(spell)
                self.assertEqual(spell.app.recv(100), b"")

    def test_descriptor_stays(self):
        spell = self.spell()
        inode = net.inode(spell.app)
        self.reap(spell)
        self.assertEqual(net.inode(spell.app), inode)
        self.assertEqual(net.state(spell.app), net.CLOSE)

    def test_counted(self):
        spell = self.spell("unread")
        self.reap(spell)
        self.assert_stats(entered=1, sockets=0, left=0, **{self.stat: 1})
        spell.close()
        self.assert_stats(entered=1, sockets=0, left=0, **{self.stat: 1})

    def test_linger(self):
        """Close does not wait for data that is gone, however long it may linger."""
        for seconds in (0, 3600):
            with self.subTest(seconds=seconds):
                spell = self.spell("sending")
                spell.app.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, seconds))
                self.reap(spell)
                start = time.monotonic()
                spell.app.close()
                self.assertLess(time.monotonic() - start, 5 * SLOW)
                self.assertTrue(net.got_reset(spell.peer))

    def test_same_as_ss_kill(self):
        """But for the error of a timeout."""
        if not kernel.have_module("tcp_diag"):
            self.skipTest("the kernel has no tcp_diag")
        ours, theirs = [self.spell("unread", data=b"hello") for _ in range(2)]
        subprocess.run(["ss", "-K", "state", "close-wait", "dst",
                        net.text(theirs.app.getpeername())], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(net.aborted(theirs.app, 5 * SLOW))
        self.assertFalse(net.aborted(ours.app, 0))
        self.reap(ours)

        def observed(spell):
            poll = select.poll()
            poll.register(spell.app, 0xffff)
            return (poll.poll(0)[0][1], self.so_error(spell.app), spell.app.recv(3),
                    spell.app.recv(100), spell.app.recv(100), net.state(spell.app),
                    net.got_reset(spell.peer))
        expected = list(observed(theirs))
        self.assertEqual(expected[1], errno.ECONNABORTED)
        expected[1] = self.error
        self.assertEqual(list(observed(ours)), expected)


class Peer:
    """The other end, and what it sees on the wire."""

    def assert_one_reset(self, wire, spell):
        """Reaped: a RST and nothing else, then or later."""
        ours, theirs = spell.app.getsockname()[1], spell.peer.getsockname()[1]
        net.wait_state(spell.peer, net.FIN_WAIT2)   # its FIN has been acknowledged
        wire.segments()
        self.reap(spell)
        self.assertTrue(net.got_reset(spell.peer))
        spell.app.close()
        spell.peer.close()
        time.sleep(0.5)     # the first retransmission would come after 0.2 s
        self.assertEqual([s for s in wire.segments() if {ours, theirs} & set(s[:2])],
                         [(ours, theirs, RST, 0)])

    def test_reset_and_nothing_else(self):
        wire = self.keep(Wire())
        for name, spell in self.families():
            with self.subTest(name):
                self.assert_one_reset(wire, spell)

    def test_reset_of_all_classes(self):
        wire = self.keep(Wire())
        for cls in ("unread", "held"):
            for direction in ("in", "out"):
                with self.subTest(cls=cls, direction=direction):
                    spell = self.spell(cls, direction=direction)
                    self.assert_one_reset(wire, spell)

    def test_unsent_data_is_gone(self):
        """A peer that never reads: nothing more is sent to it but the reset."""
        wire = self.keep(Wire())
        spell = self.spell("sending")
        # an ACK that came after the reset would be answered by another one
        net.wait_until(lambda: net.unacked(spell.app) == 0, "all that was sent is acknowledged")
        self.reap(spell)
        ours = spell.app.getsockname()[1]
        self.assertTrue(net.got_reset(spell.peer))
        sent = [s for s in wire.segments() if s[0] == ours]
        resets = [i for i, s in enumerate(sent) if s[2] & RST]
        self.assertEqual(resets, [len(sent) - 1], sent)
        time.sleep(0.5)     # neither is it probed for its window
        self.assertEqual(wire.segments(), [])

    def test_peer_that_is_gone(self):
        """The client closed entirely; nobody is there to get the reset."""
        spell = self.keep(net.connection(self.listener()))
        spell.peer.close()
        net.wait_state(spell.app, net.CLOSE_WAIT)
        self.reap(spell)
        self.assert_dead(spell.app)


class Ports:
    """Which ports are free afterwards."""

    def test_ephemeral_port_is_free(self):
        spell = self.spell(direction="out")
        address = spell.app.getsockname()
        probe = self.keep(socket.socket())
        self.assert_refused(errno.EADDRINUSE, probe.bind, address)
        self.reap(spell)
        probe.bind(address)

    def test_bound_port_is_not_free(self):
        spell = self.spell(direction="out", bind=("127.0.0.1", 45678))
        self.reap(spell)
        probe = self.keep(socket.socket())
        self.assert_refused(errno.EADDRINUSE, probe.bind, ("127.0.0.1", 45678))
        spell.app.close()
        probe.bind(("127.0.0.1", 45678))

    def test_reuseport_listeners(self):
        """Children of both listeners of a group go; the group goes on serving."""
        reuse = [(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]
        group = [self.listener(port=8080, options=reuse) for _ in range(2)]
        spells = {lsn: [] for lsn in group}

        def connected():
            client = self.keep(net.connect(("127.0.0.1", 8080)))
            lsn = select.select(group, [], [], 10 * SLOW)[0][0]
            app = self.keep(lsn.accept()[0])
            return net.Spell(app, client, lsn)
        for _ in range(200):
            spell = connected()
            spell.peer_ends()
            spells[spell.lsn].append(spell)
            if min(map(len, spells.values())) >= 2:
                break
        every = spells[group[0]] + spells[group[1]]
        self.assertGreaterEqual(min(map(len, spells.values())), 2)
        self.reap(*every)
        for spell in every:
            self.assertTrue(net.got_reset(spell.peer))
        met = set()
        for _ in range(200):
            spell = connected()
            spell.peer.send(b"hello")
            self.assertEqual(spell.app.recv(5), b"hello")
            met.add(spell.lsn)
            if len(met) == 2:
                break
        self.assertEqual(met, set(group))
        self.keep(net.listener(port=8080, options=reuse))

    def test_reuseport_clients(self):
        """One of those that are bound to a port goes; the others keep it."""
        reuse = [(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]
        spells = [self.keep(net.connection(self.listener(), "out", bind=("127.0.0.1", 45678),
                                           options=reuse)) for _ in range(3)]
        spells[1].peer_ends()
        self.reap(spells[1])
        self.assert_dead(spells[1].app)
        for spell in (spells[0], spells[2]):
            spell.app.send(b"hello")
            self.assertEqual(spell.peer.recv(5), b"hello")
        spells[1].app.close()
        again = self.keep(net.connection(self.listener(), "out", bind=("127.0.0.1", 45678),
                                         options=reuse))
        again.app.send(b"hello")
        self.assertEqual(again.peer.recv(5), b"hello")


class Holders:
    """A socket that more than one process has."""

    def test_forked(self):
        """Who sleeps in another process is woken; the error goes to who asks first."""
        spell = self.spell("sending")
        poll = select.poll()
        poll.register(spell.app, select.POLLOUT)
        before = os.pipe()
        wanted = select.POLLOUT | select.POLLERR | select.POLLHUP

        def child():
            os.write(before[1], b"x")
            events = self.woken(lambda: poll.poll(60000 * SLOW), wanted)
            return events, self.so_error(spell.app), self.so_error(spell.app)
        result = []
        thread = threading.Thread(target=lambda: result.append(kernel.Child(child)))
        thread.start()
        self.addCleanup(thread.join)
        os.read(before[0], 1)
        self.reap(spell)
        thread.join(20 * SLOW)
        self.assertEqual(result[0].result(), (wanted, self.error, 0))
        for fd in before:
            os.close(fd)
        self.assert_refused(errno.EPIPE, spell.app.send, b"x")
        self.assertEqual(net.aborted(spell.app, 0), select.POLLHUP)

    def test_held_by_a_child_only(self):
        """The parent has closed its descriptor and gone on, as servers do that fork."""
        spell = self.spell("unread", data=b"hello")
        cookie = spell.cookie
        go = os.pipe()

        def child():
            os.read(go[0], 1)
            data = net.drain(spell.app)
            return data, self.so_error(spell.app)
        result = []
        thread = threading.Thread(target=lambda: result.append(kernel.Child(child)))
        thread.start()
        self.addCleanup(thread.join)
        try:
            wait_until(lambda: self.holders(net.inode(spell.app)) > 1, "the child")
            spell.app.close()
            spell.app = None
            self.reap(cookie)
            self.assertTrue(net.got_reset(spell.peer))
        finally:
            os.write(go[1], b"x")
        thread.join(20 * SLOW)
        for fd in go:
            os.close(fd)
        self.assertEqual(result[0].result(), (b"hello", self.error))

    @staticmethod
    def holders(inode):
        """How many processes have the socket."""
        found = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                found += any(os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]"
                             for fd in os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                pass    # it has gone meanwhile
        return found

    def test_in_flight(self):
        """Reaped while it is nowhere but in a message to another process."""
        spell = self.spell("unread", data=b"hello")
        cookie = spell.cookie
        left, right = map(self.keep, socket.socketpair(socket.AF_UNIX))
        left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                               array.array("i", [spell.app.fileno()]))])
        spell.app.close()
        spell.app = None
        self.reap(cookie)
        self.assertTrue(net.got_reset(spell.peer))
        _data, ancillary, _flags, _addr = right.recvmsg(1, socket.CMSG_SPACE(4))
        fd, = array.array("i", ancillary[0][2])
        spell.app = socket.socket(fileno=fd)
        self.assertEqual(net.cookie(spell.app), cookie)
        self.assertEqual(net.drain(spell.app), b"hello")
        self.assert_dead(spell.app)


class Family:
    """A listener and what comes from it."""
    limit = 120

    def test_fast_open_child(self):
        """Made by a SYN with data."""
        lsn = net.fast_open_listener()
        self.keep(lsn)
        for _ in range(3):      # the first one only fetches the cookie
            client = self.keep(net.fast_open_connect(lsn, b"question"))
            spell = net.Spell(self.keep(lsn.accept()[0]), client, lsn)
            spell.peer_ends()
            self.reap(spell)
            self.assertEqual(net.drain(spell.app), b"question")
            self.assert_dead(spell.app)
            self.assertTrue(net.got_reset(spell.peer))
        self.assertGreaterEqual(net.netstat("TCPFastOpenPassive"), 1, "no fast open took place")
        # and what it leaves behind in the listener's queue is right
        client = self.keep(net.fast_open_connect(lsn, b"question"))
        self.assertEqual(self.keep(lsn.accept()[0]).recv(100), b"question")

    def test_fast_open_unaccepted(self):
        lsn = net.fast_open_listener()
        self.keep(lsn)
        for _ in range(2):
            client = self.keep(net.fast_open_connect(lsn, b"question"))
            app = self.keep(lsn.accept()[0])
        client = self.keep(net.fast_open_connect(lsn, b"question"))
        waiting = net.Spell(None, client, lsn)
        waiting.peer_ends()
        self.leaves_alone("unaccepted")
        app = self.keep(lsn.accept()[0])
        self.assertEqual(net.drain(app), b"question")
        app.send(b"answer")
        self.assertEqual(client.recv(100), b"answer")

    def closed_meanwhile(self, parent_first, linger):
        """Listener, children and those in its queue are closed while a reap runs."""
        number = ktap.count(60, 12)
        before = cw.stats()
        lsn = self.listener()
        apps = self.bulk(number, lsn)
        waiting = [self.keep(net.connection(lsn, accept=False)) for _ in range(8)]
        for spell in waiting:
            spell.peer_ends()
        if linger is not None:
            for app in apps:
                app.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, linger))
        self.begin(before["observed"] + number)
        if parent_first:
            lsn.close()
        for app in apps[::2] + apps[1::2]:
            app.close()
        lsn.close()
        self.end()
        self.assert_balance()
        after = cw.stats()
        self.assertEqual(after["sockets"], 0)
        reaped, left = [after[n] - before[n] for n in (self.stat, "left")]
        self.assertEqual(reaped + left, number + 8)
        # the kernel ends those in the queue itself, and we never do
        self.assertGreaterEqual(left, 8)
        for spell in waiting:
            self.assertTrue(net.got_reset(spell.peer))

    def test_parent_and_children_close(self):
        for parent_first in (True, False):
            for linger in (None, 0):
                with self.subTest(parent_first=parent_first, linger=linger):
                    self.closed_meanwhile(parent_first, linger)


class Layered:
    """Sockets with something else on top of TCP: never reaped."""

    def assert_serves(self, spell):
        self.assertFalse(net.aborted(spell.app, 0))
        self.assertEqual(net.state(spell.app), net.CLOSE_WAIT)

    def test_ktls(self):
        if not kernel.have_module("tls"):
            self.skipTest("the kernel has no kTLS")
        spell = self.keep(net.connection(self.listener()))
        net.kernel_tls(spell.app)
        spell.peer_ends()
        self.leaves_alone("ulp")
        self.assert_serves(spell)

    def test_sockmap(self):
        spell = self.keep(net.connection(self.listener()))
        try:
            fd = kernel.sockmap(spell.app)
        except OSError as e:
            if e.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            self.skipTest(f"the kernel has no sockmap: {e}")
        try:
            spell.peer_ends()
            self.leaves_alone("ulp")
            self.assert_serves(spell)
        finally:
            os.close(fd)
        # out of the map again it is a socket like any other
        wait_until(lambda: self.reaped_at_last(spell), "reaped without the map", 20)

    def reaped_at_last(self, spell):
        if self.stat == "reaped_timeout":
            cw.put("timeout", 1)
        else:
            with genl.Socket() as nl:
                nl.reap(all=True)
        return net.aborted(spell.app, 0)

    def test_mptcp(self):
        app, peer = self.mptcp_connection()
        peer.shutdown(socket.SHUT_WR)
        self.assert_stats(sockets=1)
        self.leaves_alone("mptcp")
        self.assertFalse(net.aborted(peer, 0))
        app.send(b"still served")
        self.assertEqual(peer.recv(100), b"still served")


class InUse:
    """The application sleeps in a page fault and holds the socket's lock."""

    def test_nobody_waits(self):
        """Inside send() with data that is not there yet."""
        try:
            page = self.keep(kernel.FaultyPage())
        except (OSError, NotImplementedError) as e:
            self.skipTest(f"no userfaultfd: {e}")
        spell = self.spell("held")
        thread, result = self.thread(lambda: page.send(spell.app, 5))
        self.addCleanup(page.serve)
        wait_until(page.wanted, "the page fault")
        others = [self.spell() for _ in range(2)]
        self.reap(*others)
        for other in others:
            self.assert_dead(other.app)
        with self.netns():
            self.reap(self.spell())
            self.assertEqual(cw.sockets(), [])
        with genl.Socket() as nl:
            self.assertEqual(len(nl.dump("sockets-get")), 1)
            ports = nl.dump("ports-get")
            self.assertEqual(sum(row["port"]["sockets"] for row in ports), 1)
        self.assertEqual(len(cw.sockets()), 1)
        self.assertTrue(thread.is_alive())
        page.serve()
        self.assertEqual(self.finished(thread, result), 5)
        self.assertEqual(spell.peer.recv(100), bytes(5))
        self.assertFalse(net.aborted(spell.app, 0))
        self.reap(spell)
        self.assert_dead(spell.app)


def both_ways(cases):
    """CASES by timeout and on request, as classes of this module."""
    for way in (ByTimeout, ByRequest):
        name = cases.__name__ + way.__name__
        globals()[name] = type(name, (cases, way, Case), {"__module__": __name__})


for group in (Application, Peer, Ports, Holders, Family, Layered, InUse):
    both_ways(group)


if __name__ == "__main__":
    ktap.main()
