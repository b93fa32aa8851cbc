// SPDX-License-Identifier: GPL-2.0
/* Takes the place of tools/host.c and tools/transport.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <libmnl/libmnl.h>

#include "alloc.h"
#include "buf.h"
#include "cwctl.h"
#include "cwctl_twin.h"
#include "host.h"
#include "transport.h"

struct cw_transport {
	unsigned int seq;	/* of the last request: answers are to it */
};

static struct twin *twin;
static struct cw_buf out, err, written;
static size_t used;		/* of twin->record */
static long long passed;	/* milliseconds */

const char *cw_host_root(void)
{
	return twin->root;
}

int cw_host_write(int fd, const void *data, size_t size)
{
	if (fd == 1 && twin->write_error)
		return -twin->write_error;
	cw_buf_add(fd == 1 ? &out : fd == 2 ? &err : &written, data, size);
	return 0;
}

bool cw_host_colour(void)
{
	return twin->colour;
}

unsigned int cw_host_width(unsigned int unknown)
{
	return twin->width ? twin->width : unknown;
}

int64_t cw_host_clock(void)
{
	return passed;
}

/* As if the machine were slow: patience ends after a few. */
void cw_host_pause(unsigned int ms)
{
	(void)ms;
	passed += 2000;
}

time_t cw_host_time(void)
{
	return 1700000000;
}

struct cw_transport *cw_transport_open(void)
{
	return cw_alloc(sizeof(struct cw_transport));
}

void cw_transport_close(struct cw_transport *transport)
{
	free(transport);
}

int cw_transport_send(struct cw_transport *transport, const void *data,
		      size_t size)
{
	const struct nlmsghdr *nlh = data;

	if (size != nlh->nlmsg_len)
		abort();
	transport->seq = nlh->nlmsg_seq;
	return 0;
}

/* The kernel repeats the number of the request in each message. */
static void number(char *buf, size_t len, unsigned int seq)
{
	size_t at = 0;

	while (len - at >= MNL_NLMSG_HDRLEN) {
		struct nlmsghdr *nlh = (void *)(buf + at);

		if (nlh->nlmsg_seq)
			nlh->nlmsg_seq = seq;
		if (nlh->nlmsg_len < MNL_NLMSG_HDRLEN ||
		    nlh->nlmsg_len > len - at)
			return;
		at += MNL_ALIGN(nlh->nlmsg_len);
		if (at > len)
			return;
	}
}

ssize_t cw_transport_recv(struct cw_transport *transport, void *buf,
			  size_t size, int timeout)
{
	const char *record = twin->record;
	unsigned int len;

	(void)timeout;
	if (twin->len - used < sizeof(len))
		return 0;
	memcpy(&len, record + used, sizeof(len));
	used += sizeof(len);
	if (len > twin->len - used)
		len = twin->len - used;
	if (len > size)
		return -EMSGSIZE;
	memcpy(buf, record + used, len);
	used += len;
	number(buf, len, transport->seq);
	return len;
}

int cw_transport_join(struct cw_transport *transport, uint32_t group)
{
	(void)transport;
	(void)group;
	return 0;
}

int cw_transport_wait(struct cw_transport * const *transports, unsigned int n,
		      int timeout)
{
	(void)transports;
	(void)n;
	return timeout < 0 ? 0 : -EAGAIN;
}

/**
 * twin_run() - run the tool
 * @run: what it meets, and gets what it does
 * @argc: number of arguments
 * @argv: its arguments, argv[0] too
 *
 * Return: exit status.
 */
int twin_run(struct twin *run, int argc, char **argv)
{
	int status;

	twin = run;
	used = 0;
	passed = 0;
	cw_buf_puts(&out, "");
	cw_buf_puts(&err, "");
	cw_buf_puts(&written, "");
	status = cw_main(argc, argv);
	run->out = out.text;
	run->err = err.text;
	run->written = written.text;
	memset(&out, 0, sizeof(out));
	memset(&err, 0, sizeof(err));
	memset(&written, 0, sizeof(written));
	return status;
}
