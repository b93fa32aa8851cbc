// SPDX-License-Identifier: GPL-2.0
/* Any bytes as port rules: module/rules.c against the model. */
#include "rules.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "rules_model.h"

static void check_order(const struct cw_rule *rules, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		fuzz_assert(rules[i].dir < CW_NDIR);
		fuzz_assert(rules[i].first && rules[i].first <= rules[i].last);
		fuzz_assert(rules[i].timeout <= CW_TIMEOUT_MAX);
		fuzz_assert(!i || rules[i - 1].dir < rules[i].dir ||
			    (rules[i - 1].dir == rules[i].dir &&
			     rules[i - 1].last < rules[i].first));
	}
}

static void check_port(const struct model *model, const struct cw_rule *rules,
		       u16 port)
{
	fuzz_assert(model_same(model_find(model, false, port),
			       cw_rules_find(rules, model->n, CW_DIR_IN, port)));
	fuzz_assert(model_same(model_find(model, true, port),
			       cw_rules_find(rules, model->n, CW_DIR_OUT, port)));
}

static void check_find(const struct model *model, const struct cw_rule *rules)
{
	/* of many rules not each, or the runs get too few */
	unsigned int i, step = 1 + model->n / 16;

	check_port(model, rules, 0);
	check_port(model, rules, U16_MAX);
	for (i = 0; i < model->n; i += step) {
		check_port(model, rules, rules[i].first - 1);
		check_port(model, rules, rules[i].first);
		check_port(model, rules, rules[i].last);
		check_port(model, rules, rules[i].last + 1);
	}
}

static void check_text(const struct model *model, const struct cw_rule *rules)
{
	static char want[2 * CW_RULES_TEXT];
	struct cw_rule again[CW_RULES_MAX];
	char text[CW_RULES_TEXT];
	size_t len = cw_rules_format(rules, model->n, text, sizeof(text));

	model_format(model, want, sizeof(want));
	fuzz_assert(len == strlen(text) && !strcmp(text, want));
	fuzz_assert(model_equals(model, again,
				 cw_rules_parse(text, len, again)));
}

int fuzz_one(const u8 *data, size_t size)
{
	struct cw_rule rules[CW_RULES_MAX];
	struct model model;
	int n = cw_rules_parse((const char *)data, size, rules);

	fuzz_assert(n == -EINVAL || (n >= 0 && n <= CW_RULES_MAX));
	fuzz_assert(model_parse(&model, (const char *)data, size) == (n >= 0));
	if (n < 0)
		return 0;
	model_sort(&model);
	fuzz_assert(model_equals(&model, rules, n));
	check_order(rules, n);
	check_find(&model, rules);
	check_text(&model, rules);
	return 0;
}
