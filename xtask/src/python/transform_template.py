"""Transforms a SAM template as AWS does in a deployment: with the translator that is part of the SAM CLI, and that CloudFormation
runs as the transform AWS::Serverless-2016-10-31.

Reads a JSON object from standard input: "template" is the path of a template, and "cases" maps the name of each case to its
parameters. Writes a JSON object that maps each name to the transformed template.
"""

import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """For SAM to look up managed policies by name; the template uses none."""

    def load(self):
        return {}


def transformed(text, parameters):
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # `sam package` replaces the path of a folder by such a location.
            resource["Properties"]["CodeUri"] = {"Bucket": "artefacts", "Key": "code.zip"}
    defaults = {name: it["Default"] for name, it in template["Parameters"].items() if "Default" in it}
    return transform(json.loads(json.dumps(template)), {**defaults, **parameters}, NoManagedPolicies())


request = json.load(sys.stdin)
with open(request["template"], encoding="utf-8") as file:
    text = file.read()
json.dump({name: transformed(text, parameters) for name, parameters in request["cases"].items()}, sys.stdout)
