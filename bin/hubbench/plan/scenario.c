/* The scenarios. The names stand in the order of the table: an option chooses by place. */
#include "plan/scenario.h"

#include <stddef.h>

#define AVATAR                                                                                    \
	"{\"m\":\"{mark}{pad}\",\"type\":\"avatar_position_update\",\"avatar_id\":\"a{publisher}" \
	"\","                                                                                     \
	"\"position\":{\"x\":{x},\"y\":{y},\"z\":0.0}}"

const struct scenario scenarios[] = {
    {"fanout", 100, 1, 10, .rate = 100, .duration = 10},
    {"rooms", 1000, PER_ROOM, PER_ROOM, .client_rate = 1, .duration = 10},
    {"echo", 100, PER_CLIENT, PER_CLIENT, .client_rate = 10, .duration = 10, .echo = true},
    {"players", 20, 1, PER_CLIENT, .client_rate = 60, .duration = 10, .message = AVATAR},
    {"churn", 100, 1, 10, .rate = 100, .duration = 10, .churn = true},
    {"reconnect-storm", 1000, 1, 10, .rate = 50, .duration = 10, .storm = true},
    {"slow-reader", 100, 1, 10, .rate = 100, .duration = 10, .slow = true},
    {"idle", 1000, 1, 0, .duration = 10},
    {"soak", 100, 1, 10, .rate = 100, .duration = 3600, .trend = true},
    {"search", 100, 1, 10, .rate = 100, .duration = 5, .search = true},
    {"crowd", 100, 1, PER_CLIENT, .client_rate = 20, .duration = 10, .crowd = true},
    {"cluster", 1000, 1, 10, .rate = 100, .duration = 10, .cluster = true},
    {.name = NULL},
};

const char *const scenario_names[] = {
    "fanout", "rooms",	"echo",	 "players", "churn", "reconnect-storm", "slow-reader", "idle",
    "soak",   "search", "crowd", "cluster", NULL,
};
