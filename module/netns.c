// SPDX-License-Identifier: GPL-2.0
/* What the module keeps for each network namespace. */
#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>

#include "main.h"
#include "netns.h"
#include "policy.h"
#include "proc.h"
#include "sysctl.h"

static unsigned int net_id __read_mostly;
static atomic_t net_count = ATOMIC_INIT(0);
static DEFINE_HASHTABLE(nets, 8);	/* struct cw_net by the namespace's address */
static DEFINE_SPINLOCK(nets_lock);	/* who changes nets */

/**
 * cw_net() - the module's part of a namespace
 * @net: the namespace
 *
 * Context: any, between cw_netns_init() and cw_netns_exit().
 *
 * Return: the part; it is freed at unload even if @net lives on.
 */
struct cw_net *cw_net(const struct net *net)
{
	return net_generic(net, net_id);
}

/**
 * cw_net_of() - the module's part of a socket's namespace
 * @sk: a full socket
 *
 * A socket of the kernel may hold no reference on its namespace, and some outlive
 * it (9p over TCP): then not even sock_net() may be looked into, and it is only
 * looked up.
 *
 * Context: any; the caller is in an RCU reader, be it by having interrupts off.
 *
 * Return: the part, which stays as long as the caller is in there; NULL if the
 * namespace is not there any more.
 */
struct cw_net *cw_net_of(const struct sock *sk)
{
	const struct net *net = sock_net(sk);
	struct cw_net *cn;

	if (likely(sk->sk_net_refcnt))
		return cw_net(net);
	hash_for_each_possible_rcu(nets, cn, node, (unsigned long)net)
		if (cn->net == net)
			return cn;
	return NULL;
}

/**
 * cw_netns_count() - how many namespaces there are
 *
 * Context: any.
 *
 * Return: at least 1.
 */
unsigned int cw_netns_count(void)
{
	return max(atomic_read(&net_count), 1);
}

/**
 * cw_netns_next() - go through the namespaces
 * @cn: the one before, whose reference is used up; NULL for the first
 *
 * The kernel's list has them as soon as nothing can fail any more, and as long
 * as there are references.  (One that is being set up has a reference count, too,
 * but if a later part of it fails it is freed whatever that says.)
 *
 * Context: process context, between cw_netns_init() and cw_netns_exit().
 *
 * Return: a namespace with a reference, which is for the next call; NULL at the
 * end.
 */
struct cw_net *cw_netns_next(struct cw_net *cn)
{
	struct net *before = cn ? cn->net : NULL;
	struct net *net = list_prepare_entry(before, &net_namespace_list, list);

	cn = NULL;
	rcu_read_lock();
	list_for_each_entry_continue_rcu(net, &net_namespace_list, list) {
		if (maybe_get_net(net)) {
			cn = cw_net(net);
			break;
		}
	}
	rcu_read_unlock();
	if (before)
		put_net(before);
	cond_resched();
	return cn;
}

/*
 * Nothing can be tracked before this returns: sockets of a new namespace exist
 * only then, and at load the probe is attached only after it.
 */
static int __net_init net_init(struct net *net)
{
	struct cw_net *cn = cw_net(net);
	u32 timeout = cw_default_timeout();
	int err;

	cn->net = net;
	err = cw_policy_init(cn, timeout);
	if (err)
		return err;
	cw_history_init(&cn->history);
	cw_tracker_net_init(cn);
	cw_sweeper_init(&cn->sweeper, timeout);
	cw_requests_init(&cn->requests);
	err = cw_sysctl_init(cn);
	if (err)
		goto no_sysctl;
	err = cw_proc_init(cn);
	if (err)
		goto no_proc;
	atomic_inc(&net_count);
	spin_lock(&nets_lock);
	hash_add_rcu(nets, &cn->node, (unsigned long)net);
	spin_unlock(&nets_lock);
	return 0;		/* from here on only net_pre_exit() takes it out */

no_proc:
	cw_sysctl_exit(cn);
no_sysctl:
	cw_sweeper_exit(&cn->sweeper);
	cw_history_exit(&cn->history);
	cw_policy_exit(cn);
	return err;
}

/* The kernel waits for RCU readers before it goes on to net_exit(). */
static void __net_exit net_pre_exit(struct net *net)
{
	struct cw_net *cn = cw_net(net);

	spin_lock(&nets_lock);
	hash_del_rcu(&cn->node);
	spin_unlock(&nets_lock);
}

/*
 * Who can still be here?  No walk and no reader of debugfs: they need a
 * reference, and at the namespace's end there are none; one whose setup has failed
 * was never on the list; and at unload both have been stopped before.
 * cw_proc_exit() and cw_sysctl_exit() wait for those who are in a file, and
 * close /proc files that stay open, cursors included.  A netlink socket keeps its
 * namespace, and at unload the family is gone and no dump is left, so no request
 * comes, and the last one is waited for.  No entry comes any more, and so nobody
 * wakes the sweeper: a user's socket keeps its namespace, for one of the kernel
 * the namespace is not found any more since net_pre_exit(), and at unload neither
 * probe nor walk is there.
 * Entries still go: a kernel socket can be closed at any time.  The sweeper is
 * waited for next; then the lists are emptied, under the shards' locks.
 */
static void __net_exit net_exit(struct net *net)
{
	struct cw_net *cn = cw_net(net);

	atomic_dec(&net_count);
	cw_proc_exit(cn);
	cw_sysctl_exit(cn);
	cw_requests_exit(&cn->requests);
	cw_sweeper_exit(&cn->sweeper);
	cw_tracker_net_exit(cn);
	cw_history_exit(&cn->history);
	cw_policy_exit(cn);
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.pre_exit = net_pre_exit,
	.exit = net_exit,
	.id = &net_id,
	.size = sizeof(struct cw_net),
};

/**
 * cw_netns_init() - set up every namespace there is and will be
 *
 * Return: 0 or an error.
 */
int cw_netns_init(void)
{
	return register_pernet_subsys(&net_ops);
}

/**
 * cw_netns_exit() - tear down every namespace's part
 */
void cw_netns_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
