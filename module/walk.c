// SPDX-License-Identifier: GPL-2.0
/*
 * The walk: goes through the established hash of every namespace and adopts
 * the sockets in CLOSE_WAIT that are not tracked.  It runs once when the module
 * is loaded, once more a little later for what was under way then, after
 * transitions were missed, and every CW_WALK_PERIOD where there are no events.
 */
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>

#include "compat/compat.h"
#include "main.h"
#include "netns.h"
#include "tracker.h"
#include "walk.h"

#define WALK_PERIOD	(5 * HZ)	/* without events, and once after load */
#define WALK_DELAY_MIN	HZ		/* after a request; doubles while in vain */
#define WALK_DELAY_MAX	(64UL * HZ)	/* but never later than a periodic walk */

static void walk_work_fn(struct work_struct *work);
static void walk_soon_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(walk_work, walk_work_fn);
static DECLARE_DELAYED_WORK(walk_soon, walk_soon_fn);
static DEFINE_MUTEX(walk_mutex);	/* one can be asked for during the first */
static unsigned long walk_delay = WALK_DELAY_MIN;
static bool walk_periodic;
static bool walk_stopped = true;

/**
 * struct walk - one walk
 * @sk: sockets to adopt, each with a reference
 * @n: how many
 * @first: hardly any are tracked yet
 * @busy: one was in use and could not be adopted
 * @full: one could not be adopted for want of room
 */
struct walk {
	struct sock *sk[CW_BATCH];
	unsigned int n;
	bool first;
	bool busy;
	bool full;
};

/*
 * Adopts a socket unless a user owns it: the owner may be about to change the
 * state, and has possibly passed the tracepoint already.
 */
static void walk_adopt(struct walk *w, struct sock *sk)
{
	bh_lock_sock(sk);
	if (sock_owned_by_user(sk))
		w->busy = true;
	else if (sk->sk_state == TCP_CLOSE_WAIT && !cw_track_adopt(sk))
		w->full = true;
	bh_unlock_sock(sk);
}

static void walk_flush(struct walk *w)
{
	unsigned int i;

	if (w->n)
		cw_tracker_fill();
	local_bh_disable();
	for (i = 0; i < w->n; i++) {
		walk_adopt(w, w->sk[i]);
		sock_put(w->sk[i]);
	}
	local_bh_enable();
	w->n = 0;
	cond_resched();
}

/*
 * Is there anything in CLOSE_WAIT?  Says yes too if it has strayed into another
 * bucket, following a socket that went there.
 */
static bool walk_worth_it(struct inet_hashinfo *h, unsigned int bucket)
{
	struct hlist_nulls_node *node;
	struct sock *sk;
	bool found = false;

	rcu_read_lock();
	sk_nulls_for_each_rcu(sk, node, &h->ehash[bucket].chain) {
		found = READ_ONCE(sk->sk_state) == TCP_CLOSE_WAIT;
		if (found)
			break;
	}
	if (!found)
		found = get_nulls_value(node) != bucket;
	rcu_read_unlock();
	return found;
}

/*
 * Collects from one bucket, from its @skip-th candidate on.  TIME_WAIT and
 * NEW_SYN_RECV sockets are in the table too, and are much smaller than struct
 * sock: nothing but struct sock_common may be read before the state says that
 * this is a full socket.
 *
 * Return: how many candidates were looked at, counted from the first.
 */
static unsigned int walk_bucket(struct walk *w, struct inet_hashinfo *h,
				unsigned int bucket, unsigned int skip)
{
	spinlock_t *lock = inet_ehash_lockp(h, bucket);
	struct hlist_nulls_node *node;
	unsigned int seen = 0;
	struct sock *sk;

	spin_lock_bh(lock);
	sk_nulls_for_each(sk, node, &h->ehash[bucket].chain) {
		if (READ_ONCE(sk->sk_state) != TCP_CLOSE_WAIT ||
		    sk->sk_protocol != IPPROTO_TCP)
			continue;
		if (seen++ < skip || (!w->first && cw_tracked(sk)))
			continue;
		if (w->n == CW_BATCH) {
			seen--;
			break;
		}
		if (refcount_inc_not_zero(&sk->sk_refcnt))
			w->sk[w->n++] = sk;
	}
	spin_unlock_bh(lock);
	return seen;
}

static void walk_table(struct walk *w, struct inet_hashinfo *h)
{
	unsigned int bucket, seen;

	for (bucket = 0; bucket <= h->ehash_mask; bucket++) {
		if (!(bucket % 1024))
			cond_resched();
		if (!walk_worth_it(h, bucket))
			continue;
		if (READ_ONCE(walk_stopped))
			break;
		seen = walk_bucket(w, h, bucket, 0);
		while (w->n == CW_BATCH) {
			walk_flush(w);
			seen = walk_bucket(w, h, bucket, seen);
		}
	}
	walk_flush(w);
}

static void walk_all(struct walk *w)
{
	struct inet_hashinfo *common = cw_hashinfo(&init_net);
	struct cw_net *cn = NULL;

	mutex_lock(&walk_mutex);
	cw_tracker_walk_begins();
	walk_table(w, common);
	while ((cn = cw_netns_next(cn))) {
		/* A namespace either shares the common table or has its own. */
		if (cw_hashinfo(cn->net) != common)
			walk_table(w, cw_hashinfo(cn->net));
		atomic64_inc(&cn->walks);
	}
	cw_tracker_walk_ends();
	mutex_unlock(&walk_mutex);
}

static void walk_queue(unsigned long delay)
{
	if (!READ_ONCE(walk_stopped))
		queue_delayed_work(cw_wq, &walk_work, delay);
}

/*
 * A socket in use is tried again soon, and ever later if it stays so; the same
 * if memory was short.  When the set is full there is no sense in another walk
 * before something has left, which asks for one; not at once if the last one
 * was in vain.
 */
static void walk_work_fn(struct work_struct *work)
{
	unsigned long delay_max = walk_periodic ? WALK_PERIOD : WALK_DELAY_MAX;
	struct walk w = {};

	if (READ_ONCE(walk_stopped))
		return;
	walk_all(&w);
	if (w.busy || w.full)
		WRITE_ONCE(walk_delay, min(2 * walk_delay, delay_max));
	else
		WRITE_ONCE(walk_delay, WALK_DELAY_MIN);
	if (walk_periodic)
		walk_queue(WALK_PERIOD);
	else if (w.busy || (w.full && cw_tracker_has_room()))
		walk_queue(walk_delay);
}

/**
 * cw_walk_request() - transitions were missed, or there is room again
 *
 * Context: any but hard interrupt; may be called with a shard's lock held.
 */
void cw_walk_request(void)
{
	walk_queue(READ_ONCE(walk_delay));
}

static void walk_soon_fn(struct work_struct *work)
{
	if (!READ_ONCE(walk_stopped))
		mod_delayed_work(cw_wq, &walk_work, 0);
}

/**
 * cw_walk_soon() - there is room for somebody who was left out
 *
 * However long the walks were in vain for others, the next one is not.
 *
 * Context: process context.
 */
void cw_walk_soon(void)
{
	if (!READ_ONCE(walk_stopped))
		queue_delayed_work(cw_wq, &walk_soon, WALK_DELAY_MIN);
}

/**
 * cw_walk_start() - walk now, and again in a few seconds
 * @periodic: and again and again
 *
 * Context: process context, may sleep.
 */
void cw_walk_start(bool periodic)
{
	struct walk w = { .first = true };

	walk_periodic = periodic;
	WRITE_ONCE(walk_stopped, false);
	walk_all(&w);
	walk_queue(WALK_PERIOD);
}

/**
 * cw_walk_stop() - end a walk that is under way and make no other
 *
 * A request that comes at the same time can still queue the work, which then
 * does nothing.  So this is called once more when nobody is left to make one.
 *
 * Context: process context, may sleep.
 */
void cw_walk_stop(void)
{
	WRITE_ONCE(walk_stopped, true);
	cancel_delayed_work_sync(&walk_soon);
	cancel_delayed_work_sync(&walk_work);
}
