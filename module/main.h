/* SPDX-License-Identifier: GPL-2.0 */
/* What the whole module shares. */
#ifndef CW_MAIN_H
#define CW_MAIN_H

#include <linux/types.h>

struct workqueue_struct;

extern struct workqueue_struct *cw_wq;

u32 cw_default_timeout(void);

#endif /* CW_MAIN_H */
