"""aiohttp_client.py BASE SESSION: python3-aiohttp."""
import asyncio
import json
import sys

import aiohttp

from common import TEXT, Talk, context


async def over_websocket(client, base, session):
    talk = Talk(session)
    async with client.ws_connect(base + '/ws', protocols=['hub'], autoping=False) as ws:
        talk.report['protocol'] = ws.protocol
        await ws.send_str(talk.first)
        async for m in ws:
            if m.type == aiohttp.WSMsgType.PONG:
                talk.report['pong'] = m.data.decode()
                await ws.send_bytes(b'\x01\x02\x03')
            elif m.type == aiohttp.WSMsgType.PING:
                await ws.pong(m.data)
            elif m.type == aiohttp.WSMsgType.TEXT:
                say = talk.answer(m.data)
                if say is True:
                    await ws.ping(b'are you there')
                elif say:
                    await ws.send_str(say)
        talk.report['closed'] = ws.close_code
    ws = await client.ws_connect(base + '/ws')
    await ws.close(code=4321, message=b'bye')
    talk.report['said'] = ws.close_code
    return talk.report


async def event(stream, kind):
    """The id and data of the first event of a type (HTML Standard, section 9.2)."""
    fields = {}
    async for line in stream.content:
        name, _, value = line.decode().rstrip('\n').partition(': ')
        if name:
            fields[name] = value
        elif fields.get('event') == kind:
            return fields
        else:
            fields = {}
    raise RuntimeError('the stream of events ended')


async def over_http(client, base, session):
    records = f'{base}/sessions/{session}/records'
    report = {}
    async with client.get(f'{base}/sessions/{session}/events') as stream:
        async with client.post(records, json={'type': 'posted', 'text': TEXT, 'msg_id': 'm1'}) as r:
            report['posted'] = r.status
            report['ack'] = json.loads(await r.text())['type']
        fields = await event(stream, 'posted')
        report['event'] = json.loads(fields['data'])['text']
        report['id'] = fields['id']
    report['types'], report['cursor'], lines = [], '0', None
    while lines != []:
        async with client.get(records, params={'since': report['cursor']}) as r:
            lines = (await r.text()).splitlines()
            report['cursor'] = r.headers['Hub-Cursor']
        report['types'] += [json.loads(line)['type'] for line in lines]
    waiting = asyncio.create_task(client.get(records, params={'since': report['cursor'], 'wait': '60'}))
    await client.post(records, json={'type': 'later', 'msg_id': 'm2'})
    report['later'] = json.loads(await (await waiting).text())['type']
    return report


async def main(base, session):
    connector = aiohttp.TCPConnector(ssl=context(base))
    async with aiohttp.ClientSession(connector=connector) as client:
        print(json.dumps({'ws': await over_websocket(client, base, session),
                          'http': await over_http(client, base, session)}))


asyncio.run(main(*sys.argv[1:]))
