/* SPDX-License-Identifier: GPL-2.0 */
/* Ending the connections that are stuck. */
#ifndef CW_REAPER_H
#define CW_REAPER_H

#include <linux/types.h>
#include <linux/workqueue.h>

#include "tracker.h"

struct cw_net;

/* Whether a socket may be reaped, or why not. */
enum cw_verdict {
	CW_VERDICT_REAP,
	CW_VERDICT_UNACCEPTED,
	CW_VERDICT_KERNEL,
	CW_VERDICT_MPTCP,
	CW_VERDICT_ULP,
	CW_VERDICT_BUSY,
	CW_VERDICT_CHANGED,
	CW_NVERDICT
};

#define CW_RATE_SLOTS	16

/**
 * struct cw_rate - how many reaps there were in the last second or a little more
 * @slot: the present slot of time
 * @sum: of all @count
 * @count: reaps in each slot, the last CW_RATE_SLOTS of them
 */
struct cw_rate {
	u64 slot;
	u32 sum;
	u32 count[CW_RATE_SLOTS];
};

/**
 * struct cw_sweeper - looks at a namespace's sockets while there are any
 * @work: the look
 * @flags: whether @work is under way or queued
 * @period: jiffies from one look to the next
 * @rate: automatic reaps; used by @work alone
 */
struct cw_sweeper {
	struct delayed_work work;
	unsigned long flags;
	unsigned long period;
	struct cw_rate rate;
};

int cw_reaper_init(void);
void cw_reaper_stop(void);
void cw_reaper_exit(void);
bool cw_reaper_stopped(void);
void cw_reaper_queue(struct work_struct *work);
void cw_sweeper_init(struct cw_sweeper *s, u32 timeout);
void cw_sweeper_exit(struct cw_sweeper *s);
void cw_sweeper_wake(struct cw_sweeper *s);
void cw_sweeper_set_timeout(struct cw_sweeper *s, u32 timeout);

enum cw_verdict cw_reap_verdict(const struct sock *sk);
enum cw_verdict cw_reap(struct cw_net *cn, struct cw_snap *snap,
			enum cw_stat stat, int err, cw_want_fn want, void *arg);
enum cw_verdict cw_reap_dry(struct cw_snap *snap, cw_want_fn want, void *arg);

#endif /* CW_REAPER_H */
