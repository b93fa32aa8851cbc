// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "ports.h"
#include "sockets.h"

#define PORT(name) TCP_CLOSE_WAIT_A_PORT_##name
#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name

struct get {
	struct cw_ports *ports;
	const char *netns;
};

static struct cw_port *new_port(struct cw_ports *ports)
{
	ports->list = cw_grow(ports->list, ports->n, &ports->room,
			      sizeof(*ports->list));
	return &ports->list[ports->n];
}

static bool add_port(const struct nlmsghdr *nlh, void *arg)
{
	const struct get *get = arg;
	struct cw_port *port = new_port(get->ports);

	if (!cw_answer_port(nlh, port))
		return false;
	port->netns = get->netns;
	get->ports->n++;
	return true;
}

static unsigned int age_bucket(uint64_t ms)
{
	static const uint32_t limit[] = { 1000, 10000, 60000, 600000, 3600000 };
	unsigned int i = 0;

	while (i < MNL_ARRAY_SIZE(limit) && ms >= limit[i])
		i++;
	return PORT(LT_1S) + i;
}

static void raise_to(uint64_t *max, uint64_t value)
{
	if (*max < value)
		*max = value;
}

static void add_up(struct cw_port *port, const struct cw_socket *sock)
{
	port->v[PORT(SOCKETS)]++;
	if (sock->v[SOCKET(CLASS)] < CW_CLASSES)
		port->v[PORT(UNACCEPTED) + sock->v[SOCKET(CLASS)]]++;
	port->v[PORT(RX_BYTES)] += sock->v[SOCKET(RX_BYTES)];
	port->v[PORT(TX_BYTES)] += sock->v[SOCKET(TX_BYTES)];
	raise_to(&port->v[PORT(AGE_MAX_MS)], sock->v[SOCKET(AGE_MS)]);
	raise_to(&port->v[PORT(IDLE_MAX_MS)], sock->v[SOCKET(IDLE_MS)]);
	port->v[age_bucket(sock->v[SOCKET(AGE_MS)])]++;
	port->v[PORT(INEXACT)] += !sock->v[SOCKET(EXACT)];
}

static int by_service(const void *a, const void *b)
{
	const struct cw_socket *left = a, *right = b;
	uint64_t l = left->v[SOCKET(DIR)] << 16 | cw_socket_service(left);
	uint64_t r = right->v[SOCKET(DIR)] << 16 | cw_socket_service(right);

	return l < r ? -1 : l > r;
}

/**
 * cw_ports_make() - add sockets up by port, as the kernel does it
 * @ports: they are added to these
 * @netns: name of the namespace
 * @sockets: the sockets; come out sorted by port
 */
void cw_ports_make(struct cw_ports *ports, const char *netns,
		   struct cw_sockets *sockets)
{
	struct cw_port *port = NULL;
	size_t i;

	if (sockets->n)
		qsort(sockets->list, sockets->n, sizeof(*sockets->list),
		      by_service);
	for (i = 0; i < sockets->n; i++) {
		const struct cw_socket *sock = &sockets->list[i];

		if (!i || by_service(sock - 1, sock)) {
			port = new_port(ports);
			memset(port, 0, sizeof(*port));
			port->netns = netns;
			port->first = i;
			port->v[PORT(DIR)] = sock->v[SOCKET(DIR)];
			port->v[PORT(PORT)] = cw_socket_service(sock);
			ports->n++;
		}
		add_up(port, sock);
	}
}

static int ask(struct cw *cw, struct cw_nl *nl, const struct cw_filter *filter,
	       struct get *get)
{
	struct nlmsghdr *nlh;

	nlh = cw_nl_request(nl, TCP_CLOSE_WAIT_CMD_PORTS_GET, NLM_F_DUMP);
	cw_filter_put(filter, nlh);
	return cw_nl_talk(nl, nlh, "list ports", add_port, get, &cw->err);
}

static int by_port(const void *a, const void *b)
{
	const struct cw_port *left = a, *right = b;
	uint64_t l = left->v[PORT(DIR)] << 16 | left->v[PORT(PORT)];
	uint64_t r = right->v[PORT(DIR)] << 16 | right->v[PORT(PORT)];

	return l < r ? -1 : l > r;
}

/* What was reaped on the ports from @first on, as the kernel counts it. */
static int fill_reaped(struct cw *cw, struct cw_nl *nl, struct cw_ports *ports,
		       size_t first)
{
	const struct cw_filter all = { 0 };
	struct cw_ports known = { 0 };
	struct get get = { .ports = &known };
	int status = ask(cw, nl, &all, &get);

	if (!status && known.n)
		qsort(known.list, known.n, sizeof(*known.list), by_port);
	for (; !status && known.n && first < ports->n; first++) {
		struct cw_port *port = &ports->list[first], *same;

		same = bsearch(port, known.list, known.n, sizeof(*known.list),
			       by_port);
		if (same)
			port->v[PORT(REAPED)] = same->v[PORT(REAPED)];
	}
	cw_ports_free(&known);
	return status;
}

/**
 * cw_ports_get() - the ports whose sockets the user's filter matches
 * @cw: the run
 * @ns: present namespace
 * @arg: struct cw_ports; they are added to these
 *
 * Return: exit status.
 */
int cw_ports_get(struct cw *cw, const struct cw_netns *ns, void *arg)
{
	struct get get = { .ports = arg, .netns = ns->name };
	size_t first = get.ports->n;
	struct cw_sockets sockets = { 0 };
	struct cw_nl nl;
	int status = cw_nl_open(&nl, &cw->err);

	if (!status && cw->opt.filter.given & CW_FILTER_PID) {
		status = cw_sockets_get(cw, &nl, ns, &cw->opt.filter, &sockets);
		cw_ports_make(arg, ns->name, &sockets);
		cw_sockets_free(&sockets);
		if (!status && get.ports->n > first)
			status = fill_reaped(cw, &nl, arg, first);
	} else if (!status) {
		status = ask(cw, &nl, &cw->opt.filter, &get);
	}
	cw_nl_close(&nl);
	return status;
}

static int down(uint64_t left, uint64_t right)
{
	return left > right ? -1 : left < right;
}

/* The worst first; where nothing is left, what was reaped most. */
static int by_harm(const void *a, const void *b)
{
	static const unsigned int keys[] = {
		PORT(SOCKETS), PORT(AGE_MAX_MS), PORT(REAPED),
	};
	const struct cw_port *left = a, *right = b;
	unsigned int i;
	int order = 0;

	for (i = 0; i < MNL_ARRAY_SIZE(keys) && !order; i++)
		order = down(left->v[keys[i]], right->v[keys[i]]);
	if (!order)
		order = down(right->v[PORT(DIR)], left->v[PORT(DIR)]);
	if (!order)
		order = down(right->v[PORT(PORT)], left->v[PORT(PORT)]);
	return order;
}

/**
 * cw_ports_sort() - the worst first: most sockets, then the oldest
 * @ports: sorted
 */
void cw_ports_sort(struct cw_ports *ports)
{
	if (ports->n)
		qsort(ports->list, ports->n, sizeof(*ports->list), by_harm);
}

/**
 * cw_ports_free() - forget ports
 * @ports: is empty afterwards
 */
void cw_ports_free(struct cw_ports *ports)
{
	free(ports->list);
	memset(ports, 0, sizeof(*ports));
}

/**
 * cw_age_tone() - how an age looks
 * @ms: milliseconds
 *
 * Return: the more conspicuous the older.
 */
enum cw_tone cw_age_tone(uint64_t ms)
{
	return ms >= 3600000 ? CW_BAD : ms >= 600000 ? CW_WARN : CW_PLAIN;
}

/**
 * cw_no_sockets() - what is said where there is nothing to show
 * @filter: what the user asked for
 *
 * Return: a sentence.
 */
const char *cw_no_sockets(const struct cw_filter *filter)
{
	return filter->given ? "no socket in CLOSE_WAIT matches" :
			       "no socket is in CLOSE_WAIT";
}
