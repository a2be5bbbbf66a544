/* A link's thread: its inbox, its connections, its calls and their answers. Invariant: calls are
 * answered in the order in which they were sent; a connection that fails answers those it has with
 * nothing. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/bus_impl.h"

#define END_MS 2000 /* for what is left to leave */

static const char unreachable[] = "Redis cannot be reached";
static const char silent[] = "Redis does not answer";

/* --- calls */

static bool begins(const redisReply *reply, const char *word)
{
	return strncmp(reply->str, word, strlen(word)) == 0;
}

/* Whether the server is no good as it is: another one is to be found, or a later time. */
static bool is_unfit(const redisReply *reply)
{
	static const char *const words[] = {"READONLY", "LOADING",   "MASTERDOWN", "CLUSTERDOWN",
					    "NOAUTH",	"WRONGPASS", "MOVED"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins(reply, words[i]))
			return true;
	return false;
}

static void on_reloaded(struct link *l, struct call *call, const redisReply *reply)
{
	(void)call;
	if (reply && reply->type == REDIS_REPLY_ERROR)
		link_fail(l, reply->str);
}

/* Somebody has flushed the scripts: loads it, and asks the same again. */
static void load_again(struct link *l, struct call *call)
{
	const struct span words[3] = {{"SCRIPT", 6}, {"LOAD", 4}, script_text(call->script)};

	call_words(l, on_reloaded, words, 3);
	if (l->pub.step != REDIS_OPEN ||
	    buf_put(&l->pub.out, call->command.data, call->command.len) < 0)
		call_end(l, call, NULL);
	else
		call_queue(l, call);
}

static void answer(struct link *l, const redisReply *reply)
{
	struct call *call = l->calls;

	if (!call) {
		link_fail(l, "Redis answers what nobody asked");
		return;
	}
	l->calls = call->next;
	if (!l->calls)
		l->calls_last = &l->calls;
	if (reply->type == REDIS_REPLY_ERROR && call->script != SCRIPTS &&
	    begins(reply, "NOSCRIPT")) {
		load_again(l, call);
		return;
	}
	if (reply->type == REDIS_REPLY_ERROR && is_unfit(reply)) {
		char why[160];

		snprintf(why, sizeof(why), "%.150s", reply->str);
		call_end(l, call, NULL);
		link_fail(l, why);
		return;
	}
	call_end(l, call, reply);
}

/* --- up and down */

/* Publishers are refused once that has lasted for a moment. */
static void set_failing(struct link *l, uint64_t now_ms)
{
	const char *why = NULL;

	if (!l->up)
		why = bus_lasts(now_ms, l->down_ms, 1000) ? unreachable : NULL;
	else if (l->calls && bus_lasts(now_ms, l->calls->sent_ms, BUS_FAILING_MS))
		why = silent;
	atomic_store_explicit(&l->failing, why, memory_order_relaxed);
}

/* --- the two connections */

static void begin(struct link *l, uint64_t now_ms)
{
	l->began_ms = now_ms;
	if (redis_conn_open(&l->pub, &l->url, l->bus->tls, l->attempt) < 0)
		link_fail(l, l->pub.why);
}

static void read_pub(struct link *l)
{
	redisReply *reply = NULL;
	int r;

	while ((r = redis_conn_reply(&l->pub, &reply)) > 0) {
		answer(l, reply);
		freeReplyObject(reply);
	}
	if (r < 0)
		link_fail(l, l->pub.why);
}

static void read_sub(struct link *l)
{
	redisReply *reply = NULL;
	int r;

	while ((r = redis_conn_reply(&l->sub, &reply)) > 0) {
		if (reply->type == REDIS_REPLY_ERROR)
			link_fail(l, reply->str);
		else
			hear(l, reply);
		freeReplyObject(reply);
	}
	if (r < 0)
		link_fail(l, l->sub.why);
}

/* Goes on with a connection; true where it has just been opened. */
static bool io(struct link *l, struct redis_conn *c, short revents)
{
	enum redis_step before = c->step;

	if (before == REDIS_CLOSED)
		return false;
	if (redis_conn_io(c, &l->url, revents) < 0) {
		link_fail(l, c->why);
		return false;
	}
	return before != REDIS_OPEN && c->step == REDIS_OPEN;
}

static void serve(struct link *l, short pub, short sub)
{
	if (io(l, &l->pub, pub))
		link_greeting(l);
	read_pub(l);
	if (io(l, &l->sub, sub))
		link_sub_opened(l);
	read_sub(l);
}

/* --- the inbox */

/* Returns whether it is to end. */
static bool take_inbox(struct link *l)
{
	struct archive_job *jobs, *job;
	struct offer *offers, *o;
	uint64_t n;
	bool stop;

	if (read(l->wake_fd, &n, sizeof(n)) < 0)
		n = 0; /* nobody has woken it */
	pthread_mutex_lock(&l->lock);
	jobs = l->jobs;
	offers = l->offers;
	l->jobs = NULL;
	l->jobs_last = &l->jobs;
	l->offers = NULL;
	l->offers_last = &l->offers;
	stop = l->stop;
	pthread_mutex_unlock(&l->lock);
	while ((job = jobs) != NULL) {
		jobs = job->next;
		job->next = NULL;
		open_job(l, job);
	}
	while ((o = offers) != NULL) {
		offers = o->next;
		publish_offer(l, o);
	}
	return stop;
}

/* --- the thread */

static void ping(struct link *l, uint64_t now_ms)
{
	static const struct span words[] = {{"PING", 4}};

	if (l->sub.step != REDIS_OPEN || now_ms < l->ping_ms)
		return;
	l->ping_ms = now_ms + 1000;
	redis_put(&l->sub.out, words, 1);
	if (l->up && !l->calls)
		call_words(l, call_ignored, words, 1);
}

static void tick(struct link *l, uint64_t now_ms)
{
	if (l->pub.step == REDIS_CLOSED && now_ms >= l->again_ms)
		begin(l, now_ms);
	else if (l->up && l->sub.step == REDIS_CLOSED)
		link_begin_sub(l);
	else if (!l->up && l->pub.step != REDIS_CLOSED &&
		 bus_lasts(now_ms, l->began_ms, BUS_HELLO_MS))
		link_fail(l, l->calls ? silent : "the connection takes too long");
	else if (l->up && l->calls && bus_lasts(now_ms, l->calls->sent_ms, BUS_ANSWER_MS))
		link_fail(l, silent);
	else if (l->sub.step != REDIS_CLOSED && bus_lasts(now_ms, l->sub.heard_ms, BUS_ANSWER_MS))
		link_fail(l, silent);
	ping(l, now_ms);
	set_failing(l, now_ms);
	here_beat(l, now_ms);
	far_checks(l, now_ms);
	if (now_ms >= l->late_ms) {
		publish_timeouts(l, now_ms);
		open_timeouts(l, now_ms);
		asks_timeouts(l, now_ms, false);
		l->late_ms = now_ms + BUS_LATE_MS;
	}
}

static void to_flush(struct link *l, struct redis_conn *c)
{
	if (c->step == REDIS_OPEN && c->out_at < c->out.len && redis_conn_io(c, &l->url, 0) < 0)
		link_fail(l, c->why);
}

/* One round: what there is to do, then what there is to wait for. Returns whether it is to end. */
static bool turn(struct link *l, uint64_t *tick_ms)
{
	struct pollfd fds[3] = {{.fd = l->wake_fd, .events = POLLIN}};
	uint64_t now_ms, until_ms;
	bool stop;

	publish_all_due(l);
	to_flush(l, &l->pub);
	to_flush(l, &l->sub);
	fds[1].fd = l->pub.fd;
	fds[1].events = redis_conn_events(&l->pub);
	fds[2].fd = l->sub.fd;
	fds[2].events = redis_conn_events(&l->sub);
	now_ms = clock_mono_ms();
	until_ms = now_ms < *tick_ms ? *tick_ms - now_ms : 0;
	poll(fds, 3, until_ms < BUS_TICK_MS ? (int)until_ms : BUS_TICK_MS);
	stop = take_inbox(l);
	/* Those that were polled, and no others. */
	serve(l, l->pub.fd == fds[1].fd ? fds[1].revents : 0,
	      l->sub.fd == fds[2].fd ? fds[2].revents : 0);
	/* Behind what has come: where this process stood still, the answers lay there. */
	now_ms = clock_mono_ms();
	if (now_ms >= *tick_ms) {
		tick(l, now_ms);
		*tick_ms = now_ms + BUS_TICK_MS;
	}
	return stop;
}

static bool is_idle(const struct link *l)
{
	for (const struct far *f = l->all; f; f = f->next)
		if (f->first || f->flying)
			return false;
	return true;
}

static void give_up_all(struct link *l)
{
	for (struct far *f = l->all; f; f = f->next) {
		publish_give_up(l, f, "the hub is shutting down");
		jobs_end(&f->asks, -EAGAIN, 0);
		jobs_end(&f->asked, -EAGAIN, 0);
	}
	link_close(l);
	asks_timeouts(l, 0, true);
	redis_conn_close(&l->sub);
	far_unsubscribed_all(l);
	for (struct far *f = l->all; f; f = f->next) {
		publish_give_up(l, f, "the hub is shutting down");
		jobs_end(&f->asks, -EAGAIN, 0);
		jobs_end(&f->asked, -EAGAIN, 0);
	}
	while (l->all) {
		struct far *f = l->all;

		l->all = f->next;
		session_unref(f->session);
		free(f);
	}
}

static void *link_thread(void *arg)
{
	struct link *l = arg;
	uint64_t tick_ms = 0, end_ms;

	while (!turn(l, &tick_ms))
		;
	end_ms = clock_mono_ms() + END_MS;
	while (l->up && !is_idle(l) && clock_mono_ms() < end_ms)
		turn(l, &tick_ms);
	give_up_all(l);
	return NULL;
}

int link_start(struct link *l)
{
	uint64_t end_ms = clock_mono_ms() + BUS_HELLO_MS, tick_ms = UINT64_MAX;
	sigset_t all, before;
	int r;

	/* Nobody is to come in before it is known who may not. */
	kept_ask(l);
	while (l->kept_asked && l->up && clock_mono_ms() < end_ms)
		turn(l, &tick_ms);

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(&l->thread, NULL, link_thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	l->started = r == 0;
	return -r;
}

void link_stop(struct link *l)
{
	if (!l->started)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_mutex_unlock(&l->lock);
	link_wake(l);
	pthread_join(l->thread, NULL);
	l->started = false;
}

/* The same turns without any session. */
int link_greet(struct link *l)
{
	uint64_t end_ms = clock_mono_ms() + BUS_HELLO_MS, tick_ms = 0;

	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0) {
		err_log(ERR_ERROR, "bus: %s", strerror(errno));
		return -errno;
	}
	l->down_ms = clock_mono_ms();
	while (!l->up && clock_mono_ms() < end_ms)
		turn(l, &tick_ms);
	if (!l->up) {
		err_log(ERR_ERROR, "bus: no Redis that could be used in %d s", BUS_HELLO_MS / 1000);
		return -ETIMEDOUT;
	}
	return 0;
}
