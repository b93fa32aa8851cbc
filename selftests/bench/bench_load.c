// SPDX-License-Identifier: GPL-2.0
/*
 * Connections by the hundred thousand, and a clock around single actions, for
 * the measurements of `make bench`: Python's own instructions would drown what is
 * counted. Reads commands from standard input and answers each by a line: the
 * nanoseconds (of CLOCK_MONOTONIC) that it took, or "error: ..." and the end.
 *
 *   pairs N PORT        connections to PORT of this host, both ends kept
 *   leak N PORT         connections to PORT whose client closes; the server's end is kept
 *   abort               has cw_abort.ko abort what leak has kept
 *   drop                closes what leak has kept
 *   churn N PORT        short connections, both ends here; the client closes first
 *   serve N PORT WHO    short connections of a peer that is not of this kernel; WHO,
 *                       client or server, closes first
 *   send N              one byte and its echo over connections of pairs, in turn
 *   read N FILE         opens, reads and closes FILE, N times; tells all N times
 *   again N FILE        the same, but opens and closes it only once
 *   run OUT COMMAND...  a process, from spawning to waiting, its output in OUT
 *
 * usage: bench_load NETWORK
 *
 * Connections come from 127.NETWORK.0.0/16, from ports that this program chooses,
 * one after the other: to find a free one costs the kernel the same each time.
 */
#define _GNU_SOURCE	/* environ */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

#define MAX_WORDS	32
#define FIRST_PORT	20000
#define ABORT_FILE	"/sys/kernel/debug/cw_abort"
#define PORTS		40000	/* of each source address */

/* Descriptors of the ends of connections. */
struct ends {
	int *fd;
	size_t n, room;
};

static const char blank[] = " \t\n";
static struct ends clients, servers, leaked;
static __u32 network, next_source;

static void die(const char *what)
{
	printf("error: %s: %s\n", what, strerror(errno));
	exit(1);
}

static __u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void keep(struct ends *ends, int fd)
{
	if (ends->n == ends->room) {
		ends->room = ends->room ? 2 * ends->room : 1024;
		ends->fd = realloc(ends->fd, ends->room * sizeof(*ends->fd));
		if (!ends->fd)
			die("realloc");
	}
	ends->fd[ends->n++] = fd;
}

static void close_all(struct ends *ends)
{
	while (ends->n)
		close(ends->fd[--ends->n]);
}

/* One listener a port, for good. */
static int listener(__u16 port)
{
	static int by_port[65536];
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_ANY),
	};
	int fd = by_port[port], one = 1;

	if (fd)
		return fd;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 128))
		die("listen");
	by_port[port] = fd;
	return fd;
}

static void make_pair(__u16 port, int *client, int *server)
{
	const __u32 source = next_source++;
	struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_port = htons(FIRST_PORT + source % PORTS),
		.sin_addr.s_addr = htonl(0x7f000001 + (network << 16) +
					 (source / PORTS << 8)),
	};
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int lsn = listener(port);

	*client = socket(AF_INET, SOCK_STREAM, 0);
	if (*client < 0)
		die("socket");
	if (bind(*client, (struct sockaddr *)&from, sizeof(from)))
		die("bind");
	if (connect(*client, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	*server = accept(lsn, NULL, NULL);
	if (*server < 0)
		die("accept");
}

static void make_pairs(long n, __u16 port)
{
	int client, server;

	while (n--) {
		make_pair(port, &client, &server);
		keep(&clients, client);
		keep(&servers, server);
	}
}

/*
 * A client that is closed before the acknowledgment of its FIN has come may answer
 * that one with a reset; servers take 40 ms for it.
 */
static void leak(long n, __u16 port)
{
	struct ends gone = { 0 };
	int client, server;

	while (n--) {
		make_pair(port, &client, &server);
		if (shutdown(client, SHUT_WR))
			die("shutdown");
		keep(&gone, client);
		keep(&leaked, server);
	}
	usleep(500000);
	close_all(&gone);
	free(gone.fd);
}

/* As any server does, this one finds the end of file and closes. */
static void serve_to_end(int server)
{
	char byte;

	if (read(server, &byte, 1))
		die("read");
	close(server);
}

static void churn(long n, __u16 port)
{
	int client, server;

	while (n--) {
		make_pair(port, &client, &server);
		close(client);
		serve_to_end(server);
	}
}

static void serve(long n, __u16 port, bool client_first)
{
	const int lsn = listener(port);
	struct peer client;
	int server;

	while (n--) {
		peer_connect(&client, port);
		server = accept(lsn, NULL, NULL);
		if (server < 0)
			die("accept");
		if (client_first) {
			peer_close_first(&client);
			serve_to_end(server);
			peer_end(&client);
		} else {
			close(server);
			peer_close_last(&client);
		}
	}
}

static void echo(int from, int to)
{
	char byte = 'x';

	if (write(from, &byte, 1) != 1 || read(to, &byte, 1) != 1 ||
	    write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
		die("echo");
}

static void send_some(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		echo(clients.fd[i % clients.n], servers.fd[i % clients.n]);
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	return fd;
}

static void read_to_end(int fd)
{
	static char buf[1 << 16];
	ssize_t len;

	do
		len = read(fd, buf, sizeof(buf));
	while (len > 0);
	if (len < 0)
		die("read");
}

static void read_times(long n, const char *path, bool keep_open)
{
	int fd = keep_open ? open_file(path) : -1;
	__u64 start;

	while (n--) {
		start = now();
		if (keep_open)
			lseek(fd, 0, SEEK_SET);
		else
			fd = open_file(path);
		read_to_end(fd);
		if (!keep_open)
			close(fd);
		printf(" %llu", (unsigned long long)(now() - start));
	}
	putchar('\n');
	if (keep_open)
		close(fd);
}

static void abort_leaked(void)
{
	const size_t len = leaked.n * sizeof(*leaked.fd);
	int fd = open(ABORT_FILE, O_WRONLY);

	if (fd < 0 || write(fd, leaked.fd, len) != (ssize_t)len)
		die(ABORT_FILE);
	close(fd);
}

/* Return: the exit status. */
static int run(const char *out, char **argv)
{
	posix_spawn_file_actions_t files;
	int err, status;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, out,
					 O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	err = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (err) {
		errno = err;
		die(argv[0]);
	}
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void do_command(int argc, char **argv)
{
	const long n = argc > 1 ? atol(argv[1]) : 0;
	const __u16 port = argc > 2 ? atoi(argv[2]) : 0;
	__u64 start = now();

	if (!strcmp(argv[0], "pairs") && argc == 3) {
		make_pairs(n, port);
	} else if (!strcmp(argv[0], "leak") && argc == 3) {
		leak(n, port);
	} else if (!strcmp(argv[0], "abort") && argc == 1) {
		abort_leaked();
	} else if (!strcmp(argv[0], "drop") && argc == 1) {
		close_all(&leaked);
	} else if (!strcmp(argv[0], "churn") && argc == 3) {
		churn(n, port);
	} else if (!strcmp(argv[0], "serve") && argc == 4) {
		serve(n, port, !strcmp(argv[3], "client"));
	} else if (!strcmp(argv[0], "send") && argc == 2) {
		send_some(n);
	} else if ((!strcmp(argv[0], "read") || !strcmp(argv[0], "again")) &&
		   argc == 3) {
		read_times(n, argv[2], !strcmp(argv[0], "again"));
		return;
	} else if (!strcmp(argv[0], "run") && argc > 2) {
		int status = run(argv[1], argv + 2);

		if (status) {
			printf("error: %s ended with status %d\n", argv[2],
			       status);
			return;
		}
	} else {
		printf("error: what is %s?\n", argv[0]);
		return;
	}
	printf("%llu\n", (unsigned long long)(now() - start));
}

int main(int argc, char **argv)
{
	struct rlimit files = { 1 << 20, 1 << 20 };
	char line[4096];

	if (argc != 2)
		return 2;
	network = atoi(argv[1]);
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("RLIMIT_NOFILE");
	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		char *words[MAX_WORDS + 1], *word = strtok(line, blank);
		int n = 0;

		for (; word && n < MAX_WORDS; word = strtok(NULL, blank))
			words[n++] = word;
		words[n] = NULL;
		if (n)
			do_command(n, words);
	}
	return 0;
}
