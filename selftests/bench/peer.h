/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other end of connections, not of this kernel: a few TCP segments over a TUN
 * device. Where both ends are on one host, one of the two always enters
 * CLOSE_WAIT when the other one closes first.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <linux/types.h>

/**
 * struct peer - an end of a connection
 * @port: its port
 * @service: the port of the host that it is connected to
 * @seq: the next sequence number that it sends, in network order as all of these
 * @ack: the next one that it expects
 */
struct peer {
	__be16 port;
	__be16 service;
	__u32 seq;
	__u32 ack;
};

void peer_connect(struct peer *peer, __u16 service);
void peer_close_first(struct peer *peer);
void peer_close_last(struct peer *peer);
void peer_end(struct peer *peer);

#endif /* BENCH_PEER_H */
