/* SPDX-License-Identifier: GPL-2.0 */
/* What is to be reaped when, in a network namespace. */
#ifndef CW_POLICY_H
#define CW_POLICY_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include "rules.h"

struct cw_net;

enum cw_action {
	CW_ACTION_REAP,
	CW_ACTION_OBSERVE,
	CW_NACTION
};

/**
 * struct cw_policy - never changed once it is in force, but replaced whole
 * @rcu: frees it
 * @timeout: seconds, for sockets without a rule; 0 to never reap
 * @shortest: seconds, the shortest timeout there is; 0 for none
 * @reap_rate: most automatic reaps a second; 0 for no limit
 * @action: what to do with a stuck socket
 * @nrules: how many
 * @rules: sorted
 */
struct cw_policy {
	struct rcu_head rcu;
	u32 timeout;
	u32 shortest;
	u32 reap_rate;
	enum cw_action action;
	unsigned int nrules;
	struct cw_rule rules[];
};

const char *cw_action_name(enum cw_action action);
int cw_policy_init(struct cw_net *cn, u32 timeout);
void cw_policy_exit(struct cw_net *cn);
int cw_policy_set_timeout(struct cw_net *cn, u32 timeout);
int cw_policy_set_rules(struct cw_net *cn, const struct cw_rule *rules,
			unsigned int n);
int cw_policy_set_action(struct cw_net *cn, enum cw_action action);
int cw_policy_set_rate(struct cw_net *cn, u32 rate);
u32 cw_policy_timeout(const struct cw_policy *policy, enum cw_dir dir, u16 port);

#endif /* CW_POLICY_H */
