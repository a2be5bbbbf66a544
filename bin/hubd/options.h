/* The options of hubd(8), which says what each means. */
#ifndef HUBD_OPTIONS_H
#define HUBD_OPTIONS_H

#include <stdint.h>

#include "base/opt.h"

enum slow_policy { SLOW_DISCONNECT, SLOW_RESYNC };

struct hub_options {
	const char *config;
	struct opt_list listen;
	const char *socket;
	const char *tls_cert, *tls_key;
	const char *client_version;
	int64_t workers;
	int64_t ready_fd;
	int64_t max_message, max_header;
	int64_t max_connections, max_sessions, max_members;
	int64_t history, history_bytes, history_memory;
	int64_t presence_limit;
	int64_t state_keys;
	const char *keys;
	const char *store;
	int sync; /* enum store_sync */
	int64_t keep_records;
	int64_t keep_days;
	double slow_after, session_ttl;
	double ping, pong, header_timeout, write_timeout, drain;
	int slow; /* enum slow_policy */
	int log_level;
};

/* Fills *opt from the command line and the configuration file. Ends the program where they are not
 * usable; raises the limit on descriptors to what is allowed. */
void options_read(struct hub_options *opt, int argc, char **argv);

#endif
