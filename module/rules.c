// SPDX-License-Identifier: GPL-2.0
/*
 * Port rules: [in:|out:]PORT[-PORT]=SECONDS, separated by commas or white space.
 */
#include <linux/errno.h>
#include <linux/string.h>

#include "rules.h"

struct cw_text {
	const char *at;
	const char *end;
};

static bool text_is_separator(char c)
{
	return c == ',' || c == ' ' || (c >= '\t' && c <= '\r');
}

static bool text_take(struct cw_text *t, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len))
		return false;
	t->at += len;
	return true;
}

/* Decimal digits only: no sign, no blank, no other base. */
static bool text_number(struct cw_text *t, u32 max, u32 *value)
{
	const char *start = t->at;
	u64 v = 0;

	for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
		v = v * 10 + (*t->at - '0');
		if (v > max)
			return false;
	}
	*value = v;
	return t->at > start;
}

static bool text_rule(struct cw_text *t, struct cw_rule *rule)
{
	u32 first, last, timeout;

	rule->dir = CW_DIR_IN;
	if (text_take(t, "out:"))
		rule->dir = CW_DIR_OUT;
	else
		text_take(t, "in:");
	if (!text_number(t, U16_MAX, &first) || !first)
		return false;
	last = first;
	if (text_take(t, "-") && !text_number(t, U16_MAX, &last))
		return false;
	if (last < first || !text_take(t, "=") ||
	    !text_number(t, CW_TIMEOUT_MAX, &timeout))
		return false;
	rule->first = first;
	rule->last = last;
	rule->timeout = timeout;
	return t->at == t->end || text_is_separator(*t->at);
}

/* A range of ports as a pair of keys that sort by direction, then port. */
static u32 rule_key(enum cw_dir dir, u16 port)
{
	return (u32)dir << 16 | port;
}

/* Puts @rule in its place among @n sorted ones, unless it overlaps one. */
static bool rules_insert(struct cw_rule *rules, unsigned int n,
			 const struct cw_rule *rule)
{
	unsigned int i = n;

	while (i && rule_key(rules[i - 1].dir, rules[i - 1].first) >
		    rule_key(rule->dir, rule->first))
		i--;
	if (i && rule_key(rules[i - 1].dir, rules[i - 1].last) >=
		 rule_key(rule->dir, rule->first))
		return false;
	if (i < n && rule_key(rules[i].dir, rules[i].first) <=
		     rule_key(rule->dir, rule->last))
		return false;
	memmove(rules + i + 1, rules + i, (n - i) * sizeof(*rules));
	rules[i] = *rule;
	return true;
}

/**
 * cw_rules_parse() - read port rules
 * @text: need not end in NUL
 * @len: its length in bytes
 * @rules: room for CW_RULES_MAX rules; comes out sorted by direction, then port
 *
 * Return: the number of rules, 0 for none, or -EINVAL if any part of @text is
 * not a rule, two rules of one direction overlap, or there are too many.
 */
int cw_rules_parse(const char *text, size_t len, struct cw_rule *rules)
{
	struct cw_text t = { .at = text, .end = text + len };
	struct cw_rule rule;
	unsigned int n = 0;

	for (;;) {
		while (t.at < t.end && text_is_separator(*t.at))
			t.at++;
		if (t.at == t.end)
			return n;
		if (n == CW_RULES_MAX || !text_rule(&t, &rule) ||
		    !rules_insert(rules, n, &rule))
			return -EINVAL;
		n++;
	}
}

/**
 * cw_rules_begun() - can a text that breaks off become port rules?
 * @text: need not end in NUL
 * @len: its length in bytes
 * @rules: room for CW_RULES_MAX rules, to work in
 *
 * Return: whether all before the last separator is rules, and what is behind it
 * no longer than one.
 */
bool cw_rules_begun(const char *text, size_t len, struct cw_rule *rules)
{
	size_t whole = len;

	while (whole && !text_is_separator(text[whole - 1]))
		whole--;
	return len - whole < CW_RULE_TEXT &&
	       cw_rules_parse(text, whole, rules) >= 0;
}

/**
 * cw_rules_format() - write port rules in canonical form
 * @rules: sorted rules
 * @n: how many
 * @buf: gets the text, ended by NUL
 * @size: room in @buf; CW_RULES_TEXT is always enough
 *
 * Canonical is: sorted, separated by one comma, direction only if it is "out:",
 * a range only if it has more than one port.  cw_rules_parse() reads it back.
 *
 * Return: the length of the text.
 */
size_t cw_rules_format(const struct cw_rule *rules, unsigned int n, char *buf,
		       size_t size)
{
	size_t len = 0;
	unsigned int i;

	if (size)
		buf[0] = '\0';
	for (i = 0; i < n; i++) {
		len += scnprintf(buf + len, size - len, "%s%s%u", i ? "," : "",
				 rules[i].dir == CW_DIR_OUT ? "out:" : "",
				 rules[i].first);
		if (rules[i].last != rules[i].first)
			len += scnprintf(buf + len, size - len, "-%u",
					 rules[i].last);
		len += scnprintf(buf + len, size - len, "=%u",
				 rules[i].timeout);
	}
	return len;
}

/**
 * cw_rules_find() - the rule that a service port falls under
 * @rules: sorted rules
 * @n: how many
 * @dir: direction of the socket
 * @port: its service port
 *
 * Return: the rule, or NULL if none fits.
 */
const struct cw_rule *cw_rules_find(const struct cw_rule *rules, unsigned int n,
				    enum cw_dir dir, u16 port)
{
	const u32 key = rule_key(dir, port);
	unsigned int low = 0, high = n;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (key < rule_key(rules[mid].dir, rules[mid].first))
			high = mid;
		else if (key > rule_key(rules[mid].dir, rules[mid].last))
			low = mid + 1;
		else
			return &rules[mid];
	}
	return NULL;
}
