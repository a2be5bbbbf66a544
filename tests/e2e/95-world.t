# Not under sanitizers.
# Long.
# The world that all build, as one command starts it, in real browser windows: what one does the others see, also who
# comes late. A picture is in BUILD/screenshots.
use strict;
use warnings;
use Hub;
use Hub::Browser;
use Hub::Example;
use Hub::Npm;

plan skip_all => Hub::Browser::missing(webgl => 1) if Hub::Browser::missing(webgl => 1);
plan skip_all => 'no node and npm here' if grep { !Hub::Npm::program($_) } 'node', 'npm';

my $bots = 20;
my $example = Hub::Example->start('world', '-n', $bots);
plan skip_all => 'npm does not bring Three.js' unless $example;
my $browser = Hub::Browser->start(webgl => 1);
my %window;
my $open = sub {
	my ($who, %o) = @_;
	my $port = $o{port} // $example->{port};
	# The CPU draws: coarsely, and a few times a second, is enough here.
	my $before = 'Object.defineProperty(window, "devicePixelRatio", {value: 0.25}); window.requestAnimationFrame = (f) => setTimeout(() => f(performance.now()), 500);' . (delete $o{before} // '');
	return $window{$who} = $browser->open("http://127.0.0.1:$port/?name=$who", size => [ 960, 600 ], before => $before, %o);
};
my $says = sub {
	my ($who, $text, $name) = @_;
	return $window{$who}->shows("/$text/.test(document.querySelector('#what').textContent)", $name // "$who: $text");
};

# All things, as a window has them.
my $all = 'JSON.stringify([...world.scene.things.keys()].sort().map(world.things_of))';
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
my $middle = sub {
	my ($who, $id) = @_;
	return $window{$who}->eval("world.scene.where([world.things_of('$id').position[0], 0.5, world.things_of('$id').position[1]])");
};
my $newest = sub { $_[0]->eval('[...world.hub.state("entity_created").values()].sort((a, b) => b.seq - a.seq)[0].entity.id') };

subtest 'two windows' => sub {
	$open->('Ann');
	$open->('Bob');
	$says->($_, '^in the world$') for qw(Ann Bob);
	$window{$_}->shows("world.others.size === $bots + 1", "$_ sees $bots bots and the other") for qw(Ann Bob);
	$window{$_}->shows('world.hub.userCount === 3', "$_ knows of three clients: two windows, and the pipe of all bots") for qw(Ann Bob);
	$window{$_}->shows('/ \d+\.\d ms /.test(document.querySelector("#numbers").textContent)', "$_ sees the latency") for qw(Ann Bob);
	$window{Ann}->shows('world.scene.renderer.info.render.triangles > 1000', 'WebGL draws');
	my $bot = '[...world.others].find(([, {name}]) => name === "Bot 7")[1]';
	$window{Ann}->shows("new Set($bot.track.map(({position}) => position.join())).size > 10", 'a bot is on its way');
	is($window{Ann}->eval('world.hub.state("world_initialized").get("world").world.seed'),
		$window{Bob}->eval('world.hub.state("world_initialized").get("world").world.seed'), 'one world was made');
};

my $ann_id = $window{Ann}->eval('world.me.id');
my $bob_id = $window{Bob}->eval('world.me.id');

subtest 'avatars' => sub {
	my $before = $window{Ann}->eval('world.me.position');
	$window{Ann}->key('KeyW', 1);
	$window{Ann}->shows("Math.hypot(world.me.position[0] - $before->[0], world.me.position[2] - $before->[2]) > 3", 'Ann walks');
	$window{Ann}->key('KeyW', 0);
	my $there = sub { $_[0]->eval($_[1]) };
	becomes {
		my $own = $window{Ann}->eval('world.me.position.map((n) => Math.round(n * 1000) / 1000).join()');
		my $seen = $window{Bob}->eval("world.others.get('$ann_id')?.track.at(-1).position.join()") // '';
		$own eq $seen
	} 'and Bob sees her where she is';
	$window{Bob}->shows("world.others.get('$ann_id')?.track.length > 3", 'with steps between');
	$window{Bob}->shows(
		"(() => { const {x, z} = world.scene.avatars.get('$ann_id').position, to = world.others.get('$ann_id').track.at(-1).position; return Math.hypot(x - to[0], z - to[2]) < 0.01; })()",
		'and so does the picture, in the end');
};

subtest 'things' => sub {
	my ($ann, $bob) = @window{qw(Ann Bob)};
	$ann->eval('(world.me.position = [0, 0, 0], 0)');
	$ann->shows('Math.abs(world.scene.where([0, 1.4, 0])[0] - innerWidth / 2) < 2', 'Ann is somewhere else');
	$ann->click($ground->('Ann', 2, -1));
	$ann->shows('Math.hypot(world.me.position[0] - 2, world.me.position[2] + 1) < 0.1', 'and walks to where she clicks');
	# Where both see the same.
	for (values %window) {
		$_->eval('(world.me.position = [0, 0, 0], 0)');
		$_->shows('Math.abs(world.scene.where([0, 1.4, 0])[0] - innerWidth / 2) < 2', 'in the middle of the island');
	}
	$ann->click('#tree');
	$ann->click($ground->('Ann', 3, 0));
	$bob->shows('world.scene.things.size === 1', 'Ann plants a tree, and Bob sees it');
	my $tree = $newest->($bob);
	is($bob->eval("world.things_of('$tree').kind"), 'tree', 'as what it is');
	$bob->shows('/Ann built a tree/.test(document.querySelector("#events").textContent)', 'and is told so');

	my ($from, $to) = ($middle->('Bob', $tree), [ $ground->('Bob', 0, -2) ]);
	$bob->drag($from, $to);
	$ann->shows("world.hub.state('entity_updated').has('$tree')", 'Bob drags it, and Ann sees it move');
	$same->('to the same place', qw(Ann Bob));
	$ann->shows('!world.hub.waiting', 'all is acknowledged');

	$ann->click('#lamp');
	$ann->click($ground->('Ann', -3, 1));
	$bob->shows('world.things_of("Lamp 1")?.on === true', 'Ann puts up a lamp');
	$bob->click(@{ $middle->('Bob', 'Lamp 1') });
	$ann->shows('world.things_of("Lamp 1")?.on === false', 'and Bob puts it out');

	$ann->click('#away');
	$ann->click(@{ $middle->('Ann', $tree) });
	$bob->shows("!world.things_of('$tree') && world.scene.things.size === 1", 'Ann takes the tree away, and it is gone for Bob');
	$ann->click('#hand');
	$ann->eval('(document.querySelector("#hour").value = 16.5, document.querySelector("#hour").dispatchEvent(new Event("change")))');
	$bob->shows('document.querySelector("#hour").value === "16.5"', 'she makes it evening for all');
};

subtest 'cameras' => sub {
	my ($ann, $bob) = @window{qw(Ann Bob)};
	$bob->drag([ 300, 60 ], [ 450, 90 ]);
	$ann->shows("world.hub.state('camera_update').has('camera $bob_id')", 'Bob looks around, and that is an event');
	$ann->shows('!![...document.querySelectorAll("#people li")].find((li) => li.textContent.startsWith("Bob"))?.querySelector("button")', 'Bob is in the list');
	$ann->eval('[...document.querySelectorAll("#people li")].find((li) => li.textContent.startsWith("Bob")).querySelector("button").click()');
	my $yaw = $bob->eval('world.scene.view.yaw');
	$ann->shows("Math.abs(world.scene.view.yaw - $yaw) < 0.02", 'Ann sees with his eyes');
	$ann->key('KeyS', 1);
	$ann->key('KeyS', 0);
};

# A village, for those who come, and for the picture.
my @things = map {
	my ($i, $kind) = ($_, $_ % 3 ? 'tree' : 'crate');
	my ($angle, $far) = ($i * 2.4, 6 + 0.9 * $i);
	sprintf '{type: "entity_created", entity: {id: "v%d", kind: "%s", position: [%.2f, %.2f], color: "%s"}}', $i, $kind,
	    $far * cos $angle, $far * sin $angle, $kind eq 'tree' ? [ '#3f8f4f', '#5aa04c', '#8fae3a' ]->[ $i % 3 ] : [ '#c98a4b', '#4dabf7', '#f783ac' ]->[ $i % 3 ];
} 1 .. 24;
push @things, map {
	sprintf '{type: "object_created", data: {object: {name: "Lamp %d", position: [%.2f, %.2f], color: "%s", on: true}}}', $_ + 1,
	    7 * cos($_ * 1.57), 7 * sin($_ * 1.57), [ '#ffd43b', '#ff8787', '#69db7c', '#74c0fc' ]->[ $_ - 1 ]
} 1 .. 4;
$window{Ann}->eval('Promise.all([' . join(', ', @things) . '].map((m) => world.hub.publish(m)))');

subtest 'who comes late' => sub {
	$open->('Cy');
	$says->('Cy', '^in the world$');
	$window{Cy}->shows('world.scene.things.size === 29', 'all things are there');
	$same->('as all have them', qw(Cy Ann Bob));
	$window{Cy}->shows("world.others.has('$ann_id') && world.others.has('$bob_id') && world.others.size === $bots + 2", 'and all avatars');
	is($window{Cy}->eval('document.querySelector("#hour").value'), '16.5', 'and it is evening');
};

subtest 'a picture' => sub {
	my $folder = "$ENV{HUB_BUILD}/screenshots";
	mkdir $folder;
	$window{Bob}->eval('world.me.position = [2, 0, -3]');
	$window{Ann}->eval('(world.me.position = [0, 0, 0], world.me.heading = 0.6, world.scene.view.yaw = 0.5, world.scene.view.pitch = 0.35, world.scene.view.distance = 16)');
	$window{Ann}->shows("(() => { const [x, , z] = world.others.get('$bob_id').track.at(-1).position; return x === 2 && z === -3; })()", 'Bob is near');
	$window{Ann}->shows('document.querySelector("#banner").hidden', 'nothing is in the way');
	my $drawn = $window{Ann}->eval('(world.scene.renderer.setPixelRatio(1), world.scene.renderer.info.render.frame)');
	$window{Ann}->shows("world.scene.renderer.info.render.frame > $drawn + 6", 'it is drawn');
	cmp_ok(-s $window{Ann}->picture("$folder/world.png"), '>', 20_000, 'is taken');
};

is_deeply([ map { $_->errors } values %window ], [], 'no page has made a mistake');
$browser->close;
$example->stop;
done_testing;
