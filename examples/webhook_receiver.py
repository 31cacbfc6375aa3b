"""Prints which jobs have ended: RETORT_WEBHOOK_SECRET=whsec_… PORT=8100 python examples/webhook_receiver.py"""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from retort_client import webhooks


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = webhooks.verify(body, dict(self.headers), os.environ["RETORT_WEBHOOK_SECRET"])
        except webhooks.BadWebhook as error:
            return self.send_error(400, str(error))
        print(event.id, event.job_id, event.status, event.done, flush=True)
        self.send_response(204)
        return self.end_headers()


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8100"))), Receiver).serve_forever()
