// SPDX-License-Identifier: GPL-2.0
#include "ports.h"

#define PORT(name) TCP_CLOSE_WAIT_A_PORT_##name

static const struct cw_column columns[] = {
	{ "netns", "NETNS", 0, 0 },
	{ "dir", "DIR", 0, 0 },
	{ "port", "PORT", CW_RIGHT, 0 },
	{ "sockets", "COUNT", CW_RIGHT, 0 },
	{ "unaccepted", "UNACCEPTED", CW_RIGHT, 0 },
	{ "sending", "SENDING", CW_RIGHT, 0 },
	{ "unread", "UNREAD", CW_RIGHT, 0 },
	{ "unnoticed", "UNNOTICED", CW_RIGHT, 0 },
	{ "held", "HELD", CW_RIGHT, 0 },
	{ "age_max_ms", "OLDEST", CW_RIGHT, 0 },
	{ "idle_max_ms", "IDLE", CW_RIGHT, 1 },
	{ "reaped", "REAPED", CW_RIGHT, 0 },
	{ "rx_bytes", "RX-BYTES", CW_RIGHT, 3 },
	{ "tx_bytes", "TX-BYTES", CW_RIGHT, 3 },
};

static void print_port(struct cw_out *out, const struct cw_port *port)
{
	bool exact = !port->v[PORT(INEXACT)];
	unsigned int i;

	cw_out_object(out, NULL);
	if (port->netns)
		cw_out_str(out, "netns", port->netns, NULL);
	cw_out_str(out, "dir", cw_dir_name(port->v[PORT(DIR)]), NULL);
	for (i = PORT(PORT); i <= TCP_CLOSE_WAIT_A_PORT_MAX; i++) {
		const char *key = cw_port_keys[i];

		if (!port->v[PORT(SOCKETS)] &&
		    (i == PORT(AGE_MAX_MS) || i == PORT(IDLE_MAX_MS))) {
			cw_out_number(out, key, port->v[i], "-", NULL);
		} else if (i == PORT(AGE_MAX_MS)) {
			cw_out_tone(out, cw_age_tone(port->v[i]));
			cw_out_age(out, key, port->v[i], exact, NULL);
		} else if (i == PORT(IDLE_MAX_MS)) {
			cw_out_age(out, key, port->v[i], true, NULL);
		} else {
			cw_out_u64(out, key, port->v[i], NULL);
		}
	}
	cw_out_object_end(out);
}

int cw_show(struct cw *cw)
{
	struct cw_ports ports = { 0 };
	unsigned int skip = !cw->opt.all_netns;
	int status = cw_each_netns(cw, cw_ports_get, &ports);
	size_t i;

	if (!status) {
		cw_ports_sort(&ports);
		cw_out_object(cw->out, NULL);
		cw_out_table(cw->out, "ports", columns + skip,
			     MNL_ARRAY_SIZE(columns) - skip);
		for (i = 0; i < ports.n; i++)
			print_port(cw->out, &ports.list[i]);
		cw_out_table_end(cw->out, ports.n ? NULL :
				 cw_no_sockets(&cw->opt.filter));
		cw_out_object_end(cw->out);
	}
	cw_ports_free(&ports);
	return status;
}
