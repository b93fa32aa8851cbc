// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family; docs/netlink/tcp_close_wait.yaml specifies it.
 *
 * Handlers run in parallel, without genl_mutex.  A dump keeps its place in a
 * cursor, which costs the same however much comes and goes, and holds no socket
 * between two messages.  While a dump is under way netlink keeps the namespace,
 * by the requester's socket, and this module.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "compat/compat.h"
#include "events.h"
#include "filter.h"
#include "main.h"
#include "netlink.h"
#include "netns.h"
#include "ports.h"
#include "request.h"
#include "rows.h"
#include "uapi/tcp_close_wait.h"

#define A(name)		TCP_CLOSE_WAIT_A_##name
#define CMD(name)	TCP_CLOSE_WAIT_CMD_##name

enum { MCGRP_EVENTS };

static struct genl_family family;

static_assert(TCP_CLOSE_WAIT_DIR_OUT == (int)CW_DIR_OUT);
static_assert(TCP_CLOSE_WAIT_CLASS_HELD == (int)CW_HELD);

static int put_u64(struct sk_buff *skb, int type, u64 value, int pad)
{
	return nla_put_u64_64bit(skb, type, value, pad);
}

static struct cw_net *net_of_request(const struct sk_buff *skb)
{
	return cw_net(sock_net(skb->sk));
}

/* The user namespace in which the requester reads and writes uids. */
static struct user_namespace *users_of_request(const struct sk_buff *skb)
{
	return sk_user_ns(NETLINK_CB(skb).sk);
}

/* ---- messages ---------------------------------------------------------- */

static int put_addr(struct sk_buff *skb, int type, u16 af,
		    const union cw_addr *addr)
{
	return nla_put(skb, type,
		       af == AF_INET6 ? sizeof(addr->ip6) : sizeof(addr->ip),
		       addr);
}

static int put_row(struct sk_buff *skb, const struct cw_row *row,
		   struct user_namespace *users)
{
	const struct cw_flow *flow = &row->flow;

	return nla_put_u8(skb, A(SOCKET_DIR), row->dir) ?:
	       put_addr(skb, A(SOCKET_LOCAL), flow->family, &flow->local) ?:
	       nla_put_u16(skb, A(SOCKET_LOCAL_PORT), flow->lport) ?:
	       put_addr(skb, A(SOCKET_REMOTE), flow->family, &flow->remote) ?:
	       nla_put_u16(skb, A(SOCKET_REMOTE_PORT), flow->rport) ?:
	       put_u64(skb, A(SOCKET_AGE_MS), cw_ms(row->age), A(SOCKET_PAD)) ?:
	       nla_put_u8(skb, A(SOCKET_EXACT), row->exact) ?:
	       put_u64(skb, A(SOCKET_IDLE_MS), cw_ms(row->idle), A(SOCKET_PAD)) ?:
	       nla_put_u8(skb, A(SOCKET_CLASS), row->class) ?:
	       nla_put_u32(skb, A(SOCKET_RX_BYTES), row->rx_bytes) ?:
	       nla_put_u32(skb, A(SOCKET_TX_BYTES), row->tx_bytes) ?:
	       nla_put_u32(skb, A(SOCKET_UID),
			   from_kuid_munged(users, row->uid)) ?:
	       put_u64(skb, A(SOCKET_INODE), row->inode, A(SOCKET_PAD)) ?:
	       put_u64(skb, A(SOCKET_COOKIE), row->cookie, A(SOCKET_PAD)) ?:
	       put_u64(skb, A(SOCKET_CGROUP), row->cgroup, A(SOCKET_PAD)) ?:
	       nla_put_u32(skb, A(SOCKET_FILE_REFS), row->file_refs);
}

static int put_port(struct sk_buff *skb, const struct cw_port_row *row)
{
	int err;
	u32 i;

	err = nla_put_u8(skb, A(PORT_DIR), cw_port_key_dir(row->key)) ?:
	      nla_put_u16(skb, A(PORT_PORT), cw_port_key_port(row->key)) ?:
	      nla_put_u32(skb, A(PORT_SOCKETS), row->sockets);
	for (i = 0; i < CW_NCLASS && !err; i++)
		err = nla_put_u32(skb, A(PORT_UNACCEPTED) + i, row->class[i]);
	err = err ?:
	      put_u64(skb, A(PORT_RX_BYTES), row->rx_bytes, A(PORT_PAD)) ?:
	      put_u64(skb, A(PORT_TX_BYTES), row->tx_bytes, A(PORT_PAD)) ?:
	      put_u64(skb, A(PORT_AGE_MAX_MS), cw_ms(row->age_max),
		      A(PORT_PAD)) ?:
	      put_u64(skb, A(PORT_IDLE_MAX_MS), cw_ms(row->idle_max),
		      A(PORT_PAD));
	for (i = 0; i < CW_NAGE && !err; i++)
		err = nla_put_u32(skb, A(PORT_LT_1S) + i, row->age[i]);
	return err ?:
	       nla_put_u32(skb, A(PORT_INEXACT), row->inexact) ?:
	       put_u64(skb, A(PORT_REAPED), row->reaped, A(PORT_PAD));
}

static_assert(A(PORT_HELD) - A(PORT_UNACCEPTED) == CW_NCLASS - 1);
static_assert(A(PORT_GE_1H) - A(PORT_LT_1S) == CW_NAGE - 1);

static int put_stats(struct sk_buff *skb, struct cw_net *cn)
{
	struct cw_totals totals;
	int err;
	u32 i;

	cw_track_totals(cn, &totals);
	err = put_u64(skb, A(STATS_SOCKETS), totals.sockets, A(STATS_PAD)) ?:
	      put_u64(skb, A(STATS_INEXACT), totals.inexact, A(STATS_PAD)) ?:
	      put_u64(skb, A(STATS_WALKS), atomic64_read(&cn->walks),
		      A(STATS_PAD));
	for (i = 0; i < CW_STAT_SPELL && !err; i++)
		err = put_u64(skb, A(STATS_ENTERED) + i, totals.stat[i],
			      A(STATS_PAD));
	for (i = 0; i < CW_NSPELL && !err; i++)
		err = put_u64(skb, A(STATS_SPELL_LT_1MS) + i,
			      totals.stat[CW_STAT_SPELL + i], A(STATS_PAD));
	return err;
}

static_assert(A(STATS_MISSED) - A(STATS_ENTERED) == (int)CW_STAT_MISSED);
static_assert(A(STATS_SPELL_GE_1H) - A(STATS_SPELL_LT_1MS) == CW_NSPELL - 1);

/* ---- dumps ------------------------------------------------------------- */

/**
 * struct dump - a dump under way
 * @filter: what is asked for
 * @users: how the requester reads uids
 * @begun: the filter is known, and what is below is in use
 * @rows: the sockets at hand
 * @at: the next of them to be sent
 * @ports: the ports, added up before the first one is sent
 * @port: the next of them to be sent, or NULL
 */
struct dump {
	struct cw_filter filter;
	struct user_namespace *users;
	bool begun;
	union {
		struct {
			struct cw_rows rows;
			unsigned int at;
		};
		struct {
			struct cw_ports ports;
			const struct cw_port_row *port;
		};
	};
};

static struct dump **dump_of(struct netlink_callback *cb)
{
	return (struct dump **)cb->ctx;
}

static int dump_start(struct netlink_callback *cb)
{
	struct dump *d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);

	*dump_of(cb) = d;
	return d ? 0 : -ENOMEM;
}

/* With the first message, because older kernels have no extack before. */
static int dump_begin(struct netlink_callback *cb)
{
	struct nlattr *filter = cw_dump_attrs(cb)[A(FILTER)];
	struct dump *d = *dump_of(cb);
	int err = 0;

	d->users = users_of_request(cb->skb);
	cw_filter_init(&d->filter);
	if (filter)
		err = cw_filter_parse(&d->filter, filter, d->users, cb->extack);
	d->begun = !err;
	return err;
}

static int dump_done(struct netlink_callback *cb)
{
	kfree(*dump_of(cb));
	return 0;
}

static void *dump_message(struct sk_buff *skb, struct netlink_callback *cb,
			  u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &family, NLM_F_MULTI, cmd);
}

/* Ends a message, or takes it back if it did not fit. */
static int dump_message_end(struct sk_buff *skb, void *msg,
			    struct nlattr *nest, int err)
{
	if (err) {
		genlmsg_cancel(skb, msg);
		return err;
	}
	nla_nest_end(skb, nest);
	genlmsg_end(skb, msg);
	return 0;
}

static int dump_socket(struct sk_buff *skb, struct netlink_callback *cb,
		       const struct cw_row *row)
{
	const struct dump *d = *dump_of(cb);
	struct nlattr *nest = NULL;
	void *msg;
	int err = -EMSGSIZE;

	msg = dump_message(skb, cb, CMD(SOCKETS_GET));
	if (!msg)
		return err;
	nest = nla_nest_start(skb, A(SOCKET));
	if (nest)
		err = put_row(skb, row, d->users);
	return dump_message_end(skb, msg, nest, err);
}

static int dump_port(struct sk_buff *skb, struct netlink_callback *cb,
		     const struct cw_port_row *row)
{
	struct nlattr *nest;
	int err = -EMSGSIZE;
	void *msg;

	msg = dump_message(skb, cb, CMD(PORTS_GET));
	if (!msg)
		return err;
	nest = nla_nest_start(skb, A(PORT));
	if (nest)
		err = put_port(skb, row);
	return dump_message_end(skb, msg, nest, err);
}

static int sockets_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *d = *dump_of(cb);
	int err;

	if (!d->begun) {
		err = dump_begin(cb);
		if (err)
			return err;
		cw_rows_start(&d->rows, net_of_request(cb->skb), &d->filter);
	}
	do {
		for (; d->at < d->rows.n; d->at++)
			if (dump_socket(skb, cb, &d->rows.row[d->at]))
				return skb->len ?: -EMSGSIZE;
		d->at = 0;
		err = cw_rows_next(&d->rows);
	} while (err > 0);
	return err ?: skb->len;
}

static int sockets_done(struct netlink_callback *cb)
{
	struct dump *d = *dump_of(cb);

	if (d->begun)
		cw_rows_stop(&d->rows);
	return dump_done(cb);
}

static int ports_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *d = *dump_of(cb);
	int err;

	if (!d->begun) {
		err = dump_begin(cb);
		if (err)
			return err;
		cw_ports_init(&d->ports);
		err = cw_ports_fill(&d->ports, net_of_request(cb->skb),
				    &d->filter);
		if (err)
			return err;
		d->port = cw_ports_first(&d->ports);
	}
	for (; d->port; d->port = cw_ports_next(d->port))
		if (dump_port(skb, cb, d->port))
			return skb->len ?: -EMSGSIZE;
	return skb->len;
}

static int ports_done(struct netlink_callback *cb)
{
	struct dump *d = *dump_of(cb);

	if (d->begun)
		cw_ports_clear(&d->ports);
	return dump_done(cb);
}

/* ---- single requests --------------------------------------------------- */

static int stats_get(struct sk_buff *skb, struct genl_info *info)
{
	struct cw_net *cn = cw_net(genl_info_net(info));
	struct nlattr *nest;
	struct sk_buff *msg;
	void *hdr;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &family, 0, CMD(STATS_GET));
	nest = hdr ? nla_nest_start(msg, A(STATS)) : NULL;
	if (!nest || put_stats(msg, cn))
		goto too_long;
	nla_nest_end(msg, nest);
	if (nla_put_u8(msg, A(TRACKING), cw_events_attached() ?
		       TCP_CLOSE_WAIT_TRACKING_EVENTS :
		       TCP_CLOSE_WAIT_TRACKING_WALK) ||
	    nla_put_string(msg, A(MODULE_VERSION), CW_VERSION))
		goto too_long;
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);

too_long:
	nlmsg_free(msg);
	return -EMSGSIZE;
}

static int request_parse(struct cw_request *rq, struct sk_buff *skb,
			 struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	const struct nlattr *filter = attrs[A(FILTER)];
	int err = 0;

	cw_filter_init(&rq->filter);
	if (!(filter && nla_len(filter)) && !attrs[A(COOKIES)] &&
	    !attrs[A(ALL)]) {
		NL_SET_ERR_MSG(info->extack,
			       "neither a filter nor cookies nor all is given");
		return -EINVAL;
	}
	if (filter)
		err = cw_filter_parse(&rq->filter, filter,
				      users_of_request(skb), info->extack);
	if (!err && attrs[A(COOKIES)])
		err = cw_filter_set_cookies(&rq->filter, attrs[A(COOKIES)],
					    info->extack);
	rq->limit = attrs[A(LIMIT)] ? nla_get_u32(attrs[A(LIMIT)]) : U32_MAX;
	rq->dry_run = attrs[A(DRY_RUN)];
	rq->sk = NETLINK_CB(skb).sk;
	sock_hold(rq->sk);
	rq->skb = skb_get(skb);
	rq->nlh = nlmsg_hdr(skb);
	return err;
}

/*
 * Only takes the request; cw_netlink_answer() is called when it is done.
 * Generic clients take the ACK for the end, so it has to come behind
 * the answer: -EINTR keeps netlink from sending one, as for dumps.
 */
static int reap_ask(struct sk_buff *skb, struct genl_info *info)
{
	struct cw_net *cn = cw_net(genl_info_net(info));
	struct cw_request *rq;
	int err = -ENOMEM;

	rq = kvzalloc(sizeof(*rq), GFP_KERNEL_ACCOUNT);
	if (!rq)
		return err;
	rq->answer = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (rq->answer)
		err = request_parse(rq, skb, info);
	if (!err && !cw_request_submit(cn, rq)) {
		NL_SET_ERR_MSG(info->extack,
			       "another reap request is under way in this network namespace");
		err = -EBUSY;
	}
	if (!err)
		return -EINTR;
	cw_request_free(rq);
	return err;
}

static int put_reaped(struct sk_buff *skb,
		      const struct cw_reaped_socket *reaped)
{
	struct nlattr *nest = nla_nest_start(skb, A(REAPED_SOCKET));
	int err = -EMSGSIZE;

	if (nest)
		err = put_u64(skb, A(SOCKET_INODE), reaped->inode,
			      A(SOCKET_PAD)) ?:
		      nla_put_u32(skb, A(SOCKET_FILE_REFS), reaped->file_refs);
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}

/* With all that is shown it is 2 KiB long. */
static int put_answer(struct sk_buff *skb, const struct cw_request *rq)
{
	const u32 reaped = rq->count[CW_VERDICT_REAP];
	struct nlattr *nest;
	int err;
	u32 i;

	err = nla_put_u32(skb, A(MATCHED), rq->matched) ?:
	      nla_put_u32(skb, A(REAPED), reaped);
	if (!err && rq->dry_run)
		err = nla_put_flag(skb, A(DRY_RUN));
	if (!err && rq->error)
		err = nla_put_u32(skb, A(ERROR), rq->error);
	nest = err ? NULL : nla_nest_start(skb, A(SKIPPED));
	if (!nest)
		return -EMSGSIZE;
	for (i = CW_VERDICT_UNACCEPTED; i < CW_NVERDICT && !err; i++)
		err = nla_put_u32(skb, A(SKIPPED_UNACCEPTED) + i -
				  CW_VERDICT_UNACCEPTED, rq->count[i]);
	nla_nest_end(skb, nest);
	if (err || rq->dry_run)
		return err;
	err = nla_put_u32(skb, A(PORTS_FREED),
			  bitmap_weight(rq->freed, CW_NPORTS));
	for (i = 0; i < min_t(u32, reaped, CW_REAPED_SHOWN) && !err; i++)
		err = put_reaped(skb, &rq->shown[i]);
	return err;
}

static_assert(A(SKIPPED_CHANGED) - A(SKIPPED_UNACCEPTED) ==
	      CW_VERDICT_CHANGED - CW_VERDICT_UNACCEPTED);

/**
 * cw_netlink_answer() - tell a requester what came of it
 * @net: its namespace
 * @rq: done; its answer is used up
 *
 * Context: process context, may sleep; also after cw_netlink_exit().
 */
void cw_netlink_answer(struct net *net, struct cw_request *rq)
{
	struct sk_buff *skb = rq->answer;
	const u32 portid = NETLINK_CB(rq->skb).portid;
	void *hdr = genlmsg_put(skb, portid, rq->nlh->nlmsg_seq, &family, 0,
				CMD(REAP));

	if (WARN_ON_ONCE(!hdr || put_answer(skb, rq))) {
		netlink_ack(rq->skb, rq->nlh, -EMSGSIZE, NULL);
		return;
	}
	genlmsg_end(skb, hdr);
	rq->answer = NULL;
	/* No ACK for who has got nothing, or has got the address meanwhile. */
	if (!genlmsg_unicast(net, skb, portid) &&
	    rq->nlh->nlmsg_flags & NLM_F_ACK && !sock_flag(rq->sk, SOCK_DEAD))
		netlink_ack(rq->skb, rq->nlh, 0, NULL);
}

/* ---- events ------------------------------------------------------------ */

/**
 * cw_netlink_heard() - does anybody listen to what is reaped?
 * @net: the namespace
 *
 * Context: any, before cw_netlink_exit().
 *
 * Return: whether cw_netlink_reaped() is of use.
 */
bool cw_netlink_heard(struct net *net)
{
	return genl_has_listeners(&family, net, MCGRP_EVENTS);
}

/**
 * cw_netlink_reaped() - tell those who listen that a socket was reaped
 * @net: its namespace
 * @row: the socket as it was before
 * @stat: CW_STAT_REAPED_TIMEOUT or CW_STAT_REAPED_REQUEST
 * @err: the errno that the application sees
 *
 * Who cannot take it is told by netlink that something was lost.
 *
 * Context: process context, may sleep; before cw_netlink_exit().
 */
void cw_netlink_reaped(struct net *net, const struct cw_row *row,
		       enum cw_stat stat, int err)
{
	struct nlattr *nest;
	struct sk_buff *skb;
	void *hdr;

	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		goto lost;
	hdr = genlmsg_put(skb, 0, 0, &family, 0, CMD(REAPED_NTF));
	nest = hdr ? nla_nest_start(skb, A(SOCKET)) : NULL;
	if (WARN_ON_ONCE(!nest || put_row(skb, row, net->user_ns)))
		goto lost;
	nla_nest_end(skb, nest);
	if (WARN_ON_ONCE(nla_put_u8(skb, A(CAUSE),
				    stat == CW_STAT_REAPED_TIMEOUT ?
				    TCP_CLOSE_WAIT_CAUSE_TIMEOUT :
				    TCP_CLOSE_WAIT_CAUSE_REQUEST) ||
			 nla_put_u32(skb, A(ERROR), err)))
		goto lost;
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&family, net, skb, 0, MCGRP_EVENTS, GFP_KERNEL);
	return;

lost:
	nlmsg_free(skb);
	genl_set_err(&family, net, 0, MCGRP_EVENTS, -ENOBUFS);
}

/* ---- coming and going -------------------------------------------------- */

static const struct nla_policy filter_only[A(FILTER) + 1] = {
	[A(FILTER)]	= _NLA_POLICY_NESTED(A(FILTER_MAX), cw_filter_policy),
};

static const struct nla_policy nothing[A(FILTER) + 1] = {
	[A(FILTER)]	= { .type = NLA_REJECT },
};

static const struct nla_policy reap_policy[A(ALL) + 1] = {
	[A(FILTER)]	= _NLA_POLICY_NESTED(A(FILTER_MAX), cw_filter_policy),
	[A(COOKIES)]	= { .type = NLA_BINARY },
	[A(LIMIT)]	= NLA_POLICY_MIN(NLA_U32, 1),
	[A(DRY_RUN)]	= { .type = NLA_FLAG },
	[A(ALL)]	= { .type = NLA_FLAG },
};

static const struct genl_ops ops[] = {
	{
		.cmd		= CMD(PORTS_GET),
		.policy		= filter_only,
		.maxattr	= A(FILTER),
		.start		= dump_start,
		.dumpit		= ports_dump,
		.done		= ports_done,
	},
	{
		.cmd		= CMD(SOCKETS_GET),
		.policy		= filter_only,
		.maxattr	= A(FILTER),
		.start		= dump_start,
		.dumpit		= sockets_dump,
		.done		= sockets_done,
	},
	{
		.cmd		= CMD(STATS_GET),
		.policy		= nothing,
		.maxattr	= A(FILTER),
		.doit		= stats_get,
	},
	{
		.cmd		= CMD(REAP),
		.policy		= reap_policy,
		.maxattr	= A(ALL),
		.flags		= GENL_UNS_ADMIN_PERM,
		.doit		= reap_ask,
	},
};

static const struct genl_multicast_group mcgrps[] = {
	[MCGRP_EVENTS] = { .name = TCP_CLOSE_WAIT_MCGRP_EVENTS },
};

static struct genl_family family __ro_after_init = {
	.name		= TCP_CLOSE_WAIT_FAMILY_NAME,
	.version	= TCP_CLOSE_WAIT_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.ops		= ops,
	.n_ops		= ARRAY_SIZE(ops),
	.mcgrps		= mcgrps,
	.n_mcgrps	= ARRAY_SIZE(mcgrps),
};

/**
 * cw_netlink_init() - take requests
 *
 * Return: 0 or an error.
 */
int cw_netlink_init(void)
{
	return genl_register_family(&family);
}

/**
 * cw_netlink_exit() - take no requests any more
 *
 * Waits for those who are in a handler. No dump is under way: it would have kept
 * the module from being unloaded.
 *
 * Context: process context, may sleep.
 */
void cw_netlink_exit(void)
{
	genl_unregister_family(&family);
}
