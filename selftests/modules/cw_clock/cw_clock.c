// SPDX-License-Identifier: GPL-2.0
/*
 * Lets time pass for one module only, for tests of tcp_close_wait: whatever calls
 * ktime_get() from the addresses start to end finds the clock ahead by so many
 * seconds.
 */
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/module.h>

static ulong start;
module_param(start, ulong, 0400);
MODULE_PARM_DESC(start, "first address of the callers' code");

static ulong end;
module_param(end, ulong, 0400);
MODULE_PARM_DESC(end, "the address behind it");

static ulong ahead;
module_param(ahead, ulong, 0600);
MODULE_PARM_DESC(ahead, "seconds");

/* Anything but 0 leaves this call alone. */
static int at_call(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	unsigned long caller = regs_get_kernel_stack_nth(regs, 0);

	return caller < start || caller >= end;
}

static int at_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	regs_set_return_value(regs, regs_return_value(regs) +
			      READ_ONCE(ahead) * NSEC_PER_SEC);
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name = "ktime_get",
	.entry_handler = at_call,
	.handler = at_return,
	.maxactive = 256,
};

static int __init cw_clock_init(void)
{
	return register_kretprobe(&probe);
}

static void __exit cw_clock_exit(void)
{
	unregister_kretprobe(&probe);
	if (probe.nmissed)
		pr_warn("WARNING: cw_clock: %d calls were missed\n", probe.nmissed);
}

module_init(cw_clock_init);
module_exit(cw_clock_exit);
MODULE_DESCRIPTION("A clock that is ahead, for tests of tcp_close_wait");
MODULE_LICENSE("GPL");
