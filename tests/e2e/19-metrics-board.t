# Not under sanitizers.
# What is made for those who watch hubd fits what it says: Prometheus takes the scrape of a hub under traffic,
# the configuration and the alerts; every metric is in the man page and on the board, and nothing is on the
# board that is none.
use strict;
use warnings;
use Hub;
use Hub::Metrics;
use Hub::Client;

my $root = root();
my $hub = Hub->start(args => [ '--store', scratch() . '/store.db' ]);
my @members = map { $hub->member($_, 's') } qw(unix ws);
$members[0]->send_text('{"type":"t","msg_id":"1"}', '{"type":', '{"type":"t","to":"' . $members[1]{id} . '"}');
$_->sync for @members;
my $text = $hub->get('/metrics')->{body};
my $m = parse_metrics($text);
my @names = sort keys %{ $m->{type} };

my $page = slurp("$root/man/hubd.8");
my ($section) = $page =~ /^\.Sh METRICS\n(.*?)^\.Sh/ms;
my ($list) = $section =~ /^\.Bl[^\n]*\n(.*?)^\.El/ms;
my $about_doors = $section =~ s/^\.Bl.*//msr;
my %documented = map { my ($titles, $about) = /^([^\n]*)\n(.*)/s; map { $_ => $about } split / , /, $titles }
    grep { length } split /^\.It Cm /m, $list;

subtest 'hubd(8)' => sub {
	is_deeply([ sort keys %documented ], \@names, 'it has every metric');
	my %labels;
	/^(\w+)\{(\w+)="([^"]+)"/ and $labels{ family_of($m, $1) }{$2}{$3} = 1 for keys %{ $m->{value} };
	delete $labels{$_}{le} for keys %labels;
	for my $name (sort keys %labels) {
		for my $label (sort keys %{ $labels{$name} }) {
			like($documented{$name}, qr/^\.Cm \Q$label\E\b/m, "$name: $label");
			next if $label =~ /^(?:version|code)$/;
			my $where = $label eq 'door' ? $about_doors : $documented{$name};
			my @missing = grep { $where !~ /^\.Cm \Q$_\E\b/m } sort keys %{ $labels{$name}{$label} };
			is("@missing", '', "$name: the values of $label");
		}
	}
	# No hub limits rates yet.
	my @codes = grep { $_ ne 'rate_limited' } map { /^hubd_errors_total\{code="(\w+)"/ } keys %{ $m->{value} };
	my $hub7 = slurp("$root/man/hub.7");
	is(join(' ', grep { $hub7 !~ /^\.It Cm \Q$_\E\b/m } @codes), '', 'the codes are in hub(7)');
};

# What Grafana puts in the place of its variables.
sub plain {
	return $_[0] =~ s/\$__rate_interval/1m/gr =~ s/=~"\$\w+"/=~".*"/gr;
}

my $board = unjson(slurp("$root/contrib/grafana/hubd.json"));
my @panels = grep { $_->{type} ne 'row' } @{ $board->{panels} };
my @queries = (map({ my $panel = $_; map { $_->{expr} } @{ $panel->{targets} } } @panels),
	map { $_->{expr} // () } @{ $board->{annotations}{list} });
my @alerts = slurp("$root/contrib/prometheus/hubd.rules.yml") =~ /^ +expr: (.*)/mg;

sub used {
	my %used;
	$used{ family_of($m, $_) } = 1 for map { /\b((?:hubd|process)_\w+)/g } @_;
	return \%used;
}

subtest 'the board' => sub {
	my $used = used(@queries, map { $_->{definition} // () } @{ $board->{templating}{list} });
	is_deeply([ sort keys %$used ], \@names, 'it shows all metrics, and none that is not there');
	is(join(' ', grep { !$m->{type}{$_} } sort keys %{ used(@alerts) }), '', 'nor do alerts speak of such');
	my %ids = map { $_->{id} => 1 } @{ $board->{panels} };
	is(scalar keys %ids, scalar @{ $board->{panels} }, 'panels have ids of their own');
	my ($datasource) = grep { $_->{type} eq 'datasource' } @{ $board->{templating}{list} };
	is($datasource->{query}, 'prometheus', 'a variable chooses the data source');
	my @others = grep { $_->{uid} ne "\${$datasource->{name}}" } map { $_->{datasource}, map { $_->{datasource} } @{ $_->{targets} } } @panels;
	is(scalar @others, 0, 'which all panels use');
	my @grid;
	for my $panel (@{ $board->{panels} }) {
		my ($x, $y, $w, $h) = @{ $panel->{gridPos} }{qw(x y w h)};
		$grid[$_ / 24][ $_ % 24 ]++ for map { my $row = $_; map { $row * 24 + $_ } $x .. $x + $w - 1 } $y .. $y + $h - 1;
	}
	is(scalar(grep { ($_ // 0) != 1 } map { @$_[ 0 .. 23 ] } @grid), 0, 'panels fill the page and do not overlap');
};

my $promtool = promtool();
subtest 'promtool' => sub {
	plan skip_all => 'no promtool here (contrib/install-deps metrics)' unless $promtool;
	my $check = run([ $promtool, 'check', 'metrics' ], in => $text);
	is("$check->{status} $check->{out}$check->{err}", '0 ', 'finds nothing wrong with a scrape');
	$check = run([ $promtool, 'check', 'metrics' ], in => "# HELP a_count A.\n# TYPE a_count gauge\na_count 1\n");
	isnt($check->{status}, 0, 'as it does with a bad one');
	for (qw(config=prometheus.yml rules=hubd.rules.yml)) {
		my ($what, $file) = split /=/;
		$check = run([ $promtool, 'check', $what, "$root/contrib/prometheus/$file" ]);
		is($check->{status}, 0, "check $what") or diag($check->{out}, $check->{err});
	}
};

subtest 'Prometheus' => sub {
	my ($server) = grep { -x } map { "$_/prometheus" } split /:/, $ENV{PATH};
	plan skip_all => 'no prometheus here (contrib/install-deps metrics)' unless $server;
	my $dir = scratch();
	my $config = slurp("$root/contrib/prometheus/prometheus.yml");
	$config =~ s/127\.0\.0\.1:4820/$hub->{host}:$hub->{port}/ or die "no target in prometheus.yml\n";
	$config =~ s/_interval: 15s/_interval: 1s/g;
	spew("$dir/prometheus.yml", $config);
	spew("$dir/hubd.rules.yml", slurp("$root/contrib/prometheus/hubd.rules.yml"));
	my ($host, $port) = (own_address(), 9090);
	my $proc = spawn([ $server, "--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/tsdb",
		"--web.listen-address=$host:$port", '--log.level=warn' ]);
	my $ask = sub {
		my ($path) = @_;
		my $c = eval { Hub::Client->tcp($port, host => $host) } or return;
		$c->send_bytes("GET $path HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
		wait_for { $c->{complete} || $c->{gone} } 'an answer of Prometheus', undef, $c;
		my $body = $c->{body} // '';
		# Its longer answers come in chunks.
		$body =~ s/([0-9a-f]+)\r\n(.*?)\r\n(?=[0-9a-f]+\r\n)/$2/gs && $body =~ s/0\r\n\r\n\z//
		    if ($c->{headers}{'transfer-encoding'} // '') eq 'chunked';
		return { status => $c->{status}, json => scalar eval { unjson($body) } };
	};
	my $query = sub {
		my ($expr) = @_;
		$expr =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ge;
		return $ask->("/api/v1/query?query=$expr");
	};
	my $up = sub {
		die "prometheus ended: " . slurp($proc->{err}) unless $proc->running;
		my $answer = $query->('min_over_time(up{job="hubd"}[2m]) == 1 and count_over_time(up[2m]) > 3') or return 0;
		return scalar @{ $answer->{json}{data}{result} // [] };
	};
	becomes { $up->() } 'it scrapes the hub, again and again';
	for my $expr (@queries, @alerts) {
		my $answer = $query->(plain($expr));
		is($answer->{json}{status}, 'success', substr plain($expr), 0, 90) or diag($answer->{json}{error} // 'no JSON');
		# What is counted is there, though it may be 0; what is compared may leave nothing.
		next if $expr =~ / (?:>|==) \d|\bhubd_\w+ > hubd_/ || grep { $_ eq $expr } @alerts;
		cmp_ok(scalar @{ $answer->{json}{data}{result} // [] }, '>', 0, 'has something to show');
	}
	my $rules = $ask->('/api/v1/rules')->{json}{data}{groups}[0]{rules};
	is_deeply([ map { "$_->{name} $_->{state}" } grep { $_->{state} ne 'inactive' } @$rules ], [], 'no alert goes off');
	$proc->kill('TERM');
	$proc->wait;
};

$hub->stop;
done_testing;
