"""Removes a permission, a model or a route from a deployed local stack, to see `cargo xtask verify` fail.

    .local/tools/venv/bin/python tests/end_to_end/break_stack.py permission ProcessPaymentRole secretsmanager:GetSecretValue
    .local/tools/venv/bin/python tests/end_to_end/break_stack.py model POST /orders
    .local/tools/venv/bin/python tests/end_to_end/break_stack.py route GET /products/{sku}

`cargo xtask remove`, then `cargo xtask up`, restores it.
"""

import json
import sys

import boto3

STACK = "serverless-orders-local"
AWS = {
    "endpoint_url": "http://127.0.0.1:4577",
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}


def client(service):
    return boto3.client(service, **AWS)


def physical_id(logical):
    response = client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical)
    return response["StackResourceDetail"]["PhysicalResourceId"]


def without(statement, action):
    actions = statement["Action"]
    actions = [actions] if isinstance(actions, str) else actions
    return {**statement, "Action": [one for one in actions if one != action]}


def permission(role, action):
    iam, role = client("iam"), physical_id(role)
    removed = 0
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        remaining = [without(statement, action) for statement in policy["Statement"]]
        removed += remaining != policy["Statement"]
        remaining = [statement for statement in remaining if statement["Action"]]
        if remaining:
            document = json.dumps({**policy, "Statement": remaining})
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        else:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
    if not removed:
        sys.exit(f"{role} has no permission for {action}")


def method(verb, path):
    gateway = client("apigateway")
    outputs = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    url = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "ApiUrl")
    api = url.split("/")[-2]
    resources = gateway.get_resources(restApiId=api, limit=500)["items"]
    resource = next(resource["id"] for resource in resources if resource["path"] == path)
    return gateway, {"restApiId": api, "resourceId": resource, "httpMethod": verb}


def model(verb, path):
    gateway, target = method(verb, path)
    found = gateway.get_method(**target)
    attributes = ["authorizationType", "authorizerId", "authorizationScopes", "apiKeyRequired", "requestParameters"]
    gateway.put_method(**target, **{name: found[name] for name in attributes if found.get(name)})
    names = ["type", "httpMethod", "uri", "credentials", "requestParameters", "requestTemplates"]
    integration = {name: value for name, value in found["methodIntegration"].items() if name in names}
    integration_method = integration.pop("httpMethod", None)
    gateway.put_integration(**target, **integration, integrationHttpMethod=integration_method)
    gateway.create_deployment(restApiId=target["restApiId"], stageName="v1")


def route(verb, path):
    gateway, target = method(verb, path)
    gateway.delete_method(**target)
    gateway.create_deployment(restApiId=target["restApiId"], stageName="v1")


{"permission": permission, "model": model, "route": route}[sys.argv[1]](*sys.argv[2:])
print("removed:", *sys.argv[1:])
