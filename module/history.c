// SPDX-License-Identifier: GPL-2.0
/* Which ports were reaped from: the latest 256, and the sum of the others. */
#include <linux/err.h>
#include <linux/slab.h>

#include "history.h"

struct history_port {
	struct list_head recent;
	unsigned long key;
	u64 reaped;
};

static void history_forget(struct cw_history *h, struct history_port *p)
{
	h->older[cw_port_key_dir(p->key)] += p->reaped;
	list_del(&p->recent);
	xa_erase(&h->ports, p->key);
	h->count--;
	kfree(p);
}

static struct history_port *history_new(struct cw_history *h, unsigned long key)
{
	struct history_port *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	p->key = key;
	if (xa_err(xa_store(&h->ports, key, p, GFP_KERNEL_ACCOUNT))) {
		kfree(p);
		return NULL;
	}
	list_add(&p->recent, &h->recent);
	if (++h->count > CW_HISTORY_PORTS)
		history_forget(h, list_last_entry(&h->recent,
						  struct history_port, recent));
	return p;
}

/* The port's row, now the latest; mostly it has been that before. */
static struct history_port *history_find(struct cw_history *h,
					 unsigned long key)
{
	struct history_port *p = list_first_entry_or_null(&h->recent,
							  struct history_port,
							  recent);

	if (p && p->key == key)
		return p;
	p = xa_load(&h->ports, key);
	if (p)
		list_move(&p->recent, &h->recent);
	return p;
}

/**
 * cw_history_add() - a socket was reaped
 * @h: its namespace's history
 * @dir: its direction
 * @port: its service port
 *
 * If memory is short, it is counted among the older ports.
 *
 * Context: process context, may sleep.
 */
void cw_history_add(struct cw_history *h, enum cw_dir dir, u16 port)
{
	const unsigned long key = cw_port_key(dir, port);
	struct history_port *p;

	mutex_lock(&h->lock);
	p = history_find(h, key) ?: history_new(h, key);
	if (p)
		p->reaped++;
	else
		h->older[dir]++;
	mutex_unlock(&h->lock);
}

static unsigned int history_rows(const struct cw_history *h)
{
	return h->count + !!h->older[CW_DIR_IN] + !!h->older[CW_DIR_OUT];
}

/**
 * cw_history_read() - what every port was reaped from
 * @h: a namespace's history
 * @n: gets how many rows there are
 *
 * Context: process context, may sleep.
 *
 * Return: the rows in no order, to be freed with kfree(), the older ports as port
 * 0; NULL if there are none; or ERR_PTR(-ENOMEM).
 */
struct cw_history_row *cw_history_read(struct cw_history *h, unsigned int *n)
{
	struct cw_history_row *rows = NULL;
	unsigned int room = 0, dir;
	struct history_port *p;

	*n = 0;
	mutex_lock(&h->lock);
	while (room < history_rows(h)) {
		room = history_rows(h);
		/* a reader that has to wait for memory must not keep the reaper waiting */
		mutex_unlock(&h->lock);
		kfree(rows);
		rows = kmalloc_array(room, sizeof(*rows), GFP_KERNEL_ACCOUNT);
		if (!rows)
			return ERR_PTR(-ENOMEM);
		mutex_lock(&h->lock);
	}
	for (dir = 0; dir < CW_NDIR; dir++)
		if (h->older[dir])
			rows[(*n)++] = (struct cw_history_row) {
				.key = cw_port_key(dir, 0),
				.reaped = h->older[dir],
			};
	list_for_each_entry(p, &h->recent, recent)
		rows[(*n)++] = (struct cw_history_row) {
			.key = p->key,
			.reaped = p->reaped,
		};
	mutex_unlock(&h->lock);
	return rows;
}

/**
 * cw_history_init() - an empty history
 * @h: of a new namespace
 */
void cw_history_init(struct cw_history *h)
{
	mutex_init(&h->lock);
	xa_init_flags(&h->ports, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&h->recent);
}

/**
 * cw_history_exit() - free a history
 * @h: nobody uses it any more
 */
void cw_history_exit(struct cw_history *h)
{
	struct history_port *p, *next;

	list_for_each_entry_safe(p, next, &h->recent, recent)
		history_forget(h, p);
	xa_destroy(&h->ports);
}
