// SPDX-License-Identifier: GPL-2.0
/*
 * usage: cwctl [--write]
 *
 * cwctl with answers of the kernel that were recorded (cwctl/record.py): what it
 * prints has to be what cwctl/expected says.  --write writes that, to be reviewed.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cwctl_twin.h"
#include "ktap.h"

#define DIR "cwctl/"
#define WORDS_MAX 16

#define PIPE UINT_MAX

/**
 * struct replay - a run of the tool, and what is expected of it
 * @name: of the file in cwctl/expected
 * @command: arguments
 * @record: what the kernel answers: file in cwctl/, and if not all of its
 *	datagrams, their numbers
 * @width: columns of the terminal, 0: 80, PIPE: there is none
 * @root: directory with the system's files, NULL: cwctl/root
 * @status: exit status
 */
struct replay {
	const char *name;
	const char *command;
	const char *record;
	unsigned int width;
	const char *root;
	int status;
};

static const struct replay replays[] = {
	{ .name = "show", .command = "show", .record = "ports" },
	{ .name = "show-wide", .command = "show", .record = "ports", .width = 120 },
	{ .name = "show-json", .command = "show -j", .record = "ports" },
	{ .name = "show-pid", .command = "show --pid 3121", .record = "pid" },
	{ .name = "show-empty", .command = "", .record = "empty 0 1 4" },
	{ .name = "show-empty-json", .command = "-j", .record = "empty 0 1 4" },
	{ .name = "list", .command = "list", .record = "sockets" },
	{ .name = "list-pipe", .command = "list", .record = "sockets", .width = PIPE },
	{ .name = "list-wide", .command = "list", .record = "sockets", .width = 220 },
	{ .name = "list-json", .command = "list -j", .record = "sockets" },
	{ .name = "list-evil", .command = "list", .record = "sockets",
	  .root = DIR "root-evil" },
	{ .name = "list-evil-json", .command = "list -j", .record = "sockets",
	  .root = DIR "root-evil" },
	{ .name = "status", .command = "status", .record = "status" },
	{ .name = "status-pipe", .command = "status", .record = "status", .width = PIPE },
	{ .name = "status-young", .command = "status", .record = "young" },
	{ .name = "status-inexact", .command = "status", .record = "inexact" },
	{ .name = "status-old", .command = "status", .record = "old" },
	{ .name = "status-mixed", .command = "status", .record = "mixed" },
	{ .name = "status-json", .command = "status -j", .record = "status" },
	{ .name = "status-empty", .command = "status", .record = "empty" },
	{ .name = "reap", .command = "reap --all --max 6", .record = "reap" },
	{ .name = "reap-json", .command = "-j reap --all --max 6",
	  .record = "reap" },
	{ .name = "reap-dry", .command = "reap --all --dry-run", .record = "dry" },
	{ .name = "reap-nothing", .command = "reap --port 9", .record = "nothing",
	  .status = 3 },
	{ .name = "reap-refused", .command = "reap --all", .record = "refused",
	  .status = 1 },
	{ .name = "reap-refused-json", .command = "-j reap --all",
	  .record = "refused", .status = 1 },
	{ .name = "monitor", .command = "monitor", .record = "monitor", .status = 1 },
	{ .name = "monitor-pipe", .command = "monitor", .record = "monitor",
	  .width = PIPE, .status = 1 },
	{ .name = "monitor-json", .command = "monitor -j", .record = "monitor",
	  .status = 1 },
	{ .name = "timeout", .command = "timeout", .record = NULL },
	{ .name = "timeout-json", .command = "timeout -j", .record = NULL },
	{ .name = "timeout-port", .command = "timeout --port out:3000-4000" },
	{ .name = "timeout-set", .command = "timeout 15m" },
	{ .name = "timeout-split", .command = "timeout 5 --port 8010-8019" },
	{ .name = "timeout-cover", .command = "timeout off --port 1-65535" },
	{ .name = "timeout-default", .command = "timeout default --port in:8050-9000" },
	{ .name = "not-loaded", .command = "timeout", .root = DIR "root-evil",
	  .status = 4 },
	{ .name = "not-loaded-json", .command = "timeout -j",
	  .root = DIR "root-evil", .status = 4 },
	{ .name = "no-proc", .command = "timeout", .root = DIR "nowhere",
	  .status = 1 },
	{ .name = "no-proc-set", .command = "timeout 5", .root = DIR "nowhere",
	  .status = 1 },
	{ .name = "no-proc-pid", .command = "reap --pid 3121",
	  .record = "sockets", .root = DIR "nowhere", .status = 1 },
	{ .name = "reap-unseen", .command = "reap --all --max 6",
	  .record = "reap", .root = DIR "nowhere" },
	{ .name = "cut-off", .command = "list -j", .record = "sockets 0 1 2", .status = 1 },
	{ .name = "newer", .command = "list", .record = "newer" },
	{ .name = "newer-json", .command = "list -j", .record = "newer" },
	{ .name = "older", .command = "list", .record = "older" },
	{ .name = "older-json", .command = "list -j", .record = "older" },
	{ .name = "malformed", .command = "list -j", .record = "malformed",
	  .status = 1 },
	{ .name = "version-2", .command = "list", .record = "version",
	  .status = 1 },
	{ .name = "cut", .command = "list -j", .record = "cut", .status = 1 },
	{ .name = "busy", .command = "-j reap --all", .record = "extack 0 1 2 2 2",
	  .status = 1 },
	{ .name = "turn", .command = "-j reap --all", .record = "turn" },
	{ .name = "unloaded", .command = "-j reap --all", .record = "unloaded",
	  .status = 4 },
	{ .name = "help", .command = "--help" },
	{ .name = "help-show", .command = "show --help" },
	{ .name = "help-list", .command = "list --help" },
	{ .name = "help-reap", .command = "reap --help" },
	{ .name = "help-timeout", .command = "timeout --help" },
	{ .name = "wrong-time", .command = "list --older-than 10x", .status = 2 },
	{ .name = "wrong-port", .command = "reap --port out:3306", .status = 2 },
	{ .name = "wrong-timeout", .command = "timeout 366d", .status = 2 },
	{ .name = "no-netns", .command = "-n host status", .status = 1 },
	{ .name = "no-netns-path", .command = "-n /nowhere status", .status = 1 },
	{ .name = "all-of-none", .command = "-a monitor", .status = 1 },
	{ .name = "help-monitor", .command = "monitor --help" },
	{ .name = "help-status", .command = "status --help" },
	{ .name = "completion", .command = "--completion" },
	{ .name = "version", .command = "--version" },
};

static bool writes;

static char *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 16);

	*len = file ? fread(text, 1, (1 << 16) - 1, file) : 0;
	if (file)
		fclose(file);
	return text;
}

/* Puts the datagrams of @all whose numbers follow in @numbers into their order. */
static char *choose(const char *all, size_t size, char *numbers, size_t *len)
{
	char *some = calloc(1, 1 << 16), *word, *rest;

	*len = 0;
	for (word = strtok_r(numbers, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		unsigned int n = atoi(word), head = 0;
		const char *at = all;

		for (; at < all + size; at += sizeof(head) + head) {
			memcpy(&head, at, sizeof(head));
			if (!n--)
				break;
		}
		ktap_check(at < all + size, "no datagram %s", word);
		memcpy(some + *len, at, sizeof(head) + head);
		*len += sizeof(head) + head;
	}
	return some;
}

static char *read_record(const char *record, size_t *len)
{
	char copy[128], path[160], *numbers, *all, *some;

	if (!record) {
		*len = 0;
		return calloc(1, 1);
	}
	snprintf(copy, sizeof(copy), "%s", record);
	numbers = strchr(copy, ' ');
	if (numbers)
		*numbers++ = '\0';
	snprintf(path, sizeof(path), DIR "%s.nl", copy);
	all = read_file(path, len);
	ktap_check(*len, "nothing in %s", path);
	if (!numbers)
		return all;
	some = choose(all, *len, numbers, len);
	free(all);
	return some;
}

static int run_command(struct twin *twin, const char *command)
{
	char copy[256], *words[WORDS_MAX], *word, *rest;
	int n = 0;

	snprintf(copy, sizeof(copy), "%s", command);
	words[n++] = "cwctl";
	for (word = strtok_r(copy, " ", &rest); word && n < WORDS_MAX - 1;
	     word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	words[n] = NULL;
	return twin_run(twin, n, words);
}

static void compare(const struct replay *replay, const struct twin *twin)
{
	char path[160], text[1 << 16], *expected;
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), DIR "expected/%s", replay->name);
	snprintf(text, sizeof(text), "$ cwctl %s\n%s%s%s%s%s", replay->command,
		 twin->out, *twin->err ? "--- stderr\n" : "", twin->err,
		 *twin->written ? "--- written to sysctls\n" : "",
		 twin->written);
	if (writes) {
		file = fopen(path, "wb");
		fputs(text, file);
		fclose(file);
	}
	expected = read_file(path, &len);
	ktap_check(!strcmp(text, expected), "%s is not as expected:",
		   replay->name);
	if (strcmp(text, expected)) {
		char *line, *rest = text;

		while ((line = strsep(&rest, "\n")))
			printf("# %s\n", line);
	}
	free(expected);
}

static void fits(const struct replay *replay, const struct twin *twin)
{
	const char *line = twin->out, *end;

	if (strstr(replay->command, "-j") || !strcmp(replay->name, "completion"))
		return;
	for (; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		ktap_check(!twin->width || end - line <= (long)twin->width,
			   "%s: a line is %ld wide", replay->name,
			   (long)(end - line));
		if (!*end)
			break;
	}
}

static void run_replay(const struct replay *replay)
{
	struct twin twin = {
		.width = replay->width == PIPE ? 0 :
			 replay->width ? replay->width : 80,
		.root = replay->root ? replay->root : DIR "root",
	};
	char *record = read_record(replay->record, &twin.len);
	int status;

	twin.record = record;
	status = run_command(&twin, replay->command);
	ktap_check(status == replay->status, "%s ended with %d, not %d: %s",
		   replay->name, status, replay->status, twin.err);
	compare(replay, &twin);
	fits(replay, &twin);
	free(twin.out);
	free(twin.err);
	free(twin.written);
	free(record);
}

static void as_expected(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(replays); i++)
		run_replay(&replays[i]);
}

/* At any width nothing breaks, and addresses are whole. */
static void every_width(void)
{
	unsigned int width;

	for (width = 1; width < 260; width++) {
		struct twin twin = { .width = width, .root = DIR "root" };
		char *record = read_record("sockets", &twin.len);

		twin.record = record;
		ktap_check(!run_command(&twin, "list"), "width %u", width);
		ktap_check(strstr(twin.out, "[2001:db8:1234:5678:9abc:def0:1234:5678]:8081"),
			   "an address is cut at width %u", width);
		free(twin.out);
		free(twin.err);
		free(twin.written);
		free(record);
	}
}

static void cannot_write(void)
{
	static const struct {
		int error;
		const char *command;
		const char *text;
	} t[] = {
		{ ENOSPC, "timeout", "cwctl: cannot write the output: No space left on device\n" },
		{ ENOSPC, "timeout 15m",
		  "cwctl: cannot write the output: No space left on device; it is set\n" },
		{ EPIPE, "timeout", "" },
		{ EPIPE, "timeout 15m", "" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct twin twin = {
			.width = 80, .root = DIR "root",
			.write_error = t[i].error,
		};

		ktap_check(run_command(&twin, t[i].command) == 1, "status");
		ktap_check(!strcmp(twin.err, t[i].text), "it says %s", twin.err);
		free(twin.out);
		free(twin.err);
		free(twin.written);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_test test[] = {
		KTAP_TEST(as_expected),
		KTAP_TEST(every_width),
		KTAP_TEST(cannot_write),
	};

	writes = argc > 1 && !strcmp(argv[1], "--write");
	setenv("TZ", "UTC", 1);
	return ktap_main(test, ARRAY_SIZE(test));
}
