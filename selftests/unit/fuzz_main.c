// SPDX-License-Identifier: GPL-2.0
/*
 * usage: fuzz_NAME [FILE]...
 *
 * Runs a fuzz target without libFuzzer: on each FILE; without any, on the seeds
 * in FUZZ_CORPUS and then on FUZZ_RUNS mutations of them, the same each time.
 */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "ktap.h"
#include "random.h"

#define SEEDS_MAX	64
#define SIZE_MAX_INPUT	4096

struct input {
	size_t size;
	u8 data[SIZE_MAX_INPUT];
};

static struct input seed[SEEDS_MAX], input;
static unsigned int seeds;

/* What a parser of text is likely to trip over. */
static const struct {
	const char *text;
	size_t size;
} word[] = {
#define WORD(string) { string, sizeof(string) - 1 }
	WORD("in:"), WORD("out:"), WORD("-"), WORD("="), WORD(","), WORD(" "),
	WORD("\n"), WORD("\t"), WORD("\v"), WORD("\0"), WORD("\xa0"),
	WORD("+"), WORD("0"), WORD("1"), WORD("80"), WORD("255"), WORD("256"),
	WORD("65535"), WORD("65536"), WORD("31536000"), WORD("31536001"),
	WORD("2147483648"), WORD("4294967295"), WORD("4294967296"),
	WORD("18446744073709551616"), WORD("0x10"), WORD("1-65535=0"),
	WORD(",80=1"), WORD("\nout:80-90=60\n"),
};

/* ASan and UBSan end in abort() too, so that one handler shows the input. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}

static void show_input(int signal)
{
	printf("# input: '%s'\n",
	       ktap_quote((const char *)input.data, input.size));
	fflush(stdout);
	_exit(128 + signal);
}

static void run_input(void)
{
	/* a copy that ends where its memory ends, so that ASan sees more */
	u8 *start = malloc(input.size + 1);

	memcpy(start + 1, input.data, input.size);
	ktap_check(!fuzz_one(start + 1, input.size), "not zero");
	free(start);
}

static bool read_input(const char *path, struct input *to)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		return false;
	to->size = fread(to->data, 1, sizeof(to->data), file);
	return !fclose(file);
}

/* In the order of their names, which is the same everywhere. */
static void read_seeds(void)
{
	struct dirent **entry;
	int i, n = scandir(FUZZ_CORPUS, &entry, NULL, alphasort);

	for (i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", FUZZ_CORPUS,
			 entry[i]->d_name);
		if (entry[i]->d_name[0] != '.' && seeds < SEEDS_MAX &&
		    read_input(path, &seed[seeds]))
			seeds++;
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
}

/* Puts @size bytes in the place of @old ones at @at, if there is room. */
static void replace(size_t at, size_t old, const void *data, size_t size)
{
	if (input.size - old + size > sizeof(input.data))
		return;
	memmove(input.data + at + size, input.data + at + old,
		input.size - at - old);
	memcpy(input.data + at, data, size);
	input.size += size - old;
}

static void mutate(void)
{
	const struct input *other = &seed[random_below(seeds)];
	size_t at = random_below(input.size + 1);
	size_t old = random_below(input.size - at + 1);
	size_t from = random_below(other->size + 1);
	u8 byte = random_below(256), few = old < 4 ? old : random_below(4);
	unsigned int w = random_below(ARRAY_SIZE(word));

	switch (random_below(7)) {
	case 0:
		if (old)
			input.data[at] ^= 1 << random_below(8);
		break;
	case 1:
		replace(at, old > 0, &byte, 1);
		break;
	case 2:
		replace(at, 0, word[w].text, word[w].size);
		break;
	case 3:
		replace(at, few, word[w].text, word[w].size);
		break;
	case 4:
		replace(at, few, "", 0);
		break;
	case 5:
		replace(at, old, "", 0);
		break;
	case 6:
		replace(at, 0, other->data + from,
			random_below(other->size - from + 1));
		break;
	}
}

static void corpus(void)
{
	unsigned int i;

	ktap_check(seeds, "no seeds in %s", FUZZ_CORPUS);
	for (i = 0; i < seeds; i++) {
		input = seed[i];
		run_input();
	}
}

static void mutations(void)
{
	unsigned int run, left;

	for (run = 0; seeds && run < FUZZ_RUNS; run++) {
		input = seed[random_below(seeds)];
		for (left = 1 + random_below(4); left; left--)
			mutate();
		run_input();
	}
	ktap_check(run == FUZZ_RUNS, "%u runs", run);
}

int main(int argc, char **argv)
{
	static const struct ktap_test test[] = {
		KTAP_TEST(corpus),
		KTAP_TEST(mutations),
	};

	signal(SIGABRT, show_input);
	read_seeds();
	if (argc == 1)
		return ktap_main(test, ARRAY_SIZE(test));
	for (argv++; *argv; argv++) {
		if (!read_input(*argv, &input)) {
			perror(*argv);
			return 1;
		}
		run_input();
	}
	return 0;
}
