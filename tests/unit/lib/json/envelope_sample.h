/* The record of a message, as the hub makes it of what client "me" says in session "S". */
#ifndef HUB_ENVELOPE_SAMPLE_H
#define HUB_ENVELOPE_SAMPLE_H

#include <stddef.h>

#include "json/envelope.h"
#include "unit.h"

#define SESSION ((struct span){"S", 1})
#define FROM ((struct span){"me", 2})
#define NOBODY ((struct span){NULL, 0})

/* The record of message, NUL-terminated, with its closing brace. Released by free(). */
static inline char *record(const char *message, size_t len)
{
	struct envelope e;
	struct buf out = {0};
	char why[128] = "";

	if (envelope_parse(&e, message, len, why, sizeof(why)) != HUB_OK)
		fail_msg("%.*s: %s", (int)len, message, why);
	assert_int_equal(envelope_record(&e, &out, SESSION, 5, FROM, NOBODY), 0);
	assert_int_equal(buf_put(&out, "}", 2), 0);
	return out.data;
}

#endif
