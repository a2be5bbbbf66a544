/* Offers, as they begin: copies of what is to be a record. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "session/session.h"
#include "wire/wsframe.h"

struct offer *offer_new(struct session *s, const struct publication *p, uint64_t now_ms)
{
	bool keyed = p->tags.class != RECORD_PLAIN;
	struct span key = keyed ? p->key : (struct span){"", 0};
	struct span type = keyed ? p->type : (struct span){"", 0};
	struct offer *o = malloc(sizeof(*o) + p->body.len + 1 + key.len + type.len);

	if (!o)
		return NULL;
	*o = (struct offer){.session = session_ref(s),
			    .wait = p->wait,
			    .since_ms = now_ms,
			    .terms = p->terms,
			    .heard = p->heard,
			    .tags = p->tags,
			    .len = (uint32_t)p->body.len,
			    .key_len = (uint32_t)key.len,
			    .type_len = (uint32_t)type.len};
	if (p->body.len)
		memcpy(o->text, p->body.p, p->body.len);
	o->text[o->len] = '}';
	if (key.len)
		memcpy(o->text + o->len + 1, key.p, key.len);
	if (type.len)
		memcpy(o->text + o->len + 1 + o->key_len, type.p, type.len);
	return o;
}

int session_offer_end(struct session *s, const struct slot *tags, struct span body,
		      const struct state_look *ended)
{
	struct publication p = {.body = body,
				.key = ended->key,
				.type = ended->type,
				.tags = *tags,
				.terms = {.any = true, .has_if_seq = true, .if_seq = ended->seq}};
	struct offer *o = offer_new(s, &p, clock_mono_ms());
	const char *why;

	if (!o)
		return -ENOMEM;
	o->stays = o->of_type = true;
	s->unstored += body.len;
	s->env->archive->offer(s->env->archive, o, &why);
	return 0;
}
