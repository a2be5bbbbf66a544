/* Invariant: a session is a member's only after the hub's answer on this connection; its cursor
 * outlives connections. */
#include "client/joins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/envelope.h"
#include "json/json_walk.h"

static struct join *find(const struct joins *j, const char *session)
{
	for (size_t i = 0; i < j->count; i++)
		if (strcmp(j->list[i].session, session) == 0)
			return &j->list[i];
	return NULL;
}

/* Its number; -1 for none. */
static int number(const struct joins *j, const struct join *s)
{
	return s ? (int)(s - j->list) : -1;
}

/* Whether it may stand in a line of ours as it is. */
static bool plain(const char *text)
{
	return !strpbrk(text, "\"\\\n");
}

/* Reads what of arrays is not to be given as it is, and takes out delta, which is asked for as it
 * fits. */
static void read_wants(struct join *s)
{
	char text[CLIENT_WANTS_MAX + 16], *end;
	struct json_item item;
	struct json_walk walk;
	struct json_scan scan;
	int n = snprintf(text, sizeof(text), "{\"a\":0%s}", s->wants);

	if (json_scan(NULL, text, (size_t)n, NULL, &scan) != JSON_OK)
		return;
	json_walk_begin(&walk, text, (size_t)n);
	while (json_walk_next(&walk, &item)) {
		if (json_item_is(&item, "fields") && item.type == JSON_STRING)
			s->restore.compact = true;
		if (!json_item_is(&item, "delta") || item.type != JSON_TRUE)
			continue;
		s->delta = true;
		/* From the comma before it. */
		end = s->wants + (item.value + item.len - text) - 6;
		n = (int)(item.name - text) - 6;
		while (s->wants[n] != ',')
			n--;
		memmove(s->wants + n, end, strlen(end) + 1);
		return;
	}
}

int joins_add(struct joins *j, const char *session, const struct client_place *place)
{
	static const struct client_place here;
	static const enum cursor_from from[] = {[CLIENT_NOW] = CURSOR_NOW,
						[CLIENT_STATE] = CURSOR_STATE,
						[CLIENT_SINCE] = CURSOR_SINCE};
	struct join *s;

	if (!envelope_session_id_ok(session, strlen(session)))
		return -EINVAL;
	if (j->count == CLIENT_SESSIONS_MAX)
		return -ENOSPC;
	s = realloc(j->list, (j->count + 1) * sizeof(*s));
	if (!s)
		return -ENOMEM;
	j->list = s;
	s += j->count;
	if (!place)
		place = &here;
	*s = (struct join){.session = strdup(session), .echo = !place->no_echo};
	s->wants = strdup(place->wants ? place->wants : "");
	if (!s->session || !s->wants) {
		free(s->session);
		free(s->wants);
		return -ENOMEM;
	}
	cursor_init(&s->cursor, from[place->from], place->since);
	s->cursor.rest = place->rest;
	if ((place->epoch && !cursor_epoch(&s->cursor, place->epoch)) ||
	    (place->run && (strlen(place->run) > CURSOR_EPOCH_MAX || !plain(place->run))) ||
	    strlen(s->wants) > CLIENT_WANTS_MAX) {
		free(s->session);
		free(s->wants);
		return -EINVAL;
	}
	snprintf(s->run, sizeof(s->run), "%s", place->run ? place->run : "");
	read_wants(s);
	/* Else the hub gives all whole. */
	s->delta &= s->echo && !place->rest;
	s->partial = place->since > 0;
	if (s->delta && !j->keys)
		j->keys = j->own_keys = keys_default();
	if (s->delta && !j->keys) {
		free(s->session);
		free(s->wants);
		return -ENOMEM;
	}
	s->restore.bases.keys = j->keys;
	j->packed |= s->delta || s->restore.compact;
	j->count++;
	return 0;
}

void joins_free(struct joins *j)
{
	for (size_t i = 0; i < j->count; i++) {
		free(j->list[i].session);
		free(j->list[i].wants);
		restore_free(&j->list[i].restore);
	}
	free(j->list);
	keys_free(j->own_keys);
}

/* --- joining */

static const char *delta(const struct join *s)
{
	return s->patches ? ",\"delta\":true" : "";
}

void joins_ask(struct joins *j, size_t n, char out[JOINS_LINE_MAX])
{
	struct join *s = &j->list[n];
	char past[CURSOR_JOIN_MAX], run[CURSOR_EPOCH_MAX + 16] = "";

	cursor_ask(&s->cursor, past);
	/* The token may be of a later one than `since`. */
	if (s->cursor.rest && s->cursor.known)
		snprintf(run, sizeof(run), ",\"run\":\"%s\"", s->run);
	s->patches = s->delta && !s->partial;
	snprintf(out, JOINS_LINE_MAX,
		 "{\"type\":\"session_associate\",\"session_id\":\"%s\"%s%s%s%s%s%s%s%s%s}\n",
		 s->session, s->wants, delta(s), s->echo ? "" : ",\"echo\":false",
		 j->ordered ? ",\"ordered\":true" : "", past, run,
		 j->resume[0] ? ",\"resume\":\"" : "", j->resume, j->resume[0] ? "\"" : "");
	s->state = JOIN_ASKED;
}

void joins_release(const struct joins *j, size_t n, char out[JOINS_LINE_MAX])
{
	snprintf(out, JOINS_LINE_MAX,
		 "{\"type\":\"session_associate\",\"session_id\":\"%s\"%s%s%s,\"ordered\":true}\n",
		 j->list[n].session, j->list[n].wants, delta(&j->list[n]),
		 j->list[n].echo ? "" : ",\"echo\":false");
}

void joins_resume(struct joins *j, const char *token)
{
	if (plain(token))
		snprintf(j->resume, sizeof(j->resume), "%s", token);
}

bool joins_answered(struct joins *j, const struct client_answer *a, struct client_joined *out)
{
	struct join *s = find(j, a->session);
	struct cursor *cursor = s ? &s->cursor : NULL;
	struct cursor_joined answer = {.epoch = a->epoch,
				       .reason = a->reason,
				       .seq = a->seq,
				       .snapshot = a->snapshot,
				       .recovered = a->recovered,
				       .rest = a->rest,
				       .since = a->since};

	if (!s || s->state != JOIN_ASKED)
		return false;
	s->state = JOIN_MEMBER;
	*out = (struct client_joined){.session = s->session,
				      .join = number(j, s),
				      .epoch = a->epoch,
				      .run = a->run,
				      .asked = cursor->known,
				      .again = s->joined_once,
				      .since = cursor->seq,
				      .recovered = cursor->known && a->recovered,
				      .rest = cursor->known && a->rest,
				      .left = a->since,
				      .reason = cursor->lost ? "clean_start" : a->reason,
				      .new_log = s->joined_once && strcmp(s->log, a->epoch) != 0,
				      .seq = a->seq,
				      .user_count = a->user_count};
	if (!out->recovered) {
		bases_clear(&s->restore.bases);
		s->partial = false;
	}
	cursor_joined(cursor, &answer);
	if (!cursor->hide)
		out->snapshot = a->snapshot;
	joins_resume(j, a->resume);
	if (plain(a->run))
		snprintf(s->run, sizeof(s->run), "%s", a->run);
	j->same_log |= s->joined_once && !out->new_log;
	s->joined_once = true;
	snprintf(s->log, sizeof(s->log), "%s", a->epoch);
	return true;
}

bool joins_all(const struct joins *j)
{
	for (size_t i = 0; i < j->count; i++)
		if (j->list[i].state != JOIN_MEMBER)
			return false;
	return true;
}

bool joins_as(struct joins *j, const char *client_id)
{
	/* The hub tells what it has from what is new, if it knows us, or if all that it had is
	 * gone. */
	bool twice = j->same_log && strcmp(j->sent_as, client_id) != 0;

	j->same_log = false;
	snprintf(j->sent_as, sizeof(j->sent_as), "%s", client_id);
	return twice;
}

/* --- leaving */

void joins_leave(const struct joins *j, size_t n, char out[JOINS_LINE_MAX])
{
	snprintf(out, JOINS_LINE_MAX, "{\"type\":\"session_leave\",\"session_id\":\"%s\"}\n",
		 j->list[n].session);
}

bool joins_left(struct joins *j, const char *session)
{
	struct join *s = find(j, session);

	if (s)
		s->state = JOIN_NEW;
	for (size_t i = 0; i < j->count; i++)
		if (j->list[i].state != JOIN_NEW)
			return false;
	return true;
}

void joins_lost(struct joins *j)
{
	for (size_t i = 0; i < j->count; i++)
		j->list[i].state = JOIN_NEW;
}

void joins_forget(struct joins *j)
{
	j->resume[0] = '\0';
	for (size_t i = 0; i < j->count; i++)
		cursor_forget(&j->list[i].cursor);
}

/* --- what comes in a session */

bool joins_only_one(const struct joins *j)
{
	return j->count == 1 && !j->by_caller;
}

bool joins_record(struct joins *j, const char *session, struct client_message *m)
{
	struct join *s = session ? find(j, session) : j->list;
	enum cursor_record place;

	/* Also of what nobody asked for. */
	if (s && s->delta && !s->partial)
		bases_keep(&s->restore.bases, m->text, m->len, m->seq);
	place = !s	   ? CURSOR_LIVE
		: j->ahead ? cursor_ahead(&s->cursor, m->seq)
			   : cursor_record(&s->cursor, m->seq);
	m->state = place == CURSOR_OLD;
	m->join = number(j, s);
	/* Who joins by itself may have asked for the past. */
	return place != CURSOR_REPEAT || j->by_caller;
}

int joins_packed(struct joins *j, const char *session)
{
	struct join *s = joins_only_one(j) ? j->list : find(j, session);

	if (!s || !(s->delta || s->restore.compact))
		return -1;
	restore_begin(&s->restore);
	return number(j, s);
}

int joins_unpack(struct joins *j, int n, const struct json_item *item, struct span *out)
{
	struct join *s = &j->list[n];
	int r = restore_next(&s->restore, item, out);

	if (r == -ENOENT) {
		s->delta = false;
		bases_clear(&s->restore.bases);
	}
	return r;
}

void joins_gap(struct joins *j, const struct client_answer *a, struct client_message *m)
{
	struct join *s = find(j, a->session);

	m->seq = a->from_seq;
	m->to_seq = a->to_seq;
	m->join = number(j, s);
	if (s)
		cursor_gap(&s->cursor, a->to_seq);
}

void joins_own(struct joins *j, const char *session, uint64_t seq)
{
	/* Mostly there is one, and its echo is wanted. */
	struct join *s = j->count == 1 ? j->list : find(j, session);

	if (s && !s->echo && seq && strcmp(s->session, session) == 0)
		cursor_own(&s->cursor, seq);
}
