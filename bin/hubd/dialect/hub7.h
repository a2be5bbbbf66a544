/* hub7: the hub's own protocol, hub(7), JSON objects over a WebSocket or lines. All JSON of it is
 * in this room: hub7.c reads messages and hands them on, hub7_message.c helps to, hub7_join.c joins
 * and their answers, hub7_event.c events of rules, hub7_steer.c what operators ask, hub7_control.c
 * the other control messages, hub7_text.c what members are told. */
#ifndef HUBD_HUB7_H
#define HUBD_HUB7_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "json/area.h"
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

/* Texts that doors other than its own say, too: they append one to out, without an end of line, and
 * return 0 or -ENOMEM. msg_id is raw JSON or empty; `above` is the session above a room, or NULL.
 */
int hub7_error(struct buf *out, enum hub_code code, const char *message, struct span msg_id);
int hub7_error_named(struct buf *out, const char *code, const char *message, struct span msg_id);
int hub7_ack(struct buf *out, const char *session, uint64_t seq, struct span msg_id);
int hub7_skipped(struct buf *out, const char *session, uint64_t n);
int hub7_area_left(struct buf *out, const char *session, struct span left);
int hub7_gap(struct buf *out, const char *session, const char *above, uint64_t from, uint64_t to);
int hub7_left(struct buf *out, const char *session, const char *above, uint32_t user_count);
int hub7_sessions(struct buf *out, struct span names, bool more, bool partial);

/* The answer to `presence`. Returns 0 or -ENOMEM. */
int hub7_members(struct worker *w, struct buf *out, struct session *s);

#endif
