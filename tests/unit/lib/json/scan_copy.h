/* The scanner under AddressSanitizer's eyes. */
#ifndef HUB_SCAN_COPY_H
#define HUB_SCAN_COPY_H

#include <stdlib.h>
#include <string.h>

#include "json/json.h"
#include "unit.h"

/* Scans a copy that ends where its memory ends, so that AddressSanitizer sees any byte read too
 * much. */
static inline enum json_status scan(const struct json_paths *paths, const char *text, size_t len,
				    struct json_member *members, struct json_scan *out)
{
	char *copy = malloc(len);
	enum json_status status;

	assert_true(copy || len == 0);
	if (len)
		memcpy(copy, text, len);
	status = json_scan(paths, copy, len, members, out);
	assert_int_equal(status, out->status);
	if (status != JSON_OK)
		assert_true(out->at <= len);
	free(copy);
	return status;
}

#endif
