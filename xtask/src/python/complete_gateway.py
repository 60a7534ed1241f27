"""Sets through the API what MiniStack leaves out of an API Gateway when it imports the template.

usage: complete_gateway.py STACK
Request validators and models, required parameters, the parameters of integrations, and the gateway's own answers: a
client of the local stack is to meet what a client of AWS meets. What a method has besides stays as it is. Done twice,
it changes nothing.
"""

import json
import sys

import boto3

(stack,) = sys.argv[1:]
formation = boto3.client("cloudformation")
gateway = boto3.client("apigateway")

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
PLACES = {"header": "header", "query": "querystring", "path": "path"}


def apis():
    """The id and the OpenAPI document of each API of the stack."""
    template = formation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    template = template if isinstance(template, dict) else json.loads(template)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            found = formation.describe_stack_resource(StackName=stack, LogicalResourceId=name)
            yield found["StackResourceDetail"]["PhysicalResourceId"], resource["Properties"].get("Body", {})


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
        mapped = self.mapped(operation, integration)
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

    def mapped(self, operation, integration):
        """What the template says that the integration is given."""
        said = operation.get("x-amazon-apigateway-integration", {})
        # Of two that a condition chooses from, the one that was deployed.
        choices = said["Fn::If"][1:] if "Fn::If" in said else [said]
        kind = integration.get("type", "").lower()
        return next((it.get("requestParameters", {}) for it in choices if it.get("type", "").lower() == kind), {})

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
