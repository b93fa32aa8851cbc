// SPDX-License-Identifier: GPL-2.0
/*
 * A part of each network namespace that comes after those of modules which were
 * loaded before: for tests, it holds up the making of one, and has it fail then.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <net/net_namespace.h>

static bool hold;
module_param(hold, bool, 0644);
MODULE_PARM_DESC(hold, "hold up who makes a namespace, until it is cleared");

static unsigned int held;
module_param(held, uint, 0444);
MODULE_PARM_DESC(held, "how many have been held up; their namespaces come to nothing");

static int __net_init cw_late_netns_init(struct net *net)
{
	if (!READ_ONCE(hold))
		return 0;
	WRITE_ONCE(held, held + 1);
	while (READ_ONCE(hold) && !fatal_signal_pending(current))
		msleep(50);
	return -ENOMEM;
}

static struct pernet_operations ops = {
	.init = cw_late_netns_init,
};

static int __init cw_late_init(void)
{
	return register_pernet_subsys(&ops);
}

static void __exit cw_late_exit(void)
{
	unregister_pernet_subsys(&ops);
}

module_init(cw_late_init);
module_exit(cw_late_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Network namespaces that fail late, for tests");
