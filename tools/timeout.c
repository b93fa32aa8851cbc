// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "cwctl.h"
#include "host.h"
#include "policy.h"

/* How long to wait for those who change rules at the same time. */
#define LOCK_PATIENCE 5000	/* ms */

/* What the user wants to set. */
struct change {
	enum { SHOW, SET, DEFAULT } what;
	uint32_t timeout;
	int64_t deadline;	/* of the wait for locks, of all namespaces */
	size_t done;		/* namespaces */
};

static int read_change(struct cw *cw, struct change *change)
{
	const char *word = cw->opt.n_words > 1 ? cw->opt.words[1] : NULL;
	uint64_t seconds = 0;

	change->what = SHOW;
	change->done = 0;
	change->deadline = cw_host_clock() + LOCK_PATIENCE;
	if (!word)
		return CW_DONE;
	change->what = SET;
	change->timeout = 0;
	if (!strcmp(word, "off"))
		return CW_DONE;
	if (!strcmp(word, "default") && cw->opt.service.first) {
		change->what = DEFAULT;
		return CW_DONE;
	}
	if (!strcmp(word, "default"))
		return cw_fail(&cw->err, CW_USAGE, "'default' needs --port");
	if (!cw_value_time(word, &seconds) || seconds > CW_TIMEOUT_MAX)
		return cw_fail(&cw->err, CW_USAGE,
			       "'%s' is not a timeout: off, or a time (" CW_TIMES ") up to %ud",
			       word, CW_TIMEOUT_MAX / 86400);
	change->timeout = seconds;
	return CW_DONE;
}

static int change_rules(struct cw *cw, const struct change *change)
{
	const struct cw_rule rule = {
		.dir = cw->opt.service_dir, .ports = cw->opt.service,
		.timeout = change->timeout,
	};
	int lock = cw_policy_lock(change->deadline);
	struct cw_policy policy;
	int status;

	status = cw_policy_read(&policy, &cw->err);
	if (!status) {
		if (change->what == SET)
			cw_policy_set(&policy, &rule);
		else
			cw_policy_forget(&policy, rule.dir, rule.ports);
		status = cw_policy_write_rules(&policy, &cw->err);
	}
	cw_policy_unlock(lock);
	return status;
}

static int apply(struct cw *cw, const struct change *change)
{
	if (change->what == SHOW)
		return CW_DONE;
	if (cw->opt.service.first)
		return change_rules(cw, change);
	return cw_policy_write_timeout(change->timeout, &cw->err);
}

static int timeout_netns(struct cw *cw, const struct cw_netns *ns, void *arg)
{
	const struct cw_rule only = {
		.dir = cw->opt.service_dir, .ports = cw->opt.service,
	};
	struct change *change = arg;
	struct cw_policy policy;
	int status = apply(cw, change);

	change->done += !status;
	if (!status)
		status = cw_policy_read(&policy, &cw->err);
	if (status)
		return status;
	cw_out_object(cw->out, NULL);
	if (ns->name)
		cw_out_str(cw->out, "netns", ns->name, "{}: ");
	cw_policy_print(cw->out, &policy);
	if (cw->opt.service.first)
		cw_policy_print_rules(cw->out, &policy, &only,
				      "no timeout of its own for this port");
	else
		cw_policy_print_rules(cw->out, &policy, NULL,
				      "no port has a timeout of its own");
	cw_out_object_end(cw->out);
	return CW_DONE;
}

int cw_timeout(struct cw *cw)
{
	struct change change;
	int status = read_change(cw, &change);

	if (status)
		return status;
	if (cw->opt.all_netns) {
		cw_out_object(cw->out, NULL);
		cw_out_list(cw->out, "namespaces");
	}
	status = cw_each_netns(cw, timeout_netns, &change);
	if (change.done && change.what != SHOW) {
		if (status)
			cw_fail(&cw->done, CW_DONE,
				"done in %zu of %zu namespaces", change.done,
				cw->netns.n);
		else
			cw_fail(&cw->done, CW_DONE, "it is set");
	}
	if (cw->opt.all_netns) {
		cw_out_list_end(cw->out);
		cw_out_object_end(cw->out);
	}
	return status;
}
