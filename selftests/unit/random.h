/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers that look random and are the same in every run (xorshift64*). */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <linux/types.h>

static u64 random_state = 0x9e3779b97f4a7c15ULL;

/* Return: 0 to @limit - 1. */
static inline u32 random_below(u32 limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return ((random_state * 0x2545f4914f6cdd1dULL) >> 32) % limit;
}

#endif /* UNIT_RANDOM_H */
