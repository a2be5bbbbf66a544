# A clock that has moved on whenever it is looked at, as on a machine that is busy: nobody is refused for what only
# seems to have lasted long.
# Not under sanitizers.
use strict;
use warnings;
use Hub;
use Hub::Redis;

plan skip_all => Hub::Redis::missing() if Hub::Redis::missing();
plan skip_all => 'a library goes before that of the sanitizer' unless no_sanitizer();

my $library = scratch() . '/clock.so';
my $made = run([ 'cc', '-shared', '-fPIC', '-O1', '-o', $library, spew(scratch() . '/clock.c', <<'END'), '-ldl' ]);
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

static atomic_long looks;

/* A millisecond more each time. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int (*real)(clockid_t, struct timespec *) =
	    (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(id, ts);

	if (id == CLOCK_MONOTONIC) {
		long ns = ts->tv_nsec + ++looks % 1000 * 1000000;

		ts->tv_sec += looks / 1000 + ns / 1000000000;
		ts->tv_nsec = ns % 1000000000;
	}
	return r;
}
END
plan skip_all => "no such library can be made here: $made->{err}" if $made->{status};

my $redis = Hub::Redis->start;
my $hub = $redis->hub(env => { LD_PRELOAD => $library });
my $c = $hub->member('unix', 's', echo => JSON::PP::false);
my @refused;
for my $i (1 .. 1000) {
	$c->send({ type => 'said', msg_id => "$i" });
	my $answer = $c->next;
	push @refused, $answer unless $answer->{type} eq 'ack' && $answer->{seq} == $i - @refused;
}
is(scalar @refused, 0, 'none of 1,000 messages is refused') or diag(json($refused[0]));
$hub->stop;
done_testing;
