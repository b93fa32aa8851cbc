// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "freed.h"
#include "host.h"
#include "ports.h"
#include "sockets.h"

#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name
#define SKIPPED(name) TCP_CLOSE_WAIT_A_SKIPPED_##name

/* How long, and how often, to wait for another request to end. */
#define PATIENCE	5000	/* ms */
#define PAUSE		50	/* ms */

/* The length of an attribute has 16 bits. */
#define COOKIES_MAX 8000

/* What one namespace gave. */
struct result {
	const struct cw_netns *ns;
	struct cw_reaped sum;
};

/**
 * struct reap - a reap under way
 * @results: of each namespace so far
 * @left: how many more may be reaped
 * @freed: what is freed, for text only
 */
struct reap {
	struct result *results;
	size_t n, room;
	uint32_t left;
	struct cw_freed *freed;
};

static bool take_reaped(const struct nlmsghdr *nlh, void *arg)
{
	return cw_answer_reaped(nlh, arg);
}

static void add(struct cw_reaped *sum, const struct cw_reaped *more)
{
	unsigned int i;

	sum->matched += more->matched;
	sum->reaped += more->reaped;
	for (i = 0; i <= TCP_CLOSE_WAIT_A_SKIPPED_MAX; i++)
		sum->skipped[i] += more->skipped[i];
}

/* May it be tried again, because there is another request under way? */
static bool try_again(struct cw_error *err, int64_t deadline)
{
	if (err->refusal != EBUSY || cw_host_clock() >= deadline)
		return false;
	cw_host_pause(PAUSE);
	if (cw_host_clock() >= deadline)
		return false;
	memset(err, 0, sizeof(*err));
	return true;
}

static int ask(struct cw *cw, struct cw_nl *nl, const struct reap *reap,
	       const uint64_t *cookies, size_t n, struct cw_reaped *got)
{
	struct nlmsghdr *nlh = cw_nl_request(nl, TCP_CLOSE_WAIT_CMD_REAP,
					     NLM_F_ACK);
	bool only_count = cw->opt.max && !reap->left;

	cw_filter_put(&cw->opt.filter, nlh);
	if (n)
		mnl_attr_put(nlh, TCP_CLOSE_WAIT_A_COOKIES,
			     n * sizeof(*cookies), cookies);
	if (reap->left)
		mnl_attr_put_u32(nlh, TCP_CLOSE_WAIT_A_LIMIT, reap->left);
	if (cw->opt.dry_run || only_count)
		mnl_attr_put(nlh, TCP_CLOSE_WAIT_A_DRY_RUN, 0, NULL);
	if (cw->opt.all)
		mnl_attr_put(nlh, TCP_CLOSE_WAIT_A_ALL, 0, NULL);
	return cw_nl_talk(nl, nlh, "reap", take_reaped, got, &cw->err);
}

/* One request; once --max is reached it only counts what matches. */
static int request(struct cw *cw, struct cw_nl *nl, struct reap *reap,
		   const uint64_t *cookies, size_t n, struct cw_reaped *sum)
{
	int64_t deadline = cw_host_clock() + PATIENCE;
	bool only_count = cw->opt.max && !reap->left;
	struct cw_reaped got = { 0 };
	int status;

	do {
		status = ask(cw, nl, reap, cookies, n, &got);
	} while (status && try_again(&cw->err, deadline));
	if (!status && got.error == ESHUTDOWN)
		status = cw_fail(&cw->err, CW_NOT_LOADED,
				 "the module tcp_close_wait was unloaded meanwhile");
	else if (!status && got.error)
		status = cw_fail(&cw->err, CW_FAILED, "the reap ended early: %s",
				 strerror((int)got.error));
	if (only_count) {
		got.reaped = 0;
		memset(got.skipped, 0, sizeof(got.skipped));
	}
	if (reap->freed && !only_count)
		cw_freed_add(reap->freed, &got);
	if (cw->opt.max)
		reap->left -= got.reaped < reap->left ? got.reaped : reap->left;
	add(sum, &got);
	return status;
}

/* The kernel does not know processes: it is told their sockets. */
static int request_cookies(struct cw *cw, struct cw_nl *nl, struct reap *reap,
			   const struct cw_sockets *sockets,
			   struct cw_reaped *sum)
{
	uint64_t *cookies = cw_alloc(COOKIES_MAX * sizeof(*cookies));
	int status = CW_DONE;
	size_t i, n = 0;

	for (i = 0; i < sockets->n && !status; i++) {
		cookies[n++] = sockets->list[i].v[SOCKET(COOKIE)];
		if (n < COOKIES_MAX && i < sockets->n - 1)
			continue;
		status = request(cw, nl, reap, cookies, n, sum);
		n = 0;
	}
	free(cookies);
	return status;
}

static int reap_netns(struct cw *cw, const struct cw_netns *ns, void *arg)
{
	bool by_pid = cw->opt.filter.given & CW_FILTER_PID;
	struct cw_sockets sockets = { 0 };
	struct cw_reaped sum = { 0 };
	struct reap *reap = arg;
	struct cw_nl nl;
	int status = cw_nl_open(&nl, &cw->err);

	if (!status && by_pid)
		status = cw_sockets_get(cw, &nl, ns, &cw->opt.filter, &sockets);
	if (!status)
		status = by_pid ?
			 request_cookies(cw, &nl, reap, &sockets, &sum) :
			 request(cw, &nl, reap, NULL, 0, &sum);
	reap->results = cw_grow(reap->results, reap->n, &reap->room,
				sizeof(*reap->results));
	reap->results[reap->n].ns = ns;
	reap->results[reap->n++].sum = sum;
	cw_sockets_free(&sockets);
	cw_nl_close(&nl);
	return status;
}

static const char * const skipped_text[] = {
	[SKIPPED(UNACCEPTED)] = "{} not accepted yet",
	[SKIPPED(KERNEL)] = "{} of the kernel",
	[SKIPPED(MPTCP)] = "{} of MPTCP",
	[SKIPPED(ULP)] = "{} under kTLS or in a sockmap",
	[SKIPPED(BUSY)] = "{} in use just then",
	[SKIPPED(CHANGED)] = "{} changed meanwhile",
};

static void print_skipped(struct cw_out *out, const struct cw_reaped *sum,
			  bool text)
{
	const char *before = "; left alone: ";
	unsigned int i;

	cw_out_object(out, "skipped");
	for (i = SKIPPED(UNACCEPTED); i <= TCP_CLOSE_WAIT_A_SKIPPED_MAX; i++) {
		bool say = text && sum->skipped[i];

		if (say) {
			cw_out_text(out, "%s", before);
			before = ", ";
		}
		cw_out_u64(out, cw_skipped_keys[i], sum->skipped[i],
			   say ? skipped_text[i] : NULL);
	}
	cw_out_object_end(out);
}

static void print_result(struct cw *cw, const struct cw_reaped *sum,
			 const struct cw_freed *freed, bool text)
{
	const char *matched = NULL, *reaped = NULL;
	struct cw_out *out = cw->out;
	uint64_t tried = sum->reaped;
	unsigned int i;

	for (i = SKIPPED(UNACCEPTED); i <= TCP_CLOSE_WAIT_A_SKIPPED_MAX; i++)
		tried += sum->skipped[i];
	if (text && cw->opt.dry_run) {
		matched = sum->matched == 1 ? "{} connection matches, " :
					      "{} connections match, ";
		reaped = "{} would be reset";
	} else if (text) {
		reaped = sum->reaped == 1 ? "{} connection reset" :
					    "{} connections reset";
	}
	cw_out_u64(out, "matched", sum->matched, matched);
	cw_out_u64(out, "reaped", sum->reaped, reaped);
	if (text && !cw->opt.dry_run && tried < sum->matched)
		cw_out_text(out, " of %ju that match", (uintmax_t)sum->matched);
	if (freed && text)
		cw_freed_print(freed, out);
	print_skipped(out, sum, text);
	cw_out_bool(out, "dry_run", cw->opt.dry_run);
}

/* The whole; with -a also what each namespace has to it. */
static void print(struct cw *cw, const struct reap *reap,
		  const struct cw_reaped *sum)
{
	struct cw_out *out = cw->out;
	size_t i;

	cw_out_object(out, NULL);
	if (!sum->matched)
		cw_out_text(out, "%s", cw_no_sockets(&cw->opt.filter));
	print_result(cw, sum, reap->freed, sum->matched);
	if (cw->opt.all_netns) {
		cw_out_list(out, "namespaces");
		for (i = 0; i < reap->n; i++) {
			cw_out_object(out, NULL);
			cw_out_str(out, "netns", reap->results[i].ns->name,
				   NULL);
			print_result(cw, &reap->results[i].sum, NULL, false);
			cw_out_object_end(out);
		}
		cw_out_list_end(out);
	}
	cw_out_object_end(out);
	cw_out_end_paragraph(out, 0);
}

int cw_reap(struct cw *cw)
{
	struct reap reap = { .left = cw->opt.max };
	struct cw_reaped sum = { 0 };
	int status;
	size_t i;

	if (!cw->opt.filter.given && !cw->opt.all)
		return cw_fail(&cw->err, CW_USAGE,
			       "reap needs a filter, or --all");
	if (!cw->opt.json && !cw->opt.dry_run)
		reap.freed = cw_freed_new();
	status = cw_each_netns(cw, reap_netns, &reap);
	for (i = 0; i < reap.n; i++)
		add(&sum, &reap.results[i].sum);
	if (sum.reaped && !cw->opt.dry_run)
		cw_fail(&cw->done, CW_DONE, "%ju were reaped",
			(uintmax_t)sum.reaped);
	if (!status)
		print(cw, &reap, &sum);
	if (!status && !sum.matched)
		status = CW_NOTHING;
	if (reap.freed)
		cw_freed_free(reap.freed);
	free(reap.results);
	return status;
}
