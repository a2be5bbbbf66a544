# socketio_back.py BASE SESSION TRANSPORTS: python-socketio, which connects again by itself: prints each time that it
# is connected, and each note.
import os
import sys

import socketio

PATIENCE = 100 * int(os.environ.get('HUB_TEST_SLOW', 1))  # seconds

base, session, transports = sys.argv[1:]
namespace = '/' + session
sio = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.1)
sio.on('connect', lambda: print('connected', flush=True), namespace=namespace)
sio.on('note', lambda note: print(note['text'], flush=True), namespace=namespace)
sio.connect(base, namespaces=[namespace], auth={'recovery': False}, transports=transports.split(','), wait=True, wait_timeout=PATIENCE)
sio.wait()
