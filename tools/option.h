/* SPDX-License-Identifier: GPL-2.0 */
/* The command line. */
#ifndef CW_OPTION_H
#define CW_OPTION_H

#include <stdbool.h>

#include "buf.h"
#include "error.h"
#include "filter.h"

/* Which commands take an option: bit by bit. */
enum {
	CW_OPTIONS_GLOBAL = 1 << 0,
	CW_OPTIONS_FILTER = 1 << 1,
	CW_OPTIONS_REAP = 1 << 2,
	CW_OPTIONS_SERVICE = 1 << 3,
};

#define CW_WORDS_MAX 3

/**
 * struct cw_options - what the user wants
 * @json: JSON instead of text
 * @help: only help
 * @version: only the version
 * @completion: only the script for bash
 * @netns: only this network namespace
 * @all_netns: all of them
 * @filter: which sockets; its process is looked up later
 * @cgroup: which cgroup, to be looked up
 * @all: reap without a filter
 * @dry_run: reap nothing
 * @max: reap no more, 0: no limit
 * @service: ports, with direction @service_dir; first 0 if not given
 * @words: the command and its arguments
 * @n_words: how many
 */
struct cw_options {
	bool json;
	bool help;
	bool version;
	bool completion;
	const char *netns;
	bool all_netns;
	struct cw_filter filter;
	const char *cgroup;
	bool all;
	bool dry_run;
	uint32_t max;
	struct cw_range service;
	unsigned int service_dir;
	const char *words[CW_WORDS_MAX];
	unsigned int n_words;
};

struct cw_words;

struct cw_words *cw_options_split(int argc, char **argv,
				  struct cw_options *opt, struct cw_error *err);
void cw_words_free(struct cw_words *words);
int cw_options_read(const struct cw_words *words, const char *command,
		    unsigned int groups, struct cw_options *opt,
		    struct cw_error *err);
void cw_options_help(struct cw_buf *to, unsigned int groups);
void cw_options_complete(struct cw_buf *to, unsigned int groups);
void cw_options_complete_values(struct cw_buf *to);

#endif /* CW_OPTION_H */
