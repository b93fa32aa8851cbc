/* SPDX-License-Identifier: GPL-2.0 */
/* Diagnosis for root: /sys/kernel/debug/tcp_close_wait. */
#ifndef CW_DEBUGFS_H
#define CW_DEBUGFS_H

void cw_debugfs_init(void);
void cw_debugfs_exit(void);

#endif /* CW_DEBUGFS_H */
