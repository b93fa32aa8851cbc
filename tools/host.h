/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tool touches of the host besides netlink.  The tests of the tool link
 * a twin of host.c instead.
 */
#ifndef CW_HOST_H
#define CW_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Columns of a terminal that does not say. */
#define CW_WIDTH 80

const char *cw_host_root(void);
int cw_host_write(int fd, const void *data, size_t size);
bool cw_host_colour(void);
unsigned int cw_host_width(unsigned int pipe);
int64_t cw_host_clock(void);
void cw_host_pause(unsigned int ms);
time_t cw_host_time(void);

#endif /* CW_HOST_H */
