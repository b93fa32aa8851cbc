/* SPDX-License-Identifier: GPL-2.0 */
/* Ids and paths of cgroups v2. */
#ifndef CW_CGROUP_H
#define CW_CGROUP_H

#include <stdint.h>

#include "error.h"

struct cw_cgroups;

int cw_cgroup_id(const char *path, uint64_t *id, struct cw_error *err);
struct cw_cgroups *cw_cgroups_load(void);
void cw_cgroups_free(struct cw_cgroups *groups);
const char *cw_cgroups_path(const struct cw_cgroups *groups, uint64_t id);

#endif /* CW_CGROUP_H */
