"""Errors of client libraries as people paste them, and what each says. All of them are made up."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tools.client_errors.records import Side, Stage


class Case(NamedTuple):
    """One text, and what is to be read in it."""

    library: str
    name: str
    stage: Stage
    side: Side
    text: str
    figures: Mapping[str, object] = MappingProxyType({})


SE = "StackExchange.Redis"
CASES: tuple[Case, ...] = (
    # StackExchange.Redis
    Case(SE, "reply-timeout", "reply", "client",
         "StackExchange.Redis.RedisTimeoutException: Timeout performing HGETALL (5000ms), next: HGETALL cart:17,"
         " inst: 2,"
         " qu: 0, qs: 312, aw: False, bw: SpinningDown, rs: ReadAsync, ws: Idle, in: 0, in-pipe: 0, out-pipe: 0,"
         " serverEndpoint: cache-3.internal:6380, mc: 1/1/0, mgr: 10 of 10 available, clientName: shop-7f9,"
         " IOCP: (Busy=0,Free=1000,Min=8,Max=1000), WORKER: (Busy=61,Free=32706,Min=8,Max=32767),"
         " POOL: (Threads=61,QueuedItems=840,CompletedItems=99120), v: 2.6.90.64945",
         {"unanswered": 312, "workers_busy": 61, "workers_min": 8, "workers_queued": 840, "timeout_ms": 5000,
          "command": "HGETALL", "endpoint": "cache-3.internal:6380", "own_free": 10}),
    Case(SE, "reply-timeout", "reply", "server",
         "StackExchange.Redis.RedisTimeoutException: Timeout awaiting response (outbound=1KiB, inbound=0KiB, 2311ms"
         " elapsed,"
         " timeout is 2000ms), command=GET, next: GET price:9, inst: 0, qu: 0, qs: 88, aw: False, bw: SpinningDown,"
         " rs: ReadAsync, ws: Idle, in: 0, in-pipe: 0, out-pipe: 0, last-in: 41, cur-in: 0, sync-ops: 3, async-ops:"
         " 77410,"
         " serverEndpoint: 10.4.0.9:6379, conn-sec: 811.2, aoc: 0, mc: 1/1/0, mgr: 9 of 10 available,"
         " IOCP: (Busy=0,Free=1000,Min=100,Max=1000), WORKER: (Busy=3,Free=32764,Min=100,Max=32767), v: 2.7.17.27058",
         {"unanswered": 88, "elapsed_ms": 2311, "timeout_ms": 2000, "endpoint": "10.4.0.9:6379"}),
    Case(SE, "reply-timeout", "reply", "client",
         "Timeout awaiting response (outbound=0KiB, inbound=4096KiB, 5120ms elapsed, timeout is 5000ms), command=HMGET,"
         " inst: 0, qu: 4, qs: 20, aw: False, rs: DequeueResult, ws: Idle, in: 4194304, in-pipe: 131072, out-pipe: 0,"
         " serverEndpoint: 10.4.0.9:6379, mgr: 10 of 10 available, IOCP: (Busy=0,Free=1000,Min=32,Max=1000),"
         " WORKER: (Busy=5,Free=32762,Min=32,Max=32767), v: 2.6.66.47313\n   at"
         " StackExchange.Redis.RedisDatabase.HashGet()",
         {"unread_bytes": 4194304, "unsent": 4}),
    Case(SE, "reply-timeout", "reply", "client",
         "StackExchange.Redis.RedisTimeoutException: Timeout performing EVAL (3000ms), active: EVAL ** possible"
         " thread-theft"
         " indicated; see https://stackexchange.github.io/StackExchange.Redis/ThreadTheft **, inst: 0, qu: 0, qs: 1,"
         " rs: CompletePendingMessageSync, ws: Idle, in: 0", {"reader_taken": True}),
    Case(SE, "reply-timeout", "reply", "client",
         "System.TimeoutException: Timeout performing GET user:5, inst: 1, mgr: Inactive, queue: 6, qu=0, qs=6,"
         " qc=0, wr=0/0,"
         " in=0/0, IOCP: (Busy=9,Free=991,Min=4,Max=1000), WORKER: (Busy=0,Free=32767,Min=4,Max=32767)"
         "\n   at StackExchange.Redis.ConnectionMultiplexer.ExecuteSyncImpl[T](Message message)",
         {"iocp_busy": 9, "iocp_min": 4, "unanswered": 6}),
    Case(SE, "backlog-timeout", "send", "network",
         "StackExchange.Redis.RedisConnectionException: The message timed out in the backlog attempting to send"
         " because no"
         " connection became available (5000ms) - Last Connection Exception: SocketFailure, command=GET, timeout: 5000,"
         " inst: 0, qu: 44, qs: 0, aw: False, bw: CheckingForTimeout, in: 0, serverEndpoint: cache:6379,"
         " mgr: 10 of 10 available, IOCP: (Busy=0,Free=1000,Min=32,Max=1000), WORKER:"
         " (Busy=1,Free=32766,Min=32,Max=32767)",
         {"unsent": 44, "timeout_ms": 5000.0}),
    Case(SE, "no-connection", "connect", "network",
         "StackExchange.Redis.RedisConnectionException: No connection is available to service this operation: SET"
         " basket:4;"
         " UnableToConnect on cache-1:6379/Interactive", {"command": "SET"}),
    # redis-py
    Case("redis-py", "pool-empty", "pool", "client",
         'Traceback (most recent call last):\n  File "/srv/app/cart.py", line 31, in load\n    return r.get(key)\n'
         '  File "/usr/lib/python3.11/site-packages/redis/connection.py", line 1461, in make_connection\n'
         "    raise ConnectionError(\"Too many connections\")\nredis.exceptions.ConnectionError: Too many connections"),
    Case("redis-py", "pool-empty", "pool", "client", "redis.exceptions.ConnectionError: No connection available."),
    Case("redis-py", "pool-empty", "pool", "client", "redis.exceptions.MaxConnectionsError: Too many connections"),
    Case("redis-py", "reply-timeout", "reply", "unclear",
         "redis.exceptions.TimeoutError: Timeout reading from cache.internal:6379",
         {"endpoint": "cache.internal:6379"}),
    Case("redis-py", "connect-timeout", "connect", "network", "redis.exceptions.TimeoutError: Timeout connecting to"
         " server"),
    Case("redis-py", "refused", "connect", "server",
         "redis.exceptions.ConnectionError: Error 111 connecting to 10.0.7.7:6379. Connection refused.",
         {"endpoint": "10.0.7.7:6379"}),
    Case("redis-py", "unresolved", "dns", "network",
         "redis.exceptions.ConnectionError: Error -3 connecting to cache.internal:6379. Temporary failure in name"
         " resolution."),
    Case("redis-py", "closed", "closed", "network",
         "redis.exceptions.ConnectionError: Error while reading from 10.0.7.7:6379 : (104, 'Connection reset by"
         " peer')"),
    Case("redis-py", "tls", "tls", "unclear",
         "redis.exceptions.ConnectionError: Error 1 connecting to cache:6380. [SSL: CERTIFICATE_VERIFY_FAILED]"
         " certificate"
         " verify failed: unable to get local issuer certificate (_ssl.c:1006)."),
    Case("redis-py", "out-of-memory", "error-reply", "server",
         "redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'."),
    Case("redis-py", "wrong-password", "auth", "client",
         "redis.exceptions.AuthenticationError: invalid username-password pair or user is disabled."),
    Case("redis-py", "no-permission", "auth", "client",
         "redis.exceptions.NoPermissionError: this user has no permissions to run the 'config|get' command"),
    Case("aioredis", "closed", "closed", "network",
         '  File "/app/.venv/lib/python3.8/site-packages/aioredis/connection.py", line 333, in execute\n'
         "aioredis.errors.ConnectionClosedError: Connection closed by server"),
    # jedis
    Case("jedis", "pool-empty", "pool", "client",
         "redis.clients.jedis.exceptions.JedisException: Could not get a resource from the pool\n"
         "\tat redis.clients.jedis.util.Pool.getResource(Pool.java:84)\n\tat shop.Cart.load(Cart.java:12)\n"
         "Caused by: java.util.NoSuchElementException: Timeout waiting for idle object, borrowMaxWaitDuration=PT2S\n"
         "\tat org.apache.commons.pool2.impl.GenericObjectPool.borrowObject(GenericObjectPool.java:324)",
         {"timeout_ms": 2000.0}),
    Case("jedis", "refused", "connect", "server",
         "redis.clients.jedis.exceptions.JedisConnectionException: Failed to connect to cache:6379.\n"
         "\tat redis.clients.jedis.DefaultJedisSocketFactory.createSocket(DefaultJedisSocketFactory.java:110)\n"
         "Caused by: java.net.ConnectException: Connection refused\n\tat java.base/sun.nio.ch.Net.pollConnect(Native"
         " Method)"),
    Case("jedis", "reply-timeout", "reply", "unclear",
         "redis.clients.jedis.exceptions.JedisConnectionException: java.net.SocketTimeoutException: Read timed out\n"
         "\tat redis.clients.jedis.util.RedisInputStream.ensureFill(RedisInputStream.java:205)"),
    Case("jedis", "closed", "closed", "network",
         "redis.clients.jedis.exceptions.JedisConnectionException: Unexpected end of stream."),
    Case("jedis", "unresolved", "dns", "network",
         "redis.clients.jedis.exceptions.JedisConnectionException: Failed to create socket.\n"
         "\tat redis.clients.jedis.Connection.connect(Connection.java:204)\n"
         "Caused by: java.net.UnknownHostException: cache.internal"),
    # lettuce, Spring
    Case("lettuce", "reply-timeout", "reply", "unclear",
         "org.springframework.dao.QueryTimeoutException: Redis command timed out; nested exception is"
         " io.lettuce.core.RedisCommandTimeoutException: Command timed out after 1 minute(s)",
         {"timeout_ms": 60_000.0}),
    Case("lettuce", "queue-full", "send", "client",
         "io.lettuce.core.RedisException: Request queue size exceeded: 65536. Commands are not accepted until the"
         " queue size"
         " drops."),
    Case("lettuce", "refused", "connect", "server",
         "org.springframework.data.redis.RedisConnectionFailureException: Unable to connect to Redis\n"
         "\tat org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory.create(X.java:1)\n"
         "Caused by: io.lettuce.core.RedisConnectionException: Unable to connect to cache/<unresolved>:6379\n"
         "\tat io.lettuce.core.RedisConnectionException.create(RedisConnectionException.java:78)\n"
         "Caused by: io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused:"
         " cache/10.0.0.3:6379"),
    Case("lettuce", "pool-empty", "pool", "client",
         "org.springframework.data.redis.connection.PoolException: Could not get a resource from the pool\n"
         "\tat org.springframework.data.redis.connection.lettuce.LettucePoolingProvider.get(L.java:99)\n"
         "\tat io.lettuce.core.support.ConnectionPoolSupport.create(ConnectionPoolSupport.java:12)"),
    Case("lettuce", "unconnected", "connect", "network",
         "io.lettuce.core.RedisException: Currently not connected. Commands are rejected."),
    Case("Spring Data Redis", "connect-failed", "connect", "network",
         "org.springframework.data.redis.RedisConnectionFailureException: Unable to connect to the server"),
    # redisson
    Case("redisson", "unsent", "send", "client",
         "org.redisson.client.RedisTimeoutException: Command still hasn't been written into connection! Try to increase"
         " nettyThreads setting. Payload size in bytes: 81. Node source: NodeSource [slot=0, entry=MasterSlaveEntry"
         " [masterEntry=[freeConnectionsAmount=0, freeConnectionsCounter=value:0:queue:57,"
         " client=[addr=redis://10.9.9.9:6379]]]], command: (HGET), params: [a, b] after 3 retry attempts",
         {"pool_idle": 0, "pool_waiting": 57, "command": "HGET", "retries": 3, "endpoint": "10.9.9.9:6379"}),
    Case("redisson", "reply-timeout", "reply", "unclear",
         "org.redisson.client.RedisResponseTimeoutException: Redis server response timeout (3000 ms) occured after 3"
         " retry"
         " attempts, is non-idempotent command: false. command: (EVALSHA)", {"timeout_ms": 3000.0, "retries": 3}),
    Case("redisson", "pool-empty", "pool", "client",
         "org.redisson.client.RedisTimeoutException: Unable to acquire connection! RedissonPromise@1. Increase"
         " connection pool"
         " size. Node source: NodeSource [slot=0]"),
    # Go
    Case("go-redis", "pool-empty", "pool", "client", "ERR cart: redis: connection pool timeout"),
    Case("go-redis", "connect-timeout", "connect", "network",
         "dial tcp 10.1.1.1:6379: i/o"
         " timeout\ngithub.com/redis/go-redis/v9/internal/pool.(*ConnPool).dialConn(0xc0001)",
         {"endpoint": "10.1.1.1:6379"}),
    Case("go-redis", "reply-timeout", "reply", "unclear",
         "redis: 2026/01/02 03:04:05 pubsub.go:168: redis: discarding bad PubSub connection: read tcp"
         " 10.2.0.3:41822->10.1.1.1:6379: i/o timeout", {"endpoint": "10.1.1.1:6379"}),
    Case("go-redis", "gave-up", "reply", "unclear",
         "github.com/redis/go-redis/v9.(*baseClient).process\ncheckout: get cart: context deadline exceeded"),
    Case("go-redis", "client-closed", "send", "client", "worker: redis: client is closed"),
    # Node
    Case("ioredis", "retries-spent", "connect", "network",
         "MaxRetriesPerRequestError: Reached the max retries per request limit (which is 20). Refer to"
         ' "maxRetriesPerRequest" option for details.', {"retries": 20}),
    Case("ioredis", "refused", "connect", "server",
         "[ioredis] Unhandled error event: Error: connect ECONNREFUSED 127.0.0.1:6379\n"
         "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16)", {"endpoint": "127.0.0.1:6379"}),
    Case("ioredis", "unresolved", "dns", "network",
         "[ioredis] Unhandled error event: Error: getaddrinfo ENOTFOUND cache.internal", {"host": "cache.internal"}),
    Case("ioredis", "reply-timeout", "reply", "unclear",
         "Error: Command timed out\n    at Timeout._onTimeout (/app/node_modules/ioredis/built/Command.js:192:33)"),
    Case("ioredis", "slots-unknown", "redirect", "network",
         "ClusterAllFailedError: Failed to refresh slots cache.\n    at tryNode"
         " (/app/node_modules/ioredis/built/cluster.js:1)"),
    Case("node-redis", "closed", "closed", "network",
         "Redis Client Error SocketClosedUnexpectedlyError: Socket closed unexpectedly"),
    Case("node-redis", "connect-timeout", "connect", "network",
         "ConnectionTimeoutError: Connection timeout\n    at Socket.<anonymous>"
         " (/app/node_modules/@redis/client/dist/lib/client/socket.js:177:124)"),
    Case("node-redis", "client-closed", "send", "client", "ClientClosedError: The client is closed"),
    Case("bullmq", "lock-lost", "send", "client", "Error: could not renew lock for job 4711"),
    Case("bullmq", "lock-lost", "send", "client", "Error: Missing lock for job 99. moveToFinished"),
    # PHP
    Case("phpredis", "reply-timeout", "reply", "unclear",
         "PHP Fatal error:  Uncaught RedisException: read error on connection to 10.3.3.3:6379 in /srv/www/cart.php:14",
         {"endpoint": "10.3.3.3:6379"}),
    Case("phpredis", "closed", "closed", "unclear", "RedisException: Redis server 10.3.3.3:6379 went away"),
    Case("phpredis", "unresolved", "dns", "network",
         "RedisException: php_network_getaddresses: getaddrinfo failed: Name or service not known"),
    Case("predis", "reply-timeout", "reply", "unclear",
         "Predis\\Connection\\ConnectionException: Error while reading line from the server. [tcp://cache:6379]",
         {"endpoint": "cache:6379"}),
    Case("predis", "refused", "connect", "server",
         "Predis\\Connection\\ConnectionException: Connection refused [tcp://127.0.0.1:6379] in"
         " AbstractConnection.php:155"),
    # Ruby
    Case("redis-rb", "reply-timeout", "reply", "unclear",
         "RedisClient::ReadTimeoutError: Waited 1.0 seconds", {"timeout_ms": 1000.0}),
    Case("redis-rb", "refused", "connect", "server",
         "Redis::CannotConnectError: Error connecting to Redis on 127.0.0.1:6379 (Errno::ECONNREFUSED)"),
    Case("sidekiq", "pool-empty", "pool", "client",
         "ConnectionPool::TimeoutError: Waited 1 sec, 0/5 available\n"
         "  gems/sidekiq-7.1.2/lib/sidekiq/redis_connection.rb:11:in `with'",
         {"timeout_ms": 1000.0, "pool_idle": 0, "pool_size": 5}),
    Case("sidekiq", "event-late", "reply", "unclear",
         "WARN: Your Redis network connection is performing extremely poorly.\nLast RTT readings were [99731,"
         " 88912], ideally"
         " these should be < 1000. Sidekiq"),
    # Celery
    Case("celery", "refused", "connect", "server",
         "[2026-01-02 03:04:05,678: ERROR/MainProcess] consumer: Cannot connect to redis://:**@cache:6379/0: Error 111"
         " connecting to cache:6379. Connection refused.."),
    Case("celery", "closed", "closed", "network",
         "[2026-01-02 03:04:05,678: WARNING/MainProcess] consumer: Connection to broker lost. Trying to re-establish"
         " the"
         " connection...\n  File \"/x/celery/worker/consumer/consumer.py\", line 340, in start"),
    # Rust, C, the command line
    Case("redis-rs", "reply-timeout", "reply", "unclear", "RedisError: Io Error: timed out"),
    Case("redis-rs", "pool-empty", "pool", "client",
         "deadpool_redis: Timeout occurred while waiting for a slot to become available"),
    Case("redis-rs", "read-only", "error-reply", "server",
         "An error was signalled by the server - ReadOnly: READONLY You can't write against a read only replica."),
    Case("fred", "reply-timeout", "reply", "unclear", "Redis Error - kind: Timeout, details: Request timed out."),
    Case("redis-cli", "refused", "connect", "server", "Could not connect to Redis at 10.5.5.5:6379: Connection refused",
         {"endpoint": "10.5.5.5:6379"}),
    Case("redis-cli", "closed", "closed", "network", "Error: Server closed the connection"),
    # The server's own words in any client
    Case("jedis", "moved", "redirect", "client",
         "redis.clients.jedis.exceptions.JedisMovedDataException: MOVED 7638 10.0.0.2:6379"),
    Case("lettuce", "cluster-down", "error-reply", "server",
         "io.lettuce.core.RedisCommandExecutionException: CLUSTERDOWN The cluster is down"),
    Case("node-redis", "cross-slot", "redirect", "client",
         "Redis Client Error ReplyError: CROSSSLOT Keys in request don't hash to the same slot"),
    Case("phpredis", "loading", "error-reply", "server",
         "RedisException: LOADING Redis is loading the dataset in memory"),
    Case("", "saving-fails", "error-reply", "server",
         "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."),
)  # fmt: skip

OTHERS: tuple[str, ...] = (
    "TimeoutError: upstream http://search.internal:9200 gave no answer; the page was served from Redis",
    'psycopg2.OperationalError: connection to server at "db" (10.0.0.5), port 5432 failed: Connection refused',
    "org.postgresql.util.PSQLException: Connection to db:5432 refused.\n\tat org.postgresql.core.v3.X.open(X.java:3)\n"
    "Caused by: java.net.ConnectException: Connection refused\n\tat java.base/sun.nio.ch.Net.pollConnect(Native"
    " Method)",
    "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after"
    " 30000ms.",
    "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='redis.example', port=443): Read timed out.",
    "asyncio.exceptions.TimeoutError",
    "ActiveRecord::ConnectionTimeoutError: could not obtain a connection from the pool within 5.000 seconds",
    "ConnectionPool::TimeoutError: Waited 5 sec, 0/10 available\n  gems/dalli-3.2.0/lib/dalli/client.rb:4 (memcached)",
    "pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno 111] Connection refused",
    "MongoServerSelectionError: connect ECONNREFUSED 10.0.0.8:27017",
    "kafka.errors.NoBrokersAvailable: NoBrokersAvailable\nConnection reset by peer",
    "dial tcp 10.0.0.9:5432: i/o timeout",
    "Error: connect ECONNREFUSED 192.0.2.2:6379 since the upgrade to Node 18. redis-cli works.",
    "rpc error: code = DeadlineExceeded desc = context deadline exceeded (grpc)",
    "nginx: 2026/01/01 upstream timed out (110: Connection timed out) while reading response header from upstream",
    "Checkout is slow since Monday, and now and then an Error page comes. Redis is used for the sessions.",
    "java.net.SocketTimeoutException: Read timed out\n\tat okhttp3.internal.http2.Http2Stream.waitForIo(H.java:1)",
)
"""Errors of other systems, and talk: none of it is a Redis client's."""
