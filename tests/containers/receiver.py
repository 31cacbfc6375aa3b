"""Takes webhooks inside the containers' network, and prints the ids of the jobs that they tell of, rightly signed."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook

verifier = Webhook(os.environ["WEBHOOK_SECRET"])


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to each; what is not signed ends in a stack trace and without an answer."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        verifier.verify(body, dict(self.headers))
        # In one piece, for others write at the same time.
        print(f"told of {json.loads(body)['data']['id']}\n", end="", flush=True)
        self.send_response(204)
        self.end_headers()


ThreadingHTTPServer(("", 8100), Receiver).serve_forever()
