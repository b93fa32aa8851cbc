/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a socket in CLOSE_WAIT waits for, and for how long: arithmetic only, no
 * kernel state, so that it also builds and is tested in user space.
 */
#ifndef CW_CLASSIFY_H
#define CW_CLASSIFY_H

#include <linux/types.h>
#include <linux/kernel.h>

#define CW_NSEC_PER_MSEC	1000000ULL
#define CW_NSEC_PER_SEC		1000000000ULL

enum cw_class {
	CW_UNACCEPTED,
	CW_SENDING,
	CW_UNREAD,
	CW_UNNOTICED,
	CW_HELD,
	CW_NCLASS
};

/**
 * cw_class_name() - the word that users read
 * @class: one of enum cw_class
 *
 * Return: the word.
 */
static inline const char *cw_class_name(enum cw_class class)
{
	static const char * const name[CW_NCLASS] = {
		[CW_UNACCEPTED]	= "unaccepted",
		[CW_SENDING]	= "sending",
		[CW_UNREAD]	= "unread",
		[CW_UNNOTICED]	= "unnoticed",
		[CW_HELD]	= "held",
	};

	return name[class];
}

/**
 * cw_rx_bytes() - received bytes that the application has not read
 * @rcv_nxt: next sequence number expected; the FIN is behind it already
 * @copied_seq: next sequence number that the application reads
 *
 * The two are read without a lock, so @copied_seq may be of a later moment.
 *
 * Return: bytes of data; the FIN, which takes one sequence number, not counted.
 */
static inline u32 cw_rx_bytes(u32 rcv_nxt, u32 copied_seq)
{
	s32 queued = rcv_nxt - copied_seq;

	return queued > 1 ? queued - 1 : 0;
}

/**
 * cw_tx_bytes() - bytes written and not yet acknowledged, sent or not
 * @write_seq: sequence number behind the last byte written
 * @snd_una: first sequence number not acknowledged
 *
 * Return: bytes.
 */
static inline u32 cw_tx_bytes(u32 write_seq, u32 snd_una)
{
	s32 queued = write_seq - snd_una;

	return queued > 0 ? queued : 0;
}

/**
 * cw_classify() - the class of a socket in CLOSE_WAIT
 * @accepted: a file stands behind it
 * @tx_bytes: what cw_tx_bytes() says
 * @rcv_nxt: next sequence number expected
 * @copied_seq: next sequence number that the application reads
 *
 * Return: the first class that fits, in the order of enum cw_class.
 */
static inline enum cw_class cw_classify(bool accepted, u32 tx_bytes,
					u32 rcv_nxt, u32 copied_seq)
{
	if (!accepted)
		return CW_UNACCEPTED;
	if (tx_bytes)
		return CW_SENDING;
	if (cw_rx_bytes(rcv_nxt, copied_seq))
		return CW_UNREAD;
	return rcv_nxt - copied_seq == 1 ? CW_UNNOTICED : CW_HELD;
}

/* The finished spells by length; the ages of the others share the upper limits. */
#define CW_NSPELL	9
#define CW_NAGE		6

/**
 * cw_spell_bucket() - which column of stats a finished spell is counted in
 * @ns: its length
 *
 * Return: 0 (below 1 ms) to CW_NSPELL - 1 (an hour and more).
 */
static inline unsigned int cw_spell_bucket(u64 ns)
{
	static const u64 limit[CW_NSPELL - 1] = {
		CW_NSEC_PER_MSEC, 10 * CW_NSEC_PER_MSEC, 100 * CW_NSEC_PER_MSEC,
		CW_NSEC_PER_SEC, 10 * CW_NSEC_PER_SEC, 60 * CW_NSEC_PER_SEC,
		600 * CW_NSEC_PER_SEC, 3600 * CW_NSEC_PER_SEC,
	};
	unsigned int i;

	for (i = 0; i < CW_NSPELL - 1; i++)
		if (ns < limit[i])
			break;
	return i;
}

/**
 * cw_age_bucket() - which column of ports an age is counted in
 * @ns: the age
 *
 * Return: 0 (below 1 s) to CW_NAGE - 1 (an hour and more).
 */
static inline unsigned int cw_age_bucket(u64 ns)
{
	const unsigned int below_1s = CW_NSPELL - CW_NAGE;
	unsigned int bucket = cw_spell_bucket(ns);

	return bucket > below_1s ? bucket - below_1s : 0;
}

/**
 * cw_since() - time from one moment to another, never negative
 * @now: CLOCK_MONOTONIC in nanoseconds
 * @then: the same, possibly read a little later on another CPU
 *
 * Return: nanoseconds.
 */
static inline u64 cw_since(u64 now, u64 then)
{
	return now > then ? now - then : 0;
}

/**
 * cw_ack_age() - time since the peer's last ACK, from 32-bit jiffies
 * @now: jiffies, cut to 32 bits
 * @stamp: tcp_sock.rcv_tstamp, written by any CPU
 *
 * The difference is right up to 2^32 jiffies (198 days at HZ=250) and too small
 * beyond, so it always is a lower bound.  A stamp that another CPU has just
 * written can lie ahead of @now, by no more than a few ticks.  Of the first and
 * the last jiffy together only one may have passed: one less is counted.
 *
 * Return: whole jiffies, a lower bound.
 */
static inline u32 cw_ack_age(u32 now, u32 stamp)
{
	const u32 ahead = 1024;
	u32 age = now - stamp;

	return age > U32_MAX - ahead || !age ? 0 : age - 1;
}

#endif /* CW_CLASSIFY_H */
