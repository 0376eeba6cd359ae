"""What AWS is asked: these reads and nothing else, and the policy that allows them."""

import json
from collections.abc import Mapping
from typing import Literal

Service = Literal["elasticache", "memorydb", "cloudwatch", "logs"]
READS: Mapping[Service, Mapping[str, str]] = {
    "elasticache": {
        "DescribeReplicationGroups": "which group it is, its nodes, whether it's being changed",
        "DescribeCacheClusters": "a node: its state, its parameter group, whether settings wait for a reboot",
        "DescribeServerlessCaches": "a serverless cache and its state",
        "DescribeCacheParameters": "which parameters differ from the defaults",
        "DescribeEvents": "failovers, replaced nodes, maintenance, scaling",
        "DescribeUpdateActions": "service updates under way and done",
    },
    "memorydb": {
        "DescribeClusters": "the cluster, its nodes, whether it's being changed",
        "DescribeParameters": "the parameters of its group",
        "DescribeEvents": "failovers, replaced nodes, maintenance, scaling",
        "DescribeServiceUpdates": "service updates under way and done",
    },
    "cloudwatch": {"GetMetricData": "the figures"},
    "logs": {"FilterLogEvents": "the engine log, if it's delivered to CloudWatch Logs"},
}
"""By service: the operations, and what each shows."""


def permission(service: Service, operation: str) -> str:
    """The permission that an operation takes."""
    return f"{service}:{operation}"


def policy() -> str:
    """The policy of IAM that allows the reads, as JSON."""
    actions = [permission(service, operation) for service, reads in READS.items() for operation in reads]
    statement = {"Sid": "RediagnoseReads", "Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
