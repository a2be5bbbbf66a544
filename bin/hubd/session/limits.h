/* What an operator wants of one session while the hub runs. It is given by registry_limit(), since
 * a session that has limits of its own is kept for them. */
#ifndef HUBD_LIMITS_H
#define HUBD_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct session;

/* What one session is held to instead of what all are; SESSION_USUAL: that. */
#define SESSION_USUAL INT64_MAX
struct session_limits {
	int64_t max_members;
	int64_t messages, bytes; /* of records a second, and twice as much at once; usually any */
	int64_t history, history_bytes;
	uint64_t message_bucket, byte_bucket; /* loop/bucket.h */
};

/* Whether they are any. */
bool session_is_limited(const struct session_limits *limits);

/* What a session is held to: a copy, taken under its lock. */
void session_get_limits(struct session *s, struct session_limits *limits);

#endif
