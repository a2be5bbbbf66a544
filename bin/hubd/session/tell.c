/* What other hubs are told of members here. */
#include "base/clock.h"
#include "session/session_impl.h"

struct offer *away_news(struct session *s, char news, uint64_t client, struct span text,
			struct span user)
{
	const struct publication p = {.body = text,
				      .key = user,
				      .type = {"", 0},
				      .tags = {.sender = client, .class = RECORD_SET}};
	struct offer *o = offer_new(s, &p, clock_mono_ms());

	if (o) {
		o->news = news;
		s->unstored += o->len;
	}
	return o;
}

void session_tell(struct session *s, const struct member *m, bool joined)
{
	struct archive *a = s->env->archive;
	struct span info = {m->info ? m->info->text : "", m->info ? m->info->len : 0};
	struct span user = {m->user ? m->user->text : "", m->user ? m->user->len : 0};
	struct offer *o;
	const char *why;

	if (!a || !a->offer)
		return;
	if (user.len > AWAY_USER_MAX)
		user.len = 0;
	o = away_news(s, joined ? 'j' : 'l', m->client, joined ? info : (struct span){"", 0}, user);
	if (!o)
		return;
	o->version = m->version;
	o->stays = true;
	a->offer(a, o, &why);
}
