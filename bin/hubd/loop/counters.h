/* The hub's counters: one list, from which the struct, the sums and every report of them come. Each
 * worker has its own and writes only that. */
#ifndef HUBD_COUNTERS_H
#define HUBD_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(name): counted since the start. */
#define COUNTERS(X)                                                                             \
	X(records)	    /* appended to logs */                                              \
	X(record_bytes)	    /* the same, in bytes */                                            \
	X(direct)	    /* messages with `to` */                                            \
	X(sent_bytes)	    /* handed to doors */                                               \
	X(errors)	    /* answered to clients */                                           \
	X(accepted)	    /* connections */                                                   \
	X(refused)	    /* connections, for there were too many */                          \
	X(slow_disconnects) /* members that were closed for not keeping up */                   \
	X(slow_resyncs)	    /* members that were given the state instead of what they missed */ \
	X(dead)		    /* connections given up after --pong or --write-timeout */

struct counters {
#define COUNTER_FIELD(name) atomic_uint_fast64_t name;
	COUNTERS(COUNTER_FIELD)
#undef COUNTER_FIELD
};

/* Adds to a counter of the calling worker's own. */
#define counter_add(counters, name, n)                                                        \
	atomic_store_explicit(&(counters)->name,                                              \
			      atomic_load_explicit(&(counters)->name, memory_order_relaxed) + \
				  (uint_fast64_t)(n),                                         \
			      memory_order_relaxed)

#endif
