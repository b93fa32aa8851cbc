// SPDX-License-Identifier: GPL-2.0
/*
 * usage: fuzz [-n NUMBER] [-s SEED] [-u UID] netlink|sysctl|proc
 *
 * Throws input at the module, in the network namespace that it is started in:
 *   netlink  requests, most of them nearly right
 *   sysctl   values for every knob
 *   proc     reads of every file, at any place and of any length
 *
 *   -n NUMBER  how much of it (10000)
 *   -s SEED    0 for one from the clock; it is printed, and gives the same again
 *   -u UID     as this user, without power: everything that changes something has
 *              to be refused
 *
 * Says what came of it, one error number a line. Exit status: 0, or 1 if the
 * module did what it must not do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tcp_close_wait.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define CAN_FAIL_WITH	200
#define SYSCTL		"/proc/sys/net/ipv4/tcp_close_wait_"
#define TABLES		"/proc/thread-self/net/tcp_close_wait/"

static __u64 state;
static unsigned long number = 10000;
static unsigned int user;
static unsigned long outcome[CAN_FAIL_WITH];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* xorshift64*; returns 0 to limit - 1. */
static __u32 below(__u32 limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return ((state * 0x2545f4914f6cdd1dULL) >> 32) % limit;
}

static bool one_in(__u32 n)
{
	return !below(n);
}

/* Numbers at which something may begin or end. */
static __u64 some_number(void)
{
	static const __u64 edges[] = {
		0, 1, 2, 4, 5, 8, 16, 31, 32, 33, 127, 128, 129, 255, 256, 1000,
		32767, 32768, 65535, 65536, 31536000, 31536001,
		INT32_MAX, UINT32_MAX, UINT32_MAX + 1ULL, INT64_MAX, UINT64_MAX,
		UINT64_MAX / 1000000, UINT64_MAX / 1000000 + 1,
	};
	__u64 n = edges[below(ARRAY_SIZE(edges))];

	switch (below(4)) {
	case 0:
		return (__u64)below(UINT32_MAX) << 32 | below(UINT32_MAX);
	case 1:
		return below(70000);
	default:
		return n + below(3) - 1;
	}
}

static void random_bytes(void *to, size_t len)
{
	unsigned char *p = to;

	while (len--)
		*p++ = below(256);
}

/* ---- sockets to be found, and reaped ------------------------------------ */

static struct { int app, peer; } spells[16];
static int listener;

static void spell_make(int i)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);

	if (getsockname(listener, (struct sockaddr *)&to, &len))
		die("getsockname");
	spells[i].peer = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(spells[i].peer, (struct sockaddr *)&to, len))
		die("connect");
	spells[i].app = accept(listener, NULL, NULL);
	if (spells[i].app < 0)
		die("accept");
	shutdown(spells[i].peer, SHUT_WR);
}

static void spells_make(void)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	unsigned int i;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) ||
	    listen(listener, 16))
		die("listen");
	for (i = 0; i < ARRAY_SIZE(spells); i++)
		spell_make(i);
}

/* A port of its own each time, and none of them in TIME_WAIT. */
static void spell_renew(void)
{
	const struct linger now = { .l_onoff = 1 };
	int i = below(ARRAY_SIZE(spells));

	setsockopt(spells[i].peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(spells[i].peer);
	close(spells[i].app);
	spell_make(i);
}

/* ---- netlink ------------------------------------------------------------ */

static struct nl_buffer {
	unsigned char data[131072];
	size_t len;
} out;

static int nl_fds[4];
static __u16 family;

static void put(const void *data, size_t len)
{
	if (out.len + len > sizeof(out.data))
		len = sizeof(out.data) - out.len;
	memcpy(out.data + out.len, data, len);
	out.len += len;
}

static void pad(void)
{
	static const unsigned char none[4];

	put(none, -out.len % 4);
}

static void put_attr(unsigned int type, const void *data, size_t len)
{
	struct nlattr attr = { .nla_len = NLA_HDRLEN + len, .nla_type = type };

	if (one_in(64))
		attr.nla_len = some_number();
	if (one_in(64))
		attr.nla_type ^= one_in(2) ? NLA_F_NESTED : NLA_F_NET_BYTEORDER;
	put(&attr, sizeof(attr));
	if (data)
		put(data, len);
	pad();
}

/* A number of LEN bytes, or of a few more or less. */
static void put_number(unsigned int type, size_t len, __u64 value)
{
	unsigned char data[32];

	random_bytes(data, sizeof(data));
	memcpy(data, &value, sizeof(value));
	put_attr(type, data, one_in(32) ? below(sizeof(data)) : len);
}

static void put_address(unsigned int type)
{
	unsigned char data[20] = { 127, 0, 0, 1 };

	if (one_in(2))
		random_bytes(data, sizeof(data));
	put_attr(type, data, one_in(8) ? below(sizeof(data)) : one_in(2) ? 4 : 16);
}

static void put_filter_attr(void)
{
	/* by type; 0 for an address */
	static const unsigned char len[] = {
		[TCP_CLOSE_WAIT_A_FILTER_PORT_FIRST] = 2,
		[TCP_CLOSE_WAIT_A_FILTER_PORT_LAST] = 2,
		[TCP_CLOSE_WAIT_A_FILTER_DIR] = 1,
		[TCP_CLOSE_WAIT_A_FILTER_PEER] = 0,
		[TCP_CLOSE_WAIT_A_FILTER_PEER_PREFIX] = 1,
		[TCP_CLOSE_WAIT_A_FILTER_LOCAL] = 0,
		[TCP_CLOSE_WAIT_A_FILTER_LOCAL_PREFIX] = 1,
		[TCP_CLOSE_WAIT_A_FILTER_CLASSES] = 4,
		[TCP_CLOSE_WAIT_A_FILTER_OLDER_THAN] = 8,
		[TCP_CLOSE_WAIT_A_FILTER_IDLE] = 8,
		[TCP_CLOSE_WAIT_A_FILTER_UID] = 4,
		[TCP_CLOSE_WAIT_A_FILTER_CGROUP] = 8,
	};
	unsigned int type = 1 + below(TCP_CLOSE_WAIT_A_FILTER_MAX);

	if (one_in(64))
		put_number(below(20), below(9), some_number());
	else if (len[type])
		put_number(type, len[type], one_in(2) ? below(33) : some_number());
	else
		put_address(type);
}

static void put_filter(void)
{
	unsigned int count = one_in(4) ? below(20) : below(4);
	struct nlattr *nest = (void *)(out.data + out.len);
	size_t start = out.len;

	put_attr(TCP_CLOSE_WAIT_A_FILTER | NLA_F_NESTED, NULL, 0);
	while (count--)
		put_filter_attr();
	if (!one_in(64))
		nest->nla_len = out.len - start;
}

static void put_cookies(void)
{
	__u64 cookies[256];
	unsigned int i, n = one_in(8) ? below(256) : below(4);

	for (i = 0; i < n; i++)
		cookies[i] = one_in(2) ? below(5000) : some_number();
	put_attr(TCP_CLOSE_WAIT_A_COOKIES, cookies,
		 n * sizeof(*cookies) + (one_in(16) ? below(8) : 0));
}

static void put_any(void)
{
	unsigned char data[64];

	random_bytes(data, sizeof(data));
	put_attr(below(TCP_CLOSE_WAIT_A_MAX + 8), data, below(sizeof(data)));
}

static void put_reap(void)
{
	if (one_in(2))
		put_filter();
	if (one_in(3))
		put_cookies();
	if (one_in(3))
		put_number(TCP_CLOSE_WAIT_A_LIMIT, 4, some_number());
	if (one_in(3))
		put_attr(TCP_CLOSE_WAIT_A_ALL, NULL, one_in(32) ? 4 : 0);
	if (one_in(2))
		put_attr(TCP_CLOSE_WAIT_A_DRY_RUN, NULL, 0);
}

/*
 * One message behind the others; what its length says may be wrong.  Of several
 * dumps at a time, on one socket, all but the first are refused at once.
 */
static void put_request(bool dump)
{
	struct nlmsghdr *nlh = (void *)(out.data + out.len);
	size_t start = out.len, i;
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
	} head = {
		.nlh.nlmsg_type = family,
		.nlh.nlmsg_flags = NLM_F_REQUEST,
		.nlh.nlmsg_seq = below(UINT32_MAX),
		.genl.cmd = dump ? 1 + below(2) : 3 + below(2),
		.genl.version = 1,
	};

	if (head.genl.cmd <= TCP_CLOSE_WAIT_CMD_SOCKETS_GET)
		head.nlh.nlmsg_flags |= NLM_F_DUMP;
	if (one_in(4))
		head.nlh.nlmsg_flags |= NLM_F_ACK;
	if (one_in(64))
		head.nlh.nlmsg_flags = below(65536) | NLM_F_REQUEST;
	if (one_in(64))
		head.genl.cmd = below(256);
	if (one_in(64))
		head.genl.version = below(256);
	if (one_in(64))
		head.genl.reserved = below(65536);
	put(&head, sizeof(head));
	if (head.genl.cmd == TCP_CLOSE_WAIT_CMD_REAP)
		put_reap();
	else if (one_in(2))
		put_filter();
	if (one_in(16))
		put_any();
	if (one_in(16))
		for (i = 1 + below(4); i && out.len > start + sizeof(head); i--)
			out.data[start + sizeof(head) +
				 below(out.len - start - sizeof(head))] ^= 1 << below(8);
	nlh->nlmsg_len = out.len - start;
	if (one_in(128))
		nlh->nlmsg_len = some_number();
	pad();
}

static int nl_open(void)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	const int on = 1;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)))
		die("netlink socket");
	if (one_in(2))
		setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	if (one_in(2))
		setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (one_in(2))
		setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return fd;
}

static void count(int error)
{
	outcome[error < CAN_FAIL_WITH ? error : CAN_FAIL_WITH - 1]++;
}

/* What an unprivileged requester was told, and must not have been. */
static void check_reaped(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = NLMSG_DATA(nlh);

	if (user && nlh->nlmsg_type == family && genl->cmd == TCP_CLOSE_WAIT_CMD_REAP) {
		fprintf(stderr, "a request to reap from user %u was answered\n", user);
		exit(1);
	}
}

/* Reads what there is. */
static void nl_drain(int fd)
{
	static unsigned char in[65536];
	const struct nlmsghdr *nlh;
	ssize_t len;

	while ((len = recv(fd, in, sizeof(in), MSG_DONTWAIT)) > 0) {
		for (nlh = (void *)in; NLMSG_OK(nlh, (size_t)len); nlh = NLMSG_NEXT(nlh, len)) {
			if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
				count(-*(int *)NLMSG_DATA(nlh));
			else
				check_reaped(nlh);
		}
	}
	if (len < 0 && errno != EAGAIN)
		count(errno);
}

static void nl_resolve(int fd)
{
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
		struct nlattr attr;
		char name[20];
	} ask = {
		.nlh.nlmsg_len = sizeof(ask),
		.nlh.nlmsg_type = GENL_ID_CTRL,
		.nlh.nlmsg_flags = NLM_F_REQUEST,
		.genl.cmd = CTRL_CMD_GETFAMILY,
		.attr.nla_len = NLA_HDRLEN + sizeof(TCP_CLOSE_WAIT_FAMILY_NAME),
		.attr.nla_type = CTRL_ATTR_FAMILY_NAME,
		.name = TCP_CLOSE_WAIT_FAMILY_NAME,
	};
	unsigned char in[8192];
	struct nlattr *attr;
	ssize_t len;

	if (send(fd, &ask, sizeof(ask), 0) < 0)
		die("send");
	len = recv(fd, in, sizeof(in), 0);
	for (attr = (void *)(in + NLMSG_HDRLEN + GENL_HDRLEN);
	     (unsigned char *)attr < in + len && attr->nla_len;
	     attr = (void *)((unsigned char *)attr + NLA_ALIGN(attr->nla_len)))
		if (attr->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&family, attr + 1, sizeof(family));
	if (!family) {
		fprintf(stderr, "there is no family " TCP_CLOSE_WAIT_FAMILY_NAME "\n");
		exit(1);
	}
}

static void fuzz_netlink(void)
{
	unsigned long sent = 0;
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(nl_fds); i++)
		nl_fds[i] = nl_open();
	nl_resolve(nl_fds[0]);
	while (sent < number) {
		i = below(ARRAY_SIZE(nl_fds));
		out.len = 0;
		for (n = 1 + below(8); n; n--, sent++)
			put_request(n == 1 || one_in(16));
		if (send(nl_fds[i], out.data, out.len, MSG_DONTWAIT) < 0)
			count(errno);
		if (one_in(64)) {	/* in the middle of a dump, or of a request */
			close(nl_fds[i]);
			nl_fds[i] = nl_open();
		} else if (!one_in(8)) {
			nl_drain(nl_fds[i]);
		}
		if (one_in(32))
			spell_renew();
	}
}

/* ---- sysctl ------------------------------------------------------------- */

static const char * const knob[] = { "timeout", "port_timeouts", "action", "reap_rate" };
static int knob_fd[ARRAY_SIZE(knob)];

static size_t some_rule(char *to, size_t size)
{
	static const char * const dir[] = { "", "", "in:", "out:", "IN:", "in::" };
	static const char * const end[] = { ",", " ", "\n", "\t", ", ", ",,", ";", "" };
	__u64 port = below(4) ? below(65536) : some_number();
	char range[32] = "";

	if (one_in(2))
		snprintf(range, sizeof(range), "-%llu",
			 (unsigned long long)(port + (one_in(8) ? some_number() : below(100))));
	return snprintf(to, size, "%s%llu%s=%llu%s", dir[below(below(8) ? 4 : 6)],
			(unsigned long long)port, range,
			(unsigned long long)(below(4) ? below(100000) : some_number()),
			end[below(below(8) ? 5 : 8)]);
}

static size_t some_text(char *to, size_t size)
{
	static const char * const words[] = { "reap", "observe", "reap\n", " observe ", "0x10",
					      "+1", "-1", "007", "1 2", "", "\n", "1e3" };
	unsigned int rules;
	size_t len = 0;

	switch (below(6)) {
	case 0:
		len = snprintf(to, size, "%s", words[below(ARRAY_SIZE(words))]);
		break;
	case 1:
		len = snprintf(to, size, "%llu\n", (unsigned long long)some_number());
		break;
	case 2:
		len = one_in(8) ? below(size) : below(100);
		random_bytes(to, len);
		break;
	default:
		for (rules = one_in(16) ? below(200) : below(6); rules; rules--)
			len += some_rule(to + len, size - len);
		break;
	}
	if (len && one_in(8))
		to[below(len)] = below(256);
	return len;
}

/* What a knob holds must be what it would take itself. */
static void check_knob(unsigned int i)
{
	static char now[65536], then[65536];
	ssize_t len = pread(knob_fd[i], now, sizeof(now), 0);

	if (len < 1 || now[len - 1] != '\n') {
		fprintf(stderr, "%s reads %zd bytes\n", knob[i], len);
		exit(1);
	}
	if (user)
		return;
	if (pwrite(knob_fd[i], now, len, 0) != len ||
	    pread(knob_fd[i], then, sizeof(then), 0) != len || memcmp(now, then, len)) {
		fprintf(stderr, "%s does not take what it says: %.*s", knob[i], (int)len, now);
		exit(1);
	}
}

static void fuzz_sysctl(void)
{
	static char text[70000];
	unsigned long done;
	unsigned int i;
	ssize_t got;

	for (done = 0; done < number; done++) {
		size_t len = some_text(text, sizeof(text) - 1), at = 0;

		i = below(ARRAY_SIZE(knob));
		if (one_in(16))
			at = one_in(2) ? 1024 : some_number() % 100000;
		got = pwrite(knob_fd[i], text, len, at);
		count(got < 0 ? errno : 0);
		if (user && got > 0) {
			fprintf(stderr, "%s was written by user %u\n", knob[i], user);
			exit(1);
		}
		if (one_in(8))
			check_knob(i);
		if (one_in(64) && !user)
			spell_renew();
	}
}

/* ---- proc --------------------------------------------------------------- */

static void fuzz_proc(void)
{
	static const char * const file[] = { "ports", "sockets", "stats" };
	static char in[70000];
	unsigned long done;
	ssize_t got;
	int fd = -1;

	for (done = 0; done < number; done++) {
		if (fd < 0 || one_in(16)) {
			char path[100];

			close(fd);
			snprintf(path, sizeof(path), TABLES "%s", file[below(ARRAY_SIZE(file))]);
			fd = open(path, O_RDONLY);
			if (fd < 0)
				die(path);
		}
		if (one_in(4))
			lseek(fd, some_number(), below(3));
		if (one_in(2))
			got = read(fd, in, one_in(4) ? below(sizeof(in)) : below(300));
		else
			got = pread(fd, in, below(300), one_in(4) ? (off_t)some_number() :
				    (off_t)below(2000));
		count(got < 0 ? errno : 0);
		if (one_in(64))
			spell_renew();
	}
}

/* ------------------------------------------------------------------------- */

static void become_user(void)
{
	if (!user)
		return;
	if (setgroups(0, NULL) || setresgid(user, user, user) || setresuid(user, user, user))
		die("setresuid");
}

static void help(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: fuzz [-n NUMBER] [-s SEED] [-u UID] netlink|sysctl|proc\n");
	exit(status);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = {
		{ "netlink", fuzz_netlink }, { "sysctl", fuzz_sysctl }, { "proc", fuzz_proc },
	};
	unsigned int i, mode;
	int option;

	while ((option = getopt(argc, argv, "hn:s:u:")) >= 0) {
		switch (option) {
		case 'n':
			number = strtoul(optarg, NULL, 10);
			break;
		case 's':
			state = strtoull(optarg, NULL, 0);
			break;
		case 'u':
			user = strtoul(optarg, NULL, 10);
			break;
		default:
			help(option == 'h' ? 0 : 2);
		}
	}
	for (mode = 0; mode < ARRAY_SIZE(modes); mode++)
		if (optind + 1 == argc && !strcmp(argv[optind], modes[mode].name))
			break;
	if (mode == ARRAY_SIZE(modes))
		help(2);
	if (!state)
		state = time(NULL) * 1000003ULL + getpid();
	printf("%s: %lu, seed %llu, user %u\n", modes[mode].name, number,
	       (unsigned long long)state, user);
	fflush(stdout);

	spells_make();
	for (i = 0; i < ARRAY_SIZE(knob); i++) {
		char path[100];

		snprintf(path, sizeof(path), SYSCTL "%s", knob[i]);
		knob_fd[i] = open(path, O_RDWR);
		if (knob_fd[i] < 0)
			die(path);
	}
	become_user();
	modes[mode].run();
	for (i = 0; i < CAN_FAIL_WITH; i++)
		if (outcome[i])
			printf("%8lu %s\n", outcome[i], i ? strerror(i) : "ok");
	return 0;
}
