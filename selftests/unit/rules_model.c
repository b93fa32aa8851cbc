// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "rules_model.h"

/**
 * model_add() - one more rule, at the end
 * @model: the rules so far
 * @rule: the new one, valid by itself
 *
 * Return: false if it is one too many or overlaps another.
 */
bool model_add(struct model *model, const struct model_rule *rule)
{
	unsigned int i;

	if (model->n == MODEL_MAX)
		return false;
	for (i = 0; i < model->n; i++) {
		const struct model_rule *old = &model->rule[i];

		if (old->out == rule->out && old->first <= rule->last &&
		    rule->first <= old->last)
			return false;
	}
	model->rule[model->n++] = *rule;
	return true;
}

static bool model_number(const char *word, unsigned int max,
			 unsigned int *value)
{
	unsigned long long number;

	if (!*word || strspn(word, "0123456789") != strlen(word))
		return false;
	word += strspn(word, "0");
	if (strlen(word) > 8)
		return false;
	number = strtoull(word, NULL, 10);
	*value = number;
	return number <= max;
}

/* Takes @word apart from right to left, where the code goes left to right. */
static bool model_rule(char *word, struct model_rule *rule)
{
	char *part = strrchr(word, '=');

	if (!part || !model_number(part + 1, 31536000, &rule->timeout))
		return false;
	*part = '\0';
	part = strrchr(word, ':');
	rule->out = false;
	if (part) {
		*part = '\0';
		rule->out = !strcmp(word, "out");
		if (!rule->out && strcmp(word, "in"))
			return false;
		word = part + 1;
	}
	part = strrchr(word, '-');
	if (part)
		*part = '\0';
	return model_number(word, 65535, &rule->first) &&
	       model_number(part ? part + 1 : word, 65535, &rule->last) &&
	       rule->first >= 1 && rule->first <= rule->last;
}

/**
 * model_parse() - read rules
 * @model: gets them, in the order of the text
 * @text: may hold any bytes
 * @len: how many
 *
 * Return: false if the text must be refused.
 */
bool model_parse(struct model *model, const char *text, size_t len)
{
	char *copy = malloc(len + 1), *word, *rest;
	struct model_rule rule;
	bool good = !memchr(text, '\0', len);

	memcpy(copy, text, len);
	copy[len] = '\0';
	model->n = 0;
	for (word = strtok_r(copy, ", \t\n\v\f\r", &rest); good && word;
	     word = strtok_r(NULL, ", \t\n\v\f\r", &rest))
		good = model_rule(word, &rule) && model_add(model, &rule);
	free(copy);
	return good;
}

static int model_order(const void *a, const void *b)
{
	const struct model_rule *left = a, *right = b;

	if (left->out != right->out)
		return left->out ? 1 : -1;
	return (int)left->first - (int)right->first;
}

void model_sort(struct model *model)
{
	qsort(model->rule, model->n, sizeof(model->rule[0]), model_order);
}

/**
 * model_format() - the canonical text
 * @sorted: rules
 * @buf: gets the text
 * @size: room in it, more than enough
 */
void model_format(const struct model *sorted, char *buf, size_t size)
{
	unsigned int i;

	*buf = '\0';
	for (i = 0; i < sorted->n; i++) {
		const struct model_rule *rule = &sorted->rule[i];
		char ports[16];

		if (rule->first == rule->last)
			snprintf(ports, sizeof(ports), "%u", rule->first);
		else
			snprintf(ports, sizeof(ports), "%hu-%hu",
				 (u16)rule->first, (u16)rule->last);
		snprintf(buf + strlen(buf), size - strlen(buf), "%s%s%s=%u",
			 i ? "," : "", rule->out ? "out:" : "", ports,
			 rule->timeout);
	}
}

const struct model_rule *model_find(const struct model *model, bool out,
				    unsigned int port)
{
	unsigned int i;

	for (i = 0; i < model->n; i++) {
		const struct model_rule *rule = &model->rule[i];

		if (rule->out == out && rule->first <= port &&
		    port <= rule->last)
			return rule;
	}
	return NULL;
}

/**
 * model_same() - is it the same rule, or none in both
 * @rule: what the model says
 * @found: what the code says
 */
bool model_same(const struct model_rule *rule, const struct cw_rule *found)
{
	if (!rule || !found)
		return !rule && !found;
	return found->dir == (rule->out ? CW_DIR_OUT : CW_DIR_IN) &&
	       found->first == rule->first && found->last == rule->last &&
	       found->timeout == rule->timeout;
}

bool model_equals(const struct model *sorted, const struct cw_rule *rules,
		  int n)
{
	int i;

	if (n < 0 || (unsigned int)n != sorted->n)
		return false;
	for (i = 0; i < n; i++)
		if (!model_same(&sorted->rule[i], &rules[i]))
			return false;
	return true;
}
