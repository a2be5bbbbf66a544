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
#include "dialect/socketio_impl.h"
#include "dialect/wish.h"
#include "json/json.h"
#include "member/absent.h"
#include "session/seek.h"
#include "wire/id.h"
#include "wire/log_place.h"

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
void socketio_drop_pid(struct socketio *io)
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
		socketio_drop_pid(io);
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

/* Where a client says that it was. */
struct past {
	struct log_place last; /* of the last record that it has had: of the namespace or a room */
	struct log_place here; /* how far it was in the namespace */
	bool had_rooms, known; /* known: `here` is; last may be nowhere */
};

static void read_offset(struct past *past, struct span offset)
{
	const char *slash = offset.p ? memchr(offset.p, '/', offset.len) : NULL;
	const char *here = slash ? slash + 1 : offset.p;

	past->had_rooms = slash != NULL;
	past->known =
	    here && place_parse(here, (size_t)(offset.p + offset.len - here), &past->here);
	past->last = past->here;
	if (slash && slash > offset.p &&
	    !place_parse(offset.p, (size_t)(slash - offset.p), &past->last))
		past->last = (struct log_place){0};
}

/* Behind the offset, or where it has had no record, behind where it began. */
static void read_past(struct conn *c, struct span pid, const struct json_member *offset,
		      struct http1_span payload, struct join_request *join, struct past *past)
{
	struct log_place begun;

	if (!read_pid(c, pid, join, &begun))
		return;
	/* A connection is one client: in all its namespaces. */
	if (c->seats && c->id != join->client)
		return;
	join->resumes = true;
	if (offset->type == JSON_NONE)
		*past = (struct past){.last = begun, .here = begun, .known = true};
	else
		read_offset(past, text_of(payload, offset));
}

/* The rooms that it was in, where it can be told how far in each, and how far it was in the
 * namespace. Takes them. */
static struct absent *reach(struct absent *rooms, struct past *past)
{
	if (!rooms)
		return NULL;
	if (!absent_reach(rooms, &past->last)) {
		past->had_rooms = true; /* it is not as it was */
		free(rooms);
		return NULL;
	}
	past->here = rooms->log->place;
	past->known = true;
	past->had_rooms = false;
	if (rooms->logs > 1)
		return rooms;
	free(rooms); /* it has left them */
	return NULL;
}

static void go_behind(struct session_from *from, const struct log_place *place)
{
	*from = (struct session_from){.has_since = true,
				      .has_epoch = true,
				      .since = place->seq,
				      .epoch = place->epoch,
				      .has_run = place->has_run,
				      .run = place->run};
}

/* Notes the pid that is to be told when its seat is there, and so many rooms; empty: a new one. */
static bool keep_pid(struct socketio *io, struct span pid, unsigned rooms)
{
	struct socketio_back *back = malloc(sizeof(*back) + pid.len);

	if (!back)
		return false;
	*back = (struct socketio_back){.next = io->back, .len = pid.len, .rooms = rooms};
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

/* It has waited. */
static void connect_again(struct conn *c, struct span text)
{
	struct socketio_packet p;

	if (socketio_of(c) && !socketio_parse((struct http1_span){text.p, text.len}, &p))
		socketio_connect(c, &p);
}

/* What it was in, and where it is to go on. False: it waits for its connection before to end, or
 * for another hub to tell of it, and then is called again. */
static bool come_back(struct conn *c, const struct socketio_packet *p, const struct json_member *m,
		      struct join_request *join, struct absent **rooms)
{
	struct span pid = text_of(p->payload, &m[PID]), text = {p->text.p, p->text.len};
	struct socketio *io = socketio_of(c);
	struct past past = {.known = false};
	bool again = io->again;

	*rooms = NULL;
	io->again = false;
	if (!io->offsets || !pid.p)
		return true;
	read_past(c, pid, &m[OFFSET], p->payload, join, &past);
	if (join->resumes)
		*rooms = absent_take(c->worker->members, join->client, join->session);
	if (join->resumes && !*rooms && !again &&
	    (absent_fetch(c, join->session, join->client, text, connect_again) ||
	     (past.had_rooms && absent_ask(c, join->session, join->client, text, connect_again)))) {
		io->again = true;
		return false;
	}
	*rooms = reach(*rooms, &past);
	if (past.had_rooms)
		pid.len = 0;
	if (past.known && keep_pid(io, pid, *rooms ? (*rooms)->logs - 1 : 0)) {
		go_behind(&join->from, &past.here);
	} else {
		free(*rooms);
		*rooms = NULL;
	}
	return true;
}

void socketio_connect(struct conn *c, const struct socketio_packet *p)
{
	struct socketio *io = socketio_of(c);
	struct span address = {p->place.p, p->place.len};
	struct json_member m[FIELDS] = {{0}};
	char place[ENVELOPE_SESSION_MAX + 3] = ""; /* as address, with its comma */
	struct join_request join = {.msg_id = {place, 0}, .settles = true};
	struct select_wish wish = {0};
	struct absent *rooms;
	const char *wrong;
	bool ok;
	struct http1_span session;
	struct json_scan scan;

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
	if (!come_back(c, p, m, &join, &rooms))
		return;
	m[WISH + WISH_BATCH].type = m[WISH + WISH_FIELDS].type = m[WISH + WISH_DELTA].type =
	    JSON_NONE; /* an event each */
	wrong = wish_read(p->payload.p, &m[WISH], &c->worker->hub7->grids, &wish);
	if (wrong) {
		select_wish_free(&wish);
		socketio_refused(c, HUB_BAD_FIELD, wrong, address, 0);
		free(rooms);
		return;
	}
	join.echo = m[ECHO].type == JSON_TRUE;
	join.select = select_get(c->worker, &wish, &ok);
	if (!ok)
		socketio_refused(c, HUB_INTERNAL, "out of memory", address, 0);
	else if (!act_connect(c, &join, (struct span){p->payload.p, p->payload.len}, rooms))
		socketio_drop_pid(io);
	select_unref(join.select);
	free(rooms);
}
