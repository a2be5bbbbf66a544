// undici.js BASE SESSION: the npm package undici; its WebSocket cannot send pings.
'use strict';

const {WebSocket, EventSource, fetch} = require('undici');
const {overWebSocket, overHttp} = require('./common.js');

const follow = (url, type, each) => new Promise((done, fail) => {
	const source = new EventSource(url);
	source.addEventListener(type, (event) => each(event.data, event.lastEventId));
	source.onopen = () => done(() => source.close());
	source.onerror = () => fail(new Error('the stream of events failed'));
});

(async () => {
	const [base, session] = process.argv.slice(2);
	const ws = await overWebSocket(WebSocket, base, session, null);
	const http = await overHttp(fetch, base, session, follow);
	console.log(JSON.stringify({ws, http}));
	process.exit(0);
})().catch((e) => {
	console.error(e);
	process.exit(1);
});
