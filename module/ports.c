// SPDX-License-Identifier: GPL-2.0
/* The sockets in CLOSE_WAIT, added up by service port. */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "filter.h"
#include "history.h"
#include "netns.h"
#include "ports.h"
#include "sock.h"

/**
 * struct ports_fill - a table that is being filled
 * @ports: the table
 * @filter: which sockets
 * @last: the row that was used last: the next socket's is most often the same
 */
struct ports_fill {
	struct cw_ports *ports;
	struct cw_filter *filter;
	struct cw_port_row *last;
};

static struct cw_port_row *row_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct cw_port_row, node);
}

/* Where a row is, or would be: below @parent. */
static struct rb_node **ports_place(struct cw_ports *ports, unsigned long key,
				    struct rb_node **parent)
{
	struct rb_node **place = &ports->rows.rb_node;

	*parent = NULL;
	while (*place && row_of(*place)->key != key) {
		*parent = *place;
		place = key < row_of(*place)->key ? &(*place)->rb_left :
						    &(*place)->rb_right;
	}
	return place;
}

static struct cw_port_row *ports_find(struct ports_fill *fill, unsigned long key)
{
	struct rb_node *parent;

	if (!fill->last || fill->last->key != key)
		fill->last = row_of(*ports_place(fill->ports, key, &parent));
	return fill->last;
}

static struct cw_port_row *ports_row(struct ports_fill *fill, unsigned long key)
{
	struct cw_port_row *row = ports_find(fill, key);
	struct rb_node **place, *parent;

	if (row)
		return row;
	row = kzalloc(sizeof(*row), GFP_KERNEL_ACCOUNT);
	if (!row)
		return NULL;
	row->key = key;
	place = ports_place(fill->ports, key, &parent);
	rb_link_node(&row->node, parent, place);
	rb_insert_color(&row->node, &fill->ports->rows);
	fill->last = row;
	return row;
}

static unsigned long ports_key(const struct cw_snap *snap)
{
	return cw_port_key(cw_snap_decided_dir(snap),
			   cw_snap_service_port(snap));
}

static void ports_count(struct cw_port_row *row, const struct cw_snap *snap)
{
	row->sockets++;
	row->inexact += !(snap->flags & CW_F_EXACT);
	row->class[snap->class]++;
	row->age[cw_age_bucket(snap->age)]++;
	row->rx_bytes += snap->rx_bytes;
	row->tx_bytes += snap->tx_bytes;
	row->age_max = max(row->age_max, snap->age);
	row->idle_max = max(row->idle_max, snap->idle);
}

/*
 * Counts a socket at once, under the shard's lock, if nothing is left to be
 * decided and its port has a row.  Only the others are copied.
 */
static bool ports_want(const struct cw_snap *snap, void *arg)
{
	struct ports_fill *fill = arg;
	struct cw_port_row *row;

	if (!cw_filter_may(snap, fill->filter))
		return false;
	if (fill->filter->cgroup || !(snap->flags & CW_F_DIR))
		return true;
	row = ports_find(fill, ports_key(snap));
	if (!row)
		return true;
	ports_count(row, snap);
	return false;
}

static int ports_add(struct ports_fill *fill, struct cw_snap *snap)
{
	struct cw_port_row *row;

	if (!cw_filter_want(snap, fill->filter))
		return 0;
	row = ports_row(fill, ports_key(snap));
	if (!row)
		return -ENOMEM;
	ports_count(row, snap);
	return 0;
}

/* A port without sockets gets a row if the filter asks for ports alone. */
static int ports_add_reaped(struct ports_fill *fill, unsigned long key,
			    u64 reaped)
{
	struct cw_port_row *row = ports_find(fill, key);

	if (!row && !cw_filter_want_port(fill->filter, cw_port_key_dir(key),
					 cw_port_key_port(key)))
		return 0;
	row = ports_row(fill, key);
	if (!row)
		return -ENOMEM;
	row->reaped = reaped;
	return 0;
}

static int ports_add_history(struct ports_fill *fill, struct cw_net *cn)
{
	struct cw_history_row *rows;
	unsigned int n, i;
	int err = 0;

	rows = cw_history_read(&cn->history, &n);
	if (IS_ERR(rows))
		return PTR_ERR(rows);
	for (i = 0; i < n && !err; i++)
		err = ports_add_reaped(fill, rows[i].key, rows[i].reaped);
	kfree(rows);
	return err;
}

/**
 * cw_ports_init() - an empty table
 * @ports: the table
 */
void cw_ports_init(struct cw_ports *ports)
{
	ports->rows = RB_ROOT;
}

/**
 * cw_ports_fill() - add up a namespace's sockets
 * @ports: an empty table
 * @cn: the namespace, which the caller keeps alive
 * @filter: which sockets
 *
 * The ports of the past are in it too, if @filter asks for nothing that only a
 * socket has.
 *
 * Context: process context, may sleep.
 *
 * Return: 0, -ENOMEM, or -EINTR if the reader is being killed.
 */
int cw_ports_fill(struct cw_ports *ports, struct cw_net *cn,
		  struct cw_filter *filter)
{
	struct ports_fill fill = { .ports = ports, .filter = filter };
	struct cw_snap *snap;
	struct cw_iter it;
	unsigned int n, i;
	int err = 0;

	snap = kmalloc_array(CW_BATCH, sizeof(*snap), GFP_KERNEL_ACCOUNT);
	if (!snap)
		return -ENOMEM;
	cw_iter_start(&it, cn);
	while (!err && cw_iter_next(&it, snap, &n, ports_want, &fill)) {
		for (i = 0; i < n; i++) {
			if (!err)
				err = ports_add(&fill, &snap[i]);
			sock_put(snap[i].sk);
		}
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	cw_iter_stop(&it);
	kfree(snap);
	return err ?: ports_add_history(&fill, cn);
}

/**
 * cw_ports_first() - the first row
 * @ports: the table
 *
 * Return: the row, or NULL if there is none.
 */
const struct cw_port_row *cw_ports_first(const struct cw_ports *ports)
{
	return row_of(rb_first(&ports->rows));
}

/**
 * cw_ports_next() - the next row
 * @row: a row of a table
 *
 * Return: the row behind it, or NULL if there is none.
 */
const struct cw_port_row *cw_ports_next(const struct cw_port_row *row)
{
	return row_of(rb_next(&row->node));
}

/**
 * cw_ports_clear() - free the rows
 * @ports: the table, empty afterwards
 */
void cw_ports_clear(struct cw_ports *ports)
{
	struct cw_port_row *row, *next;

	rbtree_postorder_for_each_entry_safe(row, next, &ports->rows, node) {
		kfree(row);
		cond_resched();
	}
	ports->rows = RB_ROOT;
}
