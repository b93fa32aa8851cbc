/* SPDX-License-Identifier: GPL-2.0 */
/* What is read from a socket. */
#ifndef CW_SOCK_H
#define CW_SOCK_H

#include <linux/socket.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "classify.h"
#include "rules.h"
#include "tracker.h"

/**
 * cw_marks_read() - the marks of a socket
 * @sk: a full TCP socket; need not be locked
 *
 * Return: the marks.
 */
static inline struct cw_marks cw_marks_read(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return (struct cw_marks) {
		.copied_seq = READ_ONCE(tp->copied_seq),
		.write_seq = READ_ONCE(tp->write_seq),
		.snd_una = READ_ONCE(tp->snd_una),
	};
}

/**
 * cw_snap_decided_dir() - the direction of a spell
 * @snap: a copy whose direction is decided
 *
 * Return: the direction.
 */
static inline enum cw_dir cw_snap_decided_dir(const struct cw_snap *snap)
{
	return snap->flags & CW_F_OUT ? CW_DIR_OUT : CW_DIR_IN;
}

enum cw_dir cw_snap_dir(struct cw_snap *snap);
u16 cw_snap_service_port(const struct cw_snap *snap);
bool cw_snap_port_freed(const struct cw_snap *snap);
u64 cw_sock_cookie(struct sock *sk);
u32 cw_sock_file_refs(struct sock *sk);
u64 cw_sock_cgroup(const struct sock *sk);
u64 cw_sock_known_age(const struct sock *sk);

#endif /* CW_SOCK_H */
