// What the clients of Node and the page in a browser do, whatever their library: a WebSocket class as browsers
// have it, fetch(), and a way to follow server-sent events.
'use strict';

const TEXT = 'gr\u00fc\u00dfe \ud83d\ude00';

// ping: of a socket, calls back at its pong; null where the library has none.
function overWebSocket(WebSocket, base, session, ping) {
	const url = base.replace(/^http/, 'ws') + '/ws';
	const report = {records: []};
	return new Promise((done, fail) => {
		const ws = new WebSocket(url, 'hub');
		const say = (m) => ws.send(JSON.stringify(m));
		const binary = () => ws.send(new Uint8Array([1, 2, 3]));
		ws.onopen = () => say({type: 'session_associate', session_id: session});
		ws.onerror = (e) => fail(new Error('error: ' + (e.message || 'no reason')));
		ws.onmessage = (event) => {
			const m = JSON.parse(event.data);
			if (m.seq && m.type !== 'session_associated')
				report.records.push(m.type);
			switch (m.type) {
			case 'session_associated':
				report.protocol = ws.protocol;
				report.joined = m.user_count;
				report.me = m.client_id;
				say({type: 'hello', text: TEXT});
				break;
			case 'hello':
				report[m.from === report.me ? 'own' : 'theirs'] = m.text;
				break;
			case 'big':
				report.big = m.x.length;
				say({type: 'mine', x: '\u20ac'.repeat(350000)});
				break;
			case 'mine':
				report.mine = m.x.length;
				if (!ping)
					return binary();
				ping(ws, (what) => {
					report.pong = what;
					binary();
				});
				break;
			case 'error':
				fail(new Error(event.data));
			}
		};
		ws.onclose = (event) => {
			report.closed = event.code;
			const again = new WebSocket(url);
			again.onerror = ws.onerror;
			again.onopen = () => again.close(4321, 'bye');
			again.onclose = (e) => {
				report.said = e.code;
				done(report);
			};
		};
	});
}

// follow(url, type, each): calls each(text, id) for the events of a type; resolves, once it is open, to what ends it.
async function overHttp(fetch, base, session, follow) {
	const records = `${base}/sessions/${session}/records`;
	const report = {};
	const post = (m) => fetch(records, {
		method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(m)
	});
	let came;
	const event = new Promise((done) => came = done);
	const end = await follow(`${base}/sessions/${session}/events`, 'posted', (text, id) => came({text, id}));
	const posted = await post({type: 'posted', text: TEXT, msg_id: 'm1'});
	report.posted = posted.status;
	report.ack = JSON.parse((await posted.text()).trim()).type;
	const {text, id} = await event;
	report.event = JSON.parse(text).text;
	report.id = id;
	end();
	report.types = [];
	report.cursor = '0';
	for (let lines = null; lines !== '';) {
		const some = await fetch(`${records}?since=${report.cursor}`);
		lines = (await some.text()).trim();
		report.cursor = some.headers.get('hub-cursor');
		report.types.push(...lines.split('\n').filter(Boolean).map((line) => JSON.parse(line).type));
	}
	const waiting = fetch(`${records}?since=${report.cursor}&wait=60`);
	await post({type: 'later', msg_id: 'm2'});
	report.later = JSON.parse((await (await waiting).text()).trim()).type;
	return report;
}

if (typeof module !== 'undefined')
	module.exports = {overWebSocket, overHttp};
