# socketio_client.py BASE SESSION TRANSPORTS: python-socketio, as tests/clients/socketio.js.
import json
import os
import sys
import threading

import requests
import socketio

PATIENCE = 100 * int(os.environ.get('HUB_TEST_SLOW', 1))  # seconds



def fail(*what):
    sys.__excepthook__(*what)
    sys.stderr.flush()
    os._exit(1)


sys.excepthook = fail
base, session, transports = sys.argv[1:]
namespace = '/' + session
http = requests.Session()
http.verify = os.environ.get('HUB_TEST_CA') or True


class Client:
    def __init__(self, auth):
        self.got = []
        self.more = threading.Condition()
        self.sio = socketio.Client(reconnection=False, http_session=http)
        for event in ['move', 'say', 'file', 'note', 'count', 'mine']:
            self.sio.on(event, self.taker(event), namespace=namespace)
        self.sio.connect(base, namespaces=[namespace], auth=auth, transports=transports.split(','), wait=True, wait_timeout=PATIENCE)

    def taker(self, event):
        def take(*args):
            with self.more:
                self.got.append([event, *args])
                self.more.notify_all()
        return take

    def until(self, n):
        with self.more:
            if not self.more.wait_for(lambda: len(self.got) >= n, PATIENCE):
                raise RuntimeError(f'{len(self.got)} of {n} events: {self.got}')

    def emit(self, event, data=None):
        self.sio.emit(event, data, namespace=namespace)

    def ask(self, event, data=None):
        return self.sio.call(event, data, namespace=namespace, timeout=PATIENCE)


report = {}
ann, bob = Client({'recovery': False}), Client({'recovery': False})
report['transport'] = ann.sio.transport()
report['ids'] = [c.sio.get_sid(namespace) for c in (ann, bob)]
ann.emit('move', {'x': 1, 'text': 'gr\u00fc\u00dfe \U0001f600'})
report['ack'] = ann.ask('say', (1, 'two', [3]))
file = bytes(i & 255 for i in range(3000))
report['fileAck'] = ann.ask('file', {'name': 'f', 'data': file, 'more': [b'\1\2']})
bob.until(3)
report['move'] = bob.got[0][1]
report['say'] = bob.got[1]
report['file'] = bob.got[2][1]['data'] == file and bob.got[2][1]['more'][0] == b'\1\2'
report['own'] = len(ann.got)
ann.emit('ready', {})
ann.until(1)
bob.until(4)
report['note'] = [ann.got[0][1]['text'], bob.got[3][1]['text']]
acks = [ann.ask('count', {'i': i})['seq'] for i in range(50)]
report['acks'] = all(b == a + 1 for a, b in zip(acks, acks[1:]))
bob.until(54)
report['counts'] = [e[1]['i'] for e in bob.got[4:]] == list(range(50))
echo = Client({'echo': True, 'recovery': False})
echo.emit('mine', {'a': 1})
echo.until(1)
report['echo'] = echo.got[0]
print(json.dumps(report), flush=True)
# On a busy machine its threads wait for each other now and then when it disconnects: nobody waits for them.
leaving = [threading.Thread(target=client.sio.disconnect, daemon=True) for client in (ann, bob, echo)]
for thread in leaving:
    thread.start()
for thread in leaving:
    thread.join(10)
os._exit(0)
