/* SPDX-License-Identifier: GPL-2.0 */
/* Network namespaces of the host. */
#ifndef CW_NETNS_H
#define CW_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/**
 * struct cw_netns - a network namespace
 * @name: how it is shown: a name, "host" for that of process 1, or net:[inode];
 *	NULL if it is the only one, and need not be shown
 * @given: what the user called it, or NULL
 * @option: what to type to get there: "-n NAME ", or nothing
 * @fd: open on it, or -1 for the one we are in
 * @dev: device and
 * @ino: inode by which it is known; 0 if it is the only one
 */
struct cw_netns {
	char *name;
	char *given;
	char *option;
	int fd;
	dev_t dev;
	ino_t ino;
};

struct cw_netnses {
	struct cw_netns *list;
	size_t n, room;
};

int cw_netns_one(struct cw_netnses *all, const char *name,
		 struct cw_error *err);
int cw_netns_all(struct cw_netnses *all, struct cw_error *err);
bool cw_netns_same(const struct cw_netns *a, const struct cw_netns *b);
int cw_netns_enter(const struct cw_netns *ns, struct cw_error *err);
void cw_netns_free(struct cw_netnses *all);

#endif /* CW_NETNS_H */
