// SPDX-License-Identifier: GPL-2.0
#include <stdint.h>

#include "hint.h"

#define PORT(name) TCP_CLOSE_WAIT_A_PORT_##name
#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name
#define STATS(name) TCP_CLOSE_WAIT_A_STATS_##name
#define CLASS(name) TCP_CLOSE_WAIT_CLASS_##name

static const char * const meaning[CW_CLASSES] = {
	[CLASS(UNACCEPTED)] =
		"waiting to be accepted: the accept loop may be stalled, or the backlog too large; reaping does not help here",
	[CLASS(SENDING)] =
		"with bytes still to be sent: a half-closed connection that is being served, or a peer that stopped reading; healthy as long as it is not idle",
	[CLASS(UNREAD)] =
		"with data that nobody reads: the application may hang or be slow, or it is an idle pool whose peers said goodbye",
	[CLASS(UNNOTICED)] =
		"with only the end unread: most often idle pooled connections that nobody looks at, or a process that is busy or stopped",
	[CLASS(HELD)] =
		"with everything read, and not closed: most often close() was forgotten",
};

static unsigned int main_class(const struct cw_port *port)
{
	const uint64_t *count = &port->v[PORT(UNACCEPTED)];
	unsigned int i, most = 0;

	for (i = 1; i < CW_CLASSES; i++)
		if (count[i] > count[most])
			most = i;
	return most;
}

/**
 * cw_hint_is_old() - have any been there for a minute?
 * @port: the port
 *
 * Return: whether they have; ages that are lower bounds do not tell.
 */
bool cw_hint_is_old(const struct cw_port *port)
{
	return port->v[PORT(AGE_MAX_MS)] >= 60000;
}

static void put_class(struct cw_buf *to, const struct cw_port *port,
		      unsigned int class)
{
	cw_buf_printf(to, "%ju %s, %s",
		      (uintmax_t)port->v[PORT(UNACCEPTED) + class],
		      cw_class_name(class),
		      meaning[class]);
}

/**
 * cw_hint_port() - what the classes of a port's sockets suggest
 * @to: gets it
 * @port: the port, which has sockets
 */
void cw_hint_port(struct cw_buf *to, const struct cw_port *port)
{
	unsigned int most = main_class(port), i;

	put_class(to, port, most);
	for (i = 0; i < CW_CLASSES; i++) {
		if (i == most || !port->v[PORT(UNACCEPTED) + i])
			continue;
		cw_buf_puts(to, ". ");
		put_class(to, port, i);
	}
	cw_buf_puts(to, ".");
	if (!cw_hint_is_old(port) && !port->v[PORT(INEXACT)])
		cw_buf_puts(to,
			    " All are younger than a minute, which can be normal: look again later.");
}

/* An idle time that some of this class have passed, but no short one. */
static const char *idle_to_reap(const struct cw_port *port,
				const struct cw_socket *sockets,
				unsigned int class)
{
	static const struct {
		uint32_t ms;
		const char *text;
	} step[] = {
		{ 7200000, "1h" }, { 600000, "10m" }, { 60000, "1m" },
	};
	uint64_t most = 0;
	size_t i;

	for (i = 0; i < port->v[PORT(SOCKETS)]; i++)
		if (sockets[i].v[SOCKET(CLASS)] == class &&
		    sockets[i].v[SOCKET(IDLE_MS)] > most)
			most = sockets[i].v[SOCKET(IDLE_MS)];
	for (i = 0; i < MNL_ARRAY_SIZE(step); i++)
		if (most >= step[i].ms)
			return step[i].text;
	return NULL;
}

/**
 * cw_hint_next() - the command to run next
 * @to: gets it
 * @port: the port, which has sockets
 * @sockets: these
 * @ns: its namespace
 */
void cw_hint_next(struct cw_buf *to, const struct cw_port *port,
		  const struct cw_socket *sockets, const struct cw_netns *ns)
{
	unsigned int class = main_class(port);
	const char *idle = idle_to_reap(port, sockets, class);
	bool reap = idle && class != CLASS(UNACCEPTED);

	cw_buf_printf(to, "cwctl %s%s --dir %s --port %u", ns->option,
		      reap ? "reap" : "list", cw_dir_name(port->v[PORT(DIR)]),
		      (unsigned int)port->v[PORT(PORT)]);
	cw_buf_printf(to, " --class %s", cw_class_name(class));
	if (reap)
		cw_buf_printf(to, " --idle %s --dry-run", idle);
}

/**
 * cw_hint_churn() - what the finished stays tell
 * @to: gets it; nothing, if there are too few
 * @stats: the counters
 * @old: whether some have been there for a minute
 */
void cw_hint_churn(struct cw_buf *to, const struct cw_stats *stats, bool old)
{
	uint64_t came = stats->v[STATS(ENTERED)] + stats->v[STATS(ADOPTED)];
	uint64_t left = stats->v[STATS(LEFT)], all = 0, brief = 0;
	unsigned int i;

	for (i = STATS(SPELL_LT_1MS); i <= STATS(SPELL_GE_1H); i++) {
		all += stats->v[i];
		if (i <= STATS(SPELL_LT_1S))
			brief += stats->v[i];
	}
	if (old && came >= 10 && left < came / 10)
		cw_buf_printf(to, "Only %ju of %ju left by themselves: something keeps them.",
			      (uintmax_t)left, (uintmax_t)came);
	else if (all >= 100)
		cw_buf_printf(to, "%ju stays are over, %u %% of them took less than a second%s",
			      (uintmax_t)all,
			      (unsigned int)(100.0 * brief / all),
			      brief >= all / 10 * 9 ?
			      ": what stays for minutes is unusual here." : ".");
}
