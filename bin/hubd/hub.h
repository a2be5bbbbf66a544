/* What all workers share: the options (read-only once they run), the registry, the counters. */
#ifndef HUBD_HUB_H
#define HUBD_HUB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#include "identity.h"
#include "log.h"
#include "registry.h"

#define HUB_WORKERS_MAX 64
#define HUB_MEMBERSHIPS_MAX 64 /* sessions of one connection */

enum slow_policy { SLOW_DISCONNECT, SLOW_RESYNC };

/* Every field is an option of hubd(8), which says what it means. */
struct hub_options {
	const char *config;
	struct opt_list listen;
	const char *socket;
	const char *tls_cert, *tls_key;
	const char *client_version;
	int64_t workers;
	int64_t ready_fd;
	int64_t max_message;
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
	double ping, pong, write_timeout, drain;
	int slow; /* enum slow_policy */
	int log_level;
};

/* Counters since the start, summed over the workers. */
struct stats {
	atomic_uint_fast64_t records, record_bytes; /* appended to logs */
	atomic_uint_fast64_t direct;		    /* messages with `to` */
	atomic_uint_fast64_t sent_bytes;	    /* handed to transports */
	atomic_uint_fast64_t errors;		    /* answered to clients */
	atomic_uint_fast64_t accepted, refused;	    /* connections */
	atomic_uint_fast64_t slow_disconnects, slow_resyncs;
	atomic_uint_fast64_t dead; /* connections given up after --pong or --write-timeout */
};

struct hub {
	struct hub_options opt;
	struct log_limits limits;
	struct log_memory memory;
	struct registry registry;
	struct keys *keys;   /* which messages are state */
	struct store *store; /* NULL: nothing outlives hubd */
	uint32_t run;	     /* this hubd from start to end: random, or counted by the store */
	unsigned char secret[IDENTITY_KEY_LEN]; /* signs resume tokens, hashes msg_ids */
	struct json_paths *control;		/* the fields of control messages; see dispatch.h */
	struct worker *worker[HUB_WORKERS_MAX];
	unsigned nworkers;
	atomic_uint connections; /* accepted and not yet gone */
	atomic_bool draining;
};

#endif
