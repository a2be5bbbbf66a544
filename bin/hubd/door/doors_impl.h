/* How connections come to the doors, and who counts those that poll; private to the room. */
#ifndef HUBD_DOORS_IMPL_H
#define HUBD_DOORS_IMPL_H

#include "conn/shares.h"
#include "door/doors.h"
#include "wire/address.h"

/* A connection that was just accepted. */
struct arrival {
	int fd;
	uint32_t born; /* its number */
	enum listen_kind kind;
	struct address peer;
	share share;	  /* where it counts for its address: door/gate.h */
	unsigned retry_s; /* its first request is refused: its address asks too often */
	bool paid;	  /* its first request was counted for that */
	bool crowded;	  /* the same: its address has as many connections as it may */
	bool local;	  /* it came to an address of the loopback */
	bool full;	  /* only where another one that does nothing makes room for it */
};

/* Takes it over, on its worker's thread. */
void doors_adopt(struct worker *w, const struct arrival *a);

/* Clients of Socket.IO that poll, of all workers. */
static inline unsigned doors_polling(const struct workers *all)
{
	unsigned n = 0;

	for (unsigned i = 0; i < all->n; i++)
		n += atomic_load_explicit(&all->at[i]->doors->polling, memory_order_relaxed);
	return n;
}

/* Turns one away before it is anybody's, and says why: REFUSED_LIMIT, _ADDRESS or _ACCEPT. */
void doors_refuse(struct worker *w, int fd, enum listen_kind kind, enum count_refusal why);

#endif
