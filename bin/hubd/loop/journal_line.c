/* Invariant: there is always room for the end of a line, so a message that is too long is cut and
 * the line is whole. */
#include "loop/journal_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

#define END_ROOM 4 /* `"}`, a line feed and a NUL */

static const char *const levels[] = {"error", "warn", "info", "debug"};
static const char *const events[] = {
#define EVENT_NAME(name) #name,
    JOURNAL_EVENTS(EVENT_NAME)
#undef EVENT_NAME
};
/* syslog(3) */
static const int numbers[] = {3, 4, 6, 7};

struct text {
	char *p;
	size_t len, max;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, t->max - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < t->max ? t->len + (size_t)n : t->max - 1;
}

static bool put_whole(struct text *t, const char *s)
{
	size_t len = strlen(s);

	if (t->len + len >= t->max)
		return false;
	memcpy(t->p + t->len, s, len);
	t->len += len;
	return true;
}

/* A character beyond ASCII, for JSON. */
static void escape_character(const unsigned char *s, size_t len, char out[16])
{
	uint32_t c = *s & (0x7fu >> len);

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	if (c < 0x10000)
		snprintf(out, 16, "\\u%04x", c);
	else
		snprintf(out, 16, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
}

/* A character of a text from outside, whole or not at all. In a field of a line of text, which ends
 * with a space, there is none. Returns its bytes; 0 where there is no room. */
static size_t put_character(struct text *t, const char *p, const char *end, bool json, bool field)
{
	const unsigned char *s = (const unsigned char *)p;
	size_t len = json && *s >= 0x80 ? utf8_sequence(s, (const unsigned char *)end) : 1;
	char out[16] = {*p};

	if (len > 1)
		escape_character(s, len, out);
	else if (json && *s >= 0x80)
		strcpy(out, "\\ufffd");
	else if (*s < 0x20 || *s >= 0x7f || (field && !json && (*s == ' ' || *s == '\\')))
		snprintf(out, sizeof(out), json ? "\\u%04x" : "\\x%02x", *s);
	else if (json && (*s == '"' || *s == '\\'))
		snprintf(out, sizeof(out), "\\%c", *s);
	return !put_whole(t, out) ? 0 : len ? len : 1;
}

static void put_text(struct text *t, const char *p, size_t max, bool json, bool field)
{
	const char *end = p + strnlen(p, max);
	size_t n;

	while (p < end && (n = put_character(t, p, end, json, field)) > 0)
		p += n;
}

static void put_field(struct text *t, const char *name, const char *value, bool json)
{
	if (!value)
		return;
	put(t, json ? ",\"%s\":\"" : " %s=", name);
	put_text(t, value, JOURNAL_FIELD, json, true);
	if (json)
		put(t, "\"");
}

static void put_time(struct text *t, uint64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	char day[24] = "";
	struct tm tm;

	if (gmtime_r(&s, &tm))
		strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	put(t, "%s.%03uZ", day, (unsigned)(wall_ms % 1000));
}

size_t journal_line(char out[JOURNAL_LINE], bool json, bool systemd, uint64_t wall_ms,
		    enum err_level level, enum journal_event event, const struct journal_who *who,
		    const char *message)
{
	struct text t = {out, 0, JOURNAL_LINE - END_ROOM};

	if (systemd)
		put(&t, "<%d>", numbers[level]);
	else
		put(&t, json ? "{\"time\":\"" : "");
	if (!systemd)
		put_time(&t, wall_ms);
	if (json)
		put(&t, "\",\"level\":\"%s\",\"event\":\"%s\"", levels[level], events[event]);
	else
		put(&t, systemd ? "%.0s%s" : " %-5s %s", levels[level], events[event]);
	put_field(&t, "door", who->door, json);
	if (who->conn)
		put(&t, json ? ",\"conn\":%u" : " conn=%u", who->conn);
	put_field(&t, "peer", who->peer, json);
	put_field(&t, "user", who->user, json);
	put(&t, json ? ",\"message\":\"" : ": ");
	put_text(&t, message, JOURNAL_LINE, json, false);
	t.max = JOURNAL_LINE;
	put(&t, json ? "\"}\n" : "\n");
	return t.len;
}
