/* An event that is being done: for act.c and act_event.c only. */
#ifndef HUBD_ACT_IMPL_H
#define HUBD_ACT_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "member/member.h"
#include "rules/rules.h"

struct session;

struct act {
	struct conn *conn;
	const struct actions *actions;
	struct span event, session, msg_id;
	uint64_t msg;	   /* what the dedup window knows the event's first record by */
	unsigned i;	   /* the action that is being done */
	unsigned ack_with; /* the publish whose ack is the event's; n: none */
	bool acked, answered;
	bool ending;   /* the connection's: nobody is told anything, nothing waits */
	bool entering; /* it joins what it has asked for; it is refused, where not */
	bool inside;   /* it is being done: what it is told now is no answer for later */
	bool waiting, kept;
	enum hub_code code; /* of what it waited for */
	const char *why;
	uint64_t current;	/* of HUB_CONFLICT: what stands in the way */
	struct session *opened; /* used, to be released */
};

/* Does what is left, as far as nothing has to wait; then a copy of *a goes on by itself. Before it
 * the client joins what it has asked for, if not NULL: where that fails it is refused, and nothing
 * is done. Returns what was wrong, which the client was told. */
enum hub_code act_go_on(struct act *a, const struct join_request *first);

/* An error that rules name, or the refusal of a join, is about to be sent: it counts. */
void act_refused(struct conn *c);

#endif
