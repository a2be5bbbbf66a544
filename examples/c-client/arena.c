/* The server of a small game: players walk on a field, it alone says where they are.
 *
 *	arena URL SESSION
 *
 * A step is {"type":"step","player":"ann","dx":1,"dy":0}, dx and dy -1, 0 or 1. Twenty times a
 *second it publishes where those are who have moved, as state:
 *{"type":"at","key":"ann","x":3,"y":0, "steps":3}. SIGTERM ends it, once the hub has all it said.
*/
#include <errno.h>
#include <hub.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIELD 64
#define PLAYERS_MAX 32
#define TICK_MS 50

struct player {
	char name[32];
	int x, y;
	unsigned steps;
	bool moved; /* since the last tick */
};

struct arena {
	struct player players[PLAYERS_MAX];
	size_t count;
	unsigned long steps, said, acked;
	bool over;
};

static struct hub *hub; /* for the signal handler */
static volatile sig_atomic_t asked_to_end;

static void on_signal(int number)
{
	(void)number;
	asked_to_end = 1;
	hub_wake(hub);
}

/* --- the game */

static struct player *player_of(struct arena *a, const char *name)
{
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->players[i].name, name) == 0)
			return &a->players[i];
	if (a->count == PLAYERS_MAX)
		return NULL;
	snprintf(a->players[a->count].name, sizeof(a->players[0].name), "%s", name);
	return &a->players[a->count++];
}

/* -1, 0 or 1; what is something else is no step. */
static int direction(const struct hub_message *m, const char *name)
{
	size_t len;
	const char *value = hub_member(m->text, m->len, name, &len);

	if (value && len == 1 && *value == '1')
		return 1;
	return value && len == 2 && memcmp(value, "-1", 2) == 0 ? -1 : 0;
}

static int within(int n)
{
	return n < 0 ? 0 : n >= FIELD ? FIELD - 1 : n;
}

static void tick(struct arena *a)
{
	for (size_t i = 0; i < a->count; i++) {
		struct player *p = &a->players[i];
		char name[6 * sizeof(p->name) + 3], text[400];
		int n;

		if (!p->moved)
			continue;
		hub_quote(p->name, strlen(p->name), name, sizeof(name));
		n = snprintf(text, sizeof(text),
			     "{\"type\":\"at\",\"key\":%s,\"x\":%d,\"y\":%d,\"steps\":%u}", name,
			     p->x, p->y, p->steps);
		/* A full queue: the next tick says where they are then. */
		if (hub_publish(hub, text, (size_t)n, 0) < 0)
			return;
		p->moved = false;
		a->said++;
	}
}

/* --- what the hub tells */

static void on_message(struct hub *h, const struct hub_message *m, void *arg)
{
	struct arena *a = arg;
	char type[16], name[32];
	const char *value;
	struct player *p;
	size_t len;

	(void)h;
	if (m->kind != HUB_KIND_RECORD)
		return;
	value = hub_member(m->text, m->len, "type", &len);
	if (!value || hub_text(value, len, type, sizeof(type)) < 0 || strcmp(type, "step") != 0)
		return;
	value = hub_member(m->text, m->len, "player", &len);
	if (!value || hub_text(value, len, name, sizeof(name)) < 0)
		return;
	p = player_of(a, name);
	if (!p)
		return;
	p->x = within(p->x + direction(m, "dx"));
	p->y = within(p->y + direction(m, "dy"));
	p->steps++;
	p->moved = true;
	a->steps++;
}

static void on_acked(struct hub *h, uint64_t tag, uint64_t seq, void *arg)
{
	(void)h;
	(void)tag;
	(void)seq;
	((struct arena *)arg)->acked++;
}

static void on_refused(struct hub *h, const struct hub_refusal *r, void *arg)
{
	(void)h;
	(void)arg;
	fprintf(stderr, "arena: %s: %s\n", r->code, r->about);
}

static void on_state(struct hub *h, const struct hub_status *s, void *arg)
{
	(void)h;
	(void)arg;
	fprintf(stderr, "arena: %s%s%s\n", hub_state_name(s->state), s->reason[0] ? ": " : "",
		s->reason);
}

static void on_woken(struct hub *h, void *arg)
{
	if (!asked_to_end)
		return;
	tick(arg);
	hub_drain(h);
}

static void on_drained(struct hub *h, void *arg)
{
	((struct arena *)arg)->over = true;
	hub_stop(h);
}

/* --- a loop of its own */

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void loop(struct arena *a)
{
	long next = now_ms() + TICK_MS;

	do {
		struct pollfd fd = {.fd = hub_fd(hub), .events = POLLIN};
		int wait = hub_timeout(hub), left = (int)(next - now_ms());

		if (wait < 0 || wait > left)
			wait = left > 0 ? left : 0;
		if (poll(&fd, 1, wait) < 0 && errno != EINTR)
			break;
		if (now_ms() >= next) {
			tick(a);
			next = now_ms() + TICK_MS;
		}
	} while (hub_turn(hub, 0) != 0);
}

int main(int argc, char **argv)
{
	struct sigaction on_term = {.sa_handler = on_signal};
	struct arena arena = {.count = 0};
	struct hub_options options;
	struct hub_events events;
	char why[HUB_ERROR_MAX];
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: arena URL SESSION\n");
		return 64;
	}
	HUB_INIT(&options);
	options.url = argv[1];
	options.longest_ms = 2000;
	HUB_INIT(&events);
	events.state = on_state;
	events.message = on_message;
	events.acked = on_acked;
	events.refused = on_refused;
	events.woken = on_woken;
	events.drained = on_drained;
	r = hub_new(&hub, &options, &events, &arena, why);
	if (r == 0)
		r = hub_join(hub, argv[2], NULL);
	if (r < 0) {
		fprintf(stderr, "arena: %s\n", hub ? strerror(-r) : why);
		hub_free(hub);
		return 64;
	}
	hub_start(hub);
	sigaction(SIGTERM, &on_term, NULL);
	sigaction(SIGINT, &on_term, NULL);
	loop(&arena);
	/* No signal finds it gone. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	hub_free(hub);
	if (!arena.over)
		return 69;
	printf("%zu players have made %lu steps.%s\n", arena.count, arena.steps,
	       arena.acked == arena.said ? " The hub has all that was said." : "");
	return arena.acked != arena.said;
}
