// ws.js BASE SESSION: the npm package ws, which speaks WebSocket only.
'use strict';

const WebSocket = require('ws');
const {overWebSocket} = require('./common.js');

const ping = (ws, done) => {
	ws.once('pong', (data) => done(String(data)));
	ws.ping('are you there');
};

overWebSocket(WebSocket, process.argv[2], process.argv[3], ping)
	.then((ws) => console.log(JSON.stringify({ws})), (e) => {
		console.error(e);
		process.exit(1);
	});
