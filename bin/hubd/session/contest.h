/* Connections with one client's token that end each other: each that comes takes the other's place,
 * and libraries that connect again by themselves come back after any close code. So after some
 * turns the one that is there stays, and who comes is told to wait, longer each time. One whose
 * earlier connection is merely not known to be dead yet gets in as soon as it is. Pure. */
#ifndef HUBD_CONTEST_H
#define HUBD_CONTEST_H

#include <stdbool.h>
#include <stdint.h>

#define CONTEST_TURNS 4	  /* in a row, that take the place of the one before */
#define CONTEST_ROW_S 30  /* seconds between two that count as a row */
#define CONTEST_WAIT_S 60 /* the longest wait that is asked for */
#define CONTESTS 8	  /* clients of a session; of more, the oldest is forgotten */

/* Zeroed at the start. */
struct contests {
	struct contest {
		uint64_t client;
		uint32_t at_s; /* when it came last */
		uint8_t turns; /* 0: nobody's */
		uint8_t waits; /* how often it was told to wait since */
	} of[CONTESTS];
};

/* The client comes while it is there on an older connection; now_s is monotonic. Returns 0 where it
 * takes that one's place, else after how many seconds it may ask again. */
uint32_t contest_come(struct contests *all, uint64_t client, uint32_t now_s);

#endif
