// SPDX-License-Identifier: GPL-2.0
/* Tests of module/rules.c. */
#include "rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"
#include "random.h"
#include "rules_model.h"

#define PORTS 65536
#define TEXT_MAX 65536

static const char separators[] = ", \t\n\v\f\r";

/*
 * Parses copies that end where their memory ends, so that ASan sees the first
 * byte too far.  As the caller in the kernel, it touches @rules only on success.
 */
static int parse(const char *text, size_t len, struct cw_rule *rules)
{
	struct cw_rule *room = malloc(MODEL_MAX * sizeof(*room));
	/* an allocation of nothing would get a byte that may be read */
	char *start = malloc(len + 1), *copy = start + 1;
	int n;

	memcpy(copy, text, len);
	n = cw_rules_parse(copy, len, room);
	ktap_check(!memcmp(copy, text, len), "'%s' was changed",
		   ktap_quote(text, len));
	ktap_check(n == -EINVAL || (n >= 0 && n <= MODEL_MAX),
		   "'%s' gives %d", ktap_quote(text, len), n);
	if (n > 0)
		memcpy(rules, room, n * sizeof(*rules));
	free(room);
	free(start);
	return n;
}

static const char *format(const struct cw_rule *rules, int n)
{
	static char text[2 * CW_RULES_TEXT];
	size_t len = cw_rules_format(rules, n, text, sizeof(text));

	ktap_check(len == strlen(text), "length %zu of '%s'", len, text);
	return text;
}

static void expect_refused(const char *text, size_t len)
{
	struct cw_rule rules[MODEL_MAX];
	int n = parse(text, len, rules);

	ktap_check(n == -EINVAL, "'%s' gives %d", ktap_quote(text, len), n);
}

static void expect_canonical(const char *text, size_t len, const char *want)
{
	struct cw_rule rules[MODEL_MAX];
	int n = parse(text, len, rules);

	ktap_check(n >= 0 && !strcmp(format(rules, n), want),
		   "'%s' gives %d rules '%s', not '%s'", ktap_quote(text, len),
		   n, n < 0 ? "" : format(rules, n), want);
}

/* Whatever the model says about a text, the code must say. */
static void expect_as_model(const char *text, size_t len)
{
	struct cw_rule rules[MODEL_MAX];
	struct model model;

	if (!model_parse(&model, text, len)) {
		expect_refused(text, len);
		return;
	}
	model_sort(&model);
	ktap_check(model_equals(&model, rules, parse(text, len, rules)),
		   "'%s' is not as the model says", ktap_quote(text, len));
}

static void limits(void)
{
	ktap_check(CW_RULES_MAX == 128, "%d rules", CW_RULES_MAX);
	ktap_check(CW_TIMEOUT_MAX == 31536000, "%u s", CW_TIMEOUT_MAX);
	ktap_check(!strcmp(cw_dir_name(CW_DIR_IN), "in"), "in");
	ktap_check(!strcmp(cw_dir_name(CW_DIR_OUT), "out"), "out");
}

#define TEXT(string) { string, sizeof(string) - 1 }

static const struct text {
	const char *text;
	size_t len;
} bad_rule[] = {
	/* parts that are missing */
	TEXT("80"), TEXT("80="), TEXT("80-"), TEXT("80-90"), TEXT("80-90="),
	TEXT("80-=1"), TEXT("-80=1"), TEXT("=1"), TEXT("="), TEXT("-"),
	TEXT("-=1"), TEXT(":"), TEXT(":80=1"), TEXT("in:"), TEXT("out:"),
	TEXT("in:=1"), TEXT("out:-=1"), TEXT("in"), TEXT("out"), TEXT("80:1"),
	/* parts too many, or out of order */
	TEXT("in:in:80=1"), TEXT("in:out:80=1"), TEXT("out:in:80=1"),
	TEXT("out:out:80=1"), TEXT("80=1=1"), TEXT("80==1"), TEXT("80--90=1"),
	TEXT("80-90-100=1"), TEXT("80=1-2"), TEXT("80-in:90=1"),
	TEXT("80in:=1"), TEXT("80=in:1"), TEXT("80:in=1"),
	/* directions that there are not */
	TEXT("OUT:80=1"), TEXT("In:80=1"), TEXT("IN:80=1"), TEXT("i:80=1"),
	TEXT("inn:80=1"), TEXT("ou:80=1"), TEXT("outt:80=1"), TEXT("in80=1"),
	TEXT("out80=1"), TEXT("any:80=1"), TEXT("in=80=1"), TEXT("out-80=1"),
	/* numbers in another dress */
	TEXT("+80=1"), TEXT("80=+1"), TEXT("80=-1"), TEXT("80-+90=1"),
	TEXT("0x50=1"), TEXT("80=0x1"), TEXT("50h=1"), TEXT("8e1=1"),
	TEXT("80=1e1"), TEXT("80.0=1"), TEXT("80=1.5"), TEXT("80=1s"),
	TEXT("80=1m"), TEXT("http=1"), TEXT("80=off"), TEXT("80=a"),
	TEXT("a=1"), TEXT("*=1"), TEXT("80-*=1"), TEXT("8_0=1"),
	TEXT("80=1_0"), TEXT("80=1'0"), TEXT("80/90=1"), TEXT("80=:"),
	TEXT("8:=1"), TEXT("/=1"), TEXT("8/=1"), TEXT("80=/"), TEXT("80=1/"),
	/* out of bounds */
	TEXT("0=1"), TEXT("000=1"), TEXT("out:0=1"), TEXT("0-80=1"),
	TEXT("0-0=1"), TEXT("65536=1"), TEXT("65537=1"), TEXT("65616=1"),
	TEXT("99999=1"), TEXT("80-65536=1"), TEXT("80-65616=1"),
	TEXT("65536-65537=1"), TEXT("80=31536001"), TEXT("80=31536010"),
	TEXT("80=99999999"),
	/* 80 and 1, if one counts in 32 or in 64 bits */
	TEXT("4294967376=1"), TEXT("80=4294967297"), TEXT("80=4294967296"),
	TEXT("18446744073709551696=1"), TEXT("80-18446744073709551706=1"),
	TEXT("80=18446744073709551617"), TEXT("80=18446744073709551616"),
	TEXT("80=340282366920938463463374607431768211457"),
	TEXT("80=-18446744073709551615"),
	/* the wrong way round */
	TEXT("81-80=1"), TEXT("65535-1=1"), TEXT("90-80=1"), TEXT("80-0=1"),
	TEXT("out:10-9=1"),
	/* blanks and separators inside */
	TEXT("80 =1"), TEXT("80= 1"), TEXT("80 = 1"), TEXT("80 -90=1"),
	TEXT("80- 90=1"), TEXT("80 - 90=1"), TEXT("in: 80=1"),
	TEXT("in :80=1"), TEXT("out:\t80=1"), TEXT("80\n=1"), TEXT("80,=1"),
	TEXT("80=,1"), TEXT("80,90"), TEXT("80,-90=1"), TEXT("8 0=1"),
	/* something behind */
	TEXT("80=1;"), TEXT("80=1;90=2"), TEXT("80=1|90=2"), TEXT("80=1."),
	TEXT("80=1x"), TEXT("80=1,x"), TEXT("80=1 x"), TEXT("80=1#"),
	TEXT("80=1,90"), TEXT("80=1in:90=1"), TEXT("80=1-"), TEXT("80=1:"),
	TEXT("#80=1"), TEXT("\"80=1\""), TEXT("{80=1}"), TEXT("80=1\\n"),
	/* bytes that are no text */
	TEXT("\0"), TEXT("80=1\0"), TEXT("\0in:80=1"), TEXT("80\0=1"),
	TEXT("8\0000=1"), TEXT("80=1\0,90=1"), TEXT("80=\0001"),
	TEXT("in\0:80=1"), TEXT("80=1\xa0"), TEXT("\xa0in:80=1"),
	TEXT("80=1\xa0in:90=1"), TEXT("80=1\xc2\xa0in:90=1"),
	TEXT("80=1\xe2\x80\xa8"), TEXT("\xef\xbb\xbfin:80=1"),
	TEXT("80=\xb1"), TEXT("80=\xd9\xa1"), TEXT("80\342\200\22390=1"),
	TEXT("80=1\x08"), TEXT("80=1\x0e"), TEXT("80=1\x1f"),
	TEXT("80=1\x7f"), TEXT("80=1\x85"), TEXT("80=1\xff"), TEXT("\x1a"),
};

/* Among good rules a bad one is as bad. */
static void bad_input(void)
{
	static const char before[] = "7001=1,", after[] = " out:7002=2\n";
	char text[256];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_rule); i++) {
		const struct text *bad = &bad_rule[i];
		const size_t first = strlen(before), last = strlen(after);

		memcpy(text, before, first);
		memcpy(text + first, bad->text, bad->len);
		memcpy(text + first + bad->len, after, last);
		expect_refused(bad->text, bad->len);
		expect_refused(text, first + bad->len);
		expect_refused(text + first, bad->len + last);
		expect_refused(text, first + bad->len + last);
	}
}

/* Where a text is cut, nothing behind the cut may complete it. */
static void cut_input(void)
{
	static const char text[] = "out:8080-8090=3600";
	size_t len;

	expect_canonical(text, 0, "");
	for (len = 1; len <= strlen("out:8080-8090="); len++)
		expect_refused(text, len);
	expect_canonical(text, len, "out:8080-8090=3");
	expect_canonical(text, len + 1, "out:8080-8090=36");
}

static void good_input(void)
{
	static const struct {
		struct text in;
		const char *out;
	} t[] = {
		{ TEXT(""), "" },
		{ TEXT("\n"), "" },
		{ TEXT(" ,\t,\n\v\f\r,"), "" },
		{ TEXT("80=1"), "80=1" },
		{ TEXT("in:80=1"), "80=1" },
		{ TEXT("out:80=1"), "out:80=1" },
		{ TEXT("80=0"), "80=0" },
		{ TEXT("80=31536000"), "80=31536000" },
		{ TEXT("1=1"), "1=1" },
		{ TEXT("65535=1"), "65535=1" },
		{ TEXT("1-65535=5,out:1-65535=6"), "1-65535=5,out:1-65535=6" },
		{ TEXT("80-80=1"), "80=1" },
		{ TEXT("80-81=1"), "80-81=1" },
		{ TEXT("0080-00090=0010"), "80-90=10" },
		{ TEXT("00000000000000000000000000000080=1"), "80=1" },
		{ TEXT("80=00000000000000000000000000000000"), "80=0" },
		{ TEXT("80=1\n"), "80=1" },
		{ TEXT(",,80=1,,"), "80=1" },
		{ TEXT("80=1,443=2"), "80=1,443=2" },
		{ TEXT("443=2 80=1"), "80=1,443=2" },
		{ TEXT("out:1=1\tin:65535=2"), "65535=2,out:1=1" },
		{ TEXT("out:80=1\r\n80=2"), "80=2,out:80=1" },
		{ TEXT("80-90=1,91=1,79=1"), "79=1,80-90=1,91=1" },
		{ TEXT("3=3 1=1 2=2"), "1=1,2=2,3=3" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		expect_canonical(t[i].in.text, t[i].in.len, t[i].out);
}

/* Only seven of 256 bytes stand between two rules, and so at either end. */
static void separator_bytes(void)
{
	unsigned int byte;

	for (byte = 0; byte < 256; byte++) {
		char between[] = "80=1?in:443=2", ends[] = "?80=1?";

		between[4] = byte;
		ends[0] = byte;
		ends[5] = byte;
		if (byte && strchr(separators, byte)) {
			expect_canonical(between, 13, "80=1,443=2");
			expect_canonical(ends, 6, "80=1");
		} else {
			expect_refused(between, 13);
			/* "080=10" is one */
			if (byte != '0')
				expect_as_model(ends, 6);
		}
	}
}

/* Each byte, put over and between the bytes of a rule. */
static void byte_anywhere(void)
{
	static const char rule[] = "out:80-91=5 in:7=0";
	const size_t len = strlen(rule);
	unsigned int byte;
	size_t at;

	for (byte = 0; byte < 256; byte++) {
		for (at = 0; at <= len; at++) {
			char text[sizeof(rule) + 1];

			memcpy(text, rule, len);
			text[at] = byte;
			expect_as_model(text, at < len ? len : len + 1);
			memcpy(text + at + 1, rule + at, len - at);
			expect_as_model(text, len + 1);
		}
	}
}

/* All triples of the ranges that there are on five ports at either end. */
static void overlaps(void)
{
	static const unsigned int lowest[] = { 1, 65531 };
	static struct model_rule range[30];
	unsigned int n = 0, first, last, end, i;

	for (first = 0; first < 5; first++) {
		for (last = first; last < 5; last++) {
			range[n++] = (struct model_rule){ false, first, last, 0 };
			range[n++] = (struct model_rule){ true, first, last, 0 };
		}
	}
	for (end = 0; end < ARRAY_SIZE(lowest); end++) {
		for (i = 0; i < n * n * n; i++) {
			const struct model_rule *r[3] = {
				&range[i % n], &range[i / n % n],
				&range[i / n / n],
			};
			char text[128];
			int j, len = 0;

			for (j = 0; j < 3; j++)
				len += scnprintf(text + len, sizeof(text) - len,
						 "%s%u-%u=%d ",
						 r[j]->out ? "out:" : "",
						 lowest[end] + r[j]->first,
						 lowest[end] + r[j]->last, j);
			expect_as_model(text, len);
		}
	}
}

/* A range that may or may not fit: short or long, often next to another. */
static struct model_rule random_rule(const struct model *model)
{
	static const unsigned int span[] = { 1, 1, 2, 16, 1000, 65535 };
	struct model_rule rule = {
		.out = random_below(2),
		.first = 1 + random_below(65535),
		.timeout = random_below(8) ? random_below(31536001) :
			   random_below(2) * 31536000,
	};

	switch (model->n ? random_below(8) : 0) {
	case 1:
		rule.first = 1;
		break;
	case 2:
	case 3:
		rule.first = model->rule[random_below(model->n)].last + 1;
		break;
	}
	if (rule.first > 65535)
		rule.first = 65535;
	rule.last = rule.first +
		    random_below(span[random_below(ARRAY_SIZE(span))]);
	if (rule.last > 65535)
		rule.last = 65535;
	return rule;
}

static void random_model(struct model *model, unsigned int want)
{
	unsigned int tries = 50 * want;

	model->n = 0;
	while (model->n < want && tries--) {
		struct model_rule rule = random_rule(model);

		model_add(model, &rule);
	}
}

static size_t random_separators(char *text, unsigned int least)
{
	size_t i, len = least + (random_below(4) ? 0 : random_below(4));

	for (i = 0; i < len; i++)
		text[i] = separators[random_below(sizeof(separators) - 1)];
	return len;
}

static size_t random_number(char *text, unsigned int number)
{
	int digits = random_below(8) ? 1 : random_below(30);

	return sprintf(text, "%0*u", digits, number);
}

/* One of the many texts that say the same. */
static size_t render(const struct model *model, char *text)
{
	size_t len = random_separators(text, 0);
	unsigned int i;

	for (i = 0; i < model->n; i++) {
		const struct model_rule *rule = &model->rule[i];

		if (rule->out || random_below(2))
			len += sprintf(text + len, rule->out ? "out:" : "in:");
		len += random_number(text + len, rule->first);
		if (rule->first != rule->last || !random_below(4)) {
			text[len++] = '-';
			len += random_number(text + len, rule->last);
		}
		text[len++] = '=';
		len += random_number(text + len, rule->timeout);
		len += random_separators(text + len, i < model->n - 1);
	}
	return len;
}

/* Parse, canonical form and back, for rule sets of all sizes. */
static void random_rules(void)
{
	static char text[TEXT_MAX], want[TEXT_MAX];
	unsigned int run;

	for (run = 0; run < 4000; run++) {
		struct cw_rule rules[MODEL_MAX];
		struct model model;
		size_t len;
		int n;

		random_model(&model, random_below(MODEL_MAX + 1));
		len = render(&model, text);
		model_sort(&model);
		model_format(&model, want, sizeof(want));
		n = parse(text, len, rules);
		ktap_check(model_equals(&model, rules, n),
			   "'%s' gives %d, not %u rules", ktap_quote(text, len),
			   n, model.n);
		expect_canonical(text, len, want);
		expect_canonical(want, strlen(want), want);
	}
}

/* Against a table of every port in both directions. */
static void find_is_table(void)
{
	static const struct model_rule *table[2][PORTS];
	static char text[TEXT_MAX];
	unsigned int run, dir, port, i;

	for (run = 0; run < 100; run++) {
		struct cw_rule rules[MODEL_MAX], *exact;
		struct model model;
		int n;

		random_model(&model, run < 8 ? run : random_below(129));
		n = parse(text, render(&model, text), rules);
		if (n < 0)
			n = 0;
		exact = malloc(n * sizeof(*exact) + 1);
		memcpy(exact, rules, n * sizeof(*exact));
		memset(table, 0, sizeof(table));
		for (i = 0; i < model.n; i++)
			for (port = model.rule[i].first;
			     port <= model.rule[i].last; port++)
				table[model.rule[i].out][port] = &model.rule[i];
		for (dir = 0; dir < 2; dir++)
			for (port = 0; port < PORTS; port++)
				ktap_check(model_same(table[dir][port],
						      cw_rules_find(exact, n, dir, port)),
					   "run %u: direction %u, port %u", run,
					   dir, port);
		free(exact);
	}
}

/* @n rules, given in order, in reverse, or from both ends to the middle. */
static size_t many_rules(char *text, unsigned int n, unsigned int order)
{
	unsigned int i;
	size_t len = 0;

	for (i = 0; i < n; i++) {
		unsigned int k = order == 0 ? i : n - 1 - i;

		if (order == 2)
			k = i % 2 ? n - 1 - i / 2 : i / 2;
		len += sprintf(text + len, "%s%u=%u,", k % 2 ? "out:" : "",
			       1000 + k, k);
	}
	return len;
}

static void count_limit(void)
{
	static char text[TEXT_MAX];
	unsigned int order;

	for (order = 0; order < 3; order++) {
		struct cw_rule rules[MODEL_MAX];
		size_t len = many_rules(text, 128, order);

		ktap_check(parse(text, len, rules) == 128, "128, order %u",
			   order);
		ktap_check(parse(text, len - 1, rules) == 128,
			   "128, no separator at the end, order %u", order);
		len += sprintf(text + len, "\n, \t\n");
		ktap_check(parse(text, len, rules) == 128,
			   "128, more separators at the end, order %u", order);
		expect_refused(text, many_rules(text, 129, order));
		expect_refused(text, many_rules(text, 130, order));
		expect_refused(text, many_rules(text, 1000, order));
	}
}

/* 128 rules of the longest form. */
static int longest_rules(struct cw_rule *rules)
{
	static char text[TEXT_MAX];
	unsigned int i;
	size_t len = 0;

	for (i = 0; i < 128; i++)
		len += sprintf(text + len, "out:%u-%u=31536000\n",
			       10000 + 10 * i, 10001 + 10 * i);
	return parse(text, len, rules);
}

static void longest_text_fits(void)
{
	struct cw_rule rules[MODEL_MAX];
	int n = longest_rules(rules);
	char *text = malloc(CW_RULES_TEXT);
	size_t len;

	ktap_check(n == 128, "%d rules", n);
	len = cw_rules_format(rules, n, text, CW_RULES_TEXT);
	ktap_check(len == 128 * strlen("out:10000-10001=31536000") + 127,
		   "%zu bytes", len);
	ktap_check(len == strlen(text), "%zu bytes, %zu of text", len,
		   strlen(text));
	ktap_check(!strcmp(text, format(rules, n)), "cut off");
	expect_canonical(text, len, text);
	free(text);
}

/* What can still become rules, and what cannot. */
static void text_that_breaks_off(void)
{
	static const struct text bad[] = {
		TEXT("x,"), TEXT("80=5,90,"), TEXT("80=5 80=6 "),
		TEXT("80=5,0=1,70=5"), TEXT("80=5\0,"),
		TEXT("xxxxxxxxxxxxxxxxxxxxxxxxx"),
		TEXT("80=5,out:65535-65535=315360000"),
	};
	struct cw_rule rules[MODEL_MAX], room[CW_RULES_MAX];
	const char *text = format(rules, longest_rules(rules));
	size_t len = strlen(text), i;

	for (i = 0; i <= len; i++)
		ktap_check(cw_rules_begun(text, i, room), "%zu bytes", i);
	ktap_check(cw_rules_begun("out:65535-65535=31536000", 24, room),
		   "the longest rule");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ktap_check(!cw_rules_begun(bad[i].text, bad[i].len, room),
			   "'%s'", ktap_quote(bad[i].text, bad[i].len));
}

/* Whatever the room: no byte too far, the end marked, the right length. */
static void format_in_little_room(void)
{
	struct cw_rule rules[MODEL_MAX];
	int n = longest_rules(rules);
	size_t size;

	for (size = 0; size < 3300; size++) {
		char *start = malloc(size + 1), *buf = start + 1;
		size_t len, want = size ? size - 1 : 0;

		if (want > strlen(format(rules, n)))
			want = strlen(format(rules, n));
		memset(start, 'x', size + 1);
		len = cw_rules_format(rules, n, buf, size);
		ktap_check(len == want, "room %zu: %zu bytes", size, len);
		ktap_check(!memcmp(buf, format(rules, n), want) &&
			   (!size || !buf[want]), "room %zu: text", size);
		memset(start, 'x', size + 1);
		len = cw_rules_format(rules, 0, buf, size);
		ktap_check(!len && (!size || !buf[0]),
			   "room %zu: no rules, %zu bytes", size, len);
		free(start);
	}
}

/* The rules in force are the caller's own: no bad text reaches them. */
static void refused_keeps_old(void)
{
	static const char good[] = "out:5432=0,80-90=60";
	static const char want[] = "80-90=60,out:5432=0";
	struct cw_rule old[MODEL_MAX], before[MODEL_MAX];
	unsigned int i;
	int n;

	memset(old, 0, sizeof(old));
	n = parse(good, strlen(good), old);
	ktap_check(n == 2, "%d rules", n);
	memcpy(before, old, sizeof(old));
	for (i = 0; i < ARRAY_SIZE(bad_rule); i++)
		ktap_check(parse(bad_rule[i].text, bad_rule[i].len, old) < 0 &&
			   !memcmp(old, before, sizeof(old)) &&
			   !strcmp(format(old, n), want),
			   "changed by '%s'",
			   ktap_quote(bad_rule[i].text, bad_rule[i].len));
	/* what was refused is not half remembered either */
	expect_refused("1=1,2=2,x", 9);
	expect_canonical(good, strlen(good), want);
}

int main(void)
{
	static const struct ktap_test test[] = {
		KTAP_TEST(limits),
		KTAP_TEST(good_input),
		KTAP_TEST(bad_input),
		KTAP_TEST(cut_input),
		KTAP_TEST(separator_bytes),
		KTAP_TEST(byte_anywhere),
		KTAP_TEST(overlaps),
		KTAP_TEST(random_rules),
		KTAP_TEST(find_is_table),
		KTAP_TEST(count_limit),
		KTAP_TEST(longest_text_fits),
		KTAP_TEST(text_that_breaks_off),
		KTAP_TEST(format_in_little_room),
		KTAP_TEST(refused_keeps_old),
	};

	return ktap_main(test, ARRAY_SIZE(test));
}
