# One thread.
# hubreplay import: an asciicast and the WebSocket messages of a HAR become a recording, which is whole, and can be
# played; what is neither, or damaged, is said.
use strict;
use warnings;
use Hub;
use Hub::Replay;

my $dir = scratch();
my $build = $ENV{HUB_BUILD} || root() . '/build';

sub import_text {
	my ($text, @args) = @_;
	return run([ 'hubreplay', 'import', '--as', 'x', @args, '-' ], in => $text);
}

sub messages {
	my ($r) = @_;
	return map { my $m = unjson($_); delete @$m{qw(session_id timestamp from seq)}; $m }
	    grep { /"from"/ } split /\n/, $r->{out};
}

my $v2 = <<'END';
{"version":2,"width":80,"height":24,"timestamp":1504467315,"title":"Zo\u00eb"}
[0.248848,"o","\u001b[1;31mHello\n"]
[1.001376,"i","a"]

[1.5,"m",""]
[2,"r","100x50"]
[1e1,"z",{"a": [1]}]
END
my $v3 = <<'END';
{"version":3,"term":{"cols":80,"rows":24,"theme":{"fg":"#fff"}},"timestamp":1504467315.5}
# a comment
[0.25,"o","Hi [\"]\r\n"]
[0.1,"o","\u0000"]
[1.0,"x","0"]
END

subtest 'asciicast' => sub {
	my $r = import_text($v2);
	is($r->{status}, 0, 'version 2');
	is_deeply(
		[ messages($r) ],
		[
			{ type => 'asciicast', key => 'asciicast', t => 0, header => unjson((split /\n/, $v2)[0]) },
			{ type => 'output', data => "\e[1;31mHello\n", t => 248.848 }, { type => 'input', data => 'a', t => 1001.376 },
			{ type => 'marker', data => '', t => 1500 }, { type => 'resize', data => '100x50', t => 2000 },
			{ type => 'asciicast_event', code => 'z', data => { a => [1] }, t => 10_000 },
		],
		'the header and all events');
	like($r->{out}, qr/\\u001b\[1;31mHello\\n/, 'as they are written');
	my $three = import_text($v3);
	is_deeply([ map { "$_->{type} $_->{t}" } messages($three) ], [ 'asciicast 0', 'output 250', 'output 350', 'exit 1350' ], 'version 3: intervals');
	like($three->{out}, qr/\A\{[^\n]*"start":1504467315500,/, 'when it began');
	my $returns = import_text($v2 =~ s/,(?= ?")/,\r/gr =~ s/(?<=\{"a":)/\r/r =~ s/\n/\r\n/gr);
	is_deeply([ messages($returns) ], [ messages($r) ], 'carriage returns between values and at the ends of lines');
	unlike($returns->{out}, qr/\r/, 'which are not in the messages');
	for my $one ($r, $three) {
		my $file = spew("$dir/imported", $one->{out});
		is(run([ 'hubreplay', 'verify', $file ])->{status}, 0, 'a whole recording');
	}
};

my $har = <<'END';
{ "log": { "version": "1.2", "creator": {}, "entries": [
 { "request": { "url": "http://h/" }, "response": { "content": { "text": "[{\"_webSocketMessages\":[" } } },
 { "_resourceType": "websocket", "startedDateTime": "2026-11-29T20:15:00.250Z", "request": { "url": "ws://h/one" },
   "_webSocketMessages": [
    { "type": "send", "time": 1795983301.5, "opcode": 1, "data": "{\"type\":\"hi\"}" },
    { "type": "receive", "time": 1795983303.75, "opcode": 2, "data": "AAEC" } ] },
 { "_resourceType": "websocket", "startedDateTime": "never", "request": {},
   "_webSocketMessages": [ { "time": 1795983302, "type": "receive", "data": "] }" } ] },
 { "_resourceType": "websocket", "startedDateTime": "2026-11-29T20:15:01Z", "request": { "url": "ws://h/quiet" }, "_webSocketMessages": [ ] }
] } }
END

subtest 'HAR' => sub {
	my $r = import_text("\xef\xbb\xbf$har");
	is($r->{status}, 0, 'a byte order mark does no harm') or diag($r->{err});
	is_deeply(
		[ messages($r) ],
		[
			{ type => 'open', connection => 1, url => 'ws://h/one', t => 0 },
			{ type => 'open', connection => 3, url => 'ws://h/quiet', t => 750 },
			{ type => 'send', connection => 1, opcode => 1, data => '{"type":"hi"}', t => 1250 },
			{ type => 'open', connection => 2, url => '', t => 1750 },
			{ type => 'receive', connection => 2, opcode => 1, data => '] }', t => 1750 },
			{ type => 'receive', connection => 1, opcode => 2, data => 'AAEC', t => 3500 },
		],
		'all connections in one line of time');
};

subtest 'files' => sub {
	my $file = spew("$dir/a demo.v2.cast", $v2);
	run([ 'hubreplay', 'keygen', '--seal', "$dir/key" ]);
	is(run([ 'hubreplay', 'import', '-o', "$dir/cast.ndjson.zst", '--seal-to', "$dir/key", $file ])->{status}, 0, 'into a file');
	my $info = unjson(run([ 'hubreplay', 'info', '-j', '--seal', "$dir/key", "$dir/cast.ndjson.zst" ])->{out});
	is($info->{records}, 6, 'sealed and compressed');
	is($info->{sessions}[0]{session_id}, 'a-demo', 'of a session by its name');
	is(run([ 'hubreplay', 'import', '-o', "$dir/cast.ndjson.zst", $file ])->{status}, 73, 'no file is written over');
	my $hub = Hub->start;
	my $play = run(
		[ 'sh', '-c', "$build/hubreplay import --as show '$file' | $build/hubreplay play --max-gap 10ms -u unix:$hub->{socket} -" ]);
	is($play->{status}, 0, 'played') or diag($play->{err});
	is($hub->member('unix', 'show')->{joined}{snapshot}, 1, 'who joins later has the header');
	$hub->stop;
};

subtest 'what is refused' => sub {
	my %bad = (
		'neither' => [ "hello\n", 'neither' ], 'empty' => [ '', 'neither' ], 'no HAR' => [ '{"a":1}', 'neither an asciicast' ],
		'cut HAR' => [ substr($har, 0, 700), 'byte \d+: ' ], 'HAR without WebSockets' => [ '{"log":{"entries":[]}}', 'no messages of WebSockets' ],
		'version 1' => [ '{"version":1,"width":80,"height":24,"stdout":[]}', 'another version' ],
		'cut cast' => [ substr($v2, 0, -8), 'line 7: ' ], 'bad time' => [ qq({"version":2,"width":1}\n[-1,"o",""]\n), 'line 2: its time' ],
		'huge time' => [ qq({"version":2,"width":1}\n[1e300,"o",""]\n), 'line 2: its time' ],
		'bad code' => [ qq({"version":2,"width":1}\n[1,2,""]\n), 'line 2: its code' ], 'short' => [ qq({"version":2,"width":1}\n[1,"o"]\n), 'line 2: not \[time' ],
		'no array' => [ qq({"version":3,"term":{}}\n{}\n), 'line 2: not an array' ],
		'bad message' => [ $har =~ s/"send"/"sent"/r, 'message 2 of the WebSockets: its type' ],
		'no time' => [ $har =~ s/"time": 1795983302/"time": "x"/r, 'its time' ], 'no data' => [ $har =~ s/"data": "AAEC"/"data": 5/r, 'its data' ],
	);
	for my $name (sort keys %bad) {
		my ($text, $why) = @{ $bad{$name} };
		my $r = import_text($text);
		is($r->{status}, 65, "$name: exit 65");
		like($r->{err}, qr/\Ahubreplay import: -: [^\n]*(?:$why)[^\n]*\n\z/, 'with one line that says why');
	}
	is(scalar(my @m = messages(import_text(substr $v2, 0, -8))), 5, 'what is before the damage was taken');
	is(run([ 'hubreplay', 'import', '-' ])->{status}, 64, 'standard input has no name');
	is(run([ 'hubreplay', 'import', '--as', 'no such', '-' ])->{status}, 64, 'a bad name');
	is(run([ 'hubreplay', 'import', "$dir/none" ])->{status}, 66, 'no file');
};

done_testing();
