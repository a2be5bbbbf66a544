/* What operators have set before this hub was started, and its store has kept. */
#ifndef HUBD_RECALL_H
#define HUBD_RECALL_H

struct members;
struct store;

/* Sets it again, before anybody is there. What cannot be set is said; 0, or -EIO after saying why.
 */
int recall(struct store *store, const char *file, struct members *members);

#endif
