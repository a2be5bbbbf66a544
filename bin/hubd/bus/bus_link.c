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
#define SECRET_KEY BUS_PREFIX "secret"

static const char unreachable[] = "Redis cannot be reached";
static const char silent[] = "Redis does not answer";

void link_wake(struct link *l)
{
	uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is woken already */
}

/* --- calls */

struct call *call_new(struct far *f, void (*done)(struct link *, struct call *, const redisReply *))
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->done = done;
	call->script = SCRIPTS;
	call->far = f;
	if (f)
		f->calls++;
	return call;
}

static void call_free(struct call *call)
{
	if (call->far)
		call->far->calls--;
	buf_free(&call->command);
	free(call);
}

static void call_queue(struct link *l, struct call *call)
{
	call->next = NULL;
	call->sent_ms = clock_mono_ms();
	*l->calls_last = call;
	l->calls_last = &call->next;
}

static void call_end(struct link *l, struct call *call, const redisReply *reply)
{
	call->done(l, call, reply);
	call_free(call);
}

void link_call(struct link *l, struct call *call)
{
	if (call->far)
		call->head = call->far->head;
	if (l->pub.step != REDIS_OPEN ||
	    buf_put(&l->pub.out, call->command.data, call->command.len) < 0) {
		call_end(l, call, NULL);
		return;
	}
	call_queue(l, call);
}

/* A call that is made of words. */
static void call_words(struct link *l,
		       void (*done)(struct link *, struct call *, const redisReply *),
		       const struct span *words, size_t n)
{
	struct call *call = call_new(NULL, done);

	if (!call || redis_put(&call->command, words, n) < 0) {
		if (call)
			call_free(call);
		link_fail(l, "out of memory");
		return;
	}
	link_call(l, call);
}

int call_script(struct link *l, struct call *call, enum script script, const struct session *s,
		size_t n)
{
	static const char *const parts[SCRIPT_KEYS] = {"", ":log", ":state", ":seen", ":seen0"};
	char key[BUS_NAME + 8];
	int r = redis_put_count(&call->command, 3 + SCRIPT_KEYS + n);

	call->script = script;
	if (r == 0)
		r = redis_put_arg(&call->command, "EVALSHA", 7);
	if (r == 0)
		r = redis_put_arg(&call->command, l->sha[script], 40);
	if (r == 0)
		r = redis_put_arg(&call->command, "5", 1);
	for (int i = 0; i < SCRIPT_KEYS && r == 0; i++) {
		int len = snprintf(key, sizeof(key), BUS_PREFIX "{%s}%s", s->id, parts[i]);

		r = redis_put_arg(&call->command, key, (size_t)len);
	}
	return r;
}

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

static const struct span load_words[2] = {{"SCRIPT", 6}, {"LOAD", 4}};

/* Somebody has flushed the scripts: loads it, and asks the same again. */
static void load_again(struct link *l, struct call *call)
{
	const struct span words[3] = {load_words[0], load_words[1], script_text(call->script)};

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
		why = now_ms - l->down_ms > 1000 ? unreachable : NULL;
	else if (l->calls && now_ms - l->calls->sent_ms > BUS_FAILING_MS)
		why = silent;
	atomic_store_explicit(&l->failing, why, memory_order_relaxed);
}

static void close_pub(struct link *l)
{
	struct call *calls = l->calls, *call;

	redis_conn_close(&l->pub);
	l->calls = NULL;
	l->calls_last = &l->calls;
	l->up = false;
	while ((call = calls) != NULL) {
		calls = call->next;
		call_end(l, call, NULL);
	}
}

void link_fail(struct link *l, const char *why)
{
	uint64_t now_ms = clock_mono_ms();
	char where[400], reason[200];

	if (l->pub.step == REDIS_CLOSED && l->sub.step == REDIS_CLOSED && l->again_ms > now_ms)
		return;
	snprintf(reason, sizeof(reason), "%s", why);
	redis_url_text(&l->url, l->attempt, where, sizeof(where));
	if (!l->said || err_shows(ERR_DEBUG))
		err_log(ERR_WARN, "bus %s: %s; trying again", where, reason);
	l->said = true;
	if (!l->down_ms)
		l->down_ms = now_ms;
	close_pub(l);
	redis_conn_close(&l->sub);
	far_unsubscribed_all(l);
	l->attempt++;
	l->pause_ms = l->pause_ms ? 2 * l->pause_ms : BUS_AGAIN_MS;
	if (l->pause_ms > BUS_AGAIN_MAX_MS)
		l->pause_ms = BUS_AGAIN_MAX_MS;
	/* Each at a time of its own. */
	l->again_ms = now_ms + l->pause_ms / 2 + randombytes_uniform((uint32_t)l->pause_ms / 2 + 1);
}

/* --- greeting: AUTH, SELECT and INFO, then, of a master, the rest */

/* The hearing one follows to where the other is. */
static void begin_sub(struct link *l)
{
	if (redis_conn_open(&l->sub, &l->url, l->bus->tls, l->attempt) < 0)
		link_fail(l, l->sub.why);
}

static void set_up(struct link *l)
{
	char where[400];

	redis_url_text(&l->url, l->attempt, where, sizeof(where));
	if (l->said)
		err_log(ERR_INFO, "bus %s: connected", where);
	l->said = false;
	l->up = l->greeted = true;
	l->down_ms = 0;
	l->pause_ms = 0;
	far_resume_all(l);
	if (l->sub.step == REDIS_CLOSED)
		begin_sub(l);
}

static void on_client(struct link *l, struct call *call, const redisReply *reply)
{
	(void)call;
	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_INTEGER) {
		link_fail(l, reply->type == REDIS_REPLY_ERROR ? reply->str : "no id of a client");
		return;
	}
	snprintf(l->client, sizeof(l->client), "%lld", reply->integer);
	set_up(l);
}

static void on_script(struct link *l, struct call *call, const redisReply *reply)
{
	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_STRING || reply->len != 40) {
		link_fail(l,
			  reply->type == REDIS_REPLY_ERROR ? reply->str : "no script was loaded");
		return;
	}
	memcpy(l->sha[call->head], reply->str, 40);
}

/* An old connection of ours that is no more, or some such. */
static void on_any(struct link *l, struct call *call, const redisReply *reply)
{
	(void)l;
	(void)call;
	(void)reply;
}

static void on_secret(struct link *l, struct call *call, const redisReply *reply)
{
	struct bus *bus = l->bus;

	(void)call;
	if (!reply || bus->env || l->index)
		return; /* it is in use */
	if (reply->type != REDIS_REPLY_STRING || (size_t)reply->len != 2 * bus->secret_len ||
	    sodium_hex2bin(bus->secret, bus->secret_len, reply->str, (size_t)reply->len, NULL, NULL,
			   NULL) != 0)
		link_fail(l, SECRET_KEY " is no secret of hubd");
}

/* A field of INFO's text. False where it is not there, or too long. */
static bool info_field(const char *info, const char *name, char *out, size_t cap)
{
	const char *at = strstr(info, name);
	size_t n = at ? strcspn(at += strlen(name), "\r\n") : cap;

	if (n >= cap)
		return false;
	memcpy(out, at, n);
	out[n] = '\0';
	return true;
}

static void greet_master(struct link *l)
{
	char hex[2 * sizeof(l->bus->secret) + 1];
	const struct span set[] = {{"SET", 3},
				   {SECRET_KEY, sizeof(SECRET_KEY) - 1},
				   {hex, 2 * l->bus->secret_len},
				   {"NX", 2}};
	const struct span get[] = {{"GET", 3}, {SECRET_KEY, sizeof(SECRET_KEY) - 1}};
	const struct span kill_words[] = {
	    {"CLIENT", 6}, {"KILL", 4}, {"ID", 2}, {l->client, strlen(l->client)}};
	const struct span id[] = {{"CLIENT", 6}, {"ID", 2}};

	/* What the old connection has not been read of is not to be done behind what comes now. */
	if (l->greeted)
		call_words(l, on_any, kill_words, 4);
	sodium_bin2hex(hex, sizeof(hex), l->bus->secret, l->bus->secret_len);
	call_words(l, on_any, set, 4);
	call_words(l, on_secret, get, 2);
	for (int i = 0; i < SCRIPTS && l->pub.step == REDIS_OPEN; i++) {
		const struct span words[3] = {load_words[0], load_words[1],
					      script_text((enum script)i)};
		struct call *call = call_new(NULL, on_script);

		if (!call || redis_put(&call->command, words, 3) < 0) {
			if (call)
				call_free(call);
			link_fail(l, "out of memory");
			return;
		}
		call->head = (uint64_t)i;
		link_call(l, call);
	}
	call_words(l, on_client, id, 2);
}

static void on_info(struct link *l, struct call *call, const redisReply *reply)
{
	char role[32], server[sizeof(l->server)];

	(void)call;
	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_STRING ||
	    !info_field(reply->str, "role:", role, sizeof(role)) ||
	    !info_field(reply->str, "run_id:", server, sizeof(server))) {
		link_fail(l, reply->type == REDIS_REPLY_ERROR ? reply->str : "it is no Redis");
		return;
	}
	if (strcmp(role, "master") != 0) {
		link_fail(l, "it is a replica");
		return;
	}
	l->greeted = l->greeted && strcmp(server, l->server) == 0;
	strcpy(l->server, server);
	greet_master(l);
}

static void on_greeted(struct link *l, struct call *call, const redisReply *reply)
{
	(void)call;
	if (reply && reply->type == REDIS_REPLY_ERROR)
		link_fail(l, reply->str);
}

/* The words of AUTH; how many, 0: there is no password. */
static size_t auth_words(const struct redis_url *u, struct span words[3])
{
	size_t n = 0;

	if (!u->password[0])
		return 0;
	words[n++] = (struct span){"AUTH", 4};
	if (u->user[0])
		words[n++] = (struct span){u->user, strlen(u->user)};
	words[n++] = (struct span){u->password, strlen(u->password)};
	return n;
}

static void greet(struct link *l)
{
	static const struct span info[] = {{"INFO", 4}};
	struct span words[3];
	size_t n = auth_words(&l->url, words);
	char db[12];

	if (n)
		call_words(l, on_greeted, words, n);
	if (l->url.db) {
		snprintf(db, sizeof(db), "%u", l->url.db);
		words[0] = (struct span){"SELECT", 6};
		words[1] = (struct span){db, strlen(db)};
		call_words(l, on_greeted, words, 2);
	}
	call_words(l, on_info, info, 1);
}

/* --- the two connections */

static void begin(struct link *l, uint64_t now_ms)
{
	l->began_ms = now_ms;
	if (redis_conn_open(&l->pub, &l->url, l->bus->tls, l->attempt) < 0)
		link_fail(l, l->pub.why);
}

static void sub_opened(struct link *l)
{
	struct span words[3];
	size_t n = auth_words(&l->url, words);

	if (n)
		redis_put(&l->sub.out, words, n);
	for (struct far *f = l->all; f; f = f->next)
		far_subscribe(l, f);
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
		greet(l);
	read_pub(l);
	if (io(l, &l->sub, sub))
		sub_opened(l);
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
		call_words(l, on_any, words, 1);
}

static void tick(struct link *l, uint64_t now_ms)
{
	if (l->pub.step == REDIS_CLOSED && now_ms >= l->again_ms)
		begin(l, now_ms);
	else if (l->up && l->sub.step == REDIS_CLOSED)
		begin_sub(l);
	else if (!l->up && l->pub.step != REDIS_CLOSED && now_ms - l->began_ms > BUS_HELLO_MS)
		link_fail(l, l->calls ? silent : "the connection takes too long");
	else if (l->up && l->calls && now_ms - l->calls->sent_ms > BUS_ANSWER_MS)
		link_fail(l, silent);
	else if (l->sub.step != REDIS_CLOSED && now_ms - l->sub.heard_ms > BUS_ANSWER_MS)
		link_fail(l, silent);
	ping(l, now_ms);
	set_failing(l, now_ms);
	far_checks(l, now_ms);
	if (now_ms >= l->late_ms) {
		publish_timeouts(l, now_ms);
		open_timeouts(l, now_ms);
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
	uint64_t now_ms = clock_mono_ms();
	bool stop;

	if (now_ms >= *tick_ms) {
		tick(l, now_ms);
		*tick_ms = now_ms + BUS_TICK_MS;
	}
	publish_all_due(l);
	to_flush(l, &l->pub);
	to_flush(l, &l->sub);
	fds[1].fd = l->pub.fd;
	fds[1].events = redis_conn_events(&l->pub);
	fds[2].fd = l->sub.fd;
	fds[2].events = redis_conn_events(&l->sub);
	now_ms = clock_mono_ms();
	poll(fds, 3, now_ms < *tick_ms ? (int)(*tick_ms - now_ms) : 0);
	stop = take_inbox(l);
	/* Those that were polled, and no others. */
	serve(l, l->pub.fd == fds[1].fd ? fds[1].revents : 0,
	      l->sub.fd == fds[2].fd ? fds[2].revents : 0);
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
		open_finish(l, &f->asks, -EAGAIN, 0);
		open_finish(l, &f->asked, -EAGAIN, 0);
	}
	close_pub(l);
	redis_conn_close(&l->sub);
	far_unsubscribed_all(l);
	for (struct far *f = l->all; f; f = f->next) {
		publish_give_up(l, f, "the hub is shutting down");
		open_finish(l, &f->asks, -EAGAIN, 0);
		open_finish(l, &f->asked, -EAGAIN, 0);
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
	sigset_t all, before;
	int r;

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
