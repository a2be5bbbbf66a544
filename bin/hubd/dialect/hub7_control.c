/* The control messages that are no joins. */
#include <string.h>

#include "base/clock.h"
#include "dialect/hub7_impl.h"
#include "json/json.h"
#include "session/members.h"
#include "wire/blob.h"
#include "wire/id.h"

#define INFO_MAX 1024	  /* bytes of what client_info keeps */
#define ECHO_MAX 256	  /* bytes of a ping's fields that are sent back */
#define PRESENCE_MAX 1000 /* members listed in one answer */

enum hub_code hub7_on_leave(struct conn *c, const struct envelope *e)
{
	enum hub_code code = HUB_OK;
	struct seat *seat = hub7_seat(c, e, &code);

	if (!seat)
		return code;
	if (!c->door->trusted)
		meter_work(c, METER_JOIN, METER_JOINS);
	deliver_leave(seat);
	return code;
}

enum hub_code hub7_on_interest(struct conn *c, const struct envelope *e)
{
	enum hub_code code = HUB_OK;
	struct seat *seat = hub7_seat(c, e, &code);
	struct json_member f[HUB7_FIELDS];
	const struct json_member *m = &f[FIELD_WISH_AREA];
	const char *wrong;
	struct area area;

	if (!seat)
		return code;
	hub7_read_fields(c, e, f);
	if (m->type == JSON_NONE || m->repeated)
		return hub7_fail(c, e, HUB_BAD_FIELD, "interest needs an area, and one only");
	wrong = wish_area((struct span){e->text + m->start, m->end - m->start},
			  &c->worker->hub7->grids, &area);
	if (wrong)
		return hub7_fail(c, e, HUB_BAD_FIELD, wrong);
	if (!c->door->trusted)
		meter_work(c, METER_JOIN / 16, METER_JOINS);
	code = interest_say(seat, c->worker->hub7->grids.n ? &area : NULL, e->msg_id);
	return code == HUB_OK ? code : hub7_fail(c, e, code, "out of memory");
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
	int r = envelope_strip(e, b);
	bool fits = b->len <= INFO_MAX;

	if (r == 0 && fits)
		r = member_show(c, (struct span){b->data, b->len});
	worker_scratch_done(c->worker, b);
	if (!fits)
		return hub7_fail(c, e, HUB_BAD_FIELD, "client_info may have 1024 bytes at most");
	return r == 0 ? HUB_OK : hub7_fail(c, e, HUB_INTERNAL, "out of memory");
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
		l->status = buf_put(l->out, m->info->text, m->info->len);
	if (l->status == 0)
		l->status = buf_puts(l->out, "}");
}

int hub7_members(struct worker *w, struct buf *out, struct session *s)
{
	struct buf *members = worker_scratch(w);
	struct listing l = {.out = members};
	uint32_t all = session_each_member(s, PRESENCE_MAX, put_member, &l);
	int r = l.status;

	if (r == 0)
		r = buf_printf(out,
			       "{\"type\":\"presence\",\"session_id\":\"%s\",\"user_count\":%u,"
			       "\"members\":[",
			       s->id, all);
	if (r == 0)
		r = buf_put(out, members->data, members->len);
	if (r == 0)
		r = buf_puts(out, l.n < all ? "],\"truncated\":true}" : "]}");
	worker_scratch_done(w, members);
	return r;
}

enum hub_code hub7_on_presence(struct conn *c, const struct envelope *e)
{
	enum hub_code code = HUB_OK;
	struct seat *seat = hub7_seat(c, e, &code);
	struct buf *b;
	int r;
	const char *why;

	if (!seat)
		return code;
	code = member_may(c, RIGHT_PRESENCE, session_name(seat->m.session), (struct span){0}, &why);
	if (code != HUB_OK)
		return hub7_fail(c, e, code, why);
	b = worker_scratch(c->worker);
	r = hub7_members(c->worker, b, seat->m.session);
	if (!c->door->trusted)
		meter_work(c, METER_LOOK + b->len * METER_ANSWER_BYTE, METER_JOINS);
	conn_send_scratch(c, b, r);
	return HUB_OK;
}

enum hub_code hub7_on_session_list(struct conn *c, const struct envelope *e)
{
	const char *why;
	enum hub_code code = member_may(c, RIGHT_ADMIN, (struct span){0}, (struct span){0}, &why);

	if (code != HUB_OK)
		return hub7_fail(c, e, code,
				 conn_identity(c)
				     ? why
				     : "session_list is for clients on the hub's Unix socket");
	code = watch_start(c);
	if (code != HUB_OK)
		return hub7_fail(c, e, code,
				 code == HUB_HUB_FULL
				     ? "too many connections are told of sessions already"
				     : "out of memory");
	return HUB_OK;
}

/* The answer that a token was taken. */
static void authenticated(struct conn *c, const struct envelope *e, const struct identity *id)
{
	struct buf *b = worker_scratch(c->worker);
	int r = buf_puts(b, "{\"type\":\"authenticated\"");
	struct span user = identity_user(id);

	if (r == 0 && user.len && (r = buf_puts(b, ",\"user\":")) == 0)
		r = buf_put(b, user.p, user.len);
	if (r == 0 && identity_exp(id) >= 0)
		r = buf_printf(b, ",\"exp\":%.0f", identity_exp(id));
	if (r == 0 && e->msg_id.p && (r = buf_puts(b, ",\"msg_id\":")) == 0)
		r = buf_put(b, e->msg_id.p, e->msg_id.len);
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "}") : r);
}

/* Who has shown none yet has one try, so that nobody can have tokens verified without end. */
static enum hub_code not_authenticated(struct conn *c, const struct envelope *e, enum hub_code code,
				       const char *why)
{
	hub7_fail(c, e, code, why);
	if (conn_identity(c) == &identity_none)
		conn_close(c, code == HUB_BANNED ? CLOSE_SENT_AWAY : CLOSE_UNAUTHENTICATED,
			   code == HUB_BANNED ? "banned" : TOKEN_REFUSED);
	return code;
}

enum hub_code hub7_on_authenticate(struct conn *c, const struct envelope *e)
{
	const struct auth *auth = c->worker->hub7->auth;
	struct json_member f[HUB7_FIELDS];
	const struct json_member *v = &f[FIELD_TOKEN];
	struct identity *id;
	enum hub_code code;
	const char *why;
	bool first;

	if (!auth)
		return hub7_fail(c, e, HUB_UNAUTHORIZED, "this hub checks no tokens");
	hub7_read_fields(c, e, f);
	/* To verify one takes time. */
	if (!c->door->trusted && conn_identity(c) != &identity_none)
		meter_work(c, METER_JOIN, METER_JOINS);
	/* A token has no character that needs an escape. */
	if (v->type != JSON_STRING || v->escaped || v->repeated)
		return not_authenticated(c, e, HUB_BAD_FIELD,
					 "token must be a string, and occur once");
	id = member_verify(c->worker, c, auth,
			   (struct span){e->text + v->start + 1, v->end - v->start - 2});
	if (!id)
		return not_authenticated(c, e, HUB_UNAUTHORIZED, TOKEN_REFUSED);
	first = conn_identity(c) == &identity_none;
	code = member_admits(c->worker, id, NULL, &why);
	if (code == HUB_UNAUTHORIZED)
		why = TOKEN_REFUSED;
	if (code == HUB_OK)
		code = member_identify(c, id, &why);
	if (code == HUB_OK)
		authenticated(c, e, id);
	if (code == HUB_OK && first)
		hub7_opened(c);
	if (code != HUB_OK)
		not_authenticated(c, e, code, why);
	identity_unref(id);
	return code;
}
