/* Invariant: only what is certain is a guess. */
#include "speak/guess.h"

#include <string.h>

static bool begins(const char *text, size_t len, const char *front)
{
	size_t n = strlen(front);

	return len >= n && memcmp(text, front, n) == 0;
}

static bool has(const char *text, size_t len, const char *part)
{
	return memmem(text, len, part, strlen(part)) != NULL;
}

const struct dialect *guess_message(const char *text, size_t len)
{
	/* Engine.IO 3 and 4 open with their session. */
	if (begins(text, len, "0{\"sid\":"))
		return &dialect_socketio;
	if (begins(text, len, "{\"type\":\"session_associate\","))
		return &dialect_raw;
	if (begins(text, len, "{\"type\":\"error\",\"data\":{\"code\":\"") ||
	    begins(text, len, "{\"type\":\"session_associated\","))
		return &dialect_hub;
	return NULL;
}

bool guess_answer(const struct dialect *d, const char *text, size_t len)
{
	/* Polling is answered with the session, the wrong version with an error of Engine.IO. */
	if (d == &dialect_socketio)
		return has(text, len, "0{\"sid\":") ||
		       has(text, len, "{\"code\":0,\"message\":\"") ||
		       has(text, len, "{\"code\":3,\"message\":\"Bad request\"") ||
		       has(text, len, "{\"code\":5,\"message\":\"Unsupported protocol version\"");
	/* hub(7), Other HTTP requests. */
	if (d == &dialect_hub)
		return begins(text, len, "HTTP/1.1 426 ") &&
		       has(text, len, "\nUpgrade: websocket\r");
	return false;
}
