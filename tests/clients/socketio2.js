// socketio2.js MODULE BASE TRANSPORT: socket.io-client of version 2, which a hub refuses; prints what it is told.
'use strict';

const [name, base, transport] = process.argv.slice(2);
const socket = require(name)(base, {transports: [transport], reconnection: false});

socket.on('connect', () => {
	console.error('connected');
	process.exit(1);
});
socket.on('connect_error', (e) => {
	// Polling has the status here, a WebSocket an event with words.
	const why = e.description && e.description.message || e.description;
	console.log(JSON.stringify({message: e.message, why}));
	process.exit(0);
});
