# Not under sanitizers.
# What is not needed to build, but handed out: the example configuration names every option and its real
# default, the unit is one that systemd takes, completion knows what the programs know, and what install
# puts down uninstall takes away.
use strict;
use warnings;
use Hub;
use Hub::Proxy;

my $root = root();
my $help = run([ 'hubd', '--help' ])->{out};
my $conf = slurp("$root/contrib/hub.conf");
my %default = map { /^ +(?:-\w, )?--(\S+) [A-Z:]+\s+.*\(([^()]+)\)$/ ? ($1 => $2) : () } split /\n(?= +-)/, $help =~ s/\n {20,}/ /gr;

subtest 'hub.conf' => sub {
	my $hub = Hub->start(only => [ '-c', "$root/contrib/hub.conf", '-l', '127.0.0.1:0', '-s', scratch() . '/conf.sock' ]);
	is(scalar @{ $hub->{ready}{listen} }, 1, 'hubd takes it');
	$hub->stop;

	my @names = grep { !/^(?:config|ready-fd|check|rules-test|help|version)$/ } $help =~ /^ +(?:-\w, )?--(\S+)/mg;
	my %value = map { /^#?([a-z-]+)(?: = (.+))?$/ ? ($1 => $2 // 'on') : () } split /\n/, $conf;
	is_deeply([ sort keys %value ], [ sort @names ], 'it has every option');
	for my $name (sort keys %value) {
		next if $name =~ /^(?:listen-proxy|trust-proxy|host|origin|cors|www|tls-cert|tls-key|socket|workers|max-connections|max-polling|socketio-echo|client-version|store|bus|bus-ca|bus-socketio|bus-socketio-redis|keys|rules|user|auth-\w+|allow-query-token|insecure|deflate|area)$/;
		is($value{$name} =~ s/(?<=\d)s$//r, $default{$name}, "$name: the default");
	}

	my $all = $conf =~ s/^#(?=[a-z-]+(?: = |\n))//mgr =~ s/^(?:listen-proxy |tls-|store |bus |bus-ca |keys |rules |user |auth-key |host |www ).*\n//mgr;
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

# What a hub on the internet is given, with the files and the port of this test in place of its own.
subtest 'on the internet' => sub {
	my $site = slurp("$root/contrib/hub-internet.conf");
	my $pem = Hub::Proxy::certificate();
	my $keys = scratch() . '/internet.key';
	is(run([ 'hubtoken', 'keygen', '-o', $keys ])->{status}, 0, 'a key for tokens');
	my $put = sub {
		my ($name, $value) = @_;
		$site =~ s/^\Q$name\E = .*$/$name = $value/m or die "hub-internet.conf has no $name\n";
	};
	$put->('listen', '127.0.0.1:0');
	$put->('socket', scratch() . '/internet.sock');
	$put->('tls-cert', $pem->{cert});
	$put->('tls-key', $pem->{key});
	$put->('auth-key', "$keys.pub");
	my $path = spew(scratch() . '/internet.conf', $site);
	my $check = run([ 'hubd', '-c', $path, '--check' ]);
	is($check->{status}, 0, 'hubd --check takes it') or diag($check->{err});
	my $internet = Hub->start(only => [ '-c', $path ]);
	unlike($internet->log_text, qr/max-connections/, 'it may have as many files') if run([ 'sh', '-c', 'ulimit -Hn' ])->{out} >= 20064;

	my $token = run([ 'hubtoken', 'sign', '-k', $keys ], in => json({ sub => 'ann', aud => 'hub.example.org',
		iss => 'https://login.example.org/', exp => time + 600 }))->{out};
	chomp $token;
	my $come = sub {
		my (%o) = @_;
		my @lines = ("Host: $o{host}", map { "Origin: $_" } $o{origin} // ());
		push @lines, "Authorization: Bearer $token" if $o{token};
		my $r = run([ 'curl', '-sS', '--max-time', 60, '--cacert', $pem->{ca}, '-o', '/dev/null', '-w', '%{http_code}',
			(map { ('-H', $_) } @lines), "https://127.0.0.1:$internet->{port}/sessions/s/state" ]);
		return $r->{out};
	};
	my %good = (host => 'hub.example.org', origin => 'https://example.org', token => 1);
	is($come->(%good), 404, 'a page of the site with a token comes in: there is no such session yet');
	is($come->(%good, origin => undef), 404, 'so does a program');
	is($come->(%good, token => 0), 401, 'not without a token');
	is($come->(%good, origin => 'https://evil.example'), 403, 'nor a page of another site');
	is($come->(%good, host => 'localhost'), 403, 'nor by another name');
	# The numbers of it fit those of the drop-in.
	my $unit = slurp("$root/contrib/hubd-internet.conf");
	my ($files) = $unit =~ /^LimitNOFILE=(\d+)$/m;
	my ($connections) = $site =~ /^max-connections = (\d+)$/m;
	is($files, $connections + 64, 'as many files as connections, and 64');
	my ($memory) = $unit =~ /^MemoryMax=(\d+)M$/m;
	my ($held) = $site =~ /^connection-memory = (\d+)M$/m;
	my ($history) = $site =~ /^history-memory = (\d+)M$/m;
	cmp_ok($memory, '>', $held + $history + $connections * 15 / 1024, 'and memory for all that it allows');
	$internet->stop;
	my ($systemd) = grep { -x } map { "$_/systemd-analyze" } split /:/, $ENV{PATH};
	return unless $systemd;
	mkdir $_ for scratch() . '/inet', scratch() . '/inet/hubd.service.d';
	my $copy = spew(scratch() . '/inet/hubd.service',
		slurp("$root/contrib/hubd.service") =~ s{/usr/local/bin/hubd}{$ENV{HUB_BUILD}/hubd}r);
	spew(scratch() . '/inet/hubd.service.d/internet.conf', $unit);
	my $verify = run([ $systemd, 'verify', '--man=no', '--recursive-errors=no', $copy ]);
	is(join("\n", grep { /hubd\.service|internet\.conf/ } split /\n/, $verify->{out} . $verify->{err}), '',
		'systemd finds nothing wrong with the drop-in');
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
			is_deeply($files, ($arg // '') =~ /^(?:FILE|PATH|DIR)$/ ? ["$root/README.md"] : [],
				"$program: $option " . ($arg // 'has no argument'));
		}
	}
	for my $program ('hubreplay', 'hubtoken') {
		my @commands = run([ $program, '--help' ])->{out} =~ /^  (\w+) /mg;
		is_deeply($complete->($program, ''), \@commands, "$program: its commands");
		for my $command (@commands) {
			my @options = map { /^ +(-\w), (--\S+)/ ? ($1, $2) : /^ +(-\S+)/ ? $1 : () } split /\n/,
			    run([ $program, $command, '--help' ])->{out};
			is_deeply([ sort @{ $complete->($program, $command, '-') } ], [ sort @options ], "$program $command: the options");
		}
	}
	is_deeply($complete->('hubreplay', 'play', '--seal', "$root/READ"), ["$root/README.md"], 'a file of a key');
	for my $option ('slow', 'sync', 'proxy-header', 'log-level') {
		my ($choices) = Hub->refuses("--$option", 'x')->{err} =~ /is none of (.*?) \(try/;
		is_deeply($complete->('hubd', "--$option", ''), [ split /, /, $choices ], "--$option: what it may be");
	}
	my ($algs) = run([ 'hubtoken', 'keygen', '-a', 'x' ])->{err} =~ /is none of (.*?) \(try/;
	is_deeply($complete->('hubtoken', 'keygen', '-a', ''), [ split /, /, $algs ], '-a: what it may be');
	for my $option ('--scenario', '--dialect') {
		my ($choices) = run([ 'hubbench', $option, 'x' ])->{err} =~ /is none of (.*?) \(try/;
		is_deeply($complete->('hubbench', $option, ''), [ split /, /, $choices ], "$option: what it may be");
	}
	is_deeply($complete->('hubd', '--slow', '=', 'r'), ['resync'], 'also behind an equals sign');
	is_deeply($complete->('hubcat', '-u', 'w'), [ 'ws://', 'wss://' ], 'the beginnings of a URL');
};

# What zsh would be told; and once by zsh itself, at a terminal.
subtest 'completion in zsh' => sub {
	my ($zsh) = grep { -x } map { "$_/zsh" } split /:/, $ENV{PATH};
	plan skip_all => 'no zsh here' unless $zsh;
	my $script = spew(scratch() . '/told', <<'END');
setopt extendedglob
_arguments() { [[ $1 == -S ]] && shift; print -rl -- "$@" }
_describe() { print -rl -- "${(P@)2}" }
path=($2 $path)
root=$1
shift 2
service=$1 words=("$@") CURRENT=$#
. $root/contrib/completions/hub.zsh
END
	my $told = sub {
		my $r = run([ $zsh, '-f', $script, $root, $ENV{HUB_BUILD}, @_ ]);
		is($r->{err}, '', "@_: nothing to complain of");
		return [ grep { length } split /\n/, $r->{out} ];
	};
	for my $case ([ ['hubd'], 'hubd', '' ], [ ['hubcat'], 'hubcat', '' ], [ ['hubbench'], 'hubbench', '' ], [ [qw(hubreplay play)], qw(hubreplay play), '' ],
		[ [qw(hubtoken sign)], qw(hubtoken sign), '' ]) {
		my ($command, @words) = @$case;
		my @options = map { /^ +(-\w), (--\S+)/ ? ($1, $2) : /^ +(-\S+)/ ? $1 : () } split /\n/, run([ @$command, '--help' ])->{out};
		my @got = @{ $told->(@words) };
		is(pop @got, '*: :_files', 'files');
		is_deeply([ map { /^\*(-[-\w]+)\[/ } @got ], \@options, "@$command: all of them");
	}
	is_deeply([ map { s/:.*//r } @{ $told->('hubtoken', '') } ], [ run([ 'hubtoken', '--help' ])->{out} =~ /^  (\w+) /mg ], 'commands');
	my ($config) = grep { /^\*--config/ } @{ $told->('hubd', '') };
	is($config, '*--config[read options from FILE (name = value)]:FILE:_files', 'a file');
	my $r = run([ $zsh, '-f', spew(scratch() . '/terminal', <<'END'), $root, $ENV{HUB_BUILD}, scratch() ]);
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= PS2= path=($2 \$path) fpath=($3 \$fpath); cp $1/contrib/completions/hub.zsh $3/_hub"
zpty -w z "autoload -U compinit; compinit -u -d $3/zcompdump; print -r -- rea'dy'"
while zpty -r z line && [[ $line != *ready* ]]; do :; done
zpty -n -w z $'hubd --socketio-p\t'
out=
while zpty -r z c '*socketio-path*' ; do out+=$c; [[ $out == *--socketio-path* ]] && break; done
print -r -- $out
zpty -d z
END
	like($r->{out}, qr/--socketio-path/, 'at a terminal');
};

subtest 'install and uninstall' => sub {
	my $to = scratch() . '/root';
	my @make = ('make', '-C', $root, '-o', 'all', "BUILD=$ENV{HUB_BUILD}", "DESTDIR=$to", 'PREFIX=/opt/hub');
	my $install = run([ @make, 'install' ]);
	is($install->{status}, 0, 'install') or diag($install->{err});
	my @files = sort split /\n/, run([ 'find', $to, '-type', 'f' ])->{out} =~ s{^\Q$to\E/opt/hub/}{}mgr;
	my @want = ('share/bash-completion/completions/hubd', 'share/zsh/site-functions/_hub', 'share/hub/hub.js', 'share/hub/hub.d.ts', 'share/hub/dashboard/index.html',
		'include/hub.h', 'lib/libhub.a', 'lib/libhub.so.0.1.0', 'lib/pkgconfig/libhub.pc', map { m{/(bin/\w+)$} ? $1 : m{/([\w.-]+\.(\d))$} ? "share/man/man$2/$1" : () }
	    glob "$root/bin/* $root/man/*");
	is_deeply(\@files, [ sort @want ], 'programs, pages, the library and the module');
	is_deeply([ map { readlink "$to/opt/hub/lib/$_" } 'libhub.so', 'libhub.so.0' ], [ ('libhub.so.0.1.0') x 2 ], 'and its names');
	like(run([ "$to/opt/hub/bin/hubd", '--version' ])->{out}, qr/^hubd \d/, 'that run');
	is(run([ @make, 'uninstall' ])->{status}, 0, 'uninstall');
	is(run([ 'find', $to, '-type', 'f' ])->{out}, '', 'leaves nothing');
};

done_testing;
