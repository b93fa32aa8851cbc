/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests that print KTAP: a table of functions, each of which calls ktap_check()
 * as often as it likes, handed to ktap_main().
 */
#ifndef UNIT_KTAP_H
#define UNIT_KTAP_H

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <linux/kernel.h>

struct ktap_test {
	const char *name;
	void (*run)(void);
};

#define KTAP_TEST(function) { #function, function }

/* A loop that goes wrong says enough with its first failures. */
#define KTAP_SHOWN 10

/* Seconds for one test: one that hangs ends by a signal, and so fails. */
#define KTAP_TIMEOUT 300

static unsigned int ktap_failures;

static inline __printf(3, 4)
void ktap_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	if (++ktap_failures > KTAP_SHOWN)
		return;
	printf("# %s:%d: ", file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

#define ktap_check(ok, ...)						\
	do {								\
		if (!(ok))						\
			ktap_fail(__FILE__, __LINE__, __VA_ARGS__);	\
	} while (0)

/**
 * ktap_quote() - any bytes as text on one line, cut off where it gets long
 * @text: bytes
 * @len: how many
 *
 * Return: a buffer that the next call overwrites.
 */
static inline char *ktap_quote(const char *text, size_t len)
{
	static char buf[1024];
	size_t i, at = 0;

	for (i = 0; i < len && at < sizeof(buf) - 8; i++) {
		unsigned char c = text[i];
		bool plain = isprint(c) && c != '\\';

		at += scnprintf(buf + at, sizeof(buf) - at,
				plain ? "%c" : "\\x%02x", c);
	}
	scnprintf(buf + at, sizeof(buf) - at, "%s", i < len ? "..." : "");
	return buf;
}

/**
 * ktap_main() - run tests
 * @test: the tests
 * @n: how many
 *
 * Return: exit status.
 */
static inline int ktap_main(const struct ktap_test *test, unsigned int n)
{
	unsigned int i, bad = 0;

	/* What was said before a crash must not be lost. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", n);
	for (i = 0; i < n; i++) {
		ktap_failures = 0;
		alarm(KTAP_TIMEOUT);
		test[i].run();
		if (ktap_failures > KTAP_SHOWN)
			printf("# and %u more\n", ktap_failures - KTAP_SHOWN);
		bad += ktap_failures > 0;
		printf("%sok %u %s\n", ktap_failures ? "not " : "", i + 1,
		       test[i].name);
	}
	return bad > 0;
}

#endif /* UNIT_KTAP_H */
