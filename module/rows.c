// SPDX-License-Identifier: GPL-2.0
/* The sockets in CLOSE_WAIT as users are shown them, one by one. */
#include <linux/sched/signal.h>

#include "compat/compat.h"
#include "filter.h"
#include "rows.h"
#include "sock.h"

/**
 * cw_row_fill() - what is shown of a socket
 * @row: gets it
 * @snap: a copy of the socket's entry; its direction is decided afterwards
 *
 * Context: process context.
 *
 * Return: false if the file behind the socket has gone meanwhile: it is being
 * closed, and is not shown.
 */
bool cw_row_fill(struct cw_row *row, struct cw_snap *snap)
{
	bool accepted = snap->class != CW_UNACCEPTED;
	struct sock *sk = snap->sk;

	*row = (struct cw_row) {
		.flow = snap->flow,
		.dir = cw_snap_dir(snap),
		.class = snap->class,
		.exact = snap->flags & CW_F_EXACT,
		.age = snap->age,
		.idle = snap->idle,
		.rx_bytes = snap->rx_bytes,
		.tx_bytes = snap->tx_bytes,
		.uid = sk_uid(sk),
		.inode = accepted ? sock_i_ino(sk) : 0,
		.cookie = cw_sock_cookie(sk),
		.cgroup = cw_sock_cgroup(sk),
		.file_refs = accepted ? cw_sock_file_refs(sk) : 0,
	};
	return !accepted || row->inode;
}

/**
 * cw_rows_start() - begin to go through a namespace's sockets
 * @rows: does not move in memory until cw_rows_stop()
 * @cn: the namespace, which the caller keeps alive
 * @filter: which sockets; stays until cw_rows_stop()
 *
 * Context: process context.
 */
void cw_rows_start(struct cw_rows *rows, struct cw_net *cn,
		   struct cw_filter *filter)
{
	rows->filter = filter;
	rows->n = 0;
	cw_iter_start(&rows->it, cn);
}

/**
 * cw_rows_next() - replace the rows at hand by the next ones
 * @rows: started
 *
 * Context: process context, may sleep.
 *
 * Return: how many; 0 at the end, and only there; -EINTR if the reader is being
 * killed.
 */
int cw_rows_next(struct cw_rows *rows)
{
	unsigned int n, i;

	rows->n = 0;
	while (!rows->n) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (!cw_iter_next(&rows->it, rows->snap, &n, cw_filter_may,
				  rows->filter))
			break;
		for (i = 0; i < n; i++) {
			struct cw_snap *snap = &rows->snap[i];

			if (cw_filter_want(snap, rows->filter) &&
			    cw_row_fill(&rows->row[rows->n], snap))
				rows->n++;
			sock_put(snap->sk);
		}
	}
	return rows->n;
}

/**
 * cw_rows_stop() - end, before the end or at it
 * @rows: started
 *
 * Context: process context.
 */
void cw_rows_stop(struct cw_rows *rows)
{
	cw_iter_stop(&rows->it);
}
