/* Events by the rules of --rules, rules(5): runs the file, and does what it says. Whatever door and
 * dialect an event came by; what is answered goes through the connection's dialect.
 *
 * Actions are done in their order, with the rights of the operator, whose files they come from.
 * Where one has to wait for the archive, the connection is held and the others follow when it has
 * answered. The first one that fails is an error to the client, and ends the event. */
#ifndef HUBD_ACT_H
#define HUBD_ACT_H

#include <stdbool.h>

#include "conn/conn.h"
#include "member/absent.h"
#include "member/member.h"
#include "rules/rules.h"

struct act_event {
	const struct rules_file *file;
	struct span event;
	struct span args;    /* as of struct rules_event */
	bool own_fields;     /* the same */
	struct span session; /* that it came in, or empty */
	struct span msg_id;  /* as the dialect's answers want it */
	bool acked;	     /* it wants an ack */
	uint64_t msg;	     /* then: what the dedup window knows it by */
};

/* The client was asked whether it may: RIGHT_TYPES. Borrows *e. Returns what was wrong, which the
 * client was told. */
enum hub_code act_on(struct conn *c, const struct act_event *e);

/* For struct dialect: connect.jq, once it is known who it is; and at the end disconnect.jq, where
 * the other has been or would have been. */
void act_opened(struct conn *c);
void act_ending(struct conn *c);

/* The same where each session that is not a room is a connection of its own: connect.jq, with the
 * JSON of what the client says to it, if not empty, then the join, which it may refuse or grant,
 * then the rooms that it was in, if not NULL, and dialect->restored(), then what else it says.
 * False: the rule has refused. seat is about to go. */
bool act_connect(struct conn *c, const struct join_request *join, struct span said,
		 const struct absent *rooms);
void act_left(struct conn *c, struct seat *seat, unsigned code, const char *reason);

#endif
