"""Who schemathesis is: an administrator who logs in again now and then, since what it asks may end any session."""

import json
import os
import urllib.request

import schemathesis


@schemathesis.auth(refresh_interval=3)
class Administrator:
    def get(self, case, context):
        body = {"username": os.environ["SITE_USER"], "password": os.environ["SITE_PASSWORD"]}
        request = urllib.request.Request(
            os.environ["SITE"] + "/api/v1/auth/login",
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["access"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
