/* hub7: the hub's own protocol, hub(7), JSON objects over a WebSocket or lines. All JSON of it is
 * in this room: hub7.c reads messages and hands them on, hub7_message.c helps to, hub7_join.c joins
 * and their answers, hub7_steer.c what operators ask, hub7_control.c the other control messages,
 * hub7_text.c what members are told. */
#ifndef HUBD_HUB7_H
#define HUBD_HUB7_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "dialect/wish.h"
#include "json/json_paths.h"
#include "json/keys.h"
#include "member/member.h"
#include "rules/rules.h"

/* What the dialect has to know of the hub; worker->hub7. */
struct hub7 {
	const unsigned char *secret; /* auth/resume.h: signs resume tokens; its first DEDUP_KEY_LEN
					bytes hash msg_ids */
	const char *client_version;  /* what version_check compares with, or NULL */
	const struct keys *keys;     /* which messages are state */
	struct area_grids grids;     /* the cells that records may be in */
	const struct auth *auth;     /* how it takes tokens; NULL: it takes none */
	struct json_paths *fields;   /* hub7_fields() */
	uint32_t run;		     /* this hubd from start to end */
	struct rules *rules;	     /* what events mean; NULL: what they always do */
	bool keeps;		     /* there is an archive: runs are of interest to recorders */
};

extern const struct dialect hub7_dialect;

/* The fields of control messages that are not the envelope's. NULL: no memory. */
struct json_paths *hub7_fields(void);

/* --- within the room */

/* Whether the message is the hub's to handle: its type is, and no object in `record` makes it one
 * for the members. */
bool hub7_is_control(struct conn *c, const struct envelope *e);

/* The answer to `presence`. Returns 0 or -ENOMEM. */
int hub7_members(struct worker *w, struct buf *out, struct session *s);

/* Indexes into what hub7_read_fields() fills. */
enum hub7_field {
	FIELD_ECHO,
	FIELD_SINCE,
	FIELD_EPOCH,
	FIELD_RESUME,
	FIELD_REST,
	FIELD_RUN,
	FIELD_AHEAD,
	FIELD_TYPES, /* and those behind it: dialect/wish.h */
	FIELD_WISH_AREA = FIELD_TYPES + WISH_AREA,
	FIELD_WISH_LAST = FIELD_TYPES + WISH_N - 1,
	FIELD_ORDERED,
	FIELD_PING_ID,
	FIELD_TIMESTAMP,
	FIELD_JS_VERSION,
	FIELD_RECORD,
	FIELD_TOKEN,
	HUB7_FIELDS
};

void hub7_read_fields(struct conn *c, const struct envelope *e, struct json_member f[HUB7_FIELDS]);

/* Answers e with an error; returns code. */
enum hub_code hub7_fail(struct conn *c, const struct envelope *e, enum hub_code code,
			const char *message);

/* The seat that e is for, or NULL with *code after an error was sent. */
struct seat *hub7_seat(struct conn *c, const struct envelope *e, enum hub_code *code);

/* Handlers of control types: each answers, and returns what was wrong, or HUB_OK. */
enum hub_code hub7_on_associate(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_leave(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_interest(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_ping(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_presence(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_session_list(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_client_info(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_version_check(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_authenticate(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_steer(struct conn *c, const struct envelope *e);

/* A message whose type has a file of rules. */
enum hub_code hub7_on_event(struct conn *c, const struct envelope *e, const struct rules_file *f);
void hub7_opened(struct conn *c);

void hub7_joined(struct conn *c, struct seat *seat, const struct session_from *from,
		 const struct session_joined *joined);

void hub7_refused(struct conn *c, enum hub_code code, const char *why, struct span msg_id,
		  uint32_t retry_s);

/* An error that may not be one after retry_s seconds, if that is not 0. */
int hub7_error_later(struct buf *out, enum hub_code code, const char *message, struct span msg_id,
		     uint32_t retry_s);

/* The texts of struct dialect. */
/* Of HUB_CONFLICT. And in words, in room for them. */
#define HUB7_CONFLICT_MAX 64
int hub7_skipped(struct buf *out, const char *session, uint64_t n);
int hub7_ahead(struct buf *out, const char *session, struct span records);
int hub7_area_left(struct buf *out, const char *session, struct span left);
int hub7_area_entered(struct buf *out, const char *session, uint64_t n, struct span msg_id,
		      bool overtaken);
int hub7_conflict(struct buf *out, uint64_t seq, struct span msg_id);
const char *hub7_conflict_text(uint64_t seq, char room[HUB7_CONFLICT_MAX]);

int hub7_error(struct buf *out, enum hub_code code, const char *message, struct span msg_id);
int hub7_error_named(struct buf *out, const char *code, const char *message, struct span msg_id);
int hub7_ack(struct buf *out, const char *session, uint64_t seq, struct span msg_id);
int hub7_reply(struct buf *out, struct span session, struct span value, bool several,
	       struct span msg_id);
int hub7_gap(struct buf *out, const char *session, const char *above, uint64_t from, uint64_t to);
int hub7_presence(struct buf *out, const char *session, const char *above,
		  const struct session_change *change);
int hub7_status(struct buf *out, const char *session, const char *above, uint32_t user_count);
int hub7_left(struct buf *out, const char *session, const char *above, uint32_t user_count);
int hub7_expiring(struct buf *out, double exp);
int hub7_resume(struct buf *out, const struct conn *c);
int hub7_sessions(struct buf *out, struct span names, bool more, bool partial);

#endif
