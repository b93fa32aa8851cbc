/* SPDX-License-Identifier: GPL-2.0 */
/* Which sockets a command is about. */
#ifndef CW_FILTER_H
#define CW_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <libmnl/libmnl.h>

#include "value.h"

/**
 * struct cw_filter - what a socket must be like; all that is given must match
 * @given: bit by bit, which of CW_FILTER_*
 * @port: service ports
 * @dir: direction
 * @peer: remote address
 * @local: local address
 * @classes: any of these, bit by bit
 * @older_than: age of at least so many seconds
 * @idle: without progress for at least so many seconds
 * @uid: owner
 * @pid: a process that has it open
 * @cgroup: id of a cgroup v2
 */
struct cw_filter {
	unsigned int given;
	struct cw_range port;
	unsigned int dir;
	struct cw_prefix peer;
	struct cw_prefix local;
	uint32_t classes;
	uint64_t older_than;
	uint64_t idle;
	uint32_t uid;
	uint64_t pid;
	uint64_t cgroup;
};

enum {
	CW_FILTER_PORT = 1 << 0,
	CW_FILTER_DIR = 1 << 1,
	CW_FILTER_PEER = 1 << 2,
	CW_FILTER_LOCAL = 1 << 3,
	CW_FILTER_CLASS = 1 << 4,
	CW_FILTER_OLDER_THAN = 1 << 5,
	CW_FILTER_IDLE = 1 << 6,
	CW_FILTER_UID = 1 << 7,
	CW_FILTER_PID = 1 << 8,
	CW_FILTER_CGROUP = 1 << 9,
};

void cw_filter_put(const struct cw_filter *filter, struct nlmsghdr *nlh);

#endif /* CW_FILTER_H */
