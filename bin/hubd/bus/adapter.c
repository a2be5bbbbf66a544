#include "bus/adapter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/msgpack.h"
#include "wire/socketio_packet.h"

#define EVENT 2	    /* a packet's type */
#define BROADCAST 7 /* a request's */

/* --- names */

bool adapter_place(struct span session, struct adapter_place *place)
{
	const char *mark = memchr(session.p, ADAPTER_ROOM, session.len);

	*place = (struct adapter_place){session, {"", 0}};
	if (mark) {
		place->nsp.len = (size_t)(mark - session.p);
		place->room = (struct span){mark + 1, session.len - place->nsp.len - 1};
		if (!place->nsp.len || !place->room.len)
			return false;
	}
	if (place->nsp.len == sizeof(SOCKETIO_MAIN) - 1 &&
	    memcmp(place->nsp.p, SOCKETIO_MAIN, place->nsp.len) == 0)
		place->nsp.len = 0;
	return true;
}

int adapter_channel(struct buf *out, const char *prefix, const struct adapter_place *place)
{
	return buf_printf(out, "%s#/%.*s#%.*s%s", prefix, (int)place->nsp.len, place->nsp.p,
			  (int)place->room.len, place->room.p, place->room.len ? "#" : "");
}

int adapter_pattern(struct buf *out, const char *prefix, const char *behind)
{
	int r = 0;

	for (; *prefix && r == 0; prefix++) {
		if (strchr("*?[]^\\", *prefix))
			r = buf_puts(out, "\\");
		if (r == 0)
			r = buf_put(out, prefix, 1);
	}
	if (r == 0)
		r = buf_puts(out, behind);
	return r == 0 ? buf_puts(out, "*") : r;
}

/* --- out */

/* A room that was joined by a number is not the one of its text. */
static bool is_number(struct span room, int64_t *n)
{
	*n = 0;
	if (!room.len || room.len > 15 || (room.len > 1 && *room.p == '0'))
		return false;
	for (size_t i = 0; i < room.len; i++) {
		if (room.p[i] < '0' || room.p[i] > '9')
			return false;
		*n = 10 * *n + (room.p[i] - '0');
	}
	return true;
}

static int put_opts(struct buf *b, struct span room)
{
	int64_t n;
	bool number = is_number(room, &n);
	unsigned rooms = room.len ? 1U + number : 0U;
	int r = msgpack_put(b, 0x83, 0, 0);

	if (r == 0)
		r = msgpack_put_word(b, "rooms");
	if (r == 0)
		r = msgpack_put(b, (unsigned char)(0x90 | rooms), 0, 0);
	if (r == 0 && room.len)
		r = msgpack_put_str(b, room.p, room.len);
	if (r == 0 && number)
		r = msgpack_put_int(b, n);
	if (r == 0)
		r = msgpack_put_word(b, "except");
	if (r == 0)
		r = msgpack_put(b, 0x90, 0, 0);
	if (r == 0)
		r = msgpack_put_word(b, "flags");
	return r == 0 ? msgpack_put(b, 0x80, 0, 0) : r;
}

int adapter_put(struct buf *out, struct span uid, const struct adapter_place *place,
		struct span event)
{
	char nsp[ENVELOPE_SESSION_MAX + 2];
	int n = snprintf(nsp, sizeof(nsp), "/%.*s", (int)place->nsp.len, place->nsp.p);
	unsigned binaries = socketio_has_binary((struct http1_span){event.p, event.len})
				? SOCKETIO_ATTACHMENTS_MAX
				: 0;
	int r = msgpack_put(out, 0x93, 0, 0);

	if (r == 0)
		r = msgpack_put_str(out, uid.p, uid.len);
	if (r == 0)
		r = msgpack_put(out, 0x83, 0, 0);
	if (r == 0)
		r = msgpack_put_word(out, "type");
	if (r == 0)
		r = msgpack_put_int(out, EVENT);
	if (r == 0)
		r = msgpack_put_word(out, "data");
	if (r == 0)
		r = msgpack_put_json(out, event.p, event.len, &binaries);
	if (r == 0)
		r = msgpack_put_word(out, "nsp");
	if (r == 0)
		r = msgpack_put_str(out, nsp, (size_t)n);
	return r == 0 ? put_opts(out, place->room) : r;
}

/* --- what a message means */

struct found {
	struct msgpack uid, type, request, nsp, kind; /* kind: of the packet */
	struct span packet, opts, data, rooms;
	size_t ndata, nrooms;
};

static bool is_word(const struct msgpack *v, const char *word)
{
	return v->kind == MSGPACK_STRING && v->bytes.len == strlen(word) &&
	       memcmp(v->bytes.p, word, v->bytes.len) == 0;
}

/* A member that is a list of elements, which stand behind its head. */
static bool read_list(struct span whole, struct span *elements, size_t *n)
{
	struct msgpack v;

	*elements = whole;
	if (!msgpack_take(elements, &v) || v.kind != MSGPACK_ARRAY)
		return false;
	*n = (size_t)v.n;
	return true;
}

/* Calls member() for each member of a map. False where it is none, or a member is malformed. */
static bool each_member(struct span map,
			bool (*member)(struct found *f, const struct msgpack *name,
				       struct span all),
			struct found *f)
{
	struct msgpack v, name;
	struct span all;

	if (!msgpack_take(&map, &v) || v.kind != MSGPACK_MAP)
		return false;
	for (uint64_t i = 0; i < v.n; i++)
		if (!msgpack_take(&map, &name) || name.kind == MSGPACK_ARRAY ||
		    name.kind == MSGPACK_MAP || !msgpack_take_whole(&map, &all) ||
		    !member(f, &name, all))
			return false;
	return true;
}

static bool on_packet(struct found *f, const struct msgpack *name, struct span all)
{
	if (is_word(name, "type"))
		return msgpack_take(&all, &f->kind);
	if (is_word(name, "nsp"))
		return msgpack_take(&all, &f->nsp) &&
		       (f->nsp.kind == MSGPACK_STRING || f->nsp.kind == MSGPACK_NIL);
	if (is_word(name, "data"))
		f->data = all;
	return true;
}

static bool on_opts(struct found *f, const struct msgpack *name, struct span all)
{
	return !is_word(name, "rooms") || read_list(all, &f->rooms, &f->nrooms);
}

static bool on_request(struct found *f, const struct msgpack *name, struct span all)
{
	if (is_word(name, "uid"))
		return msgpack_take(&all, &f->uid);
	if (is_word(name, "type"))
		return msgpack_take(&all, &f->type);
	if (is_word(name, "packet"))
		f->packet = all;
	else if (is_word(name, "opts"))
		f->opts = all;
	return true;
}

/* [uid, packet, opts], or a request. */
static bool read_parts(struct span bytes, struct found *f)
{
	struct span s = bytes, all;
	struct msgpack v;

	if (!msgpack_take(&s, &v))
		return false;
	if (v.kind == MSGPACK_MAP) {
		s = bytes;
		return msgpack_take_whole(&s, &all) && !s.len && each_member(all, on_request, f);
	}
	f->type = (struct msgpack){.kind = MSGPACK_INTEGER, .n = BROADCAST};
	if (v.kind != MSGPACK_ARRAY || v.n != 3 || !msgpack_take_whole(&s, &all) ||
	    !msgpack_take_whole(&s, &f->packet) || !msgpack_take_whole(&s, &f->opts) || s.len)
		return false;
	return msgpack_take(&all, &f->uid);
}

static int put_event(const struct found *f, struct buf *b, size_t max)
{
	struct span s = f->data, whole;
	size_t n = f->ndata - 1;
	struct msgpack name, first = {.kind = MSGPACK_NIL};
	bool number, object;
	int r;

	if (!msgpack_take(&s, &name))
		return -EINVAL;
	number = name.kind == MSGPACK_INTEGER || name.kind == MSGPACK_NATURAL ||
		 name.kind == MSGPACK_FLOAT;
	if (!number && name.kind != MSGPACK_STRING)
		return -EINVAL;
	whole = s;
	object = n == 1 && msgpack_take(&whole, &first) && first.kind == MSGPACK_MAP;
	s = f->data;
	r = buf_puts(b, "{\"type\":");
	if (r == 0)
		r = msgpack_json_name(b, &s, max);
	if (r == 0)
		r = buf_puts(b, object ? ",\"data\":" : ",\"args\":[");
	for (size_t i = 0; i < n && r == 0; i++) {
		if (i)
			r = buf_puts(b, ",");
		if (r == 0)
			r = msgpack_json(b, &s, 0, max);
	}
	if (r == 0)
		r = buf_puts(b, object ? "}" : "]}");
	return r == 0 && b->len > max ? -EMSGSIZE : r;
}

static bool is_own(const struct msgpack *v, struct span uid)
{
	return v->kind == MSGPACK_STRING && v->bytes.len == uid.len &&
	       memcmp(v->bytes.p, uid.p, uid.len) == 0;
}

int adapter_read(struct span bytes, struct span uid, struct adapter_heard *heard,
		 struct buf *message, size_t max)
{
	struct found f = {.nsp = {.kind = MSGPACK_NIL}};
	size_t before = message->len;
	int r;

	if (bytes.len && *bytes.p == '{')
		return 0; /* a request as JSON: none of them is an event */
	if (!read_parts(bytes, &f))
		return -EINVAL;
	if (f.type.n != BROADCAST || f.type.kind == MSGPACK_FLOAT || is_own(&f.uid, uid))
		return 0;
	if (!each_member(f.packet, on_packet, &f) || !each_member(f.opts, on_opts, &f))
		return -EINVAL;
	if (f.kind.n != EVENT || f.kind.kind == MSGPACK_FLOAT)
		return 0;
	*heard = (struct adapter_heard){
	    f.nsp.kind == MSGPACK_STRING ? f.nsp.bytes : (struct span){"/", 1}, f.rooms, f.nrooms};
	if (!heard->nsp.len || *heard->nsp.p != '/' || !f.data.len ||
	    !read_list(f.data, &f.data, &f.ndata) || !f.ndata)
		return -EINVAL;
	r = put_event(&f, message, max);
	if (r < 0)
		message->len = before;
	return r < 0 ? r : 1;
}

size_t adapter_session(struct adapter_heard *heard, char out[ENVELOPE_SESSION_MAX])
{
	struct http1_span nsp = {heard->nsp.p, heard->nsp.len}, session;
	struct span whole, name = {"", 0};
	struct msgpack room;
	char number[24];
	size_t n;

	if (heard->nrooms) {
		heard->nrooms--;
		if (!msgpack_take_whole(&heard->rooms, &whole) || !msgpack_take(&whole, &room))
			return 0;
		if (room.kind == MSGPACK_STRING)
			name = room.bytes;
		else if (room.kind == MSGPACK_INTEGER || room.kind == MSGPACK_NATURAL)
			name = (struct span){number, (size_t)snprintf(number, sizeof(number), "%jd",
								      (intmax_t)room.n)};
		if (!name.len)
			return 0;
	}
	if (!socketio_session(nsp, &session) || memchr(session.p, ADAPTER_ROOM, session.len) ||
	    session.len + name.len + (name.len > 0) > ENVELOPE_SESSION_MAX)
		return 0;
	memcpy(out, session.p, session.len);
	n = session.len;
	if (name.len) {
		out[n++] = ADAPTER_ROOM;
		memcpy(out + n, name.p, name.len);
		n += name.len;
	}
	return envelope_session_id_ok(out, n) ? n : 0;
}
