/* SPDX-License-Identifier: GPL-2.0 */
/* How a command ends, and what it says if that is not well. */
#ifndef CW_ERROR_H
#define CW_ERROR_H

/* Exit statuses, which scripts rely on. */
enum cw_status {
	CW_DONE,
	CW_FAILED,
	CW_USAGE,
	CW_NOTHING,
	CW_NOT_LOADED,
};

/**
 * struct cw_error - what went wrong
 * @text: one line without its end, empty if all is well
 * @refusal: errno with which the kernel refused a request, or 0
 */
struct cw_error {
	char text[600];
	int refusal;
};

int cw_fail(struct cw_error *err, enum cw_status status, const char *fmt, ...)
	__printf(3, 4);
void cw_error_also(struct cw_error *err, const char *fmt, ...)
	__printf(2, 3);
void cw_error_where(struct cw_error *err, const char *name);

#endif /* CW_ERROR_H */
