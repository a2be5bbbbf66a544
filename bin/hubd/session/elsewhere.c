/* What other hubs say of their members. */
#include <stdlib.h>

#include "base/clock.h"
#include "session/session_impl.h"

void session_away_joined(struct session *s, uint64_t node, uint64_t client, struct span info,
			 struct span user)
{
	bool here, known;

	pthread_mutex_lock(&s->lock);
	here = session_is_here(s, client);
	/* Who of the two came last stays: the other hub hears the same. */
	if (!here || session_replaced_away(s, client)) {
		known = away_remove(s, client, here);
		if (away_add(s, node, client, info, user, here) && !known && !here) {
			s->version++;
			session_announce(s, true, client);
		}
	}
	pthread_mutex_unlock(&s->lock);
}

/* Under the lock. */
static void leave(struct session *s, uint64_t client)
{
	bool here = session_is_here(s, client);

	away_remove(s, client, here);
	s->version++;
	if (here)
		return;
	session_announce(s, false, client);
	if (s->state.ties && !s->deleted)
		session_end_owned(s, client, clock_mono_ms());
}

void session_away_left(struct session *s, uint64_t node, uint64_t client)
{
	struct away *a;

	pthread_mutex_lock(&s->lock);
	a = away_find(s, client);
	if (a && a->node == node)
		leave(s, client);
	pthread_mutex_unlock(&s->lock);
}

void session_away_begin(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	s->aways.round++;
	pthread_mutex_unlock(&s->lock);
}

void session_away_end(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < s->aways.size; i++) {
		struct away *a = s->aways.table[i], *next;

		for (; a; a = next) {
			next = a->next;
			if (a->round != s->aways.round)
				leave(s, a->client);
			if (!s->aways.n)
				break;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

enum hub_code session_tell_away(struct session *s, uint64_t client, struct span user,
				struct span text)
{
	struct archive *a = s->env->archive;
	const char *why;
	enum hub_code code;
	struct offer *o;

	if (user.len > AWAY_USER_MAX)
		return HUB_NOT_MEMBER;
	pthread_mutex_lock(&s->lock);
	o = away_news(s, user.len ? 'u' : 't', client, text, user);
	pthread_mutex_unlock(&s->lock);
	if (!o)
		return HUB_INTERNAL;
	code = a->offer(a, o, &why);
	if (code != HUB_OK)
		session_offered(o, code, 0, NULL);
	return code;
}
