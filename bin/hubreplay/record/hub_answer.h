/* What answers of the hub say (hub(7)): pure functions of their text. */
#ifndef HUBREPLAY_HUB_ANSWER_H
#define HUBREPLAY_HUB_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A `pong`: returns whether it answers the ping of that id and has the hub's clock, which goes to
 * *server_ms, ms since 1970. id needs no escaping. */
bool hub_answer_clock(const char *text, size_t len, const char *id, uint64_t *server_ms);

/* Gets a session's name. Returns false to get no more. */
typedef bool hub_answer_name(const char *session, void *arg);

/* A part of a `session_list`: hands over its names; what is no name (and must not become a file's)
 * is passed over. Returns whether they were all taken and this is the last part. */
bool hub_answer_sessions(const char *text, size_t len, hub_answer_name *take, void *arg);

#endif
