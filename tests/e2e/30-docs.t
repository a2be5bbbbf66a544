# Not under sanitizers.
# The pages say what the programs do: every option and its limits, every example as it is printed, and
# the protocol's examples word by word.
# Long.
use strict;
use warnings;
use Hub;
use Hub::Pages;

my $root = root();
my %page = (
	hubd => "$root/man/hubd.8", hubcat => "$root/man/hubcat.1", hubbench => "$root/man/hubbench.1",
	hub => "$root/man/hub.7"
);

for my $path (values %page) {
	my $lint = run([ 'mandoc', '-T', 'lint', '-W', 'warning', $path ]);
	is($lint->{out} . $lint->{err}, '', "$path: mandoc finds nothing");
}

# What the page says of each option: "-c, --config FILE" => text, in order.
sub documented {
	my ($source) = @_;
	my ($text) = $source =~ /^The options are:\n\.Bl[^\n]*\n(.*?)^\.El\n(?!\.Pp\nIt is one line)/ms;
	my @options;
	for my $line (split /\n/, $text) {
		if ($line =~ /^\.It (Fl .*)/) {
			my ($names, $arg) = split / Ar /, $1;
			my $title = join ', ', map { /^Fl (.+)/ ? "-$1" : () } split / , (?=Fl )| , /, $names =~ s/ , (?!Fl)/ , Fl /gr;
			push @options, [ $title . (defined $arg ? " $arg" : ''), '' ];
		} elsif (@options) {
			$options[-1][1] .= "$line\n";
		}
	}
	return @options;
}

for my $program ('hubd', 'hubcat', 'hubbench') {
	subtest "$program --help" => sub {
		my $help = run([ $program, '--help' ])->{out};
		my %about;
		my @titles = map { s/^\s+//r } $help =~ /^ {2,6}(-\S+(?: --?\S+)*(?: [A-Z][A-Za-z:|\/=,.]*)?)(?=  |\n)/mg;
		my $source = slurp($page{$program});
		my @documented = documented($source);
		is_deeply([ map { $_->[0] } @documented ], \@titles, 'the page has the same options, in the same order');

		my ($usage) = $help =~ /^usage: \w+ (.*)/;
		my $synopsis = run([ 'mandoc', '-T', 'ascii', $page{$program} ])->{out} =~ s/.\x08//gr;
		$synopsis =~ s/.*^SYNOPSIS\s+\w+ (.*?)^QUICK START.*/$1/ms;
		$synopsis =~ s/\s+/ /g;
		$synopsis =~ s/ \z//;
		if ($program ne 'hubd') {
			is($synopsis, $usage, 'and the same synopsis');
			return;
		}
		my ($start) = $usage =~ /^(.*) \[OPTION\]\.\.\.$/;
		is(index($synopsis, $start), 0, 'the synopsis begins as the usage does');
		my @all = map { s/^(?:-\w, )?(?=--)//r } grep { !/^-[hVclsw],/ } @titles;
		is_deeply([ map { /\[(--[^\]]+)\]/ } split /(?<=\])(?:\.\.\.)? /, $synopsis ], \@all, 'and has all the others');

		for my $option (@documented) {
			my ($title, $text) = @$option;
			my ($name, $arg) = $title =~ /--(\S+)(?: (\S+))?$/;
			$text =~ s/\s+/ /g;
			# The end of the help is the default.
			if ($help =~ /\Q$title\E\s+[^\n]*\((\d\w*)\)$/m) {
				like($text, qr/The default is (?:\.Cm )?\Q$1\E\b/, "$name: the default");
			} elsif ($arg && $name ne 'config') {
				like($text, qr/\bdefault\b/, "$name: says something of its default");
			}
			next unless $arg && $arg =~ /^(?:N|BYTES|SECONDS)$/ && $name ne 'ready-fd';
			my $refused = Hub->refuses("--$name", $arg eq 'SECONDS' ? '99999999999' : '9999999999999999');
			my ($min, $max) = $refused->{err} =~ /out of range \((\S+) to (\S+?)(?: \w+)?\)/;
			$_ = plain($_) for $min, $max;
			my ($low, $high) = $text =~ /((?:\d+\.)?\d+\w?)(?: bytes)? to (\d+\w?)/;
			is_deeply([ map { bytes($_) } $low, $high ], [ $min, $max ], "$name: its limits");
		}
	};
}

sub plain { return 0 + ($_[0] // -1) }

sub bytes {
	my ($n, $unit) = ($_[0] // '') =~ /^((?:\d+\.)?\d+)([kMG]?)$/ or return -1;
	return $n * { '' => 1, k => 2**10, M => 2**20, G => 2**30 }->{$unit};
}

# The protocol, played by one client: ">" to the hub, "<" from it.
subtest 'the examples of hub(7)' => sub {
	my $hub = Hub->start(args => [ '--ping', 0 ]);
	my @lines;
	for my $block (slurp($page{hub}) =~ /^\.Bd -literal[^\n]*\n((?:[<>] |   )[^\n]*\n.*?)^\.Ed/msg) {
		$block = unescape($block);
		$block =~ s/\n {3}//g;
		push @lines, grep { /^[<>] / } split /\n/, $block;
	}
	cmp_ok(scalar @lines, '>=', 20, 'there are some');
	my $c = $hub->unix;
	my ($id, $epoch, $token);
	for (@lines) {
		my ($direction, $text) = /^([<>]) (.*)/;
		if ($direction eq '>') {
			$text =~ s/"to":"\w{11}"/"to":"$id"/;
			$text =~ s/"epoch":"(?!0{11})\w{11}"/"epoch":"$epoch"/;
			$text =~ s/"resume":"[\w-]{48}"/"resume":"$token"/;
			$c->send_text($text);
			next;
		}
		$text =~ s/"to":"\w{11}"/"to":"$id"/ if $id;
		my $got = do {
			wait_for { @{ $c->{in} } } 'an answer', undef, $c;
			shift @{ $c->{in} };
		};
		($id, $epoch, $token) = $got =~ /"client_id":"(\w+)","epoch":"(\w+)".*"resume":"([\w-]+)"/ unless $id;
		is(normal($got), normal($text), $text =~ s/(.{50}).*/$1.../r);
	}
	is_deeply([ $c->sync ], [], 'and nothing else comes');

	# Those that are not answers.
	my $two = $hub->member('unix', 'demo');
	$c->join_session('demo');
	$two->vanish;
	wait_for { @{ $c->{presence} } == 2 } 'news of a second client';
	my ($came, $went) = slurp($page{hub}) =~ /^(\{"type":"client_connected".*?\})\n(\{.*?\})\n/ms;
	s/\n {3}//g for $came, $went;
	is(normal($c->{presence}[0]), normal($came), 'client_connected');
	is(normal($c->{presence}[1]), normal($went), 'client_disconnected');
	my ($close) = slurp($page{hub}) =~ /^(\{"type":"close".*\})$/m;
	$hub->{proc}->kill('TERM');
	$c->closed;
	my $said = unjson($close);
	is_deeply([ @$c{qw(close_code close_reason)} ], [ @$said{qw(code reason)} ], 'close');
	$hub->ended;
};

# hubbench(1) names each member of a result.
subtest 'the result of hubbench(1)' => sub {
	my $hub = Hub->start;
	my $file = scratch() . '/result.json';
	run([ 'hubbench', '-u', "unix:$hub->{socket}", '-c', 3, '-d', 0.2, '--warmup', 0, '--expect', 'lost==0', '--json',
			$file ]);
	my @lines = map { unjson($_) } split /\n/, slurp($file);
	my ($text) = slurp($page{hubbench}) =~ /^The members of a result:\n\.Bl[^\n]*\n(.*?)^\.El/ms;
	my %documented = map { my ($names, $about) = /^([^\n]*)\n(.*)/s; map { $_ => $about } split / , /, $names }
	    grep { length } split /^\.It Cm /m, $text;
	my $names = sub { [ sort map { /[a-z]\w*/g } $_[0] =~ /^\.Cm (.*)/mg ] };
	my $result = $lines[-1];
	is_deeply([ sort keys %documented ], [ sort grep { !/^(?:type|version)$/ } keys %$result ], 'its members');
	is_deeply($names->($documented{$_}), [ sort keys %{ $result->{$_} } ], "$_: its members")
	    for qw(asked happened audit generator server derived);
	is_deeply($names->($documented{latency_ns}), [ sort keys %{ $result->{latency_ns}{every} } ], 'a latency');
	is_deeply($names->($documented{checks}), [ sort keys %{ $result->{checks}[0] } ], 'a check');
	my ($second) = slurp($page{hubbench}) =~ /^\.It Cm hubbench_second\n(.*?)^\.It/ms;
	is_deeply($names->($second), [ sort grep { !/^(?:type|scenario)$/ } keys %{ $lines[0] } ], 'a second');
	$hub->stop;
};

# hubd(8) has the tables of the store and the built-in table of keys, word by word.
subtest 'the store and the keys of hubd(8)' => sub {
	my ($sqlite3) = grep { -x } map { "$_/sqlite3" } split /:/, $ENV{PATH};
	my $store = scratch() . '/store.db';
	my $hub = Hub->start(args => [ '--store', $store ]);
	my $schema = run([ $sqlite3, $store, '.schema' ])->{out};
	my ($version) = run([ $sqlite3, $store, 'PRAGMA user_version' ])->{out} =~ /(\d+)/;
	$hub->stop;
	my $page = slurp($page{hubd});
	my ($text) = $page =~ /^the version of the tables.*?\n\.Bl[^\n]*\n(.*?)^\.El/ms;
	my %documented = map { /^(\w+)\n(.*)/s ? ($1 => $2) : () } split /^\.It Cm /m, $text;
	my %real = $schema =~ /^CREATE (?:TABLE|VIEW) (\w+) \((.*?)\)(?: WITHOUT ROWID;|;| AS .*)$/mg;
	is_deeply([ sort keys %documented ], [ sort keys %real ], 'its tables');
	like($page, qr/^the version of the tables, $version\.$/m, 'their version');
	for my $table (sort keys %real) {
		my @columns = $real{$table} =~ s/, PRIMARY KEY.*//r =~ /(?:^|, )(\w+)/g;
		my @named = grep { my $name = $_; grep { $_ eq $name } @columns } $documented{$table} =~ /^\.Cm (\w+)/mg;
		is_deeply(\@named, \@columns, "$table: its columns");
	}

	my ($source) = slurp("$root/lib/json/keys.c") =~ /default_table\[\] =(.*?);/s;
	my $built_in = join '', map { s/\\n/\n/gr } $source =~ /"([^"]*)"/g;
	is(($page =~ /^\.Bd [^\n]*\n(entity_created.*?)^\.Ed/ms)[0], $built_in, 'the built-in keys');
	my ($list) = slurp($page{hub}) =~ /^(\.It Sy "Type" Ta Sy "Key" Ta\n.*?)^\.El/ms;
	my %in_hub = map { my ($types, $key) = /^\.It Cm (.*?) Ta (.*)/; map { $_ => $key } split / , /, $types // '' }
	    split /\n/, $list;
	my %in_code = map {
		my ($types, $path, $delete) = split / /;
		my $key = ($path eq '-' ? '"none: one a session" Ta' : "Cm $path Ta") . ($delete ? ' "deletes"' : '');
		map { $_ => $key } split /\|/, $types
	} split /\n/, $built_in;
	is_deeply(\%in_hub, \%in_code, 'and in hub(7)');
};

my $dir = scratch();
run([ 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout',
	"$dir/key.pem", '-out', "$dir/cert.pem", '-days', '2', '-subj', '/CN=localhost' ]);
run_page('hubcat(1)', [ man_examples($page{hubcat}) ], hub => 1);
run_page('hubbench(1)', [ man_examples($page{hubbench}) ], hub => 1);
run_page('hub(7)', [ man_examples($page{hub}) ], hub => 1);
run_page('hub-rules(5)', [ man_examples("$root/man/hub-rules.5") ]);
run_page('hubd(8)', [ man_examples($page{hubd}) ], files => {
	'hub.conf' => "$root/contrib/hub.conf", map { $_ => "$dir/$_" } 'key.pem', 'cert.pem'
});
# In a directory of its own, for what it makes.
my $readme = scratch() . '/readme';
mkdir $readme or die "$readme: $!\n";
symlink $_, "$readme/" . s{.*/}{}r for grep { !m{/build$} } glob "$root/*";
run_page('README', [ markdown_examples("$root/README.md") ], cwd => $readme);
run_page("examples/$_", [ markdown_examples("$root/examples/$_/README.md") ], cwd => $root)
    for 'match', 'late-joiner';
run_page('examples/highlight', [ markdown_examples("$root/examples/highlight/README.md") ],
	files => { examples => "$root/examples" });
run_page("examples/$_", [ markdown_examples("$root/examples/$_/README.md") ], files => { examples => "$root/examples" }) for 'chat', 'document', 'game', 'scoreboard';
run_page('examples/offline-consumer', [ markdown_examples("$root/examples/offline-consumer/README.md") ],
	files => { examples => "$root/examples" });

subtest 'files that the pages name' => sub {
	for my $readme ('README.md', map { "examples/${_}README.md" } '', 'match/', 'late-joiner/', 'offline-consumer/', 'highlight/', 'c-client/', 'chat/', 'document/', 'game/', 'scoreboard/', 'world/') {
		my $at = "$root/$readme" =~ s{/[^/]+$}{}r;
		ok(-e "$at/$_", "$readme: $_") for slurp("$root/$readme") =~ /\]\((?!https?:)([^)#]+)\)/g;
	}
	ok(-e "$root/$_", "hubd(8): $_") for slurp($page{hubd}) =~ m{^\.Pa (contrib/\S+)}mg;
};

done_testing;
