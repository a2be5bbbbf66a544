/* Makes a run: what is said in it, its sessions, publishers and threads. What it takes from the
 * plan it only points to. */
#include "run/setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/token_file.h"
#include "json/json.h"
#include "load/crowd.h"
#include "load/loop.h"
#include "net/upgrade.h"
#include "plan/need.h"
#include "plan/trace.h"
#include "run/preflight.h"

#define BYTES_DEFAULT 100

/* Runs have different names, so that one is not taken for another. */
static void make_name(struct script *s)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t random = clock_mono_ns();

	if (getrandom(&random, sizeof(random), 0) < 0)
		random ^= clock_wall_ms();
	memcpy(s->name, "hb", 3);
	for (int i = 2; i < MARK_RUN_LEN; i++, random /= 36)
		s->name[i] = digits[random % 36];
	memcpy(&s->run, s->name, sizeof(s->run));
}

/* --answer TEXT=TEXT. */
static void make_answer(struct script *s, const struct options *o)
{
	char *text = o->answer ? need(template_unescape(o->answer)) : NULL;
	char *equals = text ? strchr(text, '=') : NULL;

	if (text && !equals)
		err_die(EX_USAGE, "--answer: a message, =, and what to answer");
	if (equals) {
		*equals = '\0';
		s->answer = need(strdup(equals + 1));
	}
	s->answer_to = text;
	s->join = o->join ? need(template_unescape(o->join)) : NULL;
}

/* What members of a crowd ask for. */
static char *make_select(const struct options *o)
{
	struct buf out = {0};
	int r = buf_puts(&out, "");

	if (o->tick > 0)
		r |= buf_printf(&out, ",\"tick\":%.0f", o->tick * 1000);
	if (o->batch)
		r |= buf_puts(&out, ",\"batch\":true");
	if (o->conflate)
		r |= buf_puts(&out, ",\"conflate\":true");
	if (o->compact)
		r |= buf_puts(&out, ",\"fields\":\"compact\"");
	if (o->delta)
		r |= buf_puts(&out, ",\"delta\":true");
	r |= buf_put(&out, "", 1);
	return need(r < 0 ? NULL : out.data);
}

/* All but what follows from the messages. */
static void make_script(struct run *r)
{
	struct script *s = &r->script;

	make_name(s);
	make_answer(s, r->o);
	s->sessions = r->sessions;
	s->acks = r->acks;
	s->message = r->o->message;
	if (!s->message && r->dialect == &dialect_hub)
		s->message = r->plan->scenario->message;
	if (r->plan->scenario->crowd) {
		s->message = "{mark}";
		s->select = make_select(r->o);
	}
	s->event = r->o->event;
	s->room = r->o->room;
	s->join_event = r->o->join_event;
	s->space = r->o->space;
	s->echo = !r->o->no_echo;
	if (r->dialect->npaths)
		s->paths = need(json_paths_new(r->dialect->paths, r->dialect->npaths));
}

static void compile(struct run *r, struct template *t, const char *text, size_t bytes)
{
	char why[200];
	int e = template_compile(t, text, bytes, r->script.name, why, sizeof(why));

	if (e < 0)
		err_die(e == -ENOMEM ? EX_OSERR : EX_USAGE, "%s%s", e == -EMSGSIZE ? "-b: " : "",
			why);
	if (t->len > TEMPLATE_MAX)
		err_die(EX_USAGE, "a message is over %u bytes", TEMPLATE_MAX);
	if (t->len > r->message_max)
		r->message_max = t->len;
}

/* Moves differ in length; the first one is as good as any. */
static void make_crowd(struct run *r)
{
	char *text = need(r->dialect->message(&r->script)), *move;

	r->crowd = need(crowd_new(r, text));
	free(text);
	r->message_max = r->crowd->head_len + r->crowd->tail_len + AVATAR_LEN_MAX + r->plan->bytes;
	r->messages = need(calloc(1, sizeof(*r->messages)));
	move = need(malloc(r->message_max));
	r->messages->len = crowd_write(r, move, 0, 0);
	free(move);
}

static void make_messages(struct run *r)
{
	const struct trace *trace = r->plan->trace;
	char *text = trace ? NULL : need(r->dialect->message(&r->script));
	size_t least = text ? template_least(text) : 0, bytes = r->plan->bytes;

	r->nmessages = trace ? trace->n : 1;
	r->messages = need(calloc(r->nmessages, sizeof(*r->messages)));
	if (!trace)
		compile(r, r->messages, text,
			bytes			? bytes
			: least < BYTES_DEFAULT ? BYTES_DEFAULT
						: least);
	for (size_t i = 0; trace && i < trace->n; i++)
		compile(r, &r->messages[i], trace->text[i], 0);
	free(text);
	r->script.mark_at = r->messages->mark_at;
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
	if (p->trace) {
		r->timetable.kind = SCHEDULE_PLAY;
		r->timetable.play_ns = p->trace->ns;
		r->timetable.nplay = p->trace->n;
		r->timetable.turn_ns = p->trace->turn_ns;
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

/* The upgrades, with the token where there is one. Returns 0, or an exit status after saying why.
 */
static int make_requests(struct run *r)
{
	static const char name[] = "Authorization: Bearer ";
	const char *lines[OPT_LIST_MAX + 1];
	size_t n = r->o->hub.headers.n;
	char token[sizeof(name) + TOKEN_FILE_ROOM], why[300];
	int status = 0;

	memcpy(lines, r->o->hub.headers.item, n * sizeof(*lines));
	memcpy(token, name, sizeof(name));
	if (r->o->hub.token_file) {
		status = token_file_read(r->o->hub.token_file, token + sizeof(name) - 1, why,
					 sizeof(why));
		lines[n++] = token;
	}
	if (status)
		err_log(ERR_ERROR, "%s", why);
	for (uint32_t i = 0; i < r->plan->nodes && !status; i++)
		r->request[i] = need(
		    upgrade_request(&r->plan->url[i], r->o->subprotocol, r->o->deflate, lines, n));
	return status;
}

int setup_run(struct run *r, const struct plan *p)
{
	const struct client_args *hub = &p->o->hub;
	const struct net_options net = {.insecure = hub->insecure,
					.cert = hub->cert,
					.key = hub->key,
					.proxy = hub->transport.proxy};
	char why[300];
	int status = 0;

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
	r->spread = p->clients > p->sessions && p->publishers && !p->scenario->crowd;
	r->ordered = (p->nodes > 1 || p->scenario->cluster) && p->dialect->seq;
	pthread_mutex_init(&r->error_mutex, NULL);
	for (uint32_t i = 0; i < p->nodes && status == 0; i++) {
		status = net_resolve(&r->target[i], &p->url[i], &net, why, sizeof(why));
		/* In the closed model nothing is due, and a window is to go out at once. */
		r->target[i].shallow = !r->closed;
	}
	if (status == 0)
		status = preflight(r, why, sizeof(why));
	if (status != 0) {
		err_log(ERR_ERROR, "%s", why);
		return status;
	}
	make_script(r);
	status = make_requests(r);
	if (status != 0)
		return status;
	if (p->scenario->crowd)
		make_crowd(r);
	else
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
		template_free(&r->messages[i]);
	json_paths_free(r->script.paths);
	for (uint32_t i = 0; i < OPT_LIST_MAX; i++) {
		net_release(&r->target[i]);
		free(r->request[i]);
	}
	pthread_mutex_destroy(&r->error_mutex);
	free(r->loop);
	free(r->publisher);
	free(r->session);
	free(r->messages);
	crowd_free(r->crowd);
	free((char *)(uintptr_t)r->script.select);
	free(r->script.join);
	free(r->script.answer_to);
	free(r->script.answer);
}
