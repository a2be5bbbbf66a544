/* Bans: each kind is found by what it is about, and by nothing else; they end in time, and there
 * are only so many. */
#include "auth/bans.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hubd/token_stub.h"
#include "unit.h"

static struct token_text text_of(const char *text)
{
	struct token_text t = {.len = (uint16_t)strlen(text)};

	memcpy(t.text, text, t.len);
	return t;
}

static struct whom user(const char *name)
{
	return (struct whom){.user = text_of(name)};
}

static struct whom network(const char *text)
{
	struct whom w = {0};

	assert_null(whom_read_network(&w, text, strlen(text)));
	return w;
}

static enum ban by_address(struct bans *b, const char *text)
{
	struct address a;

	assert_true(address_read(&a, text, strlen(text)));
	return bans_find(b, NULL, &a, 1);
}

static enum ban by_token(struct bans *b, const char *sub, const char *jti, double iat)
{
	struct auth auth = token_stub_auth(token_stub_secret);
	char claims[200];
	struct identity *id;
	enum ban ban;
	int n = snprintf(claims, sizeof(claims), "{\"x\":1");

	if (*sub)
		n += snprintf(claims + n, sizeof(claims) - (size_t)n, ",\"sub\":\"%s\"", sub);
	if (*jti)
		n += snprintf(claims + n, sizeof(claims) - (size_t)n, ",\"jti\":\"%s\"", jti);
	if (iat >= 0)
		n += snprintf(claims + n, sizeof(claims) - (size_t)n, ",\"iat\":%.1f", iat);
	snprintf(claims + n, sizeof(claims) - (size_t)n, "}");
	id = token_stub_identity(&auth, claims);
	ban = bans_find(b, id, NULL, 1);
	identity_unref(id);
	token_stub_free(&auth);
	return ban;
}

static void add(struct bans *b, struct whom w)
{
	assert_int_equal(bans_add(b, &w, 1, 0), 0);
}

static void lift(struct bans *b, struct whom w)
{
	assert_true(bans_remove(b, &w, 1));
	assert_false(bans_remove(b, &w, 1));
}

static void an_address_is_found_by_each_network(void **state)
{
	struct bans *b = bans_new();

	(void)state;
	assert_false(bans_any(b));
	add(b, network("192.0.2.0/24"));
	add(b, network("198.51.100.7"));
	add(b, network("2001:db8:1:2:3::1"));
	assert_true(bans_any(b));
	assert_int_equal(by_address(b, "192.0.2.0"), BAN_ADDRESS);
	assert_int_equal(by_address(b, "192.0.2.255"), BAN_ADDRESS);
	assert_int_equal(by_address(b, "192.0.3.0"), BAN_NONE);
	assert_int_equal(by_address(b, "198.51.100.7"), BAN_ADDRESS);
	assert_int_equal(by_address(b, "198.51.100.6"), BAN_NONE);
	assert_int_equal(by_address(b, "2001:db8:1:2::"), BAN_ADDRESS);
	assert_int_equal(by_address(b, "2001:db8:1:2:ffff::"), BAN_ADDRESS);
	assert_int_equal(by_address(b, "2001:db8:1:3::"), BAN_NONE);
	assert_int_equal(bans_find(b, NULL, &(struct address){.known = false}, 1), BAN_NONE);
	/* A wider one beside it goes on. */
	add(b, network("192.0.2.128/25"));
	lift(b, network("192.0.2.0/24"));
	assert_int_equal(by_address(b, "192.0.2.1"), BAN_NONE);
	assert_int_equal(by_address(b, "192.0.2.129"), BAN_ADDRESS);
	add(b, network("0.0.0.0/0"));
	assert_int_equal(by_address(b, "203.0.113.1"), BAN_ADDRESS);
	assert_int_equal(by_address(b, "2001:db9::"), BAN_NONE);
	bans_free(b);
}

static void a_token_is_found_by_what_it_says(void **state)
{
	struct bans *b = bans_new();
	struct whom issued = {.has_issued = true, .issued_before = 100};

	(void)state;
	assert_int_equal(bans_find(NULL, NULL, NULL, 1), BAN_NONE);
	add(b, user("ann"));
	assert_int_equal(by_token(b, "ann", "", 5), BAN_USER);
	assert_int_equal(by_token(b, "anna", "", 5), BAN_NONE);
	assert_int_equal(by_token(b, "", "ann", 5), BAN_NONE);
	assert_int_equal(bans_find(b, &identity_none, NULL, 1), BAN_NONE);
	lift(b, user("ann"));
	assert_int_equal(by_token(b, "ann", "", 5), BAN_NONE);
	add(b, (struct whom){.jti = text_of("j1")});
	assert_int_equal(by_token(b, "ann", "j1", 5), BAN_TOKEN);
	assert_int_equal(by_token(b, "j1", "j2", 5), BAN_NONE);
	issued.user = text_of("ann");
	add(b, issued);
	assert_int_equal(by_token(b, "ann", "", 99), BAN_ISSUED);
	assert_int_equal(by_token(b, "ann", "", -1), BAN_ISSUED);
	assert_int_equal(by_token(b, "ann", "", 100), BAN_NONE);
	assert_int_equal(by_token(b, "bob", "", 99), BAN_NONE);
	issued.user.len = 0;
	issued.issued_before = 50;
	add(b, issued);
	assert_int_equal(by_token(b, "bob", "", 49), BAN_ISSUED);
	assert_int_equal(by_token(b, "", "", -1), BAN_ISSUED);
	assert_int_equal(by_token(b, "bob", "", 50), BAN_NONE);
	/* Replaced, and lifted whatever the moment. */
	issued.issued_before = 60;
	add(b, issued);
	assert_int_equal(by_token(b, "bob", "", 50), BAN_ISSUED);
	issued.issued_before = 0;
	lift(b, issued);
	assert_int_equal(by_token(b, "bob", "", 1), BAN_NONE);
	assert_int_equal(by_token(b, "ann", "", 99), BAN_ISSUED);
	bans_free(b);
}

static void one_thing_can_be_banned(void **state)
{
	struct whom w = user("ann");
	struct bans *b = bans_new();

	(void)state;
	assert_int_equal(bans_kind(&(struct whom){0}), BAN_NONE);
	assert_int_equal(bans_kind(&w), BAN_USER);
	w.has_issued = true;
	assert_int_equal(bans_kind(&w), BAN_ISSUED);
	w.jti = text_of("j");
	assert_int_equal(bans_kind(&w), BAN_NONE);
	w = network("10.0.0.1");
	assert_int_equal(bans_kind(&w), BAN_ADDRESS);
	w.user = text_of("ann");
	assert_int_equal(bans_kind(&w), BAN_NONE);
	assert_int_equal(bans_add(b, &w, 1, 0), -EINVAL);
	assert_false(bans_remove(b, &w, 1));
	w = user("ann");
	w.session_len = 1;
	assert_int_equal(bans_kind(&w), BAN_NONE);
	w = user("ann");
	w.has_client = true;
	assert_int_equal(bans_kind(&w), BAN_NONE);
	bans_free(b);
}

static void they_end_in_time(void **state)
{
	struct bans *b = bans_new();
	struct auth auth = token_stub_auth(token_stub_secret);
	struct identity *ann = token_stub_identity(&auth, "{\"sub\":\"ann\"}");
	struct ban_listed list[4];
	struct whom w = user("ann");
	bool more;

	(void)state;
	assert_int_equal(bans_add(b, &w, 1000, 2000), 0);
	assert_int_equal(bans_find(b, ann, NULL, 1999), BAN_USER);
	assert_int_equal(bans_list(b, 0, 1500, list, 4, &more), 1);
	assert_true(list[0].left_ms == 500);
	assert_int_equal(bans_list(b, 0, 2000, list, 4, &more), 0);
	assert_int_equal(bans_find(b, ann, NULL, 2000), BAN_NONE);
	assert_false(bans_any(b));
	assert_false(bans_remove(b, &w, 2000));
	/* Made again, it has the later end. */
	assert_int_equal(bans_add(b, &w, 1000, 2000), 0);
	assert_int_equal(bans_add(b, &w, 1000, 3000), 0);
	assert_int_equal(bans_find(b, ann, NULL, 2500), BAN_USER);
	assert_false(bans_remove(b, &w, 3000));
	bans_free(b);
	identity_unref(ann);
	token_stub_free(&auth);
}

static void there_are_only_so_many(void **state)
{
	struct bans *b = bans_new();
	char name[32];
	struct whom w;

	(void)state;
	for (int i = 0; i < BANS_MAX; i++) {
		snprintf(name, sizeof(name), "user %d", i);
		w = user(name);
		assert_int_equal(bans_add(b, &w, 1, i % 2 ? 100 : 0), 0);
	}
	w = user("one more");
	assert_int_equal(bans_add(b, &w, 50, 0), -ENOSPC);
	assert_int_equal(by_token(b, "one more", "", 1), BAN_NONE);
	assert_int_equal(by_token(b, "user 9998", "", 1), BAN_USER);
	/* One that is there can be made anew, and those that are over make room. */
	w = user("user 0");
	assert_int_equal(bans_add(b, &w, 50, 0), 0);
	w = user("one more");
	assert_int_equal(bans_add(b, &w, 100, 0), 0);
	assert_int_equal(by_token(b, "one more", "", 1), BAN_USER);
	assert_int_equal(by_token(b, "user 1", "", 1), BAN_NONE);
	assert_int_equal(by_token(b, "user 2", "", 1), BAN_USER);
	bans_free(b);
}

/* In pages, while some come and go. */
static void they_are_listed_in_pages(void **state)
{
	struct bans *b = bans_new();
	struct ban_listed list[3];
	struct whom issued = {.has_issued = true, .issued_before = 7, .user = text_of("e")};
	bool more;

	(void)state;
	add(b, user("a"));
	add(b, network("2001:db8::/33"));
	add(b, (struct whom){.jti = text_of("c")});
	add(b, user("d"));
	add(b, issued);
	assert_int_equal(bans_list(b, 0, 1, list, 3, &more), 3);
	assert_true(more);
	assert_memory_equal(list[0].whom.user.text, "a", 1);
	assert_int_equal(list[1].whom.network.bits, 33);
	assert_true(list[1].whom.has_network);
	assert_memory_equal(list[2].whom.jti.text, "c", 1);
	assert_int_equal(list[2].whom.user.len, 0);
	lift(b, user("a"));
	lift(b, (struct whom){.jti = text_of("c")});
	assert_int_equal(bans_list(b, list[2].number + 1, 1, list, 3, &more), 2);
	assert_false(more);
	assert_memory_equal(list[0].whom.user.text, "d", 1);
	assert_true(list[1].whom.has_issued && list[1].whom.issued_before == 7);
	assert_memory_equal(list[1].whom.user.text, "e", 1);
	bans_free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_is_found_by_each_network),
	    cmocka_unit_test(a_token_is_found_by_what_it_says),
	    cmocka_unit_test(one_thing_can_be_banned),
	    cmocka_unit_test(they_end_in_time),
	    cmocka_unit_test(there_are_only_so_many),
	    cmocka_unit_test(they_are_listed_in_pages),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("bans", tests, NULL, NULL);
}
