# Long. Not under sanitizers.
# What is made to take away: the tarball is the same each time, also made from what came out of it, and what came
# out of it builds and runs where there is no git; Debian's packages say what they are, and, where asked for, are
# built and tried in a Debian of their own. HUB_TEST_PACKAGES=1: some minutes, as root, with a mirror.
use strict;
use warnings;
use Hub;

my $root = root();
my ($version) = slurp("$root/Makefile") =~ /^VERSION := (\S+)$/m;
my ($tar) = grep { -x } map { "$_/tar" } split /:/, $ENV{PATH};

sub dist {
	my ($from, $to, %env) = @_;
	my $r = run([ "$from/contrib/dist", "hub-$version", $to ], env => \%env);
	is($r->{status}, 0, "a tarball of $from") or diag($r->{err});
	return slurp($to);
}

subtest 'the tarball' => sub {
	plan skip_all => 'no tar here' unless $tar;
	my $dir = scratch();
	my $first = dist($root, "$dir/1.tar.gz");
	ok($first eq dist($root, "$dir/2.tar.gz", TZ => 'Asia/Tokyo', LC_ALL => 'C.UTF-8'), 'is the same each time');
	is(run([ $tar, '-C', $dir, '-xzf', "$dir/1.tar.gz" ])->{status}, 0, 'unpacked');
	my $at = "$dir/hub-$version";
	ok($first eq dist($at, "$dir/3.tar.gz", GIT_CEILING_DIRECTORIES => $dir), 'and from what came out of it');
	ok(!-e "$at/build", 'without what was built');
	delete local @ENV{qw(MAKEFLAGS MFLAGS HUB_BUILD)};
	my @make = (qw(/usr/bin/env make -j2), '-C', $at, 'CFLAGS=-O0');
	# The programs that the check is about.
	my $make = run([ @make, 'build/hubd', 'build/hubcat' ], env => { GIT_CEILING_DIRECTORIES => $dir });
	is($make->{status}, 0, 'which builds') or diag(substr $make->{err}, -2000);
	my $check = run([ $^X, "-I$at/tests/e2e", "$at/tests/e2e/01-session.t" ], env => { HUB_BUILD => "$at/build" });
	is($check->{status}, 0, 'and passes a check') or diag($check->{out} . $check->{err});
	my $lint = run([ "$at/tests/check-rooms", 'includes' ]);
	is($lint->{out}, '', 'with all of its files');
};

subtest 'what the packages say' => sub {
	my $at = "$root/contrib/debian";
	my ($epoch, $upstream) = slurp("$at/changelog") =~ /\Ahub \((\d+):([^-]+)-\d+\)/;
	is($upstream, $version, 'their version is that of the programs');
	cmp_ok($epoch, '>', 0, 'above that of the other hub');
	my @control = slurp("$at/control") =~ /^Package: (\S+)$/mg;
	is_deeply(\@control, [qw(hub libhub0 hub-dev hub-js)], 'which they are');
	my %install = map { my $p = $_; map { $_ => $p } split /\n/, slurp("$at/$p.install") } @control;
	my $to = scratch() . '/root';
	my $make = run([ 'make', '-C', $root, '-o', 'all', "BUILD=$ENV{HUB_BUILD}", "DESTDIR=$to", 'PREFIX=/usr', 'libdir=/usr/lib/x',
		'zsh_completions=/usr/share/zsh/vendor-completions', 'install' ]);
	is($make->{status}, 0, 'what is installed') or diag($make->{err});
	for my $file (split /\n/, run([ 'find', $to, '(', '-type', 'f', '-o', '-type', 'l', ')' ])->{out} =~ s{^\Q$to\E/}{}mgr) {
		my @in = grep { my $glob = quotemeta($_) =~ s/\\\*/[^\/]*/gr; $file =~ /\A$glob\z/ } sort keys %install;
		is(scalar @in, 1, "$file: in one package");
	}
	my %examples = map { my $p = $_; map { $_ => $p } -e "$at/$p.examples" ? split /\n/, slurp("$at/$p.examples") : () } @control;
	ok(-e "$root/$_", "$_: there") for sort keys %examples;
};

subtest 'the packages' => sub {
	plan skip_all => 'HUB_TEST_PACKAGES=1 asks for that: it takes some minutes' unless $ENV{HUB_TEST_PACKAGES};
	delete local @ENV{qw(MAKEFLAGS MFLAGS HUB_BUILD)};
	alarm 3000;
	my $build = scratch() . '/build';
	my $deb = run([ '/usr/bin/env', 'make', '-C', $root, "BUILD=$build", 'deb' ]);
	plan skip_all => $deb->{err} =~ s/\n.*//sr if $deb->{err} =~ /^deb: .* is missing/m;
	is($deb->{status}, 0, 'are built') or diag(substr $deb->{err}, -2000);
	my $try = run([ "$root/contrib/debian/try", "$build/deb" ]);
	SKIP: {
		skip $try->{err} =~ s/\n.*//sr, 1 if $try->{status} == 69;
		is($try->{status}, 0, 'and good') or diag($try->{out} . $try->{err});
	}
};

done_testing;
