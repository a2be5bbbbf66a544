/* Joining: what a session_associate wants, and its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/comeback.h"
#include "dialect/hub7_impl.h"
#include "dialect/wish.h"
#include "json/json.h"
#include "wire/id.h"

#define RUN_LEN 8 /* digits of a run */

/* A string field's text, of at most cap bytes; false where it is none. */
static bool field_text(const struct envelope *e, const struct json_member *f, char *room,
		       size_t cap, struct span *out)
{
	int n;

	if (f->type != JSON_STRING)
		return false;
	n = json_unescape(e->text + f->start + 1, f->end - f->start - 2, room, cap);
	*out = (struct span){room, n < 0 ? 0 : (size_t)n};
	return n >= 0;
}

/* A whole number of at most 2^53, which JSON numbers can hold everywhere. */
static bool field_seq(const struct envelope *e, const struct json_member *f, uint64_t *out)
{
	uint64_t n = 0;
	uint32_t i;

	if (f->type != JSON_NUMBER || f->end - f->start > 16)
		return false;
	for (i = f->start; i < f->end; i++) {
		if (e->text[i] < '0' || e->text[i] > '9')
			return false;
		n = 10 * n + (uint64_t)(e->text[i] - '0');
	}
	*out = n;
	return n <= (uint64_t)1 << 53;
}

/* As hub7_joined() writes it; another hub's is none. */
static bool read_run(struct span text, uint32_t *out)
{
	char hex[RUN_LEN + 1] = "";

	if (text.len != RUN_LEN)
		return false;
	memcpy(hex, text.p, RUN_LEN);
	*out = (uint32_t)strtoul(hex, NULL, 16);
	return strspn(hex, "0123456789abcdef") == RUN_LEN;
}

/* Leaves *out as it is where the field is absent. */
static bool field_bool(const struct json_member *f, bool *out)
{
	if (f->type == JSON_NONE)
		return true;
	*out = f->type == JSON_TRUE;
	return *out || f->type == JSON_FALSE;
}

/* Returns NULL, or what is wrong. */
static const char *read_association(struct conn *c, const struct envelope *e,
				    struct join_request *a, struct select_wish *wish)
{
	struct json_member f[HUB7_FIELDS];
	char room[64];
	struct resume resume;
	struct span text;
	int i;

	hub7_read_fields(c, e, f);
	for (i = FIELD_ECHO; i <= FIELD_ORDERED; i++)
		if (f[i].repeated)
			return "echo, since, epoch, resume, rest, run, ahead, types, tick, batch, "
			       "conflate, fields, priority, area, delta and ordered may occur once "
			       "each";
	*a = (struct join_request){.session = e->session_id, .msg_id = e->msg_id, .echo = true};
	if (!field_bool(&f[FIELD_ECHO], &a->echo))
		return "echo must be true or false";
	if (!field_bool(&f[FIELD_ORDERED], &a->ordered))
		return "ordered must be true or false";
	if (!field_bool(&f[FIELD_REST], &a->from.rest))
		return "rest must be true or false";
	a->from.has_since = f[FIELD_SINCE].type != JSON_NONE;
	if (a->from.has_since && !field_seq(e, &f[FIELD_SINCE], &a->from.since))
		return "since must be a seq: a whole number from 0 to 2^53";
	if (f[FIELD_EPOCH].type != JSON_NONE) {
		if (!field_text(e, &f[FIELD_EPOCH], room, sizeof(room), &text))
			return "epoch must be a string of 64 bytes at most";
		a->from.has_epoch = true;
		/* One that no hub ever gave matches none. */
		if (!id_parse(text.p, text.len, &a->from.epoch))
			a->from.epoch = 0;
	}
	if (f[FIELD_RESUME].type != JSON_NONE) {
		if (!field_text(e, &f[FIELD_RESUME], room, sizeof(room), &text))
			return "resume must be a string of 64 bytes at most";
		/* A token of another hub, or of this one's earlier life, is as good as none. */
		a->from.has_run = comeback_read(c, text, &resume, &a->resumes);
		if (a->from.has_run) {
			a->from.run = resume.run;
			a->client = resume.id;
		}
	}
	if (f[FIELD_RUN].type != JSON_NONE) {
		if (!field_text(e, &f[FIELD_RUN], room, sizeof(room), &text))
			return "run must be a string of 64 bytes at most";
		a->from.has_run = read_run(text, &a->from.run);
	}
	if (f[FIELD_AHEAD].type != JSON_NONE && !field_seq(e, &f[FIELD_AHEAD], &a->ahead))
		return "ahead must be a seq: a whole number from 0 to 2^53";
	return wish_read(e->text, &f[FIELD_TYPES], &c->worker->hub7->grids, wish);
}

enum hub_code hub7_on_associate(struct conn *c, const struct envelope *e)
{
	struct join_request request;
	struct select_wish wish = {0};
	const char *wrong;
	bool ok;

	if (!e->session_id.p)
		return hub7_fail(c, e, HUB_BAD_SESSION_ID, "session_associate needs a session_id");
	wrong = read_association(c, e, &request, &wish);
	if (wrong) {
		select_wish_free(&wish);
		return hub7_fail(c, e, HUB_BAD_FIELD, wrong);
	}
	request.select = select_get(c->worker, &wish, &ok);
	if (!ok)
		return hub7_fail(c, e, HUB_INTERNAL, "out of memory");
	member_join(c, &request);
	select_unref(request.select);
	return HUB_OK;
}

void hub7_refused(struct conn *c, enum hub_code code, const char *why, struct span msg_id,
		  uint32_t retry_s)
{
	struct buf *b = worker_scratch(c->worker);

	conn_error_made(c, code, b, hub7_error_later(b, code, why, msg_id, retry_s));
}

int hub7_resume(struct buf *out, const struct conn *c)
{
	char token[RESUME_LEN + 1];

	comeback_token(c, c->id, token);
	return buf_printf(out, "{\"type\":\"resume_token\",\"resume\":\"%s\"}", token);
}

void hub7_joined(struct conn *c, struct seat *seat, const struct session_from *from,
		 const struct session_joined *joined)
{
	const struct hub7 *hub = c->worker->hub7;
	char client[ID_LEN + 1], epoch[ID_LEN + 1], token[RESUME_LEN + 1];
	const char *reason = joined->reason;
	char since[40] = "", run[24] = "";
	struct buf *b = worker_scratch(c->worker);

	if (joined->rest)
		snprintf(since, sizeof(since), ",\"since\":%ju", (uintmax_t)joined->since);
	if (from->rest && hub->keeps)
		snprintf(run, sizeof(run), ",\"run\":\"%08x\"", hub->run);
	id_text(c->id, client);
	id_text(joined->epoch, epoch);
	comeback_token(c, c->id, token);
	conn_given(c);
	conn_send_scratch(
	    c, b,
	    buf_printf(b,
		       "{\"type\":\"session_associated\",\"session_id\":\"%s\","
		       "\"client_id\":\"%s\",\"epoch\":\"%s\",\"seq\":%ju,"
		       "\"recovered\":%s%s%s%s%s,\"snapshot\":%ju,\"user_count\":%u,"
		       "\"resume\":\"%s\",\"max_message\":%zu%s}",
		       seat->m.session->id, client, epoch, (uintmax_t)joined->seq,
		       joined->recovered ? "true" : "false", reason ? ",\"reason\":\"" : "",
		       reason ? reason : "", reason ? "\"" : "", since, (uintmax_t)joined->snapshot,
		       joined->user_count, token, c->worker->conns->max_message, run));
	if (joined->gap_to)
		deliver_gap(seat, joined->since + 1, joined->gap_to);
}
