/* The town's server is a filter: what players say comes in, what becomes of it goes out.
 *
 *	hubcat -l -s SEQ town | game [GOAL] 3>results | hubcat -p --raw-protocol town
 *
 * It alone decides. Players say which way they want to go; 60 times a second the town moves on. It
 * keeps nothing: who is there, where, and with how many bananas, is the session's state, which it
 *is given first (hubcat --state). So one that was killed goes on where it was. */
#include <poll.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "line.h"
#include "town.h"

enum {
	HZ = 60,
	SPEED = 4, /* how far one goes in a tick; the town's units */
	MOST = 2000,
	BANANAS = 60,
	ROUND = 180 * HZ, /* who has most bananas at its end wins, or who has so many as the goal */
	SILENT = 90 * HZ, /* who says nothing for so long is out */
	LARGE = 8192,	  /* bytes of a state, above which it goes out less often: so that */
	TOTAL = 1 << 20	  /* states take so many bytes a tick, of all players together */
};

struct player {
	char id[12], name[65];	      /* of the client; and as he wrote it, escapes and all */
	bool here, fresh;	      /* fresh: nobody has been told of his last input */
	int number, dx, dy, score, n; /* n: his last input */
	struct place at;
	uint64_t seen; /* the tick in which he last said something, or went */
};

static struct player players[MOST]; /* by number - 1 */
static void *by_id;		    /* a tree of them, tsearch(3) */
static struct place bananas[BANANAS];
static uint64_t now = 1; /* ticks */
static int here, n_bananas, errors, round_no = 1, left = ROUND, goal = 10, fresh;

/* Strangers do not make us speak for ever: so many a second. */
static void refuse(struct text whom, const char *code, const char *message)
{
	if (errors++ < HZ)
		printf("{\"type\":\"error\",\"to\":\"%.*s\",\"data\":{\"code\":\"%s\","
		       "\"message\":\"%s\"}}\n",
		       whom.len, whom.p, code, message);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct player *)a)->id, ((const struct player *)b)->id);
}

static struct player *find(struct text id)
{
	struct player wanted, **found;

	snprintf(wanted.id, sizeof(wanted.id), "%.*s", id.len, id.p);
	found = id.len < (int)sizeof(wanted.id) ? tfind(&wanted, &by_id, compare) : NULL;
	return found ? *found : NULL;
}

/* As that number, or in the place of who has been away for longest, if anybody is; else NULL. */
static struct player *add(struct text id, int number)
{
	struct player *p = number ? &players[number - 1] : NULL;

	for (struct player *q = players; !number && q < players + MOST; q++)
		if (!q->here && (!p || q->seen < p->seen))
			p = q;
	if (!p || id.len >= (int)sizeof(p->id))
		return NULL;
	if (p->id[0])
		tdelete(p, &by_id, compare);
	*p = (struct player){.number = (int)(p - players) + 1, .at = town_anywhere(), .seen = now};
	memcpy(p->id, id.p, (size_t)id.len);
	tsearch(p, &by_id, compare);
	return p;
}

static void comes(struct player *p, struct text name)
{
	here += !p->here;
	p->here = true;
	p->seen = now;
	snprintf(p->name, sizeof(p->name), "%.*s", name.len, name.p);
}

static void goes(struct player *p, const char *reason)
{
	here--;
	p->here = false;
	p->seen = now;
	printf("{\"type\":\"player_left\",\"player\":%d,\"name\":\"%s\",\"reason\":\"%s\"}\n",
	       p->number, p->name, reason);
}

static void join_game(const char *line, struct text from)
{
	struct text key = line_member(line, "key"), name = line_member(line, "name");
	struct player *p = find(from);

	if (key.len != from.len || memcmp(key.p, from.p, (size_t)key.len) != 0) {
		refuse(from, "bad_key", "the key must be your client id");
	} else if (name.len < 1 || name.len > 64 || name.p[-1] != '"') {
		refuse(from, "bad_name", "the name must be a string of 1 to 64 bytes");
	} else if (!p && !(p = add(from, 0))) {
		refuse(from, "town_full", "the town is full");
	} else if (!p->here || !line_is(name, p->name)) {
		comes(p, name);
		printf(
		    "{\"type\":\"player_joined\",\"key\":\"%s\",\"player\":%d,\"name\":\"%s\"}\n",
		    p->id, p->number, p->name);
	}
}

static void player_input(const char *line, struct player *p)
{
	p->dx = line_number(line_member(line, "dx"), -1, 1);
	p->dy = line_number(line_member(line, "dy"), -1, 1);
	p->n = line_number(line_member(line, "n"), 0, 99999);
	fresh += !p->fresh;
	p->fresh = true;
}

/* What an earlier server has left. */
static void restore(const char *line)
{
	const char *at = line_member(line, "players").p;
	int v[6];

	now = (uint64_t)line_number(line_member(line, "tick"), 1, INT32_MAX);
	round_no = line_number(line_member(line, "round"), 1, INT32_MAX - 1);
	left = line_number(line_member(line, "left"), 0, ROUND / HZ) * HZ;
	while ((at = line_numbers(at, v, 6))) {
		struct player *p = &players[v[0] > 0 && v[0] <= MOST ? v[0] - 1 : 0];

		p->at = (struct place){v[1], v[2]};
		p->n = v[4];
		p->score = v[5];
		p->seen = now;
	}
}

static void take(const char *line)
{
	struct text type = line_member(line, "type"), from = line_member(line, "from");
	struct text key = line_member(line, "key");
	struct player *p = find(from);

	if (line_is(type, "join_game")) {
		join_game(line, from);
	} else if (line_is(type, "state_deleted")) {
		if ((p = find(key)) && p->here)
			goes(p, "left");
	} else if (line_is(type, "player_joined")) { /* from the state */
		if ((p = add(key, line_number(line_member(line, "player"), 1, MOST))))
			comes(p, line_member(line, "name"));
	} else if (line_is(type, "game_state")) {
		restore(line);
	} else if (!p || !p->here) {
		refuse(from, "not_joined", "join_game comes first");
	} else {
		p->seen = now;
		if (line_is(type, "player_input"))
			player_input(line, p);
	}
}

static void end_round(void)
{
	struct player *best = players;
	char result[512];

	for (struct player *p = players; p < players + MOST; p++)
		best = p->score > best->score ? p : best;
	snprintf(result, sizeof(result),
		 "{\"type\":\"game_event\",\"event\":\"round_over\",\"round\":%d,\"players\":%d,"
		 "\"winner\":\"%s\",\"player\":%d,\"score\":%d}",
		 round_no++, here, best->name, best->number, best->score);
	puts(result);
	if (dprintf(3, "%s\n", result) < 0)
		perror("game: a result is not kept");
	for (struct player *p = players; p < players + MOST; p++)
		p->score = 0;
	left = ROUND;
}

static void move(struct player *p)
{
	double step = p->dx && p->dy ? SPEED * 0.7071 : SPEED;
	struct place to = {p->at.x + step * p->dx, p->at.y};

	p->at.x = town_blocked(to) ? p->at.x : to.x;
	to = (struct place){p->at.x, p->at.y + step * p->dy};
	p->at.y = town_blocked(to) ? p->at.y : to.y;
	for (int i = 0; i < n_bananas; i++) {
		if (town_near(p->at, bananas[i])) {
			bananas[i--] = bananas[--n_bananas];
			p->score++;
			printf("{\"type\":\"game_event\",\"event\":\"banana\",\"player\":%d,"
			       "\"score\":%d}\n",
			       p->number, p->score);
		}
	}
}

/* Those who are here, or of them who has said something new. Gives how many bytes that took. */
static int list(bool all)
{
	const char *comma = "";
	int bytes = printf("\"tick\":%llu,\"players\":[", (unsigned long long)now);

	for (struct player *p = players; p < players + MOST; p++) {
		if (p->here && (all || p->fresh)) {
			bytes += printf("%s%d,%d,%d,%d,%d,%d", comma, p->number, (int)p->at.x,
					(int)p->at.y, p->dx, p->n, p->score);
			comma = ",";
		}
		p->fresh = false;
	}
	fresh = 0;
	return bytes + printf("]");
}

/* A state that the pipe does not take now would be out of date before it did. */
static void tell(void)
{
	static uint64_t next;
	struct pollfd out = {1, POLLOUT, 0};
	int bytes;

	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT) || (now < next && !fresh))
		return;
	if (now < next) {
		printf("{\"type\":\"game_event\",\"event\":\"moved\",");
		list(false);
	} else {
		printf("{\"type\":\"game_state\",\"round\":%d,\"left\":%d,\"bananas\":[", round_no,
		       left / HZ);
		for (int i = 0; i < n_bananas; i++)
			printf("%s%d,%d", i ? "," : "", (int)bananas[i].x, (int)bananas[i].y);
		printf("],");
		bytes = list(true);
		next = now + 1 + (bytes > LARGE ? (uint64_t)bytes * (uint64_t)here / TOTAL : 0);
	}
	puts("}");
}

static void tick(void)
{
	bool over = here && --left <= 0;

	now++;
	errors = now % HZ ? errors : 0;
	for (struct player *p = players; p < players + MOST; p++) {
		if (p->here && now > p->seen + SILENT) {
			printf("{\"type\":\"state_deleted\",\"key\":\"%s\"}\n", p->id);
			goes(p, "silent");
		} else if (p->here) {
			move(p);
			over |= p->score >= goal;
		}
	}
	if (n_bananas < BANANAS && n_bananas < 8 + here / 4 && now % 6 == 0)
		bananas[n_bananas++] = town_anywhere();
	if (over)
		end_round();
	if (here || now % HZ == 0)
		tell();
}

int main(int argc, char **argv)
{
	static char out[1 << 18];
	int64_t next = town_clock(), step = INT64_C(1000000000) / HZ;

	goal = argc > 1 ? atoi(argv[1]) : goal;
	srand((unsigned)next);
	setvbuf(stdout, out, _IOFBF, sizeof(out));
	town_tell();
	while (!ferror(stdout)) {
		int64_t wait = next - town_clock();
		struct timespec until = {0, wait > 0 ? (long)wait : 0};
		struct pollfd from = {0, POLLIN, 0};

		if (ppoll(&from, 1, &until, NULL) > 0 && !line_read(take))
			break;
		if (wait <= 0) {
			tick();
			next = wait < -HZ * step ? town_clock() : next + step;
		}
		fflush(stdout);
	}
	return 0;
}
