// SPDX-License-Identifier: GPL-2.0
/* What is read from a socket. */
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/sock_diag.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/mptcp.h>
#include <net/tcp.h>

#include "compat/compat.h"
#include "sock.h"

/*
 * Does a listener take what arrives at the local end of @flow through device
 * @dif (0 for any)?  Caller holds rcu_read_lock().
 */
static bool flow_has_listener(struct net *net, const struct cw_flow *flow,
			      int dif)
{
	const struct in6_addr *local6 = &flow->local.ip6;
	const struct in6_addr *remote6 = &flow->remote.ip6;
	const __be16 rport = htons(flow->rport);

	if (flow->family == AF_INET)
		return cw_lookup_listener4(net, flow->remote.ip, rport,
					   flow->local.ip, flow->lport, dif);
	if (ipv6_addr_v4mapped(local6))
		return cw_lookup_listener4(net, remote6->s6_addr32[3], rport,
					   local6->s6_addr32[3], flow->lport,
					   dif);
	return cw_lookup_listener6(net, remote6, rport, local6, flow->lport,
				   dif);
}

static enum cw_dir snap_look_up_dir(const struct cw_snap *snap)
{
	struct net *net = sock_net(snap->sk);
	const u16 lport = snap->flow.lport;
	int low, high;
	bool listener;

	if (snap->class == CW_UNACCEPTED)
		return CW_DIR_IN;
	inet_get_local_port_range(net, &low, &high);
	if (lport < low || lport > high)
		return CW_DIR_IN;
	rcu_read_lock();
	listener = flow_has_listener(net, &snap->flow,
				     READ_ONCE(snap->sk->sk_bound_dev_if));
	rcu_read_unlock();
	return listener ? CW_DIR_IN : CW_DIR_OUT;
}

/**
 * cw_snap_dir() - the direction of a spell, decided at the first look
 * @snap: a copy of its entry; its flags are brought up to date
 *
 * Context: process context; may not be called under a raw lock, because the
 * listener look-up can run BPF programs (sk_lookup).
 *
 * Return: in if a listener would match the local address and port, or nobody
 * has accepted the socket yet, or its port is not one that the kernel chooses;
 * else out.  Once decided, it stays for the spell.
 */
enum cw_dir cw_snap_dir(struct cw_snap *snap)
{
	if (!(snap->flags & CW_F_DIR))
		snap->flags |= cw_track_set_dir(snap->sk, snap->spell,
						snap_look_up_dir(snap));
	return cw_snap_decided_dir(snap);
}

/**
 * cw_snap_service_port() - the port by which users know the service
 * @snap: a copy whose direction is decided
 *
 * Return: the local port for in, the remote one for out.
 */
u16 cw_snap_service_port(const struct cw_snap *snap)
{
	return snap->flags & CW_F_OUT ? snap->flow.rport : snap->flow.lport;
}

/**
 * cw_snap_port_freed() - has the abort given the local port back?
 * @snap: a copy of its entry from before the abort, its direction decided
 *
 * Context: any.
 *
 * Return: whether the port was an outgoing connection's and the kernel had chosen
 * it; one that the application bound stays until it closes the socket.
 */
bool cw_snap_port_freed(const struct cw_snap *snap)
{
	return snap->flags & CW_F_OUT && !READ_ONCE(inet_sk(snap->sk)->inet_num);
}

/**
 * cw_sock_cookie() - the socket's cookie, as SO_COOKIE and ss -e show it
 * @sk: a socket; gets a cookie if it has none
 *
 * Context: process context.
 *
 * Return: the cookie, never 0.
 */
u64 cw_sock_cookie(struct sock *sk)
{
	u32 cookie[2];

	sock_diag_save_cookie(sk, cookie);
	return (u64)cookie[1] << 32 | cookie[0];
}

/**
 * cw_sock_cgroup() - id of the cgroup v2 that the socket belongs to
 * @sk: a socket with a reference
 *
 * Return: the id, 0 if the kernel does not keep it.
 */
u64 cw_sock_cgroup(const struct sock *sk)
{
	return cw_cgroup_id(sk);
}

/**
 * cw_sock_file_refs() - how many refer to the file behind the socket
 * @sk: a socket with a reference
 *
 * Each descriptor does, in whichever process it is; a call that uses the file
 * does while it lasts.
 *
 * Context: process context.
 *
 * Return: their number; 0 if the socket has no file, or that of another kind
 * of socket.
 */
u32 cw_sock_file_refs(struct sock *sk)
{
	const struct socket *sock;
	struct file *file = NULL;
	u32 refs = 0;

	if (sk_is_mptcp(sk))
		return 0;
	/*
	 * The socket forgets the file before that is freed, and its memory
	 * stays one for a grace period more.
	 */
	rcu_read_lock();
	read_lock_bh(&sk->sk_callback_lock);
	sock = sk->sk_socket;
	if (sock)
		file = READ_ONCE(sock->file);
	if (file)
		refs = file_count(file);
	read_unlock_bh(&sk->sk_callback_lock);
	rcu_read_unlock();
	return refs;
}

/**
 * cw_sock_known_age() - a lower bound of the time in CLOSE_WAIT
 * @sk: a socket in CLOSE_WAIT whose transition was not seen
 *
 * The peer's FIN carried an ACK (RFC 9293, 3.10.7.4), so the last ACK is not
 * older than the spell.  Acknowledgements that came later only make it younger.
 * (A FIN that was overtaken by a newer ACK on its way does not count as one; the
 * age is too high then, by the time that it was late.)
 *
 * Return: nanoseconds.
 */
u64 cw_sock_known_age(const struct sock *sk)
{
	u32 age = cw_ack_age(tcp_jiffies32, READ_ONCE(tcp_sk(sk)->rcv_tstamp));

	return jiffies64_to_nsecs(age);
}
