// SPDX-License-Identifier: GPL-2.0
/*
 * Forgets a piece of memory: shows that whoever runs a test where kmemleak looks
 * would hear of a leak.
 */
#include <linux/module.h>
#include <linux/slab.h>

/* Not __init: kmemleak's report is to name it. */
static int cw_leak_init(void)
{
	void *lost = kmalloc(88, GFP_KERNEL);

	/* Or the compiler leaves it out. */
	OPTIMIZER_HIDE_VAR(lost);
	return lost ? 0 : -ENOMEM;
}

static void __exit cw_leak_exit(void)
{
}

module_init(cw_leak_init);
module_exit(cw_leak_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A leak made on purpose, for tests");
