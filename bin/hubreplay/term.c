/* The terminal of play: one line of progress on stderr, and keys from stdin where that is the
 * terminal too. Its mode is put back whenever the program ends or stops. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "play.h"

#define REDRAW_MS 250
#define RATE_NS 1000000000u /* over which the rate is, so that it does not flicker */
#define SEEK_US 5000000

void term_raw(struct play *p, bool raw)
{
	struct termios mode = p->term.saved;

	if (!p->term.keys || p->term.raw == raw)
		return;
	p->term.raw = raw;
	if (raw) {
		mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		mode.c_cc[VMIN] = 1;
		mode.c_cc[VTIME] = 0;
	}
	/* In the background there is nothing to set. */
	if (tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
}

void term_clear(struct play *p)
{
	if (p->term.drawn && write(STDERR_FILENO, "\r\033[K", 4) < 0)
		return;
	p->term.drawn = false;
}

static int put_time(char *out, size_t cap, uint64_t us)
{
	unsigned long long s = us / 1000000, tenth = us / 100000 % 10;

	return snprintf(out, cap, "%llu:%02llu.%llu", s / 60, s % 60, tenth);
}

static void on_redraw(uv_timer_t *timer)
{
	struct play *p = timer->data;
	uint64_t now = clock_mono_ns(), passed = now - p->term.rated_ns;
	uint64_t behind = player_behind_ns(p);
	char line[200], at[32], total[32] = "";

	put_time(at, sizeof(at), player_position_us(p));
	if (p->term.total_us) {
		total[0] = '/';
		put_time(total + 1, sizeof(total) - 1, p->term.total_us);
	}
	if (passed >= RATE_NS) {
		p->term.rate = (double)(p->sent - p->term.rated_sent) * 1e9 / (double)passed;
		p->term.rated_sent = p->sent;
		p->term.rated_ns = now;
	}
	snprintf(line, sizeof(line), "\r\033[K%s%s  %llu messages, %.0f/s%s ", at, total,
		 (unsigned long long)p->sent, p->term.rate, p->paused ? ", paused" : "");
	if (behind > 1000000)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%.1f ms behind ",
			 (double)behind / 1e6);
	p->term.drawn = write(STDERR_FILENO, line, strlen(line)) > 0;
}

static void on_keys(uv_poll_t *poll, int status, int events)
{
	struct play *p = poll->data;
	char text[64];
	ssize_t n = status < 0 ? 0 : read(STDIN_FILENO, text, sizeof(text));

	(void)events;
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			uv_poll_stop(poll);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (text[i] == ' ') {
			player_pause(p, !p->paused);
		} else if (text[i] == 'q') {
			play_end(p, 1);
		} else if (text[i] == '\033' && i + 2 < n &&
			   (text[i + 1] == '[' || text[i + 1] == 'O')) {
			i += 2;
			if (text[i] == 'C')
				player_seek(p, SEEK_US);
			else if (text[i] == 'D')
				player_seek(p, -SEEK_US);
		}
	}
}

/* Only where a person watches, and for what is not read from the terminal itself. */
void term_start(struct play *p)
{
	bool input = true;

	if (!isatty(STDERR_FILENO))
		return;
	p->term.rated_ns = clock_mono_ns();
	uv_timer_start(&p->redraw, on_redraw, REDRAW_MS, REDRAW_MS);
	for (int i = 0; i < p->reel.n; i++)
		input = input && strcmp(p->reel.paths[i], "-") != 0;
	p->term.total_us = input ? reel_length(&p->reel) : 0;
	if (!input || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &p->term.saved) < 0 ||
	    uv_poll_init(&p->loop, &p->term.poll, STDIN_FILENO) < 0)
		return;
	p->term.keys = true;
	p->term.poll.data = p;
	uv_poll_start(&p->term.poll, UV_READABLE, on_keys);
	uv_unref((uv_handle_t *)&p->term.poll);
	term_raw(p, true);
}

void term_stop(struct play *p)
{
	term_clear(p);
	term_raw(p, false);
	if (p->term.keys)
		uv_close((uv_handle_t *)&p->term.poll, NULL);
	p->term.keys = false;
}
