// SPDX-License-Identifier: GPL-2.0
/*
 * A TCP socket that belongs to the kernel, as those of NFS and iSCSI do, for
 * tests: connected to 127.0.0.1:connect, or accepted on 127.0.0.1:accept, in
 * the network namespace of the process that loads the module; released with it.
 */
#include <linux/in.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <net/sock.h>

static ushort connect;
module_param(connect, ushort, 0444);
MODULE_PARM_DESC(connect, "port on 127.0.0.1 to connect to");

static ushort accept;
module_param(accept, ushort, 0444);
MODULE_PARM_DESC(accept, "port on 127.0.0.1 to accept one connection on");

/* How long the module's init waits for the connection to accept. */
#define ACCEPT_TIMEOUT	(60 * HZ)

static struct socket *conn;

static struct sockaddr_in loopback(u16 port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return addr;
}

/* The addresses go as void *: their type has changed from kernel to kernel. */
static int make_client(struct socket *sock)
{
	struct sockaddr_in addr = loopback(connect);
	int err;

	err = kernel_connect(sock, (void *)&addr, sizeof(addr), 0);
	if (!err)
		conn = sock;
	return err;
}

static int make_server(struct socket *sock)
{
	struct sockaddr_in addr = loopback(accept);
	int err;

	sock_set_reuseaddr(sock->sk);
	sock->sk->sk_rcvtimeo = ACCEPT_TIMEOUT;
	err = kernel_bind(sock, (void *)&addr, sizeof(addr));
	if (!err)
		err = kernel_listen(sock, 1);
	if (!err)
		err = kernel_accept(sock, &conn, 0);
	sock_release(sock);
	return err;
}

static int __init cw_kern_sock_init(void)
{
	struct socket *sock;
	int err;

	if (!connect == !accept)
		return -EINVAL;
	err = sock_create_kern(current->nsproxy->net_ns, PF_INET, SOCK_STREAM,
			       IPPROTO_TCP, &sock);
	if (err)
		return err;
	if (accept)
		return make_server(sock);
	err = make_client(sock);
	if (err)
		sock_release(sock);
	return err;
}

static void __exit cw_kern_sock_exit(void)
{
	sock_release(conn);
}

module_init(cw_kern_sock_init);
module_exit(cw_kern_sock_exit);
MODULE_DESCRIPTION("TCP socket of the kernel, for tests of tcp_close_wait");
MODULE_LICENSE("GPL");
