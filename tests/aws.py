"""AWS of a test's own: the wire formats that botocore's models describe, over HTTP, for botocore as it is."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import botocore.session

KEY, SECRET = "AKIASTANDINSTANDIN00", "secret-of-the-stand-in"
Answer = Callable[[BaseHTTPRequestHandler], None]
HASH = "abc123"
ELASTICACHE = "shop.abc123.ng.0001.use1.cache.amazonaws.com"
MEMORYDB = "clustercfg.orders.abc123.memorydb.us-east-1.amazonaws.com"


class Asked(NamedTuple):
    """What the stand-in was asked."""

    service: str
    operation: str
    given: Mapping[str, Any]
    signed: str


class Account:
    """What is in the account, as the answers of its operations have it."""

    def __init__(self) -> None:
        self.url = ""
        self.groups: dict[str, dict[str, Any]] = {}
        self.clusters: dict[str, dict[str, Any]] = {}
        self.serverless: dict[str, dict[str, Any]] = {}
        self.memorydb: dict[str, dict[str, Any]] = {}
        self.parameters: dict[str, list[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.metrics: dict[tuple[str, str], list[tuple[float, float]]] = {}
        """By node and metric: how many seconds ago, and what."""
        self.log: list[dict[str, Any]] = []
        self.answers: dict[str, Answer] = {}
        """What is answered instead, by operation, or * for all."""
        self.asked: list[Asked] = []

    @property
    def environ(self) -> dict[str, str]:
        """What leads botocore here, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none",
            "AWS_MAX_ATTEMPTS": "1",
        }  # fmt: skip

    def happened(self, source: str, message: str, seconds: float, kind: str = "") -> None:
        """Add an event of so many seconds ago."""
        kind = kind or ("replication-group" if source in self.groups else "cache-cluster")
        if source in self.memorydb:
            kind = "cluster"
        self.events.append({"SourceIdentifier": source, "SourceName": source, "SourceType": kind, "Message": message,
                            "Date": ago(seconds)})  # fmt: skip

    def found(self, operation: str, given: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The answer of an operation; None for what isn't there."""
        by_name = {"DescribeReplicationGroups": ("ReplicationGroupId", "ReplicationGroups", self.groups),
                   "DescribeCacheClusters": ("CacheClusterId", "CacheClusters", self.clusters),
                   "DescribeServerlessCaches": ("ServerlessCacheName", "ServerlessCaches", self.serverless),
                   "DescribeClusters": ("ClusterName", "Clusters", self.memorydb)}  # fmt: skip
        if operation in by_name:
            key, listed, there = by_name[operation]
            one = there.get(str(given.get(key)))
            return None if one is None else {listed: [one]}
        if operation == "DescribeEvents":
            named = given.get("SourceIdentifier") or given.get("SourceName")
            kind = given["SourceType"]
            return {"Events": [one for one in self.events if (one["SourceName"], one["SourceType"]) == (named, kind)]}
        if operation in ("DescribeCacheParameters", "DescribeParameters"):
            group = given.get("CacheParameterGroupName") or given.get("ParameterGroupName")
            return {"Parameters": self.parameters.get(str(group), [])}
        if operation in ("DescribeUpdateActions", "DescribeServiceUpdates"):
            return {"UpdateActions": self.updates, "ServiceUpdates": self.updates}
        if operation == "FilterLogEvents":
            return {"events": self.log}
        assert operation == "GetMetricData"
        return {"MetricDataResults": [self._measured(one) for one in given["MetricDataQueries"]], "Messages": []}

    def _measured(self, query: Mapping[str, Any]) -> dict[str, Any]:
        metric = query["MetricStat"]["Metric"]
        node = metric["Dimensions"][-1]["Value"]
        points = sorted(self.metrics.get((node, metric["MetricName"]), []), reverse=True)
        at, values = [ago(seconds) for seconds, _ in points], [float(value) for _, value in points]
        return {"Id": query["Id"], "Label": "", "StatusCode": "Complete", "Timestamps": at, "Values": values}


def ago(seconds: float) -> datetime:
    """A moment so many seconds ago."""
    return datetime.fromtimestamp(time.time() - seconds, UTC)


def furnish(account: Account, *, status: str = "in-sync", node_type: str = "cache.r7g.large", **group: Any) -> None:
    """A group of a primary and a replica, called shop, that is well."""
    nodes = ("shop-001", "shop-002")
    account.groups["shop"] = {
        "ReplicationGroupId": "shop", "Description": "carts", "Status": "available", "MemberClusters": list(nodes),
        "NodeGroups": [{
            "NodeGroupId": "0001", "Status": "available",
            "PrimaryEndpoint": {"Address": ELASTICACHE, "Port": 6379},
            "ReaderEndpoint": {"Address": ELASTICACHE.replace("shop.", "shop-ro."), "Port": 6379},
            "NodeGroupMembers": [
                {"CacheClusterId": one, "CacheNodeId": "0001", "CurrentRole": role,
                 "ReadEndpoint": {"Address": f"{one}.{HASH}.0001.use1.cache.amazonaws.com", "Port": 6379}}
                for one, role in zip(nodes, ("primary", "replica"), strict=True)
            ],
        }], "PendingModifiedValues": {}, "LogDeliveryConfigurations": [], **group,
    }  # fmt: skip
    for one in nodes:
        account.clusters[one] = {
            "CacheClusterId": one, "CacheNodeType": node_type, "Engine": "valkey", "EngineVersion": "8.1.0",
            "CacheClusterStatus": "available", "PreferredMaintenanceWindow": "sun:03:00-sun:04:00",
            "ReplicationGroupId": "shop", "PendingModifiedValues": {},
            "CacheNodes": [{"CacheNodeId": "0001", "CacheNodeStatus": "available",
                            "Endpoint": {"Address": f"{one}.{HASH}.0001.use1.cache.amazonaws.com", "Port": 6379}}],
            "CacheParameterGroup": {"CacheParameterGroupName": "shop-valkey8", "ParameterApplyStatus": status,
                                    "CacheNodeIdsToReboot": []},
        }  # fmt: skip
        account.metrics |= {(one, name): level(value) for name, value in USUAL.items()}
    account.parameters["shop-valkey8"] = [
        {"ParameterName": "maxmemory-policy", "ParameterValue": "allkeys-lru", "Source": "user",
         "ChangeType": "immediate"},
    ]  # fmt: skip
    account.happened("shop-001", "Snapshot succeeded for snapshot with ID 'auto' of cache cluster with ID 'shop'", 900)
    account.happened("shop", "Failover from primary node shop-002 to replica node shop-001 completed", 80_000)


USUAL: Mapping[str, float] = {
    "EngineCPUUtilization": 12.0, "CPUUtilization": 9.0, "DatabaseMemoryUsagePercentage": 41.0, "SwapUsage": 0.0,
    "FreeableMemory": 9e9, "Evictions": 0.0, "CurrConnections": 210.0, "NewConnections": 3.0, "IsMaster": 1.0,
    "NetworkBandwidthInAllowanceExceeded": 0.0, "NetworkBandwidthOutAllowanceExceeded": 0.0,
    "NetworkConntrackAllowanceExceeded": 0.0, "NetworkPacketsPerSecondAllowanceExceeded": 0.0,
    "TrafficManagementActive": 0.0, "SaveInProgress": 0.0,
}  # fmt: skip


def level(value: float, minutes: int = 60, step: int = 1) -> list[tuple[float, float]]:
    """The same figure every minute, up to a minute ago."""
    return [(60.0 * minute, value) for minute in range(1, minutes + 1, step)]


def furnish_memorydb(account: Account, *, status: str = "in-sync") -> None:
    """A cluster of one shard, called orders, that is well."""
    nodes = ("orders-0001-001", "orders-0001-002")
    account.memorydb["orders"] = {
        "Name": "orders", "Status": "available", "NodeType": "db.r7g.large", "EnginePatchVersion": "7.3.0",
        "ParameterGroupName": "orders-params", "ParameterGroupStatus": status,
        "MaintenanceWindow": "mon:01:00-mon:02:00",
        "ClusterEndpoint": {"Address": MEMORYDB, "Port": 6379},
        "Shards": [{"Name": "0001", "Status": "available", "Nodes": [
            {"Name": one, "Status": "available",
             "Endpoint": {"Address": f"{one}.orders.{HASH}.memorydb.us-east-1.amazonaws.com", "Port": 6379}}
            for one in nodes
        ]}],
    }  # fmt: skip
    account.parameters["orders-params"] = [{"Name": "maxmemory-policy", "Value": "noeviction"}]
    for one in nodes:
        account.metrics |= {(one, name): level(value) for name, value in USUAL.items()}


def give(to: BaseHTTPRequestHandler, status: int, content: bytes, kind: str) -> None:
    """Answer with this content."""
    to.send_response(status)
    to.send_header("Content-Type", kind)
    to.send_header("Content-Length", str(len(content)))
    to.end_headers()
    with contextlib.suppress(OSError):
        to.wfile.write(content)


def refuse(code: str, status: int = 400) -> Answer:
    """What answers with an error of this code in the form of whichever protocol was spoken."""

    def answer(to: BaseHTTPRequestHandler) -> None:
        if to.headers.get("X-Amz-Target"):
            give(to, status, b'{"__type": "%s", "message": "no"}' % code.encode(), "application/x-amz-json-1.1")
        else:
            told = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
            give(to, status, f"<ErrorResponse>{told}</ErrorResponse>".encode(), "text/xml")

    return answer


class _Quiet(ThreadingHTTPServer):
    """A client that hangs up is no error of the server's."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextlib.contextmanager
def aws() -> Iterator[Account]:
    """An account that is answered for on loopback."""
    account = Account()
    server = _Quiet(("127.0.0.1", 0), _handler(account))
    account.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield account
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(account: Account) -> type[BaseHTTPRequestHandler]:
    models = {name: botocore.session.Session().get_service_model(name) for name in ("elasticache",)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            signed = self.headers.get("Authorization", "")
            if target := self.headers.get("X-Amz-Target"):
                service, _, operation = target.partition(".")
                given = json.loads(body)
            else:
                given = dict(parse_qsl(body.decode(), keep_blank_values=True))
                service, operation = "elasticache", given.pop("Action")
            account.asked.append(Asked(service, operation, given, signed))
            instead = account.answers.get(operation) or account.answers.get("*")
            if instead:
                instead(self)
                return
            found = account.found(operation, given)
            if found is None:
                refuse("NotFoundFault", 404)(self)
            elif service == "elasticache":
                shape = models[service].operation_model(operation).output_shape
                inner = "".join(_xml(one, found[name], name) for name, one in shape.members.items() if name in found)
                name = f"{operation}Response"
                told = f"<{name}><{operation}Result>{inner}</{operation}Result></{name}>"
                give(self, 200, told.encode(), "text/xml")
            else:
                give(self, 200, json.dumps(found, default=datetime.timestamp).encode(), "application/x-amz-json-1.1")

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _xml(shape: Any, value: Any, name: str) -> str:
    if shape.type_name == "structure":
        inner = "".join(_xml(one, value[key], key) for key, one in shape.members.items() if value.get(key) is not None)
    elif shape.type_name == "list":
        inner = "".join(_xml(shape.member, one, shape.member.serialization.get("name", "member")) for one in value)
    elif shape.type_name == "timestamp":
        inner = value.isoformat() if isinstance(value, datetime) else escape(str(value))
    else:
        inner = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{inner}</{name}>"
