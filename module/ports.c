// SPDX-License-Identifier: GPL-2.0
/* The sockets in CLOSE_WAIT, added up by service port. */
#include <linux/sched.h>
#include <linux/slab.h>

#include "filter.h"
#include "history.h"
#include "netns.h"
#include "ports.h"
#include "sock.h"

static struct cw_port_row *ports_row(struct cw_ports *ports, unsigned long key)
{
	struct cw_port_row *row = xa_load(&ports->rows, key);

	if (row)
		return row;
	row = kzalloc(sizeof(*row), GFP_KERNEL_ACCOUNT);
	if (!row)
		return NULL;
	if (xa_err(xa_store(&ports->rows, key, row, GFP_KERNEL_ACCOUNT))) {
		kfree(row);
		return NULL;
	}
	return row;
}

static int ports_add(struct cw_ports *ports, struct cw_snap *snap,
		     struct cw_filter *filter)
{
	enum cw_dir dir = cw_snap_dir(snap);
	unsigned long key = cw_port_key(dir, cw_snap_service_port(snap));
	struct cw_port_row *row;

	if (!cw_filter_want(snap, filter))
		return 0;
	row = ports_row(ports, key);
	if (!row)
		return -ENOMEM;
	row->sockets++;
	row->inexact += !(snap->flags & CW_F_EXACT);
	row->class[snap->class]++;
	row->age[cw_age_bucket(snap->age)]++;
	row->rx_bytes += snap->rx_bytes;
	row->tx_bytes += snap->tx_bytes;
	row->age_max = max(row->age_max, snap->age);
	row->idle_max = max(row->idle_max, snap->idle);
	return 0;
}

/* A port without sockets gets a row if the filter asks for ports alone. */
static int ports_add_reaped(struct cw_ports *ports, unsigned long key,
			    u64 reaped, const struct cw_filter *filter)
{
	struct cw_port_row *row = xa_load(&ports->rows, key);

	if (!row && !cw_filter_want_port(filter, cw_port_key_dir(key),
					 cw_port_key_port(key)))
		return 0;
	row = ports_row(ports, key);
	if (!row)
		return -ENOMEM;
	row->reaped = reaped;
	return 0;
}

static int ports_add_history(struct cw_ports *ports, struct cw_net *cn,
			     const struct cw_filter *filter)
{
	struct cw_history_row *rows;
	unsigned int n, i;
	int err = 0;

	rows = kmalloc_array(CW_HISTORY_ROWS, sizeof(*rows), GFP_KERNEL_ACCOUNT);
	if (!rows)
		return -ENOMEM;
	n = cw_history_read(&cn->history, rows);
	for (i = 0; i < n && !err; i++)
		err = ports_add_reaped(ports, rows[i].key, rows[i].reaped,
				       filter);
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
	struct cw_snap *snap;
	struct cw_iter it;
	unsigned int n, i;
	int err = 0;

	snap = kmalloc_array(CW_BATCH, sizeof(*snap), GFP_KERNEL_ACCOUNT);
	if (!snap)
		return -ENOMEM;
	cw_iter_start(&it, cn);
	while (!err && cw_iter_next(&it, snap, &n, cw_filter_may, filter)) {
		for (i = 0; i < n; i++) {
			if (!err)
				err = ports_add(ports, &snap[i], filter);
			sock_put(snap[i].sk);
		}
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	cw_iter_stop(&it);
	kfree(snap);
	return err ?: ports_add_history(ports, cn, filter);
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
