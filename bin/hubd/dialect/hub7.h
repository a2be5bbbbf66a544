/* hub7: the hub's own protocol, hub(7), JSON objects over a WebSocket or lines. All JSON of it is
 * in this room: hub7.c reads messages and hands them on, hub7_message.c helps to, hub7_join.c joins
 * and their answers, hub7_control.c the other control messages, hub7_text.c what members are told.
 */
#ifndef HUBD_HUB7_H
#define HUBD_HUB7_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "json/json_paths.h"
#include "json/keys.h"
#include "member/member.h"

/* What the dialect has to know of the hub; worker->hub7. */
struct hub7 {
	const unsigned char *secret; /* auth/resume.h: signs resume tokens; its first DEDUP_KEY_LEN
					bytes hash msg_ids */
	const char *client_version;  /* what version_check compares with, or NULL */
	const struct keys *keys;     /* which messages are state */
	struct json_paths *fields;   /* hub7_fields() */
	uint32_t run;		     /* this hubd from start to end */
	bool keeps;		     /* there is an archive: runs are of interest to recorders */
};

extern const struct dialect hub7_dialect;

/* The fields of control messages that are not the envelope's. NULL: no memory. */
struct json_paths *hub7_fields(void);

/* --- within the room */

/* Indexes into what hub7_read_fields() fills. */
enum hub7_field {
	FIELD_ECHO,
	FIELD_SINCE,
	FIELD_EPOCH,
	FIELD_RESUME,
	FIELD_REST,
	FIELD_RUN,
	FIELD_PING_ID,
	FIELD_TIMESTAMP,
	FIELD_JS_VERSION,
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
enum hub_code hub7_on_ping(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_presence(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_session_list(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_client_info(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_version_check(struct conn *c, const struct envelope *e);
enum hub_code hub7_on_authenticate(struct conn *c, const struct envelope *e);

void hub7_joined(struct conn *c, struct seat *seat, const struct session_from *from,
		 const struct session_joined *joined);

/* The texts of struct dialect. */
int hub7_error(struct buf *out, enum hub_code code, const char *message, struct span msg_id);
int hub7_ack(struct buf *out, const char *session, uint64_t seq, struct span msg_id);
int hub7_gap(struct buf *out, const char *session, uint64_t from, uint64_t to);
int hub7_presence(struct buf *out, const char *session, const struct session_change *change);
int hub7_status(struct buf *out, const char *session, uint32_t user_count);
int hub7_left(struct buf *out, const char *session, uint32_t user_count);
int hub7_sessions(struct buf *out, struct span names, bool more);

#endif
