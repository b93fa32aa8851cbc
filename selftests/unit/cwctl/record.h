/* SPDX-License-Identifier: GPL-2.0 */
/* What the linker makes of cw_transport_recv(), told to --wrap it. */
#ifndef UNIT_CWCTL_RECORD_H
#define UNIT_CWCTL_RECORD_H

#include <stddef.h>
#include <sys/types.h>

struct cw_transport;

ssize_t __real_cw_transport_recv(struct cw_transport *transport, void *buf,
				 size_t size, int timeout);
ssize_t __wrap_cw_transport_recv(struct cw_transport *transport, void *buf,
				 size_t size, int timeout);

#endif /* UNIT_CWCTL_RECORD_H */
