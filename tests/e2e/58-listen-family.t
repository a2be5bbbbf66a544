# A name with addresses of two families where the machine has only one: hubd listens on what there is.
use strict;
use warnings;
use Hub;

# A network of one's own, in which the loopback has no IPv6, and a name with an address of each family.
my $hosts = spew(scratch() . '/hosts', "127.0.0.1 both localhost\n::1 both six\n");
my $prepare = "mount --make-rprivate / && mount --bind $hosts /etc/hosts && ip link set lo up && "
    . 'echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6';
my @apart = ('unshare', '-rmn', 'sh', '-c', "$prepare && exec \"\$@\"", 'sh');
plan skip_all => 'no namespaces here'
    if run([ @apart, 'true' ])->{status} || run([ @apart, 'getent', 'ahosts', 'both' ])->{out} !~ /^::1/m;

my $build = $ENV{HUB_BUILD} || root() . '/build';
my @hubd = ("$build/hubd", '-s', 'none', '-w', 1, '--ready-fd', 1);

sub listens {
	my ($address) = @_;
	my $proc = spawn([ @apart, @hubd, '-l', $address ]);
	wait_for { slurp($proc->{out}) =~ /\n/ || !$proc->running } "hubd on $address";
	my $ready = slurp($proc->{out});
	$proc->kill('TERM');
	my $status = $proc->wait >> 8;
	return ($status, $ready =~ /"listen":\[(.*?)\]/, slurp($proc->{err}));
}

my ($status, $listen, $said) = listens('both:4820');
is($status, 0, 'a name with both starts');
is($listen, '"127.0.0.1:4820"', 'on what there is');
unlike($said, qr/cannot/, 'without complaint');
for my $address ('six:4820', '[::1]:4820') {
	my $r = run([ @apart, @hubd, '-l', $address ]);
	is($r->{status}, 73, "$address: none of them");
	like($r->{err}, qr/cannot listen on \Q$address\E: Cannot assign requested address/, 'and why');
}

# What somebody else has is an error all the same: half of a name would go to another server.
my $taken = spawn([ @apart, 'sh', '-c', <<'SH', 'sh', @hubd ], env => { SCRATCH => scratch() });
cd "$SCRATCH"; "$@" -l both:4820 >first & until [ -s first ]; do sleep 0.02; done
"$@" -l both:4820; echo "status $?"; kill $!; wait $!
SH
$taken->wait;
like(slurp($taken->{out}), qr/^status 73$/m, 'an address in use');
done_testing;
