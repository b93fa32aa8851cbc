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
 * A socket that is looked for; owner 0: none found so far.  @latest: that was
 * found; the next one mostly stands behind it.  Unless @unseen is 0 there may be
 * more owners than were found.
 */
struct wanted {
	uint64_t inode;
	uint32_t first;
	uint32_t latest;
	uint32_t unseen;
};

/*
 * A process is searched if its table of descriptors is as large, and has as many
 * places for each socket that is still looked for.
 */
#define SEARCH_ROOM 1024
#define SEARCH_ROOM_EACH 16
/* A search looks elsewhere after as many descriptors without a socket. */
#define SEARCH_HOLE 16

/*
 * A process that may be looked at; @room: of its table of descriptors;
 * @process: one more than its index, 0 as long as it has none of the sockets.
 */
struct candidate {
	uint32_t pid;
	uint32_t room;
	uint32_t process;
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

static uint32_t read_process(struct cw_owners *owners, uint32_t pid)
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
	return owners->n_processes;
}

/* How an owner stands to a process's descriptor: below, it, or above. */
static int compare_owner(const struct cw_owners *owners, uint32_t owner,
			 uint32_t pid, uint32_t fd)
{
	const struct cw_owner *o = &owners->owners[owner];
	uint32_t other = owners->processes[o->process].pid;

	if (other != pid)
		return other < pid ? -1 : 1;
	return o->fd < fd ? -1 : o->fd > fd;
}

/* Into a socket's list, by process and descriptor. */
static void add_owner(struct cw_owners *owners, struct wanted *wanted,
		      struct candidate *who, uint32_t fd)
{
	uint32_t before = 0, after = wanted->first, new;

	if (wanted->latest &&
	    compare_owner(owners, wanted->latest, who->pid, fd) < 0) {
		before = wanted->latest;
		after = owners->owners[before].next;
	}
	while (after && compare_owner(owners, after, who->pid, fd) < 0) {
		before = after;
		after = owners->owners[after].next;
	}
	if (after && !compare_owner(owners, after, who->pid, fd)) {
		wanted->latest = after;
		return;		/* a search has found it before */
	}

	if (!who->process)
		who->process = read_process(owners, who->pid);
	owners->owners = cw_grow(owners->owners, owners->n_owners,
				 &owners->owners_room, sizeof(*owners->owners));
	new = owners->n_owners++;
	owners->owners[new] = (struct cw_owner){
		.inode = wanted->inode, .fd = fd,
		.process = who->process - 1, .next = after,
	};
	if (before)
		owners->owners[before].next = new;
	else
		wanted->first = new;
	wanted->latest = new;
	if (wanted->unseen && !--wanted->unseen)
		owners->open--;
}

/* Notes a descriptor of a socket, if that is wanted. */
static void note_socket(struct cw_owners *owners, struct candidate *who,
			uint32_t fd, uint64_t inode)
{
	struct wanted *wanted;

	if (owners->any)
		cw_owners_want(owners, inode, 0);
	wanted = owners->size ? place(owners, inode) : NULL;
	if (wanted && wanted->inode)
		add_owner(owners, wanted, who, fd);
}

/* Nothing more has to be known of a process. */
static bool enough(const struct cw_owners *owners, const struct candidate *who)
{
	return !owners->any &&
	       (!owners->open || (owners->some && who->process));
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

static DIR *open_fds(uint32_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	return cw_file_dir(path);
}

/* Looks at all descriptors of a process; false and errno if it may not. */
static bool scan_process(struct cw_owners *owners, struct candidate *who)
{
	DIR *dir = open_fds(who->pid);
	struct dirent *entry;

	if (!dir)
		return false;
	while (!enough(owners, who) && (entry = readdir(dir))) {
		uint64_t inode, fd;

		if (cw_value_number(entry->d_name, INT32_MAX, &fd) &&
		    socket_inode(dirfd(dir), entry->d_name, &inode))
			note_socket(owners, who, fd, inode);
	}
	closedir(dir);
	return true;
}

/* How many of the inodes are less than one. */
static size_t count_below(const uint64_t *inodes, size_t n, uint64_t inode)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = low + (n - low) / 2;

		if (inodes[middle] < inode)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

/*
 * Looks for sockets among the descriptors from @low to below @high, halving them
 * as if their inodes grew with them.  None is read twice.
 */
static void search_fds(struct cw_owners *owners, struct candidate *who, int dir,
		       uint32_t low, uint32_t high, const uint64_t *inodes,
		       size_t n)
{
	while (n && low < high && !enough(owners, who)) {
		uint32_t middle = low + (high - low) / 2, fd = middle;
		uint64_t inode = 0;
		size_t below;

		for (; fd < high && fd - middle < SEARCH_HOLE; fd++) {
			char name[16];

			snprintf(name, sizeof(name), "%u", fd);
			if (socket_inode(dir, name, &inode))
				break;
		}
		if (!inode) {
			high = middle;	/* tables are emptiest at their end */
			continue;
		}
		note_socket(owners, who, fd, inode);
		below = count_below(inodes, n, inode);
		search_fds(owners, who, dir, low, middle, inodes, below);
		if (below < n && inodes[below] == inode)
			below++;
		inodes += below;
		n -= below;
		low = fd + 1;
	}
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/*
 * Kernels number sockets as they make them, and a process gets the lowest
 * descriptor that is free.  So where sockets pile up both mostly grow together,
 * and a few of many are found without a look at all.  What this misses is left
 * to scan_process().
 */
static void search_process(struct cw_owners *owners, struct candidate *who)
{
	DIR *dir = open_fds(who->pid);
	uint64_t *inodes;
	size_t n = 0, i;

	if (!dir)
		return;
	inodes = cw_alloc(owners->open * sizeof(*inodes));
	for (i = 0; i < owners->size; i++)
		if (owners->wanted[i].unseen)
			inodes[n++] = owners->wanted[i].inode;
	qsort(inodes, n, sizeof(*inodes), by_number);
	search_fds(owners, who, dirfd(dir), 0, who->room, inodes, n);
	free(inodes);
	closedir(dir);
}

static bool worth_a_search(const struct cw_owners *owners,
			   const struct candidate *who)
{
	return who->room >= SEARCH_ROOM &&
	       who->room / SEARCH_ROOM_EACH >= owners->open;
}

/* For how many descriptors a process has room. */
static uint32_t read_room(uint32_t pid)
{
	char path[64], status[1024];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	if (cw_file_read(path, status, sizeof(status)) < 0)
		return 0;
	at = strstr(status, "\nFDSize:");
	return at ? strtoul(strchr(at, ':') + 1, NULL, 10) : 0;
}

static int by_room(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	if (left->room != right->room)
		return left->room < right->room ? -1 : 1;
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

/* All processes, those with room for few descriptors first. */
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
			.pid = pid, .room = read_room(pid),
		};
	}
	closedir(dir);
	if (*n)
		qsort(list, *n, sizeof(*list), by_room);
	return list;
}

/**
 * cw_owners_scan() - find out who has the wanted sockets
 * @owners: the sockets
 * @some: leave a process when one of its sockets is found
 *
 * Looks at the descriptors of all processes that may be seen, until there can be
 * no more owners.  To look at a descriptor is what costs: processes that have
 * many come last, and are searched before any of them is read as a whole.
 */
void cw_owners_scan(struct cw_owners *owners, bool some)
{
	struct candidate *list;
	size_t n, i, searched;

	owners->some = some;
	if (!owners->open)
		return;
	list = list_candidates(&n);
	for (i = 0; i < n && owners->open && !worth_a_search(owners, &list[i]); i++)
		scan_process(owners, &list[i]);
	searched = i;
	for (; i < n && owners->open; i++)
		search_process(owners, &list[i]);
	for (i = searched; i < n && owners->open; i++)
		scan_process(owners, &list[i]);
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
	struct candidate who = { .pid = pid };

	owners->any = true;
	if (scan_process(owners, &who))
		return CW_DONE;
	if (errno == ENOENT && !cw_file_exists("/proc/self"))
		return cw_fail(err, CW_FAILED,
			       "cannot see any process: is /proc mounted?");
	if (errno == ENOENT || errno == ESRCH)
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
