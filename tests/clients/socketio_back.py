# socketio_back.py BASE SESSION TRANSPORTS: python-socketio, which connects again by itself: prints each time that it
# is connected, and each note. The asynchronous one: that of threads stays away now and then, against any server, by
# which of them sees first that a connection is lost.
import asyncio
import sys

import socketio

base, session, transports = sys.argv[1:]
namespace = '/' + session


async def main():
    sio = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1)

    # The answer has come, but the client calls itself connected a little later.
    async def connected():
        while not sio.connected:
            await asyncio.sleep(0.01)
        print('connected', flush=True)

    async def on_connect():
        asyncio.create_task(connected())

    async def on_note(note):
        print(note['text'], flush=True)

    sio.on('connect', on_connect, namespace=namespace)
    sio.on('note', on_note, namespace=namespace)
    await sio.connect(base, namespaces=[namespace], auth={'recovery': False}, transports=transports.split(','),
                      wait=True, wait_timeout=100)
    await sio.wait()


asyncio.run(main())
