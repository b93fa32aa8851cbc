// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "cgroup.h"
#include "cwctl.h"
#include "host.h"
#include "text.h"

/**
 * struct command - a command
 * @name: what the user types, in full
 * @run: does it
 * @args: what it takes besides options, for help; NULL for nothing
 * @help: what it does, in a line
 * @more: what else there is to say, and examples
 * @options: which options it takes
 */
struct command {
	const char *name;
	int (*run)(struct cw *cw);
	const char *args;
	const char *help;
	const char *more;
	unsigned int options;
};

static const struct command commands[] = {
	{
		"show", cw_show, NULL, "the table of ports, the worst first",
		"A row for each port that this host serves (in) or is a client of (out). A \"+\"\n"
		"behind OLDEST: the age is a lower bound, the socket was found by a walk.\n\n"
		"  cwctl                                all ports\n"
		"  cwctl show --older-than 10m          only what is older\n"
		"  cwctl -a show --class held           in every network namespace\n",
		CW_OPTIONS_FILTER,
	}, {
		"list", cw_list, NULL, "each socket, the oldest first",
		"With the processes that have it open, and its cgroup, where they can be seen.\n\n"
		"  cwctl list --port 8080 --class held\n"
		"  cwctl list --dir out --peer 10.0.0.0/8 --idle 1h\n"
		"  cwctl list --cgroup /system.slice/shop.service\n",
		CW_OPTIONS_FILTER,
	}, {
		"reap", cw_reap, NULL, "reset connections, whatever the timeout",
		"The peer gets a RST; the application sees ECONNABORTED. Its descriptors, and\n"
		"data not yet read, stay until it closes them. Sockets that are not accepted,\n"
		"belong to the kernel or to MPTCP, are under kTLS or in a sockmap, or are in use\n"
		"at that moment, are left alone.\n"
		"Exit status 3: none matched.\n\n"
		"  cwctl reap --port 8080 --class held --idle 10m --dry-run\n"
		"  cwctl reap --port 8080 --class held --idle 10m\n"
		"  cwctl reap --pid 3121 --max 100\n",
		CW_OPTIONS_FILTER | CW_OPTIONS_REAP,
	}, {
		"timeout", cw_timeout, "[T|off|default]",
		"show or set after how long stuck sockets are reaped",
		"Without --port it is that of the namespace. With --port, \"off\" exempts the\n"
		"ports from reaping by timeout, and \"default\" has them follow the namespace\n"
		"again. What other rules say of other ports stays. What is reaped is reset; its\n"
		"descriptors, and data not yet read, stay until the application closes them.\n\n"
		"  cwctl timeout                        show it\n"
		"  cwctl timeout 15m                    for all ports without a rule\n"
		"  cwctl timeout 10m --port 8000-8099   for ports of this host\n"
		"  cwctl timeout 1h --port out:3306     for a service that it is a client of\n"
		"  cwctl timeout off --port 22          never on port 22\n"
		"  cwctl timeout default --port 22      as all others\n",
		CW_OPTIONS_SERVICE,
	}, {
		"monitor", cw_monitor, NULL, "print each reaped socket as it happens",
		"Until it is interrupted. Says so when events were lost.\n\n"
		"  cwctl monitor\n"
		"  cwctl -j monitor                     a JSON object on each line\n",
		0,
	}, {
		"status", cw_status, NULL, "say in plain words what leaks, and why",
		"What it says are hints, not verdicts.\n\n"
		"  cwctl status\n"
		"  cwctl -n shop status\n",
		0,
	},
};

#define COMMANDS MNL_ARRAY_SIZE(commands)

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void help_all(struct cw_buf *to)
{
	size_t i;

	cw_buf_puts(to,
		    "usage: cwctl [-j] [-n NETNS | -a] [COMMAND] [OPTION]...\n\n"
		    "TCP sockets in CLOSE_WAIT: count, explain, reap.\n\nCommands:\n");
	for (i = 0; i < COMMANDS; i++)
		cw_buf_printf(to, "  %-12s%s%s\n", commands[i].name,
			      commands[i].help, i ? "" : " (the default)");
	cw_buf_puts(to, "\nOptions:\n");
	cw_options_help(to, CW_OPTIONS_GLOBAL);
	cw_buf_puts(to,
		    "\nWhich sockets show, list and reap mean; all that is given must match:\n");
	cw_options_help(to, CW_OPTIONS_FILTER);
	cw_buf_puts(to,
		    "\nT is a time: " CW_TIMES ".\n"
		    "More: cwctl COMMAND --help, man cwctl\n\n"
		    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 nothing matched (reap),\n"
		    "4 the module is not loaded.\n");
}

static void help_command(struct cw_buf *to, const struct command *command)
{
	cw_buf_printf(to, "usage: cwctl [-j] [-n NETNS | -a] %s", command->name);
	if (command->args)
		cw_buf_printf(to, " %s", command->args);
	cw_buf_printf(to, "%s\n\ncwctl %s: %s.\n%s",
		      command->options ? " [OPTION]..." : "", command->name,
		      command->help, command->more);
	if (command->options) {
		cw_buf_puts(to, "\nOptions:\n");
		cw_options_help(to, command->options);
	}
	if (command->args || command->options & CW_OPTIONS_FILTER)
		cw_buf_puts(to, "\nT is a time: " CW_TIMES ".\n");
}

/* The script for bash: it knows what the tables know. */
static void complete(struct cw_buf *to)
{
	size_t i;

	cw_buf_puts(to,
		    "# bash completion for cwctl, made by cwctl --completion\n"
		    "_cwctl()\n{\n"
		    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		    "\tlocal word command= words\n\n"
		    "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
		    "\t\tcase $word in\n\t\t");
	for (i = 0; i < COMMANDS; i++)
		cw_buf_printf(to, "%s%s", i ? "|" : "", commands[i].name);
	cw_buf_puts(to, ")\n\t\t\tcommand=$word ;;\n\t\tesac\n\tdone\n"
		    "\tcase $prev in\n");
	cw_options_complete_values(to);
	cw_buf_puts(to, "\t*)\n\t\tcase $command in\n");
	for (i = 0; i < COMMANDS; i++) {
		cw_buf_printf(to, "\t\t%s) words=\"", commands[i].name);
		cw_options_complete(to, commands[i].options);
		if (commands[i].args)
			cw_buf_puts(to, " off default");
		cw_buf_puts(to, "\" ;;\n");
	}
	cw_buf_puts(to, "\t\t*) words=\"");
	for (i = 0; i < COMMANDS; i++)
		cw_buf_printf(to, " %s", commands[i].name);
	cw_options_complete(to, commands[0].options);
	cw_buf_puts(to, "\" ;;\n\t\tesac\n\t\twords+=\"");
	cw_options_complete(to, CW_OPTIONS_GLOBAL);
	cw_buf_puts(to, "\" ;;\n\tesac\n"
		    "\tmapfile -t COMPREPLY < <(compgen -W '$words' -- \"$cur\")\n"
		    "}\ncomplete -F _cwctl cwctl\n");
}

/**
 * cw_in_netns() - do something in a network namespace
 * @cw: the run
 * @ns: the namespace; the process stays in it
 * @fn: does it
 * @arg: for @fn
 *
 * Return: exit status.
 */
int cw_in_netns(struct cw *cw, const struct cw_netns *ns, cw_netns_fn *fn,
		void *arg)
{
	int status = cw_netns_enter(ns, &cw->err);

	if (status)
		return status;
	status = fn(cw, ns, arg);
	if (status == CW_FAILED && cw->opt.all_netns)
		cw_error_where(&cw->err, ns->name);
	return status;
}

/**
 * cw_each_netns() - do something in each network namespace that is wanted
 * @cw: the run
 * @fn: does it
 * @arg: for @fn
 *
 * A failure in one keeps it from none of the others.
 *
 * Return: exit status, the worst; after CW_NOT_LOADED it does not go on.
 */
int cw_each_netns(struct cw *cw, cw_netns_fn *fn, void *arg)
{
	const struct cw_error none = { 0 };
	struct cw_error first = none;
	size_t i, failed = 0;
	int status = CW_DONE;

	for (i = 0; i < cw->netns.n; i++) {
		status = cw_in_netns(cw, &cw->netns.list[i], fn, arg);
		if (!status)
			continue;
		if (status != CW_FAILED)
			break;
		if (!failed++)
			first = cw->err;
		cw->err = none;
	}
	if (!failed)
		return status;
	if (status && status != CW_FAILED) {
		cw_error_also(&cw->err, "; before that, %s", first.text);
		return status;
	}
	cw->err = first;
	if (failed > 1)
		cw_error_also(&cw->err, "; and so in %zu more", failed - 1);
	return CW_FAILED;
}

/**
 * cw_flush() - write the output
 * @cw: the run
 *
 * That nobody reads it any more is no news for anybody, but a failure.
 *
 * Return: exit status.
 */
int cw_flush(struct cw *cw)
{
	int error = cw_out_flush(cw->out);

	if (!error)
		return CW_DONE;
	if (error == -EPIPE)
		return CW_FAILED;
	return cw_fail(&cw->err, CW_FAILED, "cannot write the output: %s",
		       strerror(-error));
}

static int run_command(struct cw *cw, const struct command *command)
{
	struct cw_options *opt = &cw->opt;
	int status = CW_DONE;

	if (opt->n_words > (command->args ? 2 : 1))
		return cw_fail(&cw->err, CW_USAGE, "too many arguments: '%s'",
			       opt->words[opt->n_words - 1]);
	if (opt->cgroup)
		status = cw_cgroup_id(opt->cgroup, &opt->filter.cgroup,
				      &cw->err);
	if (!status)
		status = opt->all_netns ?
			 cw_netns_all(&cw->netns, &cw->err) :
			 cw_netns_one(&cw->netns, opt->netns, &cw->err);
	return status ? status : command->run(cw);
}

/* Help and the like, which go before all else. */
static bool print_about(struct cw *cw, const struct command *command)
{
	struct cw_buf text = { 0 };

	if (cw->opt.help && cw->opt.n_words)
		help_command(&text, command);
	else if (cw->opt.help)
		help_all(&text);
	else if (cw->opt.version)
		cw_buf_puts(&text, "cwctl " VERSION "\n");
	else if (cw->opt.completion)
		complete(&text);
	else
		return false;
	cw_out_raw(cw->out, text.text);
	cw_buf_free(&text);
	return true;
}

static int run(struct cw *cw, const struct cw_words *words)
{
	const struct command *command = commands;
	int status;

	if (*cw->err.text)
		return CW_USAGE;
	if (cw->opt.n_words)
		command = find_command(cw->opt.words[0]);
	if (!command)
		return cw_fail(&cw->err, CW_USAGE, "there is no command '%s'",
			       cw->opt.words[0]);
	if (print_about(cw, command))
		return CW_DONE;
	status = cw_options_read(words, command->name, command->options,
				 &cw->opt, &cw->err);
	return status ? status : run_command(cw, command);
}

/* In a line of its own; for JSON also where JSON is expected. */
static void print_error(struct cw *cw, int status)
{
	struct cw_buf text = { 0 };

	cw_buf_puts(&text, "cwctl: ");
	cw_text_safe(&text, cw->err.text);
	if (status == CW_USAGE)
		cw_buf_puts(&text, " (see cwctl --help)");
	cw_buf_puts(&text, "\n");
	cw_host_write(2, text.text, text.len);
	cw_buf_free(&text);
	if (!cw->opt.json)
		return;
	cw_out_object(cw->out, NULL);
	cw_out_str(cw->out, "error", cw->err.text, NULL);
	cw_out_object_end(cw->out);
	cw_out_flush(cw->out);
}

/**
 * cw_main() - the tool
 * @argc: from main()
 * @argv: from main()
 *
 * All output is written at the end, so there is either all of it or an error
 * (monitor writes an event at a time).
 *
 * Return: exit status.
 */
int cw_main(int argc, char **argv)
{
	struct cw cw = { 0 };
	struct cw_words *words = cw_options_split(argc, argv, &cw.opt, &cw.err);
	int status;

	cw_alloc_init(cw.opt.json);
	cw.out = cw_out_new(cw.opt.json);
	status = run(&cw, words);
	if (status == CW_DONE || status == CW_NOTHING) {
		int written = cw_flush(&cw);

		status = written ? written : status;
	}
	cw_out_drop(cw.out);
	if (*cw.err.text && *cw.done.text)
		cw_error_also(&cw.err, "; %s", cw.done.text);
	if (*cw.err.text)
		print_error(&cw, status);
	cw_out_free(cw.out);
	cw_netns_free(&cw.netns);
	cw_words_free(words);
	return status;
}
