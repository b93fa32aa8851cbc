/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tool, with the kernel and the host replaced: answers are replayed, the
 * system's files are those below a directory, and output is kept.
 */
#ifndef UNIT_CWCTL_TWIN_H
#define UNIT_CWCTL_TWIN_H

#include <stddef.h>

/**
 * struct twin - a run of the tool
 * @record: datagrams of the kernel, each after its length in 4 bytes
 * @len: bytes of @record
 * @root: directory that takes the place of /
 * @width: columns of the terminal, 0: there is none
 * @colour: is it one that knows colours
 * @write_error: an errno for each write to standard output, 0: none
 * @out: gets what the tool wrote to standard output; to be freed
 * @err: gets what it wrote to standard error; to be freed
 * @written: gets what it wrote to files, which stay as they are; to be freed
 */
struct twin {
	const void *record;
	size_t len;
	const char *root;
	unsigned int width;
	int colour;
	int write_error;
	char *out;
	char *err;
	char *written;
};

int twin_run(struct twin *twin, int argc, char **argv);

#endif /* UNIT_CWCTL_TWIN_H */
