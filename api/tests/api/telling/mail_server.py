"""A mail server that writes what it gets to files, and fails when a file beside them says so.

Usage: mail_server.py FOLDER. Prints its port. Every mail becomes NUMBER.json; `answer` in FOLDER, where there is one, holds
what RCPT is answered for addresses that contain its first word, such as `lost 550 no such user`.
"""

import asyncio
import itertools
import json
import sys
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP

FOLDER = Path(sys.argv[1])
NUMBERS = itertools.count(1)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = FOLDER / "answer"
        if answer.exists():
            word, reply = answer.read_text().strip().split(" ", 1)
            if word in address:
                with (FOLDER / "refused").open("a") as refused:
                    refused.write(address + "\n")
                return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        got = {
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "headers": [[name, str(value)] for name, value in mail.items()],
            "kind": mail.get_content_type(),
            "parts": parts,
        }
        number = next(NUMBERS)
        part = FOLDER / f"{number}.part"
        part.write_text(json.dumps(got))
        part.rename(FOLDER / f"{number}.json")
        return "250 OK"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler()), "127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Whoever started this holds the other end: it ends with them.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
