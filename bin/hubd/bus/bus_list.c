/* Which sessions there are, at whatever hubd: Redis has a key of each. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus_impl.h"

#define PAGE "500" /* keys that Redis looks at in one go */

void lists_subscribe(struct link *l)
{
	static const struct span words[] = {{"SUBSCRIBE", 9},
					    {BUS_SESSIONS, sizeof(BUS_SESSIONS) - 1}};

	redis_put(&l->sub.out, words, 2);
}

/* The name, of hub:{NAME}. */
static bool name_of(struct span key, struct span *name)
{
	size_t prefix = sizeof(BUS_PREFIX); /* and the brace */

	*name = (struct span){key.p + prefix, key.len - prefix - 1};
	return key.len > prefix + 1 && envelope_session_id_ok(name->p, name->len);
}

bool list_message(struct link *l, struct span channel, struct span text)
{
	struct span name;

	if (channel.len != sizeof(BUS_SESSIONS) - 1 ||
	    memcmp(channel.p, BUS_SESSIONS, channel.len) != 0)
		return false;
	if (l->bus->registry && name_of(text, &name))
		registry_elsewhere(l->bus->registry, name);
	return true;
}

static int put_names(struct link *l, struct buf *out, const redisReply *keys)
{
	struct span name;
	int r = 0;

	for (size_t i = 0; i < keys->elements && r == 0; i++) {
		const redisReply *e = keys->element[i];

		if (e->type == REDIS_REPLY_STRING &&
		    name_of((struct span){e->str, (size_t)e->len}, &name) &&
		    !registry_has(l->bus->registry, name))
			r = buf_printf(out, "%s\"%.*s\"", out->len ? "," : "", (int)name.len,
				       name.p);
	}
	return r;
}

static void on_scanned(struct link *l, struct call *call, const redisReply *reply)
{
	struct archive_job *job = call->job;

	if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING ||
	    reply->element[1]->type != REDIS_REPLY_ARRAY) {
		job_end(job, -EIO);
		return;
	}
	job->tail = strtoull(reply->element[0]->str, NULL, 10);
	job->found = job->to + 1 < l->bus->n;
	job_end(job, put_names(l, &job->text, reply->element[1]));
}

void list_job(struct link *l, struct archive_job *job)
{
	char place[24];
	int n = snprintf(place, sizeof(place), "%ju", (uintmax_t)job->from);
	const struct span words[] = {{"SCAN", 4},  {place, (size_t)n},
				     {"MATCH", 5}, {BUS_PREFIX "{*}", sizeof(BUS_PREFIX) + 2},
				     {"COUNT", 5}, {PAGE, sizeof(PAGE) - 1}};
	struct call *call = l->up ? call_new(NULL, on_scanned) : NULL;

	if (!call || redis_put(&call->command, words, 6) < 0) {
		call_free(call);
		job_end(job, -EIO);
		return;
	}
	call->job = job;
	link_call(l, call);
}
