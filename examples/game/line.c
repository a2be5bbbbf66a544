#include "line.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

static const char *skip_value(const char *p)
{
	int depth = 0;

	while (*p && (depth > 0 || !strchr(",}]", *p))) {
		depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
		p = *p == '"' ? skip_string(p) : p + 1;
	}
	return p;
}

struct text line_member(const char *line, const char *name)
{
	size_t len = strlen(name);
	struct text found = {"", 0};

	for (const char *p = strchr(line, '"'), *value; p; p = strchr(p, '"')) {
		bool same = strncmp(p + 1, name, len) == 0 && p[len + 1] == '"';

		value = skip_string(p);
		value += strspn(value, " \t:");
		p = skip_value(value);
		if (same && *value == '"')
			found = (struct text){value + 1, (int)(skip_string(value) - value) - 2};
		else if (same)
			found = (struct text){value, (int)(p - value)};
	}
	return found;
}

int line_number(struct text t, int min, int max)
{
	double n = t.len ? strtod(t.p, NULL) : 0;

	return n > min ? n < max ? (int)n : max : min;
}

bool line_is(struct text t, const char *what)
{
	return t.len == (int)strlen(what) && memcmp(t.p, what, (size_t)t.len) == 0;
}

const char *line_numbers(const char *p, int *numbers, int n)
{
	for (int i = 0; i < n; i++) {
		char *end;

		if (*p != '[' && *p != ',')
			return NULL;
		numbers[i] = (int)strtol(p + 1, &end, 10);
		if (end == p + 1)
			return NULL;
		p = end;
	}
	return p;
}

bool line_read(void (*take)(const char *line))
{
	static char in[1 << 18];
	static size_t len;
	ssize_t n = read(0, in + len, sizeof(in) - 1 - len);
	char *line = in, *end;

	if (n <= 0)
		return false;
	in[len += (size_t)n] = '\0';
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		take(line);
	}
	len -= (size_t)(line - in);
	memmove(in, line, len);
	return true;
}
