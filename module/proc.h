/* SPDX-License-Identifier: GPL-2.0 */
/* The tables in /proc/net/tcp_close_wait. */
#ifndef CW_PROC_H
#define CW_PROC_H

struct cw_net;

int cw_proc_init(struct cw_net *cn);
void cw_proc_exit(struct cw_net *cn);

#endif /* CW_PROC_H */
