// SPDX-License-Identifier: GPL-2.0
/*
 * Two threads count in one variable for some seconds: shows that whoever runs a
 * test where KCSAN looks would hear of a data race in a module.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

#define SECONDS	5

static unsigned long counter;

static void cw_race_count(void)
{
	const unsigned long end = jiffies + SECONDS * HZ;

	while (time_before(jiffies, end)) {
		counter++;
		cond_resched();
	}
}

static int cw_race_thread(void *unused)
{
	cw_race_count();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 10);
	return 0;
}

static int cw_race_init(void)
{
	struct task_struct *other = kthread_run(cw_race_thread, NULL, "cw_race");

	if (IS_ERR(other))
		return PTR_ERR(other);
	cw_race_count();
	return kthread_stop(other);
}

static void __exit cw_race_exit(void)
{
}

module_init(cw_race_init);
module_exit(cw_race_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A data race made on purpose, for tests");
