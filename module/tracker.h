/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The set of sockets in CLOSE_WAIT.
 *
 * Every tracked socket has an entry, and the entry holds a reference on the
 * socket.  Entries are found in two ways: by socket, through one hash for all
 * namespaces, and by namespace, through lists that are in order of age.  Both
 * are cut into CW_SHARDS parts by the socket's address, and one raw spinlock a
 * shard guards its hash chains, its lists of every namespace, its counters of
 * every namespace and its pool of free entries.  Nothing outside that lock ever
 * points to an entry: whoever needs more than a glance takes a copy (struct
 * cw_snap) with a reference on the socket, and names the entry afterwards by
 * socket and spell number.
 *
 * Lock order: socket lock, ehash bucket lock, shard lock, tight_lock.
 */
#ifndef CW_TRACKER_H
#define CW_TRACKER_H

#include <linux/list.h>
#include <linux/types.h>
#include <net/sock.h>

#include "classify.h"
#include "flow.h"
#include "rules.h"

#define CW_SHARDS	16

struct cw_net;
struct task_struct;

/* What is counted, for each namespace; the names in stats are in proc.c. */
enum cw_stat {
	CW_STAT_ENTERED,
	CW_STAT_ADOPTED,
	CW_STAT_LEFT,
	CW_STAT_REAPED_TIMEOUT,
	CW_STAT_REAPED_REQUEST,
	CW_STAT_OBSERVED,
	CW_STAT_SKIPPED_UNACCEPTED,
	CW_STAT_SKIPPED_KERNEL,
	CW_STAT_SKIPPED_MPTCP,
	CW_STAT_SKIPPED_ULP,
	CW_STAT_DEFERRED_RATE,
	CW_STAT_DEFERRED_BUSY,
	CW_STAT_MISSED,
	CW_STAT_SPELL,			/* the first of CW_NSPELL */
	CW_NSTAT = CW_STAT_SPELL + CW_NSPELL
};

/**
 * struct cw_node - an entry's or a cursor's place in a namespace's list
 * @list: the place
 * @sk: the socket, or NULL for a cursor
 */
struct cw_node {
	struct list_head list;
	struct sock *sk;
};

/**
 * struct cw_net_shard - a namespace's part of a shard; all under the shard's lock
 * @entries: cw_nodes in order of their spell numbers, which is by age but for
 *	adopted ones
 * @count: how many entries
 * @inexact: how many of them do not know their age exactly
 * @stat: counters by enum cw_stat
 */
struct cw_net_shard {
	struct list_head entries;
	u32 count;
	u32 inexact;
	u64 stat[CW_NSTAT];
};

/* Flags of an entry. */
#define CW_F_EXACT	BIT(0)	/* the transition was seen */
#define CW_F_DIR	BIT(1)	/* the direction has been decided */
#define CW_F_OUT	BIT(2)	/* and is out */
#define CW_F_WAITED	BIT(3)	/* nobody had accepted it at the last look */
#define CW_F_ONCE(stat)	BIT(4 + (stat) - CW_STAT_OBSERVED)	/* was counted */

/**
 * struct cw_marks - by these progress is noticed
 * @copied_seq: moves when the application reads
 * @write_seq: moves when the application writes
 * @snd_una: moves when the peer acknowledges
 */
struct cw_marks {
	u32 copied_seq;
	u32 write_seq;
	u32 snd_una;
};

/**
 * struct cw_snap - a copy of an entry, with what its socket says at the moment
 * @sk: the socket, with a reference
 * @spell: number of the spell; with @sk it names the entry
 * @age: nanoseconds since the spell began, or at least so many
 * @idle: nanoseconds without progress
 * @flow: its two ends
 * @rx_bytes: not yet read
 * @tx_bytes: not yet acknowledged
 * @class: what it waits for
 * @flags: CW_F_...
 * @stale: the socket is not in CLOSE_WAIT at the moment
 */
struct cw_snap {
	struct sock *sk;
	u64 spell;
	u64 age;
	u64 idle;
	struct cw_flow flow;
	u32 rx_bytes;
	u32 tx_bytes;
	enum cw_class class;
	u16 flags;
	bool stale;
};

/* Decides on a copy, in atomic context under a raw lock: may only look. */
typedef bool (*cw_want_fn)(const struct cw_snap *snap, void *arg);

/**
 * struct cw_abort - an abort under way, so that its leave event is known
 * @task: who aborts
 * @stat: CW_STAT_REAPED_TIMEOUT or CW_STAT_REAPED_REQUEST
 * @done: the spell was ended by this abort and by nothing else
 */
struct cw_abort {
	const struct task_struct *task;
	enum cw_stat stat;
	bool done;
};

#define CW_BATCH	32	/* most copies at a time */

/**
 * struct cw_iter - goes through the sockets of a namespace, a batch at a time
 * @cn: the namespace, which the user of the iterator keeps alive
 * @shard: the shard it is in
 * @limit: leave alone what came to that shard later: an end is in sight
 * @cursor: holds its place in the shard's list between batches
 */
struct cw_iter {
	struct cw_net *cn;
	unsigned int shard;
	u64 limit;
	struct cw_node cursor;
};

/**
 * struct cw_totals - a namespace's counters, added up
 * @sockets: tracked now
 * @inexact: of those, with an age that is a lower bound
 * @stat: by enum cw_stat
 */
struct cw_totals {
	u64 sockets;
	u64 inexact;
	u64 stat[CW_NSTAT];
};

/**
 * struct cw_tracker_info - the tracker's internals, for debugfs
 * @used: entries in use
 * @free: entries in the pool
 * @chains: hash chains
 * @longest: entries in the longest chain
 * @entry_size: bytes that an entry takes
 * @max_tracked: the parameter
 * @tight: admission is checked one by one because max_tracked is near
 */
struct cw_tracker_info {
	u64 used;
	u64 free;
	unsigned int chains;
	unsigned int longest;
	unsigned int entry_size;
	unsigned int max_tracked;
	bool tight;
};

int cw_tracker_init(unsigned int max_tracked);
void cw_tracker_close(void);
void cw_tracker_stop(void);
void cw_tracker_exit(void);
void cw_tracker_net_init(struct cw_net *cn);
void cw_tracker_net_exit(struct cw_net *cn);
bool cw_tracker_fill(void);
void cw_tracker_walk_begins(void);
void cw_tracker_walk_ends(void);
bool cw_tracker_has_room(void);
void cw_tracker_info(struct cw_tracker_info *info);

void cw_track_enter(struct sock *sk);
void cw_track_leave(struct sock *sk, int state);
bool cw_track_adopt(struct sock *sk);
void cw_track_drop(struct sock *sk, u64 spell);
bool cw_tracked(const struct sock *sk);
bool cw_track_empty(struct cw_net *cn);

bool cw_track_claim(struct sock *sk, u64 spell, cw_want_fn want, void *arg,
		    struct cw_abort *abort);
void cw_track_unclaim(struct sock *sk, u64 spell, struct cw_abort *abort,
		      bool aborted);
void cw_track_once(struct sock *sk, u64 spell, enum cw_stat stat);
u16 cw_track_set_dir(struct sock *sk, u64 spell, enum cw_dir dir);
void cw_track_count(struct cw_net *cn, enum cw_stat stat, u64 n);
void cw_track_totals(struct cw_net *cn, struct cw_totals *totals);

void cw_iter_start(struct cw_iter *it, struct cw_net *cn);
bool cw_iter_next(struct cw_iter *it, struct cw_snap *snap, unsigned int *n,
		  cw_want_fn want, void *arg);
void cw_iter_stop(struct cw_iter *it);

#endif /* CW_TRACKER_H */
