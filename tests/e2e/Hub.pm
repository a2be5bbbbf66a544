# A private hubd for one test: started from $HUB_BUILD in a temporary directory on addresses of its
# own, stopped and judged at the end; and other programs run beside it. All of it goes when the test
# goes, however it goes: a small process keeps the list and cleans up at the end of a pipe.
package Hub;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use Fcntl qw(F_SETFD);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use Hub::Client qw(pump wait_for json unjson slow now);
use IO::Handle;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes ();

our @EXPORT = (
	qw(pump wait_for json unjson slow now), qw(spawn run slurp spew data_file scratch need_files),
	qw(root no_sanitizer becomes chance own_address), @Test::More::EXPORT
);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $build = abs_path($ENV{HUB_BUILD} || "$root/build") || "$root/build";
my $owner = $$;
my @running;    # hubs that no stop() has judged yet

# However a test hangs, it ends, a little before tests/run would end it.
$SIG{ALRM} = sub { die "the test took too long\n" };
$SIG{$_} = sub { die "killed by a signal\n" }
    for qw(INT TERM HUP);
alarm 540 + 60 * slow() + 10 * ($ENV{HUB_TEST_ROUNDS} // 0);

sub root { return $root }

# Under a sanitizer memory and speed tell nothing.
sub no_sanitizer { return !$ENV{HUB_TEST_SANITIZER} }

# A test of its own that a condition comes true in time.
sub becomes(&$;$) {
	my ($condition, $name, $seconds) = @_;
	my $ok = eval { &wait_for($condition, $name, $seconds) };
	die $@ if $@ && $@ !~ /^gave up/;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($ok, $name);
}

my %seeds;    # those that were used

# Sets the dice, and gives their seed: HUB_TEST_SEED, or DEFAULT, or one of this run. A test that fails says
# it, so that it can be taken again.
sub chance {
	my ($default) = @_;
	my $seed = $ENV{HUB_TEST_SEED} // $default // (int(Time::HiRes::time() * 1000) ^ $$) % 1_000_000_000;
	note "HUB_TEST_SEED=$seed" unless $seeds{$seed}++;
	srand $seed;
	return $seed;
}

# An address of the loopback that no other test has, for a port that must stay free, or be had again: on
# 127.0.0.1 anybody may take it in between.
sub own_address {
	return join '.', 127, 128 | $owner >> 16, $owner >> 8 & 255, $owner & 255;
}

# --- files

sub slurp {
	my ($path) = @_;
	open my $fh, '<:raw', $path or return '';
	local $/;
	return scalar <$fh>;
}

sub spew {
	my ($path, @data) = @_;
	open my $fh, '>:raw', $path or die "$path: $!\n";
	print $fh @data;
	close $fh or die "$path: $!\n";
	return $path;
}

# The recorded game data, by name.
sub data_file {
	return "$root/examples/data/$_[0].ndjson";
}

my $scratch;

# The test's own directory.
sub scratch {
	return $scratch if $scratch;
	$scratch = tempdir('hub.XXXXXX', TMPDIR => 1);
	_leash("dir $scratch");
	return $scratch;
}

# For a test that opens more files than shells usually allow: starts it again with a higher limit. Where
# it may not have that, it is left out.
sub need_files {
	my ($n) = @_;
	return if POSIX::sysconf(POSIX::_SC_OPEN_MAX()) >= $n;
	plan(skip_all => "cannot open $n files here (ulimit -Hn)") if $ENV{HUB_TEST_FILES};
	$ENV{HUB_TEST_FILES} = $n;
	exec 'sh', '-c', "ulimit -n $n 2>/dev/null; exec \"\$@\"", 'sh', $^X, (map { "-I$_" } @INC), $0, @ARGV;
}

# --- processes

my ($leash, $leash_pid);

sub _leash {
	my ($line) = @_;
	if (!$leash) {
		pipe my $read, $leash or die "pipe: $!\n";
		$leash_pid = fork // die "fork: $!\n";
		_clean_up_after($read) if !$leash_pid;
		$leash->autoflush(1);
	}
	print $leash "$line\n";
}

sub _clean_up_after {
	my ($read) = @_;
	close $leash;
	$SIG{$_} = 'IGNORE' for qw(INT TERM HUP ALRM);
	alarm 0;
	open STDOUT, '>', '/dev/null';
	open STDERR, '>', '/dev/null';
	my (%pid, @dirs);
	while (<$read>) {
		$pid{$1} = 1 if /^pid (\d+)$/;
		delete $pid{$1} if /^done (\d+)$/;
		push @dirs, $1 if /^dir (.+)$/;
	}
	kill 'KILL', keys %pid;
	remove_tree(@dirs);
	POSIX::_exit(0);
}

# Starts [program, arguments...]; in => a file name, a handle or 'pipe' (then {stdin}); out and err =>
# a handle or file name; pass => [handles] that stay open in the child.
sub spawn {
	my ($command, %o) = @_;
	my $n = ++$Hub::spawned;
	my $out = $o{out} // scratch() . "/$n.out";
	my $err = $o{err} // scratch() . "/$n.err";
	my ($in, $stdin) = ($o{in} // '/dev/null');
	if ($in eq 'pipe') {
		pipe my $read, $stdin or die "pipe: $!\n";
		$in = $read;
	}
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		$SIG{$_} = 'DEFAULT' for qw(ALRM INT TERM HUP PIPE);
		%ENV = (%ENV, %{ $o{env} || {} });
		my $ok = eval {
			_become(0, '<', $in);
			_become(1, '>', $out);
			_become(2, '>>', $err);
			fcntl $_, F_SETFD, 0 for @{ $o{pass} || [] };
			exec { $command->[0] } @$command;
		};
		POSIX::_exit(127);
	}
	_leash("pid $pid");
	return bless { pid => $pid, out => $out, err => $err, stdin => $stdin, name => $command->[0] },
	    'Hub::Process';
}

sub _become {
	my ($fd, $mode, $what) = @_;
	if (!ref $what) {
		open my $fh, $mode, $what or die;
		$what = $fh;
	}
	POSIX::dup2(fileno $what, $fd);
}

# Runs one of our programs (by its name) or any (by its path) to its end: {status, signal, out, err}.
# in => text for its standard input.
sub run {
	my ($command, %o) = @_;
	my @command = @$command;
	$command[0] = "$build/$command[0]" if -x "$build/$command[0]";
	$o{in} = spew(scratch() . '/' . ++$Hub::spawned . '.in', $o{in}) if defined $o{in} && !ref $o{in};
	my $proc = spawn(\@command, %o);
	my $status = $proc->wait;
	return {
		status => $status >> 8, signal => $status & 127,
		out => slurp($proc->{out}), err => slurp($proc->{err})
	};
}

# --- the hub

# args => more arguments; workers => N; listen => ADDRESS or 'none'; drain => SECONDS;
# only => [arguments]: nothing but these and --ready-fd; dir => where an earlier one lived; env => {};
# err => a handle for what it says; in => a file that is its standard input.
#
# It has more patience with its clients than by default, since on a busy machine these are slow, and a test that
# looks at much answers nobody meanwhile; a test of its patience asks for less.
sub start {
	my ($class, %o) = @_;
	my $dir = $o{dir} || tempdir('XXXXXX', DIR => scratch());
	my $self = bless { dir => $dir, socket => "$dir/hub.sock", log => "$dir/hubd.log" }, $class;
	my @args = $o{only} ? @{ $o{only} } : (
		'--socket', $self->{socket},
		'--workers', $o{workers} || $ENV{HUB_TEST_WORKERS} || 2,
		'--drain', $o{drain} // 0,
		qw(--slow-after 600 --write-timeout 600 --ping 540 --pong 86400),
		'--listen', $o{listen} // '127.0.0.1:0', @{ $o{args} || [] });
	pipe my $read, my $write or die "pipe: $!\n";
	$self->{proc} = spawn(
		[ @{ $o{under} || [] }, "$build/hubd", @args, '--ready-fd', fileno $write ],
		out => $self->{log}, err => $o{err} // "$self->{log}.err", pass => [$write],
		defined $o{in} ? (in => $o{in}) : (),
		env => { _sanitizer_env("$dir/sanitizer"), %{ $o{env} || {} } });
	close $write;
	push @running, $self;
	$read->blocking(0);
	my $line = '';
	wait_for {
		my $n = sysread $read, $line, 4096, length $line;
		die 'hubd ended before it was ready (status ' . $self->{proc}->wait . ")\n"
		    if defined $n && $n == 0 && $line !~ /\n/;
		return $line =~ /\n/;
	} 'hubd to be ready';
	$self->{ready} = unjson($line);
	@$self{qw(host port)} = map { /^(.*):(\d+)$/ } @{ $self->{ready}{listen} || [] };
	$self->{socket} = $self->{ready}{socket} if $o{only};
	return $self;
}

sub _sanitizer_env {
	my ($path) = @_;
	return map { $_ => join ':', grep { length } $ENV{$_} // '', "log_path=$path" }
	    qw(ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS);
}

# Arguments that make hubd fail: its exit status and what it said.
sub refuses {
	my ($class, @args) = @_;
	my $result = run([ 'hubd', @args ]);
	chomp $result->{err};
	return $result;
}

sub pid { return $_[0]{proc}{pid} }

sub unix {
	my ($self, %o) = @_;
	return Hub::Client->unix($self->{socket}, %o);
}

sub ws {
	my ($self, %o) = @_;
	return Hub::Client->ws($self->{port}, host => $self->{host}, %o);
}

sub tcp {
	my ($self, %o) = @_;
	return Hub::Client->tcp($self->{port}, host => $self->{host}, %o);
}

# A client over the named transport.
sub client {
	my ($self, $transport, %o) = @_;
	return $transport eq 'ws' ? $self->ws(%o) : $self->unix(%o);
}

# A member: client, already in the session.
sub member {
	my ($self, $transport, $session, %join) = @_;
	my $c = $self->client($transport);
	$c->{joined} = $c->join_session($session, %join);
	return $c;
}

# One HTTP request; the client with {status}, {headers}, {body}.
sub get {
	my ($self, $path, %o) = @_;
	my $c = $self->tcp;
	$c->send_bytes($o{raw}
		    // ($o{method} || 'GET') . " $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	wait_for { $c->{complete} || $c->{gone} } "an answer to GET $path", undef, $c;
	return $c;
}

sub health {
	my ($self) = @_;
	return unjson($self->get('/healthz')->{body});
}

# Resident memory in KiB.
sub rss {
	my ($self) = @_;
	return slurp('/proc/' . $self->pid . '/status') =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}

sub hubcat {
	my ($self, $args, %o) = @_;
	my $url = $o{over} && $o{over} eq 'ws' ? "ws://$self->{host}:$self->{port}/ws" : "unix:$self->{socket}";
	return [ "$build/hubcat", '-u', $url, @$args ];
}

sub log_text {
	my ($self) = @_;
	return join '', map { slurp($_) } $self->{log}, "$self->{log}.err", glob "$self->{dir}/sanitizer*";
}

# A hub that was killed on purpose needs no judgement.
sub forget {
	my ($self) = @_;
	@running = grep { $_ != $self } @running;
}

# Ends hubd by a signal and tests that it went well: status 0 in time, no sanitizer report.
sub stop {
	my ($self, %o) = @_;
	@running = grep { $_ != $self } @running;
	$self->{proc}->kill($o{signal} || 'TERM');
	return $self->ended(%o);
}

# The same for a hubd that was told to stop already.
sub ended {
	my ($self, %o) = @_;
	@running = grep { $_ != $self } @running;
	my $status = eval { $self->{proc}->wait(120) };
	my $problem =
	      !defined $status ? 'hubd did not end'
	    : $status != 0     ? sprintf('hubd ended with status %d, signal %d', $status >> 8, $status & 127)
	    : $self->log_text =~ /(Sanitizer|runtime error:)/ ? "a report: $1"
	    : (glob "$self->{dir}/sanitizer*")                ? 'a sanitizer report'
	    :                                                   '';
	my $ok = is($problem, '', $o{name} || 'hubd ends well');
	diag($self->log_text) unless $ok;
	$self->{proc}->kill('KILL') unless defined $status;
	return $ok;
}

END {
	if ($$ == $owner) {
		my $status = $?;
		alarm 0;
		diag("HUB_TEST_SEED=$_") for $status || !Test::More->builder->is_passing ? sort keys %seeds : ();
		for my $hub (@running) {
			$hub->{proc}->kill('KILL');
			diag("hubd's log:\n" . substr $hub->log_text, -4000) if $hub->log_text;
		}
		@running = ();
		close $leash if $leash;
		waitpid $leash_pid, 0 if $leash_pid;
		$? = $status;
	}
}

package Hub::Process;

use strict;
use warnings;

sub kill {
	my ($self, $signal) = @_;
	CORE::kill $signal, $self->{pid} unless defined $self->{status};
}

sub running {
	my ($self) = @_;
	return 0 if defined $self->{status};
	return 1 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
	$self->{status} = $?;
	print $leash "done $self->{pid}\n";
	return 0;
}

# The wait status; dies at the deadline.
sub wait {
	my ($self, $seconds) = @_;
	Hub::Client::wait_for(sub { !$self->running }, "$self->{name} to end", $seconds || 300);
	return $self->{status};
}

1;
