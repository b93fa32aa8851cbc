// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cwctl.h"

/* What is opened later must not be taken for a standard stream. */
static void keep_standard_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	keep_standard_streams();
	/* a reader that has gone is an error like others, EPIPE */
	signal(SIGPIPE, SIG_IGN);
	return cw_main(argc, argv);
}
