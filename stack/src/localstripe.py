# Runs localstripe on a free port of loopback, prints that port, and ends when its input does: with whoever started it.
import os
import socket
import sys
import threading

from aiohttp import web
from localstripe import resources, server

# It would write everything it knows to one file in /tmp after each call, where other runs do the same.
resources.Store.dump_to_disk = lambda self: None

if "--version" in sys.argv:
    sys.exit(0)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
web.run_app(server.app, sock=listener, access_log=None, print=None)
