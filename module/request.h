/* SPDX-License-Identifier: GPL-2.0 */
/* Reaping on request. */
#ifndef CW_REQUEST_H
#define CW_REQUEST_H

#include <linux/bitmap.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "filter.h"
#include "reaper.h"
#include "tracker.h"

struct cw_net;
struct sk_buff;
struct sock;

#define CW_REAPED_SHOWN	64	/* what is told one by one in an answer */
#define CW_NPORTS	65536

/**
 * struct cw_reaped_socket - a connection that was reaped
 * @inode: of the file, 0 if that has gone
 * @file_refs: references to it
 */
struct cw_reaped_socket {
	u64 inode;
	u32 file_refs;
};

/**
 * struct cw_request - what somebody wants to be reaped, and what came of it
 * @filter: which sockets
 * @limit: most reaps
 * @dry_run: only look
 * @sk: the requester's netlink socket, with a reference, which also keeps the
 *	namespace
 * @skb: what the requester sent, with a reference
 * @nlh: the request in it
 * @answer: for the answer; whoever frees the request without sending it frees it
 * @error: ended early, positive errno
 * @matched: how many sockets matched
 * @count: of those that were tried, how many had each outcome
 * @freed: ephemeral ports that were given back
 * @shown: the first that were reaped
 * @snap: the sockets at hand
 */
struct cw_request {
	struct cw_filter filter;
	u32 limit;
	bool dry_run;
	struct sock *sk;
	struct sk_buff *skb;
	struct nlmsghdr *nlh;
	struct sk_buff *answer;
	int error;
	u32 matched;
	u32 count[CW_NVERDICT];
	DECLARE_BITMAP(freed, CW_NPORTS);
	struct cw_reaped_socket shown[CW_REAPED_SHOWN];
	struct cw_snap snap[CW_BATCH];
};

/**
 * struct cw_requests - the request that is under way in a namespace
 * @work: does it
 * @lock: guards @now, which only @work takes away
 * @now: the request, or NULL
 */
struct cw_requests {
	struct work_struct work;
	spinlock_t lock;	/* now */
	struct cw_request *now;
};

void cw_requests_init(struct cw_requests *rs);
void cw_requests_exit(struct cw_requests *rs);
bool cw_request_submit(struct cw_net *cn, struct cw_request *rq);
void cw_request_free(struct cw_request *rq);

#endif /* CW_REQUEST_H */
