// SPDX-License-Identifier: GPL-2.0
/* Tests of module/classify.h. */
#include "classify.h"

#include <string.h>

#include "ktap.h"

/* Sequence numbers and jiffies at which 32 bits, or their sign, turn over. */
static const u32 base[] = {
	0, 1, 2, 1000, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001,
	0xfffffffd, 0xfffffffe, 0xffffffff,
};

static void class_names(void)
{
	static const char * const name[] = {
		"unaccepted", "sending", "unread", "unnoticed", "held",
	};
	unsigned int i;

	ktap_check(ARRAY_SIZE(name) == CW_NCLASS, "%d classes", CW_NCLASS);
	for (i = 0; i < ARRAY_SIZE(name); i++)
		ktap_check(!strcmp(cw_class_name(i), name[i]),
			   "class %u is %s, not %s", i, cw_class_name(i),
			   name[i]);
}

static void unread_bytes(void)
{
	static const struct {
		u32 queued;
		u32 bytes;
	} t[] = {
		{ 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 2 }, { 1461, 1460 },
		{ 0x7ffffffe, 0x7ffffffd }, { 0x7fffffff, 0x7ffffffe },
		/* the application read on in between: nothing is left */
		{ 0x80000000, 0 }, { -1000U, 0 }, { -2U, 0 }, { -1U, 0 },
	};
	unsigned int b, i;

	for (b = 0; b < ARRAY_SIZE(base); b++) {
		for (i = 0; i < ARRAY_SIZE(t); i++) {
			u32 got = cw_rx_bytes(base[b] + t[i].queued, base[b]);

			ktap_check(got == t[i].bytes,
				   "copied_seq %#x, %#x queued: %u bytes",
				   base[b], t[i].queued, got);
		}
	}
}

static void unacknowledged_bytes(void)
{
	static const struct {
		u32 queued;
		u32 bytes;
	} t[] = {
		{ 0, 0 }, { 1, 1 }, { 2, 2 }, { 1460, 1460 },
		{ 0x7fffffff, 0x7fffffff },
		/* an ACK came in between */
		{ 0x80000000, 0 }, { -1000U, 0 }, { -1U, 0 },
	};
	unsigned int b, i;

	for (b = 0; b < ARRAY_SIZE(base); b++) {
		for (i = 0; i < ARRAY_SIZE(t); i++) {
			u32 got = cw_tx_bytes(base[b] + t[i].queued, base[b]);

			ktap_check(got == t[i].bytes,
				   "snd_una %#x, %#x queued: %u bytes",
				   base[b], t[i].queued, got);
		}
	}
}

/* The first class of the table in the interface that fits. */
static void classes(void)
{
	static const struct {
		bool accepted;
		u32 tx;
		u32 queued;
		const char *name;
	} t[] = {
		{ false, 0, 0, "unaccepted" },
		{ false, 0, 1, "unaccepted" },
		{ false, 0, 1461, "unaccepted" },
		{ false, 5, 0, "unaccepted" },
		{ false, 0xffffffff, 1461, "unaccepted" },
		{ true, 1, 0, "sending" },
		{ true, 1, 1, "sending" },
		{ true, 1, 1461, "sending" },
		{ true, 0x80000000, 2, "sending" },
		{ true, 0xffffffff, 1, "sending" },
		{ true, 0, 2, "unread" },
		{ true, 0, 1461, "unread" },
		{ true, 0, 0x7fffffff, "unread" },
		{ true, 0, 1, "unnoticed" },
		{ true, 0, 0, "held" },
		{ true, 0, -1U, "held" },
		{ true, 0, -2U, "held" },
		{ true, 0, 0x80000000, "held" },
	};
	unsigned int b, i;

	for (b = 0; b < ARRAY_SIZE(base); b++) {
		for (i = 0; i < ARRAY_SIZE(t); i++) {
			enum cw_class class;

			class = cw_classify(t[i].accepted, t[i].tx,
					    base[b] + t[i].queued, base[b]);
			ktap_check(!strcmp(cw_class_name(class), t[i].name),
				   "row %u at copied_seq %#x: %s, not %s", i,
				   base[b], cw_class_name(class), t[i].name);
		}
	}
}

/* Nanoseconds at which a spell gets into the next bucket. */
static const u64 spell_limit[] = {
	1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL, 10000000000ULL,
	60000000000ULL, 600000000000ULL, 3600000000000ULL,
};

static void spell_buckets(void)
{
	unsigned int i;

	ktap_check(CW_NSPELL == 9, "%d buckets", CW_NSPELL);
	ktap_check(cw_spell_bucket(0) == 0, "bucket of 0");
	ktap_check(cw_spell_bucket(U64_MAX) == 8, "bucket of U64_MAX");
	for (i = 0; i < ARRAY_SIZE(spell_limit); i++) {
		u64 ns = spell_limit[i];

		ktap_check(cw_spell_bucket(ns - 1) == i, "below limit %u", i);
		ktap_check(cw_spell_bucket(ns) == i + 1, "at limit %u", i);
		ktap_check(cw_spell_bucket(ns + 1) == i + 1,
			   "above limit %u", i);
	}
}

/* The ages begin with the limit of one second. */
static void age_buckets(void)
{
	unsigned int i;

	ktap_check(CW_NAGE == 6, "%d buckets", CW_NAGE);
	ktap_check(cw_age_bucket(0) == 0, "bucket of 0");
	ktap_check(cw_age_bucket(U64_MAX) == 5, "bucket of U64_MAX");
	for (i = 0; i < ARRAY_SIZE(spell_limit); i++) {
		u64 ns = spell_limit[i];
		unsigned int below = i < 3 ? 0 : i - 3;
		unsigned int at = i < 3 ? 0 : i - 2;

		ktap_check(cw_age_bucket(ns - 1) == below, "below limit %u", i);
		ktap_check(cw_age_bucket(ns) == at, "at limit %u", i);
		ktap_check(cw_age_bucket(ns + 1) == at, "above limit %u", i);
	}
}

static void since(void)
{
	static const struct {
		u64 now;
		u64 then;
		u64 ns;
	} t[] = {
		{ 0, 0, 0 }, { 1, 0, 1 }, { 0, 1, 0 }, { 5, 5, 0 },
		{ 4, 5, 0 }, { 6, 5, 1 },
		/* differences that 32 bits do not hold */
		{ 3600000000000ULL, 1, 3599999999999ULL },
		{ 1, 3600000000000ULL, 0 },
		{ U64_MAX, 0, U64_MAX }, { 0, U64_MAX, 0 },
		{ U64_MAX, U64_MAX, 0 }, { U64_MAX, U64_MAX - 1, 1 },
		{ 1ULL << 63, (1ULL << 63) + 1, 0 },
		{ (1ULL << 63) + 1, (1ULL << 63) - 1, 2 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		ktap_check(cw_since(t[i].now, t[i].then) == t[i].ns,
			   "row %u: %llu", i, cw_since(t[i].now, t[i].then));
}

/* Jiffies begin 5 minutes before they wrap: every host sees it. */
static void ack_age(void)
{
	static const struct {
		u32 passed;
		u32 age;
	} t[] = {
		{ 0, 0 }, { 1, 0 }, { 2, 1 }, { 250, 249 },
		{ 86400 * 250, 86400 * 250 - 1 },
		{ 0x7fffffff, 0x7ffffffe }, { 0x80000000, 0x7fffffff },
		{ -1025U, -1026U }, { -1026U, -1027U },
		/* a stamp that lies ahead */
		{ -1024U, 0 }, { -1023U, 0 }, { -2U, 0 }, { -1U, 0 },
	};
	unsigned int b, i;

	for (b = 0; b < ARRAY_SIZE(base); b++) {
		for (i = 0; i < ARRAY_SIZE(t); i++) {
			u32 got = cw_ack_age(base[b] + t[i].passed, base[b]);

			ktap_check(got == t[i].age,
				   "stamp %#x, %#x passed: %#x", base[b],
				   t[i].passed, got);
		}
	}
}

int main(void)
{
	static const struct ktap_test test[] = {
		KTAP_TEST(class_names),
		KTAP_TEST(unread_bytes),
		KTAP_TEST(unacknowledged_bytes),
		KTAP_TEST(classes),
		KTAP_TEST(spell_buckets),
		KTAP_TEST(age_buckets),
		KTAP_TEST(since),
		KTAP_TEST(ack_age),
	};

	return ktap_main(test, ARRAY_SIZE(test));
}
