/* Invariant: the two connections live and die together; what waits in the queue is bounded, and so
 * is what was heard and nobody has taken yet: then no more is read. */
#include "bus/bridge.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "bus/adapter.h"
#include "bus/redis_conn.h"
#include "bus/redis_url.h"

#define OUT_MAX (1 << 20) /* bytes in a connection at which no more is encoded */
#define TICK_MS 500	  /* and how often it is pinged */
#define HELLO_MS 5000	  /* to get up */
#define SILENT_MS 15000	  /* without a word, after which it is given up */
#define AGAIN_MS 200	  /* to the next attempt, twice as long each time, */
#define AGAIN_MAX_MS 2000
#define SAY_MS 10000 /* between two words about what is dropped */
#define LEASE_KEY "hub:socketio:"
#define END_MS 1000 /* for what is left to leave */

/* KEYS: the lease; ARGV: who wants it, for how many ms. Whether he has it. */
static const char lease_script[] = "local holder = redis.call('GET', KEYS[1])\n"
				   "if holder and holder ~= ARGV[1] then return 'no' end\n"
				   "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
				   "return 'yes'\n";

/* A record on its way. */
struct told {
	struct told *next;
	size_t session_len, len;
	char text[]; /* the session, then the record */
};

struct bridge {
	const struct bridge_settings *set;
	struct redis_url url;
	struct ssl_ctx_st *tls;
	char uid[ADAPTER_UID + 1];
	pthread_t thread;
	bool started;
	int wake_fd; /* eventfd */

	pthread_mutex_t lock;
	struct told *first, **last; /* lock */
	size_t queued;		    /* lock; bytes */
	bool stop;		    /* lock */
	atomic_size_t heard;	    /* bytes that are not taken yet */
	atomic_bool paused;	    /* it waits for that */
	_Atomic(const char *) why;  /* of what was dropped last */
	atomic_uint_fast64_t told, dropped;
	uint64_t told_before, dropped_before; /* when they were asked for; of who asks */

	/* The thread's. */
	struct redis_conn pub, sub;
	unsigned attempt, patterns; /* how many it listens to */
	bool up, said;
	uint64_t began_ms, again_ms, pause_ms, tick_ms, say_ms;
	uint64_t dropped_said;
	char holder[24];		    /* of a lease: this hubd */
	bool asked, listens;		    /* for the lease; it has said so to Redis */
	uint64_t asked_ms;		    /* when it was asked for last */
	uint64_t lease_ms;		    /* until when it holds it */
	struct buf channel, message, event; /* to work in */
};

static void wake(struct bridge *b)
{
	uint64_t one = 1;

	/* It is full only where it wakes anyway. */
	if (write(b->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void drop(struct bridge *b, const char *why)
{
	atomic_store_explicit(&b->why, why, memory_order_relaxed);
	atomic_fetch_add_explicit(&b->dropped, 1, memory_order_relaxed);
}

/* --- by others' threads */

static struct told *told_new(struct span session, struct span body, uint64_t seq)
{
	char end[32];
	size_t n = (size_t)snprintf(end, sizeof(end), ",\"seq\":%ju}", (uintmax_t)seq);
	struct told *t = malloc(sizeof(*t) + session.len + body.len + n);

	if (!t)
		return NULL;
	*t = (struct told){.session_len = session.len, .len = body.len + n};
	memcpy(t->text, session.p, session.len);
	memcpy(t->text + session.len, body.p, body.len);
	memcpy(t->text + session.len + body.len, end, n);
	return t;
}

void bridge_tell(struct bridge *b, struct span session, struct span body, uint64_t seq)
{
	struct adapter_place place;
	struct told *t;
	bool full, first;

	if (!adapter_place(session, &place))
		return;
	t = told_new(session, body, seq);
	pthread_mutex_lock(&b->lock);
	full = !t || b->stop || b->queued + t->len > BRIDGE_QUEUE_MAX;
	first = !b->first;
	if (!full) {
		b->queued += t->len;
		*b->last = t;
		b->last = &t->next;
	}
	pthread_mutex_unlock(&b->lock);
	if (full) {
		free(t);
		drop(b, "Redis does not keep up");
	} else if (first) {
		wake(b);
	}
}

void bridge_taken(struct bridge *b, size_t len, const char *why)
{
	size_t left = atomic_fetch_sub_explicit(&b->heard, len, memory_order_seq_cst) - len;

	if (why)
		drop(b, why);
	if (left <= BRIDGE_HEARD_MAX / 2 &&
	    atomic_exchange_explicit(&b->paused, false, memory_order_seq_cst))
		wake(b);
}

void bridge_count(struct bridge *b, uint64_t *told, uint64_t *dropped)
{
	uint64_t n = atomic_load_explicit(&b->told, memory_order_relaxed);
	uint64_t m = atomic_load_explicit(&b->dropped, memory_order_relaxed);

	*told = n - b->told_before;
	*dropped = m - b->dropped_before;
	b->told_before = n;
	b->dropped_before = m;
}

/* --- up and down */

static void fail(struct bridge *b, const char *why)
{
	uint64_t now_ms = clock_mono_ms();
	char where[400], reason[200];

	snprintf(reason, sizeof(reason), "%s", why);
	redis_url_text(&b->url, b->attempt, where, sizeof(where));
	if (!b->said || err_shows(ERR_DEBUG))
		err_log(ERR_WARN, "bus-socketio %s: %s; trying again", where, reason);
	b->said = true;
	b->up = b->asked = b->listens = false;
	b->lease_ms = b->asked_ms = 0;
	redis_conn_close(&b->pub);
	redis_conn_close(&b->sub);
	b->attempt++;
	b->pause_ms = b->pause_ms ? 2 * b->pause_ms : AGAIN_MS;
	if (b->pause_ms > AGAIN_MAX_MS)
		b->pause_ms = AGAIN_MAX_MS;
	b->again_ms = now_ms + b->pause_ms / 2 + randombytes_uniform((uint32_t)b->pause_ms / 2 + 1);
}

static void begin(struct bridge *b, uint64_t now_ms)
{
	b->began_ms = now_ms;
	b->patterns = 0;
	if (redis_conn_open(&b->pub, &b->url, b->tls, b->attempt) < 0)
		fail(b, b->pub.why);
	else if (redis_conn_open(&b->sub, &b->url, b->tls, b->attempt) < 0)
		fail(b, b->sub.why);
}

static int put_auth(struct bridge *b, struct redis_conn *c)
{
	const struct redis_url *u = &b->url;
	struct span words[3] = {{"AUTH", 4}};
	size_t n = 1;

	if (!u->password[0])
		return 0;
	if (u->user[0])
		words[n++] = (struct span){u->user, strlen(u->user)};
	words[n++] = (struct span){u->password, strlen(u->password)};
	return redis_put(&c->out, words, n);
}

/* Begins to listen, or ends it. */
static int put_listen(struct bridge *b, const char *command)
{
	struct span words[3] = {{command, strlen(command)}};
	struct buf all = {0}, requests = {0};
	int r = adapter_pattern(&all, b->set->prefix, "#/");

	if (r == 0)
		r = adapter_pattern(&requests, b->set->prefix, "-request#/");
	words[1] = (struct span){all.data, all.len};
	words[2] = (struct span){requests.data, requests.len};
	if (r == 0)
		r = redis_put(&b->sub.out, words, 3);
	buf_free(&all);
	buf_free(&requests);
	return r;
}

/* What a connection begins with. */
static int greet(struct bridge *b, struct redis_conn *c)
{
	static const struct span role[] = {{"ROLE", 4}};
	int r = put_auth(b, c);

	if (r == 0 && c == &b->pub && b->url.nhosts > 1)
		r = redis_put(&c->out, role, 1);
	if (r == 0 && c == &b->sub && !b->set->shared)
		r = put_listen(b, "PSUBSCRIBE");
	return r;
}

static void set_up(struct bridge *b)
{
	char where[400];

	redis_url_text(&b->url, b->attempt, where, sizeof(where));
	err_log(ERR_INFO, "bus-socketio %s: connected", where);
	b->said = false;
	b->up = true;
	b->pause_ms = 0;
}

/* --- the lease */

static int put_lease(struct bridge *b, uint64_t now_ms)
{
	char key[sizeof(LEASE_KEY) + 128], ms[24];
	int n = snprintf(key, sizeof(key), LEASE_KEY "%s", b->set->prefix);
	int len = snprintf(ms, sizeof(ms), "%ju", (uintmax_t)b->set->lease_ms);
	const struct span words[] = {
	    {"EVAL", 4},      {lease_script, sizeof(lease_script) - 1}, {"1", 1},
	    {key, (size_t)n}, {b->holder, strlen(b->holder)},		{ms, (size_t)len}};

	b->asked = true;
	b->asked_ms = now_ms;
	return redis_put(&b->pub.out, words, 6);
}

static void on_lease(struct bridge *b, bool has)
{
	int r = 0;

	b->asked = false;
	b->lease_ms = has ? b->asked_ms + b->set->lease_ms : 0;
	if (has != b->listens)
		r = put_listen(b, has ? "PSUBSCRIBE" : "PUNSUBSCRIBE");
	b->listens = has;
	if (r < 0)
		fail(b, "out of memory");
	else if (!b->up)
		set_up(b);
}

/* Another one hears as soon as this one has gone. */
static void put_release(struct bridge *b)
{
	static const char script[] = "if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
				     "return redis.call('DEL', KEYS[1]) end\n";
	char key[sizeof(LEASE_KEY) + 128];
	int n = snprintf(key, sizeof(key), LEASE_KEY "%s", b->set->prefix);
	const struct span words[] = {{"EVAL", 4},
				     {script, sizeof(script) - 1},
				     {"1", 1},
				     {key, (size_t)n},
				     {b->holder, strlen(b->holder)}};

	if (b->listens && b->pub.step == REDIS_OPEN)
		redis_put(&b->pub.out, words, 5);
}

/* --- what is heard */

/* Hands it on, to all sessions that it is for. */
static void hand_on(struct bridge *b, struct adapter_heard *heard)
{
	char session[ENVELOPE_SESSION_MAX];
	struct buf *names = &b->channel;
	size_t left = heard->nrooms ? heard->nrooms : 1, n;
	int r = 0;

	names->len = 0;
	for (; left && r == 0 && names->len < b->set->max_message; left--) {
		n = adapter_session(heard, session);
		if (n)
			r = buf_put(names, session, n);
		if (n && r == 0)
			r = buf_put(names, "", 1);
	}
	if (left || r < 0)
		drop(b, "an event for too many rooms");
	if (!names->len)
		return;
	atomic_fetch_add_explicit(&b->heard, b->message.len, memory_order_seq_cst);
	b->set->heard(b->set->arg, (struct span){names->data, names->len},
		      (struct span){b->message.data, b->message.len});
}

/* Whether a message of that namespace may come by the channel, as servers have it. */
static bool belongs(const struct bridge *b, struct span channel, struct span nsp)
{
	static const char request[] = "-request";
	size_t n = strlen(b->set->prefix);

	if (channel.len < n)
		return false;
	channel = (struct span){channel.p + n, channel.len - n};
	if (channel.len > sizeof(request) - 1 &&
	    memcmp(channel.p, request, sizeof(request) - 1) == 0) {
		channel.p += sizeof(request) - 1;
		channel.len -= sizeof(request) - 1;
	}
	return channel.len >= nsp.len + 2 && channel.p[0] == '#' &&
	       memcmp(channel.p + 1, nsp.p, nsp.len) == 0 && channel.p[1 + nsp.len] == '#';
}

static void hear(struct bridge *b, struct span channel, struct span bytes)
{
	struct adapter_heard heard;
	int r;

	/* Another one may hear by now: what came before that this one could not take in time. */
	if (b->set->shared && clock_mono_ms() >= b->lease_ms)
		return;
	b->message.len = 0;
	r = adapter_read(bytes, (struct span){b->uid, ADAPTER_UID}, &heard, &b->message,
			 b->set->max_message);
	if (r == -EINVAL)
		drop(b, "a message that is malformed");
	else if (r == -EMSGSIZE)
		drop(b, "an event that is longer than max-message");
	else if (r < 0)
		drop(b, "out of memory");
	else if (r > 0 && belongs(b, channel, heard.nsp))
		hand_on(b, &heard);
}

static bool is_word(const redisReply *reply, const char *word)
{
	return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, word) == 0;
}

static struct span span_of(const redisReply *reply)
{
	return (struct span){reply->str, (size_t)reply->len};
}

static void on_sub_reply(struct bridge *b, const redisReply *reply)
{
	redisReply *const *e = reply->element;

	if (reply->type == REDIS_REPLY_ERROR)
		fail(b, reply->str);
	else if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3)
		return; /* of AUTH, or PING */
	else if (is_word(e[0], "psubscribe") && ++b->patterns == 2 && !b->set->shared)
		set_up(b);
	else if (reply->elements == 4 && is_word(e[0], "pmessage") &&
		 e[2]->type == REDIS_REPLY_STRING && e[3]->type == REDIS_REPLY_STRING)
		hear(b, span_of(e[2]), span_of(e[3]));
}

/* --- what is told */

static void on_pub_reply(struct bridge *b, const redisReply *reply)
{
	static const char refused[] = "Redis refuses to publish";

	if (reply->type == REDIS_REPLY_ARRAY && reply->elements &&
	    !is_word(reply->element[0], "master"))
		fail(b, "it is a replica");
	else if (reply->type == REDIS_REPLY_ERROR && (!b->up || b->set->shared))
		fail(b, reply->str); /* which may have been of the lease */
	else if (reply->type == REDIS_REPLY_STRING)
		on_lease(b, strcmp(reply->str, "yes") == 0);
	else if (reply->type == REDIS_REPLY_ERROR)
		drop(b, refused);
}

static int put_told(struct bridge *b, const struct told *t)
{
	struct span name, args, uid = {b->uid, ADAPTER_UID};
	struct adapter_place place;
	int r;

	adapter_place((struct span){t->text, t->session_len}, &place);
	b->set->event(t->text + t->session_len, t->len, &name, &args);
	b->event.len = b->message.len = b->channel.len = 0;
	r = buf_printf(&b->event, "[%.*s%s", (int)name.len, name.p, args.len ? "," : "");
	if (r == 0)
		r = buf_put(&b->event, args.p, args.len);
	if (r == 0)
		r = buf_puts(&b->event, "]");
	if (r == 0)
		r = adapter_channel(&b->channel, b->set->prefix, &place);
	if (r == 0)
		r = adapter_put(&b->message, uid, &place,
				(struct span){b->event.data, b->event.len});
	if (r == 0) {
		const struct span words[] = {{"PUBLISH", 7},
					     {b->channel.data, b->channel.len},
					     {b->message.data, b->message.len}};

		/* A part of a command would not do. */
		size_t before = b->pub.out.len;

		r = redis_put(&b->pub.out, words, 3);
		if (r < 0)
			b->pub.out.len = before;
	}
	return r;
}

static struct told *next_told(struct bridge *b)
{
	struct told *t;

	pthread_mutex_lock(&b->lock);
	t = b->first;
	if (t) {
		b->first = t->next;
		b->queued -= t->len;
	}
	if (!b->first)
		b->last = &b->first;
	pthread_mutex_unlock(&b->lock);
	return t;
}

static void tell_all(struct bridge *b)
{
	struct told *t;

	while (b->up && b->pub.step == REDIS_OPEN && b->pub.out.len - b->pub.out_at < OUT_MAX &&
	       (t = next_told(b)) != NULL) {
		if (put_told(b, t) < 0)
			drop(b, "out of memory");
		else
			atomic_fetch_add_explicit(&b->told, 1, memory_order_relaxed);
		free(t);
	}
}

/* --- the thread */

static void io(struct bridge *b, struct redis_conn *c, short revents)
{
	enum redis_step before = c->step;

	if (before == REDIS_CLOSED)
		return;
	if (redis_conn_io(c, &b->url, revents) < 0)
		fail(b, c->why);
	else if (before != REDIS_OPEN && c->step == REDIS_OPEN && greet(b, c) < 0)
		fail(b, "out of memory");
}

/* Whether more may be read of what is heard; where not, who takes it wakes the thread. */
static bool may_hear(struct bridge *b)
{
	if (atomic_load_explicit(&b->heard, memory_order_seq_cst) <= BRIDGE_HEARD_MAX)
		return true;
	atomic_store_explicit(&b->paused, true, memory_order_seq_cst);
	return atomic_load_explicit(&b->heard, memory_order_seq_cst) <= BRIDGE_HEARD_MAX / 2;
}

static void take_replies(struct bridge *b, struct redis_conn *c,
			 void (*take)(struct bridge *b, const redisReply *reply))
{
	redisReply *reply = NULL;
	int r = 0;

	while ((c == &b->pub || may_hear(b)) && (r = redis_conn_reply(c, &reply)) > 0) {
		take(b, reply);
		freeReplyObject(reply);
	}
	if (r < 0)
		fail(b, c->why);
}

static void say_dropped(struct bridge *b, uint64_t now_ms)
{
	uint64_t n = atomic_load_explicit(&b->dropped, memory_order_relaxed);

	if (n == b->dropped_said || now_ms < b->say_ms)
		return;
	err_log(ERR_WARN, "bus-socketio: %ju dropped, the last: %s",
		(uintmax_t)(n - b->dropped_said),
		atomic_load_explicit(&b->why, memory_order_relaxed));
	b->dropped_said = n;
	b->say_ms = now_ms + SAY_MS;
}

static void tick(struct bridge *b, uint64_t now_ms)
{
	static const struct span ping[] = {{"PING", 4}}, role[] = {{"ROLE", 4}};
	bool open = b->pub.step == REDIS_OPEN && b->sub.step == REDIS_OPEN;

	if (b->pub.step == REDIS_CLOSED && now_ms >= b->again_ms)
		begin(b, now_ms);
	else if (!b->up && b->pub.step != REDIS_CLOSED && now_ms - b->began_ms > HELLO_MS)
		fail(b, "the connection takes too long");
	else if (b->up && (now_ms - b->pub.heard_ms > SILENT_MS ||
			   (now_ms - b->sub.heard_ms > SILENT_MS && may_hear(b))))
		fail(b, "Redis does not answer");
	else if (open && (redis_put(&b->pub.out, b->url.nhosts > 1 ? role : ping, 1) < 0 ||
			  redis_put(&b->sub.out, ping, 1) < 0))
		fail(b, "out of memory");
	else if (open && b->set->shared && !b->asked &&
		 now_ms >= b->asked_ms + b->set->lease_ms / 4 && put_lease(b, now_ms) < 0)
		fail(b, "out of memory");
	say_dropped(b, now_ms);
}

/* One round: what there is to do, then what there is to wait for. */
static void turn(struct bridge *b)
{
	struct pollfd fds[3] = {{.fd = b->wake_fd, .events = POLLIN}};
	uint64_t now_ms = clock_mono_ms(), n;

	if (now_ms >= b->tick_ms) {
		tick(b, now_ms);
		b->tick_ms = now_ms + TICK_MS;
	}
	tell_all(b);
	io(b, &b->pub, 0);
	io(b, &b->sub, 0);
	fds[1].fd = b->pub.fd;
	fds[1].events = redis_conn_events(&b->pub);
	fds[2].fd = b->sub.fd;
	fds[2].events = redis_conn_events(&b->sub);
	if (!may_hear(b))
		fds[2].events &= (short)~POLLIN;
	now_ms = clock_mono_ms();
	poll(fds, 3, now_ms < b->tick_ms ? (int)(b->tick_ms - now_ms) : 0);
	if (read(b->wake_fd, &n, sizeof(n)) < 0)
		n = 0; /* nobody has woken it */
	/* Those that were polled, and no others. */
	if (b->pub.fd == fds[1].fd)
		io(b, &b->pub, fds[1].revents);
	take_replies(b, &b->pub, on_pub_reply);
	if (b->sub.fd == fds[2].fd)
		io(b, &b->sub, fds[2].revents);
	take_replies(b, &b->sub, on_sub_reply);
}

/* Whether it is to end; *rest: there is something to send yet. */
static bool is_over(struct bridge *b, bool *rest)
{
	bool stop;

	pthread_mutex_lock(&b->lock);
	stop = b->stop;
	*rest = b->first != NULL;
	pthread_mutex_unlock(&b->lock);
	*rest = *rest || b->pub.out_at < b->pub.out.len;
	return stop;
}

static void *bridge_thread(void *arg)
{
	struct bridge *b = arg;
	uint64_t end_ms;
	bool rest;

	while (!is_over(b, &rest))
		turn(b);
	end_ms = clock_mono_ms() + END_MS;
	while (b->up && is_over(b, &rest) && rest && clock_mono_ms() < end_ms)
		turn(b);
	put_release(b);
	io(b, &b->pub, 0);
	redis_conn_close(&b->pub);
	redis_conn_close(&b->sub);
	return NULL;
}

/* --- beginning and end */

/* One for all hubds that share the secret. */
static void uid_of(struct bridge *b)
{
	unsigned char hash[32];
	char hex[2 * sizeof(hash) + 1];

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)LEASE_KEY,
			   sizeof(LEASE_KEY) - 1, b->set->secret, b->set->secret_len);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	memcpy(b->uid, hex, ADAPTER_UID);
}

struct bridge *bridge_new(const struct bridge_settings *set, int *status)
{
	struct bridge *b = calloc(1, sizeof(*b));
	char why[200] = "out of memory";

	*status = EX_OSERR;
	if (!b)
		goto fail;
	b->set = set;
	b->pub.fd = b->sub.fd = -1;
	b->last = &b->first;
	pthread_mutex_init(&b->lock, NULL);
	uid_of(b);
	snprintf(b->holder, sizeof(b->holder), "%08x%08x", randombytes_random(),
		 randombytes_random());
	b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->wake_fd < 0) {
		snprintf(why, sizeof(why), "%s", strerror(errno));
		goto fail;
	}
	*status = EX_CONFIG;
	if (redis_url_parse(&b->url, set->url, why, sizeof(why)) < 0)
		goto fail;
	if (b->url.tls && !(b->tls = redis_tls_new(set->ca, why, sizeof(why))))
		goto fail;
	*status = 0;
	return b;
fail:
	err_log(ERR_ERROR, "bus-socketio-redis: %s", why);
	bridge_free(b);
	return NULL;
}

int bridge_start(struct bridge *b)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(&b->thread, NULL, bridge_thread, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	b->started = r == 0;
	return -r;
}

void bridge_stop(struct bridge *b)
{
	if (!b || !b->started)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_mutex_unlock(&b->lock);
	wake(b);
	pthread_join(b->thread, NULL);
	b->started = false;
}

void bridge_free(struct bridge *b)
{
	struct told *t;

	if (!b)
		return;
	while ((t = b->first)) {
		b->first = t->next;
		free(t);
	}
	buf_free(&b->pub.out);
	buf_free(&b->sub.out);
	buf_free(&b->channel);
	buf_free(&b->message);
	buf_free(&b->event);
	redis_tls_free(b->tls);
	if (b->wake_fd >= 0)
		close(b->wake_fd);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
