// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's abort and nothing around it, for measurements: whoever writes
 * numbers of its own descriptors (int) to debugfs cw_abort has the TCP
 * connections behind them aborted, as ss -K and cwctl reap do it.
 */
#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <net/sock.h>

static struct dentry *abort_file;

static int abort_one(int fd)
{
	struct socket *sock;
	struct sock *sk;
	int err;

	sock = sockfd_lookup(fd, &err);
	if (!sock)
		return err;
	sk = sock->sk;
	if (sk->sk_protocol == IPPROTO_TCP && sk->sk_prot->diag_destroy)
		err = sk->sk_prot->diag_destroy(sk, ECONNABORTED);
	else
		err = -EOPNOTSUPP;
	sockfd_put(sock);
	return err;
}

static ssize_t abort_write(struct file *file, const char __user *buf,
			   size_t len, loff_t *pos)
{
	const int __user *fds = (const int __user *)buf;
	size_t i;
	int fd, err;

	for (i = 0; i < len / sizeof(fd); i++) {
		if (get_user(fd, &fds[i]))
			return -EFAULT;
		err = abort_one(fd);
		if (err)
			return err;
		cond_resched();
	}
	return len;
}

static const struct file_operations abort_fops = {
	.owner = THIS_MODULE,
	.write = abort_write,
};

static int __init cw_abort_init(void)
{
	abort_file = debugfs_create_file("cw_abort", 0200, NULL, NULL,
					 &abort_fops);
	return PTR_ERR_OR_ZERO(abort_file);
}

static void __exit cw_abort_exit(void)
{
	debugfs_remove(abort_file);
}

module_init(cw_abort_init);
module_exit(cw_abort_exit);
MODULE_DESCRIPTION("The kernel's abort alone, for measurements of tcp_close_wait");
MODULE_LICENSE("GPL");
