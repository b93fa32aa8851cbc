/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A second, naive reading of what the interface says about port rules.  It has
 * its own limits, written as numbers, and shares no code with module/rules.c.
 */
#ifndef UNIT_RULES_MODEL_H
#define UNIT_RULES_MODEL_H

#include "rules.h"

#define MODEL_MAX 128

struct model_rule {
	bool out;
	unsigned int first;
	unsigned int last;
	unsigned int timeout;
};

/* Rules in the order in which they were given. */
struct model {
	unsigned int n;
	struct model_rule rule[MODEL_MAX];
};

bool model_add(struct model *model, const struct model_rule *rule);
bool model_parse(struct model *model, const char *text, size_t len);
void model_sort(struct model *model);
void model_format(const struct model *sorted, char *buf, size_t size);
const struct model_rule *model_find(const struct model *model, bool out,
				    unsigned int port);
bool model_same(const struct model_rule *rule, const struct cw_rule *found);
bool model_equals(const struct model *sorted, const struct cw_rule *rules,
		  int n);

#endif /* UNIT_RULES_MODEL_H */
