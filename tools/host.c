// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host.h"

/**
 * cw_host_root() - what stands before each path of the system's own files
 *
 * Return: nothing, but in tests.
 */
const char *cw_host_root(void)
{
	return "";
}

/**
 * cw_host_write() - write all of it
 * @fd: file descriptor
 * @data: bytes
 * @size: how many
 *
 * Return: 0, or a negative errno.
 */
int cw_host_write(int fd, const void *data, size_t size)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	const char *at = data;

	while (size) {
		ssize_t done = write(fd, at, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN) {	/* others made it so */
			poll(&room, 1, -1);
			continue;
		}
		if (done < 0)
			return -errno;
		at += done;
		size -= done;
	}
	return 0;
}

/**
 * cw_host_colour() - may output be in colour
 *
 * Return: true on a terminal that knows colours, unless NO_COLOR is set
 * (https://no-color.org).
 */
bool cw_host_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term &&
	       strcmp(term, "dumb");
}

/**
 * cw_host_width() - how many columns output may have
 * @pipe: if nothing says so, in a pipe or a file
 *
 * Return: the terminal's width; where it has none, as a serial line, COLUMNS or
 * 80; elsewhere COLUMNS or @pipe.
 */
unsigned int cw_host_width(unsigned int pipe)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	bool terminal = !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	long width = terminal ? size.ws_col : 0;

	if (!width && columns)
		width = strtol(columns, NULL, 10);
	if (width <= 0)
		width = terminal ? CW_WIDTH : pipe;
	return width < UINT_MAX ? width : UINT_MAX;
}

/**
 * cw_host_pause() - do nothing for a while
 * @ms: milliseconds, at most
 */
void cw_host_pause(unsigned int ms)
{
	const struct timespec pause = {
		.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L,
	};

	nanosleep(&pause, NULL);
}

/**
 * cw_host_clock() - a clock that nobody sets
 *
 * Return: milliseconds since some time.
 */
int64_t cw_host_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/**
 * cw_host_time() - the time of day
 *
 * Return: seconds since 1970.
 */
time_t cw_host_time(void)
{
	return time(NULL);
}
