/* SPDX-License-Identifier: GPL-2.0 */
/* What the whole module shares. */
#ifndef CW_MAIN_H
#define CW_MAIN_H

#include <linux/math64.h>
#include <linux/time64.h>
#include <linux/types.h>

struct workqueue_struct;

extern struct workqueue_struct *cw_wq;

/**
 * cw_ms() - nanoseconds in the unit that users read
 * @ns: nanoseconds
 *
 * Return: milliseconds, rounded down.
 */
static inline u64 cw_ms(u64 ns)
{
	return div_u64(ns, NSEC_PER_MSEC);
}

u32 cw_default_timeout(void);

#endif /* CW_MAIN_H */
