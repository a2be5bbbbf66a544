#include "wire/log_place.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "wire/id.h"

#define RUN_LEN 8 /* digits of a run */

size_t place_text(const struct log_place *place, char out[PLACE_MAX])
{
	char *p = out + ID_LEN;

	id_text(place->epoch, out);
	*p++ = '-';
	p = decimal_put(p, place->seq);
	if (place->has_run)
		p += snprintf(p, RUN_LEN + 2, "-%08x", place->run);
	*p = '\0';
	return (size_t)(p - out);
}

bool place_parse_seq(const char *text, size_t len, uint64_t *seq)
{
	uint64_t n = 0;
	size_t i;

	if (len == 0 || len > 16)
		return false;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = 10 * n + (uint64_t)(text[i] - '0');
	}
	*seq = n;
	return n <= (uint64_t)1 << 53;
}

static bool parse_run(const char *text, size_t len, uint32_t *run)
{
	size_t i;

	*run = 0;
	for (i = 0; i < len; i++) {
		const char *digit = memchr("0123456789abcdef", text[i], 16);

		if (!digit)
			return false;
		*run = *run << 4 | (uint32_t)(digit - "0123456789abcdef");
	}
	return len == RUN_LEN;
}

bool place_parse(const char *text, size_t len, struct log_place *place)
{
	const char *seq = text + ID_LEN + 1, *end = text + len, *dash;

	*place = (struct log_place){0};
	if (len < ID_LEN + 2 || text[ID_LEN] != '-' || !id_parse(text, ID_LEN, &place->epoch))
		return false;
	dash = memchr(seq, '-', (size_t)(end - seq));
	place->has_run = dash != NULL;
	if (dash && !parse_run(dash + 1, (size_t)(end - dash - 1), &place->run))
		return false;
	return place_parse_seq(seq, (size_t)((dash ? dash : end) - seq), &place->seq);
}

uint64_t place_of_record(const char *text, size_t len)
{
	uint64_t seq = 0;
	const char *p;

	if (len < 8 || text[len - 1] != '}')
		return 0;
	p = text + len - 1;
	while (p > text && p[-1] >= '0' && p[-1] <= '9')
		p--;
	if (p - text < 7 || memcmp(p - 6, "\"seq\":", 6) != 0 ||
	    !place_parse_seq(p, (size_t)(text + len - 1 - p), &seq))
		return 0;
	return seq;
}
