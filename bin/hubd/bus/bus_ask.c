/* What is asked of other hubds, one after the other, and what they answer. Each hears a channel of
 * its own at the first link, so that Redis knows which there are. Invariant: a question ends once:
 * with its answer, with the time, or with the link. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bus/bus_impl.h"

#define CHANNEL BUS_PREFIX "node:"
#define CHANNEL_SIZE (sizeof(CHANNEL) + 16)
#define ANSWER_MS 3000 /* for which an answer is waited for */

static struct span channel_of(char out[CHANNEL_SIZE], uint64_t node)
{
	int n = snprintf(out, CHANNEL_SIZE, CHANNEL "%016jx", (uintmax_t)node);

	return (struct span){out, (size_t)n};
}

void asks_subscribe(struct link *l)
{
	char channel[CHANNEL_SIZE];
	const struct span words[] = {{"SUBSCRIBE", 9}, channel_of(channel, l->bus->node)};

	if (!l->index)
		redis_put(&l->sub.out, words, 2);
}

/* Publishes what is in l->scratch. Returns 0 or -ENOMEM. */
static int tell(struct link *l, uint64_t node)
{
	struct call *call = call_new(NULL, call_ignored);
	char channel[CHANNEL_SIZE];
	const struct span words[] = {
	    {"PUBLISH", 7}, channel_of(channel, node), {l->scratch.data, l->scratch.len}};

	if (!call || redis_put(&call->command, words, 3) < 0) {
		call_free(call);
		return -ENOMEM;
	}
	link_call(l, call);
	return 0;
}

/* The hubd of the least id from `from` on, but for this one. */
static bool next_node(const struct link *l, const redisReply *channels, uint64_t from,
		      uint64_t *node)
{
	bool found = false;

	for (size_t i = 0; i < channels->elements; i++) {
		const redisReply *e = channels->element[i];
		char text[18];
		struct span id = {text, sizeof(text) - 1};
		uint64_t n;

		if (e->type != REDIS_REPLY_STRING || e->len != CHANNEL_SIZE - 1)
			continue;
		snprintf(text, sizeof(text), "%s\n", e->str + sizeof(CHANNEL) - 1);
		if (!batch_number(&id, 16, &n) || n < from || n == l->bus->node ||
		    (found && n > *node))
			continue;
		found = true;
		*node = n;
	}
	return found;
}

/* `? NODE NUMBER QUESTION`. */
static void on_nodes(struct link *l, struct call *call, const redisReply *reply)
{
	struct archive_job *job = call->job;
	struct buf *b = &l->scratch;
	int r;

	if (!reply || reply->type != REDIS_REPLY_ARRAY) {
		job_end(job, -EIO);
		return;
	}
	job->found = next_node(l, reply, job->from, &job->tail);
	if (!job->found) {
		job_end(job, 0);
		return;
	}
	job->to = ++l->questions;
	job->since_ms = clock_mono_ms();
	job->next = l->asked;
	l->asked = job;
	b->len = 0;
	r = buf_printf(b, "? %016jx %ju ", (uintmax_t)l->bus->node, (uintmax_t)job->to);
	if (r == 0)
		r = buf_put(b, job->value.p, job->value.len);
	if (r == 0)
		tell(l, job->tail); /* else nobody answers */
}

void ask_job(struct link *l, struct archive_job *job)
{
	static const struct span words[] = {
	    {"PUBSUB", 6}, {"CHANNELS", 8}, {CHANNEL "*", sizeof(CHANNEL)}};
	struct call *call = l->up ? call_new(NULL, on_nodes) : NULL;

	if (!call || redis_put(&call->command, words, 3) < 0) {
		call_free(call);
		job_end(job, -EIO);
		return;
	}
	call->job = job;
	link_call(l, call);
}

/* `! NUMBER ANSWER`. */
void answer_job(struct link *l, struct archive_job *job)
{
	struct buf *b = &l->scratch;
	int r;

	b->len = 0;
	r = buf_printf(b, "! %ju ", (uintmax_t)job->to);
	if (r == 0)
		r = buf_put(b, job->value.p, job->value.len);
	if (r == 0 && l->up)
		r = tell(l, job->from);
	job_end(job, r);
}

static void on_answer(struct link *l, uint64_t number, struct span text)
{
	for (struct archive_job **at = &l->asked, *job; (job = *at) != NULL; at = &job->next) {
		if (job->to != number)
			continue;
		*at = job->next;
		job_end(job, buf_put(&job->text, text.p, text.len));
		return;
	}
}

bool ask_message(struct link *l, struct span channel, struct span text)
{
	const struct bus_settings *set = l->bus->set;
	uint64_t node, number;
	struct span word;

	if (channel.len != CHANNEL_SIZE - 1 || memcmp(channel.p, CHANNEL, sizeof(CHANNEL) - 1) != 0)
		return false;
	if (!batch_word(&text, &word) || word.len != 1)
		return true;
	if (*word.p == '!' && batch_number(&text, 10, &number))
		on_answer(l, number, text);
	else if (*word.p == '?' && batch_number(&text, 16, &node) &&
		 batch_number(&text, 10, &number) && l->bus->env)
		set->asked(set->arg, node, number, text);
	return true;
}

void asks_timeouts(struct link *l, uint64_t now_ms, bool all)
{
	struct archive_job **at = &l->asked, *job;

	while ((job = *at) != NULL) {
		if (!all && !bus_lasts(now_ms, job->since_ms, ANSWER_MS)) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		job_end(job, -EAGAIN);
	}
}
