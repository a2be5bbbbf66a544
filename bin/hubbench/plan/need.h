/* Memory that the program cannot do without: there is some, or it ends. For the rooms that may end
 * it, this one and those above. */
#ifndef HUBBENCH_NEED_H
#define HUBBENCH_NEED_H

#include "base/err.h"

static inline void *need(void *p)
{
	if (!p)
		err_die(EX_OSERR, "out of memory");
	return p;
}

#endif
