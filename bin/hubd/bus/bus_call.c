/* Calls: commands that are to be answered, and how they leave. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/bus_impl.h"

void link_wake(struct link *l)
{
	uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is woken already */
}

struct call *call_new(struct far *f, void (*done)(struct link *, struct call *, const redisReply *))
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->done = done;
	call->script = SCRIPTS;
	call->far = f;
	if (f)
		f->calls++;
	return call;
}

void call_free(struct call *call)
{
	if (!call)
		return;
	if (call->far)
		call->far->calls--;
	buf_free(&call->command);
	free(call);
}

void call_queue(struct link *l, struct call *call)
{
	call->next = NULL;
	call->sent_ms = clock_mono_ms();
	*l->calls_last = call;
	l->calls_last = &call->next;
}

void call_end(struct link *l, struct call *call, const redisReply *reply)
{
	call->done(l, call, reply);
	call_free(call);
}

void link_call(struct link *l, struct call *call)
{
	if (call->far)
		call->head = call->far->head;
	if (l->pub.step != REDIS_OPEN ||
	    buf_put(&l->pub.out, call->command.data, call->command.len) < 0) {
		call_end(l, call, NULL);
		return;
	}
	call_queue(l, call);
}

int call_script(struct link *l, struct call *call, enum script script, const struct session *s,
		size_t n)
{
	static const char *const parts[SCRIPT_KEYS] = {"",	 ":log",    ":state",
						       ":acked", ":acked0", ":here"};
	char key[BUS_NAME + 8];
	int r = redis_put_count(&call->command, 3 + SCRIPT_KEYS + n);

	call->script = script;
	if (r == 0)
		r = redis_put_arg(&call->command, "EVALSHA", 7);
	if (r == 0)
		r = redis_put_arg(&call->command, l->sha[script], 40);
	if (r == 0)
		r = redis_put_arg(&call->command, "6", 1);
	for (int i = 0; i < SCRIPT_KEYS && r == 0; i++) {
		int len = snprintf(key, sizeof(key), BUS_PREFIX "{%s}%s", s->id, parts[i]);

		r = redis_put_arg(&call->command, key, (size_t)len);
	}
	return r;
}
