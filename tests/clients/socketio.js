// socketio.js MODULE BASE SESSION TRANSPORTS: socket.io-client from npm, of version 3 or later. TRANSPORTS is
// polling, websocket, or both with a comma between: then it goes on from the one to the other. With fetch in place of
// polling it polls by fetch(), which only later versions can.
'use strict';

const {overSocketIO} = require('./socketio_talk.js');
const [name, base, session, transports] = process.argv.slice(2);
const {io} = require(name);
const engine = require('module').createRequire(require.resolve(name))('engine.io-client');
const classes = {fetch: engine.Fetch, websocket: engine.NodeWebSocket};
const wanted = transports.split(',').map((t) => transports.includes('fetch') ? classes[t] : t);
// Of proxies with a certificate of the test's.
const more = {rejectUnauthorized: true, ca: process.env.HUB_TEST_CA && require('fs').readFileSync(process.env.HUB_TEST_CA)};

overSocketIO(io, base, session, wanted, more, Buffer.from)
	.then((report) => console.log(JSON.stringify(report)))
	.catch((e) => {
		console.error(e);
		process.exit(1);
	});
