/* SPDX-License-Identifier: GPL-2.0 */
/* Values that a user types. */
#ifndef CW_VALUE_H
#define CW_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct cw_prefix - an address, or a block of them
 * @addr: in network byte order
 * @len: bytes of @addr: 4, 16, or 0 for none
 * @bits: how many leading bits count
 */
struct cw_prefix {
	uint8_t addr[16];
	uint8_t len;
	uint8_t bits;
};

/**
 * struct cw_range - ports
 * @first: lowest; 0: none
 * @last: highest
 */
struct cw_range {
	uint16_t first;
	uint16_t last;
};

#define CW_TIMES "90, 90s, 10m, 2h, 1d"	/* what cw_value_time() takes */

bool cw_value_number(const char *text, uint64_t max, uint64_t *number);
bool cw_value_time(const char *text, uint64_t *seconds);
bool cw_value_ports(const char *text, struct cw_range *range);
bool cw_value_prefix(const char *text, struct cw_prefix *prefix);
bool cw_value_classes(const char *text, uint32_t *classes);
bool cw_value_dir(const char *text, unsigned int *dir);
bool cw_value_service(const char *text, unsigned int *dir,
		      struct cw_range *range);
bool cw_value_uid(const char *text, uint32_t *uid);

#endif /* CW_VALUE_H */
