"""Takes webhooks, verifies them with the reference library, and writes what it got to files.

Usage: webhook_receiver.py FOLDER. Prints its port. Every request becomes NUMBER.json. `secret` in FOLDER holds the secret;
`answer`, where there is one, the status to answer with and perhaps a Location.
"""

import itertools
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

FOLDER = Path(sys.argv[1])
NUMBERS = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        got = {"headers": dict(self.headers.items()), "body": body.decode(), "path": self.path}
        secret = FOLDER / "secret"
        try:
            got["verified"] = Webhook(secret.read_text().strip()).verify(body, dict(self.headers))
        except (WebhookVerificationError, FileNotFoundError) as error:
            got["refused"] = str(error)
        answer = FOLDER / "answer"
        status, *location = answer.read_text().split() if answer.exists() else ["204"]
        number = next(NUMBERS)
        part = FOLDER / f"{number}.part"
        part.write_text(json.dumps(got))
        part.rename(FOLDER / f"{number}.json")
        self.send_response(int(status))
        for where in location:
            self.send_header("location", where)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self):
        (FOLDER / "followed").touch()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
# Whoever started this holds the other end: it ends with them.
sys.stdin.read()
