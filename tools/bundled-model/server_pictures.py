"""Pictures made by the project's own server, as a client gets them: starts it, asks over REST, stops it."""

import base64
import http.client
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
CLI = os.path.join(ROOT, "dist/server/cli.js")
START_SECONDS, PICTURE_SECONDS, AT_ONCE = 120, 600, 8


def data_uri(picture):
    """A Pillow image as a task takes it."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


class PictureServer:
    """A server on a free port with one folder of models; use it in a with statement."""

    def __init__(self, models, node="node"):
        if not os.path.exists(CLI):
            raise SystemExit("build the server first: npm ci && npm run build")
        self.models, self.node = models, node
        self.key = secrets.token_hex(16)

    def __enter__(self):
        self.data = tempfile.mkdtemp()
        self.process = subprocess.Popen(
            [self.node, CLI, "serve", "--port", "0", "--models", self.models, "--data", self.data, "--log-level", "error"],
            stdout=subprocess.PIPE, env={**os.environ, "LATENTD_API_KEY": self.key}, text=True)
        self.port = self.model = None
        while self.port is None or self.model is None:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("the server ended before it was ready")
            if found := re.search(r"http://[^/]*:(\d+)", line):
                self.port = int(found[1])
            if found := re.match(r"\s*models\s+(\S+)", line):
                self.model = found[1]
        ends = time.time() + START_SECONDS
        while self._get("/readyz") != 200:
            if time.time() > ends:
                raise SystemExit("the server is not ready")
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.data, ignore_errors=True)

    def _get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        return connection.getresponse().status

    def picture(self, prompt, seed, **parameters):
        """One picture as a uint8 array. parameters are the task's own; the model's defaults stand for the rest."""
        task = {"taskType": "imageInference", "taskUUID": str(uuid.uuid4()), "model": self.model, "positivePrompt": prompt,
                "seed": seed, "outputType": "base64Data", "outputFormat": "PNG", **parameters}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PICTURE_SECONDS)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1", json.dumps([task]), headers)
        answer = json.loads(connection.getresponse().read())
        if "data" not in answer:
            raise SystemExit(f"the server refused {prompt!r}: {json.dumps(answer.get('error'))}")
        data = base64.b64decode(answer["data"][0]["imageBase64Data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def pictures(self, prompts, first_seed, negatives=None, each=None, **parameters):
        """One picture a prompt, in order; picture i has the seed first_seed + i. Several are under way at once.

        each holds parameters of every single one.
        """
        def one(i):
            more = {"negativePrompt": negatives[i]} if negatives else {}
            return self.picture(prompts[i], first_seed + i, **more, **(each[i] if each else {}), **parameters)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, range(len(prompts))))
