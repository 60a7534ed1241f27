"""Starts MiniStack with five fixes and a request log.

MiniStack adds 100 ms to each invocation of a compiled function. Half of it is Nagle's algorithm with delayed acknowledgements in
the Runtime API that it serves to the function; half is a wait for a first log line, which functions that log every request do
not need.

It drops all response headers but one of HTTP integrations (http_proxy). AWS forwards them.

It evaluates policies for PutEvents without the condition keys of AWS, the entries' source and detail-type
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html).

It saves how far each function has read a DynamoDB stream, but not the stream: after a restart, the position is beyond the end, and
changes are not delivered.

It decodes a path before it looks for the resource, so that `%2F` in a parameter is taken for a separator. A REST API of AWS does
not, and passes the encoded path to the function.

It does not set email_verified: ConfirmSignUp does on AWS, and a user who changes their address loses it until they verify it
(https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html).

The log has a line of JSON for each request to an API Gateway, in the file that GATEWAY_LOG names, which is emptied first. It
contains what a firewall in front of the gateway would see (tests/firewall reads it) and the status of the response, without
credentials.
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

LOG_WAIT_SECONDS, SHORT_LOG_WAIT_SECONDS = 0.050, 0.002
for worker in [value for value in vars(runtime).values() if isinstance(value, type)]:
    drain = worker.__dict__.get("_drain_stderr_bounded")
    if drain is not None and drain.__defaults__:
        drain.__defaults__ = tuple(
            SHORT_LOG_WAIT_SECONDS if value == LOG_WAIT_SECONDS else value for value in drain.__defaults__
        )

import ministack.services.lambda_svc as functions

restore_positions = functions._restore_esm_positions


def restore_positions_of_saved_streams(store, positions):
    if store is not functions._dynamodb_stream_positions:
        restore_positions(store, positions)


functions._restore_esm_positions = restore_positions_of_saved_streams

import ministack.services.apigateway_v1 as gateway

NOT_FORWARDED = {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}


async def http_proxy(integration, path, method, headers, body, query_params, path_params=None):
    uri = integration.get("uri", "")
    for target, source in (integration.get("requestParameters") or {}).items():
        placeholder = "{" + target.removeprefix("integration.request.path.") + "}"
        value = (path_params or {}).get(source.removeprefix("method.request.path."), "")
        uri = uri.replace(placeholder, urllib.parse.quote(value, safe=""))
    if query_params:
        uri += "?" + urllib.parse.urlencode(query_params, doseq=True)
    forwarded = {name: value for name, value in headers.items() if name.lower() not in NOT_FORWARDED}
    request = urllib.request.Request(uri, data=body or None, method=method, headers=forwarded)

    def send():
        try:
            response = urllib.request.urlopen(request, timeout=29)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            kept = {name: value for name, value in response.headers.items() if name.lower() not in NOT_FORWARDED}
            return response.status, kept, response.read()

    try:
        return await asyncio.to_thread(send)
    except OSError:
        return gateway._gw_error("INTEGRATION_FAILURE", "Internal server error")


gateway._invoke_http_proxy_v1 = http_proxy

import ministack.services.cognito as cognito

confirm_sign_up, update_user_attributes = cognito._confirm_sign_up, cognito._update_user_attributes


def set_email_verified(user, value):
    others = [it for it in user.get("Attributes", []) if it.get("Name") != "email_verified"]
    user["Attributes"] = [*others, {"Name": "email_verified", "Value": value}]


def confirm_sign_up_and_email(data):
    response = confirm_sign_up(data)
    pool = next((it for it in cognito._user_pools.values() if data.get("ClientId") in it["_clients"]), None)
    if response[0] == 200 and pool:
        set_email_verified(cognito._resolve_user(pool, data["Username"])[0], "true")
    return response


def update_user_attributes_and_email(data):
    response = update_user_attributes(data)
    if response[0] == 200 and any(it.get("Name") == "email" for it in data.get("UserAttributes", [])):
        set_email_verified(cognito._user_pool_for_access_token(data["AccessToken"])[0], "false")
    return response


cognito._confirm_sign_up = confirm_sign_up_and_email
cognito._update_user_attributes = update_user_attributes_and_email

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

# AWS WAF inspects no more of a body.
MAX_BODY_BYTES = 64 * 1024
# The prefix of an API's path in MiniStack. The stage and the path follow it, which are the whole path on AWS.
PATH_PREFIX = re.compile(r"^/_aws/execute-api/[^/]+")
SECRET_HEADERS = {"authorization", "cookie", "x-amz-security-token", "x-api-key"}
SECRET_ARGUMENTS = re.compile(r"(?i)((?:^|&)(?:x-amz-security-token|signature)=)([^&]*)")


def redacted(name, value):
    """Redacts the value of a secret header, but keeps its scheme, such as Bearer, and its length."""
    if name.lower() not in SECRET_HEADERS:
        return value
    scheme, space, secret = value.partition(" ")
    return scheme + space + "x" * len(secret) if space else "x" * len(value)


def recording(handle, log):
    async def handle_and_record(host, path, method, headers, body, query_params, raw_path=None, raw_query_string=None):
        response = await handle(
            host, path, method, headers, body, query_params, raw_path=raw_path, raw_query_string=raw_query_string
        )
        if response is None:
            return None
        query = SECRET_ARGUMENTS.sub(lambda found: found[1] + "x" * len(found[2]), raw_query_string or "")
        line = {
            "method": method,
            "path": PATH_PREFIX.sub("", raw_path or path),
            "query": query,
            "headers": [[name, redacted(name, str(value))] for name, value in headers.items()],
            "source": get_request_client_ip(),
            "status": response[0],
        }
        inspected = (body or b"")[:MAX_BODY_BYTES]
        try:
            line["body"] = inspected.decode()
        except UnicodeDecodeError:
            line["body_base64"] = base64.b64encode(inspected).decode()
        log.write(json.dumps(line) + "\n")
        return response

    return handle_and_record


def keeping_encoded_slashes(handle):
    async def handle_encoded(host, path, method, headers, body, query_params, raw_path=None, raw_query_string=None):
        if "%2f" in (raw_path or "").lower():
            path = raw_path
        return await handle(
            host, path, method, headers, body, query_params, raw_path=raw_path, raw_query_string=raw_query_string
        )

    return handle_encoded


app._handle_execute_api_request = keeping_encoded_slashes(app._handle_execute_api_request)

if os.environ.get("GATEWAY_LOG"):
    # Line-buffered, so that readers see complete lines while the emulator runs.
    log = open(os.environ["GATEWAY_LOG"], "w", buffering=1, encoding="utf-8")
    app._handle_execute_api_request = recording(app._handle_execute_api_request, log)

from ministack.app import main

main()
