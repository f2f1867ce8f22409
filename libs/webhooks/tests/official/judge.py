# What the official Python library says of a list of cases. Before it stand the examples of the
# README, as the functions readme_standard and readme_simple.
import datetime
import json
import sys

import standardwebhooks


def verify(secret, headers, body):
    try:
        readme_standard(secret, body, headers)
        return "genuine"
    except standardwebhooks.WebhookVerificationError as error:
        return str(error)


def sign(secret, id, timestamp, body):
    at = datetime.datetime.fromtimestamp(timestamp, tz=datetime.timezone.utc)
    return standardwebhooks.Webhook(secret).sign(id, at, body)


def simple(secret, signature, body):
    return readme_simple(secret, body.encode(), signature)


judges = {"verify": verify, "sign": sign, "simple": simple}
print(json.dumps([judges[case.pop("judge")](**case) for case in json.load(sys.stdin)]))
