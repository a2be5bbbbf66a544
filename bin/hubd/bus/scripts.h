/* The scripts that run in Redis: files beside this one, in the program since it was built. */
#ifndef HUBD_SCRIPTS_H
#define HUBD_SCRIPTS_H

#include "json/envelope.h"

enum script {
	SCRIPT_PUBLISH,
	SCRIPT_OPEN,
	SCRIPT_LOOK,
	SCRIPT_RENEW,
	SCRIPT_DELETE,
	SCRIPT_HERE,
	SCRIPTS,		/* all above are of sessions; */
	SCRIPT_LEASE = SCRIPTS, /* these are the bridge's */
	SCRIPT_RELEASE,
	SCRIPTS_ALL
};

#define SCRIPT_KEYS 6 /* of each of a session's: those of the session */

/* Its text, which lives for ever. */
struct span script_text(enum script script);

#endif
