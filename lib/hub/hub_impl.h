/* A struct hub in its parts; private to them: hub.c calls hub_options.c, and both json and client.
 */
#ifndef HUB_HUB_IMPL_H
#define HUB_HUB_IMPL_H

#include "base/url.h"
#include "hub/hub.h"
#include "transport/transport.h"

/* What was asked for, in memory of our own. Zeroed at the start. */
struct hub_settings {
	struct hub_options options; /* its strings are those below */
	struct url url;
	struct transport_options transport;
	char **strings; /* all that transport points at */
	size_t count;
	char proxy[400];
};

/* Copies and checks; options may be NULL. Returns 0, or -errno with the reason in why, as hub_new()
 * says; hub_settings_free() is due in any case. */
int hub_settings_read(struct hub_settings *s, const struct hub_options *options,
		      char why[HUB_ERROR_MAX]);

void hub_settings_free(struct hub_settings *s);

/* Copies a structure that begins with its size, known bytes of which are known here. Returns 0,
 * -EINVAL or -E2BIG. */
int hub_take(void *to, size_t known, const void *from);

#endif
