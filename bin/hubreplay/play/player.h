/* Sends each line of a recording when it is due. */
#ifndef HUBREPLAY_PLAYER_H
#define HUBREPLAY_PLAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/hist.h"
#include "play/losses.h"
#include "play/outlets.h"
#include "play/pace.h"
#include "play/reel.h"
#include "play/sendable.h"

struct player;

/* Run from the loop or from inside a call: nothing more is sent and all is answered (status 0), or
 * a connection has ended with that exit status. May come several times. */
typedef void player_ended(struct player *p, int status);

enum player_state {
	PLAYER_NEW,   /* its first session is not joined yet */
	PLAYER_GOING, /* sends what is due */
	PLAYER_SENT,  /* all is sent; it waits for the acks */
};

struct player {
	/* What is played and how: set by the owner, borrowed. */
	const char *as;	     /* into this session; NULL: into those that were recorded */
	double speed;	     /* times as fast as it was */
	bool timed;	     /* at its time; else as soon as it can be, */
	bool lockstep;	     /* or when what was before is acknowledged */
	int64_t loops;	     /* rounds that are left; 0 or less: for ever */
	uint64_t max_gap_us; /* between two messages; what is longer is jumped over */
	struct reel reel;
	struct sendable sendable;
	struct outlets outlets; /* but for events and arg */
	struct losses *losses;
	player_ended *ended;
	void *data;

	enum player_state state;
	bool paused, blocked, stopped; /* it goes on when none of them is so */
	bool any;		       /* there was something to play */

	/* The line that is sent next: of it, all that is made of it. */
	bool has_line;
	size_t made_sent; /* bytes */
	struct target *to;
	uint64_t due_us; /* its time; the last one's where there is none yet */

	/* due_us is at the instant base_ns + (due_us - base_us) / speed. */
	uint64_t base_ns, base_us;
	bool rebase; /* the next line sets base_us */
	uint64_t paused_ns;

	struct pace pace;
	uv_idle_t idle;	     /* goes on in the next turn */
	uv_prepare_t left;   /* what was sent in this turn has left */
	struct hist late;    /* ns */
	uint64_t batch[512]; /* the instants of what was sent in this turn */
	size_t nbatch;
	uint64_t sent; /* messages */
};

/* Returns 0 or -errno. */
int player_init(struct player *p, uv_loop_t *loop);

/* Connects for the first line, whose session it is to join; where there is none it has ended. The
 * reel is open. */
void player_begin(struct player *p);

void player_pause(struct player *p, bool paused);

/* Goes by_us forwards or, below 0, backwards. */
void player_seek(struct player *p, int64_t by_us);

/* The time that is played now, in us. */
uint64_t player_position_us(const struct player *p);

/* How late the next line is already. */
uint64_t player_behind_ns(const struct player *p);

/* Sends nothing more, and ends the connections; what is not known to have arrived is a loss. Once.
 */
void player_stop(struct player *p);

/* Gives everything back but the reel; the loop must run once more. */
void player_close(struct player *p);

#endif
