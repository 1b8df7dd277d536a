/** The kinds of metric in use. */
export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** Everything there is to know of one metric. */
export interface MetricDefinition {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly buckets?: readonly number[];
}

/** Seconds: from half a millisecond to ten seconds. */
const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Bytes: from 64 to 16 MiB, in steps of four. */
const bytesBuckets = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];

const counter = (name: string, help: string, ...labelNames: string[]): MetricDefinition => ({
  kind: 'counter',
  name: `disco_bus_${name}`,
  help,
  labelNames,
});
const gauge = (name: string, help: string, ...labelNames: string[]): MetricDefinition => ({
  kind: 'gauge',
  name: `disco_bus_${name}`,
  help,
  labelNames,
});
const seconds = (name: string, help: string, ...labelNames: string[]): MetricDefinition => ({
  kind: 'histogram',
  name: `disco_bus_${name}`,
  help,
  labelNames,
  buckets: secondsBuckets,
});

const ofGroup = (name: string, help: string) => gauge(`group_${name}`, help, 'topic', 'group');

/** Every metric of the bus. The first five have the names of the Go library. `topic` is a declared topic or pattern. */
export const metricDefinitions = {
  published: counter('messages_published_total', 'Messages published, by outcome', 'topic', 'status'),
  processed: counter(
    'messages_processed_total',
    'Attempts to handle a message, by outcome',
    'topic',
    'status',
  ),
  processingDuration: seconds('message_processing_duration_seconds', 'Time a handler took', 'topic'),
  lockOperations: counter('lock_operations_total', 'Lock operations, by outcome', 'operation', 'status'),
  activeSubscriptions: gauge('active_subscriptions', 'Live subscriptions', 'topic'),
  publishDuration: seconds('publish_duration_seconds', 'Time from publish to its settlement', 'topic'),
  retried: counter('messages_retried_total', 'Failed attempts that another one follows', 'topic'),
  deadLettered: counter('messages_dead_lettered_total', 'Messages kept as dead letters', 'topic', 'reason'),
  dropped: counter('messages_dropped_total', 'Messages given up and not kept', 'topic', 'reason'),
  inFlight: gauge('messages_in_flight', 'Attempts under way', 'topic'),
  messageBytes: {
    kind: 'histogram',
    name: 'disco_bus_message_bytes',
    help: 'Encoded size of the bodies published (out) and received (in)',
    labelNames: ['topic', 'direction'],
    buckets: bytesBuckets,
  } as MetricDefinition,
  plainBytes: counter(
    'message_plain_bytes_total',
    'Bytes of the bodies published, before they were compressed',
    'topic',
  ),
  requestDuration: seconds(
    'request_duration_seconds',
    'Time from a request to its last reply, by outcome',
    'topic',
    'status',
  ),
  handlerAttempts: counter(
    'handler_attempts_total',
    'Attempts of a handler, by outcome',
    'topic',
    'group',
    'handler',
    'status',
  ),
  handlerDuration: seconds('handler_duration_seconds', 'Time a handler took', 'topic', 'group', 'handler'),
  groupWaiting: ofGroup('waiting_messages', 'Messages of a group that nobody has'),
  groupOldest: ofGroup('oldest_seconds', 'Age of the oldest message of a group that is not handled'),
  groupHeld: ofGroup('held_messages', 'Messages that a member of the group has read and not settled'),
  groupRunning: ofGroup('running_messages', 'Messages of a group in a handler'),
  groupRetrying: ofGroup('retrying_messages', 'Messages of a group that are tried again'),
  groupDeadLetters: ofGroup('dead_letters', 'Messages in the dead letters of a group'),
  groupMembers: ofGroup('members', 'Processes that read a group'),
  groupPaused: ofGroup('paused', '1 while operators have paused the group, else 0'),
  lockWaiters: gauge('lock_waiters', 'Acquisitions of this process that wait for a lock'),
  eventLoopDelay: gauge(
    'event_loop_delay_seconds',
    'How late the event loop ran since the last reading, by quantile',
    'quantile',
  ),
  lockWait: seconds('lock_wait_duration_seconds', 'Time waited for a lock'),
  lockHold: seconds('lock_hold_duration_seconds', 'Time a lock was held'),
  locksLost: counter('locks_lost_total', 'Locks lost while they were held'),
  connectionUp: gauge('connection_up', '1 while every bus of the process is connected, else 0'),
} as const satisfies Record<string, MetricDefinition>;
