/* cmocka with the headers it wants before itself, whatever order the formatter prefers. */
#ifndef HUB_UNIT_H
#define HUB_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#define UNIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
