/** For each row of a table of the documents, by its first cell: the files that prove it, and titles of tests in them. */
export type ProofTable = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** What the Go library has: docs/migrate/go-library.md. */
export const originalProofs: ProofTable = {
  'publish to topics, subscribe with custom handlers': {
    'test/nest/handlers.spec.ts': ['gets the payload and the context'],
  },
  'the default bus on Redis at localhost:6379, start, stop': {
    'test/nest/module.spec.ts': ['is a real Redis'],
    'test/unit/bus/lifecycle.spec.ts': [],
  },
  'publish with a timeout by context, 30 s unless told': {
    'test/unit/bus/publish.spec.ts': ['hands its timeout to the driver: 30 s unless told otherwise'],
  },
  'the result of `Publish`: how many clients got it': {
    'test/integration/redis/handed-in-client.spec.ts': ['expect(receivers ?? 1).toBe(1)'],
  },
  'handlers wrapped in recovery and metrics': {
    'test/unit/bus/handle.spec.ts': ['a handler that fails'],
    'test/nest/metrics.spec.ts': [],
  },
  unsubscribe: {
    'test/unit/bus/handle.spec.ts': ['stops one subscription alone, and can pause'],
  },
  'acquire, release and expire locks': {
    'test/integration/locks/redis-locks.spec.ts': [],
    'test/nest/locks.spec.ts': ['take, extend and release a lock by its key'],
  },
  'acquiring gives up after 10 s': {
    'test/unit/lock/lock-manager.spec.ts': ['gives up after wait, and leaves nothing behind'],
  },
  'releasing what is not held is an error, counted as `error`': {
    'test/nest/locks.spec.ts': ['know a lock that ran out as lost, and never release the next holder'],
  },
  'pluggable drivers': {
    'test/samples/own-driver.spec.ts': ['is a driver in under 80 lines'],
  },
  'the Redis driver': {
    'test/contract/redis-pubsub.spec.ts': [],
  },
  'the memory driver': {
    'test/contract/memory.spec.ts': [],
  },
  'gzip compression, level 9 (`CompressionLvl`; also 0, -1, -2)': {
    'test/unit/codec/codecs.spec.ts': [],
    'test/unit/codec/go-codec.spec.ts': ['levels for what they are: none, the default, Huffman coding alone'],
    'test/integration/go-wire/go-topics.spec.ts': [],
  },
  'several worker routines, 5 by default (`MaxRedisWorkers`)': {
    'test/integration/redis/pubsub.spec.ts': ['spreads topics over the workers'],
  },
  'writer and reader connections (`Writer`, `Reader`)': {
    'test/integration/redis/redis-options.spec.ts': [],
  },
  '`Host`, `Port`, `DB`, `Password`: localhost, 6379, 0, none': {
    'test/integration/redis/redis-options.spec.ts': ['reads URLs and has defaults'],
    'test/integration/redis/database.spec.ts': [],
  },
  'cluster mode: `IsCluster`, `ClusterNodes`': {
    'test/integration/redis/pubsub-cluster.spec.ts': [],
    'test/integration/streams/streams-cluster.spec.ts': [],
  },
  '`TopicPrefix`, "disco", which Go\'s code does not use: its channels and locks are bare': {
    'test/integration/go-wire/go-topics.spec.ts': [
      'are published on the bare channel, one message each, as gzip of the bytes',
    ],
  },
  '`MaxRetries` (3): its client sends a command again': {
    'test/integration/redis/pubsub-reconnect.spec.ts': [
      'says that the outcome is unknown when the reply is lost',
    ],
  },
  '`PoolSize`, `MaxOpenConns`, `MaxIdleConns`, `ConnMaxLifetime`': {
    'test/integration/redis/pubsub-reconnect.spec.ts': [
      'finds a frozen server, and takes a short stall for what it is',
    ],
  },
  '`BufferSize`, 10 MiB set aside for each gzip': {
    'test/integration/redis/pubsub-reconnect.spec.ts': [
      'buffers in order while Redis is away, within its limits and deadlines, and sends no ghosts',
    ],
  },
  "`MaxMessageSize`, 10 MiB, which Go's code does not check": {
    'test/unit/bus/publish.spec.ts': ['accepts a message of exactly the limit'],
  },
  '`LockExpiration`, 5 min': {
    'test/nest/locks.spec.ts': ['go by the defaults of the module, and its clock'],
  },
  'the resettable gzip reader': {
    'test/unit/codec/go-codec.spec.ts': ['refuses what goes beyond the limit'],
  },
  'Prometheus: published, processed, durations, locks, subscriptions': {
    'test/nest/metrics.spec.ts': ['shows what was published and handled, over HTTP'],
  },
  'published: one label, `topic`; a success adds `success` to its value, an error panics': {
    'test/nest/metrics.spec.ts': ['shows what was published and handled, over HTTP'],
  },
  "the duration of processing counts publishes as well; client_golang's buckets, 5 ms to 10 s": {
    'test/unit/prometheus/tallies.spec.ts': ['has every bucket of the original'],
  },
  'detailed error types': {
    'test/unit/errors/errors.spec.ts': [],
    'test/unit/bus/publish.spec.ts': ['refuses what the caller got wrong'],
  },
  'middleware, monitoring of your own': {
    'test/unit/middleware/middleware.spec.ts': [],
    'test/nest/module.spec.ts': ['takes a driver of the caller, and a sink'],
  },
  'example `pub-sub`': {
    'test/samples/publish-subscribe.spec.ts': [],
  },
  'example `locks`': {
    'test/samples/locks.spec.ts': [],
  },
  'example `error_handling`, metrics on port 2112': {
    'test/samples/error-handling.spec.ts': [],
  },
  'example `contexter`: scans directories, processes Go files': {
    'test/samples/contexter.spec.ts': [],
    'test/samples/contexter-tree.spec.ts': [],
  },
  'tests with mocked drivers': {
    'test/support/redis-server.ts': [],
  },
  'talking to the original': {
    'test/integration/go-wire/go-topics.spec.ts': [],
    'test/integration/go-wire/go-locks.spec.ts': [],
    'test/nest/go-wire.spec.ts': [],
  },
};

/** What happens when …: docs/understand/guarantees.md. Figures: `npm run test:faults -- streams`. */
export const whatHappensProofs: ProofTable = {
  'a handler throws': {
    'test/faults/streams-broker.spec.ts': ['a message that always fails among others'],
    'test/integration/streams/streams-consume.spec.ts': ['keeps a retry to the group that failed'],
  },
  'a handler throws `UnrecoverableError`, or bytes are no message': {
    'test/unit/bus/handle.spec.ts': [],
    'test/integration/streams/streams-consume.spec.ts': ['dead-letters corrupt entries at once'],
  },
  'a handler takes longer than `claimAfter`': {
    'test/faults/streams-broker.spec.ts': ['handlers run five times longer than a silent member lives'],
  },
  'a process dies while handling': {
    'test/faults/streams-processes.spec.ts': ['consumer processes are killed under load'],
  },
  'a message kills its process each time': {
    'test/faults/streams-processes.spec.ts': ['a message that kills its process'],
  },
  'processes die while retries are waiting': {
    'test/faults/streams-processes.spec.ts': ['processes are killed while retries are waiting'],
  },
  'a process is stopped (deploy)': {
    'test/faults/streams-processes.spec.ts': ['consumer processes are stopped in turn'],
    'test/integration/streams/streams-consume.spec.ts': ['hands over what a closing driver leaves unsettled'],
  },
  'Redis is killed and comes back': {
    'test/faults/streams-broker.spec.ts': ['Redis is killed under load'],
  },
  'a stream or group is deleted': {
    'test/faults/streams-broker.spec.ts': ['streams and groups are deleted while readers block'],
  },
  'the reply to a publish is lost': {
    'test/integration/streams/streams-publish.spec.ts': [
      'stores nothing twice when the reply to a publish is lost',
    ],
  },
  'the same `id` is published twice': {
    'test/integration/streams/streams-publish.spec.ts': ['remembers an id for the window'],
  },
  'a topic is full': {
    'test/integration/streams/streams-publish.spec.ts': [
      'refuses what does not fit',
      'drops the oldest where that is asked for',
    ],
  },
  'a primary dies, behind Sentinels or in a Cluster': {
    'test/faults/streams-failover.spec.ts': [],
    'test/faults/streams-replication.spec.ts': [],
  },
  'a topic turns up that a pattern subscribed to means': {
    'test/integration/streams/streams-patterns.spec.ts': ['finds a topic whose announcement was lost'],
  },
  'messages of one key must keep their order': {
    'test/faults/streams-order.spec.ts': [],
  },
};
