// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "file.h"
#include "owners.h"
#include "value.h"

/*
 * A socket that is looked for; owner 0: none found so far.  Unless @unseen is 0
 * there may be more owners than were found.
 */
struct wanted {
	uint64_t inode;
	uint32_t first;
	uint32_t last;
	uint32_t unseen;
};

/* A process that may be looked at. */
struct candidate {
	uint32_t pid;
	uint64_t fds;
};

/**
 * struct cw_owners - sockets and who has them
 * @wanted: hash table, open addressing; inode 0 is a free place
 * @size: places in it, a power of two or 0
 * @used: of those
 * @open: sockets of which not every owner was found yet
 * @any: every socket is wanted
 * @some: of each process the first descriptor found will do
 * @owners: from 1 on
 * @processes: those that have one of the sockets
 */
struct cw_owners {
	struct wanted *wanted;
	size_t size, used, open;
	bool any, some;
	struct cw_owner *owners;
	size_t n_owners, owners_room;
	struct cw_process *processes;
	size_t n_processes, processes_room;
};

/**
 * cw_owners_new() - no sockets yet
 *
 * Return: what cw_owners_free() takes.
 */
struct cw_owners *cw_owners_new(void)
{
	struct cw_owners *owners = cw_alloc(sizeof(*owners));

	owners->owners = cw_grow(NULL, 0, &owners->owners_room,
				 sizeof(*owners->owners));
	owners->n_owners = 1;
	return owners;
}

void cw_owners_free(struct cw_owners *owners)
{
	free(owners->wanted);
	free(owners->owners);
	free(owners->processes);
	free(owners);
}

/* The place of an inode, or the free one where it belongs. */
static struct wanted *place(const struct cw_owners *owners, uint64_t inode)
{
	size_t at = (inode * 0x9e3779b97f4a7c15ULL) >> 20;

	for (;; at++) {
		struct wanted *wanted = &owners->wanted[at & (owners->size - 1)];

		if (wanted->inode == inode || !wanted->inode)
			return wanted;
	}
}

static void make_room(struct cw_owners *owners)
{
	struct wanted *old = owners->wanted;
	size_t size = owners->size, i;

	if (2 * owners->used < size)
		return;
	owners->size = size ? 2 * size : 64;
	owners->wanted = cw_alloc(owners->size * sizeof(*old));
	for (i = 0; i < size; i++)
		if (old[i].inode)
			*place(owners, old[i].inode) = old[i];
	free(old);
}

/**
 * cw_owners_want() - look for a socket
 * @owners: the sockets
 * @inode: of the socket; 0, not accepted, can have no owner
 * @refs: references to its file, so that no more owners are looked for than it
 *        can have; 0 if that is not known
 */
void cw_owners_want(struct cw_owners *owners, uint64_t inode, uint32_t refs)
{
	struct wanted *wanted;

	if (!inode)
		return;
	make_room(owners);
	wanted = place(owners, inode);
	if (wanted->inode)
		return;
	wanted->inode = inode;
	wanted->unseen = refs ? refs : UINT32_MAX;
	owners->used++;
	owners->open++;
}

static void read_process(struct cw_owners *owners, uint32_t pid)
{
	struct cw_process *process;
	char path[64];

	owners->processes = cw_grow(owners->processes, owners->n_processes,
				    &owners->processes_room, sizeof(*process));
	process = &owners->processes[owners->n_processes++];
	process->pid = pid;
	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	if (cw_file_read(path, process->comm, sizeof(process->comm)) < 0)
		strcpy(process->comm, "?");	/* it has ended just now */
}

static uint32_t pid_of(const struct cw_owners *owners, uint32_t owner)
{
	return owners->processes[owners->owners[owner].process].pid;
}

/* Into a socket's list, by pid; processes with as many descriptors come so. */
static void link_owner(struct cw_owners *owners, struct wanted *wanted,
		       uint32_t owner)
{
	uint32_t pid = pid_of(owners, owner), *at = &wanted->first;

	if (wanted->first && pid_of(owners, wanted->last) <= pid)
		at = &owners->owners[wanted->last].next;
	while (*at && pid_of(owners, *at) <= pid)
		at = &owners->owners[*at].next;
	owners->owners[owner].next = *at;
	if (!*at)
		wanted->last = owner;
	*at = owner;
}

static void add_owner(struct cw_owners *owners, struct wanted *wanted,
		      uint32_t pid, uint32_t fd)
{
	struct cw_owner *owner;

	if (!owners->n_processes ||
	    owners->processes[owners->n_processes - 1].pid != pid)
		read_process(owners, pid);
	owners->owners = cw_grow(owners->owners, owners->n_owners,
				 &owners->owners_room, sizeof(*owner));
	owner = &owners->owners[owners->n_owners];
	*owner = (struct cw_owner){
		.inode = wanted->inode, .fd = fd,
		.process = owners->n_processes - 1,
	};
	link_owner(owners, wanted, owners->n_owners++);
	if (wanted->unseen && !--wanted->unseen)
		owners->open--;
}

/* The socket behind a descriptor, if it is one. */
static bool socket_inode(int dir, const char *name, uint64_t *inode)
{
	char link[64];
	ssize_t len = readlinkat(dir, name, link, sizeof(link) - 1);

	if (len < 0)
		return false;
	link[len] = '\0';
	if (strncmp(link, "socket:[", 8) || link[len - 1] != ']')
		return false;
	link[len - 1] = '\0';
	return cw_value_number(link + 8, UINT64_MAX, inode) && *inode;
}

/* Looks at the descriptors of a process; false and errno if it may not. */
static bool scan_process(struct cw_owners *owners, uint32_t pid)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	dir = cw_file_dir(path);
	if (!dir)
		return false;
	while ((owners->any || owners->open) && (entry = readdir(dir))) {
		struct wanted *wanted;
		uint64_t inode, fd;

		if (!cw_value_number(entry->d_name, INT32_MAX, &fd) ||
		    !socket_inode(dirfd(dir), entry->d_name, &inode))
			continue;
		if (owners->any)
			cw_owners_want(owners, inode, 0);
		wanted = owners->size ? place(owners, inode) : NULL;
		if (!wanted || !wanted->inode)
			continue;
		add_owner(owners, wanted, pid, fd);
		if (owners->some)
			break;
	}
	closedir(dir);
	return true;
}

/* About how many descriptors a process has. */
static uint64_t count_fds(uint32_t pid)
{
	char path[64], status[1024];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	if (cw_file_read(path, status, sizeof(status)) < 0)
		return 0;
	at = strstr(status, "\nFDSize:");
	return at ? strtoull(strchr(at, ':') + 1, NULL, 10) : 0;
}

static int by_fds(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	if (left->fds != right->fds)
		return left->fds < right->fds ? -1 : 1;
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

/* All processes, those with few descriptors first. */
static struct candidate *list_candidates(size_t *n)
{
	struct candidate *list = NULL;
	DIR *dir = cw_file_dir("/proc");
	struct dirent *entry;
	size_t room = 0;
	uint64_t pid;

	*n = 0;
	if (!dir)
		return NULL;
	while ((entry = readdir(dir))) {
		if (!cw_value_number(entry->d_name, INT32_MAX, &pid))
			continue;
		list = cw_grow(list, *n, &room, sizeof(*list));
		list[(*n)++] = (struct candidate){
			.pid = pid, .fds = count_fds(pid),
		};
	}
	closedir(dir);
	if (*n)
		qsort(list, *n, sizeof(*list), by_fds);
	return list;
}

/**
 * cw_owners_scan() - find out who has the wanted sockets
 * @owners: the sockets
 * @some: leave a process when one of its sockets is found
 *
 * One pass over the descriptors of all processes that may be seen; it ends when
 * there can be no more owners.  To look at a descriptor is what costs, so the
 * processes that have many come last.
 */
void cw_owners_scan(struct cw_owners *owners, bool some)
{
	struct candidate *list;
	size_t n, i;

	owners->some = some;
	if (!owners->open)
		return;
	list = list_candidates(&n);
	for (i = 0; i < n && owners->open; i++)
		scan_process(owners, list[i].pid);
	free(list);
}

/**
 * cw_owners_scan_pid() - find all sockets that a process has
 * @owners: gets them
 * @pid: the process; one that does not exist has none
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_owners_scan_pid(struct cw_owners *owners, uint64_t pid,
		       struct cw_error *err)
{
	owners->any = true;
	if (scan_process(owners, pid) || errno == ENOENT || errno == ESRCH)
		return CW_DONE;
	return cw_fail(err, CW_FAILED,
		       "cannot see the descriptors of process %u: %s",
		       (unsigned int)pid, strerror(errno));
}

/**
 * cw_owners_first() - the first descriptor of a socket
 * @owners: after a scan
 * @inode: of the socket
 *
 * Return: NULL if none was found.
 */
const struct cw_owner *cw_owners_first(const struct cw_owners *owners,
				       uint64_t inode)
{
	uint32_t first;

	if (!owners->size || !inode)
		return NULL;
	first = place(owners, inode)->first;
	return first ? &owners->owners[first] : NULL;
}

const struct cw_owner *cw_owners_next(const struct cw_owners *owners,
				      const struct cw_owner *owner)
{
	return owner->next ? &owners->owners[owner->next] : NULL;
}

const struct cw_process *cw_owners_process(const struct cw_owners *owners,
					   const struct cw_owner *owner)
{
	return &owners->processes[owner->process];
}

/**
 * cw_owners_processes() - how many processes have any of the sockets
 * @owners: after a scan
 *
 * Return: their number; the index of a process is below it.
 */
size_t cw_owners_processes(const struct cw_owners *owners)
{
	return owners->n_processes;
}
