// SPDX-License-Identifier: GPL-2.0
/*
 * Any command line, and any answers of the kernel: up to the first line's end the
 * arguments of cwctl, separated by blanks, then datagrams, each after its length
 * in 4 bytes.
 */
#include <ctype.h>
#include <linux/kernel.h>
#include <string.h>

#include "cwctl_twin.h"
#include "fuzz.h"

#define WORDS_MAX 24

static const char *json_value(const char *at, int depth);

static const char *json_string(const char *at)
{
	fuzz_assert(*at == '"');
	for (at++; *at != '"'; at++) {
		fuzz_assert((unsigned char)*at >= 0x20);
		if (*at != '\\')
			continue;
		at++;
		fuzz_assert(*at && strchr("\"\\u", *at));
		if (*at == 'u')
			fuzz_assert(strspn(at + 1, "0123456789abcdef") >= 4);
	}
	return at + 1;
}

/* What stands in an object or a list, and its end. */
static const char *json_members(const char *at, char end, int depth)
{
	if (*++at == end)
		return at + 1;
	for (;; at++) {
		if (end == '}') {
			at = json_string(at);
			fuzz_assert(*at == ':');
			at++;
		}
		at = json_value(at, depth);
		if (*at == end)
			return at + 1;
		fuzz_assert(*at == ',');
	}
}

static const char *json_value(const char *at, int depth)
{
	static const char * const words[] = { "true", "false", "null" };
	unsigned int i;

	fuzz_assert(depth < 16);
	if (*at == '{')
		return json_members(at, '}', depth + 1);
	if (*at == '[')
		return json_members(at, ']', depth + 1);
	if (*at == '"')
		return json_string(at);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(at, words[i], strlen(words[i])))
			return at + strlen(words[i]);
	fuzz_assert(isdigit(*at));
	return at + strspn(at, "0123456789");
}

/* Whole values, each on a line of its own. */
static void check_json(const char *text)
{
	while (*text) {
		text = json_value(text, 0);
		fuzz_assert(*text == '\n');
		text++;
	}
}

static void check_text(const char *text)
{
	for (; *text; text++)
		fuzz_assert(*text == '\n' || *text == '\t' ||
			    (unsigned char)*text >= 0x20);
}

static void check(const struct twin *twin, int status)
{
	const char *end = strchrnul(twin->err, '\n');

	fuzz_assert(status >= 0 && status <= 4);
	check_text(twin->out);
	check_text(twin->err);
	if (*twin->out == '{')
		check_json(twin->out);
	if (status == 0 || status == 3) {
		fuzz_assert(!*twin->err);
		return;
	}
	fuzz_assert(!strncmp(twin->err, "cwctl: ", 7));
	fuzz_assert(end[0] == '\n' && !end[1]);
}

static int split(char *line, char **words)
{
	char *word, *rest;
	int n = 0;

	words[n++] = "cwctl";
	for (word = strtok_r(line, " ", &rest); word && n < WORDS_MAX;
	     word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	words[n] = NULL;
	return n;
}

int fuzz_one(const u8 *data, size_t size)
{
	const u8 *end = size ? memchr(data, '\n', size) : NULL;
	struct twin twin = { .width = 80, .root = "cwctl/root" };
	size_t line_len = end ? (size_t)(end - data) : size;
	char *words[WORDS_MAX + 1], *line;

	line = calloc(1, line_len + 1);
	if (line_len)
		memcpy(line, data, line_len);
	if (end) {
		twin.record = end + 1;
		twin.len = size - line_len - 1;
	}
	check(&twin, twin_run(&twin, split(line, words), words));
	free(twin.out);
	free(twin.err);
	free(twin.written);
	free(line);
	return 0;
}
