"""Copies a SAM template and points the code of each function at its package, as `sam build` does.

usage: prepare_template.py TEMPLATE DESTINATION FUNCTIONS_DIR ENDPOINT
The code of function `OrdersApi` is FUNCTIONS_DIR/orders-api.zip. If that does not exist, the function was not built: it gets
FUNCTIONS_DIR/not-built.zip, and its queue, stream and schedule wait until it is. ENDPOINT is the AWS endpoint for the functions:
the emulator sets it as well, `sam local invoke` does not.
"""

import os
import re
import sys

from samcli.commands._utils.template import get_template_data, move_template

source, destination, functions = (os.path.abspath(argument) for argument in sys.argv[1:4])
template = get_template_data(source)
template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = sys.argv[4]


def package(function):
    return os.path.join(functions, re.sub("(?<!^)(?=[A-Z])", "-", function).lower() + ".zip")


# Explicit where the default is the same: the emulator does not return to a default in an update.
for name, resource in template["Resources"].items():
    properties = resource.get("Properties", {})
    if resource["Type"] == "AWS::Serverless::Function":
        built = os.path.exists(package(name))
        properties["CodeUri"] = package(name if built else "NotBuilt")
        for event in properties.get("Events", {}).values():
            if event["Type"] == "ScheduleV2":
                event["Properties"]["State"] = "ENABLED" if built else "DISABLED"
    elif resource["Type"] == "AWS::Lambda::EventSourceMapping":
        properties["Enabled"] = os.path.exists(package(properties["FunctionName"]["Ref"]))
move_template(source, destination, template)
