/* The options of hubd(8), which says what each means. */
#ifndef HUBD_OPTIONS_H
#define HUBD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/opt.h"

enum slow_policy { SLOW_DISCONNECT, SLOW_RESYNC };
enum log_format { LOG_TEXT, LOG_JSON };

struct hub_options {
	const char *config;
	struct opt_list listen, listen_proxy, trust_proxy;
	int proxy_header; /* enum forwarded_field */
	const char *socket;
	struct opt_list host, origin, cors, www;
	const char *socketio_path;
	double socketio_connect;
	bool socketio_echo;
	int64_t max_polling;
	const char *tls_cert, *tls_key;
	const char *client_version;
	struct opt_list auth_key, auth_audience, auth_issuer;
	const char *auth_info;
	bool allow_query_token, insecure;
	int64_t workers;
	int64_t ready_fd;
	int64_t max_message, max_header, deflate_min;
	bool deflate;
	int64_t rate_messages, rate_bytes, rate_user_messages, rate_user_bytes;
	int64_t rate_address_messages, rate_address_bytes;
	int64_t rate_requests, rate_joins;
	int64_t max_connections, max_per_address, max_per_user;
	int64_t connection_memory;
	int64_t max_sessions, max_members;
	int64_t history, history_bytes, history_memory;
	int64_t presence_limit;
	int64_t state_keys, client_keys, state_bytes, client_bytes;
	const char *keys;
	struct opt_list area;
	const char *rules, *rules_test;
	struct opt_list bus;
	const char *bus_ca;
	const char *bus_socketio, *bus_socketio_redis;
	double bus_node_timeout;
	int64_t bus_wait;
	const char *store;
	int sync; /* enum store_sync */
	int64_t keep_records;
	int64_t keep_days;
	int64_t store_max;
	double slow_after, session_ttl, resume_ttl;
	double ping, pong, header_timeout, write_timeout, drain;
	int slow; /* enum slow_policy */
	int log_level, log_format;
	bool check;
	const char *user;
	struct opt_places places;
};

/* Fills *opt from the command line and the configuration file. Ends the program where they are not
 * usable; raises the limit on descriptors to what is allowed. */
void options_read(struct hub_options *opt, int argc, char **argv);

/* The same once more, of the same command line. Returns 0, or -EINVAL with what is wrong, and
 * where, in why. */
int options_read_again(struct hub_options *opt, int argc, char **argv, char *why, size_t cap);

/* "FILE:LINE: " for an option that got its value from the configuration file, else "". Returns
 * whether it did. */
bool options_place(const struct hub_options *opt, const char *name, char *out, size_t cap);

/* Calls each() for every option that is not the same in both; is_live: a change takes no restart.
 */
void options_changes(const struct hub_options *before, const struct hub_options *after,
		     void (*each)(const char *name, bool is_live, void *arg), void *arg);

#endif
