/* What waits for Redis: records on their way, and who asks. */
#include "base/clock.h"
#include "bus/bus_impl.h"
#include "session/stored.h"

/* What is sent with more in it than this hubd has heard costs Redis more; but it is not to wait for
 * one that is not heard at all. */
#define UNHEARD_MS 100

/* --- records */

void publish_end(struct link *l, struct offer *o, enum hub_code code, uint64_t seq, const char *why)
{
	atomic_fetch_sub_explicit(&l->bus->queued, o->len, memory_order_relaxed);
	session_offered(o, code, seq, why);
}

/* --- the queue */

void publish_last(struct far *f, struct offer *o)
{
	o->next = NULL;
	if (!f->first)
		f->last_offer = NULL;
	if (f->last_offer)
		f->last_offer->next = o;
	else
		f->first = o;
	f->last_offer = o;
}

/* What was under way waits again, in front. */
void publish_again(struct far *f)
{
	struct flight *t = &f->flight;

	f->flying = false;
	if (!t->first)
		return;
	t->last->next = f->first;
	if (!f->first)
		f->last_offer = t->last;
	f->first = t->first;
	t->first = t->last = NULL;
}

void publish_due(struct link *l, struct far *f)
{
	if (f->due || f->flying || !f->first || f->step != FAR_OPEN || !l->up)
		return;
	f->due = true;
	f->due_next = NULL;
	*l->due_last = f;
	l->due_last = &f->due_next;
}

void publish_unheard(struct far *f, uint64_t seq)
{
	f->unheard = seq;
	f->unheard_ms = clock_mono_ms() + UNHEARD_MS;
}

void publish_numbered(struct link *l, struct far *f, uint64_t first)
{
	const struct session_env *env = l->bus->env;

	if (first)
		publish_unheard(f, first + f->flight.n - 1);
	for (struct offer *o = f->flight.first; o; o = o->next) {
		bool told = o->seq || o->heard;

		o->seq = first ? first++ : 0;
		if (o->seq && !told && env->published)
			env->published(env->arg, o->session, (struct span){o->text, o->len},
				       o->seq);
	}
}

void publish_landed(struct link *l, struct far *f)
{
	struct offer *all = f->flight.first, *o;

	f->flying = false;
	f->flight.first = f->flight.last = NULL;
	while ((o = all) != NULL) {
		all = o->next;
		publish_end(l, o, HUB_OK, o->seq, NULL);
	}
}

/* Ends all of a list but what stays, which it returns. */
static struct offer *end_list(struct link *l, struct offer *list, bool all, const char *why)
{
	struct offer *o, *stays = NULL, **last = &stays;

	while ((o = list) != NULL) {
		list = o->next;
		o->next = NULL;
		if (o->stays && !all) {
			*last = o;
			last = &o->next;
		} else {
			publish_end(l, o, HUB_UNAVAILABLE, 0, why);
		}
	}
	return stays;
}

void publish_refuse(struct link *l, struct far *f, const char *why)
{
	struct offer *flying = f->flight.first;

	f->flight.first = f->flight.last = NULL;
	end_list(l, flying, true, why);
}

void publish_give_up(struct link *l, struct far *f, const char *why)
{
	bool all = f->step == FAR_LOST || l->stop;
	struct offer *flying = f->flight.first, *waiting = f->first, *o;

	f->flight.first = f->flight.last = NULL;
	f->first = f->last_offer = NULL;
	flying = end_list(l, flying, all, why);
	waiting = end_list(l, waiting, all, why);
	while ((o = flying ? flying : waiting) != NULL) {
		*(flying ? &flying : &waiting) = o->next;
		publish_last(f, o);
	}
}

/* --- who asks */

void job_end(struct archive_job *job, int status)
{
	job->status = status;
	worker_post(job->worker, &job->done);
}

void jobs_end(struct archive_job **jobs, int status, uint64_t tail)
{
	struct archive_job *job;

	while ((job = *jobs) != NULL) {
		*jobs = job->next;
		job->found = status == 0;
		job->tail = tail;
		job_end(job, status);
	}
}
