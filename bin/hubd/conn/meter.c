/* Invariant: a meter whose entry is delayed is not freed before it comes back. */
#include "conn/meter.h"

#include <stdlib.h>

#include "conn/conn_impl.h"

#define NS 1000000000ULL
#define LOOKS 5 /* whether a new meter is needed no more: who only joins has it for 50 ms */
#define LITTLE (NS / 100) /* of what a user has in a second */
#define BURST (2 * NS)	  /* of messages and bytes: what may come in two seconds, at once */

static uint64_t now_ns(struct conn *c)
{
	return worker_now_ms(c->worker) * 1000000U;
}

static bool has_rates(const struct meter_rates *r)
{
	return r->message != 0 || r->byte != 0;
}

/* For which address it counts; 0: for none, or addresses have no rates. */
static uint64_t address_of(struct conn *c)
{
	const struct conn_settings *set = c->worker->conns;
	struct address a;

	return has_rates(&set->address_rates) && conn_counts(c, &a)
		   ? shares_address(set->shares, &a)
		   : 0;
}

/* NULL: no memory, then nothing is counted. */
static struct meter *meter_of(struct conn *c)
{
	struct conn_input *in = conn_input(c);

	if (in && !in->meter) {
		in->meter = calloc(1, sizeof(*in->meter));
		if (in->meter) {
			in->meter->conn = c;
			in->meter->address = address_of(c);
			in->meter->looks = LOOKS;
			worker_delay(c->worker, &in->meter->later);
			wheel_set(&c->worker->wheel, &c->timer, 1); /* conn_due() looks at it */
		}
	}
	return in ? in->meter : NULL;
}

void meter_slow(struct conn *c, uint64_t ms, const char *why)
{
	struct meter *m = meter_of(c);

	if (!m || c->closing)
		return;
	if (!m->until_ms)
		counter_add(&c->worker->counters, slowed, 1);
	if (!m->said)
		conn_log(c, ERR_INFO, JOURNAL_limit, "slowed: %s", why);
	m->said = true;
	m->until_ms = worker_now_ms(c->worker) + ms;
	worker_delay(c->worker, &m->later);
	conn_set_paused(c);
}

/* For as long as a bucket is over; less than a turn's time is left to the next one. */
static void slow_for(struct conn *c, uint64_t over_ns, const char *why)
{
	if (over_ns >= 1000000U)
		meter_slow(c, over_ns / 1000000U, why);
}

static uint64_t cost(double each, size_t n)
{
	return (uint64_t)(each * (double)n);
}

/* By how many ns a user is over what he may send, with so many messages and bytes more. */
static uint64_t spend_users(struct worker *w, const struct identity *id, size_t n, size_t bytes)
{
	const struct conn_settings *set = w->conns;
	struct span user = identity_sub(id);
	uint64_t over;

	if (!user.len || !has_rates(&set->user_rates))
		return 0;
	over = shares_send(set->shares, shares_user(set->shares, user),
			   cost(set->user_rates.message, n), cost(set->user_rates.byte, bytes),
			   worker_now_ms(w) * 1000000U);
	if (over)
		counter_add(&w->counters, slowed_users, 1);
	return over;
}

/* The same of an address; 0: none. */
static uint64_t spend_addresses(struct worker *w, uint64_t address, size_t n, size_t bytes)
{
	const struct conn_settings *set = w->conns;
	uint64_t over;

	if (!address || !has_rates(&set->address_rates))
		return 0;
	over = shares_send(set->shares, address, cost(set->address_rates.message, n),
			   cost(set->address_rates.byte, bytes), worker_now_ms(w) * 1000000U);
	if (over)
		counter_add(&w->counters, slowed_addresses, 1);
	return over;
}

unsigned meter_asker(struct worker *w, const struct identity *id, const struct address *a)
{
	const struct conn_settings *set = w->conns;
	uint64_t address = a && has_rates(&set->address_rates) ? shares_address(set->shares, a) : 0;
	uint64_t over = spend_users(w, id, 0, 0), more = spend_addresses(w, address, 0, 0);

	over = more > over ? more : over;
	return over ? (unsigned)(over / NS) + 1 : 0;
}

/* Returns for how long to slow it down, and says why. */
static uint64_t settle(struct conn *c, struct meter *m, const char **why)
{
	size_t n = m->owed, bytes = m->owed_bytes;
	uint64_t over, more;

	m->owed = 0;
	m->owed_bytes = 0;
	m->owed_ms = worker_now_ms(c->worker);
	over = spend_users(c->worker, conn_identity(c), n, bytes);
	more = spend_addresses(c->worker, m->address, n, bytes);
	*why = over >= more ? "its user sends more messages or bytes a second than he may"
			    : "its address sends more messages or bytes a second than it may";
	return over >= more ? over : more;
}

static bool is_little(const struct meter_rates *r, const struct meter *m)
{
	return cost(r->message, m->owed) < LITTLE && cost(r->byte, m->owed_bytes) < LITTLE;
}

/* Users and addresses are in a table that all workers share, so what comes within a millisecond is
 * charged for at once, as far as it is little. */
static uint64_t charge(struct conn *c, struct meter *m, size_t bytes, const char **why)
{
	const struct conn_settings *set = c->worker->conns;

	m->owed++;
	m->owed_bytes += bytes;
	if (m->owed_ms == worker_now_ms(c->worker) && is_little(&set->user_rates, m) &&
	    is_little(&set->address_rates, m))
		return 0;
	return settle(c, m, why);
}

void meter_message(struct conn *c, size_t bytes)
{
	const struct conn_settings *set = c->worker->conns;
	bool charged =
	    has_rates(&set->address_rates) || (has_rates(&set->user_rates) && conn_identity(c));
	struct meter *m = charged || has_rates(&set->rates) ? meter_of(c) : NULL;
	const char *why = NULL;
	uint64_t now = now_ns(c), over, more;

	if (!m)
		return;
	over = bucket_add(&m->messages, now, cost(set->rates.message, 1), BURST);
	more = bucket_add(&m->bytes, now, cost(set->rates.byte, bytes), BURST);
	over = more > over ? more : over;
	more = charged ? charge(c, m, bytes, &why) : 0;
	if (over >= more)
		slow_for(c, over, "more messages or bytes a second than it may send");
	else
		slow_for(c, more, why);
}

bool meter_rate(struct conn *c, double rate)
{
	struct meter *m = meter_of(c);
	uint64_t cost = (uint64_t)((double)NS / rate), before;

	if (!m)
		return true;
	before = m->token;
	if (!bucket_add(&m->token, now_ns(c), cost, cost > NS ? cost : NS))
		return true;
	m->token = before;
	return false;
}

void meter_work(struct conn *c, uint64_t cost, const char *why)
{
	struct meter *m = meter_of(c);

	if (m)
		slow_for(c, bucket_add(&m->work, now_ns(c), cost, METER_WORK_BURST), why);
}

void meter_join(struct conn *c)
{
	const struct conn_settings *set = c->worker->conns;
	struct address a;
	uint64_t over;

	if (!set->rate_joins || !conn_counts(c, &a))
		return;
	over = shares_spend(set->shares, shares_address(set->shares, &a), SHARE_JOINS, 1,
			    set->rate_joins, now_ns(c), true);
	if (over)
		counter_add(&c->worker->counters, slowed_joins, 1);
	slow_for(c, over, "its address joins more often than it may");
}

bool meter_error(struct conn *c, bool strikes, unsigned *n)
{
	struct meter *m = meter_of(c);
	bool over = m && bucket_add(&m->errors, now_ns(c), METER_ERROR, METER_ERROR_BURST) != 0;

	if (m)
		m->strikes = over ? m->strikes + strikes : 0;
	if (n)
		*n = m ? m->strikes : 0;
	return over;
}

void meter_trim(struct conn *c, bool end)
{
	struct meter *m = c->input ? c->input->meter : NULL;
	const char *why;
	uint64_t now;

	if (!m)
		return;
	now = now_ns(c);
	if (!end && (m->until_ms || m->messages > now || m->bytes > now || m->work > now ||
		     m->errors > now || m->token > now))
		return;
	if (m->owed)
		settle(c, m, &why);
	c->input->meter = NULL;
	m->conn = NULL;
	if (!m->later.next)
		free(m);
}

/* --- kept for the next */

struct meter *meter_take(struct conn *c)
{
	struct meter *m;
	const char *why;

	meter_trim(c, false);
	m = c->input ? c->input->meter : NULL;
	if (!m)
		return NULL;
	if (m->owed)
		settle(c, m, &why);
	c->input->meter = NULL;
	m->conn = NULL;
	m->kept = true;
	return m;
}

void meter_give(struct conn *c, struct meter *m)
{
	struct conn_input *in = m ? conn_input(c) : NULL;

	if (!in || in->meter) {
		meter_end(m);
		return;
	}
	m->conn = c;
	m->address = address_of(c); /* a proxy's connection has many clients */
	m->kept = false;
	m->over = NULL;
	m->looks = LOOKS;
	in->meter = m;
	worker_delay(c->worker, &m->later);
	wheel_set(&c->worker->wheel, &c->timer, 1);
}

uint64_t meter_waits(struct meter *m, uint64_t now_ms, void (*over)(void *arg), void *arg)
{
	if (m->until_ms <= now_ms)
		return 0;
	m->over = over;
	m->arg = arg;
	return m->until_ms - now_ms;
}

void meter_end(struct meter *m)
{
	if (!m)
		return;
	m->kept = false;
	m->over = NULL;
	if (!m->later.next)
		free(m);
}

static void tell_over(struct meter *m)
{
	void (*over)(void *arg) = m->over;

	m->until_ms = 0;
	m->over = NULL;
	if (over)
		over(m->arg);
}

void meter_resume(struct worker *w, struct turn_entry *e)
{
	struct meter *m = (struct meter *)e;
	struct conn *c = m->conn;

	if (!c && !m->kept) {
		free(m);
	} else if (m->until_ms > worker_now_ms(w)) {
		worker_delay(w, &m->later);
	} else if (!c) {
		tell_over(m);
	} else {
		if (m->until_ms) {
			m->until_ms = 0;
			conn_set_paused(c);
		}
		meter_trim(c, false);
		if (c->input && c->input->meter == m && m->looks && m->looks--)
			worker_delay(w, &m->later);
		conn_input_shrink(c);
	}
}
