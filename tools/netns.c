// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "file.h"
#include "netns.h"
#include "value.h"

#define NAMED "/run/netns"

/* A name or path as an argument that a shell takes as one word. */
static char *make_option(const char *arg)
{
	struct cw_buf buf = { 0 };
	const char *at;

	cw_buf_puts(&buf, "-n ");
	for (at = arg; *at; at++) {
		if (isascii((unsigned char)*at) && !isalnum((unsigned char)*at) &&
		    !strchr("_-./:@", *at))
			cw_buf_puts(&buf, "\\");
		cw_buf_add(&buf, at, 1);
	}
	cw_buf_puts(&buf, " ");
	return buf.text;
}

static struct cw_netns *add(struct cw_netnses *all, const char *name,
			    char *option, int fd)
{
	struct cw_netns *ns;

	all->list = cw_grow(all->list, all->n, &all->room, sizeof(*ns));
	ns = &all->list[all->n++];
	memset(ns, 0, sizeof(*ns));
	ns->name = name ? cw_copy(name) : NULL;
	ns->option = option;
	ns->fd = fd;
	return ns;
}

/**
 * cw_netns_one() - one namespace
 * @all: gets it
 * @name: its name, an absolute path to it, or NULL for the one we are in
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_netns_one(struct cw_netnses *all, const char *name, struct cw_error *err)
{
	char path[PATH_MAX];
	int fd, len;

	if (!name) {
		add(all, NULL, cw_copy(""), -1);
		return CW_DONE;
	}
	if (name[0] == '/')
		len = snprintf(path, sizeof(path), "%s", name);
	else if (!name[0] || strchr(name, '/') || !strcmp(name, ".") ||
		 !strcmp(name, ".."))
		return cw_fail(err, CW_USAGE,
			       "'%s' is neither a name nor an absolute path of a network namespace",
			       name);
	else
		len = snprintf(path, sizeof(path), NAMED "/%s", name);
	if (len >= PATH_MAX)
		return cw_fail(err, CW_FAILED,
			       "the path of the network namespace is too long");
	/* a FIFO must not keep us waiting */
	fd = cw_file_open(path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return cw_fail(err, CW_FAILED,
			       "cannot open network namespace %s: %s%s", name,
			       strerror(-fd),
			       fd == -EACCES ? " (needs CAP_SYS_PTRACE)" :
			       fd == -ENOENT && name[0] != '/' ?
			       " (takes a name of 'ip netns', or a path such as /proc/PID/ns/net)" :
			       "");
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		close(fd);
		return cw_fail(err, CW_FAILED, "%s is not a network namespace",
			       name);
	}
	add(all, NULL, make_option(name), fd)->given = cw_copy(name);
	return CW_DONE;
}

static bool is_there(const struct cw_netnses *all, const struct stat *st)
{
	const struct cw_netns ns = { .ino = st->st_ino, .dev = st->st_dev };
	size_t i;

	for (i = 0; i < all->n; i++)
		if (cw_netns_same(&all->list[i], &ns))
			return true;
	return false;
}

/*
 * Adds the namespace at @path, unless it is there already.  What is not there
 * any more, or is no namespace (ip-netns(8) leaves plain files behind when the
 * machine goes down), is passed over, and nobody is waited for (a FIFO's writer).
 */
static int add_path(struct cw_netnses *all, const char *path, const char *name,
		    struct cw_error *err)
{
	struct cw_netns *ns;
	char number[40];
	struct stat st;
	int fd;

	/* most processes are in one that we have, and stat() is cheap */
	if (!cw_file_stat(path, &st) && is_there(all, &st))
		return CW_DONE;
	/* Once more, because a process that ends just now is refused, too. */
	fd = cw_file_open(path, O_RDONLY | O_NONBLOCK);
	if (fd == -EACCES)
		fd = cw_file_open(path, O_RDONLY | O_NONBLOCK);
	if (fd == -ENOENT || fd == -ESRCH || fd == -ENXIO || fd == -ELOOP ||
	    fd == -ENOTDIR)
		return CW_DONE;
	if (fd < 0)
		return cw_fail(err, CW_FAILED, "cannot open %s: %s%s", path,
			       strerror(-fd),
			       fd == -EACCES ? " (-a needs CAP_SYS_PTRACE)" : "");
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET || fstat(fd, &st) ||
	    is_there(all, &st)) {
		close(fd);
		return CW_DONE;
	}
	snprintf(number, sizeof(number), "net:[%ju]",
		 (uintmax_t)st.st_ino);
	ns = add(all, name ? name : number,
		 make_option(name && strcmp(name, "host") ? name : path), fd);
	ns->ino = st.st_ino;
	ns->dev = st.st_dev;
	return CW_DONE;
}

static int by_name(const void *a, const void *b)
{
	const struct cw_netns *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int add_named(struct cw_netnses *all, struct cw_error *err)
{
	DIR *dir = cw_file_dir(NAMED);
	struct dirent *entry;
	size_t first = all->n;
	char path[PATH_MAX];
	int status = CW_DONE;

	if (!dir)
		return CW_DONE;
	while (!status && (entry = readdir(dir))) {
		if (cw_file_is_dots(entry->d_name))
			continue;
		snprintf(path, sizeof(path), NAMED "/%s", entry->d_name);
		status = add_path(all, path, entry->d_name, err);
	}
	closedir(dir);
	qsort(all->list + first, all->n - first, sizeof(*all->list), by_name);
	return status;
}

static int add_unnamed(struct cw_netnses *all, struct cw_error *err)
{
	DIR *dir = cw_file_dir("/proc");
	struct dirent *entry;
	int status = CW_DONE;
	char path[64];
	uint64_t pid;

	if (!dir)
		return cw_fail(err, CW_FAILED, "cannot read /proc: %s",
			       strerror(errno));
	while (!status && (entry = readdir(dir))) {
		if (!cw_value_number(entry->d_name, INT32_MAX, &pid))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/ns/net",
			 (unsigned int)pid);
		status = add_path(all, path, NULL, err);
	}
	closedir(dir);
	return status;
}

/**
 * cw_netns_all() - all namespaces of the host
 * @all: gets them: first that of process 1, then those with a name, then those
 *	of other processes
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_netns_all(struct cw_netnses *all, struct cw_error *err)
{
	struct rlimit limit;
	int status;

	/* a descriptor for each, so that none goes away meanwhile */
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	status = add_path(all, "/proc/1/ns/net", "host", err);
	if (!status)
		status = add_named(all, err);
	if (!status)
		status = add_unnamed(all, err);
	if (!status && !all->n)
		return cw_fail(err, CW_FAILED,
			       "cannot see any network namespace: is /proc mounted?");
	return status;
}

/**
 * cw_netns_same() - do both mean the same namespace
 * @a: one, of cw_netns_all()
 * @b: another; both must be open, for a number is used again
 *
 * Return: whether they do.
 */
bool cw_netns_same(const struct cw_netns *a, const struct cw_netns *b)
{
	return a->ino == b->ino && a->dev == b->dev;
}

/**
 * cw_netns_enter() - sockets and files are those of this namespace from now on
 * @ns: the namespace
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_netns_enter(const struct cw_netns *ns, struct cw_error *err)
{
	if (ns->fd < 0 || !setns(ns->fd, CLONE_NEWNET))
		return CW_DONE;
	return cw_fail(err, CW_FAILED, "cannot enter network namespace %s: %s%s",
		       ns->name ? ns->name : ns->given, strerror(errno),
		       errno == EPERM ? " (needs CAP_SYS_ADMIN)" : "");
}

/**
 * cw_netns_free() - forget namespaces
 * @all: is empty afterwards
 */
void cw_netns_free(struct cw_netnses *all)
{
	size_t i;

	for (i = 0; i < all->n; i++) {
		if (all->list[i].fd >= 0)
			close(all->list[i].fd);
		free(all->list[i].name);
		free(all->list[i].given);
		free(all->list[i].option);
	}
	free(all->list);
	memset(all, 0, sizeof(*all));
}
