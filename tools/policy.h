/* SPDX-License-Identifier: GPL-2.0 */
/* The sysctls of the present network namespace. */
#ifndef CW_POLICY_H
#define CW_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "out.h"
#include "value.h"

#define CW_TIMEOUT_MAX	31536000U	/* seconds: a year */
#define CW_RULES_MAX	128

/* Where one rule is cut out of all others, and one put in its place. */
#define CW_RULES_ROOM	(2 * CW_RULES_MAX + 1)

struct cw_rule {
	unsigned int dir;
	struct cw_range ports;
	uint32_t timeout;
};

/**
 * struct cw_policy - what is done with stuck sockets
 * @timeout: seconds, 0: never reap
 * @rate: most reaps a second, 0: no limit
 * @action: reap or observe
 * @rules: timeouts of ports, sorted by direction, then port
 * @n: how many
 */
struct cw_policy {
	uint32_t timeout;
	uint32_t rate;
	char action[16];
	struct cw_rule rules[CW_RULES_ROOM];
	unsigned int n;
};

int cw_policy_read(struct cw_policy *policy, struct cw_error *err);
int cw_policy_lock(int64_t deadline);
void cw_policy_unlock(int lock);
int cw_policy_write_timeout(uint32_t timeout, struct cw_error *err);
int cw_policy_write_rules(const struct cw_policy *policy,
			  struct cw_error *err);
bool cw_policy_parse_rules(struct cw_policy *policy, const char *text);
void cw_policy_forget(struct cw_policy *policy, unsigned int dir,
		      struct cw_range ports);
void cw_policy_set(struct cw_policy *policy, const struct cw_rule *rule);
void cw_policy_print(struct cw_out *out, const struct cw_policy *policy);
void cw_policy_print_rules(struct cw_out *out, const struct cw_policy *policy,
			   const struct cw_rule *only, const char *empty);
int cw_ephemeral_read(struct cw_range *range, struct cw_error *err);

#endif /* CW_POLICY_H */
