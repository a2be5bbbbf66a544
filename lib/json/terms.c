#include "json/terms.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 64 /* characters of one; what is longer is read as far as that */

enum { OWN, TTL, IF_SEQ, NEWER, TIMESTAMP, FIELDS };

static struct json_paths *paths; /* never freed */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compile(void)
{
	static const char *const names[FIELDS] = {"own", "ttl", "if_seq", "newer", "timestamp"};

	paths = json_paths_new(names, FIELDS);
}

static bool scan(const char *text, size_t len, struct json_member m[FIELDS])
{
	struct json_scan out;

	pthread_once(&once, compile);
	memset(m, 0, FIELDS * sizeof(*m));
	return paths && json_scan(paths, text, len, m, &out) == JSON_OK;
}

static double number(const char *text, const struct json_member *m)
{
	char digits[NUMBER_MAX + 1];
	size_t len = m->end - m->start;

	if (m->type != JSON_NUMBER)
		return 0;
	if (len > NUMBER_MAX)
		len = NUMBER_MAX;
	memcpy(digits, text + m->start, len);
	digits[len] = '\0';
	return strtod(digits, NULL);
}

/* Leaves *out as it is where it is absent. */
static bool boolean(const struct json_member *m, bool *out)
{
	if (m->type == JSON_NONE)
		return true;
	*out = m->type == JSON_TRUE;
	return *out || m->type == JSON_FALSE;
}

static bool seq(const char *text, const struct json_member *m, uint64_t *out)
{
	if (m->type != JSON_NUMBER || m->end - m->start > 16)
		return false;
	*out = 0;
	for (uint32_t i = m->start; i < m->end; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = 10 * *out + (uint64_t)(text[i] - '0');
	}
	return *out <= (uint64_t)1 << 53;
}

static uint64_t ttl_ms(double s)
{
	uint64_t ms = (uint64_t)(s * 1000);

	return ms ? ms : 1;
}

enum hub_code terms_read(const struct envelope *e, uint64_t wall_ms, struct terms *t,
			 const char **why)
{
	struct json_member m[FIELDS];
	double ttl;

	*why = "out of memory";
	if (!scan(e->text, e->len, m))
		return HUB_INTERNAL;
	*why = "own, ttl, if_seq and newer may occur once each";
	for (int i = OWN; i <= NEWER; i++)
		if (m[i].repeated)
			return HUB_BAD_FIELD;
	*why = "own and newer must be true or false";
	if (!boolean(&m[OWN], &t->own) || !boolean(&m[NEWER], &t->newer))
		return HUB_BAD_FIELD;
	ttl = number(e->text, &m[TTL]);
	*why = "ttl must be a number of seconds, more than 0 and at most 1000000000";
	if (m[TTL].type != JSON_NONE && !(ttl > 0 && ttl <= TERMS_TTL_MAX))
		return HUB_BAD_FIELD;
	t->ttl_ms = m[TTL].type == JSON_NONE ? 0 : ttl_ms(ttl);
	t->has_if_seq = m[IF_SEQ].type != JSON_NONE;
	*why = "if_seq must be a seq: a whole number from 0 to 2^53";
	if (t->has_if_seq && !seq(e->text, &m[IF_SEQ], &t->if_seq))
		return HUB_BAD_FIELD;
	t->when = m[TIMESTAMP].type == JSON_NONE ? (double)wall_ms : number(e->text, &m[TIMESTAMP]);
	t->any = t->own || t->ttl_ms || t->newer || t->has_if_seq;
	return HUB_OK;
}

double terms_when(const char *record, size_t len)
{
	struct json_member m[FIELDS];

	return scan(record, len, m) ? number(record, &m[TIMESTAMP]) : 0;
}

uint64_t terms_ttl_ms(const char *record, size_t len)
{
	struct json_member m[FIELDS];
	double ttl = scan(record, len, m) ? number(record, &m[TTL]) : 0;

	return ttl > 0 && ttl <= TERMS_TTL_MAX ? ttl_ms(ttl) : 0;
}
