// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "alloc.h"
#include "holders.h"

static int by_fds(const void *a, const void *b)
{
	const struct cw_holder *left = a, *right = b;

	if (left->fds != right->fds)
		return left->fds > right->fds ? -1 : 1;
	return left->process->pid < right->process->pid ? -1 :
	       left->process->pid > right->process->pid;
}

/**
 * cw_holders_find() - which processes have these sockets open
 * @sockets: the sockets
 * @n: how many
 * @owners: the owners of these, and maybe of others
 * @found: gets how many processes there are
 *
 * Return: the processes, those with the most descriptors first; to be freed.
 */
struct cw_holder *cw_holders_find(const struct cw_socket *sockets, size_t n,
				  const struct cw_owners *owners,
				  size_t *found)
{
	struct cw_holder *holders;
	size_t i, room = cw_owners_processes(owners);

	holders = cw_alloc(room * sizeof(*holders));
	for (i = 0; i < n; i++) {
		uint64_t inode = sockets[i].v[TCP_CLOSE_WAIT_A_SOCKET_INODE];
		const struct cw_owner *owner = cw_owners_first(owners, inode);

		for (; owner; owner = cw_owners_next(owners, owner)) {
			struct cw_holder *holder = &holders[owner->process];

			holder->process = cw_owners_process(owners, owner);
			holder->fds++;
		}
	}
	for (*found = 0, i = 0; i < room; i++)
		if (holders[i].fds)
			holders[(*found)++] = holders[i];
	qsort(holders, *found, sizeof(*holders), by_fds);
	return holders;
}
