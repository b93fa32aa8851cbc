// SPDX-License-Identifier: GPL-2.0
/*
 * Ending the connections that are stuck, and the look from time to time that
 * finds them.
 */
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/inet_connection_sock.h>
#include <net/mptcp.h>
#include <net/tcp.h>

#include "events.h"
#include "history.h"
#include "netlink.h"
#include "netns.h"
#include "policy.h"
#include "reaper.h"
#include "rows.h"
#include "sock.h"
#include "trace.h"
#include "tracker.h"

/* Marks are sampled every 10 s at least, the time that a sweep takes included. */
#define SWEEP_PERIOD_MAX_MS	9000
#define SWEEP_F_ARMED		0

/* A slot is 2^26 ns, so any second touches no more than CW_RATE_SLOTS slots. */
#define RATE_SLOT_SHIFT		26

static struct workqueue_struct *sweep_wq;
static bool sweeps_stopped;

/* ---- one socket -------------------------------------------------------- */

/**
 * cw_reap_verdict() - is this a socket that is never reaped?
 * @sk: a socket in CLOSE_WAIT, with a reference
 *
 * An unaccepted child: the abort would free neither port nor backlog slot, and
 * inet_csk_listen_stop() expects that no user owns it.  MPTCP is asked first:
 * its subflows are kernel sockets.  Under a ULP or in a sockmap the protocol's
 * close() is not TCP's.  A socket that was accepted from a listener which user
 * space handed to the kernel (knfsd), or that was itself handed over (NBD,
 * iSCSI), is not marked as the kernel's, but has the user data of its new owner
 * or may use memory reserves.
 *
 * Context: any; looks without a lock, so only under the socket's lock is the
 * answer more than a hint.
 *
 * Return: the reason, or CW_VERDICT_REAP if there is none.
 */
enum cw_verdict cw_reap_verdict(const struct sock *sk)
{
	const struct proto *prot = READ_ONCE(sk->sk_prot);

	if (!READ_ONCE(sk->sk_socket))
		return CW_VERDICT_UNACCEPTED;
	if (sk_is_mptcp(sk))
		return CW_VERDICT_MPTCP;
	if (sk->sk_kern_sock)
		return CW_VERDICT_KERNEL;
	if (READ_ONCE(inet_csk(sk)->icsk_ulp_ops) || prot->close != tcp_close ||
	    !prot->diag_destroy)
		return CW_VERDICT_ULP;
	if (READ_ONCE(sk->sk_user_data) ||
	    sock_flag(sk, SOCK_MEMALLOC))
		return CW_VERDICT_KERNEL;
	return CW_VERDICT_REAP;
}

static enum cw_stat verdict_stat(enum cw_verdict verdict)
{
	switch (verdict) {
	case CW_VERDICT_UNACCEPTED:
		return CW_STAT_SKIPPED_UNACCEPTED;
	case CW_VERDICT_KERNEL:
		return CW_STAT_SKIPPED_KERNEL;
	case CW_VERDICT_MPTCP:
		return CW_STAT_SKIPPED_MPTCP;
	default:
		return CW_STAT_SKIPPED_ULP;
	}
}

/*
 * Decides under the socket's lock, and if it says yes announces the abort, unless
 * that is NULL.
 */
static enum cw_verdict reap_decide(struct cw_snap *snap, cw_want_fn want,
				   void *arg, struct cw_abort *abort)
{
	struct sock *sk = snap->sk;
	enum cw_verdict verdict;

	local_bh_disable();
	bh_lock_sock(sk);
	if (sock_owned_by_user(sk))
		verdict = CW_VERDICT_BUSY;
	else if (sk->sk_state != TCP_CLOSE_WAIT)
		verdict = CW_VERDICT_CHANGED;
	else
		verdict = cw_reap_verdict(sk);
	if (verdict == CW_VERDICT_REAP &&
	    !cw_track_claim(sk, snap->spell, want, arg, abort))
		verdict = CW_VERDICT_CHANGED;
	bh_unlock_sock(sk);
	local_bh_enable();
	return verdict;
}

/**
 * cw_reap_dry() - would cw_reap() abort a connection?
 * @snap: a copy of its entry
 * @want: decides once more, under the socket's lock
 * @arg: for @want
 *
 * Context: process context.
 *
 * Return: what cw_reap() would return at this moment.
 */
enum cw_verdict cw_reap_dry(struct cw_snap *snap, cw_want_fn want, void *arg)
{
	return reap_decide(snap, want, arg, NULL);
}

/**
 * cw_reap() - abort a connection, if that is still right
 * @cn: its namespace
 * @snap: a copy of its entry
 * @stat: CW_STAT_REAPED_TIMEOUT or CW_STAT_REAPED_REQUEST
 * @err: positive errno for the application
 * @want: decides once more, under the socket's lock
 * @arg: for @want
 *
 * The decision is made under the socket's lock and with no owner, but the abort
 * takes that lock for itself, so there is a window of some instructions in
 * between.  An application that gets in there and reads, writes or disconnects
 * is aborted although it has just shown life; if it closes, the abort finds the
 * connection in LAST_ACK and ends that.  And if it takes the lock and then
 * sleeps in a page fault, the abort sleeps with it.  The kernel offers no abort
 * that decides under the same lock.
 *
 * Context: process context, may sleep; not from a netlink handler.
 *
 * Return: CW_VERDICT_REAP if this abort ended the spell, else why not.
 */
enum cw_verdict cw_reap(struct cw_net *cn, struct cw_snap *snap,
			enum cw_stat stat, int err, cw_want_fn want, void *arg)
{
	struct cw_abort abort = { .task = current, .stat = stat };
	struct sock *sk = snap->sk;
	enum cw_dir dir = cw_snap_dir(snap);
	enum cw_verdict verdict;
	const bool heard = cw_netlink_heard(cn->net);
	struct cw_row row;
	bool aborted;

	if (heard)	/* the abort takes some of it away */
		cw_row_fill(&row, snap);
	verdict = reap_decide(snap, want, arg, &abort);
	if (verdict != CW_VERDICT_REAP)
		return verdict;
	aborted = !READ_ONCE(sk->sk_prot)->diag_destroy(sk, err);
	if (!abort.done)	/* by the event, which has taken the entry out */
		cw_track_unclaim(sk, snap->spell, &abort, aborted);
	if (!abort.done)
		return CW_VERDICT_CHANGED;
	cw_history_add(&cn->history, dir, cw_snap_service_port(snap));
	trace_cw_reap(sk, &snap->flow, snap->age, err);
	if (heard)
		cw_netlink_reaped(cn->net, &row, stat, err);
	return CW_VERDICT_REAP;
}

/* Forgets a socket that has left CLOSE_WAIT without an event. */
static void reap_stale(const struct cw_snap *snap)
{
	struct sock *sk = snap->sk;

	local_bh_disable();
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk) && sk->sk_state != TCP_CLOSE_WAIT)
		cw_track_drop(sk, snap->spell);
	bh_unlock_sock(sk);
	local_bh_enable();
}

/* ---- the rate ---------------------------------------------------------- */

static bool rate_take(struct cw_rate *r, u32 limit)
{
	u64 slot = ktime_get_ns() >> RATE_SLOT_SHIFT;

	if (slot - r->slot >= CW_RATE_SLOTS) {
		memset(r, 0, sizeof(*r));
		r->slot = slot;
	}
	while (r->slot != slot) {
		u32 *oldest = &r->count[++r->slot % CW_RATE_SLOTS];

		r->sum -= *oldest;
		*oldest = 0;
	}
	if (limit && r->sum >= limit)
		return false;
	r->sum++;
	r->count[slot % CW_RATE_SLOTS]++;
	return true;
}

static void rate_give_back(struct cw_rate *r)
{
	r->sum--;
	r->count[r->slot % CW_RATE_SLOTS]--;
}

/* ---- the look from time to time ---------------------------------------- */

/**
 * struct sweep - one look at all sockets of a namespace
 * @cn: the namespace
 * @it: where it is
 * @spent: as many were reaped as the rate allows
 * @deferred: how many were not reaped because of that
 * @snap: the sockets at hand
 */
struct sweep {
	struct cw_net *cn;
	struct cw_iter it;
	bool spent;
	u64 deferred;
	struct cw_snap snap[CW_BATCH];
};

/* Is it stuck?  Its direction is decided. */
static bool sweep_is_stuck(const struct cw_snap *snap,
			   const struct cw_policy *policy)
{
	u64 timeout = cw_policy_timeout(policy, cw_snap_decided_dir(snap),
					cw_snap_service_port(snap));

	return timeout && snap->idle >= timeout * NSEC_PER_SEC;
}

static bool sweep_want_stuck(const struct cw_snap *snap, void *arg)
{
	struct cw_net *cn = arg;
	bool stuck;

	rcu_read_lock();
	stuck = sweep_is_stuck(snap, rcu_dereference(cn->policy));
	rcu_read_unlock();
	return stuck;
}

static enum cw_action sweep_action(struct cw_net *cn, u32 *rate)
{
	const struct cw_policy *policy;
	enum cw_action action;

	rcu_read_lock();
	policy = rcu_dereference(cn->policy);
	action = policy->action;
	*rate = policy->reap_rate;
	rcu_read_unlock();
	return action;
}

/* What is asked once more under the socket's lock: the policy may be another. */
static bool sweep_want_reap(const struct cw_snap *snap, void *arg)
{
	u32 rate;

	return sweep_want_stuck(snap, arg) &&
	       sweep_action(arg, &rate) == CW_ACTION_REAP;
}

/*
 * Is there anything to do but to count it, or not even that, once more?  The
 * direction is decided long before the timeout: a listener that is closed in
 * between must not take the rules of its port away from its connections.
 */
static bool sweep_want(const struct cw_snap *snap, void *arg)
{
	enum cw_stat once = CW_STAT_OBSERVED;
	enum cw_verdict verdict;
	struct sweep *sw = arg;
	u32 rate;

	if (unlikely(snap->stale || !(snap->flags & CW_F_DIR)))
		return true;
	if (!sweep_want_stuck(snap, sw->cn))
		return false;
	verdict = cw_reap_verdict(snap->sk);
	if (verdict != CW_VERDICT_REAP) {
		once = verdict_stat(verdict);
	} else if (sweep_action(sw->cn, &rate) == CW_ACTION_REAP) {
		if (!sw->spent)
			return true;
		sw->deferred++;
		return false;
	}
	return !(snap->flags & CW_F_ONCE(once));
}

static void sweep_one(struct sweep *sw, struct cw_snap *snap)
{
	struct cw_net *cn = sw->cn;
	enum cw_verdict verdict;
	u32 rate;

	if (snap->stale) {
		reap_stale(snap);
		return;
	}
	cw_snap_dir(snap);
	if (!sweep_want_stuck(snap, cn))
		return;
	verdict = cw_reap_verdict(snap->sk);
	if (verdict != CW_VERDICT_REAP) {
		cw_track_once(snap->sk, snap->spell, verdict_stat(verdict));
		return;
	}
	if (sweep_action(cn, &rate) == CW_ACTION_OBSERVE) {
		cw_track_once(snap->sk, snap->spell, CW_STAT_OBSERVED);
		return;
	}
	if (!rate_take(&cn->sweeper.rate, rate)) {
		sw->spent = true;
		sw->deferred++;
		return;
	}
	verdict = cw_reap(cn, snap, CW_STAT_REAPED_TIMEOUT, ETIMEDOUT,
			  sweep_want_reap, cn);
	if (verdict == CW_VERDICT_REAP)
		return;
	rate_give_back(&cn->sweeper.rate);
	if (verdict == CW_VERDICT_BUSY)
		cw_track_count(cn, CW_STAT_DEFERRED_BUSY, 1);
}

/* Return: jiffies until the next look. */
static unsigned long sweep_all(struct cw_net *cn)
{
	unsigned long period = READ_ONCE(cn->sweeper.period);
	struct sweep *sw = kmalloc(sizeof(*sw), GFP_KERNEL);
	unsigned int n, i;

	if (!sw)
		return period;
	sw->cn = cn;
	sw->spent = false;
	sw->deferred = 0;
	cw_iter_start(&sw->it, cn);
	while (cw_iter_next(&sw->it, sw->snap, &n, sweep_want, sw)) {
		for (i = 0; i < n; i++) {
			if (!cw_reaper_stopped())
				sweep_one(sw, &sw->snap[i]);
			sock_put(sw->snap[i].sk);
			cond_resched();
		}
	}
	cw_iter_stop(&sw->it);
	if (sw->deferred) {
		cw_track_count(cn, CW_STAT_DEFERRED_RATE, sw->deferred);
		period = min(period, 1 + nsecs_to_jiffies(CW_RATE_SLOTS <<
							  RATE_SLOT_SHIFT));
	}
	kfree(sw);
	return period;
}

/*
 * Sleeps for good when the set is empty.  cw_track_empty() takes every shard's
 * lock: whoever adds an entry later in that shard sees the flag cleared.
 */
static void sweep_work(struct work_struct *work)
{
	struct cw_sweeper *s = container_of(to_delayed_work(work),
					    struct cw_sweeper, work);
	struct cw_net *cn = container_of(s, struct cw_net, sweeper);
	unsigned long next;

	if (cw_reaper_stopped())
		return;
	set_bit(SWEEP_F_ARMED, &s->flags);
	next = sweep_all(cn);
	if (cw_track_empty(cn)) {
		clear_bit(SWEEP_F_ARMED, &s->flags);
		if (cw_track_empty(cn) ||
		    test_and_set_bit(SWEEP_F_ARMED, &s->flags))
			return;
	}
	queue_delayed_work(sweep_wq, &s->work, next);
}

/**
 * cw_sweeper_wake() - there is a socket to look at
 * @s: its namespace's sweeper
 *
 * Context: a shard's lock is held; takes only raw locks.
 */
void cw_sweeper_wake(struct cw_sweeper *s)
{
	if (likely(test_bit(SWEEP_F_ARMED, &s->flags)))
		return;
	if (!test_and_set_bit(SWEEP_F_ARMED, &s->flags))
		queue_delayed_work(sweep_wq, &s->work, READ_ONCE(s->period));
}

/*
 * Progress is noticed up to one period late and expiry acted on up to one
 * period late, and both have to fit into max(1 s, timeout / 8): two fifths of
 * that are 50 ms for each second of the timeout.
 */
static unsigned long sweep_period(u32 timeout)
{
	const unsigned int max_s = SWEEP_PERIOD_MAX_MS / 50;

	if (!timeout || timeout > max_s)
		return msecs_to_jiffies(SWEEP_PERIOD_MAX_MS);
	return msecs_to_jiffies(max(timeout, 8U) * 50);
}

/**
 * cw_sweeper_set_timeout() - the policy has changed
 * @s: its namespace's sweeper
 * @timeout: seconds, the shortest there is now; 0 for none
 *
 * Looks at once.
 *
 * Context: process context.
 */
void cw_sweeper_set_timeout(struct cw_sweeper *s, u32 timeout)
{
	WRITE_ONCE(s->period, sweep_period(timeout));
	mod_delayed_work(sweep_wq, &s->work, 0);
}

/**
 * cw_sweeper_init() - the sweeper of a new namespace
 * @s: the sweeper
 * @timeout: seconds, the shortest there is; 0 for none
 */
void cw_sweeper_init(struct cw_sweeper *s, u32 timeout)
{
	INIT_DELAYED_WORK(&s->work, sweep_work);
	s->period = sweep_period(timeout);
}

/**
 * cw_sweeper_exit() - the end of a namespace's sweeper
 * @s: the sweeper; nobody wakes it any more
 *
 * Context: process context, may sleep.
 */
void cw_sweeper_exit(struct cw_sweeper *s)
{
	cancel_delayed_work_sync(&s->work);
}

/**
 * cw_reaper_init() - prepare for sweeps
 *
 * Each namespace has one work, and one for requests, so that one which is held up
 * by a socket's owner holds up nobody else.  They do not run while the host is being suspended.
 *
 * Return: 0 or -ENOMEM.
 */
int cw_reaper_init(void)
{
	sweep_wq = alloc_workqueue("tcp_close_wait_sweep",
				   WQ_UNBOUND | WQ_FREEZABLE, WQ_MAX_ACTIVE);
	return sweep_wq ? 0 : -ENOMEM;
}

/**
 * cw_reaper_queue() - have a work done beside the sweeps
 * @work: a work that reaps; it stops early when cw_reaper_stopped()
 *
 * Context: any, before cw_reaper_exit().
 */
void cw_reaper_queue(struct work_struct *work)
{
	queue_work(sweep_wq, work);
}

/**
 * cw_reaper_stopped() - has cw_reaper_stop() been called?
 *
 * Context: any.
 *
 * Return: whether nothing may be reaped any more.
 */
bool cw_reaper_stopped(void)
{
	return READ_ONCE(sweeps_stopped);
}

/**
 * cw_reaper_stop() - reap nothing any more
 *
 * When this returns no sweep and no request is under way, and those that are
 * still queued, or come, do nothing.  An abort that sleeps because the socket's
 * owner sleeps in a page fault is waited for, see cw_reap().
 *
 * Context: process context, may sleep.
 */
void cw_reaper_stop(void)
{
	WRITE_ONCE(sweeps_stopped, true);
	flush_workqueue(sweep_wq);
}

/**
 * cw_reaper_exit() - the end
 *
 * Every namespace's sweeper is gone.
 */
void cw_reaper_exit(void)
{
	destroy_workqueue(sweep_wq);
}
