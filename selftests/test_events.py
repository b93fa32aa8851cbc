#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Every way into CLOSE_WAIT and out of it, counted exactly once."""
import errno
import os
import select
import signal
import socket
import subprocess
import threading
import time

from lib import cw, kernel, ktap, net
from lib.net import wait_until

IPPROTO_SCTP = 132


class Ends(cw.Case):
    def test_close(self):
        for cls in ("unnoticed", "unread", "held", "sending"):
            with self.subTest(cls=cls):
                before = cw.stats()
                spell = self.spell(cls)
                self.assert_stats(before, entered=1, left=0, sockets=1)
                spell.app.close()
                self.assert_stats(before, entered=1, left=1, sockets=0)

    def test_close_of_unaccepted(self):
        """The listener goes, and with it what waited in its queue."""
        spell = self.spell("unaccepted")
        self.assert_stats(entered=1, sockets=1)
        spell.lsn.close()
        self.assert_stats(entered=1, left=1, sockets=0)

    def test_shutdown(self):
        """CLOSE_WAIT to LAST_ACK: the spell is over though the descriptor stays."""
        spell = self.spell("held")
        spell.app.shutdown(socket.SHUT_WR)
        self.assert_stats(entered=1, left=1, sockets=0)
        self.assertEqual(cw.sockets(), [])

    def test_shutdown_of_the_reading_side(self):
        """That is no end: the socket stays in CLOSE_WAIT."""
        spell = self.spell("unread")
        spell.app.shutdown(socket.SHUT_RD)
        self.assertEqual(net.state(spell.app), net.CLOSE_WAIT)
        self.assert_stats(entered=1, left=0, sockets=1)
        self.assertIsNotNone(cw.find(spell.app))

    def test_reset_of_the_peer(self):
        spell = self.spell()
        net.reset(spell.peer)
        net.wait_state(spell.app, net.CLOSE)
        self.assert_stats(entered=1, left=1, sockets=0)

    def test_reset_of_ours(self):
        spell = self.spell("unread")
        net.reset(spell.app)
        self.assert_stats(entered=1, left=1, sockets=0)

    def test_killed_process(self):
        lsn = self.listener()

        def hold():
            self.held = [net.close_wait("unnoticed", lsn) for _ in range(3)]
            return os.getpid()
        child = kernel.Child(hold, stay=True)
        self.addCleanup(child.release)
        self.assert_stats(entered=3, sockets=3, left=0)
        os.kill(child.result(), signal.SIGKILL)
        self.assert_stats(entered=3, sockets=0, left=3)

    def test_two_descriptors(self):
        """The spell lasts until the last one is closed."""
        spell = self.spell()
        other = self.keep(spell.app.dup())
        spell.app.close()
        self.assert_stats(entered=1, left=0, sockets=1)
        other.close()
        self.assert_stats(entered=1, left=1, sockets=0)

    def test_tool_aborts(self):
        """`ss -K` ends the spell; that is not our reaping."""
        if not kernel.have_module("tcp_diag"):
            self.skipTest("the kernel has no tcp_diag")
        spell = self.spell()
        subprocess.run(["ss", "-K", "state", "close-wait"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(net.aborted(spell.app, 5))
        self.assert_stats(entered=1, left=1, sockets=0, reaped_timeout=0, reaped_request=0)

    def test_several_spells_of_one_socket(self):
        lsn = self.listener()
        spell = self.spell("held", lsn, "out")
        cookie = spell.cookie
        for number in range(1, 6):
            self.assert_stats(entered=number, left=number - 1, sockets=1)
            row = cw.find(spell.app)
            self.assertEqual((row["exact"], row["cookie"]), (1, cookie))
            self.assertLessEqual(row["age_ms"], (time.monotonic() - spell.before) * 1000 + 1)
            net.reset(spell.peer)
            net.disconnect(spell.app)
            self.assert_stats(entered=number, left=number, sockets=0)
            spell.app.connect(lsn.getsockname())
            spell.peer = lsn.accept()[0]
            spell.peer_ends()
        self.assert_stats(entered=6, left=5, sockets=1)

    def test_disconnect_without_reset(self):
        """connect(AF_UNSPEC) itself ends the spell."""
        spell = self.spell("unread", direction="out")
        net.disconnect(spell.app)
        self.assert_stats(entered=1, left=1, sockets=0)


class Begins(cw.Case):
    def test_we_close_first(self):
        """FIN_WAIT, CLOSING, TIME_WAIT: nothing of ours."""
        lsn = self.listener()
        for _ in range(5):
            spell = self.keep(net.connection(lsn))
            spell.app.close()
            self.assertEqual(spell.peer.recv(1), b"")
            # the peer is in CLOSE_WAIT meanwhile: that one counts
            spell.peer.close()
        self.assert_stats(entered=5, left=5, sockets=0)

    def test_reset_without_fin(self):
        spell = self.keep(net.connection(self.listener()))
        net.reset(spell.peer)
        net.wait_state(spell.app, net.CLOSE)
        self.assert_stats(entered=0, left=0)

    def test_client_closes_first(self):
        """A healthy service under churn leaves nothing behind."""
        number = ktap.count(200, 10)
        net.churn(self.listener(), number)
        self.assert_stats(entered=number, left=number, sockets=0, missed=0)
        self.assertEqual((cw.ports(), cw.sockets()), ({}, []))

    def test_churn_in_parallel(self):
        threads, number = 4, ktap.count(100, 5)
        work = [threading.Thread(target=net.churn, args=(self.listener(), number))
                for _ in range(threads)]
        for t in work:
            t.start()
        for t in work:
            t.join()
        self.assert_stats(entered=threads * number, left=threads * number, sockets=0, missed=0)

    def test_fin_before_accept(self):
        """Connected and closed before the server looks: one spell."""
        lsn = self.listener()
        client = net.connect(lsn.getsockname())
        client.close()
        self.assert_stats(entered=1, sockets=1)
        app = self.keep(lsn.accept()[0])
        self.assertEqual(app.recv(1), b"")
        app.close()
        self.assert_stats(entered=1, left=1, sockets=0)

    def test_fast_open(self):
        """A child that is made by a SYN with data."""
        lsn = self.keep(net.fast_open_listener())
        for number in range(1, 4):
            client = self.keep(net.fast_open_connect(lsn, b"question"))
            client.shutdown(socket.SHUT_WR)
            app = self.keep(lsn.accept()[0])
            net.wait_state(app, net.CLOSE_WAIT)
            row = cw.find(app)
            self.assertEqual((row["class"], row["rx_bytes"], row["dir"], row["exact"]),
                             ("unread", 8, "in", 1))
            self.assert_stats(entered=number, left=number - 1)
            app.close()
            self.assert_stats(entered=number, left=number, sockets=0)
        self.assertGreaterEqual(net.netstat("TCPFastOpenPassive"), 1,
                                "no fast open took place")

    def test_simultaneous_open(self):
        if not kernel.have_module("sch_netem"):
            self.skipTest("the kernel has no netem")
        other = self.netns()
        net.ip("link", "add", "cw0", "type", "veth", "peer", "name", "cw1",
               "netns", f"/proc/{os.getpid()}/fd/{other.fd}")
        ends = []
        for ns, dev, host in ((self.ns, "cw0", "10.9.0.1"), (other, "cw1", "10.9.0.2")):
            with ns:
                net.ip("address", "add", f"{host}/24", "dev", dev)
                net.ip("link", "set", dev, "up")
                subprocess.run(["tc", "qdisc", "add", "dev", dev, "root", "netem", "delay",
                                "200ms"], check=True)
                sock = self.keep(socket.socket())
                sock.bind((host, 5555))
                sock.setblocking(False)
                ends.append(sock)
        for ns, sock, host in ((self.ns, ends[0], "10.9.0.2"), (other, ends[1], "10.9.0.1")):
            with ns:
                self.assertEqual(sock.connect_ex((host, 5555)), errno.EINPROGRESS)
        for sock in ends:
            net.wait_state(sock, net.ESTABLISHED)
        ends[0].shutdown(socket.SHUT_WR)
        net.wait_state(ends[1], net.CLOSE_WAIT)
        self.assert_stats(entered=0)
        with other:
            self.assert_stats(entered=1, sockets=1)
            self.assertEqual(cw.find(ends[1])["exact"], 1)
            ends[1].close()
            self.assert_stats(entered=1, left=1, sockets=0)


class Others(cw.Case):
    """Protocols that share the tracepoint, or the word socket."""

    def nothing(self):
        self.assertEqual((cw.ports(), cw.sockets()), ({}, []))
        self.assertEqual(set(cw.stats().values()), {0})

    def test_udp_and_unix(self):
        a = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        a.bind(("127.0.0.1", 0))
        b = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        b.connect(a.getsockname())
        b.send(b"x")
        b.close()
        for s in socket.socketpair():
            self.keep(s).shutdown(socket.SHUT_WR)
        self.nothing()

    def test_sctp(self):
        """Its SCTP_SS_CLOSING is the number of CLOSE_WAIT."""
        kernel.have_module("sctp")
        try:
            lsn = self.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP))
        except OSError as e:
            self.skipTest(f"the kernel has no SCTP: {e}")
        lsn.bind(("127.0.0.1", 0))
        lsn.listen(5)
        for closer in ("client", "server"):
            client = self.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP))
            client.connect(lsn.getsockname())
            server = self.keep(lsn.accept()[0])
            client.send(b"hello")
            self.assertEqual(server.recv(10), b"hello")
            server.send(b"unread")
            (client if closer == "client" else server).close()
            self.nothing()
        self.nothing()

    def test_dccp(self):
        """Its PASSIVE_CLOSE is the number of CLOSE_WAIT."""
        kernel.have_module("dccp_ipv4")

        def dccp():
            s = self.keep(socket.socket(socket.AF_INET, net.SOCK_DCCP, net.IPPROTO_DCCP))
            s.setsockopt(269, 2, b"\0\0\0\1")     # SOL_DCCP, DCCP_SOCKOPT_SERVICE
            return s
        try:
            lsn = dccp()
        except OSError as e:
            self.skipTest(f"the kernel has no DCCP: {e}")
        lsn.bind(("127.0.0.1", 0))
        lsn.listen(5)
        for closer in ("client", "server"):
            client = dccp()
            client.connect(lsn.getsockname())
            server = self.keep(lsn.accept()[0])
            client.send(b"hello")
            (client if closer == "client" else server).close()
            poll = select.poll()
            poll.register(server if closer == "client" else client, select.POLLIN)
            poll.poll(1000)
            self.nothing()
        self.nothing()

    def test_mptcp_master(self):
        """An MPTCP socket is not TCP; its subflow is counted, once."""
        lsn = net.mptcp_socket()
        if lsn is None:
            self.skipTest("the kernel has no MPTCP")
        self.keep(lsn).bind(("127.0.0.1", 0))
        lsn.listen(5)
        client = self.keep(net.mptcp_socket())
        client.connect(lsn.getsockname())
        server = self.keep(lsn.accept()[0])
        client.send(b"hello")
        self.assertEqual(server.recv(10), b"hello")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(server.recv(10), b"")
        self.assertLessEqual(len(cw.sockets()), 1)
        server.close()
        client.close()
        wait_until(lambda: not cw.sockets(), "all of it is gone")
        self.assert_balance()


class Lengths(cw.Case):
    LIMITS = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600)

    def bucket(self, seconds):
        return sum(seconds >= limit for limit in self.LIMITS)

    def test_histogram(self):
        """Each finished spell in the bucket of its length, and in no other."""
        for length in (0, 0.003, 0.03, 0.3, 1.2):
            with self.subTest(length=length):
                before = cw.stats()
                spell = self.spell()
                while time.monotonic() < spell.after + length:
                    time.sleep(0.0005)
                start = time.monotonic()
                spell.app.close()
                end = time.monotonic()
                self.assert_stats(before, left=1)
                after = cw.stats()
                counted = [i for i, name in enumerate(cw.SPELLS)
                           if after[name] != before[name]]
                self.assertEqual(len(counted), 1)
                self.assertEqual(after[cw.SPELLS[counted[0]]]
                                 - before[cw.SPELLS[counted[0]]], 1)
                self.assertGreaterEqual(counted[0], self.bucket(start - spell.after))
                self.assertLessEqual(counted[0], self.bucket(end - spell.before))

    def test_sum(self):
        """Reaped ones are counted with those that ended by themselves."""
        spells = [self.spell() for _ in range(4)]
        spells[0].app.close()
        net.reset(spells[1].peer)
        cw.put("timeout", 1)
        self.assert_stats(left=2, reaped_timeout=2, sockets=0)
        self.assertEqual(sum(cw.stats()[n] for n in cw.SPELLS), 4)


if __name__ == "__main__":
    ktap.main()
