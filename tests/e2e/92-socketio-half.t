# 1,000 clients of Socket.IO that poll try a WebSocket each, and never go on over it: what they cost is bounded, they hold
# up nobody, their WebSockets time out, and then they poll on, or are gone where they do not.
use strict;
use warnings;
use Hub;
use Hub::Http;
use Hub::Metrics;
use Hub::Sio;

need_files(4000);

my $clients = 1000;

# As many as that, each a member of the session that has heard "3probe" and says nothing more.
sub half_upgraded {
	my ($hub, $n, $session) = @_;
	my $http = Hub::Http->open($hub);
	my @all;
	for my $i (1 .. $n) {
		$http->ask('GET', "$Hub::Sio::path?EIO=4&transport=polling");
		my $sio = bless { hub => $hub, in => [], sid => unjson($http->answer->{body} =~ s/^0//r)->{sid} }, 'Hub::Sio';
		$http->ask('POST', $sio->url('polling'), body => "40/$session,");
		die "no member\n" unless $http->answer->{body} eq 'ok';
		$sio->{probe} = $hub->ws(path => $sio->url('websocket'));
		$sio->{probe}->send_text('2probe');
		push @all, $sio;
	}
	wait_for { !grep { !@{ $_->{probe}{in} } } @all } 'all to be answered';
	$http->vanish;
	return @all;
}

sub members {
	my ($hub) = @_;
	return scrape($hub)->{'hubd_members{door="socketio"}'};
}

subtest 'what they cost' => sub {
	my $hub = Hub->start(workers => 1, args => [ qw(--history-bytes 1M --max-message 64k) ]);
	my $other = $hub->member('unix', 'half', echo => JSON::PP::false());
	half_upgraded($hub, 1, 'half');    # so that memory for one of each is there
	my $before = $hub->rss;
	my @all = half_upgraded($hub, $clients, 'half');
	my $now = scrape($hub);
	# On a slow machine the first have timed out already.
	my $alive = grep { $_->{probe}->alive } @all;
	my $connections = $now->{'hubd_connections{door="socketio"}'};
	cmp_ok($connections, '<=', $clients, 'a connection each at most');
	cmp_ok($connections, '>=', $alive, 'and one for each that is there');
	is($now->{'hubd_members{door="socketio"}'}, $clients + 1, 'a member each');
	is($now->{hubd_polling_sessions}, $clients + 1, 'which polls');
	my $each = ($hub->rss - $before) / $clients;
	note(sprintf '%.1f KiB each', $each);
	cmp_ok($each, '<', 8, 'in less than 8 KiB each') if no_sanitizer();
	# 16 MB of records, of which a copy for each would be 16 GB.
	my $text = 'x' x 32_000;
	$other->send({ type => 'much', text => $text }) for 1 .. 500;
	$other->sync;
	my $much = ($hub->rss - $before) / 1024;
	note(sprintf '%.1f MiB behind 16 MB of records', $much);
	cmp_ok($much, '<', 64, 'whatever is said in their session') if no_sanitizer();
	wait_for { !grep { $_->{probe}->alive } @all } 'their WebSockets to time out';
	is(scalar(grep { $_->{probe}->closed != 1000 } @all), 0, 'with a close frame');
	is(scrape($hub)->{'hubd_connections{door="socketio"}'}, 0, 'no connection is left');
	my $answer = $all[0]->request('GET');
	is($answer->{status}, 200, 'who polls goes on polling');
	like($answer->{body}, qr/^40\/half,\{"sid":/, 'and gets what has waited');
	$hub->stop;
};

subtest 'when they are gone' => sub {
	my $hub = Hub->start(only => [ qw(--socket none --listen 127.0.0.1:0 --ping 1 --pong 3) ]);
	my @all = half_upgraded($hub, 100, 'half');
	wait_for { members($hub) == 0 } 'them to be out';
	wait_for { !grep { $_->{probe}->alive } @all } 'their WebSockets to go with them';
	is($all[0]->request('GET')->{status}, 400, 'their sessions are unknown');
	becomes { scrape($hub)->{'hubd_connections{door="socketio"}'} == 0 } 'nothing is left of them';
	is(scrape($hub)->{hubd_polling_sessions}, 0, 'nor sessions');
	$hub->stop;
};

done_testing;
