// SPDX-License-Identifier: GPL-2.0
/*
 * Reaping on request: asked for in a netlink handler, done by a work, so that
 * nobody else's netlink waits for it.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <net/sock.h>

#include "netlink.h"
#include "netns.h"
#include "request.h"
#include "sock.h"

/* Is there a reason to stop? */
static bool request_over(const struct cw_request *rq)
{
	return sock_flag(rq->sk, SOCK_DEAD) || cw_reaper_stopped();
}

/* What the requester is told of one that was reaped. */
static void request_note(struct cw_request *rq, const struct cw_snap *snap)
{
	const u32 at = rq->count[CW_VERDICT_REAP];
	struct sock *sk = snap->sk;

	if (cw_snap_port_freed(snap))
		__set_bit(snap->flow.lport, rq->freed);
	if (at < CW_REAPED_SHOWN)
		rq->shown[at] = (struct cw_reaped_socket) {
			.inode = sock_i_ino(sk),
			.file_refs = cw_sock_file_refs(sk),
		};
}

static void request_one(struct cw_net *cn, struct cw_request *rq,
			struct cw_snap *snap)
{
	enum cw_verdict verdict;

	if (!cw_filter_want(snap, &rq->filter))
		return;
	rq->matched++;
	if (rq->count[CW_VERDICT_REAP] >= rq->limit)
		return;
	if (rq->dry_run)
		verdict = cw_reap_dry(snap, cw_filter_may, &rq->filter);
	else
		verdict = cw_reap(cn, snap, CW_STAT_REAPED_REQUEST,
				  ECONNABORTED, cw_filter_may, &rq->filter);
	if (verdict == CW_VERDICT_REAP && !rq->dry_run)
		request_note(rq, snap);
	rq->count[verdict]++;
}

static void request_all(struct cw_net *cn, struct cw_request *rq)
{
	bool over = false;
	struct cw_iter it;
	unsigned int n, i;

	cw_iter_start(&it, cn);
	while (!over &&
	       cw_iter_next(&it, rq->snap, &n, cw_filter_may, &rq->filter)) {
		for (i = 0; i < n; i++) {
			over = over || request_over(rq);
			if (!over)
				request_one(cn, rq, &rq->snap[i]);
			sock_put(rq->snap[i].sk);
			cond_resched();
		}
		over = over || request_over(rq);
	}
	cw_iter_stop(&it);
	if (over)
		rq->error = ESHUTDOWN;
}

/*
 * The next request may come as soon as this one is answered.  Nobody who has gone
 * away gets an answer, but for those who do so at this very moment: netlink finds
 * out by itself, or sends it to who has got the address since.  The requester's
 * socket may have been the last to keep the namespace, so nothing of it is touched
 * after the request is freed.
 */
static void request_work(struct work_struct *work)
{
	struct cw_requests *rs = container_of(work, struct cw_requests, work);
	struct cw_net *cn = container_of(rs, struct cw_net, requests);
	struct cw_request *rq = rs->now;

	request_all(cn, rq);
	spin_lock(&rs->lock);
	rs->now = NULL;
	spin_unlock(&rs->lock);
	if (!sock_flag(rq->sk, SOCK_DEAD))
		cw_netlink_answer(cn->net, rq);
	cw_request_free(rq);
}

/**
 * cw_request_submit() - have a request done
 * @cn: its namespace
 * @rq: allocated, and freed when it is done
 *
 * Context: process context.
 *
 * Return: false if another one is under way there; then @rq is still the
 * caller's.
 */
bool cw_request_submit(struct cw_net *cn, struct cw_request *rq)
{
	struct cw_requests *rs = &cn->requests;
	bool ok;

	spin_lock(&rs->lock);
	ok = !rs->now;
	if (ok)
		rs->now = rq;
	spin_unlock(&rs->lock);
	if (ok)
		cw_reaper_queue(&rs->work);
	return ok;
}

/**
 * cw_request_free() - free a request
 * @rq: not submitted, or done; may be NULL
 *
 * Context: process context, may sleep.
 */
void cw_request_free(struct cw_request *rq)
{
	if (!rq)
		return;
	cw_filter_free(&rq->filter);
	kfree_skb(rq->answer);
	consume_skb(rq->skb);	/* charged to a socket of the namespace */
	if (rq->sk)
		sock_put(rq->sk);
	kvfree(rq);
}

/**
 * cw_requests_init() - no request yet
 * @rs: of a new namespace
 */
void cw_requests_init(struct cw_requests *rs)
{
	INIT_WORK(&rs->work, request_work);
	spin_lock_init(&rs->lock);
}

/**
 * cw_requests_exit() - the end of a namespace's requests
 * @rs: nobody submits one any more
 *
 * Waits for the one that is under way: who asked for it gets an answer.
 *
 * Context: process context, may sleep.
 */
void cw_requests_exit(struct cw_requests *rs)
{
	flush_work(&rs->work);
}
