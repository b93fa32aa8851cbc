// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "alloc.h"
#include "transport.h"

/* What a dump or a burst of events may be behind by. */
#define RECEIVE_BUFFER (4 << 20)

struct cw_transport {
	struct mnl_socket *nl;
};

/* Older kernels do not know each; the tool works without them. */
static void set_options(const struct mnl_socket *nl)
{
	static const int options[] = {
		NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK,
	};
	int one = 1, size = RECEIVE_BUFFER;
	size_t i;

	for (i = 0; i < MNL_ARRAY_SIZE(options); i++)
		mnl_socket_setsockopt(nl, options[i], &one, sizeof(one));
	if (setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		       sizeof(size)))
		setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUF, &size,
			   sizeof(size));
}

/**
 * cw_transport_open() - a socket for generic netlink
 *
 * It is of the network namespace that the process is in, and stays so.
 *
 * Return: NULL and errno if it fails.
 */
struct cw_transport *cw_transport_open(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	struct cw_transport *transport;

	if (!nl)
		return NULL;
	set_options(nl);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = errno;

		mnl_socket_close(nl);
		errno = error;
		return NULL;
	}
	transport = cw_alloc(sizeof(*transport));
	transport->nl = nl;
	return transport;
}

void cw_transport_close(struct cw_transport *transport)
{
	mnl_socket_close(transport->nl);
	free(transport);
}

/**
 * cw_transport_send() - send a message to the kernel
 * @transport: the socket
 * @data: message
 * @size: its length
 *
 * Return: 0, or a negative errno.
 */
int cw_transport_send(struct cw_transport *transport, const void *data,
		      size_t size)
{
	while (mnl_socket_sendto(transport->nl, data, size) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/*
 * Any process with CAP_NET_ADMIN over the network namespace, root of a container
 * for one, can send to this socket: only what comes from the kernel counts.
 */
static ssize_t receive(const struct cw_transport *transport, void *buf,
		       size_t size)
{
	struct iovec room = { .iov_base = buf, .iov_len = size };
	struct sockaddr_nl from = { 0 };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from),
		.msg_iov = &room, .msg_iovlen = 1,
	};
	ssize_t len;

	do {
		len = recvmsg(mnl_socket_get_fd(transport->nl), &msg, 0);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	if (msg.msg_namelen != sizeof(from) || from.nl_pid)
		return -EAGAIN;
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : len;
}

/**
 * cw_transport_recv() - what the kernel sent
 * @transport: the socket
 * @buf: gets one or more whole messages
 * @size: room in it
 * @timeout: milliseconds to wait for something, -1 for ever
 *
 * Return: its length; -EAGAIN after the timeout, or sooner if something came from
 * another process than the kernel; or another negative errno.
 */
ssize_t cw_transport_recv(struct cw_transport *transport, void *buf,
			  size_t size, int timeout)
{
	struct pollfd fd = {
		.fd = mnl_socket_get_fd(transport->nl), .events = POLLIN,
	};
	int ready;

	do {
		ready = poll(&fd, 1, timeout);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return ready ? -errno : -EAGAIN;
	return receive(transport, buf, size);
}

/**
 * cw_transport_join() - receive what is sent to a group
 * @transport: the socket
 * @group: its number
 *
 * Return: 0, or a negative errno.
 */
int cw_transport_join(struct cw_transport *transport, uint32_t group)
{
	if (mnl_socket_setsockopt(transport->nl, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0)
		return -errno;
	return 0;
}

/**
 * cw_transport_wait() - wait for one of several
 * @transports: sockets
 * @n: how many
 * @timeout: milliseconds, -1 for ever
 *
 * Return: the number of one that has something; -EAGAIN after the timeout, -EPIPE
 * if nobody reads the output any more, or another negative errno.
 */
int cw_transport_wait(struct cw_transport * const *transports, unsigned int n,
		      int timeout)
{
	struct pollfd *fds = cw_alloc((n + 1) * sizeof(*fds));
	int ready;
	unsigned int i;

	for (i = 0; i < n; i++) {
		fds[i].fd = mnl_socket_get_fd(transports[i]->nl);
		fds[i].events = POLLIN;
	}
	fds[n].fd = STDOUT_FILENO;
	fds[n].events = 0;	/* POLLERR: the other end of the pipe is closed */
	do {
		ready = poll(fds, n + 1, timeout);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0) {
		ready = ready ? -errno : -EAGAIN;
	} else if (fds[n].revents) {
		ready = fds[n].revents & POLLNVAL ? -EBADF : -EPIPE;
	} else {
		for (i = 0; !fds[i].revents; i++)
			;
		ready = i;
	}
	free(fds);
	return ready;
}
