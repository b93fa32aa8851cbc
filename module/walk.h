/* SPDX-License-Identifier: GPL-2.0 */
/* The search of the kernel's TCP tables for sockets that are not tracked. */
#ifndef CW_WALK_H
#define CW_WALK_H

#include <linux/types.h>

void cw_walk_start(bool periodic);
void cw_walk_stop(void);
void cw_walk_request(void);
void cw_walk_soon(void);

#endif /* CW_WALK_H */
