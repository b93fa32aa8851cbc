// SPDX-License-Identifier: GPL-2.0
/*
 * tcp_close_wait: knows every TCP socket in CLOSE_WAIT, tells how many there
 * are, how old and why, and aborts those that are stuck if told to.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "debugfs.h"
#include "events.h"
#include "main.h"
#include "netlink.h"
#include "netns.h"
#include "reaper.h"
#include "rules.h"
#include "tracker.h"
#include "walk.h"

#define MAX_TRACKED_DEFAULT	1048576
#define MAX_TRACKED_MAX		268435456

struct workqueue_struct *cw_wq;

/* A number with bounds, so that a bad value is refused at load or write. */
struct bounded {
	unsigned int value;
	unsigned int min;
	unsigned int max;
};

static int bounded_set(const char *text, const struct kernel_param *kp)
{
	struct bounded *b = kp->arg;
	unsigned int value;
	int err = kstrtouint(text, 10, &value);

	if (err)
		return -EINVAL;
	if (value < b->min || value > b->max) {
		pr_err("%s: %s must be %u to %u\n", KBUILD_MODNAME, kp->name,
		       b->min, b->max);
		return -EINVAL;
	}
	WRITE_ONCE(b->value, value);
	return 0;
}

static int bounded_get(char *buffer, const struct kernel_param *kp)
{
	const struct bounded *b = kp->arg;

	return sprintf(buffer, "%u\n", READ_ONCE(b->value));
}

static const struct kernel_param_ops bounded_ops = {
	.set = bounded_set,
	.get = bounded_get,
};

static struct bounded default_timeout = { 0, 0, CW_TIMEOUT_MAX };
module_param_cb(default_timeout, &bounded_ops, &default_timeout, 0644);
__MODULE_PARM_TYPE(default_timeout, "uint");
MODULE_PARM_DESC(default_timeout,
		 "seconds: net.ipv4.tcp_close_wait_timeout of a new network namespace and, at load, of all; 0 (default) to never reap");

static struct bounded max_tracked = { MAX_TRACKED_DEFAULT, 1, MAX_TRACKED_MAX };
module_param_cb(max_tracked, &bounded_ops, &max_tracked, 0444);
__MODULE_PARM_TYPE(max_tracked, "uint");
MODULE_PARM_DESC(max_tracked,
		 "most sockets tracked; others are counted as missed and picked up by a later walk (default 1048576)");

static bool tracking_walk;

static int tracking_set(const char *text, const struct kernel_param *kp)
{
	if (sysfs_streq(text, "events")) {
		tracking_walk = false;
	} else if (sysfs_streq(text, "walk")) {
		tracking_walk = true;
	} else {
		pr_err("%s: %s must be events or walk\n", KBUILD_MODNAME,
		       kp->name);
		return -EINVAL;
	}
	return 0;
}

static int tracking_get(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "%s\n", tracking_walk ? "walk" : "events");
}

static const struct kernel_param_ops tracking_ops = {
	.set = tracking_set,
	.get = tracking_get,
};

module_param_cb(tracking, &tracking_ops, NULL, 0444);
__MODULE_PARM_TYPE(tracking, "charp");
MODULE_PARM_DESC(tracking,
		 "events (default): hear of each transition through a tracepoint; walk: search the TCP tables from time to time");

/**
 * cw_default_timeout() - the timeout that a new namespace starts with
 *
 * Return: seconds, 0 to never reap.
 */
u32 cw_default_timeout(void)
{
	return READ_ONCE(default_timeout.value);
}

static void start_tracking(void)
{
	int err;

	if (!tracking_walk) {
		err = cw_events_attach();
		if (err) {
			pr_warn("%s: no tracepoint inet_sock_set_state (error %d): tracking by walks, ages are lower bounds\n",
				KBUILD_MODNAME, err);
			tracking_walk = true;
		}
	}
	cw_walk_start(tracking_walk);
}

static int __init cw_init(void)
{
	int err;

	cw_wq = alloc_workqueue(KBUILD_MODNAME, WQ_UNBOUND, 0);
	if (!cw_wq)
		return -ENOMEM;
	err = cw_reaper_init();
	if (err)
		goto no_reaper;
	err = cw_tracker_init(max_tracked.value);
	if (err)
		goto no_tracker;
	err = cw_netns_init();
	if (err)
		goto no_netns;
	err = cw_netlink_init();
	if (err)
		goto no_netlink;
	cw_debugfs_init();
	start_tracking();
	return 0;

no_netlink:
	cw_netns_exit();
no_netns:
	cw_tracker_exit();
no_tracker:
	cw_reaper_exit();
no_reaper:
	destroy_workqueue(cw_wq);
	return err;
}

/*
 * Who can still be in here, after each step:
 *  1. no sweep reaps any more, nor drops an entry, and no request does;
 *  2. nobody is in a netlink handler. A request that came just before is queued
 *     still, and will only say that it is over;
 *  3. nobody is in the probe: no entry goes, and a reference keeps every socket
 *     that is left;
 *  4. no walk is under way, and none does anything: no entry comes. A namespace
 *     that ends just now gives entries back, and may have queued one still;
 *  5. no namespace's entries are taken away for another's;
 *  6. nobody is in a debugfs file;
 *  7. nobody is in a /proc file or a sysctl of any namespace, no sweep and no
 *     request is queued, and every entry has been dropped and its socket put.
 *     That gives entries back to the pools, so
 *  8. only now no walk is queued, and
 *  9. the pools are left alone;
 * 10. memory. Old policies are freed by kfree_rcu(), without code of ours.
 */
static void __exit cw_exit(void)
{
	cw_reaper_stop();
	cw_netlink_exit();
	cw_events_detach();
	cw_walk_stop();
	cw_tracker_close();
	cw_debugfs_exit();
	cw_netns_exit();
	cw_walk_stop();
	cw_tracker_stop();
	cw_tracker_exit();
	cw_reaper_exit();
	destroy_workqueue(cw_wq);
}

module_init(cw_init);
module_exit(cw_exit);

MODULE_AUTHOR("The tcp_close_wait authors");
MODULE_DESCRIPTION("Counts, ages and reaps TCP sockets in CLOSE_WAIT");
MODULE_LICENSE("GPL");
MODULE_VERSION(CW_VERSION);
