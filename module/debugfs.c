// SPDX-License-Identifier: GPL-2.0
/* Diagnosis for root: /sys/kernel/debug/tcp_close_wait; not an ABI. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "debugfs.h"
#include "events.h"
#include "netns.h"
#include "policy.h"
#include "tracker.h"

static struct dentry *dir;

static bool oldest_want(const struct cw_snap *snap, void *arg)
{
	u64 *oldest = arg;

	*oldest = max(*oldest, snap->age);
	return false;
}

/* Return: nanoseconds. */
static u64 netns_oldest(struct cw_net *cn, struct cw_snap *snap)
{
	struct cw_iter it;
	unsigned int n;
	u64 oldest = 0;

	cw_iter_start(&it, cn);
	while (cw_iter_next(&it, snap, &n, oldest_want, &oldest))
		;
	cw_iter_stop(&it);
	return oldest;
}

static int netns_show(struct seq_file *m, void *unused)
{
	struct cw_totals totals;
	struct cw_net *cn = NULL;
	struct cw_snap *snap;
	u32 timeout;
	bool reaps;

	snap = kmalloc_array(CW_BATCH, sizeof(*snap), GFP_KERNEL);
	if (!snap)
		return -ENOMEM;
	seq_puts(m, "netns sockets age_max_ms timeout\n");
	while ((cn = cw_netns_next(cn))) {
		cw_track_totals(cn, &totals);
		rcu_read_lock();
		timeout = rcu_dereference(cn->policy)->timeout;
		reaps = rcu_dereference(cn->policy)->shortest;
		rcu_read_unlock();
		if (totals.sockets || reaps)
			seq_printf(m, "%u %llu %llu %u\n", cn->net->ns.inum,
				   totals.sockets,
				   div_u64(netns_oldest(cn, snap),
					   NSEC_PER_MSEC), timeout);
	}
	kfree(snap);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(netns);

static int tracker_show(struct seq_file *m, void *unused)
{
	struct cw_tracker_info info;

	cw_tracker_info(&info);
	seq_printf(m, "tracking %s\n", cw_events_attached() ? "events" : "walk");
	seq_printf(m, "entries_used %llu\n", info.used);
	seq_printf(m, "entries_free %llu\n", info.free);
	seq_printf(m, "entry_size %u\n", info.entry_size);
	seq_printf(m, "max_tracked %u\n", info.max_tracked);
	seq_printf(m, "near_max %d\n", info.tight);
	seq_printf(m, "shards %u\n", CW_SHARDS);
	seq_printf(m, "hash_chains %u\n", info.chains);
	seq_printf(m, "longest_chain %u\n", info.longest);
	seq_printf(m, "namespaces %u\n", cw_netns_count());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(tracker);

/**
 * cw_debugfs_init() - make the files
 *
 * Errors are left alone, as everywhere with debugfs: the module works without.
 */
void cw_debugfs_init(void)
{
	dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("netns", 0400, dir, NULL, &netns_fops);
	debugfs_create_file("tracker", 0400, dir, NULL, &tracker_fops);
}

/**
 * cw_debugfs_exit() - remove the files
 *
 * Waits for those who are in one.
 */
void cw_debugfs_exit(void)
{
	debugfs_remove(dir);
}
