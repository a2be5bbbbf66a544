/* What the files of the session room share; private to them. Where nothing else is said, under the
 * session's lock. */
#ifndef HUBD_SESSION_IMPL_H
#define HUBD_SESSION_IMPL_H

#include "session/limits.h"
#include "session/publish.h"
#include "session/seek.h"
#include "session/session.h"

/* --- session.c */

/* The part of worker `index`, made where there is none. NULL: no memory. */
struct shard *session_shard_make(struct session *s, unsigned index);

/* Records that came by no worker: wakes all that have members of s. Not under the lock. */
void session_wake(struct session *s, uint64_t since_ns);

/* --- members_table.c */

/* A member that is that client, or NULL; others that are stand behind it, by hash_next, among
 * others. And who is one. */
struct member *session_client(struct session *s, uint64_t client);
void session_table_add(struct session *s, struct member *m);
void session_table_remove(struct session *s, struct member *m);

/* --- members.c */

/* Tells the members that one came or went; tells this hub's connections of a client to go, of which
 * the others knew before he joined at another; whether he is here. */
void session_announce(struct session *s, bool joined, uint64_t client);
bool session_replaced_away(struct session *s, uint64_t client); /* false: it is younger */
bool session_is_here(struct session *s, uint64_t client);

/* How many members there are everywhere. */
static inline uint32_t session_total(const struct session *s)
{
	return s->nmembers + s->aways.n - s->aways.both;
}

/* --- users.c */

/* One comes, or goes. 0 or -ENOMEM; who is hidden is nobody's. */
int session_user_add(struct session *s, struct member *m, struct span user);
void session_user_remove(struct session *s, struct member *m);

/* --- seek.c */

/* session_seek() for a member without a catch-up that is not in the table yet. */
enum hub_code session_seek_locked(struct session *s, struct member *m,
				  const struct session_from *from, struct session_joined *out);

/* --- bonds.c: state that goes by itself, and conditions */

/* Whether p's terms are met: HUB_OK, HUB_CONFLICT with p->current, or HUB_NOT_MEMBER. */
enum hub_code session_agrees(const struct session *s, struct publication *p);

/* There is state that goes at that time. */
void session_due(struct session *s, uint64_t due_ms);

/* Deletes, by records, the keys of state that goes with that client (0: with any); those whose time
 * has come. Where there is no memory for the record it is tried again, by session_expire(). Returns
 * how many; where there are some, session_changed() is to follow. */
size_t session_end_owned(struct session *s, uint64_t client, uint64_t now_ms);
size_t session_end_due(struct session *s, uint64_t now_ms);

/* The latter, with all that follows, on w. Not under the lock. */
void session_expire(struct session *s, struct worker *w);

/* --- stored.c */

/* Makes sure that session_wait() has room; 0 or -ENOMEM. And, for a seq that is not durable: takes
 * wait, in the place of an older member's that waits for the same; false where the same member or a
 * younger one does. */
int session_wait_reserve(struct session *s);
bool session_wait(struct session *s, struct stored_wait *wait, uint64_t seq);

/* It is no more: who joins or publishes is refused, and nothing of it is kept. Who waits for a
 * record to be durable is told that it is. Not under the lock; for the registry. */
void session_delete(struct session *s);

/* --- offer.c, numbered.c: records that are numbered elsewhere */

/* session_publish() where that is so. Not under the lock. */
enum hub_code session_offer(struct session *s, struct publication *p, uint64_t now_ms,
			    struct published *out);

/* A new one, with a reference of its own on s. NULL: no memory. And: a record of the hub's that
 * ends a key, if that one is still the last of its type. Returns 0 or -ENOMEM. */
struct offer *offer_new(struct session *s, const struct publication *p, uint64_t now_ms);
int session_offer_end(struct session *s, const struct slot *tags, struct span body,
		      const struct state_look *ended);

/* Tells the workers of all members that they are to come anew. Not under the lock. */
void session_part(struct session *s, bool deleted);

/* --- away.c: who is at other hubs; tell.c: what these are told */

/* The one of that client, or NULL. */
struct away *away_find(const struct session *s, uint64_t client);

/* `here`: he is here as well. False where he was not there; where memory is out. */
bool away_remove(struct session *s, uint64_t client, bool here);
bool away_add(struct session *s, uint64_t node, uint64_t client, struct span info, struct span user,
	      bool here);
void aways_free(struct session *s); /* when nobody else has s any more */

/* News for other hubs (offer.news). NULL: no memory. */
struct offer *away_news(struct session *s, char news, uint64_t client, struct span text,
			struct span user);

/* Tells other hubs that m has joined, or says something else of itself; or left. */
void session_tell(struct session *s, const struct member *m, bool joined);

/* --- limits.c */

/* Holds the session to these, from now on. Returns 0 or -ENOMEM. Not under the lock. */
int session_set_limits(struct session *s, const struct session_limits *limits);

uint32_t session_max_members(const struct session *s);
struct log_limits session_log_limits(const struct session *s);

/* Of one that is steered: whether a record of so many bytes may be published now, which it then is.
 * HUB_OK, HUB_NOT_FOUND or HUB_RATE_LIMITED. */
enum hub_code session_admits(struct session *s, size_t len, uint64_t now_ms);

/* --- trim.c */

/* Drops what nobody needs of the log. */
void session_trim(struct session *s, uint64_t now_ms);

/* Counts what the dedup window has grown or shrunk by. The lock is not asked for. */
void session_count_dedup(const struct session_env *env, size_t before, size_t after);

#endif
