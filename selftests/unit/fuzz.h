/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzz target is a file with fuzz_one() in it.  libFuzzer brings a main() of
 * its own; where it is not installed, fuzz_main.c takes its place.
 */
#ifndef UNIT_FUZZ_H
#define UNIT_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <linux/types.h>

/* The name that libFuzzer calls is not one of kernel style. */
int fuzz_one(const u8 *data, size_t size) __asm__("LLVMFuzzerTestOneInput");

#define fuzz_assert(ok)							\
	do {								\
		if (!(ok)) {						\
			fprintf(stderr, "%s:%d: %s does not hold\n",	\
				__FILE__, __LINE__, #ok);		\
			abort();					\
		}							\
	} while (0)

#endif /* UNIT_FUZZ_H */
