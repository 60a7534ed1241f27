"""Starts MiniStack without the 100 ms that it adds to each invocation of a compiled function.

Half of them is Nagle's algorithm meeting a delayed acknowledgement in the Runtime API that it serves to the
function; half is a wait for a first log line that a function which logs every request does not need.
"""

import socketserver

socketserver.StreamRequestHandler.disable_nagle_algorithm = True
socketserver.StreamRequestHandler.wbufsize = 65536

import ministack.core.lambda_runtime as runtime

LOG_WAIT_SECONDS, SHORTER = 0.050, 0.002
for worker in [value for value in vars(runtime).values() if isinstance(value, type)]:
    drain = worker.__dict__.get("_drain_stderr_bounded")
    if drain is not None and drain.__defaults__:
        drain.__defaults__ = tuple(SHORTER if value == LOG_WAIT_SECONDS else value for value in drain.__defaults__)

from ministack.app import main

main()
