"""S3 as moto plays it, on a free port, until standard input ends. It serves one request after another: its
conditional writes look first and write then, which two threads could do at once."""
import sys
import threading
import urllib.request

import moto.s3.models
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

# So that stories of small artifacts can be told in parts.
moto.s3.models.S3_UPLOAD_PART_MIN_SIZE = 1
app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, app, request_handler=MotoRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
bucket = f"http://127.0.0.1:{server.server_port}/shop"
urllib.request.urlopen(urllib.request.Request(bucket, method="PUT"))
print(server.server_port, flush=True)
sys.stdin.read()
