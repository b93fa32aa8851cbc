// SPDX-License-Identifier: GPL-2.0
/*
 * The tables in /proc/net/tcp_close_wait.
 *
 * A reader keeps its namespace alive, and between two read() calls no socket:
 * rows are copied into what it has allocated.  In the list of sockets it leaves
 * a cursor, so that the next read() goes on where the last one ended at no
 * cost, whatever has come and gone meanwhile.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "compat/compat.h"
#include "filter.h"
#include "history.h"
#include "main.h"
#include "netns.h"
#include "ports.h"
#include "proc.h"
#include "rows.h"
#include "tracker.h"

/*
 * The entry in /proc goes away, and waits for us, before cn does, but the
 * namespace may be past its end by now.
 */
static struct cw_net *proc_get_net(struct inode *inode)
{
	struct cw_net *cn = pde_data(inode);

	return maybe_get_net(cn->net) ? cn : NULL;
}

/* ---- ports ------------------------------------------------------------- */

/**
 * struct ports_reader - an open file
 * @cn: its namespace, with a reference
 * @ports: the table, made when the reading begins
 * @row: the row at @pos, or NULL behind the last one
 * @pos: position in the file; the header is at 0
 */
struct ports_reader {
	struct cw_net *cn;
	struct cw_ports ports;
	const struct cw_port_row *row;
	loff_t pos;
};

static void *ports_row_at(struct ports_reader *r, loff_t pos)
{
	if (pos < r->pos || r->pos < 1) {
		r->row = cw_ports_first(&r->ports);
		r->pos = 1;
	}
	for (; r->row && r->pos < pos; r->pos++)
		r->row = cw_ports_next(r->row);
	return (void *)r->row;
}

static void *ports_start(struct seq_file *m, loff_t *pos)
{
	struct ports_reader *r = m->private;
	struct cw_filter all;
	int err;

	if (*pos)
		return ports_row_at(r, *pos);
	cw_ports_clear(&r->ports);
	r->pos = 0;
	cw_filter_init(&all);
	err = cw_ports_fill(&r->ports, r->cn, &all);
	return err ? ERR_PTR(err) : SEQ_START_TOKEN;
}

static void *ports_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return ports_row_at(m->private, *pos);
}

static void ports_stop(struct seq_file *m, void *v)
{
}

static void ports_put(struct seq_file *m, u64 number)
{
	seq_put_decimal_ull(m, " ", number);
}

static int ports_show(struct seq_file *m, void *v)
{
	const struct cw_port_row *row = v;
	unsigned int i;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "dir port sockets unaccepted sending unread unnoticed held rx_bytes tx_bytes age_max_ms idle_max_ms lt_1s lt_10s lt_1m lt_10m lt_1h ge_1h inexact reaped\n");
		return 0;
	}
	seq_puts(m, cw_dir_name(cw_port_key_dir(row->key)));
	ports_put(m, cw_port_key_port(row->key));
	ports_put(m, row->sockets);
	for (i = 0; i < CW_NCLASS; i++)
		ports_put(m, row->class[i]);
	ports_put(m, row->rx_bytes);
	ports_put(m, row->tx_bytes);
	ports_put(m, cw_ms(row->age_max));
	ports_put(m, cw_ms(row->idle_max));
	for (i = 0; i < CW_NAGE; i++)
		ports_put(m, row->age[i]);
	ports_put(m, row->inexact);
	ports_put(m, row->reaped);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations ports_seq_ops = {
	.start = ports_start,
	.next = ports_next,
	.stop = ports_stop,
	.show = ports_show,
};

static int ports_open(struct inode *inode, struct file *file)
{
	struct cw_net *cn = proc_get_net(inode);
	struct ports_reader *r;

	if (!cn)
		return -ENXIO;
	r = __seq_open_private(file, &ports_seq_ops, sizeof(*r));
	if (!r) {
		put_net(cn->net);
		return -ENOMEM;
	}
	r->cn = cn;
	cw_ports_init(&r->ports);
	return 0;
}

static int ports_release(struct inode *inode, struct file *file)
{
	struct ports_reader *r = ((struct seq_file *)file->private_data)->private;

	cw_ports_clear(&r->ports);
	put_net(r->cn->net);
	return seq_release_private(inode, file);
}

static const struct proc_ops ports_proc_ops = {
	.proc_open = ports_open,
	.proc_read_iter = seq_read_iter,
	.proc_lseek = seq_lseek,
	.proc_release = ports_release,
};

/* ---- sockets ----------------------------------------------------------- */

/**
 * struct sockets_reader - an open file
 * @cn: its namespace, with a reference
 * @all: matches every socket
 * @started: @rows is in use
 * @pos: position in the file of the first of @rows; the header is at 0
 * @rows: the rows at hand
 */
struct sockets_reader {
	struct cw_net *cn;
	struct cw_filter all;
	bool started;
	loff_t pos;
	struct cw_rows rows;
};

static void sockets_restart(struct sockets_reader *r)
{
	if (r->started)
		cw_rows_stop(&r->rows);
	cw_filter_init(&r->all);
	cw_rows_start(&r->rows, r->cn, &r->all);
	r->started = true;
	r->pos = 1;
}

static void *sockets_row_at(struct sockets_reader *r, loff_t pos)
{
	if (!r->started || pos < r->pos)
		sockets_restart(r);
	while (pos >= r->pos + r->rows.n) {
		int n;

		r->pos += r->rows.n;
		n = cw_rows_next(&r->rows);
		if (n <= 0)
			return ERR_PTR(n);
	}
	return &r->rows.row[pos - r->pos];
}

static void *sockets_start(struct seq_file *m, loff_t *pos)
{
	struct sockets_reader *r = m->private;

	if (*pos)
		return sockets_row_at(r, *pos);
	sockets_restart(r);
	return SEQ_START_TOKEN;
}

static void *sockets_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return sockets_row_at(m->private, *pos);
}

static void sockets_stop(struct seq_file *m, void *v)
{
}

static int sockets_show(struct seq_file *m, void *v)
{
	const struct cw_row *row = v;
	struct cw_endpoint local, remote;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "dir local remote age_ms exact idle_ms class rx_bytes tx_bytes uid inode cookie cgroup\n");
		return 0;
	}
	cw_flow_local(&row->flow, &local);
	cw_flow_remote(&row->flow, &remote);
	seq_printf(m, "%s %s %s %llu %d %llu %s %u %u %u %lu %llx %llu\n",
		   cw_dir_name(row->dir), local.text, remote.text,
		   cw_ms(row->age), row->exact, cw_ms(row->idle),
		   cw_class_name(row->class), row->rx_bytes, row->tx_bytes,
		   from_kuid_munged(seq_user_ns(m), row->uid), row->inode,
		   row->cookie, row->cgroup);
	return 0;
}

static const struct seq_operations sockets_seq_ops = {
	.start = sockets_start,
	.next = sockets_next,
	.stop = sockets_stop,
	.show = sockets_show,
};

static int sockets_open(struct inode *inode, struct file *file)
{
	struct cw_net *cn = proc_get_net(inode);
	struct sockets_reader *r;

	if (!cn)
		return -ENXIO;
	r = __seq_open_private(file, &sockets_seq_ops, sizeof(*r));
	if (!r) {
		put_net(cn->net);
		return -ENOMEM;
	}
	r->cn = cn;
	return 0;
}

static int sockets_release(struct inode *inode, struct file *file)
{
	struct sockets_reader *r = ((struct seq_file *)file->private_data)->private;

	if (r->started)
		cw_rows_stop(&r->rows);
	put_net(r->cn->net);
	return seq_release_private(inode, file);
}

static const struct proc_ops sockets_proc_ops = {
	.proc_open = sockets_open,
	.proc_read_iter = seq_read_iter,
	.proc_lseek = seq_lseek,
	.proc_release = sockets_release,
};

/* ---- stats ------------------------------------------------------------- */

static const char * const stat_name[CW_NSTAT] = {
	[CW_STAT_ENTERED]		= "entered",
	[CW_STAT_ADOPTED]		= "adopted",
	[CW_STAT_LEFT]			= "left",
	[CW_STAT_REAPED_TIMEOUT]	= "reaped_timeout",
	[CW_STAT_REAPED_REQUEST]	= "reaped_request",
	[CW_STAT_OBSERVED]		= "observed",
	[CW_STAT_SKIPPED_UNACCEPTED]	= "skipped_unaccepted",
	[CW_STAT_SKIPPED_KERNEL]	= "skipped_kernel",
	[CW_STAT_SKIPPED_MPTCP]		= "skipped_mptcp",
	[CW_STAT_SKIPPED_ULP]		= "skipped_ulp",
	[CW_STAT_DEFERRED_RATE]		= "deferred_rate",
	[CW_STAT_DEFERRED_BUSY]		= "deferred_busy",
	[CW_STAT_MISSED]		= "missed",
	[CW_STAT_SPELL]			= "spell_lt_1ms",
	[CW_STAT_SPELL + 1]		= "spell_lt_10ms",
	[CW_STAT_SPELL + 2]		= "spell_lt_100ms",
	[CW_STAT_SPELL + 3]		= "spell_lt_1s",
	[CW_STAT_SPELL + 4]		= "spell_lt_10s",
	[CW_STAT_SPELL + 5]		= "spell_lt_1m",
	[CW_STAT_SPELL + 6]		= "spell_lt_10m",
	[CW_STAT_SPELL + 7]		= "spell_lt_1h",
	[CW_STAT_SPELL + 8]		= "spell_ge_1h",
};

static int stats_show(struct seq_file *m, void *v)
{
	struct cw_net *cn = m->private;
	struct cw_totals totals;
	unsigned int i;

	cw_track_totals(cn, &totals);
	seq_printf(m, "name value\nsockets %llu\ninexact %llu\n",
		   totals.sockets, totals.inexact);
	for (i = 0; i < CW_NSTAT; i++) {
		if (i == CW_STAT_SPELL)
			seq_printf(m, "walks %llu\n",
				   (u64)atomic64_read(&cn->walks));
		seq_printf(m, "%s %llu\n", stat_name[i], totals.stat[i]);
	}
	return 0;
}

static int stats_open(struct inode *inode, struct file *file)
{
	struct cw_net *cn = proc_get_net(inode);
	int err;

	if (!cn)
		return -ENXIO;
	err = single_open(file, stats_show, cn);
	if (err)
		put_net(cn->net);
	return err;
}

static int stats_release(struct inode *inode, struct file *file)
{
	struct cw_net *cn = ((struct seq_file *)file->private_data)->private;

	put_net(cn->net);
	return single_release(inode, file);
}

static const struct proc_ops stats_proc_ops = {
	.proc_open = stats_open,
	.proc_read_iter = seq_read_iter,
	.proc_lseek = seq_lseek,
	.proc_release = stats_release,
};

/* ---- coming and going -------------------------------------------------- */

/**
 * cw_proc_init() - a new namespace's files
 * @cn: the namespace
 *
 * Return: 0 or -ENOMEM.
 */
int cw_proc_init(struct cw_net *cn)
{
	cn->proc = proc_mkdir(KBUILD_MODNAME, cn->net->proc_net);
	if (cn->proc &&
	    proc_create_data("ports", 0444, cn->proc, &ports_proc_ops, cn) &&
	    proc_create_data("sockets", 0444, cn->proc, &sockets_proc_ops, cn) &&
	    proc_create_data("stats", 0444, cn->proc, &stats_proc_ops, cn))
		return 0;
	cw_proc_exit(cn);
	return -ENOMEM;
}

/**
 * cw_proc_exit() - the end of a namespace's files
 * @cn: the namespace
 *
 * Waits for those who are in one, and closes those that are still open.
 *
 * Context: process context, may sleep.
 */
void cw_proc_exit(struct cw_net *cn)
{
	proc_remove(cn->proc);
}
