/* A look every `every` seconds by a clock that does not drift; the first line is of all the time
 * since the hub started. */
#include "stats.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "figures.h"
#include "transport/http_get.h"

#define LIMIT_MS 5000 /* for each step of a look */
#define HEADER_EVERY 20

struct stats {
	const struct arguments *o;
	char path[URL_PATH_MAX + 16], where[URL_TEXT_MAX];
	struct figures before;
	uint64_t before_ms; /* of the last look that succeeded; 0: none */
	uint64_t trouble_ms;
	uint64_t rows;
	struct buf body, line;
};

/* What was written is written: nothing is to be done any more. */
static void on_signal(int number)
{
	(void)number;
	_exit(EX_OK);
}

/* /metrics, which stands beside the WebSocket. */
static void find_path(struct stats *s)
{
	const struct url *url = &s->o->hub.url;
	const char *slash = strrchr(url->path, '/');
	int front = url->scheme == URL_UNIX ? 0 : (int)(slash ? slash - url->path : 0);
	size_t query = strcspn(url->path, "?");

	if (url->scheme != URL_UNIX && query < (size_t)front)
		for (front = (int)query; front && url->path[front] != '/';)
			front--;
	snprintf(s->path, sizeof(s->path), "%.*s/metrics", front, url->path);
}

/* Returns 0, or an exit status after saying why. */
static int look(struct stats *s, struct figures *f)
{
	const struct client_args *hub = &s->o->hub;
	char why[300];
	int r = http_get(&hub->url, &hub->transport, s->path, LIMIT_MS, &s->body, why, sizeof(why));

	if (r == 200 && figures_read(f, s->body.data, s->body.len))
		return EX_OK;
	if (r < 0)
		err_log(ERR_ERROR, "%s: %s", s->where, why);
	else if (r == 200)
		err_log(ERR_ERROR, "%s: %s is not a hub's", s->where, s->path);
	else
		err_log(ERR_ERROR, "%s: %s is answered with HTTP %d", s->where, s->path, r);
	return r == -EACCES || r == 401 || r == 403 ? EX_NOPERM : EX_UNAVAILABLE;
}

static int write_row(struct stats *s, const struct figures *now, uint64_t now_ms)
{
	double seconds = s->before_ms ? (double)(now_ms - s->before_ms) / 1000
				      : (double)clock_wall_ms() / 1000 - now->started;
	int r = 0;

	if (seconds < 0.001)
		seconds = 0.001;
	s->line.len = 0;
	if (s->o->join)
		r = figures_json(&s->line, &s->before, now, seconds, clock_wall_ms());
	else if (s->rows % HEADER_EVERY == 0)
		r = buf_puts(&s->line, FIGURES_HEADER);
	if (r == 0 && !s->o->join)
		r = figures_row(&s->line, &s->before, now, seconds);
	if (r < 0)
		err_die(EX_OSERR, "out of memory");
	s->rows++;
	s->before = *now;
	s->before_ms = now_ms;
	if (fwrite(s->line.data, 1, s->line.len, stdout) == s->line.len && fflush(stdout) == 0)
		return 0;
	return -errno;
}

/* A look that failed: whether it ends here. */
static bool gives_up(struct stats *s, int *status)
{
	uint64_t now_ms = clock_mono_ms();

	if (!s->trouble_ms)
		s->trouble_ms = now_ms;
	/* A hub that was there comes back. */
	if (!s->before_ms || !s->o->reconnect)
		return true;
	if (s->o->wait < 0 || (double)(now_ms - s->trouble_ms) < s->o->wait * 1000)
		return false;
	err_log(ERR_ERROR, "gave up: nothing for %g s", s->o->wait);
	*status = EX_NO;
	return true;
}

static void sleep_until(uint64_t at_ms)
{
	struct timespec at = {.tv_sec = (time_t)(at_ms / 1000),
			      .tv_nsec = (long)(at_ms % 1000) * 1000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

static void take_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction a = {.sa_handler = on_signal};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &a, NULL);
}

int stats_run(const struct arguments *o)
{
	struct stats s = {.o = o};
	uint64_t next_ms = clock_mono_ms();
	struct figures now;
	int status = EX_OK, r = 0;

	take_signals();
	find_path(&s);
	url_format(&o->hub.url, s.where, sizeof(s.where));
	for (;;) {
		status = look(&s, &now);
		if (status != EX_OK && gives_up(&s, &status))
			break;
		if (status == EX_OK) {
			s.trouble_ms = 0;
			r = write_row(&s, &now, clock_mono_ms());
		}
		if (r < 0 || (o->count && s.rows >= (uint64_t)o->count))
			break;
		next_ms += (uint64_t)(o->every * 1000);
		sleep_until(next_ms);
	}
	buf_free(&s.body);
	buf_free(&s.line);
	if (r < 0 && r != -EPIPE) {
		err_log(ERR_ERROR, "standard output: %s", strerror(-r));
		return EX_IOERR;
	}
	return r < 0 ? EX_OK : status;
}
