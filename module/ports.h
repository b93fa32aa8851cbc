/* SPDX-License-Identifier: GPL-2.0 */
/* The sockets in CLOSE_WAIT, added up by service port. */
#ifndef CW_PORTS_H
#define CW_PORTS_H

#include <linux/rbtree.h>
#include <linux/types.h>

#include "classify.h"

struct cw_filter;
struct cw_net;

/**
 * struct cw_port_row - a direction and service port
 * @node: place in the table
 * @key: what cw_port_key() says
 * @sockets: in CLOSE_WAIT now
 * @inexact: of those, with an age that is a lower bound
 * @class: of those, by enum cw_class
 * @age: of those, by cw_age_bucket()
 * @rx_bytes: not yet read, of all
 * @tx_bytes: not yet acknowledged, of all
 * @age_max: nanoseconds
 * @idle_max: nanoseconds
 * @reaped: as long as the port is remembered, see history.h
 */
struct cw_port_row {
	struct rb_node node;
	unsigned long key;
	u32 sockets;
	u32 inexact;
	u32 class[CW_NCLASS];
	u32 age[CW_NAGE];
	u64 rx_bytes;
	u64 tx_bytes;
	u64 age_max;
	u64 idle_max;
	u64 reaped;
};

/**
 * struct cw_ports - a table of them, sorted by direction, then port
 * @rows: struct cw_port_row by @key
 */
struct cw_ports {
	struct rb_root rows;
};

void cw_ports_init(struct cw_ports *ports);
int cw_ports_fill(struct cw_ports *ports, struct cw_net *cn,
		  struct cw_filter *filter);
const struct cw_port_row *cw_ports_first(const struct cw_ports *ports);
const struct cw_port_row *cw_ports_next(const struct cw_port_row *row);
void cw_ports_clear(struct cw_ports *ports);

#endif /* CW_PORTS_H */
