"""Copies a SAM template and points the code of each function at its package, as `sam build` does.

usage: prepare_template.py TEMPLATE DESTINATION FUNCTIONS_DIR ENDPOINT
Prints the logical ids of the functions, one per line. The code of function `OrdersApi` is FUNCTIONS_DIR/OrdersApi.zip. ENDPOINT
is the AWS endpoint for the functions: the emulator sets it as well, `sam local invoke` does not.
"""

import os
import sys

from samcli.commands._utils.template import get_template_data, move_template

source, destination, functions = (os.path.abspath(argument) for argument in sys.argv[1:4])
template = get_template_data(source)
template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = sys.argv[4]
for name, resource in template["Resources"].items():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = os.path.join(functions, name + ".zip")
        print(name)
move_template(source, destination, template)
