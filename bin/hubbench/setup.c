/* Makes a run: its messages, sessions, publishers and threads. */
#include "setup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "dialect.h"
#include "json/json.h"
#include "loop.h"
#include "need.h"
#include "play.h"
#include "preflight.h"

#define BYTES_DEFAULT 100

void run_error(struct run *r, const char *fmt, ...)
{
	va_list args;

	pthread_mutex_lock(&r->error_mutex);
	if (!r->first_error[0]) {
		va_start(args, fmt);
		vsnprintf(r->first_error, sizeof(r->first_error), fmt, args);
		va_end(args);
	}
	pthread_mutex_unlock(&r->error_mutex);
}

/* Runs have different names, so that one is not taken for another. */
static void make_name(struct run *r)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t random = clock_mono_ns();

	if (getrandom(&random, sizeof(random), 0) < 0)
		random ^= clock_wall_ms();
	memcpy(r->name, "hb", 3);
	for (int i = 2; i < MARK_RUN_LEN; i++, random /= 36)
		r->name[i] = digits[random % 36];
	memcpy(&r->run, r->name, sizeof(r->run));
}

static void make_request(struct run *r)
{
	const struct url *url = &r->plan->url;
	struct buf out = {0};
	int n =
	    buf_printf(&out,
		       "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUpgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Key: " RUN_KEY "\r\n"
		       "Sec-WebSocket-Version: 13\r\n",
		       url->path, url->ipv6 ? "[" : "", url->host, url->ipv6 ? "]" : "", url->port);

	if (r->o->subprotocol)
		n |= buf_printf(&out, "Sec-WebSocket-Protocol: %s\r\n", r->o->subprotocol);
	for (size_t i = 0; i < r->o->headers.n; i++)
		n |= buf_printf(&out, "%s\r\n", r->o->headers.item[i]);
	if (n < 0 || buf_put(&out, "\r\n", 3) < 0)
		err_die(EX_OSERR, "out of memory");
	r->request = out.data;
}

/* --answer TEXT=TEXT. */
static void make_answer(struct run *r)
{
	char *text = r->o->answer ? message_unescape(r->o->answer) : NULL;
	char *equals = text ? strchr(text, '=') : NULL;

	if (text && !equals)
		err_die(EX_USAGE, "--answer: a message, =, and what to answer");
	if (equals) {
		*equals = '\0';
		r->answer = need(strdup(equals + 1));
	}
	r->answer_to = text;
	r->join = r->o->join ? message_unescape(r->o->join) : NULL;
}

static void compile(struct run *r, struct message_template *t, const char *text, size_t bytes)
{
	char why[200];
	int e = message_compile(t, text, bytes, r->name, why, sizeof(why));

	if (e < 0)
		err_die(EX_USAGE, "%s%s", e == -EMSGSIZE ? "-b: " : "", why);
	if (t->len > MESSAGE_MAX)
		err_die(EX_USAGE, "a message is over %u bytes", MESSAGE_MAX);
	if (t->len > r->message_max)
		r->message_max = t->len;
}

static void make_messages(struct run *r)
{
	const struct play *play = r->plan->play;
	char *text = play ? NULL : r->dialect->message(r);
	size_t least = text ? message_least(text) : 0, bytes = r->plan->bytes;

	r->nmessages = play ? play->n : 1;
	r->messages = need(calloc(r->nmessages, sizeof(*r->messages)));
	if (!play)
		compile(r, r->messages, text,
			bytes			? bytes
			: least < BYTES_DEFAULT ? BYTES_DEFAULT
						: least);
	for (size_t i = 0; play && i < play->n; i++)
		compile(r, &r->messages[i], play->text[i], 0);
	free(text);
}

static void make_timetable(struct run *r)
{
	const struct plan *p = r->plan;

	r->timetable = (struct timetable){
	    .kind = p->o->poisson ? SCHEDULE_POISSON : SCHEDULE_FIXED,
	    .rate = p->rate,
	    .publishers = p->publishers,
	    .seed = p->seed,
	};
	if (p->play) {
		r->timetable.kind = SCHEDULE_PLAY;
		r->timetable.play_ns = p->play->ns;
		r->timetable.nplay = p->play->n;
		r->timetable.turn_ns = p->play->turn_ns;
	}
}

static void make_publishers(struct run *r)
{
	uint32_t n = r->npublishers;

	r->session = need(calloc(r->sessions, sizeof(*r->session)));
	r->publisher = need(calloc(n ? n : 1, sizeof(*r->publisher)));
	for (uint32_t i = 0; i < n; i++) {
		struct publisher *p = &r->publisher[i];

		p->index = i;
		p->session = i % r->sessions;
		p->schedule.due = SCHEDULE_NEVER;
		r->session[p->session].publishers++;
		if (!r->acks)
			continue;
		p->due_ns = need(calloc(WINDOW, sizeof(*p->due_ns)));
		p->sent_ns = need(calloc(WINDOW, sizeof(*p->sent_ns)));
	}
}

int setup_run(struct run *r, const struct plan *p)
{
	char why[300];
	int status;

	memset(r, 0, sizeof(*r));
	r->plan = p;
	r->o = p->o;
	r->dialect = p->dialect;
	r->clients = p->clients;
	r->sessions = p->sessions;
	r->npublishers = p->publishers;
	r->threads = p->threads;
	r->closed = p->closed;
	r->acks = p->acks;
	r->window = WINDOW_SESSION / (p->publishers / p->sessions + 1);
	if (r->window > WINDOW)
		r->window = WINDOW;
	if (r->window < 1)
		r->window = 1;
	r->coalesce_ns = (uint64_t)(p->o->coalesce * 1e9);
	r->echo = !p->o->no_echo;
	r->answered = p->scenario->echo;
	r->spread = p->clients > p->sessions && p->publishers;
	pthread_mutex_init(&r->error_mutex, NULL);
	status = net_resolve(&r->target, &p->url, p->o->insecure, why, sizeof(why));
	/* In the closed model nothing is due, and a window is to go out at once. */
	r->target.shallow = !r->closed;
	if (status == 0)
		status = preflight(r, why, sizeof(why));
	if (status != 0) {
		err_log(ERR_ERROR, "%s", why);
		return status;
	}
	if (r->dialect->npaths)
		r->paths = need(json_paths_new(r->dialect->paths, r->dialect->npaths));
	make_name(r);
	make_request(r);
	make_answer(r);
	make_messages(r);
	make_timetable(r);
	make_publishers(r);
	r->begin_ns = clock_mono_ns();
	r->loop = need(calloc(r->threads, sizeof(*r->loop)));
	for (uint32_t i = 0; i < r->threads; i++) {
		int e = loop_init(&r->loop[i], r, i);

		if (e < 0)
			err_die(EX_OSERR, "start: %s", strerror(-e));
	}
	return 0;
}

void setup_free(struct run *r)
{
	for (uint32_t i = 0; r->loop && i < r->threads; i++)
		loop_free(&r->loop[i]);
	for (uint32_t i = 0; r->publisher && i < r->npublishers; i++) {
		free(r->publisher[i].due_ns);
		free(r->publisher[i].sent_ns);
	}
	for (size_t i = 0; i < r->nmessages; i++)
		message_free(&r->messages[i]);
	json_paths_free(r->paths);
	net_release(&r->target);
	pthread_mutex_destroy(&r->error_mutex);
	free(r->loop);
	free(r->publisher);
	free(r->session);
	free(r->messages);
	free(r->request);
	free(r->join);
	free(r->answer_to);
	free(r->answer);
}
