/* hubreplay play: recordings to a hub, in their own time. play.c owns the whole and decides when it
 * ends; reel.c reads the files as one line of time; player.c sends; message.c makes of a recorded
 * line the message that is sent; term.c shows the progress and hears the keys. */
#ifndef HUBREPLAY_PLAY_H
#define HUBREPLAY_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>
#include <uv.h>

#include "base/buf.h"
#include "base/hist.h"
#include "base/url.h"
#include "client/client.h"
#include "json/filter.h"
#include "json/json.h"
#include "pace.h"
#include "recording/recording.h"
#include "recording/seal.h"

struct play;

/* The files, one behind the other; times are since the start of the first. */
struct reel {
	struct play *p;
	char **paths;
	int n, at; /* the file that is open */
	struct recording *file;
	uint64_t first_ms;  /* the start of the first file, ms since 1970 */
	uint64_t offset_us; /* of this file */
	uint64_t last_us;   /* the last time there was */
	uint64_t from_us, to_us;
	int status; /* of the first that did not come to its end */
	bool any;   /* there was something to play */
};

/* A connection, with the sessions that are played into over it. */
struct outlet {
	struct play *p;
	struct outlet *next;
	struct client *client;
	int n;
	bool joined, closed;
};

struct target {
	struct target *next;
	char *session;
	struct outlet *outlet;
};

struct play_options {
	const char *url, *as, *filter, *seal, *verify, *speed_text;
	const char *from, *to;
	double speed;
	int64_t loop;
	bool lockstep, fast, verbose;
};

struct play {
	struct play_options o;
	uv_loop_t loop;
	struct url url;
	char where[URL_TEXT_MAX];
	struct seal_keys *keys;
	struct filter *filter;
	struct reel reel;
	struct outlet *outlets;
	unsigned noutlets, drained;
	struct target *targets;
	struct json_paths *paths;

	/* What is sent next: of one line, all that -f makes of it. */
	struct buf line; /* without t */
	struct buf made; /* messages, a line each */
	size_t made_sent;
	struct target *to;
	uint64_t due_us; /* its time */
	bool has_line, rebase;

	/* due_us is at the instant base_ns + (due_us - base_us) / speed. */
	uint64_t base_ns, base_us;
	bool started, paused, blocked;
	uint64_t paused_ns;
	int64_t loops;

	struct pace pace;
	uv_idle_t idle;	     /* goes on in the next turn */
	uv_prepare_t left;   /* what was sent in this turn has left */
	struct hist late;    /* ns */
	uint64_t batch[512]; /* the instants of what was sent in this turn */
	size_t nbatch;
	uint64_t sent, refused;

	uv_signal_t signals[4];
	uv_timer_t end, redraw;
	struct {
		bool keys, drawn, raw;
		struct termios saved;
		uv_poll_t poll;
		uint64_t rated_sent, rated_ns, total_us;
		double rate; /* messages/s */
	} term;
	bool ending, draining;
	int status;
};

/* play.c */
void play_say(struct play *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void play_end(struct play *p, int status); /* as things are; the first status but 0 counts */
void play_sent(struct play *p);		   /* all of it: waits for the acks, then ends */

/* reel.c: opens the first file. Returns 0 or an exit status after saying why. */
int reel_open(struct reel *r);
/* The next line to be played, with *us its time; false at the end. */
bool reel_next(struct reel *r, struct recording_line *line, uint64_t *us);
/* Goes there; false where that cannot be. */
bool reel_seek(struct reel *r, uint64_t us);
uint64_t reel_length(struct reel *r); /* 0: not known */
void reel_close(struct reel *r);

/* message.c: appends to p->made, a line each, what is to be sent for a line. */
void message_make(struct play *p, const struct recording_line *line);
struct json_paths *message_paths(void);

/* player.c */
int player_init(struct play *p);
bool player_line(struct play *p);  /* has the next line ready; false at the end */
void player_start(struct play *p); /* the first session is joined */
void player_go(struct play *p);	   /* sends what is due */
void player_pause(struct play *p, bool paused);
void player_seek(struct play *p, int64_t by_us);
uint64_t player_behind_ns(const struct play *p);
uint64_t player_position_us(const struct play *p);
/* The connection for a session, joining it; NULL after saying why. */
struct target *player_target(struct play *p, const char *session, size_t len);
void player_close(struct play *p);

/* term.c */
void term_start(struct play *p);
void term_clear(struct play *p);
void term_raw(struct play *p, bool raw);
void term_stop(struct play *p);

#endif
