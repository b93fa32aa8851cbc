/* SPDX-License-Identifier: GPL-2.0 */
/* The knobs in net.ipv4. */
#ifndef CW_SYSCTL_H
#define CW_SYSCTL_H

struct cw_net;

int cw_sysctl_init(struct cw_net *cn);
void cw_sysctl_exit(struct cw_net *cn);

#endif /* CW_SYSCTL_H */
