// SPDX-License-Identifier: GPL-2.0
/*
 * The id of a cgroup v2 is the inode number of its directory.  There is no way
 * from id to path for everybody (open_by_handle_at(2) wants a capability), so all
 * directories are read once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "alloc.h"
#include "cgroup.h"
#include "file.h"

struct group {
	uint64_t id;
	char *path;
};

struct cw_cgroups {
	struct group *groups;
	size_t n, room;
};

/* The space and the like of a path in mountinfo comes as \040. */
static void unescape(char *path)
{
	char *to = path;

	for (; *path; path++) {
		if (path[0] == '\\' && path[1] >= '0' && path[1] <= '3' &&
		    path[2] && path[3]) {
			*to++ = (path[1] - '0') << 6 | (path[2] - '0') << 3 |
				(path[3] - '0');
			path += 3;
		} else {
			*to++ = *path;
		}
	}
	*to = '\0';
}

/* Where cgroup v2 is mounted. */
static bool find_mount(char mount[PATH_MAX])
{
	int fd = cw_file_open("/proc/self/mountinfo", O_RDONLY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	if (!file)
		return false;
	while (!found && getline(&line, &room, file) > 0) {
		const char *type = strstr(line, " - cgroup2 ");

		found = type &&
			sscanf(line, "%*s %*s %*s %*s %4095s", mount) == 1;
	}
	free(line);
	fclose(file);
	if (found)
		unescape(mount);
	return found;
}

/**
 * cw_cgroup_id() - the id of a cgroup
 * @path: /system.slice/x.service, or with /sys/fs/cgroup before it
 * @id: gets it
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_cgroup_id(const char *path, uint64_t *id, struct cw_error *err)
{
	char mount[PATH_MAX], full[2 * PATH_MAX];
	struct statfs fs;
	struct stat st;
	size_t len;
	int fd;

	if (!find_mount(mount))
		return cw_fail(err, CW_FAILED, "no cgroup v2 is mounted here");
	len = strlen(mount);
	if (!strncmp(path, mount, len) && (!path[len] || path[len] == '/'))
		path += len;
	snprintf(full, sizeof(full), "%s/%s", mount, path);
	fd = cw_file_open(full, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return cw_fail(err, CW_FAILED, "no cgroup %s: %s", path,
			       strerror(-fd));
	if (fstatfs(fd, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC ||
	    fstat(fd, &st)) {
		close(fd);
		return cw_fail(err, CW_FAILED, "%s is no cgroup v2", path);
	}
	close(fd);
	*id = st.st_ino;
	return CW_DONE;
}

static void add_group(struct cw_cgroups *groups, uint64_t id, const char *path)
{
	groups->groups = cw_grow(groups->groups, groups->n, &groups->room,
				 sizeof(*groups->groups));
	groups->groups[groups->n].id = id;
	groups->groups[groups->n++].path = cw_copy(path);
}

/* Reads what is below @path[mount], which has room for PATH_MAX bytes. */
static void read_groups(struct cw_cgroups *groups, char *path, size_t mount)
{
	size_t len = strlen(path);
	DIR *dir = cw_file_dir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || cw_file_is_dots(entry->d_name) ||
		    len + 1 + strlen(entry->d_name) >= PATH_MAX)
			continue;
		snprintf(path + len, PATH_MAX - len, "/%s", entry->d_name);
		add_group(groups, entry->d_ino, path + mount);
		read_groups(groups, path, mount);
		path[len] = '\0';
	}
	closedir(dir);
}

static int by_id(const void *a, const void *b)
{
	const struct group *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

/**
 * cw_cgroups_load() - read which cgroups there are
 *
 * Return: none, if they cannot be read.
 */
struct cw_cgroups *cw_cgroups_load(void)
{
	struct cw_cgroups *groups = cw_alloc(sizeof(*groups));
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (!find_mount(path))
		return groups;
	fd = cw_file_open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return groups;
	if (!fstat(fd, &st))
		add_group(groups, st.st_ino, "/");
	close(fd);
	read_groups(groups, path, strlen(path));
	qsort(groups->groups, groups->n, sizeof(*groups->groups), by_id);
	return groups;
}

void cw_cgroups_free(struct cw_cgroups *groups)
{
	size_t i;

	for (i = 0; i < groups->n; i++)
		free(groups->groups[i].path);
	free(groups->groups);
	free(groups);
}

/**
 * cw_cgroups_path() - path of a cgroup
 * @groups: all of them
 * @id: its id
 *
 * Return: NULL if it is not there, any more or for us.
 */
const char *cw_cgroups_path(const struct cw_cgroups *groups, uint64_t id)
{
	const struct group key = { .id = id }, *found = NULL;

	if (groups->n)
		found = bsearch(&key, groups->groups, groups->n, sizeof(key),
				by_id);
	return found ? found->path : NULL;
}
