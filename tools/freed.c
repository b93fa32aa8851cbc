// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "alloc.h"
#include "freed.h"
#include "holders.h"
#include "sockets.h"

#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name

#define SHOWN 3		/* processes that are named */

/**
 * struct cw_freed - what several requests have freed
 * @sockets: of those that were reaped the ones that are known
 * @reaped: how many were reaped
 * @ports: how many ephemeral ports are free
 */
struct cw_freed {
	struct cw_sockets sockets;
	uint64_t reaped;
	uint64_t ports;
};

struct cw_freed *cw_freed_new(void)
{
	return cw_alloc(sizeof(struct cw_freed));
}

void cw_freed_free(struct cw_freed *freed)
{
	cw_sockets_free(&freed->sockets);
	free(freed);
}

/**
 * cw_freed_add() - one more request has been answered
 * @freed: all of them
 * @reaped: the answer
 */
void cw_freed_add(struct cw_freed *freed, const struct cw_reaped *reaped)
{
	struct cw_sockets *to = &freed->sockets;
	unsigned int i;

	freed->reaped += reaped->reaped;
	freed->ports += reaped->ports;
	for (i = 0; i < reaped->n_shown; i++) {
		struct cw_socket sock = { 0 };

		sock.v[SOCKET(INODE)] = reaped->shown[i].inode;
		sock.v[SOCKET(FILE_REFS)] = reaped->shown[i].refs;
		to->list = cw_grow(to->list, to->n, &to->room, sizeof(sock));
		to->list[to->n++] = sock;
	}
}

/* Who has how many descriptors of the sockets. */
static void print_counts(struct cw_out *out, const struct cw_holder *holders,
			 size_t n)
{
	size_t i;

	for (i = 0; i < n && i < SHOWN; i++)
		cw_out_text(out, "%s%ju%s in %s (pid %u)",
			    i ? ", " : "; ", (uintmax_t)holders[i].fds,
			    i ? "" : holders[i].fds == 1 ?
			    " descriptor is still open" :
			    " descriptors are still open",
			    holders[i].process->comm, holders[i].process->pid);
}

/* Only who: of most sockets nobody has looked. */
static void print_names(struct cw_out *out, const struct cw_holder *holders,
			size_t n)
{
	size_t i;

	for (i = 0; i < n && i < SHOWN; i++)
		cw_out_text(out, "%s%s (pid %u)",
			    i ? ", " : "; descriptors are still open in ",
			    holders[i].process->comm, holders[i].process->pid);
}

/**
 * cw_freed_print() - say what is free now, and what is not
 * @freed: what was done
 * @out: where to
 *
 * To count the descriptors each one of every process has to be looked at, which
 * takes longer than to reap, so where many were reaped this is left.
 */
void cw_freed_print(const struct cw_freed *freed, struct cw_out *out)
{
	const struct cw_sockets *sockets = &freed->sockets;
	const bool all = sockets->n == freed->reaped;
	struct cw_owners *owners;
	struct cw_holder *holders;
	size_t n;

	if (!freed->reaped)
		return;
	if (freed->ports)
		cw_out_text(out, ", %ju ephemeral %s", (uintmax_t)freed->ports,
			    freed->ports == 1 ? "port free" : "ports free");
	owners = cw_sockets_owners(sockets, !all);
	holders = cw_holders_find(sockets->list, sockets->n, owners, &n);
	if (all)
		print_counts(out, holders, n);
	else
		print_names(out, holders, n);
	if (n > SHOWN)
		cw_out_text(out, ", and others in %zu more processes",
			    n - SHOWN);
	if (!n)
		cw_out_text(out, "; %s",
			    "no process that can be seen from here still has them open");
	free(holders);
	cw_owners_free(owners);
}
