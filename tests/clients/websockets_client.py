"""websockets_client.py BASE SESSION: python3-websockets, which speaks WebSocket only."""
import asyncio
import json
import sys

import websockets

from common import Talk, context


async def main(base, session):
    url = base.replace('http', 'ws', 1) + '/ws'
    talk = Talk(session)
    more = {'ssl': context(base), 'max_size': None}
    async with websockets.connect(url, subprotocols=['hub'], **more) as ws:
        talk.report['protocol'] = ws.subprotocol
        await ws.send(talk.first)
        try:
            async for text in ws:
                say = talk.answer(text)
                if say is True:
                    await (await ws.ping('are you there'))
                    talk.report['pong'] = 'are you there'
                    await ws.send(b'\x01\x02\x03')
                elif say:
                    await ws.send(say)
        except websockets.ConnectionClosedError:
            pass
        talk.report['closed'] = ws.close_code
    again = await websockets.connect(url, **more)
    await again.close(4321, 'bye')
    talk.report['said'] = again.close_code
    print(json.dumps({'ws': talk.report}))


asyncio.run(main(*sys.argv[1:]))
