/* The table of dialects. An option chooses by place, so both lists have one order. */
#include "speak/dialect.h"

#include <stddef.h>

const struct dialect *const dialects[] = {&dialect_hub, &dialect_raw, &dialect_socketio, NULL};
const char *const dialect_names[] = {"hub", "raw", "socketio", NULL};
