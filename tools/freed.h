/* SPDX-License-Identifier: GPL-2.0 */
/* What a reap has freed, and what it has not. */
#ifndef CW_FREED_H
#define CW_FREED_H

#include "out.h"
#include "sockets.h"

struct cw_freed;

struct cw_freed *cw_freed_new(void);
void cw_freed_free(struct cw_freed *freed);
int cw_freed_add(struct cw_freed *freed, const struct cw_sockets *before,
		 const struct cw_sockets *after, struct cw_error *err);
void cw_freed_print(struct cw_freed *freed, uint64_t reaped,
		    struct cw_out *out);

#endif /* CW_FREED_H */
