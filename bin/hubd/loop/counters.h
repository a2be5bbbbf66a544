/* What the hub counts: one list, from which the struct, its sums and every report of it come. Each
 * worker has its own and writes only that. */
#ifndef HUBD_COUNTERS_H
#define HUBD_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* --- the labels of what is counted apart; a session's name is none */

/* X(ID, label): by what a connection came in, and what it is now. */
#define COUNT_DOORS(X)                                       \
	X(COUNT_UNIX, "unix")                                \
	X(COUNT_HTTP, "http") /* no WebSocket, or not yet */ \
	X(COUNT_HTTPS, "https")                              \
	X(COUNT_WS, "ws")                                    \
	X(COUNT_WSS, "wss")                                  \
	X(COUNT_SSE, "sse")	      /* over TLS too */     \
	X(COUNT_SOCKETIO, "socketio") /* the same */         \
	X(COUNT_ENDING, "ending")     /* waits for the peer to end too */

/* X(ID, label, status): why strangers were refused; status is the HTTP answer that says so, 0 where
 * none does. */
#define COUNT_REFUSALS(X)                                                               \
	X(REFUSED_LIMIT, "connection_limit", 0)                                         \
	X(REFUSED_EVICTED, "idle_evicted", 0) /* silent, at the limit: for a new one */ \
	X(REFUSED_ACCEPT, "accept_failed", 0) /* no descriptor, no memory: it waits */  \
	X(REFUSED_ENDING, "shutting_down", 0)                                           \
	X(REFUSED_PROXY, "untrusted_proxy", 0)                                          \
	X(REFUSED_ADDRESS, "address_connections", 0) /* 503, where that can be said */  \
	X(REFUSED_ADDRESS_RATE, "address_rate", 0)   /* 429, the same */                \
	X(REFUSED_USER, "user_connections", 0)                                          \
	X(REFUSED_HOST, "host", 0)	   /* 403 */                                    \
	X(REFUSED_ORIGIN, "origin", 0)	   /* 403 */                                    \
	X(REFUSED_TLS, "tls_handshake", 0) /* ended before that was done */             \
	X(REFUSED_MALFORMED, "bad_request", 400)                                        \
	X(REFUSED_UNAUTHORIZED, "unauthorized", 401)                                    \
	X(REFUSED_FORBIDDEN, "forbidden", 403)                                          \
	X(REFUSED_PATH, "not_found", 404)                                               \
	X(REFUSED_METHOD, "method_not_allowed", 405)                                    \
	X(REFUSED_LATE, "header_timeout", 408)                                          \
	X(REFUSED_LENGTH, "length_required", 411)                                       \
	X(REFUSED_BODY, "body_too_large", 413)                                          \
	X(REFUSED_TARGET, "target_too_long", 414)                                       \
	X(REFUSED_TYPE, "unsupported_type", 415)                                        \
	X(REFUSED_EXPECTATION, "expectation_failed", 417)                               \
	X(REFUSED_MISDIRECTED, "misdirected", 421)                                      \
	X(REFUSED_UPGRADE, "upgrade_required", 426)                                     \
	X(REFUSED_RATE, "rate_limited", 429)                                            \
	X(REFUSED_HEAD, "header_too_large", 431)                                        \
	X(REFUSED_UNKNOWN, "not_implemented", 501)                                      \
	X(REFUSED_UNABLE, "unavailable", 503)                                           \
	X(REFUSED_VERSION, "http_version", 505)                                         \
	X(REFUSED_OTHER, "other", 0) /* any other status from 400 on */

/* X(ID, label): what became of a client's wish to go on where it was. */
#define COUNT_RESUMES(X)             \
	X(RESUMED, "ok")             \
	X(RESUME_TRIMMED, "trimmed") \
	X(RESUME_EPOCH_CHANGED, "epoch_changed")

/* X(ID, label): why an operator ended connections. */
#define COUNT_STEERS(X)             \
	X(STEER_KICKED, "kicked")   \
	X(STEER_BANNED, "banned")   \
	X(STEER_REVOKED, "revoked") \
	X(STEER_DELETED, "deleted") /* their session */

/* X(ID, label): memory that belongs to connections and may grow, in bytes of what is in it. */
#define COUNT_MEMORIES(X)                                                       \
	X(MEMORY_UNSENT, "unsent")	/* that the kernel has not taken yet */ \
	X(MEMORY_ANSWERS, "answers")	/* that leave at the end of the turn */ \
	X(MEMORY_HALF, "half_received") /* messages, requests, frames */

#define COUNT_ID(id, ...) id,
enum count_door { COUNT_DOORS(COUNT_ID) BY_DOOR_N };
enum count_refusal { COUNT_REFUSALS(COUNT_ID) BY_REASON_N };
enum count_resume { COUNT_RESUMES(COUNT_ID) BY_RESULT_N };
enum count_steer { COUNT_STEERS(COUNT_ID) BY_STEER_N };
enum count_memory { COUNT_MEMORIES(COUNT_ID) BY_KIND_N };
#undef COUNT_ID
#define BY_NOTHING_N 1
#define BY_CODE_N 28 /* room for enum hub_code, which rooms above know */

/* By what a number is counted apart. */
enum count_by { BY_NOTHING, BY_DOOR, BY_REASON, BY_RESULT, BY_STEER, BY_KIND, BY_CODE };

/* --- the list */

/* X(field, by, type, name in /metrics, what it is): TOTAL only grows, NOW goes up and down. `sent`
 * is without what `delivered` has, so that a delivery is counted once; /metrics adds them. */
#define COUNTERS(X)                                                                              \
	X(connections, BY_DOOR, NOW, "hubd_connections", "Connections now.")                     \
	X(accepted, BY_NOTHING, TOTAL, "hubd_connections_accepted_total", "Connections let in.") \
	X(refused, BY_REASON, TOTAL, "hubd_refusals_total", "Connections and requests refused.") \
	X(members, BY_DOOR, NOW, "hubd_members", "Memberships of sessions now.")                 \
	X(joins, BY_DOOR, TOTAL, "hubd_joins_total", "Memberships begun.")                       \
	X(resumes, BY_RESULT, TOTAL, "hubd_resumes_total",                                       \
	  "Joins that named the last record seen, by what became of that.")                      \
	X(received, BY_DOOR, TOTAL, "hubd_messages_received_total", "Messages from clients.")    \
	X(sent, BY_DOOR, TOTAL, "hubd_messages_sent_total",                                      \
	  "Messages to clients: deliveries, and all others.")                                    \
	X(delivered, BY_DOOR, TOTAL, "hubd_deliveries_total", "Records handed to members.")      \
	X(received_bytes, BY_DOOR, TOTAL, "hubd_received_bytes_total",                           \
	  "Bytes read from connections, without TLS's own.")                                     \
	X(sent_bytes, BY_DOOR, TOTAL, "hubd_sent_bytes_total",                                   \
	  "Bytes for connections that the kernel took, or TLS, without its own.")                \
	X(deflated, BY_NOTHING, TOTAL, "hubd_deflated_total",                                    \
	  "Messages deflated, each once for all that share it.")                                 \
	X(inflated, BY_NOTHING, TOTAL, "hubd_inflated_total",                                    \
	  "Messages from clients that came deflated.")                                           \
	X(records, BY_NOTHING, TOTAL, "hubd_records_total", "Records appended to logs.")         \
	X(record_bytes, BY_NOTHING, TOTAL, "hubd_record_bytes_total", "The same, in bytes.")     \
	X(direct, BY_NOTHING, TOTAL, "hubd_direct_messages_total", "Messages with a receiver.")  \
	X(acks, BY_NOTHING, TOTAL, "hubd_acks_total", "Acks answered.")                          \
	X(errors, BY_CODE, TOTAL, "hubd_errors_total", "Errors answered to clients.")            \
	X(slow_disconnects, BY_NOTHING, TOTAL, "hubd_slow_disconnects_total",                    \
	  "Members that were closed for not keeping up.")                                        \
	X(slow_resyncs, BY_NOTHING, TOTAL, "hubd_slow_resyncs_total",                            \
	  "Members that were given the state instead of what they missed.")                      \
	X(dead, BY_NOTHING, TOTAL, "hubd_dead_connections_total",                                \
	  "Connections given up after the pong or write timeout.")                               \
	X(slowed, BY_NOTHING, TOTAL, "hubd_slowed_total",                                        \
	  "Times that a client was not read from for a while, for it did too much.")             \
	X(refused_share, BY_NOTHING, TOTAL, "hubd_refused_shares_total",                         \
	  "Messages refused for others need the room as well.")                                  \
	X(closed_errors, BY_NOTHING, TOTAL, "hubd_closed_errors_total",                          \
	  "Connections closed for their errors.")                                                \
	X(rules_run, BY_NOTHING, TOTAL, "hubd_rules_run_total", "Events that a rule took.")      \
	X(rules_failed, BY_NOTHING, TOTAL, "hubd_rules_failed_total", "Rules that failed.")      \
	X(closed_memory, BY_NOTHING, TOTAL, "hubd_closed_memory_total",                          \
	  "Connections closed for they held more than their part.")                              \
	X(slowed_users, BY_NOTHING, TOTAL, "hubd_slowed_users_total",                            \
	  "Messages beyond what a user may send.")                                               \
	X(slowed_addresses, BY_NOTHING, TOTAL, "hubd_slowed_addresses_total",                    \
	  "Messages beyond what an address may send.")                                           \
	X(slowed_joins, BY_NOTHING, TOTAL, "hubd_slowed_joins_total",                            \
	  "Joins beyond what their address may.")                                                \
	X(tokens_refused, BY_NOTHING, TOTAL, "hubd_tokens_refused_total",                        \
	  "Tokens that were not good.")                                                          \
	X(bans_met, BY_NOTHING, TOTAL, "hubd_bans_met_total",                                    \
	  "Times that a banned user, address or token was turned away.")                         \
	X(steered, BY_STEER, TOTAL, "hubd_steered_closes_total",                                 \
	  "Connections that an operator has ended, by what he did.")                             \
	X(bridge_told, BY_NOTHING, TOTAL, "hubd_socketio_told_total",                            \
	  "Records told to other servers of Socket.IO.")                                         \
	X(bridge_heard, BY_NOTHING, TOTAL, "hubd_socketio_heard_total",                          \
	  "Records made of what these broadcast.")                                               \
	X(bridge_dropped, BY_NOTHING, TOTAL, "hubd_socketio_dropped_total",                      \
	  "Records and events that did not get to these, or from them.")                         \
	X(memory, BY_KIND, NOW, "hubd_memory_bytes", "Memory that hubd has taken, by what for.")

/* Numbers for each value of their label, in its order. */
struct counters {
#define COUNTER_FIELD(field, by, type, name, help) atomic_uint_fast64_t field[by##_N];
	COUNTERS(COUNTER_FIELD)
#undef COUNTER_FIELD
};

/* Adds to a number that only the calling thread writes; without the cost of an atomic addition. */
static inline void count_add(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* To a counter of the calling worker's own: one without a label; one of a label's. */
#define counter_add(counters, field, n) counter_add_at(counters, field, 0, n)
#define counter_add_at(counters, field, at, n) count_add(&(counters)->field[at], (uint64_t)(n))

/* Takes away again: only of those that are NOW. */
#define counter_sub_at(counters, field, at, n) count_add(&(counters)->field[at], -(uint64_t)(n))

#endif
