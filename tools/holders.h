/* SPDX-License-Identifier: GPL-2.0 */
/* How many descriptors of some sockets each process has. */
#ifndef CW_HOLDERS_H
#define CW_HOLDERS_H

#include "answer.h"
#include "owners.h"

struct cw_holder {
	const struct cw_process *process;
	uint64_t fds;
};

struct cw_holder *cw_holders_find(const struct cw_socket *sockets, size_t n,
				  const struct cw_owners *owners,
				  size_t *found);

#endif /* CW_HOLDERS_H */
