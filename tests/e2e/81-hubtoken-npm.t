# Not under sanitizers.
# Tokens of others: npm's jose and jsonwebtoken make what hubtoken takes, and take what it makes, for every
# algorithm. npm brings them into the build directory, once; where it does not, the test is skipped.
use strict;
use warnings;
use Hub;
use Hub::Npm;

my $modules = Hub::Npm::modules('jose@6.1.0', 'jsonwebtoken@9.0.2');
plan skip_all => 'npm brings no jose and jsonwebtoken here' unless $modules;
my $node = Hub::Npm::program('node');

my $dir = scratch();
my $driver = spew("$dir/driver.cjs", do { local $/; <DATA> });

sub peer {
	my ($in, @args) = @_;
	my $r = run([ 'env', "NODE_PATH=$modules", $node, $driver, @args ], in => $in);
	is($r->{status}, 0, "@args[0, 1]") or diag($r->{err});
	return $r->{out};
}

my $claims = '{"sub":"Zo\u00eb","hub":{"join":["world_*"],"rate":50},"n":[1,2.5,null,true]}';
for my $alg (qw(HS256 HS384 HS512 EdDSA ES256 RS256 PS256)) {
	is(run([ 'hubtoken', 'keygen', '-a', $alg, '-o', "$dir/$alg" ])->{status}, 0, "$alg: a key of ours");
	my $public = -e "$dir/$alg.pub" ? "$dir/$alg.pub" : "$dir/$alg";
	my $ours = run([ 'hubtoken', 'sign', '-k', "$dir/$alg", '-c', $claims, '--audience', 'hub' ])->{out};
	# jsonwebtoken knows no EdDSA.
	for my $library ('jose', $alg eq 'EdDSA' ? () : 'jsonwebtoken') {
		my $read = unjson(peer($ours, $library, 'verify', $alg, $public));
		is_deeply([ $read->{sub}, $read->{hub}{rate}, $read->{aud} ], [ "Zo\x{eb}", 50, ['hub'] ],
			"$alg: $library takes ours");
		my $theirs = peer($claims, $library, 'sign', $alg, "$dir/$alg");
		my $r = run([ 'hubtoken', 'verify', '-k', $public, '--audience', 'hub', '--issuer', $library ], in => $theirs);
		is($r->{status}, 0, "$alg: we take what $library made") or diag($r->{err});
		is(unjson($r->{out})->{sub}, "Zo\x{eb}", "$alg: and read it");
	}
	# A key of theirs, as JWK and as PEM.
	my ($secret, $jwk, $pem) = split /\n\n/, peer('', 'jose', 'keygen', $alg);
	spew("$dir/secret", $secret);
	chmod 0600, "$dir/secret";
	my $token = peer($claims, 'jose', 'sign', $alg, "$dir/secret");
	my @forms = ($alg =~ /^HS/ ? $secret : $jwk, $alg =~ /^HS|^PS/ ? () : $pem);
	for my $i (0 .. $#forms) {
		spew("$dir/theirs", $forms[$i]);
		chmod 0600, "$dir/theirs";
		my $r = run([ 'hubtoken', 'verify', '-k', "$dir/theirs", '--audience', 'hub' ], in => $token);
		is($r->{status}, 0, "$alg: by a key of theirs, " . ($i ? 'PEM' : 'JWK')) or diag($r->{err});
	}
}

done_testing;

__DATA__
const fs = require('fs');
const [library, verb, alg, file] = process.argv.slice(2);
const input = fs.readFileSync(0, 'utf8').trim();
const claims = (issuer) => ({...JSON.parse(input), iss: issuer, aud: 'hub', exp: Math.floor(Date.now() / 1000) + 60});
const key = () => {
	const read = JSON.parse(fs.readFileSync(file, 'utf8'));
	return read.keys ? read.keys[0] : read;
};

const jose = {
	async verify(j) {
		const {payload} = await j.jwtVerify(input, await j.importJWK(key(), alg), {algorithms: [alg], audience: 'hub'});
		return JSON.stringify(payload);
	},
	async sign(j) {
		return new j.SignJWT(claims('jose')).setProtectedHeader({alg}).setIssuedAt().sign(await j.importJWK(key(), alg));
	},
	async keygen(j) {
		if (alg.startsWith('HS'))
			return JSON.stringify({...await j.exportJWK(await j.generateSecret(alg, {extractable: true})), alg});
		const pair = await j.generateKeyPair(alg, {extractable: true});
		return [JSON.stringify({...await j.exportJWK(pair.privateKey), alg}),
			JSON.stringify({...await j.exportJWK(pair.publicKey), alg}), await j.exportSPKI(pair.publicKey)].join('\n\n');
	},
};

const {createPublicKey, createPrivateKey} = require('crypto');
const material = (make) => alg.startsWith('HS') ? Buffer.from(key().k, 'base64url') : make({key: key(), format: 'jwk'});
const jsonwebtoken = {
	verify: (j) => JSON.stringify(j.verify(input, material(createPublicKey), {algorithms: [alg], audience: 'hub'})),
	sign: (j) => j.sign(claims('jsonwebtoken'), material(createPrivateKey), {algorithm: alg}),
};

(async () => console.log(library === 'jose' ? await jose[verb](require('jose'))
	: jsonwebtoken[verb](require('jsonwebtoken'))))().catch((e) => { console.error(e); process.exit(1); });
