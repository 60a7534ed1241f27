"""Sets through the API what MiniStack leaves out of an API Gateway when it imports the template.

usage: complete_gateway.py STACK
Request validators and models, required parameters, the parameters of integrations, and the gateway's own answers: a
client of the local stack is to meet what a client of AWS meets. All of it is read from the definition that was deployed.
What a method has besides stays as it is. Done twice, it changes nothing.
"""

import json
import re
import sys

import boto3

(stack,) = sys.argv[1:]
formation = boto3.client("cloudformation")
gateway = boto3.client("apigateway")

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
PLACES = {"header": "header", "query": "querystring", "path": "path"}


class Values:
    """What CloudFormation makes of intrinsic functions, as far as they are about parameters and conditions."""

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
                one, other = self.of(argument)
                return str(one) == str(other)
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(map(self.holds, argument))
            case "Fn::Or":
                return any(map(self.holds, argument))

    def of(self, value):
        if isinstance(value, list):
            return [it for it in map(self.of, value) if it is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            match function:
                case "Ref":
                    return None if argument == "AWS::NoValue" else self.parameters.get(argument, value)
                case "Fn::If":
                    condition, one, other = argument
                    return self.of(one if self.holds(condition) else other)
                case "Fn::Select":
                    index, items = self.of(argument)
                    return items[int(index)]
                case "Fn::Split":
                    separator, text = self.of(argument)
                    return text.split(separator)
                case "Fn::Sub":
                    text, own = argument if isinstance(argument, list) else (argument, {})
                    known = {**self.parameters, **self.of(own)}
                    return re.sub(r"\$\{([^}]+)\}", lambda found: str(known.get(found[1], found[0])), text)
        given = {name: self.of(it) for name, it in value.items()}
        return {name: it for name, it in given.items() if it is not None}


def apis():
    """The id and the definition of each API of the stack."""
    template = formation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    template = template if isinstance(template, dict) else json.loads(template)
    (described,) = formation.describe_stacks(StackName=stack)["Stacks"]
    given = {it["ParameterKey"]: it["ParameterValue"] for it in described["Parameters"]}
    defaults = {name: it["Default"] for name, it in template["Parameters"].items() if "Default" in it}
    values = Values(template, {**defaults, **given})
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            found = formation.describe_stack_resource(StackName=stack, LogicalResourceId=name)
            yield found["StackResourceDetail"]["PhysicalResourceId"], values.of(resource["Properties"].get("Body", {}))


def pages(operation, **arguments):
    return [item for page in gateway.get_paginator(operation).paginate(**arguments) for item in page["items"]]


class Api:
    def __init__(self, id, body):
        self.id, self.body, self.changed = id, body, False

    def complete(self):
        self.set_answers()
        self.set_models()
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
                    sys.exit(f"{name.upper()} {path} is in the template, and not in the API {self.id}")
                self.set_method(resource["id"], name.upper(), method, operation, validators)
        # Answers of the gateway are part of a deployment.
        if self.changed:
            for stage in gateway.get_stages(restApiId=self.id)["item"]:
                gateway.create_deployment(restApiId=self.id, stageName=stage["stageName"])

    def set_answers(self):
        for kind, answer in self.body.get("x-amazon-apigateway-gateway-responses", {}).items():
            wanted = {key: value for key, value in answer.items() if value}
            wanted["statusCode"] = str(wanted["statusCode"]) if "statusCode" in wanted else None
            wanted = {key: value for key, value in wanted.items() if value is not None}
            found = gateway.get_gateway_response(restApiId=self.id, responseType=kind)
            if any(found.get(key) != value for key, value in wanted.items()):
                gateway.put_gateway_response(restApiId=self.id, responseType=kind, **wanted)
                self.changed = True

    def set_models(self):
        there = {it["name"]: it["schema"] for it in pages("get_models", restApiId=self.id)}
        for name, schema in self.body.get("components", {}).get("schemas", {}).items():
            schema = json.dumps(schema, sort_keys=True)
            if there.get(name) == schema:
                continue
            if name in there:
                gateway.delete_model(restApiId=self.id, modelName=name)
            gateway.create_model(restApiId=self.id, name=name, contentType="application/json", schema=schema)
            self.changed = True

    def validators(self):
        """The ids of the validators, by name."""
        ids = {it.get("name"): it["id"] for it in pages("get_request_validators", restApiId=self.id)}
        for name, what in self.body.get("x-amazon-apigateway-request-validators", {}).items():
            if name not in ids:
                ids[name] = gateway.create_request_validator(restApiId=self.id, name=name, **what)["id"]
                self.changed = True
        return ids

    def set_method(self, resource, name, method, operation, validators):
        models = {
            media_type: content["schema"]["$ref"].rsplit("/", 1)[-1]
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
        }
        parameters = {
            f"method.request.{PLACES[it['in']]}.{it['name']}": it.get("required", False)
            for it in operation.get("parameters", [])
            if it["in"] in PLACES
        }
        validator = operation.get("x-amazon-apigateway-request-validator")
        wanted = {"requestModels": models, "requestParameters": parameters}
        if validator:
            wanted["requestValidatorId"] = validators[validator]
        integration = method.get("methodIntegration", {})
        mapped = operation.get("x-amazon-apigateway-integration", {}).get("requestParameters", {})
        same = all(method.get(key, {}) == value for key, value in wanted.items())
        if same and integration.get("requestParameters", {}) == mapped:
            return
        where = {"restApiId": self.id, "resourceId": resource, "httpMethod": name}
        # It replaces the method, so all that it has is said again.
        keep = ("authorizationType", "authorizerId", "authorizationScopes", "apiKeyRequired", "operationName")
        gateway.put_method(**where, **wanted, **{key: method[key] for key in keep if method.get(key)})
        for status, answer in method.get("methodResponses", {}).items():
            keep = ("responseParameters", "responseModels")
            gateway.put_method_response(**where, statusCode=status, **{key: answer[key] for key in keep if answer.get(key)})
        if integration:
            self.put_integration(where, {**integration, "requestParameters": mapped})
        self.changed = True

    def put_integration(self, where, integration):
        keep = (
            "type", "uri", "connectionType", "connectionId", "credentials", "requestParameters", "requestTemplates",
            "passthroughBehavior", "contentHandling", "timeoutInMillis", "cacheKeyParameters",
        )
        said = {key: integration[key] for key in keep if integration.get(key)}
        if integration.get("httpMethod"):
            said["integrationHttpMethod"] = integration["httpMethod"]
        gateway.put_integration(**where, **said)
        for status, answer in integration.get("integrationResponses", {}).items():
            keep = ("selectionPattern", "responseParameters", "responseTemplates", "contentHandling")
            said = {key: answer[key] for key in keep if answer.get(key)}
            gateway.put_integration_response(**where, statusCode=status, **said)


for id, body in apis():
    Api(id, body).complete()
