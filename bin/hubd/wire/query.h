/* The query of a request target as names and values (URL Standard,
 * application/x-www-form-urlencoded parsing), in place. */
#ifndef HUBD_QUERY_H
#define HUBD_QUERY_H

#include <stdbool.h>

#include "wire/http1_chars.h"

/* Takes the next NAME=VALUE off the query, which may be empty or have a NULL p; both are as they
 * came. Pieces between two "&" that are empty are passed over. False at the end. */
bool query_next(struct http1_span *query, struct http1_span *name, struct http1_span *value);

#endif
