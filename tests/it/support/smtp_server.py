"""A real mail server, aiosmtpd: STARTTLS or TLS, and nothing without logging in. Prints its port, then a line of JSON for
each mail, taken apart by Python's own email package. Arguments: starttls or tls, certificate, key, user, password."""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

kind, certificate, key, user, password = sys.argv[1:]


def say(what):
    print(json.dumps(what), flush=True)


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: (mail.get_body((kind,)).get_content().replace("\r\n", "\n") if mail.get_body((kind,)) else "")
        say({
            "type": mail.get_content_type(), "defects": [str(defect) for defect in mail.defects],
            "envelope_from": envelope.mail_from, "envelope_to": envelope.rcpt_tos,
            "from": mail["from"], "to": mail["to"], "subject": mail["subject"], "date": mail["date"],
            "message_id": mail["message-id"], "auto_submitted": mail["auto-submitted"],
            "text": part("plain"), "html": part("html"),
        })
        return "250 Taken"


def authenticate(server, session, envelope, mechanism, data):
    fits = (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=fits, handled=False)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    starttls = dict(tls_context=context, require_starttls=True) if kind == "starttls" else dict(auth_require_tls=False)
    make = lambda: SMTP(Handler(), authenticator=authenticate, auth_required=True, **starttls)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=None if kind == "starttls" else context)
    say(server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
