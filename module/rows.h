/* SPDX-License-Identifier: GPL-2.0 */
/* The sockets in CLOSE_WAIT as users are shown them, one by one. */
#ifndef CW_ROWS_H
#define CW_ROWS_H

#include <linux/types.h>
#include <linux/uidgid.h>

#include "classify.h"
#include "flow.h"
#include "rules.h"
#include "tracker.h"

struct cw_filter;
struct cw_net;

/**
 * struct cw_row - what is shown of a socket; holds no reference
 * @flow: its two ends
 * @dir: direction
 * @class: what it waits for
 * @exact: the age is not just a lower bound
 * @age: nanoseconds
 * @idle: nanoseconds
 * @rx_bytes: not yet read
 * @tx_bytes: not yet acknowledged
 * @uid: owner
 * @inode: of its file; 0 if it is not accepted
 * @cookie: as SO_COOKIE
 * @cgroup: id of its cgroup v2, or 0
 * @file_refs: references to its file, or 0
 */
struct cw_row {
	struct cw_flow flow;
	enum cw_dir dir;
	enum cw_class class;
	bool exact;
	u64 age;
	u64 idle;
	u32 rx_bytes;
	u32 tx_bytes;
	kuid_t uid;
	unsigned long inode;
	u64 cookie;
	u64 cgroup;
	u32 file_refs;
};

/**
 * struct cw_rows - goes through a namespace's sockets, a batch of rows at a time
 * @it: where it is
 * @filter: which sockets
 * @n: how many @row there are
 * @row: the rows at hand
 * @snap: where @row comes from
 */
struct cw_rows {
	struct cw_iter it;
	struct cw_filter *filter;
	unsigned int n;
	struct cw_row row[CW_BATCH];
	struct cw_snap snap[CW_BATCH];
};

bool cw_row_fill(struct cw_row *row, struct cw_snap *snap);
void cw_rows_start(struct cw_rows *rows, struct cw_net *cn,
		   struct cw_filter *filter);
int cw_rows_next(struct cw_rows *rows);
void cw_rows_stop(struct cw_rows *rows);

#endif /* CW_ROWS_H */
