// SPDX-License-Identifier: GPL-2.0
/* What the module keeps for each network namespace. */
#include <linux/atomic.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "main.h"
#include "netns.h"
#include "policy.h"
#include "proc.h"
#include "sysctl.h"

static unsigned int net_id __read_mostly;
static DEFINE_XARRAY(nets);		/* struct cw_net by the namespace's inode */
static atomic_t net_count = ATOMIC_INIT(0);

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
 * @index: 0 for the first; comes out as what finds the next
 *
 * Context: process context.
 *
 * Return: a namespace with a reference, which cw_netns_put() gives back; NULL
 * at the end.
 */
struct cw_net *cw_netns_next(unsigned long *index)
{
	struct cw_net *cn;
	bool alive;

	do {
		/* The lock keeps net_exit() from going on to free cn. */
		xa_lock(&nets);
		cn = xa_find(&nets, index, ULONG_MAX, XA_PRESENT);
		alive = cn && maybe_get_net(cn->net);
		xa_unlock(&nets);
		++*index;
	} while (cn && !alive);
	return cn;
}

/**
 * cw_netns_put() - done with a namespace
 * @cn: what cw_netns_next() returned
 */
void cw_netns_put(struct cw_net *cn)
{
	put_net(cn->net);
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
	err = xa_insert(&nets, net->ns.inum, cn, GFP_KERNEL);
	if (err)
		goto no_index;
	atomic_inc(&net_count);
	return 0;

no_index:
	cw_proc_exit(cn);
no_proc:
	cw_sysctl_exit(cn);
no_sysctl:
	cw_sweeper_exit(&cn->sweeper);
	cw_history_exit(&cn->history);
	cw_policy_exit(cn);
	return err;
}

/*
 * Who can still be here?  After xa_erase() no walk and no reader of debugfs
 * that has not got a reference on the namespace; at the namespace's end there
 * are no such references, and at unload both have been stopped before.
 * cw_proc_exit() and cw_sysctl_exit() wait for those who are in a file, and
 * close /proc files that stay open, cursors included.  A netlink socket keeps its
 * namespace, and at unload the family is gone and no dump is left, so no request
 * comes, and the last one is waited for.  The probe can come for a
 * kernel socket as long as the namespace's memory is there, and after
 * cw_tracker_net_close() it turns round at once, without waking the sweeper.
 * The sweeper is waited for next; then nothing but our own hands touches the
 * lists, and they are emptied.
 */
static void __net_exit net_exit(struct net *net)
{
	struct cw_net *cn = cw_net(net);

	atomic_dec(&net_count);
	xa_erase(&nets, net->ns.inum);
	cw_proc_exit(cn);
	cw_sysctl_exit(cn);
	cw_requests_exit(&cn->requests);
	cw_tracker_net_close(cn);
	cw_sweeper_exit(&cn->sweeper);
	cw_tracker_net_exit(cn);
	cw_history_exit(&cn->history);
	cw_policy_exit(cn);
}

static struct pernet_operations net_ops = {
	.init = net_init,
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
	xa_destroy(&nets);
}
