/* The control messages that are no joins. */
#include <string.h>

#include "base/clock.h"
#include "dialect/hub7.h"
#include "json/json.h"
#include "member/watch.h"
#include "wire/blob.h"
#include "wire/id.h"

#define INFO_MAX 1024	  /* bytes of what client_info keeps */
#define ECHO_MAX 256	  /* bytes of a ping's fields that are sent back */
#define PRESENCE_MAX 1000 /* members listed in one answer */

enum hub_code hub7_on_leave(struct conn *c, const struct envelope *e)
{
	enum hub_code code = HUB_OK;
	struct seat *seat = hub7_seat(c, e, &code);

	if (seat)
		deliver_leave(seat);
	return code;
}

/* Appends `,"name":value` as the peer wrote it, where it did. */
static int put_field(struct buf *b, const char *name, const struct envelope *e,
		     const struct json_member *f)
{
	int r;

	if (f->type == JSON_NONE)
		return 0;
	r = buf_printf(b, ",\"%s\":", name);
	return r == 0 ? buf_put(b, e->text + f->start, f->end - f->start) : r;
}

enum hub_code hub7_on_ping(struct conn *c, const struct envelope *e)
{
	struct json_member f[HUB7_FIELDS];
	struct buf *b;
	int r;

	hub7_read_fields(c, e, f);
	if (f[FIELD_PING_ID].end - f[FIELD_PING_ID].start > ECHO_MAX ||
	    f[FIELD_TIMESTAMP].end - f[FIELD_TIMESTAMP].start > ECHO_MAX)
		return hub7_fail(c, e, HUB_BAD_FIELD,
				 "ping_id and timestamp may have 256 bytes at most");
	b = worker_scratch(c->worker);
	r = buf_puts(b, "{\"type\":\"pong\"");
	if (r == 0)
		r = put_field(b, "ping_id", e, &f[FIELD_PING_ID]);
	if (r == 0)
		r = put_field(b, "timestamp", e, &f[FIELD_TIMESTAMP]);
	if (r == 0)
		r = buf_printf(b, ",\"server_time\":%ju}", (uintmax_t)clock_wall_ms());
	conn_send_scratch(c, b, r);
	return HUB_OK;
}

enum hub_code hub7_on_client_info(struct conn *c, const struct envelope *e)
{
	struct buf *b = worker_scratch(c->worker);
	struct blob *info = NULL;
	struct seat *seat;
	bool fits;

	if (envelope_strip(e, b) < 0)
		b->len = 0;
	fits = b->len <= INFO_MAX;
	if (fits && b->len)
		info = blob_new(b->data, b->len);
	worker_scratch_done(c->worker, b);
	if (!fits)
		return hub7_fail(c, e, HUB_BAD_FIELD, "client_info may have 1024 bytes at most");
	if (!info)
		return hub7_fail(c, e, HUB_INTERNAL, "out of memory");
	blob_unref(c->info);
	c->info = info;
	for (seat = c->seats; seat; seat = seat->next)
		session_set_info(&seat->m, info);
	return HUB_OK;
}

enum hub_code hub7_on_version_check(struct conn *c, const struct envelope *e)
{
	const char *ours = c->worker->hub7->client_version;
	struct json_member f[HUB7_FIELDS];
	const struct json_member *v = &f[FIELD_JS_VERSION];
	struct buf *b;
	char theirs[256];
	int n = -1, r;

	hub7_read_fields(c, e, f);
	if (v->type == JSON_STRING)
		n = json_unescape(e->text + v->start + 1, v->end - v->start - 2, theirs,
				  sizeof(theirs));
	if (n < 0)
		return hub7_fail(c, e, HUB_BAD_FIELD,
				 "js_version must be a string of 256 bytes at most");
	/* A hub that was told no version takes every client. */
	b = worker_scratch(c->worker);
	r = buf_printf(b, "{\"type\":\"version_status\",\"match\":%s,\"js_version\":",
		       !ours || (strlen(ours) == (size_t)n && memcmp(ours, theirs, (size_t)n) == 0)
			   ? "true"
			   : "false");
	if (r == 0)
		r = buf_put_json(b, ours ? ours : theirs, ours ? strlen(ours) : (size_t)n);
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "}") : r);
	return HUB_OK;
}

struct listing {
	struct buf *out;
	size_t n;
	int status;
};

static void put_member(const struct member *m, void *arg)
{
	struct listing *l = arg;
	char id[ID_LEN + 1];

	id_text(m->client, id);
	if (l->status == 0)
		l->status = buf_printf(l->out, "%s{\"client_id\":\"%s\"", l->n++ ? "," : "", id);
	if (l->status == 0 && m->info)
		l->status = buf_puts(l->out, ",\"info\":");
	if (l->status == 0 && m->info)
		l->status = buf_put(l->out, m->info->text, m->info->len);
	if (l->status == 0)
		l->status = buf_puts(l->out, "}");
}

enum hub_code hub7_on_presence(struct conn *c, const struct envelope *e)
{
	enum hub_code code = HUB_OK;
	struct seat *seat = hub7_seat(c, e, &code);
	struct buf *members, *b;
	struct listing l = {0};
	uint32_t all;
	int r;

	if (!seat)
		return code;
	b = worker_scratch(c->worker);
	l.out = members = worker_scratch(c->worker);
	all = session_each_member(seat->m.session, PRESENCE_MAX, put_member, &l);
	r = l.status;
	if (r == 0)
		r = buf_printf(b,
			       "{\"type\":\"presence\",\"session_id\":\"%s\",\"user_count\":%u,"
			       "\"members\":[",
			       seat->m.session->id, all);
	if (r == 0)
		r = buf_put(b, members->data, members->len);
	if (r == 0)
		r = buf_puts(b, l.n < all ? "],\"truncated\":true}" : "]}");
	worker_scratch_done(c->worker, members);
	conn_send_scratch(c, b, r);
	return HUB_OK;
}

enum hub_code hub7_on_session_list(struct conn *c, const struct envelope *e)
{
	enum hub_code code;

	if (!c->door->trusted)
		return hub7_fail(c, e, HUB_FORBIDDEN,
				 "session_list is for clients on the hub's Unix socket");
	code = watch_start(c);
	if (code != HUB_OK)
		return hub7_fail(c, e, code,
				 code == HUB_HUB_FULL
				     ? "too many connections are told of sessions already"
				     : "out of memory");
	return HUB_OK;
}

enum hub_code hub7_on_authenticate(struct conn *c, const struct envelope *e)
{
	return hub7_fail(c, e, HUB_UNAUTHORIZED, "this hub checks no tokens");
}
