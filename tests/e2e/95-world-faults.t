# Not under sanitizers.
# Long.
# The world that all build, where something goes wrong: a window without a network, a hub, a tab and a pipe that are
# killed, a page that is too old, one that begins anew after 99 attempts, and one without WebSocket. What was
# acknowledged stays, and nobody leaves a ghost behind.
use strict;
use warnings;
use Hub;
use Hub::Browser;
use Hub::Cut;
use Hub::Example;
use Hub::Npm;

plan skip_all => 'HUB_TEST_LONG=1 runs it, too: six minutes more' unless $ENV{HUB_TEST_LONG};
plan skip_all => Hub::Browser::missing(webgl => 1) if Hub::Browser::missing(webgl => 1);
plan skip_all => 'no node and npm here' if grep { !Hub::Npm::program($_) } 'node', 'npm';

my $bots = 5;
my $example = Hub::Example->start('world', '-n', $bots);
plan skip_all => 'npm does not bring Three.js' unless $example;
my $cut = Hub::Cut->start($example->{port});
my $browser = Hub::Browser->start(webgl => 1);
my %window;
my $open = sub {
	my ($who, %o) = @_;
	my $port = $o{port} // $example->{port};
	# The CPU draws: coarsely, and a few times a second, is enough here.
	my $before = 'Object.defineProperty(window, "devicePixelRatio", {value: 0.25}); window.requestAnimationFrame = (f) => setTimeout(() => f(performance.now()), 400);' . (delete $o{before} // '');
	return $window{$who} = $browser->open("http://127.0.0.1:$port/?name=$who", size => [ 480, 360 ], before => $before, %o);
};
my $says = sub {
	my ($who, $text, $name) = @_;
	return $window{$who}->shows("/$text/.test(document.querySelector('#what').textContent)", $name // "$who: $text");
};

# All things, as a window has them.
my $all = 'JSON.stringify([...world.scene.things.keys()].sort().map(world.things_of))';
my $count = sub { $_[0]->eval('world.scene.things.size') };
my $same = sub {
	my ($name, @who) = @_;
	my $first = shift @who;
	becomes { my $it = $window{$first}->eval($all); !grep { $window{$_}->eval($all) ne $it } @who } $name;
};

# A point of the page where there is that of the ground.
my $ground = sub {
	my ($who, $x, $z) = @_;
	return @{ $window{$who}->eval("world.scene.where([$x, 0, $z])") };
};
my $build = sub {
	my ($who, $id) = @_;
	return $window{$who}->eval(qq[world.hub.publish({type: "entity_created", entity: {id: "$id", kind: "crate", position: [3, 3], color: "#ff6b6b"}})]);
};

$open->('Ann');
$open->('Bob', port => $cut->{port});
$says->($_, '^in the world$') for qw(Ann Bob);
my $bob_id = $window{Bob}->eval('world.me.id');
$build->('Ann', "a$_") for 1 .. 3;
$window{$_}->shows("world.others.size === $bots + 1 && world.scene.things.size === 3", "$_ sees the world") for qw(Ann Bob);

subtest 'a window without a network' => sub {
	my ($ann, $bob) = @window{qw(Ann Bob)};
	$cut->close;
	$says->('Bob', '^no connection');
	$bob->click('#crate');
	$bob->click($ground->('Bob', 1.5, 1.5));
	$says->('Bob', '1 change under way', 'what he builds meanwhile waits, and he is told so');
	$ann->shows("!world.others.has('$bob_id')", 'his avatar goes: no ghosts');
	is($count->($ann), 3, 'nothing of it is in the world');
	$bob->picture("$ENV{HUB_BUILD}/screenshots/world-cut.png");
	$cut->open;
	$says->('Bob', '^in the world$');
	$ann->shows('world.scene.things.size === 4', 'then it is');
	$same->('for all', qw(Ann Bob));
	$ann->shows("world.others.has('$bob_id')", 'and he is back');
	is(scalar(grep { $_->errors } values %window), 0, 'no page has made a mistake');
};

subtest 'the hub is killed' => sub {
	my $before = $window{Ann}->eval($all);
	# What is acknowledged last is on the disk.
	$build->('Ann', 'last');
	$example->kill_hub;
	$says->($_, '^no connection|^connecting', "$_ is told") for qw(Ann Bob);
	$says->($_, '^in the world$', "$_ is back") for qw(Ann Bob);
	$window{$_}->shows('world.scene.things.size === 5', "$_ has all things") for qw(Ann Bob);
	$same->('the same for all', qw(Ann Bob));
	is($window{Ann}->eval('JSON.stringify([...world.scene.things.keys()].filter((id) => id !== "last").sort().map(world.things_of))'), $before, 'as it was');
	$window{$_}->shows("world.others.size === $bots + 1", "$_ sees each avatar once: no ghosts") for qw(Ann Bob);
};

subtest 'a tab, and the pipe of the bots' => sub {
	my $ann = $window{Ann};
	(delete $window{Bob})->crash;
	$ann->shows("world.others.size === $bots", 'a tab that crashes leaves nobody behind');
	$open->('Cy');
	$ann->shows("world.others.size === $bots + 1", 'somebody comes');
	(delete $window{Cy})->close;
	$ann->shows("world.others.size === $bots", 'and is gone with his tab');
	my $old = $ann->eval('[...world.others.keys()].sort().join()');
	$example->kill_child(qr/\bhubcat\0-p\0world\b/);
	$ann->shows("[...world.others.keys()].every((id) => !'$old'.split(',').includes(id))", 'when their pipe is killed the bots are gone');
	$ann->shows("world.others.size === $bots", "and $bots others come");
};

subtest 'a page that is too old' => sub {
	$open->('Dee', before => <<'END');
if (!sessionStorage.getItem("loaded for"))
	document.addEventListener("readystatechange", () => document.readyState === "interactive" && (document.querySelector("meta[name=version]").content = "0"));
END
	$window{Dee}->shows('sessionStorage.getItem("loaded for") === (document.querySelector("meta[name=version]")?.content ?? "")', 'is loaded again');
	$says->('Dee', '^in the world$');
	(delete $window{Dee})->close;
};

subtest '99 attempts' => sub {
	# Waits are short, and nothing gets through while she is blocked.
	$open->('Eve', port => $cut->{port}, before => <<'END');
const wait = window.setTimeout, Real = WebSocket, real = fetch;
window.setTimeout = (f, ms, ...more) => wait(f, ms > 1000 ? ms / 1000 : ms > 500 ? 1 : ms, ...more);
window.WebSocket = function (...what) {
	return window.blocked ? {close() {}, set onclose(f) { if (f) wait(f, 0, {code: 1006}); }} : new Real(...what);
};
window.fetch = (...what) => window.blocked ? Promise.reject(new TypeError("no network")) : real(...what);
END
	$says->('Eve', '^in the world$');
	$window{Eve}->eval('(world.hub.on("rebootstrap", () => window.anew = (window.anew ?? 0) + 1), 0)');
	$window{Eve}->eval('window.blocked = true');
	$cut->close;
	$cut->open;
	$window{Eve}->shows('window.anew > 0', 'in vain: it begins anew');
	is($window{Eve}->eval('world.scene.things.size'), 0, 'from nothing');
	$window{Eve}->eval('(window.blocked = false, true)');
	$says->('Eve', '^in the world$');
	$window{Eve}->shows('world.scene.things.size === 5', 'and sees the world');
	is($window{Eve}->eval($all), $window{Ann}->eval($all), 'as it is');
};

subtest 'where WebSocket is blocked' => sub {
	$open->('Fay', before => 'window.WebSocket = class { constructor() { setTimeout(() => { this.onerror?.({}); this.onclose?.({code: 1006}); }); } close() {} };');
	$says->('Fay', '^in the world \(by sse\)$');
	my $fay = $window{Fay}->eval('world.me.id');
	$window{Ann}->shows("world.others.has('$fay')", 'she is seen all the same');
	is($window{Fay}->eval('world.scene.things.size'), 5, 'and sees');
};

is_deeply([ map { $_->errors } values %window ], [], 'no page has made a mistake');
$browser->close;
$example->stop;
$cut->stop;
done_testing;
