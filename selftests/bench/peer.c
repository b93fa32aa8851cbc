// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define HOST	0x0a630001	/* 10.99.0.1, in host order */
#define PEER	0x0a630002

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct segment {
	struct iphdr ip;
	struct tcphdr tcp;
};

/* What the checksum of a segment covers in front of it. */
struct pseudo {
	__be32 saddr, daddr;
	__be16 protocol, len;
};

static void fail(const char *what)
{
	printf("error: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int device(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(HOST),
	};
	static int fd = -1;
	int ctl;

	if (fd >= 0)
		return fd;
	fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		fail("/dev/net/tun");
	ctl = socket(AF_INET, SOCK_DGRAM, 0);
	memcpy(&ifr.ifr_addr, &addr, sizeof(addr));
	if (ioctl(ctl, SIOCSIFADDR, &ifr))
		fail("SIOCSIFADDR");
	addr.sin_addr.s_addr = htonl(0xffffff00);
	memcpy(&ifr.ifr_netmask, &addr, sizeof(addr));
	if (ioctl(ctl, SIOCSIFNETMASK, &ifr))
		fail("SIOCSIFNETMASK");
	ifr.ifr_flags = IFF_UP;
	if (ioctl(ctl, SIOCSIFFLAGS, &ifr))
		fail("SIOCSIFFLAGS");
	close(ctl);
	return fd;
}

static __u32 sum(const void *data, size_t len, __u32 start)
{
	__u16 word;
	size_t at;

	for (at = 0; at + sizeof(word) <= len; at += sizeof(word)) {
		memcpy(&word, (const char *)data + at, sizeof(word));
		start += word;
	}
	return start;
}

static __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static void transmit(const struct peer *peer, __u8 flags)
{
	struct segment s = {
		.ip = {
			.version = 4, .ihl = 5, .ttl = 64,
			.protocol = IPPROTO_TCP,
			.tot_len = htons(sizeof(s)),
			.saddr = htonl(PEER), .daddr = htonl(HOST),
		},
		.tcp = {
			.source = peer->port, .dest = peer->service,
			.seq = htonl(peer->seq),
			.ack_seq = htonl(flags & ACK ? peer->ack : 0),
			.doff = 5, .window = htons(65535),
			.fin = !!(flags & FIN), .syn = !!(flags & SYN),
			.ack = !!(flags & ACK),
		},
	};
	const struct pseudo pseudo = {
		s.ip.saddr, s.ip.daddr, htons(IPPROTO_TCP), htons(sizeof(s.tcp)),
	};

	s.ip.check = fold(sum(&s.ip, sizeof(s.ip), 0));
	s.tcp.check = fold(sum(&s.tcp, sizeof(s.tcp),
			       sum(&pseudo, sizeof(pseudo), 0)));
	if (write(device(), &s, sizeof(s)) != sizeof(s))
		fail("write to the TUN device");
}

/* Waits for a segment of this connection with these flags, passing others by. */
static void receive(struct peer *peer, __u8 flags)
{
	struct segment s;

	for (;;) {
		ssize_t len = read(device(), &s, sizeof(s));
		__u8 got;

		if (len < 0)
			fail("read from the TUN device");
		if (len < (ssize_t)sizeof(s) || s.ip.version != 4 ||
		    s.ip.protocol != IPPROTO_TCP || s.tcp.dest != peer->port)
			continue;
		got = s.tcp.fin * FIN | s.tcp.syn * SYN | s.tcp.rst * RST |
		      s.tcp.ack * ACK;
		if (got & RST) {
			errno = ECONNRESET;
			fail("the peer of the TUN device");
		}
		if ((got & flags) != flags)
			continue;
		peer->ack = ntohl(s.tcp.seq) + s.tcp.syn + s.tcp.fin;
		return;
	}
}

/**
 * peer_connect() - a new connection to this host, waiting to be accepted
 * @peer: gets what it needs
 * @service: port that somebody listens on
 */
void peer_connect(struct peer *peer, __u16 service)
{
	static __u16 ports;

	*peer = (struct peer){
		.port = htons(20000 + ports++ % 40000),
		.service = htons(service), .seq = ports * 65536,
	};
	transmit(peer, SYN);
	peer->seq++;
	receive(peer, SYN | ACK);
	transmit(peer, ACK);
}

/** peer_close_first() - the peer sends its FIN */
void peer_close_first(struct peer *peer)
{
	transmit(peer, FIN | ACK);
	peer->seq++;
}

/** peer_end() - the host has closed after peer_close_first() */
void peer_end(struct peer *peer)
{
	receive(peer, FIN | ACK);
	transmit(peer, ACK);
}

/** peer_close_last() - the host has closed; the peer acknowledges and closes */
void peer_close_last(struct peer *peer)
{
	receive(peer, FIN | ACK);
	peer_close_first(peer);
	receive(peer, ACK);
}
