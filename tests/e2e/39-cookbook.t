# Not under sanitizers.
# hub-cookbook(7): every task is one to three commands that do what the page prints. And the QUICK START of each
# program's page: five lines that run.
# Long.
use strict;
use warnings;
use Hub;
use Hub::Pages;

my $root = root();
my $page = "$root/man/hub-cookbook.7";
my $source = slurp($page);
my @tasks = $source =~ /^\.Ss (.*)\n/mg;
is(scalar @tasks, 26, 'tasks');
my ($text) = $source =~ /^\.Sh TASKS\n(.*?)^\.Sh /ms;
for my $task (split /^(?=\.Ss )/m, $text) {
	my ($title, $body) = $task =~ /\A\.Ss ([^\n]*)\n(.*)\z/s;
	my @blocks = $body =~ /^\.Bd -literal[^\n]*\n(.*?)^\.Ed/msg;
	is(scalar @blocks, 1, "$title: one block");
	my $commands = () = $blocks[0] =~ /^\$ /mg;
	ok($commands >= 1 && $commands <= 3, "of one to three commands");
	unlike($body =~ s/^\.Bd.*?^\.Ed//msr, qr/^\$ /m, 'and all of it in there');
}
for my $path ($page, glob "$root/man/*.[178]") {
	my $lint = run([ 'mandoc', '-T', 'lint', '-W', 'warning', $path ]);
	is($lint->{out} . $lint->{err}, '', "$path: mandoc finds nothing");
}

# What the tasks need that a machine has not, or a test must not have: files of other programs, a desktop.
my $dir = scratch();
mkdir "$dir/bin";
my $opened = "$dir/opened";
spew("$dir/bin/xdg-open", "#!/bin/sh\necho \"\$1\" >>$opened\n");
chmod 0755, "$dir/bin/xdg-open";
$ENV{PATH} = "$dir/bin:$ENV{PATH}";
my $formats = "$root/examples/formats";
my $started = run_page(
	'hub-cookbook(7)', [ man_examples($page, 'TASKS') ],
	hub => 1,
	files => {
		examples => "$root/examples", 'access.json.log' => "$formats/nginx/sample.ndjson",
		'docker.events' => "$formats/docker/sample.ndjson", 'journal.json' => "$formats/journald/sample.ndjson",
		'demo.cast' => "$formats/asciicast/sample.cast", 'traffic.har' => "$formats/har/sample.json",
	});
like(slurp($opened), qr{\Afile:///\S+/examples/watch/index\.html\?session=nginx\n\z}, 'the browser has its page');

# --- five lines

for my $program (map { s{.*/}{}r } glob "$root/bin/*") {
	my ($of) = glob "$root/man/$program.[18]";
	ok($of, "$program has a page") or next;
	my @blocks = man_examples($of, 'QUICK START');
	is(scalar @blocks, 1, "$of: a QUICK START");
	is(scalar(map { @$_ } @blocks), 5, 'of five lines');
	run_page("QUICK START of $program", \@blocks, hub => $program ne 'hubd');
}
done_testing();
