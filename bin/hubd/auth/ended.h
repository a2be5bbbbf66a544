/* Clients that were sent away for good: what resume tokens they have are worth nothing. Forgotten
 * when such a token would have come to its end anyhow. Where there are too many to remember, all
 * tokens that were given until then are worth nothing. For any thread. */
#ifndef HUBD_ENDED_H
#define HUBD_ENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

#define ENDED_MAX 131072 /* clients and users remembered */

struct ended;

/* NULL: no memory. */
struct ended *ended_new(void);
void ended_free(struct ended *e); /* NULL is fine */

/* Tokens of that client are worth nothing, whenever they were given: nobody is that client again.
 * Those that were given to clients of that user until now (wall clock, in ms) are. ttl_ms is how
 * long one is worth anything at all, 0: for ever. */
void ended_client(struct ended *e, uint64_t client, uint64_t now_ms, uint64_t ttl_ms);
void ended_user(struct ended *e, struct span user, uint64_t now_ms, uint64_t ttl_ms);

/* Whether that is true of one given then to a client of that user, who may be nobody (empty). NULL
 * is fine for e: it is not. */
bool ended_is(struct ended *e, uint64_t client, struct span user, uint64_t issued_ms);

#endif
