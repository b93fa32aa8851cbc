/* SPDX-License-Identifier: GPL-2.0 */
/* The system's own files: /proc, /sys, /run. */
#ifndef CW_FILE_H
#define CW_FILE_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

int cw_file_open(const char *path, int flags);
DIR *cw_file_dir(const char *path);
bool cw_file_is_dots(const char *name);
int cw_file_read(const char *path, char *buf, size_t size);
int cw_file_write(const char *path, const char *text);
int cw_file_stat(const char *path, struct stat *st);
bool cw_file_exists(const char *path);

#endif /* CW_FILE_H */
