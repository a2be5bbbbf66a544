"""What the clients of Python share."""
import json
import os
import ssl

TEXT = 'gr\u00fc\u00dfe \U0001f600'
MINE = '\u20ac' * 350000


def context(base):
    """TLS that trusts the CA of the test, or None."""
    if not base.startswith('https:'):
        return None
    return ssl.create_default_context(cafile=os.environ['HUB_TEST_CA'])


class Talk:
    """The part over WebSocket: what to say to each message that comes."""

    def __init__(self, session):
        self.report = {'records': []}
        self.first = json.dumps({'type': 'session_associate', 'session_id': session})

    def answer(self, text):
        """The next message to send, or None; True when it is time for the ping."""
        m = json.loads(text)
        kind = m['type']
        if 'seq' in m and kind != 'session_associated':
            self.report['records'].append(kind)
        if kind == 'session_associated':
            self.report['joined'] = m['user_count']
            self.report['me'] = m['client_id']
            return json.dumps({'type': 'hello', 'text': TEXT}, ensure_ascii=False)
        if kind == 'hello':
            own = m['from'] == self.report['me']
            self.report['own' if own else 'theirs'] = m['text']
        if kind == 'big':
            self.report['big'] = len(m['x'])
            return json.dumps({'type': 'mine', 'x': MINE}, ensure_ascii=False)
        if kind == 'mine':
            self.report['mine'] = len(m['x'])
            return True
        if kind == 'error':
            raise RuntimeError(text)
        return None
