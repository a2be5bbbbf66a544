/* Who is absent as text: numbers in decimal with a space behind each, names before a line feed.
 *
 *	1 CLIENT FORGOT LOGS STEPS
 *	EPOCH HAS_RUN RUN BASE BEGIN NUMBER ECHO NAME\n, for each log
 *	CURSOR NUMBER, for each step
 *
 * One is the form's number: what begins with another one is not read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "member/absent_impl.h"
#include "member/trail.h"

#define FORM 1
#define LOGS_MAX 4096

static int put(struct buf *out, uint64_t n)
{
	int r = buf_put_u64(out, n);

	return r == 0 ? buf_puts(out, " ") : r;
}

static int put_all(struct buf *out, const uint64_t *n, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = put(out, n[i]);
	return r;
}

int absent_put(const struct absent *a, struct buf *out)
{
	const uint64_t head[] = {FORM, a->client, a->forgot, a->logs, a->steps};
	int r = put_all(out, head, 5);

	for (unsigned i = 0; r == 0 && i < a->logs; i++) {
		const struct absent_log *log = &a->log[i];
		const uint64_t n[] = {log->place.epoch, log->place.has_run, log->place.run,
				      log->base,	log->begin,	    log->number,
				      log->echo};

		r = put_all(out, n, 7);
		if (r == 0)
			r = buf_put(out, log->id, log->id_len);
		if (r == 0)
			r = buf_puts(out, "\n");
	}
	for (unsigned i = 0; r == 0 && i < a->steps; i++) {
		const uint64_t n[] = {a->step[i].cursor, a->step[i].number};

		r = put_all(out, n, 2);
	}
	return r;
}

/* Takes a number off the text; false where there is none up to max. */
static bool take(struct span *text, uint64_t max, uint64_t *n)
{
	*n = 0;
	while (text->len && *text->p >= '0' && *text->p <= '9') {
		if (__builtin_mul_overflow(*n, 10U, n) ||
		    __builtin_add_overflow(*n, (unsigned)(*text->p - '0'), n))
			return false;
		text->p++, text->len--;
	}
	if (!text->len || *text->p != ' ' || *n > max)
		return false;
	text->p++, text->len--;
	return true;
}

static bool take_log(struct span *text, struct absent_log *log)
{
	static const uint64_t max[] = {UINT64_MAX, 1,	       UINT32_MAX, UINT64_MAX,
				       UINT64_MAX, UINT32_MAX, 1};
	const char *end;
	uint64_t n[7];
	size_t len;

	for (int i = 0; i < 7; i++)
		if (!take(text, max[i], &n[i]))
			return false;
	end = memchr(text->p, '\n', text->len);
	len = end ? (size_t)(end - text->p) : 0;
	if (!envelope_session_id_ok(text->p, len))
		return false;
	*log = (struct absent_log){.place = {.epoch = n[0], .has_run = n[1], .run = (uint32_t)n[2]},
				   .base = n[3],
				   .begin = n[4],
				   .number = (uint32_t)n[5],
				   .echo = n[6],
				   .id_len = (uint8_t)len};
	memcpy(log->id, text->p, len);
	*text = (struct span){end + 1, text->len - len - 1};
	return true;
}

static bool take_step(struct span *text, struct trail_step *step)
{
	uint64_t number;

	if (!take(text, UINT64_MAX, &step->cursor) || !take(text, UINT32_MAX, &number))
		return false;
	step->number = (uint32_t)number;
	return true;
}

struct absent *absent_read(struct span text)
{
	uint64_t form, client, forgot, logs, steps;
	struct absent *a;
	bool good = true;
	size_t bytes;

	if (!take(&text, FORM, &form) || form != FORM || !take(&text, UINT64_MAX, &client) ||
	    !take(&text, 1, &forgot) || !take(&text, LOGS_MAX, &logs) || !logs ||
	    !take(&text, TRAIL_STEPS, &steps))
		return NULL;
	bytes = sizeof(*a) + logs * sizeof(*a->log) + steps * sizeof(*a->step);
	a = malloc(bytes);
	if (!a)
		return NULL;
	*a = (struct absent){.client = client,
			     .bytes = bytes,
			     .forgot = forgot,
			     .logs = (unsigned)logs,
			     .steps = (unsigned)steps};
	a->step = (struct trail_step *)(void *)&a->log[logs];
	for (unsigned i = 0; good && i < a->logs; i++)
		good = take_log(&text, &a->log[i]);
	for (unsigned i = 0; good && i < a->steps; i++)
		good = take_step(&text, &a->step[i]);
	if (good && !text.len)
		return a;
	free(a);
	return NULL;
}
