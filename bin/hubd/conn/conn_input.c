/* What has come to a connection and is not handled yet, and whether more is to come. Invariant: the
 * door is told of each change of `paused`, and of nothing else. */
#include <errno.h>
#include <stdlib.h>

#include "conn/conn_impl.h"

struct conn_input *conn_input(struct conn *c)
{
	if (!c->input)
		c->input = calloc(1, sizeof(*c->input));
	return c->input;
}

void conn_input_free(struct conn *c)
{
	if (!c->input)
		return;
	counter_sub_at(&c->worker->counters, memory, MEMORY_HALF, c->input->part.len);
	buf_free(&c->input->part);
	free(c->input);
	c->input = NULL;
}

void conn_input_shrink(struct conn *c)
{
	if (c->input && !c->input->part.len && !c->input->meter)
		conn_input_free(c);
}

bool conn_over(struct worker *w, size_t bytes)
{
	uint64_t most = w->conns->max_memory / w->all->n, all = 0;
	const atomic_uint_fast64_t *memory = w->counters.memory;

	/* Connections are spread over the workers evenly, and so is what they may hold. */
	for (int kind = 0; kind < BY_KIND_N; kind++)
		all += atomic_load_explicit(&memory[kind], memory_order_relaxed);
	if (!most || all <= most ||
	    bytes <= most / (atomic_load_explicit(&w->connections, memory_order_relaxed) + 1))
		return false;
	counter_add(&w->counters, closed_memory, 1);
	return true;
}

int conn_part_put(struct conn *c, const void *data, size_t len)
{
	struct conn_input *in = conn_input(c);

	if (in && !c->door->trusted && conn_over(c->worker, in->part.len + len))
		return -ENOBUFS;
	if (!in || buf_put(&in->part, data, len) < 0)
		return -ENOMEM;
	counter_add_at(&c->worker->counters, memory, MEMORY_HALF, len);
	return 0;
}

struct buf conn_part_take(struct conn *c)
{
	struct buf part = {0};

	if (!c->input)
		return part;
	part = c->input->part;
	c->input->part = (struct buf){0};
	counter_sub_at(&c->worker->counters, memory, MEMORY_HALF, part.len);
	conn_input_shrink(c);
	return part;
}

void conn_part_drop(struct conn *c)
{
	struct buf part = conn_part_take(c);

	buf_free(&part);
}

static bool is_slowed(const struct conn *c)
{
	return c->input && c->input->meter && c->input->meter->until_ms;
}

void conn_set_paused(struct conn *c)
{
	bool paused = c->held || c->out.len > CONN_OUT_PAUSE || is_slowed(c);

	if (c->paused == paused)
		return;
	c->paused = paused;
	c->door->pause(c, paused);
}
