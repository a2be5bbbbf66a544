/* Invariant: the lock is never held while a line is made or written. */
#include "loop/journal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/journal_line.h"

struct line {
	struct line *next;
	size_t len;
	char text[];
};

#define EACH_MS (1000 / JOURNAL_RATE)

/* How many lines of an event may come. Written to under the lock, but for left_out. */
struct share {
	_Atomic uint64_t full_ms;  /* when a whole burst may come again */
	_Atomic uint64_t left_out; /* lines since the last one that was taken */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	struct line *first, **last;
	size_t bytes;
	uint64_t lost; /* lines that did not fit */
	struct share share[JOURNAL_KINDS];
	_Atomic(enum err_level) level;
	bool json, systemd; /* systemd: knows the time by itself, and levels by number */
	bool running, stop, idle;
	pthread_t thread;
} journal = {.lock = PTHREAD_MUTEX_INITIALIZER,
	     .wake = PTHREAD_COND_INITIALIZER,
	     .done = PTHREAD_COND_INITIALIZER,
	     .last = &journal.first,
	     .level = ERR_INFO};

/* Whether standard error is the journal of systemd (systemd.exec(5)). */
static bool is_systemd(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Takes a text of one line, with its line feed; where there is no room, counts it. */
static void put(const char *text, size_t len)
{
	struct line *l = malloc(sizeof(*l) + len);

	if (l) {
		l->next = NULL;
		l->len = len;
		memcpy(l->text, text, len);
	}
	pthread_mutex_lock(&journal.lock);
	if (l && journal.bytes + sizeof(*l) + len <= JOURNAL_BYTES) {
		journal.bytes += sizeof(*l) + len;
		*journal.last = l;
		journal.last = &l->next;
		l = NULL;
		pthread_cond_signal(&journal.wake);
	} else {
		journal.lost++;
	}
	pthread_mutex_unlock(&journal.lock);
	free(l);
}

static bool is_used_up(uint64_t full_ms, uint64_t now_ms)
{
	return full_ms + EACH_MS > now_ms + JOURNAL_BURST * EACH_MS;
}

/* Takes one line of the event's share. False where it is used up; else *left_out: those since the
 * last one that was taken. */
static bool take_share(enum journal_event event, uint64_t *left_out)
{
	struct share *s = &journal.share[event];
	uint64_t now = clock_mono_ms(), full;
	bool taken;

	pthread_mutex_lock(&journal.lock);
	full = atomic_load_explicit(&s->full_ms, memory_order_relaxed);
	if (full < now)
		full = now;
	taken = !is_used_up(full, now);
	if (taken) {
		atomic_store_explicit(&s->full_ms, full + EACH_MS, memory_order_relaxed);
		*left_out = atomic_exchange_explicit(&s->left_out, 0, memory_order_relaxed);
	} else {
		atomic_fetch_add_explicit(&s->left_out, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&journal.lock);
	return taken;
}

/* Whether lines of the level are wanted at all. */
static bool is_wanted(enum err_level level)
{
	return level <= journal.level;
}

bool journal_takes(enum err_level level, enum journal_event event)
{
	struct share *s = &journal.share[event];

	if (!is_wanted(level))
		return false;
	if (!is_used_up(atomic_load_explicit(&s->full_ms, memory_order_relaxed), clock_mono_ms()))
		return true;
	atomic_fetch_add_explicit(&s->left_out, 1, memory_order_relaxed);
	return false;
}

static void say(enum err_level level, enum journal_event event, const struct journal_who *who,
		const char *message)
{
	static const struct journal_who nobody = {0};
	char text[JOURNAL_LINE];

	put(text, journal_line(text, journal.json, journal.systemd, clock_wall_ms(), level, event,
			       who ? who : &nobody, message));
}

/* Of lines that were left out: how many. */
static void say_left_out(enum journal_event event, uint64_t n)
{
	char message[80];

	snprintf(message, sizeof(message), "%ju lines of this kind were left out", (uintmax_t)n);
	say(ERR_WARN, event, NULL, message);
}

void journal_level(enum err_level level)
{
	journal.level = level;
}

void journal_say(enum err_level level, enum journal_event event, const struct journal_who *who,
		 const char *fmt, ...)
{
	char message[JOURNAL_LINE];
	uint64_t left_out = 0;
	va_list ap;

	if (!journal.running || !is_wanted(level) || !take_share(event, &left_out))
		return;
	if (left_out)
		say_left_out(event, left_out);
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	say(level, event, who, message);
}

/* What err_log() says. */
static void from_err(enum err_level level, const char *message)
{
	journal_say(level, JOURNAL_hub, NULL, "%s", message);
}

/* --- the thread */

static void write_line(const char *text, size_t len)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t n;

	do
		n = write(STDERR_FILENO, text, len);
	while (n < 0 && (errno == EINTR || (errno == EAGAIN && poll(&p, 1, -1) >= 0)));
}

static void write_lost(uint64_t lost)
{
	static const struct journal_who nobody = {0};
	char text[JOURNAL_LINE], message[64];

	snprintf(message, sizeof(message), "%ju lines were lost: nobody read them",
		 (uintmax_t)lost);
	write_line(text, journal_line(text, journal.json, journal.systemd, clock_wall_ms(),
				      ERR_WARN, JOURNAL_hub, &nobody, message));
}

static void *write_thread(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&journal.lock);
	while (journal.first || !journal.stop) {
		struct line *l = journal.first;
		uint64_t lost;

		if (!l) {
			pthread_cond_wait(&journal.wake, &journal.lock);
			continue;
		}
		journal.first = l->next;
		if (!journal.first)
			journal.last = &journal.first;
		pthread_mutex_unlock(&journal.lock);
		write_line(l->text, l->len);
		pthread_mutex_lock(&journal.lock);
		journal.bytes -= sizeof(*l) + l->len;
		free(l);
		if (journal.lost && !journal.first) {
			lost = journal.lost;
			journal.lost = 0;
			pthread_mutex_unlock(&journal.lock);
			write_lost(lost);
			pthread_mutex_lock(&journal.lock);
		}
	}
	journal.idle = true;
	pthread_cond_signal(&journal.done);
	pthread_mutex_unlock(&journal.lock);
	return NULL;
}

int journal_start(bool json, enum err_level level)
{
	int r;

	journal.json = json;
	journal.level = level;
	journal.systemd = !json && is_systemd();
	journal.stop = journal.idle = false;
	r = pthread_create(&journal.thread, NULL, write_thread, NULL);
	if (r != 0)
		return -r;
	journal.running = true;
	err_via(from_err);
	return 0;
}

void journal_stop(uint32_t ms)
{
	struct timespec until;
	int r = 0;

	if (!journal.running)
		return;
	err_via(NULL);
	journal.running = false;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&journal.lock);
	journal.stop = true;
	pthread_cond_signal(&journal.wake);
	while (!journal.idle && r == 0)
		r = pthread_cond_timedwait(&journal.done, &journal.lock, &until);
	pthread_mutex_unlock(&journal.lock);
	if (r == 0)
		pthread_join(journal.thread, NULL);
	else
		pthread_detach(journal.thread); /* it ends with the process */
}
