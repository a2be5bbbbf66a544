# hubd --www: files beside the doors, by requests written by hand and by curl; what leads out of the folder, or is
# no file, is not there; of a large one no more is in memory than the client is about to take.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Metrics;
use Hub::Proxy;
use POSIX qw(mkfifo);

chance();
my $dir = scratch() . '/www';
my $more = scratch() . '/more';
mkdir $_ or die "$_: $!\n" for $dir, $more, map { "$dir/$_" } qw(sub empty odd odd/index.html .git metrics);
my $big = join '', map { pack 'N', int rand 2**32 } 1 .. 750_000;
my %file = (
	'index.html' => "<!doctype html>home\n", 'app.js' => "export {};\n", 'APP.CSS' => "p {}\n", 'none' => "?\n",
	'a.b.json' => "{}\n", 'empty.txt' => '', 'sp ace.txt' => "space\n", "\xc3\xbc.txt" => "umlaut\n", 'no.html.bin' => 'b',
	'sub/index.html' => "sub\n", 'sub/x.wasm' => "\0asm", '.secret' => "no\n", '.git/config' => "no\n", 'big.bin' => $big,
	'metrics/index.html' => "no\n", 'q?.txt' => "question\n",
);
spew("$dir/$_", $file{$_}) for keys %file;
spew("$more/more.txt", "more\n");
spew("$more/app.js", "hidden\n");
spew(scratch() . '/outside.txt', "no\n");
symlink '../outside.txt', "$dir/out.txt";
symlink '..', "$dir/up";
symlink scratch(), "$dir/abs";
symlink 'app.js', "$dir/in.js";
symlink 'sub', "$dir/insub";
symlink '/proc/self/root', "$dir/proc";
mkfifo("$dir/pipe.txt", 0600) or die "mkfifo: $!\n";

my $hub = Hub->start(args => [ '--www', $dir, '--www', $more ]);
sub fetch { return Hub::Http->fetch($hub, @_) }

my $html = 'text/html; charset=utf-8';
my @cases = (
	# path, status, type, body
	[ '/', 200, $html, $file{'index.html'} ],
	[ '/index.html', 200, $html, $file{'index.html'} ],
	[ '/?a=b&c', 200, $html, $file{'index.html'} ],
	[ '/app.js', 200, 'text/javascript; charset=utf-8', $file{'app.js'} ],
	[ '/%61pp%2Ejs?v=1', 200, undef, $file{'app.js'} ],
	[ '/APP.CSS', 200, 'text/css; charset=utf-8', $file{'APP.CSS'} ],
	[ '/a.b.json', 200, 'application/json', $file{'a.b.json'} ],
	[ '/none', 200, 'application/octet-stream', $file{none} ],
	[ '/no.html.bin', 200, 'application/octet-stream', 'b' ],
	[ '/empty.txt', 200, 'text/plain; charset=utf-8', '' ],
	[ '/sp%20ace.txt', 200, undef, "space\n" ],
	[ '/%c3%bc.txt', 200, undef, "umlaut\n" ],
	[ '/q%3F.txt', 200, undef, "question\n" ],
	[ '/sub/', 200, $html, "sub\n" ],
	[ '/sub/x.wasm', 200, 'application/wasm', "\0asm" ],
	[ '/more.txt', 200, undef, "more\n" ],
	[ 'http://localhost/app.js', 200, undef, $file{'app.js'} ],
	[ '/healthz', 200, 'application/json', undef ],
	[ '/metrics', 200, qr{^text/plain; version=}, undef ],
	(map { [ $_, 404, 'application/json', qr/"not_found"/ ] }
		qw(/nothing /sub/nothing /app.js/ /app.js/x /sub//x.wasm //sub/x.wasm /sub/x.wasm/ /empty/ /odd/ /sub/./x.wasm),
		qw(/. /.. /../outside.txt /sub/../app.js /sub/../../outside.txt /%2e%2e/outside.txt /sub/%2e%2e/app.js),
		qw(/..%2foutside.txt /%2e%2e%2foutside.txt /sub%2fx.wasm /..%5coutside.txt /.secret /%2esecret /.git/config /.git),
		qw(/sub/.%2e/.secret /out.txt /up/outside.txt /up/www/app.js /abs/outside.txt /in.js /insub/x.wasm /insub/),
		qw(/proc/etc/passwd /pipe.txt /app.js%00.html /%00 /), "/" . 'a' x 300, '/' . 'a/' x 3000) , # but for the root
);
@cases = grep { !($_->[0] eq '/' && $_->[1] == 404) } @cases;

for my $unix (0, 1) {
	subtest 'what is there, and what not, over ' . ($unix ? 'the Unix socket' : 'TCP') => sub {
		my $c = Hub::Http->open($hub, unix => $unix);
		for my $case (@cases) {
			my ($path, $status, $type, $body) = @$case;
			my $name = length $path > 60 ? substr($path, 0, 20) . '...' : $path;
			$c->ask('GET', $path);
			my $a = $c->answer;
			is($a->{status}, $status, $name);
			like($a->{headers}{'content-type'}, ref $type ? $type : qr/^\Q$type\E$/, 'its type') if defined $type;
			ref $body ? like($a->{body}, $body, 'its error') : is($a->{body}, $body, 'itself') if defined $body;
			next if $status != 200 || !defined $body;
			is($a->{headers}{'x-content-type-options'}, 'nosniff', 'nothing else than that');
			is($a->{headers}{'cache-control'}, 'no-cache', 'asked for again each time');
			$c->ask('HEAD', $path);
			my $head = $c->answer;
			is(json($head->{headers}), json({ %{ $a->{headers} }, date => $head->{headers}{date} }), 'HEAD says the same');
		}
	};
}

subtest 'a folder has a slash behind it' => sub {
	for ([ '/sub', './sub/' ], [ '/sub?x=%20y', './sub/?x=%20y' ], [ '/%73ub', './%73ub/' ], [ '/empty', './empty/' ]) {
		my $a = fetch('GET', $_->[0]);
		is("$a->{status} $a->{headers}{location}", "301 $_->[1]", $_->[0]);
	}
	my $got = run([ 'curl', '-sL', "http://127.0.0.1:$hub->{port}/sub" ]);
	is($got->{out}, "sub\n", 'curl goes there');
};

subtest 'only to be read' => sub {
	for my $method (qw(POST PUT DELETE OPTIONS)) {
		is(fetch($method, '/app.js')->{status}, 404, "no $method");
	}
	my $a = fetch('GET', '/app.js', body => 'x' x 100);
	is("$a->{status} $a->{body}", "200 $file{'app.js'}", 'a body that came with it is thrown away');
	is(fetch('GET', '/app.js', body => 'x' x 70000)->{status}, 413, 'not one of any size');
};

subtest 'what the client has already' => sub {
	my $a = fetch('GET', '/app.js');
	my $tag = $a->{headers}{etag};
	like($tag, qr/^"[!#-~]+"$/, 'a strong tag');
	my @same = ($tag, "W/$tag", qq("x", $tag), qq("a,b" , W/$tag,), '*', ",, $tag");
	for my $method ('GET', 'HEAD') {
		for (@same) {
			$a = fetch($method, '/app.js', headers => ["If-None-Match: $_"]);
			is("$a->{status} $a->{body}", '304 ', "$method: $_");
			is($a->{headers}{etag}, $tag, 'which it is told');
			ok(!exists $a->{headers}{'content-length'}, 'and nothing comes');
		}
	}
	$a = fetch('GET', '/app.js', headers => [ 'If-None-Match: "x"', "If-None-Match: $tag", 'Range: bytes=0-1' ]);
	is($a->{status}, 304, 'in two lines, before any range');
	for ('"x"', 'x', $tag =~ s/^"/"x/r, $tag =~ tr/"//dr, "w/$tag", "\"x\" $tag\"", '"', '') {
		$a = fetch('GET', '/app.js', headers => ["If-None-Match: $_"]);
		is($a->{status}, 200, "not by: $_") if $_ ne "\"x\" $tag\"";
	}
	is(fetch('GET', '/none', headers => ["If-None-Match: $tag"])->{status}, 200, 'nor another file by it');
	spew("$dir/changes.txt", 'one');
	my $one = fetch('GET', '/changes.txt')->{headers}{etag};
	spew("$dir/changes.new", 'two');
	rename "$dir/changes.new", "$dir/changes.txt";
	$a = fetch('GET', '/changes.txt', headers => ["If-None-Match: $one"]);
	is("$a->{status} $a->{body}", '200 two', 'nor what has taken its place');
};

subtest 'what the client means' => sub {
	my $tag = fetch('GET', '/app.js')->{headers}{etag};
	for my $method ('GET', 'HEAD') {
		for ($tag, qq("x", $tag), '*', qq(W/"x",$tag)) {
			is(fetch($method, '/app.js', headers => ["If-Match: $_"])->{status}, 200, "$method: if it is $_");
		}
		for ('"x"', "W/$tag", $tag =~ tr/"//dr, '') {
			my $a = fetch($method, '/app.js', headers => ["If-Match: $_"]);
			is($a->{status}, 412, "$method: not if it is to be: $_");
			is($a->{lines}[0]{data}{code}, 'precondition_failed', 'and why') if $method eq 'GET';
		}
	}
	my $a = fetch('GET', '/app.js', headers => [ 'If-Match: "x"', "If-Match: $tag", 'Range: bytes=0-1' ]);
	is("$a->{status} $a->{body}", '206 ex', 'in two lines, and a part of it');
	is(fetch('GET', '/app.js', headers => [ 'If-Match: "x"', "If-None-Match: $tag" ])->{status}, 412, 'before what it has');
	is(fetch('GET', '/app.js', headers => [ "If-Match: $tag", "If-None-Match: $tag" ])->{status}, 304, 'and then that');
	is(fetch('GET', '/nothing', headers => ['If-Match: *'])->{status}, 404, 'of what is not there nothing is asked');
	is(fetch('GET', '/sub', headers => ['If-Match: "x"'])->{status}, 301, 'nor of a folder');
};

subtest 'parts' => sub {
	my $n = length $big;
	my $last = $n - 1;
	my @parts = (
		# asked for, from, length; undef: all of it; 'beyond'
		[ 'bytes=0-0', 0, 1 ], [ 'bytes=0-99', 0, 100 ], [ 'bytes=100-', 100, $n - 100 ], [ 'bytes=-5', $n - 5, 5 ],
		[ "bytes=$last-", $last, 1 ], [ "bytes=$last-$last", $last, 1 ], [ "bytes=5-$n", 5, $n - 5 ],
		[ 'bytes=5-99999999999999999999999999', 5, $n - 5 ], [ 'bytes=-99999999999999999999999999', 0, $n ],
		[ 'BYTES=1-2', 1, 2 ], [ 'bytes= 1-2 ', 1, 2 ], [ 'bytes=,1-2,', 1, 2 ], [ "bytes=-$n", 0, $n ],
		[ "bytes=$n-", 'beyond' ], [ 'bytes=99999999999999999999999999-', 'beyond' ], [ 'bytes=-0', 'beyond' ],
		map { [$_] } 'bytes=2-1', 'bytes=0-1,3-4', 'bytes=', 'bytes', 'bytes=-', 'bytes=x-', 'bytes=1', 'bytes=1-x', 'bytes=1 -2',
		'bytes=+1-2', 'lines=1-2', '=1-2', '1-2', 'bytes=1-2x', 'bytes=--2',
	);
	my $c = Hub::Http->open($hub);
	for (@parts) {
		my ($range, $from, $len) = @$_;
		$c->ask('GET', '/big.bin', headers => ["Range: $range"]);
		my $a = $c->answer;
		if (!defined $from) {
			is($a->{status}, 200, "$range: all");
			ok($a->{body} eq $big, 'of it');
		} elsif ($from eq 'beyond') {
			is("$a->{status} $a->{headers}{'content-range'}", "416 bytes */$n", "$range: nothing");
		} else {
			is("$a->{status} $a->{headers}{'content-range'}", "206 bytes $from-" . ($from + $len - 1) . "/$n", $range);
			ok($a->{body} eq substr($big, $from, $len), 'its bytes');
		}
	}
	is(fetch('HEAD', '/big.bin', headers => ['Range: bytes=0-1'])->{status}, 200, 'none of HEAD');
	is(fetch('GET', '/big.bin', headers => [ 'Range: bytes=0-1', 'Range: bytes=0-1' ])->{status}, 200, 'none of two');
	is(fetch('GET', '/empty.txt', headers => ['Range: bytes=0-'])->{status}, 416, 'an empty file has none');
	is(fetch('GET', '/empty.txt', headers => ['Range: bytes=-5'])->{status}, 200, 'but an end');
	my $tag = fetch('HEAD', '/big.bin')->{headers}{etag};
	for ([ $tag, 206 ], [ "W/$tag", 200 ], [ '"x"', 200 ], [ 'Sun, 06 Nov 1994 08:49:37 GMT', 200 ]) {
		is(fetch('GET', '/big.bin', headers => [ 'Range: bytes=0-1', "If-Range: $_->[0]" ])->{status}, $_->[1], "if $_->[0]");
	}
	my $out = scratch() . '/curl.bin';
	spew($out, substr $big, 0, 1_234_567);
	my $got = run([ 'curl', '-sS', '-C', '-', '-o', $out, "http://127.0.0.1:$hub->{port}/big.bin" ]);
	is($got->{err}, '', 'curl goes on with what it has');
	ok(slurp($out) eq $big, 'and has all');
};

subtest 'one behind the other' => sub {
	for my $unix (0, 1) {
		my $c = Hub::Http->open($hub, unix => $unix);
		$c->ask('GET', $_) for qw(/app.js /big.bin /nothing /sub /big.bin /healthz);
		is(join(' ', map { my $a = $c->answer; "$a->{status}:" . length $a->{body} } 1 .. 5) =~ s/404:\d+/404/r,
			'200:' . length($file{'app.js'}) . ' 200:' . length($big) . ' 404 301:0 200:' . length $big, 'answers keep their order');
		is($c->answer->{lines}[0]{status}, 'ok', 'and what is no file comes behind them');
	}
	my $c = Hub::Http->open($hub);
	$c->send_bytes("GET /big.bin HTTP/1.0\r\n\r\n");
	shutdown $c->{fh}, 1;
	push @{ $c->{asked} }, 'GET';
	my $a = $c->answer;
	ok($a->{body} eq $big, 'HTTP/1.0, by who has said all');
	wait_for { $c->{gone} } 'the end';
	is($a->{headers}{connection}, 'close', 'and ends');
};

subtest 'who does not read' => sub {
	my @c = map { Hub::Http->open($hub, reading => 0) } 1 .. 40;
	my $huge = scratch() . '/www/huge.bin';
	open my $fh, '>', $huge or die "$huge: $!\n";
	truncate $fh, 200_000_000;
	close $fh;
	my $open = sub { scalar grep { (readlink($_) // '') eq $huge } glob '/proc/' . $hub->pid . '/fd/*' };
	for my $c (@c) {
		syswrite $c->{fh}, "GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n";
	}
	becomes { $open->() == 40 } 'forty are under way';
	# As much waits as ever will.
	my ($seen, $still, $before) = (0, 0, -1);
	wait_for {
		$seen = scrape($hub)->{'hubd_memory_bytes{kind="unsent"}'} // die "no such metric\n";
		$still = $seen && $seen == $before ? $still + 1 : 0;
		$before = $seen;
		$still > 5
	} 'the sockets to be full';
	cmp_ok($seen, '<=', 40 * 2 * 16384, "no more than two pieces of each wait ($seen bytes)");
	is(fetch('GET', '/app.js')->{body}, $file{'app.js'}, 'others have theirs meanwhile');
	$_->vanish for @c;
	becomes { $open->() == 0 } 'who goes takes its file along';
	unlink $huge;
};

subtest 'a file that becomes shorter' => sub {
	my $path = "$dir/shrinks.bin";
	open my $fh, '>', $path or die "$path: $!\n";
	truncate $fh, 100_000_000;
	my $c = Hub::Http->open($hub, reading => 0);
	syswrite $c->{fh}, "GET /shrinks.bin HTTP/1.1\r\nHost: localhost\r\n\r\n";
	my $open = sub { scalar grep { (readlink($_) // '') eq $path } glob '/proc/' . $hub->pid . '/fd/*' };
	wait_for { $open->() } 'it to be under way';
	truncate $fh, 1000;
	$c->{reading} = 1;
	my $head = $c->head;
	is($head->{headers}{'content-length'}, 100_000_000, 'it was to have so much');
	wait_for { $c->{gone} } 'the end';
	cmp_ok(length $c->{rbuf}, '<', 100_000_000, 'the connection ends before');
	is(fetch('GET', '/shrinks.bin')->{headers}{'content-length'}, 1000, 'the next one gets what there is');
};

# A file whose bytes are not in memory, on a disk that does not answer until it is let.
subtest 'a disk that is slow' => sub {
	# A sanitizer wants to be the first library.
	local $ENV{ASAN_OPTIONS} = join ':', grep { defined } $ENV{ASAN_OPTIONS}, 'verify_asan_link_order=0';
	my ($gate, $asked) = map { scratch() . "/disk.$_" } 'gate', 'asked';
	my $library = scratch() . '/disk.so';
	my $made = run([ 'cc', '-shared', '-fPIC', '-O1', '-o', $library, spew(scratch() . '/disk.c', <<'END'), '-ldl' ]);
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int cold(int fd)
{
	char name[64], path[512];
	ssize_t n;

	name[0] = 0;
	strcat(name, "/proc/self/fd/");
	for (int d = 1000, any = 0; d; d /= 10)
		if (fd / d % 10 || any || d == 1)
			any = 1, strncat(name, (char[]){(char)('0' + fd / d % 10), 0}, 1);
	n = readlink(name, path, sizeof(path) - 1);
	return n > 9 && memcmp(path + n - 9, "/cold.bin", 9) == 0;
}

ssize_t preadv2(int fd, const struct iovec *v, int n, off_t at, int flags)
{
	ssize_t (*real)(int, const struct iovec *, int, off_t, int) =
	    (ssize_t(*)(int, const struct iovec *, int, off_t, int))dlsym(RTLD_NEXT, "preadv2");

	if (flags && cold(fd)) {
		errno = EAGAIN;
		return -1;
	}
	return real(fd, v, n, at, flags);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
	ssize_t (*real)(int, void *, size_t, off_t) =
	    (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread");
	struct stat st;

	if (cold(fd)) {
		int asked = open(getenv("DISK_ASKED"), O_WRONLY | O_APPEND | O_CREAT, 0600);

		write(asked, "x", 1);
		close(asked);
		while (stat(getenv("DISK_GATE"), &st) < 0)
			usleep(5000);
	}
	return real(fd, to, n, at);
}

ssize_t preadv64v2(int fd, const struct iovec *v, int n, off64_t at, int flags)
{
	return preadv2(fd, v, n, at, flags);
}

ssize_t pread64(int fd, void *to, size_t n, off64_t at)
{
	return pread(fd, to, n, at);
}
END
	plan skip_all => "no such library can be made here: $made->{err}" if $made->{status};
	spew("$dir/cold.bin", substr $big, 0, 100_000);
	my $slow = Hub->start(workers => 1, args => [ '--www', $dir ], env => { LD_PRELOAD => $library, DISK_GATE => $gate, DISK_ASKED => $asked });
	my @c = map { Hub::Http->open($slow) } 1 .. 3;
	$_->ask('GET', '/cold.bin') for @c;
	becomes { (-s $asked // 0) == 3 } 'three wait for it';
	is(Hub::Http->fetch($slow, 'GET', '/app.js')->{body}, $file{'app.js'}, 'others do not, by the same thread');
	my $member = $slow->member('ws', 's');
	$member->send({ type => 'hello' });
	is($member->wait_type('hello')->{seq}, 1, 'and talk');
	(pop @c)->vanish;
	$c[1]->send_bytes("GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n");
	push @{ $c[1]{asked} }, 'GET';
	spew($gate, '');
	for my $c (@c) {
		my $a = $c->answer;
		is("$a->{status} " . ($a->{body} eq substr($big, 0, 100_000) ? 'all' : 'something else'), '200 all', 'then it comes');
	}
	is($c[1]->answer->{body}, $file{'app.js'}, 'and what was asked for behind it');
	my $a = Hub::Http->fetch($slow, 'GET', '/cold.bin', headers => ['Range: bytes=20000-59999']);
	is("$a->{status} " . ($a->{body} eq substr($big, 20_000, 40_000) ? 'that' : 'something else'), '206 that', 'a part of it');
	cmp_ok(-s $asked, '>=', 3 + 2 * 6, 'a piece at a time');
	unlink $gate;
	my $last = Hub::Http->open($slow);
	my $before = -s $asked;
	$last->ask('GET', '/cold.bin');
	wait_for { -s $asked > $before } 'one more to wait';
	$slow->{proc}->kill('TERM');
	wait_for { $slow->log_text =~ /sending \d+ connections away/ } 'the end to begin';
	spew($gate, '');
	$slow->ended(name => 'it ends well when one waits');
};

subtest 'who may ask' => sub {
	my $ask = sub { Hub::Http->fetch($hub, 'GET', '/app.js', headers => [@_])->{status} };
	my $c = $hub->tcp;
	$c->send_bytes("GET /app.js HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	wait_for { $c->{complete} } 'an answer';
	is($c->{status}, 403, 'nobody for another host');
	my $strict = Hub->start(args => [ '--www', $dir, '--origin', 'https://a.example', '--cors', 'https://a.example' ]);
	is(Hub::Http->fetch($strict, 'GET', '/app.js', headers => ['Origin: https://b.example'])->{status}, 403, 'no page of another origin');
	my $a = Hub::Http->fetch($strict, 'GET', '/app.js', headers => ['Origin: https://a.example']);
	is("$a->{status} $a->{headers}{'access-control-allow-origin'}", '200 https://a.example', 'those that are let in, who may read it');
	$strict->stop;
	my $key = scratch() . '/www.key';
	run([ 'hubtoken', 'keygen', '-o', $key ]);
	my $keys = Hub->start(args => [ '--www', $dir, '--auth-key', "$key.pub" ]);
	is(Hub::Http->fetch($keys, 'GET', '/app.js')->{status}, 200, 'files need no token');
	is(Hub::Http->fetch($keys, 'GET', '/sessions/s/state')->{status}, 401, 'sessions do');
	$keys->stop;
};

subtest 'over TLS' => sub {
	my $pem = Hub::Proxy::certificate();
	my $tls = Hub->start(args => [ '--www', $dir, '--tls-cert', $pem->{cert}, '--tls-key', $pem->{key} ]);
	my $out = scratch() . '/tls.bin';
	for my $rate ('1G', '3M') {
		my $got = run([ 'curl', '-sS', '--limit-rate', $rate, '--cacert', $pem->{cert}, '-o', $out, '-w', '%{http_code}',
			"https://localhost:$tls->{port}/big.bin" ]);
		is("$got->{out}$got->{err}", '200', 'curl has it');
		ok(slurp($out) eq $big, 'all of it');
	}
	$tls->stop;
};

subtest 'another folder' => sub {
	my $conf = spew(scratch() . '/www.conf', "www = $dir\n");
	my $live = Hub->start(args => [ '-c', $conf ]);
	is(Hub::Http->fetch($live, 'GET', '/more.txt')->{status}, 404, 'not there');
	spew($conf, "www = $more\n");
	$live->{proc}->kill('HUP');
	becomes { Hub::Http->fetch($live, 'GET', '/more.txt')->{status} == 200 } 'there after SIGHUP';
	is(Hub::Http->fetch($live, 'GET', '/sub/')->{status}, 404, 'in place of the other one');
	spew($conf, "www = $dir/app.js\n");
	$live->{proc}->kill('HUP');
	becomes { $live->log_text =~ m{www \S+/app.js: Not a directory; everything stays as it was} } 'what is none is told';
	is(Hub::Http->fetch($live, 'GET', '/more.txt')->{status}, 200, 'and changes nothing');
	$live->stop;
	my $none = Hub->refuses('--www', scratch() . '/nowhere', '--socket', scratch() . '/x', '--listen', 'none');
	is($none->{status}, 78, 'at the start it is an error');
	like($none->{err}, qr{^hubd: www \S+/nowhere: No such file or directory$}, 'that says so');
	my $plain = Hub->start;
	is(Hub::Http->fetch($plain, 'GET', '/')->{status}, 404, 'without the option there are no files');
	$plain->stop;
};

$hub->stop;
done_testing;
