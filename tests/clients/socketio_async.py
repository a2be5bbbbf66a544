# socketio_async.py BASE SESSION TRANSPORTS: the asynchronous client of python-socketio, over aiohttp, as
# tests/clients/socketio_client.py.
import asyncio
import json
import os
import ssl
import sys

import aiohttp
import socketio

PATIENCE = 100 * int(os.environ.get('HUB_TEST_SLOW', 1))  # seconds

base, session, transports = sys.argv[1:]
namespace = '/' + session


class Client:
    async def open(self, auth):
        context = ssl.create_default_context(cafile=os.environ.get('HUB_TEST_CA') or None)
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        self.got = []
        self.more = asyncio.Condition()
        self.sio = socketio.AsyncClient(reconnection=False, http_session=self.http)
        for event in ['move', 'say', 'file', 'note', 'count', 'mine']:
            self.sio.on(event, self.taker(event), namespace=namespace)
        await self.sio.connect(base, namespaces=[namespace], auth=auth, transports=transports.split(','),
                               wait=True, wait_timeout=PATIENCE)
        return self

    def taker(self, event):
        async def take(*args):
            async with self.more:
                self.got.append([event, *args])
                self.more.notify_all()
        return take

    async def until(self, n):
        async with self.more:
            await asyncio.wait_for(self.more.wait_for(lambda: len(self.got) >= n), PATIENCE)

    async def emit(self, event, data=None):
        await self.sio.emit(event, data, namespace=namespace)

    async def ask(self, event, data=None):
        return await self.sio.call(event, data, namespace=namespace, timeout=PATIENCE)

    async def close(self):
        await self.sio.disconnect()
        await self.http.close()


async def main():
    report = {}
    ann, bob = [await Client().open({'recovery': False}) for _ in range(2)]
    report['transport'] = ann.sio.transport()
    report['ids'] = [c.sio.get_sid(namespace) for c in (ann, bob)]
    await ann.emit('move', {'x': 1, 'text': 'gr\u00fc\u00dfe \U0001f600'})
    report['ack'] = await ann.ask('say', (1, 'two', [3]))
    file = bytes(i & 255 for i in range(3000))
    report['fileAck'] = await ann.ask('file', {'name': 'f', 'data': file, 'more': [b'\1\2']})
    await bob.until(3)
    report['move'] = bob.got[0][1]
    report['say'] = bob.got[1]
    report['file'] = bob.got[2][1]['data'] == file and bob.got[2][1]['more'][0] == b'\1\2'
    report['own'] = len(ann.got)
    await ann.emit('ready', {})
    await ann.until(1)
    await bob.until(4)
    report['note'] = [ann.got[0][1]['text'], bob.got[3][1]['text']]
    acks = [(await ann.ask('count', {'i': i}))['seq'] for i in range(50)]
    report['acks'] = all(b == a + 1 for a, b in zip(acks, acks[1:]))
    await bob.until(54)
    report['counts'] = [e[1]['i'] for e in bob.got[4:]] == list(range(50))
    echo = await Client().open({'echo': True, 'recovery': False})
    await echo.emit('mine', {'a': 1})
    await echo.until(1)
    report['echo'] = echo.got[0]
    for client in (ann, bob, echo):
        await client.close()
    print(json.dumps(report))

asyncio.run(main())
