// SPDX-License-Identifier: GPL-2.0
/*
 * Records what the kernel answers cwctl, for the tests to replay: linked with the
 * whole tool and -Wl,--wrap=cw_transport_recv.  Adds to the file CW_RECORD: for
 * each datagram its length, 4 bytes of the machine's order, and the datagram.
 */
#include <stdio.h>
#include <stdlib.h>

#include "record.h"

ssize_t __wrap_cw_transport_recv(struct cw_transport *transport, void *buf,
				 size_t size, int timeout)
{
	ssize_t len = __real_cw_transport_recv(transport, buf, size, timeout);
	const char *path = getenv("CW_RECORD");
	FILE *file = path ? fopen(path, "ab") : NULL;
	unsigned int head = len;

	if (file && len > 0) {
		fwrite(&head, sizeof(head), 1, file);
		fwrite(buf, len, 1, file);
	}
	if (file)
		fclose(file);
	return len;
}
