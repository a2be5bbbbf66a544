/* What an operator has set before this hub was started, set once more; and the limits by their
 * names. */
#include <errno.h>

#include "member/member.h"
#include "member/steer.h"
#include "session/limits.h"

const char *steer_limit_name(enum steer_limit which)
{
	static const char *const names[STEER_LIMITS] = {
	    [LIMIT_MEMBERS] = "max_members",
	    [LIMIT_MESSAGES] = "rate_messages",
	    [LIMIT_BYTES] = "rate_bytes",
	    [LIMIT_HISTORY] = "history",
	    [LIMIT_HISTORY_BYTES] = "history_bytes",
	};

	return names[which];
}

int64_t *steer_limit_of(struct session_limits *l, enum steer_limit which)
{
	switch (which) {
	case LIMIT_MEMBERS:
		return &l->max_members;
	case LIMIT_MESSAGES:
		return &l->messages;
	case LIMIT_BYTES:
		return &l->bytes;
	case LIMIT_HISTORY:
		return &l->history;
	case LIMIT_HISTORY_BYTES:
	case STEER_LIMITS:
		break;
	}
	return &l->history_bytes;
}

int steer_again(struct members *m, const struct steering *st, uint64_t now_ms, uint64_t until_ms)
{
	struct span name = {st->whom.session, st->whom.session_len};
	struct session_limits limits;
	enum hub_code code;
	struct session *s;
	int r;

	if (st->verb == STEER_BAN)
		return bans_add(m->bans, &st->whom, now_ms, until_ms);
	s = registry_use(m->registry, name, &code);
	if (!s)
		return code == HUB_HUB_FULL ? -ENOSPC : -ENOMEM;
	session_get_limits(s, &limits);
	for (int i = 0; i < STEER_LIMITS; i++)
		if (st->limits_given & 1u << i)
			*steer_limit_of(&limits, (enum steer_limit)i) = *steer_limit_of(
			    (struct session_limits *)(uintptr_t)&st->limits, (enum steer_limit)i);
	r = registry_limit(m->registry, s, &limits);
	registry_release(m->registry, s, now_ms);
	return r;
}
