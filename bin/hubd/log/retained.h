/* Records with an ack that left the log before every member had them: a member that is brought up
 * to date by the state gets those all the same. In order of seq. */
#ifndef HUBD_RETAINED_H
#define HUBD_RETAINED_H

#include <stddef.h>
#include <stdint.h>

#include "log/log.h"

struct retained_record {
	struct retained_record *next;
	uint64_t seq;
	struct slot tags;
	size_t len;
	unsigned char frame[];
};

/* Zeroed at the start. */
struct retained {
	struct retained_record *first, *last;
	uint64_t lost; /* the last one that there was no memory for; 0: none */
};

/* The log's oldest chunk is about to go: takes its records with an ack, from seq low on. */
void retained_take(struct retained *r, const struct log *log, uint64_t low);

/* Gives up those before seq. */
void retained_drop(struct retained *r, struct log_memory *memory, uint64_t seq);

/* Gives all up, for memory: who would need them is out of luck. There is at least one. */
void retained_lose(struct retained *r, struct log_memory *memory);

#endif
