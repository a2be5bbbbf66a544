/* jq's values as JSON, and back: what libjq does itself, but into our buffers, and bounded. */
#ifndef HUBD_RULES_VALUE_H
#define HUBD_RULES_VALUE_H

#include <jv.h>
#include <stddef.h>

#include "base/buf.h"
#include "json/envelope.h"

/* Appends v, which it borrows, as compact JSON. Returns 0, -ENOMEM, or -EDOM where it is nested
 * deeper than JSON_DEPTH_MAX, or -E2BIG where b would have more than max bytes. */
int value_put(struct buf *b, jv v, size_t max);

/* Of a text that json_scan() accepted; null where it is empty. Half a surrogate pair becomes
 * U+FFFD, a number too large for a double infinite. */
jv value_read(struct span text);

#endif
