/* SPDX-License-Identifier: GPL-2.0 */
/* What the module keeps for each network namespace. */
#ifndef CW_NETNS_H
#define CW_NETNS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "history.h"
#include "reaper.h"
#include "request.h"
#include "tracker.h"

struct cw_policy;
struct proc_dir_entry;

/* The first part of a text that is being written in parts, see sysctl.c. */
struct cw_unfinished {
	char *text;
	size_t len;
	pid_t writer;		/* process */
};

/**
 * struct cw_net - a network namespace's share of the module
 * @net: the namespace; outlives this
 * @node: place in the hash table of all namespaces
 * @shard: the tracked sockets and their counters, see tracker.h for the locks
 * @walks: how many walks covered this namespace
 * @policy: what to reap when, see policy.h
 * @policy_lock: serialises the writers of @policy
 * @sweeper: looks at the sockets from time to time, see reaper.h
 * @requests: reaping on request
 * @history: the ports that were reaped from
 * @sysctl: handle of the registered @sysctl_table
 * @sysctl_table: this namespace's copy
 * @sysctl_lock: serialises the writers of the knobs
 * @rules: a set of rules that is not written to its end
 * @proc: /proc/net/tcp_close_wait
 */
struct cw_net {
	struct net *net;
	struct hlist_node node;
	struct cw_net_shard shard[CW_SHARDS];
	atomic64_t walks;
	struct cw_policy __rcu *policy;
	struct mutex policy_lock;	/* writers of policy */
	struct cw_sweeper sweeper;
	struct cw_requests requests;
	struct cw_history history;
	struct ctl_table_header *sysctl;
	struct ctl_table *sysctl_table;
	struct mutex sysctl_lock;	/* rules */
	struct cw_unfinished rules;
	struct proc_dir_entry *proc;
};

struct cw_net *cw_net(const struct net *net);
struct cw_net *cw_net_of(const struct sock *sk);
struct cw_net *cw_netns_next(struct cw_net *cn);
unsigned int cw_netns_count(void);
int cw_netns_init(void);
void cw_netns_exit(void);

#endif /* CW_NETNS_H */
