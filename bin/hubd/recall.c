/* A ban lasts until the moment that was meant, by the wall clock, while no hub runs; who was sent
 * away does not come back as who he was. */
#include "recall.h"

#include "base/clock.h"
#include "base/err.h"
#include "dialect/kept.h"
#include "member/absent.h"
#include "member/member.h"
#include "store/store.h"

struct recalling {
	const char *file;
	struct members *members;
	uint64_t wall_ms, mono_ms, resume_ms;
};

static void on_kept(void *arg, struct span value, uint64_t until_ms)
{
	const struct recalling *r = arg;
	struct steering st;
	int ended = kept_read_ended(r->members->ended, value, r->resume_ms);

	if (ended > 0)
		return;
	if (until_ms)
		until_ms = r->mono_ms + (until_ms > r->wall_ms ? until_ms - r->wall_ms : 0) + 1;
	if (ended < 0 || !kept_read(&st, value) ||
	    steer_again(r->members, &st, r->mono_ms, until_ms) < 0)
		err_log(ERR_WARN, "store %s: cannot be set again: %.*s", r->file, (int)value.len,
			value.p);
}

int recall(struct store *store, const char *file, struct members *members, uint64_t resume_ms)
{
	struct recalling r = {.file = file,
			      .members = members,
			      .resume_ms = resume_ms,
			      .wall_ms = clock_wall_ms(),
			      .mono_ms = clock_mono_ms()};
	int status = store_each_kept(store, r.wall_ms, on_kept, &r);

	if (status < 0)
		err_log(ERR_ERROR, "store %s: what operators have set cannot be read", file);
	return status;
}

/* Lifts a ban of that name. */
static void unban(const struct recalling *r, struct span name)
{
	struct steering st;

	if (kept_read_name(&st, name))
		bans_remove(r->members->bans, &st.whom, r->mono_ms);
}

void recall_heard(const struct recall *to, struct span name, struct span value, uint64_t until_ms,
		  bool news)
{
	const struct recalling r = {.file = "of the bus",
				    .members = to->members,
				    .resume_ms = to->resume_ms,
				    .wall_ms = clock_wall_ms(),
				    .mono_ms = clock_mono_ms()};
	struct steering st;
	struct recalling all = r;

	if (until_ms && until_ms <= r.wall_ms)
		return;
	if (news && absent_heard(to->workers->at[0], name, value))
		return;
	if (!value.len) {
		unban(&r, name);
		return;
	}
	if (kept_read_close(&st, value)) {
		st.put_ended = kept_put_ended;
		if (news)
			steer_elsewhere(to->workers, &st);
		return;
	}
	on_kept(&all, value, until_ms);
	if (!news)
		return;
	for (size_t i = 0; kept_read_gone(&st, value, i); i++)
		steer_elsewhere(to->workers, &st);
	if (kept_read(&st, value) && st.verb == STEER_BAN) {
		st.put_ended = kept_put_ended;
		steer_elsewhere(to->workers, &st);
	}
}

void recall_asked(const struct recall *to, uint64_t hub, uint64_t number, struct span question)
{
	struct steering st;

	if (kept_read_list(&st, question))
		steer_asked(to->workers, &st, hub, number);
}
