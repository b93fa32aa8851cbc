/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Netlink messages there and back.  The tests of the tool link a twin of
 * transport.c, which replays answers that were recorded.
 */
#ifndef CW_TRANSPORT_H
#define CW_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cw_transport;

struct cw_transport *cw_transport_open(void);
void cw_transport_close(struct cw_transport *transport);
int cw_transport_send(struct cw_transport *transport, const void *data,
		      size_t size);
ssize_t cw_transport_recv(struct cw_transport *transport, void *buf,
			  size_t size, int timeout);
int cw_transport_join(struct cw_transport *transport, uint32_t group);
int cw_transport_wait(struct cw_transport * const *transports, unsigned int n,
		      int timeout);

#endif /* CW_TRANSPORT_H */
