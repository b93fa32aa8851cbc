/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the supported kernels do differently.  The rest of the module is written
 * for the newest of them; this file emulates it on the older ones.  Every
 * CW_HAVE_* comes from a probe in Kbuild.include, where the boundary is named.
 */
#ifndef CW_COMPAT_H
#define CW_COMPAT_H

#include <linux/proc_fs.h>
#include <linux/sysctl.h>
#include <net/inet_hashtables.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#if IS_ENABLED(CONFIG_IPV6)
#include <net/inet6_hashtables.h>
#endif

#include "../flow.h"

#ifdef CW_HAVE_CONST_CTL_TABLE
typedef const struct ctl_table cw_ctl_table;
#else
typedef struct ctl_table cw_ctl_table;
#endif

/*
 * @table must have room for one zeroed entry behind the @n that are registered:
 * older kernels find the end of a table by it.
 */
static inline struct ctl_table_header *
cw_register_net_sysctl(struct net *net, const char *path,
		       struct ctl_table *table, size_t n)
{
#ifdef CW_HAVE_REGISTER_NET_SYSCTL_SZ
	return register_net_sysctl_sz(net, path, table, n);
#else
	return register_net_sysctl(net, path, table);
#endif
}

#ifndef CW_HAVE_PDE_DATA
#define pde_data(inode) PDE_DATA(inode)
#endif

#ifndef CW_HAVE_SK_UID
static inline kuid_t sk_uid(const struct sock *sk)
{
	return READ_ONCE(sk->sk_uid);
}
#endif

static inline struct inet_hashinfo *cw_hashinfo(const struct net *net)
{
	return net->ipv4.tcp_death_row.hashinfo;
}

#ifdef CW_HAVE_LOOKUP_HASHINFO
#define CW_LOOKUP_ARGS(net) (net), cw_hashinfo(net), NULL, 0
#else
#define CW_LOOKUP_ARGS(net) (net), NULL, 0
#endif

/*
 * Does a listener take what arrives at the local end of @flow through device
 * @dif (0 for any)?  Caller holds rcu_read_lock().
 */
static inline bool cw_has_listener(struct net *net, const struct cw_flow *flow,
				   int dif)
{
	__be32 local = flow->local.ip, remote = flow->remote.ip;

#if IS_ENABLED(CONFIG_IPV6)
	if (flow->family == AF_INET6) {
		if (!ipv6_addr_v4mapped(&flow->local.ip6))
			return inet6_lookup_listener(CW_LOOKUP_ARGS(net),
						     &flow->remote.ip6,
						     htons(flow->rport),
						     &flow->local.ip6,
						     flow->lport, dif, 0);
		local = flow->local.ip6.s6_addr32[3];
		remote = flow->remote.ip6.s6_addr32[3];
	}
#endif
	return __inet_lookup_listener(CW_LOOKUP_ARGS(net), remote,
				      htons(flow->rport), local, flow->lport,
				      dif, 0);
}

#endif /* CW_COMPAT_H */
