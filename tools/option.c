// SPDX-License-Identifier: GPL-2.0
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "answer.h"
#include "option.h"

enum option_id {
	OPT_JSON, OPT_NETNS, OPT_ALL_NETNS, OPT_HELP, OPT_VERSION,
	OPT_COMPLETION, OPT_PORT, OPT_DIR, OPT_PEER, OPT_LOCAL, OPT_CLASS,
	OPT_OLDER_THAN, OPT_IDLE, OPT_UID, OPT_PID, OPT_CGROUP, OPT_DRY_RUN,
	OPT_MAX, OPT_ALL, OPT_SERVICE, OPTIONS
};

/**
 * struct info - an option
 * @name: long name
 * @letter: short name, or 0
 * @arg: what stands behind it, or NULL
 * @help: what it does; NULL: not to be talked about
 * @groups: which commands take it
 * @takes: what who has got @arg wrong is told of it, if @arg is not enough
 *
 * --port is there twice: what it takes depends on the command.
 */
struct info {
	const char *name;
	char letter;
	const char *arg;
	const char *help;
	unsigned int groups;
	const char *takes;
};

static const struct info info[OPTIONS] = {
	[OPT_JSON] = { "json", 'j', NULL, "JSON instead of text",
		       CW_OPTIONS_GLOBAL },
	[OPT_NETNS] = { "netns", 'n', "NETNS",
			"in this network namespace: name, or path",
			CW_OPTIONS_GLOBAL },
	[OPT_ALL_NETNS] = { "all-netns", 'a', NULL,
			    "in every network namespace of the host",
			    CW_OPTIONS_GLOBAL },
	[OPT_HELP] = { "help", 'h', NULL, "show help, also of a command",
		       CW_OPTIONS_GLOBAL },
	[OPT_VERSION] = { "version", 'V', NULL, "show the version",
			  CW_OPTIONS_GLOBAL },
	[OPT_COMPLETION] = { "completion", 0, NULL, NULL, CW_OPTIONS_GLOBAL },
	[OPT_PORT] = { "port", 0, "P[-P]", "service port, or a range",
		       CW_OPTIONS_FILTER, "P[-P]; in and out are for --dir" },
	[OPT_DIR] = { "dir", 0, "in|out",
		      "in: a service of this host; out: it is the client",
		      CW_OPTIONS_FILTER },
	[OPT_PEER] = { "peer", 0, "ADDR[/LEN]", "remote address",
		       CW_OPTIONS_FILTER },
	[OPT_LOCAL] = { "local", 0, "ADDR[/LEN]", "local address",
			CW_OPTIONS_FILTER },
	[OPT_CLASS] = { "class", 0, "C[,C...]",
			"unaccepted, sending, unread, unnoticed or held",
			CW_OPTIONS_FILTER },
	[OPT_OLDER_THAN] = { "older-than", 0, "T",
			     "in CLOSE_WAIT for at least T", CW_OPTIONS_FILTER,
			     "a time: " CW_TIMES },
	[OPT_IDLE] = { "idle", 0, "T", "without progress for at least T",
		       CW_OPTIONS_FILTER, "a time: " CW_TIMES },
	[OPT_UID] = { "uid", 0, "N|NAME", "owner", CW_OPTIONS_FILTER },
	[OPT_PID] = { "pid", 0, "N", "open in this process",
		      CW_OPTIONS_FILTER },
	[OPT_CGROUP] = { "cgroup", 0, "PATH",
			 "in this cgroup (v2), or below it",
			 CW_OPTIONS_FILTER },
	[OPT_DRY_RUN] = { "dry-run", 0, NULL,
			  "reap nothing, only say what would be",
			  CW_OPTIONS_REAP },
	[OPT_MAX] = { "max", 0, "N", "reap no more than N", CW_OPTIONS_REAP },
	[OPT_ALL] = { "all", 0, NULL, "needed to reap without any filter",
		      CW_OPTIONS_REAP },
	[OPT_SERVICE] = { "port", 0, "[in:|out:]P[-P]",
			  "of this port; without prefix it is in",
			  CW_OPTIONS_SERVICE },
};

/**
 * struct cw_words - the command line, taken apart
 * @value: of each option, NULL if it is not given; "" if it takes none
 */
struct cw_words {
	const char *value[OPTIONS];
};

static void prepare(struct option *long_options, char *letters)
{
	unsigned int i;

	/* stop at what is no option; tell a missing value by ':' */
	letters = stpcpy(letters, "+:");
	for (i = 0; i < OPT_SERVICE; i++) {
		long_options[i] = (struct option){
			.name = info[i].name, .has_arg = !!info[i].arg,
			.val = 256 + i,
		};
		if (info[i].letter)
			*letters++ = info[i].letter;
		if (info[i].letter && info[i].arg)
			*letters++ = ':';
	}
	*letters = '\0';
}

/* getopt_long() takes the beginning of a name for it; we do not. */
static bool is_exact(const char *word, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(word, "--", 2) && !strncmp(word + 2, name, len) &&
	       (!word[2 + len] || word[2 + len] == '=');
}

static void take(struct cw_words *words, unsigned int option,
		 struct cw_error *err)
{
	if (words->value[option] && info[option].arg)
		cw_fail(err, CW_USAGE, "--%s is given twice", info[option].name);
	words->value[option] = info[option].arg ? optarg : "";
}

static void take_option(struct cw_words *words, int found, const char *word,
			struct cw_error *err)
{
	unsigned int i;

	if (found == ':') {
		cw_fail(err, CW_USAGE, "option '%s' needs a value", word);
		return;
	}
	if (found >= 256 && is_exact(word, info[found - 256].name)) {
		take(words, found - 256, err);
		return;
	}
	for (i = 0; found < 256 && found != '?' && i < OPTIONS; i++) {
		if (info[i].letter == found) {
			take(words, i, err);
			return;
		}
	}
	if (found == '?' && optopt >= 256)
		cw_fail(err, CW_USAGE, "option '--%s' takes no value",
			info[optopt - 256].name);
	else if (found == '?' && optopt)
		cw_fail(err, CW_USAGE, "unknown option '-%c'", optopt);
	else
		cw_fail(err, CW_USAGE, "unknown option '%s'", word);
}

static void take_word(struct cw_options *opt, const char *word,
		      struct cw_error *err)
{
	if (opt->n_words == CW_WORDS_MAX)
		cw_fail(err, CW_USAGE, "too many arguments: '%s'", word);
	else
		opt->words[opt->n_words++] = word;
}

/**
 * cw_options_split() - take the command line apart
 * @argc: from main()
 * @argv: from main()
 * @opt: gets what does not depend on the command
 * @err: gets what goes wrong; the rest of the line is still looked at, as what
 *	is wrong has to be said in JSON if it says so
 *
 * Return: the rest, for cw_options_read().
 */
struct cw_words *cw_options_split(int argc, char **argv,
				  struct cw_options *opt, struct cw_error *err)
{
	struct cw_words *words = cw_alloc(sizeof(*words));
	struct option long_options[OPTIONS] = { 0 };
	char letters[2 * OPTIONS + 3];
	bool only_words = false;

	memset(opt, 0, sizeof(*opt));
	prepare(long_options, letters);
	opterr = 0;
	optind = 0;
	while (optind < argc) {
		int before = optind ? optind : 1, found = -1;

		optopt = 0;
		if (!only_words)
			found = getopt_long(argc, argv, letters, long_options,
					    NULL);
		if (found != -1) {
			take_option(words, found, argv[before], err);
			continue;
		}
		if (optind > before && !strcmp(argv[optind - 1], "--"))
			only_words = true;
		if (optind < argc)
			take_word(opt, argv[optind++], err);
	}
	opt->json = words->value[OPT_JSON];
	opt->help = words->value[OPT_HELP];
	opt->version = words->value[OPT_VERSION];
	opt->completion = words->value[OPT_COMPLETION];
	return words;
}

void cw_words_free(struct cw_words *words)
{
	free(words);
}

static bool read_filter(unsigned int option, const char *value,
			struct cw_options *opt)
{
	struct cw_filter *filter = &opt->filter;

	filter->given |= 1U << (option - OPT_PORT);
	switch (option) {
	case OPT_PORT:
		return cw_value_ports(value, &filter->port);
	case OPT_DIR:
		return cw_value_dir(value, &filter->dir);
	case OPT_PEER:
		return cw_value_prefix(value, &filter->peer);
	case OPT_LOCAL:
		return cw_value_prefix(value, &filter->local);
	case OPT_CLASS:
		return cw_value_classes(value, &filter->classes);
	case OPT_OLDER_THAN:
		return cw_value_time(value, &filter->older_than);
	case OPT_IDLE:
		return cw_value_time(value, &filter->idle);
	case OPT_UID:
		return cw_value_uid(value, &filter->uid);
	case OPT_PID:
		return cw_value_number(value, INT32_MAX, &filter->pid) &&
		       filter->pid;
	case OPT_CGROUP:
		opt->cgroup = value;
		return *value;
	}
	return false;
}

static bool read_option(unsigned int option, const char *value,
			struct cw_options *opt)
{
	uint64_t number = 0;
	bool good;

	switch (option) {
	case OPT_JSON:
	case OPT_HELP:
	case OPT_VERSION:
	case OPT_COMPLETION:
		return true;		/* seen to before */
	case OPT_NETNS:
		opt->netns = value;
		return *value;
	case OPT_ALL_NETNS:
		opt->all_netns = true;
		return true;
	case OPT_DRY_RUN:
		opt->dry_run = true;
		return true;
	case OPT_ALL:
		opt->all = true;
		return true;
	case OPT_MAX:
		good = cw_value_number(value, UINT32_MAX, &number) && number;
		opt->max = number;
		return good;
	case OPT_SERVICE:
		return cw_value_service(value, &opt->service_dir,
					&opt->service);
	}
	return read_filter(option, value, opt);
}

/**
 * cw_options_read() - understand what the options say
 * @words: the command line
 * @command: name of the command
 * @groups: options that it takes
 * @opt: gets them
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_options_read(const struct cw_words *words, const char *command,
		    unsigned int groups, struct cw_options *opt,
		    struct cw_error *err)
{
	unsigned int i, option;

	for (i = 0; i < OPTIONS; i++) {
		if (!words->value[i])
			continue;
		option = i;
		if (i == OPT_PORT && groups & CW_OPTIONS_SERVICE)
			option = OPT_SERVICE;
		if (!(info[option].groups & (groups | CW_OPTIONS_GLOBAL)))
			return cw_fail(err, CW_USAGE, "%s has no option --%s",
				       command, info[i].name);
		if (!read_option(option, words->value[i], opt))
			return cw_fail(err, CW_USAGE,
				       "'%s' is not right for --%s, which takes %s",
				       words->value[i], info[i].name,
				       info[option].takes ? info[option].takes :
				       info[option].arg);
	}
	if (opt->netns && opt->all_netns)
		return cw_fail(err, CW_USAGE, "-n and -a exclude each other");
	return CW_DONE;
}

/**
 * cw_options_help() - a line for each option
 * @to: where to
 * @groups: which options
 */
void cw_options_help(struct cw_buf *to, unsigned int groups)
{
	unsigned int i;

	for (i = 0; i < OPTIONS; i++) {
		size_t start = to->len, len;

		if (!(info[i].groups & groups) || !info[i].help)
			continue;
		if (info[i].letter)
			cw_buf_printf(to, "  -%c, --%s", info[i].letter,
				      info[i].name);
		else
			cw_buf_printf(to, "  --%s", info[i].name);
		if (info[i].arg)
			cw_buf_printf(to, " %s", info[i].arg);
		len = to->len - start;
		cw_buf_fill(to, ' ', len < 26 ? 26 - len : 2);
		cw_buf_printf(to, "%s\n", info[i].help);
	}
}

/**
 * cw_options_complete() - names of options, with a blank before each
 * @to: where to
 * @groups: which options
 */
void cw_options_complete(struct cw_buf *to, unsigned int groups)
{
	unsigned int i;

	for (i = 0; i < OPTIONS; i++) {
		if (!(info[i].groups & groups) || !info[i].help)
			continue;
		if (info[i].letter)
			cw_buf_printf(to, " -%c", info[i].letter);
		cw_buf_printf(to, " --%s", info[i].name);
	}
}

/* What can stand behind an option, in words of bash. */
static void complete_value(struct cw_buf *to, unsigned int option)
{
	unsigned int i;

	switch (option) {
	case OPT_DIR:
		for (i = 0; i < CW_DIRS; i++)
			cw_buf_printf(to, " %s", cw_dir_name(i));
		break;
	case OPT_CLASS:
		for (i = 0; i < CW_CLASSES; i++)
			cw_buf_printf(to, " %s", cw_class_name(i));
		break;
	case OPT_NETNS:
		cw_buf_puts(to, "$(ls /run/netns 2>/dev/null)");
		break;
	case OPT_UID:
		cw_buf_puts(to, "$(compgen -u)");
		break;
	case OPT_PID:
		cw_buf_puts(to, "$(cd /proc && echo [0-9]*)");
		break;
	case OPT_CGROUP:
		cw_buf_puts(to, "$(compgen -d -- \"$cur\")");
		break;
	}
}

/**
 * cw_options_complete_values() - arms of a case of bash, one for each option
 * @to: where to; those of options that take nothing are not there
 */
void cw_options_complete_values(struct cw_buf *to)
{
	unsigned int i;

	for (i = 0; i < OPT_SERVICE; i++) {
		if (!info[i].arg)
			continue;
		cw_buf_printf(to, "\t--%s", info[i].name);
		if (info[i].letter)
			cw_buf_printf(to, "|-%c", info[i].letter);
		cw_buf_puts(to, ") words=\"");
		complete_value(to, i);
		cw_buf_puts(to, "\" ;;\n");
	}
}
