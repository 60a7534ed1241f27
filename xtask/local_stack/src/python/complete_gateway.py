"""Configures the parts of an API Gateway that MiniStack ignores when it imports the template.

usage: complete_gateway.py STACK
These are request validators, required parameters, the parameters of integrations, and gateway responses, so that a client of
the local stack sees the same behaviour as on AWS. All of them are read from the deployed definition. Other properties
of a method are kept. Running the script again changes nothing.
"""

import json
import re
import sys

import boto3

(stack,) = sys.argv[1:]
formation = boto3.client("cloudformation")
gateway = boto3.client("apigateway")

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
LOCATIONS = {"header": "header", "query": "querystring", "path": "path"}


class Resolver:
    """Resolves CloudFormation's intrinsic functions, as far as they depend on parameters and conditions."""

    def __init__(self, template, parameters):
        self.conditions, self.parameters = template.get("Conditions", {}), parameters

    def holds(self, condition):
        if isinstance(condition, str):
            return self.holds(self.conditions[condition])
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self.holds(argument)
            case "Fn::Equals":
                one, other = self.resolve(argument)
                return str(one) == str(other)
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(map(self.holds, argument))
            case "Fn::Or":
                return any(map(self.holds, argument))

    def resolve(self, value):
        if isinstance(value, list):
            return [it for it in map(self.resolve, value) if it is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            match function:
                case "Ref":
                    return None if argument == "AWS::NoValue" else self.parameters.get(argument, value)
                case "Fn::If":
                    condition, one, other = argument
                    return self.resolve(one if self.holds(condition) else other)
                case "Fn::Select":
                    index, items = self.resolve(argument)
                    return items[int(index)]
                case "Fn::Split":
                    separator, text = self.resolve(argument)
                    return text.split(separator)
                case "Fn::Sub":
                    text, own = argument if isinstance(argument, list) else (argument, {})
                    known = {**self.parameters, **self.resolve(own)}
                    return re.sub(r"\$\{([^}]+)\}", lambda found: str(known.get(found[1], found[0])), text)
        resolved = {name: self.resolve(it) for name, it in value.items()}
        return {name: it for name, it in resolved.items() if it is not None}


def apis():
    """Yields the id and the resolved definition of each API of the stack."""
    template = formation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    template = template if isinstance(template, dict) else json.loads(template)
    (described,) = formation.describe_stacks(StackName=stack)["Stacks"]
    given = {it["ParameterKey"]: it["ParameterValue"] for it in described["Parameters"]}
    defaults = {name: it["Default"] for name, it in template["Parameters"].items() if "Default" in it}
    resolver = Resolver(template, {**defaults, **given})
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            found = formation.describe_stack_resource(StackName=stack, LogicalResourceId=name)
            definition = resolver.resolve(resource["Properties"].get("Body", {}))
            yield found["StackResourceDetail"]["PhysicalResourceId"], definition


def pages(operation, **arguments):
    return [item for page in gateway.get_paginator(operation).paginate(**arguments) for item in page["items"]]


class Api:
    def __init__(self, id, body):
        self.id, self.body, self.changed = id, body, False

    def complete(self):
        self.set_gateway_responses()
        validators = self.validators()
        resources = {it["path"]: it for it in pages("get_resources", restApiId=self.id, embed=["methods"])}
        for path, item in self.body.get("paths", {}).items():
            for name in METHODS:
                operation = item.get(name)
                if operation is None:
                    continue
                resource = resources.get(path)
                method = (resource or {}).get("resourceMethods", {}).get(name.upper())
                if method is None:
                    sys.exit(f"{name.upper()} {path} is in the template, but not in the API {self.id}")
                self.set_method(resource["id"], name.upper(), method, operation, validators)
        # Gateway responses take effect with a new deployment.
        if self.changed:
            for stage in gateway.get_stages(restApiId=self.id)["item"]:
                gateway.create_deployment(restApiId=self.id, stageName=stage["stageName"])

    def set_gateway_responses(self):
        for kind, response in self.body.get("x-amazon-apigateway-gateway-responses", {}).items():
            wanted = {key: value for key, value in response.items() if value}
            wanted["statusCode"] = str(wanted["statusCode"]) if "statusCode" in wanted else None
            wanted = {key: value for key, value in wanted.items() if value is not None}
            found = gateway.get_gateway_response(restApiId=self.id, responseType=kind)
            if any(found.get(key) != value for key, value in wanted.items()):
                gateway.put_gateway_response(restApiId=self.id, responseType=kind, **wanted)
                self.changed = True

    def validators(self):
        """Creates missing request validators, and returns the ids of all by name."""
        ids = {it.get("name"): it["id"] for it in pages("get_request_validators", restApiId=self.id)}
        for name, properties in self.body.get("x-amazon-apigateway-request-validators", {}).items():
            if name not in ids:
                ids[name] = gateway.create_request_validator(restApiId=self.id, name=name, **properties)["id"]
                self.changed = True
        return ids

    def set_method(self, resource, name, method, operation, validators):
        parameters = {
            f"method.request.{LOCATIONS[it['in']]}.{it['name']}": it.get("required", False)
            for it in operation.get("parameters", [])
            if it["in"] in LOCATIONS
        }
        validator = operation.get("x-amazon-apigateway-request-validator")
        wanted = {"requestParameters": parameters, "requestValidatorId": validators[validator] if validator else None}
        integration = method.get("methodIntegration", {})
        mapped = operation.get("x-amazon-apigateway-integration", {}).get("requestParameters", {})
        unchanged = all((method.get(key) or None) == (value or None) for key, value in wanted.items())
        if unchanged and integration.get("requestParameters", {}) == mapped:
            return
        target = {"restApiId": self.id, "resourceId": resource, "httpMethod": name}
        # put_method replaces the method, so its other properties are repeated.
        keep = ("authorizationType", "authorizerId", "authorizationScopes", "apiKeyRequired", "operationName")
        kept = {key: method[key] for key in keep if method.get(key)}
        gateway.put_method(**target, **{key: value for key, value in wanted.items() if value}, **kept)
        for status, response in method.get("methodResponses", {}).items():
            keep = ("responseParameters", "responseModels")
            kept = {key: response[key] for key in keep if response.get(key)}
            gateway.put_method_response(**target, statusCode=status, **kept)
        if integration:
            self.put_integration(target, {**integration, "requestParameters": mapped})
        self.changed = True

    def put_integration(self, target, integration):
        keep = (
            "type", "uri", "connectionType", "connectionId", "credentials", "requestParameters", "requestTemplates",
            "passthroughBehavior", "contentHandling", "timeoutInMillis", "cacheKeyParameters",
        )
        kept = {key: integration[key] for key in keep if integration.get(key)}
        if integration.get("httpMethod"):
            kept["integrationHttpMethod"] = integration["httpMethod"]
        gateway.put_integration(**target, **kept)
        for status, response in integration.get("integrationResponses", {}).items():
            keep = ("selectionPattern", "responseParameters", "responseTemplates", "contentHandling")
            kept = {key: response[key] for key in keep if response.get(key)}
            gateway.put_integration_response(**target, statusCode=status, **kept)


for id, body in apis():
    Api(id, body).complete()
