# socketio_back.py BASE SESSION TRANSPORTS: python-socketio, which connects again by itself: prints each time that it
# is connected, and each note.
import sys
import threading
import time

import socketio

base, session, transports = sys.argv[1:]
namespace = '/' + session
sio = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.1)


# The answer has come, but the client calls itself connected a little later, when another thread of it has seen that.
# If the connection breaks in between, version 5.7.2 does so after it has dealt with the break, and never comes back:
# each try ends with "Already connected".
def connected():
    while not sio.connected:
        time.sleep(0.01)
    print('connected', flush=True)


sio.on('connect', lambda: threading.Thread(target=connected).start(), namespace=namespace)
sio.on('note', lambda note: print(note['text'], flush=True), namespace=namespace)
sio.connect(base, namespaces=[namespace], auth={'recovery': False}, transports=transports.split(','), wait=True, wait_timeout=100)
sio.wait()
