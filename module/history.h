/* SPDX-License-Identifier: GPL-2.0 */
/* Which ports were reaped from. */
#ifndef CW_HISTORY_H
#define CW_HISTORY_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "rules.h"

#define CW_HISTORY_PORTS	256

/**
 * struct cw_history_row - a port that was reaped from
 * @key: what cw_port_key() says
 * @reaped: how often
 */
struct cw_history_row {
	unsigned long key;
	u64 reaped;
};

/**
 * struct cw_history - the ports of a namespace that were most recently reaped from
 * @lock: guards all here
 * @ports: struct history_port by cw_port_key()
 * @recent: the same, latest first
 * @count: how many
 * @older: reaps from ports that have dropped out, by direction
 */
struct cw_history {
	struct mutex lock;	/* guards all here */
	struct xarray ports;
	struct list_head recent;
	unsigned int count;
	u64 older[CW_NDIR];
};

/**
 * cw_port_key() - a direction and service port as a number that sorts
 * @dir: the direction
 * @port: the port
 *
 * Return: the number.
 */
static inline unsigned long cw_port_key(enum cw_dir dir, u16 port)
{
	return (unsigned long)dir << 16 | port;
}

static inline enum cw_dir cw_port_key_dir(unsigned long key)
{
	return key >> 16 ? CW_DIR_OUT : CW_DIR_IN;
}

static inline u16 cw_port_key_port(unsigned long key)
{
	return key & U16_MAX;
}

void cw_history_init(struct cw_history *h);
void cw_history_exit(struct cw_history *h);
void cw_history_add(struct cw_history *h, enum cw_dir dir, u16 port);
struct cw_history_row *cw_history_read(struct cw_history *h, unsigned int *n);

#endif /* CW_HISTORY_H */
