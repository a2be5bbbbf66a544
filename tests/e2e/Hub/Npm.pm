# Packages of npm, for the tests that need a client or a page of others: they are brought into the build
# directory once, by whichever test comes first, while the others wait.
package Hub::Npm;

use strict;
use warnings;

use Fcntl qw(LOCK_EX);
use File::Path qw(make_path);
use Hub;

# The program of that name, or undef.
sub program {
	my ($name) = @_;
	my ($path) = grep { -x } map { "$_/$name" } split /:/, $ENV{PATH};
	return $path;
}

# What runs JavaScript beside node, bun or deno: the machine's own, or npm's, which has the programs in packages of each
# machine's kind. Undef where there is none that runs.
sub runtime {
	my ($name) = @_;
	my $own = program($name);
	return $own if $own;
	my $modules = modules({ bun => 'bun@1.4.4', deno => 'deno@2.9.6' }->{$name}) or return;
	for my $program (glob "$modules/bun/bin/bun.exe $modules/\@deno/linux-*/deno") {
		return $program if -x $program && run([ $program, '--version' ])->{status} == 0;
	}
	diag("npm's $name does not run here");
	return;
}

# socket.io-client of several versions, as sio4 and so on.
sub socketio {
	return modules(map { "sio$_->[0]\@npm:socket.io-client\@$_->[1]" } [ 4, '4.8.4' ], [ 45, '4.5.4' ], [ 3, '3.1.3' ], [ 2, '2.5.0' ]);
}

# Where these are, as NODE_PATH has it. Undef where there is no node, no npm, or it does not bring them, which is
# said.
sub modules {
	my (@packages) = @_;
	return unless program('node') && program('npm');
	my $at = "$ENV{HUB_BUILD}/npm/" . join('+', map { tr{/:}{--}r } sort @packages);
	make_path("$ENV{HUB_BUILD}/npm");
	open my $lock, '>', "$at.lock" or die "$at.lock: $!\n";
	flock $lock, LOCK_EX or die "$at.lock: $!\n";
	if (!-d "$at/node_modules") {
		my $new = "$at.new";
		make_path($new);
		# HOME may be the tests' own; what npm was told of its registry is in the user's.
		local $ENV{NPM_CONFIG_USERCONFIG} = (getpwuid $<)[7] . '/.npmrc' unless $ENV{NPM_CONFIG_USERCONFIG};
		my $r = run([ qw(timeout 120 npm install --prefix), $new, qw(--no-audit --no-fund --no-package-lock --loglevel=error), @packages ]);
		if ($r->{status} == 0) {
			rename $new, $at or die "$at: $!\n";
		} else {
			diag("npm does not bring @packages: $r->{err}");
			run([ 'rm', '-rf', $new ]);
		}
	}
	return -d "$at/node_modules" ? "$at/node_modules" : undef;
}

1;
