// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	int status;

	keep_standard_streams();
	/* a reader that has gone is an error like others, EPIPE */
	signal(SIGPIPE, SIG_IGN);
	status = cw_main(argc, argv);
	/* a file in the network may say only now that there was no room */
	if (close(STDOUT_FILENO) && !status) {
		dprintf(STDERR_FILENO, "cwctl: cannot write the output: %s\n",
			strerror(errno));
		return CW_FAILED;
	}
	return status;
}
