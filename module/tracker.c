// SPDX-License-Identifier: GPL-2.0
/*
 * The set of sockets in CLOSE_WAIT; see tracker.h for its shape.
 *
 * References.  cw_track_enter() and cw_track_adopt() take a reference on the
 * socket, and whoever removes the entry puts it, after dropping the shard's
 * lock.  In cw_track_leave() that is never the last one: the tracepoint fires in
 * inet_sk_state_store(), which goes on to write to the socket, so its caller
 * has a reference or holds the one that belongs to the socket's own life until
 * inet_csk_destroy_sock().  Caller by caller of a transition out of CLOSE_WAIT:
 *  - tcp_close(), tcp_shutdown(), tcp_disconnect() and an abort from process
 *    context run on the reference of the file or of whoever looked it up;
 *  - tcp_v4_rcv() and tcp_v6_rcv() hold the one of their look-up;
 *  - the timers hold their own (sk_reset_timer());
 *  - inet_csk_listen_stop() takes one on each child;
 *  - MPTCP closes subflows under the msk's reference on them.
 * tcp_done() on an orphan destroys the socket after the transition, which puts
 * the socket's own reference, later than ours.
 * cw_track_drop() and cw_track_unclaim() run on a reference of their caller's;
 * at a namespace's end nothing is held, and freeing a socket is allowed.
 */
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/tcp.h>

#include "events.h"
#include "main.h"
#include "netns.h"
#include "reaper.h"
#include "sock.h"
#include "tracker.h"
#include "walk.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/**
 * struct cw_entry - a socket's spell in CLOSE_WAIT
 * @node: place in the namespace's list
 * @hash: place in the hash chain, or in the pool
 * @spell: number within the shard, growing
 * @start: when it began, CLOCK_MONOTONIC in ns; an upper bound unless CW_F_EXACT
 * @progress: when progress was last seen, or tracking began
 * @abort: who is about to end the spell, on that one's stack
 * @marks: what the progress is noticed by
 * @flags: CW_F_...
 * @lport: the local port, which the socket may give back before it leaves
 */
struct cw_entry {
	struct cw_node node;
	struct hlist_node hash;
	u64 spell;
	u64 start;
	u64 progress;
	struct cw_abort *abort;
	struct cw_marks marks;
	u16 flags;
	u16 lport;
};

/**
 * struct cw_shard - a part of the set
 * @lock: guards all here, and shard[] of the same index in every cw_net
 * @spell: number of the latest spell
 * @pool: free entries
 * @free: how many
 * @used: entries not in @pool; read without the lock by admit()
 */
struct cw_shard {
	raw_spinlock_t lock;
	u64 spell;
	struct hlist_head pool;
	u32 free;
	u32 used;
} ____cacheline_aligned_in_smp;

static struct cw_shard shards[CW_SHARDS];
static struct hlist_head *chains;	/* of all shards, one shard's behind another's */
static unsigned int chain_bits;		/* of a shard's part of chains */
static struct kmem_cache *entry_cache;
static unsigned int max_used;		/* parameter max_tracked */

/*
 * More entries exist than may be used, so that each use has to be admitted.
 * Changes before the surplus reaches a pool, and is read under that pool's
 * lock.  tight_lock makes the sum of all shards' used exact while it is on.
 */
static bool tight;
static DEFINE_RAW_SPINLOCK(tight_lock);

/*
 * How many sockets of namespaces below their fair share were left out and are
 * being made room for: since the last walk began, and before, which the walk
 * that is under way brings in.  Under tight_lock.
 */
static unsigned int hungry;
static unsigned int hungry_before;

/* A transition was missed or a socket not adopted for want of room. */
static bool starved;

static void set_starved(void)
{
	if (!READ_ONCE(starved))
		WRITE_ONCE(starved, true);
}

static void pool_refill(struct work_struct *work);
static void pool_trim(struct work_struct *work);
static void evict(struct work_struct *work);
static DECLARE_WORK(evict_work, evict);
static DECLARE_WORK(refill_work, pool_refill);
static DECLARE_DELAYED_WORK(trim_work, pool_trim);
static DEFINE_MUTEX(pool_mutex);	/* serialises pool_balance() */
static u64 existing;			/* entries allocated; under pool_mutex */

#define POOL_MIN	256		/* free entries in a shard at first */
#define POOL_MAX	4096
#define POOL_BATCH	64

static struct hlist_head *chain_of(const struct sock *sk)
{
	return &chains[hash_ptr(sk, chain_bits + ilog2(CW_SHARDS))];
}

static struct cw_shard *shard_of_chain(const struct hlist_head *chain)
{
	return &shards[(chain - chains) >> chain_bits];
}

static struct cw_shard *shard_of_sock(const struct sock *sk)
{
	return shard_of_chain(chain_of(sk));
}

static struct cw_net_shard *shard_of(struct cw_net *cn, const struct cw_shard *sh)
{
	return &cn->shard[sh - shards];
}

static struct cw_entry *entry_of(struct cw_node *node)
{
	return container_of(node, struct cw_entry, node);
}

static struct cw_entry *chain_find(struct hlist_head *chain,
				   const struct sock *sk)
{
	struct cw_entry *e;

	lockdep_assert_held(&shard_of_chain(chain)->lock);
	hlist_for_each_entry(e, chain, hash)
		if (e->node.sk == sk)
			return e;
	return NULL;
}

static struct cw_entry *entry_find_spell(const struct sock *sk, u64 spell)
{
	struct cw_entry *e = chain_find(chain_of(sk), sk);

	return e && e->spell == spell ? e : NULL;
}

/* Waits until whoever holds a shard's lock now has dropped it. */
static void shards_pass(void)
{
	unsigned int i;

	for (i = 0; i < CW_SHARDS; i++) {
		raw_spin_lock_irq(&shards[i].lock);
		raw_spin_unlock_irq(&shards[i].lock);
	}
}

/* ---- the pool ---------------------------------------------------------- */

static u32 pool_target(const struct cw_shard *sh)
{
	return clamp_t(u32, READ_ONCE(sh->used) / 8, POOL_MIN, POOL_MAX);
}

static u64 total_used(void)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < CW_SHARDS; i++)
		sum += READ_ONCE(shards[i].used);
	return sum;
}

static u64 net_used(const struct cw_net *cn)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < CW_SHARDS; i++)
		sum += READ_ONCE(cn->shard[i].count);
	return sum;
}

/* What a namespace can have, whatever the others hold. */
static u64 fair_share(void)
{
	return max(max_used / cw_netns_count(), 1U);
}

/*
 * May @cn use one entry more, now that max_tracked is near?  If all are taken,
 * a namespace below its fair share is made room for, at the cost of those above
 * theirs, and until a walk has brought its sockets in, that room is kept.
 */
static noinline bool admit(struct cw_shard *sh, const struct cw_net *cn)
{
	bool ok, below = net_used(cn) < fair_share();
	u64 used;

	raw_spin_lock(&tight_lock);
	used = total_used();
	ok = used + (below ? 0 : hungry + hungry_before) < max_used;
	if (ok) {
		WRITE_ONCE(sh->used, sh->used + 1);
		if (below && hungry_before)
			hungry_before--;
		else if (below && hungry)
			hungry--;
	} else if (below) {
		hungry = min(hungry + 1, max_used);
		queue_work(cw_wq, &evict_work);
	}
	raw_spin_unlock(&tight_lock);
	return ok;
}

static struct cw_entry *list_pop(struct hlist_head *list)
{
	struct cw_entry *e = hlist_entry(list->first, struct cw_entry, hash);

	__hlist_del(&e->hash);
	return e;
}

static struct cw_entry *pool_take(struct cw_shard *sh, const struct cw_net *cn)
{
	struct cw_entry *e;

	lockdep_assert_held(&sh->lock);
	if (unlikely(hlist_empty(&sh->pool)))
		return NULL;
	if (likely(!READ_ONCE(tight)))
		WRITE_ONCE(sh->used, sh->used + 1);
	else if (!admit(sh, cn))
		return NULL;
	e = list_pop(&sh->pool);
	sh->free--;
	if (unlikely(sh->free < POOL_MIN / 2))
		queue_work(cw_wq, &refill_work);
	return e;
}

static void pool_give(struct cw_shard *sh, struct cw_entry *e)
{
	lockdep_assert_held(&sh->lock);
	hlist_add_head(&e->hash, &sh->pool);
	sh->free++;
	WRITE_ONCE(sh->used, sh->used - 1);
	if (unlikely(sh->free > 2 * pool_target(sh)))
		queue_delayed_work(cw_wq, &trim_work, HZ);
}

/* At the end these can be all that ever were. */
static void entries_free(struct hlist_head *list)
{
	struct hlist_node *next;
	struct cw_entry *e;

	hlist_for_each_entry_safe(e, next, list, hash) {
		kmem_cache_free(entry_cache, e);
		cond_resched();
	}
}

/* Return: @n, or 0 if memory is short; newer kernels tell only whether it was. */
static int entries_alloc(struct cw_entry **list, unsigned int n)
{
	return kmem_cache_alloc_bulk(entry_cache, GFP_KERNEL | __GFP_NOWARN, n,
				     (void **)list) ? n : 0;
}

/* When this returns, whoever takes an entry has it admitted. */
static void pool_tighten(void)
{
	WRITE_ONCE(tight, true);
	shards_pass();
}

/* Allocates POOL_BATCH entries and puts them into the pool. */
static bool pool_grow(struct cw_shard *sh)
{
	struct cw_entry *list[POOL_BATCH];
	s32 n, i;

	if (!tight && existing + POOL_BATCH > max_used)
		pool_tighten();
	n = entries_alloc(list, POOL_BATCH);
	raw_spin_lock_irq(&sh->lock);
	for (i = 0; i < n; i++)
		hlist_add_head(&list[i]->hash, &sh->pool);
	sh->free += n;
	raw_spin_unlock_irq(&sh->lock);
	existing += n;
	return n;
}

/* Takes up to POOL_BATCH of @surplus entries out of the pool and frees them. */
static void pool_shrink(struct cw_shard *sh, s32 surplus)
{
	HLIST_HEAD(list);
	s32 n;

	surplus = min(surplus, POOL_BATCH);
	raw_spin_lock_irq(&sh->lock);
	for (n = 0; n < surplus; n++) {
		if (hlist_empty(&sh->pool))
			break;
		hlist_add_head(&list_pop(&sh->pool)->hash, &list);
		sh->free--;
	}
	raw_spin_unlock_irq(&sh->lock);
	existing -= n;
	entries_free(&list);
}

/*
 * Trades a pool for entries from slabs in use: what a crowd has left in it lies
 * scattered, and each keeps a page that is otherwise free.
 */
static void pool_renew(struct cw_shard *sh)
{
	s32 want = pool_target(sh), n, got, had, i;
	struct cw_entry *list[POOL_BATCH];
	HLIST_HEAD(fresh);
	HLIST_HEAD(old);

	if (!tight && existing + want > max_used)
		pool_tighten();
	for (n = 0; n < want; n += got) {
		got = entries_alloc(list, min(want - n, POOL_BATCH));
		if (!got) {
			entries_free(&fresh);
			return;
		}
		for (i = 0; i < got; i++)
			hlist_add_head(&list[i]->hash, &fresh);
		cond_resched();
	}
	raw_spin_lock_irq(&sh->lock);
	hlist_move_list(&sh->pool, &old);
	hlist_move_list(&fresh, &sh->pool);
	had = sh->free;
	sh->free = n;
	raw_spin_unlock_irq(&sh->lock);
	existing += n - had;
	entries_free(&old);
}

/*
 * Brings every pool near its target: grows the low ones, by whole batches, and
 * shrinks those that have more than twice as much if @trim.  Return: false if
 * memory was short.
 */
static bool pool_balance(bool trim)
{
	unsigned int i;
	bool ok = true;

	mutex_lock(&pool_mutex);
	for (i = 0; i < CW_SHARDS; i++) {
		struct cw_shard *sh = &shards[i];
		bool trimmed = false;

		while (trim && READ_ONCE(sh->free) > 2 * pool_target(sh)) {
			pool_shrink(sh, READ_ONCE(sh->free) - pool_target(sh));
			trimmed = true;
			cond_resched();
		}
		if (trimmed)
			pool_renew(sh);
		while (ok && READ_ONCE(sh->free) + POOL_BATCH <= pool_target(sh)) {
			ok = pool_grow(sh);
			cond_resched();
		}
	}
	if (existing <= max_used)
		WRITE_ONCE(tight, false);
	mutex_unlock(&pool_mutex);
	return ok;
}

static void pool_refill(struct work_struct *work)
{
	pool_balance(false);
}

static void pool_trim(struct work_struct *work)
{
	pool_balance(true);
}

/**
 * cw_tracker_fill() - bring the pools near their targets now
 *
 * Context: process context, may sleep.
 *
 * Return: false if memory was short.
 */
bool cw_tracker_fill(void)
{
	return pool_balance(false);
}

/* ---- entries ----------------------------------------------------------- */

/* Has it been accepted since the last look? */
static bool entry_accepted(struct cw_entry *e)
{
	if (unlikely(!READ_ONCE(e->node.sk->sk_socket))) {
		e->flags |= CW_F_WAITED;
		return false;
	}
	if (likely(!(e->flags & CW_F_WAITED)))
		return false;
	e->flags &= ~CW_F_WAITED;
	return true;
}

/*
 * Who has waited in a listener's queue for longer than the timeout is not stuck
 * before the application has had as long with it.  The time is read after the
 * marks, lest a spell be taken for stuck too early.
 */
static void entry_sample(struct cw_entry *e)
{
	struct cw_marks marks = cw_marks_read(e->node.sk);

	if (likely(!entry_accepted(e) &&
		   !memcmp(&marks, &e->marks, sizeof(marks))))
		return;
	e->marks = marks;
	e->progress = ktime_get_ns();
}

static void entry_snap(struct cw_entry *e, u64 now, struct cw_snap *snap)
{
	struct sock *sk = e->node.sk;
	u32 rcv_nxt = READ_ONCE(tcp_sk(sk)->rcv_nxt);

	entry_sample(e);
	snap->sk = sk;
	snap->spell = e->spell;
	snap->age = cw_since(now, e->start);
	snap->idle = cw_since(now, e->progress);
	cw_flow_read(&snap->flow, sk, e->lport);
	snap->rx_bytes = cw_rx_bytes(rcv_nxt, e->marks.copied_seq);
	snap->tx_bytes = cw_tx_bytes(e->marks.write_seq, e->marks.snd_una);
	snap->class = cw_classify(READ_ONCE(sk->sk_socket), snap->tx_bytes,
				  rcv_nxt, e->marks.copied_seq);
	snap->flags = e->flags;
	snap->stale = inet_sk_state_load(sk) != TCP_CLOSE_WAIT;
}

/* Takes an entry into use; the caller has looked that @sk has none yet. */
static struct cw_entry *entry_add(struct hlist_head *chain, struct cw_net *cn,
				  struct sock *sk, u64 now, u64 age, bool exact)
{
	struct cw_shard *sh = shard_of_chain(chain);
	struct cw_net_shard *ns = shard_of(cn, sh);
	struct cw_entry *e = pool_take(sh, cn);

	if (unlikely(!e))
		return NULL;
	sock_hold(sk);
	e->node.sk = sk;
	e->spell = ++sh->spell;
	e->start = cw_since(now, age);
	e->progress = now;
	e->abort = NULL;
	e->marks = cw_marks_read(sk);
	e->flags = exact ? CW_F_EXACT : 0;
	e->lport = sk->sk_num;
	hlist_add_head(&e->hash, chain);
	list_add_tail(&e->node.list, &ns->entries);
	WRITE_ONCE(ns->count, ns->count + 1);
	if (!exact)
		ns->inexact++;
	cw_sweeper_wake(&cn->sweeper);
	return e;
}

/*
 * A socket was left out.  The next entry that becomes free asks for a walk; if
 * it was only this pool that is empty, or one has become free just now, the walk
 * is asked for here.
 */
static void entry_missed(struct cw_shard *sh, struct cw_net *cn)
{
	shard_of(cn, sh)->stat[CW_STAT_MISSED]++;
	set_starved();
	smp_mb();	/* before used is read, as entry_del() does it in reverse */
	if (hlist_empty(&sh->pool))
		queue_work(cw_wq, &refill_work);
	if (total_used() < max_used)
		cw_walk_request();
}

/* Takes an entry out of use; the caller puts the socket when it has unlocked. */
static void entry_del(struct cw_shard *sh, struct cw_net_shard *ns,
		      struct cw_entry *e)
{
	hlist_del(&e->hash);
	list_del(&e->node.list);
	WRITE_ONCE(ns->count, ns->count - 1);
	if (!(e->flags & CW_F_EXACT))
		ns->inexact--;
	pool_give(sh, e);
	smp_mb();	/* see entry_missed() */
	if (unlikely(READ_ONCE(starved)))
		cw_walk_request();
}

/* Counts the end of a spell and takes its entry out.  Return: its length. */
static u64 entry_end(struct cw_shard *sh, const struct sock *sk,
		     struct cw_entry *e, enum cw_stat how)
{
	struct cw_net_shard *ns = shard_of(cw_net(sock_net(sk)), sh);
	u64 age = cw_since(ktime_get_ns(), e->start);

	ns->stat[how]++;
	ns->stat[CW_STAT_SPELL + cw_spell_bucket(age)]++;
	entry_del(sh, ns, e);
	return age;
}

static noinline void trace_enter(const struct sock *sk, u64 age, bool exact)
{
	struct cw_flow flow;

	cw_flow_read(&flow, sk, sk->sk_num);
	trace_cw_enter(sk, &flow, age, exact);
}

static noinline void trace_leave(struct sock *sk, u16 lport, u64 age, int state)
{
	struct cw_flow flow;

	cw_flow_read(&flow, sk, lport);
	trace_cw_leave(sk, &flow, age, state);
}

/* Tells of the end of a spell and puts its reference, without the lock. */
static void entry_put(struct sock *sk, u16 lport, u64 age, int state)
{
	if (trace_cw_leave_enabled())
		trace_leave(sk, lport, age, state);
	sock_put(sk);
}

/**
 * cw_track_enter() - a socket is about to enter CLOSE_WAIT
 * @sk: the socket, locked by the caller
 *
 * Context: any but hard interrupt; preemption may be off.  Does not sleep, nor
 * allocate, nor take a lock that sleeps on PREEMPT_RT.
 */
void cw_track_enter(struct sock *sk)
{
	struct hlist_head *chain = chain_of(sk);
	struct cw_shard *sh = shard_of_chain(chain);
	u64 now = ktime_get_ns();
	unsigned long flags;
	struct cw_net *cn;
	bool added = false;

	raw_spin_lock_irqsave(&sh->lock, flags);
	cn = cw_net_of(sk);
	if (likely(cn && !chain_find(chain, sk))) {
		added = entry_add(chain, cn, sk, now, 0, true);
		if (likely(added))
			shard_of(cn, sh)->stat[CW_STAT_ENTERED]++;
		else
			entry_missed(sh, cn);
	}
	raw_spin_unlock_irqrestore(&sh->lock, flags);
	if (added && trace_cw_enter_enabled())
		trace_enter(sk, 0, true);
}

/**
 * cw_track_leave() - a socket is about to leave CLOSE_WAIT
 * @sk: the socket, locked by the caller
 * @state: where it goes
 *
 * The spell was reaped if this is the abort that cw_track_claim() announced:
 * same task, outside softirq (a RST from the peer can interrupt that task), and
 * to TCP_CLOSE.
 *
 * Context: as cw_track_enter().
 */
void cw_track_leave(struct sock *sk, int state)
{
	struct hlist_head *chain = chain_of(sk);
	struct cw_shard *sh = shard_of_chain(chain);
	enum cw_stat how = CW_STAT_LEFT;
	struct cw_entry *e;
	unsigned long flags;
	u16 lport;
	u64 age;

	raw_spin_lock_irqsave(&sh->lock, flags);
	e = chain_find(chain, sk);
	if (unlikely(!e)) {
		raw_spin_unlock_irqrestore(&sh->lock, flags);
		return;
	}
	if (unlikely(e->abort) && e->abort->task == current &&
	    !in_serving_softirq() && state == TCP_CLOSE) {
		e->abort->done = true;
		how = e->abort->stat;
	}
	lport = e->lport;
	age = entry_end(sh, sk, e, how);
	raw_spin_unlock_irqrestore(&sh->lock, flags);
	entry_put(sk, lport, age, state);
}

/**
 * cw_tracked() - does the set have this socket?
 * @sk: a socket with a reference
 *
 * Context: as cw_track_enter().
 */
bool cw_tracked(const struct sock *sk)
{
	struct hlist_head *chain = chain_of(sk);
	struct cw_shard *sh = shard_of_chain(chain);
	unsigned long flags;
	bool found;

	raw_spin_lock_irqsave(&sh->lock, flags);
	found = chain_find(chain, sk);
	raw_spin_unlock_irqrestore(&sh->lock, flags);
	return found;
}

/**
 * cw_track_adopt() - track a socket whose transition was not seen
 * @sk: a socket in CLOSE_WAIT, with a reference; its lock is held and no user
 *	owns it, so that no transition is under way
 *
 * Context: process context with softirqs off.
 *
 * Return: false if there was no room; true also if the socket was there already,
 * or its namespace is not there any more.
 */
bool cw_track_adopt(struct sock *sk)
{
	struct hlist_head *chain = chain_of(sk);
	struct cw_shard *sh = shard_of_chain(chain);
	u64 now = ktime_get_ns(), age = cw_sock_known_age(sk);
	bool ok = true, added = false;
	unsigned long flags;
	struct cw_net *cn;

	raw_spin_lock_irqsave(&sh->lock, flags);
	cn = cw_net_of(sk);
	if (cn && !chain_find(chain, sk)) {
		added = entry_add(chain, cn, sk, now, age, false);
		if (added)
			shard_of(cn, sh)->stat[CW_STAT_ADOPTED]++;
		else
			set_starved();
		ok = added;
	}
	raw_spin_unlock_irqrestore(&sh->lock, flags);
	if (added && trace_cw_enter_enabled())
		trace_enter(sk, age, false);
	return ok;
}

/**
 * cw_track_drop() - forget a socket whose leave event was not seen
 * @sk: the socket, with a reference of the caller's
 * @spell: number of the spell
 *
 * The caller has looked under the socket's lock that it is not in CLOSE_WAIT.
 * One that somebody has claimed is left to cw_track_unclaim(), which counts it as
 * reaped if that abort has closed it.
 *
 * Context: process context.
 */
void cw_track_drop(struct sock *sk, u64 spell)
{
	struct cw_shard *sh = shard_of_sock(sk);
	struct cw_entry *e;
	u16 lport = 0;
	u64 age = 0;

	raw_spin_lock_irq(&sh->lock);
	e = entry_find_spell(sk, spell);
	if (e && e->abort)
		e = NULL;
	if (e) {
		lport = e->lport;
		age = entry_end(sh, sk, e, CW_STAT_LEFT);
	}
	raw_spin_unlock_irq(&sh->lock);
	if (e)
		entry_put(sk, lport, age, inet_sk_state_load(sk));
}

/**
 * cw_track_empty() - has this namespace nothing in CLOSE_WAIT?
 * @cn: the namespace
 *
 * Takes every shard's lock in turn: what was added before is seen, and what is
 * added later sees what the caller wrote before.
 *
 * Context: process context.
 */
bool cw_track_empty(struct cw_net *cn)
{
	unsigned int i;
	u32 count = 0;

	for (i = 0; i < CW_SHARDS && !count; i++) {
		raw_spin_lock_irq(&shards[i].lock);
		count = cn->shard[i].count;
		raw_spin_unlock_irq(&shards[i].lock);
	}
	return !count;
}

/**
 * cw_track_claim() - decide once more and announce an abort
 * @sk: the socket, locked by the caller and with a reference
 * @spell: number of the spell
 * @want: decides on the present state
 * @arg: for @want
 * @abort: whose the abort is; NULL only to ask
 *
 * Context: process context with softirqs off.
 *
 * Return: whether the spell still lasts, is not claimed by somebody else, and
 * @want says yes.  Then the caller, unless it only asked, aborts, and calls
 * cw_track_unclaim() unless the abort has ended the spell.
 */
bool cw_track_claim(struct sock *sk, u64 spell, cw_want_fn want, void *arg,
		    struct cw_abort *abort)
{
	struct cw_shard *sh = shard_of_sock(sk);
	struct cw_entry *e;
	struct cw_snap now;
	unsigned long flags;
	bool ok = false;

	raw_spin_lock_irqsave(&sh->lock, flags);
	e = entry_find_spell(sk, spell);
	if (e && !e->abort) {
		entry_snap(e, ktime_get_ns(), &now);
		ok = want(&now, arg);
		if (ok)
			e->abort = abort;
	}
	raw_spin_unlock_irqrestore(&sh->lock, flags);
	return ok;
}

/**
 * cw_track_unclaim() - an announced abort is over
 * @sk: the socket, with a reference
 * @spell: number of the spell
 * @abort: what was announced; nothing points to it afterwards
 * @aborted: the kernel says that it was done
 *
 * Where there are no events, the spell is taken for ended by the abort if that
 * was done and the socket is closed now.
 *
 * Context: process context.
 */
void cw_track_unclaim(struct sock *sk, u64 spell, struct cw_abort *abort,
		      bool aborted)
{
	struct cw_shard *sh = shard_of_sock(sk);
	struct cw_entry *e;
	u16 lport = 0;
	u64 age = 0;

	raw_spin_lock_irq(&sh->lock);
	e = entry_find_spell(sk, spell);
	if (e)
		e->abort = NULL;
	if (e && aborted && !cw_events_attached() &&
	    inet_sk_state_load(sk) == TCP_CLOSE) {
		abort->done = true;
		lport = e->lport;
		age = entry_end(sh, sk, e, abort->stat);
	} else {
		e = NULL;
	}
	raw_spin_unlock_irq(&sh->lock);
	if (e)
		entry_put(sk, lport, age, TCP_CLOSE);
}

/**
 * cw_track_once() - count something once per spell
 * @sk: the socket, with a reference
 * @spell: number of the spell
 * @stat: CW_STAT_OBSERVED or one of CW_STAT_SKIPPED_...
 *
 * Context: process context.
 */
void cw_track_once(struct sock *sk, u64 spell, enum cw_stat stat)
{
	struct cw_shard *sh = shard_of_sock(sk);
	struct cw_entry *e;

	raw_spin_lock_irq(&sh->lock);
	e = entry_find_spell(sk, spell);
	if (e && !(e->flags & CW_F_ONCE(stat))) {
		e->flags |= CW_F_ONCE(stat);
		shard_of(cw_net(sock_net(sk)), sh)->stat[stat]++;
	}
	raw_spin_unlock_irq(&sh->lock);
}

/**
 * cw_track_set_dir() - decide a spell's direction, unless it is decided
 * @sk: the socket, with a reference
 * @spell: number of the spell
 * @dir: the direction
 *
 * Context: process context.
 *
 * Return: flags that tell the direction that holds from now on.
 */
u16 cw_track_set_dir(struct sock *sk, u64 spell, enum cw_dir dir)
{
	u16 flags = CW_F_DIR | (dir == CW_DIR_OUT ? CW_F_OUT : 0);
	struct cw_shard *sh = shard_of_sock(sk);
	struct cw_entry *e;

	raw_spin_lock_irq(&sh->lock);
	e = entry_find_spell(sk, spell);
	if (e && !(e->flags & CW_F_DIR))
		e->flags |= flags;
	if (e)
		flags = e->flags & (CW_F_DIR | CW_F_OUT);
	raw_spin_unlock_irq(&sh->lock);
	return flags;
}

/**
 * cw_track_count() - count something that is not an entry's
 * @cn: the namespace
 * @stat: what
 * @n: how many
 *
 * Context: process context.
 */
void cw_track_count(struct cw_net *cn, enum cw_stat stat, u64 n)
{
	raw_spin_lock_irq(&shards[0].lock);
	cn->shard[0].stat[stat] += n;
	raw_spin_unlock_irq(&shards[0].lock);
}

/**
 * cw_track_totals() - a namespace's counters
 * @cn: the namespace
 * @totals: gets them; each shard's are of one moment
 *
 * Context: process context.
 */
void cw_track_totals(struct cw_net *cn, struct cw_totals *totals)
{
	unsigned int i, stat;

	memset(totals, 0, sizeof(*totals));
	for (i = 0; i < CW_SHARDS; i++) {
		const struct cw_net_shard *ns = &cn->shard[i];

		raw_spin_lock_irq(&shards[i].lock);
		totals->sockets += ns->count;
		totals->inexact += ns->inexact;
		for (stat = 0; stat < CW_NSTAT; stat++)
			totals->stat[stat] += ns->stat[stat];
		raw_spin_unlock_irq(&shards[i].lock);
	}
}

/* ---- going through a namespace's sockets ------------------------------- */

/* Goes to the next shard that has sockets, or to the end. */
static void iter_enter_shard(struct cw_iter *it)
{
	struct cw_shard *sh;

	while (it->shard < CW_SHARDS && !READ_ONCE(it->cn->shard[it->shard].count))
		it->shard++;
	if (it->shard == CW_SHARDS)
		return;
	sh = &shards[it->shard];
	raw_spin_lock_irq(&sh->lock);
	it->limit = sh->spell;
	list_add(&it->cursor.list, &it->cn->shard[it->shard].entries);
	raw_spin_unlock_irq(&sh->lock);
}

static void iter_leave_shard(struct cw_iter *it)
{
	struct cw_shard *sh = &shards[it->shard];

	raw_spin_lock_irq(&sh->lock);
	list_del(&it->cursor.list);
	raw_spin_unlock_irq(&sh->lock);
}

/**
 * cw_iter_start() - begin to go through a namespace's sockets
 * @it: the iterator; does not move in memory until cw_iter_stop()
 * @cn: the namespace; the caller sees to it that it lives as long
 *
 * Every socket that stays in CLOSE_WAIT from here to the end is met exactly
 * once, whatever comes and goes meanwhile; sockets that come later may or may
 * not be met.
 *
 * Context: process context.
 */
void cw_iter_start(struct cw_iter *it, struct cw_net *cn)
{
	it->cn = cn;
	it->shard = 0;
	it->cursor.sk = NULL;
	iter_enter_shard(it);
}

/**
 * cw_iter_stop() - end before the end
 * @it: the iterator, at its end or not
 *
 * Context: process context.
 */
void cw_iter_stop(struct cw_iter *it)
{
	if (it->shard < CW_SHARDS)
		iter_leave_shard(it);
	it->shard = CW_SHARDS;
}

/*
 * Looks at no more than CW_BATCH nodes, other iterators' cursors included, so
 * that the lock is not held for long.
 */
static unsigned int iter_batch(struct cw_iter *it, struct cw_snap *snap,
			       cw_want_fn want, void *arg, bool *end)
{
	struct cw_shard *sh = &shards[it->shard];
	struct list_head *head = &it->cn->shard[it->shard].entries;
	struct list_head *at = &it->cursor.list;
	unsigned int n = 0, seen;
	u64 now;

	raw_spin_lock_irq(&sh->lock);
	now = ktime_get_ns();
	for (seen = 0; seen < CW_BATCH; seen++) {
		struct cw_node *node;

		if (at->next == head)
			break;
		node = list_entry(at->next, struct cw_node, list);
		if (node->sk && entry_of(node)->spell > it->limit)
			break;
		at = at->next;
		if (!node->sk)
			continue;
		entry_snap(entry_of(node), now, &snap[n]);
		if (want && !want(&snap[n], arg))
			continue;
		sock_hold(node->sk);
		n++;
	}
	*end = seen < CW_BATCH;
	if (at != &it->cursor.list)
		list_move(&it->cursor.list, at);
	raw_spin_unlock_irq(&sh->lock);
	return n;
}

/**
 * cw_iter_next() - copy the next sockets
 * @it: the iterator
 * @snap: room for CW_BATCH copies, each of which comes with a reference on its
 *	socket that the caller puts
 * @n: gets how many were copied; 0 if none of those passed was wanted
 * @want: which ones; NULL for all
 * @arg: for @want
 *
 * Passes no more than CW_BATCH sockets, so that the caller can give up between
 * two calls, and notices their progress.
 *
 * Context: process context, may sleep.
 *
 * Return: false at the end, where there are none.
 */
bool cw_iter_next(struct cw_iter *it, struct cw_snap *snap, unsigned int *n,
		  cw_want_fn want, void *arg)
{
	bool end;

	*n = 0;
	if (it->shard >= CW_SHARDS)
		return false;
	*n = iter_batch(it, snap, want, arg, &end);
	if (end) {
		iter_leave_shard(it);
		it->shard++;
		iter_enter_shard(it);
	}
	cond_resched();
	return true;
}

/* ---- making room -------------------------------------------------------- */

static u64 room_wanted(void)
{
	u64 want;

	raw_spin_lock_irq(&tight_lock);
	want = total_used() + hungry + hungry_before;
	raw_spin_unlock_irq(&tight_lock);
	return want > max_used ? want - max_used : 0;
}

/*
 * Leaves out the last socket of this shard in front of @at, as if there had been
 * no room when it came, and puts @at in its place.  Readers may have left any
 * number of cursors there.  Return: the socket, with its entry's reference.
 */
static struct sock *shard_evict(struct cw_net *cn, struct cw_shard *sh,
				struct cw_node *at)
{
	struct cw_net_shard *ns = shard_of(cn, sh);
	struct sock *sk = NULL;
	unsigned int seen;
	bool end;

	do {
		raw_spin_lock_irq(&sh->lock);
		for (seen = 0; seen < CW_BATCH && !sk; seen++) {
			struct cw_node *node = list_prev_entry(at, list);

			if (&node->list == &ns->entries)
				break;
			list_move_tail(&at->list, &node->list);
			if (!node->sk || entry_of(node)->abort)
				continue;
			sk = node->sk;
			ns->stat[entry_of(node)->flags & CW_F_EXACT ?
				 CW_STAT_ENTERED : CW_STAT_ADOPTED]--;
			ns->stat[CW_STAT_MISSED]++;
			entry_del(sh, ns, entry_of(node));
		}
		end = seen < CW_BATCH;
		raw_spin_unlock_irq(&sh->lock);
		cond_resched();
	} while (!sk && !end);
	return sk;
}

/* Takes from a namespace above its fair share, in turn from every shard. */
static void net_evict(struct cw_net *cn)
{
	struct cw_node at[CW_SHARDS];
	unsigned int i;
	bool found;

	if (net_used(cn) <= fair_share() || !room_wanted())
		return;
	for (i = 0; i < CW_SHARDS; i++) {
		at[i].sk = NULL;
		raw_spin_lock_irq(&shards[i].lock);
		list_add_tail(&at[i].list, &cn->shard[i].entries);
		raw_spin_unlock_irq(&shards[i].lock);
	}
	do {
		found = false;
		for (i = 0; i < CW_SHARDS; i++) {
			struct sock *sk;

			if (net_used(cn) <= fair_share() || !room_wanted())
				break;
			sk = shard_evict(cn, &shards[i], &at[i]);
			if (sk) {
				sock_put(sk);
				found = true;
			}
		}
	} while (found);
	for (i = 0; i < CW_SHARDS; i++) {
		raw_spin_lock_irq(&shards[i].lock);
		list_del(&at[i].list);
		raw_spin_unlock_irq(&shards[i].lock);
	}
}

static void evict(struct work_struct *work)
{
	struct cw_net *cn = NULL;

	while ((cn = cw_netns_next(cn)))
		net_evict(cn);
	cw_walk_soon();
}

/* ---- coming and going -------------------------------------------------- */

/**
 * cw_tracker_walk_begins() - a walk begins, which finds what was left out
 *
 * Context: process context.
 */
void cw_tracker_walk_begins(void)
{
	WRITE_ONCE(starved, false);
	raw_spin_lock_irq(&tight_lock);
	hungry_before = hungry;
	hungry = 0;
	raw_spin_unlock_irq(&tight_lock);
}

/**
 * cw_tracker_walk_ends() - a walk is over
 *
 * Whom room was made for before it has come, or is not there any more.
 *
 * Context: process context.
 */
void cw_tracker_walk_ends(void)
{
	raw_spin_lock_irq(&tight_lock);
	hungry_before = 0;
	raw_spin_unlock_irq(&tight_lock);
}

/**
 * cw_tracker_has_room() - are there fewer entries in use than max_tracked?
 *
 * Takes every shard's lock in turn: an entry that was given back before is
 * seen here, and one that is given back later asks for a walk if a socket was
 * left out before this call.
 *
 * Context: process context.
 */
bool cw_tracker_has_room(void)
{
	unsigned int i;
	u64 used = 0;

	for (i = 0; i < CW_SHARDS; i++) {
		raw_spin_lock_irq(&shards[i].lock);
		used += shards[i].used;
		raw_spin_unlock_irq(&shards[i].lock);
	}
	return used < max_used;
}

/**
 * cw_tracker_info() - the tracker's internals
 * @info: gets them
 *
 * Context: process context, may sleep.
 */
void cw_tracker_info(struct cw_tracker_info *info)
{
	unsigned int i, c;

	*info = (struct cw_tracker_info) {
		.chains = CW_SHARDS << chain_bits,
		.entry_size = kmem_cache_size(entry_cache),
		.max_tracked = max_used,
		.tight = READ_ONCE(tight),
	};
	for (i = 0; i < CW_SHARDS; i++) {
		struct cw_shard *sh = &shards[i];

		info->used += READ_ONCE(sh->used);
		info->free += READ_ONCE(sh->free);
		for (c = 0; c < BIT(chain_bits); c++) {
			struct hlist_head *chain = &chains[(i << chain_bits) + c];
			struct hlist_node *at;
			unsigned int len = 0;

			if (hlist_empty(chain))
				continue;
			raw_spin_lock_irq(&sh->lock);
			hlist_for_each(at, chain)
				len++;
			raw_spin_unlock_irq(&sh->lock);
			info->longest = max(info->longest, len);
			cond_resched();
		}
	}
}

/**
 * cw_tracker_net_init() - prepare a namespace's part
 * @cn: the namespace
 */
void cw_tracker_net_init(struct cw_net *cn)
{
	unsigned int i;

	for (i = 0; i < CW_SHARDS; i++)
		INIT_LIST_HEAD(&cn->shard[i].entries);
}

/* Unlinks up to CW_BATCH entries.  Return: how many sockets are to be put. */
static unsigned int net_drain(struct cw_net *cn, struct cw_shard *sh,
			      struct sock **sk)
{
	struct cw_net_shard *ns = shard_of(cn, sh);
	unsigned int n = 0;

	raw_spin_lock_irq(&sh->lock);
	while (n < CW_BATCH && !list_empty(&ns->entries)) {
		struct cw_node *node = list_first_entry(&ns->entries,
							struct cw_node, list);

		sk[n++] = node->sk;
		entry_del(sh, ns, entry_of(node));
	}
	raw_spin_unlock_irq(&sh->lock);
	return n;
}

/**
 * cw_tracker_net_exit() - let go of a namespace's sockets
 * @cn: the namespace; no iterator is in it, and no entry comes any more
 *
 * Context: process context, may sleep.
 */
void cw_tracker_net_exit(struct cw_net *cn)
{
	struct sock *sk[CW_BATCH];
	unsigned int i, n, k;

	for (i = 0; i < CW_SHARDS; i++) {
		while ((n = net_drain(cn, &shards[i], sk))) {
			for (k = 0; k < n; k++)
				sock_put(sk[k]);
			cond_resched();
		}
	}
}

/**
 * cw_tracker_init() - make the set
 * @max_tracked: most sockets to track
 *
 * Return: 0 or -ENOMEM.
 */
int cw_tracker_init(unsigned int max_tracked)
{
	unsigned int i;

	/* Chains of 16 when full; a few pages at least, half a MiB at most. */
	chain_bits = ilog2(clamp(roundup_pow_of_two(max_tracked / 16 + 1),
				 1024UL, 65536UL) / CW_SHARDS);
	max_used = max_tracked;
	chains = kvcalloc(CW_SHARDS << chain_bits, sizeof(*chains), GFP_KERNEL);
	if (!chains)
		return -ENOMEM;
	entry_cache = KMEM_CACHE(cw_entry, 0);
	if (!entry_cache)
		goto no_cache;
	for (i = 0; i < CW_SHARDS; i++) {
		raw_spin_lock_init(&shards[i].lock);
		INIT_HLIST_HEAD(&shards[i].pool);
	}
	if (cw_tracker_fill())
		return 0;
	cw_tracker_exit();
	return -ENOMEM;

no_cache:
	kvfree(chains);
	return -ENOMEM;
}

/**
 * cw_tracker_close() - take no socket from one namespace for another any more
 *
 * Called when neither the probe nor a walk takes entries.
 *
 * Context: process context, may sleep.
 */
void cw_tracker_close(void)
{
	cancel_work_sync(&evict_work);
}

/**
 * cw_tracker_stop() - leave the pools alone
 *
 * Called when nothing enters or leaves any more.
 *
 * Context: process context, may sleep.
 */
void cw_tracker_stop(void)
{
	cancel_work_sync(&refill_work);
	cancel_delayed_work_sync(&trim_work);
}

/**
 * cw_tracker_exit() - free the set
 *
 * Every namespace has let go of its sockets.
 */
void cw_tracker_exit(void)
{
	unsigned int i;

	for (i = 0; i < CW_SHARDS; i++)
		entries_free(&shards[i].pool);
	kmem_cache_destroy(entry_cache);
	kvfree(chains);
}
