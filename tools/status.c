// SPDX-License-Identifier: GPL-2.0
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "hint.h"
#include "holders.h"
#include "policy.h"
#include "ports.h"
#include "sockets.h"

#define PORT(name) TCP_CLOSE_WAIT_A_PORT_##name
#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name
#define STATS(name) TCP_CLOSE_WAIT_A_STATS_##name

#define SERVICES_SHOWN	5	/* in text */

/* All there is to know of one namespace. */
struct place {
	const struct cw_netns *ns;
	struct cw_stats stats;
	struct cw_policy policy;
	struct cw_range ephemeral;
	struct cw_sockets sockets;
	struct cw_ports ports;
};

struct status {
	struct place *places;
	size_t n;
	struct cw_owners *owners;
};

static bool take_stats(const struct nlmsghdr *nlh, void *arg)
{
	return cw_answer_stats(nlh, arg);
}

static int read_place(struct cw *cw, const struct cw_netns *ns, void *arg)
{
	struct status *all = arg;
	struct place *place = &all->places[all->n++];
	struct nlmsghdr *nlh;
	struct cw_nl nl;
	int status = cw_nl_open(&nl, &cw->err);

	place->ns = ns;
	if (!status) {
		nlh = cw_nl_request(&nl, TCP_CLOSE_WAIT_CMD_STATS_GET,
				    NLM_F_ACK);
		status = cw_nl_talk(&nl, nlh, "read the counters", take_stats,
				    &place->stats, &cw->err);
	}
	if (!status)
		status = cw_policy_read(&place->policy, &cw->err);
	if (!status)
		status = cw_ephemeral_read(&place->ephemeral, &cw->err);
	if (!status)
		status = cw_sockets_get(cw, &nl, ns, &cw->opt.filter,
					&place->sockets);
	if (!status) {
		cw_ports_make(&place->ports, ns->name, &place->sockets);
		cw_ports_sort(&place->ports);
	}
	cw_nl_close(&nl);
	return status;
}

static void print_module(struct cw_out *out, const struct cw_stats *stats)
{
	bool walk = stats->tracking == TCP_CLOSE_WAIT_TRACKING_WALK;

	cw_out_object(out, "module");
	cw_out_str(out, "version", stats->version,
		   "module tcp_close_wait {} is loaded");
	cw_out_str(out, "tracking", cw_tracking_name(stats->tracking),
		   walk ? ", tracking by {}: all ages are lower bounds" :
			  ", tracking by {}");
	cw_out_object_end(out);
	cw_out_str(out, "cwctl", VERSION, strcmp(stats->version, VERSION) ?
		   "; cwctl {} is of another version" : NULL);
	cw_out_end_paragraph(out, 2);
}

/* The ephemeral ports that connections in CLOSE_WAIT hold, each once. */
static unsigned int count_held(const struct place *place)
{
	bool held[UINT16_MAX + 1] = { false };
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < place->sockets.n; i++) {
		const uint64_t *v = place->sockets.list[i].v;
		uint16_t port = v[SOCKET(LOCAL_PORT)];

		if (v[SOCKET(DIR)] != TCP_CLOSE_WAIT_DIR_OUT ||
		    port < place->ephemeral.first ||
		    port > place->ephemeral.last)
			continue;
		n += !held[port];
		held[port] = true;
	}
	return n;
}

static void print_numbers(struct cw_out *out, const struct place *place)
{
	unsigned int size = place->ephemeral.last - place->ephemeral.first + 1;
	unsigned int held = count_held(place);
	size_t n = place->sockets.n;

	if (!n)
		cw_out_text(out, "no socket is in CLOSE_WAIT");
	cw_out_u64(out, "sockets", n, n == 1 ? "{} socket is in CLOSE_WAIT" :
		   n ? "{} sockets are in CLOSE_WAIT" : NULL);
	cw_out_object(out, "ephemeral_ports");
	cw_out_u64(out, "held", held, ", holding {} of the ");
	cw_out_u64(out, "size", size, "{} ephemeral ports");
	cw_out_u64(out, "first", place->ephemeral.first, " ({}-");
	cw_out_u64(out, "last", place->ephemeral.last, "{})");
	cw_out_object_end(out);
	if (held > size / 2)
		cw_out_text(out, ": more than half, new connections may soon fail");
	cw_out_end_paragraph(out, 2);
}

static void print_stats(struct cw_out *out, const struct place *place)
{
	const struct cw_stats *stats = &place->stats;
	struct cw_buf churn = { 0 };
	bool old = false;
	size_t i;

	for (i = 0; i < place->ports.n; i++)
		old |= cw_hint_is_old(&place->ports.list[i]);
	cw_hint_churn(&churn, stats, old);
	cw_out_object(out, "stats");
	for (i = STATS(SOCKETS); i <= TCP_CLOSE_WAIT_A_STATS_MAX; i++)
		cw_out_u64(out, cw_stats_keys[i], stats->v[i], NULL);
	cw_out_object_end(out);
	cw_out_str(out, "churn", churn.text, "{}");
	cw_out_end_paragraph(out, 2);
	if (stats->v[STATS(MISSED)])
		cw_out_text(out, "%ju were missed for want of room: see missed in %s.",
			    (uintmax_t)stats->v[STATS(MISSED)],
			    "tcp_close_wait(4)");
	cw_out_end_paragraph(out, 2);
	cw_buf_free(&churn);
}

static void print_holders(struct cw_out *out, const struct status *all,
			  const struct place *place, const struct cw_port *port,
			  bool text)
{
	struct cw_holder *holders;
	size_t n, i;

	holders = cw_holders_find(place->sockets.list + port->first,
				  port->v[PORT(SOCKETS)], all->owners, &n);
	cw_out_list(out, "processes");
	for (i = 0; i < n; i++) {
		bool say = text && i < CW_PROCESSES_SHOWN;

		cw_out_object(out, NULL);
		cw_out_str(out, "comm", holders[i].process->comm,
			   say ? ", {}" : NULL);
		cw_out_u64(out, "pid", holders[i].process->pid,
			   say ? " (pid {})" : NULL);
		cw_out_u64(out, "descriptors", holders[i].fds, NULL);
		cw_out_object_end(out);
	}
	if (text && n > CW_PROCESSES_SHOWN)
		cw_out_text(out, ", %zu more", n - CW_PROCESSES_SHOWN);
	cw_out_list_end(out);
	free(holders);
}

static void print_service(struct cw_out *out, const struct status *all,
			  const struct place *place, const struct cw_port *port,
			  bool text)
{
	struct cw_buf hint = { 0 }, next = { 0 };
	const uint64_t *v = port->v;
	unsigned int i;

	cw_hint_port(&hint, port);
	cw_hint_next(&next, port, place->sockets.list + port->first, place->ns);
	cw_out_object(out, NULL);
	cw_out_str(out, "dir", cw_dir_name(v[PORT(DIR)]), text ? "{} " : NULL);
	cw_out_u64(out, "port", v[PORT(PORT)], text ? "{}" : NULL);
	print_holders(out, all, place, port, text);
	cw_out_u64(out, "sockets", v[PORT(SOCKETS)], !text ? NULL :
		   v[PORT(SOCKETS)] == 1 ? ": {} socket" : ": {} sockets");
	for (i = PORT(UNACCEPTED); i <= PORT(TX_BYTES); i++)
		cw_out_u64(out, cw_port_keys[i], v[i], NULL);
	cw_out_age(out, cw_port_keys[PORT(AGE_MAX_MS)], v[PORT(AGE_MAX_MS)],
		   !v[PORT(INEXACT)], text ? ", oldest {}" : NULL);
	cw_out_age(out, cw_port_keys[PORT(IDLE_MAX_MS)], v[PORT(IDLE_MAX_MS)],
		   true, text ? ", idle {}" : NULL);
	for (i = PORT(LT_1S); i <= PORT(INEXACT); i++)
		cw_out_u64(out, cw_port_keys[i], v[i], NULL);
	cw_out_end_paragraph(out, 2);
	cw_out_str(out, "hint", hint.text, text ? "  {}" : NULL);
	cw_out_end_paragraph(out, 2);
	cw_out_str(out, "next", next.text, text ? "  next: {}" : NULL);
	if (text)
		cw_out_end_line(out);
	cw_out_object_end(out);
	cw_buf_free(&hint);
	cw_buf_free(&next);
}

static void print_services(struct cw_out *out, const struct status *all,
			   const struct place *place)
{
	size_t i;

	cw_out_list(out, "services");
	for (i = 0; i < place->ports.n; i++) {
		if (i < SERVICES_SHOWN)
			cw_out_end_line(out);
		print_service(out, all, place, &place->ports.list[i],
			      i < SERVICES_SHOWN);
	}
	cw_out_list_end(out);
	if (place->ports.n > SERVICES_SHOWN) {
		cw_out_text(out, "and %zu more: cwctl %sshow",
			    place->ports.n - SERVICES_SHOWN, place->ns->option);
		cw_out_end_line(out);
	}
}

static void print_place(struct cw_out *out, const struct status *all,
			const struct place *place)
{
	cw_out_object(out, NULL);
	if (place->ns->name)
		cw_out_str(out, "netns", place->ns->name, "netns {}: ");
	print_module(out, &place->stats);
	cw_out_object(out, "policy");
	cw_policy_print(out, &place->policy);
	cw_policy_print_rules(out, &place->policy, NULL, "");
	cw_out_object_end(out);
	print_numbers(out, place);
	print_stats(out, place);
	print_services(out, all, place);
	cw_out_object_end(out);
}

static void print(struct cw *cw, struct status *all)
{
	size_t i;

	all->owners = cw_owners_new();
	for (i = 0; i < all->n; i++)
		cw_sockets_want(&all->places[i].sockets, all->owners);
	cw_owners_scan(all->owners, false);
	if (cw->opt.all_netns) {
		cw_out_object(cw->out, NULL);
		cw_out_list(cw->out, "namespaces");
	}
	for (i = 0; i < all->n; i++) {
		if (i)
			cw_out_end_line(cw->out);
		print_place(cw->out, all, &all->places[i]);
	}
	if (cw->opt.all_netns) {
		cw_out_list_end(cw->out);
		cw_out_object_end(cw->out);
	}
	cw_owners_free(all->owners);
}

int cw_status(struct cw *cw)
{
	struct status all = {
		.places = cw_alloc(cw->netns.n * sizeof(*all.places)),
	};
	int status = cw_each_netns(cw, read_place, &all);

	if (!status)
		print(cw, &all);
	while (all.n) {
		struct place *place = &all.places[--all.n];

		cw_sockets_free(&place->sockets);
		cw_ports_free(&place->ports);
	}
	free(all.places);
	return status;
}
