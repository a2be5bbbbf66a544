/* The bus from its beginning to its end. */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bus_impl.h"

#define QUEUED_PART 4 /* of all memory: what may be on its way */

/* --- what sessions see */

/* FNV-1a: the same in every hubd, whatever its version. */
static struct link *link_of(struct bus *bus, const struct session *s)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; s && i < s->id_len; i++)
		hash = (hash ^ (unsigned char)s->id[i]) * UINT64_C(1099511628211);
	return &bus->link[s ? hash % bus->n : 0];
}

static enum hub_code offer(struct archive *a, struct offer *o, const char **why)
{
	struct bus *bus = (struct bus *)a;
	struct link *l = link_of(bus, o->session);
	const char *failing = atomic_load_explicit(&l->failing, memory_order_relaxed);
	bool first;

	if (failing && !o->stays) {
		*why = failing;
		return HUB_UNAVAILABLE;
	}
	if (atomic_load_explicit(&bus->queued, memory_order_relaxed) >
		bus->env->memory->max / QUEUED_PART &&
	    !o->stays) {
		*why = "the bus does not keep up";
		return HUB_UNAVAILABLE;
	}
	atomic_fetch_add_explicit(&bus->queued, o->len, memory_order_relaxed);
	o->next = NULL;
	pthread_mutex_lock(&l->lock);
	first = !l->offers && !l->jobs;
	*l->offers_last = o;
	l->offers_last = &o->next;
	pthread_mutex_unlock(&l->lock);
	if (first)
		link_wake(l);
	return HUB_OK;
}

static void ask(struct archive *a, struct archive_job *job)
{
	struct bus *bus = (struct bus *)a;
	struct link *l =
	    job->what == ARCHIVE_LIST ? &bus->link[job->to % bus->n] : link_of(bus, job->session);
	bool stopped;

	job->next = NULL;
	job->since_ms = clock_mono_ms();
	pthread_mutex_lock(&l->lock);
	stopped = l->stop;
	if (!stopped) {
		*l->jobs_last = job;
		l->jobs_last = &job->next;
	}
	pthread_mutex_unlock(&l->lock);
	if (stopped) {
		job->status = -EAGAIN;
		worker_post(job->worker, &job->done);
		return;
	}
	link_wake(l);
}

/* What is here is there. */
static void wake(struct archive *a, struct session *s)
{
	(void)a;
	(void)s;
}

static const char *failing(struct archive *a)
{
	struct bus *bus = (struct bus *)a;
	const char *why = NULL;

	for (size_t i = 0; i < bus->n && !why; i++)
		why = atomic_load_explicit(&bus->link[i].failing, memory_order_relaxed);
	return why;
}

struct archive *bus_archive(struct bus *bus)
{
	return &bus->archive;
}

/* --- beginning and end */

struct bus *bus_open(const struct bus_settings *set, unsigned char *secret, size_t secret_len,
		     int *status)
{
	struct bus *bus = calloc(1, sizeof(*bus) + set->n * sizeof(bus->link[0]));
	char why[200];

	*status = EX_OSERR;
	if (!bus || secret_len > sizeof(bus->secret)) {
		err_log(ERR_ERROR, "bus: out of memory");
		free(bus);
		return NULL;
	}
	bus->archive = (struct archive){.ask = ask,
					.wake = wake,
					.failing = failing,
					.offer = offer,
					.repeats = set->replicas > 0};
	bus->set = set;
	randombytes_buf(&bus->node, sizeof(bus->node));
	memcpy(bus->secret, secret, secret_len);
	bus->secret_len = secret_len;
	for (; bus->n < set->n; bus->n++) {
		struct link *l = &bus->link[bus->n];

		l->bus = bus;
		l->index = (unsigned)bus->n;
		l->pub.fd = l->sub.fd = l->wake_fd = -1;
		l->offers_last = &l->offers;
		l->jobs_last = &l->jobs;
		l->calls_last = &l->calls;
		l->due_last = &l->due;
		pthread_mutex_init(&l->lock, NULL);
		*status = EX_CONFIG;
		if (redis_url_parse(&l->url, set->urls[bus->n], why, sizeof(why)) < 0) {
			err_log(ERR_ERROR, "bus: %s", why);
			goto fail;
		}
		if (l->url.tls && !bus->tls)
			bus->tls = redis_tls_new(set->ca, why, sizeof(why));
		if (l->url.tls && !bus->tls) {
			err_log(ERR_ERROR, "bus-ca: %s", why);
			goto fail;
		}
	}
	*status = EX_UNAVAILABLE;
	for (size_t i = 0; i < bus->n; i++)
		if (link_greet(&bus->link[i]) < 0)
			goto fail;
	memcpy(secret, bus->secret, secret_len);
	*status = 0;
	return bus;
fail:
	bus_free(bus);
	return NULL;
}

int bus_start(struct bus *bus, const struct session_env *env, struct registry *registry)
{
	int r = 0;

	bus->env = env;
	bus->registry = registry;
	for (size_t i = 0; i < bus->n && r == 0; i++)
		r = link_start(&bus->link[i]);
	return r;
}

void bus_stop(struct bus *bus)
{
	for (size_t i = 0; bus && i < bus->n; i++)
		link_stop(&bus->link[i]);
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	for (size_t i = 0; i < bus->n; i++) {
		struct link *l = &bus->link[i];

		redis_conn_close(&l->pub);
		redis_conn_close(&l->sub);
		buf_free(&l->pub.out);
		buf_free(&l->sub.out);
		buf_free(&l->scratch);
		free(l->table);
		if (l->wake_fd >= 0)
			close(l->wake_fd);
		pthread_mutex_destroy(&l->lock);
	}
	redis_tls_free(bus->tls);
	sodium_memzero(bus->secret, sizeof(bus->secret));
	free(bus);
}
