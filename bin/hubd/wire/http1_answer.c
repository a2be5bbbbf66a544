/* Answers. Each function appends all of its part or nothing. */
#include "wire/http1_answer.h"

#include <errno.h>
#include <time.h>

static const struct {
	int status;
	const char *phrase;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

/* The phrase of a status that hubd answers with; "" of any other, which is a valid phrase. */
static const char *reason_of(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].phrase;
	return "";
}

int http1_put_status(struct buf *b, int status)
{
	if (status < 100 || status > 599)
		return -EINVAL;
	return buf_printf(b, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
}

int http1_put_field(struct buf *b, const char *name, const char *value)
{
	const char *end = value + strlen(value);

	if (!http1_all(name, strlen(name), HTTP1_TOKEN) || http1_control(value, end) != end)
		return -EINVAL;
	return buf_printf(b, "%s: %s\r\n", name, value);
}

/* Not strftime(), which speaks the locale's language. */
int http1_put_date(struct buf *b, int64_t seconds)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
		return -EINVAL;
	return buf_printf(b, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
			  days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
			  tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
