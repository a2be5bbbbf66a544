/* A program on libhub for tests: libhub [-r] [-o NAME=VALUE]... URL SESSION...
 *
 * Says each event on stdout, one line each, and does what lines on stdin say: one that begins with
 * { is published, its tag the number of the line; others are commands (see obey()). -r: in
 * hub_run(), while a second thread reads stdin; else in a loop of its own. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hub/hub.h"

static struct program {
	struct hub *h;
	struct hub_events events;
	struct hub_options options;
	struct hub_place place;
	uint64_t lines;
	unsigned slow_ms; /* for the next message */
	bool full;	  /* waits for writable */
	bool freed, free_within;
	bool ended; /* stdin has */
	char kept[1 << 17];
	size_t kept_len;
	/* With -r: what the thread has read, for the woken event. */
	pthread_mutex_t lock;
	char *read;
	size_t read_len;
	bool read_end;
} program = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void pause_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static void on_state(struct hub *h, const struct hub_status *s, void *arg)
{
	(void)h;
	(void)arg;
	printf("state %s %s%s%s\n", hub_state_name(s->state), hub_end_name(s->end),
	       s->reason[0] ? " " : "", s->reason);
}

static void on_joined(struct hub *h, const struct hub_joined *j, void *arg)
{
	(void)h;
	(void)arg;
	printf("joined %s %s seq=%llu snapshot=%llu%s%s%s", j->session, j->epoch,
	       (unsigned long long)j->seq, (unsigned long long)j->snapshot,
	       j->again ? " again" : "", j->recovered ? " recovered " : " ", j->reason);
	if (j->run[0])
		printf(" run=%s", j->run);
	if (j->rest)
		printf(" left=%llu", (unsigned long long)j->left);
	printf("\n");
}

static void on_message(struct hub *h, const struct hub_message *m, void *arg)
{
	struct program *p = arg;

	if (p->slow_ms)
		pause_ms(p->slow_ms);
	p->slow_ms = 0;
	if (m->kind == HUB_KIND_RECORD)
		printf("%s %s %llu %.*s %.*s\n", m->state ? "state-record" : "record", m->session,
		       (unsigned long long)m->seq, (int)m->from_len, m->from, (int)m->len, m->text);
	else if (m->kind == HUB_KIND_DIRECT)
		printf("direct %.*s %.*s\n", (int)m->from_len, m->from, (int)m->len, m->text);
	else
		printf("hub %s %s\n", m->type, m->code);
	if (p->free_within && m->kind == HUB_KIND_RECORD) {
		p->freed = true;
		hub_free(h);
	}
}

static void on_acked(struct hub *h, uint64_t tag, uint64_t seq, void *arg)
{
	(void)h;
	(void)arg;
	printf("acked %llu %llu\n", (unsigned long long)tag, (unsigned long long)seq);
}

static void on_refused(struct hub *h, const struct hub_refusal *r, void *arg)
{
	(void)h;
	(void)arg;
	printf("refused %llu %s%s\n", (unsigned long long)r->tag, r->code,
	       r->passes ? " passes" : "");
}

static void on_drained(struct hub *h, void *arg)
{
	(void)arg;
	printf("drained %zu\n", hub_unacked(h));
}

/* --- what stdin says */

/* Does nothing until the hub's answer to a ping has come, and then until its time is over: as who
 * is busy with something else. Nothing else may be under way. */
static void nap(struct program *p)
{
	struct pollfd fd = {.fd = hub_fd(p->h), .events = POLLIN};

	while (poll(&fd, 1, hub_timeout(p->h)) <= 0)
		hub_turn(p->h, 0);
	pause_ms(p->options.pong_ms + p->options.pong_ms / 8);
	printf("napped\n");
}

static void number(const char *line, const char *name, unsigned *out)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) == 0)
		*out = (unsigned)strtoul(line + len, NULL, 10);
}

static void obey(struct program *p, const char *line, size_t len)
{
	int r = 0;

	p->lines++;
	number(line, "slow ", &p->slow_ms);
	if (*line == '{')
		r = hub_publish(p->h, line, len, p->lines);
	else if (strcmp(line, "drain") == 0)
		hub_drain(p->h);
	else if (strcmp(line, "pause") == 0)
		hub_pause(p->h);
	else if (strcmp(line, "resume") == 0)
		hub_resume(p->h);
	else if (strcmp(line, "stop") == 0)
		hub_stop(p->h);
	else if (strcmp(line, "free") == 0)
		p->free_within = true;
	else if (strncmp(line, "join ", 5) == 0)
		r = hub_join(p->h, line + 5, &p->place);
	else if (strcmp(line, "nap") == 0)
		nap(p);
	else if (strncmp(line, "slow ", 5) != 0)
		r = -EINVAL;
	if (r < 0)
		printf("error %llu %s\n", (unsigned long long)p->lines, strerror(-r));
	p->full = r == -EAGAIN;
}

/* Obeys the whole lines that are kept, while there is room. */
static void obey_all(struct program *p)
{
	char *start = p->kept, *end = p->kept + p->kept_len, *feed;

	while (!p->full && !p->freed && (feed = memchr(start, '\n', (size_t)(end - start)))) {
		*feed = '\0';
		obey(p, start, (size_t)(feed - start));
		if (p->full) {
			/* The same again, when there is room. */
			p->lines--;
			*feed = '\n';
			break;
		}
		start = feed + 1;
	}
	p->kept_len = (size_t)(end - start);
	memmove(p->kept, start, p->kept_len);
}

static void on_writable(struct hub *h, void *arg)
{
	struct program *p = arg;

	(void)h;
	p->full = false;
	obey_all(p);
}

/* --- a loop of its own */

static void loop(struct program *p)
{
	int r = 1;

	while (r != 0 && !p->freed) {
		bool wants = !p->ended && !p->full && p->kept_len < sizeof(p->kept);
		struct pollfd fds[] = {{.fd = hub_fd(p->h), .events = POLLIN},
				       {.fd = wants ? 0 : -1, .events = POLLIN}};
		ssize_t n;

		fflush(stdout);
		if (poll(fds, 2, hub_timeout(p->h)) < 0 && errno != EINTR)
			exit(70);
		if (fds[1].revents) {
			n = read(0, p->kept + p->kept_len, sizeof(p->kept) - p->kept_len);
			p->ended = n <= 0;
			p->kept_len += n > 0 ? (size_t)n : 0;
			obey_all(p);
		}
		r = hub_turn(p->h, 0);
	}
}

/* --- hub_run() and a thread */

static void on_woken(struct hub *h, void *arg)
{
	struct program *p = arg;
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->read_len < sizeof(p->kept) - p->kept_len ? p->read_len
							: sizeof(p->kept) - p->kept_len;
	if (n) {
		memcpy(p->kept + p->kept_len, p->read, n);
		memmove(p->read, p->read + n, p->read_len - n);
	}
	p->kept_len += n;
	p->read_len -= n;
	if (p->read_len)
		hub_wake(h);
	pthread_mutex_unlock(&p->lock);
	obey_all(p);
}

static void *reader(void *arg)
{
	struct program *p = arg;
	char piece[4096];
	ssize_t n;

	while ((n = read(0, piece, sizeof(piece))) > 0) {
		pthread_mutex_lock(&p->lock);
		p->read = realloc(p->read, p->read_len + (size_t)n);
		if (!p->read)
			exit(70);
		memcpy(p->read + p->read_len, piece, (size_t)n);
		p->read_len += (size_t)n;
		pthread_mutex_unlock(&p->lock);
		hub_wake(p->h);
	}
	return NULL;
}

static void run(struct program *p)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, reader, p) != 0)
		exit(70);
	printf("end %s\n", hub_end_name((enum hub_end)hub_run(p->h)));
	fflush(stdout);
	/* It may wait in read() for ever. */
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	free(p->read);
}

/* --- options */

static void set(struct program *p, char *text)
{
	char *value = strchr(text, '=');
	struct hub_options *o = &p->options;
	unsigned n;

	if (!value)
		exit(64);
	*value++ = '\0';
	n = (unsigned)strtoul(value, NULL, 10);
	if (strcmp(text, "token_file") == 0)
		o->token_file = value;
	else if (strcmp(text, "cert") == 0)
		o->cert = value;
	else if (strcmp(text, "proxy") == 0)
		o->proxy = value;
	else if (strcmp(text, "insecure") == 0)
		o->insecure = n;
	else if (strcmp(text, "no_reconnect") == 0)
		o->no_reconnect = n;
	else if (strcmp(text, "first_ms") == 0)
		o->first_ms = n;
	else if (strcmp(text, "longest_ms") == 0)
		o->longest_ms = n;
	else if (strcmp(text, "attempts") == 0)
		o->attempts = n;
	else if (strcmp(text, "ping_ms") == 0)
		o->ping_ms = n;
	else if (strcmp(text, "pong_ms") == 0)
		o->pong_ms = n;
	else if (strcmp(text, "queue") == 0)
		o->queue = n;
	else if (strcmp(text, "once") == 0)
		o->once = n;
	else if (strcmp(text, "since") == 0)
		p->place.since = n, p->place.from = HUB_FROM_SINCE;
	else if (strcmp(text, "state") == 0)
		p->place.from = HUB_FROM_STATE;
	else if (strcmp(text, "epoch") == 0)
		p->place.epoch = value;
	else if (strcmp(text, "rest") == 0)
		p->place.rest = n;
	else if (strcmp(text, "run") == 0)
		p->place.run = value;
	else if (strcmp(text, "fields") == 0)
		p->place.fields = value;
	else if (strcmp(text, "no_echo") == 0)
		p->place.no_echo = n;
	else
		exit(64);
}

int main(int argc, char **argv)
{
	struct program *p = &program;
	char why[HUB_ERROR_MAX];
	bool own = true;
	int c, r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	HUB_INIT(&p->events);
	HUB_INIT(&p->options);
	HUB_INIT(&p->place);
	while ((c = getopt(argc, argv, "ro:")) != -1) {
		if (c == 'o')
			set(p, optarg);
		else if (c == 'r')
			own = false;
		else
			return 64;
	}
	if (argc - optind < 1)
		return 64;
	p->options.url = argv[optind++];
	p->events.state = on_state;
	p->events.joined = on_joined;
	p->events.message = on_message;
	p->events.acked = on_acked;
	p->events.refused = on_refused;
	p->events.drained = on_drained;
	p->events.writable = on_writable;
	p->events.woken = on_woken;
	r = hub_new(&p->h, &p->options, &p->events, p, why);
	if (r < 0) {
		printf("new %s: %s\n", strerror(-r), why);
		return 78;
	}
	for (; optind < argc; optind++) {
		r = hub_join(p->h, argv[optind], &p->place);
		if (r < 0)
			printf("join %s: %s\n", argv[optind], strerror(-r));
	}
	hub_start(p->h);
	if (own)
		loop(p);
	else
		run(p);
	if (!p->freed)
		hub_free(p->h);
	return 0;
}
