/* What jsonb of PostgreSQL does not take, though it is JSON. */
#ifndef HUBREPLAY_TABLE_JSONB_H
#define HUBREPLAY_TABLE_JSONB_H

#include <stdbool.h>
#include <stddef.h>

/* Whether jsonb takes a text, which is valid JSON: not where a string has a NUL (\u0000) or half a
 * surrogate pair, nor where a number has an exponent of more than three digits or more than 1,000
 * characters, since a numeric may not hold it. */
bool table_jsonb_takes(const char *text, size_t len);

#endif
