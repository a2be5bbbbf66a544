/* The scenario crowd: a square world in which each publisher's avatar walks about, and what members
 * know of it. Some members are observers, whose messages are read; of the others only the bytes are
 * counted, so that the generator is not the limit.
 *
 * Where an avatar is, is written by its publisher's thread and read by those of observers; of an
 * observer only its own thread knows. */
#ifndef HUBBENCH_CROWD_H
#define HUBBENCH_CROWD_H

#include "load/load.h"
#include "speak/avatar.h"

struct crowd_avatar {
	_Atomic uint32_t x, z; /* hundredths */
	uint64_t moves;	       /* the number of the next one that was not walked yet */
	double at_x, at_z, yaw, pace;
	uint64_t random;
};

/* Which record of a publisher a patch may be of, and a list of a table by these numbers. */
struct crowd_base {
	uint64_t seq;  /* 0: none */
	uint32_t next; /* of the same list: the publisher + 1; 0: it is the last one */
	uint32_t list; /* the first one of the list with this place in the table; the same */
};

/* What a run's crowd has in common. */
struct crowd {
	struct crowd_avatar *avatar; /* of each publisher */
	double side;		     /* of the world */
	double step_s;		     /* between an avatar's moves */
	uint32_t observers;	     /* the first of the clients */
	char *head, *tail;	     /* what the dialect has around a move */
	size_t head_len, tail_len;
	uint64_t bases; /* of each observer: a power of two; 0: no patches */
};

/* NULL: no memory. text is the dialect's message around "{mark}". */
struct crowd *crowd_new(const struct run *r, const char *text);
void crowd_free(struct crowd *w);

/* Writes the move of that number; returns its length. It is walked where it has not been. */
size_t crowd_write(const struct run *r, char *out, uint32_t publisher, uint64_t number);

/* Whether a member only counts, now that it has joined. */
bool crowd_counts_only(const struct run *r, const struct member *m);

/* Where the area of a member is to be: around its avatar, or where it has none, around one of
 * those that there are. r 0: it sees all. */
struct dialect_area crowd_area(const struct run *r, struct member *m);

/* Its avatar has moved: its area follows it. */
void crowd_moved(struct loop *l, struct member *m);

/* It has become one: an observer begins to know. */
void crowd_joined(struct loop *l, struct member *m);

/* What has come to an observer. False: it is not of avatars. */
bool crowd_take(struct loop *l, struct member *m, const char *p, size_t len);

/* Looks at what one observer knows now; at l->sample_ns. */
void crowd_sample(struct loop *l);

/* Whether an observer knows all that it could. */
bool crowd_settled(const struct run *r, const struct member *m);

/* At the end, when nothing moves: what observers know wrongly. In an area that is who is in it and
 * whose last move they do not know, and who is known and further away than three times what they
 * see: a server's cells are to be no larger than that. */
void crowd_end(struct loop *l);

#endif
