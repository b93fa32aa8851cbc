// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>
#include <tcp_close_wait.h>

#include "alloc.h"
#include "answer.h"
#include "file.h"
#include "nl.h"

/* How often to look, while an answer takes its time, if the module is there. */
#define PATIENCE 1000	/* ms */

#define ERRNO_MAX 4095	/* the kernel's MAX_ERRNO */

/**
 * struct talk - a request under way
 * @nl: the family
 * @what: the request, in words
 * @fn: takes answers
 * @arg: for @fn
 * @err: gets what goes wrong
 * @dump: the end is a message of its own
 * @acked: the kernel has accepted the request
 * @answered: an answer has come
 * @done: all has come
 */
struct talk {
	struct cw_nl *nl;
	const char *what;
	cw_nl_fn *fn;
	void *arg;
	struct cw_error *err;
	bool dump;
	bool acked;
	bool answered;
	bool done;
};

/* A whole message?  mnl_nlmsg_ok() takes a length above INT_MAX for one. */
static bool is_whole(const struct nlmsghdr *nlh, int left)
{
	return left >= (int)MNL_NLMSG_HDRLEN && nlh->nlmsg_len >= MNL_NLMSG_HDRLEN &&
	       nlh->nlmsg_len <= (unsigned int)left;
}

static int not_loaded(struct cw_error *err)
{
	return cw_fail(err, CW_NOT_LOADED,
		       "the module tcp_close_wait is not loaded (modprobe tcp_close_wait)");
}

/**
 * cw_nl_unloaded() - say that the module has gone
 * @err: gets the text
 *
 * Return: exit status.
 */
int cw_nl_unloaded(struct cw_error *err)
{
	return cw_fail(err, CW_NOT_LOADED,
		       "the module tcp_close_wait was unloaded");
}

static int malformed(const struct talk *talk)
{
	return cw_fail(talk->err, CW_FAILED,
		       "cannot %s: the kernel gave a strange answer", talk->what);
}

/* A refusal: in the module's own words where it has some. */
static int refused(const struct talk *talk, int error, const char *why)
{
	const char *hint = "";

	if (error == ENOENT && !why)
		return not_loaded(talk->err);
	talk->err->refusal = error;
	if (error == EPERM)
		hint = " (needs CAP_NET_ADMIN)";
	else if (error == EOPNOTSUPP)
		hint = " (an older module?)";
	return cw_fail(talk->err, CW_FAILED, "cannot %s: %s%s", talk->what,
		       why ? why : strerror(error), hint);
}

/* What the kernel says beside an error number, or NULL. */
static const char *extack(const struct nlmsghdr *nlh, size_t offset)
{
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    nlh->nlmsg_len < MNL_NLMSG_HDRLEN + offset)
		return NULL;
	mnl_attr_for_each(attr, nlh, offset)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(attr);
	return NULL;
}

static int take_error(struct talk *talk, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *msg = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*msg);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return malformed(talk);
	if (!msg->error) {
		talk->acked = true;
		talk->done = talk->answered;
		return CW_DONE;
	}
	if (msg->error > 0 || msg->error < -ERRNO_MAX)
		return malformed(talk);
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) {
		if (msg->msg.nlmsg_len < MNL_NLMSG_HDRLEN ||
		    msg->msg.nlmsg_len > nlh->nlmsg_len)
			return malformed(talk);
		offset += MNL_ALIGN(msg->msg.nlmsg_len) - MNL_NLMSG_HDRLEN;
	}
	return refused(talk, -msg->error, extack(nlh, offset));
}

/* A dump ends with 0, or with what stopped it. */
static int take_end(struct talk *talk, const struct nlmsghdr *nlh)
{
	int error;

	talk->done = true;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(error))
		return CW_DONE;
	memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	if (error >= 0)
		return CW_DONE;
	if (error < -ERRNO_MAX)
		return malformed(talk);
	return refused(talk, -error, extack(nlh, MNL_ALIGN(sizeof(error))));
}

static int take_answer(struct talk *talk, const struct nlmsghdr *nlh)
{
	if (mnl_nlmsg_get_payload_len(nlh) < GENL_HDRLEN ||
	    !talk->fn(nlh, talk->arg))
		return malformed(talk);
	talk->answered = true;
	talk->done = !talk->dump && talk->acked;
	return CW_DONE;
}

static int take(struct talk *talk, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq != talk->nl->seq)
		return CW_DONE;		/* of another request */
	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
		return CW_DONE;
	case NLMSG_ERROR:
		return take_error(talk, nlh);
	case NLMSG_DONE:
		return take_end(talk, nlh);
	case NLMSG_OVERRUN:
		return refused(talk, ENOBUFS, NULL);
	}
	return take_answer(talk, nlh);
}

/* More of what the kernel sends, as one or more messages. */
static int receive(struct talk *talk, size_t *len)
{
	struct cw_nl *nl = talk->nl;
	ssize_t got;

	for (;;) {
		got = cw_transport_recv(nl->transport, nl->answer,
					CW_NL_BUFFER, PATIENCE);
		if (got > 0) {
			*len = got;
			return CW_DONE;
		}
		if (got != -EAGAIN)
			return refused(talk, got ? -(int)got : EPIPE, NULL);
		if (cw_file_exists("/sys/module") &&
		    !cw_file_exists("/sys/module/tcp_close_wait"))
			return not_loaded(talk->err);
	}
}

/**
 * cw_nl_talk() - make a request, and hear what the kernel answers
 * @nl: the family
 * @nlh: the request, from cw_nl_request()
 * @what: the request in words, after "cannot"
 * @fn: takes each answer
 * @arg: for @fn
 * @err: gets what goes wrong
 *
 * A dump is over when the kernel says so. Other requests are over when the
 * kernel has both accepted them and answered, which can be long after.
 *
 * Return: exit status.
 */
int cw_nl_talk(struct cw_nl *nl, struct nlmsghdr *nlh, const char *what,
	       cw_nl_fn *fn, void *arg, struct cw_error *err)
{
	struct talk talk = {
		.nl = nl, .what = what, .fn = fn, .arg = arg, .err = err,
		.dump = (nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP,
	};
	int status;

	status = cw_transport_send(nl->transport, nlh, nlh->nlmsg_len);
	if (status)
		return refused(&talk, -status, NULL);
	while (!talk.done) {
		const struct nlmsghdr *at = (void *)nl->answer;
		size_t size = 0;
		int left;

		status = receive(&talk, &size);
		if (status)
			return status;
		left = size;
		while (is_whole(at, left) && !talk.done) {
			status = take(&talk, at);
			if (status)
				return status;
			at = mnl_nlmsg_next(at, &left);
		}
		if (left > 0 && !talk.done)
			return malformed(&talk);
	}
	return CW_DONE;
}

/**
 * cw_nl_request() - begin a request
 * @nl: the family
 * @cmd: what is wanted
 * @flags: NLM_F_DUMP, or NLM_F_ACK
 *
 * Return: the message; attributes can be added up to CW_NL_BUFFER bytes.
 */
struct nlmsghdr *cw_nl_request(struct cw_nl *nl, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->request);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = nl->family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = TCP_CLOSE_WAIT_FAMILY_VERSION;
	return nlh;
}

/* What the kernel tells of a family. */
struct family {
	uint64_t id;
	uint64_t version;
	uint64_t group;
	const char *group_name;
};

static void read_group(const struct nlattr *nest, struct family *family)
{
	const struct nlattr *attr;
	bool wanted = false;
	uint64_t id = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
			cw_answer_uint(attr, &id);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME &&
			 mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			wanted = !strcmp(mnl_attr_get_str(attr),
					 family->group_name);
	}
	if (wanted)
		family->group = id;
}

static bool read_family(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr, *group;
	struct family *family = arg;
	bool good = true;

	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		switch (mnl_attr_get_type(attr)) {
		case CTRL_ATTR_FAMILY_ID:
			good &= cw_answer_uint(attr, &family->id);
			break;
		case CTRL_ATTR_VERSION:
			good &= cw_answer_uint(attr, &family->version);
			break;
		case CTRL_ATTR_MCAST_GROUPS:
			mnl_attr_for_each_nested(group, attr)
				read_group(group, family);
			break;
		}
	}
	return good && family->id;
}

static int find_family(struct cw_nl *nl, const char *name,
		       struct family *family, struct cw_error *err)
{
	struct nlmsghdr *nlh;

	nl->family = GENL_ID_CTRL;
	nlh = cw_nl_request(nl, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	return cw_nl_talk(nl, nlh, "find the module's netlink family",
			  read_family, family, err);
}

/**
 * cw_nl_open() - find the module, in the present network namespace
 * @nl: is set up; to be closed even if this fails
 * @err: gets what goes wrong
 *
 * Return: exit status, CW_NOT_LOADED if the module is not there.
 */
int cw_nl_open(struct cw_nl *nl, struct cw_error *err)
{
	struct family family = { .group_name = TCP_CLOSE_WAIT_MCGRP_EVENTS };
	int status;

	memset(nl, 0, sizeof(*nl));
	nl->request = cw_alloc(CW_NL_BUFFER);
	nl->answer = cw_alloc(CW_NL_BUFFER);
	nl->transport = cw_transport_open();
	if (!nl->transport)
		return cw_fail(err, CW_FAILED, "cannot open a netlink socket: %s",
			       strerror(errno));
	status = find_family(nl, TCP_CLOSE_WAIT_FAMILY_NAME, &family, err);
	if (status)
		return status;
	if (family.version != TCP_CLOSE_WAIT_FAMILY_VERSION)
		return cw_fail(err, CW_FAILED,
			       "the module speaks netlink version %u, this cwctl (%s) only %d",
			       (unsigned int)family.version, VERSION,
			       TCP_CLOSE_WAIT_FAMILY_VERSION);
	nl->family = family.id;
	nl->events = family.group;
	return CW_DONE;
}

void cw_nl_close(struct cw_nl *nl)
{
	if (nl->transport)
		cw_transport_close(nl->transport);
	free(nl->request);
	free(nl->answer);
	memset(nl, 0, sizeof(*nl));
}

/**
 * cw_nl_join() - hear of events
 * @nl: the family
 * @err: gets what goes wrong
 *
 * Also of the end of the family, that is of the module.
 *
 * Return: exit status.
 */
int cw_nl_join(struct cw_nl *nl, struct cw_error *err)
{
	struct family ctrl = { .group_name = "notify" };
	uint16_t family = nl->family;
	int status, error;

	if (!nl->events)
		return cw_fail(err, CW_FAILED,
			       "the module that is loaded has no events (an older one?)");
	status = find_family(nl, "nlctrl", &ctrl, err);
	nl->family = family;
	if (status)
		return status;
	error = cw_transport_join(nl->transport, nl->events);
	if (!error && ctrl.group)
		error = cw_transport_join(nl->transport, ctrl.group);
	if (error)
		return cw_fail(err, CW_FAILED, "cannot listen to events: %s",
			       strerror(-error));
	return CW_DONE;
}

/* Is this the controller telling that our family is gone. */
static bool is_farewell(const struct cw_nl *nl, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	uint64_t id = 0;

	if (nlh->nlmsg_type != GENL_ID_CTRL || genl->cmd != CTRL_CMD_DELFAMILY)
		return false;
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN)
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			cw_answer_uint(attr, &id);
	return id == nl->family;
}

/**
 * cw_nl_events() - the events that have come by now
 * @nl: the family, which has joined
 * @fn: takes each
 * @arg: for @fn
 * @lost: set if the kernel had to drop some
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_nl_events(struct cw_nl *nl, cw_nl_fn *fn, void *arg, bool *lost,
		 struct cw_error *err)
{
	struct talk talk = {
		.nl = nl, .what = "follow events", .err = err,
	};
	const struct nlmsghdr *nlh = (void *)nl->answer;
	ssize_t len;
	int left;

	len = cw_transport_recv(nl->transport, nl->answer, CW_NL_BUFFER, 0);
	*lost = len == -ENOBUFS;
	if (*lost || len == -EAGAIN)
		return CW_DONE;
	if (len <= 0)
		return refused(&talk, len ? -(int)len : EPIPE, NULL);
	for (left = len; is_whole(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left)) {
		const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

		if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
			continue;
		if (mnl_nlmsg_get_payload_len(nlh) < GENL_HDRLEN)
			return malformed(&talk);
		if (is_farewell(nl, nlh))
			return cw_nl_unloaded(err);
		if (nlh->nlmsg_type == nl->family &&
		    genl->cmd == TCP_CLOSE_WAIT_CMD_REAPED_NTF && !fn(nlh, arg))
			return malformed(&talk);
	}
	return left > 0 ? malformed(&talk) : CW_DONE;
}
