/* CONNECT: who comes, from where on, and what it is told. A pid is a resume token, a number that no
 * other connection has, and where the client has begun; an offset is the place of the last record
 * that it has had. Both are what a stranger sends. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dialect/act.h"
#include "dialect/comeback.h"
#include "dialect/hub7.h"
#include "dialect/socketio.h"
#include "json/json.h"
#include "wire/id.h"
#include "wire/log_place.h"

#define PID_MAX (RESUME_LEN + 10 + PLACE_MAX) /* characters, and a NUL */

enum field { TOKEN, PID, OFFSET, ECHO, RECOVERY, PRESENCE, WISH, FIELDS = WISH + WISH_N };

static const char *const names[FIELDS] = {"token",    "pid",	  "offset",  "echo",
					  "recovery", "presence", WISH_NAMES};

/* Compiled once, never changed, never freed. */
static struct json_paths *paths;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compile(void)
{
	paths = json_paths_new(names, FIELDS);
}

/* A string without escapes, of what CONNECT brings; p is NULL where it is none. */
static struct span text_of(struct http1_span auth, const struct json_member *m)
{
	if (m->type != JSON_STRING || m->escaped || m->repeated)
		return (struct span){NULL, 0};
	return (struct span){auth.p + m->start + 1, m->end - m->start - 2};
}

/* The first one is of the join that is under way: while one is, no other packet is taken. */
static void drop_pid(struct socketio *io)
{
	struct socketio_back *back = io->back;

	if (!back || back->seat)
		return;
	io->back = back->next;
	free(back);
}

int socketio_refusal(struct buf *out, const char *code, const char *message, struct span address)
{
	int r = buf_puts(out, "4");

	if (r == 0)
		r = buf_put(out, address.p, address.len);
	/* A client need not write the comma where it has nothing behind it. */
	if (r == 0 && address.len && address.p[address.len - 1] != ',')
		r = buf_puts(out, ",");
	if (r == 0)
		r = buf_puts(out, "{\"message\":");
	if (r == 0)
		r = buf_put_json(out, message, strlen(message));
	if (r == 0 && code)
		r = buf_printf(out, ",\"data\":{\"code\":\"%s\"}", code);
	return r == 0 ? buf_puts(out, "}") : r;
}

void socketio_refused(struct conn *c, enum hub_code code, const char *why, struct span address,
		      uint32_t retry_s)
{
	struct buf *b = worker_scratch(c->worker);
	struct socketio *io = socketio_of(c);

	(void)retry_s; /* nobody is told to come again later: see settles */
	if (io)
		drop_pid(io);
	if (code == HUB_SHUTTING_DOWN) {
		/* After a CONNECT_ERROR it would not come back. */
		deliver_finish(c, CLOSE_RESTART, why);
		worker_scratch_done(c->worker, b);
		return;
	}
	conn_error_made(c, code, b, socketio_refusal(b, hub_code_name(code), why, address));
}

/* --- who it is */

/* Who has shown no token yet has one try, so that nobody can have tokens verified without end. */
static void not_authenticated(struct conn *c, enum hub_code code, const char *why,
			      struct span address)
{
	bool nobody = conn_identity(c) == &identity_none;

	socketio_refused(c, code, why, address, 0);
	if (nobody)
		conn_close(c, code == HUB_BANNED ? CLOSE_SENT_AWAY : CLOSE_UNAUTHENTICATED,
			   code == HUB_BANNED ? "banned" : TOKEN_REFUSED);
}

/* Takes the token, where there is one and the hub takes any. False where it was refused. */
static bool authenticate(struct conn *c, struct http1_span payload, const struct json_member *m,
			 struct span address)
{
	const struct auth *auth = c->worker->hub7->auth;
	struct span token = text_of(payload, m);
	struct identity *id;
	const char *why = TOKEN_REFUSED;
	enum hub_code code = HUB_UNAUTHORIZED;

	if (!auth || m->type == JSON_NONE || c->door->trusted)
		return true;
	id = member_verify(c->worker, c, auth, token);
	if (id) {
		code = member_admits(c->worker, id, NULL, &why);
		if (code == HUB_UNAUTHORIZED)
			why = TOKEN_REFUSED;
		if (code == HUB_OK)
			code = member_identify(c, id, &why);
		identity_unref(id);
	}
	if (code != HUB_OK)
		not_authenticated(c, code, why, address);
	return code == HUB_OK;
}

/* --- where it was */

/* Reads a pid. False where it is none of ours, of this user. */
static bool read_pid(struct conn *c, struct span pid, struct join_request *join,
		     struct log_place *begun)
{
	const char *dot = pid.p ? memchr(pid.p, '.', pid.len) : NULL, *end = pid.p + pid.len;
	const char *second = dot ? memchr(dot + 1, '.', (size_t)(end - dot - 1)) : NULL;
	struct resume resume;
	bool may;

	if (pid.len >= PID_MAX || !second ||
	    !place_parse(second + 1, (size_t)(end - second - 1), begun))
		return false;
	if (!comeback_read(c, (struct span){pid.p, (size_t)(dot - pid.p)}, &resume, &may))
		return false;
	join->client = resume.id;
	return may;
}

/* Of one that was in rooms, which it is in no more, what is behind the slash is the place in its
 * namespace. What it has missed there it gets, but it is told that it has not come back as it was.
 */
static struct span in_namespace(struct span offset, bool *had_rooms)
{
	const char *slash = offset.p ? memchr(offset.p, '/', offset.len) : NULL;

	*had_rooms = slash != NULL;
	if (slash)
		offset = (struct span){slash + 1, (size_t)(offset.p + offset.len - slash - 1)};
	return offset;
}

/* Where it goes on: behind the offset, or where it has had no record, behind where it began. */
static void read_past(struct conn *c, struct span pid, const struct json_member *offset,
		      struct http1_span payload, struct join_request *join, bool *had_rooms)
{
	struct span text = in_namespace(text_of(payload, offset), had_rooms);
	struct log_place place;

	if (!read_pid(c, pid, join, &place))
		return;
	/* A connection is one client: in all its namespaces. */
	if (c->seats && c->id != join->client)
		return;
	join->resumes = true;
	if (offset->type != JSON_NONE && (!text.p || !place_parse(text.p, text.len, &place)))
		return;
	join->from = (struct session_from){.has_since = true,
					   .has_epoch = true,
					   .since = place.seq,
					   .epoch = place.epoch,
					   .has_run = place.has_run,
					   .run = place.run};
}

/* Notes the pid that is to be told when its seat is there; empty: a new one. */
static bool keep_pid(struct socketio *io, struct span pid)
{
	struct socketio_back *back = malloc(sizeof(*back) + pid.len);

	if (!back)
		return false;
	*back = (struct socketio_back){.next = io->back, .len = pid.len};
	memcpy(back->pid, pid.p, pid.len);
	io->back = back;
	return true;
}

/* --- CONNECT */

static void read_options(struct conn *c, struct socketio *io, const struct json_member *m)
{
	if (io->asked)
		return;
	io->asked = true;
	io->offsets = m[RECOVERY].type != JSON_FALSE;
	io->choose(c, io->offsets, m[PRESENCE].type == JSON_TRUE);
}

/* As if it had said so itself. */
void socketio_forget(struct conn *c)
{
	struct socketio *io = socketio_of(c);

	if (!io || io->joins)
		return;
	io->offsets = false;
	io->choose(c, false, c->door->dialect->presence != NULL);
}

void socketio_connect(struct conn *c, const struct socketio_packet *p)
{
	struct socketio *io = socketio_of(c);
	struct span address = {p->place.p, p->place.len}, pid;
	struct json_member m[FIELDS] = {{0}};
	char place[ENVELOPE_SESSION_MAX + 3] = ""; /* as address, with its comma */
	struct join_request join = {.msg_id = {place, 0}, .settles = true};
	struct select_wish wish = {0};
	const char *wrong;
	bool ok;
	struct http1_span session;
	struct json_scan scan;
	bool had_rooms = false;

	if (p->payload.len) {
		pthread_once(&once, compile);
		if (!paths || json_scan(paths, p->payload.p, p->payload.len, m, &scan) != JSON_OK ||
		    scan.type != JSON_OBJECT) {
			socketio_break(c, "a CONNECT whose payload is no object");
			return;
		}
	}
	if (!socketio_session(p->nsp, &session) ||
	    !envelope_session_id_ok(session.p, session.len)) {
		socketio_refused(c, HUB_BAD_SESSION_ID, "Invalid namespace", address, 0);
		return;
	}
	join.session = (struct span){session.p, session.len};
	if (address.len)
		join.msg_id.len =
		    (size_t)snprintf(place, sizeof(place), "/%.*s,", (int)session.len, session.p);
	if (socketio_seat(c, join.session)) {
		socketio_break(c, "a CONNECT to a namespace that it is connected to");
		return;
	}
	read_options(c, io, m);
	if (!authenticate(c, p->payload, &m[TOKEN], address))
		return;
	m[WISH + WISH_BATCH].type = m[WISH + WISH_FIELDS].type = JSON_NONE; /* an event each */
	wrong = wish_read(p->payload.p, &m[WISH], &wish);
	if (wrong) {
		select_wish_free(&wish);
		socketio_refused(c, HUB_BAD_FIELD, wrong, address, 0);
		return;
	}
	join.echo = m[ECHO].type == JSON_TRUE;
	pid = text_of(p->payload, &m[PID]);
	if (io->offsets && pid.p)
		read_past(c, pid, &m[OFFSET], p->payload, &join, &had_rooms);
	if (had_rooms)
		pid.len = 0;
	if (join.from.has_since && !keep_pid(io, pid))
		join.from = (struct session_from){0};
	join.select = select_get(c->worker, &wish, &ok);
	if (!ok)
		socketio_refused(c, HUB_INTERNAL, "out of memory", address, 0);
	else if (!act_connect(c, &join, (struct span){p->payload.p, p->payload.len}))
		drop_pid(io);
	select_unref(join.select);
}

static int put_offset(struct buf *b, const struct seat *seat)
{
	struct log_place place = session_place(seat->m.session, seat->m.cursor - 1);
	char text[PLACE_MAX] = "";

	if (!seat->m.catchup)
		place_text(&place, text);
	return buf_printf(b, ",\"/%s\"", text);
}

/* A rule has put it into a room. */
static void greet_room(struct conn *c, struct seat *seat, const struct session_joined *joined)
{
	const struct session *above = seat->above->m.session;
	struct buf *b = worker_scratch(c->worker);
	int r = buf_puts(b, "2");

	if (r == 0)
		r = socketio_put_place(b, above->id, above->id_len);
	if (r == 0)
		r = buf_printf(
		    b,
		    "[\"hub:joined\",{\"session_id\":\"%s\",\"seq\":%ju,\"recovered\":%s,"
		    "\"snapshot\":%ju,\"user_count\":%u}",
		    seat->m.session->id, (uintmax_t)joined->seq,
		    joined->recovered ? "true" : "false", (uintmax_t)joined->snapshot,
		    joined->user_count);
	if (r == 0 && socketio_of(c)->offsets)
		r = put_offset(b, seat->above);
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "]") : r);
	if (joined->gap_to)
		deliver_gap(seat, joined->since + 1, joined->gap_to);
}

/* A new one to come back with, to here. */
static size_t make_pid(const struct conn *c, const struct log_place *place, char pid[PID_MAX])
{
	char *end = pid + RESUME_LEN;

	comeback_token(c, pid);
	end += snprintf(end, 11, ".%08x.", c->born);
	end += place_text(place, end);
	return (size_t)(end - pid);
}

static void greet(struct conn *c, struct seat *seat, const char *pid, size_t len)
{
	struct buf *b = worker_scratch(c->worker);
	char client[ID_LEN + 1];
	int r = buf_puts(b, "0");

	id_text(c->id, client);
	if (r == 0)
		r = socketio_put_place(b, seat->m.session->id, seat->m.session->id_len);
	if (r == 0)
		r = buf_printf(b, "{\"sid\":\"%s\"", client);
	if (r == 0 && len)
		r = buf_printf(b, ",\"pid\":\"%.*s\"", (int)len, pid);
	conn_send_scratch(c, b, r == 0 ? buf_puts(b, "}") : r);
}

void socketio_joined(struct conn *c, struct seat *seat, const struct session_from *from,
		     const struct session_joined *joined)
{
	struct log_place place = session_place(seat->m.session, joined->seq);
	struct socketio *io = socketio_of(c);
	char pid[PID_MAX];

	(void)from;
	if (!io)
		return;
	if (seat->above) {
		greet_room(c, seat, joined);
		return;
	}
	io->joins++;
	if (joined->recovered && io->back && !io->back->seat) {
		io->back->seat = seat;
		seat->awaited = true;
		return;
	}
	drop_pid(io);
	greet(c, seat, pid, io->offsets ? make_pid(c, &place, pid) : 0);
	if (joined->gap_to)
		deliver_gap(seat, joined->since + 1, joined->gap_to);
}

void socketio_at_head(struct conn *c, struct seat *seat)
{
	struct socketio *io = socketio_of(c);
	struct socketio_back **link = io ? &io->back : NULL, *back;

	while (link && *link && (*link)->seat != seat)
		link = &(*link)->next;
	if (!link || !*link)
		return;
	back = *link;
	*link = back->next;
	if (back->len) {
		greet(c, seat, back->pid, back->len);
	} else {
		struct log_place place = session_place(seat->m.session, seat->m.cursor - 1);
		char pid[PID_MAX];

		greet(c, seat, pid, make_pid(c, &place, pid));
	}
	free(back);
}

/* State is older than where it began: a client that comes back must not come back to there. */
void socketio_caught_up(struct conn *c, struct seat *seat)
{
	struct log_place place = session_place(seat->m.session, seat->m.cursor - 1);
	struct socketio *io = socketio_of(c);
	char text[PLACE_MAX];
	struct buf *b;
	int r;

	if (!io || !io->offsets || seat->above)
		return;
	b = worker_scratch(c->worker);
	place_text(&place, text);
	r = buf_puts(b, "2");
	if (r == 0)
		r = socketio_put_place(b, seat->m.session->id, seat->m.session->id_len);
	conn_send_scratch(c, b, r == 0 ? buf_printf(b, "[\"hub:place\",\"%s\"]", text) : r);
}
