/* Invariant: whoever gets a text of these has what it leans on: a record without what the one
 * before it in the array says, or a patch of one that he has. */
#include "member/select_text.h"

#include <pthread.h>
#include <string.h>

#include "json/json.h"
#include "member/select_impl.h"
#include "wire/log_place.h"

/* Appends a message to text that says of those that have left from *i on, one behind the other;
 * *i is then the last of them. */
static int put_left(const struct seat *seat, const struct pick *p, size_t *i, struct buf *text)
{
	struct interest_left left = {0};
	int r = 0;

	for (; r == 0 && *i < p->n && (p->at[*i].left || p->at[*i].late); ++*i) {
		const struct picked *k = &p->at[*i];

		if (!k->late)
			r = interest_left_add(
			    &left, (struct span){k->text + k->slot->type_at, k->slot->type_len},
			    (struct span){k->text + k->slot->key_at, k->slot->key_len});
	}
	--*i;
	if (r == 0)
		r = interest_left_end(&left);
	if (r == 0)
		r = seat->conn->door->dialect->area_left(
		    text, seat->m.session->id, (struct span){left.text.data, left.text.len});
	buf_free(&left.text);
	return r;
}

int select_each(const struct seat *seat, const struct span_about *about, const struct pick *p,
		struct buf *text, struct buf *b)
{
	const struct encoding *encoding = about->key.encoding;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		const struct picked *k = &p->at[i];

		if (k->late)
			continue;
		if (k->left) {
			text->len = 0;
			r = put_left(seat, p, &i, text);
			if (r == 0)
				r = encoding->message(b, text->data, text->len);
			continue;
		}
		if (encoding->record)
			r = encoding->record(
			    b, k->text, k->len,
			    (struct span){k->text + k->slot->type_at, k->slot->type_len},
			    &about->in);
		else
			r = encoding->message(b, k->text, k->len);
	}
	return r;
}

/* What every record says, and the one before it may have said. */
enum { SESSION, TIMESTAMP, FROM, SAID };

static struct json_paths *said_paths; /* NULL: no memory; then nothing is left out */

static void make_said_paths(void)
{
	static const char *const names[SAID] = {"session_id", "timestamp", "from"};

	said_paths = json_paths_new(names, SAID);
}

static struct span value_of(const struct picked *k, const struct json_member *m)
{
	return (struct span){k->text + m->start, m->end - m->start};
}

static bool is_said(struct span now, struct span before)
{
	return now.len == before.len && memcmp(now.p, before.p, now.len) == 0;
}

static void find_said(const struct picked *k, struct json_member m[SAID])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct json_scan scan;

	memset(m, 0, SAID * sizeof(*m));
	pthread_once(&once, make_said_paths);
	if (said_paths)
		json_scan(said_paths, k->text, k->len, m, &scan);
}

/* The first member from `at` on that is as it was, or NULL. */
static const struct json_member *next_said(const struct picked *k, const struct json_member *m,
					   const struct span *said, uint32_t at)
{
	const struct json_member *next = NULL;

	for (int i = 0; i < SAID; i++) {
		struct span now = value_of(k, &m[i]);

		if (now.len && m[i].name >= at && is_said(now, said[i]) &&
		    (!next || m[i].name < next->name))
			next = &m[i];
	}
	return next;
}

/* Appends a record without what is as it was in the one before it, which is in `said`. `from` and
 * `seq` stand last, so a comma is behind each of these. */
static int put_compact(struct buf *out, const struct picked *k, struct span said[SAID])
{
	struct json_member m[SAID];
	const struct json_member *next;
	uint32_t at = 0;
	int r = 0;

	find_said(k, m);
	while (r == 0 && (next = next_said(k, m, said, at)) != NULL) {
		uint32_t end = next->end;

		r = buf_put(out, k->text + at, next->name - at);
		while (end < k->len && k->text[end] != ',')
			end++;
		at = end + 1;
	}
	for (int i = 0; i < SAID; i++)
		said[i] = value_of(k, &m[i]);
	return r == 0 ? buf_put(out, k->text + at, k->len - at) : r;
}

static int put_skipped(const struct seat *seat, const struct pick *p, struct buf *text)
{
	return seat->conn->door->dialect->skipped(text, seat->m.session->id, p->skipped);
}

/* Appends a record as what has changed since another one that whoever gets it has: [SEQ,PATCH]. */
static int put_patch(struct buf *out, const struct picked *k, bool compact, struct span said[SAID])
{
	struct json_member m[SAID];
	struct span when;
	int r = buf_put(out, k->patch.p, k->patch.len);

	find_said(k, m);
	when = value_of(k, &m[TIMESTAMP]);
	if (r == 0 && when.len && !(compact && is_said(when, said[TIMESTAMP]))) {
		r = buf_puts(out, k->patch.p[k->patch.len - 1] == '{' ? "" : ",");
		if (r == 0)
			r = buf_puts(out, "\"timestamp\":");
		if (r == 0)
			r = buf_put(out, when.p, when.len);
	}
	for (int i = 0; i < SAID; i++)
		said[i] = value_of(k, &m[i]);
	if (r == 0)
		r = buf_puts(out, out->data[out->len - 1] == '{' ? "" : ",");
	return r == 0 ? buf_printf(out, "\"seq\":%ju}]", (uintmax_t)k->seq) : r;
}

/* Appends the array; place is moved to the last of them. */
static int put_array(const struct seat *seat, struct log_place *place, const struct pick *p,
		     bool compact, bool patches, struct buf *text)
{
	const struct area *area = select_area(seat->more->select);
	struct span said[SAID] = {{0}};
	size_t before = text->len;
	bool some = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		const struct picked *k = &p->at[i];

		if (k->late)
			continue;
		r = buf_puts(text, text->len > before ? "," : "[");
		if (r == 0 && k->left) {
			r = put_left(seat, p, &i, text);
			continue;
		}
		if (place)
			place->seq = place_of_record(k->text, k->len);
		/* The first one is whole, so that something is there to lean on. */
		if (r == 0 && patches && some && k->patch.len &&
		    (!area || k->base == AREA_ANYWHERE || area_has(area, k->base)))
			r = put_patch(text, k, compact, said);
		else if (r == 0 && compact)
			r = put_compact(text, k, said);
		else if (r == 0)
			r = buf_put(text, k->text, k->len);
		some = true;
	}
	if (r == 0 && p->skipped)
		r = buf_puts(text, ",");
	if (r == 0 && p->skipped)
		r = put_skipped(seat, p, text);
	return r == 0 ? buf_puts(text, "]") : r;
}

int select_batch(const struct seat *seat, struct span_about *about, const struct pick *p,
		 const struct select_range *range, struct buf *text, struct buf *b)
{
	const struct encoding *encoding = about->key.encoding;
	int r;

	text->len = 0;
	r = put_array(seat, &about->place, p, seat->more->select->wish.compact, range->patches,
		      text);
	if (r < 0)
		return r;
	return encoding->batch ? encoding->batch(b, text->data, text->len, &about->in)
			       : encoding->message(b, text->data, text->len);
}

int select_before(const struct seat *seat, const struct pick *p, struct buf *text, struct buf *b)
{
	struct conn *c = seat->conn;
	struct buf *whole = worker_scratch(c->worker);
	int r;

	text->len = 0;
	r = put_array(seat, NULL, p, false, false, text);
	if (r == 0)
		r = c->door->dialect->ahead(whole, seat->m.session->id,
					    (struct span){text->data, text->len});
	if (r == 0)
		r = c->door->encoding->message(b, whole->data, whole->len);
	worker_scratch_done(c->worker, whole);
	return r;
}

int select_skipped(const struct seat *seat, const struct pick *p, struct buf *text, struct buf *b)
{
	int r;

	text->len = 0;
	r = put_skipped(seat, p, text);
	return r == 0 ? seat->conn->door->encoding->message(b, text->data, text->len) : r;
}
