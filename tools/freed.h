/* SPDX-License-Identifier: GPL-2.0 */
/* What a reap has freed, and what it has not. */
#ifndef CW_FREED_H
#define CW_FREED_H

#include "answer.h"
#include "out.h"

struct cw_freed;

struct cw_freed *cw_freed_new(void);
void cw_freed_free(struct cw_freed *freed);
void cw_freed_add(struct cw_freed *freed, const struct cw_reaped *reaped);
void cw_freed_print(const struct cw_freed *freed, struct cw_out *out);

#endif /* CW_FREED_H */
