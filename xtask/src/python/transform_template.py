"""Transforms a SAM template as AWS does when it is deployed: with the translator that the SAM CLI brings, and that runs in
CloudFormation as the transform AWS::Serverless-2016-10-31.

Reads a JSON object from standard input: "template" is the path of a template, and "cases" has parameters by the name of a case.
Writes an object with the transformed template of each case.
"""

import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """Roles name no managed policy for SAM to look up."""

    def load(self):
        return {}


def transformed(text, parameters):
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # What `sam package` puts in the place of a folder.
            resource["Properties"]["CodeUri"] = {"Bucket": "artefacts", "Key": "code.zip"}
    defaults = {name: it["Default"] for name, it in template["Parameters"].items() if "Default" in it}
    return transform(json.loads(json.dumps(template)), {**defaults, **parameters}, NoManagedPolicies())


asked = json.load(sys.stdin)
with open(asked["template"], encoding="utf-8") as file:
    text = file.read()
json.dump({name: transformed(text, parameters) for name, parameters in asked["cases"].items()}, sys.stdout)
