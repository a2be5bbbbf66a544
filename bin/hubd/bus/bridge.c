/* The bridge's thread, its beginning and its end. */
#include "bus/bridge.h"

#include <errno.h>
#include <hiredis/hiredis.h>
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
#include "bus/bridge_impl.h"

#define TICK_MS 500	/* and how often it is pinged */
#define HELLO_MS 5000	/* to get up */
#define SILENT_MS 15000 /* without a word, after which it is given up */
#define SAY_MS 10000	/* between two words about what is dropped */
#define END_MS 1000	/* for what is left to leave */

void bridge_count(struct bridge *b, uint64_t *told, uint64_t *dropped)
{
	uint64_t n = atomic_load_explicit(&b->told, memory_order_relaxed);
	uint64_t m = atomic_load_explicit(&b->dropped, memory_order_relaxed);

	*told = n - b->told_before;
	*dropped = m - b->dropped_before;
	b->told_before = n;
	b->dropped_before = m;
}

/* --- what comes */

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
		bridge_fail(b, reply->str);
	else if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3)
		return; /* of AUTH, or PING */
	else if (is_word(e[0], "psubscribe") && ++b->patterns == 2 && !b->set->shared)
		bridge_set_up(b);
	else if (reply->elements == 4 && is_word(e[0], "pmessage") &&
		 e[2]->type == REDIS_REPLY_STRING && e[3]->type == REDIS_REPLY_STRING)
		bridge_hear(b, span_of(e[2]), span_of(e[3]));
}

static void on_pub_reply(struct bridge *b, const redisReply *reply)
{
	static const char refused[] = "Redis refuses to publish";

	if (reply->type == REDIS_REPLY_ARRAY && reply->elements &&
	    !is_word(reply->element[0], "master"))
		bridge_fail(b, "it is a replica");
	else if (reply->type == REDIS_REPLY_ERROR && (!b->up || b->set->shared))
		bridge_fail(b, reply->str); /* which may have been of the lease */
	else if (reply->type == REDIS_REPLY_STRING)
		bridge_on_lease(b, strcmp(reply->str, "yes") == 0);
	else if (reply->type == REDIS_REPLY_ERROR)
		bridge_drop(b, refused);
}

/* --- the thread */

static void io(struct bridge *b, struct redis_conn *c, short revents)
{
	enum redis_step before = c->step;

	if (before == REDIS_CLOSED)
		return;
	if (redis_conn_io(c, &b->url, revents) < 0)
		bridge_fail(b, c->why);
	else if (before != REDIS_OPEN && c->step == REDIS_OPEN && bridge_greet(b, c) < 0)
		bridge_fail(b, "out of memory");
}

static void take_replies(struct bridge *b, struct redis_conn *c,
			 void (*take)(struct bridge *b, const redisReply *reply))
{
	redisReply *reply = NULL;
	int r = 0;

	while ((c == &b->pub || bridge_may_hear(b)) && (r = redis_conn_reply(c, &reply)) > 0) {
		take(b, reply);
		freeReplyObject(reply);
	}
	if (r < 0)
		bridge_fail(b, c->why);
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
		bridge_begin(b, now_ms);
	else if (!b->up && b->pub.step != REDIS_CLOSED && now_ms - b->began_ms > HELLO_MS)
		bridge_fail(b, "the connection takes too long");
	else if (b->up && (now_ms - b->pub.heard_ms > SILENT_MS ||
			   (now_ms - b->sub.heard_ms > SILENT_MS && bridge_may_hear(b))))
		bridge_fail(b, "Redis does not answer");
	else if (open && (redis_put(&b->pub.out, b->url.nhosts > 1 ? role : ping, 1) < 0 ||
			  redis_put(&b->sub.out, ping, 1) < 0))
		bridge_fail(b, "out of memory");
	else if (open && b->set->shared && !b->asked &&
		 now_ms >= b->asked_ms + b->set->lease_ms / 4 && bridge_put_lease(b, now_ms) < 0)
		bridge_fail(b, "out of memory");
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
	bridge_tell_all(b);
	io(b, &b->pub, 0);
	io(b, &b->sub, 0);
	fds[1].fd = b->pub.fd;
	fds[1].events = redis_conn_events(&b->pub);
	fds[2].fd = b->sub.fd;
	fds[2].events = redis_conn_events(&b->sub);
	if (!bridge_may_hear(b))
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
	bridge_put_release(b);
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

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)BRIDGE_LEASE_KEY,
			   sizeof(BRIDGE_LEASE_KEY) - 1, b->set->secret, b->set->secret_len);
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
	bridge_wake(b);
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
