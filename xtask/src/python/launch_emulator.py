"""Starts MiniStack with three things mended.

It adds 100 ms to each invocation of a compiled function. Half of them is Nagle's algorithm meeting a delayed
acknowledgement in the Runtime API that it serves to the function; half is a wait for a first log line that a function
which logs every request does not need.

Of what a URL answers behind API Gateway (http_proxy), it drops all headers but one. AWS passes them on.

It asks policies about PutEvents without the condition keys that AWS gives them, the entries' source and detail-type
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html).

And it writes down what comes in at API Gateway: each request to an API becomes a line of JSON in the file that GATEWAY_LOG
names, which is emptied first. That is what a firewall in front of it would see (tests/firewall reads it), and how it was
answered. Credentials are left out.
"""

import asyncio
import base64
import json
import os
import re
import socketserver
import urllib.error
import urllib.parse
import urllib.request

socketserver.StreamRequestHandler.disable_nagle_algorithm = True
socketserver.StreamRequestHandler.wbufsize = 65536

import ministack.core.lambda_runtime as runtime

LOG_WAIT_SECONDS, SHORTER = 0.050, 0.002
for worker in [value for value in vars(runtime).values() if isinstance(value, type)]:
    drain = worker.__dict__.get("_drain_stderr_bounded")
    if drain is not None and drain.__defaults__:
        drain.__defaults__ = tuple(SHORTER if value == LOG_WAIT_SECONDS else value for value in drain.__defaults__)

import ministack.services.apigateway_v1 as gateway

NOT_PASSED_ON = {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}


async def http_proxy(integration, path, method, headers, body, query_params, path_params=None):
    uri = integration.get("uri", "")
    for target, source in (integration.get("requestParameters") or {}).items():
        place = "{" + target.removeprefix("integration.request.path.") + "}"
        value = (path_params or {}).get(source.removeprefix("method.request.path."), "")
        uri = uri.replace(place, urllib.parse.quote(value, safe=""))
    if query_params:
        uri += "?" + urllib.parse.urlencode(query_params, doseq=True)
    passed_on = {name: value for name, value in headers.items() if name.lower() not in NOT_PASSED_ON}
    request = urllib.request.Request(uri, data=body or None, method=method, headers=passed_on)

    def ask():
        try:
            answer = urllib.request.urlopen(request, timeout=29)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_PASSED_ON}
            return answer.status, kept, answer.read()

    try:
        return await asyncio.to_thread(ask)
    except OSError:
        return gateway._gw_error("INTEGRATION_FAILURE", "Internal server error")


gateway._invoke_http_proxy_v1 = http_proxy

import ministack.core.iam_actions as actions

request_tag_context = actions.request_tag_context


def request_context(service, action, body, parameters):
    context = dict(request_tag_context(service, action, body, parameters))
    if action == "events:PutEvents":
        entries = json.loads(body or b"{}").get("Entries", [])
        context["events:source"] = sorted({entry.get("Source", "") for entry in entries})
        context["events:detail-type"] = sorted({entry.get("DetailType", "") for entry in entries})
    return context


actions.request_tag_context = request_context

import ministack.app as app
from ministack.core.responses import get_request_client_ip

# AWS WAF is shown no more of a body.
LONGEST_BODY = 64 * 1024
# How the API's address begins here: behind it come the stage and the path, which are all that there is on AWS.
ADDRESS = re.compile(r"^/_aws/execute-api/[^/]+")
SECRETS = {"authorization", "cookie", "x-amz-security-token", "x-api-key"}
SIGNED_ARGUMENTS = re.compile(r"(?i)((?:^|&)(?:x-amz-security-token|signature)=)([^&]*)")


def without_secret(name, value):
    """Keeps the scheme, such as Bearer, and how long the value is."""
    if name.lower() not in SECRETS:
        return value
    scheme, space, secret = value.partition(" ")
    return scheme + space + "x" * len(secret) if space else "x" * len(value)


def recording(handle, log):
    async def handle_and_record(host, path, method, headers, body, query_params, raw_path=None, raw_query_string=None):
        answer = await handle(
            host, path, method, headers, body, query_params, raw_path=raw_path, raw_query_string=raw_query_string
        )
        if answer is None:
            return None
        query = SIGNED_ARGUMENTS.sub(lambda found: found[1] + "x" * len(found[2]), raw_query_string or "")
        line = {
            "method": method,
            "path": ADDRESS.sub("", raw_path or path),
            "query": query,
            "headers": [[name, without_secret(name, str(value))] for name, value in headers.items()],
            "source": get_request_client_ip(),
            "status": answer[0],
        }
        shown = (body or b"")[:LONGEST_BODY]
        try:
            line["body"] = shown.decode()
        except UnicodeDecodeError:
            line["body_base64"] = base64.b64encode(shown).decode()
        log.write(json.dumps(line) + "\n")
        return answer

    return handle_and_record


if os.environ.get("GATEWAY_LOG"):
    # One line at a time, so that whoever reads it while the emulator runs finds whole ones.
    log = open(os.environ["GATEWAY_LOG"], "w", buffering=1, encoding="utf-8")
    app._handle_execute_api_request = recording(app._handle_execute_api_request, log)

from ministack.app import main

main()
