/* What a program says is to be done: its outputs, read strictly. */
#ifndef HUBD_RULES_ACTIONS_H
#define HUBD_RULES_ACTIONS_H

#include <jv.h>

#include "rules/rules.h"

/* Forgets what is there; keeps the room. */
void actions_clear(struct actions *a);

/* Reads one output of a program for event, and takes it. Returns 0, or -EINVAL with why. */
int actions_add(struct actions *a, jv output, struct span event, char *why, size_t cap);

#endif
