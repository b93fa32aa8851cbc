/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the supported kernels do differently.  The rest of the module is written
 * for the newest of them; this file emulates it on the older ones.  Every
 * CW_HAVE_* comes from a probe in Kbuild.include, where the boundary is named.
 */
#ifndef CW_COMPAT_H
#define CW_COMPAT_H

#include <linux/cgroup.h>
#include <linux/proc_fs.h>
#include <linux/sysctl.h>
#include <net/genetlink.h>
#include <net/inet_hashtables.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#if IS_ENABLED(CONFIG_IPV6)
#include <net/inet6_hashtables.h>
#endif

#include "../flow.h"

#ifdef CW_HAVE_CONST_CTL_TABLE
#define cw_ctl_table const struct ctl_table
#else
#define cw_ctl_table struct ctl_table
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
#ifdef CW_HAVE_DEATH_ROW_POINTER
	return net->ipv4.tcp_death_row->hashinfo;
#else
	return net->ipv4.tcp_death_row.hashinfo;
#endif
}

/* The IPv6 addresses of @sk; the caller has looked that it has such. */
static inline void cw_addrs6_read(const struct sock *sk, struct in6_addr *local,
				  struct in6_addr *remote)
{
#if IS_ENABLED(CONFIG_IPV6)
	*local = sk->sk_v6_rcv_saddr;
	*remote = sk->sk_v6_daddr;
#endif
}

/* The id of the cgroup v2 of @sk, 0 if the kernel does not keep it. */
static inline u64 cw_cgroup_id(const struct sock *sk)
{
#ifdef CONFIG_SOCK_CGROUP_DATA
	return cgroup_id(sock_cgroup_ptr((struct sock_cgroup_data *)
					 &sk->sk_cgrp_data));
#else
	return 0;
#endif
}

/* Is @sk in the cgroup v2 with this @id, or in one below it? */
static inline bool cw_cgroup_is_under(const struct sock *sk, u64 id)
{
#ifdef CONFIG_SOCK_CGROUP_DATA
	struct cgroup *at = sock_cgroup_ptr((struct sock_cgroup_data *)
					    &sk->sk_cgrp_data);

	for (; at; at = cgroup_parent(at))
		if (cgroup_id(at) == id)
			return true;
#endif
	return false;
}

/* The attributes of a request to dump. */
static inline struct nlattr **cw_dump_attrs(struct netlink_callback *cb)
{
#ifdef CW_HAVE_GENL_INFO_DUMP
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

static inline struct sock *cw_lookup_listener4(struct net *net, __be32 remote,
					       __be16 rport, __be32 local,
					       u16 lport, int dif)
{
#ifdef CW_HAVE_LOOKUP_HASHINFO
	return __inet_lookup_listener(net, cw_hashinfo(net), NULL, 0, remote,
				      rport, local, lport, dif, 0);
#else
	return __inet_lookup_listener(net, NULL, 0, remote, rport, local, lport,
				      dif, 0);
#endif
}

static inline struct sock *
cw_lookup_listener6(struct net *net, const struct in6_addr *remote,
		    __be16 rport, const struct in6_addr *local, u16 lport,
		    int dif)
{
#if !IS_ENABLED(CONFIG_IPV6)
	return NULL;
#elif defined(CW_HAVE_LOOKUP_HASHINFO)
	return inet6_lookup_listener(net, cw_hashinfo(net), NULL, 0, remote,
				     rport, local, lport, dif, 0);
#else
	return inet6_lookup_listener(net, NULL, 0, remote, rport, local, lport,
				     dif, 0);
#endif
}

#endif /* CW_COMPAT_H */
