/* SPDX-License-Identifier: GPL-2.0 */
/* The generic netlink family. */
#ifndef CW_NETLINK_H
#define CW_NETLINK_H

#include <linux/types.h>

#include "rows.h"
#include "tracker.h"

struct cw_request;
struct net;

int cw_netlink_init(void);
void cw_netlink_exit(void);
bool cw_netlink_heard(struct net *net);
void cw_netlink_reaped(struct net *net, const struct cw_row *row,
		       enum cw_stat stat, int err);
void cw_netlink_answer(struct net *net, struct cw_request *rq);

#endif /* CW_NETLINK_H */
