/* What the files of hub7 share, and what other dialects of the room take from it; private to them.
 */
#ifndef HUBD_HUB7_IMPL_H
#define HUBD_HUB7_IMPL_H

#include "dialect/hub7.h"
#include "dialect/wish.h"

/* Whether the message is the hub's to handle: its type is, and no object in `record` makes it one
 * for the members. */
bool hub7_is_control(struct conn *c, const struct envelope *e);

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

/* The other texts of struct dialect. */
int hub7_ahead(struct buf *out, const char *session, struct span records);
int hub7_area_entered(struct buf *out, const char *session, uint64_t n, struct span msg_id,
		      bool overtaken);

/* Of HUB_CONFLICT. And in words, in room for them. */
#define HUB7_CONFLICT_MAX 64
int hub7_conflict(struct buf *out, uint64_t seq, struct span msg_id);
const char *hub7_conflict_text(uint64_t seq, char room[HUB7_CONFLICT_MAX]);

int hub7_reply(struct buf *out, struct span session, struct span value, bool several,
	       struct span msg_id);
int hub7_presence(struct buf *out, const char *session, const char *above,
		  const struct session_change *change);
int hub7_status(struct buf *out, const char *session, const char *above, uint32_t user_count);
int hub7_expiring(struct buf *out, double exp);
int hub7_resume(struct buf *out, const struct conn *c);

#endif
