/* Who is where. Invariant: what is told of another hubd's members comes in the order of its count;
 * a count that is missing has all of them asked for once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bus_impl.h"
#include "session/away.h"
#include "wire/id.h"

#define ID_WORD 16 /* of a node or a client, in hexadecimal */

/* --- out */

static void id_word(uint64_t id, char out[ID_WORD + 1])
{
	snprintf(out, ID_WORD + 1, "%016jx", (uintmax_t)id);
}

/* What is said of a member: its version, the length of its user, both, and what it says of itself.
 */
static int put_said(struct buf *b, uint32_t version, struct span user, struct span info)
{
	int r = buf_printf(b, "%u %zu ", version, user.len);

	if (r == 0)
		r = buf_put(b, user.p, user.len);
	return r == 0 ? buf_put(b, info.p, info.len) : r;
}

static void on_told(struct link *l, struct call *call, const redisReply *reply)
{
	(void)l;
	/* It is said once more when there is a connection, or room. */
	if (!reply || reply->type == REDIS_REPLY_ERROR)
		call->far->declare = true;
}

/* A call of here.lua for n members, whose words follow. NULL: no memory. */
static struct call *here_call(struct link *l, struct far *f, uint64_t node, const char *what,
			      size_t n)
{
	struct call *call = call_new(f, on_told);
	char id[ID_WORD + 1], ttl[24], channel[BUS_NAME];

	id_word(node, id);
	snprintf(ttl, sizeof(ttl), "%ju", (uintmax_t)l->bus->set->ttl_ms);
	snprintf(channel, sizeof(channel), BUS_PREFIX "{%s}", f->session->id);
	if (call && call_script(l, call, SCRIPT_HERE, f->session, 4 + 2 * n) == 0 &&
	    redis_put_arg(&call->command, id, ID_WORD) == 0 &&
	    redis_put_arg(&call->command, channel, strlen(channel)) == 0 &&
	    redis_put_arg(&call->command, ttl, strlen(ttl)) == 0 &&
	    redis_put_arg(&call->command, what, 1) == 0)
		return call;
	call_free(call);
	return NULL;
}

/* known: as `=` of here.lua. */
static int put_client(struct buf *b, uint64_t client, bool known, struct span said)
{
	char id[1 + ID_WORD + 1] = "=";
	int r;

	id_word(client, id + known);
	r = redis_put_arg(b, id, ID_WORD + known);
	return r == 0 ? redis_put_arg(b, said.p, said.len) : r;
}

/* 'j': there, of whom that is said; 'l': left. */
static void tell_client(struct link *l, struct far *f, char news, uint64_t client, struct span said)
{
	struct call *call = here_call(l, f, l->bus->node, &news, 1);

	if (call && put_client(&call->command, client, false, said) < 0) {
		call_free(call);
		call = NULL;
	}
	if (call)
		link_call(l, call);
	else
		f->declare = true;
}

static void tell(struct link *l, struct far *f, const struct offer *o)
{
	struct buf *said = &l->scratch;

	said->len = 0;
	if (o->news == 'j' &&
	    put_said(said, o->version, offer_key(o), (struct span){o->text, o->len}) < 0)
		f->declare = true;
	else
		tell_client(l, f, o->news, o->tags.sender, (struct span){said->data, said->len});
}

/* `t NODE CLIENT TEXT` or `u NODE LENGTH USER TEXT`: to all, of whom those concerned take it. */
static void send_text(struct link *l, const struct far *f, const struct offer *o)
{
	char channel[BUS_NAME];
	int n = snprintf(channel, sizeof(channel), BUS_PREFIX "{%s}", f->session->id);
	struct span user = offer_key(o);
	struct buf *b = &l->scratch;
	int r;

	b->len = 0;
	if (o->news == 't')
		r = buf_printf(b, "t %016jx %016jx ", (uintmax_t)l->bus->node,
			       (uintmax_t)o->tags.sender);
	else
		r = buf_printf(b, "u %016jx %zu %.*s", (uintmax_t)l->bus->node, user.len,
			       (int)user.len, user.p);
	if (r == 0 && buf_put(b, o->text, o->len) == 0) {
		const struct span words[] = {
		    {"PUBLISH", 7}, {channel, (size_t)n}, {b->data, b->len}};

		call_words(l, call_ignored, words, 3);
	}
}

void here_news(struct link *l, struct far *f, struct offer *o)
{
	bool text = o->news == 't' || o->news == 'u';

	if (f && f->step == FAR_OPEN && l->up && text)
		send_text(l, f, o);
	else if (f && f->step == FAR_OPEN && l->up)
		tell(l, f, o);
	else if (f && !text)
		f->declare = true;
	publish_end(l, o, HUB_OK, 0, NULL);
}

/* --- all of them once more */

struct declaring {
	struct buf words;
	size_t n;
	int status;
};

static void put_member(const struct member *m, void *arg)
{
	struct declaring *d = arg;
	struct span info = {m->info ? m->info->text : "", m->info ? m->info->len : 0};
	struct span user = {m->user ? m->user->text : "", m->user ? m->user->len : 0};
	struct buf said = {0};

	if (user.len > AWAY_USER_MAX)
		user.len = 0;
	if (d->status == 0)
		d->status = put_said(&said, m->version, user, info);
	if (d->status == 0)
		d->status = put_client(&d->words, m->client, session_has_told(m),
				       (struct span){said.data, said.len});
	d->n++;
	buf_free(&said);
}

static void declare(struct link *l, struct far *f)
{
	struct declaring d = {0};
	struct call *call;

	session_each_here(f->session, put_member, &d);
	call = d.status == 0 ? here_call(l, f, l->bus->node, "a", d.n) : NULL;
	if (call && buf_put(&call->command, d.words.data, d.words.len) < 0) {
		call_free(call);
		call = NULL;
	}
	f->declare = !call;
	buf_free(&d.words);
	if (call)
		link_call(l, call);
}

static void on_who(struct link *l, struct call *call, const redisReply *reply)
{
	struct far *f = call->far;

	f->who_asked = false;
	if (f->step != FAR_OPEN)
		return;
	if (reply && reply->type == REDIS_REPLY_ARRAY)
		here_read(l, f, reply, 0);
	else
		f->who_due = true;
}

static void ask_who(struct link *l, struct far *f)
{
	struct call *call = call_new(f, on_who);
	char key[BUS_NAME + 8];
	int n = snprintf(key, sizeof(key), BUS_PREFIX "{%s}:here", f->session->id);
	const struct span words[] = {{"HGETALL", 7}, {key, (size_t)n}};

	if (!call || redis_put(&call->command, words, 2) < 0) {
		call_free(call);
		return;
	}
	f->who_due = false;
	f->who_asked = true;
	link_call(l, call);
}

void here_mend(struct link *l, struct far *f)
{
	if (f->step != FAR_OPEN || !l->up)
		return;
	if (f->declare)
		declare(l, f);
	if (f->who_due && !f->who_asked)
		ask_who(l, f);
}

/* --- in */

static void note_node(struct link *l, uint64_t id)
{
	for (unsigned i = 0; i < l->nnodes; i++)
		if (l->node[i].id == id)
			return;
	if (l->nnodes < BUS_NODES)
		l->node[l->nnodes++] = (struct node){.id = id};
}

/* What Redis is told of this hub's own members comes back to it, and is looked at: what an earlier
 * connection had sent may have come to Redis behind what was said on a later one, as when a network
 * was cut; and who said that this hub is gone may have been late. */
static void own_joined(struct link *l, struct far *f, uint64_t client, uint32_t version)
{
	session_heard(f->session, version);
	if (!session_has(f->session, client))
		tell_client(l, f, 'l', client, (struct span){"", 0});
}

static void own_left(struct link *l, struct far *f, uint64_t client)
{
	if (session_has(f->session, client)) {
		f->declare = true;
		here_mend(l, f);
	}
}

/* NODE CLIENT, and what is said of it. */
static bool take_joined(struct link *l, struct far *f, struct span text)
{
	uint64_t node, client, version, len;

	if (!batch_number(&text, 16, &node) || !batch_number(&text, 16, &client) ||
	    !batch_number(&text, 10, &version) || !batch_number(&text, 10, &len) ||
	    len > text.len || len > AWAY_USER_MAX)
		return false;
	if (node == l->bus->node) {
		own_joined(l, f, client, (uint32_t)version);
		return true;
	}
	note_node(l, node);
	session_away_joined(f->session, node, client, (struct span){text.p + len, text.len - len},
			    (struct span){text.p, len});
	return true;
}

static void take_left(struct link *l, struct far *f, struct span text)
{
	uint64_t node, client;

	if (!batch_number(&text, 16, &node) || !batch_number(&text, 16, &client))
		return;
	if (node == l->bus->node)
		own_left(l, f, client);
	else
		session_away_left(f->session, node, client);
}

static void take_text(struct link *l, struct far *f, char what, struct span text)
{
	const struct session_events *events = f->session->env->events;
	uint64_t node, n;

	if (!batch_number(&text, 16, &node) || node == l->bus->node ||
	    !batch_number(&text, what == 't' ? 16 : 10, &n))
		return;
	if (what == 't')
		events->direct(f->session, n, (struct span){"", 0}, text);
	else if (n && n <= text.len && n <= AWAY_USER_MAX)
		events->direct(f->session, 0, (struct span){text.p, n},
			       (struct span){text.p + n, text.len - n});
}

void here_message(struct link *l, struct far *f, struct span text)
{
	char what = text.len > 2 && text.p[1] == ' ' ? *text.p : '\0';
	uint64_t v;

	text.p += 2;
	text.len -= 2;
	if (what == 't' || what == 'u') {
		take_text(l, f, what, text);
		return;
	}
	if ((what != 'j' && what != 'l') || !batch_number(&text, 10, &v) || v <= f->who)
		return;
	if (v > f->who + 1) {
		f->who_due = true;
		here_mend(l, f);
		return;
	}
	f->who = v;
	if (what == 'j')
		take_joined(l, f, text);
	else
		take_left(l, f, text);
}

void here_read(struct link *l, struct far *f, const redisReply *reply, size_t i)
{
	uint64_t v = 0;

	session_away_begin(f->session);
	for (; i + 1 < reply->elements; i += 2) {
		const redisReply *name = reply->element[i], *said = reply->element[i + 1];
		struct buf *b = &l->scratch;

		if (name->type != REDIS_REPLY_STRING || said->type != REDIS_REPLY_STRING)
			continue;
		if (strcmp(name->str, "v") == 0) {
			v = strtoull(said->str, NULL, 10);
			continue;
		}
		b->len = 0;
		/* As it is told: NODE CLIENT and the rest. */
		if (said->len > ID_WORD && buf_put(b, said->str, ID_WORD + 1) == 0 &&
		    buf_put(b, name->str, (size_t)name->len) == 0 &&
		    buf_put(b, said->str + ID_WORD, (size_t)said->len - ID_WORD) == 0)
			take_joined(l, f, (struct span){b->data, b->len});
	}
	session_away_end(f->session);
	f->who = v;
}

/* --- hubds */

struct leaving {
	struct link *l;
	struct far *f;
	uint64_t *clients;
	size_t n, room;
};

static void note_away(const struct away *a, void *arg)
{
	struct leaving *v = arg;

	if (v->n == v->room) {
		size_t room = v->room ? 2 * v->room : 64;
		uint64_t *more = realloc(v->clients, room * sizeof(*more));

		if (!more)
			return;
		v->clients = more;
		v->room = room;
	}
	v->clients[v->n++] = a->client;
}

/* Its members have left; whoever says so first is heard. */
static void end_node(struct link *l, uint64_t node)
{
	struct leaving v = {.l = l};

	for (struct far *f = l->all; f; f = f->next) {
		struct call *call;
		int r = 0;

		v.n = 0;
		if (f->step != FAR_OPEN || !session_each_away(f->session, node, note_away, &v))
			continue;
		call = here_call(l, f, node, "l", v.n);
		for (size_t i = 0; call && i < v.n && r == 0; i++)
			r = put_client(&call->command, v.clients[i], false, (struct span){"", 0});
		if (call && r == 0)
			link_call(l, call);
		else
			call_free(call);
	}
	free(v.clients);
}

static void on_there(struct link *l, struct call *call, const redisReply *reply)
{
	for (unsigned i = 0; i < l->nnodes; i++) {
		if (l->node[i].id != call->head)
			continue;
		l->node[i].asked = false;
		if (!reply || reply->type != REDIS_REPLY_INTEGER || reply->integer)
			return;
		err_log(ERR_WARN, "bus: hubd %016jx is silent; its members are gone",
			(uintmax_t)call->head);
		l->node[i] = l->node[--l->nnodes];
		end_node(l, call->head);
		return;
	}
}

/* Whoever was silent for so long that the others have said that it is gone says all anew. */
static void on_beat(struct link *l, struct call *call, const redisReply *reply)
{
	(void)call;
	if (!reply || reply->type == REDIS_REPLY_ERROR)
		return;
	if (l->beats && reply->type == REDIS_REPLY_NIL)
		for (struct far *f = l->all; f; f = f->next)
			f->declare = true;
	l->beats = true;
}

static void ask_node(struct link *l, struct node *n)
{
	struct call *call = call_new(NULL, on_there);
	char key[40];
	int len = snprintf(key, sizeof(key), BUS_PREFIX "node:%016jx", (uintmax_t)n->id);
	const struct span words[] = {{"EXISTS", 6}, {key, (size_t)len}};

	if (!call || redis_put(&call->command, words, 2) < 0) {
		call_free(call);
		return;
	}
	n->asked = true;
	call->head = n->id;
	link_call(l, call);
}

void here_beat(struct link *l, uint64_t now_ms)
{
	uint64_t node_ms = l->bus->set->node_ms;
	char key[40], ms[24];
	int len = snprintf(key, sizeof(key), BUS_PREFIX "node:%016jx", (uintmax_t)l->bus->node);
	int n = snprintf(ms, sizeof(ms), "%ju", (uintmax_t)node_ms);
	const struct span words[] = {{"SET", 3}, {key, (size_t)len}, {"1", 1},
				     {"GET", 3}, {"PX", 2},	     {ms, (size_t)n}};

	if (!l->up || now_ms < l->beat_ms || !l->bus->env)
		return;
	l->beat_ms = now_ms + node_ms / 4;
	call_words(l, on_beat, words, 6);
	for (unsigned i = 0; i < l->nnodes && l->up; i++)
		if (!l->node[i].asked)
			ask_node(l, &l->node[i]);
}
