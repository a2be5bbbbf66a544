// How hubd's parsers and their peers differ, and why that is as it should be: for wire-peers.js. Each class
// says what it is, and is() whether a difference is of it, by what the input really has. A difference d has
// ours and theirs, kind (of requests), and text: of requests what starts at the one in question, of frames
// all bytes.
'use strict';
const http = require('http');
const net = require('net');

const ourMethods = [ 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH' ];

// --- what a request has, as loosely as Node reads it

const hex = text => Buffer.from(text, 'latin1').toString('hex');
const line = d => d.text.replace(/^[\r\n]+/, '').split(/\r?\n/, 1)[0];
const method = d => line(d).split(' ', 1)[0];
const target = d => line(d).replace(/^\S+ +/, '').replace(/ +HTTP\/\d\.\d$/, '');
const head = d => d.text.split('\r\n\r\n', 1)[0];
const values = (d, name) => head(d).split('\r\n').slice(1).filter(l => l.toLowerCase().startsWith(name + ':'))
	.map(l => l.slice(name.length + 1).replace(/^[ \t]+|[ \t]+$/g, ''));
const value = (d, name) => values(d, name).join(', ');
const upgrades = d => method(d) === 'CONNECT' || /\bupgrade\b/i.test(value(d, 'connection')) && values(d, 'upgrade').length > 0;
const body = d => d.text.slice(head(d).length + 4);

const name = /^(\[[0-9a-f:.]+\]|([\w.~!$&'()*+,;=-]|%[0-9a-f]{2})*)(:\d*)?$/i;
const host = { test: h => name.test(h) && (h[0] !== '[' || net.isIPv6(h.slice(1, h.indexOf(']')))) &&
	Number((/:(\d+)$/.exec(h) || [ 0, 0 ])[1]) < 65536 };
const path = /^([\w.~!$&'()*+,;=:@\/[\]^|-]|%[0-9a-f]{2})+$/i;
const query = /^[^\0- "#<>\x7f-\xff]*$/;
const originForm = t => t.startsWith('/') && path.test(t.split('?', 1)[0]) && query.test(t.slice(t.split('?', 1)[0].length));

// Node went on to a request that is not the one in question.
const another = d => d.y && (d.y.method !== method(d) || d.y.target !== hex(target(d)) ||
	JSON.stringify(d.y.fields.map(f => f[0])) !== JSON.stringify(head(d).split('\r\n').slice(1).map(l => hex(l.split(':', 1)[0]))));

// We refuse for that reason; Node takes the request, or has not judged yet what came of it.
const refuse = (why, test) => d => d.ours === why && (d.theirs === 'accepts' || d.theirs === 'more') && test(d);
// We take, or wait for more; Node refuses.
const take = (error, test) => d => [ 'accepts', 'more', 'done', 'close' ].includes(d.ours) && d.theirs.startsWith(error) && test(d);

exports.headDifferences = [
	{ what: 'Node takes a Host that is none (RFC 9112 3.2: 400)',
		is: refuse('a Host that is none', d => values(d, 'host').some(h => !host.test(h))) },
	{ what: 'Node takes more than one Host (RFC 9112 3.2: 400)',
		is: refuse('more than one Host', d => values(d, 'host').length > 1) },
	{ what: 'Node asks for no Host where it upgrades, and goes on to the next request where it asks (RFC 9112 3.2: 400)',
		is: refuse('no Host', d => values(d, 'host').length === 0 &&
			(upgrades(d) || d.theirs === 'more' || another(d))) },
	{ what: 'Node takes HTTP/0.9 and 2.0 as if they were HTTP/1 (RFC 9110 15.6.6: 505)',
		is: refuse('a version that is not HTTP/1', d => / HTTP\/(0\.9|2\.0)$/.test(line(d))) },
	{ what: 'Node refuses HTTP/1.2 to 1.9 (RFC 9110 2.5: as 1.1)',
		is: take('HPE_INVALID_VERSION', d => / HTTP\/1\.[2-9]$/.test(line(d))) },
	{ what: 'Node takes a request without a version, as HTTP/0.9 had it (RFC 9112 3: 400)',
		is: d => [ 'a request line without a version', 'a control character, or half a line end' ].includes(d.ours) &&
			[ 'accepts', 'more' ].includes(d.theirs) && !/^\S+ .+ HTTP\/\d\.\d$/.test(line(d)) &&
			!/^(\n|\r(?!\n))/.test(d.text) },
	{ what: 'Node takes more than one space in the request line, or a blank in the target (RFC 9112 3: 400)',
		is: refuse('a version that is none', d => /^\S+ (.* | )\S*$/.test(line(d))) },
	{ what: 'Node knows methods beyond those of RFC 9110 and RFC 5789 (9110 9.1: 501)',
		is: refuse('an unknown method', d => http.METHODS.includes(method(d)) && !ourMethods.includes(method(d))) },
	{ what: 'Node takes a path with characters that no path has, "#", or broken escapes (RFC 3986 3.3)',
		is: refuse('a path that is none', d => !originForm(target(d).replace(/^https?:\/\/[^/?]*/i, '') || '/')) },
	{ what: 'Node takes a query with characters that no query has (RFC 3986 3.4)',
		is: refuse('a query that is none', d => !query.test(target(d).replace(/^[^?]*/, ''))) },
	{ what: 'Node takes * of any method (RFC 9112 3.2.4: OPTIONS only)',
		is: refuse('* is for OPTIONS', d => target(d) === '*' && method(d) !== 'OPTIONS') },
	{ what: 'Node takes URIs without a host, or with user information (RFC 9110 4.2: to be refused)',
		is: refuse('a URI without a valid host', d => {
			const authority = (/^https?:\/\/([^/?]*)/i.exec(target(d)) || [])[1];
			return authority === '' || authority !== undefined && (!host.test(authority) || authority[0] === ':');
		}) },
	{ what: 'Node takes http: and https: URIs without an authority (RFC 9110 4.2)',
		is: refuse('a URI without an authority', d => /^https?:(?!\/\/)/i.test(target(d))) },
	{ what: 'Node takes targets that are neither a path nor an http URI (RFC 9112 3.2)',
		is: refuse('a target that is no path', d => !/^(\/|https?:)/i.test(target(d))) },
	{ what: 'Node takes CONNECT to what is not a host and a port (RFC 9112 3.2.3)',
		is: refuse('CONNECT without a host and a port', d => method(d) === 'CONNECT' &&
			(!/:\d+$/.test(target(d)) || !host.test(target(d)))) },
	{ what: 'Node takes codings beside chunked, which it does not know either (RFC 9112 6.1: 501)',
		is: refuse('an unknown transfer coding', d => /[^,\s].*,\s*chunked$/i.test(value(d, 'transfer-encoding'))) },
	{ what: 'Node does not look at the codings of a request that upgrades (RFC 9112 6.3: 400)',
		is: refuse('a transfer coding that does not end in chunked', d => upgrades(d) &&
			!/(^|,)\s*chunked$/i.test(value(d, 'transfer-encoding'))) },
	{ what: 'Node takes an empty or a repeated coding beside chunked (RFC 9112 6.1)',
		is: d => [ 'an empty transfer coding', 'chunked more than once' ].includes(d.ours) &&
			[ 'accepts', 'more' ].includes(d.theirs) && /,|^$/.test(value(d, 'transfer-encoding')) },
	{ what: 'Node takes Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1: framing is faulty)',
		is: refuse('Transfer-Encoding in HTTP/1.0', d => / HTTP\/1\.0$/.test(line(d)) && values(d, 'transfer-encoding').length) },
	{ what: 'Node takes a Content-Length from 2^63 to 2^64 - 1 (RFC 9110 8.6 leaves the limit open)',
		is: refuse('a Content-Length that is too large', d => BigInt(value(d, 'content-length')) >= 1n << 63n) },
	{ what: 'Node takes 100-continue beside others, leaves Expect to who upgrades, goes on behind its 417 (RFC 9110 10.1.1)',
		is: refuse('an expectation that is not 100-continue', d => value(d, 'expect').toLowerCase() !== '100-continue' &&
			(upgrades(d) || d.theirs === 'more' || /\b100-continue\b/i.test(value(d, 'expect')) ||
				another(d))) },
	{ what: 'Node skips any line ends before a request, also halves (RFC 9112 2.2: at least one empty line)',
		is: d => [ 'empty lines before the request', 'a control character, or half a line end' ].includes(d.ours) &&
			[ 'accepts', 'more' ].includes(d.theirs) && /^(\n|\r(?!\n)|\r\n[\r\n])/.test(d.text) },
	{ what: 'Node counts other bytes towards its 16 KiB than all of the head',
		is: refuse('a head that is too large', d => head(d).length + 4 > 16384) },
	{ what: 'Node says at the byte what we say at the end of its line, which has not come',
		is: d => d.kind === 'end' && d.ours === 'more' && d.theirs.startsWith('HPE_') && !/^(\r\n)?([^\r\n]*\r\n)*$/.test(d.text) },
	{ what: 'Node says at the field what we say at the end of the head, which has not come',
		is: d => d.kind === 'end' && d.ours === 'more' && /^HPE_INVALID_(TRANSFER_ENCODING|CONTENT_LENGTH)/.test(d.theirs) &&
			!d.text.includes('\r\n\r\n') },
	{ what: 'Node takes no tab behind a Content-Length or a Transfer-Encoding (RFC 9112 5: OWS)',
		is: take('HPE_INVALID_', d => /^HPE_INVALID_(TRANSFER_ENCODING|CONTENT_LENGTH)/.test(d.theirs) &&
			/^(content-length:[ \t]*\d+|transfer-encoding:[ \t]*chunked) *\t/im.test(head(d))) },
	{ what: 'We stop behind a request that closes; Node complains of what follows (RFC 9112 9.6: to be ignored)',
		is: d => d.kind === 'end' && d.ours === 'close' && d.theirs.startsWith('HPE_CLOSED_CONNECTION') },
	{ what: 'Node upgrades in HTTP/1.0 (RFC 9110 7.8: Upgrade is to be ignored)',
		is: d => d.kind === 'upgrade' && d.theirs === true && / HTTP\/1\.0$/.test(line(d)) },

	// --- bodies
	{ what: 'Node takes a chunk size of more than 16 digits (RFC 9112 7.1 leaves the limit open)',
		is: d => d.kind === 'body' && d.ours === '400' && /(^|\n)[0-9a-f]{17,}/i.test(body(d)) },
	{ what: 'Node takes no blank before the ";" of a chunk extension (RFC 9112 7.1.1: BWS must be parsed)',
		is: take('HPE_INVALID_CHUNK_SIZE', d => d.kind === 'body' && /(^|\n)[0-9a-f]+[ \t]+;/i.test(body(d))) },
	{ what: 'Node reads the grammar of chunk extensions, which we ignore within a limit (RFC 9112 7.1.1)',
		is: d => d.kind === 'body' && d.ours === 'done' && /chunk extension/.test(d.theirs) && /(^|\n)[0-9a-f]+[ \t]*;/i.test(body(d)) },
	{ what: 'Node refuses a Content-Length among the trailers, which we ignore (RFC 9110 6.5.1)',
		is: take('HPE_INVALID_CONTENT_LENGTH', d => d.kind === 'body' &&
			/\r\n0+[^\n]*\r\n([^\r\n]+\r\n)*content-length:/i.test('\r\n' + body(d))) },

	// --- handshakes, where both took the head
	{ what: 'ws takes "websocket" as the only element of Upgrade (RFC 9110 7.8: a list)',
		is: d => d.kind === 'handshake' && d.ours === 101 && value(d, 'upgrade').includes(',') },
	{ what: 'ws refuses a protocol that is offered twice (RFC 6455 4.1 forbids it the client)',
		is: d => d.kind === 'handshake' && d.ours === 101 && new Set(value(d, 'sec-websocket-protocol').split(/\s*,\s*/)).size
			< value(d, 'sec-websocket-protocol').split(',').length },
	{ what: 'ws takes version 8, and 13 in any spelling of the number (RFC 6455 4.2.1: 13, else 426)',
		is: d => d.kind === 'handshake' && d.theirs === 101 && d.ours === 'not version 13 of WebSocket' &&
			[ 8, 13 ].includes(Number(value(d, 'sec-websocket-version'))) && value(d, 'sec-websocket-version') !== '13' },
	{ what: 'ws takes a key whose base64 is not canonical (RFC 4648 3.5 lets a decoder refuse)',
		is: d => d.kind === 'handshake' && d.theirs === 101 && d.ours === 'no valid Sec-WebSocket-Key' &&
			Buffer.from(value(d, 'sec-websocket-key'), 'base64').toString('base64') !== value(d, 'sec-websocket-key') },
	{ what: 'ws takes content in a handshake, and reads it as frames',
		is: d => d.kind === 'handshake' && d.theirs === 101 && d.ours === 'content in a handshake' &&
			(values(d, 'transfer-encoding').length > 0 || Number(value(d, 'content-length')) > 0) },
	{ what: 'ws takes an empty Host (RFC 6455 4.2.1: the server\'s authority)',
		is: d => d.kind === 'handshake' && d.theirs === 101 && d.ours === 'no host' && value(d, 'host') === '' },
	{ what: 'ws refuses a list of protocols with an empty element at its end (RFC 9110 5.6.1.2: it is passed over)',
		is: d => d.kind === 'handshake' && d.theirs === 400 && d.ours === 101 &&
			/,\s*$/.test(value(d, 'sec-websocket-protocol')) },
];

// --- what frames have

function* frames(bytes) {
	for (let at = 0; bytes.length - at >= 2;) {
		let length = bytes[at + 1] & 127, header = 2;
		const form = length;
		if (form === 126) {
			if (bytes.length - at < 4) return;
			length = bytes.readUInt16BE(at + 2), header = 4;
		} else if (form === 127) {
			if (bytes.length - at < 10) return;
			length = Number(bytes.readBigUInt64BE(at + 2)), header = 10;
		}
		const masked = bytes[at + 1] >> 7, mask = bytes.subarray(at + header, at + header + 4);
		header += masked * 4;
		const data = bytes.subarray(at + header, Math.min(at + header + length, bytes.length));
		yield { final: bytes[at] >> 7, opcode: bytes[at] & 15, form, length,
			data: Buffer.from(data.map((b, i) => masked ? b ^ mask[i & 3] : b)) };
		at += header + length;
	}
}

const longForm = bytes => [ ...frames(bytes) ].some(f => f.form === 126 && f.length < 126 || f.form === 127 && f.length < 65536);

// A text that is bad before its end has come.
function badText(bytes) {
	let decoder = null;
	try {
		for (const f of frames(bytes)) {
			if (f.opcode === 1) decoder = new TextDecoder('utf-8', { fatal: true });
			if (f.opcode < 3 && decoder) decoder.decode(f.data, { stream: true });
			if (f.opcode < 3 && f.final) decoder = null;
		}
		return false;
	} catch {
		return true;
	}
}

exports.frameDifferences = [
	{ what: 'ws takes a length that is not in its shortest form (RFC 6455 5.2: must be minimal)',
		is: d => d.ours === 'fail 1002 a length that is not in its shortest form' && longForm(d.bytes) },
	{ what: 'ws checks a text when it is whole, we as it comes (RFC 6455 8.1 leaves it open)',
		is: d => d.ours === 'fail 1007 text that is not UTF-8' && d.theirs !== 'text' && badText(d.bytes) },
	{ what: 'ws says 1009 of a length over 2^53, we 1002 of one with its top bit set (RFC 6455 5.2: must be 0)',
		is: d => d.ours === 'fail 1002 a length of more than 63 bits' && d.theirs.startsWith('fail 1009') },
];
