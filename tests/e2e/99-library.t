# Not under sanitizers.
# What libhub is to others: its names are those of its header, its version script and its page, and no others;
# its structures keep their form; and it compiles in C99 and C++, linked either way, from where it was installed.
use strict;
use warnings;
use Hub;

my $root = root();
my $header = slurp("$root/lib/hub/hub.h");
my $map = slurp("$root/lib/hub/hub.map");
my @names = sort $map =~ /^\t\t(hub_\w+);$/mg;
my $to = scratch() . '/root';
my $install = run([ 'make', '-C', $root, '-o', 'all', "BUILD=$ENV{HUB_BUILD}", "DESTDIR=$to", 'PREFIX=/opt/hub', 'install' ]);
is($install->{status}, 0, 'it is installed') or diag($install->{err});
my $lib = "$to/opt/hub/lib";

sub symbols {
	my (@args) = @_;
	return sort map { (split)[2] } grep { /^\S+ [A-TV-Z] / } split /\n/, run([ 'nm', '--defined-only', @args ])->{out};
}

subtest 'its names' => sub {
	cmp_ok(scalar @names, '>=', 23, 'there are some');
	is_deeply([ symbols('-D', "$lib/libhub.so") ], [ sort 'HUB_0', map { "$_\@\@HUB_0" } @names ], 'of the shared library, with their version');
	is_deeply([ symbols('-g', "$lib/libhub.a") ], \@names, 'of the static one');
	is_deeply([ sort $header =~ /^HUB_EXPORT [^;(]*?\b(hub_\w+)\(/mg ], \@names, 'of the header');
	my $page = slurp("$root/man/libhub.3");
	my ($synopsis) = $page =~ /^\.Sh SYNOPSIS\n(.*?)^\.Sh/ms;
	is_deeply([ sort $synopsis =~ /^\.F[no] (hub_\w+)/mg ], \@names, 'of the page');
	my ($symbols) = slurp("$root/contrib/debian/libhub0.symbols");
	is_deeply([ sort $symbols =~ /^ (hub_\w+)\@HUB_0 /mg ], \@names, 'and of the package');
	like(run([ 'readelf', '-d', "$lib/libhub.so" ])->{out}, qr/SONAME.*\[libhub\.so\.0\]/, 'its SONAME');
};

# What programs were compiled with stays where it is; new members come at the ends. (Of machines with 64 bits.)
my %form = (
	hub_status => [ 80, state => 0, end => 4, reason => 8, code => 16, close_code => 24, attempt => 28, attempts => 32, delay_ms => 36, clean_start => 40, again => 48, client_id => 56 ],
	hub_joined => [ 96, session => 0, epoch => 8, again => 16, asked => 17, recovered => 18, new_log => 19, reason => 24, since => 32, snapshot => 40, seq => 48, user_count => 56, run => 64, rest => 72, left => 80 ],
	hub_message => [ 104, kind => 0, text => 8, len => 16, session => 24, seq => 32, to_seq => 40, state => 48, from => 56, from_len => 64, type => 72, code => 80, about => 88 ],
	hub_refusal => [ 64, tag => 0, text => 8, len => 16, cut => 24, code => 32, about => 40, passes => 48, delay_ms => 52 ],
	hub_events => [ 80, size => 0, state => 8, joined => 16, message => 24, acked => 32, refused => 40, batch => 48, writable => 56, drained => 64, woken => 72 ],
	hub_options => [ 128, size => 0, url => 8, token_file => 16, headers => 24, header_count => 32, cert => 40, key => 48, proxy => 56, insecure => 64, no_reconnect => 65, first_ms => 68, longest_ms => 72, attempts => 76, connect_ms => 80, ping_ms => 88, pong_ms => 96, give_up_ms => 104, queue => 112, once => 120 ],
	hub_place => [ 64, size => 0, from => 8, since => 16, epoch => 24, rest => 32, run => 40, no_echo => 48, fields => 56 ],
);
# Whose size a program says must have it; others may be as large as they are.
my %said = map { $_ => 1 } qw(hub_events hub_options hub_place);

subtest 'its structures' => sub {
	plan skip_all => 'not a machine with 64 bits' unless length(pack 'P', undef) == 8;
	my $checks = '';
	for my $struct (sort keys %form) {
		my ($size, %at) = @{ $form{$struct} };
		for my $member (sort { $at{$a} <=> $at{$b} } keys %at) {
			$checks .= qq(printf("$struct.$member %zu\\n", offsetof(struct $struct, $member));\n);
		}
		$checks .= qq(printf("$struct %zu\\n", sizeof(struct $struct));\n) if $said{$struct};
	}
	my $source = spew(scratch() . '/form.c', "#include <hub.h>\n#include <stdio.h>\nint main(void)\n{\n$checks\nreturn 0;\n}\n");
	my $cc = run([ '/usr/bin/env', 'cc', '-std=c99', '-Wall', '-Wextra', '-Wpedantic', '-Werror', "-I$to/opt/hub/include", '-o', scratch() . '/form', $source ]);
	is($cc->{status}, 0, 'the header alone, in C99') or diag($cc->{err});
	my %got = run([ scratch() . '/form' ])->{out} =~ /^(\S+) (\d+)$/mg;
	my %want;
	for my $struct (keys %form) {
		my ($size, %at) = @{ $form{$struct} };
		$want{"$struct.$_"} = $at{$_} for keys %at;
		$want{$struct} = $size if $said{$struct};
	}
	is_deeply(\%got, \%want, 'are as they were');
};

subtest 'a program of the page' => sub {
	my ($source) = slurp("$root/man/libhub.3") =~ /^\.Sh EXAMPLES.*?^\.Bd[^\n]*\n(.*?)^\.Ed/ms;
	$source =~ s/\\e/\\/g;
	my $file = spew(scratch() . '/page.c', $source);
	# The page's functions do not use all they are given.
	my @cc = ('-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror');
	my $config = sub { return split ' ', run([ 'pkg-config', "--define-variable=prefix=$to/opt/hub", "--define-variable=libdir=$lib", @_, 'libhub' ],
			env => { PKG_CONFIG_PATH => "$lib/pkgconfig" })->{out} };
	plan skip_all => 'no pkg-config here' unless $config->('--modversion');
	my %how = (
		'C, shared' => [ qw(cc -std=c11), @cc, $file, $config->('--cflags', '--libs'), "-Wl,-rpath,$lib" ],
		'C, static' => [ qw(cc -std=c11), @cc, $file, $config->('--cflags'), "$lib/libhub.a", grep { $_ ne '-lhub' } $config->('--libs', '--static') ],
		'C++, shared' => [ qw(c++ -x c++ -Wall -Wno-unused-parameter -Werror), $file, $config->('--cflags', '--libs'), "-Wl,-rpath,$lib" ],
	);
	my $hub = Hub->start;
	for my $how (sort keys %how) {
		my $to_file = scratch() . '/page' . $how =~ s/\W//gr;
		my @command = @{ $how{$how} };
		if ($command[0] eq 'c++' && !grep { -x "$_/c++" } split /:/, $ENV{PATH}) {
			pass("$how: no compiler here");
			next;
		}
		# The libraries that it brings, for linking with all that these name themselves.
		my $cc = run([ '/usr/bin/env', @command, '-Wl,--allow-shlib-undefined', '-o', $to_file ]);
		is($cc->{status}, 0, "$how: compiles") or diag($cc->{err});
		my $proc = spawn([$to_file], env => { HUB_URL => "unix:$hub->{socket}" });
		my $c = $hub->member('unix', 'room');
		wait_for { $c->send({ type => 'hello' }); grep { $_->{type} eq 'welcome' } $c->sync } 'the answer';
		$c->send({ type => 'bye' });
		is($proc->wait, 0, "$how: answers, and ends");
		$c->vanish;
	}
	$hub->stop;
};

subtest 'versions of structures' => sub {
	my $source = spew(scratch() . '/newer.c', <<'END');
#include <errno.h>
#include <hub.h>
#include <stdio.h>
int main(void)
{
	struct { struct hub_options o; long more[4]; } newer;
	char why[HUB_ERROR_MAX];
	struct hub *h;
	int r;

	hub_init(&newer, sizeof(newer));
	newer.o.url = "unix:/nowhere";
	r = hub_new(&h, &newer.o, NULL, NULL, why);
	printf("%d\n", r);
	hub_free(h);
	newer.more[2] = 1;
	printf("%d %s\n", hub_new(&h, &newer.o, NULL, NULL, why) == -E2BIG, why);
	newer.o.size = 0;
	printf("%d %s\n", hub_new(&h, &newer.o, NULL, NULL, why) == -EINVAL, why);
	printf("%s\n", hub_version());
	return 0;
}
END
	my $cc = run([ '/usr/bin/env', 'cc', '-Wall', '-Werror', "-I$to/opt/hub/include", '-o', scratch() . '/newer', $source, "-L$lib", '-lhub', "-Wl,-rpath,$lib" ]);
	is($cc->{status}, 0, 'compiles') or diag($cc->{err});
	my ($version) = slurp("$root/Makefile") =~ /^VERSION := (\S+)$/m;
	is(run([ scratch() . '/newer' ])->{out}, <<"END", 'a newer program that asks for nothing new is served; else it is told');
0
1 the options are those of a newer library
1 the options are not made by HUB_INIT()
$version
END
};

done_testing;
