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
 * @last_key: its key
 */
struct ports_fill {
	struct cw_ports *ports;
	struct cw_filter *filter;
	struct cw_port_row *last;
	unsigned long last_key;
};

static struct cw_port_row *ports_find(struct ports_fill *fill, unsigned long key)
{
	if (fill->last && fill->last_key == key)
		return fill->last;
	fill->last = xa_load(&fill->ports->rows, key);
	fill->last_key = key;
	return fill->last;
}

static struct cw_port_row *ports_row(struct ports_fill *fill, unsigned long key)
{
	struct cw_port_row *row = ports_find(fill, key);

	if (row)
		return row;
	row = kzalloc(sizeof(*row), GFP_KERNEL_ACCOUNT);
	if (!row)
		return NULL;
	if (xa_err(xa_store(&fill->ports->rows, key, row, GFP_KERNEL_ACCOUNT))) {
		kfree(row);
		return NULL;
	}
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
	xa_init_flags(&ports->rows, XA_FLAGS_ACCOUNT);
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
 * cw_ports_clear() - free the rows
 * @ports: the table, empty afterwards
 */
void cw_ports_clear(struct cw_ports *ports)
{
	struct cw_port_row *row;
	unsigned long key;

	xa_for_each(&ports->rows, key, row) {
		kfree(row);
		cond_resched();
	}
	xa_destroy(&ports->rows);
}
