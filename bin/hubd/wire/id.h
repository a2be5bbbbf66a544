/* 64-bit ids as text: client ids and epochs. */
#ifndef HUBD_ID_H
#define HUBD_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_LEN 11 /* characters: 64 bits in base 62, 0-9 A-Z a-z, leading zeros kept */

/* Writes id, with a NUL. */
void id_text(uint64_t id, char out[ID_LEN + 1]);

/* Its inverse; false where the text is not of that form. */
bool id_parse(const char *text, size_t len, uint64_t *id);

#endif
