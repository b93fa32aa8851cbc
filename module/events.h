/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's tracepoint that tells of transitions. */
#ifndef CW_EVENTS_H
#define CW_EVENTS_H

#include <linux/types.h>

int cw_events_attach(void);
void cw_events_detach(void);
bool cw_events_attached(void);

#endif /* CW_EVENTS_H */
