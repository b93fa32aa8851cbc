// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "host.h"

/**
 * cw_file_open() - open(2)
 * @path: absolute
 * @flags: O_CLOEXEC comes by itself
 *
 * Return: a file descriptor, or a negative errno.
 */
int cw_file_open(const char *path, int flags)
{
	char full[2 * PATH_MAX];
	int fd;

	snprintf(full, sizeof(full), "%s%s", cw_host_root(), path);
	fd = open(full, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/**
 * cw_file_dir() - opendir(3)
 * @path: absolute
 *
 * Return: NULL and errno if it fails.
 */
DIR *cw_file_dir(const char *path)
{
	int fd = cw_file_open(path, O_RDONLY | O_DIRECTORY);
	DIR *dir;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	dir = fdopendir(fd);
	if (!dir)
		close(fd);
	return dir;
}

/**
 * cw_file_is_dots() - is this what every directory has in it?
 * @name: of a directory's entry
 *
 * Return: whether it is "." or "..".
 */
bool cw_file_is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/**
 * cw_file_read() - a small file as text, by one read(2)
 * @path: absolute
 * @buf: gets it, without a line's end at its end
 * @size: room in @buf; what does not fit is left out
 *
 * A sysctl formats its value anew for each read(2): two of them can give the
 * parts of two values.
 *
 * Return: its length, or a negative errno.
 */
int cw_file_read(const char *path, char *buf, size_t size)
{
	int fd = cw_file_open(path, O_RDONLY);
	ssize_t len;

	if (fd < 0)
		return fd;
	do {
		len = read(fd, buf, size - 1);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		len = -errno;
	close(fd);
	if (len < 0)
		return len;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

/**
 * cw_file_write() - write a text to a file by one write(2), as sysctls want it
 * @path: absolute
 * @text: the text; a line's end is added
 *
 * Return: 0, or a negative errno.
 */
int cw_file_write(const char *path, const char *text)
{
	int fd = cw_file_open(path, O_WRONLY);
	char line[8192];
	int len, error;

	if (fd < 0)
		return fd;
	len = snprintf(line, sizeof(line), "%s\n", text);
	error = (size_t)len < sizeof(line) ? cw_host_write(fd, line, len) :
					     -E2BIG;
	close(fd);
	return error;
}

/**
 * cw_file_stat() - stat(2)
 * @path: absolute
 * @st: gets it
 *
 * Return: 0, or a negative errno.
 */
int cw_file_stat(const char *path, struct stat *st)
{
	char full[2 * PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", cw_host_root(), path);
	return stat(full, st) ? -errno : 0;
}

/**
 * cw_file_exists() - is there such a file
 * @path: absolute
 *
 * Return: false also if it cannot be told.
 */
bool cw_file_exists(const char *path)
{
	char full[2 * PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", cw_host_root(), path);
	return !access(full, F_OK);
}
