// SPDX-License-Identifier: GPL-2.0
/* What is to be reaped when, in a network namespace. */
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "netns.h"
#include "policy.h"
#include "reaper.h"

#define POLICY_REAP_RATE	1000

/**
 * cw_action_name() - the word that users write
 * @action: one of enum cw_action
 *
 * Return: the word.
 */
const char *cw_action_name(enum cw_action action)
{
	return action == CW_ACTION_OBSERVE ? "observe" : "reap";
}

static struct cw_policy *policy_alloc(unsigned int nrules)
{
	struct cw_policy *policy;

	policy = kzalloc(struct_size(policy, rules, nrules), GFP_KERNEL_ACCOUNT);
	if (policy)
		policy->nrules = nrules;
	return policy;
}

static struct cw_policy *policy_current(struct cw_net *cn)
{
	return rcu_dereference_protected(cn->policy,
					 lockdep_is_held(&cn->policy_lock));
}

static u32 policy_shortest(const struct cw_policy *policy)
{
	u32 shortest = policy->timeout;
	unsigned int i;

	for (i = 0; i < policy->nrules; i++)
		shortest = min_not_zero(shortest, policy->rules[i].timeout);
	return shortest;
}

/*
 * A copy of the policy in force, with @rules unless that is NULL, to be changed
 * and put in force; the lock is held until policy_commit().  NULL, without the
 * lock, if memory is short.
 */
static struct cw_policy *policy_begin(struct cw_net *cn,
				      const struct cw_rule *rules,
				      unsigned int n)
{
	const struct cw_policy *old;
	struct cw_policy *new;

	mutex_lock(&cn->policy_lock);
	old = policy_current(cn);
	if (!rules) {
		rules = old->rules;
		n = old->nrules;
	}
	new = policy_alloc(n);
	if (!new) {
		mutex_unlock(&cn->policy_lock);
		return NULL;
	}
	new->timeout = old->timeout;
	new->reap_rate = old->reap_rate;
	new->action = old->action;
	memcpy(new->rules, rules, n * sizeof(*rules));
	return new;
}

static void policy_commit(struct cw_net *cn, struct cw_policy *new)
{
	struct cw_policy *old = policy_current(cn);

	new->shortest = policy_shortest(new);
	rcu_assign_pointer(cn->policy, new);
	cw_sweeper_set_timeout(&cn->sweeper, new->shortest);
	mutex_unlock(&cn->policy_lock);
	kfree_rcu(old, rcu);
}

/**
 * cw_policy_set_timeout() - set the timeout of sockets without a rule
 * @cn: the namespace
 * @timeout: seconds, 0 to CW_TIMEOUT_MAX; 0 to never reap
 *
 * This and the other setters take effect at once.
 *
 * Context: process context, may sleep.
 *
 * Return: 0 or -ENOMEM, then the old policy stays in force.
 */
int cw_policy_set_timeout(struct cw_net *cn, u32 timeout)
{
	struct cw_policy *new = policy_begin(cn, NULL, 0);

	if (!new)
		return -ENOMEM;
	new->timeout = timeout;
	policy_commit(cn, new);
	return 0;
}

/**
 * cw_policy_set_action() - set what is done with stuck sockets
 * @cn: the namespace
 * @action: one of enum cw_action
 *
 * Return: see cw_policy_set_timeout().
 */
int cw_policy_set_action(struct cw_net *cn, enum cw_action action)
{
	struct cw_policy *new = policy_begin(cn, NULL, 0);

	if (!new)
		return -ENOMEM;
	new->action = action;
	policy_commit(cn, new);
	return 0;
}

/**
 * cw_policy_set_rate() - limit the automatic reaps
 * @cn: the namespace
 * @rate: most of them in any second; 0 for no limit
 *
 * Return: see cw_policy_set_timeout().
 */
int cw_policy_set_rate(struct cw_net *cn, u32 rate)
{
	struct cw_policy *new = policy_begin(cn, NULL, 0);

	if (!new)
		return -ENOMEM;
	new->reap_rate = rate;
	policy_commit(cn, new);
	return 0;
}

/**
 * cw_policy_set_rules() - replace the port rules
 * @cn: the namespace
 * @rules: sorted, as cw_rules_parse() makes them
 * @n: how many, 0 to CW_RULES_MAX
 *
 * Return: see cw_policy_set_timeout().
 */
int cw_policy_set_rules(struct cw_net *cn, const struct cw_rule *rules,
			unsigned int n)
{
	struct cw_policy *new = policy_begin(cn, rules, n);

	if (!new)
		return -ENOMEM;
	policy_commit(cn, new);
	return 0;
}

/**
 * cw_policy_timeout() - the timeout that applies to a socket
 * @policy: the policy, under rcu_read_lock()
 * @dir: direction of the socket
 * @port: its service port
 *
 * Return: seconds; 0 to never reap it.
 */
u32 cw_policy_timeout(const struct cw_policy *policy, enum cw_dir dir, u16 port)
{
	const struct cw_rule *rule = cw_rules_find(policy->rules, policy->nrules,
						   dir, port);

	return rule ? rule->timeout : policy->timeout;
}

/**
 * cw_policy_init() - the policy of a new namespace
 * @cn: the namespace
 * @timeout: seconds, its default timeout
 *
 * Return: 0 or -ENOMEM.
 */
int cw_policy_init(struct cw_net *cn, u32 timeout)
{
	struct cw_policy *policy = policy_alloc(0);

	if (!policy)
		return -ENOMEM;
	policy->timeout = timeout;
	policy->shortest = timeout;
	policy->reap_rate = POLICY_REAP_RATE;
	mutex_init(&cn->policy_lock);
	RCU_INIT_POINTER(cn->policy, policy);
	return 0;
}

/**
 * cw_policy_exit() - the end of a namespace's policy
 * @cn: the namespace; nobody reads or writes its policy any more
 */
void cw_policy_exit(struct cw_net *cn)
{
	kfree(rcu_dereference_protected(cn->policy, true));
}
