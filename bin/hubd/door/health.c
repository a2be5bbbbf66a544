#include "door/health.h"

#include "door/doors.h"
#include "log/log.h"

static uintmax_t sum(const struct workers *all, size_t offset)
{
	uintmax_t total = 0;
	unsigned i;

	for (i = 0; i < all->n; i++) {
		const char *counters = (const char *)&all->at[i]->counters;

		total += atomic_load_explicit(
		    (const atomic_uint_fast64_t *)(const void *)(counters + offset),
		    memory_order_relaxed);
	}
	return total;
}

int health_text(struct worker *w, struct buf *out)
{
	static const struct {
		const char *name;
		size_t offset;
	} counters[] = {
#define COUNTER_PLACE(name) {#name, offsetof(struct counters, name)},
	    COUNTERS(COUNTER_PLACE)
#undef COUNTER_PLACE
	};
	struct registry *registry = w->doors->set->registry;
	struct workers *all = w->all;
	size_t i;
	int r =
	    buf_printf(out,
		       "{\"status\":\"%s\",\"version\":\"" HUB_VERSION
		       "\",\"connections\":%u,\"sessions\":%zu,\"history_bytes\":%zu",
		       atomic_load(&all->draining) ? "draining" : "ok", workers_connections(all),
		       registry_count(registry),
		       atomic_load_explicit(&registry->env->memory->used, memory_order_relaxed));

	for (i = 0; r == 0 && i < sizeof(counters) / sizeof(counters[0]); i++)
		r = buf_printf(out, ",\"%s\":%ju", counters[i].name, sum(all, counters[i].offset));
	return r == 0 ? buf_puts(out, "}\n") : r;
}
