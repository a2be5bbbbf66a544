/* What a message that is state asks for: whose its record is, for how long it holds, and on what
 * condition it is taken (hub(7)). In other messages these fields are the application's. */
#ifndef HUB_TERMS_H
#define HUB_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/envelope.h"

#define TERMS_TTL_MAX 1e9 /* seconds */

struct terms {
	bool any;	 /* of these; else all are as if they were absent */
	bool own;	 /* the record's key goes with its sender */
	uint64_t ttl_ms; /* ... and after so long; 0: it stays */
	bool newer;	 /* its timestamp must be later than the key's */
	bool has_if_seq;
	uint64_t if_seq; /* the key's last record must be that one; 0: it must have none */
	double when;	 /* where newer: its timestamp */
};

/* Reads them where e->has_terms. wall_ms is the timestamp of a message without one. Returns HUB_OK,
 * or HUB_BAD_FIELD with static text in *why. */
enum hub_code terms_read(const struct envelope *e, uint64_t wall_ms, struct terms *t,
			 const char **why);

/* The timestamp of a record; 0 where it has none. */
double terms_when(const char *record, size_t len);

/* The ttl of one, in milliseconds; 0 where it has none. */
uint64_t terms_ttl_ms(const char *record, size_t len);

#endif
