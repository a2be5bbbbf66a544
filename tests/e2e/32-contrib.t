# Not under sanitizers.
# What is not needed to build, but handed out: the example configuration names every option and its real
# default, the unit is one that systemd takes, completion knows what the programs know, and what install
# puts down uninstall takes away.
use strict;
use warnings;
use Hub;

my $root = root();
my $help = run([ 'hubd', '--help' ])->{out};
my $conf = slurp("$root/contrib/hub.conf");
my %default = map { /^ +(?:-\w, )?--(\S+) [A-Z:]+\s+.*\(([^()]+)\)$/ ? ($1 => $2) : () } split /\n(?= +-)/, $help =~ s/\n {20,}/ /gr;

subtest 'hub.conf' => sub {
	my $hub = Hub->start(only => [ '-c', "$root/contrib/hub.conf", '-l', '127.0.0.1:0', '-s', scratch() . '/conf.sock' ]);
	is(scalar @{ $hub->{ready}{listen} }, 1, 'hubd takes it');
	$hub->stop;

	my @names = grep { !/^(?:config|ready-fd|help|version)$/ } $help =~ /^ +(?:-\w, )?--(\S+)/mg;
	my %value = map { /^#?([a-z-]+) = (.+)$/ ? ($1 => $2) : () } split /\n/, $conf;
	is_deeply([ sort keys %value ], [ sort @names ], 'it has every option');
	for my $name (sort keys %value) {
		next if $name =~ /^(?:tls-cert|tls-key|socket|workers|max-connections|client-version|store|keys)$/;
		is($value{$name} =~ s/(?<=\d)s$//r, $default{$name}, "$name: the default");
	}

	my $all = $conf =~ s/^#(?=[a-z-]+ = )//mgr =~ s/^(?:tls-|store |keys ).*\n//mgr;
	my $path = spew(scratch() . '/all.conf', $all);
	$hub = Hub->start(only => [ '-c', $path, '-l', '127.0.0.1:0', '-s', scratch() . '/all.sock' ]);
	$hub->member('ws', 's');
	pass('hubd takes all that is commented out');
	$hub->stop;
};

subtest 'hubd.service' => sub {
	my $unit = slurp("$root/contrib/hubd.service");
	my ($command) = $unit =~ /^ExecStart=(.*)/m;
	is($command, '/usr/local/bin/hubd -c /etc/hub.conf', 'it starts hubd where install puts it');
	my ($directory) = $unit =~ /^RuntimeDirectory=(.*)/m;
	like($conf, qr{^socket = /run/$directory/}m, 'the socket of the example lies in its directory');
	my ($state) = $unit =~ /^StateDirectory=(.*)/m;
	like($conf, qr{^#store = /var/lib/$state/}m, 'and the store in its other one');
	my ($systemd) = grep { -x } map { "$_/systemd-analyze" } split /:/, $ENV{PATH};
	plan skip_all => 'no systemd-analyze here' unless $systemd;
	mkdir scratch() . '/unit';
	my $copy = spew(scratch() . '/unit/hubd.service', $unit =~ s{/usr/local/bin/hubd}{$ENV{HUB_BUILD}/hubd}r);
	my $verify = run([ $systemd, 'verify', '--man=no', '--recursive-errors=no', $copy ]);
	is(join("\n", grep { /hubd\.service/ } split /\n/, $verify->{out} . $verify->{err}), '',
		'systemd finds nothing wrong');
};

subtest 'completion' => sub {
	my ($bash) = grep { -x } map { "$_/bash" } split /:/, $ENV{PATH};
	plan skip_all => 'no bash here' unless $bash;
	my $script = spew(scratch() . '/complete', <<'END');
. "$1/contrib/completions/hub.bash"
PATH=$2:$PATH
shift 2
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
how=$(complete -p "$1")
function=${how#* -F }
"${function%% *}" "$1" "${!#}" "${@:$#-1:1}"
printf '%s\n' "${COMPREPLY[@]}"
END
	my $complete = sub {
		my $r = run([ $bash, $script, $root, $ENV{HUB_BUILD}, @_ ]);
		is($r->{err}, '', "@_: nothing to complain of");
		return [ grep { length } split /\n/, $r->{out} ];
	};
	for my $program ('hubd', 'hubcat', 'hubbench') {
		my @lines = grep { /^ +-/ } split /\n/, run([ $program, '--help' ])->{out};
		my @options = map { /^ +(-\w), (--\S+)/ ? ($1, $2) : /^ +(-\S+)/ ? $1 : () } @lines;
		cmp_ok(scalar @options, '>', 20, "$program: options");
		is_deeply([ sort @{ $complete->($program, '-') } ], [ sort @options ], "$program: all of them");
		for my $line (@lines) {
			my ($option, $arg) = $line =~ /^ +(?:-\w, )?(--\S+)(?: ([A-Z][A-Za-z:|]*))?/;
			my $files = $complete->($program, $option, "$root/READ");
			is_deeply($files, ($arg // '') =~ /^(?:FILE|PATH)$/ ? ["$root/README.md"] : [],
				"$program: $option " . ($arg // 'has no argument'));
		}
	}
	my @commands = run([ 'hubreplay', '--help' ])->{out} =~ /^  (\w+) /mg;
	is_deeply($complete->('hubreplay', ''), \@commands, 'hubreplay: its commands');
	for my $command (@commands) {
		my @options = map { /^ +(-\w), (--\S+)/ ? ($1, $2) : /^ +(-\S+)/ ? $1 : () } split /\n/,
		    run([ 'hubreplay', $command, '--help' ])->{out};
		is_deeply([ sort @{ $complete->('hubreplay', $command, '-') } ], [ sort @options ], "hubreplay $command: the options");
	}
	is_deeply($complete->('hubreplay', 'play', '--seal', "$root/READ"), ["$root/README.md"], 'a file of a key');
	for my $option ('slow', 'sync', 'log-level') {
		my ($choices) = Hub->refuses("--$option", 'x')->{err} =~ /is none of (.*?) \(try/;
		is_deeply($complete->('hubd', "--$option", ''), [ split /, /, $choices ], "--$option: what it may be");
	}
	for my $option ('--scenario', '--dialect') {
		my ($choices) = run([ 'hubbench', $option, 'x' ])->{err} =~ /is none of (.*?) \(try/;
		is_deeply($complete->('hubbench', $option, ''), [ split /, /, $choices ], "$option: what it may be");
	}
	is_deeply($complete->('hubd', '--slow', '=', 'r'), ['resync'], 'also behind an equals sign');
	is_deeply($complete->('hubcat', '-u', 'w'), [ 'ws://', 'wss://' ], 'the beginnings of a URL');
};

subtest 'install and uninstall' => sub {
	my $to = scratch() . '/root';
	my @make = ('make', '-C', $root, '-o', 'all', "BUILD=$ENV{HUB_BUILD}", "DESTDIR=$to", 'PREFIX=/opt/hub');
	my $install = run([ @make, 'install' ]);
	is($install->{status}, 0, 'install') or diag($install->{err});
	my @files = sort split /\n/, run([ 'find', $to, '-type', 'f' ])->{out} =~ s{^\Q$to\E/opt/hub/}{}mgr;
	my @want = ('share/bash-completion/completions/hubd', map { m{/(bin/\w+)$} ? $1 : m{/([\w-]+\.(\d))$} ? "share/man/man$2/$1" : () }
	    glob "$root/bin/* $root/man/*");
	is_deeply(\@files, [ sort @want ], 'programs and pages');
	like(run([ "$to/opt/hub/bin/hubd", '--version' ])->{out}, qr/^hubd \d/, 'that run');
	is(run([ @make, 'uninstall' ])->{status}, 0, 'uninstall');
	is(run([ 'find', $to, '-type', 'f' ])->{out}, '', 'leaves nothing');
};

done_testing;
