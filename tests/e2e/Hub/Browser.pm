# A real browser that a test drives: opens pages, asks them, takes pictures of them. Chromium by its DevTools
# protocol, Firefox by WebDriver BiDi; both over a WebSocket of the browser's own, so that nothing else is needed.
package Hub::Browser;

use strict;
use warnings;

use FindBin;
use Hub;
use Hub::Client;

my %programs = (chromium => [qw(chromium chromium-browser)], firefox => [qw(firefox-esr firefox)]);

# Which one it is: HUB_TEST_BROWSER, chromium or firefox.
sub kind {
	return $ENV{HUB_TEST_BROWSER} || 'chromium';
}

sub _program {
	my (@names) = @_;
	my ($path) = grep { -x } map { my $dir = $_; map { "$dir/$_" } @names } split /:/, $ENV{PATH};
	return $path;
}

# Why there is none, or with webgl => 1 none that has WebGL; undef where there is.
sub missing {
	my (%o) = @_;
	return 'no ' . kind() . ' here' unless _program(@{ $programs{ kind() } });
	return $o{webgl} && kind() eq 'firefox' && !_program('Xvfb') ? 'no Xvfb here' : undef;
}

# Another test once more, with something else in its environment.
sub again {
	my ($test, $name, $value) = @_;
	local $ENV{$name} = $value;
	do("$FindBin::Bin/$test") or die $@ || $!;
}

# Starts one; webgl => 1: it has WebGL, drawn by the CPU, and windows that nobody sees go on as those that one does.
sub start {
	my ($class, %o) = @_;
	my $kind = kind();
	my $program = _program(@{ $programs{$kind} }) or die missing() . "\n";
	my $home = scratch() . "/$kind." . ++$Hub::spawned;
	mkdir $home or die "$home: $!\n";
	my $self = bless { kind => $kind, id => 0, answers => {}, pages => {}, home => $home }, "${class}::" . ucfirst $kind;
	$self->_start($program, $home, $o{webgl});
	return $self;
}

# One command, and its result; dies where the browser refuses it.
sub command {
	my ($self, $method, $params, %more) = @_;
	my $id = ++$self->{id};
	$self->{ws}->send({ id => $id, method => $method, params => $params // {}, %more });
	wait_for { $self->_take; $self->{answers}{$id} || $self->{ws}{gone} } "$self->{kind} to answer $method", 300;
	my $answer = delete $self->{answers}{$id} or die "$self->{kind} has ended\n";
	die "$self->{kind}: $method: " . json($answer->{error}) . "\n" if $answer->{error};
	return $answer->{result};
}

# What has come from it.
sub _take {
	my ($self) = @_;
	while (defined(my $text = shift @{ $self->{ws}{in} })) {
		my $m = unjson($text);
		if (defined $m->{id}) {
			$self->{answers}{ $m->{id} } = $m;
		} else {
			$self->_event($m);
		}
	}
}

sub close {
	my ($self) = @_;
	$self->{ws}->vanish if $self->{ws};
	for my $proc (grep { $_ } @$self{qw(proc display)}) {
		$proc->kill('TERM');
		eval { $proc->wait(60); 1 } or $proc->kill('KILL');
	}
}

# A new tab with that address, once it has been loaded. size => [width, height]; before => a script that runs before
# those of each page in it.
sub open {
	my ($self, $url, %o) = @_;
	my $page = bless { browser => $self, url => $url, errors => [] }, 'Hub::Browser::Page';
	$page->{id} = $self->_new_tab($page);
	$self->{pages}{ $page->{id} } = $page;
	$self->_before($page, $o{before}) if $o{before};
	$self->_size($page, @{ $o{size} }) if $o{size};
	$self->_go($page, $url);
	$page->until('document.readyState === "complete"', 'the page to be loaded');
	return $page;
}

package Hub::Browser::Chromium;

use strict;
use warnings;
use Hub;

our @ISA = ('Hub::Browser');

sub _start {
	my ($self, $program, $home, $webgl) = @_;
	my @args = $webgl ? qw(--use-angle=swiftshader --enable-unsafe-swiftshader --disable-renderer-backgrounding
	    --disable-backgrounding-occluded-windows --disable-background-timer-throttling) : ();
	$self->{proc} = spawn(
		[ $program, qw(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars),
			qw(--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage),
			qw(--remote-debugging-port=0), "--user-data-dir=$home/profile", @args, 'about:blank' ],
		env => { HOME => $home });
	my ($port, $path);
	wait_for {
		die "chromium ended: " . substr(slurp($self->{proc}{err}), -2000) . "\n" unless $self->{proc}->running;
		($port, $path) = slurp("$home/profile/DevToolsActivePort") =~ /^(\d+)\n(\S+)/;
	} 'chromium to start', 300;
	$self->{ws} = Hub::Client->ws($port, path => $path);
}

sub _new_tab {
	my ($self, $page) = @_;
	my $target = $self->command('Target.createTarget', { url => 'about:blank' })->{targetId};
	$page->{session} = $self->command('Target.attachToTarget', { targetId => $target, flatten => JSON::PP::true() })->{sessionId};
	$self->{sessions}{ $page->{session} } = $page;
	$self->_ask($page, $_) for 'Runtime.enable', 'Page.enable', 'Inspector.enable';
	return $target;
}

sub _ask {
	my ($self, $page, $method, $params) = @_;
	return $self->command($method, $params, sessionId => $page->{session});
}

sub _before {
	my ($self, $page, $script) = @_;
	$self->_ask($page, 'Page.addScriptToEvaluateOnNewDocument', { source => $script });
}

sub _go {
	my ($self, $page, $url) = @_;
	my $r = $self->_ask($page, 'Page.navigate', { url => $url });
	die "chromium: $url: $r->{errorText}\n" if $r->{errorText};
}

sub _size {
	my ($self, $page, $width, $height) = @_;
	$self->_ask($page, 'Emulation.setDeviceMetricsOverride',
		{ width => $width, height => $height, deviceScaleFactor => 1, mobile => JSON::PP::false() });
}

sub _event {
	my ($self, $m) = @_;
	my $page = $self->{sessions}{ $m->{sessionId} // '' } or return;
	if ($m->{method} eq 'Runtime.exceptionThrown') {
		my $d = $m->{params}{exceptionDetails};
		push @{ $page->{errors} }, $d->{exception}{description} // $d->{text};
	} elsif ($m->{method} eq 'Inspector.targetCrashed') {
		$page->{crashed} = 1;
	}
}

sub _eval {
	my ($self, $page, $text) = @_;
	my $r = $self->_ask($page, 'Runtime.evaluate',
		{ expression => $text, awaitPromise => JSON::PP::true(), returnByValue => JSON::PP::true(), userGesture => JSON::PP::true() });
	die "$page->{url}: " . ($r->{exceptionDetails}{exception}{description} // json($r->{exceptionDetails})) . "\n"
	    if $r->{exceptionDetails};
	return $r->{result}{value};
}

sub _picture {
	my ($self, $page) = @_;
	# One behind another is not drawn, and the picture may not come.
	$self->_ask($page, 'Page.bringToFront');
	return $self->_ask($page, 'Page.captureScreenshot', { format => 'png' })->{data};
}

sub _close {
	my ($self, $page) = @_;
	$self->command('Target.closeTarget', { targetId => $page->{id} });
	delete $self->{sessions}{ $page->{session} };
}

# Presses, moves or lets go the button of the mouse at each of these points.
sub _mouse {
	my ($self, $page, @steps) = @_;
	for my $step (@steps) {
		my ($what, $x, $y) = @$step;
		$self->_ask($page, 'Input.dispatchMouseEvent',
			{ type => { down => 'mousePressed', move => 'mouseMoved', up => 'mouseReleased' }->{$what}, x => $x, y => $y, button => 'left', buttons => $what eq 'up' ? 0 : 1, clickCount => 1 });
	}
}

sub _key {
	my ($self, $page, $code, $down) = @_;
	$self->_ask($page, 'Input.dispatchKeyEvent', { type => $down ? 'rawKeyDown' : 'keyUp', code => $code, key => $code });
}

sub _type {
	my ($self, $page, $text) = @_;
	$self->_ask($page, 'Input.insertText', { text => $text });
}

# Ends the process of the page, without a word to anybody. Pages of one site may share it.
sub _crash {
	my ($self, $page) = @_;
	$self->{ws}->send({ id => ++$self->{id}, method => 'Page.crash', params => {}, sessionId => $page->{session} });
	wait_for { $self->_take; $page->{crashed} } 'the page to crash';
}

package Hub::Browser::Firefox;

use strict;
use warnings;
use Hub;

our @ISA = ('Hub::Browser');

sub _start {
	my ($self, $program, $home, $webgl) = @_;
	mkdir "$home/profile" or die "$home/profile: $!\n";
	# What a new profile would do first, and what asks others.
	spew("$home/profile/user.js", map { "user_pref($_);\n" } '"browser.shell.checkDefaultBrowser", false',
		'"datareporting.policy.dataSubmissionEnabled", false', '"app.update.enabled", false', '"browser.aboutwelcome.enabled", false',
		'"app.normandy.enabled", false', '"network.captive-portal-service.enabled", false', '"network.connectivity-service.enabled", false',
		'"browser.startup.page", 0', '"toolkit.telemetry.enabled", false', '"extensions.update.enabled", false',
		'"dom.min_background_timeout_value", 4', '"dom.timeout.enable_budget_timer_throttling", false', '"webgl.force-enabled", true',
		'"services.settings.server", "data:,"', '"browser.topsites.contile.enabled", false', '"media.gmp-manager.updateEnabled", false');
	$self->{proc} = spawn([ $program, $webgl ? () : '--headless', '--no-remote', '--profile', "$home/profile", '--remote-debugging-port=0', 'about:blank' ],
		env => { HOME => $home, MOZ_DISABLE_AUTO_SAFE_MODE => 1, MOZ_CRASHREPORTER_DISABLE => 1, $webgl ? (DISPLAY => $self->_display) : () });
	my $port;
	wait_for {
		die "firefox ended: " . substr(slurp($self->{proc}{err}), -2000) . "\n" unless $self->{proc}->running;
		($port) = slurp($self->{proc}{err}) =~ m{WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)};
	} 'firefox to start', 300;
	$self->{ws} = Hub::Client->ws($port, path => '/session');
	$self->command('session.new', { capabilities => {} });
	$self->command('session.subscribe', { events => ['log.entryAdded'] });
}

# Headless it has no WebGL.
sub _display {
	my ($self) = @_;
	my $proc = $self->{display} = spawn([ 'Xvfb', qw(-displayfd 1 -nolisten tcp -screen 0 1280x1024x24) ]);
	my $number;
	wait_for {
		die 'Xvfb ended: ' . slurp($proc->{err}) . "\n" unless $proc->running;
		($number) = slurp($proc->{out}) =~ /^(\d+)\n/;
		defined $number
	} 'a display';
	return ":$number";
}

sub _before {
	my ($self, $page, $script) = @_;
	$self->command('script.addPreloadScript', { functionDeclaration => "() => {\n$script\n}", contexts => [ $page->{id} ] });
}

sub _new_tab {
	my ($self) = @_;
	return $self->command('browsingContext.create', { type => 'tab' })->{context};
}

sub _go {
	my ($self, $page, $url) = @_;
	$self->command('browsingContext.navigate', { context => $page->{id}, url => $url, wait => 'interactive' });
}

sub _size {
	my ($self, $page, $width, $height) = @_;
	$self->command('browsingContext.setViewport', { context => $page->{id}, viewport => { width => $width, height => $height } });
}

sub _event {
	my ($self, $m) = @_;
	return unless $m->{method} eq 'log.entryAdded' && $m->{params}{type} eq 'javascript' && $m->{params}{level} eq 'error';
	my $page = $self->{pages}{ $m->{params}{source}{context} // '' } or return;
	# What it says of the network is no mistake of a script.
	push @{ $page->{errors} }, $m->{params}{text} unless $m->{params}{text} =~ /establish a connection|was interrupted/;
}

sub _eval {
	my ($self, $page, $text) = @_;
	my $r = $self->command('script.evaluate',
		{ expression => $text, target => { context => $page->{id} }, awaitPromise => JSON::PP::true(), userActivation => JSON::PP::true() });
	die "$page->{url}: " . ($r->{exceptionDetails}{text} // json($r)) . "\n" if $r->{type} ne 'success';
	return $r->{result}{value};
}

sub _picture {
	my ($self, $page) = @_;
	# A tab behind another one has not been drawn.
	$self->command('browsingContext.activate', { context => $page->{id} });
	return $self->command('browsingContext.captureScreenshot', { context => $page->{id} })->{data};
}

sub _close {
	my ($self, $page) = @_;
	$self->command('browsingContext.close', { context => $page->{id} });
}

sub _act {
	my ($self, $page, %what) = @_;
	$self->command('input.performActions', { context => $page->{id}, actions => [ \%what ] });
}

sub _mouse {
	my ($self, $page, @steps) = @_;
	my @do = map {
		my ($what, $x, $y) = @$_;
		({ type => 'pointerMove', x => int $x, y => int $y }, $what eq 'move' ? () : { type => $what eq 'up' ? 'pointerUp' : 'pointerDown', button => 0 })
	} @steps;
	$self->_act($page, type => 'pointer', id => 'mouse', parameters => { pointerType => 'mouse' }, actions => \@do);
}

# WebDriver's names of keys that write nothing.
my %keys = (ArrowLeft => "\x{e012}", ArrowUp => "\x{e013}", ArrowRight => "\x{e014}", ArrowDown => "\x{e015}");

sub _key {
	my ($self, $page, $code, $down) = @_;
	my $key = $keys{$code} // lc $code =~ s/^Key//r;
	$self->_act($page, type => 'key', id => 'keys', actions => [ { type => $down ? 'keyDown' : 'keyUp', value => $key } ]);
}

sub _type {
	my ($self, $page, $text) = @_;
	$self->_act($page, type => 'key', id => 'keys', actions => [ map { my $key = $_; map { { type => $_, value => $key } } qw(keyDown keyUp) } split //, $text ]);
}

# Nothing here ends a page without a word.
sub _crash { return _close(@_) }

package Hub::Browser::Page;

use strict;
use warnings;
use Encode ();
use Hub;
use File::Basename qw(dirname);
use File::Path qw(make_path);
use MIME::Base64 qw(decode_base64);

# What an expression is worth in the page, once its promise is settled; dies where it throws.
sub eval {
	my ($self, $expression) = @_;
	my $text = $self->{browser}->_eval($self, "(async () => JSON.stringify(await ($expression)) ?? 'null')()");
	return unjson(Encode::encode_utf8($text));
}

# Waits until the expression is true, and gives it. Dies as well where the page has thrown what nobody caught.
sub until {
	my ($self, $expression, $what, $seconds) = @_;
	return wait_for {
		die "$self->{url}: $self->{errors}[0]\n" if @{ $self->{errors} } && !$self->{careless};
		$self->eval($expression) || do { select undef, undef, undef, 0.05; 0 }; # it needs its time for itself
	} $what // $expression, $seconds // 300;
}

# A test of that.
sub shows {
	my ($self, $expression, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $ok = CORE::eval { $self->until($expression, $name) };
	diag("$@" . ($self->eval('document.body.innerText.slice(0, 2000)') // '')) unless $ok;
	return ok($ok, $name);
}

sub errors { return @{ $_[0]{errors} } }

# Takes a picture of what is seen, as a PNG file; that of another browser than the usual one is beside it.
sub picture {
	my ($self, $file) = @_;
	$file =~ s/(?=\.png$)/-$self->{browser}{kind}/ if $self->{browser}{kind} ne 'chromium';
	make_path(dirname($file));
	return spew($file, decode_base64($self->{browser}->_picture($self)));
}

sub go {
	my ($self, $url) = @_;
	$self->{browser}->_go($self, $self->{url} = $url);
	$self->until('document.readyState === "complete"', 'the page to be loaded');
}

# Closes the tab; or ends its process.
sub close {
	my ($self) = @_;
	$self->{browser}->_close($self);
	delete $self->{browser}{pages}{ $self->{id} };
}

sub crash {
	my ($self) = @_;
	$self->{browser}->_crash($self);
	delete $self->{browser}{pages}{ $self->{id} };
}

# --- what a person does

# On what a selector names, or at a point.
sub click {
	my ($self, $x, $y) = @_;
	($x, $y) = @{ $self->eval("(({x, y, width, height}) => [x + width / 2, y + height / 2])(document.querySelector('$x').getBoundingClientRect())") }
	    unless defined $y;
	$self->{browser}->_mouse($self, [ down => $x, $y ], [ up => $x, $y ]);
}

sub drag {
	my ($self, $from, $to) = @_;
	my $way = sub { my ($part) = @_; return map { $from->[$_] + ($to->[$_] - $from->[$_]) * $part / 8 } 0, 1 };
	$self->{browser}->_mouse($self, [ down => @$from ], (map { [ move => $way->($_) ] } 1 .. 8), [ up => @$to ]);
}

# Holds down a key, or lets it go: by its code, such as ArrowLeft.
sub key {
	my ($self, $code, $down) = @_;
	$self->{browser}->_key($self, $code, $down);
}

sub type {
	my ($self, $selector, $text) = @_;
	$self->eval("document.querySelector('$selector').focus()");
	$self->{browser}->_type($self, $text);
}

# Whether the browser has no network for it; Chromium.
sub offline {
	my ($self, $off) = @_;
	$self->{browser}->_ask($self, 'Network.enable');
	$self->{browser}->_ask($self, 'Network.emulateNetworkConditions',
		{ offline => $off ? JSON::PP::true() : JSON::PP::false(), latency => 0, downloadThroughput => -1, uploadThroughput => -1 });
}

1;
