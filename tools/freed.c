// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel tells how many it has reaped, not which.  They are among those that
 * were in CLOSE_WAIT before and are not any more; some of these the application
 * may have closed itself, but then no descriptor of them is left.
 */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "freed.h"
#include "holders.h"
#include "policy.h"

#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name

#define SHOWN 3		/* processes that are named */

struct cw_freed {
	struct cw_sockets gone;
	uint64_t ports;
};

struct cw_freed *cw_freed_new(void)
{
	return cw_alloc(sizeof(struct cw_freed));
}

void cw_freed_free(struct cw_freed *freed)
{
	cw_sockets_free(&freed->gone);
	free(freed);
}

static int by_cookie(const void *a, const void *b)
{
	const struct cw_socket *left = a, *right = b;
	uint64_t l = left->v[SOCKET(COOKIE)], r = right->v[SOCKET(COOKIE)];

	return l < r ? -1 : l > r;
}

/*
 * Did the kernel choose the local port?  So it looks; what it cannot tell is a
 * port from the same range that the application bound itself.
 */
static bool is_ephemeral(const struct cw_socket *sock,
			 const struct cw_range *range)
{
	uint64_t port = sock->v[SOCKET(LOCAL_PORT)];

	return sock->v[SOCKET(DIR)] == TCP_CLOSE_WAIT_DIR_OUT &&
	       port >= range->first && port <= range->last;
}

/**
 * cw_freed_add() - the sockets that have gone in one namespace
 * @freed: they are added to these
 * @before: those in CLOSE_WAIT before the reap
 * @after: those after it
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_freed_add(struct cw_freed *freed, const struct cw_sockets *before,
		 const struct cw_sockets *after, struct cw_error *err)
{
	struct cw_sockets *gone = &freed->gone;
	struct cw_range range;
	bool used[UINT16_MAX + 1] = { false };
	int status = cw_ephemeral_read(&range, err);
	size_t i;

	if (status)
		return status;
	if (after->n)
		qsort(after->list, after->n, sizeof(*after->list), by_cookie);
	for (i = 0; i < before->n; i++) {
		const struct cw_socket *sock = &before->list[i];
		uint16_t port = sock->v[SOCKET(LOCAL_PORT)];

		if (after->n && bsearch(sock, after->list, after->n,
					sizeof(*sock), by_cookie))
			continue;
		gone->list = cw_grow(gone->list, gone->n, &gone->room,
				     sizeof(*sock));
		gone->list[gone->n++] = *sock;
		freed->ports += is_ephemeral(sock, &range) && !used[port];
		used[port] |= is_ephemeral(sock, &range);
	}
	return CW_DONE;
}

/* Descriptors that are still open; false if none is to be seen. */
static bool print_holders(struct cw_out *out, const struct cw_sockets *sockets)
{
	struct cw_owners *owners = cw_sockets_owners(sockets);
	struct cw_holder *holders;
	size_t n, i;

	holders = cw_holders_find(sockets->list, sockets->n, owners, &n);
	for (i = 0; i < n && i < SHOWN; i++)
		cw_out_text(out, "%s%ju%s in %s (pid %u)",
			    i ? ", " : "; ", (uintmax_t)holders[i].fds,
			    i ? "" : holders[i].fds == 1 ?
			    " descriptor is still open" :
			    " descriptors are still open",
			    holders[i].process->comm, holders[i].process->pid);
	if (n > SHOWN)
		cw_out_text(out, ", and others in %zu more processes",
			    n - SHOWN);
	free(holders);
	cw_owners_free(owners);
	return n;
}

/**
 * cw_freed_print() - say what is free now, and what is not
 * @freed: what has gone
 * @reaped: how many were reaped
 * @out: where to
 */
void cw_freed_print(struct cw_freed *freed, uint64_t reaped,
		    struct cw_out *out)
{
	uint64_t ports = freed->ports < reaped ? freed->ports : reaped;

	if (!reaped)
		return;
	if (ports)
		cw_out_text(out, ", %ju ephemeral %s itself)", (uintmax_t)ports,
			    ports == 1 ?
			    "port free (unless the application bound it" :
			    "ports free (unless the application bound them");
	if (!print_holders(out, &freed->gone))
		cw_out_text(out, "; %s until the application closes them",
			    "the descriptors, which cannot be seen from here, stay open");
}
