/* SPDX-License-Identifier: GPL-2.0 */
/* Which processes have which sockets open. */
#ifndef CW_OWNERS_H
#define CW_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Of each socket or service, in text. */
#define CW_PROCESSES_SHOWN 3

struct cw_process {
	uint32_t pid;
	char comm[64];
};

/**
 * struct cw_owner - a descriptor of a socket
 * @inode: of the socket
 * @process: index of the process
 * @fd: the descriptor
 * @next: index of the socket's next owner, 0 if there is none
 */
struct cw_owner {
	uint64_t inode;
	uint32_t process;
	uint32_t fd;
	uint32_t next;
};

struct cw_owners;

struct cw_owners *cw_owners_new(void);
void cw_owners_free(struct cw_owners *owners);
void cw_owners_want(struct cw_owners *owners, uint64_t inode, uint32_t refs);
void cw_owners_scan(struct cw_owners *owners, bool some);
int cw_owners_scan_pid(struct cw_owners *owners, uint64_t pid,
		       struct cw_error *err);
const struct cw_owner *cw_owners_first(const struct cw_owners *owners,
				       uint64_t inode);
const struct cw_owner *cw_owners_next(const struct cw_owners *owners,
				      const struct cw_owner *owner);
const struct cw_process *cw_owners_process(const struct cw_owners *owners,
					   const struct cw_owner *owner);
size_t cw_owners_processes(const struct cw_owners *owners);

#endif /* CW_OWNERS_H */
