/* What is heard, and what is done first where there is a connection again. */
#include <stdio.h>
#include <string.h>

#include "bus/bus_impl.h"
#include "session/away.h"

/* --- what is heard */

static void on_subscribed(struct link *l, struct far *f)
{
	f->subscribed = true;
	if (f->step == FAR_SUBSCRIBING) {
		f->step = FAR_OPENING;
		open_far(l, f);
	} else {
		f->who_due = true;
		here_mend(l, f);
		far_look(l, f);
	}
}

static void on_message(struct link *l, struct far *f, struct span text)
{
	struct batch_head head;
	char epoch[20];

	if (f->step != FAR_OPEN) {
		f->missed = f->who_due = true;
		return;
	}
	if (batch_read(text, &head)) {
		look_take(l, f, &head);
		return;
	}
	snprintf(epoch, sizeof(epoch), "%016jx", (uintmax_t)f->session->epoch);
	if (text.len < 18 || (*text.p != 'e' && *text.p != 'd')) {
		here_message(l, f, text);
		return;
	}
	if ((*text.p == 'd') == (memcmp(text.p + 2, epoch, 16) == 0))
		far_lose(l, f, *text.p == 'd');
}

void hear(struct link *l, const redisReply *reply)
{
	static const size_t prefix = sizeof(BUS_PREFIX);
	const redisReply *what, *channel;
	struct far *f;

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3)
		return; /* of AUTH, or PING */
	what = reply->element[0];
	channel = reply->element[1];
	if (channel->type == REDIS_REPLY_STRING && strcmp(channel->str, BUS_KEPT) == 0) {
		if (reply->element[2]->type == REDIS_REPLY_STRING)
			kept_message(l, (struct span){reply->element[2]->str,
						      (size_t)reply->element[2]->len});
		return;
	}
	if (channel->type == REDIS_REPLY_STRING && reply->element[2]->type == REDIS_REPLY_STRING) {
		struct span name = {channel->str, (size_t)channel->len};
		struct span text = {reply->element[2]->str, (size_t)reply->element[2]->len};

		if (ask_message(l, name, text) || list_message(l, name, text))
			return;
	}
	if (what->type != REDIS_REPLY_STRING || channel->type != REDIS_REPLY_STRING ||
	    (size_t)channel->len < prefix + 2)
		return;
	f = far_find(l, (struct span){channel->str + prefix, (size_t)channel->len - prefix - 1});
	if (!f)
		return;
	if (strcmp(what->str, "subscribe") == 0)
		on_subscribed(l, f);
	else if (strcmp(what->str, "message") == 0 && reply->element[2]->type == REDIS_REPLY_STRING)
		on_message(l, f,
			   (struct span){reply->element[2]->str, (size_t)reply->element[2]->len});
}

void far_resume_all(struct link *l, bool anew)
{
	struct far *f, *next;

	for (f = l->all; f; f = next) {
		next = f->next;
		if (f->step == FAR_OPENING)
			open_far(l, f);
		else if (f->step == FAR_OPEN)
			far_look(l, f);
		if (anew)
			session_unheard(f->session);
		f->declare = true;
		publish_due(l, f);
	}
}
