// SPDX-License-Identifier: GPL-2.0
/* Which sockets a request means. */
#include <linux/bsearch.h>
#include <linux/bits.h>
#include <linux/inetdevice.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/time64.h>
#include <linux/user_namespace.h>
#include <net/ipv6.h>
#include <net/netlink.h>

#include "compat/compat.h"
#include "filter.h"
#include "sock.h"
#include "uapi/tcp_close_wait.h"

#define F(name)		TCP_CLOSE_WAIT_A_FILTER_##name
#define ALL_DIRS	(BIT(CW_NDIR) - 1)
#define ALL_CLASSES	(BIT(CW_NCLASS) - 1)

const struct nla_policy cw_filter_policy[F(MAX) + 1] = {
	[F(PORT_FIRST)]		= NLA_POLICY_MIN(NLA_U16, 1),
	[F(PORT_LAST)]		= NLA_POLICY_MIN(NLA_U16, 1),
	[F(DIR)]		= NLA_POLICY_MAX(NLA_U8, CW_NDIR - 1),
	[F(PEER)]		= { .type = NLA_BINARY, .len = sizeof(struct in6_addr) },
	[F(PEER_PREFIX)]	= NLA_POLICY_MAX(NLA_U8, 128),
	[F(LOCAL)]		= { .type = NLA_BINARY, .len = sizeof(struct in6_addr) },
	[F(LOCAL_PREFIX)]	= NLA_POLICY_MAX(NLA_U8, 128),
	[F(CLASSES)]		= NLA_POLICY_MASK(NLA_U32, ALL_CLASSES),
	[F(OLDER_THAN)]		= { .type = NLA_U64 },
	[F(IDLE)]		= { .type = NLA_U64 },
	[F(UID)]		= { .type = NLA_U32 },
	[F(CGROUP)]		= { .type = NLA_U64 },
};

#define refuse(extack, attr, why) ({			\
	NL_SET_ERR_MSG_ATTR(extack, attr, why);		\
	-EINVAL;					\
})

/* ---- reading a request ------------------------------------------------- */

static int parse_ports(struct cw_filter *f, struct nlattr **tb,
		       struct netlink_ext_ack *extack)
{
	if (!tb[F(PORT_FIRST)] && !tb[F(PORT_LAST)])
		return 0;
	if (!tb[F(PORT_FIRST)])
		return refuse(extack, tb[F(PORT_LAST)],
			      "port-last is of no use without port-first");
	f->first = nla_get_u16(tb[F(PORT_FIRST)]);
	f->last = f->first;
	if (tb[F(PORT_LAST)])
		f->last = nla_get_u16(tb[F(PORT_LAST)]);
	if (f->last < f->first)
		return refuse(extack, tb[F(PORT_LAST)],
			      "port-last is below port-first");
	return 0;
}

static int refuse_alone(struct netlink_ext_ack *extack,
			const struct nlattr *bits, bool peer)
{
	if (peer)
		return refuse(extack, bits,
			      "peer-prefix is of no use without peer");
	return refuse(extack, bits, "local-prefix is of no use without local");
}

static int refuse_len(struct netlink_ext_ack *extack,
		      const struct nlattr *addr, bool peer)
{
	if (peer)
		return refuse(extack, addr, "peer has 4 or 16 bytes");
	return refuse(extack, addr, "local has 4 or 16 bytes");
}

static int refuse_bits(struct netlink_ext_ack *extack,
		       const struct nlattr *bits, bool peer)
{
	if (peer)
		return refuse(extack, bits, "peer-prefix is longer than peer");
	return refuse(extack, bits, "local-prefix is longer than local");
}

static int parse_prefix(struct cw_prefix *p, const struct nlattr *addr,
			const struct nlattr *bits, bool peer,
			struct netlink_ext_ack *extack)
{
	unsigned int len;

	if (!addr)
		return bits ? refuse_alone(extack, bits, peer) : 0;
	len = nla_len(addr);
	if (len != sizeof(p->addr.ip) && len != sizeof(p->addr.ip6))
		return refuse_len(extack, addr, peer);
	memcpy(&p->addr, nla_data(addr), len);
	p->family = len == sizeof(p->addr.ip) ? AF_INET : AF_INET6;
	p->bits = bits ? nla_get_u8(bits) : len * BITS_PER_BYTE;
	if (p->bits > len * BITS_PER_BYTE)
		return refuse_bits(extack, bits, peer);
	if (p->family == AF_INET6 && p->bits >= 96 &&
	    ipv6_addr_v4mapped(&p->addr.ip6)) {
		p->family = AF_INET;
		p->bits -= 96;
		p->addr.ip = p->addr.ip6.s6_addr32[3];
	}
	return 0;
}

static u64 ns_of_ms(const struct nlattr *attr)
{
	u64 ns;

	if (!attr)
		return 0;
	if (check_mul_overflow(nla_get_u64(attr), (u64)NSEC_PER_MSEC, &ns))
		return U64_MAX;
	return ns;
}

static int parse_owner(struct cw_filter *f, struct nlattr **tb,
		       struct user_namespace *ns, struct netlink_ext_ack *extack)
{
	if (tb[F(UID)]) {
		f->by_uid = true;
		f->uid = make_kuid(ns, nla_get_u32(tb[F(UID)]));
		if (!uid_valid(f->uid))
			return refuse(extack, tb[F(UID)],
				      "uid is not known in this user namespace");
	}
	if (tb[F(CGROUP)]) {
		f->cgroup = nla_get_u64(tb[F(CGROUP)]);
		if (!f->cgroup)
			return refuse(extack, tb[F(CGROUP)],
				      "cgroup is 0, which none has");
	}
	return 0;
}

/**
 * cw_filter_init() - a filter that matches every socket
 * @f: the filter
 */
void cw_filter_init(struct cw_filter *f)
{
	*f = (struct cw_filter) {
		.all = true,
		.last = U16_MAX,
		.dirs = ALL_DIRS,
		.classes = ALL_CLASSES,
	};
}

/**
 * cw_filter_parse() - take what a request asks for
 * @f: initialised
 * @attr: the nested attributes, validated by cw_filter_policy
 * @ns: the requester's user namespace
 * @extack: says what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int cw_filter_parse(struct cw_filter *f, const struct nlattr *attr,
		    struct user_namespace *ns, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[F(MAX) + 1];
	int err;

	err = nla_parse_nested(tb, F(MAX), attr, cw_filter_policy, extack);
	if (err)
		return err;
	f->all = false;
	err = parse_ports(f, tb, extack) ?:
	      parse_prefix(&f->peer, tb[F(PEER)], tb[F(PEER_PREFIX)], true,
			   extack) ?:
	      parse_prefix(&f->local, tb[F(LOCAL)], tb[F(LOCAL_PREFIX)], false,
			   extack) ?:
	      parse_owner(f, tb, ns, extack);
	if (err)
		return err;
	if (tb[F(DIR)])
		f->dirs = BIT(nla_get_u8(tb[F(DIR)]));
	if (tb[F(CLASSES)]) {
		f->classes = nla_get_u32(tb[F(CLASSES)]);
		if (!f->classes)
			return refuse(extack, tb[F(CLASSES)], "classes is 0: no class");
	}
	f->age = ns_of_ms(tb[F(OLDER_THAN)]);
	f->idle = ns_of_ms(tb[F(IDLE)]);
	return 0;
}

static int cookie_cmp(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/**
 * cw_filter_set_cookies() - only sockets with one of these cookies
 * @f: the filter
 * @attr: u64 cookies, one behind the other
 * @extack: says what is wrong
 *
 * Context: process context, may sleep.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int cw_filter_set_cookies(struct cw_filter *f, const struct nlattr *attr,
			  struct netlink_ext_ack *extack)
{
	const int len = nla_len(attr);

	if (!len || len % sizeof(u64))
		return refuse(extack, attr, "cookies has 8 bytes for each");
	f->cookies = kmemdup(nla_data(attr), len, GFP_KERNEL_ACCOUNT);
	if (!f->cookies)
		return -ENOMEM;
	f->all = false;
	f->ncookies = len / sizeof(u64);
	sort(f->cookies, f->ncookies, sizeof(u64), cookie_cmp, NULL);
	return 0;
}

/**
 * cw_filter_free() - free what a filter has allocated
 * @f: initialised
 */
void cw_filter_free(struct cw_filter *f)
{
	kfree(f->cookies);
}

/* ---- matching ---------------------------------------------------------- */

static bool prefix_match(const struct cw_prefix *p, u16 family,
			 const union cw_addr *addr)
{
	__be32 ip;

	if (!p->family)
		return true;
	if (p->family == AF_INET6)
		return family == AF_INET6 &&
		       ipv6_prefix_equal(&addr->ip6, &p->addr.ip6, p->bits);
	if (family == AF_INET)
		ip = addr->ip;
	else if (ipv6_addr_v4mapped(&addr->ip6))
		ip = addr->ip6.s6_addr32[3];
	else
		return false;
	return !((ip ^ p->addr.ip) & inet_make_mask(p->bits));
}

/* A socket whose cookie nobody has asked for has none, and nobody can name it. */
static bool cookie_match(const struct cw_filter *f, const struct sock *sk)
{
	u64 cookie = atomic64_read(&sk->sk_cookie);

	return cookie && bsearch(&cookie, f->cookies, f->ncookies,
				 sizeof(cookie), cookie_cmp);
}

static bool service_match(const struct cw_filter *f, enum cw_dir dir, u16 port)
{
	return f->dirs & BIT(dir) && port >= f->first && port <= f->last;
}

/**
 * cw_filter_may() - may a socket match?
 * @snap: a copy of its entry
 * @filter: a struct cw_filter
 *
 * As long as the direction is not decided, any may match. Cgroups are not looked
 * at: users nest them as deep as they like, and this is asked under a raw lock.
 *
 * Context: any; only looks, and for a bounded time.
 *
 * Return: false if it does not.
 */
bool cw_filter_may(const struct cw_snap *snap, void *filter)
{
	const struct cw_filter *f = filter;
	const struct cw_flow *flow = &snap->flow;

	if (snap->stale || f->all)
		return !snap->stale;
	if (snap->flags & CW_F_DIR &&
	    !service_match(f, cw_snap_decided_dir(snap),
			   cw_snap_service_port(snap)))
		return false;
	return f->classes & BIT(snap->class) &&
	       snap->age >= f->age && snap->idle >= f->idle &&
	       prefix_match(&f->peer, flow->family, &flow->remote) &&
	       prefix_match(&f->local, flow->family, &flow->local) &&
	       (!f->by_uid || uid_eq(sk_uid(snap->sk), f->uid)) &&
	       (!f->ncookies || cookie_match(f, snap->sk));
}

/**
 * cw_filter_want() - does a socket match that may match?
 * @snap: a copy of its entry for which cw_filter_may() said yes; its direction is
 *	decided afterwards
 * @f: the filter
 *
 * Context: process context.
 *
 * Return: whether it does.
 */
bool cw_filter_want(struct cw_snap *snap, const struct cw_filter *f)
{
	enum cw_dir dir = cw_snap_dir(snap);	/* the service port depends on it */

	return service_match(f, dir, cw_snap_service_port(snap)) &&
	       (!f->cgroup || cw_cgroup_is_under(snap->sk, f->cgroup));
}

/**
 * cw_filter_want_port() - does a port without sockets match?
 * @f: the filter
 * @dir: direction
 * @port: service port
 *
 * Return: whether the port does, and the filter asks for nothing that only a
 * socket has.
 */
bool cw_filter_want_port(const struct cw_filter *f, enum cw_dir dir, u16 port)
{
	return service_match(f, dir, port) && f->classes == ALL_CLASSES &&
	       !f->peer.family && !f->local.family && !f->age && !f->idle &&
	       !f->by_uid && !f->ncookies && !f->cgroup;
}
